//! What Media Segments are wrapped in, and what follows from it for playlists.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::layout;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Container {
    /// Fragmented MP4 (CMAF), the same segments for HLS and DASH.
    #[default]
    Cmaf,
    /// MPEG-2 Transport Streams, for devices that know nothing else.
    Ts,
}

impl Container {
    /// RFC 8216bis §8: `EXT-X-MAP` in a playlist of whole segments needs 6, durations with a fraction need 3, and nothing
    /// else here needs more.
    pub(crate) fn version(self) -> u32 {
        match self {
            Self::Cmaf => 6,
            Self::Ts => 3,
        }
    }

    /// Where the segment with this number is, from its Media Playlist.
    pub(crate) fn segment_name(self, at: usize) -> String {
        match self {
            Self::Cmaf => layout::segment_name(at),
            Self::Ts => layout::ts_segment_name(at),
        }
    }

    /// The MPEG-2 timestamp, in ticks of 90 kHz, at which the lecture is at 0. Timestamps of a transport stream have no
    /// sign, and priming and reordering come before the first picture: 10 s is what Apple's own tools start at.
    pub(crate) fn origin(self) -> u64 {
        match self {
            Self::Cmaf => 0,
            Self::Ts => 900_000,
        }
    }
}

/// What a container does not hold.
#[derive(Debug, thiserror::Error)]
#[error("`--container ts` holds H.264 alone, and `--codec` asks for another")]
pub(crate) struct ContainerError;

impl ContainerError {
    pub(crate) fn hint(&self) -> &'static str {
        "leave `--codec` out, or package those codecs without `--container ts`"
    }
}
