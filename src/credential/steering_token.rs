//! Steering tokens: the credential of a player that renews its passes by Content Steering. The edge
//! mints one when a link with `strict` opens a Multivariant Playlist.
//!
//! A steering token is a JWT as a link is, of another `typ`: no link renews, and a steering token
//! opens no object. It contains the claims of its link, for one playlist, until the end of `watch`:
//!
//! ```json
//! { "playlist": "/c/master.m3u8", "opened": 1800000000, "ends": 1800000600, "revision": "0a1b", "link": { … } }
//! ```

use super::claims::Claims;
use super::keyring::{Key, Keyring};
use super::link::{
    LEEWAY_SECONDS, LinkError, MAX_LINK_BYTES, TokenType, decode_payload, sign, verified_payload,
};
use crate::json::{JsonValue, written};
use crate::object::key::{ObjectKey, Scope, is_revision};

/// A link that opens a playlist, of which the edge can mint steering tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringOffer {
    /// The link's claims as they were signed.
    link: String,
    opened: u64,
    ends: u64,
}

/// The claims of a steering token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringToken {
    /// The claims of the link. Its times are over when the token is minted, and do not count.
    pub link: Claims,
    /// The opened playlist.
    pub playlist: ObjectKey,
    /// The revision that contains every entry of the opened playlist.
    pub revision: Option<String>,
    /// The second of opening.
    pub opened: u64,
    /// The last second of the link's `watch`.
    pub ends: u64,
}

impl SteeringOffer {
    /// The offer to a player that opens a playlist at `now` with a verified link, and may go on for
    /// `watch` seconds. `None` if the text is no link.
    #[must_use]
    pub fn new(link: &str, now: u64, watch: u64) -> Option<Self> {
        let (_, payload) = decode_payload(link, TokenType::Jwt).ok()?;
        Some(Self {
            link: String::from_utf8(payload).ok()?,
            opened: now,
            ends: now.saturating_add(watch),
        })
    }

    /// The last second of the token.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.ends
    }

    /// Mints the token for `playlist`, whose entries all belong to `revision`. `None` if it would be
    /// longer than a link may be.
    #[must_use]
    pub fn mint(&self, playlist: &ObjectKey, revision: Option<&str>, key: &Key) -> Option<String> {
        let Self { link, opened, ends } = self;
        let playlist = written(&format!("/{playlist}"));
        // A revision's name has letters and digits only.
        let revision =
            revision.map_or_else(String::new, |name| format!("\"revision\":\"{name}\","));
        let json = format!(
            "{{\"playlist\":{playlist},\"opened\":{opened},\"ends\":{ends},{revision}\"link\":{link}}}"
        );
        let token = sign(key, TokenType::Steering, json.as_bytes());
        (token.len() <= MAX_LINK_BYTES).then_some(token)
    }
}

impl SteeringToken {
    /// Verifies form, type, algorithm, key and signature, and parses the claims.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify_signature(token: &str, keys: &Keyring) -> Result<Self, LinkError> {
        Self::from_json(&verified_payload(token, TokenType::Steering, keys)?)
    }

    /// Decodes a token without verifying it: key id and claims.
    ///
    /// # Errors
    /// When form or claims are invalid.
    pub fn decode(token: &str) -> Result<(String, Self), LinkError> {
        let (kid, payload) = decode_payload(token, TokenType::Steering)?;
        Ok((kid, Self::from_json(&payload)?))
    }

    fn from_json(payload: &[u8]) -> Result<Self, LinkError> {
        let bad = LinkError::BadClaims("they are not those of a steering token");
        let members = JsonValue::parse(payload).ok_or(bad.clone())?;
        let link = members.member("link").ok_or(bad.clone())?;
        let number = |name| members.member(name).and_then(JsonValue::as_integer);
        let playlist = members.member("playlist").and_then(JsonValue::as_str);
        let revision = match members.member("revision") {
            None => Some(None),
            Some(name) => name.as_str().filter(|name| is_revision(name)).map(Some),
        };
        match (
            playlist.and_then(|path| Scope::parse(path).ok()),
            revision,
            number("opened"),
            number("ends"),
        ) {
            (Some(Scope::Object(playlist)), Some(revision), Some(opened), Some(ends)) => Ok(Self {
                link: Claims::from_value(link).map_err(LinkError::BadClaims)?,
                playlist,
                revision: revision.map(str::to_owned),
                opened,
                ends,
            }),
            _ => Err(bad),
        }
    }

    /// Checks that the token holds at `now`. `max_watch` is the edge's bound.
    ///
    /// # Errors
    /// When it is over, begins later, or ends too far ahead.
    pub fn check_times(&self, now: u64, max_watch: u64) -> Result<(), LinkError> {
        if now > self.ends {
            return Err(LinkError::Expired(self.ends));
        }
        // The clock of another data centre may be ahead.
        if self.ends - now > max_watch.saturating_add(LEEWAY_SECONDS) {
            return Err(LinkError::TooFarAhead(max_watch));
        }
        if self.opened > now.saturating_add(LEEWAY_SECONDS) {
            return Err(LinkError::NotYetValid(self.opened));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::keyring::testing::ring;
    use crate::credential::link::{mint, verify};

    const NOW: u64 = 1_800_000_000;

    fn link() -> Claims {
        Claims {
            sub: Some("s42".into()),
            watch: Some(600),
            max_height: Some(720),
            strict: true,
            ..Claims::new(Scope::parse("/c/").expect("a scope"), NOW + 5)
        }
    }

    fn playlist() -> ObjectKey {
        ObjectKey::new("c/\"l\" é/master.m3u8").expect("a key")
    }

    fn minted(claims: &Claims, revision: Option<&str>) -> Option<String> {
        let keys = ring(&["k"]);
        let link = mint(keys.minting(), claims);
        let offer = SteeringOffer::new(&link, NOW, 600).expect("an offer");
        offer.mint(&playlist(), revision, keys.minting())
    }

    #[test]
    fn a_token_keeps_the_claims_of_its_link_until_the_end_of_watch() {
        let keys = ring(&["k"]);
        for revision in [None, Some("0a1b")] {
            let minted = minted(&link(), revision).expect("a token");
            let verified = SteeringToken::verify_signature(&minted, &keys).expect("claims");
            let expected = SteeringToken {
                link: link(),
                playlist: playlist(),
                revision: revision.map(str::to_owned),
                opened: NOW,
                ends: NOW + 600,
            };
            assert_eq!(verified, expected);
            for (now, max_watch, expected) in [
                (NOW, 600, Ok(())),
                (NOW + 600, 600, Ok(())),
                (NOW + 601, 600, Err(LinkError::Expired(NOW + 600))),
                // The clock of another data centre may be ahead.
                (NOW, 570, Ok(())),
                (NOW, 569, Err(LinkError::TooFarAhead(569))),
                (NOW - 30, 630, Ok(())),
                (NOW - 31, 631, Err(LinkError::NotYetValid(NOW))),
            ] {
                assert_eq!(verified.check_times(now, max_watch), expected, "{now}");
            }
        }
    }

    #[test]
    fn links_and_steering_tokens_do_not_pass_for_each_other() {
        let keys = ring(&["k"]);
        let token = minted(&link(), None).expect("a token");
        assert_eq!(verify(&token, &keys, NOW, 600), Err(LinkError::BadHeader));
        let link = mint(keys.minting(), &link());
        let verified = SteeringToken::verify_signature(&link, &keys);
        assert_eq!(verified, Err(LinkError::BadHeader));
        assert_eq!(SteeringOffer::new(&token, NOW, 600), None);
        // A link of an app whose library writes no `typ`.
        let (_, rest) = link.split_once('.').expect("a header");
        let untyped = format!("eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.{rest}");
        let verified = SteeringToken::verify_signature(&untyped, &keys);
        assert_eq!(verified, Err(LinkError::BadHeader));
    }

    #[test]
    fn a_token_that_is_longer_than_a_link_is_not_minted() {
        let long = Claims {
            sub: Some("s".repeat(2_900)),
            ..link()
        };
        assert_eq!(minted(&long, None), None);
    }

    #[test]
    fn other_claims_are_no_steering_token() {
        let keys = ring(&["k"]);
        let verified = |json: &str| {
            let token = sign(keys.minting(), TokenType::Steering, json.as_bytes());
            SteeringToken::verify_signature(&token, &keys)
        };
        let right = r#"{"playlist":"/c/p.m3u8","opened":1,"ends":2,"link":{"path":"/c/","exp":1}}"#;
        assert!(verified(right).is_ok());
        for (old, new) in [
            (right, ""),
            (right, "{}"),
            (right, "[]"),
            (r#""/c/p.m3u8""#, r#""/c/""#),
            (r#""/c/p.m3u8""#, r#""c/p.m3u8""#),
            (r#""/c/p.m3u8""#, "1"),
            (r#""opened":1"#, r#""opened":"1""#),
            (r#""ends":2"#, r#""ends":2.5"#),
            (r#""ends":2"#, r#""ends":2,"revision":"""#),
            (r#""ends":2"#, r#""ends":2,"revision":"../x""#),
            (r#""ends":2"#, r#""ends":2,"revision":null"#),
            (r#"{"path":"/c/","exp":1}"#, "{}"),
            (r#"{"path":"/c/","exp":1}"#, "1"),
            (r#""exp":1"#, r#""exp":1,"use":"renew""#),
        ] {
            let json = right.replace(old, new);
            assert!(verified(&json).is_err(), "{json}");
        }
    }
}
