//! `lectern keys`, and where the keys come from.

use anyhow::Result;
use chrono::{DateTime, Utc};
use lectern::credential::keyring::{Key, with_new_key};

use crate::clock;
use crate::storage::keys::{KeysError, KeysValue, parse, value};
use clap::{Args, Subcommand};

const SECRET_BYTES: usize = 32;

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

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Print a LECTERN_KEYS with one new key.
    New {
        /// The key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
    /// Print the present LECTERN_KEYS with a new key in front: it mints, and all verify.
    Rotate {
        /// The new key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::keys::in_file;

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
