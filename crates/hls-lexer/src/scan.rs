//! Positions of the URIs of a playlist (RFC 8216bis §4.1, §4.4).

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use super::attributes::read_strictly;

/// The role of a URI, which follows from its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A playlist, which is rewritten when it is read.
    Playlist,
    /// The playlist of an interstitial (RFC 8216bis appendix D).
    Asset,
    /// The JSON body of an `X-ASSET-LIST`.
    AssetList,
    /// Anything else: a Media Segment, an initialization section, a key, data.
    Object,
}

/// A URI of a playlist: its range of bytes, without quotes and surrounding white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriSpan {
    pub at: Range<usize>,
    pub role: Role,
}

type UriAttributes = &'static [(&'static [u8], Role)];

/// Tags whose attribute lists contain URIs. A title, a comment or an unknown tag contains none.
const TAGS: [(&[u8], UriAttributes); 11] = [
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
    (
        b"#EXT-X-DATERANGE",
        &[
            (b"X-ASSET-URI", Role::Asset),
            (b"X-ASSET-LIST", Role::AssetList),
        ],
    ),
];

/// Iterates over the lines of a playlist: ranges without the line ending (LF or CRLF). Other bytes,
/// a lone CR included, belong to the line.
pub fn lines(playlist: &[u8]) -> impl Iterator<Item = Range<usize>> {
    // §4.1 forbids a byte-order mark. If there is one, the first line starts after it.
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

/// The parts of a playlist that the rewriter reads, in their order.
#[derive(Debug)]
pub enum Item<'playlist> {
    Uri(UriSpan),
    /// An attribute list that may contain a URI, or a URI line, that parsers read differently.
    Ambiguous,
    /// `EXT-X-DEFINE` with a `NAME` and a `VALUE` (RFC 8216bis §4.4.2.3).
    Define {
        name: &'playlist [u8],
        value: &'playlist [u8],
    },
    /// `EXT-X-DEFINE` with an `IMPORT`: another playlist has its value.
    Import {
        name: &'playlist [u8],
    },
    /// Any other `EXT-X-DEFINE`.
    BadDefine,
    /// A line longer than [`MAX_LINE_BYTES`].
    LongLine,
}

/// The maximum length of a line. RFC 8216bis sets none; this is forty times the longest URL in use.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Calls `visit` with every [`Item`] of a playlist.
pub fn scan<'playlist>(playlist: &'playlist [u8], visit: &mut dyn FnMut(Item<'playlist>)) {
    let mut next_is_variant = false;
    let mut lacks_duration = false;
    let mut found = Vec::new();
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
            // hls.js looks for a missing duration, and for the title, at the start of this line.
            let is_ambiguous = lacks_duration && matches!(trimmed[0], b'0'..=b'9' | b'.' | b',');
            lacks_duration = false;
            visit(if is_ambiguous {
                Item::Ambiguous
            } else {
                Item::Uri(UriSpan {
                    at: start..start + trimmed.len(),
                    role,
                })
            });
            continue;
        }
        lacks_duration = false;
        // Most tags are `EXTINF`. Two comparisons skip them.
        if !line.starts_with(b"#EXT-X-") {
            if let Some(duration) = line.strip_prefix(b"#EXTINF:") {
                lacks_duration =
                    !duration.first().is_some_and(u8::is_ascii_digit) && is_blank(duration);
            }
            continue;
        }
        let name_ends = line.iter().position(|&byte| byte == b':');
        let name = &line[..name_ends.unwrap_or(line.len())];
        let list = name.len() + 1;
        if name == b"#EXT-X-STREAM-INF" {
            next_is_variant = true;
        } else if name == b"#EXT-X-DEFINE" {
            visit(define(line, list));
        } else if let Some((_, names)) = TAGS.iter().find(|(tag, _)| *tag == name) {
            if !read_strictly(line, list, &mut found) {
                visit(Item::Ambiguous);
                continue;
            }
            for attribute in &found {
                if let Some((_, role)) = names.iter().find(|(name, _)| *name == attribute.name) {
                    let at = range.start + attribute.value.start..range.start + attribute.value.end;
                    let is_quoted = line[attribute.value.start - 1] == b'"';
                    visit(if is_quoted {
                        Item::Uri(UriSpan { at, role: *role })
                    } else {
                        Item::Ambiguous
                    });
                }
            }
        }
    }
}

/// Returns whether JavaScript's `\s*` matches all of a text.
fn is_blank(text: &[u8]) -> bool {
    let is_space = |character: char| character.is_whitespace() || character == '\u{feff}';
    str::from_utf8(text).is_ok_and(|text| text.chars().all(is_space))
}

/// Parses an `EXT-X-DEFINE` whose attributes begin at byte `list`.
fn define(line: &[u8], list: usize) -> Item<'_> {
    let mut found = Vec::new();
    if !read_strictly(line, list, &mut found) {
        return Item::BadDefine;
    }
    let value_of = |wanted: &[u8]| {
        let attribute = found.iter().find(|attribute| attribute.name == wanted)?;
        let is_quoted = line[attribute.value.start - 1] == b'"';
        is_quoted.then(|| &line[attribute.value.clone()])
    };
    match (
        found.len(),
        value_of(b"NAME"),
        value_of(b"VALUE"),
        value_of(b"IMPORT"),
    ) {
        (2, Some(name), Some(value), None) if is_variable_name(name) => {
            Item::Define { name, value }
        }
        (1, None, None, Some(name)) if is_variable_name(name) => Item::Import { name },
        _ => Item::BadDefine,
    }
}

/// Returns whether a name has the characters of RFC 8216bis §4.3: letters, digits, hyphens and
/// underscores.
fn is_variable_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.iter().all(is_allowed)
}

/// Content of a playlist, or of a storyboard, that players read differently or that reaches beyond what a link opens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hazards {
    /// A character that ends a line for some parsers only: a lone CR, U+2028, U+2029, a control
    /// character.
    pub ambiguous_line: bool,
    /// An `EXT-X-DEFINE` that reads a parameter of the playlist's URL, which contains the viewer's
    /// credential.
    pub takes_query: bool,
    /// An `EXT-X-CONTENT-STEERING` in a line that other parsers read as a URI.
    pub hides_steering: bool,
    /// Lines with an `EXT-X-CONTENT-STEERING` (§4.4.6.6), with line endings, in their order.
    pub steering: Vec<Range<usize>>,
}

const STEERING: &[u8] = b"#EXT-X-CONTENT-STEERING";
const DEFINE: &[u8] = b"#EXT-X-DEFINE";
const QUERY_PARAMETER: &[u8] = b"QUERYPARAM";

/// Finds the [`Hazards`] of a playlist.
///
/// Tags are searched anywhere in a line, comments included, as hls.js does.
#[must_use]
pub fn hazards(playlist: &[u8]) -> Hazards {
    let mut hazards = Hazards {
        ambiguous_line: has_ambiguous_line(playlist),
        ..Hazards::default()
    };
    let mut at = 0;
    while let Some(mark) = playlist.get(at..).and_then(|rest| memchr(b'#', rest)) {
        let tag = at + mark;
        at = tag + 1;
        let is_define = playlist[tag..].starts_with(DEFINE);
        if !is_define && !playlist[tag..].starts_with(STEERING) {
            continue;
        }
        let begins = memrchr(b'\n', &playlist[..tag]).map_or(0, |newline| newline + 1);
        let ends = memchr(b'\n', &playlist[tag..]).map_or(playlist.len(), |to| tag + to + 1);
        // Each line is scanned once, so that a line of many tags costs no more than another.
        at = ends;
        let line = &playlist[begins..ends];
        let holds = |wanted: &[u8]| memchr::memmem::find(line, wanted).is_some();
        hazards.takes_query |= holds(DEFINE) && holds(QUERY_PARAMETER);
        if holds(STEERING) {
            let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            hazards.hides_steering |= line.trim_ascii_start().first() != Some(&b'#');
            match hazards.steering.last_mut() {
                Some(last) if last.end == begins => last.end = ends,
                _ => hazards.steering.push(begins..ends),
            }
        }
    }
    hazards
}

fn has_ambiguous_line(text: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let is_lone_return = |at: usize| text.get(at + 1) != Some(&b'\n');
    // U+0085, U+2028 and U+2029 in UTF-8.
    let is_separator = |at: usize| matches!(text.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9]));
    let is_next_line = |at: usize| text.get(at + 1) == Some(&0x85);
    text.iter().any(is_control)
        || memchr_iter(b'\r', text).any(is_lone_return)
        || memchr_iter(0xE2, text).any(is_separator)
        || memchr_iter(0xC2, text).any(is_next_line)
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
    fn a_definition_is_strict_or_bad() {
        let (name, value) = (&b"h"[..], &b"x"[..]);
        for (list, expected) in [
            (r#"NAME="h",VALUE="x""#, Some(Item::Define { name, value })),
            (r#"VALUE="x",NAME="h""#, Some(Item::Define { name, value })),
            (r#"IMPORT="h""#, Some(Item::Import { name })),
            (r#"NAME="h",VALUE="",VALUE="https://evil""#, None),
            (r#"NAME="h",VALUE="",IMPORT="h""#, None),
            (r#"NAME="h",VALUE="",QUERYPARAM="h""#, None),
            (r#"QUERYPARAM="h""#, None),
            (r#"NAME="h""#, None),
            (r#"NAME=h,VALUE=x"#, None),
            (r#"NAME="h i",VALUE="x""#, None),
            (r#"NAME="",VALUE="x""#, None),
            ("", None),
        ] {
            let line = format!("#EXT-X-DEFINE:{list}");
            let found = define(line.as_bytes(), 14);
            let expected = expected.unwrap_or(Item::BadDefine);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{list}");
        }
    }

    #[test]
    fn hazards_are_found_wherever_a_parser_finds_them() {
        let none = Hazards::default;
        let steering = |line: Range<usize>| Hazards {
            steering: std::iter::once(line).collect(),
            ..none()
        };
        for (playlist, expected) in [
            (
                "#EXTM3U\r\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"é\"\r\n",
                none(),
            ),
            ("#EXTM3U\nTitle \u{2019}\u{a9}\t\n", none()),
            (
                "a\rb\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\r",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\r\r\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\u{2028}b\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\u{2029}b\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\u{85}b\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\u{b}b\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "a\0b\n",
                Hazards {
                    ambiguous_line: true,
                    ..none()
                },
            ),
            (
                "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n",
                Hazards {
                    takes_query: true,
                    ..none()
                },
            ),
            (
                "#EXTM3U\n# so #EXT-X-DEFINE:NAME=\"a\",QUERYPARAM=\"p\"\n",
                Hazards {
                    takes_query: true,
                    ..none()
                },
            ),
            ("#EXT-X-DEFINE:NAME=\"a\"\n# QUERYPARAM\n", none()),
            ("#EXTM3U\n#EXT-X-CONTENT-STEERING:A=1\na\n", steering(8..36)),
            (
                " ##EXT-X-CONTENT-STEERING\n#EXT-X-CONTENT-STEERING",
                steering(0..49),
            ),
            (
                "a#EXT-X-CONTENT-STEERING:A=1\nb\n",
                Hazards {
                    hides_steering: true,
                    ..steering(0..29)
                },
            ),
        ] {
            assert_eq!(hazards(playlist.as_bytes()), expected, "{playlist:?}");
        }
    }

    #[test]
    fn every_tag_that_holds_a_uri_is_known() {
        use Role::{Asset, AssetList, Object, Playlist};
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
                vec![],
            ),
            // Lists that parsers read differently, and URIs without quotes.
            (
                r#"#EXT-X-MAP:URI="https://evil/?a="x,URI=/u2/e.mp4,z=""#,
                vec![],
            ),
            ("#EXT-X-MAP:URI=i.mp4", vec![]),
            (
                r#"#EXT-X-DATERANGE:ID="1",X-ASSET-URI="a.m3u8",X-ASSET-LIST="l.json",X-URI="no""#,
                vec![("a.m3u8", Asset), ("l.json", AssetList)],
            ),
            (
                "#EXT-X-STREAM-INF:BANDWIDTH=1\n\n# c\nv.m3u8\ns.ts",
                vec![("v.m3u8", Playlist), ("s.ts", Object)],
            ),
            ("#EXTINF:\n1https://evil/a.ts\nb.ts", vec![("b.ts", Object)]),
            ("#EXTINF: \u{a0}\r\n\n.1//evil/a.ts", vec![]),
            ("#EXTINF:\n,https://evil/a.ts", vec![]),
            ("#EXTINF:\na.ts", vec![("a.ts", Object)]),
            (
                "#EXTINF:\n#EXT-X-BYTERANGE:1@0\n1.ts",
                vec![("1.ts", Object)],
            ),
            ("#EXTINF:,\n1.ts", vec![("1.ts", Object)]),
            ("#EXTINF:6\n1.ts", vec![("1.ts", Object)]),
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
