//! The rewriter, without limits and under each. Four oracles: without the passes the output is the input, byte for byte; rewriting twice is
//! rewriting once; each pass opens the object that the WHATWG URL parser, which players use, makes of its URI; and no
//! pass in a restricted playlist opens an unrestricted one.
#![no_main]

use lectern::keyring::Keyring;
use lectern::network::Place;
use lectern::object_key::{Directory, ObjectKey};
use lectern::pass::{self, Kind, Pass};
use lectern::playlist::{
    Base, Entitlements, Grant, Limits, is_playlist_name, rewrite, rewrite_asset_list, uris,
};
use libfuzzer_sys::fuzz_target;
use url::Url;

const KEYS: &str = r#"[{"kid":"fuzz","secret":"ZnV6eiBmdXp6IGZ1enogZnV6eiBmdXp6IGZ1enogZnU"}]"#;
const ORIGIN: &str = "https://video.example.org";
const NOW: u64 = 1_800_000_000;

fuzz_target!(|playlist: &[u8]| {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("courses/a b/v/1/playlist.m3u8").expect("an object key");
    let base = Base {
        origin: ORIGIN,
        key: &key,
    };
    let grant = Grant {
        key: keys.minting(),
        expires: NOW,
        root: Directory::ancestor_of(&key, 2).expect("a directory"),
        depth: 2,
        place: Place::default(),
        limits: Limits::None,
    };
    let _ = rewrite_asset_list(playlist, &base, &grant);
    let Ok(once) = rewrite(playlist, &base, &grant) else {
        return;
    };
    let twice = rewrite(&once, &base, &grant).expect("passes make no line too long here");
    assert_eq!(
        text(&once),
        text(&twice),
        "rewriting again changes something"
    );

    // A pass that is there already is replaced, which is no addition.
    let has_a_pass = playlist
        .windows(2)
        .any(|pair| matches!(pair, b"?p" | b"&p"));
    if !has_a_pass {
        assert_eq!(text(&without_passes(&once)), text(playlist));
    }

    for pass in passes(&once, &key, &keys, has_a_pass) {
        assert!(matches!(
            pass.kind,
            Kind::Object | Kind::Playlist { depth: 2 } | Kind::AssetList { depth: 2 }
        ));
    }

    let entitlements = Entitlements {
        max_height: Some(720),
        langs: Some(vec!["en".to_owned()]),
        preview: Some((4, 12)),
    };
    for limits in [
        Limits::Multivariant(entitlements.clone()),
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
        let restricted = Kind::Restricted {
            depth: 2,
            preview: entitlements.preview,
        };
        for pass in passes(&output, &key, &keys, has_a_pass) {
            match limits {
                Limits::Multivariant(_) => {
                    assert!([Kind::Object, restricted].contains(&pass.kind), "{pass:?}");
                }
                _ => assert_eq!(pass.kind, Kind::Object),
            }
        }
    }
});

/// Every pass that a rewritten playlist holds. Each opens what the URL parser makes of its URI.
fn passes(output: &[u8], base: &ObjectKey, keys: &Keyring, has_a_pass: bool) -> Vec<Pass> {
    let url = Url::parse(&format!("{ORIGIN}{}", base.to_url_path())).expect("a URL");
    let mut found = Vec::new();
    for span in uris(output) {
        let Ok(uri) = str::from_utf8(&output[span.at]) else {
            continue;
        };
        // What a variable stands for is the fixtures' matter.
        if uri.contains("{$") {
            continue;
        }
        let Ok(resolved) = url.join(uri) else {
            continue;
        };
        let texts: Vec<_> = resolved
            .query_pairs()
            .filter(|(name, _)| name == "p")
            .map(|(_, pass)| pass.into_owned())
            .collect();
        let ours = resolved.origin().ascii_serialization() == ORIGIN;
        assert!(
            ours || has_a_pass || texts.is_empty(),
            "a pass leaves for another origin: {uri}"
        );
        let at = ObjectKey::from_url_path(resolved.path());
        for text in texts.iter().filter(|text| ours && looks_minted(text)) {
            let verified = at
                .as_ref()
                .ok()
                .and_then(|at| pass::verify(text, at, Place::default(), keys, NOW).ok());
            let pass = verified
                .unwrap_or_else(|| panic!("it does not open what it stands on: {resolved}"));
            let name = resolved.path().rsplit('/').next().unwrap_or_default();
            assert!(
                pass.kind != Kind::Object || !is_playlist_name(name),
                "{resolved}"
            );
            found.push(pass);
        }
    }
    found
}

/// Passes of one expiry have it in the same place: bytes 2 to 5, of which these four characters are the last three.
fn looks_minted(pass: &str) -> bool {
    matches!(pass.len(), 30..=43) && pass.starts_with('E') && pass.get(4..8) == Some("SdIA")
}

/// `output` without every `?p=…` and `&p=…`: a run of the pass alphabet, which nothing that ends a URI is of.
fn without_passes(output: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(output.len());
    let mut rest = output;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let Some(after) = tail
            .strip_prefix(b"p=")
            .filter(|_| matches!(first, b'?' | b'&'))
        else {
            kept.push(first);
            continue;
        };
        let length = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            .count();
        assert!(length <= 43, "a pass of {length} characters");
        rest = &after[length..];
    }
    kept
}

fn text(playlist: &[u8]) -> String {
    playlist.escape_ascii().to_string()
}
