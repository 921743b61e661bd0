//! A creator's uploads: bounds, statuses, reasons, and what a browser makes of them.

use std::process::Command;

use lectern::credential::claims::Purpose;
use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, Reply, built};

const PART: usize = 5 << 20;

fn node(script: &str) -> Command {
    let mut command = Command::new(built("node_modules/node/bin/node"));
    command
        .arg("--no-warnings")
        .arg(root().join("tests/browser").join(script));
    command
}

/// A file that begins like an MP4 file.
fn mp4(length: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x20ftypisom".to_vec();
    bytes.extend((bytes.len()..length).map(|at| (at % 251) as u8));
    bytes
}

/// Requests with one upload link.
struct Uploader<'edge> {
    edge: &'edge Edge,
    token: String,
}

impl<'edge> Uploader<'edge> {
    fn new(edge: &'edge Edge, bounds: &Value) -> Self {
        let mut claims = json!({ "path": "/u/", "use": "upload" });
        let members = claims.as_object_mut().expect("an object");
        members.extend(bounds.as_object().expect("an object").clone());
        let token = edge.token_of(claims);
        Self { edge, token }
    }

    fn send(&self, method: &str, path_and_query: &str, body: &[u8]) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        self.edge.send(method, path_and_query, &headers, body)
    }

    fn put(&self, path: &str, body: &[u8]) -> String {
        self.send("PUT", path, body).verdict()
    }
}

/// The bytes that are stored under a path.
fn stored(edge: &Edge, path: &str) -> Option<Vec<u8>> {
    let token = edge.token("/u/", Purpose::Admin);
    let reply = edge.get(&format!("{path}?as=stored&token={token}"));
    (reply.status == 200).then_some(reply.body)
}

#[test]
fn an_upload_link_stores_no_more_than_its_bounds_and_tells_why() {
    let edge = Edge::start();
    // Two links of one id share a count of bytes, of which each request takes 64 KiB at least.
    let bytes = json!({ "jti": "bytes", "max_bytes": 5 << 16 });
    let first = Uploader::new(&edge, &bytes);
    let second = Uploader::new(&edge, &bytes);
    assert_eq!(first.put("/u/a.mp4", b"x"), "201");
    assert_eq!(second.put("/u/a.mp4", &mp4(2 << 16)), "200");
    assert_eq!(first.send("DELETE", "/u/a.mp4", b"").status, 204);
    assert_eq!(
        first.put("/u/a.mp4", &mp4((2 << 16) + 1)),
        "413 upload_limit"
    );
    assert_eq!(stored(&edge, "/u/a.mp4"), None);
    let begun = second.send("POST", "/u/b.mp4?uploads", b"");
    let id = begun.json()["uploadId"].as_str().expect("an id").to_owned();
    let part = format!("/u/b.mp4?uploadId={id}&partNumber=1");
    assert_eq!(first.put(&part, b"y"), "200");
    let over = second.send("PUT", &part, b"y");
    assert_eq!(over.verdict(), "413 upload_limit");
    let detail = over.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains("327680 bytes"), "{detail}");
    // A false condition costs nothing.
    let objects = json!({ "jti": "objects", "max_objects": 2 });
    let counted = Uploader::new(&edge, &objects);
    for (path, expected) in [
        ("/u/1.mp4", "201"),
        ("/u/2.mp4", "201"),
        ("/u/1.mp4", "200"),
        ("/u/3.mp4", "413 upload_limit"),
        ("/u/3.mp4?uploads", "400 bad_request"),
        ("/u/2.mp4", "200"),
    ] {
        assert_eq!(counted.put(path, b"x"), expected, "{path}");
    }
    let begun = counted.send("POST", "/u/3.mp4?uploads", b"");
    assert_eq!(begun.verdict(), "413 upload_limit");

    // Names and first bytes.
    let typed = Uploader::new(&edge, &json!({ "types": ["video", "hls"] }));
    let video = mp4(3 * PART + 9);
    for (path, body, expected) in [
        ("/u/v.mp4", &video[..], "201"),
        ("/u/short.mp4", &video[..13], "201"),
        ("/u/live/p.m3u8", b"#EXTM3U\n", "201"),
        ("/u/live/ended", b"", "201"),
        ("/u/live/ended", b"<", "415 unsupported_type"),
        ("/u/x.html", &video[..99], "415 unsupported_type"),
        ("/u/x", &video[..99], "415 unsupported_type"),
        ("/u/x.mp4", b"<!doctype html>", "415 unsupported_type"),
        ("/u/x.mp4", b"", "415 unsupported_type"),
        ("/u/x.m3u8", &video[..99], "415 unsupported_type"),
    ] {
        assert_eq!(typed.put(path, body), expected, "{path}");
    }
    assert!(stored(&edge, "/u/v.mp4").as_ref() == Some(&video));
    assert_eq!(stored(&edge, "/u/short.mp4").as_deref(), Some(&video[..13]));
    assert_eq!(stored(&edge, "/u/x.mp4"), None);
    let begun = typed.send("POST", "/u/w.mp4?uploads", b"");
    let id = begun.json()["uploadId"].as_str().expect("an id").to_owned();
    let part = |number: usize, body: &[u8]| {
        typed.send(
            "PUT",
            &format!("/u/w.mp4?uploadId={id}&partNumber={number}"),
            body,
        )
    };
    let html = vec![b'<'; PART];
    assert_eq!(part(1, &html[..99]).verdict(), "415 unsupported_type");
    let second = part(2, &html).json();
    let path = format!("/u/w.mp4?uploadId={id}");
    let list = |parts: &[&Value]| json!({ "parts": parts }).to_string();
    let complete = |parts: &[&Value]| typed.send("POST", &path, list(parts).as_bytes());
    assert_eq!(complete(&[&second]).verdict(), "400 bad_upload");
    let first = part(1, &video[..PART]).json();
    assert_eq!(complete(&[&first, &second]).verdict(), "201");
    let whole = stored(&edge, "/u/w.mp4").expect("an object");
    assert!(whole == [&video[..PART], &html].concat());

    // Only the holder of the link reads the reason.
    for (method, target, body, expected) in [
        ("PUT", "/u/a%2fb.mp4", "x", "encoded slash"),
        (
            "PUT",
            "/u/a.mp4?uploadId=u&partNumber=0",
            "x",
            "`partNumber` in the query is `0`",
        ),
        ("POST", "/u/a.mp4?uploadId=u", "{}", "the body is not"),
        ("POST", "/u/a.mp4?uploadId=u", r#"{"parts":[1]}"#, "entry 0"),
    ] {
        let told = typed.send(method, target, body.as_bytes());
        let detail = told.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let is_told = detail.to_lowercase().contains(&expected.to_lowercase());
        assert!(told.status == 400 && is_told, "{target}: {}", told.text());
        let other = if typed.token.ends_with('A') { 'E' } else { 'A' };
        let forged = format!("Bearer {}{other}", &typed.token[..typed.token.len() - 1]);
        let headers = [("authorization", forged.as_str())];
        let untold = edge.send(method, target, &headers, body.as_bytes());
        assert_eq!(untold.json()["detail"], Value::Null, "{target}");
    }

    // A status, by the link that writes what it is about.
    let status = br#"{"state":"packaging","percent":40}"#;
    let creator = Uploader::new(&edge, &json!({}));
    let packager = Uploader::new(&edge, &json!({ "use": "admin" }));
    for path in ["/u/v.mp4.status.json", "/u/live/status.json"] {
        assert_eq!(typed.send("GET", path, b"").verdict(), "404 not_found");
        assert_eq!(creator.put(path, status), "403 forbidden");
        assert_eq!(packager.put(path, status), "201");
        let read = typed.send("GET", path, b"");
        assert_eq!((read.status, &read.body[..]), (200, &status[..]), "{path}");
        assert_eq!(read.header("content-type"), Some("application/json"));
        assert_eq!(read.header("cache-control"), Some("no-store"));
        let bearer = format!("Bearer {}", typed.token);
        let by_script = [("authorization", &*bearer), ("origin", "https://b.example")];
        let redirect = edge.send("GET", path, &by_script, b"");
        let read = edge.get(redirect.header("location").expect("a pass"));
        assert_eq!((redirect.status, &read.body[..]), (307, &status[..]));
    }
    assert_eq!(
        packager.put("/u/big.status.json", &vec![b' '; (64 << 10) + 1]),
        "201"
    );
    for (path, expected) in [
        ("/u/big.status.json", "404 not_found"),
        ("/u/v.mp4", "403 forbidden"),
        ("/u/live/p.m3u8", "403 forbidden"),
        ("/other/status.json", "403 forbidden"),
    ] {
        assert_eq!(typed.send("GET", path, b"").verdict(), expected, "{path}");
    }
}

#[test]
fn bounds_that_the_edge_cannot_count_open_nothing() {
    let edge = Edge::without_ledgers();
    for bounds in [
        json!({ "jti": "l", "max_bytes": 1 << 30 }),
        json!({ "jti": "l", "max_objects": 9 }),
    ] {
        let uploader = Uploader::new(&edge, &bounds);
        assert_eq!(uploader.put("/u/a.mp4", b"x"), "403 forbidden", "{bounds}");
    }
    let typed = Uploader::new(&edge, &json!({ "types": ["video"] }));
    assert_eq!(typed.put("/u/a.mp4", &mp4(99)), "201");
}

#[test]
fn nothing_that_a_creator_uploads_runs_and_pages_upload_without_asking_first() {
    let edge = Edge::start();
    let printed = succeed(
        node("uploads.mjs")
            .arg(&edge.origin)
            .arg(edge.token("/u/", Purpose::Upload))
            .arg(edge.token("/u/", Purpose::Play))
            .arg(edge.token("/u/", Purpose::Admin)),
    );
    let seen: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(
        seen["ran"],
        json!(["control", "control script"]),
        "{seen:#}"
    );
    let types = seen["types"].as_object().expect("types");
    assert_eq!(types.len(), 23);
    for (name, headers) in types {
        assert_eq!(headers[1], "nosniff", "{name}");
        assert_eq!(headers[2], "default-src 'none'; sandbox", "{name}");
    }
    assert_eq!(seen["types"]["a.html"][0], "application/octet-stream");
    assert_eq!(seen["types"]["d.mp4"][0], "video/mp4");
    // Chromium downloads a manifest, and shows none of the pages that stand in it.
    for name in ["u.mpd", "v", "w.mpd"] {
        assert_eq!(seen["types"][name][0], "application/dash+xml", "{name}");
    }
    assert_eq!(seen["status"], json!([true, { "state": "done" }]));
    let preflights = json!({
        "putsOfSegments": [[201, 201], 2],
        "postsOfSegments": [[201, 201, 200], 0],
        "postsOfParts": [[201, 200, 200, 201], 0],
    });
    assert_eq!(seen["preflights"], preflights);
}

#[test]
fn the_playlist_of_a_recorder_that_died_ends() {
    let mut edge = Edge::start();
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n";
    let live = format!("{head}#EXTINF:2,\nseg1.m4s\n");
    let whole = format!("{live}#EXT-X-ENDLIST\n");
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive.m3u8\n";
    let upload = |edge: &Edge, names: &[(&str, &str)]| {
        let uploader = Uploader::new(edge, &json!({}));
        for (name, text) in names {
            let put = uploader.put(&format!("/u/{name}"), text.as_bytes());
            assert!(matches!(&*put, "201" | "200"), "{name}: {put}");
        }
    };
    let names = [
        ("live.m3u8", &*live),
        ("whole.m3u8", &whole),
        ("master.m3u8", master),
        ("v/1/live.m3u8", &live),
    ];
    upload(&edge, &names);
    let read = |edge: &Edge, token: &str, name: &str, known: &str| {
        let headers = [("if-none-match", known)];
        edge.send("GET", &format!("/u/{name}?token={token}"), &headers, &[])
    };
    let token = edge.token("/u/", Purpose::Play);
    let open = |edge: &Edge, token: &str| -> Vec<(bool, String)> {
        let one = |(name, _): &(&str, &str)| {
            let reply = read(edge, token, name, "\"\"");
            let is_ended = reply.text().contains("#EXT-X-ENDLIST");
            let tag = reply.header("etag").expect("an entity-tag").to_owned();
            (is_ended, tag)
        };
        names.iter().map(one).collect()
    };
    let ended =
        |found: &[(bool, String)]| found.iter().map(|(ended, _)| *ended).collect::<Vec<_>>();
    let fresh = open(&edge, &token);
    assert_eq!(ended(&fresh), [false, true, false, false]);

    // The cache keeps a playlist for two seconds.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    edge.restart_after(|state| {
        succeed(node("silence.mjs").arg(state).arg("100"));
    });
    let silent = open(&edge, &token);
    assert_eq!(ended(&silent), [true, true, false, false]);
    // Who knows the playlist without its end gets the one with it, and then 304.
    assert_eq!(read(&edge, &token, "live.m3u8", &fresh[0].1).status, 200);
    for ((name, _), (_, known)) in names.iter().zip(&silent) {
        let again = read(&edge, &token, name, known);
        assert_eq!(again.status, 304, "{name}");
    }

    // The recorder comes back.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    upload(&edge, &names[..1]);
    assert_eq!(ended(&open(&edge, &token)), [false, true, false, false]);
}
