//! Passes. The input is lines: an object key, another object key, and a stranger's pass.
#![no_main]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lectern::credential::keyring::Keyring;
use lectern::credential::binding::{Country, Network, Binding};
use lectern::object::key::ObjectKey;
use lectern::credential::pass::{self, Minter, Pass, PassError, PassKind, TICKET_CHARACTERS};
use lectern::credential::ticket::{Place, Ticket};
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
    // libFuzzer sees comparisons, and so learns passes minted here. No other pass is accepted.
    if let Ok(pass) = pass::verify_mac(sent, &key, Binding::default(), &keys) {
        let honest = keys
            .iter()
            .any(|minting| mint(minting, pass.kind, pass.expires, Binding::default(), pass.ticket, &key) == sent);
        assert!(honest, "forged: {sent}");
    }

    let mut seed = [0_u8; 9];
    for (into, byte) in seed.iter_mut().zip(sent.bytes()) {
        *into = byte;
    }
    let [a, b, c, d, depth, e, f, g, h] = seed;
    let expires = u64::from(u32::from_be_bytes([a, b, c, d]));
    let preview = (u32::from_be_bytes([e, f, g, h]), u32::from(depth));
    let kinds = [
        PassKind::Object,
        PassKind::Playlist { depth },
        PassKind::Restricted {
            depth,
            preview: None,
        },
        PassKind::Restricted {
            depth,
            preview: Some(preview),
        },
        PassKind::AssetList { depth },
        PassKind::Storyboard { depth },
    ];
    let binding = Binding {
        network: (depth & 1 == 1).then(|| Network::of([a, b, c, d].into())),
        country: (depth & 2 == 2).then(|| Country::parse("DE").expect("a code")),
    };
    let elsewhere = Binding {
        network: Some(Network::of([a ^ 1, b, c, d].into())),
        country: Country::parse("BR"),
    };
    let ticket = match depth >> 2 & 3 {
        0 => None,
        parts => Some(Ticket {
            viewer: Some([a; 12]),
            link: (parts > 1).then_some([b; 8]),
            place: (parts > 2).then_some(Place {
                session: [c; 8],
                places: d,
                newest_wins: a & 1 == 1,
            }),
            is_strict: b & 1 == 1,
        }),
    };
    let has_place = ticket.is_some_and(|ticket| ticket.place.is_some());
    let bound = (binding.network.is_some(), binding.country.is_some());
    let mut minted_so_far: Vec<String> = Vec::new();
    for kind in kinds {
        for minting in keys.iter() {
            let carried = ticket.filter(|_| kind != PassKind::Object || has_place);
            let minted = mint(minting, kind, expires, binding, ticket, &key);
            let most = if kind == PassKind::Object { 40 } else { 43 };
            assert!(minted.len() <= most + carried.map_or(0, |_| TICKET_CHARACTERS));
            assert_eq!(
                minted,
                mint(minting, kind, expires, binding, ticket, &key),
                "not deterministic"
            );
            assert!(!minted_so_far.contains(&minted), "two kinds, one pass");
            let pass = Pass {
                kind,
                expires,
                bound,
                ticket: carried,
            };
            assert_eq!(pass::verify(&minted, &key, binding, &keys, expires), Ok(pass));
            assert_eq!(
                pass::verify(&minted, &key, binding, &keys, expires + 1),
                Err(PassError::Expired(expires))
            );
            let away = pass::verify_mac(&minted, &key, elsewhere, &keys);
            assert_eq!(away.is_ok(), bound == (false, false), "bound {bound:?}");
            if key != other {
                let replayed = pass::verify_mac(&minted, &other, binding, &keys);
                assert!(replayed.is_err(), "{key} opens {other}");
            }
            let mut bytes = URL_SAFE_NO_PAD.decode(&minted).expect("base64url");
            let bit = data.len() % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            assert!(
                pass::verify_mac(&forged, &key, binding, &keys).is_err(),
                "bit {bit}"
            );
            minted_so_far.push(minted);
        }
    }
});

fn mint(
    minting: &lectern::credential::keyring::Key,
    kind: PassKind,
    expires: u64,
    binding: Binding,
    ticket: Option<Ticket>,
    key: &ObjectKey,
) -> String {
    let (directory, name) = key.split();
    let mut out = Vec::new();
    let minter = Minter::new(minting, expires, binding);
    minter.with_ticket(ticket).mint(kind, directory, name, &mut out);
    String::from_utf8(out).expect("ASCII")
}
