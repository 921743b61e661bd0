//! Playlists from measured facts (RFC 8216bis). Pure: equal facts give equal bytes.
//!
//! This code writes tags itself, because m3u8-rs prints unknown attributes in random order. The
//! tests read its output with m3u8-rs.

pub(crate) mod iframes;
pub(crate) mod media;
pub(crate) mod multivariant;
mod tags;

pub(crate) use iframes::{first_iframes, iframes};

pub(crate) use media::{growing, media, media_in};
pub(crate) use multivariant::multivariant;

#[cfg(test)]
mod testing {
    use crate::media::Segment;

    pub(crate) fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("playlists are UTF-8")
    }

    pub(crate) fn segment(micros: u64, bytes: u64) -> Segment {
        Segment { micros, bytes }
    }

    /// Parses a playlist with an independent parser.
    pub(crate) fn parsed(playlist: &[u8]) -> m3u8_rs::Playlist {
        m3u8_rs::parse_playlist_res(playlist).expect("it is a playlist")
    }
}

#[cfg(test)]
mod tests {
    use super::testing::segment;

    use crate::manifest::bandwidth::{bandwidth, target_duration};

    #[test]
    fn the_peak_is_that_of_runs_about_as_long_as_the_target_duration() {
        // 4 s at 1 Mbit/s, 4 s at 2 Mbit/s, and one frame of 0.04 s, which alone has 20 Mbit/s.
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
