//! Entitlement filters: they remove the lines of a playlist that a restricted link does not open.
//! Entries are removed as a whole. All other bytes stay, except for numbers that count removed
//! entries.

pub(crate) mod media;
pub(crate) mod multivariant;

use std::collections::BinaryHeap;
use std::ops::Range;

use hls_lexer::attributes::attributes;
use hls_lexer::scan::lines;

pub(super) use media::media;
pub(super) use multivariant::multivariant;

/// The restrictions of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// The maximum height of a Variant Stream, by its shorter side: 720 for 1280×720 and for
    /// 720×1280.
    pub max_height: Option<u32>,
    /// Audio and subtitle Renditions, as BCP 47 language ranges.
    pub langs: Option<Vec<String>>,
    /// The range of seconds whose Media Segments are listed.
    pub preview: Option<(u32, u32)>,
}

/// A replacement of a range of the playlist. Edits are in ascending order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) with: String,
}

impl Edit {
    fn drop(at: Range<usize>) -> Self {
        Self::replace(at, String::new())
    }

    fn replace(at: Range<usize>, with: String) -> Self {
        Self {
            start: at.start,
            end: at.end,
            with,
        }
    }
}

/// The kind of a playlist by RFC 8216bis §4.1; `None` for neither or both. Clients must refuse such
/// a playlist, and a restricted link never opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::playlist) enum Form {
    Multivariant,
    Media,
}

pub(in crate::playlist) fn form(playlist: &[u8]) -> Option<Form> {
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

/// Splits a line into its tag and the text after the colon. Other lines have an empty tag.
pub(in crate::playlist) fn tag(line: &[u8]) -> (&[u8], &[u8]) {
    if !line.starts_with(b"#EXT") {
        return (b"", line);
    }
    match line.iter().position(|&byte| byte == b':') {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (line.trim_ascii_end(), b""),
    }
}

/// The value of an attribute in a tag's line.
fn attribute<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line str> {
    let start = line.iter().position(|&byte| byte == b':')? + 1;
    let mut found = attributes(line, start).filter(|attribute| attribute.name == name);
    let value = found.next()?.value;
    str::from_utf8(&line[value]).ok()
}

/// Sorts in ascending order. The standard library's sorts are faster on long lists, and ten times
/// as much code.
fn sorted<T: Ord>(values: Vec<T>) -> Vec<T> {
    BinaryHeap::from(values).into_sorted_vec()
}

/// Iterates over lines with their endings.
fn whole_lines(playlist: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut lines = lines(playlist).map(|line| line.start).peekable();
    std::iter::from_fn(move || {
        let start = lines.next()?;
        Some(start..lines.peek().copied().unwrap_or(playlist.len()))
    })
}

/// Appends a range to a sorted list, or extends the last range that it touches.
fn add_range(ranges: &mut Vec<Range<usize>>, at: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == at.start => last.end = at.end,
        _ => ranges.push(at),
    }
}

/// Adds edits that remove `ranges`.
pub(super) fn without(mut edits: Vec<Edit>, ranges: Vec<Range<usize>>) -> Vec<Edit> {
    if ranges.is_empty() {
        return edits;
    }
    edits.extend(ranges.into_iter().map(Edit::drop));
    sorted(edits)
}

/// A line without its ending.
fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod testing {
    use super::Edit;

    pub(super) fn edited(playlist: &str, edits: &[Edit]) -> String {
        let mut out = String::new();
        let mut copied = 0;
        for edit in edits {
            out += &playlist[copied..edit.start];
            out += &edit.with;
            copied = edit.end;
        }
        out + &playlist[copied..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
