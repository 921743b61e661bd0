//! Object keys and scopes. The oracle is the WHATWG URL parser: a path that the edge accepts must
//! be the path that a browser sends for it.
#![no_main]

use lectern::object::key::{Directory, MAX_OBJECT_KEY_BYTES, ObjectKey, Scope};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let Ok(path) = str::from_utf8(data) else {
        return;
    };
    if let Ok(scope) = Scope::parse(path) {
        assert_eq!(scope.to_string(), path);
        assert_eq!(Scope::parse(&scope.to_string()).as_ref(), Ok(&scope));
    }
    let Ok(key) = ObjectKey::from_url_path(path) else {
        return;
    };
    let text = key.as_str();
    assert!((1..=MAX_OBJECT_KEY_BYTES).contains(&text.len()));
    assert!(
        !text
            .chars()
            .any(|character| character.is_control() || "\\;".contains(character))
    );
    assert!(
        text.split('/')
            .all(|segment| !matches!(segment, "" | "." | ".."))
    );
    assert_eq!(ObjectKey::new(text).as_ref(), Ok(&key));
    assert_eq!(
        ObjectKey::from_url_path(&key.to_url_path()).as_ref(),
        Ok(&key)
    );
    assert_eq!(browsers_reading(&key.to_url_path()).as_deref(), Some(text));
    // Both characters end a request's path. A trailing space is not part of a URL.
    if !path.contains(['?', '#']) && !path.ends_with(' ') {
        assert_eq!(browsers_reading(path).as_deref(), Some(text), "{path}");
    }

    let object = Scope::Object(key.clone());
    let directory = key.directory();
    assert!(object.contains(&key));
    assert!(directory.contains(&key));
    assert_eq!(object.root(), directory);
    for depth in 0..=directory.depth() {
        let ancestor = Directory::ancestor_of(&key, depth).expect("an ancestor");
        assert!(ancestor.contains(&key) && directory.as_str().starts_with(ancestor.as_str()));
    }
    assert_eq!(Directory::ancestor_of(&key, directory.depth() + 1), None);
});

fn browsers_reading(path: &str) -> Option<String> {
    let url = Url::parse(&format!("https://video.example.org{path}")).ok()?;
    let decoded = percent_decode_str(url.path().strip_prefix('/')?)
        .decode_utf8()
        .ok()?;
    Some(decoded.into_owned())
}
