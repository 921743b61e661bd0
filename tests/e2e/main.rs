//! Promises to users, kept end to end: the built Worker in workerd, the built `lectern` command, real players.
//! Needs `make build`.

mod browser;
mod edge;
mod media;

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use edge::{Edge, now, run};
use lectern::link::{self, Claims, Use};
use lectern::object_key::{ObjectKey, Scope};
use lectern::pass::{Kind, Minter};
use media::Playlist;

const LECTURE: &str = "/courses/rails/intro/";
const MASTER: &str = "/courses/rails/intro/master.m3u8";

fn published() -> Edge {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    edge
}

/// The playlists, initialization sections and segments behind a master playlist's link.
struct Walk {
    playlists: Vec<String>,
    objects: Vec<String>,
}

fn walk(edge: &Edge) -> Walk {
    let token = edge.token(MASTER, Use::Play);
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
    // Three rungs and the audio, four segments and an initialization section each.
    assert_eq!(playlists.len(), 4);
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
    let upload = edge.token(LECTURE, Use::Upload);

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
        // A pass of yesterday, rightly signed.
        let key = ObjectKey::from_url_path(path).expect("an object key");
        let (directory, name) = key.split();
        let mut pass = Vec::new();
        Minter::new(edge.keys.minting(), now() - 1).mint(Kind::Object, directory, name, &mut pass);
        let pass = String::from_utf8(pass).expect("ASCII");
        assert_eq!(
            edge.get(&format!("{path}?p={pass}")).verdict(),
            "403 expired"
        );
    }
    // An object's link opens what its playlists list through passes, and nothing directly.
    let token = edge.token(MASTER, Use::Play);
    let path = segment.split('?').next().expect("a path");
    assert_eq!(
        edge.get(&format!("{path}?token={token}")).verdict(),
        "403 forbidden"
    );
}

#[test]
fn the_same_viewer_gets_the_same_urls_and_is_spared_what_he_has() {
    let edge = published();
    let token = edge.token(MASTER, Use::Play);
    let url = format!("{MASTER}?token={token}");
    let first = edge.get(&url);
    let tag = first.header("etag").expect("an entity-tag");
    let again = edge.send("GET", &url, &[("if-none-match", tag)], &[]);
    // A step of the expiries may lie between the two: then the URLs, and the tag, are new.
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
        &[("origin", "https://school.example")],
        &[],
    );
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .is_some_and(|names| names.contains("Range"))
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
    let edge = Edge::start();
    let bearer = format!("Bearer {}", edge.token("/uploads/s42/", Use::Upload));
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
    let play = format!("Bearer {}", edge.token("/uploads/s42/", Use::Play));
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

    // Announced as larger than one request may be: refused before the body is read.
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
    let bearer = format!("Bearer {}", edge.token("/uploads/", Use::Upload));
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
        assert_eq!(sent.verdict(), "200", "{}", sent.text());
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

    // Parts that storage cannot put together, and parts of nothing.
    let unequal = create();
    let parts = [
        part(&unequal, 1, &bytes[..PART]),
        part(&unequal, 2, &bytes[..PART + 1]),
        part(&unequal, 3, b"x"),
    ];
    assert_eq!(complete(&unequal, &parts).verdict(), "400 bad_upload");
    assert_eq!(complete(&unequal, &[]).verdict(), "400 bad_request");
    let gone = create();
    let abort = edge.send("DELETE", &format!("{path}?uploadId={gone}"), &auth, &[]);
    assert_eq!(abort.status, 204);
    let late = edge.send(
        "PUT",
        &format!("{path}?uploadId={gone}&partNumber=1"),
        &auth,
        b"x",
    );
    assert_eq!(late.verdict(), "400 bad_upload");
    for query in [
        "?uploadId=x",
        "?partNumber=1",
        "?uploadId=x&partNumber=0",
        "?uploadId=x&partNumber=10001",
    ] {
        let reply = edge.send("PUT", &format!("{path}{query}"), &auth, b"x");
        assert_eq!(reply.verdict(), "400 bad_request", "{query}");
    }
    // What was there is still whole.
    assert!(edge.get(&edge.link(path)[edge.origin.len()..]).body == bytes);
}

#[test]
fn an_interrupted_publish_leaves_the_lecture_as_it_was() {
    let edge = published();
    let token = edge.token(MASTER, Use::Play);
    let before = edge.get(&format!("{MASTER}?token={token}")).body;

    let other = edge.folder().join("other.mp4");
    run(edge::lectern()
        .args(["sample", "--seconds", "20", "-o"])
        .arg(&other));
    let mut ship = edge
        .lectern()
        .arg("ship")
        .arg(&other)
        .arg(format!("{}{LECTURE}", edge.origin))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("ship starts");
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        ship.try_wait().expect("a status").is_none(),
        "ship was over before it was killed"
    );
    ship.kill().expect("killed");
    ship.wait().expect("reaped");

    assert_eq!(edge.get(&format!("{MASTER}?token={token}")).body, before);
    media::decode(&edge.link(MASTER));

    run(edge
        .lectern()
        .arg("ship")
        .arg(&other)
        .arg(format!("{}{LECTURE}", edge.origin)));
    let seconds = media::duration(&edge.link(MASTER));
    assert!((seconds - 20.0).abs() < 0.2, "{seconds} s");
    media::decode(&edge.link(MASTER));
}
