//! The pages that docs/embed.md shows play a lecture of the running Worker in Chromium.

use std::process::Command;
use testkit::process::succeed;
use testkit::root;

use serde_json::{Value, json};

use crate::edge::built;
use crate::{MASTER, published};

#[test]
fn every_page_of_the_guide_to_embedding_plays_a_lecture() {
    let edge = published();
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/embed.mjs"))
            .arg(edge.link(MASTER)),
    );
    let played: Value = serde_json::from_str(&printed).expect("JSON");
    let pages = played["pages"].as_array().expect("a list");
    let names: Vec<&str> = pages
        .iter()
        .filter_map(|page| page["name"].as_str())
        .collect();
    assert_eq!(
        names,
        ["hls.js", "video.js", "Vidstack", "The browser alone"]
    );
    assert_eq!(played["missing"], json!([]), "{played:#}");
    for page in pages {
        assert!(page["currentTime"].as_f64() >= Some(5.0), "{played:#}");
        assert!(page["frames"].as_u64() > Some(100), "{played:#}");
        assert_eq!(page["errors"], json!([]), "{played:#}");
        assert_eq!(page["refused"], json!([]), "{played:#}");
    }
}
