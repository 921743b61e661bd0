//! Short passes, short links and places in the player page in Chromium: nothing that happens to a
//! viewer ends his lecture.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use testkit::process::succeed;
use testkit::root;

use super::edge::{Edge, built, lectern, now};
use super::{LECTURE, MASTER};

const PLAYS: &str = "plays";
const TOO_MANY: &str =
    "This account plays in too many places at once. Stop another player, then try again.";
/// The lecture lasts for two minutes and a half, and has a caption every second.
const SECONDS: u32 = 150;

fn edge_with_long_lecture() -> Edge {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (input, captions, package) = (at("long.mp4"), at("talk.srt"), at("package"));
    let seconds = SECONDS.to_string();
    succeed(
        lectern()
            .args(["sample", "--seconds", &seconds, "-o"])
            .arg(&input),
    );
    let cue = |at: u32| {
        let second = format!("00:{:02}:{:02}", at / 60, at % 60);
        format!(
            "{}\n{second},100 --> {second},900\nSecond {at}.\n\n",
            at + 1
        )
    };
    let cues: String = (0..SECONDS).map(cue).collect();
    fs::write(&captions, cues).expect("written");
    let mut packages = lectern();
    packages.arg("package").arg(&input).arg("-o").arg(&package);
    packages
        .arg("--captions")
        .arg(format!("en={}", captions.display()));
    succeed(packages.args(["--ladder", "480", "--preset", "ultrafast", "--no-mp4"]));
    let edge = Edge::start();
    edge.publish(&package, LECTURE);
    edge
}

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
    let last = u64::from(SECONDS) - 3;
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

/// One test, because its parts mostly wait.
#[test]
fn nothing_that_happens_to_a_viewer_ends_his_lecture() {
    let edge = edge_with_long_lecture();
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
