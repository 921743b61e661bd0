//! Segment containers, and their consequences for playlists.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::layout;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Container {
    /// Fragmented MP4 (CMAF), the same segments for HLS and DASH.
    #[default]
    Cmaf,
    /// MPEG-2 Transport Streams, for devices that read nothing else.
    Ts,
}

impl Container {
    /// `EXT-X-VERSION` (RFC 8216bis §8): `EXT-X-MAP` in a playlist of whole segments needs 6,
    /// fractional durations need 3.
    pub(crate) fn version(self) -> u32 {
        match self {
            Self::Cmaf => 6,
            Self::Ts => 3,
        }
    }

    /// URI of a segment in its Media Playlist.
    pub(crate) fn segment_name(self, at: usize) -> String {
        match self {
            Self::Cmaf => layout::segment_name(at),
            Self::Ts => layout::ts_segment_name(at),
        }
    }

    /// MPEG-2 timestamp of the start of the lecture, in ticks of 90 kHz. These timestamps are
    /// unsigned, and priming and reordering precede the first frame. Apple's tools also start at 10
    /// s.
    pub(crate) fn origin(self) -> u64 {
        match self {
            Self::Cmaf => 0,
            Self::Ts => 900_000,
        }
    }
}

/// A codec that the container does not hold.
#[derive(Debug, thiserror::Error)]
#[error("`--container ts` holds H.264 alone, and `--codec` asks for another")]
pub(crate) struct ContainerError;

impl ContainerError {
    pub(crate) fn hint(&self) -> &'static str {
        "leave `--codec` out, or package those codecs without `--container ts`"
    }
}
