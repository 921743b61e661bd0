//! Grammar of attribute lists (RFC 8216bis §4.2). Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, NaiveDateTime};

use super::shown;

/// Maximum attributes of one tag that are examined.
const MOST_ATTRIBUTES: usize = 100;

/// An attribute of a tag, and the form of its value.
#[derive(Debug)]
pub(super) struct AttributeRule {
    pub(super) name: &'static str,
    pub(super) form: ValueForm,
    pub(super) is_required: bool,
}

/// Form of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum ValueForm {
    Integer,
    Float,
    SignedFloat,
    Hex,
    /// 128 bits in hexadecimal.
    Iv,
    Text,
    /// A URI in quotes.
    Uri,
    Word(&'static [&'static str]),
    /// Quoted words of these, separated by commas.
    Words(&'static [&'static str]),
    Resolution,
    /// A quoted name, or the word `NONE`.
    TextOrNone,
    ByteRange,
    /// A byte range of a part, which tools write without quotes.
    PartRange,
    Date,
    /// Characters of `STABLE-VARIANT-ID` and `STABLE-RENDITION-ID`.
    StableId,
    /// Elements of `CODECS`.
    Codecs,
    /// `CLOSED-CAPTIONS`' channel.
    Instream,
    /// A value of a client's own attribute.
    Client,
}

/// One attribute as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Written<'list> {
    name: &'list str,
    value: &'list str,
    is_quoted: bool,
}

/// Faults of an attribute list as sentences.
pub(super) fn faults(list: &str, rules: &[AttributeRule]) -> Vec<String> {
    let mut found = vec![];
    let written = split(list, &mut found);
    let mut known = BTreeSet::new();
    for attribute in &written {
        let name = attribute.name;
        if !known.insert(name) {
            found.push(format!("`{}` is there twice", shown(name)));
        }
        let rule = rules.iter().find(|rule| rule.name == name);
        // §6.3.1: clients ignore unknown attributes.
        let form = match rule {
            Some(rule) => rule.form,
            None if name.starts_with("X-") => ValueForm::Client,
            None => continue,
        };
        if let Err(expected) = form.accepts(attribute.value, attribute.is_quoted) {
            let quote = if attribute.is_quoted { "\"" } else { "" };
            let value = shown(attribute.value);
            found.push(format!("`{name}={quote}{value}{quote}` is not {expected}"));
        }
    }
    for rule in rules.iter().filter(|rule| rule.is_required) {
        if !known.contains(rule.name) {
            found.push(format!("`{}` is missing", rule.name));
        }
    }
    found
}

/// Splits a list. After a fault, it continues as lenient players do.
fn split<'list>(list: &'list str, faults: &mut Vec<String>) -> Vec<Written<'list>> {
    let mut found = vec![];
    let mut rest = list;
    while !rest.is_empty() && found.len() < MOST_ATTRIBUTES {
        let Some((before, after)) = rest.split_once('=') else {
            faults.push(format!("`{}` is no attribute", shown(rest)));
            break;
        };
        // Text before a comma is an element without a value.
        let before = match before.rsplit_once(',') {
            Some((strange, name)) => {
                faults.push(format!("`{}` is no attribute", shown(strange)));
                name
            }
            None => before,
        };
        let name = before.trim();
        if name != before || after.starts_with([' ', '\t']) {
            faults.push(format!("white space stands beside `{}`", shown(name)));
        }
        // Public playlists have underscores.
        let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_letter) {
            faults.push(format!("`{}` is no attribute name", shown(name)));
        }
        let after = after.trim_start_matches([' ', '\t']);
        let (value, is_quoted, behind) = match after.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((value, behind)) => (value, true, behind),
                None => {
                    faults.push(format!("the quotes of `{}` are not closed", shown(name)));
                    (quoted, true, "")
                }
            },
            None => {
                let (value, _) = after.split_once(',').unwrap_or((after, ""));
                (value, false, &after[value.len()..])
            }
        };
        if !is_quoted && (value.is_empty() || value.contains(['"', ' ', '\t'])) {
            faults.push(format!(
                "the value of `{}` is empty, or has quotes or white space in it",
                shown(name)
            ));
        }
        found.push(Written {
            name,
            value: if is_quoted { value } else { value.trim() },
            is_quoted,
        });
        let (strange, next) = behind.split_once(',').unwrap_or((behind, ""));
        if !strange.is_empty() {
            faults.push(format!(
                "`{}` follows the value of `{}`",
                shown(strange),
                shown(name)
            ));
        }
        if next.is_empty() && behind.contains(',') {
            faults.push("the attribute list ends with a comma".to_owned());
        }
        rest = next;
    }
    found
}

impl ValueForm {
    /// The error describes the right form.
    fn accepts(self, value: &str, is_quoted: bool) -> Result<(), String> {
        let (wants_quotes, is_right, expected) = match self {
            Self::Integer => (false, is_integer(value), "a whole number without quotes"),
            Self::Float => (false, is_float(value), "a decimal number without quotes"),
            Self::SignedFloat => {
                let number = value.strip_prefix('-').unwrap_or(value);
                (false, is_float(number), "a decimal number without quotes")
            }
            Self::Hex => (false, is_hex(value), "`0x` with hexadecimal digits"),
            Self::Iv => {
                let is_right = is_hex(value) && value.len() <= 34;
                (false, is_right, "`0x` with at most 32 hexadecimal digits")
            }
            Self::Text => (true, true, "a string in quotes"),
            Self::Uri => (true, !value.trim().is_empty(), "a URI in quotes"),
            Self::Word(words) => {
                let is_right = !is_quoted && words.contains(&value);
                let expected = format!("{} without quotes", any_of(words));
                return is_right.then_some(()).ok_or(expected);
            }
            Self::Words(words) => {
                let is_right = is_quoted && value.split(',').all(|word| words.contains(&word));
                let expected = format!("{} in quotes", any_of(words));
                return is_right.then_some(()).ok_or(expected);
            }
            Self::Resolution => {
                let is_size =
                    |text: &str| is_integer(text) && text.bytes().any(|byte| byte != b'0');
                let parts = value.split_once('x');
                let is_right =
                    parts.is_some_and(|(width, height)| is_size(width) && is_size(height));
                (false, is_right, "a size such as `1280x720` without quotes")
            }
            Self::TextOrNone if !is_quoted => (false, value == "NONE", "a group in quotes or NONE"),
            Self::TextOrNone => (true, value != "NONE", "a group in quotes or NONE"),
            Self::ByteRange => {
                let is_right = super::byte_range(value).is_some();
                (true, is_right, "a byte range such as `\"100@0\"`")
            }
            Self::PartRange => {
                let is_right = super::byte_range(value).is_some();
                (is_quoted, is_right, "a byte range such as `\"100@0\"`")
            }
            Self::Date => {
                let is_right = date(value).is_some();
                (
                    true,
                    is_right,
                    "a date such as `2026-01-31T12:00:00Z` in quotes",
                )
            }
            Self::StableId => {
                let is_letter =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"+/=.-_".contains(&byte);
                let is_right = !value.is_empty() && value.bytes().all(is_letter);
                (true, is_right, "letters, digits and `+/=.-_` in quotes")
            }
            Self::Codecs => {
                let is_codec = |codec: &str| {
                    let codec = codec.trim();
                    !codec.is_empty() && codec.bytes().all(|byte| byte.is_ascii_graphic())
                };
                (true, value.split(',').all(is_codec), "codecs in quotes")
            }
            Self::Instream => {
                let number = |text: &str, most| {
                    text.parse::<u8>()
                        .is_ok_and(|number| (1..=most).contains(&number))
                };
                let is_right = match value.strip_prefix("SERVICE") {
                    Some(service) => number(service, 63),
                    None => value.strip_prefix("CC").is_some_and(|line| number(line, 4)),
                };
                (
                    true,
                    is_right,
                    "CC1 to CC4 or SERVICE1 to SERVICE63 in quotes",
                )
            }
            Self::Client => {
                let is_right =
                    is_quoted || is_hex(value) || is_float(value.trim_start_matches('-'));
                (
                    is_quoted,
                    is_right,
                    "a string in quotes, a hexadecimal or a decimal number",
                )
            }
        };
        match is_quoted == wants_quotes && is_right {
            true => Ok(()),
            false => Err(expected.to_owned()),
        }
    }
}

fn any_of(words: &[&str]) -> String {
    match words {
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => String::new(),
    }
}

/// At most 20 digits, and below 2^64.
pub(super) fn is_integer(text: &str) -> bool {
    let is_digits = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && text.parse::<u64>().is_ok()
}

/// Digits with at most one period.
pub(super) fn is_float(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    !whole.is_empty() && is_digits(whole) && is_digits(fraction)
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// A date and time of ISO 8601, with or without a zone.
pub(super) fn date(text: &str) -> Option<DateTime<FixedOffset>> {
    // The parser of dates accepts white space, and numbers of other lengths.
    let shape = b"dddd-dd-ddTdd:dd";
    let is_shaped = |(byte, form): (u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == *form,
    };
    let is_long = text.len() >= shape.len() && !text.contains(char::is_whitespace);
    if !is_long || !text.bytes().zip(shape).all(is_shaped) {
        return None;
    }
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z"].iter();
    let utc = text.strip_suffix('Z').unwrap_or(text);
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"].iter();
    let mut zoned = zoned.filter_map(|form| DateTime::parse_from_str(text, form).ok());
    let mut naive = naive.filter_map(|form| NaiveDateTime::parse_from_str(utc, form).ok());
    zoned
        .next()
        .or_else(|| naive.next().map(|date| date.and_utc().fixed_offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(form: ValueForm) -> [AttributeRule; 1] {
        [AttributeRule {
            name: "A",
            form,
            is_required: true,
        }]
    }

    #[test]
    fn a_list_has_names_and_values_between_commas() {
        let rules = rule(ValueForm::Text);
        for (list, expected) in [
            (r#"A="x, y",B=1"#, vec![]),
            (r#"A="""#, vec![]),
            ("", vec!["`A` is missing"]),
            (r#"A="x", B=1"#, vec!["white space stands beside `B`"]),
            (r#"A= "x""#, vec!["white space stands beside `A`"]),
            (r#"A ="x""#, vec!["white space stands beside `A`"]),
            (r#"A="x",A="y""#, vec!["`A` is there twice"]),
            (r#"A="x"junk"#, vec!["`junk` follows the value of `A`"]),
            (r#"A="x","#, vec!["the attribute list ends with a comma"]),
            (r#"A="x",junk"#, vec!["`junk` is no attribute"]),
            (r#"junk,A="x""#, vec!["`junk` is no attribute"]),
            (r#"A="x"#, vec!["the quotes of `A` are not closed"]),
            (r#"A="x",b=1"#, vec!["`b` is no attribute name"]),
            (
                r#"A="x",B="#,
                vec!["the value of `B` is empty, or has quotes or white space in it"],
            ),
            ("A=x", vec!["`A=x` is not a string in quotes"]),
        ] {
            assert_eq!(faults(list, &rules), expected, "{list}");
        }
        let many: String = (0..10_000).map(|at| format!("A{at}=1,")).collect();
        assert!(faults(&many, &rules).len() < 4);
    }

    #[test]
    fn a_value_has_the_form_of_its_attribute() {
        use ValueForm::*;
        for (form, right, wrong) in [
            (
                Integer,
                &["0", "18446744073709551615"][..],
                &[
                    "\"1\"",
                    "-1",
                    "+1",
                    "1.0",
                    "x",
                    "18446744073709551616",
                    "1e3",
                ][..],
            ),
            (
                Float,
                &["0", "1.5", "29.97"],
                &["\"1\"", "-1", ".5", "1e3", "NaN"],
            ),
            (SignedFloat, &["-1.5", "3"], &["--1", "x", "\"1\""]),
            (Hex, &["0xAF", "0Xaf"], &["AF", "0x", "0xG", "\"0xAF\""]),
            (
                Iv,
                &["0x00000000000000000000000000000001", "0x1"],
                &[
                    "0x000000000000000000000000000000001",
                    "00000000000000000000000000000001",
                ],
            ),
            (Uri, &["\"a\""], &["a", "\"\"", "\" \""]),
            (Word(&["YES", "NO"]), &["YES"], &["\"YES\"", "yes", "MAYBE"]),
            (
                Words(&["PRE", "ONCE"]),
                &["\"PRE,ONCE\""],
                &["PRE", "\"NEVER\""],
            ),
            (
                Resolution,
                &["1280x720"],
                &["1280X720", "\"1280x720\"", "0x0", "1280", "1280x-1"],
            ),
            (TextOrNone, &["NONE", "\"cc\""], &["cc", "\"NONE\""]),
            (
                ByteRange,
                &["\"1@0\"", "\"1\""],
                &["1@0", "\"x\"", "\"1@\""],
            ),
            (
                Date,
                &[
                    "\"2026-01-31T12:00:00.5Z\"",
                    "\"2026-01-31T12:00:00+01:00\"",
                    "\"2026-01-31T12:00:00+0100\"",
                ],
                &[
                    "\"yesterday\"",
                    "\"2026-13-31T12:00:00Z\"",
                    "\"2026- 1-31T12:00:00Z\"",
                    "\"2026-1-31T12:00:00Z\"",
                    "\"2026-01-31T12:00:00 Z\"",
                    "2026-01-31T12:00:00Z",
                ],
            ),
            (StableId, &["\"a-1\""], &["\"a b\"", "\"\"", "a"]),
            (
                Codecs,
                &["\"avc1.64001f,mp4a.40.2\""],
                &["avc1.64001f", "\"\"", "\"a,,b\""],
            ),
            (
                Instream,
                &["\"CC1\"", "\"SERVICE63\""],
                &["\"CC5\"", "\"SERVICE0\"", "CC1", "\"X\""],
            ),
            (Client, &["\"x\"", "0x1", "1.5"], &["x"]),
        ] {
            let rules = rule(form);
            for value in right {
                let found = faults(&format!("A={value}"), &rules);
                assert_eq!(found, [] as [&str; 0], "{form:?}");
            }
            for value in wrong {
                assert!(
                    !faults(&format!("A={value}"), &rules).is_empty(),
                    "{form:?} {value}"
                );
            }
        }
    }
}
