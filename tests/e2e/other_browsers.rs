//! The player in Firefox and WebKitGTK: keys, clicks, captions, the end of a lecture, and an expired
//! link.

use std::fs;
use std::process::Command;

use lectern::credential::claims::Claims;
use lectern::credential::link;
use lectern::object::key::Scope;
use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, now};
use super::{LECTURE, MASTER, media};

/// Two cues, each half the sample lecture long.
const CAPTIONS: &str = "1\n00:00:00,100 --> 00:00:06,900\nFirst half.\n\n\
                        2\n00:00:07,000 --> 00:00:13,900\nSecond half.\n";
const EXPIRED: &str = "This link has expired. Open the lecture from the course again.";

/// Uses the player in a browser.
fn used(edge: &Edge, browser: &str) -> Value {
    let scope = Scope::parse(MASTER).expect("a scope");
    let expired = link::mint(edge.keys.minting(), &Claims::new(scope, now() - 60));
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/other-browsers.mjs"))
            .args([browser, &edge.origin, &edge.link(MASTER)])
            .arg(format!("{}{MASTER}?token={expired}", edge.origin)),
    );
    serde_json::from_str(&printed).expect("JSON")
}

/// One test, because each browser loads both cores.
#[test]
fn the_player_is_used_in_firefox_and_webkit() {
    let folder = tempfile::tempdir().expect("a folder");
    let captions = folder.path().join("talk.srt");
    fs::write(&captions, CAPTIONS).expect("written");
    let captions = format!("en={}", captions.display());
    let options = ["--ladder", "480,240", "--captions"];
    let (_kept, package) = media::packaged(1, &[&options[..], &[&captions]].concat());
    let edge = Edge::start();
    edge.publish(&package, LECTURE);

    // Both have Media Source Extensions, so hls.js plays.
    for browser in ["firefox", "webkit"] {
        let seen = used(&edge, browser);
        let expected = json!({
            "source": "blob",
            "groups": ["Quality", "Speed", "Captions"],
            "qualities": ["Auto", "480p", "240p"],
            "ended": 14,
            "expired": EXPIRED,
        });
        assert_eq!(seen, expected, "{browser}: {seen:#}\n{}", edge.log());
    }

    let seen = used(&edge, "webkit-native");
    let expected = json!({ "source": "http", "ended": 14, "expired": EXPIRED });
    assert_eq!(seen, expected, "{seen:#}\n{}", edge.log());
}
