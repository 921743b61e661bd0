//! Promises to users, tested end to end: the built Worker in workerd, the built `lectern` command,
//! and real players.
//! Needs `make build`.

mod answers;
mod attempts;
mod bombs;
mod browser;
mod budgets;
mod cache;
mod costs;
mod course;
mod crash;
mod edge;
mod embedding;
mod embeds;
mod faults;
mod folders;
mod hostile;
mod http;
mod jobs;
mod looking;
mod media;
mod offline;
mod other_browsers;
mod pages;
mod player;
mod players;
mod publishing;
mod record;
mod recovery;
mod renewals;
mod runtime;
mod sdks;
mod serving;
mod stable_names;
mod steering;
mod studio;
mod uploads;
mod viewers;
mod watched;
mod watching;

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;
use testkit::process::succeed;

use edge::{Edge, now};
use lectern::credential::binding::{Binding, Network};
use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::keyring::with_new_key;
use lectern::credential::link;
use lectern::credential::pass::{Minter, PassKind};
use lectern::object::key::{ObjectKey, Scope};
use media::Playlist;

const LECTURE: &str = "/courses/rails/intro/";
const MASTER: &str = "/courses/rails/intro/master.m3u8";
const MPD: &str = "/courses/rails/intro/manifest.mpd";

fn published() -> Edge {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    edge
}

/// The playlists, initialization sections and segments that a link of a master playlist opens.
struct Walk {
    playlists: Vec<String>,
    objects: Vec<String>,
}

fn walk(edge: &Edge) -> Walk {
    let token = edge.token(MASTER, Purpose::Play);
    let playlists = Playlist::open(edge, &format!("{MASTER}?token={token}")).listed();
    let objects = playlists
        .iter()
        .flat_map(|playlist| Playlist::open(edge, playlist).listed())
        .collect();
    Walk { playlists, objects }
}

#[test]
fn a_published_lecture_plays_to_the_end_in_ffmpeg_and_in_chromium() {
    let edge = published();
    let link = edge.link(MASTER);

    let seconds = media::duration(&link);
    assert!((seconds - media::SECONDS).abs() < 0.2, "{seconds} s");
    media::decode(&link);

    let played = browser::play(&edge, &link);
    assert_eq!(played["how"], "ended", "{played:#}\n{}", edge.log());
    assert_eq!(played["refused"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["errors"], serde_json::json!([]), "{played:#}");
    let reached = played["currentTime"].as_f64().expect("a number");
    assert!((reached - media::SECONDS).abs() < 0.2, "{played:#}");
    // 14 seconds at 30 frames a second; a browser without a GPU may skip some at the start.
    assert!(
        played["frames"].as_u64().expect("a number") > 380,
        "{played:#}"
    );
}

#[test]
fn a_lecture_for_very_old_devices_plays_to_the_end_in_ffmpeg_and_in_chromium() {
    let edge = Edge::start();
    let (_kept, package) = media::packaged(2, &["--container", "ts", "--ladder", "480"]);
    edge.publish(&package, LECTURE);
    let objects = walk(&edge).objects;
    assert!(
        objects.iter().all(|url| url.contains(".ts?p=")),
        "{objects:#?}"
    );

    let link = edge.link(MASTER);
    let seconds = media::duration(&link);
    assert!((seconds - media::SECONDS).abs() < 0.2, "{seconds} s");
    media::decode(&link);
    plays_with_pictures(&edge, &link);
}

#[test]
fn sound_alone_is_left_to_lines_and_links_that_carry_no_picture() {
    let edge = Edge::start();
    let (_kept, package) = media::packaged(1, &["--audio-only-variant", "--ladder", "480"]);
    edge.publish(&package, LECTURE);
    plays_with_pictures(&edge, &edge.link(MASTER));

    // `max_height` limits video. If none is low enough, the audio remains.
    let claims = serde_json::json!({ "path": LECTURE, "max_height": 100 });
    let query = format!("{MASTER}?token={}", edge.token_of(claims));
    let listed = Playlist::open(&edge, &query).text;
    assert!(
        listed.contains("#EXT-X-STREAM-INF") && !listed.contains("RESOLUTION"),
        "{listed}"
    );
    let played = browser::play(&edge, &format!("{}{query}", edge.origin));
    assert_eq!(played["how"], "ended", "{played:#}");
    assert_eq!(played["height"], 0, "{played:#}");
}

/// Plays a 480p link in Chromium to its end.
fn plays_with_pictures(edge: &Edge, link: &str) {
    let played = browser::play(edge, link);
    assert_eq!(played["how"], "ended", "{played:#}\n{}", edge.log());
    assert_eq!(played["refused"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["errors"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["height"], 480, "{played:#}");
    let reached = played["currentTime"].as_f64().expect("a number");
    assert!((reached - media::SECONDS).abs() < 0.2, "{played:#}");
    let frames = played["frames"].as_u64().expect("a number");
    assert!(frames > 380, "{played:#}");
}

#[test]
fn a_published_lecture_plays_to_the_end_in_players_of_others_by_hls_and_by_dash() {
    let edge = published();
    let (hls, dash) = (edge.link(MASTER), edge.link(MPD));
    let plays = [
        ("shaka", &hls),
        ("shaka", &dash),
        ("dashjs", &dash),
        ("videojs", &dash),
        // Trick play, by the I-frames.
        ("shaka-pictures", &hls),
    ];
    let all = browser::play_elsewhere(&plays);
    for ((player, link), played) in plays.iter().zip(&all) {
        let shown = format!("{player} {link}: {played:#}\n{}", edge.log());
        assert_eq!(played["how"], "ended", "{shown}");
        assert_eq!(played["errors"], serde_json::json!([]), "{shown}");
        assert_eq!(played["refused"], serde_json::json!([]), "{shown}");
        assert_eq!(
            played["heights"],
            serde_json::json!([480, 720, 1080]),
            "{shown}"
        );
        let reached = played["currentTime"].as_f64().expect("a number");
        assert!((reached - media::SECONDS).abs() < 0.2, "{shown}");
        let pictures = played["pictures"].as_u64().expect("a number");
        assert_eq!(pictures > 0, *player == "shaka-pictures", "{shown}");
        // video.js would play I-frames in the MPD as a lecture of seven frames.
        let frames = played["frames"].as_u64().expect("a number");
        assert!(*player == "shaka-pictures" || frames > 100, "{shown}");
    }
}

#[test]
fn a_link_to_the_mpd_plays_in_players_that_ignore_where_a_redirect_leads() {
    let edge = published();
    let link = edge.link(MPD);
    let seconds = media::duration(&link);
    assert!((seconds - media::SECONDS).abs() < 0.2, "{seconds} s");
    media::decode(&link);

    // A script is redirected: its manifest's URL never has the link.
    let url = &link[edge.origin.len()..];
    let page = [("origin", "https://school.example")];
    let redirect = edge.send("GET", url, &page, &[]);
    assert_eq!(redirect.status, 307);
    let location = redirect.header("location").expect("a path").to_owned();
    let stored = edge.get(&location);
    let manifest = edge.get(url);
    assert_eq!((stored.status, manifest.status), (200, 200));
    let pass = location.split('/').nth(1).expect("a pass");
    let base = format!("<BaseURL>{}/{pass}{LECTURE}</BaseURL>", edge.origin);
    let text = String::from_utf8_lossy(&manifest.body).into_owned();
    assert_eq!(
        text.replacen(&base, "", 1).as_bytes(),
        stored.body,
        "{text}"
    );
    let head = edge.send("HEAD", url, &[], &[]);
    assert_eq!(
        head.header("content-length"),
        manifest.header("content-length")
    );
}

#[test]
fn the_file_to_take_home_plays_and_seeks_in_a_plain_video_element() {
    let edge = published();
    let playlist = walk(&edge).playlists.swap_remove(0);
    let (revision, _) = playlist
        .split_once("/audio/")
        .expect("sound is listed first");
    let link = edge.link(&format!("{revision}/lecture.mp4"));
    let all = browser::play_elsewhere(&[("native-seek", &link)]);
    let played = &all[0];
    assert_eq!(played["how"], "ended", "{played:#}\n{}", edge.log());
    assert_eq!(played["errors"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["refused"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["height"], 720, "{played:#}");
    assert!(
        played["partial"].as_u64().expect("a number") > 0,
        "{played:#}"
    );
    let lasts = played["duration"].as_f64().expect("a number");
    assert!((lasts - media::SECONDS).abs() < 0.2, "{played:#}");
    // Five of fourteen seconds at 30 frames a second: the player skipped the rest.
    let frames = played["frames"].as_u64().expect("a number");
    assert!((100..200).contains(&frames), "{played:#}");
}

#[test]
fn the_page_says_why_a_lecture_does_not_open() {
    let edge = published();
    let scope = Scope::parse(MASTER).expect("a scope");
    let expired = link::mint(edge.keys.minting(), &Claims::new(scope, now() - 60));
    for (query, expected) in [
        (
            format!("?token={expired}"),
            "This link has expired. Open the lecture from the course again.",
        ),
        (String::new(), "A link is needed to open this."),
    ] {
        let played = browser::play(&edge, &format!("{}{MASTER}{query}", edge.origin));
        assert_eq!(played["said"], expected, "{played:#}");
    }
}

#[test]
fn every_segment_url_is_different_and_opens_exactly_one_object() {
    let edge = published();
    let Walk { playlists, objects } = walk(&edge);
    // Three rungs and the audio, four segments and an initialization section each, and the
    // I-frames.
    assert_eq!(playlists.len(), 5);
    assert!(objects.len() >= 20, "{objects:#?}");

    let passes: HashSet<&str> = objects
        .iter()
        .filter_map(|url| url.split_once("?p=").map(|(_, pass)| pass))
        .collect();
    assert_eq!(passes.len(), objects.len());

    for (at, url) in objects.iter().enumerate() {
        let opened = edge.get(url);
        assert_eq!(opened.verdict(), "200", "{url}");
        let length = opened.header("content-length").expect("a length");
        assert_eq!(length, opened.body.len().to_string(), "{url}");
        let cache = opened.header("cache-control").expect("a cache policy");
        assert!(cache.starts_with("private, max-age=2"), "{cache}");
        assert!(cache.ends_with(", immutable"), "{cache}");

        let (path, pass) = url.split_once("?p=").expect("a pass");
        let (_, other_pass) = objects[(at + 1) % objects.len()]
            .split_once("?p=")
            .expect("a pass");
        assert_eq!(
            edge.get(&format!("{path}?p={other_pass}")).verdict(),
            "403 forbidden"
        );
        assert_eq!(
            edge.get(&format!("{MASTER}?p={pass}")).verdict(),
            "403 forbidden"
        );
    }
}

#[test]
fn nothing_opens_without_the_right_credential() {
    let edge = published();
    let Walk { playlists, objects } = walk(&edge);
    let init = objects
        .iter()
        .find(|url| url.contains("/init.mp4"))
        .expect("an init section");
    let segment = objects
        .iter()
        .find(|url| url.contains("seg00001.m4s"))
        .expect("a segment");

    let mint = |path: &str, exp: u64| {
        link::mint(
            edge.keys.minting(),
            &Claims::new(Scope::parse(path).expect("a scope"), exp),
        )
    };
    let expired = mint(LECTURE, now() - 1);
    let foreign = mint("/courses/rails/intro-2/", now() + 60);
    let right = mint(LECTURE, now() + 60);
    let forged = format!("{}AAAA", &right[..right.len() - 4]);
    let too_long = mint(LECTURE, now() + 31 * 86_400);
    let upload = edge.token(LECTURE, Purpose::Upload);

    for url in [&MASTER.to_owned(), &playlists[0], init, segment] {
        let path = url.split('?').next().expect("a path");
        for (credential, expected) in [
            (String::new(), "401 missing_token"),
            (format!("?token={expired}"), "403 expired"),
            (format!("?token={forged}"), "403 forbidden"),
            (format!("?token={foreign}"), "403 forbidden"),
            (format!("?token={too_long}"), "403 forbidden"),
            (format!("?token={upload}"), "403 forbidden"),
            (format!("?token={right}&token={right}"), "400 bad_request"),
            ("?p=AAAA".to_owned(), "403 forbidden"),
            (format!("?token={right}"), "200"),
        ] {
            let reply = edge.get(&format!("{path}{credential}"));
            assert_eq!(reply.verdict(), expected, "{path}{credential}");
            assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
            if reply.status == 401 {
                assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            }
            if reply.status != 200 {
                assert_eq!(reply.header("cache-control"), Some("no-store"));
            }
        }
        // An expired pass with a valid signature.
        let key = ObjectKey::from_url_path(path).expect("an object key");
        let (directory, name) = key.split();
        let mut pass = Vec::new();
        let mut minter = Minter::new(edge.keys.minting(), now() - 1, Binding::default());
        minter.mint(PassKind::Object, directory, name, &mut pass);
        let pass = String::from_utf8(pass).expect("ASCII");
        assert_eq!(
            edge.get(&format!("{path}?p={pass}")).verdict(),
            "403 expired"
        );
    }
    // An object's link opens the entries of its playlists through passes, and none directly.
    let token = edge.token(MASTER, Purpose::Play);
    let path = segment.split('?').next().expect("a path");
    assert_eq!(
        edge.get(&format!("{path}?token={token}")).verdict(),
        "403 forbidden"
    );
}

#[test]
fn a_restricted_link_cannot_be_walked_around() {
    let edge = published();
    // The playlists of an unrestricted viewer, as an attacker knows them.
    let Walk { playlists, objects } = walk(&edge);
    let path_of = |url: &str| url.split('?').next().expect("a path").to_owned();
    let listed = |token: &str| Playlist::open(&edge, &format!("{MASTER}?token={token}")).listed();
    let tall = path_of(
        playlists
            .iter()
            .find(|url| url.contains("/1080p/"))
            .expect("1080p"),
    );
    let tall_segment = path_of(
        objects
            .iter()
            .find(|url| url.contains("/1080p/seg00000"))
            .expect("1080p"),
    );
    let tall_init = path_of(
        objects
            .iter()
            .find(|url| url.contains("/1080p/init"))
            .expect("1080p"),
    );
    let (revision, _) = tall.split_once("/1080p/").expect("a revision");

    let restrictions = serde_json::json!([
        { "path": LECTURE, "max_height": 480 },
        { "path": MASTER, "max_height": 480 },
        { "path": LECTURE, "preview": [0, 4] },
        { "path": LECTURE, "langs": ["und"] },
    ]);
    for (at, claims) in restrictions.as_array().expect("a list").iter().enumerate() {
        // From one network, so many refusals would exceed the limit.
        let address = format!("198.51.{at}.1");
        let get = |url: &str, headers: &[(&str, &str)]| {
            let headers = [headers, &[("cf-connecting-ip", &address)]].concat();
            edge.send("GET", url, &headers, &[])
        };
        let token = edge.token_of(claims.clone());
        let bearer = format!("Bearer {token}");
        // Only the Multivariant Playlist opens directly, by any request.
        for path in [
            tall.clone(),
            tall_segment.clone(),
            tall_init.clone(),
            format!("{revision}/package.json"),
            format!("{revision}/480p/playlist.m3u8"),
            format!("{revision}/480p/seg00000.m4s"),
        ] {
            for reply in [
                get(&format!("{path}?token={token}"), &[]),
                edge.send("HEAD", &format!("{path}?token={token}"), &[], &[]),
                get(&path, &[("authorization", &bearer)]),
                get(&format!("/~{token}{path}"), &[]),
                get(&format!("{path}?token={token}&p="), &[]),
            ] {
                assert!(
                    matches!(reply.status, 400 | 403),
                    "{claims} {path}: {}",
                    reply.status
                );
            }
        }
        // No pass of the link opens another URL than its own.
        for playlist in listed(&token) {
            let (path, pass) = playlist.split_once("?p=").expect("a pass");
            for other in [&tall, &tall_segment, &tall_init, &MASTER.to_owned()] {
                if path != other {
                    for url in [format!("{other}?p={pass}"), format!("/~{pass}{other}")] {
                        assert_eq!(get(&url, &[]).verdict(), "403 forbidden");
                    }
                }
            }
        }
    }

    let low = edge.token_of(serde_json::json!({ "path": LECTURE, "max_height": 480 }));
    let low = listed(&low);
    assert!(low.iter().any(|url| url.contains("/480p/")), "{low:#?}");
    assert!(
        !low.iter()
            .any(|url| url.contains("/720p/") || url.contains("/1080p/")),
        "{low:#?}"
    );
    let none = edge.token_of(serde_json::json!({ "path": LECTURE, "max_height": 100 }));
    assert_eq!(
        edge.get(&format!("{MASTER}?token={none}")).verdict(),
        "403 no_variant"
    );
    // The sample's audio declares no language, so it is listed under any.
    let other = edge.token_of(serde_json::json!({ "path": LECTURE, "langs": ["fr"] }));
    let other = listed(&other);
    assert!(
        other.iter().any(|url| url.contains("/audio/")),
        "{other:#?}"
    );

    // A preview plays, ends, and reveals nothing after its end.
    let preview = edge.token_of(serde_json::json!({ "path": LECTURE, "preview": [0, 4] }));
    for playlist in listed(&preview) {
        let media = Playlist::open(&edge, &playlist);
        assert!(media.text.ends_with("#EXT-X-ENDLIST\n"), "{}", media.text);
        let segments = media.listed();
        assert!(
            !segments.iter().any(|url| url.contains("seg00002")),
            "{}",
            media.text
        );
        let (first, pass) = segments
            .last()
            .and_then(|url| url.split_once("?p="))
            .expect("a pass");
        let behind = first
            .replace("seg00000", "seg00002")
            .replace("seg00001", "seg00002");
        assert_eq!(
            edge.get(&format!("{behind}?p={pass}")).verdict(),
            "403 forbidden"
        );
    }
    let link = format!("{}{MASTER}?token={preview}", edge.origin);
    let seconds = media::duration(&link);
    assert!((3.9..8.1).contains(&seconds), "{seconds} s");
    media::decode(&link);
    let played = browser::play(&edge, &link);
    assert_eq!(played["how"], "ended", "{played:#}");
}

#[test]
fn a_link_for_an_address_opens_there_alone_and_so_do_its_passes() {
    let edge = published();
    let here = serde_json::json!({ "path": MASTER, "ip": ["127.0.0.0/8", "::1"] });
    let here = edge.token_of(here);
    let elsewhere = edge.token_of(serde_json::json!({ "path": MASTER, "ip": ["192.0.2.0/24"] }));
    assert_eq!(
        edge.get(&format!("{MASTER}?token={elsewhere}")).verdict(),
        "403 forbidden"
    );
    let playlists = Playlist::open(&edge, &format!("{MASTER}?token={here}")).listed();
    let segments = Playlist::open(&edge, &playlists[0]).listed();
    assert_eq!(edge.get(&segments[0]).verdict(), "200");
    media::decode(&format!("{}{MASTER}?token={here}", edge.origin));
    // A pass does not carry its network: minted for another one, it does not open here.
    let (path, _) = segments[0].split_once("?p=").expect("a pass");
    let key = ObjectKey::from_url_path(path).expect("an object key");
    let binding = Binding {
        network: "192.0.2.1".parse().ok().map(Network::of),
        country: None,
    };
    let (directory, name) = key.split();
    let mut pass = Vec::new();
    Minter::new(edge.keys.minting(), now() + 60, binding).mint(
        PassKind::Object,
        directory,
        name,
        &mut pass,
    );
    let pass = String::from_utf8(pass).expect("ASCII");
    assert_eq!(
        edge.get(&format!("{path}?p={pass}")).verdict(),
        "403 forbidden"
    );
}

#[test]
fn keys_are_rotated_without_an_outage() {
    // As in docs/deploy.md: prepend a new key, update the course app, remove the old key.
    let mut edge = published();
    let opens = |edge: &Edge, token: &str| edge.get(&format!("{MASTER}?token={token}")).verdict();
    let old = edge.token(MASTER, Purpose::Play);
    let watched = Playlist::open(&edge, &format!("{MASTER}?token={old}")).listed();

    let both = with_new_key(edge.keys_json(), "next", &[7; 32]).expect("a key ring");
    edge.set_keys(both);
    let new = edge.token(MASTER, Purpose::Play);
    assert_eq!(opens(&edge, &old), "200");
    assert_eq!(opens(&edge, &new), "200");
    assert_eq!(edge.get(&watched[0]).verdict(), "200");

    edge.set_keys(with_new_key("", "next", &[7; 32]).expect("a key ring"));
    assert_eq!(opens(&edge, &old), "403 forbidden");
    assert_eq!(edge.get(&watched[0]).verdict(), "403 forbidden");
    assert_eq!(opens(&edge, &new), "200");
}

#[test]
fn explain_agrees_with_the_edge() {
    let edge = published();
    let Walk { objects, .. } = walk(&edge);
    let expired = Claims::new(Scope::parse(MASTER).expect("a scope"), now() - 240);
    let expired = link::mint(edge.keys.minting(), &expired);
    for (url, expected) in [
        (edge.link(MASTER), "opens"),
        (format!("{}{}", edge.origin, objects[0]), "opens"),
        (
            format!("{}{MASTER}?token={expired}", edge.origin),
            "4 minutes ago",
        ),
        (format!("{}{MASTER}", edge.origin), "missing_token"),
        (
            format!(
                "{}/elsewhere?{}",
                edge.origin,
                objects[0].split_once('?').expect("a pass").1
            ),
            "forbidden",
        ),
    ] {
        let output = edge
            .lectern()
            .arg("explain")
            .arg(&url)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(expected), "{url}\n{said}");
        let opens = edge.get(&url[edge.origin.len()..]).status == 200;
        assert_eq!(
            output.status.code(),
            Some(if opens { 0 } else { 5 }),
            "{said}"
        );
        assert!(!said.contains("eyJ"), "{said}");
    }
}

#[test]
fn the_same_viewer_gets_the_same_urls_and_is_spared_what_he_has() {
    let edge = published();
    let token = edge.token(MASTER, Purpose::Play);
    let url = format!("{MASTER}?token={token}");
    let first = edge.get(&url);
    let tag = first.header("etag").expect("an entity-tag");
    let again = edge.send("GET", &url, &[("if-none-match", tag)], &[]);
    // An expiry step may lie between the two. Then the URLs and the entity-tag are new.
    if again.status != 304 {
        let tag = again.header("etag").expect("an entity-tag");
        assert_eq!(
            edge.send("GET", &url, &[("if-none-match", tag)], &[])
                .status,
            304
        );
    }
    let head = edge.send("HEAD", &url, &[], &[]);
    let get = edge.get(&url);
    for name in [
        "content-length",
        "content-type",
        "etag",
        "cache-control",
        "last-modified",
    ] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert!(head.body.is_empty());

    let segment = &walk(&edge).objects[1];
    let whole = edge.get(segment);
    let part = edge.send("GET", segment, &[("range", "bytes=10-19")], &[]);
    assert_eq!(part.status, 206);
    assert_eq!(part.body, whole.body[10..20]);
    let length = whole.body.len();
    assert_eq!(
        part.header("content-range"),
        Some(&*format!("bytes 10-19/{length}"))
    );
    let beyond = edge.send(
        "GET",
        segment,
        &[("range", &format!("bytes={length}-"))],
        &[],
    );
    assert_eq!(beyond.verdict(), "416 range_not_satisfiable");
    assert_eq!(
        beyond.header("content-range"),
        Some(&*format!("bytes */{length}"))
    );
    let tag = whole.header("etag").expect("an entity-tag");
    assert_eq!(
        edge.send("GET", segment, &[("if-none-match", tag)], &[])
            .status,
        304
    );
    let stale = [("range", "bytes=10-19"), ("if-range", "\"other\"")];
    assert_eq!(edge.send("GET", segment, &stale, &[]).body, whole.body);
    let preflight = edge.send(
        "OPTIONS",
        segment,
        &[
            ("origin", "https://school.example"),
            ("access-control-request-method", "GET"),
            (
                "access-control-request-headers",
                "baggage,cmcd-object,range,sentry-trace",
            ),
        ],
        &[],
    );
    assert_eq!(preflight.status, 204);
    let allowed = preflight
        .header("access-control-allow-headers")
        .expect("names");
    assert!(
        allowed.contains("Range") && allowed.ends_with(", baggage, cmcd-object, sentry-trace"),
        "{allowed}"
    );
}

#[test]
fn an_edge_that_is_dropped_leaves_no_port_open() {
    let edge = Edge::start();
    let address = edge.origin.trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(edge);
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn an_upload_link_writes_within_its_scope_and_reads_nothing() {
    // A client that is still sending gets its answer through a proxy only.
    let edge = Edge::alone();
    let bearer = format!("Bearer {}", edge.token("/uploads/s42/", Purpose::Upload));
    let auth = ("authorization", bearer.as_str());
    let put = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let headers: Vec<_> = [auth].into_iter().chain(headers.iter().copied()).collect();
        edge.send("PUT", path, &headers, body)
    };
    assert_eq!(
        put("/uploads/s42/a.mp4", &[("if-none-match", "*")], b"one").verdict(),
        "201"
    );
    assert_eq!(
        put("/uploads/s42/a.mp4", &[("if-none-match", "*")], b"two").verdict(),
        "412 precondition_failed"
    );
    let replaced = put(
        "/uploads/s42/a.mp4",
        &[("content-type", "video/x-test")],
        b"three",
    );
    let tag = replaced.header("etag").expect("an entity-tag").to_owned();
    assert_eq!(
        put("/uploads/s42/a.mp4", &[("if-match", "\"0\"")], b"x").verdict(),
        "412 precondition_failed"
    );
    assert_eq!(
        put("/uploads/s42/b.mp4", &[("if-match", "*")], b"x").verdict(),
        "412 precondition_failed"
    );
    for (path, expected) in [
        ("/uploads/s43/a.mp4", "403 forbidden"),
        ("/uploads/s42", "403 forbidden"),
        ("/uploads/s42x/a.mp4", "403 forbidden"),
        ("/uploads/s42/../s43/a.mp4", "403 forbidden"),
        ("/uploads/s42/%2e%2e/s43/a.mp4", "403 forbidden"),
        ("/uploads/s42/..%2fs43/a.mp4", "400 bad_path"),
        ("/uploads/s42//a.mp4", "400 bad_path"),
        ("/_lectern/other.js", "404 not_found"),
    ] {
        assert_eq!(put(path, &[], b"x").verdict(), expected, "{path}");
    }
    assert_eq!(
        edge.send("GET", "/uploads/s42/a.mp4", &[auth], &[])
            .verdict(),
        "403 forbidden"
    );
    let unsigned = edge.send("PUT", "/uploads/s42/a.mp4", &[], b"x");
    assert_eq!(unsigned.verdict(), "401 missing_token");

    let read = edge.send(
        "GET",
        &edge.link("/uploads/s42/a.mp4")[edge.origin.len()..],
        &[],
        &[],
    );
    assert_eq!(read.body, b"three");
    assert_eq!(read.header("content-type"), Some("video/x-test"));
    assert_eq!(read.header("etag"), Some(tag.as_str()));
    let play = format!("Bearer {}", edge.token("/uploads/s42/", Purpose::Play));
    for method in ["PUT", "DELETE", "POST"] {
        let reply = edge.send(
            method,
            "/uploads/s42/a.mp4",
            &[("authorization", &play)],
            b"x",
        );
        assert_eq!(reply.verdict(), "403 forbidden", "{method}");
    }
    assert_eq!(
        edge.send("DELETE", "/uploads/s42/a.mp4", &[auth], &[])
            .status,
        204
    );
    assert_eq!(
        edge.get(&edge.link("/uploads/s42/a.mp4")[edge.origin.len()..])
            .verdict(),
        "404 not_found"
    );

    // Its `Content-Length` exceeds one request, so it is refused before the body is read.
    let large = vec![0; (100 << 20) + 1];
    assert_eq!(
        put("/uploads/s42/large.mp4", &[], &large).verdict(),
        "413 payload_too_large"
    );
}

#[test]
fn a_large_upload_goes_up_in_parts() {
    const PART: usize = 5 << 20;
    let edge = Edge::start();
    let bearer = format!("Bearer {}", edge.token("/uploads/", Purpose::Upload));
    let auth = [("authorization", bearer.as_str())];
    let path = "/uploads/original.mov";
    let create = || {
        let created = edge.send("POST", &format!("{path}?uploads"), &auth, &[]);
        assert_eq!(created.status, 201, "{}", created.text());
        created.json()["uploadId"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let part = |id: &str, number: usize, body: &[u8]| {
        let sent = edge.send(
            "PUT",
            &format!("{path}?uploadId={id}&partNumber={number}"),
            &auth,
            body,
        );
        assert!(matches!(sent.status, 200 | 201), "{}", sent.text());
        sent.json()
    };
    let complete = |id: &str, parts: &[serde_json::Value]| {
        let body = serde_json::json!({ "parts": parts }).to_string();
        edge.send(
            "POST",
            &format!("{path}?uploadId={id}"),
            &auth,
            body.as_bytes(),
        )
    };

    let bytes: Vec<u8> = (0..2 * PART + 1000).map(|at| (at % 251) as u8).collect();
    let id = create();
    let parts: Vec<_> = bytes
        .chunks(PART)
        .enumerate()
        .map(|(at, body)| part(&id, at + 1, body))
        .collect();
    assert_eq!(
        edge.get(&edge.link(path)[edge.origin.len()..]).verdict(),
        "404 not_found"
    );
    assert_eq!(complete(&id, &parts).verdict(), "201");
    let read = edge.get(&edge.link(path)[edge.origin.len()..]);
    assert!(read.body == bytes, "{} bytes", read.body.len());
    assert_eq!(read.header("content-type"), Some("video/quicktime"));

    // Parts that storage cannot join, and parts of no upload.
    let unequal = create();
    let parts = [
        part(&unequal, 1, &bytes[..PART]),
        part(&unequal, 2, &bytes[..PART + 1]),
        part(&unequal, 3, b"x"),
    ];
    assert_eq!(complete(&unequal, &parts).verdict(), "400 bad_upload");
    assert_eq!(complete(&unequal, &[]).verdict(), "400 bad_request");
    let (first, second) = (parts[0].clone(), parts[1].clone());
    let backwards = complete(&unequal, &[second, first]);
    assert_eq!(backwards.verdict(), "400 bad_upload");
    for number in [0, 10_001, 65_536] {
        let part = serde_json::json!({"partNumber": number, "etag": "e"});
        assert_eq!(complete(&unequal, &[part]).status, 400, "{number}");
    }
    let gone = create();
    let abort = edge.send("DELETE", &format!("{path}?uploadId={gone}"), &auth, &[]);
    assert_eq!(abort.status, 204);
    let late = edge.send(
        "PUT",
        &format!("{path}?uploadId={gone}&partNumber=1"),
        &auth,
        b"x",
    );
    assert_eq!(late.verdict(), "404 no_upload");
    // R2 reports its own failure for an upload that it never knew.
    for id in [gone.as_str(), "none"] {
        let part = serde_json::json!({"partNumber": 1, "etag": "e"});
        assert_eq!(complete(id, &[part]).verdict(), "404 no_upload", "{id}");
    }
    let abort = edge.send("DELETE", &format!("{path}?uploadId=none"), &auth, &[]);
    assert_eq!(abort.verdict(), "404 no_upload");
    for query in [
        "?uploadId=x",
        "?partNumber=1",
        "?uploadId=x&partNumber=0",
        "?uploadId=x&partNumber=10001",
    ] {
        let reply = edge.send("PUT", &format!("{path}{query}"), &auth, b"x");
        assert_eq!(reply.verdict(), "400 bad_request", "{query}");
    }
    // The previous object is unchanged.
    assert!(edge.get(&edge.link(path)[edge.origin.len()..]).body == bytes);
}

#[test]
fn an_interrupted_publish_leaves_the_lecture_as_it_was() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let token = edge.token(MASTER, Purpose::Play);
    let before = edge.get(&format!("{MASTER}?token={token}")).body;

    let other = media::sample(30);
    // In the middle of it on any machine: the next object is on its way, and waits.
    let allowed = 5;
    edge.get(&format!("/__faults/puts?most={allowed}"));
    let mut ship = edge
        .lectern()
        .arg("ship")
        .arg(&other)
        .arg(format!("{}{LECTURE}", edge.origin))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("ship starts");
    while edge.get("/__faults/puts").json().as_u64() <= Some(allowed) {
        let status = ship.try_wait().expect("a status");
        assert!(status.is_none(), "ship ended: {status:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    ship.kill().expect("killed");
    ship.wait().expect("reaped");
    edge.get("/__faults/puts?most=Infinity");

    assert_eq!(edge.get(&format!("{MASTER}?token={token}")).body, before);
    media::decode(&edge.link(MASTER));

    succeed(
        edge.lectern()
            .arg("ship")
            .arg(&other)
            .arg(format!("{}{LECTURE}", edge.origin)),
    );
    let seconds = media::duration(&edge.link(MASTER));
    assert!((seconds - 30.0).abs() < 0.2, "{seconds} s");
    media::decode(&edge.link(MASTER));
}
