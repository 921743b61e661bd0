//! Links are JWTs: five public libraries, in five languages, mint links for the edge and verify
//! links of the edge.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lectern::credential::claims::Claims;
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use serde_json::{Value, json};
use testkit::jwt_libraries::{LibraryAnswer, for_each_library};

const KID: &str = "2026-11";
/// Bytes that are not UTF-8, and whose base64 contains characters that base64url replaces.
const SECRET: [u8; 33] = [0xfb; 33];
const NOW: u64 = 1_800_000_000;
/// The libraries use the wall clock: from 2023 to 2100.
const PAST: u64 = 1_700_000_000;
const EXP: u64 = 4_102_444_800;

#[test]
fn a_link_minted_by_any_public_library_opens_here() {
    let keys = keys();
    for_each_library(|name, library| {
        for claims in all_claims() {
            let asked = json!({ "secret": secret(), "kid": KID, "claims": claims });
            let LibraryAnswer::Output(token) = library.ask("mint", &asked) else {
                return false;
            };
            let token = token.expect(name);
            let found = link::verify(&token, &keys, NOW, EXP - NOW);
            let expected = Claims::from_json(claims.to_string().as_bytes()).expect("claims");
            assert_eq!(found, Ok(expected), "{name}: {token}");
        }
        true
    });
}

#[test]
fn a_link_minted_here_verifies_in_any_public_library() {
    let keys = keys();
    for_each_library(|name, library| {
        for claims in all_claims() {
            let said = Claims::from_json(claims.to_string().as_bytes()).expect("claims");
            let token = link::mint(keys.minting(), &said);
            let LibraryAnswer::Output(found) =
                library.ask("verify", &json!({ "secret": secret(), "token": token }))
            else {
                return false;
            };
            let found: Value = serde_json::from_str(&found.expect(name)).expect(name);
            assert_eq!(found, claims, "{name}: {token}");
        }
        true
    });
}

#[test]
fn a_forged_link_is_refused_by_every_library_as_it_is_here() {
    let keys = keys();
    for_each_library(|name, library| {
        for claims in all_claims() {
            let asked = json!({ "secret": secret(), "kid": KID, "claims": claims });
            let LibraryAnswer::Output(theirs) = library.ask("mint", &asked) else {
                return false;
            };
            let said = Claims::from_json(claims.to_string().as_bytes()).expect("claims");
            let ours = link::mint(keys.minting(), &said);
            for token in [ours, theirs.expect(name)] {
                let forged = forge(&token);
                assert!(
                    link::verify_signature(&forged, &keys).is_err(),
                    "{name}: {forged}"
                );
                let asked = json!({ "secret": secret(), "token": forged });
                let LibraryAnswer::Output(found) = library.ask("verify", &asked) else {
                    return false;
                };
                assert_eq!(found, None, "{name}: {forged}");
            }
        }
        true
    });
}

fn keys() -> Keyring {
    let ring = json!([{ "kid": KID, "secret": secret() }]);
    Keyring::from_json(&ring.to_string()).expect("a key ring")
}

fn secret() -> String {
    URL_SAFE_NO_PAD.encode(SECRET)
}

/// The fewest claims, and each one with text that JSON writers escape in different ways.
fn all_claims() -> [Value; 3] {
    [
        json!({ "path": "/courses/rails/", "exp": EXP }),
        json!({
            "path": "/courses/caf\u{e9} \"1\"/m.m3u8", "exp": EXP, "nbf": PAST, "iat": PAST, "use": "download",
            "sub": "s/42 <\u{65e5}\u{672c}> \u{1f393}", "jti": "l&1", "watch": 3600, "max_height": 720,
            "preview": [0, 300], "langs": ["en", "pt-BR"], "ip": ["10.0.0.0/8", "2001:db8::/32"],
            "country": ["DE", "BR"], "origin": ["https://*.example.org"], "sessions": 2
        }),
        json!({
            "path": "/uploads/s42/", "exp": EXP, "use": "upload", "jti": "l&1", "max_bytes": 1073741824,
            "max_objects": 5000, "types": ["video", "hls"]
        }),
    ]
}

/// The same token with another bit in its signature.
fn forge(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    bytes[31] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
