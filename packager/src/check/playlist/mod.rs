//! Parses playlists (RFC 8216bis §4) of any origin: skips unknown lines, and keeps faults as
//! sentences. Pure.

mod attributes;
mod date_range;
mod reader;
mod tags;

use std::collections::BTreeMap;

use reader::PlaylistReader;

use crate::redact::is_harmless;

/// A playlist of either kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CheckedPlaylist {
    pub(crate) version: Option<u64>,
    /// Lowest `EXT-X-VERSION` for its tags (§8), with the tag that requires it.
    pub(crate) needs: (u64, &'static str),
    pub(crate) is_independent: bool,
    /// Syntax errors.
    pub(crate) problems: Vec<String>,
    pub(crate) variants: Vec<TagEntry>,
    pub(crate) media: Vec<TagEntry>,
    pub(crate) i_frames: Vec<TagEntry>,
    pub(crate) session_data: Vec<TagEntry>,
    /// Tags of each kind of playlist, apart from those that list others.
    pub(crate) has_session_tags: bool,
    pub(crate) has_media_tags: bool,
    /// Variables by name (§4.3).
    pub(crate) variables: BTreeMap<String, String>,
    /// Keys of `EXT-X-SESSION-KEY`.
    pub(crate) session_keys: Vec<ListedKey>,
    pub(crate) target_duration: Option<u64>,
    pub(crate) is_vod: bool,
    pub(crate) has_end: bool,
    /// A segment follows `EXT-X-ENDLIST`.
    pub(crate) has_early_end: bool,
    pub(crate) is_i_frames_only: bool,
    /// Seconds of `EXT-X-START`; negative ones count from the end.
    pub(crate) start: Option<f64>,
    pub(crate) keys: Vec<ListedKey>,
    pub(crate) maps: Vec<ListedMap>,
    pub(crate) segments: Vec<ListedSegment>,
}

/// A tag that lists a playlist or an object: `EXT-X-STREAM-INF`, `EXT-X-MEDIA`,
/// `EXT-X-I-FRAME-STREAM-INF` or `EXT-X-SESSION-DATA`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TagEntry {
    pub(crate) uri: Option<String>,
    attributes: BTreeMap<String, String>,
}

/// An object, or a range of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UriRange {
    pub(crate) uri: String,
    /// Length and offset.
    pub(crate) range: Option<(u64, u64)>,
}

/// An `EXT-X-KEY` or `EXT-X-SESSION-KEY`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListedKey {
    pub(crate) method: String,
    /// The URI leads to the key itself: `KEYFORMAT` is `identity`.
    pub(crate) is_identity: bool,
    pub(crate) uri: Option<String>,
    pub(crate) iv: Option<u128>,
    /// `IV` has fewer than 128 bits, which players fill in different ways.
    pub(crate) has_short_vector: bool,
}

/// A Media Initialization Section in a Media Playlist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListedMap {
    pub(crate) place: UriRange,
    /// Index in the playlist's `keys`.
    pub(crate) key: Option<usize>,
}

/// A Media Segment in a Media Playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedSegment {
    pub(crate) place: UriRange,
    pub(crate) micros: u64,
    /// Index in the playlist's `maps`.
    pub(crate) map: Option<usize>,
    /// Timestamps may restart here.
    pub(crate) is_discontinuous: bool,
    /// Index in the playlist's `keys`.
    pub(crate) key: Option<usize>,
    /// Media Sequence Number.
    pub(crate) number: u64,
    /// `EXT-X-GAP`: the segment is missing, and players skip it.
    pub(crate) is_gap: bool,
    /// `EXT-X-BITRATE` in kbit/s.
    pub(crate) bitrate: Option<u64>,
}

impl TagEntry {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn is_yes(&self, name: &str) -> bool {
        self.get(name) == Some("YES")
    }

    /// Elements of `CODECS`.
    pub(crate) fn codecs(&self) -> Vec<&str> {
        self.get("CODECS").map_or_else(Vec::new, |codecs| {
            codecs.split(',').map(str::trim).collect()
        })
    }

    pub(crate) fn resolution(&self) -> Option<(u32, u32)> {
        let (width, height) = self.get("RESOLUTION")?.split_once(['x', 'X'])?;
        Some((width.parse().ok()?, height.parse().ok()?))
    }
}

impl ListedKey {
    /// The method encrypts whole segments, and the key is at the URI.
    pub(crate) fn is_whole_segment(&self) -> bool {
        self.is_identity && self.method == "AES-128"
    }

    /// Initialization vector of a segment: by default its Media Sequence Number (§5.2).
    pub(crate) fn vector(&self, number: u64) -> [u8; 16] {
        self.iv.unwrap_or(number.into()).to_be_bytes()
    }
}

impl CheckedPlaylist {
    pub(crate) fn is_multivariant(&self) -> bool {
        let lists_playlists =
            !self.variants.is_empty() || !self.media.is_empty() || !self.i_frames.is_empty();
        lists_playlists || self.has_session_tags && !self.has_media_tags
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        PlaylistReader::new(None).read(bytes)
    }

    /// Parses a Media Playlist that may import the variables of its Multivariant Playlist.
    pub(crate) fn parse_with(bytes: &[u8], imports: &BTreeMap<String, String>) -> Self {
        PlaylistReader::new(Some(imports)).read(bytes)
    }
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let number = |text: &str| {
        attributes::is_integer(text)
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    match text.split_once('@') {
        Some((length, offset)) => Some((number(length)?, Some(number(offset)?))),
        None => Some((number(text)?, None)),
    }
}

/// Shortens untrusted text and replaces control characters, for a terminal.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text
        .chars()
        .take(MOST)
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_playlist_is_read_with_its_ranges_maps_and_durations() {
        let found = CheckedPlaylist::parse(
            b"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n\
              #EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"9@1\"\n\
              #EXTINF:4.004,\n#EXT-X-BYTERANGE:10@5\na.mp4\n#EXTINF:4,title\n#EXT-X-BYTERANGE:7\na.mp4\n",
        );
        assert_eq!(found.problems, [] as [&str; 0]);
        assert_eq!(found.needs, (6, "EXT-X-MAP"));
        assert_eq!(found.maps[0].place.range, Some((9, 1)));
        let places: Vec<_> = found
            .segments
            .iter()
            .map(|segment| (segment.micros, segment.number, segment.place.range))
            .collect();
        assert_eq!(
            places,
            [(4_004_000, 7, Some((10, 5))), (4_000_000, 8, Some((7, 15)))]
        );
    }

    #[test]
    fn keys_and_variables_apply_to_what_follows() {
        let imports = BTreeMap::from([("b".to_owned(), "B".to_owned())]);
        let found = CheckedPlaylist::parse_with(
            b"#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"A\"\n\
              #EXT-X-DEFINE:IMPORT=\"b\"\n#EXTINF:4,\n{$a}{$b}.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"{$a}.key\"\n\
              #EXTINF:4,\nb.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nc.ts\n",
            &imports,
        );
        assert_eq!(found.problems, [] as [&str; 0]);
        let listed: Vec<_> = found
            .segments
            .iter()
            .map(|one| (one.place.uri.as_str(), one.key))
            .collect();
        assert_eq!(listed, [("AB.ts", None), ("b.ts", Some(0)), ("c.ts", None)]);
        assert_eq!(found.keys[0].uri.as_deref(), Some("A.key"));
        assert_eq!(found.keys[0].vector(5), 5_u128.to_be_bytes());
    }

    #[test]
    fn a_text_that_is_no_playlist_is_reported_in_sentences() {
        for (text, expected) in [
            ("", "it is empty"),
            ("<html>", "its first line is not `#EXTM3U`"),
            ("#EXTM3U\n#EXTINF:x,\na", "line 2: `x` is no duration"),
            ("#EXTM3U\n#EXTINF:-1,\na", "line 2: `-1` is no duration"),
            ("#EXTM3U\n#EXTINF:NaN,\na", "line 2: `NaN` is no duration"),
            ("#EXTM3U\na.ts", "line 2: `a.ts` has no `EXTINF`"),
            (
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1",
                "an `EXT-X-STREAM-INF` is not followed by a URI",
            ),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:4", "it lists nothing"),
            (
                "#EXTM3U\n#EXTINF:1,\na",
                "`EXT-X-TARGETDURATION` is missing",
            ),
        ] {
            let found = CheckedPlaylist::parse(text.as_bytes());
            assert!(
                found.problems.iter().any(|problem| problem == expected),
                "{text}: {:?}",
                found.problems
            );
        }
    }

    #[test]
    fn variables_do_not_make_a_playlist_larger_than_memory() {
        let value = "v".repeat(60_000);
        let lines = "#EXTINF:4,\n{$a}\n".repeat(1_000);
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{value}\"\n{lines}"
        );
        let found = CheckedPlaylist::parse(text.as_bytes());
        let bytes: usize = found.segments.iter().map(|one| one.place.uri.len()).sum();
        assert!((1 << 22..=8 << 20).contains(&bytes), "{bytes}");
        let problem = found.problems.first().expect("a fault");
        assert!(
            problem.ends_with("the variable `a` is too long"),
            "{problem}"
        );
    }

    #[test]
    fn what_is_not_read_is_a_fault() {
        let lines = "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(1_001);
        let found = CheckedPlaylist::parse(format!("#EXTM3U\n{lines}").as_bytes());
        let expected = "line 2003: it has more than 1000 of `EXT-X-STREAM-INF`";
        assert_eq!(
            (found.variants.len(), found.problems),
            (1_000, vec![expected.to_owned()])
        );
    }

    #[test]
    fn shown_text_has_no_control_of_a_terminal() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}b"), "a\u{fffd}[2J\u{fffd}b");
    }

    /// A line that is added to a good Media Playlist, and the fault that it makes.
    const MEDIA_FAULTS: &[(&str, &str)] = &[
        ("#EXT-X-VERSION:14", "there is no version 14"),
        (
            "#EXT-X-VERSION:x",
            "`x` of `EXT-X-VERSION` is no whole number",
        ),
        (
            "#EXT-X-TARGETDURATION:4",
            "`EXT-X-TARGETDURATION` is there twice",
        ),
        (
            "#EXT-X-MEDIA-SEQUENCE:1",
            "`EXT-X-MEDIA-SEQUENCE` follows a segment",
        ),
        (
            "#EXT-X-MEDIA-SEQUENCE:-1",
            "`-1` of `EXT-X-MEDIA-SEQUENCE` is no whole number",
        ),
        (
            "#EXT-X-DISCONTINUITY-SEQUENCE:1",
            "`EXT-X-DISCONTINUITY-SEQUENCE` follows a segment or a discontinuity",
        ),
        (
            "#EXT-X-PLAYLIST-TYPE:LIVE",
            "`LIVE` of `EXT-X-PLAYLIST-TYPE` is none of EVENT, VOD",
        ),
        ("#EXT-X-ENDLIST:1", "`EXT-X-ENDLIST` has a value"),
        ("#EXT-X-ENDLIST ", "it ends with white space"),
        (" #EXT-X-GAP", "it begins with white space"),
        ("#EXTINF:4,\x07\nb", "it has a control character"),
        ("#EXTINF:4\nb", "`EXTINF` has no comma after its duration"),
        (
            "#EXTINF:4,\n#EXTINF:4,\nb",
            "the `EXTINF` before has no URI",
        ),
        ("#EXTINF:4,", "the last `EXTINF` has no URI"),
        ("#EXTINF:1e1,\nb", "`1e1` is no duration"),
        ("#EXT-X-BYTERANGE:1@x", "`1@x` is no byte range"),
        ("#EXT-X-BYTERANGE:0@0", "a byte range has no byte"),
        (
            "#EXTINF:4,\n#EXT-X-BYTERANGE:1\nb",
            "a byte range has no offset, and the segment before is of another object",
        ),
        ("#EXT-X-PROGRAM-DATE-TIME:x", "`x` is no date and time"),
        (
            "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:4,\nb\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:01Z\n#EXT-X-ENDLIST",
            "`EXT-X-PROGRAM-DATE-TIME` is -3 s from where the durations lead",
        ),
        (
            "#EXT-X-DATERANGE:START-DATE=\"2026-01-01T00:00:00Z\"",
            "`EXT-X-DATERANGE`: `ID` is missing",
        ),
        (
            "#EXT-X-DATERANGE:ID=\"a\"",
            "Date Range `a` has no `START-DATE`",
        ),
        (
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\",END-DATE=\"2026-01-01T00:00:00Z\"",
            "Date Range `a` ends before it starts",
        ),
        (
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\",END-ON-NEXT=YES",
            "Date Range `a` has `END-ON-NEXT` without `CLASS`",
        ),
        (
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T00:00:00Z\"\n\
             #EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-03T00:00:00Z\"\n#EXT-X-ENDLIST",
            "Date Range `a` changes its `START-DATE` in a later tag",
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128",
            "a key with `METHOD=AES-128` has no `URI`",
        ),
        (
            "#EXT-X-KEY:METHOD=NONE,URI=\"k\"",
            "a key with `METHOD=NONE` has other attributes",
        ),
        (
            "#EXT-X-START:PRECISE=YES",
            "`EXT-X-START`: `TIME-OFFSET` is missing",
        ),
        (
            "#EXT-X-START:TIME-OFFSET=9",
            "`EXT-X-START` is at 9 s of a playlist of 4 s",
        ),
        ("#EXTINF:4,\n{$x}.ts", "the variable `x` is not defined"),
        (
            "#EXT-X-DEFINE:VALUE=\"x\"",
            "`EXT-X-DEFINE` needs one of `NAME`, `IMPORT` and `QUERYPARAM`",
        ),
        (
            "#EXT-X-DEFINE:NAME=\"x\"",
            "`EXT-X-DEFINE` has `NAME` without `VALUE`",
        ),
        (
            "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"\"\n#EXT-X-DEFINE:NAME=\"x\",VALUE=\"\"",
            "the variable `x` is defined twice",
        ),
        (
            "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"b\"",
            "it has `EXT-X-TARGETDURATION` of a Media Playlist and `EXT-X-SESSION-DATA` of a Multivariant Playlist",
        ),
    ];

    #[test]
    fn one_line_makes_one_fault_in_a_good_media_playlist() {
        let good = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\na\n";
        let problems = |text: &str| CheckedPlaylist::parse(text.as_bytes()).problems;
        assert_eq!(problems(good), [] as [&str; 0]);
        let known =
            |text: String| CheckedPlaylist::parse_with(text.as_bytes(), &BTreeMap::new()).problems;
        let import = known(format!("{good}#EXT-X-DEFINE:IMPORT=\"x\"\n"));
        let expected = ["line 5: the Multivariant Playlist defines no variable `x`"];
        assert_eq!(import, expected);
        for (line, expected) in MEDIA_FAULTS {
            let found = problems(&format!("{good}{line}\n"));
            let is_expected = |problem: &String| {
                problem == expected || problem.ends_with(&format!(": {expected}"))
            };
            assert!(found.iter().any(is_expected), "{line}: {found:?}");
        }
    }
}
