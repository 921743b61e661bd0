//! Stable names beside `master.m3u8`: they follow what plays, and open no more than the link.

use lectern::credential::claims::Purpose;
use lectern::sdk::{Options, Sdk};
use serde_json::json;

use super::edge::{Edge, Reply, now};

const COURSE: &str = "/courses/l'%C3%A9t%C3%A9/";
const SCOPE: &str = "/courses/l'été/";

/// Stores an object of the lecture.
fn put(edge: &Edge, path: &str, body: &str) {
    let upload = edge.token(SCOPE, Purpose::Upload);
    let url = format!("{COURSE}{path}?token={upload}");
    let put = edge.send("PUT", &url, &[], body.as_bytes());
    assert_eq!(put.verdict(), "200", "{path}");
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
    let playlist = format!(
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"v/{revision}/audio/en/playlist.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv/{revision}/480p/playlist.m3u8\n"
    );
    put(edge, "master.m3u8", &playlist);
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
    let whole = get(&edge, "lecture.mp4?", download.clone());
    assert_eq!(whole.text(), "lecture.mp4 of 1a");
    assert_eq!(whole.header("etag"), stored.header("etag"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let url = with_token(&edge, "lecture.mp4?", download.clone());
    let part = edge.send("GET", &url, &[("range", "bytes=-2")], &[]);
    assert_eq!((part.status, part.text()), (206, "1a"));
    assert_eq!(part.header("content-range"), Some("bytes 15-16/17"));
    let beyond = edge.send("GET", &url, &[("range", "bytes=17-")], &[]);
    assert_eq!(beyond.verdict(), "416 range_not_satisfiable");
    let head = edge.send("HEAD", &url, &[], &[]);
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("17"))
    );
    let tag = whole.header("etag").expect("a tag");
    let same = edge.send("GET", &url, &[("if-none-match", tag)], &[]);
    assert_eq!(same.status, 304);
    // A script gets a URL that opens this object alone.
    let origin = [("origin", "https://school.example")];
    let redirect = edge.send("GET", &url, &origin, &[]);
    let location = redirect.header("location").expect("a location");
    assert!(
        location.starts_with(&format!("{COURSE}v/1a/lecture.mp4?p=")),
        "{location}"
    );
    assert_eq!(
        edge.send("GET", location, &origin, &[]).text(),
        "lecture.mp4 of 1a"
    );

    // A new revision, within the seconds for which the playlist is cached; and its end.
    publish(&edge, "2b");
    let reply = get(&edge, "poster.jpg?", poster.clone());
    assert_eq!(reply.text(), "poster.jpg of 2b");
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
        let reply = get(&edge, path, claims.clone());
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
    let named = edge.get(&named.expect("a URL")[edge.origin.len()..]);
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
