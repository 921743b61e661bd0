//! Golden playlists: `tests/playlists/<case>/in.m3u8` rewritten with a fixed key at a fixed time is `out.m3u8`.
//!
//! To see or accept a change: `LECTERN_BLESS=1 cargo test --test playlists`, then `git diff`.

use std::fs;
use std::path::Path;

use lectern::credential::binding::Binding;
use lectern::credential::keyring::Keyring;
use lectern::object::key::{Directory, ObjectKey};
use lectern::playlist::{Base, Entitlements, Grant, Limits, PlaylistError, rewrite};

const KEYS: &str = r#"[{"kid":"golden","secret":"Z29sZGVuIGdvbGRlbiBnb2xkZW4gZ29sZGVuIGdvbGQ"}]"#;

/// Limits in the case's `limits.json`: `{"multivariant":{…}}`, `{"preview":[from,to]}`, or
/// `{"media":true}`.
fn limits(case: &Path) -> Limits {
    let Ok(text) = fs::read_to_string(case.join("limits.json")) else {
        return Limits::None;
    };
    let json: serde_json::Value = serde_json::from_str(&text).expect("limits.json");
    let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).expect("a limit");
    match json.get("multivariant") {
        Some(restrictions) => Limits::RestrictedLink(Entitlements {
            max_height: restrictions["max_height"]
                .as_u64()
                .map(|height| u32::try_from(height).expect("a height")),
            langs: serde_json::from_value(restrictions["langs"].clone()).expect("languages"),
            preview: read(&restrictions["preview"]),
        }),
        None => Limits::Media {
            preview: read(&json["preview"]),
        },
    }
}

#[test]
fn rewritten_playlists_are_as_they_were_written_down() {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playlists");
    let mut seen = 0;
    for case in fs::read_dir(&cases).expect("the cases") {
        let case = case.expect("a case").path();
        let input = fs::read(case.join("in.m3u8")).expect("in.m3u8");
        let limits = limits(&case);
        let is_multivariant =
            case.ends_with("master") || matches!(limits, Limits::RestrictedLink(_));
        let name = if is_multivariant {
            "courses/a/master.m3u8"
        } else {
            "courses/a/v/1/playlist.m3u8"
        };
        let key = ObjectKey::new(name).expect("an object key");
        let grant = Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: Directory::ancestor_of(&key, 2).expect("a directory"),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits,
        };
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let output = rewrite(&input, &base, &grant).expect("rewritten").bytes;
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
    assert!(seen >= 25, "{seen} cases");
}

#[test]
fn a_playlist_beyond_its_bounds_is_refused_and_not_cut() {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("a/p.m3u8").expect("an object key");
    let grant = Grant {
        signing_key: keys.minting(),
        expires: 0,
        root: key.directory(),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::None,
    };
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    let rewritten =
        |playlist: &str| rewrite(playlist.as_bytes(), &base, &grant).map(|out| out.bytes.len());
    let line = |length: usize| format!("#EXTM3U\n#{}\n", "x".repeat(length - 1));
    assert_eq!(rewritten(&line(64 << 10)), Ok(8 + (64 << 10) + 1));
    assert_eq!(
        rewritten(&line((64 << 10) + 1)),
        Err(PlaylistError::LineTooLong)
    );
    let lines = |length: usize| "#234567\n".repeat(length / 8);
    assert!(rewritten(&"\n".repeat(1_500_000)).is_ok());
    assert_eq!(
        rewritten(&"\n".repeat(1_500_001)),
        Err(PlaylistError::TooLarge)
    );
    assert_eq!(rewritten(&lines(8 << 20)), Ok(8 << 20));
    assert_eq!(
        rewritten(&lines((8 << 20) + 8)),
        Err(PlaylistError::TooLarge)
    );
    assert!(rewritten(&"a\n".repeat(150_000)).is_ok());
    assert_eq!(
        rewritten(&"a\n".repeat(150_001)),
        Err(PlaylistError::TooLarge)
    );
}

#[test]
fn a_playlist_that_takes_the_viewers_credential_or_is_read_differently_is_refused() {
    use PlaylistError::{AmbiguousLine, HidesSteering, TakesQuery};
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("a/p.m3u8").expect("an object key");
    let grant = |limits: Limits| Grant {
        signing_key: keys.minting(),
        expires: 0,
        root: key.directory(),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits,
    };
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    for (lines, expected) in [
        ("#EXT-X-DEFINE:QUERYPARAM=\"token\"\n", TakesQuery),
        ("#EXT-X-DEFINE:QUERYPARAM=\"p\"\r\n", TakesQuery),
        ("#EXT-X-DEFINE:QUERYPARAM=\"lang\"", TakesQuery),
        ("#EXT-X-DEFINE:NAME=\"a\", QUERYPARAM=token\n", TakesQuery),
        ("# #EXT-X-DEFINE:QUERYPARAM=\"token\"\n", TakesQuery),
        ("#EXTINF:4,#EXT-X-DEFINE:QUERYPARAM=\"token\"\n", TakesQuery),
        ("a.ts#EXT-X-DEFINE:QUERYPARAM=\"token\"\n", TakesQuery),
        (
            "# x\r#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://evil.example\"\n",
            AmbiguousLine,
        ),
        ("# x\u{2028}s.ts\n", AmbiguousLine),
        ("#EXTINF:4,\0\ns.ts\n", AmbiguousLine),
        (
            "v.m3u8#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\"\n",
            HidesSteering,
        ),
    ] {
        for limits in [
            Limits::None,
            Limits::Media { preview: None },
            Limits::Storyboard,
        ] {
            let playlist = format!("#EXTM3U\n#EXTINF:4,\n{lines}");
            let found = rewrite(playlist.as_bytes(), &base, &grant(limits)).map(|_| ());
            assert_eq!(found, Err(expected), "{lines}");
        }
    }
}

#[test]
fn below_a_directorys_pass_nothing_is_signed_and_nothing_steers_elsewhere() {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("a/p.m3u8").expect("an object key");
    let grant = Grant {
        signing_key: keys.minting(),
        expires: 0,
        root: key.directory(),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::DirectoryPass,
    };
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    let playlist = b"#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://evil\"\n#EXT-X-STREAM-INF:A=1\na.m3u8\n";
    let served = rewrite(playlist, &base, &grant).expect("a playlist").bytes;
    let expected = "#EXTM3U\n#EXT-X-STREAM-INF:A=1\na.m3u8\n";
    assert_eq!(String::from_utf8_lossy(&served), expected);
    for line in [
        "#EXT-X-STREAM-INF:A=1\na.txt\n",
        "#EXT-X-STREAM-INF:A=1\n{$a}.m3u8\n",
        "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.mp4\"\n",
        "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.m3u8\"x\n",
        "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n",
        "#EXT-X-DATERANGE:ID=\"1\",X-ASSET-URI=\"a.m3u8\"\n",
        "#EXT-X-DATERANGE:ID=\"1\",X-ASSET-LIST=\"a.json\"\n",
    ] {
        let found = rewrite(format!("#EXTM3U\n{line}").as_bytes(), &base, &grant);
        assert_eq!(found.err(), Some(PlaylistError::LeadsElsewhere), "{line}");
    }
}

#[test]
fn variables_make_no_more_than_their_bounds() {
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let key = ObjectKey::new("a/p.m3u8").expect("an object key");
    let grant = Grant {
        signing_key: keys.minting(),
        expires: 0,
        root: key.directory(),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::None,
    };
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    let rewritten = |value: usize, uses: usize, lines: usize| {
        let value = "v".repeat(value);
        let line = format!("{}.ts?{}\n", "{$a}", "{$a}".repeat(uses - 1));
        let uris = line.repeat(lines);
        let playlist = format!("#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{value}\"\n{uris}");
        rewrite(playlist.as_bytes(), &base, &grant)
    };
    // One URI, up to 8 KiB.
    assert_eq!(rewritten(1000, 8, 1).map(|found| found.unsigned), Ok(0));
    assert_eq!(rewritten(1000, 9, 1).map(|found| found.unsigned), Ok(1));
    // All URIs together, up to 8 MiB.
    let out = rewritten(1000, 8, 1000).expect("a playlist").bytes.len();
    assert!((8_000_000..8_200_000).contains(&out), "{out}");
    assert_eq!(
        rewritten(1000, 8, 2000).err(),
        Some(PlaylistError::TooLarge)
    );
    // A bomb: a playlist of 84 kB that would expand to a gigabyte.
    assert_eq!(
        rewritten(60_000, 100, 50).map(|found| found.unsigned),
        Ok(50)
    );
}
