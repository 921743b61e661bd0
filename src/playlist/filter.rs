//! Entitlement filters: which lines of a playlist a restricted link's holder does not get. Whole entries go; what stays
//! stays byte for byte, but for the numbers that count what went.

use std::collections::HashSet;
use std::ops::Range;

use super::PlaylistError;
use lectern_hot::attributes::attributes;
use lectern_hot::scan::lines;

/// What a link restricts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// The most lines of a Variant Stream, by its shorter side: 720 for 1280×720 and for 720×1280 alike.
    pub max_height: Option<u32>,
    /// Audio and subtitle Renditions, as BCP 47 language ranges.
    pub langs: Option<Vec<String>>,
    /// Seconds from and to which Media Segments are listed.
    pub preview: Option<(u32, u32)>,
}

/// A change to a playlist: these bytes become those.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) at: Range<usize>,
    pub(super) with: String,
}

impl Edit {
    fn drop(at: Range<usize>) -> Self {
        Self {
            at,
            with: String::new(),
        }
    }
}

/// Which of the two playlists of RFC 8216bis §4.1 this is. `None` where it is neither or claims to be both, which
/// clients must refuse, and which a restricted link never opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Multivariant,
    Media,
}

pub(super) fn form(playlist: &[u8]) -> Option<Form> {
    let mut multivariant = false;
    let mut media = false;
    for range in lines(playlist) {
        match tag(&playlist[range]).0 {
            b"#EXT-X-STREAM-INF" | b"#EXT-X-I-FRAME-STREAM-INF" | b"#EXT-X-MEDIA" => {
                multivariant = true;
            }
            b"#EXTINF" | b"#EXT-X-TARGETDURATION" | b"#EXT-X-PART" => media = true,
            _ => {}
        }
    }
    match (multivariant, media) {
        (true, false) => Some(Form::Multivariant),
        (false, true) => Some(Form::Media),
        _ => None,
    }
}

/// A line's tag and the rest behind its colon. A line that is no tag has an empty one.
fn tag(line: &[u8]) -> (&[u8], &[u8]) {
    if !line.starts_with(b"#EXT") {
        return (b"", line);
    }
    match line.iter().position(|&byte| byte == b':') {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (line.trim_ascii_end(), b""),
    }
}

/// The value of an attribute of a tag's line.
fn attribute<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line str> {
    let start = line.iter().position(|&byte| byte == b':')? + 1;
    let mut found = attributes(line, start).filter(|attribute| attribute.name == name);
    let value = found.next()?.value;
    str::from_utf8(&line[value]).ok()
}

/// A Rendition Group: its type and id.
type Group = (String, String);

/// An `EXT-X-STREAM-INF` with its URI line, or an entry that is one line.
struct Variant {
    /// From the tag's line to the end of the URI's, line endings included.
    at: Range<usize>,
    /// The tag's line.
    tag: Range<usize>,
    uri: Range<usize>,
    keep: bool,
}

/// The filter of a Multivariant Playlist. Variant Streams that are too tall go with their URI lines, Renditions in other
/// languages go, and so do those whose group no Variant Stream that is left names.
pub(super) fn multivariant(
    playlist: &[u8],
    entitlements: &Entitlements,
) -> Result<Vec<Edit>, PlaylistError> {
    let whole = whole_lines(playlist);
    let too_tall = |line: &[u8]| {
        entitlements
            .max_height
            .is_some_and(|most| height(line).is_none_or(|height| height > most))
    };
    // Renditions that are in a language of the link's.
    let mut renditions: Vec<(Range<usize>, Group, bool)> = Vec::new();
    let mut variants: Vec<Variant> = Vec::new();
    let mut edits = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for at in &whole {
        let line = trim_line(&playlist[at.clone()]);
        match tag(line).0 {
            b"#EXT-X-STREAM-INF" => open = Some((at.start..at.start + line.len(), at.start)),
            b"#EXT-X-I-FRAME-STREAM-INF" | b"#EXT-X-IMAGE-STREAM-INF" if too_tall(line) => {
                edits.push(Edit::drop(at.clone()));
            }
            b"#EXT-X-MEDIA" => {
                let kind = attribute(line, b"TYPE").unwrap_or_default();
                let group = attribute(line, b"GROUP-ID").unwrap_or_default();
                let listed = entitlements.langs.as_ref().is_none_or(|langs| {
                    !matches!(kind, "AUDIO" | "SUBTITLES")
                        || attribute(line, b"LANGUAGE")
                            .is_some_and(|language| speaks(langs, language))
                });
                renditions.push((at.clone(), (kind.to_owned(), group.to_owned()), listed));
            }
            b"" if !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#") => {
                if let Some((tag, start)) = open.take() {
                    let keep = !too_tall(&playlist[tag.clone()]);
                    variants.push(Variant {
                        at: start..at.end,
                        tag,
                        uri: at.start..at.start + line.len(),
                        keep,
                    });
                }
            }
            _ => {}
        }
    }
    // A tag without its URI line is not an entry that anything could play.
    if let Some((_, start)) = open {
        edits.push(Edit::drop(start..playlist.len()));
    }
    let has = |renditions: &[(Range<usize>, Group, bool)], kind: &str, id: &str, listed: bool| {
        renditions
            .iter()
            .any(|(_, (found, group), keep)| found == kind && group == id && (*keep || !listed))
    };
    let unlisted: HashSet<&[u8]> = renditions
        .iter()
        .filter(|(_, _, listed)| !listed)
        .filter_map(|(at, _, _)| attribute(&playlist[at.clone()], b"URI"))
        .map(str::as_bytes)
        .collect();
    let mut used: Vec<Group> = Vec::new();
    for variant in &mut variants {
        let line = &playlist[variant.tag.clone()];
        // A Variant Stream of sound alone may be a Rendition by another name, and goes with it.
        let uri = playlist[variant.uri.clone()].trim_ascii();
        variant.keep &= !unlisted.contains(&uri);
        // Its sound is only in other languages: it cannot be played as the link says.
        if let Some(group) = attribute(line, b"AUDIO") {
            variant.keep &=
                has(&renditions, "AUDIO", group, true) || !has(&renditions, "AUDIO", group, false);
        }
        if !variant.keep {
            edits.push(Edit::drop(variant.at.clone()));
            continue;
        }
        for kind in ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"] {
            if let Some(group) = attribute(line, kind.as_bytes()) {
                used.push((kind.to_owned(), group.to_owned()));
            }
        }
        // §4.4.6.2: the attribute's value must match a group that is there.
        if let Some(group) = attribute(line, b"SUBTITLES")
            && has(&renditions, "SUBTITLES", group, false)
            && !has(&renditions, "SUBTITLES", group, true)
            && let Some(at) = attribute_with_comma(line, b"SUBTITLES")
        {
            let start = variant.tag.start;
            edits.push(Edit::drop(start + at.start..start + at.end));
        }
    }
    if !variants.iter().any(|variant| variant.keep) {
        return Err(PlaylistError::NoVariant);
    }
    for (at, group, listed) in renditions {
        if !listed || !used.contains(&group) {
            edits.push(Edit::drop(at));
        }
    }
    edits.sort_unstable_by_key(|edit| edit.at.start);
    Ok(edits)
}

/// The shorter side of `RESOLUTION`. An entry that does not say is none of the video's only if its codecs are all of
/// sound: then it has no height, which every link allows.
fn height(line: &[u8]) -> Option<u32> {
    const AUDIO: [&str; 7] = ["mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac"];
    if let Some(resolution) = attribute(line, b"RESOLUTION") {
        let (width, height) = resolution.split_once(['x', 'X'])?;
        return Some(
            width
                .trim()
                .parse::<u32>()
                .ok()?
                .min(height.trim().parse().ok()?),
        );
    }
    let codecs = attribute(line, b"CODECS").filter(|codecs| !codecs.trim().is_empty())?;
    codecs
        .split(',')
        .all(|codec| {
            let codec = codec.trim().to_ascii_lowercase();
            AUDIO.iter().any(|audio| codec.starts_with(audio))
        })
        .then_some(0)
}

/// Basic filtering of RFC 4647 §3.3.1: `en` speaks `en-GB`, `en-GB` does not speak `en`.
fn speaks(ranges: &[String], language: &str) -> bool {
    ranges.iter().any(|range| {
        language
            .get(..range.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(range))
            && matches!(language.as_bytes().get(range.len()), None | Some(b'-'))
    })
}

/// Where an attribute stands in a line, with the comma that separates it from its neighbour.
fn attribute_with_comma(line: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let start = line.iter().position(|&byte| byte == b':')? + 1;
    let value = attributes(line, start)
        .find(|attribute| attribute.name == name)?
        .value;
    let equals = line[..value.start].iter().rposition(|&byte| byte == b'=')?;
    let from = line[start..equals]
        .iter()
        .rposition(|&byte| byte == b',')
        .map_or(start, |comma| start + comma);
    let quoted = line.get(value.end) == Some(&b'"');
    let mut to = value.end + usize::from(quoted);
    // The first of the list takes the comma behind it along.
    if from == start && line.get(to) == Some(&b',') {
        to += 1;
    }
    Some(from..to)
}

/// A Media Segment with the tags that belong to it.
#[derive(Default)]
struct Segment {
    /// Lines, endings included.
    lines: Vec<Range<usize>>,
    uri: Option<Range<usize>>,
    /// Microseconds.
    duration: u64,
    discontinuity: bool,
    /// The line, and the length and offset that it says.
    byte_range: Option<(Range<usize>, u64, Option<u64>)>,
}

/// The filter of a Media Playlist by a preview: Media Segments that do not touch `[from, to)` go, with the tags that
/// belong to them. `EXT-X-MAP`, `EXT-X-KEY` and `EXT-X-BITRATE` that still hold stay, byte ranges that counted on the segment
/// before get their offset, the sequence numbers count what went, and a playlist that was cut at its end ends.
pub(super) fn media(playlist: &[u8], (from, to): (u32, u32)) -> Result<Vec<Edit>, PlaylistError> {
    let from = u64::from(from) * 1_000_000;
    let to = u64::from(to) * 1_000_000;
    let mut edits = Vec::new();
    let mut segments: Vec<Segment> = vec![Segment::default()];
    // Tags that hold until the next of their kind: at which segment, and what it replaces.
    let mut states: Vec<(usize, Range<usize>, Vec<u8>)> = Vec::new();
    let mut sequence: Option<Range<usize>> = None;
    let mut discontinuities: Option<Range<usize>> = None;
    let mut first_line_ends = None;
    let mut ended = false;
    let mut grows_only = false;
    for at in whole_lines(playlist) {
        let line = trim_line(&playlist[at.clone()]);
        let (name, value) = tag(line);
        let number = segments.len() - 1;
        let segment = &mut segments[number];
        match name {
            b"#EXTM3U" => first_line_ends = Some(at.end),
            b"#EXT-X-MEDIA-SEQUENCE" => sequence = Some(at.start..at.start + line.len()),
            b"#EXT-X-DISCONTINUITY-SEQUENCE" => {
                discontinuities = Some(at.start..at.start + line.len());
            }
            b"#EXT-X-ENDLIST" => ended = true,
            b"#EXT-X-PLAYLIST-TYPE" => grows_only = true,
            b"#EXT-X-SKIP" => return Err(PlaylistError::NoPreview),
            b"#EXT-X-VERSION"
            | b"#EXT-X-TARGETDURATION"
            | b"#EXT-X-I-FRAMES-ONLY"
            | b"#EXT-X-INDEPENDENT-SEGMENTS"
            | b"#EXT-X-START"
            | b"#EXT-X-DEFINE"
            | b"#EXT-X-PART-INF"
            | b"#EXT-X-SERVER-CONTROL"
            | b"#EXT-X-ALLOW-CACHE" => {}
            b"#EXT-X-MAP" | b"#EXT-X-BITRATE" => states.push((number, at, name.to_vec())),
            b"#EXT-X-KEY" => {
                let format = attribute(line, b"KEYFORMAT").unwrap_or("identity");
                let kind = match attribute(line, b"METHOD") {
                    Some("NONE") => b"#EXT-X-KEY".to_vec(),
                    _ => [b"#EXT-X-KEY:", format.as_bytes()].concat(),
                };
                states.push((number, at, kind));
            }
            _ => {
                match name {
                    b"#EXTINF" => {
                        segment.duration = microseconds(value).ok_or(PlaylistError::NoPreview)?;
                    }
                    b"#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
                    b"#EXT-X-BYTERANGE" => {
                        let (length, offset) = byte_range(value).ok_or(PlaylistError::NoPreview)?;
                        segment.byte_range =
                            Some((at.start..at.start + line.len(), length, offset));
                    }
                    _ => {}
                }
                let is_uri = name.is_empty()
                    && !line.trim_ascii().is_empty()
                    && !line.trim_ascii_start().starts_with(b"#");
                segment.lines.push(at.clone());
                if is_uri {
                    segment.uri = Some(at.start..at.start + line.len());
                    segments.push(Segment::default());
                }
            }
        }
    }
    // Where a playlist forgets its beginning, the seconds of a preview count from another point at every reload.
    if !ended && !grows_only {
        return Err(PlaylistError::NoPreview);
    }
    let tail = segments.pop().unwrap_or_default();
    let mut start = 0;
    let kept: Vec<bool> = segments
        .iter()
        .map(|segment| {
            let began = start;
            start += segment.duration;
            began < to && (start > from || (segment.duration == 0 && began >= from))
        })
        .collect();
    let uri_of = |segment: &Segment| segment.uri.clone().map(|at| playlist[at].trim_ascii());
    let first = kept.iter().position(|keep| *keep);
    let last = kept.iter().rposition(|keep| *keep);
    let cut_at_end = last.is_none_or(|last| last + 1 < segments.len()) && !segments.is_empty();

    // A pass opens an object whole: a file that holds segments of both sides cannot be shown in part.
    let (mut shown, mut hidden) = (HashSet::new(), HashSet::new());
    for (segment, keep) in segments.iter().zip(&kept) {
        let side = if *keep { &mut shown } else { &mut hidden };
        side.extend(segment.byte_range.as_ref().and_then(|_| uri_of(segment)));
    }
    if !shown.is_disjoint(&hidden) {
        return Err(PlaylistError::NoPreview);
    }

    let mut gone = 0_u64;
    let mut gone_discontinuities = 0_u64;
    let mut next_offset: Option<(&[u8], u64)> = None;
    for (number, segment) in segments.iter().enumerate() {
        let uri = uri_of(segment).unwrap_or_default();
        let ranged = segment.byte_range.as_ref().map(|(at, length, offset)| {
            let implied = next_offset.filter(|(before, _)| *before == uri);
            let begins = offset.or(implied.map(|(_, end)| end)).unwrap_or(0);
            (at, *length, offset.is_none(), begins)
        });
        next_offset = ranged.map(|(_, length, _, begins)| (uri, begins.saturating_add(length)));
        if !kept[number] {
            edits.extend(segment.lines.iter().cloned().map(Edit::drop));
            if first.is_none_or(|first| number < first) {
                gone += 1;
                gone_discontinuities += u64::from(segment.discontinuity);
            }
        } else if let Some((at, length, true, begins)) = ranged
            && (number == 0 || !kept[number - 1])
        {
            edits.push(Edit {
                at: at.clone(),
                with: format!("#EXT-X-BYTERANGE:{length}@{begins}"),
            });
        }
    }
    if cut_at_end {
        edits.extend(tail.lines.into_iter().map(Edit::drop));
    }
    // Of the tags before the first kept segment only those that hold for it, and none behind the last.
    for (index, (number, at, kind)) in states.iter().enumerate() {
        let replaced = states[index + 1..].iter().any(|(later, _, other)| {
            Some(*later) <= first
                && (other == kind || (*other == b"#EXT-X-KEY" && kind.starts_with(other)))
        });
        let behind = last.is_none_or(|last| *number > last) && cut_at_end;
        if behind || (Some(*number) < first && replaced) {
            edits.push(Edit::drop(at.clone()));
        }
    }
    let head = first_line_ends.unwrap_or(0);
    edits.extend(count(
        playlist,
        sequence,
        "#EXT-X-MEDIA-SEQUENCE",
        gone,
        head,
    )?);
    edits.extend(count(
        playlist,
        discontinuities,
        "#EXT-X-DISCONTINUITY-SEQUENCE",
        gone_discontinuities,
        head,
    )?);
    if cut_at_end && !ended {
        let newline = if playlist.ends_with(b"\n") { "" } else { "\n" };
        edits.push(Edit {
            at: playlist.len()..playlist.len(),
            with: format!("{newline}#EXT-X-ENDLIST\n"),
        });
    }
    edits.sort_unstable_by_key(|edit| (edit.at.start, edit.at.end));
    Ok(edits)
}

/// Adds what went to a sequence number, or says it where the playlist counted from nothing.
fn count(
    playlist: &[u8],
    line: Option<Range<usize>>,
    name: &str,
    gone: u64,
    head: usize,
) -> Result<Option<Edit>, PlaylistError> {
    if gone == 0 {
        return Ok(None);
    }
    let (at, before, end) = match line {
        Some(at) => {
            let value = tag(&playlist[at.clone()]).1;
            let number = str::from_utf8(value)
                .ok()
                .and_then(|value| value.trim().parse().ok());
            (at, number.ok_or(PlaylistError::NoPreview)?, "")
        }
        None => (head..head, 0_u64, "\n"),
    };
    let with = format!("{name}:{}{end}", before.saturating_add(gone));
    Ok(Some(Edit { at, with }))
}

/// `EXTINF`'s duration, an integer or a decimal number of seconds.
fn microseconds(value: &[u8]) -> Option<u64> {
    let value = str::from_utf8(value).ok()?;
    let (whole, fraction) = value
        .split(',')
        .next()?
        .trim()
        .split_once('.')
        .unwrap_or((value.split(',').next()?.trim(), ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6.6}").parse().ok()?;
    // A segment of a year is no segment; the bound keeps the sums from overflowing.
    let seconds: u64 = whole.parse().ok().filter(|seconds| *seconds < 31_536_000)?;
    Some(seconds * 1_000_000 + micros)
}

/// `<n>[@<o>]` (RFC 8216bis §4.4.4.2).
fn byte_range(value: &[u8]) -> Option<(u64, Option<u64>)> {
    let value = str::from_utf8(value).ok()?.trim();
    match value.split_once('@') {
        Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
        None => Some((value.parse().ok()?, None)),
    }
}

/// Lines with their endings.
fn whole_lines(playlist: &[u8]) -> Vec<Range<usize>> {
    let starts: Vec<usize> = lines(playlist).map(|line| line.start).collect();
    starts
        .iter()
        .zip(starts.iter().skip(1).chain([&playlist.len()]))
        .map(|(start, end)| *start..*end)
        .collect()
}

/// A line without its ending.
fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(playlist: &str, edits: &[Edit]) -> String {
        let mut out = String::new();
        let mut copied = 0;
        for edit in edits {
            out += &playlist[copied..edit.at.start];
            out += &edit.with;
            copied = edit.at.end;
        }
        out + &playlist[copied..]
    }

    #[test]
    fn a_resolution_counts_with_its_shorter_side() {
        for (line, expected) in [
            ("#EXT-X-STREAM-INF:RESOLUTION=1280x720", Some(720)),
            ("#EXT-X-STREAM-INF:RESOLUTION=720x1280", Some(720)),
            ("#EXT-X-STREAM-INF:RESOLUTION=x", None),
            ("#EXT-X-STREAM-INF:BANDWIDTH=1", None),
            ("#EXT-X-STREAM-INF:CODECS=\"mp4a.40.2\"", Some(0)),
            ("#EXT-X-STREAM-INF:CODECS=\"avc1.64001f,mp4a.40.2\"", None),
            ("#EXT-X-STREAM-INF:CODECS=\"\"", None),
        ] {
            assert_eq!(height(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_language_range_speaks_its_own_regions() {
        for (range, language, expected) in [
            ("en", "en", true),
            ("en", "EN-gb", true),
            ("en", "eng", false),
            ("en-GB", "en", false),
            ("en", "e", false),
            ("und", "und", true),
        ] {
            let found = speaks(&[range.to_owned()], language);
            assert_eq!(found, expected, "{range} {language}");
        }
    }

    #[test]
    fn an_attribute_goes_with_one_comma() {
        for (line, expected) in [
            ("#T:A=1,S=\"x\",B=2", "#T:A=1,B=2"),
            ("#T:S=\"x\",B=2", "#T:B=2"),
            ("#T:A=1,S=\"x, y\"", "#T:A=1"),
            ("#T:S=x", "#T:"),
        ] {
            let at = attribute_with_comma(line.as_bytes(), b"S").expect("the attribute");
            assert_eq!(edited(line, &[Edit::drop(at)]), expected, "{line}");
        }
    }

    #[test]
    fn durations_are_read_to_the_microsecond() {
        for (value, expected) in [
            ("4,", Some(4_000_000)),
            ("3.960000,title, 2", Some(3_960_000)),
            (" 0.0000019", Some(1)),
            ("-1,", None),
            ("1e3,", None),
            ("", None),
            ("99999999999,", None),
        ] {
            assert_eq!(microseconds(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_shown_in_part_is_not_shown() {
        let segments = |tags: &str| format!("#EXTM3U\n{tags}#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n");
        let vod = "#EXT-X-PLAYLIST-TYPE:VOD\n";
        for (playlist, window, expected) in [
            (segments(vod), (0, 8), Ok(())),
            // A live playlist forgets its beginning.
            (segments(""), (0, 4), Err(PlaylistError::NoPreview)),
            // A delta update does not say what it left out.
            (
                segments(&format!("{vod}#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n")),
                (0, 4),
                Err(PlaylistError::NoPreview),
            ),
            (
                segments(vod).replace("#EXTINF:4,\nb", "#EXTINF:x,\nb"),
                (0, 4),
                Err(PlaylistError::NoPreview),
            ),
            // One file holds what is shown and what is not.
            (
                format!(
                    "#EXTM3U\n{vod}#EXTINF:4,\n#EXT-X-BYTERANGE:9@0\na.ts\n#EXTINF:4,\n#EXT-X-BYTERANGE:9\na.ts\n"
                ),
                (0, 4),
                Err(PlaylistError::NoPreview),
            ),
            (
                format!(
                    "#EXTM3U\n{vod}#EXTINF:4,\n#EXT-X-BYTERANGE:9@0\na.ts\n#EXTINF:4,\n#EXT-X-BYTERANGE:9\na.ts\n"
                ),
                (0, 5),
                Ok(()),
            ),
        ] {
            let found = media(playlist.as_bytes(), window).map(|_| ());
            assert_eq!(found, expected, "{playlist}");
        }
    }

    #[test]
    fn a_playlist_is_of_one_form() {
        for (playlist, expected) in [
            (
                "#EXTM3U\n#EXT-X-STREAM-INF:A=1\na\n",
                Some(Form::Multivariant),
            ),
            ("#EXTM3U\n#EXTINF:4,\na\n", Some(Form::Media)),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:4\n", Some(Form::Media)),
            ("#EXTM3U\n#EXT-X-STREAM-INF:A=1\na\n#EXTINF:4,\nb\n", None),
            ("#EXTM3U\na\n", None),
        ] {
            assert_eq!(form(playlist.as_bytes()), expected, "{playlist}");
        }
    }
}
