//! The end of a recording whose recorder died: without it, players ask for more once a second.

/// Appends `EXT-X-ENDLIST` to a Media Playlist that lacks it (RFC 8216bis §4.4.3.4), so that players
/// stop asking. An `EVENT` playlist only grows, and may end. `None` for every other text, and for a
/// playlist that forgot its beginning: with an end, a preview of it would count from a later segment.
#[must_use]
pub fn with_end(playlist: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8] = b"#EXT-X-ENDLIST";
    let mut is_media = false;
    for line in playlist.split(|byte| *byte == b'\n') {
        if line.starts_with(END) || line.starts_with(b"#EXT-X-STREAM-INF") {
            return None;
        }
        if let Some(number) = line.strip_prefix(b"#EXT-X-MEDIA-SEQUENCE")
            && number.trim_ascii() != b":0"
        {
            return None;
        }
        is_media |= line.starts_with(b"#EXT-X-TARGETDURATION");
    }
    if !is_media || !playlist.starts_with(b"#EXTM3U") {
        return None;
    }
    let mut ended = Vec::with_capacity(playlist.len() + END.len() + 2);
    ended.extend_from_slice(playlist);
    if !playlist.ends_with(b"\n") {
        ended.push(b'\n');
    }
    ended.extend_from_slice(END);
    ended.push(b'\n');
    Some(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_playlist_without_an_end_gets_one() {
        const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
        let event = format!("{HEAD}#EXT-X-PLAYLIST-TYPE:EVENT\n");
        for (playlist, is_ended) in [
            (format!("{HEAD}#EXTINF:2,\na.m4s\n"), true),
            (format!("{HEAD}#EXTINF:2,\na.m4s"), true),
            (format!("{event}#EXTINF:2,\na.m4s\n"), true),
            (
                format!("{HEAD}#EXTINF:2,\na.m4s\n").replace('\n', "\r\n"),
                true,
            ),
            (HEAD.to_owned(), true),
            (format!("{HEAD}#EXT-X-MEDIA-SEQUENCE:0\r\n"), true),
            (
                format!("{HEAD}#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\na.m4s\n"),
                false,
            ),
            (format!("{HEAD}#EXTINF:2,\na.m4s\n#EXT-X-ENDLIST\n"), false),
            (
                format!("{HEAD}#EXT-X-ENDLIST\r\n#EXTINF:2,\na.m4s\n"),
                false,
            ),
            (
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n".to_owned(),
                false,
            ),
            (
                format!("{HEAD}#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n"),
                false,
            ),
            ("#EXTM3U\n#EXTINF:2,\na.m4s\n".to_owned(), false),
            ("WEBVTT\n\n#EXT-X-TARGETDURATION:2\n".to_owned(), false),
            (String::new(), false),
        ] {
            let found = with_end(playlist.as_bytes());
            assert_eq!(found.is_some(), is_ended, "{playlist}");
            if let Some(ended) = found {
                let ended = String::from_utf8(ended).expect("UTF-8");
                assert!(ended.starts_with(&playlist), "{ended}");
                assert!(ended.ends_with("\n#EXT-X-ENDLIST\n"), "{ended}");
                assert_eq!(with_end(ended.as_bytes()), None);
            }
        }
    }
}
