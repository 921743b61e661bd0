//! Places of players and revocations, with the Durable Objects and Workers KV of workerd.

use std::time::{Duration, Instant};

use lectern::credential::binding::Binding;
use lectern::credential::claims::Claims;
use lectern::credential::pass::{Minter, PassKind};
use lectern::credential::ticket::Ticket;
use lectern::object::key::ObjectKey;
use serde_json::{Value, json};
use testkit::process::{succeed, wait_until};

use super::edge::{Edge, now};
use super::media::{self, Playlist};
use super::{LECTURE, MASTER, published};

/// The lecture as one player opened it: a Media Playlist and a Media Segment, with their passes.
struct OpenedLecture {
    playlist: String,
    segment: String,
}

impl OpenedLecture {
    fn open(edge: &Edge, claims: Value) -> Self {
        Self::open_with(edge, &edge.token_of(claims))
    }

    fn open_with(edge: &Edge, token: &str) -> Self {
        let playlists = Playlist::open(edge, &format!("{MASTER}?token={token}")).listed();
        let playlist = playlists.first().expect("a Media Playlist").clone();
        let objects = Playlist::open(edge, &playlist).listed();
        let segment = objects.last().expect("a Media Segment").clone();
        Self { playlist, segment }
    }

    fn verdicts(&self, edge: &Edge) -> [String; 2] {
        [&self.playlist, &self.segment].map(|url| edge.get(url).verdict())
    }
}

const PLAYS: [&str; 2] = ["200", "200"];
const STOPS: [&str; 2] = ["403 too_many_sessions", "403 too_many_sessions"];

#[test]
fn the_newest_player_takes_the_place_of_the_oldest_which_stops() {
    let edge = published();
    let claims = json!({"path": LECTURE, "sub": "s42", "sessions": 2});
    let other = json!({"path": LECTURE, "sub": "s43", "sessions": 1});
    let another = OpenedLecture::open(&edge, other);
    let oldest = OpenedLecture::open(&edge, claims.clone());
    // A later second, so that the order is clear.
    std::thread::sleep(Duration::from_millis(1_100));
    let second = OpenedLecture::open(&edge, claims.clone());
    let newest = OpenedLecture::open(&edge, claims);
    wait_until(
        || format!("the oldest player goes on: {:?}", oldest.verdicts(&edge)),
        || {
            for player in [&another, &second, &newest] {
                assert_eq!(player.verdicts(&edge), PLAYS);
            }
            oldest.verdicts(&edge) == STOPS
        },
    );
}

/// A thousand viewers leave, too: one after the other, because each has a Durable Object of its own.
#[test]
fn a_place_is_free_again_when_its_player_is_silent() {
    const VIEWERS: u64 = 1_000;
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let oldest = |viewer: &str| {
        let claims = json!({
            "path": LECTURE, "sub": viewer, "sessions": 1, "sessions_policy": "oldest"
        });
        edge.token_of(claims)
    };
    let asked = || edge.get("/__faults/asked").json()["ledgers"].as_u64();
    let tokens: Vec<String> = (0..VIEWERS).map(|id| oldest(&format!("v{id}"))).collect();
    let open_all = || {
        let open = |token: &String| edge.get(&format!("{MASTER}?token={token}")).verdict();
        let mut verdicts: Vec<String> = tokens.iter().map(open).collect();
        verdicts.dedup();
        verdicts
    };
    asked();
    assert_eq!(open_all(), ["200"]);
    assert_eq!(asked(), Some(VIEWERS), "each opening is one question");
    // The last one. When its place is free, so are the others'.
    let began = Instant::now();
    let first = OpenedLecture::open_with(&edge, &oldest("s42"));
    assert_eq!(first.verdicts(&edge), PLAYS);
    let token = oldest("s42");
    let open = || edge.get(&format!("{MASTER}?token={token}")).verdict();
    assert_eq!(open(), "403 too_many_sessions");
    // No player says anything from here on.
    wait_until(
        || "the place stays taken".to_owned(),
        || {
            std::thread::sleep(Duration::from_secs(1));
            open() == "200"
        },
    );
    let silent = began.elapsed();
    assert!(silent > Duration::from_secs(90), "free after {silent:?}");
    assert_eq!(first.verdicts(&edge), STOPS);
    assert_eq!(open_all(), ["200"], "no place stays taken");
}

#[test]
fn a_link_that_counts_players_opens_no_media_directly() {
    let edge = published();
    let token = edge.token_of(json!({"path": LECTURE, "sub": "s42", "sessions": 1}));
    let player = OpenedLecture::open(&edge, json!({"path": LECTURE, "sub": "s1"}));
    let path = player.segment.split('?').next().expect("a path");
    let by_link = edge.get(&format!("{path}?token={token}"));
    assert_eq!(by_link.verdict(), "403 forbidden");
    let head = edge.send("HEAD", &format!("{MASTER}?token={token}"), &[], &[]);
    assert_eq!(head.status, 200);
}

#[test]
fn a_revoked_viewer_link_or_path_opens_nothing_until_it_is_unrevoked() {
    let edge = published();
    let lectern = |arguments: &[&str]| {
        let mut command = edge.lectern();
        succeed(command.args(arguments).env("LECTERN_EDGE", &edge.origin))
    };
    let open = |claims: Value| {
        let token = edge.token_of(claims);
        edge.get(&format!("{MASTER}?token={token}")).verdict()
    };
    let viewer = json!({"path": LECTURE, "sub": "s42"});
    let link = json!({"path": LECTURE, "sub": "s1", "jti": "7f3a"});
    let other = json!({"path": LECTURE, "sub": "s1"});
    let plain = json!({"path": LECTURE});
    let playing = OpenedLecture::open(&edge, viewer.clone());

    lectern(&["revoke", "--viewer", "s42"]);
    lectern(&[
        "revoke",
        "--link",
        "7f3a",
        "--until",
        "2100-01-01T00:00:00Z",
    ]);
    let listed = lectern(&["revocations"]);
    assert!(
        listed.contains("s42") && listed.contains("7f3a"),
        "{listed}"
    );
    wait_until(
        || "a revoked viewer opens the lecture".to_owned(),
        || open(viewer.clone()) == "403 revoked",
    );
    assert_eq!(open(link.clone()), "403 revoked");
    assert_eq!(open(other.clone()), "200");
    // His player gets no playlist any more, and what he has lasts for his pass.
    assert_eq!(playing.verdicts(&edge), ["403 revoked", "200"]);

    lectern(&["unrevoke", "--viewer", "s42"]);
    lectern(&["unrevoke", "--link", "7f3a"]);
    lectern(&["revoke", "--path", LECTURE]);
    wait_until(
        || "a revoked path opens".to_owned(),
        || open(other.clone()) == "403 revoked",
    );
    assert_eq!(open(viewer.clone()), "403 revoked");
    assert_eq!(open(plain), "200");
    lectern(&["unrevoke", "--path", LECTURE]);
    wait_until(
        || "nothing is revoked, and the viewer is refused".to_owned(),
        || open(viewer.clone()) == "200",
    );
    assert_eq!(open(link), "200");
}

#[test]
fn a_strict_segment_is_refused_once_its_viewer_is_revoked() {
    let edge = published();
    // Before the edge reads the list of revocations for the first time.
    let mut command = edge.lectern();
    let revoke = command.args(["revoke", "--viewer", "s42"]);
    succeed(revoke.env("LECTERN_EDGE", &edge.origin));
    let player = OpenedLecture::open(&edge, json!({"path": LECTURE}));
    let path = player.segment.split('?').next().expect("a path");
    let segment = ObjectKey::from_url_path(path).expect("an object");
    let (directory, name) = segment.split();
    let open = |viewer: &str, strict: bool| {
        let claims = json!({"path": LECTURE, "exp": 0, "sub": viewer, "strict": strict});
        let claims = Claims::from_json(claims.to_string().as_bytes()).expect("claims");
        let minter = Minter::new(edge.keys.minting(), now() + 60, Binding::default());
        let mut pass = Vec::new();
        minter
            .with_ticket(Ticket::of(&claims))
            .mint(PassKind::Object, directory, name, &mut pass);
        let pass = String::from_utf8(pass).expect("ASCII");
        edge.get(&format!("{path}?p={pass}")).verdict()
    };
    assert_eq!(open("s42", true), "403 revoked");
    assert_eq!(open("s43", true), "200");
    // The passes of other links name no viewer.
    assert_eq!(open("s42", false), "200");
}

#[test]
fn only_an_administrator_of_the_edge_revokes() {
    let edge = published();
    let list = "/_lectern/revocations";
    let ask = |method: &str, query: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        edge.send(
            method,
            &format!("{list}{query}"),
            &[("authorization", &bearer)],
            &[],
        )
    };
    let admin = edge.token_of(json!({"path": list, "use": "admin"}));
    for claims in [
        json!({"path": LECTURE, "use": "admin"}),
        json!({"path": list}),
        json!({"path": list, "use": "upload"}),
    ] {
        let token = edge.token_of(claims);
        for (method, query) in [
            ("GET", ""),
            ("POST", "?viewer=s1"),
            ("DELETE", "?viewer=s1"),
        ] {
            assert_eq!(
                ask(method, query, &token).verdict(),
                "403 forbidden",
                "{method}"
            );
        }
    }
    assert_eq!(edge.get(list).verdict(), "401 missing_token");
    for (method, query, expected) in [
        ("GET", "", "200"),
        ("POST", "", "400 bad_request"),
        ("POST", "?viewer=s1&link=l1", "400 bad_request"),
        ("POST", "?viewer=%zz", "400 bad_request"),
        ("POST", "?path=/a/../b", "400 bad_request"),
        ("POST", "?viewer=s1&until=1", "400 bad_request"),
        ("PUT", "?viewer=s1", "405 method_not_allowed"),
        ("DELETE", "?viewer=unknown", "200"),
        ("POST", "?viewer=a%22b%5C%00c", "200"),
    ] {
        assert_eq!(
            ask(method, query, &admin).verdict(),
            expected,
            "{method} {query}"
        );
    }
    let listed = ask("GET", "", &admin).json();
    assert_eq!(listed["revocations"][0]["viewer"], "a\"b\\\0c");
    assert_eq!(listed["revocations"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_link_costs_no_more_questions_than_it_needs() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let asked = || {
        let asked = edge.get("/__faults/asked").json();
        let number = |name: &str| asked[name].as_u64().expect("a number");
        (number("ledgers"), number("revocations"))
    };
    let plays = |claims: Value| {
        let opened = OpenedLecture::open(&edge, claims);
        assert_eq!(opened.verdicts(&edge), PLAYS);
        assert_eq!(opened.verdicts(&edge), PLAYS);
    };
    asked();
    plays(json!({"path": LECTURE}));
    assert_eq!(asked(), (0, 0), "a link without ids");
    plays(json!({"path": LECTURE, "sub": "s1"}));
    assert_eq!(asked(), (0, 1), "a link that names its viewer");
    plays(json!({"path": LECTURE, "sub": "s2", "sessions": 2}));
    assert_eq!(
        asked(),
        (1, 0),
        "a link that counts players; the list is known"
    );
    // More places than players, whose order within a second is not known.
    for sessions in [json!(null), json!(9)] {
        let mut claims = json!({"path": LECTURE, "sub": format!("s3 {sessions}")});
        if !sessions.is_null() {
            claims["sessions"] = sessions.clone();
        }
        let token = edge.token_of(claims);
        let url = format!("{MASTER}?with=position&token={token}");
        let begun = edge.get(&url);
        // A player may have a position of its own.
        assert_eq!(begun.header("lectern-position"), None, "{sessions}");
        let exposed = begun.header("access-control-expose-headers");
        assert!(exposed.is_some_and(|names| names.contains("Lectern-Position")));
        assert_eq!(
            asked().0,
            1,
            "place and position are one question: {sessions}"
        );
        let report = format!("/_lectern/watched?path={MASTER}&token={token}");
        let body = br#"{"position":30,"duration":100,"ranges":[[0,30]]}"#;
        let reply = edge.send("POST", &report, &[("content-type", "text/plain")], body);
        assert_eq!(reply.verdict(), "200", "{}", edge.log());
        asked();
        let position = edge.get(&url).header("lectern-position").map(str::to_owned);
        assert_eq!(position.as_deref(), Some("30"), "{sessions}");
        assert_eq!(asked().0, 1, "{sessions}");
        let silent = edge.get(&format!("{MASTER}?token={token}"));
        assert_eq!(
            silent.header("lectern-position"),
            None,
            "only where it is asked for"
        );
        asked();
        // A player that goes on asks no more often than a viewer without places.
        let Some(session) = begun.header("lectern-session") else {
            continue;
        };
        for _ in 0..100 {
            let reply = edge.get(&format!("{url}&session={session}"));
            assert_eq!(reply.verdict(), "200");
        }
        let questions = asked().0;
        assert!((1..=62).contains(&questions), "{questions} questions");
    }
}
