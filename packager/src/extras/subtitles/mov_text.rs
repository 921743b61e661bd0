//! Converts `mov_text` (3GPP TS 26.245 §5.17) in another charset than UTF-8 to SubRip. ffmpeg can
//! only recode whole packets, whose lengths are then wrong. Styles are dropped. Pure.

use std::fmt::Write as _;

use super::charset;
use super::webvtt;

/// Text in SubRip, and the name of its charset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecodedText {
    pub(super) text: String,
    pub(super) charset: &'static str,
}

/// Converts the packets of a stream, given ffmpeg's `framecrc` table of them. Returns `None` if all
/// of them are UTF-8. The language is a hint.
pub(super) fn recode(packets: &[u8], table: &str, language: &str) -> Option<RecodedText> {
    let texts = texts(packets, table);
    let all: Vec<&[u8]> = texts.iter().map(|text| text.bytes).collect();
    let encoding = charset::guess(&all.join(&b'\n'), language)?;
    let mut recoded = String::new();
    for TimedText { start, end, bytes } in texts {
        // A byte order mark (§5.17) precedes the guess.
        let (text, _, _) = encoding.decode(bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        if !lines.is_empty() {
            let [start, end] = [start, end].map(webvtt::shown);
            // Writes to a `String` do not fail.
            let _ = write!(recoded, "{start} --> {end}\n{}\n\n", lines.join("\n"));
        }
    }
    Some(RecodedText {
        text: recoded,
        charset: encoding.name(),
    })
}

/// A text with its times in milliseconds.
struct TimedText<'a> {
    start: u64,
    end: u64,
    bytes: &'a [u8],
}

/// Texts of consecutive packets. Each begins with the length of its text in 16 bits.
fn texts<'a>(packets: &'a [u8], table: &str) -> Vec<TimedText<'a>> {
    let (mut found, mut from) = (vec![], 0_usize);
    let mut ticks_a_second = 1000.0;
    for line in table.lines() {
        if let Some(base) = line.strip_prefix("#tb 0:") {
            ticks_a_second = parse_time_base(base).unwrap_or(ticks_a_second);
        }
        let Some(row) = TableRow::parse(line) else {
            continue;
        };
        let end = from.saturating_add(row.bytes);
        let Some(packet) = packets.get(from..end) else {
            break;
        };
        from = end;
        let millis = |ticks: f64| (ticks * 1000.0 / ticks_a_second).round().max(0.0) as u64;
        if let Some((length, text)) = packet.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            found.push(TimedText {
                start: millis(row.start),
                end: millis(row.start + row.duration),
                bytes: &text[..length.min(text.len())],
            });
        }
    }
    found
}

/// Ticks a second of `1/90000`.
fn parse_time_base(base: &str) -> Option<f64> {
    let (num, den) = base.trim().split_once('/')?;
    let (num, den): (f64, f64) = (num.parse().ok()?, den.parse().ok()?);
    Some(den / num).filter(|ticks| ticks.is_finite() && *ticks > 0.0)
}

/// A line of the table: `0, dts, pts, duration, size, hash`.
struct TableRow {
    start: f64,
    duration: f64,
    bytes: usize,
}

impl TableRow {
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let mut fields = line.split(',').map(str::trim).skip(2);
        let mut number = || fields.next()?.parse::<i64>().ok();
        let (start, duration, bytes) = (number()?, number()?, number()?);
        Some(Self {
            start: start as f64,
            duration: duration as f64,
            bytes: usize::try_from(bytes).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "#software: Lavf\n#tb 0: 1/90000\n#media_type 0: subtitle\n\
                         0,  90000,  90000,  90000,  8, 0x1\n0, 180000, 180000, 90000, 2, 0x2\n\
                         0, 270000, 270000, 45000, 30, 0x3, S=1, 2\n";

    fn packet(text: &[u8], boxes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(text.len()).expect("a short text");
        [&length.to_be_bytes()[..], text, boxes].concat()
    }

    #[test]
    fn text_in_another_charset_keeps_its_times_and_loses_its_styles() {
        let styled = packet(b"d\xe9j\xe0\r\n\r\nvu", b"\0\0\0\x12stylxxxxxxxxxx");
        let packets = [packet(b"caf\xe9 x", b""), packet(b"", b""), styled].concat();
        let table = TABLE.replace(" 30,", &format!(" {},", packets.len() - 10));
        let recoded = recode(&packets, &table, "fr").expect("it is no UTF-8");
        assert_eq!(recoded.charset, "windows-1252");
        assert_eq!(
            recoded.text,
            "00:00:01.000 --> 00:00:02.000\ncafé x\n\n00:00:03.000 --> 00:00:03.500\ndéjà\nvu\n\n"
        );
        // UTF-16 has a byte order mark in each packet.
        let packets = packet(b"\xfe\xff\x04\x14\x04\x30", b"");
        let recoded = recode(&packets, TABLE, "ru").expect("it is no UTF-8");
        assert!(recoded.text.contains("\nДа\n"), "{recoded:?}");
    }

    #[test]
    fn utf_8_is_left_to_ffmpeg_and_no_packets_are_a_panic() {
        assert_eq!(recode(&packet("café".as_bytes(), b""), TABLE, "fr"), None);
        let whole = [packet(b"caf\xe9 x", b""), packet(b"\xe9", b"")].concat();
        for end in 0..whole.len() {
            let _ = recode(&whole[..end], TABLE, "fr");
        }
        for table in [
            "#tb 0: 0/0",
            "0,,,,",
            "0, 1, 1, 1, -5, x",
            "0, 1, -9223372036854775808, 1, 4, x",
            "0, 1, 1, 9223372036854775807, 99999999999999, x",
        ] {
            let _ = recode(&whole, table, "fr");
        }
    }
}
