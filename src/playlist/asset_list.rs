//! The JSON body of an `X-ASSET-LIST` (RFC 8216bis appendix D): `{"ASSETS":[{"URI":…,"DURATION":…}]}`.

use super::resolve::{Base, absolute_url, resolve};
use super::rewrite::Grant;
use super::uri::{UriParts, is_unambiguous};
use crate::credential::pass::{Minter, PassKind};
use crate::json::{JsonValue, Text, quoted};

/// `?p=` and the longest pass of a playlist.
const PASS_ROOM: usize = 3 + 32;

/// Adds a pass to each asset's playlist. Every other byte stays. JSON that is not an asset list is
/// returned unchanged.
#[must_use]
pub fn rewrite_asset_list(body: &[u8], base: &Base<'_>, grant: &Grant<'_>) -> Vec<u8> {
    let list = JsonValue::parse(body);
    let assets = list.as_ref().and_then(|list| list.member("ASSETS"));
    let assets = assets.and_then(JsonValue::as_array).unwrap_or_default();
    let mut minter = grant.minter();
    let mut out = Vec::with_capacity(body.len() + assets.len() * (PASS_ROOM + base.origin.len()));
    let mut copied = 0;
    for asset in assets {
        if let Some(JsonValue::String(Text { text, at })) = asset.member("URI")
            && let Some(signed) = sign(text, base, grant, &mut minter)
        {
            out.extend_from_slice(&body[copied..at.start - 1]);
            out.extend_from_slice(quoted(&signed).as_bytes());
            copied = at.end + 1;
        }
    }
    out.extend_from_slice(&body[copied..]);
    out
}

/// Signs an asset's URI. Returns `None` for foreign URIs, and for control characters: clients drop
/// them in different places, and JSON lengthens them.
fn sign(uri: &str, base: &Base<'_>, grant: &Grant<'_>, minter: &mut Minter<'_>) -> Option<String> {
    if uri.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let parts = UriParts::of(uri);
    if !is_unambiguous(uri) {
        return None;
    }
    let target = resolve(base, &grant.root, parts.path)?;
    let (directory, name) = target.split(base.key.split().0);
    // hls.js resolves these against the URL of its page.
    let mut signed = absolute_url(base, directory, name).into_bytes();
    parts.write_query(&mut signed);
    let kind = PassKind::Playlist { depth: grant.depth };
    minter.mint(kind, directory, name, &mut signed);
    signed.extend_from_slice(parts.fragment.as_bytes());
    String::from_utf8(signed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::binding::Binding;
    use crate::credential::keyring::Keyring;
    use crate::credential::pass;
    use crate::object::key::ObjectKey;
    use crate::playlist::Limits;

    #[test]
    fn assets_of_ours_get_a_pass_and_others_do_not() {
        let json = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;
        let keys = Keyring::from_json(json).expect("a key ring");
        let key = ObjectKey::new("c/v/assets.json").expect("an object key");
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let grant = Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: key.directory(),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits: Limits::None,
        };
        let body = br#"{"ASSETS":[{"URI":"ad/a.m3u8?x=1#t","DURATION":5},{"URI":"https://ads.example/a.m3u8"},{"URI":"/d/a.m3u8"},{"URI":"a.m3u8?x\n"},{}]}"#;
        let rewritten = rewrite_asset_list(body, &base, &grant);
        let list: serde_json::Value = serde_json::from_slice(&rewritten).expect("JSON");
        let uri = |at: usize| list["ASSETS"][at]["URI"].as_str().unwrap_or_default();
        let pass = uri(0)
            .strip_prefix("https://video.example.org/c/v/ad/a.m3u8?x=1&p=")
            .and_then(|rest| rest.strip_suffix("#t"))
            .expect("a pass");
        let asset = ObjectKey::new("c/v/ad/a.m3u8").expect("an object key");
        assert!(pass::verify(pass, &asset, Binding::default(), &keys, 0).is_ok());
        assert_eq!(uri(1), "https://ads.example/a.m3u8");
        assert_eq!(uri(2), "/d/a.m3u8");
        assert_eq!(uri(3), "a.m3u8?x\n");
        for body in ["", "[]", "{", r#"{"ASSETS":{}}"#] {
            assert_eq!(
                rewrite_asset_list(body.as_bytes(), &base, &grant),
                body.as_bytes()
            );
        }
    }
}
