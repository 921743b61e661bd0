//! Images to navigate a lecture: storyboard and poster.

use lectern::credential::claims::Purpose;
use serde_json::json;
use testkit::process::succeed;

use super::edge::{self, Edge};
use super::media::{self, Playlist};
use super::{LECTURE, MASTER};

const BOARD: &str = "lectern.storyboard";
const POSTER: &str = "lectern.poster";

fn published() -> Edge {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    edge
}

fn master(edge: &Edge, claims: serde_json::Value) -> Playlist {
    let token = edge.token_of(claims);
    Playlist::open(edge, &format!("{MASTER}?token={token}"))
}

/// The paths and queries of the images in a storyboard, each once.
fn sprites(board: &Playlist) -> Vec<String> {
    let lines = board.text.lines().filter(|line| line.contains("#xywh="));
    let mut found: Vec<String> = lines
        .map(|line| board.beside(line.split('#').next().unwrap_or_default()))
        .collect();
    found.dedup();
    found
}

fn path(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

#[test]
fn a_link_leads_to_the_storyboard_and_each_picture_opens_by_its_own_pass_alone() {
    let edge = published();
    // With each link that permits the whole lecture.
    for claims in [
        json!({ "path": MASTER }),
        json!({ "path": LECTURE, "max_height": 480 }),
        json!({ "path": MASTER, "ip": ["127.0.0.0/8", "::1"] }),
    ] {
        let master = master(&edge, claims.clone());
        let board = master.session_data(BOARD).expect("a storyboard");
        let stored = edge.send("GET", &board, &[("accept-encoding", "identity")], &[]);
        assert_eq!(stored.verdict(), "200", "{claims}");
        assert_eq!(stored.header("cache-control"), Some("no-store"));
        assert_eq!(
            stored.header("content-type"),
            Some("text/vtt; charset=utf-8")
        );
        let length = stored.body.len().to_string();
        assert_eq!(stored.header("content-length"), Some(length.as_str()));
        let tag = stored.header("etag").expect("a tag");
        let again = [("if-none-match", tag), ("accept-encoding", "identity")];
        assert_eq!(edge.send("GET", &board, &again, &[]).status, 304);
        let zipped = edge.send("GET", &board, &[("accept-encoding", "gzip")], &[]);
        assert_eq!(zipped.header("content-encoding"), Some("gzip"));
        assert_eq!(media::gunzip(&zipped.body), stored.body);

        let poster = master.session_data(POSTER).expect("a poster");
        let opened = Playlist::open(&edge, &board);
        let pictures = sprites(&opened);
        assert_eq!(pictures.len(), 1, "{}", opened.text);
        for url in pictures.iter().chain([&poster]) {
            let picture = edge.get(url);
            assert_eq!(picture.verdict(), "200", "{url}");
            assert_eq!(picture.header("content-type"), Some("image/jpeg"));
            assert!(picture.body.starts_with(b"\xff\xd8"), "{url}");
        }
        // Without its pass, or with another's, nothing opens.
        for (url, other) in [
            (&pictures[0], &board),
            (&pictures[0], &poster),
            (&board, &pictures[0]),
            (&poster, &pictures[0]),
        ] {
            let (_, pass) = other.split_once("?p=").expect("a pass");
            let reply = edge.get(&format!("{}?p={pass}", path(url)));
            assert_eq!(reply.verdict(), "403 forbidden", "{url} {other}");
            assert_eq!(edge.get(path(url)).verdict(), "401 missing_token");
        }
    }
}

#[test]
fn a_storyboard_opens_by_a_link_of_its_own_and_captions_are_as_they_were() {
    let edge = published();
    let board = master(&edge, json!({ "path": MASTER })).session_data(BOARD);
    let board = path(&board.expect("a storyboard")).to_owned();
    for claims in [json!({ "path": board }), json!({ "path": LECTURE })] {
        let token = edge.token_of(claims);
        let opened = Playlist::open(&edge, &format!("{board}?token={token}"));
        assert_eq!(edge.get(&sprites(&opened)[0]).verdict(), "200");
    }
    // In the path, images inherit the pass, and the stored storyboard is served.
    let token = edge.token(LECTURE, Purpose::Play);
    let moved = edge.get(&format!("{board}?token={token}&as=directory"));
    let below = moved.header("location").expect("a location");
    let opened = Playlist::open(&edge, below);
    assert!(!opened.text.contains("?p="), "{}", opened.text);
    assert_eq!(edge.get(&sprites(&opened)[0]).verdict(), "200");

    let upload = edge.token(LECTURE, Purpose::Upload);
    let captions = "WEBVTT\n\n00:00.000 --> 00:01.000\nslide.jpg#xywh=1,2,3,4\n";
    let path = format!("{LECTURE}v/1/subs/en.vtt");
    edge.send(
        "PUT",
        &format!("{path}?token={upload}"),
        &[],
        captions.as_bytes(),
    );
    let shown = edge.get(&format!("{path}?token={token}"));
    assert_eq!(shown.text(), captions);
}

#[test]
fn a_preview_opens_nothing_of_the_storyboard() {
    let edge = published();
    let whole = master(&edge, json!({ "path": MASTER }));
    let board = whole.session_data(BOARD).expect("a storyboard");
    let pictures = sprites(&Playlist::open(&edge, &board));
    let poster = whole.session_data(POSTER).expect("a poster");
    for (at, claims) in [
        json!({ "path": LECTURE, "preview": [0, 4] }),
        json!({ "path": LECTURE, "preview": [0, 4], "max_height": 480 }),
    ]
    .into_iter()
    .enumerate()
    {
        // From one network, so many refusals would exceed the limit.
        let address = format!("198.51.{at}.1");
        let address = [("cf-connecting-ip", address.as_str())];
        let token = edge.token_of(claims);
        let master = Playlist::open(&edge, &format!("{MASTER}?token={token}"));
        assert_eq!(master.session_data(BOARD), None, "{}", master.text);
        assert_eq!(master.session_data(POSTER), None, "{}", master.text);
        assert!(!master.text.contains(".vtt"), "{}", master.text);
        let mut passes = master.listed();
        passes.extend(
            master
                .listed()
                .iter()
                .flat_map(|playlist| Playlist::open(&edge, playlist).listed()),
        );
        for url in [&board, &poster].into_iter().chain(&pictures) {
            let path = path(url);
            let direct = edge.get(&format!("{path}?token={token}"));
            assert_eq!(direct.verdict(), "403 forbidden", "{path}");
            for from in &passes {
                let (_, pass) = from.split_once("?p=").expect("a pass");
                let reply = edge.send("GET", &format!("{path}?p={pass}"), &address, &[]);
                assert_eq!(reply.verdict(), "403 forbidden", "{path} {from}");
            }
        }
    }
}

#[test]
fn explain_says_what_a_storyboards_pass_opens_and_check_follows_it() {
    let edge = published();
    let master = master(&edge, json!({ "path": MASTER }));
    let board = master.session_data(BOARD).expect("a storyboard");
    let said = succeed(
        edge.lectern()
            .arg("explain")
            .arg(format!("{}{board}", edge.origin)),
    );
    assert!(
        said.contains("this storyboard, and through passes the images that it names"),
        "{said}"
    );
    let report = succeed(
        edge.lectern()
            .args(["check", "--json"])
            .arg(edge.link(MASTER)),
    );
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let rules = report["rules"].as_array().expect("rules");
    let result = |id: &str| {
        let mut all = rules.iter();
        all.find(|rule| rule["id"] == id).expect("the rule")["result"].clone()
    };
    assert_eq!(result("SD-04"), "pass", "{report}");
}

#[test]
fn a_link_leads_to_the_whole_captions_of_each_language_that_it_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |language: &str, text: &str| {
        let path = folder.path().join(format!("{language}.vtt"));
        let cues =
            format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n\n00:12.000 --> 00:13.000\nZ\n");
        std::fs::write(&path, cues).expect("written");
        format!("{language}={}", path.display())
    };
    let (english, german) = (file("en", "Hello"), file("de", "Hallo"));
    let args = [
        "--ladder",
        "240",
        "--captions",
        &english,
        "--captions",
        &german,
    ];
    let (_kept, package) = media::packaged(1, &args);
    succeed(edge::lectern().arg("check").arg(&package));
    let edge = Edge::start();
    edge.publish(&package, LECTURE);
    let captions = |claims: serde_json::Value| -> Vec<String> {
        let master = master(&edge, claims);
        let mut urls: Vec<String> = master
            .text
            .lines()
            .filter(|line| line.contains("\"lectern.captions\""))
            .map(|line| {
                let uri = line.split("URI=\"").nth(1).expect("a URI");
                master.beside(uri.split('"').next().expect("its end"))
            })
            .collect();
        urls.sort();
        urls
    };
    for (claims, expected) in [
        (json!({ "path": MASTER }), &["Hallo", "Hello"][..]),
        (
            json!({ "path": LECTURE, "max_height": 480 }),
            &["Hallo", "Hello"],
        ),
        (json!({ "path": LECTURE, "langs": ["en"] }), &["Hello"]),
        (json!({ "path": LECTURE, "preview": [0, 5] }), &[]),
    ] {
        let found = captions(claims.clone());
        assert_eq!(found.len(), expected.len(), "{claims}: {found:?}");
        for (url, text) in found.iter().zip(expected) {
            let reply = edge.get(url);
            assert_eq!(reply.verdict(), "200", "{claims}: {url}");
            assert!(reply.text().starts_with("WEBVTT"), "{}", reply.text());
            // All cues in one file, from the first to the last.
            assert!(reply.text().contains(text), "{}", reply.text());
            assert!(reply.text().contains("00:13.000"), "{}", reply.text());
        }
    }
}
