//! `make serve`: the additions of `wrangler dev` open nothing and store no link.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::process::PATIENCE;

use lectern::credential::claims::Purpose;

use super::edge::Edge;

const OBJECT: &str = "/courses/rails/intro/v/1/lecture.mp4";
const EXPLORER: &str = "/cdn-cgi/local/explorer/api/r2/buckets/lectern/objects";

/// Stores an object and reads it with a link. Returns the link's signature.
fn read_with_a_link(edge: &Edge) -> String {
    let upload = edge.token("/courses/", Purpose::Upload);
    let put = edge.send(
        "PUT",
        &format!("{OBJECT}?token={upload}"),
        &[],
        b"a lecture",
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    let token = edge.token(OBJECT, Purpose::Play);
    assert_eq!(
        edge.get(&format!("{OBJECT}?token={token}")).text(),
        "a lecture"
    );
    let (_, signature) = token.rsplit_once('.').expect("a signature");
    signature.to_owned()
}

/// Returns whether a file below a folder contains this text.
fn contains_text(text: &str, folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return contains_text(text, &path);
        }
        // A database may be renamed during the search.
        let bytes = fs::read(&path).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

fn explored(edge: &Edge) -> [String; 3] {
    let encoded = OBJECT[1..].replace('/', "%2F");
    [
        edge.get(EXPLORER),
        edge.get(&format!("{EXPLORER}/{encoded}")),
        edge.send("DELETE", &format!("{EXPLORER}/{encoded}"), &[], &[]),
    ]
    .map(|reply| format!("{} {}", reply.status, reply.text()))
}

#[test]
fn make_serve_has_no_explorer_of_the_bucket_and_keeps_no_link_on_the_disk() {
    // wrangler's defaults show that the requests below are effective.
    let edge = Edge::as_wrangler_ships();
    let signature = read_with_a_link(&edge);
    let [listed, read, _] = explored(&edge);
    assert!(listed.contains(&OBJECT[1..]), "{listed}");
    assert_eq!(read, "200 a lecture");
    let started = Instant::now();
    while !contains_text(&signature, edge.folder()) {
        assert!(started.elapsed() < PATIENCE, "{}", edge.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(edge);

    let edge = Edge::as_make_serves();
    let signature = read_with_a_link(&edge);
    for answer in explored(&edge) {
        assert!(!answer.starts_with('2'), "{answer}");
        assert!(
            !answer.contains("lecture.mp4") && !answer.contains("a lecture"),
            "{answer}"
        );
    }
    let link = format!("{OBJECT}?token={}", edge.token(OBJECT, Purpose::Play));
    assert_eq!(edge.get(&link).text(), "a lecture");
    // wrangler has no switch for the bucket's public address, which reads. It refuses pages of
    // other sites.
    let public = format!("/cdn-cgi/local/r2/public/lectern{OBJECT}");
    for header in [("origin", "https://evil.example"), ("host", "evil.example")] {
        assert_eq!(
            edge.send("GET", &public, &[header], &[]).status,
            403,
            "{header:?}"
        );
    }
    assert_eq!(edge.send("DELETE", &public, &[], &[]).status, 401);
    // Data written before the runtime ended exists.
    let folder = edge.folder().join("state");
    edge.kill_runtime();
    assert!(!contains_text(&signature, &folder), "{}", edge.log());
}
