//! A recording from the browser: others watch it meanwhile, and a crash ends neither.

use std::process::Command;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built};
use super::media;

const FOLDER: &str = "/courses/live/7/";

#[test]
fn a_recording_plays_meanwhile_and_goes_on_after_a_crash() {
    let edge = Edge::start();
    let upload = edge.token_of(json!({ "path": FOLDER, "use": "upload" }));
    let master = format!("{FOLDER}master.m3u8");
    let link = format!(
        "{master}?token={}",
        edge.token_of(json!({ "path": FOLDER }))
    );
    let encoded = link.replace('?', "%3F").replace('=', "%3D");
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/record.mjs"))
            .arg(&edge.origin)
            .arg(format!("{FOLDER}?token={upload}&watch={encoded}"))
            .arg(format!("{}/_lectern/play#{link}", edge.origin)),
    );
    let seen: Value = serde_json::from_str(&printed).expect("JSON");
    let shown = format!("{seen:#}\n{}", edge.log());
    let none: [&str; 0] = [];
    assert_eq!(seen["errors"], json!(none), "{shown}");
    assert_eq!(seen["axe"], json!(none), "{shown}");
    // A pause is no part of it, and a crash costs no complete segment.
    let number = |name: &str| seen[name].as_f64().expect("a number");
    assert!(number("pausedSeconds") <= 1.0, "{shown}");
    assert!(number("lostSeconds") <= 0.0, "{shown}");
    assert_eq!(seen["copied"], true, "{shown}");
    assert_eq!(seen["watched"]["isWhole"], true, "{shown}");
    assert_eq!(
        seen["again"],
        "This folder already holds a recording. Ask for a new link. \
         This recording goes on here, and is not stored yet.",
        "{shown}"
    );

    let url = format!("{}{link}", edge.origin);
    succeed(edge.lectern().arg("check").arg(&url));
    let seconds = media::duration(&url);
    assert!((seconds - number("seconds")).abs() < 0.2, "{seconds} s");

    // The folder is an input like any other.
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("package");
    succeed(
        edge.lectern()
            .arg("package")
            .arg(format!("{}{FOLDER}", edge.origin))
            .arg("-o")
            .arg(&package)
            .args(["--ladder", "240", "--preset", "ultrafast"]),
    );
    let packaged = media::duration(package.join("master.m3u8").to_str().expect("UTF-8"));
    assert!((packaged - seconds).abs() < 0.3, "{packaged} s");
}
