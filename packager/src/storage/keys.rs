//! Reads the link keys.

use crate::files::regular::read_regular;
use anyhow::Result;
use lectern::credential::keyring::{Keyring, KeyringError};
use lectern::sdk::MAX_LINK_AGE;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) const VARIABLE: &str = "LECTERN_KEYS";

pub(crate) const FILE: &str = ".dev.vars";

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
    #[error("`{}` has no {VARIABLE}", .0.display())]
    NoneIn(PathBuf),
    #[error("{VARIABLE} in `{}` is not acceptable", path.display())]
    BadIn {
        path: PathBuf,
        #[source]
        source: KeyringError,
    },
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot make a key")]
    New(#[source] KeyringError),
    #[error("the system gives no randomness: {0}")]
    Random(getrandom::Error),
    #[error("`MAX_LINK_AGE` is `{0}`, which is not a whole number above 0")]
    BadMaxLinkAge(String),
}

impl KeysError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::None => {
                "set LECTERN_KEYS to the edge's keys; `lectern keys env FILE` prints those of a .dev.vars, and `lectern keys new` makes an edge's first"
            }
            Self::NoneIn(_) | Self::Unreadable { .. } => {
                "`make serve` writes the keys of a local edge into .dev.vars of the project's folder; name that file"
            }
            Self::Bad { .. } | Self::BadIn { .. } => {
                "it is a list such as [{\"kid\":\"2026-11\",\"secret\":\"…\"}]; `lectern keys new` prints a new one"
            }
            Self::New(_) => "choose another --kid, or set LECTERN_KEYS right first",
            Self::Random(_) => "try again, or on another machine",
            Self::BadMaxLinkAge(_) => "set MAX_LINK_AGE to the edge's, in seconds, or unset it",
        }
    }
}

/// Current keys from the environment, else from `.dev.vars`, which `make serve` also reads.
pub(crate) fn keyring() -> Result<Keyring, KeysError> {
    let KeysValue { text, place } = value()?;
    parse(&text, place)
}

/// Text of LECTERN_KEYS, from the same sources as [`keyring`].
pub(crate) fn keys_text() -> Result<String, KeysError> {
    value().map(|KeysValue { text, .. }| text)
}

/// The edge's `MAX_LINK_AGE`: that of the environment, or the default.
pub(crate) fn max_link_age(variable: Option<&str>) -> Result<u64, KeysError> {
    match variable.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(MAX_LINK_AGE),
        Some(text) => {
            let age = text.parse().ok().filter(|age| *age > 0);
            age.ok_or_else(|| KeysError::BadMaxLinkAge(text.to_owned()))
        }
    }
}

pub(crate) struct KeysValue {
    pub(crate) text: String,
    pub(crate) place: &'static str,
}

pub(crate) fn parse(text: &str, place: &'static str) -> Result<Keyring, KeysError> {
    Keyring::from_json(text).map_err(|source| KeysError::Bad { place, source })
}

pub(crate) fn value() -> Result<KeysValue, KeysError> {
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
pub(crate) fn in_file(text: &str) -> Option<String> {
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

pub(crate) const MOST_BYTES: u64 = 1 << 20;
