//! Where the URIs of a playlist stand (RFC 8216bis §4.1, §4.4).

use std::ops::Range;

use memchr::memchr;

use super::attributes::attributes;

/// What a URI names, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A playlist, which is rewritten in its turn.
    Playlist,
    /// The JSON body of an `X-ASSET-LIST`.
    AssetList,
    /// Anything else: a Media Segment, an initialization section, a key, data.
    Object,
}

/// A URI of a playlist: the bytes it takes, without quotes and surrounding white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriSpan {
    pub at: Range<usize>,
    pub role: Role,
}

type UriAttributes = &'static [(&'static [u8], Role)];

/// Tags whose attribute lists hold URIs. A title, a comment or an unknown tag holds none.
const TAGS: [(&[u8], UriAttributes); 12] = [
    (b"#EXT-X-MAP", &[(b"URI", Role::Object)]),
    (b"#EXT-X-KEY", &[(b"URI", Role::Object)]),
    (b"#EXT-X-SESSION-KEY", &[(b"URI", Role::Object)]),
    (b"#EXT-X-MEDIA", &[(b"URI", Role::Playlist)]),
    (b"#EXT-X-I-FRAME-STREAM-INF", &[(b"URI", Role::Playlist)]),
    (b"#EXT-X-IMAGE-STREAM-INF", &[(b"URI", Role::Playlist)]),
    (b"#EXT-X-SESSION-DATA", &[(b"URI", Role::Object)]),
    (b"#EXT-X-PART", &[(b"URI", Role::Object)]),
    (b"#EXT-X-PRELOAD-HINT", &[(b"URI", Role::Object)]),
    (b"#EXT-X-RENDITION-REPORT", &[(b"URI", Role::Playlist)]),
    (b"#EXT-X-CONTENT-STEERING", &[(b"SERVER-URI", Role::Object)]),
    (
        b"#EXT-X-DATERANGE",
        &[
            (b"X-ASSET-URI", Role::Playlist),
            (b"X-ASSET-LIST", Role::AssetList),
        ],
    ),
];

/// Lines of a playlist: where each stands, without its line ending (LF or CRLF). Other bytes, a lone CR included,
/// belong to the line.
pub fn lines(playlist: &[u8]) -> impl Iterator<Item = Range<usize>> {
    // §4.1 forbids a byte-order mark; where there is one, it is not a part of the first line.
    let mut at = if playlist.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    std::iter::from_fn(move || {
        let rest = playlist.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let end = match memchr(b'\n', rest) {
            Some(newline) => {
                at += newline + 1;
                start + newline
            }
            None => {
                at = playlist.len();
                at
            }
        };
        let end = match playlist[start..end].last() {
            Some(b'\r') => end - 1,
            _ => end,
        };
        Some(start..end)
    })
}

/// What the rewriter needs to know of a playlist, in the order in which it stands there.
#[derive(Debug)]
pub enum Item<'playlist> {
    Uri(UriSpan),
    /// `EXT-X-DEFINE` with a `NAME` and a `VALUE`; both are empty-safe text of this playlist.
    Define {
        name: &'playlist [u8],
        value: &'playlist [u8],
    },
    /// A line of more bytes than any honest one.
    LongLine,
}

/// The longest line that is read; RFC 8216bis sets no bound, this one is forty times the longest URL in use.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Calls `visit` with every [`Item`] of a playlist.
pub fn scan<'playlist>(playlist: &'playlist [u8], visit: &mut dyn FnMut(Item<'playlist>)) {
    let mut next_is_variant = false;
    for range in lines(playlist) {
        let line = &playlist[range.clone()];
        if line.len() > MAX_LINE_BYTES {
            visit(Item::LongLine);
        }
        let trimmed = line.trim_ascii();
        if trimmed.first() != Some(&b'#') {
            if trimmed.is_empty() {
                continue;
            }
            let start = range.end - line.trim_ascii_start().len();
            let role = if next_is_variant {
                Role::Playlist
            } else {
                Role::Object
            };
            next_is_variant = false;
            visit(Item::Uri(UriSpan {
                at: start..start + trimmed.len(),
                role,
            }));
            continue;
        }
        // Most tag lines are EXTINF: one comparison sends them on.
        if !line.starts_with(b"#EXT-X-") {
            continue;
        }
        let name_ends = line.iter().position(|&byte| byte == b':');
        let name = &line[..name_ends.unwrap_or(line.len())];
        let list = name.len() + 1;
        if name == b"#EXT-X-STREAM-INF" {
            next_is_variant = true;
        } else if name == b"#EXT-X-DEFINE" {
            let value_of = |wanted: &[u8]| {
                attributes(line, list)
                    .find(|attribute| attribute.name == wanted)
                    .map(|attribute| &line[attribute.value])
            };
            if let (Some(name), Some(value)) = (value_of(b"NAME"), value_of(b"VALUE")) {
                visit(Item::Define { name, value });
            }
        } else if let Some((_, names)) = TAGS.iter().find(|(tag, _)| *tag == name) {
            for attribute in attributes(line, list) {
                if let Some((_, role)) = names.iter().find(|(name, _)| *name == attribute.name) {
                    let at = range.start + attribute.value.start..range.start + attribute.value.end;
                    visit(Item::Uri(UriSpan { at, role: *role }));
                }
            }
        }
    }
}

/// Every URI of a playlist, in order.
#[must_use]
pub fn uris(playlist: &[u8]) -> Vec<UriSpan> {
    let mut found = Vec::new();
    scan(playlist, &mut |item| {
        if let Item::Uri(span) = item {
            found.push(span);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_before_its_ending() {
        let playlist = b"a\r\n\nb\rc\r\r\n\r\nd\r";
        let found: Vec<&[u8]> = lines(playlist).map(|line| &playlist[line]).collect();
        assert_eq!(found, [&b"a"[..], b"", b"b\rc\r", b"", b"d"]);
    }

    fn found(playlist: &str) -> Vec<(&str, Role)> {
        uris(playlist.as_bytes())
            .into_iter()
            .map(|span| (&playlist[span.at], span.role))
            .collect()
    }

    #[test]
    fn every_tag_that_holds_a_uri_is_known() {
        use Role::{AssetList, Object, Playlist};
        for (line, expected) in [
            ("seg.ts", vec![("seg.ts", Object)]),
            (" a b.ts\t", vec![("a b.ts", Object)]),
            (
                r#"#EXT-X-MAP:URI="i.mp4",BYTERANGE="1@0""#,
                vec![("i.mp4", Object)],
            ),
            (
                r#"#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1"#,
                vec![("k", Object)],
            ),
            (
                r#"#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k""#,
                vec![("k", Object)],
            ),
            (
                r#"#EXT-X-MEDIA:TYPE=AUDIO,NAME="URI=x, y",URI="a.m3u8""#,
                vec![("a.m3u8", Playlist)],
            ),
            (
                r#"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8""#,
                vec![("i.m3u8", Playlist)],
            ),
            (
                r#"#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI="i.m3u8""#,
                vec![("i.m3u8", Playlist)],
            ),
            (
                r#"#EXT-X-SESSION-DATA:DATA-ID="t",URI="d.json""#,
                vec![("d.json", Object)],
            ),
            (
                r#"#EXT-X-PART:DURATION=1,URI="p.m4s""#,
                vec![("p.m4s", Object)],
            ),
            (
                r#"#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p.m4s""#,
                vec![("p.m4s", Object)],
            ),
            (
                r#"#EXT-X-RENDITION-REPORT:URI="../b.m3u8",LAST-MSN=1"#,
                vec![("../b.m3u8", Playlist)],
            ),
            (
                r#"#EXT-X-CONTENT-STEERING:SERVER-URI="/s",PATHWAY-ID="a""#,
                vec![("/s", Object)],
            ),
            (
                r#"#EXT-X-DATERANGE:ID="1",X-ASSET-URI="a.m3u8",X-ASSET-LIST="l.json",X-URI="no""#,
                vec![("a.m3u8", Playlist), ("l.json", AssetList)],
            ),
            (
                "#EXT-X-STREAM-INF:BANDWIDTH=1\n\n# c\nv.m3u8\ns.ts",
                vec![("v.m3u8", Playlist), ("s.ts", Object)],
            ),
            ("#EXTINF:6,Lesson 1,../../other/secret.ts", vec![]),
            (r#"#EXT-X-UNKNOWN:URI="x""#, vec![]),
            (r#"#EXT-X-MAPS:URI="x""#, vec![]),
            ("# http://x/y", vec![]),
            (
                "a\r\nb\nc",
                vec![("a", Object), ("b", Object), ("c", Object)],
            ),
            ("\u{feff}#EXTM3U\ns.ts", vec![("s.ts", Object)]),
            ("", vec![]),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
    }
}
