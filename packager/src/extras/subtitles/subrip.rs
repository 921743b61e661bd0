//! Converts SubRip (`.srt`), which has no standard, to WebVTT cues. As tolerant as players. Pure.

use super::webvtt::{Cue, SyntaxError, WebVttTrack, timing};

/// Parses normalized SubRip. Numbers and blank lines may be missing, and text outside cues is
/// dropped.
pub(crate) fn parse(text: &str) -> Result<WebVttTrack, SyntaxError> {
    let mut cues: Vec<Cue> = vec![];
    // Lines of the current cue; `None` after a blank line.
    let mut open: Option<Vec<&str>> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_timing = line.contains("-->") && line.starts_with(|c: char| c.is_ascii_digit());
        if is_timing {
            let (start, end, _) = timing(line).ok_or_else(|| SyntaxError::new(at, line))?;
            // Without a blank line, the last line of the previous cue is the number of this one.
            let mut lines = open.take();
            if let Some(lines) = &mut lines {
                lines.pop_if(|last| is_number(last));
            }
            close(&mut cues, lines);
            cues.push(Cue {
                start,
                end,
                ..Cue::default()
            });
            open = Some(vec![]);
        } else if line.is_empty() {
            // A blank line right after the times is ignored.
            if open.as_ref().is_some_and(|lines| !lines.is_empty()) {
                close(&mut cues, open.take());
            }
        } else if let Some(lines) = &mut open {
            lines.push(line);
        }
    }
    close(&mut cues, open);
    cues.retain(Cue::is_shown);
    cues.sort_by_key(|cue| cue.start);
    Ok(WebVttTrack { head: vec![], cues })
}

fn is_number(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_digit())
}

fn close(cues: &mut [Cue], lines: Option<Vec<&str>>) {
    if let (Some(cue), Some(lines)) = (cues.last_mut(), lines) {
        cue.text = lines
            .into_iter()
            .map(cue_text)
            .filter(|line| !line.trim().is_empty())
            .collect::<Vec<_>>()
            .join("\n");
    }
}

/// Converts a line to cue text. Bold, italics and underlines stay; fonts and positions go; all
/// other text is escaped.
fn cue_text(mut line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    while let Some(at) = line.find(['<', '>', '&', '{']) {
        out += &line[..at];
        line = &line[at..];
        let taken = match line.as_bytes()[0] {
            b'<' => tag(line),
            b'{' if line.starts_with("{\\") => find(line, b'}').map(|end| (end + 1, String::new())),
            b'&' if is_reference(line) => Some((1, "&".to_owned())),
            _ => None,
        };
        let (length, text) = taken.unwrap_or_else(|| {
            let text = match line.as_bytes()[0] {
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'&' => "&amp;",
                _ => "{",
            };
            (1, text.to_owned())
        });
        out += &text;
        line = &line[length..];
    }
    out + line
}

/// End of a tag. A second start before it makes it plain text: a line may have millions of starts.
fn find(text: &str, end: u8) -> Option<usize> {
    let begin = text.as_bytes()[0];
    let mut bytes = text.bytes().enumerate().skip(1);
    let (at, found) = bytes.find(|(_, byte)| *byte == end || *byte == begin)?;
    (found == end).then_some(at)
}

/// Parses a tag at the start of the text: its length and its replacement.
fn tag(text: &str) -> Option<(usize, String)> {
    let end = find(text, b'>')?;
    let inner = &text[1..end];
    let name = inner.strip_prefix('/').unwrap_or(inner);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let is_kept = ["b", "i", "u"]
        .iter()
        .any(|kept| name.eq_ignore_ascii_case(kept));
    let kept = is_kept.then(|| text[..=end].to_ascii_lowercase());
    Some((end + 1, kept.unwrap_or_default()))
}

/// Distinguishes a character reference from a plain ampersand.
fn is_reference(text: &str) -> bool {
    const NAMES: [&str; 6] = ["amp;", "lt;", "gt;", "nbsp;", "lrm;", "rlm;"];
    NAMES.iter().any(|name| text[1..].starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::super::webvtt::{file, normalized};
    use super::*;

    #[test]
    fn subrip_as_it_is_found_becomes_webvtt() {
        let text = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <FONT color=\"red\">red</FONT> <I>world</I>\r\n\r\n\
                    3\r\n00:00:07,5 --> 00:00:08  X1:10 X2:20\r\n{\\an8}a < b && c &amp; d -> e\r\nsecond\r\n\r\n\r\n\
                    00:00:04,000 --> 00:00:05,000\r\n\r\nno number, a blank line\r\n4\r\n00:00:05,000 --> 00:00:06,000\r\n42\r\n\r\nstray\r\n\
                    5\r\n00:00:06,000 --> 00:00:06,000\r\nnever shown";
        let track = parse(&normalized(text)).expect("it is SubRip");
        insta::assert_snapshot!(file(&track.head, &track.cues), @r"
        WEBVTT

        00:00:01.000 --> 00:00:02.500
        Hello red <i>world</i>

        00:00:04.000 --> 00:00:05.000
        no number, a blank line

        00:00:05.000 --> 00:00:06.000
        42

        00:00:07.500 --> 00:00:08.000
        a &lt; b &amp;&amp; c &amp; d -&gt; e
        second
        ");
    }

    #[test]
    fn a_time_that_cannot_be_read_is_an_error_and_no_input_is_a_panic() {
        let error = parse("1\n00:00:01 --> 0x2\nhello").expect_err("a time");
        assert!(error.to_string().starts_with("line 2, "), "{error}");
        for text in [
            "",
            "<",
            "00:00:01,000 --> 00:00:02,000\n<é>{\\\n&;",
            "-->",
            "1",
            "{\\é",
        ] {
            let _ = parse(text);
        }
    }
}
