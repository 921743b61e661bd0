//! Strict links: short passes, and Content Steering that renews them in hls.js.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::process::{succeed, wait_until};
use testkit::root;

use super::edge::{Edge, built, now};
use super::media::{self, Playlist};
use super::{LECTURE, MASTER, MPD, published};
use lectern::credential::claims::Purpose;
use lectern::credential::pass;

/// The path and query of the steering manifest that a playlist names.
fn server_uri(playlist: &str) -> Option<String> {
    let (_, rest) = playlist.split_once("#EXT-X-CONTENT-STEERING:SERVER-URI=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Opens the lecture, which must be steered.
fn open(edge: &Edge, claims: Value) -> (Playlist, String) {
    let token = edge.token_of(claims);
    let playlist = Playlist::open(edge, &format!("{MASTER}?token={token}"));
    let uri = server_uri(&playlist.text).expect("a steering manifest");
    (playlist, uri)
}

/// The URLs of a steering manifest, once it has clones.
fn renewed(edge: &Edge, uri: &str) -> Vec<String> {
    let mut replacement = Value::Null;
    wait_until(
        || format!("no clone: {}", edge.get(uri).text()),
        || {
            let reply = edge.get(uri);
            assert_eq!(reply.status, 200, "{}", reply.text());
            replacement = reply.json()["PATHWAY-CLONES"][0]["URI-REPLACEMENT"].clone();
            replacement.is_object()
        },
    );
    let members = replacement.as_object().expect("an object").values();
    let urls = members.flat_map(|uris| uris.as_object().expect("an object").values());
    let urls = urls.map(|url| url.as_str().expect("a URL").to_owned());
    urls.map(|url| {
        url.strip_prefix(&edge.origin)
            .expect("our origin")
            .to_owned()
    })
    .collect()
}

fn paths(urls: &[String]) -> Vec<&str> {
    let mut paths: Vec<&str> = urls
        .iter()
        .map(|url| url.split('?').next().expect("a path"))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The last second of a URL's pass.
fn pass_end(url: &str) -> u64 {
    let (_, pass) = url.split_once("?p=").expect("a pass");
    pass::decode(pass).expect("a pass").expires
}

#[test]
fn a_strict_links_passes_live_for_a_minute_and_its_steering_manifest_renews_them() {
    let edge = published();
    let (playlist, uri) = open(&edge, json!({"path": LECTURE, "strict": true}));
    let mut listed = playlist.listed();
    listed.retain(|url| url.contains("?p="));
    let left = pass_end(&listed[0]) - now();
    assert!((50..=66).contains(&left), "{left} s");
    let first = edge.get(&uri);
    assert_eq!(
        first.header("content-type"),
        Some("application/vnd.apple.steering-list")
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.json()["PATHWAY-PRIORITY"], json!(["."]));
    assert!(first.json()["TTL"].as_u64() <= Some(30), "{}", first.text());
    let renewed = renewed(&edge, &uri);
    assert_eq!(paths(&renewed), paths(&listed));
    for url in &renewed {
        assert!(pass_end(url) > pass_end(&listed[0]), "{url}");
        assert_eq!(edge.get(url).verdict(), "200", "{url}");
    }
    // Other links are as they were.
    let token = edge.token_of(json!({"path": LECTURE, "strict": false}));
    let usual = Playlist::open(&edge, &format!("{MASTER}?token={token}"));
    assert_eq!(server_uri(&usual.text), None);
}

#[test]
fn a_steering_token_opens_its_own_manifest_and_nothing_else() {
    let edge = published();
    let claims =
        json!({"path": LECTURE, "strict": true, "ip": ["127.0.0.1", "::1"], "watch": 7200});
    let (_, uri) = open(&edge, claims.clone());
    let (path, query) = uri.split_once('?').expect("a query");
    let (_, steering_token) = query.split_once("token=").expect("a token");
    let link = edge.token_of(claims);
    let from = |address: &str, uri: &str| {
        edge.send("GET", uri, &[("cf-connecting-ip", address)], &[])
            .verdict()
    };
    assert_eq!(from("127.0.0.1", &uri), "200");
    let other = uri.replacen("master.m3u8", "other.m3u8", 1);
    for (uri, expected) in [
        // A steering token is no link, and a link no steering token.
        (format!("{MASTER}?{query}"), "403 forbidden"),
        (format!("{path}?token={link}"), "403 forbidden"),
        (format!("{path}?token={steering_token}A"), "403 forbidden"),
        (path.to_owned(), "401 missing_token"),
        ("/_lectern/steering?token=x".to_owned(), "400 bad_path"),
        (
            format!("/_lectern/steering/_lectern/health?{query}"),
            "404 not_found",
        ),
        (
            format!("/_lectern/steering/a%252fb?{query}"),
            "400 bad_path",
        ),
        (format!("{path}?{query}&token=x"), "400 bad_request"),
        // The token is for another playlist.
        (other, "410 steering_ended"),
    ] {
        assert_eq!(from("127.0.0.1", &uri), expected, "{uri}");
    }
    let put = edge.send("PUT", &uri, &[], b"x");
    assert_eq!(put.verdict(), "404 not_found");
    let head = edge.send("HEAD", &uri, &[], &[]);
    assert_eq!(head.status, 200);
}

#[test]
fn a_player_whose_time_is_over_is_told_so_and_is_never_limited() {
    let edge = published();
    let (_, uri) = open(&edge, json!({"path": LECTURE, "strict": true, "watch": 1}));
    wait_until(
        || "the time is not over".to_owned(),
        || edge.get(&uri).verdict() == "410 steering_ended",
    );
    for _ in 0..150 {
        assert_eq!(edge.get(&uri).verdict(), "410 steering_ended");
    }
}

#[test]
fn a_strict_link_opens_nothing_below_a_directorys_pass() {
    let edge = published();
    let token = edge.token_of(json!({"path": LECTURE, "strict": true}));
    for url in [
        format!("{MPD}?token={token}"),
        format!("{MASTER}?token={token}&as=directory"),
    ] {
        assert_eq!(edge.get(&url).verdict(), "403 forbidden", "{url}");
    }
}

#[test]
fn restrictions_hold_for_renewed_passes() {
    let edge = published();
    let (playlist, uri) = open(
        &edge,
        json!({"path": LECTURE, "strict": true, "max_height": 480}),
    );
    let mut listed = playlist.listed();
    listed.retain(|url| url.contains("?p="));
    let renewed = renewed(&edge, &uri);
    assert_eq!(paths(&renewed), paths(&listed));
    assert!(
        !renewed.iter().any(|url| url.contains("720p")),
        "{renewed:?}"
    );
    for url in &renewed {
        let (_, pass) = url.split_once("?p=").expect("a pass");
        let kind = pass::decode(pass).expect("a pass").kind;
        assert!(matches!(kind, pass::PassKind::Restricted { .. }), "{url}");
    }
}

#[test]
fn a_player_stays_with_the_revision_that_it_opened() {
    let edge = published();
    let (_other, other) = media::packaged(1, &["--ladder", "240"]);
    let claims = json!({"path": LECTURE, "strict": true});
    let (_, uri) = open(&edge, claims.clone());
    let before = renewed(&edge, &uri);
    edge.publish(&other, LECTURE);
    // The cache has the playlist for two seconds more.
    let mut uri_now = String::new();
    wait_until(
        || "the lecture is not replaced".to_owned(),
        || {
            let (playlist, uri) = open(&edge, claims.clone());
            uri_now = uri;
            playlist.text.contains("240p")
        },
    );
    assert_eq!(paths(&renewed(&edge, &uri)), paths(&before));
    assert_ne!(paths(&renewed(&edge, &uri_now)), paths(&before));
    // Packages of older versions have no playlist of their revision.
    let (folder, _) = before[0].split_once("/v/").expect("a revision");
    let (revision, _) = before[0][folder.len() + 3..]
        .split_once('/')
        .expect("a revision");
    let removed = |revision: &str| {
        let path = format!("{folder}/v/{revision}/master.m3u8");
        let token = edge.token(LECTURE, Purpose::Admin);
        let deleted = edge.send("DELETE", &format!("{path}?token={token}"), &[], &[]);
        assert_eq!(deleted.status, 204, "{path}");
    };
    removed(revision);
    assert_eq!(edge.get(&uri).verdict(), "410 steering_ended");
    let current = renewed(&edge, &uri_now);
    let (revision, _) = current[0][folder.len() + 3..]
        .split_once('/')
        .expect("a revision");
    removed(revision);
    assert_eq!(paths(&renewed(&edge, &uri_now)), paths(&current));
}

#[test]
fn a_steered_player_keeps_its_place_and_stops_without_one() {
    let edge = published();
    let claims = json!({"path": LECTURE, "strict": true, "sub": "s42", "sessions": 1});
    let (_, uri) = open(&edge, claims.clone());
    assert_eq!(edge.get(&uri).verdict(), "200");
    let (without, _) = uri.split_once("&session=").expect("a session");
    assert_eq!(edge.get(without).verdict(), "410 steering_ended");
    let forged = format!("{without}&session={}", "A".repeat(22));
    assert_eq!(edge.get(&forged).verdict(), "410 steering_ended");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let (_, newer) = open(&edge, claims);
    wait_until(
        || "the first player goes on".to_owned(),
        || edge.get(&uri).verdict() == "410 steering_ended",
    );
    assert_eq!(edge.get(&newer).verdict(), "200");
}

#[test]
fn a_strict_link_costs_no_more_questions_than_it_needs() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let asked = || {
        let asked = edge.get("/__faults/asked").json();
        let number = |name: &str| asked[name].as_u64().expect("a number");
        (number("ledgers"), number("revocations"))
    };
    let plays = |claims: Value| {
        let (_, uri) = open(&edge, claims);
        for _ in 0..3 {
            assert_eq!(edge.get(&uri).verdict(), "200");
        }
    };
    asked();
    plays(json!({"path": LECTURE, "strict": true}));
    assert_eq!(asked(), (0, 0), "a strict link without ids");
    plays(json!({"path": LECTURE, "strict": true, "sub": "s1", "jti": "l1"}));
    assert_eq!(asked(), (0, 1), "a strict link that names its viewer");
    plays(json!({"path": LECTURE, "strict": true, "sub": "s2", "sessions": 2}));
    assert_eq!(
        asked(),
        (1, 0),
        "a strict link that counts players; the list is known"
    );
}

fn player(edge: &Edge, claims: Value, arguments: &[&str]) -> Command {
    let link = format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims));
    let mut command = Command::new(built("node_modules/node/bin/node"));
    command
        .arg(root().join("tests/browser/steering.mjs"))
        .arg(link)
        .args(arguments);
    command
}

/// Plays the long lecture to its end.
pub(crate) fn hls_js_plays_through_a_pause_and_a_far_seek(edge: &Edge) {
    let claims = json!({
        "path": LECTURE, "strict": true, "sub": "hls.js", "sessions": 1, "sessions_policy": "oldest"
    });
    // The end falls between two clones, which come every 24 seconds: hls.js 1.7.4 waits for ever if one
    // comes in the last seconds.
    let printed = succeed(&mut player(edge, claims, &["75", "100"]));
    let (_, json) = printed.split_once('\n').expect("two lines");
    let seen: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(seen["ended"], true, "{seen:#}\n{}", edge.log());
    assert_eq!(seen["fatal"], json!([]), "{seen:#}");
    assert_eq!(seen["refused"], json!([]), "{seen:#}");
    // hls.js loads audio again from where it plays, because a clone is another audio group. It aborts
    // video segments that are on their way when a clone comes.
    let twice = seen["twice"].as_array().expect("a list");
    let is_audio = |path: &&Value| path.as_str().is_some_and(|path| path.contains("/audio/"));
    let video = twice.len() - twice.iter().filter(is_audio).count();
    let switches = seen["pathways"].as_array().expect("a list").len();
    assert!(switches >= 3 && video <= switches, "{seen:#}");
    assert!(twice.len() <= 2 * switches, "{seen:#}");
    // hls.js 1.7.4 loses most captions after the first clone.
    assert!(seen["captions"]["before"].as_u64() > Some(0), "{seen:#}");
    eprintln!("{seen:#}");
}

/// Plays the long lecture until its viewer is revoked.
pub(crate) fn hls_js_stops_when_its_viewer_is_revoked(edge: &Edge) {
    let claims = json!({"path": LECTURE, "strict": true, "sub": "revoked"});
    let mut player = player(edge, claims, &[]);
    let mut playing = player.stdout(Stdio::piped()).spawn().expect("a player");
    let output = playing.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines();
    let line = lines.next().expect("a line").expect("UTF-8");
    assert_eq!(line, "playing");
    let mut command = edge.lectern();
    succeed(
        command
            .args(["revoke", "--viewer", "revoked"])
            .env("LECTERN_EDGE", &edge.origin),
    );
    let revoked = now();
    let line = lines.next().expect("a line").expect("UTF-8");
    assert!(playing.wait().expect("it ends").success());
    let seen: Value = serde_json::from_str(&line).expect("JSON");
    let stopped = seen["stopped"].as_u64().expect("it stopped") / 1000;
    eprintln!("stopped {} s after the revocation", stopped - revoked);
    assert_eq!(seen["ended"], false, "{seen:#}");
    // The data centre and the isolate know after 60 s, and the buffer has 12 s and a segment.
    assert!(stopped - revoked <= 60 + 20, "{seen:#}");
}
