//! Links: the credential that a course app mints and a player opens. A link is a JWT (RFC 7519)
//! with `alg` HS256.
//!
//! The key fixes the algorithm, never the token. Every length is bounded before anything is hashed.
//! Only a link with a valid signature gets the answer `expired`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;

pub use super::claims::{CLAIMS, Claims, Purpose};
use super::keyring::{Key, Keyring};
use serde::Serialize;

use crate::json::{self, JsonValue};

/// The maximum length of a link. Longer ones are refused unread.
pub const MAX_LINK_BYTES: usize = 4096;
/// Leeway for clock skew (RFC 7519 §4.1.5). `exp` has none: it is the last second by definition.
pub(crate) const LEEWAY_SECONDS: u64 = 30;

/// The kind of a token. Its header names it (RFC 8725 §3.11), so a token of one kind never passes
/// for one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// A link.
    Jwt,
    /// A steering token: see [`super::steering_token`].
    Steering,
}

impl TokenType {
    fn typ(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Steering => "lectern-steering",
        }
    }
}

/// The reason why a link opens nothing. The viewer sees `expired` or `forbidden`; the operator's
/// log has the rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the link is longer than {MAX_LINK_BYTES} bytes")]
    TooLong,
    #[error("the link is not a JWT of three base64url parts")]
    NotAJwt,
    #[error("the link's header is not `{{\"alg\":\"HS256\",\"kid\":…}}`")]
    BadHeader,
    #[error("the link's header lists `{0}` in `crit`, which this edge does not support")]
    UnknownCritical(String),
    #[error("no key has the link's `kid`")]
    UnknownKey,
    #[error("the signature is wrong")]
    BadSignature,
    #[error("the claims are invalid: {0}")]
    BadClaims(&'static str),
    #[error("the link expired at {0}")]
    Expired(u64),
    #[error("the link is not valid before {0}")]
    NotYetValid(u64),
    #[error("the link expires more than {0} seconds ahead")]
    TooFarAhead(u64),
}

#[derive(Serialize)]
struct JoseHeader<'key> {
    alg: &'static str,
    typ: &'static str,
    kid: &'key str,
}

/// Mints a link. The same claims and key always make the same link.
#[must_use]
pub fn mint(key: &Key, claims: &Claims) -> String {
    // Strings and integers always serialize. `verify` would refuse an empty payload.
    sign(
        key,
        TokenType::Jwt,
        &serde_json::to_vec(claims).unwrap_or_default(),
    )
}

/// Signs a payload as a token of one kind.
pub(crate) fn sign(key: &Key, kind: TokenType, payload: &[u8]) -> String {
    let mut token = String::with_capacity(256);
    let header = json::written(&JoseHeader {
        alg: "HS256",
        typ: kind.typ(),
        kid: key.kid(),
    });
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.link_mac().chain_update(token.as_bytes()).finalize();
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.into_bytes(), &mut token);
    token
}

/// Verifies form, algorithm, key, signature, claims and times. The caller checks which request the
/// link opens.
///
/// # Errors
/// The first check that fails, in the order above.
pub fn verify(
    token: &str,
    keys: &Keyring,
    now: u64,
    max_link_age: u64,
) -> Result<Claims, LinkError> {
    let claims = verify_signature(token, keys)?;
    if now > claims.exp {
        return Err(LinkError::Expired(claims.exp));
    }
    if claims.exp - now > max_link_age {
        return Err(LinkError::TooFarAhead(max_link_age));
    }
    for earliest in [claims.nbf, claims.iat].into_iter().flatten() {
        if earliest > now.saturating_add(LEEWAY_SECONDS) {
            return Err(LinkError::NotYetValid(earliest));
        }
    }
    Ok(claims)
}

/// Decodes a link without verifying it: key id and claims. The operator's tools have no secrets.
///
/// # Errors
/// When form or claims are invalid.
pub fn decode(token: &str) -> Result<(String, Claims), LinkError> {
    let (kid, payload) = decode_payload(token, TokenType::Jwt)?;
    Ok((kid, parse_claims(&payload)?))
}

/// Decodes a token without verifying it: key id and payload.
pub(crate) fn decode_payload(token: &str, kind: TokenType) -> Result<(String, Vec<u8>), LinkError> {
    let LinkParts { kid, payload, .. } = LinkParts::of(token, kind)?;
    Ok((kid, payload))
}

/// Verifies a link's signature and returns its claims, at any time.
///
/// # Errors
/// When form, algorithm, key, signature or claims are invalid.
pub fn verify_signature(token: &str, keys: &Keyring) -> Result<Claims, LinkError> {
    parse_claims(&verified_payload(token, TokenType::Jwt, keys)?)
}

/// Verifies form, kind, algorithm, key and signature of a token, and returns its payload.
pub(crate) fn verified_payload(
    token: &str,
    kind: TokenType,
    keys: &Keyring,
) -> Result<Vec<u8>, LinkError> {
    let LinkParts {
        signed,
        kid,
        payload,
        signature,
    } = LinkParts::of(token, kind)?;
    // An unknown `kid` takes as long as a wrong signature: a MAC with the minting key is computed
    // and discarded.
    let key = keys.by_kid(&kid);
    let mac = key.unwrap_or(keys.minting()).link_mac();
    let right = mac
        .chain_update(signed.as_bytes())
        .verify_slice(&signature)
        .is_ok();
    match (key, right) {
        (None, _) => Err(LinkError::UnknownKey),
        (Some(_), false) => Err(LinkError::BadSignature),
        (Some(_), true) => Ok(payload),
    }
}

/// A token split into its parts, with a checked header.
struct LinkParts<'token> {
    signed: &'token str,
    kid: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'token> LinkParts<'token> {
    fn of(token: &'token str, kind: TokenType) -> Result<Self, LinkError> {
        if token.len() > MAX_LINK_BYTES {
            return Err(LinkError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(LinkError::NotAJwt)?;
        let (header, payload) = signed.split_once('.').ok_or(LinkError::NotAJwt)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| LinkError::NotAJwt);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        Ok(Self {
            signed,
            kid: parse_header(&header, kind)?,
            payload,
            signature,
        })
    }
}

/// Parses a header that has the required members and no critical extension. Returns its `kid`. A
/// link's header may omit `typ`.
fn parse_header(header: &[u8], kind: TokenType) -> Result<String, LinkError> {
    let header = JsonValue::parse(header).ok_or(LinkError::BadHeader)?;
    let text = |name| match header.member(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(LinkError::BadHeader),
    };
    let is_of_kind = match text("typ")? {
        None => kind == TokenType::Jwt,
        Some(typ) => typ.eq_ignore_ascii_case(kind.typ()),
    };
    if text("alg")? != Some("HS256") || !is_of_kind {
        return Err(LinkError::BadHeader);
    }
    if let Some(crit) = header.member("crit") {
        let names = crit.as_strings().filter(|names| !names.is_empty());
        for name in names.ok_or(LinkError::BadHeader)? {
            if !CLAIMS.contains(&name) {
                return Err(LinkError::UnknownCritical(name.to_owned()));
            }
        }
    }
    let kid = text("kid")?.ok_or(LinkError::BadHeader)?;
    Ok(kid.to_owned())
}

fn parse_claims(payload: &[u8]) -> Result<Claims, LinkError> {
    Claims::from_json(payload).map_err(LinkError::BadClaims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::binding::{Cidr, Country};
    use crate::credential::keyring::testing::ring;
    use crate::http::cors::OriginPattern;
    use crate::object::key::Scope;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    /// A token with any header and payload, and a valid signature.
    fn sign(key: &Key, header: &str, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = key.link_mac().chain_update(signed.as_bytes()).finalize();
        format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature.into_bytes())
        )
    }

    fn claims(path: &str) -> Claims {
        Claims::new(Scope::parse(path).expect("a scope"), NOW + DAY)
    }

    #[test]
    fn a_minted_link_verifies_with_its_claims() {
        let ring = ring(&["new", "old"]);
        let full = Claims {
            nbf: Some(NOW),
            iat: Some(NOW),
            purpose: Purpose::Upload,
            sub: Some("s42".into()),
            jti: Some("l1".into()),
            watermark: Some("Ada".into()),
            watch: Some(60),
            max_height: Some(720),
            preview: Some((0, 60)),
            langs: Some(vec!["en".into()]),
            ip: Cidr::parse("10.0.0.0/8").map(|range| vec![range]),
            country: Country::parse("DE").map(|country| vec![country]),
            origin: OriginPattern::parse("https://*.example.org").map(|origin| vec![origin]),
            sessions: Some(2),
            strict: true,
            max_bytes: Some(1 << 40),
            ..claims("/courses/rails/")
        };
        for expected in [claims("/a/master.m3u8"), full] {
            for key in ring.iter() {
                let token = mint(key, &expected);
                assert_eq!(verify(&token, &ring, NOW, DAY), Ok(expected.clone()));
            }
        }
    }

    #[test]
    fn a_link_holds_from_its_first_to_its_last_second() {
        let ring = ring(&["k"]);
        let timed = |nbf, exp| {
            mint(
                ring.minting(),
                &Claims {
                    nbf,
                    exp,
                    ..claims("/a")
                },
            )
        };
        for (nbf, exp, expected) in [
            (None, NOW, Ok(())),
            (None, NOW - 1, Err(LinkError::Expired(NOW - 1))),
            (None, NOW + DAY, Ok(())),
            (None, NOW + DAY + 1, Err(LinkError::TooFarAhead(DAY))),
            (Some(NOW + 30), NOW + 60, Ok(())),
            (
                Some(NOW + 31),
                NOW + 60,
                Err(LinkError::NotYetValid(NOW + 31)),
            ),
        ] {
            let verified = verify(&timed(nbf, exp), &ring, NOW, DAY).map(|_| ());
            assert_eq!(verified, expected, "{nbf:?} {exp}");
        }
    }

    #[test]
    fn any_changed_character_is_refused() {
        let ring = ring(&["k"]);
        let token = mint(ring.minting(), &claims("/a/"));
        for at in 0..token.len() {
            for replacement in ["A", "z", "-", ".", "=", " "] {
                if token[at..=at] == *replacement {
                    continue;
                }
                let forged = format!("{}{replacement}{}", &token[..at], &token[at + 1..]);
                assert!(verify(&forged, &ring, NOW, DAY).is_err(), "{forged}");
            }
        }
    }

    #[test]
    fn only_hs256_under_a_known_key_is_a_link() {
        let ring = ring(&["k"]);
        let payload = format!(r#"{{"path":"/a","exp":{NOW}}}"#);
        let unknown = |name: &str| LinkError::UnknownCritical(name.to_owned());
        for (header, expected) in [
            (r#"{"alg":"HS256","kid":"k"}"#, None),
            (r#"{"alg":"HS256","kid":"k","typ":"jwt","x":[1]}"#, None),
            (r#"{"alg":"HS256","kid":"k","crit":["preview"]}"#, None),
            (r#"{"alg":"HS256","kid":"j"}"#, Some(LinkError::UnknownKey)),
            (r#"{"alg":"HS256"}"#, Some(LinkError::BadHeader)),
            (r#"{"alg":"none","kid":"k"}"#, Some(LinkError::BadHeader)),
            (r#"{"alg":"HS512","kid":"k"}"#, Some(LinkError::BadHeader)),
            (r#"{"alg":"hs256","kid":"k"}"#, Some(LinkError::BadHeader)),
            (
                r#"{"alg":"HS256","alg":"HS256","kid":"k"}"#,
                Some(LinkError::BadHeader),
            ),
            (
                r#"{"alg":"HS256","kid":"k","typ":"JWE"}"#,
                Some(LinkError::BadHeader),
            ),
            (
                r#"{"alg":"HS256","kid":"k","crit":[]}"#,
                Some(LinkError::BadHeader),
            ),
            (
                r#"{"alg":"HS256","kid":"k","crit":["b64"]}"#,
                Some(unknown("b64")),
            ),
        ] {
            let token = sign(ring.minting(), header, &payload);
            assert_eq!(verify(&token, &ring, NOW, DAY).err(), expected, "{header}");
        }
    }

    #[test]
    fn a_claim_that_is_not_understood_is_refused() {
        let ring = ring(&["k"]);
        let key = ring.minting();
        let accepted = |payload: &str| {
            let token = sign(key, r#"{"alg":"HS256","kid":"k"}"#, payload);
            verify(&token, &ring, NOW, DAY).is_ok()
        };
        let with = |extra: &str| format!(r#"{{"path":"/a/","exp":{NOW}{extra}}}"#);
        for (extra, expected) in [
            ("", true),
            (r#","course":{"a":[null]}"#, true),
            (r#","use":"download""#, true),
            (r#","use":"Play""#, false),
            (r#","use":null"#, false),
            (r#","nbf":1.0"#, true),
            (r#","nbf":1.5,"iat":1799999999.999"#, true),
            (r#","nbf":1e0"#, false),
            (r#","nbf":-0.5"#, false),
            (r#","watch":1.5"#, false),
            (r#","preview":[0,60.0]"#, false),
            (r#","nbf":-1"#, false),
            (r#","nbf":"1""#, false),
            (r#","nbf":9007199254740991"#, false),
            (r#","watch":9007199254740992"#, false),
            (r#","watch":0"#, false),
            (r#","exp":1900000000"#, false),
            (r#","preview":[60,60]"#, false),
            (r#","preview":[0,60,90]"#, false),
            (r#","langs":[]"#, false),
            (r#","langs":"en""#, false),
            (r#","sub":"""#, false),
            (r#","max_height":0"#, false),
            (r#","langs":["en","pt-BR"]"#, true),
            (r#","langs":["en us"]"#, false),
            (r#","langs":[""]"#, false),
            (r#","ip":["10.0.0.0/8","2001:db8::/32"]"#, true),
            (r#","ip":["10.0.0.1/8"]"#, false),
            (r#","ip":[]"#, false),
            (r#","country":["DE","fr"]"#, true),
            (r#","country":["Germany"]"#, false),
            (r#","origin":["https://*.school.example"]"#, true),
            (r#","origin":["school.example"]"#, false),
        ] {
            assert_eq!(accepted(&with(extra)), expected, "{extra}");
        }
        for payload in [
            "",
            "{}",
            r#"{"path":"/a"}"#,
            r#"{"exp":1800000000}"#,
            r#"{"path":"/","exp":1800000000}"#,
            r#"{"path":"/a/../b","exp":1800000000}"#,
            r#"{"path":"a","exp":1800000000}"#,
            r#"{"path":"/a","exp":1799999999.9}"#,
            r#"{"path":"/a","exp":9007199254740992.0}"#,
            r#"{"path":"/a","exp":18.0e8}"#,
            r#"{"path":"/a","exp":1e10}"#,
            r#"{"path":"/a","exp":1800000000} x"#,
            &format!(
                r#"{{"path":"/a","exp":1800000000,"x":{}}}"#,
                "[".repeat(2000)
            ),
        ] {
            assert!(!accepted(payload), "{payload}");
        }
    }

    #[test]
    fn a_link_over_its_bound_is_refused_unread() {
        let long = "a".repeat(MAX_LINK_BYTES + 1);
        assert_eq!(
            verify(&long, &ring(&["k"]), NOW, DAY),
            Err(LinkError::TooLong)
        );
    }

    #[test]
    fn a_link_is_as_long_as_a_link_may_be() {
        let ring = ring(&["k"]);
        let padded = |length: usize| {
            let padding = "x".repeat(length);
            sign(
                ring.minting(),
                // A space makes the lengths of base64url even.
                r#"{"alg":"HS256", "kid":"k"}"#,
                &format!(r#"{{"path":"/a","exp":{NOW},"x":"{padding}"}}"#),
            )
        };
        let longest = (2900..3100)
            .map(padded)
            .rfind(|token| token.len() <= MAX_LINK_BYTES)
            .expect("a link");
        assert_eq!(longest.len(), MAX_LINK_BYTES);
        assert!(verify(&longest, &ring, NOW, DAY).is_ok());
        assert_eq!(
            verify(&format!("{longest}A"), &ring, NOW, DAY),
            Err(LinkError::TooLong)
        );
    }

    #[test]
    fn a_link_says_what_it_has_to_and_no_more() {
        let token = mint(ring(&["k"]).minting(), &claims("/a/b"));
        let payload = token.split('.').nth(1).expect("a payload");
        let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
        assert_eq!(
            String::from_utf8_lossy(&payload),
            format!(r#"{{"path":"/a/b","exp":{}}}"#, NOW + DAY)
        );
    }
}
