//! The rewriter, without limits and under each. Four oracles. Without variables, assets and
//! steering, the output minus its passes is the input, byte for byte. Rewriting twice equals
//! rewriting once. Each pass opens the object that the WHATWG URL parser, as used by players,
//! resolves. No pass in a restricted playlist opens an unrestricted one.
#![no_main]

use lectern::credential::keyring::Keyring;
use lectern::credential::binding::Binding;
use lectern::object::key::{Directory, ObjectKey};
use lectern::credential::pass::PassKind;
use lectern::playlist::{Base, Entitlements, Grant, Limits, rewrite, rewrite_asset_list, uris};
use lectern_fuzz::{KEYS, NOW, ORIGIN, has_a_pass, passes, text, without_passes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|playlist: &[u8]| {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("courses/a b/v/1/playlist.m3u8").expect("an object key");
    let base = Base {
        origin: ORIGIN,
        key: &key,
    };
    let grant = Grant {
        signing_key: keys.minting(),
        expires: NOW,
        root: Directory::ancestor_of(&key, 2).expect("a directory"),
        depth: 2,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::None,
    };
    let _ = rewrite_asset_list(playlist, &base, &grant);
    let Ok(once) = rewrite(playlist, &base, &grant) else {
        return;
    };
    let changes = once.removed_steering || changes_more_than_passes(playlist);
    let once = once.bytes;
    let twice = rewrite(&once, &base, &grant)
        .expect("passes make no line too long here")
        .bytes;
    assert_eq!(
        text(&once),
        text(&twice),
        "rewriting again changes something"
    );

    // An existing pass is replaced, so the output has no additional one.
    let has_a_pass = has_a_pass(playlist);
    if !has_a_pass && !changes {
        assert_eq!(text(&without_passes(&once)), text(playlist));
    }

    for pass in passes(&once, uris(&once), &key, &keys, has_a_pass) {
        assert!(matches!(
            pass.kind,
            PassKind::Object
                | PassKind::Playlist { depth: 2 }
                | PassKind::AssetList { depth: 2 }
                | PassKind::Storyboard { depth: 2 }
        ));
    }

    let entitlements = Entitlements {
        max_height: Some(720),
        langs: Some(vec!["en".to_owned()]),
        preview: Some((4, 12)),
    };
    for limits in [
        Limits::RestrictedLink(entitlements.clone()),
        Limits::Media { preview: None },
        Limits::Media {
            preview: entitlements.preview,
        },
    ] {
        let grant = Grant {
            limits: limits.clone(),
            ..grant.clone()
        };
        let Ok(output) = rewrite(playlist, &base, &grant) else {
            continue;
        };
        let output = output.bytes;
        let restricted = PassKind::Restricted {
            depth: 2,
            preview: entitlements.preview,
        };
        for pass in passes(&output, uris(&output), &key, &keys, has_a_pass) {
            match limits {
                Limits::RestrictedLink(_) => {
                    assert!([PassKind::Object, restricted].contains(&pass.kind), "{pass:?}");
                }
                _ => assert_eq!(pass.kind, PassKind::Object),
            }
        }
    }
});

/// Variables are expanded, and assets become URLs.
fn changes_more_than_passes(playlist: &[u8]) -> bool {
    let holds = |text: &[u8]| playlist.windows(text.len()).any(|window| window == text);
    holds(b"{$") || holds(b"X-ASSET-")
}
