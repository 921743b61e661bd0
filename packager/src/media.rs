//! Nouns of the field that several folders share: rates, codecs, Media Segments, I-frames, objects.

use serde::{Deserialize, Serialize};

use clap::ValueEnum;

use crate::digest::hex;
use crate::layout::is_mutable;
use crate::package::manifest_json::{MAX_CONTENT_TYPE_BYTES, MAX_OBJECT_BYTES, PackageJsonError};
use lectern::object::key::ObjectKey;
use sha2::{Digest as _, Sha256};

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

    /// `30000/1001` as ffprobe writes it; `0/0` is how it says that it does not know.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once('/')?;
        let (num, den) = (num.parse().ok()?, den.parse().ok()?);
        (num != 0 && den != 0).then_some(Self { num, den })
    }
}

/// What a picture is encoded with.
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

/// A fragment that holds one picture, and where in its file it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IFrame {
    pub(crate) segment: Segment,
    pub(crate) offset: u64,
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

impl Object {
    pub(crate) fn check(&self, prefix: &str) -> Result<(), PackageJsonError> {
        let is_ours = is_mutable(&self.path) || self.path.starts_with(prefix);
        if !is_ours || ObjectKey::new(&*self.path).is_err() {
            return Err(PackageJsonError::Foreign(self.path.clone()));
        }
        let is_hash = self.sha256.len() == 64
            && (self.sha256.bytes()).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_type = self.content_type.len() <= MAX_CONTENT_TYPE_BYTES
            && (self.content_type.bytes()).all(|byte| (b' '..=b'~').contains(&byte));
        let why = match (is_hash, is_type) {
            _ if self.bytes > MAX_OBJECT_BYTES => "it is too large",
            (false, _) => "`sha256` is no SHA-256",
            (_, false) => "`type` is no content type",
            (true, true) => return Ok(()),
        };
        Err(PackageJsonError::Impossible {
            path: self.path.clone(),
            why,
        })
    }

    /// Whether these are the object's bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.sha256 == hex(&Sha256::digest(bytes))
    }
}

pub(crate) const AUDIO_SAMPLE_RATE: u32 = 48_000;

pub(crate) const AUDIO_CHANNELS: u32 = 2;

/// Random access every two seconds at most: a seek decodes that much, and a segment starts on one of them.
pub(crate) const LONGEST_GOP: u32 = 2;

/// Seconds between key frames, as a numerator and a denominator, for segments of so many seconds.
pub(crate) fn key_frame_interval(segment_duration: u32) -> (u32, u32) {
    (segment_duration, segment_duration.div_ceil(LONGEST_GOP))
}
