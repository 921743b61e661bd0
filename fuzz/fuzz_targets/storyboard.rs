//! Storyboards. Three oracles. The output minus its passes is the input, byte for byte. Rewriting
//! twice equals rewriting once. Each pass opens one image, the one that the WHATWG URL parser
//! resolves.
#![no_main]

use lectern::object::content_type::is_picture;
use lectern::credential::keyring::Keyring;
use lectern::credential::binding::Binding;
use lectern::object::key::{Directory, ObjectKey};
use lectern::credential::pass::PassKind;
use lectern::playlist::{Base, Grant, Limits, pictures, rewrite};
use lectern_fuzz::{KEYS, NOW, ORIGIN, has_a_pass, passes, text, without_passes};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|board: &[u8]| {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("courses/a b/v/1/storyboard.vtt").expect("an object key");
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
        limits: Limits::Storyboard,
    };
    // Control characters in it are refused.
    let Ok(once) = rewrite(board, &base, &grant) else {
        return;
    };
    let removed_steering = once.removed_steering;
    let once = once.bytes;
    let twice = rewrite(&once, &base, &grant)
        .expect("it was rewritten before")
        .bytes;
    assert_eq!(
        text(&once),
        text(&twice),
        "rewriting again changes something"
    );
    // An existing pass is replaced, so the output has no additional one.
    let has_a_pass = has_a_pass(board);
    if !has_a_pass && !removed_steering {
        assert_eq!(text(&without_passes(&once)), text(board));
    }
    for pass in passes(&once, pictures(&once), &key, &keys, has_a_pass) {
        assert_eq!(pass.kind, PassKind::Object);
    }
    if removed_steering {
        return;
    }
    // Lines that name no image stay unchanged.
    let url = Url::parse(&format!("{ORIGIN}{}", key.to_url_path())).expect("a URL");
    for (before, after) in pictures(board).into_iter().zip(pictures(&once)) {
        let (before, after) = (&board[before.at], &once[after.at]);
        let resolved = str::from_utf8(before)
            .ok()
            .and_then(|uri| url.join(uri).ok());
        let names_one = resolved
            .and_then(|url| ObjectKey::from_url_path(url.path()).ok())
            .is_some_and(|key| is_picture(key.as_str()));
        assert!(names_one || before == after, "{}", text(after));
    }
});
