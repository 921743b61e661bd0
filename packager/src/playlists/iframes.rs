//! I-frame playlists (RFC 8216bis §4.4.3.6): pictures to look through a lecture by.

use std::ops::Range;

use super::tags::{Tag, seconds};
use super::{Segment, VERSION, target_duration};

/// All pictures are in one file: the edge signs one URL for all of them, and publishing them takes one request instead
/// of 1,800 an hour.
pub(crate) fn iframes(file: &str, map: &Range<u64>, pictures: &[Picture]) -> Vec<u8> {
    let target = target_duration(pictures.iter().map(|picture| &picture.segment));
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-I-FRAMES-ONLY\n"
    );
    Tag::new("EXT-X-MAP")
        .quoted("URI", file)
        .quoted(
            "BYTERANGE",
            &format!("{}@{}", map.end - map.start, map.start),
        )
        .end(&mut out);
    for Picture { segment, offset } in pictures {
        out += &format!(
            "#EXTINF:{},\n#EXT-X-BYTERANGE:{}@{offset}\n{file}\n",
            seconds(segment.micros),
            segment.bytes
        );
    }
    out += "#EXT-X-ENDLIST\n";
    out.into_bytes()
}

/// A fragment that holds one picture, and where in its file it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) segment: Segment,
    pub(crate) offset: u64,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{parsed, segment, text};
    use super::*;

    fn pictures() -> [Picture; 2] {
        [
            Picture {
                segment: segment(2_002_000, 4616),
                offset: 900,
            },
            Picture {
                segment: segment(500_500, 4784),
                offset: 5516,
            },
        ]
    }

    #[test]
    fn pictures_are_byte_ranges_of_one_file_and_last_until_the_next() {
        insta::assert_snapshot!(text(iframes("pictures.mp4", &(0..778), &pictures())), @r#"
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
    fn a_parser_of_somebody_else_reads_what_was_meant() {
        let playlist = iframes("pictures.mp4", &(0..778), &pictures());
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
