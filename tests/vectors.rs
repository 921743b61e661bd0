//! Public test vectors: Wycheproof's HMAC-SHA-256 and JWS with HS256, and RFC 4231.
//!
//! `LECTERN_VECTORS` names their folder. Its README has their sources and licences.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lectern::credential::keyring::Keyring;
use lectern::credential::link::{self, LinkError};
use serde_json::{Value, json};
use sha2::Sha256;

#[test]
fn the_hmac_that_signs_links_and_passes_is_that_of_rfc_4231() {
    let Some(file) = read("rfc4231_hmac_sha256.json") else {
        return;
    };
    let cases = list(&file["cases"]);
    for case in cases {
        let (key, message, tag) = (
            bytes(&case["key"]),
            bytes(&case["msg"]),
            bytes(&case["tag"]),
        );
        assert!(
            hmac(&key, &message).verify_slice(&tag).is_ok(),
            "case {}",
            case["n"]
        );
        // Truncated, as passes are (RFC 2104 §5).
        assert!(
            hmac(&key, &message)
                .verify_truncated_left(&tag[..16])
                .is_ok(),
            "case {}",
            case["n"]
        );
    }
    assert_eq!(cases.len(), 6);
}

#[test]
fn the_hmac_that_signs_links_and_passes_is_wycheproofs() {
    let Some(file) = read("hmac_sha256_test.json") else {
        return;
    };
    let mut seen = 0;
    for group in list(&file["testGroups"]) {
        for test in list(&group["tests"]) {
            let (key, message, tag) = (
                bytes(&test["key"]),
                bytes(&test["msg"]),
                bytes(&test["tag"]),
            );
            let verified = match tag.len() {
                32 => hmac(&key, &message).verify_slice(&tag),
                _ => hmac(&key, &message).verify_truncated_left(&tag),
            };
            assert_eq!(
                verified.is_ok(),
                test["result"] == "valid",
                "{} {}",
                test["tcId"],
                test["comment"]
            );
            seen += 1;
        }
    }
    assert_eq!(file["numberOfTests"], seen);
}

/// No payload here has the claims of a link, so none opens anything. [`LinkError::BadClaims`]
/// proves a valid signature, because the edge checks it first.
#[test]
fn a_jws_is_refused_where_wycheproof_says_so_and_else_for_its_claims_alone() {
    let Some(file) = read("json_web_signature_test.json") else {
        return;
    };
    let mut valid = 0;
    let mut invalid = 0;
    for group in list(&file["testGroups"]) {
        let key = &group["private"];
        if key["alg"] != "HS256" {
            continue;
        }
        let ring = json!([{ "kid": key["kid"], "secret": key["k"] }]).to_string();
        let keys = Keyring::from_json(&ring).expect("32 bytes and a kid of plain characters");
        for test in list(&group["tests"]) {
            let id = test["tcId"].as_u64().expect("an id");
            let found = link::verify_signature(test["jws"].as_str().expect("a JWS"), &keys);
            let signature_is_right = matches!(found, Err(LinkError::BadClaims(_)));
            let expected = match id {
                // Marked invalid for their padding, but in this file they equal test 357, which is
                // valid.
                367 | 370 => true,
                // Marked valid, but a part contains `?`, which RFC 7515 §2 does not allow in
                // base64url.
                372 | 373 => false,
                _ => test["result"] == "valid",
            };
            assert_eq!(
                signature_is_right, expected,
                "{id} {}: {found:?}",
                test["comment"]
            );
            assert!(found.is_err(), "{id}");
            *if expected { &mut valid } else { &mut invalid } += 1;
        }
    }
    assert_eq!((valid, invalid), (10, 30));
}

/// The public key of another algorithm is not a secret: tokens made with it (RFC 8725 §2.1) match
/// no key.
#[test]
fn a_jws_of_another_algorithm_is_no_link() {
    let Some(file) = read("json_web_signature_test.json") else {
        return;
    };
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let mut seen = 0;
    for group in list(&file["testGroups"]) {
        let of_group = if group["private"].is_object() {
            &group["private"]
        } else {
            &group["public"]
        };
        if of_group["alg"] == "HS256" {
            continue;
        }
        let kid = of_group["kid"]
            .as_str()
            .filter(|kid| !kid.contains('@'))
            .unwrap_or("none");
        let ring = json!([{ "kid": kid, "secret": secret }]).to_string();
        let keys = Keyring::from_json(&ring).expect("a key ring");
        for test in list(&group["tests"]) {
            let found = link::verify_signature(test["jws"].as_str().expect("a JWS"), &keys);
            let signature_is_right = matches!(found, Ok(_) | Err(LinkError::BadClaims(_)));
            assert!(
                !signature_is_right,
                "{} {}: {found:?}",
                test["tcId"], test["comment"]
            );
            seen += 1;
        }
    }
    assert!(seen >= 300, "{seen}");
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key)
        .expect("a key of any length")
        .chain_update(message)
}

/// Reads a file of vectors. Without it, prints a line and returns `None`.
fn read(name: &str) -> Option<Value> {
    let folder = std::env::var_os("LECTERN_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"),
        PathBuf::from,
    );
    let Ok(text) = fs::read_to_string(folder.join(name)) else {
        // Bypasses the test harness, which would hide the line.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: no {name} in {} (LECTERN_VECTORS)",
            folder.display()
        );
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Parses hexadecimal digits; `aa*131` repeats a byte.
fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hexadecimal digits");
    let (hex, times) = hex.split_once('*').unwrap_or((hex, "1"));
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits"))
        .collect::<Vec<_>>()
        .repeat(times.parse().expect("a number"))
}
