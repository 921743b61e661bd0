//! The filter of a Media Playlist by a preview.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Edit, add_range, attribute, sorted, tag, trim_line, whole_lines};
use crate::playlist::PlaylistError;

/// A Media Segment with the tags that belong to it.
#[derive(Default)]
struct FilteredSegment {
    /// Lines, endings included.
    lines: Vec<Range<usize>>,
    uri: Option<Range<usize>>,
    /// In microseconds.
    duration: u64,
    discontinuity: bool,
    /// The line, and its length and offset.
    byte_range: Option<(Range<usize>, u64, Option<u64>)>,
}

/// Removes the Media Segments that do not touch the preview `[from, to)`, with their tags.
/// `EXT-X-MAP`, `EXT-X-KEY` and `EXT-X-BITRATE` stay while they apply. Byte ranges that continue a
/// removed segment get an offset. Sequence numbers count the removed segments, and a playlist that
/// is cut at its end gets `EXT-X-ENDLIST`.
pub(in crate::playlist) fn media(
    playlist: &[u8],
    (from, to): (u32, u32),
) -> Result<Vec<Edit>, PlaylistError> {
    let from = u64::from(from) * 1_000_000;
    let to = u64::from(to) * 1_000_000;
    let mut edits = Vec::new();
    let mut segments: Vec<FilteredSegment> = vec![FilteredSegment::default()];
    // Tags that apply until the next of their kind: the segment, the range, and the kind.
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
                add_range(&mut segment.lines, at.clone());
                if is_uri {
                    segment.uri = Some(at.start..at.start + line.len());
                    segments.push(FilteredSegment::default());
                }
            }
        }
    }
    // If a playlist drops its beginning, a preview's seconds start at another point in every
    // reload.
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
    let uri_of =
        |segment: &FilteredSegment| segment.uri.clone().map(|at| playlist[at].trim_ascii());
    let first = kept.iter().position(|keep| *keep);
    let last = kept.iter().rposition(|keep| *keep);
    let cut_at_end = last.is_none_or(|last| last + 1 < segments.len()) && !segments.is_empty();

    // A pass opens a whole object, so a file with segments of both sides cannot be shown in part.
    let files = segments.iter().zip(&kept).filter_map(|(segment, keep)| {
        let uri = segment.byte_range.as_ref().and_then(|_| uri_of(segment))?;
        Some((uri, *keep))
    });
    let is_on_both_sides =
        |pair: &[(&[u8], bool)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    if sorted(files.collect()).windows(2).any(is_on_both_sides) {
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
            let with = format!("#EXT-X-BYTERANGE:{length}@{begins}");
            edits.push(Edit::replace(at.clone(), with));
        }
    }
    if cut_at_end {
        edits.extend(tail.lines.into_iter().map(Edit::drop));
    }
    // Keeps the tags before the first kept segment that apply to it, and none after the last. Reads
    // backwards, so that a set records the kinds that occur again.
    let mut again: BTreeSet<&[u8]> = BTreeSet::new();
    for (number, at, kind) in states.iter().rev() {
        let is_before = Some(*number) <= first;
        let is_key = kind.starts_with(b"#EXT-X-KEY");
        let replaced =
            again.contains(kind.as_slice()) || (is_key && again.contains(b"#EXT-X-KEY".as_slice()));
        let behind = last.is_none_or(|last| *number > last) && cut_at_end;
        if behind || (Some(*number) < first && replaced) {
            edits.push(Edit::drop(at.clone()));
        }
        if is_before {
            again.insert(kind);
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
        let with = format!("{newline}#EXT-X-ENDLIST\n");
        edits.push(Edit::replace(playlist.len()..playlist.len(), with));
    }
    Ok(sorted(edits))
}

/// Adds the removed segments to a sequence number. Without a tag, it writes one.
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
    Ok(Some(Edit::replace(at, with)))
}

/// Parses the duration of `EXTINF`, an integer or a decimal number of seconds.
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
    // No segment lasts a year. The limit prevents an overflow of the sums.
    let seconds: u64 = whole.parse().ok().filter(|seconds| *seconds < 31_536_000)?;
    Some(seconds * 1_000_000 + micros)
}

/// Parses `<n>[@<o>]` (RFC 8216bis §4.4.4.2).
fn byte_range(value: &[u8]) -> Option<(u64, Option<u64>)> {
    let value = str::from_utf8(value).ok()?.trim();
    match value.split_once('@') {
        Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
        None => Some((value.parse().ok()?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::edited;
    use super::*;

    #[test]
    fn durations_are_read_to_the_microsecond() {
        for (value, expected) in [
            ("4,", Some(4_000_000)),
            ("3.960000,title, 2", Some(3_960_000)),
            (" 0.0000019", Some(1)),
            ("-1,", None),
            ("1e3,", None),
            ("", None),
            ("31535999", Some(31_535_999_000_000)),
            ("31536000", None),
            ("99999999999,", None),
        ] {
            assert_eq!(microseconds(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn a_playlist_that_cannot_be_split_is_refused() {
        let segments = |tags: &str| format!("#EXTM3U\n{tags}#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n");
        let vod = "#EXT-X-PLAYLIST-TYPE:VOD\n";
        for (playlist, window, expected) in [
            (segments(vod), (0, 8), Ok(())),
            // A live playlist drops its beginning.
            (segments(""), (0, 4), Err(PlaylistError::NoPreview)),
            // A delta update does not contain the skipped segments.
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
            // One file contains shown and removed segments.
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
    fn sequence_numbers_count_removed_segments_and_active_tags_stay() {
        for (playlist, window, expected) in [
            // Sequence numbers count removed segments; an existing end is not repeated.
            (
                "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-DISCONTINUITY\n#EXTINF:4,\na\n#EXTINF:4,\nb\n#EXTINF:4,\nc\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:8\n#EXT-X-MEDIA-SEQUENCE:4\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
            // Blank lines and comments are not segments, and are removed with theirs.
            (
                "#EXTM3U\n#EXTINF:4,\n\n# one\n \n # and\na\n#EXTINF:4,\n\n# two\nb\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:4,\n\n# two\nb\n#EXT-X-ENDLIST\n",
            ),
            // A segment without duration is shown if the preview contains its time.
            (
                "#EXTM3U\n#EXTINF:4,\na\n#EXTINF:0,\nb\n#EXTINF:4,\nc\n#EXTINF:0,\nd\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:0,\nb\n#EXTINF:4,\nc\n#EXT-X-ENDLIST\n",
            ),
            (
                "#EXTM3U\n#EXTINF:0,\na\n#EXTINF:4,\nb\n#EXTINF:4,\nc\n#EXT-X-ENDLIST\n",
                (1, 4),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
            // Of the keys before the first shown segment, those that apply: `NONE` ends all others.
            (
                "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k1\",KEYFORMAT=\"urn:uuid:1\"\n#EXTINF:4,\na\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
            (
                "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k1\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXTINF:4,\na\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k2\",KEYFORMAT=\"urn:uuid:1\"\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k1\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k2\",KEYFORMAT=\"urn:uuid:1\"\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
            // Tags of the first shown segment stay, and a map is not a key.
            (
                "#EXTM3U\n#EXTINF:4,\na\n#EXT-X-MAP:URI=\"i1\"\n#EXT-X-MAP:URI=\"i2\"\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"i1\"\n#EXT-X-MAP:URI=\"i2\"\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
            (
                "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:4,\na\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-BITRATE:9\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
                (4, 8),
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-BITRATE:9\n#EXTINF:4,\nb\n#EXT-X-ENDLIST\n",
            ),
        ] {
            let edits = media(playlist.as_bytes(), window).expect(playlist);
            assert_eq!(edited(playlist, &edits), expected, "{playlist}");
        }
    }
}
