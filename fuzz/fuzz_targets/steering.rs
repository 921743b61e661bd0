//! Content Steering. The first line is a request for a steering manifest: no text of a stranger is a
//! steering token. The rest is a Multivariant Playlist. Three oracles. A playlist is announced as
//! steered if it has a steering manifest, and changes by that line only. Each URL of the manifest is
//! a URI of the rewritten playlist, as the WHATWG URL parser resolves it. Its pass opens a playlist.
#![no_main]

use lectern::config::Config;
use lectern::credential::binding::Binding;
use lectern::credential::claims::Claims;
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use lectern::credential::pass::{self, PassKind};
use lectern::credential::steering_token::SteeringOffer;
use lectern::decide::{Decision, decide};
use lectern::object::key::{ObjectKey, Scope};
use lectern::playlist::steering::{STEERING, SteeringTime, announce, steering_manifest};
use lectern::playlist::{Base, Entitlements, Grant, Limits, rewrite, uris};
use lectern::request::Request;
use lectern_fuzz::{KEYS, NOW, ORIGIN, text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|&byte| byte == b'\n');
    let (request, playlist) = data.split_at(at.unwrap_or(data.len()));
    if let Ok(request) = str::from_utf8(request) {
        is_refused(request);
    }
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("courses/a b/master.m3u8").expect("an object key");
    let entitlements = Entitlements {
        max_height: Some(720),
        ..Entitlements::default()
    };
    for limits in [Limits::None, Limits::RestrictedLink(entitlements)] {
        let grant = Grant {
            signing_key: keys.minting(),
            expires: NOW,
            root: key.directory(),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits,
        };
        steer(playlist.get(1..).unwrap_or_default(), &key, &grant, &keys);
    }
});

fn is_refused(request: &str) {
    let config = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| KEYS.to_owned()));
    let config = config.expect("a config");
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let path = format!("{STEERING}{path}");
    let request = Request {
        method: "GET",
        origin: ORIGIN,
        path: &path,
        query: Some(query),
        header: &|_| None,
        country: &|| None,
    };
    let decision = decide(&request, &config, NOW);
    assert!(matches!(decision, Decision::Refuse(_)), "{decision:?}");
}

fn steer(playlist: &[u8], key: &ObjectKey, grant: &Grant<'_>, keys: &Keyring) {
    let base = Base {
        origin: ORIGIN,
        key,
    };
    let Ok(rewritten) = rewrite(playlist, &base, grant) else {
        return;
    };
    let rewritten = rewritten.bytes;
    let claims = Claims::new(Scope::Object(key.clone()), NOW);
    let offer = SteeringOffer::new(&link::mint(keys.minting(), &claims), NOW, 600).expect("an offer");
    let announced = announce(rewritten.clone(), &base, grant, &offer, None);
    let time = SteeringTime {
        opened: NOW,
        ends: NOW + 600,
        now: NOW + 30,
    };
    let manifest = steering_manifest(&rewritten, &base, grant, None, time);
    let Ok(manifest) = manifest else {
        assert_eq!(text(&announced), text(&rewritten));
        return;
    };
    let added = announced.len() - rewritten.len();
    let first = rewritten.iter().position(|&byte| byte == b'\n');
    let at = first.expect("a first line") + 1;
    assert!(announced[at..].starts_with(b"#EXT-X-CONTENT-STEERING:SERVER-URI=\"/_lectern/steering/"));
    assert_eq!(text(&announced[at + added..]), text(&rewritten[at..]));

    let url = Url::parse(&format!("{ORIGIN}{}", key.to_url_path())).expect("a URL");
    let identity = |url: &Url| {
        let key = ObjectKey::from_url_path(url.path()).ok();
        let ours = url.origin().ascii_serialization() == ORIGIN;
        key.filter(|_| ours).map(|key| (key, url.query().map(str::to_owned)))
    };
    let listed: Vec<_> = uris(&rewritten)
        .into_iter()
        .filter_map(|span| identity(&url.join(str::from_utf8(&rewritten[span.at]).ok()?).ok()?))
        .collect();
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let replacement = &manifest["PATHWAY-CLONES"][0]["URI-REPLACEMENT"];
    for uris in replacement.as_object().expect("an object").values() {
        for new in uris.as_object().expect("an object").values() {
            let new = Url::parse(new.as_str().expect("a URL")).expect("an absolute URL");
            let named = identity(&new).expect("an object of ours");
            assert!(listed.contains(&named), "{new} in {}", text(&rewritten));
            let (_, pass) = new.query_pairs().filter(|(name, _)| name == "p").last().expect("a pass");
            let pass = pass::verify(&pass, &named.0, Binding::default(), keys, NOW).expect("a pass");
            match grant.limits {
                Limits::None => assert_eq!(pass.kind, PassKind::Playlist { depth: 2 }),
                _ => assert!(matches!(pass.kind, PassKind::Restricted { depth: 2, .. })),
            }
        }
    }
}
