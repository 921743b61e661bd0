//! `lectern keys`: makes, rotates and exports keys.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use lectern::credential::keyring::{Key, Keyring, with_new_key};

use crate::clock;
use crate::files::regular::read_regular;
use crate::storage::keys::{KeysError, KeysValue, MOST_BYTES, VARIABLE, in_file, parse, value};

const SECRET_BYTES: usize = 32;

pub(crate) fn run(verb: KeysVerb) -> Result<String> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(KeysError::Random)?;
    let now = clock::now();
    let list = match verb {
        KeysVerb::New { kid } => {
            with_new_key("", &kid.unwrap_or_else(|| format_month(now)), &secret)
        }
        KeysVerb::Rotate { kid } => {
            let KeysValue { text, place } = value()?;
            let ring = parse(&text, place)?;
            let taken: Vec<&str> = ring.iter().map(Key::kid).collect();
            let kid = kid.unwrap_or_else(|| free_kid(&format_month(now), &taken));
            with_new_key(&text, &kid, &secret)
        }
        KeysVerb::Env { file } => return Ok(export_keys(&file)?),
    };
    Ok(list.map_err(KeysError::New)?)
}

/// Returns a shell command that exports the keys of a dotenv file. Ignores the environment's own
/// value.
fn export_keys(path: &Path) -> Result<String, KeysError> {
    let unreadable = |source| KeysError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = read_regular(path, MOST_BYTES)
        .and_then(|bytes| bytes.ok_or_else(|| io::ErrorKind::FileTooLarge.into()))
        .map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })?;
    let keys = in_file(&text).ok_or_else(|| KeysError::NoneIn(path.to_owned()))?;
    Keyring::from_json(&keys).map_err(|source| KeysError::BadIn {
        path: path.to_owned(),
        source,
    })?;
    Ok(format!("export {VARIABLE}={}", quote_for_shell(&keys)))
}

/// Quotes a text as one word of a POSIX shell.
fn quote_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Formats a month, such as `2026-11`.
fn format_month(now: DateTime<Utc>) -> String {
    now.format("%Y-%m").to_string()
}

/// Returns the preferred id, or the first free one that starts with it.
fn free_kid(preferred: &str, taken: &[&str]) -> String {
    let mut kid = preferred.to_owned();
    let mut at = 2;
    while taken.contains(&kid.as_str()) {
        kid = format!("{preferred}-{at}");
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
        /// Key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
    /// Print the current LECTERN_KEYS with a new key in front: it mints links, and all keys verify
    /// them.
    Rotate {
        /// New key's id [default: this month, as in 2026-11].
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
    },
    /// Print the keys of a local edge as a shell command: `eval "$(lectern keys env)"` sets
    /// LECTERN_KEYS.
    Env {
        /// File with LECTERN_KEYS, as `make serve` writes it.
        #[arg(value_name = "FILE", default_value = ".dev.vars")]
        file: PathBuf,
    },
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
    fn keys_of_a_file_are_exported_as_one_word_of_a_shell() {
        const KEYS: &str =
            r#"[{"kid":"local","secret":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]"#;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("the keys.vars");
        let export = |text: &str| {
            std::fs::write(&file, text).expect("the file");
            export_keys(&file)
        };
        for text in [
            format!("A='b'\nLECTERN_KEYS='{KEYS}'\n"),
            format!("export LECTERN_KEYS={KEYS}\n"),
        ] {
            let command = export(&text).expect("keys");
            assert_eq!(command, format!("export LECTERN_KEYS='{KEYS}'"));
            let shell = std::process::Command::new("sh")
                .args(["-c", r#"eval "$1"; printenv LECTERN_KEYS"#, "sh", &command])
                .output()
                .expect("a shell");
            assert_eq!(shell.stdout, format!("{KEYS}\n").as_bytes());
        }
        assert!(matches!(export("A=b\n"), Err(KeysError::NoneIn(path)) if path == file));
        assert!(matches!(
            export("LECTERN_KEYS='[]; id'"),
            Err(KeysError::BadIn { .. })
        ));
        let none = export_keys(folder.path());
        assert!(
            matches!(none, Err(KeysError::Unreadable { .. })),
            "{none:?}"
        );
        assert_eq!(quote_for_shell("a'$b"), r"'a'\''$b'");
    }

    #[test]
    fn a_new_kid_is_free() {
        for (taken, expected) in [
            (&[][..], "2026-11"),
            (&["2026-10"], "2026-11"),
            (&["2026-11", "2026-11-2"], "2026-11-3"),
        ] {
            assert_eq!(free_kid("2026-11", taken), expected, "{taken:?}");
        }
    }
}
