//! `lectern keys`, and where the keys come from.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use lectern::credential::keyring::{Key, Keyring, KeyringError, with_new_key};

use super::args::KeysVerb;
use crate::clock;
use crate::files::regular::read_regular;

const VARIABLE: &str = "LECTERN_KEYS";
const FILE: &str = ".dev.vars";
const MOST_BYTES: u64 = 1 << 20;
const SECRET_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error(
        "there are no keys: {VARIABLE} is neither in the environment nor in {FILE} of this folder"
    )]
    None,
    #[error("{VARIABLE} in {place} is not acceptable")]
    Bad {
        place: &'static str,
        #[source]
        source: KeyringError,
    },
    #[error("cannot make a key")]
    New(#[source] KeyringError),
    #[error("the system gives no randomness: {0}")]
    Random(getrandom::Error),
}

impl KeysError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::None => "`lectern keys new` prints what to set",
            Self::Bad { .. } => {
                "it is a list such as [{\"kid\":\"2026-11\",\"secret\":\"…\"}]; `lectern keys new` prints a new one"
            }
            Self::New(_) => "choose another --kid, or set LECTERN_KEYS right first",
            Self::Random(_) => "try again, or on another machine",
        }
    }
}

pub(crate) fn run(verb: KeysVerb) -> Result<String> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let now = clock::now();
    let list = match verb {
        KeysVerb::New { kid } => with_new_key("", &kid.unwrap_or_else(|| month(now)), &secret),
        KeysVerb::Rotate { kid } => {
            let KeysValue { text, place } = value()?;
            let ring = parse(&text, place)?;
            let taken: Vec<&str> = ring.iter().map(Key::kid).collect();
            let kid = kid.unwrap_or_else(|| free(&month(now), &taken));
            with_new_key(&text, &kid, &secret)
        }
    };
    Ok(list.map_err(KeysError::New)?)
}

/// The keys in force: of the environment, else of `.dev.vars`, which `make serve` reads too.
pub(crate) fn keyring() -> Result<Keyring, KeysError> {
    let KeysValue { text, place } = value()?;
    parse(&text, place)
}

/// The value of LECTERN_KEYS, found as [`keyring`] finds it.
pub(crate) fn keys_text() -> Result<String, KeysError> {
    value().map(|KeysValue { text, .. }| text)
}

struct KeysValue {
    text: String,
    place: &'static str,
}

fn parse(text: &str, place: &'static str) -> Result<Keyring, KeysError> {
    Keyring::from_json(text).map_err(|source| KeysError::Bad { place, source })
}

fn value() -> Result<KeysValue, KeysError> {
    if let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) {
        return Ok(KeysValue {
            text,
            place: "the environment",
        });
    }
    let bytes = read_regular(Path::new(FILE), MOST_BYTES).ok().flatten();
    bytes
        .and_then(|bytes| in_file(&String::from_utf8(bytes).ok()?))
        .map(|text| KeysValue { text, place: FILE })
        .ok_or(KeysError::None)
}

/// `LECTERN_KEYS='[…]'` of a dotenv file.
fn in_file(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.trim_start()
            .strip_prefix(VARIABLE)?
            .trim_start()
            .strip_prefix('=')
    })?;
    let value = value.trim();
    let unquoted = ['\'', '"', '`'].iter().find_map(|quote| {
        value
            .strip_prefix(*quote)
            .and_then(|rest| rest.strip_suffix(*quote))
    });
    let value = unquoted.unwrap_or(value);
    (!value.is_empty()).then(|| value.to_owned())
}

/// `2026-11`.
fn month(now: DateTime<Utc>) -> String {
    now.format("%Y-%m").to_string()
}

fn free(wanted: &str, taken: &[&str]) -> String {
    let mut kid = wanted.to_owned();
    let mut at = 2;
    while taken.contains(&kid.as_str()) {
        kid = format!("{wanted}-{at}");
        at += 1;
    }
    kid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_a_dotenv_file_however_they_are_quoted() {
        for (text, expected) in [
            ("LECTERN_KEYS=[1]", Some("[1]")),
            ("A=b\n export LECTERN_KEYS = '[1]' \nC=d", Some("[1]")),
            ("LECTERN_KEYS=\"[1]\"", Some("[1]")),
            ("#LECTERN_KEYS=[1]\nLECTERN_KEYS_OLD=[2]", None),
            ("LECTERN_KEYS=''", None),
            ("", None),
        ] {
            assert_eq!(in_file(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_new_kid_is_one_that_is_not_taken() {
        for (taken, expected) in [
            (&[][..], "2026-11"),
            (&["2026-10"], "2026-11"),
            (&["2026-11", "2026-11-2"], "2026-11-3"),
        ] {
            assert_eq!(free("2026-11", taken), expected, "{taken:?}");
        }
    }
}
