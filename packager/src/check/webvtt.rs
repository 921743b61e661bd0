//! WebVTT in Media Segments. Pure.

/// Facts of a WebVTT segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WebVtt {
    pub(crate) has_header: bool,
    pub(crate) has_timestamp_map: bool,
    /// MPEG-2 timestamp of time 0 in that map, in ticks of 90 kHz; `None` if unreadable.
    pub(crate) origin: Option<i64>,
    /// First cue with invalid times, or an end before its start.
    pub(crate) bad_cue: Option<String>,
    /// First cue that starts before the previous one.
    pub(crate) disordered_cue: Option<String>,
    pub(crate) is_utf8: bool,
    /// Latest start and earliest end of a cue in milliseconds, if there is one.
    pub(crate) span: Option<(u64, u64)>,
}

pub(crate) fn web_vtt(bytes: &[u8]) -> WebVtt {
    // A line ends with CR, LF or both (WebVTT §4.1).
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let has_header = text
        .strip_prefix("WEBVTT")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']));
    // The header ends with the first empty line.
    let mut header = text.lines().take_while(|line| !line.trim().is_empty());
    let map = header.find_map(|line| line.strip_prefix("X-TIMESTAMP-MAP="));
    let mut found = WebVtt {
        has_header,
        has_timestamp_map: map.is_some(),
        origin: map.and_then(origin),
        bad_cue: text
            .lines()
            .filter(|line| line.contains("-->"))
            .find(|line| cue(line).is_none())
            .map(super::playlist::shown),
        is_utf8: str::from_utf8(bytes).is_ok() && !bytes.contains(&0),
        ..WebVtt::default()
    };
    found.bad_cue = found
        .bad_cue
        .or_else(|| lost_text(text).map(super::playlist::shown));
    let mut before = 0;
    for line in text.lines().filter(|line| line.contains("-->")) {
        let Some((from, to)) = cue(line) else {
            continue;
        };
        if from < before {
            let shown = || super::playlist::shown(line);
            found.disordered_cue.get_or_insert_with(shown);
        }
        before = from;
        let (latest, earliest) = found.span.unwrap_or((from, to));
        found.span = Some((latest.max(from), earliest.min(to)));
    }
    found
}

/// `MPEGTS:900000,LOCAL:00:00:00.000`, in either order.
fn origin(map: &str) -> Option<i64> {
    let part = |name| {
        map.split(',')
            .find_map(|part| part.trim().strip_prefix(name))
    };
    let ticks: i64 = part("MPEGTS:")?.parse().ok()?;
    let local = i64::try_from(millis(part("LOCAL:")?)?).ok()?;
    ticks.checked_sub(local.checked_mul(90)?)
}

/// The first line of text that players drop: a cue in the header, or a block without times.
fn lost_text(text: &str) -> Option<&str> {
    let mut blocks = text
        .split("\n\n")
        .map(|block| block.trim_matches('\n'))
        .filter(|block| !block.is_empty());
    let header = blocks.next()?;
    let in_header = header.lines().find(|line| line.contains("-->"));
    let is_comment = |block: &str| {
        ["NOTE", "STYLE", "REGION"]
            .iter()
            .any(|kind| block.starts_with(kind))
    };
    let mut untimed = blocks.filter(|block| !block.contains("-->") && !is_comment(block));
    in_header.or_else(|| untimed.next()?.lines().next())
}

/// Start and end of a cue in milliseconds.
fn cue(line: &str) -> Option<(u64, u64)> {
    let (from, rest) = line.split_once("-->")?;
    let to = rest.split_whitespace().next().unwrap_or("");
    let (from, to) = (millis(from.trim())?, millis(to)?);
    (from < to).then_some((from, to))
}

/// `[hh:]mm:ss.mmm` in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once('.')?;
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, [minutes, seconds]) = match parts[..] {
        [minutes, seconds] => ("0", [minutes, seconds]),
        [hours, minutes, seconds] => (hours, [minutes, seconds]),
        _ => return None,
    };
    let digits = |text: &str, count: usize| {
        (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    let hours: u64 = hours.parse().ok().filter(|hours| *hours < 1 << 32)?;
    let (minutes, seconds) = (digits(minutes, 2)?, digits(seconds, 2)?);
    (minutes < 60 && seconds < 60)
        .then_some(())
        .and(digits(fraction, 3))
        .map(|millis| ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webvtt_has_a_header_a_map_and_cues_that_end_after_they_begin() {
        let good = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:01.000 --> 01:00:02.000 line:0\nHi\n";
        assert_eq!(
            web_vtt(good.as_bytes()),
            WebVtt {
                has_header: true,
                has_timestamp_map: true,
                origin: Some(0),
                bad_cue: None,
                disordered_cue: None,
                is_utf8: true,
                span: Some((1_000, 3_602_000)),
            }
        );
        for (text, header, map, cue) in [
            ("", false, false, None),
            ("WEBVTTX", false, false, None),
            ("\u{feff}WEBVTT", true, false, None),
            (
                "WEBVTT\n\nX-TIMESTAMP-MAP=MPEGTS:0",
                true,
                false,
                Some("X-TIMESTAMP-MAP=MPEGTS:0"),
            ),
            ("WEBVTT\n\n1 --> 2", true, false, Some("1 --> 2")),
            ("WEBVTT\n\nNOTE a\n\nLost\n", true, false, Some("Lost")),
            (
                "WEBVTT\n\n00:02.000 --> 00:01.000",
                true,
                false,
                Some("00:02.000 --> 00:01.000"),
            ),
            (
                "WEBVTT\n\n00:61.000 --> 01:02.000",
                true,
                false,
                Some("00:61.000 --> 01:02.000"),
            ),
        ] {
            let expected = WebVtt {
                has_header: header,
                has_timestamp_map: map,
                origin: None,
                bad_cue: cue.map(str::to_owned),
                is_utf8: true,
                ..WebVtt::default()
            };
            assert_eq!(web_vtt(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn cues_are_ordered_by_their_start() {
        let text = "WEBVTT\n\n00:02.000 --> 00:09.000\na\n\n00:01.000 --> 00:03.000\nb\n";
        let found = web_vtt(text.as_bytes());
        let expected = Some("00:01.000 --> 00:03.000");
        assert_eq!(found.disordered_cue.as_deref(), expected);
        assert_eq!(found.span, Some((2_000, 3_000)));
        assert_eq!(web_vtt(text.replace('\n', "\r").as_bytes()), found);
        assert_eq!(web_vtt(text.replace('\n', "\r\n").as_bytes()), found);
        assert!(!web_vtt(b"WEBVTT\n\n\xff").is_utf8);
        assert!(!web_vtt(b"WEBVTT\n\n\0").is_utf8);
        let in_header = web_vtt(b"WEBVTT\n00:01.000 --> 00:02.000\nHi\n");
        let expected = Some("00:01.000 --> 00:02.000");
        assert_eq!(in_header.bad_cue.as_deref(), expected);
    }

    #[test]
    fn a_map_says_which_timestamp_time_0_has() {
        for (map, expected) in [
            ("MPEGTS:900000,LOCAL:00:00:00.000", Some(900_000)),
            ("LOCAL:00:00:01.000,MPEGTS:900000", Some(810_000)),
            ("MPEGTS:900000", None),
            ("MPEGTS:x,LOCAL:00:00:00.000", None),
        ] {
            assert_eq!(origin(map), expected, "{map}");
        }
    }
}
