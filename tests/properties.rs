//! Properties that hold for every input.

use lectern::credential::binding::Binding;
use lectern::credential::claims::Claims;
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use lectern::credential::pass::{self, Minter, PassKind};
use lectern::credential::steering_token::SteeringOffer;
use lectern::http::range::ByteRange;
use lectern::object::key::{Directory, ObjectKey, Scope};
use lectern::playlist::steering::{SteeringTime, announce, steering_manifest};
use lectern::playlist::{Base, Entitlements, Grant, Limits, Rewritten, pictures, rewrite, uris};
use proptest::prelude::*;
use testkit::attacks::{AttackSite, attacks};
use testkit::{base_url_oracle, json_oracle};

const KEYS: &str = r#"[{"kid":"p","secret":"cHJvcGVydGllcyBwcm9wZXJ0aWVzIHByb3BlcnRpZXM"}]"#;
const ORIGIN: &str = "https://video.example.org";
const NOW: u64 = 1_800_000_000;

fn keys() -> Keyring {
    Keyring::from_json(KEYS).expect("a key ring")
}

/// Everything below the first directory of `key`.
fn grant<'keys>(keys: &'keys Keyring, key: &ObjectKey) -> Grant<'keys> {
    Grant {
        signing_key: keys.minting(),
        expires: NOW,
        root: Directory::ancestor_of(key, key.as_str().matches('/').count().min(1))
            .expect("a directory"),
        depth: 1,
        binding: Binding::default(),
        ticket: None,
        limits: Limits::None,
    }
}

/// Names that people choose, and names that attackers choose.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._-]{1,12}",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        Just("..".to_owned()),
        Just("%2e%2e".to_owned()),
    ]
}

fn object_key() -> impl Strategy<Value = ObjectKey> {
    prop::collection::vec(segment(), 1..6).prop_filter_map("an object key", |segments| {
        ObjectKey::new(segments.join("/")).ok()
    })
}

/// Entries of Multivariant Playlists with stable ids, most of them valid.
fn steered_playlist() -> impl Strategy<Value = String> {
    let id = prop_oneof![8 => "[ab]{1,3}", 1 => "[ -~]{0,6}"];
    let uri = prop_oneof![
        8 => "v/0a1b/[a-c]/p[.]m3u8([?]x=[a-z&p=]{0,6})?",
        2 => segment(),
        1 => "https?://(video|evil)[.]example[.]org/[a-c]/p[.]m3u8",
        1 => "[./]{0,3}[a-z%{$}é #]{0,8}",
    ];
    let entry = (0_u8..12, id, uri).prop_map(|(kind, id, uri)| match kind {
        0 => format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",STABLE-RENDITION-ID=\"{id}\",NAME=\"n\",URI=\"{uri}\""),
        1 => format!("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,STABLE-VARIANT-ID=\"{id}\",URI=\"{uri}\""),
        2 => "# a comment".to_owned(),
        3 => "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"n\"".to_owned(),
        _ => format!("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,STABLE-VARIANT-ID=\"{id}\"\n{uri}"),
    });
    prop::collection::vec(entry, 1..5)
        .prop_map(|entries| format!("#EXTM3U\n{}\n", entries.join("\n")))
}

/// Lines of playlists, valid and invalid.
fn playlist() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("#EXTM3U".to_owned()),
        "#EXTINF:[0-9]{1,2},[ -~]{0,10}",
        "seg[0-9]{1,5}\\.ts",
        "[a-z./%?&#=:{}$ ]{0,20}",
        "#EXT-X-(MAP|KEY|MEDIA|PART|DATERANGE):[A-Z,= ]{0,8}(URI|X-ASSET-URI)=\"?[ -~]{0,12}\"?",
        "#EXT-X-DEFINE:NAME=\"[a-c]\",VALUE=\"[ -~]{0,6}\"",
        "\\{\\$[a-c]\\}/[a-z]{1,4}\\.ts",
        "https://video\\.example\\.org/c/[a-z/.]{0,10}",
        "\\PC{0,20}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n")];
    prop::collection::vec((line, end), 0..30).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_owned()])
            .collect()
    })
}

/// Lines of storyboards, valid and invalid.
fn storyboard() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(String::new()),
        Just("00:00.000 --> 00:02.000".to_owned()),
        "[a-z./%&: ]{0,12}\\.(jpg|png|mp4|m3u8|vtt)(#xywh=[0-9,]{0,9})?",
        "https://video\\.example\\.org/c/[a-z/.]{0,6}\\.jpg",
        "NOTE [ -~]{0,12}",
        "\\PC{0,20}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let lines = prop::collection::vec((line, end), 0..30).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_owned()])
            .collect::<String>()
    });
    (prop::bool::weighted(0.9), lines).prop_map(|(is_board, lines)| {
        if is_board {
            format!("WEBVTT\n{lines}")
        } else {
            lines
        }
    })
}

/// Pieces of JSON texts, in valid and invalid orders.
fn json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        "\"[a-c]\"",
        "\"(\\\\u[dD][89abcdef][0-9a-f]{2}){0,2}\"",
        "\"\\\\[bfnrtux/\"]{1,2}\"",
        "\"\\PC{0,4}\"",
        "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
        "null|true|false|nul",
        "[ \t\r\n]",
        "\\{\"[a-c]\":[0-9],\"[a-c]\":\\[[0-9],\"[a-c]\"\\]\\}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

/// Beginnings of DASH manifests, valid and invalid.
fn manifest() -> impl Strategy<Value = String> {
    let prolog = prop_oneof![
        Just(String::new()),
        Just("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned()),
        "<!--[ -~]{0,8}-->[ \n]",
        "[ -~]{0,4}",
    ];
    let attribute = "( [a-z:]{1,6} ?= ?(\"[ -~]{0,6}\"|'[ -~]{0,6}'))?";
    let tag = |name: &str| {
        let pattern = format!("<(dash:)?{name}{attribute} ?/?>");
        prop::string::string_regex(&pattern).expect("a pattern")
    };
    let piece = prop_oneof![
        "<BaseURL>[ -~]{0,12}</BaseURL>",
        "<(dash:)?BaseURL>[a-z/.:?#&;]{0,12}</(dash:)?BaseURL>",
        "<BaseURL serviceLocation=\"a\">\n (v/)?(&amp;|&#x2f;)?[a-z]{0,2}\n</BaseURL>",
        "<ProgramInformation/>|<ServiceDescription/>",
        "<ProgramInformation><Title>[ -~]{0,6}</Title></ProgramInformation>",
        "<!--[ -~]{0,8}-->",
        "[ \n]{1,2}|\\PC{0,4}|</?[A-Z][a-zA-Z]{0,3}>",
    ];
    let end = prop_oneof![
        4 => Just("<Period><BaseURL>x/</BaseURL></Period></MPD>".to_owned()),
        1 => tag("Period"),
        1 => Just(String::new()),
    ];
    let root = prop_oneof![4 => Just("<MPD>".to_owned()), 1 => tag("MPD")];
    (prolog, root, prop::collection::vec(piece, 0..5), end)
        .prop_map(|(prolog, root, pieces, end)| format!("{prolog}{root}{}{end}", pieces.concat()))
}

/// Removes the passes of `rewrite` from `text`.
fn without_passes(text: &str, original: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    let mut original = original;
    while let Some(character) = rest.chars().next() {
        if original.starts_with(character) {
            kept.push(character);
            original = &original[character.len_utf8()..];
            rest = &rest[character.len_utf8()..];
            continue;
        }
        let after = rest
            .strip_prefix("?p=")
            .or_else(|| rest.strip_prefix("&p="))
            .expect("only passes are added");
        // The kind is the low bits of the tag, and the high bits of the second character.
        let is_object = matches!(after.as_bytes()[1], b'A'..=b'P');
        let length = if is_object { 30 } else { 31 };
        rest = &after[length..];
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_base_url_stands_where_every_parser_reads_one(manifest in manifest()) {
        base_url_oracle::compare(manifest.as_bytes());
    }

    #[test]
    fn an_object_key_survives_its_url(key in object_key()) {
        prop_assert_eq!(ObjectKey::from_url_path(&key.to_url_path()), Ok(key));
    }

    #[test]
    fn no_path_leads_out_of_its_segments(path in "\\PC{0,40}") {
        if let Ok(key) = ObjectKey::from_url_path(&path) {
            for segment in key.as_str().split('/') {
                prop_assert!(!matches!(segment, "" | "." | ".."), "{}", key);
            }
        }
    }

    #[test]
    fn a_minted_link_opens_its_scope_alone(key in object_key(), other in object_key()) {
        let keys = keys();
        let scope = Scope::Directory(key.directory());
        prop_assume!(scope.to_string() != "/");
        let token = link::mint(keys.minting(), &Claims::new(scope.clone(), NOW));
        let claims = link::verify(&token, &keys, NOW, 0).expect("a link");
        prop_assert!(claims.path.contains(&key));
        let below = other.as_str().starts_with(key.directory().as_str());
        prop_assert_eq!(claims.path.contains(&other), below);
    }

    #[test]
    fn a_pass_opens_its_object_alone(
        key in object_key(),
        other in object_key(),
        depth in any::<u8>(),
        expires in any::<u32>(),
        playlist in any::<bool>(),
    ) {
        let keys = keys();
        let kind = if playlist { PassKind::Playlist { depth } } else { PassKind::Object };
        let expires = u64::from(expires);
        let (directory, name) = key.split();
        let mut pass = Vec::new();
        Minter::new(keys.minting(), expires, Binding::default()).mint(kind, directory, name, &mut pass);
        let pass = String::from_utf8(pass).expect("ASCII");
        prop_assert!(pass.len() <= 40);
        let verified = pass::verify(&pass, &key, Binding::default(), &keys, expires).expect("a pass");
        prop_assert_eq!((verified.kind, verified.expires), (kind, expires));
        prop_assert!(pass::verify(&pass, &key, Binding::default(), &keys, expires + 1).is_err());
        if other != key {
            prop_assert!(pass::verify(&pass, &other, Binding::default(), &keys, expires).is_err());
        }
    }

    #[test]
    fn rewriting_changes_nothing_but_adds_passes_that_open_what_they_stand_on(text in playlist()) {
        let keys = keys();
        let key = ObjectKey::new("c/v/p.m3u8").expect("an object key");
        let grant = grant(&keys, &key);
        let base = Base { origin: ORIGIN, key: &key };
        // U+2028 and U+2029 end a line for some parsers, so the text is refused.
        let Ok(Rewritten { bytes: once, .. }) = rewrite(text.as_bytes(), &base, &grant) else {
            prop_assert!(text.contains(['\u{2028}', '\u{2029}']), "{}", text);
            return Ok(());
        };
        let twice = rewrite(&once, &base, &grant).expect("rewritten").bytes;
        prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
        prop_assert_eq!(uris(&once).len(), uris(text.as_bytes()).len());
        // Passes and variables in the input are replaced, not added. Fixtures test such inputs.
        if !text.contains("p=") && !text.contains('?') && !text.contains("{$") {
            let once = String::from_utf8(once).expect("UTF-8");
            prop_assert_eq!(without_passes(&once, &text), text);
        }
    }

    #[test]
    fn a_storyboard_changes_by_passes_that_open_the_pictures_they_stand_on(text in storyboard()) {
        let keys = keys();
        let key = ObjectKey::new("c/v/storyboard.vtt").expect("an object key");
        let grant = Grant { limits: Limits::Storyboard, ..grant(&keys, &key) };
        let base = Base { origin: ORIGIN, key: &key };
        // U+2028 and U+2029 end a line for some parsers, so the text is refused.
        let Ok(Rewritten { bytes: once, .. }) = rewrite(text.as_bytes(), &base, &grant) else {
            prop_assert!(text.contains(['\u{2028}', '\u{2029}']), "{}", text);
            return Ok(());
        };
        let twice = rewrite(&once, &base, &grant).expect("rewritten").bytes;
        prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
        prop_assert_eq!(pictures(&once).len(), pictures(text.as_bytes()).len());
        let once = String::from_utf8(once).expect("UTF-8");
        for span in pictures(once.as_bytes()) {
            let uri = &once[span.at];
            if let Some((path, pass)) = uri.split_once("?p=") {
                prop_assert!(path.ends_with(".jpg") || path.ends_with(".png"), "{}", uri);
                let pass = pass.split('#').next().expect("a pass");
                let kind = pass::decode(pass).map(|pass| pass.kind);
                prop_assert_eq!(kind, Ok(PassKind::Object));
            }
        }
        if !text.contains("p=") && !text.contains('?') {
            prop_assert_eq!(without_passes(&once, &text), text);
        }
    }

    #[test]
    fn a_preview_lists_what_touches_it_and_counts_what_it_left_out(
        segments in prop::collection::vec((1_u64..8_000, any::<bool>()), 1..40),
        from in 0_u32..60,
        length in 1_u32..60,
    ) {
        let keys = keys();
        let key = ObjectKey::new("c/v/p.m3u8").expect("an object key");
        let base = Base { origin: ORIGIN, key: &key };
        let grant = Grant {
            limits: Limits::Media { preview: Some((from, from + length)) },
            ..grant(&keys, &key)
        };
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXT-X-PLAYLIST-TYPE:VOD\n".to_owned();
        let mut start = 0;
        let mut expected = Vec::new();
        for (number, (milliseconds, discontinuity)) in segments.iter().enumerate() {
            let end = start + milliseconds;
            if start < u64::from(from + length) * 1000 && end > u64::from(from) * 1000 {
                expected.push(number);
            }
            start = end;
            if *discontinuity {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            text += &format!("#EXTINF:{}.{:03},\nseg{number}.ts\n", milliseconds / 1000, milliseconds % 1000);
        }
        text += "#EXT-X-ENDLIST\n";
        let shown = rewrite(text.as_bytes(), &base, &grant).expect("rewritten").bytes;
        let shown = String::from_utf8(shown).expect("UTF-8");
        let found: Vec<usize> = shown
            .lines()
            .filter_map(|line| line.strip_prefix("seg")?.split_once(".ts?p=")?.0.parse().ok())
            .collect();
        prop_assert_eq!(&found, &expected);
        // RFC 8216bis §4.4.3.2 and §4.4.3.3: the numbers of the first segment; §4.4.3.4: the end.
        let number_of = |tag: &str| {
            shown.lines().find_map(|line| line.strip_prefix(tag)).map_or(0, |n| n.parse().expect("a number"))
        };
        let gone = expected.first().copied().unwrap_or(segments.len());
        prop_assert_eq!(number_of("#EXT-X-MEDIA-SEQUENCE:"), gone);
        let discontinuities = segments[..gone].iter().filter(|(_, is)| *is).count();
        prop_assert_eq!(number_of("#EXT-X-DISCONTINUITY-SEQUENCE:"), discontinuities);
        prop_assert!(shown.ends_with("#EXT-X-ENDLIST\n"));
        prop_assert_eq!(shown.matches("#EXTINF").count(), expected.len());
    }

    #[test]
    fn a_filtered_multivariant_playlist_names_no_group_that_is_gone_and_nothing_too_tall(
        variants in prop::collection::vec((1_u32..2200, 0_usize..3, any::<bool>()), 1..8),
        renditions in prop::collection::vec((0_usize..3, 0_usize..3), 0..8),
        max_height in prop::option::of(1_u32..2200),
        lang in prop::option::of(0_usize..3),
    ) {
        const LANGS: [&str; 3] = ["en", "de", "pt-BR"];
        let keys = keys();
        let key = ObjectKey::new("c/master.m3u8").expect("an object key");
        let base = Base { origin: ORIGIN, key: &key };
        let grant = Grant {
            limits: Limits::RestrictedLink(Entitlements {
                max_height,
                langs: lang.map(|lang| vec![LANGS[lang].to_owned()]),
                preview: Some((0, 60)),
            }),
            ..grant(&keys, &key)
        };
        let mut text = "#EXTM3U\n".to_owned();
        for (at, (group, lang)) in renditions.iter().enumerate() {
            text += &format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g{group}\",LANGUAGE=\"{}\",NAME=\"n{at}\",URI=\"a{at}.m3u8\"\n", LANGS[*lang]);
        }
        for (at, (height, group, subtitled)) in variants.iter().enumerate() {
            // A group that exists, or none: the input satisfies the property of the output.
            let audio = if renditions.iter().any(|(found, _)| found == group) {
                format!(",AUDIO=\"g{group}\"")
            } else {
                String::new()
            };
            let subtitles = if *subtitled { ",SUBTITLES=\"s\"" } else { "" };
            text += &format!("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=4000x{height}{audio}{subtitles}\nv{at}.m3u8\n");
        }
        text += "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",LANGUAGE=\"de\",NAME=\"s\",URI=\"s.m3u8\"\n";
        let Ok(Rewritten { bytes: shown, .. }) = rewrite(text.as_bytes(), &base, &grant) else {
            // The result is empty only if every entry is too tall or in another language.
            let playable = variants.iter().any(|(height, group, _)| {
                let mut sounds = renditions.iter().filter(|(found, _)| found == group).peekable();
                max_height.is_none_or(|most| *height <= most)
                    && (sounds.peek().is_none() || sounds.any(|(_, found)| lang.is_none_or(|lang| lang == *found)))
            });
            prop_assert!(!playable, "{}", text);
            return Ok(());
        };
        let shown = String::from_utf8(shown).expect("UTF-8");
        let value = |line: &str, name: &str| {
            line.split_once(&format!("{name}=\""))
                .and_then(|(_, rest)| rest.split_once('"'))
                .map(|(value, _)| value.to_owned())
        };
        let media: Vec<&str> = shown.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:")).collect();
        let streams: Vec<&str> = shown.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF:")).collect();
        prop_assert!(!streams.is_empty());
        for stream in &streams {
            let height: u32 = stream.split_once("4000x").and_then(|(_, rest)| rest.split(',').next()).expect("a height").parse().expect("a number");
            prop_assert!(max_height.is_none_or(|most| height <= most), "{}", shown);
            for kind in ["AUDIO", "SUBTITLES"] {
                if let Some(group) = value(stream, kind) {
                    let there = media.iter().any(|line| line.contains(&format!("TYPE={kind},GROUP-ID=\"{group}\"")));
                    prop_assert!(there, "{}", shown);
                }
            }
        }
        for line in media {
            let (kind, group) = (if line.contains("TYPE=AUDIO") { "AUDIO" } else { "SUBTITLES" }, value(line, "GROUP-ID"));
            prop_assert!(streams.iter().any(|stream| value(stream, kind) == group), "{}", shown);
            let language = value(line, "LANGUAGE").expect("a language");
            prop_assert!(lang.is_none_or(|lang| LANGS[lang] == language), "{}", shown);
        }
    }

    #[test]
    fn no_playlist_breaks_a_filter_or_gets_a_pass_for_a_playlist(text in playlist(), preview in prop::option::of((0_u32..9, 9_u32..20))) {
        let keys = keys();
        let key = ObjectKey::new("c/v/p.m3u8").expect("an object key");
        let base = Base { origin: ORIGIN, key: &key };
        let grant = Grant { limits: Limits::Media { preview }, ..grant(&keys, &key) };
        if let Ok(shown) = rewrite(text.as_bytes(), &base, &grant) {
            // A tag of 0x11 or 0x13: a playlist's.
            prop_assert!(!String::from_utf8_lossy(&shown.bytes).contains(".m3u8?p=E"));
        }
        let entitlements = Entitlements { max_height: Some(480), langs: Some(vec!["en".to_owned()]), preview };
        let grant = Grant { limits: Limits::RestrictedLink(entitlements), ..grant };
        let _ = rewrite(text.as_bytes(), &base, &grant);
    }

    #[test]
    fn a_steering_manifest_names_what_the_playlist_lists_with_its_passes(
        text in prop_oneof![4 => steered_playlist(), 1 => playlist()],
        max_height in prop::option::of(100_u32..720),
    ) {
        let keys = keys();
        let key = ObjectKey::new("c/l/master.m3u8").expect("an object key");
        let base = Base { origin: ORIGIN, key: &key };
        let limits = match max_height {
            None => Limits::None,
            max_height => Limits::RestrictedLink(Entitlements { max_height, ..Entitlements::default() }),
        };
        let grant = Grant { limits, ..grant(&keys, &key) };
        let Ok(Rewritten { bytes: rewritten, .. }) = rewrite(text.as_bytes(), &base, &grant) else {
            return Ok(());
        };
        let claims = Claims { strict: true, ..Claims::new(Scope::Object(key.clone()), NOW) };
        let offer = SteeringOffer::new(&link::mint(keys.minting(), &claims), NOW, 600).expect("an offer");
        let announced = announce(rewritten.clone(), &base, &grant, &offer, None);
        let time = SteeringTime { opened: NOW, ends: NOW + 600, now: NOW + 24 };
        let manifest = steering_manifest(&rewritten, &base, &grant, None, time);
        let rewritten = String::from_utf8(rewritten).expect("UTF-8");
        let announced = String::from_utf8(announced).expect("UTF-8");
        let added: Vec<&str> = announced.lines().filter(|line| line.starts_with("#EXT-X-CONTENT-STEERING:")).collect();
        prop_assert_eq!(added.len(), usize::from(manifest.is_ok()));
        let before = added.iter().fold(announced.clone(), |text, line| text.replacen(&format!("{line}\n"), "", 1));
        prop_assert_eq!(&before, &rewritten);
        let Ok(manifest) = manifest else {
            return Ok(());
        };
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
        let replacement = &manifest["PATHWAY-CLONES"][0]["URI-REPLACEMENT"];
        let directory = url::Url::parse(&format!("{ORIGIN}/c/l/")).expect("a URL");
        for (member, attribute) in [("PER-VARIANT-URIS", "STABLE-VARIANT-ID"), ("PER-RENDITION-URIS", "STABLE-RENDITION-ID")] {
            for (id, new) in replacement[member].as_object().into_iter().flatten() {
                let new = url::Url::parse(new.as_str().expect("a URL")).expect("an absolute URL");
                // Every entry with this id is this URL, as a player resolves it.
                let mut entries = 0;
                let mut lines = rewritten.lines();
                while let Some(line) = lines.next() {
                    if !line.contains(&format!("{attribute}=\"{id}\"")) {
                        continue;
                    }
                    let uri = match line.split_once(",URI=\"") {
                        Some((_, uri)) => uri.split('"').next().expect("a URI"),
                        None => lines.next().expect("a URI"),
                    };
                    let listed = directory.join(uri).expect("a URL");
                    prop_assert_eq!(listed.origin(), new.origin(), "{}", rewritten);
                    // The manifest escapes more characters.
                    let keys = [&listed, &new].map(|url| ObjectKey::from_url_path(url.path()).ok());
                    prop_assert_eq!(&keys[0], &keys[1], "{}", rewritten);
                    prop_assert_eq!(listed.query(), new.query(), "{}", rewritten);
                    entries += 1;
                }
                prop_assert!(entries > 0, "{}", rewritten);
                // Its pass opens it.
                let opened = ObjectKey::from_url_path(new.path()).expect("an object key");
                let (_, pass) = new.query_pairs().filter(|(name, _)| name == "p").last().expect("a pass");
                let pass = pass::verify(&pass, &opened, Binding::default(), &keys, NOW).expect("a pass");
                let is_playlist = matches!(pass.kind, PassKind::Playlist { depth: 1 });
                let is_restricted = matches!(pass.kind, PassKind::Restricted { depth: 1, preview: None });
                prop_assert_eq!((is_playlist, is_restricted), (max_height.is_none(), max_height.is_some()));
            }
        }
    }

    #[test]
    fn a_resolved_range_lies_within_the_length(header in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in any::<u64>()) {
        if let Some(Ok(range)) = ByteRange::parse(&header).map(|range| range.resolve(length)) {
            prop_assert!(range.first <= range.last && range.last < length);
            prop_assert!(range.size() >= 1);
        }
    }

    #[test]
    fn json_reads_as_serde_json_reads_it(text in json()) {
        json_oracle::compare(text.as_bytes());
    }

    #[test]
    fn nothing_that_a_stranger_sends_panics(text in "\\PC{0,80}", key in object_key()) {
        let keys = keys();
        prop_assert!(link::verify(&text, &keys, NOW, 0).is_err());
        prop_assert!(pass::verify(&text, &key, Binding::default(), &keys, NOW).is_err());
        let _ = ByteRange::parse(&text);
        let _ = Scope::parse(&text);
    }
}

#[test]
fn manifests_as_tools_write_them_get_a_base_url() {
    for manifest in [
        "<MPD><Period/></MPD>",
        "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"\n  type='static'>\n\t<ProgramInformation \
         moreInformationURL=\"https://gpac.io\"><Title>a &amp; b</Title></ProgramInformation>\n<Period></Period></MPD>",
        "<!-- a --><dash:MPD><dash:BaseURL>v/</dash:BaseURL><dash:Period/></dash:MPD>",
        "<MPD><BaseURL>https://c.example/</BaseURL><BaseURL>v/&amp;</BaseURL><Period/></MPD>",
    ] {
        assert!(base_url_oracle::compare(manifest.as_bytes()), "{manifest}");
    }
}

#[test]
fn no_attack_by_hand_steers_a_player_away_from_the_uploaders_folder() {
    let site = AttackSite {
        origin: ORIGIN,
        evil: "https://evil.example",
        own: "/c/u1",
        others: "/c/u2",
    };
    let keys = keys();
    let key = ObjectKey::new("c/u1/master.m3u8").expect("an object key");
    let base = Base {
        origin: ORIGIN,
        key: &key,
    };
    let grant = Grant {
        root: key.directory(),
        depth: 2,
        ..grant(&keys, &key)
    };
    let claims = Claims {
        strict: true,
        ..Claims::new(Scope::Object(key.clone()), NOW)
    };
    let offer =
        SteeringOffer::new(&link::mint(keys.minting(), &claims), NOW, 600).expect("an offer");
    let time = SteeringTime {
        opened: NOW,
        ends: NOW + 600,
        now: NOW + 24,
    };
    let mut steered = 0;
    for attack in attacks(&site) {
        // Many have no ids, so that they would not be steered.
        let mut count = 0;
        let lines = String::from_utf8_lossy(&attack.multivariant).into_owned();
        let lines = lines.split_inclusive('\n').map(|line| {
            count += 1;
            let id = |name: &str| format!(":{name}=\"i{count}\",");
            match line {
                _ if line.contains("STABLE-") => line.to_owned(),
                line if line.starts_with("#EXT-X-MEDIA:") => {
                    line.replacen(':', &id("STABLE-RENDITION-ID"), 1)
                }
                line if line.starts_with("#EXT-X-STREAM-INF:") => {
                    line.replacen(':', &id("STABLE-VARIANT-ID"), 1)
                }
                line => line.to_owned(),
            }
        });
        let text: String = lines.collect();
        let Ok(Rewritten {
            bytes: rewritten, ..
        }) = rewrite(text.as_bytes(), &base, &grant)
        else {
            continue;
        };
        let announced = announce(rewritten.clone(), &base, &grant, &offer, None);
        let announced = String::from_utf8_lossy(&announced).into_owned();
        let Ok(manifest) = steering_manifest(&rewritten, &base, &grant, None, time) else {
            assert!(!announced.contains("CONTENT-STEERING"), "{}", attack.name);
            continue;
        };
        steered += 1;
        let own = "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/_lectern/steering/c/u1/master.m3u8?token=";
        assert!(
            announced.replace('\r', "").starts_with(own),
            "{}: {announced}",
            attack.name
        );
        assert_eq!(
            announced.matches("CONTENT-STEERING").count(),
            1,
            "{}: {announced}",
            attack.name
        );
        let manifest = String::from_utf8(manifest).expect("UTF-8");
        for (at, _) in manifest.match_indices("://") {
            let url = &manifest[manifest[..at].rfind('"').expect("a quote") + 1..];
            assert!(
                url.starts_with(&format!("{ORIGIN}/c/u1/")),
                "{}: {url}",
                attack.name
            );
        }
    }
    assert!(steered > 10, "{steered}");
}
