//! The rewriter. Three oracles: without the passes the output is the input, byte for byte; rewriting twice is
//! rewriting once; and each pass opens the object that the WHATWG URL parser, which players use, makes of its URI.
#![no_main]

use lectern::keyring::Keyring;
use lectern::object_key::{Directory, ObjectKey};
use lectern::pass;
use lectern::playlist::{Base, Grant, rewrite, uris};
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
    };
    let Ok(once) = rewrite(playlist, &base, &grant) else {
        return;
    };
    let twice = rewrite(&once, &base, &grant).expect("passes make no line too long here");
    assert_eq!(text(&once), text(&twice), "rewriting again changes something");

    // A pass that is there already is replaced, which is no addition.
    let has_a_pass = playlist.windows(2).any(|pair| matches!(pair, b"?p" | b"&p"));
    if !has_a_pass {
        assert_eq!(text(&without_passes(&once)), text(playlist));
    }

    let url = Url::parse(&format!("{ORIGIN}{}", key.to_url_path())).expect("a URL");
    for span in uris(&once) {
        let Ok(uri) = str::from_utf8(&once[span.at]) else {
            continue;
        };
        // What a variable stands for is the fixtures' matter.
        if uri.contains("{$") {
            continue;
        }
        let Ok(resolved) = url.join(uri) else {
            continue;
        };
        let passes: Vec<_> = resolved
            .query_pairs()
            .filter(|(name, _)| name == "p")
            .map(|(_, pass)| pass.into_owned())
            .collect();
        let signed = passes.iter().find_map(|pass| {
            let at = ObjectKey::from_url_path(resolved.path()).ok()?;
            pass::verify(pass, &at, &keys, NOW).ok()
        });
        let ours = resolved.origin().ascii_serialization() == ORIGIN;
        if signed.is_some() {
            assert!(ours, "signed for another origin: {uri}");
        } else if ours {
            assert!(
                passes.iter().all(|pass| !looks_minted(pass)),
                "a pass that does not open what it stands on: {uri} -> {resolved}"
            );
        } else {
            assert!(
                has_a_pass || passes.is_empty(),
                "a pass leaves for another origin: {uri}"
            );
        }
    }
});

/// Passes of one expiry have it in the same place: bytes 2 to 5, of which these four characters are the last three.
fn looks_minted(pass: &str) -> bool {
    matches!(pass.len(), 30 | 31) && pass.starts_with('E') && pass.get(4..8) == Some("SdIA")
}

/// `output` without every `?p=…` and `&p=…`: a run of the pass alphabet, which nothing that ends a URI is of.
fn without_passes(output: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(output.len());
    let mut rest = output;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let Some(after) = tail.strip_prefix(b"p=").filter(|_| matches!(first, b'?' | b'&')) else {
            kept.push(first);
            continue;
        };
        let length = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            .count();
        assert!(length <= 40, "a pass of {length} characters");
        rest = &after[length..];
    }
    kept
}

fn text(playlist: &[u8]) -> String {
    playlist.escape_ascii().to_string()
}
