//! `Content-Disposition` of downloads (RFC 6266), and file names that every file system accepts.

use std::fmt::Write as _;

/// The longest stem of a file name, in bytes. File systems accept names of 255 bytes.
const MAX_STEM_BYTES: usize = 200;

/// The stem of a download whose title has no usable character.
const UNTITLED: &str = "lecture";

/// The value of `Content-Disposition` that saves an answer as `file_name`.
///
/// RFC 8187 §3.2.1 encodes every byte that could end the value, so no name adds a header.
#[must_use]
pub fn attachment(file_name: &str) -> String {
    let mut value = "attachment; filename*=UTF-8''".to_owned();
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// The file name of a download with this title. The object decides the extension, never the title.
#[must_use]
pub fn file_name(title: &str, extension: &str) -> String {
    let mut stem = String::new();
    for char in title.chars().filter(|char| !is_invisible(*char)) {
        let char = match char {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '-',
            char => char,
        };
        if stem.len() + char.len_utf8() > MAX_STEM_BYTES {
            break;
        }
        stem.push(char);
    }
    // A leading dot hides a file, and Windows drops dots and spaces at the end.
    let mut stem = trim(&stem);
    if let Some((before, after)) = stem.rsplit_once('.')
        && after.eq_ignore_ascii_case(extension)
    {
        stem = trim(before);
    }
    let stem = if stem.is_empty() { UNTITLED } else { stem };
    match extension {
        "" => stem.to_owned(),
        extension => format!("{stem}.{extension}"),
    }
}

fn trim(stem: &str) -> &str {
    stem.trim_matches(|char: char| char == '.' || char.is_whitespace())
}

/// Returns whether a character is a control character, or one that only arranges text. Such a
/// character can show a name's extension in front of its end.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_parameter_whatever_the_name_is() {
        for (name, expected) in [
            ("lecture.mp4", "lecture.mp4"),
            ("l'été 1.mp4", "l%27%C3%A9t%C3%A9%201.mp4"),
            ("a\r\nSet-Cookie: x=1", "a%0D%0ASet-Cookie%3A%20x%3D1"),
            ("a\";b=\"c,d", "a%22%3Bb%3D%22c%2Cd"),
            ("100 %25 (1)*", "100%20%2525%20%281%29%2A"),
            ("日本", "%E6%97%A5%E6%9C%AC"),
        ] {
            let value = attachment(name);
            let encoded = value.strip_prefix("attachment; filename*=UTF-8''");
            assert_eq!(encoded, Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_title_becomes_a_name_that_every_file_system_accepts() {
        for (title, expected) in [
            ("Intro", "Intro.mp4"),
            ("Intro.mp4", "Intro.mp4"),
            ("Intro.MP4", "Intro.mp4"),
            ("l'été 1", "l'été 1.mp4"),
            ("Tag 1: Wie? \"So\"", "Tag 1- Wie- -So-.mp4"),
            ("../../etc/passwd", "-..-etc-passwd.mp4"),
            ("..\\..\\boot.ini", "-..-boot.ini.mp4"),
            ("a\r\nSet-Cookie: x=1", "aSet-Cookie- x=1.mp4"),
            ("invoice\u{202e}4pm.exe", "invoice4pm.exe.mp4"),
            ("setup.exe", "setup.exe.mp4"),
            (".bashrc", "bashrc.mp4"),
            (" . .. ", "lecture.mp4"),
            ("", "lecture.mp4"),
            ("\u{0}\u{7f}\u{85}\u{2028}\u{feff}", "lecture.mp4"),
            (".mp4", "mp4.mp4"),
        ] {
            assert_eq!(file_name(title, "mp4"), expected, "{title:?}");
        }
        assert_eq!(file_name("LICENSE", ""), "LICENSE");
        for title in ["é".repeat(1000), "a".repeat(1000), "🎓".repeat(1000)] {
            let name = file_name(&title, "mp4");
            assert!((200..=204).contains(&name.len()), "{}", name.len());
        }
    }
}
