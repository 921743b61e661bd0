//! The data centre's cache: who is served from it, and that nobody is served what he may not see.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lectern::link::Use;
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

/// How often each object was read from the bucket since the last time this was asked: as a whole, and by ranges.
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
    let seen: Vec<(Option<u32>, Bodies)> = std::thread::scope(|scope| {
        let viewers: Vec<_> = (0..50)
            .map(|number| {
                let edge = &edge;
                scope.spawn(move || {
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
                        .flat_map(|playlist| Playlist::open(edge, playlist).listed())
                        .collect();
                    let bodies = objects.iter().map(|url| {
                        let reply = edge.get(url);
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

    // Everything was read once; what may change, once in two seconds.
    let reads = reads(&edge);
    let mutable = 1 + took.as_secs() / 2;
    for (key, (whole, ranges)) in &reads {
        let allowed = if key.ends_with("master.m3u8") {
            mutable
        } else {
            1
        };
        assert!(
            *whole <= allowed,
            "{key} was read {whole} times in {took:?}"
        );
        assert_eq!(*ranges, 0, "{key}");
    }
    // Three rungs and the sound: playlists, initialization sections and four segments each, and the master.
    assert!(reads.len() >= 25, "{reads:#?}");

    // And everybody got his own.
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
fn a_range_of_what_is_cached_is_cut_from_the_whole_and_one_of_what_is_not_reads_just_that() {
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

    // What is cached is for nobody who could not get it from the bucket, and under no name of its own.
    let path = url.split('?').next().expect("a path");
    let shelf = format!("/_lectern/cache/bucket{path}");
    for (url, expected) in [
        (path.to_owned(), "401 missing_token"),
        (format!("{path}?p=AAAA"), "403 forbidden"),
        (shelf.clone(), "404 not_found"),
        (
            format!("{shelf}?token={}", edge.token(LECTURE, Use::Play)),
            "404 not_found",
        ),
    ] {
        assert_eq!(edge.get(&url).verdict(), expected, "{url}");
    }
}

#[test]
fn a_revised_lecture_is_seen_within_two_seconds() {
    let edge = published();
    let token = edge.token(MASTER, Use::Play);
    let url = format!("{MASTER}?token={token}");
    let first = edge.get(&url);
    assert_eq!(first.verdict(), "200");
    // Past the edge, as another data centre's cache sees it: this one would forget its entry.
    let revised = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/2/480p/playlist.m3u8\n";
    let put = edge.send(
        "PUT",
        &format!("/__faults/put{MASTER}"),
        &[],
        revised.as_bytes(),
    );
    assert_eq!(put.status, 200);
    let began = Instant::now();
    loop {
        let found = edge.get(&url);
        let took = began.elapsed();
        if found.text().contains("v/2/") {
            break;
        }
        assert!(took < Duration::from_millis(2500), "{took:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn timing(reply: &super::edge::Reply) -> Option<&str> {
    let timing = reply.header("server-timing")?;
    timing.strip_prefix("cache;desc=")?.split(',').next()
}

#[test]
fn a_request_is_a_line_in_the_log_and_no_line_opens_anything() {
    let edge = Edge::talkative();
    edge.publish(media::package(), LECTURE);
    let Walk { playlists, objects } = walk(&edge);
    let token = edge.token_of(json!({"path": LECTURE, "sub": "ada@school.example"}));
    let asked = [
        format!("{MASTER}?token={token}"),
        format!("{MASTER}?token={token}&as=directory"),
        playlists[0].clone(),
        objects[0].clone(),
        format!("{MASTER}?p=AAAA"),
        "/%zz?secret".to_owned(),
    ];
    let mut urls: Vec<String> = asked.to_vec();
    for url in &asked {
        let reply = edge.send("GET", url, &[], &[]);
        if let Some(location) = reply.header("location") {
            assert_eq!(edge.get(location).verdict(), "200", "{location}");
            urls.push(location.to_owned());
        }
    }
    edge.logged(r#""reason":"the path has a percent sign"#);
    let log = edge.log();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with(r#"{"method""#))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.len() >= playlists.len() + asked.len(), "{log}");
    let of = |key: &str| {
        let mut found = lines.iter().filter(|line| line["key"] == key);
        found
            .next_back()
            .unwrap_or_else(|| panic!("no {key} in {log}"))
    };
    let segment = of(objects[0]
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches('/'));
    assert_eq!(segment["status"], 200);
    assert_eq!(segment["cache"], "miss");
    assert!(segment["bytes"].as_u64().expect("a number") > 500);
    assert_eq!(of(MASTER.trim_start_matches('/'))["code"], "forbidden");
    // What opens something: links and passes, in queries and in paths; and who watches.
    let ours: String = lines.iter().map(Value::to_string).collect();
    let secrets = urls.iter().flat_map(|url| {
        let credentials = url.split(['?', '&', '/', '=']);
        credentials.filter(|part| part.len() > 24 && !part.contains('.') || part.starts_with("eyJ"))
    });
    let secrets: Vec<&str> = secrets
        .map(|secret| secret.trim_start_matches('~'))
        .collect();
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in secrets
        .into_iter()
        .chain(["ada@school", "secret", "127.0.0.1"])
    {
        assert!(!ours.contains(secret), "{secret} in {ours}");
    }
}

#[test]
fn text_goes_out_gzipped_to_who_takes_it_and_media_never_does() {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let upload = edge.token(LECTURE, Use::Upload);
    let captions =
        "WEBVTT\n\n".to_owned() + &"00:00.000 --> 00:01.000\nGood morning.\n\n".repeat(99);
    let path = format!("{LECTURE}v/1/subs/en.vtt");
    let put = edge.send(
        "PUT",
        &format!("{path}?token={upload}"),
        &[],
        captions.as_bytes(),
    );
    assert_eq!(put.verdict(), "200");
    let Walk { playlists, objects } = walk(&edge);
    let segment = objects
        .iter()
        .find(|url| url.contains("/seg"))
        .expect("a segment");
    let token = edge.token(LECTURE, Use::Play);
    let captions = format!("{path}?token={token}");
    let gzip = ("accept-encoding", "br, gzip");
    for (url, is_text) in [(&playlists[0], true), (&captions, true), (segment, false)] {
        let plain = edge.send("GET", url, &[("accept-encoding", "identity")], &[]);
        assert_eq!(plain.header("content-encoding"), None, "{url}");
        let length = plain.body.len().to_string();
        assert_eq!(
            plain.header("content-length"),
            Some(length.as_str()),
            "{url}"
        );
        let encoded = edge.send("GET", url, &[gzip], &[]);
        let head = edge.send("HEAD", url, &[gzip], &[]);
        for name in [
            "etag",
            "content-encoding",
            "content-type",
            "vary",
            "last-modified",
        ] {
            assert_eq!(head.header(name), encoded.header(name), "{name} of {url}");
        }
        if !is_text {
            assert_eq!(encoded.header("content-encoding"), None, "{url}");
            assert_eq!(encoded.body, plain.body);
            continue;
        }
        assert_eq!(encoded.header("content-encoding"), Some("gzip"), "{url}");
        assert_eq!(encoded.header("vary"), Some("Accept-Encoding"), "{url}");
        assert!(encoded.body.len() < plain.body.len(), "{url}");
        assert_eq!(media::gunzip(&encoded.body), plain.body, "{url}");
        // Another representation with a validator of its own, which holds.
        let etag = encoded.header("etag").expect("a tag");
        assert_ne!(Some(etag), plain.header("etag"), "{url}");
        let again = edge.send("GET", url, &[gzip, ("if-none-match", etag)], &[]);
        assert_eq!(again.status, 304, "{url}");
    }
    // A range is of the bytes as they are stored.
    let part = edge.send("GET", &captions, &[gzip, ("range", "bytes=0-5")], &[]);
    assert_eq!((part.status, part.text()), (206, "WEBVTT"));
    assert_eq!(part.header("content-encoding"), None);
}
