//! Decrypts AES-128 segments (RFC 8216bis §5.2), and reads their keys.

use std::collections::BTreeMap;

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use reqwest::Url;

use super::playlist::ListedKey;
use super::source::{PackageSource, Unread};

/// Bytes of a key.
pub(super) const KEY: usize = 16;
/// Maximum bytes that are read of a key's object.
const MOST_KEY: u64 = 1 << 10;

/// Keys by their URL; `None` for one that was reported before.
#[derive(Debug, Default)]
pub(super) struct KeyRing {
    known: BTreeMap<String, Option<[u8; KEY]>>,
}

/// A key, or the first report of its fault.
pub(super) type ReadKey = Result<Option<[u8; KEY]>, Unread>;

impl KeyRing {
    pub(super) async fn read(&mut self, source: &PackageSource, at: &Url) -> ReadKey {
        if let Some(known) = self.known.get(at.as_str()) {
            return Ok(*known);
        }
        let read = source.read(at, None, MOST_KEY).await;
        let read = read.and_then(|bytes| {
            <[u8; KEY]>::try_from(&bytes[..])
                .map_err(|_| format!("it is a key of {} bytes instead of {KEY}", bytes.len()))
        });
        self.known
            .insert(at.as_str().to_owned(), read.as_ref().ok().copied());
        read.map(Some)
    }
}

/// Protection of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    Whole,
    /// Its container is readable, and its samples are not.
    Samples,
    /// Its key is not at a URI, or its method is not supported.
    Unsupported(&'static str),
}

pub(super) fn protection(key: &ListedKey) -> Protection {
    match key.method.as_str() {
        _ if key.is_whole_segment() => Protection::Whole,
        "AES-128" => Protection::Unsupported("its key comes from a DRM system"),
        method if method.starts_with("SAMPLE-AES") => Protection::Samples,
        _ => Protection::Unsupported("its method of encryption is not supported"),
    }
}

/// Decrypts a whole segment.
pub(super) fn decrypt(
    bytes: &[u8],
    key: &[u8; KEY],
    vector: &[u8; KEY],
) -> Result<Vec<u8>, String> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(KEY) {
        return Err(format!(
            "its {} bytes are no multiple of {KEY}, as AES-128 has it",
            bytes.len()
        ));
    }
    let cipher = Decryptor::<Aes128>::new(key.into(), vector.into());
    let mut plain = bytes.to_vec();
    let length = cipher
        .decrypt_padded::<Pkcs7>(&mut plain)
        .map_err(|_| "its padding is wrong after decryption".to_owned())?
        .len();
    plain.truncate(length);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_decrypts_with_its_own_key_alone() {
        // openssl enc -aes-128-cbc -K 000102…0f -iv 00…01, of "hello".
        let sealed = hex("d6757fedb416eb9014e1e5bb1251f2a8");
        let key = std::array::from_fn(|at| at as u8);
        let vector = 1_u128.to_be_bytes();
        assert_eq!(
            decrypt(&sealed, &key, &vector).as_deref(),
            Ok(&b"hello"[..])
        );
        assert!(decrypt(&sealed, &[9; KEY], &vector).is_err());
        assert!(decrypt(&sealed[1..], &key, &vector).is_err());
        assert!(decrypt(&[], &key, &vector).is_err());
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
            .collect()
    }
}
