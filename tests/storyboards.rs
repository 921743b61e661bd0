//! Golden storyboards: `tests/storyboards/<case>/in.vtt` rewritten with a fixed key at a fixed time is `out.vtt`.
//!
//! To see or accept a change: `LECTERN_BLESS=1 cargo test --test storyboards`, then `git diff`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use lectern::credential::binding::Binding;
use lectern::credential::keyring::Keyring;
use lectern::credential::pass::{self, PassKind};
use lectern::object::key::{Directory, ObjectKey};
use lectern::playlist::{Base, Grant, Limits, PlaylistError, rewrite};

const KEYS: &str = r#"[{"kid":"golden","secret":"Z29sZGVuIGdvbGRlbiBnb2xkZW4gZ29sZGVuIGdvbGQ"}]"#;
const EXPIRES: u64 = 1_800_000_000;

fn keys() -> Keyring {
    Keyring::from_json(KEYS).expect("a key ring")
}

fn rewritten(keys: &Keyring, board: &[u8]) -> Result<Vec<u8>, PlaylistError> {
    let key = ObjectKey::new("courses/a/v/1/storyboard.vtt").expect("an object key");
    let grant = Grant {
        signing_key: keys.minting(),
        expires: EXPIRES,
        root: Directory::ancestor_of(&key, 2).expect("a directory"),
        depth: 2,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::Storyboard,
    };
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    rewrite(board, &base, &grant).map(|rewritten| rewritten.bytes)
}

#[test]
fn rewritten_storyboards_are_as_they_were_written_down() {
    let keys = keys();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storyboards");
    let mut seen = 0;
    for case in fs::read_dir(&cases).expect("the cases") {
        let case = case.expect("a case").path();
        let input = fs::read(case.join("in.vtt")).expect("in.vtt");
        let output = rewritten(&keys, &input).expect("rewritten");
        let golden = case.join("out.vtt");
        if std::env::var_os("LECTERN_BLESS").is_some() {
            fs::write(&golden, &output).expect("written");
        }
        let expected = fs::read(&golden).expect("out.vtt");
        assert_eq!(
            String::from_utf8_lossy(&output),
            String::from_utf8_lossy(&expected),
            "{}",
            case.display()
        );
        if case.ends_with("hostile") {
            assert_eq!(output, input, "nothing of it is signed");
        }
        seen += 1;
    }
    assert!(seen >= 4, "{seen} cases");
}

#[test]
fn a_sprites_pass_opens_the_sprite_and_equal_urls_have_equal_passes() {
    let keys = keys();
    let board: String = (0..500)
        .map(|at| {
            format!(
                "\n00:00.000 --> 00:01.000\nstoryboard/{:05}.jpg#xywh={at},0,1,1\n",
                at / 100
            )
        })
        .collect();
    let output = rewritten(&keys, format!("WEBVTT\n{board}").as_bytes()).expect("rewritten");
    let output = String::from_utf8(output).expect("UTF-8");
    let mut passes: HashMap<&str, &str> = HashMap::new();
    for line in output.lines().filter(|line| line.contains("#xywh=")) {
        let (url, _) = line.split_once('#').expect("an area");
        let (path, pass) = url.split_once("?p=").expect("a pass");
        assert_eq!(*passes.entry(path).or_insert(pass), pass, "{line}");
    }
    assert_eq!(passes.len(), 5);
    for (path, pass) in &passes {
        for other in passes.keys() {
            let key = ObjectKey::new(format!("courses/a/v/1/{other}")).expect("an object key");
            let opened = pass::verify(pass, &key, Binding::default(), &keys, EXPIRES);
            assert_eq!(opened.is_ok(), path == other, "{path} {other}");
            assert!(opened.is_err() || opened.is_ok_and(|pass| pass.kind == PassKind::Object));
        }
    }
}

#[test]
fn a_storyboard_beyond_its_bounds_is_refused_and_not_cut() {
    let keys = keys();
    let length = |board: &str| rewritten(&keys, board.as_bytes()).map(|output| output.len());
    let cue = "\n00:00.000 --> 00:01.000\na.txt\n";
    let long = |cues: usize| format!("WEBVTT\n{}", cue.repeat(cues));
    assert_eq!(length(&long(150_000)), Ok(7 + 150_000 * cue.len()));
    assert_eq!(length(&long(150_001)), Err(PlaylistError::TooLarge));
    let large = |bytes: usize| format!("WEBVTT\n{}", "1234567\n".repeat(bytes / 8)[7..].to_owned());
    assert_eq!(length(&large(8 << 20)), Ok(8 << 20));
    assert_eq!(length(&large((8 << 20) + 8)), Err(PlaylistError::TooLarge));
}
