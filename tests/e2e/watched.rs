//! What viewers watched: reports of players, lists for administrators, and webhooks, with the
//! Durable Objects of workerd.

use serde_json::{Value, json};
use testkit::process::wait_until;

use super::edge::{Edge, Reply};
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
