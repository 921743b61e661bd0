//! Playlists from measured facts (RFC 8216bis). Pure: equal facts give equal bytes.
//!
//! Written by hand: m3u8-rs prints attributes that it has no field for in an order that changes from run to run. The tests
//! have it read what is written here.

pub(crate) mod iframes;
pub(crate) mod media;
pub(crate) mod multivariant;
mod tags;

pub(crate) use iframes::{first_iframes, iframes};

pub(crate) use media::{growing, media, media_in};
pub(crate) use multivariant::multivariant;

use super::container::Container;
use crate::media::{Rate, Segment};

/// Where the CMAF segment with this number is, from its Media Playlist.
pub(crate) fn segment_name(at: usize) -> String {
    Container::Cmaf.segment_name(at)
}

/// RFC 8216bis §4.4.3.1: every `EXTINF`, rounded to the nearest integer, is at most this.
pub(crate) fn target_duration<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> u64 {
    segments
        .into_iter()
        .map(|segment| (segment.micros + 500_000) / 1_000_000)
        .max()
        .unwrap_or(1)
        .max(1)
}

/// Three decimals, as RFC 8216bis §4.4.6.2 has it.
pub(crate) fn shown_rate(rate: Rate) -> f64 {
    (rate.as_f64() * 1000.0).round() / 1000.0
}

/// The peak and the average in bit/s. Peak (RFC 8216bis §4.1): the highest rate of any run of segments that lasts between
/// half and one and a half target durations, so that a last segment of one picture does not count as a peak.
pub(crate) fn bandwidth(segments: &[Segment], target_duration: u64) -> (u64, u64) {
    let (least, most) = (target_duration * 500_000, target_duration * 1_500_000);
    let mut peak = 0;
    for first in 0..segments.len() {
        let mut run = Segment {
            micros: 0,
            bytes: 0,
        };
        for segment in &segments[first..] {
            run.micros += segment.micros;
            run.bytes += segment.bytes;
            if run.micros > most {
                break;
            }
            if run.micros >= least {
                peak = peak.max(rate(run));
            }
        }
    }
    let whole = segments.iter().fold(
        Segment {
            micros: 0,
            bytes: 0,
        },
        |sum, segment| Segment {
            micros: sum.micros + segment.micros,
            bytes: sum.bytes + segment.bytes,
        },
    );
    let average = rate(whole);
    (peak.max(average), average)
}

fn rate(run: Segment) -> u64 {
    let bits = u128::from(run.bytes) * 8 * 1_000_000;
    u64::try_from(bits.div_ceil(u128::from(run.micros.max(1)))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod testing {
    use super::Segment;

    pub(crate) fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("playlists are UTF-8")
    }

    pub(crate) fn segment(micros: u64, bytes: u64) -> Segment {
        Segment { micros, bytes }
    }

    /// What a parser of somebody else's reads.
    pub(crate) fn parsed(playlist: &[u8]) -> m3u8_rs::Playlist {
        m3u8_rs::parse_playlist_res(playlist).expect("it is a playlist")
    }
}

#[cfg(test)]
mod tests {
    use super::testing::segment;
    use super::*;

    #[test]
    fn the_peak_is_that_of_runs_about_as_long_as_the_target_duration() {
        // 4 s at 1 Mbit/s, 4 s at 2 Mbit/s, and one picture of 0.04 s that would be 20 Mbit/s on its own.
        let segments = [
            segment(4_000_000, 500_000),
            segment(4_000_000, 1_000_000),
            segment(40_000, 100_000),
        ];
        let (peak, average) = bandwidth(&segments, 4);
        assert_eq!(peak, 2_178_218);
        assert_eq!(average, 1_592_040);
        assert_eq!(
            bandwidth(&[segment(400_000, 50_000)], 4),
            (1_000_000, 1_000_000)
        );
        assert_eq!(bandwidth(&[], 4), (0, 0));
    }

    #[test]
    fn the_target_duration_is_the_longest_segment_rounded() {
        for (micros, expected) in [(4_010_667, 4), (4_500_000, 5), (40_000, 1)] {
            assert_eq!(target_duration(&[segment(micros, 1)]), expected, "{micros}");
        }
    }
}
