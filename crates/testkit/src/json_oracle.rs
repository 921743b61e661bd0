//! The values that `serde_json` reads under the rules of [`lectern::json`], for a property test and
//! a fuzz target.

use std::fmt;

use lectern::json::JsonValue;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Parses `json` with both and compares the results.
pub fn compare(json: &[u8]) {
    let found = JsonValue::parse(json);
    let expected = serde_json::from_slice::<Tree>(json);
    match (&found, &expected) {
        (Some(found), Ok(expected)) => {
            let text = String::from_utf8_lossy(json);
            assert!(same(found, expected), "{text}: {found:?}");
            let mut numbers = vec![];
            collect_numbers(found, &mut numbers);
            let expected: Vec<JsonValue<'_>> = number_tokens(json).map(read_number).collect();
            let expected: Vec<&JsonValue<'_>> = expected.iter().collect();
            assert_eq!(numbers, expected, "{text}");
        }
        (None, Err(_)) => {}
        // A number beyond a float's range is a number, but no value that the edge accepts.
        (Some(_), Err(error)) if error.to_string().starts_with("number out of range") => {}
        // Only this parser refuses large or deep values.
        (None, Ok(expected)) if expected.depth() > 16 || expected.size() > 100_000 => {}
        _ => panic!(
            "{}: {found:?}, expected {expected:?}",
            String::from_utf8_lossy(json)
        ),
    }
}

/// The numbers of a value, in their order.
fn collect_numbers<'value, 'json>(
    value: &'value JsonValue<'json>,
    found: &mut Vec<&'value JsonValue<'json>>,
) {
    match value {
        JsonValue::Integer(_) | JsonValue::Decimal(_) | JsonValue::Number => found.push(value),
        JsonValue::Array(values) => values.iter().for_each(|one| collect_numbers(one, found)),
        JsonValue::Object(members) => {
            members
                .iter()
                .for_each(|(_, one)| collect_numbers(one, found));
        }
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::String(_) => {}
    }
}

/// The numbers of a valid text as they are written: what stands outside of strings.
fn number_tokens(json: &[u8]) -> impl Iterator<Item = &str> {
    let (mut is_string, mut is_escaped) = (false, false);
    let tokens = json.split(move |&byte| {
        let was_string = is_string;
        is_string ^= byte == b'"' && !is_escaped;
        is_escaped = is_string && byte == b'\\' && !is_escaped;
        was_string || is_string || !(byte.is_ascii_digit() || b"+-.eE".contains(&byte))
    });
    tokens
        .filter(|token| token.iter().any(u8::is_ascii_digit))
        .map(|token| str::from_utf8(token).expect("ASCII"))
}

/// A number by its digits. A float has too few for the floor of `1.99999999999999999999`.
fn read_number(token: &str) -> JsonValue<'static> {
    let is_plain = |letter: char| letter.is_ascii_digit() || letter == '.';
    let (whole, fraction) = token.split_once('.').unwrap_or((token, ""));
    match whole.parse() {
        Ok(floor) if token.chars().all(is_plain) && fraction.is_empty() => {
            JsonValue::Integer(floor)
        }
        Ok(floor) if token.chars().all(is_plain) => JsonValue::Decimal(floor),
        _ => JsonValue::Number,
    }
}

#[derive(Debug)]
pub enum Tree {
    Null,
    Bool(bool),
    Integer(u64),
    Number(f64),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn children(&self) -> Vec<&Tree> {
        match self {
            Self::Array(values) => values.iter().collect(),
            Self::Object(members) => members.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    fn depth(&self) -> usize {
        let below = self.children().into_iter().map(|child| child.depth() + 1);
        below.max().unwrap_or(0)
    }

    fn size(&self) -> usize {
        1 + self.children().into_iter().map(Tree::size).sum::<usize>()
    }
}

fn same(found: &JsonValue<'_>, expected: &Tree) -> bool {
    match (found, expected) {
        (JsonValue::Null, Tree::Null) | (JsonValue::Number, Tree::Number(_)) => true,
        // A float has 53 bits: it may be rounded up to the next integer, or by its last bit.
        (JsonValue::Decimal(found), Tree::Number(expected)) => {
            let found = *found as f64;
            (0.0..=1.0_f64.max(found * f64::EPSILON)).contains(&(expected.floor() - found).abs())
        }
        (JsonValue::Bool(found), Tree::Bool(expected)) => found == expected,
        (JsonValue::Integer(found), Tree::Integer(expected)) => found == expected,
        (JsonValue::String(found), Tree::String(expected)) => found.text == *expected,
        (JsonValue::Array(found), Tree::Array(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| same(found, expected))
        }
        (JsonValue::Object(found), Tree::Object(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| found.0 == expected.0 && same(&found.1, &expected.1))
        }
        _ => false,
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = values.next_element()? {
            array.push(value);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object: Vec<(String, Tree)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Tree>()? {
            if object.iter().any(|(known, _)| *known == name) {
                return Err(Error::custom("a member is there twice"));
            }
            object.push((name, value));
        }
        Ok(Tree::Object(object))
    }
}
