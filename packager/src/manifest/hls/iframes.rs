//! I-frame playlists (RFC 8216bis §4.4.3.6).

use std::ops::Range;

use super::tags::{Tag, seconds};
use crate::manifest::bandwidth::target_duration;
use crate::manifest::container::Container;
use crate::media::IFrame;

/// Lists I-frames as byte ranges of one file. The edge signs one URL for all of them, and one
/// request publishes them instead of 1,800 an hour.
pub(crate) fn iframes(file: &str, map: &Range<u64>, frames: &[IFrame]) -> Vec<u8> {
    let mut out = head(Container::Cmaf.version(), frames);
    Tag::new("EXT-X-MAP")
        .quoted("URI", file)
        .quoted(
            "BYTERANGE",
            &format!("{}@{}", map.end - map.start, map.start),
        )
        .end(&mut out);
    list(&mut out, frames, |_| file.to_owned());
    out.into_bytes()
}

/// Lists the first frame of each transport stream in order, as a byte range of the existing
/// segment.
pub(crate) fn first_iframes(frames: &[IFrame]) -> Vec<u8> {
    // §8: byte ranges and I-frames need 4.
    let mut out = head(4, frames);
    list(&mut out, frames, |at| Container::Ts.segment_name(at));
    out.into_bytes()
}

fn head(version: u32, frames: &[IFrame]) -> String {
    let target = target_duration(frames.iter().map(|frame| &frame.segment));
    format!(
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-I-FRAMES-ONLY\n"
    )
}

fn list(out: &mut String, frames: &[IFrame], file: impl Fn(usize) -> String) {
    for (at, IFrame { segment, offset }) in frames.iter().enumerate() {
        *out += &format!(
            "#EXTINF:{},\n#EXT-X-BYTERANGE:{}@{offset}\n{}\n",
            seconds(segment.micros),
            segment.bytes,
            file(at)
        );
    }
    *out += "#EXT-X-ENDLIST\n";
}

#[cfg(test)]
mod tests {
    use super::super::testing::{parsed, segment, text};
    use super::*;

    fn frames() -> [IFrame; 2] {
        [
            IFrame {
                segment: segment(2_002_000, 4616),
                offset: 900,
            },
            IFrame {
                segment: segment(500_500, 4784),
                offset: 5516,
            },
        ]
    }

    #[test]
    fn iframes_are_byte_ranges_of_one_file_and_last_until_the_next() {
        insta::assert_snapshot!(text(iframes("pictures.mp4", &(0..778), &frames())), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-TARGETDURATION:2
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-I-FRAMES-ONLY
        #EXT-X-MAP:URI="pictures.mp4",BYTERANGE="778@0"
        #EXTINF:2.002000,
        #EXT-X-BYTERANGE:4616@900
        pictures.mp4
        #EXTINF:0.500500,
        #EXT-X-BYTERANGE:4784@5516
        pictures.mp4
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn iframes_of_transport_streams_are_the_beginnings_of_segments() {
        let frames = frames().map(|frame| IFrame { offset: 0, ..frame });
        insta::assert_snapshot!(text(first_iframes(&frames)), @r#"
        #EXTM3U
        #EXT-X-VERSION:4
        #EXT-X-TARGETDURATION:2
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-I-FRAMES-ONLY
        #EXTINF:2.002000,
        #EXT-X-BYTERANGE:4616@0
        seg00000.ts
        #EXTINF:0.500500,
        #EXT-X-BYTERANGE:4784@0
        seg00001.ts
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_parser_of_somebody_else_reads_what_was_meant() {
        let playlist = iframes("pictures.mp4", &(0..778), &frames());
        let m3u8_rs::Playlist::MediaPlaylist(playlist) = parsed(&playlist) else {
            panic!("it is a Media Playlist");
        };
        assert!(playlist.i_frames_only && playlist.end_list);
        let ranges: Vec<(u64, Option<u64>)> = playlist
            .segments
            .iter()
            .filter_map(|segment| segment.byte_range.as_ref())
            .map(|range| (range.length, range.offset))
            .collect();
        assert_eq!(ranges, [(4616, Some(900)), (4784, Some(5516))]);
    }
}
