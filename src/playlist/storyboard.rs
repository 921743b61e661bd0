//! Storyboards: WebVTT (<https://www.w3.org/TR/webvtt1/>) whose cues name images, mostly a region
//! of one: `storyboard/00000.jpg#xywh=160,0,160,90` (Media Fragments URI 1.0 §4.2.2). Captions have
//! the same format and are never parsed: the name decides, or a pass that was minted by the name.

use std::ops::Range;

use hls_lexer::scan::{Item, Role, UriSpan, lines};

/// Returns whether an object of this name is a storyboard. Packagers and players use these names,
/// and name captions by language or number.
#[must_use]
pub fn is_storyboard_name(name: &str) -> bool {
    matches!(name, "storyboard.vtt" | "thumbnails.vtt")
}

/// Calls `visit` with the text of every cue that may be a URI: one line without white space.
///
/// A cue counts only if all readers agree on it: a block between empty lines with an optional
/// identifier, one line of times, and one line of text. Readers join several lines of text to one
/// URL, and differ in the end of a cue. A file without WebVTT's signature (§4.1) has no cues.
pub(super) fn scan<'board>(board: &'board [u8], visit: &mut dyn FnMut(Item<'board>)) {
    let text = board.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(board);
    if !text.starts_with(b"WEBVTT") {
        return;
    }
    let mut block = CueBlock::default();
    // An additional empty line ends the last block.
    let end = board.len()..board.len();
    for at in lines(board).chain(std::iter::once(end)) {
        if !at.is_empty() {
            block.add(&board[at.clone()], at);
        } else if let Some(at) = std::mem::take(&mut block).uri() {
            let role = Role::Object;
            visit(Item::Uri(UriSpan { at, role }));
        }
    }
}

/// A block of lines between empty lines.
#[derive(Default)]
struct CueBlock {
    lines: usize,
    /// The number of the line of times, counted from 1.
    times: Option<usize>,
    has_times_again: bool,
    /// The range of the last line without white space around it, if it may be a URI.
    last: Option<Range<usize>>,
}

impl CueBlock {
    fn add(&mut self, line: &[u8], at: Range<usize>) {
        self.lines += 1;
        if line.windows(3).any(|bytes| bytes == b"-->") {
            self.has_times_again |= self.times.is_some();
            self.times = Some(self.lines);
        }
        let trimmed = line.trim_ascii();
        let start = at.end - line.trim_ascii_start().len();
        let is_one_word = !trimmed.is_empty() && !trimmed.iter().any(u8::is_ascii_whitespace);
        self.last = is_one_word.then_some(start..start + trimmed.len());
    }

    /// The text of the cue, if the block is one.
    fn uri(self) -> Option<Range<usize>> {
        let has_identifier_at_most = matches!(self.times, Some(1 | 2));
        let ends_with_text = self.times.is_some_and(|times| times + 1 == self.lines);
        self.last
            .filter(|_| has_identifier_at_most && ends_with_text && !self.has_times_again)
    }
}

/// The URIs in a storyboard, in order.
#[must_use]
pub fn pictures(board: &[u8]) -> Vec<UriSpan> {
    let mut found = Vec::new();
    scan(board, &mut |item| {
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
    fn a_storyboard_is_known_by_its_whole_name() {
        for (name, expected) in [
            ("storyboard.vtt", true),
            ("thumbnails.vtt", true),
            ("Storyboard.vtt", false),
            ("my-storyboard.vtt", false),
            ("storyboard.vtt.vtt", false),
            ("en.vtt", false),
            ("seg00000.vtt", false),
            ("storyboard.jpg", false),
            ("", false),
        ] {
            assert_eq!(is_storyboard_name(name), expected, "{name}");
        }
    }

    #[test]
    fn only_cue_text_that_may_be_a_uri_is_looked_at() {
        for (text, expected) in [
            (
                "WEBVTT\n\n00:00.000 --> 00:02.000\na.jpg#xywh=0,0,1,1\n",
                vec!["a.jpg#xywh=0,0,1,1"],
            ),
            (
                "\u{feff}WEBVTT - board\r\n\r\n1\r\n00:00.000 --> 00:02.000 line:0\r\n a.jpg\t\r\n\r\nc.jpg\r\n",
                vec!["a.jpg"],
            ),
            ("WEBVTT\n\nNOTE\na.jpg\n\nSTYLE\nb.jpg\n\nc.jpg\n", vec![]),
            ("WEBVTT\na.jpg\n\n0 --> 1", vec![]),
            (
                "WEBVTT\n\n0 --> 1\nsee a.jpg#xywh=1,2,3,4\n\n0 --> 1\n<i>b.jpg</i>\n",
                vec!["<i>b.jpg</i>"],
            ),
            ("WEBVTT\n0 --> 1\na.jpg", vec!["a.jpg"]),
            // Text that readers join to one URL, or read as another cue.
            ("WEBVTT\n\n0 --> 1\nhttps://evil/?\na.jpg\n", vec![]),
            ("WEBVTT\n\n0 --> 1\nhttps://evil/-->?\na.jpg\n", vec![]),
            ("WEBVTT\n0 --> 1\na.jpg\n2 --> 3\nb.jpg", vec![]),
            ("WEBVTT\n\nx\ny\n0 --> 1\na.jpg", vec![]),
            ("WEBVTT\n\n0 --> 1\n \na.jpg\n", vec![]),
            ("WEBVTT\n\n0 --> 1\na.jpg\n \n", vec![]),
            // A lone CR ends a line too, but current files have none. The text around it stays
            // unsigned.
            ("WEBVTT\r\r0 --> 1\ra.jpg\r", vec![]),
            ("WEBVTT\n\n0 --> 1\na.jpg\rb.jpg\n", vec![]),
            ("#EXTM3U\n\n0 --> 1\na.jpg\n", vec![]),
            ("", vec![]),
        ] {
            let found: Vec<&str> = pictures(text.as_bytes())
                .into_iter()
                .map(|span| &text[span.at])
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
