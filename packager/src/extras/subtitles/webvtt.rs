//! Parses and writes WebVTT cues (<https://www.w3.org/TR/webvtt1/>). Pure.

use std::fmt::Write as _;

/// A cue, with times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cue {
    /// Empty without an identifier.
    pub(crate) id: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// `line:0 align:start`.
    pub(crate) settings: String,
    /// Cue text with WebVTT markup and escapes, without blank lines.
    pub(crate) text: String,
}

/// Contents of a file, sorted by start time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct WebVttTrack {
    /// `STYLE` and `REGION` blocks.
    pub(crate) head: Vec<String>,
    pub(crate) cues: Vec<Cue>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, `{text}`, is not of the form `00:01:02.500 --> 00:01:05.000`")]
pub(crate) struct SyntaxError {
    line: usize,
    text: String,
}

impl SyntaxError {
    pub(crate) fn new(at: usize, text: &str) -> Self {
        Self {
            line: at + 1,
            text: text.chars().take(80).collect(),
        }
    }
}

/// Removes the byte order mark, and unifies line ends.
pub(crate) fn normalized(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\0', "\u{fffd}")
}

/// Checks the signature of WebVTT §4.1.
pub(crate) fn is_webvtt(text: &str) -> bool {
    text.strip_prefix("WEBVTT")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
}

/// Parses normalized WebVTT. Comments and cues without text or time are dropped, because browsers
/// never show them. An unreadable time is an error: the missing cue would otherwise be noticed in
/// the lecture only.
pub(crate) fn parse(text: &str) -> Result<WebVttTrack, SyntaxError> {
    let lines: Vec<&str> = text.lines().collect();
    let mut track = WebVttTrack::default();
    let mut at = 0;
    let mut is_header = true;
    while at < lines.len() {
        let end = lines[at..]
            .iter()
            .position(|line| line.is_empty())
            .map_or(lines.len(), |length| at + length);
        // The first block is the header; a cue may follow it without a blank line.
        let first = at + usize::from(is_header && end > at);
        is_header &= end == at;
        let times = (first..end).find(|line| lines[*line].contains("-->"));
        if let Some(times) = times {
            if let Some(cue) = cue(&lines, first, times, end)? {
                track.cues.push(cue);
            }
        } else if track.cues.is_empty() && matches!(lines[at].trim(), "STYLE" | "REGION") {
            track.head.push(lines[at..end].join("\n"));
        }
        at = end + 1;
    }
    track.cues.sort_by_key(|cue| cue.start);
    Ok(track)
}

fn cue(lines: &[&str], first: usize, times: usize, end: usize) -> Result<Option<Cue>, SyntaxError> {
    let wrong = || SyntaxError::new(times, lines[times]);
    let (start, until, settings) = timing(lines[times]).ok_or_else(wrong)?;
    // Cue text has no arrow (§4.1), because parsers would read it as the next cue.
    if let Some(again) = (times + 1..end).find(|line| lines[*line].contains("-->")) {
        return Err(SyntaxError::new(again, lines[again]));
    }
    let text = lines[times + 1..end].join("\n");
    let cue = Cue {
        id: lines[first..times].last().copied().unwrap_or("").to_owned(),
        start,
        end: until,
        settings: settings.to_owned(),
        text,
    };
    Ok(cue.is_shown().then_some(cue))
}

impl Cue {
    pub(crate) fn is_shown(&self) -> bool {
        self.start < self.end && !self.text.trim().is_empty()
    }
}

/// `00:01:02.500 --> 00:01:05.000 line:0`.
pub(crate) fn timing(line: &str) -> Option<(u64, u64, &str)> {
    let (start, rest) = line.split_once("-->")?;
    let rest = rest.trim();
    let (end, settings) = rest
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((rest, ""));
    Some((time(start.trim())?, time(end)?, settings.trim()))
}

/// `01:02:03.500`, `02:03.500`, or SubRip's `01:02:03,500`; the fraction may be short or missing.
fn time(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let number = |part: &str, longest: usize| {
        let is_number =
            (1..=longest).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u64>().ok()).flatten()
    };
    let millis = number(fraction, 3)? * [100, 10, 1][fraction.len() - 1];
    let mut parts = clock.rsplit(':');
    let seconds = number(parts.next()?, 2)?;
    let minutes = number(parts.next()?, 2)?;
    let hours = parts.next().map_or(Some(0), |part| number(part, 4))?;
    (seconds < 60 && minutes < 60 && parts.next().is_none())
        .then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

/// A standalone WebVTT file.
pub(crate) fn file<'a>(head: &[String], cues: impl IntoIterator<Item = &'a Cue>) -> String {
    write("", head, cues)
}

/// A Media Segment. RFC 8216bis §3.1.4 maps cue times to the media by the MPEG-2 timestamp `origin`
/// of the start. The origin of transport streams would show cues of CMAF ten seconds late.
pub(crate) fn segment<'a>(
    head: &[String],
    cues: impl IntoIterator<Item = &'a Cue>,
    origin: u64,
) -> String {
    let map = format!("X-TIMESTAMP-MAP=MPEGTS:{origin},LOCAL:00:00:00.000");
    write(&map, head, cues)
}

fn write<'a>(map: &str, head: &[String], cues: impl IntoIterator<Item = &'a Cue>) -> String {
    let mut out = "WEBVTT\n".to_owned();
    if !map.is_empty() {
        out += map;
        out.push('\n');
    }
    for block in head {
        // Writes to a `String` do not fail.
        let _ = writeln!(out, "\n{block}");
    }
    for cue in cues {
        out.push('\n');
        if !cue.id.is_empty() {
            let _ = writeln!(out, "{}", cue.id);
        }
        let _ = write!(out, "{} --> {}", shown(cue.start), shown(cue.end));
        if !cue.settings.is_empty() {
            let _ = write!(out, " {}", cue.settings);
        }
        let _ = writeln!(out, "\n{}", cue.text);
    }
    out
}

/// `00:01:02.500`.
pub(crate) fn shown(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}.{millis:03}",
        minutes / 60,
        minutes % 60
    )
}

/// Plain text as cue text of one line (§4.2.2).
pub(crate) fn escaped(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them_and_written_as_webvtt_has_them() {
        for (text, expected) in [
            ("00:01:02.500", Some("00:01:02.500")),
            ("01:02.500", Some("00:01:02.500")),
            ("1:01:02,5", Some("01:01:02.500")),
            ("100:00:00.000", Some("100:00:00.000")),
            ("00:00:07", Some("00:00:07.000")),
            ("00:00:60.000", None),
            ("00:60:00.000", None),
            ("12.500", None),
            ("0:0:0:1.000", None),
            ("00:00:01.0000", None),
            ("00:00:-1.000", None),
            ("", None),
        ] {
            assert_eq!(time(text).map(shown).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_kept_with_its_id_settings_and_styles_and_nothing_else_is() {
        let text = "\u{feff}WEBVTT - talk\r\nKind: captions\r\n\r\nSTYLE\r\n::cue { color: lime }\r\n\r\nNOTE\r\nnever shown\r\n\r\n\
                    2\r\n00:05.000 --> 00:06.000 line:0 align:start\r\n<v Ann>two\r\nlines\r\n\r\n\r\n00:01.000 --> 00:02.000\r\none &amp; only\r\n\r\n\
                    00:03.000 --> 00:03.000\r\nno time\r\n\r\n00:04.000 --> 00:05.000\r\n";
        let track = parse(&normalized(text)).expect("it is WebVTT");
        insta::assert_snapshot!(segment(&track.head, &track.cues, 0), @r"
        WEBVTT
        X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

        STYLE
        ::cue { color: lime }

        00:00:01.000 --> 00:00:02.000
        one &amp; only

        2
        00:00:05.000 --> 00:00:06.000 line:0 align:start
        <v Ann>two
        lines
        ");
        let written = file(&track.head, &track.cues);
        assert_eq!(
            parse(&written),
            Ok(track),
            "what is written reads as the same"
        );
    }

    #[test]
    fn a_time_that_cannot_be_read_is_named_by_its_line() {
        for (text, expected) in [
            (
                "WEBVTT\n\n1\n00:01 -> 00:02\nno arrow is no cue\n",
                "no error",
            ),
            (
                "WEBVTT\n\n00:00:01.000 --> soon\nhello\n",
                "line 3, `00:00:01.000 --> soon`, is not of the form `00:01:02.500 --> 00:01:05.000`",
            ),
            (
                "WEBVTT\n\n00:01.000 --> 00:02.000\na --> b\n",
                "line 4, `a --> b`, is not of the form `00:01:02.500 --> 00:01:05.000`",
            ),
        ] {
            let got = parse(text)
                .err()
                .map_or_else(|| "no error".to_owned(), |error| error.to_string());
            assert_eq!(got, expected, "{text}");
        }
        assert!(is_webvtt("WEBVTT\tx") && is_webvtt("WEBVTT") && !is_webvtt("WEBVTTX"));
    }
}
