//! Accounts of what links with `max_bytes` or `max_objects` stored. Links with one key and one `jti`
//! share an account, so that an app can mint a new link for a returning user.
//!
//! Nothing is given back: not by `DELETE`, by replacing an object, or by giving up an upload.
//! Otherwise a link could write for ever.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::json::{JsonValue, written};

/// The least bytes that a request counts for, which also bounds the number of requests.
pub const MIN_CHARGED_BYTES: u64 = 64 << 10;
/// The `ask` of a charge.
pub(super) const ASK: &str = "upload";

/// A message to an account: a request wants to store bytes under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadCharge {
    ask: &'static str,
    /// The hash of the object's key.
    pub object: String,
    pub bytes: u64,
    /// The link's limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_objects: Option<u64>,
    /// The link's last second. The account lasts as long as the longest of its links that asked.
    pub until: u64,
}

/// The sums of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadAccount {
    pub bytes: u64,
    /// The objects with different keys.
    pub objects: u64,
    /// The last second of its links.
    pub until: u64,
}

/// The limit that a charge exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadExcess {
    #[error("the link may store {max} bytes, and {used} are used: this request takes {asked}")]
    Bytes { max: u64, used: u64, asked: u64 },
    #[error("the link may write {max} objects, and has written as many")]
    Objects { max: u64 },
}

/// The name of an account's ledger.
#[must_use]
pub fn account_name(kid: &str, jti: &str) -> String {
    format!("upload/{}", hash(&[kid, jti]))
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
}

impl UploadCharge {
    /// A charge of `bytes` under `key`.
    #[must_use]
    pub fn new(
        key: &str,
        bytes: u64,
        (max_bytes, max_objects): (Option<u64>, Option<u64>),
        until: u64,
    ) -> Self {
        Self {
            ask: ASK,
            object: hash(&[key]),
            bytes,
            max_bytes,
            max_objects,
            until,
        }
    }

    #[must_use]
    pub fn to_json(&self) -> String {
        written(self)
    }

    /// Parses the members of a message that [`UploadCharge::to_json`] wrote.
    pub(super) fn from_members(message: &JsonValue<'_>) -> Option<Self> {
        let number = |name| message.member(name).and_then(JsonValue::as_integer);
        Some(Self {
            ask: ASK,
            object: message.member("object")?.as_str()?.to_owned(),
            bytes: number("bytes")?,
            max_bytes: number("max_bytes"),
            max_objects: number("max_objects"),
            until: number("until")?,
        })
    }

    /// Adds the charge to an account, which may know the object already. An object that it does not
    /// know counts [`MIN_CHARGED_BYTES`] at least, because the account remembers it.
    ///
    /// Returns the account, and the limit that the charge exceeds. A refused charge adds nothing,
    /// but the account lasts until its link expires: otherwise that link could spend all again.
    #[must_use]
    pub fn apply(
        &self,
        account: UploadAccount,
        knows_object: bool,
    ) -> (UploadAccount, Option<UploadExcess>) {
        let UploadAccount { bytes: used, .. } = account;
        let asked = match knows_object {
            true => self.bytes,
            false => self.bytes.max(MIN_CHARGED_BYTES),
        };
        let bytes = used.saturating_add(asked);
        let objects = account.objects + u64::from(!knows_object);
        let until = account.until.max(self.until);
        let by_bytes = self.max_bytes.filter(|max| bytes > *max);
        let by_objects = self
            .max_objects
            .filter(|max| !knows_object && objects > *max);
        let excess = match (by_bytes, by_objects) {
            (Some(max), _) => UploadExcess::Bytes { max, used, asked },
            (None, Some(max)) => UploadExcess::Objects { max },
            (None, None) => {
                let account = UploadAccount {
                    bytes,
                    objects,
                    until,
                };
                return (account, None);
            }
        };
        (UploadAccount { until, ..account }, Some(excess))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_added_unless_it_exceeds_a_limit() {
        const LEAST: u64 = MIN_CHARGED_BYTES;
        let used = UploadAccount {
            bytes: 900,
            objects: 2,
            until: 5,
        };
        let over = |max, asked| UploadExcess::Bytes {
            max,
            used: 900,
            asked,
        };
        let roomy = LEAST + 1000;
        for (bytes, limits, knows_object, expected) in [
            (LEAST + 100, (Some(roomy), None), false, Ok((roomy, 3))),
            (
                LEAST + 101,
                (Some(roomy), None),
                false,
                Err(over(roomy, LEAST + 101)),
            ),
            (1 << 40, (None, Some(3)), false, Ok((900 + (1 << 40), 3))),
            (
                0,
                (None, Some(2)),
                false,
                Err(UploadExcess::Objects { max: 2 }),
            ),
            // An account remembers no object for nothing.
            (0, (Some(roomy), None), false, Ok((LEAST + 900, 3))),
            (0, (Some(LEAST), None), false, Err(over(LEAST, LEAST))),
            (0, (Some(900), None), true, Ok((900, 2))),
            // An object that is replaced is none more.
            (9, (None, Some(2)), true, Ok((909, 2))),
            // Another link of the account has smaller limits.
            (9, (None, Some(1)), true, Ok((909, 2))),
            (
                u64::MAX,
                (Some(1 << 53), None),
                true,
                Err(over(1 << 53, u64::MAX)),
            ),
        ] {
            let charge = UploadCharge::new("a", bytes, limits, 7);
            let (account, excess) = charge.apply(used, knows_object);
            let (sums, refused) = match expected {
                Ok(sums) => (sums, None),
                Err(excess) => ((used.bytes, used.objects), Some(excess)),
            };
            let found = ((account.bytes, account.objects), excess);
            assert_eq!(found, (sums, refused), "{charge:?} {knows_object}");
        }
    }

    #[test]
    fn an_account_lasts_as_long_as_the_longest_link_that_asked() {
        let mut account = UploadAccount::default();
        for (until, bytes, is_refused, expected) in [
            (50, MIN_CHARGED_BYTES, false, 50),
            // A later link of the same id is only refused: the account outlives the first.
            (90, MIN_CHARGED_BYTES, true, 90),
            (70, 0, false, 90),
            (60, MIN_CHARGED_BYTES, true, 90),
        ] {
            let limits = (Some(MIN_CHARGED_BYTES), None);
            let charge = UploadCharge::new("a", bytes, limits, until);
            let (charged, excess) = charge.apply(account, account.objects > 0);
            assert_eq!(excess.is_some(), is_refused, "{until}");
            assert_eq!((charged.until, charged.objects), (expected, 1), "{until}");
            account = charged;
        }
    }

    #[test]
    fn an_account_belongs_to_one_key_and_one_id() {
        let name = account_name("k", "l");
        assert_eq!(name, account_name("k", "l"));
        for (kid, jti) in [("k", "m"), ("j", "l"), ("kl", ""), ("", "kl")] {
            assert_ne!(name, account_name(kid, jti), "{kid} {jti}");
        }
    }
}
