//! Links with `origin` in Chromium: in the school's pages, in those of others, and in none.

use std::process::Command;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built};
use super::{MASTER, published};

const PLAYS: &str = "plays";
/// The player page's sentence.
const OTHER_PAGE: &str = "This lecture plays only inside its course. Open it there.";
/// The status that another page's script sees.
const FORBIDDEN: &str = "403";

fn browser_script(edge: &Edge, script: &str, arguments: &[&str]) -> Value {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser").join(script))
            .arg(&edge.origin)
            .args(arguments)
            .env("LECTERN_KEYS", edge.keys_json()),
    );
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn a_link_with_origin_opens_in_the_pages_that_it_lists_and_in_no_other() {
    let edge = published();
    let lectern = built("target/debug/lectern");
    let lectern = lectern.to_str().expect("UTF-8");
    let url = format!("{}{MASTER}", edge.origin);
    let seen = browser_script(&edge, "embedding.mjs", &[lectern, &url]);
    let expected = json!({
        "named": {
            "right page": PLAYS,
            "right page with the script": PLAYS,
            "right page's own player": PLAYS,
            "right page in a right page": PLAYS,
            "wrong page": OTHER_PAGE,
            "wrong page with the script": OTHER_PAGE,
            "wrong page that lies": OTHER_PAGE,
            "wrong page's own player": FORBIDDEN,
            "wrong page's video element": "error",
            "wrong page that forges the header": FORBIDDEN,
            "wrong page around a right page": OTHER_PAGE,
            "right page around a wrong page": OTHER_PAGE,
            "no page": OTHER_PAGE,
            "no page, for the edge's own": PLAYS,
            "wrong page, for the edge's own": OTHER_PAGE,
        },
        "unnamed": {
            "right page with the script": PLAYS,
            "right page without the script": OTHER_PAGE,
            "wrong page with the script": OTHER_PAGE,
            "wrong page that lies": OTHER_PAGE,
            "wrong page around a right page": OTHER_PAGE,
        }
    });
    assert_eq!(seen, expected, "{seen:#}\n{}", edge.log());
}
