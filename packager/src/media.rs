//! Types that several folders share: rates, codecs, Media Segments, I-frames, objects.

use serde::{Deserialize, Serialize};

use clap::ValueEnum;

use crate::digest::{self, sha256};
use anyhow::{Context as _, Result};

use std::fs::File;
use std::path::Path;

/// A rate in frames a second, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) num: u32,
    pub(crate) den: u32,
}

impl Rate {
    pub(crate) const fn new(num: u32, den: u32) -> Self {
        Self { num, den }
    }

    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// Parses ffprobe's `30000/1001`; `0/0` means unknown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once('/')?;
        let (num, den) = (num.parse().ok()?, den.parse().ok()?);
        (num != 0 && den != 0).then_some(Self { num, den })
    }
}

/// Video codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Codec {
    H264,
    Hevc,
    Av1,
}

/// A measured Media Segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) micros: u64,
    pub(crate) bytes: u64,
}

/// A fragment with a single frame, and its offset in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IFrame {
    pub(crate) segment: Segment,
    pub(crate) offset: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// Path from the package's root, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    #[serde(rename = "type")]
    pub(crate) content_type: String,
}

/// An object that ffmpeg did not write, despite exit code 0.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` was not written")]
pub(crate) struct NotWritten(String);

impl Object {
    pub(crate) fn of_bytes(path: String, bytes: &[u8]) -> Self {
        Self {
            content_type: lectern::object::content_type::for_key(&path).to_owned(),
            path,
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        }
    }

    /// Describes a file below a folder. An empty file counts as missing, because ffmpeg exits with
    /// code 0 without writing.
    pub(crate) async fn of_file(folder: &Path, path: &str) -> Result<Self> {
        let not_written = || NotWritten(path.to_owned());
        let file = File::open(folder.join(path)).with_context(not_written)?;
        let found = digest::of_reader(file, |_| {}).await;
        let found = found.with_context(not_written)?;
        if found.bytes == 0 {
            return Err(not_written().into());
        }
        Ok(Self {
            content_type: lectern::object::content_type::for_key(path).to_owned(),
            path: path.to_owned(),
            bytes: found.bytes,
            sha256: found.sha256,
        })
    }

    /// Compares bytes with the object's length and hash.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.sha256 == sha256(bytes)
    }
}

pub(crate) const AUDIO_SAMPLE_RATE: u32 = 48_000;

pub(crate) const AUDIO_CHANNELS: u32 = 2;

/// Maximum seconds between random access points: a seek decodes so much, and each segment starts
/// with one.
pub(crate) const LONGEST_GOP: u32 = 2;

/// Seconds between key frames, as numerator and denominator, for segments of `segment_duration`
/// seconds.
pub(crate) fn key_frame_interval(segment_duration: u32) -> (u32, u32) {
    (segment_duration, segment_duration.div_ceil(LONGEST_GOP))
}

/// A Rendition on disk.
#[derive(Debug)]
pub(crate) struct Rendition {
    pub(crate) folder: String,
    pub(crate) codec: String,
    /// Ticks a second, and the duration of each segment in them.
    pub(crate) timescale: u32,
    pub(crate) ticks: Vec<u64>,
    /// Ticks by which decoding precedes presentation, if boxes present the first frame at 0.
    pub(crate) reorder_ticks: u64,
    pub(crate) segments: Vec<Segment>,
    /// The Media Initialization Section and the segments; paths from the revision's folder.
    pub(crate) objects: Vec<Object>,
}

impl Rendition {
    /// The Rendition without its segments and objects.
    pub(crate) fn without_segments(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            codec: self.codec.clone(),
            ticks: vec![],
            segments: vec![],
            objects: vec![],
            ..*self
        }
    }
}

/// Players skip no shorter rest, in seconds.
const MIN_SILENCE: f64 = 1.5;

/// A silence, in seconds of the lecture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silence(pub(crate) f64, pub(crate) f64);

impl Silence {
    /// The silence up to the end of the lecture, unless too little of it is left.
    pub(crate) fn within(self, seconds: f64) -> Option<Self> {
        let Self(from, to) = self;
        // A whole number of milliseconds of the lecture.
        let to = to.min((seconds * 1000.0).floor() / 1000.0);
        (to - from >= MIN_SILENCE).then_some(Self(from, to))
    }
}
