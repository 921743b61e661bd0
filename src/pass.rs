//! Passes: the credential that the edge mints, one per URL in a playlist. A pass names exactly one object and an
//! expiry; a playlist's pass also says below which directory the objects that it lists may lie.
//!
//! ```text
//! pass     = base64url( tag(1) hint(1) expires(4) [ depth(1) ] mac(16) )        30 or 31 characters
//! tag      = version(4 bits) kind(4 bits)
//! mac      = HMAC-SHA-256( K, last segment of the object key )[..16]
//! K        = HMAC-SHA-256( pass key, tag expires [ depth ] length(2) directory )
//! pass key = HKDF-SHA-256( secret, info "lectern/pass/1" )
//! ```
//!
//! The MAC covers every field: `tag` fixes which fields there are, the directory is length-prefixed, and the last
//! segment is a message of its own. `K` is the same for all segments of a directory, so a playlist of 9,000 segments
//! derives it once. `hint` only picks the key to try; a wrong hint finds no key or the wrong one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;

use crate::keyring::{HmacSha256, Key, Keyring, keyed};
use crate::object_key::{Directory, ObjectKey};

/// Expiries are rounded up to this many seconds, so that a viewer who comes back gets the URLs that his browser has
/// in its cache.
pub const EXPIRY_STEP: u64 = 900;

const MAC_BYTES: usize = 16;
const VERSION: u8 = 1 << 4;
/// tag, hint, expires, depth, mac.
const MAX_BYTES: usize = 1 + 1 + 4 + 1 + MAC_BYTES;

/// What a pass opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An object as it is stored.
    Object,
    /// A playlist, which is rewritten. What it lists must lie below its first `depth` directories.
    Playlist { depth: u8 },
}

impl Kind {
    fn tag(self) -> u8 {
        VERSION
            | match self {
                Self::Object => 0,
                Self::Playlist { .. } => 1,
            }
    }

    fn depth(self) -> Option<u8> {
        match self {
            Self::Object => None,
            Self::Playlist { depth } => Some(depth),
        }
    }
}

/// A verified pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub kind: Kind,
    /// The last second at which it opens its object.
    pub expires: u64,
}

/// Why a pass opens nothing. The viewer sees `expired` or `forbidden`; the rest is for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    #[error("the pass is not one that this edge mints")]
    Malformed,
    #[error("no key has the pass's hint")]
    UnknownKey,
    #[error("the MAC is wrong: forged, or for another path")]
    BadMac,
    #[error("the pass expired at {0}")]
    Expired(u64),
}

/// The last second of a pass minted at `now` for `seconds` of watching, rounded up to [`EXPIRY_STEP`].
#[must_use]
pub fn expiry(now: u64, seconds: u64) -> u64 {
    now.saturating_add(seconds)
        .div_ceil(EXPIRY_STEP)
        .saturating_mul(EXPIRY_STEP)
        .min(u64::from(u32::MAX))
}

/// Mints passes that all expire at the same second, and remembers what it derived for the directory it minted for last.
#[derive(Debug)]
pub struct Minter<'key> {
    key: &'key Key,
    expires: u32,
    derived: Option<Derived>,
}

struct Derived {
    kind: Kind,
    directory: String,
    mac: HmacSha256,
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Derived")
            .field("kind", &self.kind)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl<'key> Minter<'key> {
    #[must_use]
    pub fn new(key: &'key Key, expires: u64) -> Self {
        Self {
            key,
            expires: u32::try_from(expires).unwrap_or(u32::MAX),
            derived: None,
        }
    }

    /// Appends the pass for the object `name` in `directory` (with its slash, or empty at the top).
    pub fn mint(&mut self, kind: Kind, directory: &str, name: &str, out: &mut Vec<u8>) {
        let remembered = self
            .derived
            .take_if(|derived| derived.kind == kind && derived.directory == directory);
        let derived = remembered.unwrap_or_else(|| Derived {
            kind,
            directory: directory.to_owned(),
            mac: derive(self.key, kind, self.expires, directory),
        });
        let mac = derived
            .mac
            .clone()
            .chain_update(name)
            .finalize()
            .into_bytes();
        self.derived = Some(derived);

        let mut bytes = [0_u8; MAX_BYTES];
        bytes[0] = kind.tag();
        bytes[1] = self.key.hint();
        bytes[2..6].copy_from_slice(&self.expires.to_be_bytes());
        let mut length = 6;
        if let Some(depth) = kind.depth() {
            bytes[length] = depth;
            length += 1;
        }
        bytes[length..length + MAC_BYTES].copy_from_slice(&mac[..MAC_BYTES]);
        length += MAC_BYTES;

        let start = out.len();
        out.resize(start + length.div_ceil(3) * 4, 0);
        // The slice has room for the padded form, which is longer than the unpadded one that is written.
        let written = URL_SAFE_NO_PAD
            .encode_slice(&bytes[..length], &mut out[start..])
            .unwrap_or(0);
        out.truncate(start + written);
    }
}

/// Verifies the pass `text` for `key`.
///
/// # Errors
/// When it is malformed, forged, for another object, or expired.
pub fn verify(text: &str, key: &ObjectKey, keys: &Keyring, now: u64) -> Result<Pass, PassError> {
    let pass = verify_mac(text, key, keys)?;
    if now > pass.expires {
        return Err(PassError::Expired(pass.expires));
    }
    Ok(pass)
}

/// What a pass says, if its MAC is right for `key`, whatever the time.
///
/// # Errors
/// When it is malformed, forged, or for another object.
pub fn verify_mac(text: &str, key: &ObjectKey, keys: &Keyring) -> Result<Pass, PassError> {
    let mut bytes = [0_u8; MAX_BYTES];
    let length = URL_SAFE_NO_PAD
        .decode_slice(text, &mut bytes)
        .map_err(|_| PassError::Malformed)?;
    let (fields, mac) = bytes[..length]
        .split_last_chunk::<MAC_BYTES>()
        .ok_or(PassError::Malformed)?;
    let (kind, hint, expires) = match *fields {
        [tag, hint, a, b, c, d] if tag == Kind::Object.tag() => (Kind::Object, hint, [a, b, c, d]),
        [tag, hint, a, b, c, d, depth] if tag == (Kind::Playlist { depth }).tag() => {
            (Kind::Playlist { depth }, hint, [a, b, c, d])
        }
        _ => return Err(PassError::Malformed),
    };
    let expires = u32::from_be_bytes(expires);
    let (directory, name) = key.split();
    let mut outcome = PassError::UnknownKey;
    for candidate in keys.iter().filter(|candidate| candidate.hint() == hint) {
        let expected = derive(candidate, kind, expires, directory).chain_update(name);
        if expected.verify_truncated_left(mac).is_ok() {
            return Ok(Pass {
                kind,
                expires: u64::from(expires),
            });
        }
        outcome = PassError::BadMac;
    }
    Err(outcome)
}

fn derive(key: &Key, kind: Kind, expires: u32, directory: &str) -> HmacSha256 {
    // An object key has at most 1,024 bytes.
    let length = u16::try_from(directory.len()).unwrap_or(u16::MAX);
    let derived = key
        .pass_mac()
        .chain_update([kind.tag()])
        .chain_update(expires.to_be_bytes())
        .chain_update(kind.depth().as_slice())
        .chain_update(length.to_be_bytes())
        .chain_update(directory)
        .finalize();
    keyed(&derived.into_bytes())
}

/// The playlist kind whose listed objects must lie below `root`.
#[must_use]
pub fn playlist_below(root: &Directory) -> Kind {
    // Each directory takes two bytes of a key at least, so a key has at most 512; a deeper root than a byte can say
    // narrows to nothing rather than widening.
    Kind::Playlist {
        depth: u8::try_from(root.depth()).unwrap_or(u8::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn ring(kids: &[&str]) -> Keyring {
        let entries: Vec<_> = kids
            .iter()
            .map(|kid| {
                let secret = URL_SAFE_NO_PAD.encode(kid.repeat(32).as_bytes());
                format!(r#"{{"kid":"{kid}","secret":"{secret}"}}"#)
            })
            .collect();
        Keyring::from_json(&format!("[{}]", entries.join(","))).expect("a ring")
    }

    fn object(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect("an object key")
    }

    fn mint(key: &Key, kind: Kind, expires: u64, object: &ObjectKey) -> String {
        let mut out = Vec::new();
        let (directory, name) = object.split();
        Minter::new(key, expires).mint(kind, directory, name, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_pass_opens_its_object_and_no_other() {
        let ring = ring(&["k", "old"]);
        let segment = object("c/v/1/seg00000.m4s");
        for key in ring.iter() {
            for kind in [Kind::Object, Kind::Playlist { depth: 1 }] {
                let pass = mint(key, kind, NOW, &segment);
                assert!(pass.len() <= 40, "{pass}");
                assert!(
                    pass.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                    "{pass}"
                );
                let expected = Pass { kind, expires: NOW };
                assert_eq!(verify(&pass, &segment, &ring, NOW), Ok(expected));
                for other in [
                    "c/v/1/seg00001.m4s",
                    "c/v/1seg00000.m4s",
                    "c/v/1/seg00000.m4s/x",
                    "c/v/2/seg00000.m4s",
                    "d/v/1/seg00000.m4s",
                    "seg00000.m4s",
                ] {
                    assert_eq!(
                        verify(&pass, &object(other), &ring, NOW),
                        Err(PassError::BadMac),
                        "{other}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_pass_ends_with_its_last_second() {
        let ring = ring(&["k"]);
        let segment = object("a/b");
        let pass = mint(ring.minting(), Kind::Object, NOW, &segment);
        assert!(verify(&pass, &segment, &ring, NOW).is_ok());
        assert_eq!(
            verify(&pass, &segment, &ring, NOW + 1),
            Err(PassError::Expired(NOW))
        );
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let ring = ring(&["k"]);
        let segment = object("a/b");
        for kind in [Kind::Object, Kind::Playlist { depth: 1 }] {
            let pass = mint(ring.minting(), kind, NOW, &segment);
            let bytes = URL_SAFE_NO_PAD.decode(&pass).expect("base64url");
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let forged = URL_SAFE_NO_PAD.encode(forged);
                assert!(verify(&forged, &segment, &ring, NOW).is_err(), "bit {bit}");
            }
            for text in [&pass[1..], &pass[..pass.len() - 1], "", "=", "é"] {
                assert!(verify(text, &segment, &ring, NOW).is_err(), "{text}");
            }
            assert!(verify(&format!("{pass}A"), &segment, &ring, NOW).is_err());
            assert!(verify(&format!("{pass}="), &segment, &ring, NOW).is_err());
        }
    }

    #[test]
    fn a_key_that_left_the_ring_opens_nothing() {
        let segment = object("a/b");
        let pass = mint(ring(&["old"]).minting(), Kind::Object, NOW, &segment);
        assert!(verify(&pass, &segment, &ring(&["new"]), NOW).is_err());
        assert!(verify(&pass, &segment, &ring(&["new", "old"]), NOW).is_ok());
    }

    #[test]
    fn equal_inputs_give_equal_passes_within_a_step() {
        let opened = [NOW, NOW + 1, NOW + EXPIRY_STEP];
        let [first, second, third] = opened.map(|now| expiry(now, 6 * 3600));
        assert_eq!(first, NOW + 6 * 3600);
        assert_eq!(second, third);
        assert_eq!(second, first + EXPIRY_STEP);
        assert_eq!(expiry(u64::MAX, u64::MAX), u64::from(u32::MAX));
    }
}
