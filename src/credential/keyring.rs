//! Secrets, key ids and derivation (RFC 5869).
//!
//! `LECTERN_KEYS` is a JSON list of `{"kid", "secret"}`. The first key mints, and all verify. To
//! rotate, prepend a key, wait until the old links expire, and remove the old key.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use serde::Serialize;

use crate::json::{JsonValue, written};

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// RFC 7518 §3.2 requires HS256 keys of at least 32 bytes.
pub const MIN_SECRET_BYTES: usize = 32;
/// A key longer than this is a mistake, not a stronger key.
const MAX_SECRET_BYTES: usize = 1024;
const MAX_KID_BYTES: usize = 64;

/// A key of the ring. Its secret signs links, so that any JWT library can mint them. A derived key
/// signs passes, so that a link's MAC is never a pass's.
pub struct Key {
    kid: String,
    /// One byte of a pass that selects the key.
    hint: u8,
    link: HmacSha256,
    pass: HmacSha256,
    /// Hashes viewers for logs.
    viewer: HmacSha256,
}

impl Key {
    /// Creates a key from its id and secret.
    ///
    /// # Errors
    /// When the id is not 1 to 64 characters of `A-Za-z0-9._-`, or the secret is shorter than 32 bytes.
    pub fn new(kid: &str, secret: &[u8]) -> Result<Self, KeyringError> {
        let kid_is_plain = (1..=MAX_KID_BYTES).contains(&kid.len())
            && kid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !kid_is_plain {
            return Err(KeyringError::BadKid);
        }
        if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&secret.len()) {
            return Err(KeyringError::BadSecretLength {
                kid: kid.to_owned(),
                bytes: secret.len(),
            });
        }
        let derive = |label: &str| {
            let mut derived = [0_u8; 32];
            // HKDF fails only for outputs of over 255 hashes, and this is one.
            Hkdf::<Sha256>::new(None, secret)
                .expand(label.as_bytes(), &mut derived)
                .map_err(|_| KeyringError::BadKid)?;
            Ok(keyed(&derived))
        };
        Ok(Self {
            kid: kid.to_owned(),
            hint: Sha256::digest(kid.as_bytes())[0],
            link: keyed(secret),
            pass: derive("lectern/pass/1")?,
            viewer: derive("lectern/viewer/1")?,
        })
    }

    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn hint(&self) -> u8 {
        self.hint
    }

    pub(crate) fn link_mac(&self) -> HmacSha256 {
        self.link.clone()
    }

    /// A keyed hash of `parts`, in 12 characters.
    pub(crate) fn viewer(&self, parts: &[&str]) -> String {
        let mut mac = self.viewer.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..9])
    }

    pub(crate) fn pass_mac(&self) -> HmacSha256 {
        self.pass.clone()
    }
}

/// Creates an HMAC. It accepts keys of any length (RFC 2104 §2), so the fallback is unreachable. It
/// spares the Worker a panic.
pub(crate) fn keyed(secret: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(secret).unwrap_or_else(|_| HmacSha256::new(&Default::default()))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The keys in force. Never empty.
#[derive(Debug)]
pub struct Keyring {
    minting: Key,
    older: Vec<Key>,
}

/// An error in `LECTERN_KEYS`. The message contains no part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("not a JSON list of `{{\"kid\": …, \"secret\": …}}`")]
    NotAList,
    #[error("the list is empty")]
    Empty,
    #[error("a `kid` is not 1 to 64 characters of `A-Za-z0-9._-`")]
    BadKid,
    #[error("two keys have the `kid` `{0}`")]
    DuplicateKid(String),
    #[error("the secret of `{0}` is not base64url without padding")]
    NotBase64url(String),
    #[error("the secret of `{kid}` has {bytes} bytes; it needs {MIN_SECRET_BYTES} to 1024")]
    BadSecretLength { kid: String, bytes: usize },
}

/// The entries of `LECTERN_KEYS`: ids, and secrets in base64url.
fn entries(json: &str) -> Result<Vec<(String, String)>, KeyringError> {
    let entry = |entry: &JsonValue<'_>| {
        let text = |name| entry.member(name)?.as_str().map(str::to_owned);
        // Any further member is a misspelt name.
        let members = entry.as_object()?.len();
        Some((text("kid")?, text("secret")?)).filter(|_| members == 2)
    };
    let list = JsonValue::parse(json.as_bytes());
    let entries = list.as_ref().and_then(JsonValue::as_array);
    entries
        .and_then(|entries| entries.iter().map(entry).collect())
        .ok_or(KeyringError::NotAList)
}

impl Keyring {
    /// Parses the value of `LECTERN_KEYS`.
    ///
    /// # Errors
    /// When the value is not a list of keys, a key is too short, or an id occurs twice.
    pub fn from_json(json: &str) -> Result<Self, KeyringError> {
        let entries = entries(json)?;
        let mut keys: Vec<Key> = Vec::with_capacity(entries.len());
        for (kid, secret) in entries {
            if keys.iter().any(|key| key.kid == kid) {
                return Err(KeyringError::DuplicateKid(kid));
            }
            let secret = URL_SAFE_NO_PAD
                .decode(secret)
                .map_err(|_| KeyringError::NotBase64url(kid.clone()))?;
            keys.push(Key::new(&kid, &secret)?);
        }
        let mut keys = keys.into_iter();
        let minting = keys.next().ok_or(KeyringError::Empty)?;
        Ok(Self {
            minting,
            older: keys.collect(),
        })
    }

    /// The key that mints.
    #[must_use]
    pub fn minting(&self) -> &Key {
        &self.minting
    }

    /// All keys, the minting one first.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.minting).chain(&self.older)
    }

    pub(crate) fn by_kid(&self, kid: &str) -> Option<&Key> {
        self.iter().find(|key| key.kid == kid)
    }
}

/// Prepends a new key to `present`, a value of `LECTERN_KEYS` or empty text.
///
/// # Errors
/// When `present` is not a list, or the new key is refused or its id taken.
pub fn with_new_key(present: &str, kid: &str, secret: &[u8]) -> Result<String, KeyringError> {
    let mut entries = match present.trim() {
        "" => Vec::new(),
        json => entries(json)?,
    };
    entries.insert(0, (kid.to_owned(), URL_SAFE_NO_PAD.encode(secret)));
    #[derive(Serialize)]
    struct Entry<'key> {
        kid: &'key str,
        secret: &'key str,
    }
    let entries: Vec<Entry<'_>> = entries
        .iter()
        .map(|(kid, secret)| Entry { kid, secret })
        .collect();
    let json = written(&entries);
    Keyring::from_json(&json)?;
    Ok(json)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A ring of keys with these ids. Each secret derives from its id.
    pub(crate) fn ring(kids: &[&str]) -> Keyring {
        let key = |kid: &&str| Key::new(kid, kid.repeat(32).as_bytes()).expect("a key");
        let mut keys = kids.iter().map(key);
        Keyring {
            minting: keys.next().expect("a key that mints"),
            older: keys.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kid: &str, bytes: usize) -> String {
        let secret = URL_SAFE_NO_PAD.encode(vec![7; bytes]);
        format!(r#"{{"kid":"{kid}","secret":"{secret}"}}"#)
    }

    #[test]
    fn a_ring_needs_well_formed_keys() {
        let ok = entry("a", 32);
        for (json, expected) in [
            ("", KeyringError::NotAList),
            ("{}", KeyringError::NotAList),
            (r#"[{"kid":"a"}]"#, KeyringError::NotAList),
            ("[]", KeyringError::Empty),
            (
                &format!("[{ok},{ok}]"),
                KeyringError::DuplicateKid("a".into()),
            ),
            (&format!("[{}]", entry("", 32)), KeyringError::BadKid),
            (&format!("[{}]", entry("a b", 32)), KeyringError::BadKid),
            (
                &format!("[{}]", entry("a", 31)),
                KeyringError::BadSecretLength {
                    kid: "a".into(),
                    bytes: 31,
                },
            ),
            (
                r#"[{"kid":"a","secret":"AAAA="}]"#,
                KeyringError::NotBase64url("a".into()),
            ),
        ] {
            assert_eq!(Keyring::from_json(json).err(), Some(expected), "{json}");
        }
    }

    #[test]
    fn a_new_key_goes_in_front_and_the_old_one_still_verifies() {
        let first = with_new_key("", "2026-10", &[1; 32]).expect("a ring");
        let both = with_new_key(&first, "2026-11", &[2; 32]).expect("a ring");
        let ring = Keyring::from_json(&both).expect("a ring");
        assert_eq!(ring.minting().kid(), "2026-11");
        assert!(ring.by_kid("2026-10").is_some());
        assert_eq!(
            with_new_key(&both, "2026-10", &[3; 32]),
            Err(KeyringError::DuplicateKid("2026-10".into()))
        );
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let ring = Keyring::from_json(&format!("[{}]", entry("a", 32))).expect("a ring");
        assert_eq!(
            format!("{ring:?}"),
            r#"Keyring { minting: Key { kid: "a", .. }, older: [] }"#
        );
    }
}
