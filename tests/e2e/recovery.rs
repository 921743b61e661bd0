//! The player in Chromium when segments are damaged or late, and the element in a page's script.

use std::process::Command;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built};
use super::player::edge_with_lecture;
use super::{LECTURE, MASTER};

fn used(edge: &Edge, claims: Value, part: &str) -> Value {
    let link = format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims));
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/recovery.mjs"))
            .args([&edge.origin, &link, part]),
    );
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn the_player_never_leaves_its_viewer_at_a_dead_end() {
    let (edge, _) = edge_with_lecture();
    let claims = || json!({"path": LECTURE});

    let damage = used(&edge, claims(), "damage");
    assert!(damage["broken"].as_u64() >= Some(1), "{damage}");
    assert_eq!(damage["state"], "playing", "{damage}");

    let stall = used(&edge, claims(), "stall");
    assert_eq!(stall["slow"]["isWide"], false, "{stall}");
    let alert = stall["slow"]["alert"].as_str();
    assert!(alert.is_some_and(|text| text.contains("slow")), "{stall}");
    assert_eq!(stall["after"]["state"], "playing", "{stall}");
}

#[test]
fn an_element_takes_its_attributes_in_any_order_and_may_move() {
    let (edge, _) = edge_with_lecture();
    let element = used(&edge, json!({"path": LECTURE}), "element");
    let second = |part: &str| element[part]["at"].as_f64().expect("a second");
    assert!((second("started") - 12.0).abs() < 0.5, "{element}");
    let poster = element["started"]["poster"].as_str();
    assert!(
        poster.is_some_and(|url| url.ends_with("/own.jpg")),
        "{element}"
    );
    assert_eq!(element["moved"]["opened"], json!([]), "{element}");
    assert_eq!(element["left"]["engine"], true, "{element}");
    assert!((second("back") - second("left")).abs() < 0.5, "{element}");
    assert_eq!(element["second"]["extras"], json!({}), "{element}");
    assert_eq!(element["removed"]["paused"], true, "{element}");
}

#[test]
fn a_lecture_goes_on_where_it_stopped_by_one_question() {
    let (edge, _) = edge_with_lecture();
    let claims = json!({"path": LECTURE, "sub": "s42", "sessions": 2});
    let resume = used(&edge, claims, "resume");
    let opened = |session: &str| json!([format!("GET {MASTER}{session}")]);
    let first = resume["first"].as_array().expect("requests");
    assert_eq!(first[0], format!("GET {MASTER}"), "{resume}");
    assert!(
        first[1..]
            .iter()
            .all(|it| it.as_str().is_some_and(|it| it.starts_with("POST")))
    );
    assert_eq!(
        resume["resumed"]["opened"],
        opened(" with its session"),
        "{resume}"
    );
    let at = resume["resumed"]["at"].as_f64().expect("a second");
    assert!((25.0..28.0).contains(&at), "{resume}");
    assert_eq!(resume["sharesSession"], false, "{resume}");
    assert_eq!(resume["sessions"], 1, "{resume}");
}
