//! Charsets of subtitles. WebVTT is UTF-8, but SubRip has no standard, and old files have the
//! charset of the machine that wrote them. Pure.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

/// Bytes in which UTF-16 without a byte order mark is recognized.
const SAMPLE: usize = 4096;

/// Text, and the name of its charset if it was guessed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DecodedText<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) guessed: Option<&'static str>,
}

/// Decodes text: by its byte order mark, else as UTF-8, else by a guess.
pub(super) fn decode<'a>(bytes: &'a [u8], language: &str) -> DecodedText<'a> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_with_bom_removal(bytes);
        return DecodedText {
            text,
            guessed: None,
        };
    }
    match guess(bytes, language) {
        None => DecodedText {
            text: String::from_utf8_lossy(bytes),
            guessed: None,
        },
        Some(encoding) => DecodedText {
            text: encoding.decode_without_bom_handling(bytes).0,
            guessed: Some(encoding.name()),
        },
    }
}

/// Guesses the charset of text; `None` if it is UTF-8. The language is a hint.
pub(super) fn guess(bytes: &[u8], language: &str) -> Option<&'static Encoding> {
    if let Some(encoding) = utf_16(bytes) {
        return Some(encoding);
    }
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let country = country(language);
    let country = country.as_deref().map(str::as_bytes);
    Some(detector.guess(country, Utf8Detection::Deny))
}

/// UTF-16 of mostly Latin text, where every second byte is 0.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = bytes[..bytes.len().min(SAMPLE)].as_chunks::<2>();
    let count = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
    let (high, low) = (count(0), count(1));
    let is_most = |count: usize| count * 2 > pairs.len();
    match (is_most(high), is_most(low)) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    }
}

/// A country whose web pages have the charsets of a language.
fn country(language: &str) -> Option<String> {
    let primary = language.split('-').next().unwrap_or_default();
    let country = match primary {
        "ar" => "eg",
        "cs" => "cz",
        "da" => "dk",
        "el" => "gr",
        "en" | "und" => return None,
        "et" => "ee",
        "fa" => "ir",
        "he" => "il",
        "ja" => "jp",
        "ko" => "kr",
        "sl" => "si",
        "sv" => "se",
        "uk" => "ua",
        "vi" => "vn",
        "zh" => "cn",
        other => other,
    };
    let is_plain = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_lowercase());
    is_plain.then(|| country.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_the_charsets_of_old_files_is_decoded() {
        for (language, charset, text) in [
            ("fr", "windows-1252", "Le café naïve était fermé à midi"),
            ("und", "windows-1252", "café naïve"),
            ("pl", "windows-1250", "Zażółć gęślą jaźń, proszę państwa"),
            (
                "ru",
                "windows-1251",
                "Здравствуйте, сегодня мы говорим о кэше",
            ),
            ("el", "windows-1253", "Καλημέρα σας, σήμερα θα μιλήσουμε"),
            ("ja", "Shift_JIS", "こんにちは、今日の講義を始めます"),
            ("zh", "GBK", "大家好，今天我们讲缓存"),
            ("ko", "EUC-KR", "안녕하세요, 오늘 강의를 시작합니다"),
        ] {
            let encoding = Encoding::for_label(charset.as_bytes()).expect("a charset");
            let (bytes, _, _) = encoding.encode(text);
            let decoded = decode(&bytes, language);
            assert_eq!(decoded.text, text, "{charset}");
            assert!(decoded.guessed.is_some(), "{charset}");
        }
    }

    #[test]
    fn unicode_is_not_guessed_but_without_a_byte_order_mark() {
        let text = "1\n00:00:01,000 --> 00:00:02,000\nGrüße, мир\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, guessed) in [
            (text.as_bytes().to_vec(), None),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), None),
            ([b"\xff\xfe", &little[..]].concat(), None),
            ([b"\xfe\xff", &big[..]].concat(), None),
            (little.clone(), Some("UTF-16LE")),
            (big.clone(), Some("UTF-16BE")),
        ] {
            let decoded = decode(&bytes, "de");
            assert_eq!((&*decoded.text, decoded.guessed), (text, guessed));
        }
        for bytes in [
            &b""[..],
            b"\xff",
            b"\xff\xfe",
            b"\0",
            b"\0\0\0\0",
            b"\xfe\xff\xd8",
        ] {
            let _ = decode(bytes, "en\u{e9}");
        }
    }
}
