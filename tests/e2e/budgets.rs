//! Memory of an isolate: many large bodies, and viewers who do not read theirs.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};
use testkit::process::PATIENCE;

use lectern::credential::claims::Purpose;

use super::edge::Edge;

const FOLDER: &str = "/courses/large/v/1/";
/// Longer than any hold or right that is not renewed.
const BEYOND_LAPSES: Duration = Duration::from_secs(18);
/// The limit of workerd's growth. It simulates bucket and cache in the same process, with its own
/// copies. Without budgets it was 1,024 MiB, with them 270 to 300.
const MAX_GROWTH_BYTES: u64 = 480 << 20;

/// An edge, and tokens to write and read what lies in [`FOLDER`].
struct LargeObjects {
    edge: Edge,
    upload: String,
    play: String,
}

impl LargeObjects {
    fn start() -> Self {
        let edge = Edge::alone_with_faults();
        Self {
            upload: edge.token(FOLDER, Purpose::Upload),
            play: edge.token(FOLDER, Purpose::Play),
            edge,
        }
    }

    fn put(&self, name: &str, body: &[u8]) {
        let url = format!("{FOLDER}{name}?token={}", self.upload);
        let put = self.edge.send("PUT", &url, &[], body);
        assert!(matches!(put.status, 200 | 201), "{name}");
    }

    fn url(&self, name: &str) -> String {
        format!("{FOLDER}{name}?token={}", self.play)
    }

    /// Reads until `wanted` accepts the answer.
    fn until(&self, name: &str, wanted: impl Fn(&super::edge::Reply) -> bool) {
        let began = Instant::now();
        loop {
            let reply = self.edge.get(&self.url(name));
            if wanted(&reply) {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{name} is still {}\n{}",
                reply.verdict(),
                self.edge.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Requests an object and receives only the head of the answer. The body waits until
    /// [`Large::resume`] or a drop.
    fn stall(&self, name: &str, number: u32) -> Stalled {
        let address = self.edge.origin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        let url = self.url(name);
        write!(
            stream,
            "GET {url} HTTP/1.1\r\nHost: {address}\r\nx-faults: client:stall:{number}\r\n\r\n"
        )
        .expect("sent");
        let mut reader = BufReader::with_capacity(256, stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        Stalled {
            head,
            number,
            reader,
        }
    }
}

/// A viewer who does not read his answer.
struct Stalled {
    head: String,
    number: u32,
    reader: BufReader<TcpStream>,
}

impl Stalled {
    fn is_served(&self) -> bool {
        self.head.starts_with("HTTP/1.1 200")
    }

    fn is_told_to_retry(&self) -> bool {
        let head = self.head.to_ascii_lowercase();
        head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: ")
    }

    /// Receives the remaining chunks, of which the last is empty.
    fn receive(mut self, edge: &Edge) {
        edge.get(&format!("/__faults/resume/{}", self.number));
        let mut last = [0; 5];
        let mut chunk = [0; 1 << 16];
        while last != *b"0\r\n\r\n" {
            let length = self.reader.read(&mut chunk).expect("a body");
            assert!(length > 0, "the body broke off");
            let tail = [&last[..], &chunk[..length]].concat();
            last.copy_from_slice(&tail[tail.len() - 5..]);
        }
    }
}

/// A playlist of about `bytes`, with ordinary segments.
fn playlist(bytes: usize) -> Vec<u8> {
    let mut playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n".to_owned();
    let title = "a lecture that has a title in every line";
    for number in 0.. {
        if playlist.len() + 100 > bytes {
            break;
        }
        let _ = write!(playlist, "#EXTINF:2.000000,{title}\nseg{number:06}.m4s\n");
    }
    playlist += "#EXT-X-ENDLIST\n";
    playlist.into_bytes()
}

#[test]
fn many_large_playlists_at_once_are_served_or_told_to_come_again_in_bounded_memory() {
    const PLAYLISTS: usize = 24;
    let large = LargeObjects::start();
    let stored = playlist(8 << 20);
    for number in 0..PLAYLISTS {
        large.put(&format!("{number}.m3u8"), &stored);
    }
    let before = large.edge.resident_bytes();
    let verdicts: Vec<String> = std::thread::scope(|scope| {
        let viewers: Vec<_> = (0..PLAYLISTS)
            .map(|number| {
                let large = &large;
                scope.spawn(move || {
                    let url = large.url(&format!("{number}.m3u8"));
                    let reply = large.edge.get(&url);
                    match reply.status {
                        200 => assert!(reply.text().ends_with("\n#EXT-X-ENDLIST\n")),
                        _ => assert!(reply.header("retry-after").is_some()),
                    }
                    reply.verdict()
                })
            })
            .collect();
        viewers
            .into_iter()
            .map(|viewer| viewer.join().expect("a viewer"))
            .collect()
    });
    let grown = large.edge.most_resident_bytes() - before;
    let served = verdicts.iter().filter(|verdict| *verdict == "200").count();
    eprintln!("{served} of {PLAYLISTS} served, {grown} bytes more");
    let expected = ["200", "503 busy"];
    assert!(
        verdicts
            .iter()
            .all(|verdict| expected.contains(&verdict.as_str())),
        "{verdicts:?}"
    );
    assert!(served > 0);
    assert!(grown < MAX_GROWTH_BYTES, "{grown} bytes more");
    for number in 0..PLAYLISTS {
        large.until(&format!("{number}.m3u8"), |reply| reply.status == 200);
    }
}

#[test]
fn large_playlists_that_are_not_received_are_held_within_a_bound_that_does_not_lapse() {
    let large = LargeObjects::start();
    large.put("large.m3u8", &playlist(8 << 20));
    large.put("small.m3u8", &playlist(100 << 10));
    let stall = |numbers: Range<u32>| -> Vec<Stalled> {
        std::thread::scope(|scope| {
            let large = &large;
            let all: Vec<_> = numbers
                .map(|number| scope.spawn(move || large.stall("large.m3u8", number)))
                .collect();
            all.into_iter()
                .map(|one| one.join().expect("an answer"))
                .collect()
        })
    };
    let first = stall(0..12);
    let served = first.iter().filter(|one| one.is_served()).count();
    let refused = first.iter().filter(|one| one.is_told_to_retry()).count();
    // 8 MiB, and 12 MiB of their results, three times: a fourth would exceed 72 MiB.
    assert_eq!((served, refused), (3, 9));
    // Small answers are served meanwhile.
    let small = || large.edge.get(&large.url("small.m3u8")).verdict();
    assert_eq!(small(), "200");
    std::thread::sleep(BEYOND_LAPSES);
    let second = stall(12..15);
    assert!(second.iter().all(Stalled::is_told_to_retry));
    assert_eq!(small(), "200");

    // One viewer receives everything, which makes room for one. The others leave, which makes room
    // for three.
    let mut held = first.into_iter().filter(Stalled::is_served);
    held.next().expect("a viewer").receive(&large.edge);
    large.until("large.m3u8", |reply| reply.status == 200);
    let third = stall(15..16);
    assert!(third.iter().all(Stalled::is_served));
    assert!(stall(16..17).iter().all(Stalled::is_told_to_retry));
    drop((held, third));
    large.until("large.m3u8", |reply| reply.status == 200);
    let fourth = stall(17..20);
    assert!(fourth.iter().all(Stalled::is_served));
}

#[test]
fn slow_readers_do_not_exceed_the_limit_of_cache_fills() {
    let large = LargeObjects::start();
    let segment: Vec<u8> = (0..16_usize << 20).map(|at| (at % 251) as u8).collect();
    for number in 0..5 {
        large.put(&format!("seg{number}.m4s"), &segment);
    }
    let timing = |name: &str| {
        let reply = large.edge.get(&large.url(name));
        assert!(reply.body == segment, "{} bytes", reply.body.len());
        let timing = reply.header("server-timing").unwrap_or_default().to_owned();
        timing.contains("cache;desc=hit")
    };
    // 48 MiB stream into the cache and to viewers who do not read them.
    let slow: Vec<_> = (0..3)
        .map(|at| large.stall(&format!("seg{at}.m4s"), at))
        .collect();
    assert!(slow.iter().all(Stalled::is_served));
    for _ in 0..2 {
        assert!(!timing("seg3.m4s"), "the bound is lifted");
    }
    std::thread::sleep(BEYOND_LAPSES);
    for _ in 0..2 {
        assert!(!timing("seg3.m4s"), "the bound is lifted by time");
        assert!(!timing("seg4.m4s"), "the bound is lifted by time");
    }
    // The cache has the bytes that the slow viewers have not read.
    assert!(timing("seg0.m4s"));
    drop(slow);
    large.until("seg3.m4s", |reply| {
        reply
            .header("server-timing")
            .is_some_and(|timing| timing.contains("cache;desc=hit"))
    });
}

#[test]
fn a_list_of_parts_that_no_upload_has_is_the_clients_fault() {
    let large = LargeObjects::start();
    let path = format!("{FOLDER}a.mp4?token={}", large.upload);
    for number in [0, 10_001, 65_536] {
        let body = format!(r#"{{"parts":[{{"partNumber":{number},"etag":"e"}}]}}"#);
        let url = format!("{path}&uploadId=u");
        let reply = large.edge.send("POST", &url, &[], body.as_bytes());
        assert_eq!(reply.verdict(), "400 bad_request", "{number}");
    }
}
