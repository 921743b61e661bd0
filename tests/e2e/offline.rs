//! A lecture that a viewer keeps on the device, in Chromium.

use std::process::Command;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, lectern};
use super::{LECTURE, MASTER, media};

/// Seconds after which the second link's copy ends.
const SHORT: u64 = 20;

#[test]
fn a_kept_lecture_plays_without_a_connection_until_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    succeed(
        lectern()
            .arg("package")
            .arg(media::sample(40))
            .arg("-o")
            .arg(at("package"))
            .args(["--ladder", "480,720", "--preset", "ultrafast"]),
    );
    let edge = Edge::start();
    edge.publish(&at("package"), LECTURE);
    let link = |viewer: &str, seconds: u64| {
        let claims = json!({ "path": LECTURE, "sub": viewer, "offline": seconds });
        format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims))
    };
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/offline.mjs"))
            .arg(&edge.origin)
            .args([link("s1", 259_200), link("s2", SHORT)]),
    );
    let seen: Value = serde_json::from_str(&printed).expect("JSON");
    let shown = format!("{seen:#}\n{}", edge.log());
    let none: [&str; 0] = [];
    let expected = json!({
        "offered": ["You can then watch this lecture without a connection for 3 days.", 2],
        "full": "There is not enough space. Delete something on this device, \
                 or choose a smaller quality.",
        "removed": 0,
        "again": none,
        "kept": [
            true,
            1,
            "This lecture is on this device: 480p, SIZE. It plays without a connection until TIME",
        ],
        "seeks": [30, 8, 35, 3],
        "heights": 480,
        "state": "ended",
        "others": ["no connection", "no connection"],
        "left": 0,
        "early": 1,
        "over": "The time for the copy on this device is over. \
                 Connect to the internet to watch the lecture.",
        "afterwards": 0,
        "online": 0,
        "errors": none,
    });
    assert_eq!(seen, expected, "{shown}");
}
