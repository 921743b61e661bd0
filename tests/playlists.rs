//! Golden playlists: `tests/playlists/<case>/in.m3u8` rewritten with a fixed key at a fixed time is `out.m3u8`.
//!
//! To see or accept a change: `LECTERN_BLESS=1 cargo test --test playlists`, then `git diff`.

use std::fs;
use std::path::Path;

use lectern::keyring::Keyring;
use lectern::object_key::{Directory, ObjectKey};
use lectern::playlist::{Base, Grant, rewrite};

const KEYS: &str = r#"[{"kid":"golden","secret":"Z29sZGVuIGdvbGRlbiBnb2xkZW4gZ29sZGVuIGdvbGQ"}]"#;

#[test]
fn rewritten_playlists_are_as_they_were_written_down() {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playlists");
    let mut seen = 0;
    for case in fs::read_dir(&cases).expect("the cases") {
        let case = case.expect("a case").path();
        let input = fs::read(case.join("in.m3u8")).expect("in.m3u8");
        let name = if case.ends_with("master") {
            "courses/a/master.m3u8"
        } else {
            "courses/a/v/1/playlist.m3u8"
        };
        let key = ObjectKey::new(name).expect("an object key");
        let grant = Grant {
            key: keys.minting(),
            expires: 1_800_000_000,
            root: Directory::ancestor_of(&key, 2).expect("a directory"),
        };
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let output = rewrite(&input, &base, &grant).expect("rewritten");
        let golden = case.join("out.m3u8");
        if std::env::var_os("LECTERN_BLESS").is_some() {
            fs::write(&golden, &output).expect("written");
        }
        let expected = fs::read(&golden).expect("out.m3u8");
        assert_eq!(
            String::from_utf8_lossy(&output),
            String::from_utf8_lossy(&expected),
            "{}",
            case.display()
        );
        seen += 1;
    }
    assert!(seen >= 7, "{seen} cases");
}
