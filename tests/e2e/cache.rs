//! The data centre's cache: which requests it serves, and that it never serves a forbidden object.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::process::PATIENCE;

use lectern::credential::claims::Purpose;
use serde_json::{Value, json};

use super::edge::Edge;
use super::media::{self, Playlist};
use super::{LECTURE, MASTER, Walk, walk};

fn published() -> Edge {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    edge.get("/__faults/counts");
    edge
}

/// Objects by their paths.
type Bodies = Vec<(String, Vec<u8>)>;

/// The reads of each object since the last call: whole ones and ranges.
fn reads(edge: &Edge) -> BTreeMap<String, (u64, u64)> {
    let counts = edge.get("/__faults/counts").json();
    let counts = counts.as_object().expect("an object");
    let count = |count: &Value, name: &str| count[name].as_u64().expect("a number");
    counts
        .iter()
        .map(|(key, reads)| (key.clone(), (count(reads, "get"), count(reads, "range"))))
        .filter(|(_, reads)| *reads != (0, 0))
        .collect()
}

#[test]
fn fifty_viewers_cost_one_read_of_each_object_and_each_sees_what_his_link_says() {
    let edge = published();
    let heights = [None, Some(480), Some(720), Some(360)];
    let began = Instant::now();
    let slowest_ms = AtomicU64::new(0);
    let seen: Vec<(Option<u32>, Bodies)> = std::thread::scope(|scope| {
        let viewers: Vec<_> = (0..50)
            .map(|number| {
                let (edge, slowest_ms) = (&edge, &slowest_ms);
                scope.spawn(move || {
                    let timed = |began: Instant| {
                        let took =
                            u64::try_from(began.elapsed().as_millis()).expect("a short time");
                        slowest_ms.fetch_max(took, Ordering::Relaxed);
                    };
                    let height = heights[number % heights.len()];
                    let mut claims = json!({"path": MASTER, "sub": format!("viewer {number}")});
                    if let Some(height) = height {
                        claims["max_height"] = height.into();
                    }
                    let token = edge.token_of(claims);
                    let master = edge.get(&format!("{MASTER}?token={token}"));
                    if height == Some(360) {
                        assert_eq!(master.verdict(), "403 no_variant");
                        return (height, Vec::new());
                    }
                    let playlists =
                        Playlist::open(edge, &format!("{MASTER}?token={token}")).listed();
                    let objects: Vec<String> = playlists
                        .iter()
                        .flat_map(|playlist| {
                            let began = Instant::now();
                            let listed = Playlist::open(edge, playlist).listed();
                            timed(began);
                            listed
                        })
                        .collect();
                    let bodies = objects.iter().map(|url| {
                        let began = Instant::now();
                        let reply = edge.get(url);
                        timed(began);
                        assert_eq!(reply.verdict(), "200", "{url}");
                        let path = url.split('?').next().unwrap_or_default().to_owned();
                        (path, reply.body)
                    });
                    (height, bodies.collect())
                })
            })
            .collect();
        viewers
            .into_iter()
            .map(|viewer| viewer.join().expect("a viewer"))
            .collect()
    });
    let took = began.elapsed();

    // Everything was read once; what may change, once in two seconds. Who has waited for another's read for two seconds
    // reads it himself, and has waited so long for his answer.
    let reads = reads(&edge);
    let mutable = 1 + took.as_secs() / 2;
    let slowest = Duration::from_millis(slowest_ms.into_inner());
    let immutable = if slowest < Duration::from_secs(2) {
        1
    } else {
        50
    };
    for (key, (whole, ranges)) in &reads {
        let allowed = if key.ends_with("master.m3u8") {
            mutable
        } else {
            immutable
        };
        assert!(
            *whole <= allowed,
            "{key} was read {whole} times in {took:?}, and the slowest answer took {slowest:?}"
        );
        assert_eq!(*ranges, 0, "{key}");
    }
    // Three rungs and the audio: playlists, initialization sections and four segments each, and the
    // master.
    assert!(reads.len() >= 25, "{reads:#?}");

    // Each viewer got his own passes.
    let rungs = |bodies: &[(String, Vec<u8>)], rung: &str| {
        bodies
            .iter()
            .filter(|(path, _)| path.contains(rung))
            .count()
    };
    let mut originals: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for (height, bodies) in &seen {
        for (path, body) in bodies {
            let known = originals.entry(path).or_insert(body);
            assert!(*known == body.as_slice(), "{path} differs");
        }
        let expected = match height {
            None => (true, true, true),
            Some(720) => (true, true, false),
            Some(480) => (true, false, false),
            _ => (false, false, false),
        };
        let found = (
            rungs(bodies, "/480p/") > 0,
            rungs(bodies, "/720p/") > 0,
            rungs(bodies, "/1080p/") > 0,
        );
        assert_eq!(found, expected, "{height:?}");
    }
}

#[test]
fn a_range_comes_from_the_cached_object_or_reads_only_its_bytes() {
    let edge = published();
    let Walk { objects, .. } = walk(&edge);
    let url = objects
        .iter()
        .find(|url| url.contains("/480p/seg00001"))
        .expect("a segment");
    let key = url
        .split('?')
        .next()
        .expect("a path")
        .trim_start_matches('/');
    reads(&edge);

    let ranged = |range: &str| edge.send("GET", url, &[("range", range)], &[]);
    let missed = ranged("bytes=100-199");
    assert_eq!((missed.status, missed.body.len()), (206, 100));
    assert_eq!(timing(&missed), Some("miss"));
    assert_eq!(reads(&edge).get(key), Some(&(0, 1)));

    let whole = edge.get(url);
    assert_eq!(timing(&whole), Some("miss"));
    assert_eq!(reads(&edge).get(key), Some(&(1, 0)));
    assert_eq!(missed.body, whole.body[100..200]);

    let length = whole.body.len();
    for (range, first, end) in [
        ("bytes=0-", 0, length),
        ("bytes=100-199", 100, 200),
        ("bytes=-7", length - 7, length),
        ("bytes=5-999999999", 5, length),
    ] {
        let part = ranged(range);
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(timing(&part), Some("hit"), "{range}");
        assert_eq!(part.body, whole.body[first..end], "{range}");
        let expected = format!("bytes {first}-{}/{length}", end - 1);
        assert_eq!(part.header("content-range"), Some(expected.as_str()));
    }
    assert_eq!(
        ranged(&format!("bytes={length}-")).verdict(),
        "416 range_not_satisfiable"
    );
    let head = edge.send("HEAD", url, &[], &[]);
    assert_eq!(timing(&head), Some("hit"));
    for name in [
        "etag",
        "last-modified",
        "content-length",
        "content-type",
        "accept-ranges",
    ] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let again = edge.get(url);
    assert_eq!(timing(&again), Some("hit"));
    assert_eq!(again.body, whole.body);
    assert!(reads(&edge).is_empty());

    // A cached object opens only with a credential, and has no public name.
    let path = url.split('?').next().expect("a path");
    let shelf = format!("/_lectern/cache/bucket{path}");
    for (url, expected) in [
        (path.to_owned(), "401 missing_token"),
        (format!("{path}?p=AAAA"), "403 forbidden"),
        (shelf.clone(), "404 not_found"),
        (
            format!("{shelf}?token={}", edge.token(LECTURE, Purpose::Play)),
            "404 not_found",
        ),
    ] {
        assert_eq!(edge.get(&url).verdict(), expected, "{url}");
    }
}

#[test]
fn a_revised_lecture_is_seen_within_two_seconds() {
    let edge = published();
    let token = edge.token(MASTER, Purpose::Play);
    let url = format!("{MASTER}?token={token}");
    // It is cached, since two seconds at most.
    while timing(&edge.get(&url)) != Some("hit") {}
    // Written without the edge, as from another data centre: this one would purge its entry.
    let revised = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/2/480p/playlist.m3u8\n";
    let put = edge.send(
        "PUT",
        &format!("/__faults/put{MASTER}"),
        &[],
        revised.as_bytes(),
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    // The answer may take as long as it likes: what counts is when it was asked for.
    let began = Instant::now();
    loop {
        let asked = began.elapsed();
        let found = edge.get(&url);
        assert_eq!(found.verdict(), "200");
        if found.text().contains("v/2/") {
            break;
        }
        assert!(asked < Duration::from_millis(2500), "{asked:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_removal_through_one_hostname_purges_the_cache_of_all() {
    const PATH: &str = "/c/v/1/media.mp4";
    const HOSTNAMES: [&str; 2] = ["a.example", "b.example"];
    let edge = Edge::with_variables(&[("HOSTNAMES", &HOSTNAMES.join(","))]);
    let upload = edge.token("/c/", Purpose::Upload);
    let url = format!("{PATH}?token={}", edge.token(PATH, Purpose::Play));
    let at = |hostname| edge.send("GET", &url, &[("host", hostname)], &[]);
    let put = edge.send("PUT", &format!("{PATH}?token={upload}"), &[], b"media");
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    for hostname in HOSTNAMES {
        let began = Instant::now();
        while timing(&at(hostname)) != Some("hit") {
            assert!(began.elapsed() < PATIENCE, "{hostname}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let target = format!("{PATH}?token={upload}");
    let removed = edge.send("DELETE", &target, &[("host", HOSTNAMES[0])], &[]);
    assert_eq!(removed.verdict(), "204");
    // The edge purges an entry after its answer.
    for hostname in HOSTNAMES {
        let began = Instant::now();
        while at(hostname).verdict() != "404 not_found" {
            assert!(began.elapsed() < PATIENCE, "{hostname}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn timing(reply: &super::edge::Reply) -> Option<&str> {
    let timing = reply.header("server-timing")?;
    timing.strip_prefix("cache;desc=")?.split(',').next()
}
