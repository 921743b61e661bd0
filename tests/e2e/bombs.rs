//! Bombs: objects or requests of an uploader that exhaust time or memory of the isolate. The edge
//! answers each, serves other viewers meanwhile, and stays within its memory.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lectern::credential::claims::Purpose;
use serde_json::json;

use super::edge::Edge;

const HLS: &str = "application/vnd.apple.mpegurl";
const MIB: usize = 1 << 20;
/// The length of the largest playlist that is rewritten.
const LARGEST: usize = 8 * MIB;
/// The limit of the runtime's resident memory, beyond its initial value. The platform ends an
/// isolate at 128 MB. The simulated bucket and cache are in the same process.
const MAX_MORE: u64 = 128 << 20;
/// The same for twelve of the largest playlists at once, which the simulated bucket holds too.
/// Without budgets it was 340 MiB.
const MAX_MORE_AT_ONCE: u64 = 256 << 20;
/// The factor by which a bomb may be slower than an honest playlist of the largest size.
const MAX_TIMES: u32 = 4;
/// How often something that takes too long is measured before it is believed: what else the machine does only adds.
const ATTEMPTS: usize = 5;

/// The least time that something takes, measured until it is within the bound.
fn least_within(bound: Duration, first: Duration, again: impl Fn() -> Duration) -> Duration {
    let mut least = first;
    for _ in 1..ATTEMPTS {
        if least <= bound {
            break;
        }
        least = least.min(again());
    }
    least
}

/// A stored playlist or list, and the claims of the link that opens it.
struct Bomb {
    name: &'static str,
    /// The opened file, and the bomb that it lists, if it is not the bomb itself.
    files: Vec<(&'static str, Vec<u8>)>,
    claims: serde_json::Value,
}

impl Bomb {
    /// A Media Playlist.
    fn media(name: &'static str, text: Vec<u8>) -> Self {
        Self {
            name,
            files: vec![("p.m3u8", text)],
            claims: json!({}),
        }
    }

    /// A Multivariant Playlist for a restricted link.
    fn multivariant(name: &'static str, text: Vec<u8>, claims: serde_json::Value) -> Self {
        Self {
            name,
            files: vec![("p.m3u8", text)],
            claims,
        }
    }

    /// A Media Playlist that a restricted link's Multivariant Playlist lists.
    fn restricted_media(name: &'static str, text: Vec<u8>, claims: serde_json::Value) -> Self {
        let listing = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nbomb.m3u8\n";
        Self {
            name,
            files: vec![("p.m3u8", listing.into()), ("bomb.m3u8", text)],
            claims,
        }
    }

    /// A list of assets that a Media Playlist names.
    fn assets(name: &'static str, text: Vec<u8>) -> Self {
        let listing = media(
            "#EXT-X-DATERANGE:ID=\"i\",CLASS=\"com.apple.hls.interstitial\",\
             START-DATE=\"2026-01-01T00:00:00Z\",X-ASSET-LIST=\"bomb.json\"\n",
        );
        Self {
            name,
            files: vec![("p.m3u8", listing), ("bomb.json", text)],
            claims: json!({}),
        }
    }
}

/// A Media Playlist with lines before its only segment.
fn media(lines: &str) -> Vec<u8> {
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}#EXTINF:4,\ns.m4s\n#EXT-X-ENDLIST\n").into()
}

/// Numbered lines.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Objects of 999 members each, of `bytes` in all. Their names are long and differ at the end.
fn objects(bytes: usize) -> String {
    let length = (bytes / 99 / 999).saturating_sub(10).max(3);
    let object = |_| {
        let members: Vec<String> = (0..999)
            .map(|number| format!("\"{number:0>length$}\":0"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let objects: Vec<String> = (0..99).map(object).collect();
    let mut list = objects.join(",");
    if list.len() > bytes {
        let end = list[..bytes].rfind("},").map_or(0, |end| end + 1);
        list.truncate(end);
    }
    list
}

fn bombs() -> Vec<Bomb> {
    let preview = || json!({ "preview": [0, 60] });
    let low = || json!({ "max_height": 480 });
    let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\ns.m3u8\n";
    let many_attributes = |separator: &str| {
        let list: Vec<String> = (0..6_000)
            .map(|number| format!("A{number}={separator}"))
            .collect();
        let line = format!("#EXT-X-MAP:{},URI=\"i.mp4\"\n", list.join(","));
        media(&line.repeat(7 * MIB / line.len()))
    };
    vec![
        Bomb::media(
            "a long value, many times in a line",
            media(&format!(
                "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{}\"\n#EXTINF:4,\n{}\n",
                "x".repeat(60_000),
                "{$a}".repeat(6_000)
            )),
        ),
        Bomb::media(
            "a long value, in many lines",
            media(&format!(
                "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{}\"\n{}",
                "x".repeat(900),
                lines(140_000, |_| "#EXTINF:4,\n{$a}\n".to_owned())
            )),
        ),
        Bomb::media(
            "values of values",
            media(&format!(
                "#EXT-X-DEFINE:NAME=\"a0\",VALUE=\"xxxxxxxxxx\"\n{}#EXTINF:4,\n{{$a9}}\n",
                lines(9, |number| format!(
                    "#EXT-X-DEFINE:NAME=\"a{}\",VALUE=\"{}\"\n",
                    number + 1,
                    format!("{{$a{number}}}").repeat(10)
                ))
            )),
        ),
        Bomb::media(
            "864 kB of definitions, each used",
            media(&format!(
                "{}{}",
                lines(14_000, |number| format!("#EXT-X-DEFINE:NAME=\"n{number}\",VALUE=\"v\"\n")),
                lines(14_000, |number| format!("#EXTINF:4,\n{{$n{number}}}.ts\n"))
            )),
        ),
        Bomb::media(
            "variables that never end",
            media(&lines(100, |_| format!("#EXTINF:4,\n{}\n", "{$".repeat(30_000)))),
        ),
        Bomb::media("attributes without end", many_attributes("1")),
        Bomb::media("quoted attributes without end", many_attributes("\"\"")),
        Bomb::media(
            "dot segments without end",
            media(&lines(100, |_| format!("#EXTINF:4,\n{}s.ts\n", "a/../".repeat(13_000)))),
        ),
        Bomb::media(
            "commas and equals signs",
            media(&lines(100, |_| format!("#EXT-X-KEY:{}\n", ",=".repeat(32_000)))),
        ),
        Bomb::media("empty lines", media(&"\n".repeat(LARGEST - 100))),
        Bomb::media("one line", vec![b'x'; LARGEST]),
        Bomb::media(
            "one letter a segment",
            media(&lines(149_000, |_| "#EXTINF:4,\na\n".to_owned())),
        ),
        Bomb::restricted_media(
            "8,000 key formats with a preview",
            media(&format!(
                "{}{}",
                lines(8_000, |number| format!(
                    "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"k{number}\",URI=\"k\"\n"
                )),
                lines(2_000, |number| format!("#EXTINF:4,\ns{number}.m4s\n"))
            )),
            preview(),
        ),
        Bomb::restricted_media(
            "key formats that change with each segment",
            media(&lines(8_000, |number| format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"k{number}\",URI=\"k\"\n#EXTINF:0.001,\ns{number}.m4s\n"
            ))),
            json!({ "preview": [7, 8] }),
        ),
        Bomb::restricted_media("empty lines with a preview", media(&"\n".repeat(LARGEST - 100)), preview()),
        Bomb::restricted_media(
            "tags of one segment with a preview",
            media(&"#EXT-X-DISCONTINUITY\n".repeat(LARGEST / 22)),
            preview(),
        ),
        Bomb::multivariant(
            "empty lines with a height",
            format!("#EXTM3U\n{}{variant}", "\n".repeat(LARGEST - 100)).into(),
            low(),
        ),
        Bomb::multivariant(
            "4,000 renditions and 4,000 Variant Streams with a height",
            format!(
                "#EXTM3U\n{}{}",
                lines(4_000, |number| format!(
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g{number}\",NAME=\"n\",LANGUAGE=\"en\",URI=\"a{number}.m3u8\"\n"
                )),
                lines(4_000, |number| format!(
                    "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,AUDIO=\"g{number}\"\nv{number}.m3u8\n"
                ))
            )
            .into(),
            low(),
        ),
        Bomb::multivariant(
            "renditions and Variant Streams of as many groups in another language",
            format!(
                "#EXTM3U\n{}{}{variant}",
                lines(20_000, |number| format!(
                    "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"g{number}\",NAME=\"n\",LANGUAGE=\"de\",URI=\"a{number}.m3u8\"\n"
                )),
                lines(20_000, |number| format!(
                    "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,SUBTITLES=\"g{number}\"\nv{number}.m3u8\n"
                ))
            )
            .into(),
            json!({ "langs": ["en"] }),
        ),
        Bomb::assets(
            "members without end in a list of assets",
            format!("{{\"ASSETS\":[{}]}}", objects(7 * MIB)).into(),
        ),
        Bomb::assets(
            "assets without end",
            format!(
                "{{\"ASSETS\":[{}]}}",
                vec!["{\"URI\":\"a.m3u8\",\"DURATION\":1}"; 200_000].join(",")
            )
            .into(),
        ),
        Bomb::assets("lists in lists", "[".repeat(LARGEST).into()),
        Bomb::assets("objects in objects", "{\"a\":".repeat(MIB).into()),
    ]
}

/// The slowest request of another viewer, who repeatedly asks for a segment.
struct Viewer<'edge> {
    edge: &'edge Edge,
    url: String,
    is_over: AtomicBool,
    slowest_ms: AtomicU64,
    served: AtomicU64,
}

impl Viewer<'_> {
    fn watch(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            let reply = self.edge.send("GET", &self.url, &[], &[]);
            assert_eq!(
                reply.verdict(),
                "200",
                "another viewer\n{}",
                self.edge.log()
            );
            let took = u64::try_from(began.elapsed().as_millis()).expect("a short time");
            self.slowest_ms.fetch_max(took, Ordering::Relaxed);
            self.served.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn no_bomb_takes_the_isolate_from_other_viewers() {
    let edge = Edge::alone();
    let upload = edge.token("/uploads/u1/", Purpose::Upload);
    let put = |path: &str, kind: &str, bytes: &[u8]| {
        let reply = edge.send(
            "PUT",
            &format!("{path}?token={upload}"),
            &[("content-type", kind)],
            bytes,
        );
        assert!(
            matches!(reply.status, 200 | 201),
            "{path}: {}",
            reply.verdict()
        );
    };
    let other = edge.token("/uploads/u2/", Purpose::Upload);
    let stored = edge.send(
        "PUT",
        &format!("/uploads/u2/v/1/s.m4s?token={other}"),
        &[],
        &[7; 9_000],
    );
    assert!(matches!(stored.status, 200 | 201));
    let opened = |number: usize, claims: &serde_json::Value| {
        let mut claims = claims.clone();
        claims["path"] = "/uploads/u1/".into();
        format!(
            "/uploads/u1/{number}/p.m3u8?token={}",
            edge.token_of(claims)
        )
    };
    let answers = |name: &str, url: &str| {
        let began = Instant::now();
        let reply = edge.send("GET", url, &[], &[]);
        // The edge still works: an answer, or a refusal in words.
        let is_answer = matches!(reply.status, 200 | 400 | 403 | 413 | 422 | 503)
            || reply.verdict() == "500 playlist_too_large";
        assert!(
            is_answer && !reply.broke_off,
            "{name}: {}\n{}",
            reply.verdict(),
            edge.log()
        );
        (began.elapsed(), reply)
    };

    let line = "#EXTINF:4.000000,title of a segment, as long as titles are\nseg00000.m4s\n";
    let honest = media(&line.repeat((LARGEST - 100) / line.len()));
    put("/uploads/u1/honest/p.m3u8", HLS, &honest);
    let honest_url = format!(
        "/uploads/u1/honest/p.m3u8?token={}",
        edge.token("/uploads/u1/", Purpose::Play)
    );
    let (bombs, mut table) = (bombs(), Vec::new());
    for (number, bomb) in bombs.iter().enumerate() {
        for (name, bytes) in &bomb.files {
            assert!(
                bytes.len() <= LARGEST,
                "{}: {} bytes",
                bomb.name,
                bytes.len()
            );
            put(&format!("/uploads/u1/{number}/{name}"), HLS, bytes);
        }
    }
    let longest = (0..3)
        .map(|_| answers("an honest playlist", &honest_url).0)
        .max()
        .expect("a time");
    table.push(format!(
        "{:>8.0} ms  an honest playlist of 8 MiB",
        longest.as_secs_f64() * 1000.0
    ));

    let (before, _) = edge.resident();
    let viewer = Viewer {
        edge: &edge,
        url: format!(
            "/uploads/u2/v/1/s.m4s?token={}",
            edge.token("/uploads/u2/", Purpose::Play)
        ),
        is_over: AtomicBool::new(false),
        slowest_ms: AtomicU64::new(0),
        served: AtomicU64::new(0),
    };
    let mut failed = Vec::new();
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| viewer.watch());
        let explode = || {
            for (number, bomb) in bombs.iter().enumerate() {
                viewer.slowest_ms.store(0, Ordering::Relaxed);
                edge.forget_peak();
                let (start, _) = edge.resident();
                let url = opened(number, &bomb.claims);
                let (_, reply) = answers(bomb.name, &url);
                // A listed file may be the bomb, and may be refused.
                let listed = String::from_utf8_lossy(&reply.body).into_owned();
                let uri = listed
                    .split(['\n', '"'])
                    .find(|uri| uri.starts_with("bomb."));
                let url = uri.map_or(url, |uri| format!("/uploads/u1/{number}/{uri}"));
                let (first, reply) = answers(bomb.name, &url);
                let again = || answers(bomb.name, &url).0;
                let took = least_within(longest * MAX_TIMES, first, again);
                let verdict = reply.verdict();
                // The viewer's request that waited for the bomb ends before the next one.
                let served = viewer.served.load(Ordering::Relaxed);
                while viewer.served.load(Ordering::Relaxed) < served + 2 && !watching.is_finished()
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let slowest = viewer.slowest_ms.load(Ordering::Relaxed);
                let more = edge.resident().1.saturating_sub(start);
                table.push(format!(
                    "{:>8.0} ms  {:<66} {verdict}; another viewer at most {slowest} ms; {} MiB more",
                    took.as_secs_f64() * 1000.0,
                    bomb.name,
                    more >> 20
                ));
                if took > longest * MAX_TIMES {
                    failed.push(format!("{} took {took:?}", bomb.name));
                }
                if more > MAX_MORE {
                    failed.push(format!(
                        "{}: {} MiB more are resident",
                        bomb.name,
                        more >> 20
                    ));
                }
            }
        };
        // The viewer must stop in any case, because the scope waits for him.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(explode));
        viewer.is_over.store(true, Ordering::Relaxed);
        watching.join().expect("another viewer");
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    let _ = writeln!(std::io::stderr(), "{}", table.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let more = edge.resident().0.saturating_sub(before);
    assert!(more <= MAX_MORE, "{} MiB more stay resident", more >> 20);
    assert!(viewer.served.load(Ordering::Relaxed) > 10);
}

#[test]
fn twelve_of_the_largest_playlists_at_once_are_answered_within_the_isolates_memory() {
    let edge = Edge::alone();
    let upload = edge.token("/uploads/u1/", Purpose::Upload);
    let line = "#EXTINF:4.000000,title of a segment, as long as titles are\nseg00000.m4s\n";
    let honest = media(&line.repeat((LARGEST - 100) / line.len()));
    for number in 0..12 {
        let url = format!("/uploads/u1/{number}/p.m3u8?token={upload}");
        let put = edge.send("PUT", &url, &[], &honest);
        assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    }
    let token = edge.token("/uploads/u1/", Purpose::Play);
    // One was opened before: the isolate keeps its memory.
    let first = edge.get(&format!("/uploads/u1/0/p.m3u8?token={token}"));
    assert_eq!(first.verdict(), "200");
    let (before, _) = edge.resident();
    edge.forget_peak();
    std::thread::scope(|scope| {
        let viewers: Vec<_> = (0..12)
            .map(|number| {
                let url = format!("/uploads/u1/{number}/p.m3u8?token={token}");
                let edge = &edge;
                scope.spawn(move || {
                    loop {
                        let reply = edge.send("GET", &url, &[], &[]);
                        assert!(!reply.broke_off);
                        if reply.status == 200 {
                            return;
                        }
                        // The answer says when to retry.
                        assert_eq!(reply.status, 503, "{}", reply.verdict());
                        let seconds = reply.header("retry-after").expect("when to try again");
                        std::thread::sleep(Duration::from_secs(seconds.parse().expect("seconds")));
                    }
                })
            })
            .collect();
        for viewer in viewers {
            viewer.join().expect("a viewer");
        }
    });
    let more = edge.resident().1.saturating_sub(before);
    let _ = writeln!(
        std::io::stderr(),
        "{} MiB more are resident at the peak of twelve playlists of 8 MiB",
        more >> 20
    );
    assert!(more <= MAX_MORE_AT_ONCE, "{} MiB more", more >> 20);
}

#[test]
fn an_upload_link_alone_takes_no_time_by_what_it_sends() {
    let edge = Edge::alone();
    let bearer = format!("Bearer {}", edge.token("/uploads/u1/", Purpose::Upload));
    let auth = [("authorization", bearer.as_str())];
    let path = "/uploads/u1/original.mov";
    let created = edge.send("POST", &format!("{path}?uploads"), &auth, &[]);
    assert_eq!(created.status, 201);
    let id = created.json()["uploadId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (before, _) = edge.resident();
    let post = |body: &str| {
        assert!(body.len() <= MIB, "{}", body.len());
        let began = Instant::now();
        let reply = edge.send(
            "POST",
            &format!("{path}?uploadId={id}"),
            &auth,
            body.as_bytes(),
        );
        (began.elapsed(), reply.verdict())
    };
    // As many values and bytes, without names to compare.
    let plain = format!("{{\"parts\":[{}0]}}", "1000000000,".repeat(MIB / 11 - 10));
    let usual = (0..3).map(|_| post(&plain).0).max().expect("a time");
    for (name, body) in [
        ("members", format!("{{\"a\":[{}]}}", objects(MIB - 32))),
        (
            "members of a part",
            format!("{{\"parts\":[{}]}}", objects(MIB - 32)),
        ),
        ("lists in lists", "[".repeat(MIB)),
        ("objects in objects", "{\"parts\":".repeat(MIB / 10)),
        (
            "parts",
            format!(
                "{{\"parts\":[{}]}}",
                vec!["{\"partNumber\":1,\"etag\":\"x\"}"; MIB / 32].join(",")
            ),
        ),
    ] {
        let (first, verdict) = post(&body);
        let took = least_within(usual * MAX_TIMES, first, || post(&body).0);
        let _ = writeln!(
            std::io::stderr(),
            "{:>8.0} ms  {name}: {verdict} (numbers {:.0} ms)",
            took.as_secs_f64() * 1000.0,
            usual.as_secs_f64() * 1000.0
        );
        assert!(
            matches!(&verdict[..3], "400" | "413" | "422"),
            "{name}: {verdict}"
        );
        assert!(
            took <= usual * MAX_TIMES,
            "{name}: {took:?}, numbers {usual:?}"
        );
    }
    let more = edge.resident().1.saturating_sub(before);
    assert!(more <= MAX_MORE, "{} MiB more", more >> 20);
}
