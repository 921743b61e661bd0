//! Storyboards: WebVTT (<https://www.w3.org/TR/webvtt1/>) whose cues name pictures to look through, mostly a part of one:
//! `storyboard/00000.jpg#xywh=160,0,160,90` (Media Fragments URI 1.0 §4.2.2). Captions are the same format and are never
//! looked into: what counts is the name, or a pass that was given by the name.

use lectern_hot::scan::{Item, Role, UriSpan, lines};

/// Whether an object of this name is a storyboard: these are the names that packagers and players give to them, and a file
/// of captions is called by its language or by its number.
#[must_use]
pub fn is_storyboard_name(name: &str) -> bool {
    matches!(name, "storyboard.vtt" | "thumbnails.vtt")
}

/// Calls `visit` with every line of cue text that may be a URI: it holds no white space. What does not begin as WebVTT
/// (§4.1) has none.
pub(super) fn scan<'board>(board: &'board [u8], visit: &mut dyn FnMut(Item<'board>)) {
    let text = board.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(board);
    if !text.starts_with(b"WEBVTT") {
        return;
    }
    // Cue text begins below its times and ends with a blank line (§4.1); notes and styles have no times.
    let mut in_cue = false;
    for at in lines(board) {
        let line = &board[at.clone()];
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            in_cue = false;
        } else if line.windows(3).any(|bytes| bytes == b"-->") {
            in_cue = true;
        } else if in_cue && !trimmed.iter().any(u8::is_ascii_whitespace) {
            let start = at.end - line.trim_ascii_start().len();
            visit(Item::Uri(UriSpan {
                at: start..start + trimmed.len(),
                role: Role::Object,
            }));
        }
    }
}

/// Every line of a storyboard that may name a picture, in order.
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
                "\u{feff}WEBVTT - board\r\n\r\n1\r\n00:00.000 --> 00:02.000 line:0\r\n a.jpg\t\r\nb.jpg\r\n\r\nc.jpg\r\n",
                vec!["a.jpg", "b.jpg"],
            ),
            ("WEBVTT\n\nNOTE\na.jpg\n\nSTYLE\nb.jpg\n\nc.jpg\n", vec![]),
            ("WEBVTT\na.jpg\n\n0 --> 1", vec![]),
            (
                "WEBVTT\n\n0 --> 1\nsee a.jpg#xywh=1,2,3,4\n\n0 --> 1\n<i>b.jpg</i>\n",
                vec!["<i>b.jpg</i>"],
            ),
            (
                "WEBVTT\n0 --> 1\na.jpg\n2 --> 3\nb.jpg",
                vec!["a.jpg", "b.jpg"],
            ),
            ("WEBVTT\n\n0 --> 1\n \na.jpg\n", vec![]),
            // A lone CR ends a line too, but nobody writes it today: what it divides is left alone.
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
