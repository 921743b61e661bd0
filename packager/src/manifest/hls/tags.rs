//! Playlist tags with attributes in written order: equal facts give equal bytes.

use std::fmt::{Display, Write as _};

/// A tag with an attribute list (RFC 8216bis §4.2).
pub(super) struct Tag {
    line: String,
    separator: char,
}

impl Tag {
    pub(super) fn new(name: &str) -> Self {
        Self {
            line: format!("#{name}"),
            separator: ':',
        }
    }

    /// A number, a resolution or an enumerated string.
    pub(super) fn plain(mut self, name: &str, value: impl Display) -> Self {
        // Writes to a `String` do not fail.
        let _ = write!(self.line, "{}{name}={value}", self.separator);
        self.separator = ',';
        self
    }

    /// A quoted string; the format cannot express quotation marks and line breaks.
    pub(super) fn quoted(self, name: &str, value: &str) -> Self {
        let value: String = value
            .chars()
            .map(|letter| match letter {
                '"' => '\'',
                letter if letter.is_control() => ' ',
                letter => letter,
            })
            .collect();
        self.plain(name, format_args!("\"{value}\""))
    }

    pub(super) fn quoted_if(self, condition: bool, name: &str, value: &str) -> Self {
        if condition {
            self.quoted(name, value)
        } else {
            self
        }
    }

    pub(super) fn end(self, out: &mut String) {
        out.push_str(&self.line);
        out.push('\n');
    }
}

pub(super) fn yes(condition: bool) -> &'static str {
    if condition { "YES" } else { "NO" }
}

/// Microseconds as a decimal-floating-point number of seconds.
pub(super) fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_never_ends_early() {
        let mut line = String::new();
        Tag::new("EXT-X-MEDIA")
            .plain("TYPE", "AUDIO")
            .quoted("NAME", "the \"best\"\r\n#EXT-X-ENDLIST")
            .end(&mut line);
        assert_eq!(
            line,
            "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"the 'best'  #EXT-X-ENDLIST\"\n"
        );
    }
}
