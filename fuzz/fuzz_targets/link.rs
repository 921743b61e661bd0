//! Links. The input is a stranger's token. If it has a line feed, it is a header and a payload,
//! which are validly signed here, to reach the parsers behind the MAC.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lectern::credential::keyring::Keyring;
use lectern::credential::link::{self, LinkError, MAX_LINK_BYTES};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::Sha256;

const SECRET: &[u8; 32] = b"fuzz fuzz fuzz fuzz fuzz fuzz fu";
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let keys = keys();
    let Some((header, payload)) = text.split_once('\n') else {
        // The corpus does not contain the secret.
        assert!(link::verify(text, &keys, NOW, DAY).is_err(), "forged");
        return;
    };
    let token = sign(header, payload);
    let verified = link::verify_signature(&token, &keys);
    if token.len() > MAX_LINK_BYTES {
        assert_eq!(verified, Err(LinkError::TooLong));
        return;
    }
    assert_ne!(verified, Err(LinkError::BadSignature));
    let Ok(claims) = verified else {
        return;
    };

    // Unknown claims are ignored, and so are numbers that `Value` cannot hold.
    let (Ok(header), Ok(decoded)) = (
        serde_json::from_str::<Value>(header),
        serde_json::from_str::<Value>(payload),
    ) else {
        return;
    };
    assert_eq!(header["alg"], "HS256");
    assert_eq!(header["kid"], "fuzz");
    for (name, time) in [
        ("exp", Some(claims.exp)),
        ("nbf", claims.nbf),
        ("iat", claims.iat),
    ] {
        match (decoded[name].as_u64(), decoded[name].as_f64(), time) {
            // A time with a fraction is rounded down, and a float may be rounded up.
            (None, Some(decimal), Some(floor)) => {
                let above = decimal.floor() - floor as f64;
                assert!((0.0..=1.0).contains(&above), "{name}: {decimal} {floor}");
            }
            (whole, _, time) => assert_eq!(whole, time, "{name}"),
        }
    }
    assert_eq!(
        decoded["path"].as_str(),
        Some(claims.path.to_string().as_str())
    );
    assert_eq!(
        decoded["max_height"].as_u64(),
        claims.max_height.map(u64::from)
    );
    assert_eq!(decoded["sub"].as_str(), claims.sub.as_deref());
    assert_eq!(decoded["max_bytes"].as_u64(), claims.max_bytes);
    assert_eq!(decoded["max_objects"].as_u64(), claims.max_objects);
    let types = decoded["types"].as_array().map(Vec::len);
    assert_eq!(types, claims.types.as_ref().map(Vec::len));
    assert_eq!(claims.check(), Ok(()));
    for range in claims.ip.iter().flatten() {
        for address in ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"] {
            let _ = range.contains(address.parse().expect("an address"));
        }
    }

    let minted = link::mint(keys.minting(), &claims);
    if minted.len() <= MAX_LINK_BYTES {
        assert_eq!(link::verify_signature(&minted, &keys), Ok(claims.clone()));
    }
    if link::verify(&token, &keys, NOW, DAY).is_ok() {
        assert!((NOW..=NOW + DAY).contains(&claims.exp));
    }

    let at = data.len() % token.len();
    let mut forged = token.into_bytes();
    forged[at] ^= 1 << (data.len() % 7);
    let forged = String::from_utf8(forged).expect("ASCII stays ASCII");
    assert!(link::verify_signature(&forged, &keys).is_err(), "{forged}");
});

fn keys() -> Keyring {
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    Keyring::from_json(&format!(r#"[{{"kid":"fuzz","secret":"{secret}"}}]"#)).expect("a key ring")
}

fn sign(header: &str, payload: &str) -> String {
    let signed = [header, payload]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let mac = Hmac::<Sha256>::new_from_slice(SECRET)
        .expect("a key of any length")
        .chain_update(&signed);
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}
