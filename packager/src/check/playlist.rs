//! Parses playlists (RFC 8216bis §4) of any origin: skips unknown lines, and keeps faults as
//! sentences. Pure.

use std::collections::BTreeMap;

use hls_lexer::attributes::attributes;
use hls_lexer::scan::lines;

/// Maximum number of segments, more than a day of them; further ones are not read.
const MOST_SEGMENTS: usize = 100_000;
const MOST_ENTRIES: usize = 1_000;
/// Maximum `EXTINF`, a day.
const LONGEST_MICROS: f64 = 86_400e6;

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
    pub(crate) target_duration: Option<u64>,
    pub(crate) is_vod: bool,
    pub(crate) has_end: bool,
    pub(crate) is_i_frames_only: bool,
    pub(crate) maps: Vec<UriRange>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UriRange {
    pub(crate) uri: String,
    /// Length and offset.
    pub(crate) range: Option<(u64, u64)>,
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
    /// The whole segment is encrypted, so its contents stay unknown.
    pub(crate) is_encrypted: bool,
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

impl CheckedPlaylist {
    pub(crate) fn is_multivariant(&self) -> bool {
        !self.variants.is_empty() || !self.media.is_empty() || !self.i_frames.is_empty()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut reader = PlaylistReader {
            found: Self {
                needs: (1, "EXTM3U"),
                ..Self::default()
            },
            ..PlaylistReader::default()
        };
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            reader.problem("it starts with a byte-order mark");
        }
        let mut is_first = true;
        for range in lines(bytes) {
            let Ok(line) = str::from_utf8(&bytes[range]) else {
                reader.problem("a line is not UTF-8");
                continue;
            };
            if is_first && line.trim_end() != "#EXTM3U" {
                reader.problem("its first line is not `#EXTM3U`");
            }
            is_first = false;
            reader.line(line.trim());
        }
        if is_first {
            reader.problem("it is empty");
        }
        reader.finish()
    }
}

#[derive(Default)]
struct PlaylistReader {
    found: CheckedPlaylist,
    variant: Option<TagEntry>,
    micros: Option<u64>,
    range: Option<(u64, Option<u64>)>,
    map: Option<usize>,
    is_discontinuous: bool,
    is_encrypted: bool,
    /// End of the last byte range, with its URI.
    end: (String, u64),
}

impl PlaylistReader {
    fn problem(&mut self, what: impl Into<String>) {
        if self.found.problems.len() < 10 {
            self.found.problems.push(what.into());
        }
    }

    fn needs(&mut self, version: u64, tag: &'static str) {
        if version > self.found.needs.0 {
            self.found.needs = (version, tag);
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        if !line.starts_with('#') {
            return self.uri(line);
        }
        let (tag, rest) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-VERSION" => {
                if self.found.version.is_some() {
                    self.problem("`EXT-X-VERSION` is there twice");
                }
                self.found.version = self.whole(tag, rest);
            }
            "#EXT-X-INDEPENDENT-SEGMENTS" => self.found.is_independent = true,
            "#EXT-X-TARGETDURATION" => self.found.target_duration = self.whole(tag, rest),
            "#EXT-X-PLAYLIST-TYPE" => self.found.is_vod = rest == "VOD",
            "#EXT-X-ENDLIST" => self.found.has_end = true,
            "#EXT-X-I-FRAMES-ONLY" => {
                self.found.is_i_frames_only = true;
                self.needs(4, "EXT-X-I-FRAMES-ONLY");
            }
            "#EXT-X-DISCONTINUITY" => self.is_discontinuous = true,
            "#EXTINF" => self.duration(rest),
            "#EXT-X-BYTERANGE" => {
                self.needs(4, "EXT-X-BYTERANGE");
                self.range = byte_range(rest);
                if self.range.is_none() {
                    self.problem(format!("`{}` is no byte range", shown(rest)));
                }
            }
            "#EXT-X-DEFINE" => self.needs(8, "EXT-X-DEFINE"),
            "#EXT-X-SKIP" => self.needs(9, "EXT-X-SKIP"),
            "#EXT-X-KEY" => {
                let entry = entry(line, tag);
                if entry.get("IV").is_some() {
                    self.needs(2, "EXT-X-KEY with IV");
                }
                if entry.get("KEYFORMAT").is_some() {
                    self.needs(5, "EXT-X-KEY with KEYFORMAT");
                }
                self.is_encrypted = entry.get("METHOD") == Some("AES-128");
            }
            "#EXT-X-MAP" => self.map(&entry(line, tag)),
            "#EXT-X-STREAM-INF" => {
                if self.variant.is_some() {
                    self.problem("an `EXT-X-STREAM-INF` is not followed by a URI");
                }
                self.variant = Some(entry(line, tag));
            }
            "#EXT-X-MEDIA" | "#EXT-X-I-FRAME-STREAM-INF" | "#EXT-X-SESSION-DATA" => {
                let mut entry = entry(line, tag);
                entry.uri = entry.get("URI").map(str::to_owned);
                if entry
                    .get("INSTREAM-ID")
                    .is_some_and(|id| id.starts_with("SERVICE"))
                {
                    self.needs(7, "INSTREAM-ID with SERVICE");
                }
                let list = match tag {
                    "#EXT-X-MEDIA" => &mut self.found.media,
                    "#EXT-X-SESSION-DATA" => &mut self.found.session_data,
                    _ => &mut self.found.i_frames,
                };
                if list.len() < MOST_ENTRIES {
                    list.push(entry);
                }
            }
            _ => {}
        }
    }

    fn whole(&mut self, tag: &str, text: &str) -> Option<u64> {
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.problem(format!("`{}` of `{tag}` is no number", shown(text)));
        }
        number
    }

    fn duration(&mut self, rest: &str) {
        let text = rest.split(',').next().unwrap_or("").trim();
        if text.contains('.') {
            self.needs(3, "EXTINF with a fraction");
        }
        let micros = text.parse::<f64>().ok().map(|seconds| seconds * 1e6);
        match micros.filter(|micros| (0.0..=LONGEST_MICROS).contains(micros)) {
            Some(micros) => self.micros = Some(micros.round() as u64),
            None => self.problem(format!("`{}` is no duration", shown(text))),
        }
    }

    fn map(&mut self, entry: &TagEntry) {
        let Some(uri) = entry.get("URI") else {
            return self.problem("`EXT-X-MAP` has no `URI`");
        };
        let range = entry
            .get("BYTERANGE")
            .and_then(byte_range)
            .map(|(length, offset)| (length, offset.unwrap_or(0)));
        let place = UriRange {
            uri: uri.to_owned(),
            range,
        };
        let known = self.found.maps.iter().position(|map| *map == place);
        self.map = known.or_else(|| {
            // Each is read once, and no lecture has hundreds.
            if self.found.maps.len() >= MOST_ENTRIES {
                return None;
            }
            self.found.maps.push(place);
            Some(self.found.maps.len() - 1)
        });
    }

    fn uri(&mut self, uri: &str) {
        if let Some(variant) = self.variant.take() {
            if self.found.variants.len() < MOST_ENTRIES {
                self.found.variants.push(TagEntry {
                    uri: Some(uri.to_owned()),
                    ..variant
                });
            }
            return;
        }
        let Some(micros) = self.micros.take() else {
            return self.problem(format!("`{}` has no `EXTINF`", shown(uri)));
        };
        let range = self.range.take().map(|(length, offset)| {
            // §4.4.4.2: without an offset, it begins where the previous one ended.
            let after = if self.end.0 == uri { self.end.1 } else { 0 };
            (length, offset.unwrap_or(after))
        });
        if let Some((length, offset)) = range {
            self.end = (uri.to_owned(), offset.saturating_add(length));
        }
        if self.found.segments.len() == MOST_SEGMENTS {
            return self.problem(format!("it lists more than {MOST_SEGMENTS} segments"));
        }
        self.found.segments.push(ListedSegment {
            place: UriRange {
                uri: uri.to_owned(),
                range,
            },
            micros,
            map: self.map,
            is_discontinuous: std::mem::take(&mut self.is_discontinuous),
            is_encrypted: self.is_encrypted,
        });
    }

    fn finish(mut self) -> CheckedPlaylist {
        if self.variant.is_some() {
            self.problem("an `EXT-X-STREAM-INF` is not followed by a URI");
        }
        if self.found.is_multivariant() {
            if !self.found.segments.is_empty() || self.found.target_duration.is_some() {
                self.problem("it lists playlists and segments");
            }
        } else {
            if self.found.target_duration.is_none() {
                self.problem("`EXT-X-TARGETDURATION` is missing");
            }
            if self.found.segments.is_empty() {
                self.problem("it lists nothing");
            }
        }
        if !self.found.maps.is_empty() {
            // §8: 5 in an I-frame playlist, 6 in any other.
            let version = if self.found.is_i_frames_only { 5 } else { 6 };
            self.needs(version, "EXT-X-MAP");
        }
        self.found
    }
}

fn entry(line: &str, tag: &str) -> TagEntry {
    let attributes = attributes(line.as_bytes(), tag.len() + 1)
        .filter_map(|attribute| {
            let name = str::from_utf8(attribute.name).ok()?;
            Some((name.to_owned(), line.get(attribute.value)?.to_owned()))
        })
        .collect();
    TagEntry {
        uri: None,
        attributes,
    }
}

/// `length[@offset]`.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    match text.trim().split_once('@') {
        Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
        None => Some((text.trim().parse().ok()?, None)),
    }
}

/// Shortens untrusted text and removes control characters, for a terminal.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
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
            b"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"9@1\"\n\
              #EXTINF:4.004,\n#EXT-X-BYTERANGE:10@5\na.mp4\n#EXTINF:4,title\n#EXT-X-BYTERANGE:7\na.mp4\n",
        );
        assert_eq!(found.problems, [] as [&str; 0]);
        assert_eq!(found.needs, (6, "EXT-X-MAP"));
        assert_eq!(found.maps[0].range, Some((9, 1)));
        let places: Vec<_> = found
            .segments
            .iter()
            .map(|segment| (segment.micros, segment.place.range))
            .collect();
        assert_eq!(
            places,
            [(4_004_000, Some((10, 5))), (4_000_000, Some((7, 15)))]
        );
    }

    #[test]
    fn a_text_that_is_no_playlist_is_reported_in_sentences() {
        for (text, expected) in [
            ("", "it is empty"),
            ("<html>", "its first line is not `#EXTM3U`"),
            ("#EXTM3U\n#EXTINF:x,\na", "`x` is no duration"),
            ("#EXTM3U\n#EXTINF:-1,\na", "`-1` is no duration"),
            ("#EXTM3U\n#EXTINF:NaN,\na", "`NaN` is no duration"),
            ("#EXTM3U\na.ts", "`a.ts` has no `EXTINF`"),
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
}
