//! Stable names beside `master.m3u8`: they follow what plays, and open no more than the link.

use lectern::credential::claims::Purpose;
use lectern::sdk::{Options, Sdk};
use serde_json::json;
use testkit::process::{succeed, wait_until};

use super::edge::{Edge, Reply, now};

const COURSE: &str = "/courses/l'%C3%A9t%C3%A9/";
const SCOPE: &str = "/courses/l'été/";

/// Stores an object of the lecture.
fn put(edge: &Edge, path: &str, body: &str) {
    let upload = edge.token(SCOPE, Purpose::Upload);
    let url = format!("{COURSE}{path}?token={upload}");
    let put = edge.send("PUT", &url, &[], body.as_bytes());
    assert!(matches!(put.status, 200 | 201), "{path}");
}

/// Publishes a revision: its poster, its download, and the playlist that names it.
fn publish(edge: &Edge, revision: &str) {
    for name in ["poster.jpg", "lecture.mp4"] {
        put(
            edge,
            &format!("v/{revision}/{name}"),
            &format!("{name} of {revision}"),
        );
    }
    put(edge, "master.m3u8", &playlist_of(revision));
}

fn playlist_of(revision: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"v/{revision}/audio/en/playlist.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv/{revision}/480p/playlist.m3u8\n"
    )
}

/// Sends a request, and follows one redirect to another path of the edge.
fn follow(edge: &Edge, url: &str, headers: &[(&str, &str)]) -> Reply {
    let redirect = edge.send("GET", url, headers, &[]);
    assert_eq!(redirect.verdict(), "307", "{url}");
    assert_eq!(redirect.header("cache-control"), Some("no-store"));
    let location = redirect.header("location").expect("a location");
    edge.send("GET", location, headers, &[])
}

fn with_token(edge: &Edge, path: &str, claims: serde_json::Value) -> String {
    format!("{COURSE}{path}token={}", edge.token_of(claims))
}

fn get(edge: &Edge, path: &str, claims: serde_json::Value) -> Reply {
    edge.get(&with_token(edge, path, claims))
}

#[test]
fn stable_names_follow_what_plays_and_open_no_more_than_the_link() {
    let edge = Edge::start();
    let folder = json!({ "path": SCOPE });
    let poster = json!({ "path": format!("{SCOPE}poster.jpg") });
    let download = json!({ "path": format!("{SCOPE}lecture.mp4"), "use": "download" });
    assert_eq!(
        get(&edge, "poster.jpg?", folder.clone()).verdict(),
        "404 not_found"
    );
    publish(&edge, "1a");

    // By a link for the folder, and by a link for this name alone.
    for claims in [&folder, &poster] {
        let reply = get(&edge, "poster.jpg?", claims.clone());
        assert_eq!(
            (reply.verdict().as_str(), reply.text()),
            ("200", "poster.jpg of 1a")
        );
        assert_eq!(reply.header("content-type"), Some("image/jpeg"));
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
        assert_eq!(reply.header("content-disposition"), None);
    }
    let stored = get(&edge, "v/1a/lecture.mp4?", folder.clone());
    // Every client gets a URL that opens this version alone.
    let url = with_token(&edge, "lecture.mp4?", download.clone());
    for headers in [vec![], vec![("origin", "https://school.example")]] {
        let redirect = edge.send("GET", &url, &headers, &[]);
        let location = redirect.header("location").expect("a location");
        let version = format!("{COURSE}v/1a/lecture.mp4?p=");
        assert!(location.starts_with(&version), "{location}");
        let whole = follow(&edge, &url, &headers);
        assert_eq!(whole.text(), "lecture.mp4 of 1a");
        assert_eq!(whole.header("etag"), stored.header("etag"));
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    }
    let part = follow(&edge, &url, &[("range", "bytes=-2")]);
    assert_eq!((part.status, part.text()), (206, "1a"));
    assert_eq!(part.header("content-range"), Some("bytes 15-16/17"));
    let beyond = follow(&edge, &url, &[("range", "bytes=17-")]);
    assert_eq!(beyond.verdict(), "416 range_not_satisfiable");
    assert_eq!(edge.send("HEAD", &url, &[], &[]).status, 307);
    let tag = stored.header("etag").expect("a tag");
    assert_eq!(follow(&edge, &url, &[("if-none-match", tag)]).status, 304);
    // A strict link's pass ends within a minute, so each range comes by the link.
    let strict = json!({ "path": SCOPE, "strict": true });
    let url = with_token(&edge, "lecture.mp4?", strict);
    let part = edge.send("GET", &url, &[("range", "bytes=-2")], &[]);
    assert_eq!((part.status, part.text()), (206, "1a"));
    // A link that counts players opens the poster only.
    let counted = json!({ "path": SCOPE, "sub": "s1", "sessions": 1 });
    let reply = get(&edge, "poster.jpg?", counted.clone());
    assert_eq!(reply.text(), "poster.jpg of 1a");
    let reply = get(&edge, "lecture.mp4?", counted);
    assert_eq!(reply.verdict(), "403 forbidden");

    publish(&edge, "2b");
    let reply = get(&edge, "poster.jpg?", poster.clone());
    assert_eq!(reply.text(), "poster.jpg of 2b");
    // A rollback to an older object, which the date of the newer one does not validate.
    let newer = get(&edge, "v/2b/poster.jpg?", folder.clone());
    let date = newer.header("last-modified").expect("a date");
    put(&edge, "master.m3u8", &playlist_of("1a"));
    let url = with_token(&edge, "poster.jpg?", poster.clone());
    for condition in ["if-modified-since", "if-unmodified-since"] {
        let reply = edge.send("GET", &url, &[(condition, date)], &[]);
        assert_eq!(reply.text(), "poster.jpg of 1a", "{condition}");
        assert_eq!(reply.header("last-modified"), None);
    }
    // A playlist without a revision, and one that is too large to be read for each request.
    let huge = format!("{}#{}", playlist_of("1a"), " ".repeat(256 * 1024));
    put(&edge, "master.m3u8", &huge);
    assert_eq!(
        get(&edge, "poster.jpg?", poster.clone()).verdict(),
        "404 not_found"
    );
    put(
        &edge,
        "master.m3u8",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n480p/playlist.m3u8\n",
    );
    assert_eq!(
        get(&edge, "poster.jpg?", poster.clone()).verdict(),
        "404 not_found"
    );
    publish(&edge, "2b");

    // No restricted link opens what its playlist does not list.
    for restriction in [
        json!({ "preview": [0, 60] }),
        json!({ "max_height": 480 }),
        json!({ "langs": ["en"] }),
    ] {
        let mut claims = restriction;
        claims["path"] = SCOPE.into();
        for name in ["poster.jpg?", "lecture.mp4?", "lecture.mp4?download&"] {
            let reply = get(&edge, name, claims.clone());
            assert_eq!(reply.verdict(), "403 forbidden", "{name} {claims}");
            // Nor does the answer tell whether the object exists.
            let other = name.replace("lecture", "other");
            let reply = get(&edge, &other, claims.clone());
            assert_eq!(reply.verdict(), "403 forbidden", "{other} {claims}");
        }
    }
    // Other scopes and uses.
    for (name, claims, expected) in [
        ("lecture.mp4?", poster.clone(), "403 forbidden"),
        (
            "poster.jpg?",
            json!({ "path": format!("{SCOPE}v/2b/") }),
            "403 forbidden",
        ),
        (
            "poster.jpg?",
            json!({ "path": "/courses/other/" }),
            "403 forbidden",
        ),
        (
            "poster.jpg?",
            json!({ "path": SCOPE, "use": "upload" }),
            "403 forbidden",
        ),
        (
            "poster.jpg?as=stored&",
            json!({ "path": SCOPE, "use": "admin" }),
            "404 not_found",
        ),
        ("other.jpg?", folder.clone(), "404 not_found"),
        ("..%2fposter.jpg?", folder.clone(), "400 bad_path"),
    ] {
        assert_eq!(
            get(&edge, name, claims.clone()).verdict(),
            expected,
            "{name} {claims}"
        );
    }
    // A stored object comes first.
    put(&edge, "poster.jpg", "my own");
    assert_eq!(get(&edge, "poster.jpg?", poster).text(), "my own");
}

#[test]
fn a_download_is_saved_under_the_lectures_name_whatever_was_asked() {
    let edge = Edge::start();
    publish(&edge, "1a");
    let download = json!({ "path": SCOPE, "use": "download" });
    let play = json!({ "path": SCOPE });
    for (path, claims, expected) in [
        ("lecture.mp4?", &download, "l%27%C3%A9t%C3%A9.mp4"),
        ("v/1a/lecture.mp4?", &download, "l%27%C3%A9t%C3%A9.mp4"),
        ("lecture.mp4?download&", &play, "l%27%C3%A9t%C3%A9.mp4"),
        (
            "lecture.mp4?download=Tag%201%3A%20%E6%97%A5&",
            &play,
            "Tag%201-%20%E6%97%A5.mp4",
        ),
        (
            "lecture.mp4?download=a%0D%0ASet-Cookie:%20x=1&",
            &play,
            "aSet-Cookie-%20x%3D1.mp4",
        ),
        (
            "lecture.mp4?download=%22;filename=x.exe;%22&",
            &play,
            "-%3Bfilename%3Dx.exe%3B-.mp4",
        ),
        ("lecture.mp4?download=..%2F..%2Fetc&", &play, "-..-etc.mp4"),
        ("poster.jpg?download&", &play, "poster.jpg"),
    ] {
        let url = with_token(&edge, path, claims.clone());
        let reply = match path.starts_with("lecture.mp4") {
            true => follow(&edge, &url, &[]),
            false => edge.get(&url),
        };
        assert_eq!(reply.verdict(), "200", "{path}");
        let disposition = format!("attachment; filename*=UTF-8''{expected}");
        assert_eq!(
            reply.header("content-disposition"),
            Some(&*disposition),
            "{path}"
        );
        assert_eq!(reply.header("set-cookie"), None, "{path}");
    }
    let bad = get(&edge, "lecture.mp4?download=%ff&", play);
    assert_eq!(bad.verdict(), "400 bad_request");

    // The SDK's URLs.
    let sdk = Sdk::new(edge.keys_json()).expect("the edge's keys");
    let (options, url) = (Options::default(), format!("{}{COURSE}", edge.origin));
    let named = sdk.download_url(&url, Some("Été, Tag 1"), &options, now());
    let named = follow(&edge, &named.expect("a URL")[edge.origin.len()..], &[]);
    assert_eq!(named.text(), "lecture.mp4 of 1a");
    let disposition = "attachment; filename*=UTF-8''%C3%89t%C3%A9%2C%20Tag%201.mp4";
    assert_eq!(named.header("content-disposition"), Some(disposition));
    let poster = sdk.poster_url(&url, &options, now()).expect("a URL");
    let poster = &poster[edge.origin.len()..];
    assert_eq!(edge.get(poster).text(), "poster.jpg of 1a");
    let other = poster.replace("poster.jpg", "lecture.mp4");
    assert_eq!(edge.get(&other).verdict(), "403 forbidden");
    let page = sdk.embed_url(&url, &options, now()).expect("a URL");
    let (page, link) = page.split_once('#').expect("a link");
    assert_eq!(page, format!("{}/_lectern/play", edge.origin));
    assert_eq!(edge.get(&link[edge.origin.len()..]).verdict(), "200");
}

#[test]
fn a_publish_past_the_edge_counts_within_seconds_and_a_revoked_object_stays_revoked() {
    let edge = Edge::with_faults();
    let put = |path: &str, body: &str| {
        let url = format!("/__faults/put/c/l/{path}");
        let reply = edge.send("PUT", &url, &[], body.as_bytes());
        assert!(matches!(reply.status, 200 | 201), "{path}");
    };
    for revision in ["1a", "2b"] {
        for name in ["poster.jpg", "lecture.mp4"] {
            let body = format!("{name} of {revision}");
            put(&format!("v/{revision}/{name}"), &body);
        }
    }
    // Before the edge reads the list of revocations for the first time.
    let mut command = edge.lectern();
    let revoke = command.args(["revoke", "--path", "/c/l/v/2b/"]);
    succeed(revoke.env("LECTERN_EDGE", &edge.origin));

    put("master.m3u8", &playlist_of("1a"));
    let get = |name: &str, claims: serde_json::Value| {
        edge.get(&format!("/c/l/{name}?token={}", edge.token_of(claims)))
    };
    let plain = || get("poster.jpg", json!({ "path": "/c/l/" }));
    let named = json!({ "path": "/c/l/", "sub": "s1" });
    assert_eq!(plain().text(), "poster.jpg of 1a");
    assert_eq!(get("poster.jpg", named.clone()).verdict(), "200");
    assert_eq!(get("lecture.mp4", named.clone()).verdict(), "307");
    put("master.m3u8", &playlist_of("2b"));
    wait_until(
        || "the new revision has no poster".to_owned(),
        || plain().text() == "poster.jpg of 2b",
    );
    for name in ["poster.jpg", "lecture.mp4"] {
        assert_eq!(get(name, named.clone()).verdict(), "403 revoked", "{name}");
    }
}
