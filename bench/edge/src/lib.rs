//! The benchmark's workload: the library's rewriter and its two verifications, repeated within one
//! request.
//!
//! The library exports the Worker's own `fetch`; `bench/edge/worker.js` replaces it with these
//! functions.

use lectern::credential::keyring::{Key, Keyring};
use lectern::credential::link;
use lectern::credential::claims::Claims;
use lectern::credential::binding::Binding;
use lectern::object::key::{ObjectKey, Scope};
use lectern::credential::pass::{self, PassKind, Minter};
use lectern::playlist::{Base, Grant, Limits, rewrite};
use wasm_bindgen::prelude::wasm_bindgen;

const NOW: u64 = 1_800_000_000;
const EXPIRES: u64 = NOW + 6 * 3600;
const SECRET: [u8; 32] = [7; 32];
const PLAYLIST: &str = "courses/rails-patterns-101/v/0f3c9a71d2b4/1080p/playlist.m3u8";
const SEGMENT: &str = "courses/rails-patterns-101/v/0f3c9a71d2b4/1080p/seg00042.m4s";

/// Rewrites a Media Playlist of `segments` segments `rounds` times. Returns the bytes written in
/// all.
#[wasm_bindgen]
pub fn rewritten(segments: u32, rounds: u32) -> f64 {
    let (key, object, playlist) = (key(), object(PLAYLIST), media_playlist(segments));
    let (base, grant) = (base(&object), grant(&key, &object));
    let written = |_| rewrite(&playlist, &base, &grant).expect("a playlist").bytes.len();
    (0..rounds).map(written).sum::<usize>() as f64
}

/// The playlist that [`rewritten`] writes, for inspection.
#[wasm_bindgen]
pub fn sample(segments: u32) -> String {
    let (key, object) = (key(), object(PLAYLIST));
    let playlist = media_playlist(segments);
    let bytes = rewrite(&playlist, &base(&object), &grant(&key, &object)).expect("a playlist").bytes;
    String::from_utf8(bytes).expect("ASCII")
}

fn base(object: &ObjectKey) -> Base<'_> {
    Base {
        origin: "https://video.example.org",
        key: object,
    }
}

fn grant<'key>(key: &'key Key, object: &ObjectKey) -> Grant<'key> {
    let root = object.directory();
    Grant {
        signing_key: key,
        expires: EXPIRES,
        depth: u8::try_from(root.depth()).expect("not deep"),
        root,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::None,
    }
}

/// Verifies one link `rounds` times. Returns how often it was valid.
#[wasm_bindgen]
pub fn verified_links(rounds: u32) -> u32 {
    let scope = Scope::parse("/courses/rails-patterns-101/master.m3u8").expect("a scope");
    let claims = Claims {
        sub: Some("s42".to_owned()),
        ..Claims::new(scope, EXPIRES)
    };
    let token = link::mint(&key(), &claims);
    let ring = ring();
    let holds = |_: &u32| link::verify(&token, &ring, NOW, 86_400).is_ok();
    (0..rounds).filter(holds).count() as u32
}

/// Verifies one pass `rounds` times. Returns how often it was valid.
#[wasm_bindgen]
pub fn verified_passes(rounds: u32) -> u32 {
    let (key, object, ring) = (key(), object(SEGMENT), ring());
    let (directory, name) = object.split();
    let mut text = Vec::new();
    Minter::new(&key, EXPIRES, Binding::default()).mint(PassKind::Object, directory, name, &mut text);
    let text = String::from_utf8(text).expect("ASCII");
    let holds = |_: &u32| pass::verify(&text, &object, Binding::default(), &ring, NOW).is_ok();
    (0..rounds).filter(holds).count() as u32
}

fn key() -> Key {
    Key::new("2026-11", &SECRET).expect("a key")
}

/// The key in use and an older one, as after a rotation.
fn ring() -> Keyring {
    let json = r#"[{"kid":"2026-11","secret":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"},
        {"kid":"2026-10","secret":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"}]"#;
    Keyring::from_json(json).expect("a ring")
}

fn object(key: &str) -> ObjectKey {
    ObjectKey::new(key).expect("an object key")
}

/// A Media Playlist as the packager writes it.
fn media_playlist(segments: u32) -> Vec<u8> {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n",
    );
    for at in 0..segments {
        text.push_str(&format!("#EXTINF:4.000000,\nseg{at:05}.m4s\n"));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text.into_bytes()
}
