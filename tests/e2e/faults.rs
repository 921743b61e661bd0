//! Answers when a service behind the edge fails: an error that is true, and never a truncated body
//! that looks whole.

use std::time::Duration;

use lectern::credential::claims::Purpose;

use super::edge::{Edge, Reply};
use super::{LECTURE, MASTER, Walk, media, walk};

/// An edge with a lecture, and the URLs of a playlist and of two unread segments.
struct Faulty {
    edge: Edge,
    playlist: String,
    segments: Vec<String>,
}

impl Faulty {
    fn published() -> Self {
        let edge = Edge::with_faults();
        edge.publish(media::package(), LECTURE);
        let Walk { playlists, objects } = walk(&edge);
        let is_segment = |url: &String| url.contains("/seg");
        Self {
            edge,
            playlist: playlists[0].clone(),
            segments: objects.into_iter().filter(is_segment).collect(),
        }
    }

    fn get(&self, url: &str, faults: &str) -> Reply {
        self.edge.send("GET", url, &[("x-faults", faults)], &[])
    }

    /// A segment that the cache does not have.
    fn fresh(&mut self) -> String {
        self.segments.pop().expect("a segment")
    }
}

#[test]
fn after_a_panic_the_next_request_is_answered_as_if_there_had_been_none() {
    let mut faulty = Faulty::published();
    for _ in 0..2 {
        let segment = faulty.fresh();
        let trapped = faulty.get(&segment, "trap");
        assert!(trapped.verdict() != "200", "{}", trapped.verdict());
        assert_eq!(trapped.body.windows(4).position(|at| at == b"wasm"), None);
        let next = faulty.get(&segment, "");
        assert_eq!(next.verdict(), "200");
        let length = next.header("content-length").map(str::to_owned);
        assert_eq!(length, Some(next.body.len().to_string()));
    }
}

#[test]
fn a_read_that_fails_is_tried_again_and_then_told_as_unavailable() {
    let mut faulty = Faulty::published();
    let segment = faulty.fresh();
    let whole = |reply: &Reply| {
        let length = reply.header("content-length").map(str::to_owned);
        length == Some(reply.body.len().to_string()) && !reply.broke_off
    };

    let recovered = faulty.get(&segment, "get:error:2");
    assert_eq!(recovered.verdict(), "200");
    assert!(whole(&recovered));

    for (faults, headers) in [
        ("get:error", vec![]),
        ("get:error", vec![("range", "bytes=0-9")]),
        ("get:error,head:error", vec![("if-none-match", "\"x\"")]),
    ] {
        let segment = faulty.fresh();
        let mut all = headers.clone();
        all.push(("x-faults", faults));
        let reply = faulty.edge.send("GET", &segment, &all, &[]);
        assert_eq!(
            reply.verdict(),
            "503 storage_unavailable",
            "{faults} {headers:?}"
        );
        assert_eq!(reply.header("retry-after"), Some("2"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert!(!reply.text().contains("10001"), "{}", reply.text());
        // The failure leaves no trace.
        let after = faulty.get(&segment, "");
        assert_eq!(after.verdict(), "200");
        assert!(whole(&after));
    }
    let head = faulty.fresh();
    let reply = faulty
        .edge
        .send("HEAD", &head, &[("x-faults", "head:error")], &[]);
    assert_eq!(reply.status, 503);

    // Storage that does not answer is not waited for forever.
    let segment = faulty.fresh();
    let hung = faulty.get(&segment, "get:hang");
    assert_eq!(hung.verdict(), "503 storage_unavailable");

    faulty.edge.logged(r#""code":"storage_unavailable""#);
    faulty.edge.logged("(10001)");
}

#[test]
fn a_body_that_breaks_off_is_never_taken_for_the_whole() {
    let mut faulty = Faulty::published();
    for faults in ["body:break:1000", "body:break:0"] {
        let segment = faulty.fresh();
        let reply = faulty.get(&segment, faults);
        let length: Option<usize> = reply
            .header("content-length")
            .and_then(|length| length.parse().ok());
        assert!(
            reply.broke_off || reply.status != 200,
            "{faults}: {} bytes of {length:?} as {}",
            reply.body.len(),
            reply.status
        );
        // The cache did not keep the truncated body.
        let after = faulty.get(&segment, "");
        assert_eq!(after.verdict(), "200");
        assert!(!after.broke_off);
        assert_eq!(
            after.header("content-length"),
            Some(after.body.len().to_string().as_str())
        );
        assert!(after.body.len() > 1000, "{segment}: {}", after.body.len());
    }
    // A playlist is read whole before its answer starts, so a read can be repeated.
    let token = faulty.edge.token(LECTURE, Purpose::Play);
    let other = faulty
        .playlist
        .split('?')
        .next()
        .expect("a path")
        .replace("/480p/", "/720p/");
    let other = format!("{other}?token={token}");
    std::thread::sleep(Duration::from_millis(2100));
    let master = format!("{MASTER}?token={token}");
    assert_eq!(
        faulty.get(&master, "body:break:10").verdict(),
        "503 storage_unavailable"
    );
    assert_eq!(faulty.get(&master, "body:break-once:10").verdict(), "200");
    assert_eq!(faulty.get(&other, "body:break-once:10").verdict(), "200");
}

#[test]
fn a_cache_or_a_limiter_that_fails_is_not_noticed() {
    let mut faulty = Faulty::published();
    for fail in ["match", "put", "hang"] {
        faulty.edge.get(&format!("/__faults/cache?fail={fail}"));
        let segment = faulty.fresh();
        for _ in 0..2 {
            let reply = faulty.get(&segment, "");
            assert_eq!(reply.verdict(), "200", "{fail}");
            assert!(!reply.broke_off, "{fail}");
            assert_eq!(faulty.get(&faulty.playlist, "").verdict(), "200", "{fail}");
        }
    }
    faulty.edge.get("/__faults/cache");
    let segment = faulty.fresh();
    assert_eq!(
        faulty.get("/x?p=x", "limit:error").verdict(),
        "403 forbidden"
    );
    assert_eq!(faulty.get(&segment, "limit:error").verdict(), "200");
}

#[test]
fn an_address_that_tries_links_is_told_to_wait_and_one_that_has_a_link_is_not() {
    let faulty = Faulty::published();
    let from = |address: &str, url: &str| {
        faulty
            .edge
            .send("GET", url, &[("cf-connecting-ip", address)], &[])
    };
    assert_eq!(from("192.0.2.1", MASTER).verdict(), "401 missing_token");
    // The limit is 20 a minute of the clock, so the test waits for the answer and does not count.
    let limited = (0..100).find_map(|number| {
        from("192.0.2.1", &format!("{MASTER}?token=x{number}"));
        let neighbour = from("192.0.2.77", MASTER);
        (neighbour.status == 429).then_some((number, neighbour))
    });
    let (rounds, limited) = limited.expect("an address of the same /24 that is told to wait");
    // One attempt before the rounds, and two in each: the twenty-first is the first refusal with
    // `Retry-After`.
    assert!(rounds >= 9, "told to wait in round {rounds}");
    assert_eq!(limited.verdict(), "429 rate_limited");
    assert_eq!(limited.header("retry-after"), Some("60"));
    // A valid link from the same address still opens, and so do attempts from others.
    assert_eq!(from("192.0.2.1", &faulty.playlist).verdict(), "200");
    assert_eq!(
        from("192.0.3.1", &format!("{MASTER}?token=x")).verdict(),
        "403 forbidden"
    );
}

#[test]
fn an_edge_without_keys_says_so_everywhere_and_why_in_its_log_alone() {
    let edge = Edge::without_keys();
    for url in ["/_lectern/health", MASTER, "/x?p=x", "/%zz"] {
        let reply = edge.get(url);
        assert_eq!(reply.verdict(), "500 misconfigured", "{url}");
        assert!(!reply.text().contains("LECTERN"), "{}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
    edge.logged("`LECTERN_KEYS` is not set");
}

#[test]
fn health_tells_what_runs_and_whether_the_bucket_answers() {
    let faulty = Faulty::published();
    let health = faulty.get("/_lectern/health", "");
    assert_eq!(health.status, 200);
    let told = health.json();
    assert_eq!(told["keys"], serde_json::json!(["e2e"]));
    assert_eq!(told["bucket"], true);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let ill = faulty.get("/_lectern/health", "head:error");
    assert_eq!((ill.status, &ill.json()["bucket"]), (503, &false.into()));
}
