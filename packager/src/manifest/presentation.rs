//! Contents of a package for players. The Multivariant Playlist and the MPD share this source, so
//! they never contradict each other.

use serde::{Deserialize, Serialize};

use super::container::Container;
use crate::layout;
use crate::media::Rate;

/// All tracks and files, each list in written order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Presentation {
    pub(crate) container: Container,
    pub(crate) video: Vec<VideoTrack>,
    /// The first one is the default.
    pub(crate) audio: Vec<AudioTrack>,
    /// The first audio track is also an audio-only Variant Stream.
    pub(crate) has_audio_only: bool,
    pub(crate) subtitles: Vec<Subtitles>,
    pub(crate) iframes: Option<IFrames>,
    pub(crate) session_data: Vec<SessionData>,
}

/// A Rendition in segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Path from the package's root: `v/0123456789abcdef/480p`.
    pub(crate) folder: String,
    /// Identifier for all revisions, made of letters, digits and `+/=.-_`: `480p`, `audio-en`.
    pub(crate) id: String,
    /// RFC 6381.
    pub(crate) codec: String,
    /// bit/s of this Rendition alone.
    pub(crate) peak_bandwidth: u64,
    pub(crate) average_bandwidth: u64,
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// Duration of each segment.
    pub(crate) ticks: Vec<u64>,
}

impl Track {
    /// Media Playlist, from the package's root.
    pub(crate) fn playlist(&self) -> String {
        layout::media_playlist(&self.folder)
    }

    /// Duration in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        self.in_micros(self.ticks.iter().sum())
    }

    /// Converts ticks to microseconds, rounded up: unsuitable for sums.
    pub(crate) fn in_micros(&self, ticks: u64) -> u64 {
        let micros = (u128::from(ticks) * 1_000_000).div_ceil(u128::from(self.timescale.max(1)));
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VideoTrack {
    pub(crate) track: Track,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Rate,
}

impl VideoTrack {
    pub(crate) fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AudioTrack {
    pub(crate) track: Track,
    /// BCP 47; `und` if unknown.
    pub(crate) language: String,
    /// Title from the source; the language's name replaces a missing one.
    pub(crate) title: Option<String>,
    pub(crate) channels: u32,
    /// The audio is in the video segments. It may have segments of its own as well.
    pub(crate) is_muxed: bool,
}

/// Captions or a translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subtitles {
    /// Media Playlist, from the package's root.
    pub(crate) playlist: String,
    /// One WebVTT file with all cues, for DASH players; from the package's root.
    pub(crate) file: String,
    /// Identifier for all revisions: `subtitles-en`.
    pub(crate) id: String,
    /// BCP 47.
    pub(crate) language: String,
    pub(crate) title: Option<String>,
}

/// Small I-frames at a fixed distance: one file of single-frame fragments, or the first frames of
/// transport streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IFrames {
    /// A track with one segment for each I-frame.
    pub(crate) track: Track,
    /// Media Playlist, from the package's root.
    pub(crate) playlist: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Metadata of the whole lecture in a file that does not play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionData {
    /// `DATA-ID`, by which players find it.
    pub(crate) id: &'static str,
    /// Path from the package's root.
    pub(crate) file: String,
    pub(crate) is_json: bool,
    /// BCP 47, if there is a file of each language.
    pub(crate) language: Option<String>,
}

/// Tracks of a short lecture.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    fn track(name: &str, codec: &str, bandwidth: u64) -> Track {
        Track {
            folder: format!("v/0123456789abcdef/{name}"),
            id: name.replace('/', "-"),
            codec: codec.into(),
            peak_bandwidth: bandwidth,
            average_bandwidth: bandwidth / 2,
            timescale: 30_000,
            ticks: vec![120_120, 120_120, 39_039],
        }
    }

    pub(crate) fn video(width: u32, height: u32, codec: &str) -> VideoTrack {
        let kind = if codec.starts_with("hvc1") {
            "-hevc"
        } else {
            ""
        };
        let name = format!("{}p{kind}", width.min(height));
        VideoTrack {
            track: track(&name, codec, u64::from(width) * 1000),
            width,
            height,
            frame_rate: Rate::new(30_000, 1001),
        }
    }

    pub(crate) fn audio(language: &str) -> AudioTrack {
        let track = Track {
            timescale: 48_000,
            ticks: vec![191_488, 192_512, 62_464],
            ..track(&format!("audio/{language}"), "mp4a.40.2", 130_000)
        };
        AudioTrack {
            track,
            language: language.into(),
            title: None,
            channels: 2,
            is_muxed: false,
        }
    }

    pub(crate) fn captions(language: &str) -> Subtitles {
        let folder = format!("v/0123456789abcdef/subtitles/{language}");
        Subtitles {
            playlist: format!("{folder}/playlist.m3u8"),
            file: format!("{folder}/captions.vtt"),
            id: format!("subtitles-{language}"),
            language: language.into(),
            title: None,
        }
    }

    pub(crate) fn session_data(name: &str) -> SessionData {
        SessionData {
            id: "org.example",
            file: format!("v/0123456789abcdef/{name}"),
            is_json: name.ends_with(".json"),
            language: None,
        }
    }

    pub(crate) fn iframes() -> IFrames {
        let track = Track {
            timescale: 16_000,
            ticks: vec![32_032; 4],
            ..track("iframes", "avc1.640015", 60_000)
        };
        IFrames {
            playlist: track.playlist(),
            track,
            width: 426,
            height: 240,
        }
    }
}
