//! Chromium with the player page.

use std::process::Command;
use testkit::process::succeed;
use testkit::root;

use crate::edge::{Edge, built};

/// Plays a link in Chromium until it ends or the page shows an error. Returns the events.
pub(crate) fn play(edge: &Edge, link: &str) -> serde_json::Value {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/play.mjs"))
            .args([&edge.origin, link]),
    );
    serde_json::from_str(&printed).expect("JSON")
}

/// Plays links in other players, three at a time.
pub(crate) fn play_elsewhere(plays: &[(&str, &String)]) -> Vec<serde_json::Value> {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/others.mjs"))
            .env("PAGES", "3")
            .args(plays.iter().flat_map(|(player, link)| [*player, link])),
    );
    serde_json::from_str(&printed).expect("JSON")
}

/// Viewers of a link. They print when all have begun, and their results.
pub(crate) fn viewers(count: usize, link: &str) -> Command {
    let mut command = Command::new(built("node_modules/node/bin/node"));
    command
        .arg(root().join("tests/browser/watch.mjs"))
        .args([&count.to_string(), link]);
    command
}
