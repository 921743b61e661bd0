//! Watch data: reports of players, lists for administrators, and webhooks, with the Durable Objects
//! of workerd.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use testkit::process::{succeed, wait_until};
use testkit::root;

use super::edge::{Edge, Reply, built};
use super::media::{self, Playlist};
use super::{LECTURE, MASTER, published};

const ADMIN: &str = "/_lectern/watched/";

/// A player of a viewer.
struct Watcher<'edge> {
    edge: &'edge Edge,
    token: String,
}

impl<'edge> Watcher<'edge> {
    fn new(edge: &'edge Edge, sub: &str) -> Self {
        let token = edge.token_of(json!({"path": LECTURE, "sub": sub}));
        Self { edge, token }
    }

    /// Posts a report as `navigator.sendBeacon` does: without headers of its own.
    fn post(&self, body: &str) -> Reply {
        let url = format!("/_lectern/watched?path={MASTER}&token={}", self.token);
        let plain = [("content-type", "text/plain;charset=UTF-8")];
        self.edge.send("POST", &url, &plain, body.as_bytes())
    }

    fn report(&self, position: u32, ranges: &[(u32, u32)]) -> Value {
        let body = json!({"position": position, "duration": 100, "ranges": ranges, "speed": 1.5});
        let reply = self.post(&body.to_string());
        assert_eq!(reply.verdict(), "200", "{}", self.edge.log());
        reply.json()
    }

    fn progress(&self) -> Value {
        let url = format!("/_lectern/watched?path={MASTER}&token={}", self.token);
        let reply = self.edge.get(&url);
        assert_eq!(reply.verdict(), "200", "{}", self.edge.log());
        reply.json()
    }
}

/// Asks as an administrator of watch data.
fn ask(edge: &Edge, method: &str, path: &str) -> Reply {
    let admin = edge.token_of(json!({"path": ADMIN, "use": "admin"}));
    let bearer = format!("Bearer {admin}");
    edge.send(
        method,
        &format!("{ADMIN}{path}"),
        &[("authorization", &bearer)],
        &[],
    )
}

/// The viewers of the lecture with their percentages, once there are as many.
fn viewers(edge: &Edge, count: usize) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    wait_until(
        || format!("not {count} viewers:\n{}", edge.log()),
        || {
            let list = ask(edge, "GET", &format!("lectures{LECTURE}")).json();
            let viewers = list["viewers"].as_array().expect("a list");
            let row = |row: &Value| {
                let viewer = row["viewer"].as_str().expect("a viewer").to_owned();
                (viewer, row["percent"].as_u64().expect("a number"))
            };
            found = viewers.iter().map(row).collect();
            found.len() == count
        },
    );
    found
}

#[test]
fn a_second_device_sees_at_once_where_the_first_one_is() {
    let edge = published();
    let first = Watcher::new(&edge, "s42");
    let second = Watcher::new(&edge, "s42");
    let nothing =
        json!({"percent": 0, "position": 0, "duration": 0, "completed_at": null, "ranges": []});
    assert_eq!(second.progress(), nothing);
    first.report(30, &[(0, 30)]);
    let answer = first.report(72, &[(30, 72)]);
    assert_eq!(
        (&answer["percent"], &answer["position"]),
        (&json!(72), &json!(72))
    );
    let seen = second.progress();
    assert_eq!(
        (&seen["percent"], &seen["position"]),
        (&json!(72), &json!(72))
    );
    assert_eq!(seen["ranges"], json!([[0, 72]]));
    assert_eq!(seen["completed_at"], Value::Null);
    // Seeking to the end is not watching; what was not watched is.
    let end = second.report(100, &[(99, 100)]);
    assert_eq!(
        (&end["percent"], &end["completed_at"]),
        (&json!(73), &Value::Null)
    );
    let all = second.report(95, &[(72, 95)]);
    assert_eq!(all["percent"], 96);
    assert!(all["completed_at"].is_u64(), "{all}");
    // Another viewer has a history of his own.
    assert_eq!(Watcher::new(&edge, "s43").progress(), nothing);
}

#[test]
fn an_administrator_lists_and_forgets_viewers() {
    let edge = published();
    let formula = "=1+\"2\",é/x";
    Watcher::new(&edge, "s42").report(100, &[(0, 100)]);
    Watcher::new(&edge, formula).report(55, &[(0, 55)]);
    let expected = [(formula.to_owned(), 55), ("s42".to_owned(), 100)];
    assert_eq!(viewers(&edge, 2), expected);

    let csv = ask(&edge, "GET", &format!("lectures{LECTURE}?as=csv"));
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<&str> = csv.text().lines().collect();
    assert_eq!(
        lines[0],
        "viewer,percent,position,duration,completed_at,last_seen"
    );
    assert!(
        lines[1].starts_with("\"'=1+\"\"2\"\",é/x\",55,55,100,,20"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].starts_with("\"s42\",100,100,100,20"),
        "{}",
        lines[2]
    );
    let after = ask(&edge, "GET", &format!("lectures{LECTURE}?after=r")).json();
    assert_eq!(after["viewers"].as_array().map(Vec::len), Some(1));
    let one = ask(&edge, "GET", "viewers/%3D1%2B%222%22%2C%C3%A9%2Fx").json();
    assert_eq!(one["viewer"], formula);
    assert_eq!(one["lectures"][0]["lecture"], LECTURE);
    assert_eq!(one["lectures"][0]["percent"], 55);

    let forgotten = ask(&edge, "DELETE", "viewers/s42");
    let expected = json!({"lectures": 1, "players": 0, "pending": 0});
    assert_eq!(forgotten.json(), expected);
    assert_eq!(viewers(&edge, 1), [(formula.to_owned(), 55)]);
    assert_eq!(Watcher::new(&edge, "s42").progress()["percent"], 0);
    let again = ask(&edge, "DELETE", "viewers/s42");
    let nothing = json!({"lectures": 0, "players": 0, "pending": 0});
    assert_eq!(again.json(), nothing);
    // He may begin again.
    Watcher::new(&edge, "s42").report(20, &[(0, 20)]);
    viewers(&edge, 2);
}

#[test]
fn hostile_reports_change_nothing() {
    let edge = published();
    let watcher = Watcher::new(&edge, "s42");
    let before = watcher.report(30, &[(0, 30)]);
    let ranges = |count: usize| vec!["[0,1]"; count].join(",");
    for body in [
        String::new(),
        "{}".to_owned(),
        "[".repeat(16_000),
        r#"{"position":-1,"duration":100,"ranges":[]}"#.to_owned(),
        r#"{"position":1,"duration":1e308,"ranges":[]}"#.to_owned(),
        r#"{"position":1,"duration":NaN,"ranges":[]}"#.to_owned(),
        r#"{"position":1,"duration":0,"ranges":[]}"#.to_owned(),
        r#"{"position":1,"duration":100,"ranges":[[9,3]]}"#.to_owned(),
        r#"{"position":1,"duration":100,"ranges":[[0,1e9]]}"#.to_owned(),
        r#"{"position":1,"duration":100,"ranges":[],"duration":1}"#.to_owned(),
        format!(
            r#"{{"position":1,"duration":100,"ranges":[{}]}}"#,
            ranges(201)
        ),
    ] {
        let start: String = body.chars().take(80).collect();
        assert_eq!(watcher.post(&body).verdict(), "400 bad_request", "{start}");
    }
    let long = " ".repeat((16 << 10) + 1);
    assert_eq!(watcher.post(&long).verdict(), "413 payload_too_large");
    // Beyond the end counts as the end.
    let beyond = r#"{"position":18446744073709551615,"duration":100,"ranges":[[18446744073709551614,18446744073709551615]]}"#;
    assert_eq!(watcher.post(beyond).json()["position"], 100);
    let after = watcher.progress();
    assert_eq!(after["percent"], before["percent"]);
    assert_eq!(after["ranges"], json!([[0, 30]]));
    // A lecture that does not exist is not remembered, whatever the link opens.
    let token = edge.token_of(json!({"path": "/courses/", "sub": "s42"}));
    let url = format!("/_lectern/watched?path=/courses/none/master.m3u8&token={token}");
    let body = br#"{"position":1,"duration":100,"ranges":[[0,100]]}"#;
    let plain = [("content-type", "text/plain")];
    assert_eq!(
        edge.send("POST", &url, &plain, body).verdict(),
        "404 not_found"
    );
    let known = ask(&edge, "GET", "viewers/s42").json();
    assert_eq!(known["lectures"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_report_asks_one_ledger_and_keeps_the_place() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let asked = || {
        let asked = edge.get("/__faults/asked").json();
        asked["ledgers"].as_u64().expect("a number")
    };
    let claims = json!({"path": LECTURE, "sub": "s42", "sessions": 1});
    let token = edge.token_of(claims);
    let opened = edge.get(&format!("{MASTER}?token={token}"));
    let session = opened
        .header("lectern-session")
        .expect("a session")
        .to_owned();
    assert_eq!(asked(), 1, "opening the lecture takes a place");
    let playlist = Playlist::open(&edge, &format!("{MASTER}?token={token}&session={session}"));
    let playlist = playlist.listed().remove(0);
    assert_eq!(asked(), 0, "the place is known");
    let url = format!("/_lectern/watched?path={MASTER}&token={token}&session={session}");
    let body = br#"{"position":30,"duration":100,"ranges":[[0,30]]}"#;
    let reply = edge.send("POST", &url, &[("content-type", "text/plain")], body);
    assert_eq!(reply.json()["percent"], 30, "{}", edge.log());
    assert_eq!(asked(), 1, "a report");
    for url in Playlist::open(&edge, &playlist).listed() {
        assert_eq!(edge.get(&url).verdict(), "200");
    }
    assert_eq!(asked(), 0, "segments");
    // Another player takes the place. A report does not take it back, and is kept.
    let other = edge.get(&format!("{MASTER}?token={token}"));
    assert_eq!(other.verdict(), "200");
    let body = br#"{"position":60,"duration":100,"ranges":[[30,60]]}"#;
    let reply = edge.send("POST", &url, &[("content-type", "text/plain")], body);
    assert_eq!(reply.verdict(), "403 too_many_sessions");
    assert_eq!(edge.get(&url).json()["percent"], 60);
    assert_eq!(edge.get(&playlist).verdict(), "403 too_many_sessions");
    // Forgetting the viewer frees the places.
    let forgotten = ask(&edge, "DELETE", "viewers/s42").json();
    assert_eq!(forgotten["players"], 1);
}

#[test]
fn an_edge_without_ledgers_keeps_no_watch_data() {
    let edge = Edge::without_ledgers();
    let watcher = Watcher::new(&edge, "s42");
    let body = r#"{"position":30,"duration":100,"ranges":[[0,30]]}"#;
    assert_eq!(watcher.post(body).verdict(), "404 not_found");
    for (method, path) in [
        ("GET", "viewers/s42"),
        ("DELETE", "viewers/s42"),
        ("GET", "lectures/a/"),
    ] {
        assert_eq!(ask(&edge, method, path).verdict(), "404 not_found");
    }
}

#[test]
fn webhooks_arrive_signed_and_are_repeated() {
    let mut receiver = Receiver::start();
    let edge = Edge::with_webhook(&receiver.url, SECRET);
    edge.publish(media::package(), LECTURE);
    Watcher::new(&edge, "s42").report(95, &[(0, 95)]);
    // The first attempt gets 503.
    let lines = &mut receiver.lines;
    let mut next = || {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str::<Value>(&line).expect("JSON")
    };
    let failed = next();
    assert_eq!(
        (&failed["status"], &failed["valid"]),
        (&json!(503), &json!(true))
    );
    let mut bodies = [next(), next()];
    bodies.sort_by_key(|sent| sent["body"]["type"].to_string());
    let ids: Vec<&Value> = bodies.iter().map(|sent| &sent["id"]).collect();
    assert!(ids.contains(&&failed["id"]), "{failed} {ids:?}");
    assert_ne!(ids[0], ids[1]);
    for (sent, kind) in bodies.iter().zip(["completed", "progress"]) {
        assert_eq!(sent["valid"], true, "{sent}");
        assert_eq!(sent["body"]["type"], kind);
        let data = &sent["body"]["data"];
        assert_eq!(data["viewer"], "s42");
        assert_eq!(
            (&data["lecture"], &data["percent"]),
            (&json!(LECTURE), &json!(95))
        );
    }
    edge.logged("the webhook msg_");
    assert!(!edge.log().contains(SECRET), "{}", edge.log());
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A course app that takes webhooks: `tests/webhook/receiver.mjs`.
struct Receiver {
    process: Child,
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Receiver {
    fn start() -> Self {
        let mut process = Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/webhook/receiver.mjs"))
            .arg(SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = process.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let url = lines.next().expect("a line").expect("its URL");
        Self {
            process,
            url,
            lines,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_player_page_reports_what_plays_and_goes_on_there() {
    let edge = Edge::start();
    edge.publish(media::long_package(), LECTURE);
    let play = |claims: Value, how: &str| -> Value {
        let link = format!("{}{MASTER}?token={}", edge.origin, edge.token_of(claims));
        let printed = succeed(
            Command::new(built("node_modules/node/bin/node"))
                .arg(root().join("tests/browser/watched.mjs"))
                .args([&edge.origin, &link, how]),
        );
        serde_json::from_str(&printed).expect("JSON")
    };
    let through = || {
        let through = json!({"path": LECTURE, "sub": "through", "sessions": 1});
        let seen = play(through, "through");
        assert_eq!(seen["refused"], json!([]), "{seen:#}\n{}", edge.log());
        let progress = Watcher::new(&edge, "through").progress();
        assert_eq!(progress["percent"], 100, "{progress} {seen:#}");
        assert!(progress["completed_at"].is_u64(), "{progress}");
    };
    let seek = || {
        let seen = play(json!({"path": LECTURE, "sub": "seek"}), "seek");
        assert_eq!(seen["ended"], true, "{seen:#}");
        let progress = Watcher::new(&edge, "seek").progress();
        assert!(
            progress["percent"].as_u64() < Some(30),
            "{progress} {seen:#}"
        );
        assert_eq!(progress["completed_at"], Value::Null, "{progress}");
    };
    let leave = || {
        play(json!({"path": LECTURE, "sub": "leave"}), "leave");
        let mut left = 0;
        wait_until(
            || format!("nothing arrives when the page is left:\n{}", edge.log()),
            || {
                let progress = Watcher::new(&edge, "leave").progress();
                left = progress["position"].as_u64().expect("a number");
                left >= 20
            },
        );
        let seen = play(json!({"path": LECTURE, "sub": "leave"}), "resume");
        let began = seen["began"].as_f64().expect("a number");
        assert!((began - left as f64).abs() < 1.5, "{seen:#}");
    };
    let unnamed = || {
        let seen = play(json!({"path": LECTURE}), "leave");
        assert_eq!(seen["reports"], json!([]), "{seen:#}");
    };
    // They mostly wait.
    std::thread::scope(|scope| {
        scope.spawn(through);
        scope.spawn(seek);
        scope.spawn(leave);
        scope.spawn(unnamed);
    });
}

#[test]
fn the_command_lists_and_forgets() {
    let edge = published();
    Watcher::new(&edge, "s42").report(95, &[(0, 95)]);
    Watcher::new(&edge, "=x").report(5, &[(0, 5)]);
    viewers(&edge, 1);
    let lectern = |arguments: &[&str]| {
        let mut command = edge.lectern();
        succeed(command.args(arguments).env("LECTERN_EDGE", &edge.origin))
    };
    let target = format!("edge:{LECTURE}");
    let listed = lectern(&["watched", &target]);
    assert!(
        listed.contains(" 95 %  at 0:01:35 of 0:01:40  completed 20"),
        "{listed}"
    );
    assert!(listed.trim_end().ends_with("  s42"), "{listed}");
    let json: Value =
        serde_json::from_str(&lectern(&["watched", "--viewer", "=x", "--json"])).expect("JSON");
    assert_eq!(
        (&json[0]["lecture"], &json[0]["percent"]),
        (&json!(LECTURE), &json!(5))
    );
    let csv = lectern(&["watched", "--viewer", "s42", "--csv"]);
    assert!(
        csv.contains(&format!("\r\n\"{LECTURE}\",95,95,100,20")),
        "{csv}"
    );
    lectern(&["forget", "--viewer", "s42"]);
    assert_eq!(viewers(&edge, 0), []);
    assert_eq!(lectern(&["watched", &target]), "");
}

#[test]
fn a_lecture_with_many_viewers_is_listed_in_pages() {
    const VIEWERS: usize = 1_003;
    let edge = published();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let edge = &edge;
            scope.spawn(move || {
                for at in (worker..VIEWERS).step_by(4) {
                    Watcher::new(edge, &format!("s{at:04}")).report(50, &[(0, 50)]);
                }
            });
        }
    });
    let target = format!("{}{LECTURE}", edge.origin);
    let mut listed = Vec::new();
    wait_until(
        || format!("not {VIEWERS} viewers:\n{}", edge.log()),
        || {
            let json = succeed(edge.lectern().args(["watched", &target, "--json"]));
            listed = serde_json::from_str::<Vec<Value>>(&json).expect("a list");
            listed.len() == VIEWERS
        },
    );
    let names = listed
        .iter()
        .map(|entry| entry["viewer"].as_str().expect("a viewer"));
    assert!(names.is_sorted_by(|a, b| a < b));
    let page = ask(&edge, "GET", &format!("lectures{LECTURE}")).json();
    assert_eq!(page["viewers"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(page["truncated"], true);
    let rest = ask(&edge, "GET", &format!("lectures{LECTURE}?after=s0999")).json();
    assert_eq!(rest["viewers"].as_array().map(Vec::len), Some(3));
    assert_eq!(rest["truncated"], false);
}
