//! What the targets that rewrite have in common.

use lectern::credential::keyring::Keyring;
use lectern::credential::binding::Binding;
use lectern::object::key::ObjectKey;
use lectern::credential::pass::{self, PassKind, Pass};
use lectern::playlist::{UriSpan, is_playlist_name};
use url::Url;

pub const KEYS: &str = r#"[{"kid":"fuzz","secret":"ZnV6eiBmdXp6IGZ1enogZnV6eiBmdXp6IGZ1enogZnU"}]"#;
pub const ORIGIN: &str = "https://video.example.org";
pub const NOW: u64 = 1_800_000_000;

/// Whether there may be a pass already.
pub fn has_a_pass(text: &[u8]) -> bool {
    text.windows(2).any(|pair| matches!(pair, b"?p" | b"&p"))
}

/// Every pass that stands on one of these URIs. Each opens what the URL parser makes of its URI.
pub fn passes(
    output: &[u8],
    uris: Vec<UriSpan>,
    base: &ObjectKey,
    keys: &Keyring,
    has_a_pass: bool,
) -> Vec<Pass> {
    let url = Url::parse(&format!("{ORIGIN}{}", base.to_url_path())).expect("a URL");
    let mut found = Vec::new();
    for span in uris {
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
                .and_then(|at| pass::verify(text, at, Binding::default(), keys, NOW).ok());
            let pass = verified
                .unwrap_or_else(|| panic!("it does not open what it stands on: {resolved}"));
            let name = resolved.path().rsplit('/').next().unwrap_or_default();
            assert!(
                pass.kind != PassKind::Object || !is_playlist_name(name),
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
pub fn without_passes(output: &[u8]) -> Vec<u8> {
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

pub fn text(playlist: &[u8]) -> String {
    playlist.escape_ascii().to_string()
}
