//! `package.json`: what made a package, and every object in it.

use serde::{Deserialize, Serialize};

use crate::extras::ExtrasFacts;
use crate::plan::Settings;
use crate::probe::{Rate, Source};

pub(crate) const NAME: &str = "package.json";
pub(crate) const MULTIVARIANT: &str = "master.m3u8";
pub(crate) const MPD: &str = "manifest.mpd";

/// Whether this is the same in every revision's place, and not under `v/`: it is replaced, and written last.
pub(crate) fn is_mutable(path: &str) -> bool {
    matches!(path, MULTIVARIANT | MPD)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) revision: String,
    /// Seconds of the longest Rendition.
    pub(crate) duration: f64,
    pub(crate) source: SourceFacts,
    pub(crate) settings: Settings,
    pub(crate) tools: Tools,
    pub(crate) renditions: Vec<RenditionFacts>,
    /// Captions, chapters, the storyboard.
    #[serde(flatten)]
    pub(crate) extras: ExtrasFacts,
    /// What makes this revision the lecture, so that it can be made the lecture again.
    #[serde(default)]
    pub(crate) root: Vec<RootFile>,
    /// Every object but this one, in the order in which they are published.
    pub(crate) objects: Vec<Object>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The name of the file is left out: viewers may read this object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceFacts {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    #[serde(flatten)]
    pub(crate) media: Source,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tools {
    pub(crate) lectern: String,
    pub(crate) ffmpeg: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RenditionFacts {
    /// `1080p`, `audio/en`.
    pub(crate) folder: String,
    pub(crate) codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<Picture>,
    pub(crate) duration: f64,
    pub(crate) segments: usize,
    pub(crate) bytes: u64,
    /// bit/s, without the audio that plays beside a picture.
    pub(crate) peak_bandwidth: u64,
    pub(crate) average_bandwidth: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Rate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// From the package's root, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    #[serde(rename = "type")]
    pub(crate) content_type: String,
}

impl Package {
    /// Where this file is, from the package's root.
    pub(crate) fn own_path(&self) -> String {
        own_path(&self.revision)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }
}

pub(crate) fn own_path(revision: &str) -> String {
    format!("v/{revision}/{NAME}")
}
