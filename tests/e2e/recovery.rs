//! The player in Chromium when segments are damaged or late, and the element in a page's script.

use std::process::Command;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, now};
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
    let broken = damage["broken"].as_object().expect("an object");
    let loads = |it: &Value| (1..=3).contains(&it.as_u64().unwrap_or(0));
    assert!(!broken.is_empty() && broken.values().all(loads), "{damage}");
    let skipped = damage["skipped"].as_u64().expect("a number");
    assert!(skipped <= 1, "{damage}");
    let longest = damage["longest"].as_f64().expect("seconds");
    assert!(longest < 5.0, "more than the segment is left out: {damage}");
    assert_eq!(damage["state"], "playing", "{damage}");

    let last = used(&edge, claims(), "last");
    assert_eq!(last["ended"]["events"], json!(["ended"]), "{last}");
    assert_eq!(last["ended"]["alert"], "", "{last}");
    assert_eq!(last["again"]["state"], "playing", "{last}");

    let codecs = used(&edge, claims(), "codecs");
    let alert = codecs["alert"].as_str();
    assert!(
        alert.is_some_and(|text| text.contains("browser")),
        "{codecs}"
    );
    assert_eq!(codecs["retries"], 0, "{codecs}");

    let stall = used(&edge, claims(), "stall");
    assert_eq!(stall["slow"]["isWide"], false, "{stall}");
    let alert = stall["slow"]["alert"].as_str();
    assert!(alert.is_some_and(|text| text.contains("slow")), "{stall}");
    assert_eq!(stall["after"]["state"], "playing", "{stall}");
}

#[test]
fn a_viewer_keeps_what_is_loaded_typed_and_chosen() {
    let (edge, _) = edge_with_lecture();
    let claims = || json!({"path": LECTURE});

    let offline = used(&edge, claims(), "offline");
    let kept = &offline["kept"];
    assert_eq!(kept["before"], kept["after"], "{offline}");
    assert_eq!(offline["note"], "half a word", "{offline}");
    assert_eq!(offline["offline"]["isWide"], false, "{offline}");
    assert_eq!(offline["after"]["state"], "playing", "{offline}");

    let seeks = used(&edge, claims(), "seeks");
    let second = |part: &str| seeks[part]["at"].as_f64().expect("a second");
    assert!((second("early") - 25.0).abs() < 0.5, "{seeks}");
    assert!((second("after") - 20.0).abs() < 0.5, "{seeks}");
    assert_eq!(seeks["refused"]["state"], "refused", "{seeks}");

    let low = used(&edge, claims(), "low");
    assert_eq!(low["saved"]["rungs"], json!(["480p"]), "{low}");
    let ahead = low["saved"]["ahead"].as_f64().expect("seconds");
    assert!(ahead < 20.0, "{low}");
    assert_eq!(low["rungs"], json!(["480p", "720p"]), "{low}");

    // Without a page that answers, nothing is waited for: no sentence comes before the reason.
    let over = json!({"path": LECTURE, "exp": now() - 60});
    let expired = used(&edge, over, "expired");
    let said = expired["said"].as_array().expect("sentences");
    assert_eq!(said.len(), 1, "{expired}");
    let advice = expired["advice"].as_str().expect("a sentence");
    assert!(advice.ends_with("at 0:20."), "{expired}");
    assert_eq!(expired["error"]["code"], "expired", "{expired}");
    assert_eq!(expired["error"]["currentTime"], 20, "{expired}");
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
