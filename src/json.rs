//! JSON (RFC 8259), parsed strictly. Links, keys and lists come from strangers, and all parsers
//! must agree on them. So duplicate members, lone surrogates, deep nesting and trailing data are
//! refused.
//!
//! `serde_json` made the Worker 36 kB larger, gzipped, because its errors print numbers of every
//! kind. A property test and a fuzz target compare this parser with it.

use serde::Serialize;
use std::borrow::Cow;
use std::ops::Range;

/// The maximum nesting. No claim, key or list is deeper.
const MAX_DEPTH: usize = 16;
/// The maximum number of values, so that a body of brackets fits into an isolate's memory.
const MAX_VALUES: usize = 100_000;
/// Objects of at most this many members are compared pair by pair. Larger ones are sorted, in `n
/// log n` comparisons for any names. A hash table with a known seed takes `n²` for chosen names.
const FEW_MEMBERS: usize = 8;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue<'json> {
    Null,
    Bool(bool),
    /// An integer of 0 to 2^64 - 1, without fraction, exponent or sign.
    Integer(u64),
    /// A number with a fraction, without exponent or sign: its floor, of 0 to 2^64 - 1.
    Decimal(u64),
    /// Any other number.
    Number,
    String(Text<'json>),
    Array(Vec<JsonValue<'json>>),
    /// The members in their order.
    Object(Vec<(Cow<'json, str>, JsonValue<'json>)>),
}

/// A string: its decoded text, and its range between the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'json> {
    pub text: Cow<'json, str>,
    pub at: Range<usize>,
}

impl<'json> JsonValue<'json> {
    /// Parses `json`, which must be one value. Returns `None` if it is invalid, too large or too
    /// deep.
    #[must_use]
    pub fn parse(json: &'json [u8]) -> Option<Self> {
        let mut reader = JsonReader {
            json: str::from_utf8(json).ok()?,
            at: 0,
            values: 0,
        };
        let value = reader.value(0)?;
        reader.skip_space();
        (reader.at == reader.json.len()).then_some(value)
    }

    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(Text { text, .. }) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_integer(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The floor of a number without exponent or sign. It is taken from the digits: a float would
    /// round `1.99999999999999999` up.
    #[must_use]
    pub fn as_floor(&self) -> Option<u64> {
        match self {
            Self::Integer(number) | Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_object(&self) -> Option<&[(Cow<'json, str>, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The member of an object that has this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.as_object()?
            .iter()
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Every string of an array of strings.
    #[must_use]
    pub fn as_strings(&self) -> Option<Vec<&str>> {
        self.as_array()?.iter().map(Self::as_str).collect()
    }
}

struct JsonReader<'json> {
    json: &'json str,
    at: usize,
    values: usize,
}

impl<'json> JsonReader<'json> {
    fn value(&mut self, depth: usize) -> Option<JsonValue<'json>> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        self.skip_space();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(JsonValue::String),
            b'-' | b'0'..=b'9' => self.number(),
            _ => [
                ("null", JsonValue::Null),
                ("true", JsonValue::Bool(true)),
                ("false", JsonValue::Bool(false)),
            ]
            .into_iter()
            .find_map(|(word, value)| self.take(word).then_some(value)),
        }
    }

    fn object(&mut self, depth: usize) -> Option<JsonValue<'json>> {
        let mut members: Vec<(Cow<'json, str>, JsonValue<'json>)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("}") {
            return Some(JsonValue::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?.text;
            self.skip_space();
            if !self.take(":") {
                return None;
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take("}") {
                return (!has_duplicates(&members)).then_some(JsonValue::Object(members));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<JsonValue<'json>> {
        let mut values = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("]") {
            return Some(JsonValue::Array(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take("]") {
                return Some(JsonValue::Array(values));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// Parses a number (§6): `[ minus ] int [ frac ] [ exp ]`.
    fn number(&mut self) -> Option<JsonValue<'json>> {
        let start = self.at;
        let negative = self.take("-");
        let int = self.digits();
        let leading_zero = int > 1 && self.json.as_bytes()[self.at - int] == b'0';
        if int == 0 || leading_zero {
            return None;
        }
        let digits = self.json.get(start..self.at);
        let mut plain = !negative;
        let has_fraction = self.take(".");
        if has_fraction {
            (self.digits() > 0).then_some(())?;
        }
        if self.take("e") || self.take("E") {
            plain = false;
            let _ = self.take("+") || self.take("-");
            (self.digits() > 0).then_some(())?;
        }
        let floor = digits.filter(|_| plain).and_then(|int| int.parse().ok());
        Some(match floor {
            None => JsonValue::Number,
            Some(floor) if has_fraction => JsonValue::Decimal(floor),
            Some(integer) => JsonValue::Integer(integer),
        })
    }

    /// Skips digits and returns their number.
    fn digits(&mut self) -> usize {
        let rest = &self.json.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    /// Parses a string (§7).
    fn string(&mut self) -> Option<Text<'json>> {
        if !self.take("\"") {
            return None;
        }
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut copied = start;
        loop {
            match self.peek()? {
                b'"' => {
                    let last = self.json.get(copied..self.at)?;
                    let text = match unescaped {
                        None => Cow::Borrowed(last),
                        Some(text) => Cow::Owned(text + last),
                    };
                    let at = start..self.at;
                    self.at += 1;
                    return Some(Text { text, at });
                }
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.json.get(copied..self.at)?);
                    self.at += 1;
                    let character = self.escape()?;
                    unescaped.get_or_insert_default().push(character);
                    copied = self.at;
                }
                0..=0x1F => return None,
                _ => self.at += 1,
            }
        }
    }

    /// Parses an escape after its backslash.
    fn escape(&mut self) -> Option<char> {
        let escape = self.peek()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                // A surrogate pair is one character; a lone surrogate is invalid.
                if (0xD800..0xDC00).contains(&first) {
                    let second = self.take("\\u").then(|| self.unit())??;
                    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x1_0000 + (first - 0xD800) * 0x400 + low)?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        })
    }

    /// Parses four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.json.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.chars().try_fold(0, |unit, digit| {
            digit.to_digit(16).map(|digit| unit * 16 + digit)
        })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.json.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }
}

/// Returns whether two members have the same name.
fn has_duplicates(members: &[(Cow<'_, str>, JsonValue<'_>)]) -> bool {
    let mut names: Vec<&str> = Vec::new();
    if members.len() > FEW_MEMBERS {
        names.extend(members.iter().map(|(name, _)| &**name));
        names.sort_unstable();
        return names.windows(2).any(|pair| pair.first() == pair.last());
    }
    members.iter().enumerate().any(|(at, (name, _))| {
        let before = members.iter().take(at);
        before.into_iter().any(|(known, _)| known == name)
    })
}

/// Serializes a value. Strings, numbers and structs of them never fail.
pub(crate) fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A string in quotes, escaped as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    written(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string<'json>(text: &'json str, at: Range<usize>) -> JsonValue<'json> {
        JsonValue::String(Text {
            text: text.into(),
            at,
        })
    }

    #[test]
    fn a_text_is_one_value() {
        for (json, expected) in [
            ("null", Some(JsonValue::Null)),
            (" true\n", Some(JsonValue::Bool(true))),
            ("false", Some(JsonValue::Bool(false))),
            ("0", Some(JsonValue::Integer(0))),
            ("18446744073709551615", Some(JsonValue::Integer(u64::MAX))),
            ("18446744073709551616", Some(JsonValue::Number)),
            ("-1", Some(JsonValue::Number)),
            ("-1.5", Some(JsonValue::Number)),
            ("-0", Some(JsonValue::Number)),
            ("-0.0", Some(JsonValue::Number)),
            ("1.0", Some(JsonValue::Decimal(1))),
            ("0.999", Some(JsonValue::Decimal(0))),
            ("1.99999999999999999999", Some(JsonValue::Decimal(1))),
            ("18446744073709551615.5", Some(JsonValue::Decimal(u64::MAX))),
            ("18446744073709551616.0", Some(JsonValue::Number)),
            ("1.5e3", Some(JsonValue::Number)),
            ("1.5e0", Some(JsonValue::Number)),
            ("1e3", Some(JsonValue::Number)),
            ("1E+3", Some(JsonValue::Number)),
            (r#""a""#, Some(string("a", 1..2))),
            ("[]", Some(JsonValue::Array(vec![]))),
            ("{ }", Some(JsonValue::Object(vec![]))),
            (
                "[1 ,\t2]",
                Some(JsonValue::Array(vec![
                    JsonValue::Integer(1),
                    JsonValue::Integer(2),
                ])),
            ),
            (
                r#"{"a": "b", "c":{}}"#,
                Some(JsonValue::Object(vec![
                    ("a".into(), string("b", 7..8)),
                    ("c".into(), JsonValue::Object(vec![])),
                ])),
            ),
            ("", None),
            ("nul", None),
            ("nulls", None),
            ("1 2", None),
            ("01", None),
            ("-", None),
            ("+1", None),
            (".5", None),
            ("1.", None),
            ("1.e3", None),
            ("01.5", None),
            ("1e", None),
            ("1e+", None),
            ("1e+-3", None),
            ("0x1", None),
            ("[1,]", None),
            ("[1 2]", None),
            ("[", None),
            ("{\"a\"}", None),
            ("{\"a\":1,}", None),
            ("{a:1}", None),
            ("{\"a\":1 \"b\":2}", None),
            (r#"{"a":1,"a":2}"#, None),
            (r#"{"a":1,"\u0061":2}"#, None),
            ("\"a", None),
            ("\"\t\"", None),
            ("'a'", None),
            ("\u{feff}1", None),
        ] {
            assert_eq!(JsonValue::parse(json.as_bytes()), expected, "{json}");
        }
        assert_eq!(JsonValue::parse(b"\"\xff\""), None);
    }

    #[test]
    fn escapes_say_characters_and_halves_of_characters_say_none() {
        for (json, expected) in [
            (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""a\u00e9b""#, Some("aéb")),
            (r#""\uD83D\uDE00""#, Some("😀")),
            (r#""\ud83d""#, None),
            (r#""\ud83dx""#, None),
            (r#""\ud83d\u0041""#, None),
            (r#""\ud83d\ud83d""#, None),
            (r#""\ud83d\ue000""#, None),
            (r#""\ude00""#, None),
            (r#""\u00g0""#, None),
            (r#""\u00""#, None),
            (r#""\u+041""#, None),
            (r#""\x""#, None),
            (r#""\"#, None),
        ] {
            let found = JsonValue::parse(json.as_bytes());
            assert_eq!(
                found.as_ref().and_then(JsonValue::as_str),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn deep_or_large_json_is_refused() {
        let nested = |depth: usize| format!("{}0{}", "[".repeat(depth), "]".repeat(depth));
        assert!(JsonValue::parse(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(JsonValue::parse(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        let objects = |depth: usize| format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(JsonValue::parse(objects(MAX_DEPTH).as_bytes()).is_some());
        assert!(JsonValue::parse(objects(MAX_DEPTH + 1).as_bytes()).is_none());
        assert!(JsonValue::parse("[".repeat(1 << 20).as_bytes()).is_none());
        let long = |values: usize| format!("[0{}]", ",0".repeat(values - 1));
        assert!(JsonValue::parse(long(MAX_VALUES - 1).as_bytes()).is_some());
        assert!(JsonValue::parse(long(MAX_VALUES).as_bytes()).is_none());
        let wide = |members: usize| object((0..members).map(|name| name.to_string()));
        assert!(JsonValue::parse(wide(MAX_VALUES - 1).as_bytes()).is_some());
        assert!(JsonValue::parse(wide(MAX_VALUES).as_bytes()).is_none());
    }

    fn object(names: impl Iterator<Item = String>) -> String {
        let members: Vec<String> = names.map(|name| format!("\"{name}\":0")).collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_in_objects_of_any_size() {
        let sizes = [
            2,
            FEW_MEMBERS - 1,
            FEW_MEMBERS,
            FEW_MEMBERS + 1,
            FEW_MEMBERS + 2,
            100,
        ];
        for size in sizes {
            let names = || (0..size).map(|name| format!("n{name}"));
            assert!(
                JsonValue::parse(object(names()).as_bytes()).is_some(),
                "{size}"
            );
            for (first, second) in [(0, size - 1), (0, 1), (size - 2, size - 1), (size / 2, 0)] {
                if first == second {
                    continue;
                }
                let twice = names().enumerate().map(|(at, name)| match at {
                    at if at == first => r"\u006e!".to_owned(),
                    at if at == second => "n!".to_owned(),
                    _ => name,
                });
                let json = object(twice);
                assert_eq!(JsonValue::parse(json.as_bytes()), None, "{json}");
            }
        }
    }

    #[test]
    fn a_quoted_string_parses_to_itself() {
        for text in ["", "a\"b\\c", "\u{0}\u{1f}\n é 😀", "</script>"] {
            let json = quoted(text);
            let found = JsonValue::parse(json.as_bytes());
            assert_eq!(
                found.as_ref().and_then(JsonValue::as_str),
                Some(text),
                "{json}"
            );
            assert_eq!(
                serde_json::from_str::<String>(&json).ok().as_deref(),
                Some(text)
            );
        }
    }
}
