//! Passes. The input is lines: an object key, another object key, and a pass as a stranger sends it.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lectern::keyring::Keyring;
use lectern::object_key::ObjectKey;
use lectern::pass::{self, Kind, Minter, Pass, PassError};
use libfuzzer_sys::fuzz_target;

const KEYS: &str = r#"[{"kid":"new","secret":"bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldyE"},
    {"kid":"old","secret":"b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCE"}]"#;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let (Some(key), Some(other), Some(sent)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let (Ok(key), Ok(other)) = (ObjectKey::new(key), ObjectKey::new(other)) else {
        return;
    };
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    assert!(pass::verify_mac(sent, &key, &keys).is_err(), "forged: {sent}");

    let mut seed = [0_u8; 4];
    for (into, byte) in seed.iter_mut().zip(sent.bytes()) {
        *into = byte;
    }
    let expires = u64::from(u32::from_be_bytes(seed));
    for kind in [Kind::Object, Kind::Playlist { depth: seed[3] }] {
        for minting in keys.iter() {
            let minted = mint(minting, kind, expires, &key);
            assert!(minted.len() <= 40);
            assert_eq!(minted, mint(minting, kind, expires, &key), "not deterministic");
            assert_eq!(
                pass::verify(&minted, &key, &keys, expires),
                Ok(Pass { kind, expires })
            );
            assert_eq!(
                pass::verify(&minted, &key, &keys, expires + 1),
                Err(PassError::Expired(expires))
            );
            if key != other {
                assert!(pass::verify_mac(&minted, &other, &keys).is_err(), "{key} opens {other}");
            }
            let mut bytes = URL_SAFE_NO_PAD.decode(&minted).expect("base64url");
            let bit = data.len() % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            assert!(pass::verify_mac(&forged, &key, &keys).is_err(), "bit {bit}");
        }
    }
});

fn mint(minting: &lectern::keyring::Key, kind: Kind, expires: u64, key: &ObjectKey) -> String {
    let (directory, name) = key.split();
    let mut out = Vec::new();
    Minter::new(minting, expires).mint(kind, directory, name, &mut out);
    String::from_utf8(out).expect("ASCII")
}
