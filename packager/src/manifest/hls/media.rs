//! Media Playlists (RFC 8216bis §4.4.3).

use super::tags::{Tag, seconds};
use crate::layout;
use crate::manifest::container::Container;
use crate::media::Segment;

pub(crate) fn media(segments: &[Segment], target_duration: u64, container: Container) -> Vec<u8> {
    listed("", segments, target_duration, container)
}

/// A Media Playlist whose segments are in another folder: `../../0123456789abcdef/480p/`.
pub(crate) fn media_in(folder: &str, segments: &[Segment], target_duration: u64) -> Vec<u8> {
    listed(folder, segments, target_duration, Container::Cmaf)
}

fn listed(
    folder: &str,
    segments: &[Segment],
    target_duration: u64,
    container: Container,
) -> Vec<u8> {
    let version = container.version();
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:{target_duration}\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n"
    );
    if container == Container::Cmaf {
        Tag::new("EXT-X-MAP")
            .quoted("URI", &format!("{folder}{}", layout::INIT))
            .end(&mut out);
    }
    for (at, segment) in segments.iter().enumerate() {
        out += &format!(
            "#EXTINF:{},\n{folder}{}\n",
            seconds(segment.micros),
            container.segment_name(at)
        );
    }
    out += "#EXT-X-ENDLIST\n";
    out.into_bytes()
}

/// An `EVENT` playlist that players start at its beginning. By default they start near the end of a
/// growing playlist (RFC 8216bis §4.4.2.2, §4.4.3.5).
pub(crate) fn growing(segments: &[Segment], target_duration: u64, is_ended: bool) -> Vec<u8> {
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:{target_duration}\n\
         #EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n"
    );
    Tag::new("EXT-X-MAP")
        .quoted("URI", layout::INIT)
        .end(&mut out);
    for (at, segment) in segments.iter().enumerate() {
        let name = Container::Cmaf.segment_name(at);
        out += &format!("#EXTINF:{},\n{name}\n", seconds(segment.micros));
    }
    if is_ended {
        out += "#EXT-X-ENDLIST\n";
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{parsed, segment, text};
    use super::*;

    #[test]
    fn a_media_playlist_lists_exact_durations() {
        let segments = [segment(4_010_667, 1), segment(1_322_666, 1)];
        insta::assert_snapshot!(text(media(&segments, 4, Container::Cmaf)), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:4
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:4.010667,
        seg00000.m4s
        #EXTINF:1.322666,
        seg00001.m4s
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_playlist_names_segments_of_another_folder_by_relative_path() {
        let segments = [segment(4_010_667, 1)];
        insta::assert_snapshot!(text(media_in("../../0a1b/480p/", &segments, 8)), @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:8
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="../../0a1b/480p/init.mp4"
        #EXTINF:4.010667,
        ../../0a1b/480p/seg00000.m4s
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_growing_playlist_keeps_its_lines_and_ends_with_endlist() {
        let segments = [segment(2_000_000, 1), segment(1_322_666, 1)];
        let begun = text(growing(&segments[..1], 2, false));
        insta::assert_snapshot!(begun, @r#"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:2
        #EXT-X-PLAYLIST-TYPE:EVENT
        #EXT-X-START:TIME-OFFSET=0
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:2.000000,
        seg00000.m4s
        "#);
        let ended = text(growing(&segments, 2, true));
        let added = ended.strip_prefix(&begun);
        assert_eq!(
            added,
            Some("#EXTINF:1.322666,\nseg00001.m4s\n#EXT-X-ENDLIST\n")
        );
    }

    #[test]
    fn transport_streams_need_no_map_and_no_later_version_than_durations_do() {
        let segments = [segment(4_010_667, 1), segment(1_322_666, 1)];
        insta::assert_snapshot!(text(media(&segments, 4, Container::Ts)), @r#"
        #EXTM3U
        #EXT-X-VERSION:3
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:4
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXTINF:4.010667,
        seg00000.ts
        #EXTINF:1.322666,
        seg00001.ts
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_parser_of_somebody_else_reads_what_was_meant() {
        let segments = [segment(4_010_667, 1), segment(1_322_666, 1)];
        let m3u8_rs::Playlist::MediaPlaylist(playlist) =
            parsed(&media(&segments, 4, Container::Cmaf))
        else {
            panic!("it is a Media Playlist");
        };
        assert!(playlist.end_list && playlist.independent_segments && !playlist.i_frames_only);
        assert_eq!(playlist.target_duration, 4);
        let read: Vec<(&str, f32)> = playlist
            .segments
            .iter()
            .map(|segment| (segment.uri.as_str(), segment.duration))
            .collect();
        assert_eq!(
            read,
            [("seg00000.m4s", 4.010_667), ("seg00001.m4s", 1.322_666)]
        );
    }
}
