//! A checked Rendition: its playlist, its tracks, and facts about each segment.

use std::sync::OnceLock;

use crate::check::fmp4::{CheckedInit, CheckedTrack, Medium, SegmentSamples};
use crate::check::playlist::{CheckedPlaylist, ListedSegment};
use crate::check::transport::Transport;
use crate::check::webvtt::WebVtt;
use reqwest::Url;

/// Reference to a Media Playlist: the index of a Variant Stream, of an `EXT-X-MEDIA` or of an
/// I-frame Variant Stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListedAs {
    Variant(usize),
    Media(usize),
    IFrames(usize),
    /// The input itself.
    Alone,
}

#[derive(Debug)]
pub(crate) struct CheckedRendition {
    pub(crate) name: String,
    pub(crate) at: Url,
    pub(crate) uses: Vec<ListedAs>,
    pub(crate) playlist: CheckedPlaylist,
    /// Parallel to the playlist's `maps`; `None` for an unreadable one.
    pub(crate) inits: Vec<Option<CheckedInit>>,
    /// Tracks of the first transport stream.
    pub(crate) transported: Vec<CheckedTrack>,
    /// Parallel to the playlist's segments.
    pub(crate) segments: Vec<CheckedSegment>,
    pub(crate) is_subtitles: bool,
    /// Measured once: several rules ask for every Rendition of a group.
    pub(crate) rates: OnceLock<Option<(u64, u64)>>,
}

#[derive(Debug)]
pub(crate) struct CheckedSegment {
    pub(crate) bytes: u64,
    pub(crate) body: SegmentBody,
}

#[derive(Debug)]
pub(crate) enum SegmentBody {
    Fragments(SegmentSamples),
    Transport(Box<Transport>),
    /// A transport stream with a fault.
    NoTransport(String),
    WebVtt(WebVtt),
    /// Malformed boxes, or an unknown container.
    Wrong(String),
    /// It does not decrypt with its key.
    Undecryptable(String),
    /// A segment that is not examined, with the reason.
    Opaque(&'static str),
    /// A segment that `EXT-X-GAP` declares missing.
    Gap,
    Unread,
}

impl CheckedRendition {
    pub(crate) fn is_i_frames(&self) -> bool {
        self.uses
            .iter()
            .any(|kind| matches!(kind, ListedAs::IFrames(_)))
    }

    /// All understood tracks.
    pub(crate) fn tracks(&self) -> impl Iterator<Item = &CheckedTrack> {
        let inits = self.inits.iter().flatten();
        inits.flat_map(|init| &init.tracks).chain(&self.transported)
    }

    /// The track that measures segments.
    pub(crate) fn track(&self) -> Option<&CheckedTrack> {
        let init = self.inits.iter().flatten().next().map(CheckedInit::main);
        init.or(self.transported.first())
    }

    /// All tracks in its segments are understood.
    pub(crate) fn is_known(&self) -> bool {
        self.track().is_some() && self.transports().all(|(.., found)| !found.is_partly_known)
    }

    pub(crate) fn medium(&self) -> Option<Medium> {
        self.track().map(|track| track.medium)
    }

    /// Samples of the measuring track in each segment, with its number, its playlist entry and the
    /// track.
    pub(crate) fn fragments(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &ListedSegment, &CheckedTrack, &SegmentSamples)>
    {
        let both = self.playlist.segments.iter().zip(&self.segments);
        both.enumerate().filter_map(|(at, (listed, segment))| {
            let (track, found) = match &segment.body {
                SegmentBody::Fragments(found) => {
                    (self.inits.get(listed.map?)?.as_ref()?.main(), found)
                }
                SegmentBody::Transport(found) => {
                    let track = self.transported.first()?;
                    (track, found.of(track.medium)?)
                }
                _ => return None,
            };
            Some((at, listed, track, found))
        })
    }

    /// Audio samples in the transport streams of video.
    pub(crate) fn muxed(
        &self,
    ) -> impl Iterator<Item = (usize, &ListedSegment, &CheckedTrack, &SegmentSamples)> {
        // Video is the first track, if there is any.
        let track = self.transported.get(1);
        self.transports().filter_map(move |(at, listed, found)| {
            Some((at, listed, track?, found.audio.as_ref()?))
        })
    }

    /// Segments that are transport streams.
    pub(crate) fn transports(&self) -> impl Iterator<Item = (usize, &ListedSegment, &Transport)> {
        let both = self.playlist.segments.iter().zip(&self.segments);
        both.enumerate()
            .filter_map(|(at, (listed, segment))| match &segment.body {
                SegmentBody::Transport(found) => Some((at, listed, found.as_ref())),
                _ => None,
            })
    }

    /// Segments of fragmented MP4, with the track of their own initialization section.
    pub(crate) fn boxes(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &ListedSegment, &CheckedTrack, &SegmentSamples)>
    {
        let both = self.playlist.segments.iter().zip(&self.segments);
        both.enumerate().filter_map(|(at, (listed, segment))| {
            let SegmentBody::Fragments(fragments) = &segment.body else {
                return None;
            };
            let init = self.inits.get(listed.map?)?.as_ref()?;
            Some((at, listed, init.main(), fragments))
        })
    }

    pub(crate) fn has_video(&self) -> bool {
        !self.is_i_frames() && self.medium() == Some(Medium::Video)
    }

    pub(crate) fn has_audio_only(&self) -> bool {
        self.medium() == Some(Medium::Audio)
    }

    /// Listed seconds.
    pub(crate) fn seconds(&self) -> f64 {
        let micros: u64 = self
            .playlist
            .segments
            .iter()
            .map(|listed| listed.micros)
            .sum();
        micros as f64 / 1e6
    }

    /// Peak and average rate in bit/s, if every segment was readable. The peak is the highest rate
    /// of a run of segments (RFC 8216bis §4.1). A run lasts between half and one and a half target
    /// durations.
    pub(crate) fn rates(&self) -> Option<(u64, u64)> {
        *self.rates.get_or_init(|| self.measure_rates())
    }

    fn measure_rates(&self) -> Option<(u64, u64)> {
        const LONGEST_RUN: usize = 1_000;
        let is_unread = |segment: &CheckedSegment| matches!(segment.body, SegmentBody::Unread);
        if self.segments.is_empty() || self.segments.iter().any(is_unread) {
            return None;
        }
        let target = self.playlist.target_duration?.saturating_mul(1_000_000);
        let (least, most) = (target / 2, target.saturating_add(target / 2));
        let all: Vec<(u64, u64)> = self
            .playlist
            .segments
            .iter()
            .zip(&self.segments)
            .map(|(listed, segment)| (listed.micros, segment.bytes))
            .collect();
        let rate = |micros: u64, bytes: u64| {
            let bits = u128::from(bytes) * 8_000_000;
            u64::try_from(bits / u128::from(micros.max(1))).unwrap_or(u64::MAX)
        };
        let mut peak = 0;
        for first in 0..all.len() {
            let (mut micros, mut bytes) = (0_u64, 0_u64);
            for (more, size) in all[first..].iter().take(LONGEST_RUN) {
                micros = micros.saturating_add(*more);
                bytes = bytes.saturating_add(*size);
                if micros > most {
                    break;
                }
                if micros >= least {
                    peak = peak.max(rate(micros, bytes));
                }
            }
        }
        let (micros, bytes) = all.iter().fold((0_u64, 0_u64), |sum, one| {
            (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
        });
        let average = rate(micros, bytes);
        Some((peak.max(average), average))
    }

    /// The highest frame rate of a segment that is long enough to have one.
    pub(crate) fn frame_rate(&self) -> Option<f64> {
        let longest = self
            .fragments()
            .map(|(_, _, track, fragments)| track.micros(fragments.duration))
            .max()?;
        self.fragments()
            .filter(|(_, _, track, fragments)| track.micros(fragments.duration) * 2 >= longest)
            .map(|(_, _, track, fragments)| {
                let seconds = fragments.duration.max(1) as f64 / f64::from(track.timescale);
                fragments.samples as f64 / seconds
            })
            .max_by(f64::total_cmp)
    }
}
