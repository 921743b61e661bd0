//! Reads a playlist line by line.

mod keys;
mod segments;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset};
use hls_lexer::attributes::attributes;
use hls_lexer::scan::lines;

use super::attributes::{self, is_integer};
use super::date_range::DateRanges;
use super::tags::{self, TagContent, TagPlace};
use super::{CheckedPlaylist, ListedKey, ListedMap, TagEntry, shown};

const MOST_ENTRIES: usize = 1_000;
/// Maximum number of keys, each of which is read.
const MOST_KEYS: usize = 1_000;
/// Maximum faults of a playlist that are kept.
const MOST_PROBLEMS: usize = 100;
/// Maximum bytes of a line after its variables are replaced.
const LONGEST_LINE: usize = 1 << 16;
/// Maximum bytes of variables that are written into a playlist.
const MOST_EXPANDED: usize = 8 << 20;
/// Latest version of the draft.
const LATEST_VERSION: u64 = 13;

#[derive(Default)]
pub(super) struct PlaylistReader<'imports> {
    found: CheckedPlaylist,
    imports: Option<&'imports BTreeMap<String, String>>,
    /// Number of the line.
    at: usize,
    variant: Option<TagEntry>,
    micros: Option<u64>,
    range: Option<(u64, Option<u64>)>,
    map: Option<usize>,
    is_discontinuous: bool,
    is_gap: bool,
    bitrate: Option<u64>,
    /// Active keys by their `KEYFORMAT`.
    keys: BTreeMap<String, usize>,
    /// Indexes of keys and maps in the playlist's lists.
    key_numbers: BTreeMap<ListedKey, usize>,
    map_numbers: BTreeMap<ListedMap, usize>,
    session_keys: BTreeSet<ListedKey>,
    sequence: u64,
    /// End of the last byte range, with its URI.
    end: (String, u64),
    /// Tags that are there.
    tags: BTreeSet<&'static str>,
    /// The first tag of each kind of playlist, which exclude each other.
    media_tag: Option<&'static str>,
    multivariant_tag: Option<&'static str>,
    /// Bytes of variables that are written out.
    expanded: usize,
    /// Date of the next segment, as far as dates and durations tell.
    clock: Option<DateTime<FixedOffset>>,
    date_ranges: DateRanges,
    /// Faults that count if the playlist is complete.
    later_problems: Vec<String>,
}

impl<'imports> PlaylistReader<'imports> {
    /// A reader of a Media Playlist gets the variables of its Multivariant Playlist, if that is
    /// known.
    pub(super) fn new(imports: Option<&'imports BTreeMap<String, String>>) -> Self {
        Self {
            found: CheckedPlaylist {
                needs: (1, "EXTM3U"),
                ..CheckedPlaylist::default()
            },
            imports,
            ..Self::default()
        }
    }

    pub(super) fn read(mut self, bytes: &[u8]) -> CheckedPlaylist {
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            self.general_problem("it starts with a byte-order mark");
        }
        for range in lines(bytes) {
            self.at += 1;
            let Ok(line) = str::from_utf8(&bytes[range]) else {
                self.problem("it is not UTF-8");
                continue;
            };
            if self.at == 1 && line.trim_end() != "#EXTM3U" {
                self.general_problem("its first line is not `#EXTM3U`");
            }
            self.line(line);
        }
        if self.at == 0 {
            self.general_problem("it is empty");
        }
        self.finish()
    }

    /// Records a fault of this line.
    fn problem(&mut self, what: impl AsRef<str>) {
        let line = self.at;
        self.general_problem(format!("line {line}: {}", what.as_ref()));
    }

    /// Records a fault of a complete playlist: live ones have it while an encoder restarts.
    fn later_problem(&mut self, what: &str) {
        if self.later_problems.len() < MOST_PROBLEMS {
            let line = self.at;
            self.later_problems.push(format!("line {line}: {what}"));
        }
    }

    fn general_problem(&mut self, what: impl Into<String>) {
        if self.found.problems.len() < MOST_PROBLEMS {
            self.found.problems.push(what.into());
        }
    }

    fn needs(&mut self, version: u64, tag: &'static str) {
        if version > self.found.needs.0 {
            self.found.needs = (version, tag);
        }
    }

    fn line(&mut self, raw: &str) {
        // §4.1 permits line ends and no other control character.
        // Public playlists have tabs in titles.
        if raw
            .chars()
            .any(|letter| letter.is_control() && letter != '\t')
        {
            self.problem("it has a control character");
        }
        let line = raw.trim();
        if line.is_empty() {
            return;
        }
        if raw.starts_with(char::is_whitespace) {
            self.problem("it begins with white space");
        }
        let is_tag = line.starts_with("#EXT");
        if line.starts_with('#') && !is_tag {
            return;
        }
        let is_titled = line.starts_with("#EXTINF");
        if raw.ends_with(char::is_whitespace) && !is_titled {
            self.problem("it ends with white space");
        }
        let expanded = match line.contains("{$") && !line.starts_with("#EXT-X-DEFINE") {
            true => Some(self.expand(line)),
            false => None,
        };
        let line = expanded.as_deref().unwrap_or(line);
        if is_tag {
            self.tag(line);
        } else {
            self.uri(line);
        }
    }

    /// Replaces variables (§4.3).
    fn expand(&mut self, line: &str) -> String {
        let (mut out, mut rest) = (String::new(), line);
        while let Some((before, after)) = rest.split_once("{$") {
            out += before;
            let Some((name, behind)) = after.split_once('}') else {
                self.problem("a `{$` is not closed");
                return out + "{$" + after;
            };
            match self.found.variables.get(name) {
                Some(value)
                    if out.len() + value.len() < LONGEST_LINE
                        && self.expanded + value.len() <= MOST_EXPANDED =>
                {
                    self.expanded += value.len();
                    out += value;
                }
                Some(_) => self.problem(format!("the variable `{}` is too long", shown(name))),
                None => self.problem(format!("the variable `{}` is not defined", shown(name))),
            }
            rest = behind;
        }
        out + rest
    }

    fn tag(&mut self, line: &str) {
        let (name, rest) = match line.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (line, None),
        };
        let Some(rule) = tags::find(name) else { return };
        if !self.tags.insert(rule.name) && rule.is_single {
            self.problem(format!("`{}` is there twice", &name[1..]));
        }
        match rule.place {
            TagPlace::Media => self.media_tag = self.media_tag.or(Some(rule.name)),
            TagPlace::Multivariant => {
                self.multivariant_tag = self.multivariant_tag.or(Some(rule.name));
            }
            TagPlace::Both => {}
        }
        let value = rest.unwrap_or("");
        match rule.content {
            TagContent::Nothing if rest.is_some() => {
                self.problem(format!("`{}` has a value", &name[1..]));
            }
            TagContent::Integer if !is_integer(value) => {
                self.problem(format!(
                    "`{}` of `{}` is no whole number",
                    shown(value),
                    &name[1..]
                ));
            }
            TagContent::Word(words) if !words.contains(&value) => {
                self.problem(format!(
                    "`{}` of `{}` is none of {}",
                    shown(value),
                    &name[1..],
                    words.join(", ")
                ));
            }
            TagContent::Attributes(rules) => {
                for fault in attributes::faults(value, rules) {
                    self.problem(format!("`{}`: {fault}", &name[1..]));
                }
            }
            _ => {}
        }
        self.read_tag(rule.name, line, value);
    }

    fn read_tag(&mut self, tag: &'static str, line: &str, rest: &str) {
        let whole = || rest.parse::<u64>().ok().filter(|_| is_integer(rest));
        match tag {
            "#EXT-X-VERSION" => {
                self.found.version = self.found.version.or(whole());
                if whole().is_some_and(|version| !(1..=LATEST_VERSION).contains(&version)) {
                    self.problem(format!("there is no version {}", shown(rest)));
                }
            }
            "#EXT-X-INDEPENDENT-SEGMENTS" => self.found.is_independent = true,
            "#EXT-X-START" => {
                self.found.start = entry(line, tag)
                    .get("TIME-OFFSET")
                    .and_then(|text| text.parse().ok());
            }
            "#EXT-X-TARGETDURATION" => self.found.target_duration = whole(),
            "#EXT-X-MEDIA-SEQUENCE" => {
                if !self.found.segments.is_empty() {
                    self.problem("`EXT-X-MEDIA-SEQUENCE` follows a segment");
                }
                self.sequence = whole().unwrap_or(0);
            }
            "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                let is_late =
                    !self.found.segments.is_empty() || self.tags.contains("#EXT-X-DISCONTINUITY");
                if is_late {
                    self.problem(
                        "`EXT-X-DISCONTINUITY-SEQUENCE` follows a segment or a discontinuity",
                    );
                }
            }
            "#EXT-X-PLAYLIST-TYPE" => self.found.is_vod = rest == "VOD",
            "#EXT-X-ENDLIST" => self.found.has_end = true,
            "#EXT-X-I-FRAMES-ONLY" => {
                self.found.is_i_frames_only = true;
                self.needs(4, "EXT-X-I-FRAMES-ONLY");
            }
            "#EXT-X-DISCONTINUITY" => {
                self.is_discontinuous = true;
                self.clock = None;
            }
            "#EXT-X-GAP" => {
                self.is_gap = true;
            }
            "#EXT-X-BITRATE" => self.bitrate = whole(),
            "#EXTINF" => self.duration(rest),
            "#EXT-X-BYTERANGE" => self.byte_range(rest),
            "#EXT-X-PROGRAM-DATE-TIME" => self.date(rest),
            "#EXT-X-DATERANGE" => {
                let faults = self.date_ranges.add(&entry(line, tag));
                for fault in faults.tag {
                    self.problem(fault);
                }
                if let Some(fault) = faults.change {
                    self.later_problem(&fault);
                }
            }
            "#EXT-X-DEFINE" => self.define(&entry(line, tag)),
            "#EXT-X-SKIP" => self.needs(9, "EXT-X-SKIP"),
            "#EXT-X-KEY" => self.key(&entry(line, tag)),
            "#EXT-X-SESSION-KEY" => {
                let entry = entry(line, tag);
                if entry.get("METHOD") == Some("NONE") {
                    self.problem("`EXT-X-SESSION-KEY` has `METHOD=NONE`");
                } else if let Some(key) = self.listed_key(&entry) {
                    if self.session_keys.contains(&key) {
                        self.problem("`EXT-X-SESSION-KEY` is there twice");
                    } else if self.session_keys.len() == MOST_KEYS {
                        self.too_many(tag);
                    } else {
                        self.session_keys.insert(key.clone());
                        self.found.session_keys.push(key);
                    }
                }
            }
            "#EXT-X-MAP" => self.map(&entry(line, tag)),
            "#EXT-X-STREAM-INF" => {
                if self.variant.is_some() {
                    self.problem("an `EXT-X-STREAM-INF` is not followed by a URI");
                }
                self.variant = Some(self.video_layout(entry(line, tag)));
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
                } else {
                    self.too_many(tag);
                }
            }
            _ => {}
        }
    }

    /// Records that further ones are not read.
    fn too_many(&mut self, tag: &str) {
        self.problem(format!(
            "it has more than {MOST_ENTRIES} of `{}`",
            &tag[1..]
        ));
    }

    fn video_layout(&mut self, entry: TagEntry) -> TagEntry {
        if entry.get("REQ-VIDEO-LAYOUT").is_some() {
            self.needs(12, "REQ-VIDEO-LAYOUT");
        }
        entry
    }

    fn finish(mut self) -> CheckedPlaylist {
        if self.variant.is_some() {
            self.general_problem("an `EXT-X-STREAM-INF` is not followed by a URI");
        }
        if self.micros.is_some() {
            self.general_problem("the last `EXTINF` has no URI");
        }
        if let (Some(media), Some(multivariant)) = (self.media_tag, self.multivariant_tag) {
            self.general_problem(format!(
                "it has `{}` of a Media Playlist and `{}` of a Multivariant Playlist",
                &media[1..],
                &multivariant[1..]
            ));
        }
        self.found.has_session_tags = self.multivariant_tag.is_some();
        self.found.has_media_tags = self.media_tag.is_some();
        if !self.found.is_multivariant() {
            if !self.tags.contains("#EXT-X-TARGETDURATION") {
                self.general_problem("`EXT-X-TARGETDURATION` is missing");
            }
            if self.found.segments.is_empty() {
                self.general_problem("it lists nothing");
            }
        }
        self.verify_start();
        if self.found.has_end {
            for problem in std::mem::take(&mut self.later_problems) {
                self.general_problem(problem);
            }
        }
        let scored = self
            .found
            .variants
            .iter()
            .filter(|one| one.get("SCORE").is_some());
        let scored = scored.count();
        if scored > 0 && scored < self.found.variants.len() {
            self.general_problem("some Variant Streams have a `SCORE`, and others have none");
        }
        if !self.found.maps.is_empty() {
            // §8: 5 in an I-frame playlist, 6 in any other.
            let version = if self.found.is_i_frames_only { 5 } else { 6 };
            self.needs(version, "EXT-X-MAP");
        }
        self.found
    }

    /// §4.4.2.2: the offset lies within the playlist.
    fn verify_start(&mut self) {
        let micros: u64 = self.found.segments.iter().map(|one| one.micros).sum();
        let seconds = micros as f64 / 1e6;
        let Some(start) = self.found.start else {
            return;
        };
        if !self.found.segments.is_empty() && start.abs() > seconds {
            self.general_problem(format!(
                "`EXT-X-START` is at {start} s of a playlist of {seconds} s"
            ));
        }
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
