//! `Content-Disposition` of downloads (RFC 6266), and file names that every file system accepts.

use std::fmt::Write as _;

/// The longest stem of a file name, in bytes. File systems accept names of 255 bytes.
const MAX_STEM_BYTES: usize = 200;
const MAX_EXTENSION_BYTES: usize = 16;

/// The stem of a download whose title has no usable character.
const UNTITLED: &str = "lecture";

/// The value of `Content-Disposition` that saves an answer as `file_name`.
///
/// RFC 8187 §3.2.1 encodes every byte that could end the value, so no name adds a header.
#[must_use]
pub fn save_as(file_name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}", percent_encode(file_name))
}

/// Percent-encodes all but letters, digits and marks that neither a query nor a parameter of a
/// header uses.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!$-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The file name of a download with this title. The object decides the extension, never the title.
#[must_use]
pub fn file_name(title: &str, extension: &str) -> String {
    let extension = clean(extension, MAX_EXTENSION_BYTES);
    let suffix = format!(".{extension}");
    let title = trim(title);
    let before = title.len().checked_sub(suffix.len());
    let stem = match before.and_then(|at| title.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(&suffix) => stem,
        _ => title,
    };
    let stem = clean(stem, MAX_STEM_BYTES);
    // Without an extension of the object, a dot would begin one that the title decides.
    let stem = match extension.is_empty() {
        true => stem.replace('.', "-"),
        false => stem,
    };
    let stem = match stem.as_str() {
        "" => UNTITLED.to_owned(),
        stem if is_device(stem) => format!("_{stem}"),
        _ => stem,
    };
    match extension.is_empty() {
        true => stem,
        false => stem + &suffix,
    }
}

/// A part of a file name: characters that every file system accepts, up to a number of bytes.
fn clean(text: &str, max_bytes: usize) -> String {
    let mut cleaned = String::new();
    for char in text.chars().filter(|char| !is_invisible(*char)) {
        let char = match char {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '-',
            char => char,
        };
        if cleaned.len() + char.len_utf8() > max_bytes {
            break;
        }
        cleaned.push(char);
    }
    trim(&cleaned).to_owned()
}

/// Removes dots and spaces at the ends. A leading dot hides a file, and Windows drops them at the
/// end.
fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| char == '.' || char.is_whitespace())
}

/// Returns whether Windows reserves a name, up to its first dot, for a device.
fn is_device(stem: &str) -> bool {
    let name = stem.split('.').next().unwrap_or_default().trim_end();
    let is_named = |known: &&str| name.eq_ignore_ascii_case(known);
    let is_port = |kind: &&str| {
        let parts = name.split_at_checked(kind.len());
        parts.is_some_and(|(found, digit)| {
            found.eq_ignore_ascii_case(kind)
                && digit.len() == 1
                && digit.as_bytes()[0].is_ascii_digit()
        })
    };
    ["con", "prn", "aux", "nul"].iter().any(is_named) || ["com", "lpt"].iter().any(is_port)
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
            let value = save_as(name);
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
            ("Intro.mp4 ", "Intro.mp4"),
            ("con", "_con.mp4"),
            ("NUL.tar", "_NUL.tar.mp4"),
            ("lpt1 ", "_lpt1.mp4"),
            ("Console", "Console.mp4"),
            ("com10", "com10.mp4"),
            ("é4", "é4.mp4"),
        ] {
            assert_eq!(file_name(title, "mp4"), expected, "{title:?}");
        }
        for (title, extension, expected) in [
            ("LICENSE", "", "LICENSE"),
            ("setup.exe", "", "setup-exe"),
            ("nul", "", "_nul"),
            ("a", "\u{202e}4pm", "a.4pm"),
            ("a", "a:b", "a.a-b"),
            ("a.exe", ". .", "a-exe"),
            ("a", "0123456789abcdefg", "a.0123456789abcdef"),
        ] {
            assert_eq!(
                file_name(title, extension),
                expected,
                "{title:?} {extension:?}"
            );
        }
        let longest = "a".repeat(200);
        let whole = format!("{longest}.mp4");
        assert_eq!(
            file_name(&whole, "mp4"),
            whole,
            "the extension is no part of the stem"
        );
        for title in ["é".repeat(1000), "a".repeat(1000), "🎓".repeat(1000)] {
            let name = file_name(&title, "mp4");
            assert!((200..=204).contains(&name.len()), "{}", name.len());
        }
    }
}
