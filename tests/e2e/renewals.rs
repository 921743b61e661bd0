//! Short passes, short links and places in Chromium, in the player page and in hls.js on another
//! page: nothing that happens to a viewer ends his lecture.

use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, now};
use super::{LECTURE, MASTER, media, steering};

const PLAYS: &str = "plays";
const TOO_MANY: &str =
    "This account plays in too many places at once. Stop another player, then try again.";
fn browse(edge: &Edge, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser").join(script))
            .args(arguments)
            .env("LECTERN_KEYS", edge.keys_json())
            .envs(variables.iter().copied()),
    );
    serde_json::from_str(&printed).expect("JSON")
}

/// The lecture reached its end with captions, and no request was refused.
fn assert_ended(seen: &Value, edge: &Edge) {
    let shown = format!("{seen:#}\n{}", edge.log());
    assert_eq!(seen["ended"], true, "{shown}");
    assert_eq!(seen["refused"], json!([]), "{shown}");
    let last = u64::from(media::LONG_SECONDS) - 3;
    assert!(seen["cues"].as_u64() >= Some(last), "{shown}");
}

/// The lecture reached its end without a sentence and without a segment that loaded twice. Its waits
/// depend on the machine: `tests/browser/renewal.mjs` prints them.
fn assert_undisturbed(seen: &Value, edge: &Edge) {
    assert_ended(seen, edge);
    let shown = format!("{seen:#}\n{}", edge.log());
    assert_eq!(seen["said"], json!([]), "{shown}");
    assert_eq!(seen["twice"], json!([]), "{shown}");
}

/// One test, because its parts mostly wait. Half of them play at once: nine browsers are too many for
/// two cores.
#[test]
fn nothing_that_happens_to_a_viewer_ends_his_lecture() {
    let edge = Edge::start();
    edge.publish(media::long_package(), LECTURE);
    let lectern = built("target/debug/lectern");
    let lectern = lectern.to_str().expect("UTF-8");
    let link = |viewer: &str, mut claims: Value| {
        claims["path"] = json!(LECTURE);
        claims["sub"] = json!(viewer);
        format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims))
    };
    // A pass lives for 20 to 22 seconds. With this policy, a renewal that took a second place would
    // be refused.
    let short = |viewer| {
        let claims = json!({"sessions": 1, "sessions_policy": "oldest", "watch": 20});
        link(viewer, claims)
    };
    let plays = |link: String, steps: &[&str], variables: &[(&str, &str)]| {
        let arguments: Vec<&str> = [&*edge.origin, &link]
            .into_iter()
            .chain(steps.iter().copied())
            .collect();
        browse(&edge, "renewal.mjs", &arguments, variables)
    };
    let places = |policy: &str, expected: Value| {
        let claims = json!({"sessions": 2, "sessions_policy": policy});
        let link = link(policy, claims);
        let seen = browse(&edge, "places.mjs", &[policy, &edge.origin, &link], &[]);
        assert_eq!(seen, expected, "{seen:#}\n{}", edge.log());
    };
    thread::scope(|scope| {
        // Other people's hls.js, under strict links.
        scope.spawn(|| steering::hls_js_plays_through_a_pause_and_a_far_seek(&edge));
        scope.spawn(|| steering::hls_js_stops_when_its_viewer_is_revoked(&edge));
        // Renewed passes take no second place.
        scope.spawn(|| {
            let seen = plays(short("paused"), &["pause:60", "seek:120"], &[]);
            assert_undisturbed(&seen, &edge);
            assert!(seen["openings"].as_u64() > Some(2), "{seen:#}");
        });
        // A strict link that ends while its lecture goes on.
        scope.spawn(|| {
            let claims = json!({
                "sessions": 1, "sessions_policy": "oldest", "strict": true, "watch": 7200,
                "exp": now() + 45
            });
            let seen = plays(link("strict", claims), &["pause:60", "seek:120"], &[]);
            assert_undisturbed(&seen, &edge);
            assert!(seen["steered"].as_u64() > Some(0), "{seen:#}");
        });
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            let seen = plays(short("frozen"), &["freeze:50", "seek:120"], &[]);
            assert_undisturbed(&seen, &edge);
        });
        scope.spawn(|| {
            let steps = ["offline:100", "reload", "seek:120"];
            assert_ended(&plays(short("offline"), &steps, &[]), &edge);
        });
        // The course gives new links.
        scope.spawn(|| {
            let variables = [("LECTERN", lectern), ("LINK_SECONDS", "20")];
            let url = format!("{}{MASTER}", edge.origin);
            let seen = plays(url, &["pause:60", "seek:120"], &variables);
            assert_undisturbed(&seen, &edge);
            assert!(seen["links"].as_u64() > Some(2), "{seen:#}");
        });
        scope.spawn(|| {
            places(
                "newest",
                json!({
                    "first": PLAYS,
                    "second": PLAYS,
                    "third": PLAYS,
                    "first, when the third plays": TOO_MANY,
                    "second, reloaded": PLAYS,
                    "third, after the reload": PLAYS,
                    "fourth": PLAYS,
                    "second, after the crash of the third": PLAYS,
                }),
            );
        });
        scope.spawn(|| {
            places(
                "oldest",
                json!({
                    "first": PLAYS,
                    "second": PLAYS,
                    "third": TOO_MANY,
                    "fourth, while the second is offline": TOO_MANY,
                    "second, after 80 seconds offline": PLAYS,
                    "fifth, after 98 seconds": PLAYS,
                    "second, after 100 seconds offline": TOO_MANY,
                    "first, at the end": PLAYS,
                }),
            );
        });
    });
}
