//! Linear work: for eight times the input, every parser of strangers' text takes about eight times
//! the work, from 16 KiB to 8 MiB.
//!
//! Work is measured in three ways. Allocated bytes and peak bytes are the same in every run. CPU
//! time varies, so it is compared only with the same code on an eighth of the input in the same
//! process. A loop within a loop takes 64 times as long. The limit is 24 times, and a larger growth
//! is measured again before it counts.
//!
//! A case is one line of `assert_linear(name, input, work)`. Its input repeats text for a loop of
//! the parser, and the parser accepts it: a refusal at the first byte would show nothing.

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use rustix::time::{ClockId, clock_gettime};

/// Each is eight times the one before.
const SIZES: [usize; 4] = [16 << 10, 128 << 10, 1 << 20, 8 << 20];
const STEP: f64 = 8.0;
/// The limit of growth per step. Caches, vectors that double and fresh pages cause part of it: on a
/// busy machine, copying 8 MiB takes 18 times as long as copying 1 MiB.
const MAX_GROWTH: f64 = 3.0 * STEP;
/// The limit of growth from the smallest input to the largest, so that small growths do not add up.
const MAX_WHOLE_GROWTH: f64 = 4.0 * STEP * STEP * STEP;
/// The least CPU time of a measurement. The work is repeated up to it, because the clock is coarse.
const LEAST_CPU: Duration = Duration::from_millis(2);
/// The number of measurements before a growth counts.
const ATTEMPTS: usize = 5;
/// Allocations of fixed size are not counted.
const SLACK_BYTES: u64 = 16 << 10;

/// Asserts that `work` on `input(bytes)` is linear in `bytes`. Inputs have about that length.
fn assert_linear<I, T>(name: &str, input: impl Fn(usize) -> I, work: impl Fn(&I) -> T) {
    if let Err(error) = check_linear(input, work) {
        panic!("{name} is not linear: {error}");
    }
}

fn check_linear<I, T>(input: impl Fn(usize) -> I, work: impl Fn(&I) -> T) -> Result<(), String> {
    let mut first: Option<Measured> = None;
    let mut before: Option<(I, Measured)> = None;
    for size in SIZES {
        let input = input(size);
        let mut found = Measured::of(size, &input, &work);
        if let (Some(first), Some((smaller, before))) = (&mut first, &mut before) {
            before.allows(&found, MAX_GROWTH)?;
            first.allows(&found, MAX_WHOLE_GROWTH)?;
            // Noise only adds to a time, so the least of several is the most exact. A loop within a
            // loop remains visible.
            for attempt in 1.. {
                let growth = found.cpu.div_duration_f64(before.cpu);
                let whole = found.cpu.div_duration_f64(first.cpu);
                if growth <= MAX_GROWTH && whole <= MAX_WHOLE_GROWTH {
                    break;
                }
                if attempt == ATTEMPTS {
                    return Err(format!(
                        "{size} bytes take {growth:.1} times the CPU of {} and {whole:.0} times that of {}",
                        before.size, first.size
                    ));
                }
                found.cpu = found.cpu.min(cpu(&input, &work));
                before.cpu = cpu(smaller, &work).max(before.cpu);
            }
        }
        first = first.or(Some(found));
        before = Some((input, found));
    }
    Ok(())
}

/// The work for an input of some size.
#[derive(Debug, Clone, Copy)]
struct Measured {
    size: usize,
    cpu: Duration,
    allocated_bytes: u64,
    peak_bytes: u64,
}

impl Measured {
    fn of<I, T>(size: usize, input: &I, work: &impl Fn(&I) -> T) -> Self {
        let AllocationInfo {
            bytes_total,
            bytes_max,
            ..
        } = measure(|| drop(black_box(work(black_box(input)))));
        Self {
            size,
            cpu: cpu(input, work),
            allocated_bytes: bytes_total,
            peak_bytes: bytes_max,
        }
    }

    /// Compares the allocations for a larger input with these.
    fn allows(&self, larger: &Self, growth: f64) -> Result<(), String> {
        for (what, small, large) in [
            ("allocate", self.allocated_bytes, larger.allocated_bytes),
            ("hold", self.peak_bytes, larger.peak_bytes),
        ] {
            if large as f64 > growth * (small + SLACK_BYTES) as f64 {
                return Err(format!(
                    "{} bytes {what} {small} bytes, and {} bytes {what} {large}",
                    self.size, larger.size
                ));
            }
        }
        Ok(())
    }
}

/// The CPU time of one run.
fn cpu<I, T>(input: &I, work: &impl Fn(&I) -> T) -> Duration {
    let mut times = 0;
    let began = thread_cpu();
    loop {
        drop(black_box(work(black_box(input))));
        times += 1;
        let took = thread_cpu() - began;
        if took >= LEAST_CPU {
            return took / times;
        }
    }
}

/// CPU time of this thread only.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

mod harness {
    use super::*;

    #[test]
    fn a_loop_over_the_input_is_linear_and_so_is_a_sort() {
        let bytes = |bytes: usize| -> Vec<u8> {
            let mixed = |at: usize| (at.wrapping_mul(0x9e37_79b1) >> 13) as u8;
            (0..bytes).map(mixed).collect()
        };
        assert_linear("a sum", bytes, |input| {
            input.iter().map(|byte| u64::from(*byte)).sum::<u64>()
        });
        assert_linear("a sort", bytes, |input| {
            let mut sorted = input.clone();
            sorted.sort_unstable();
            sorted
        });
    }

    #[test]
    fn a_loop_in_a_loop_is_found_by_its_time_or_by_what_it_allocates() {
        let lines = |bytes: usize| vec![7_u32; bytes / 16];
        let pairs = check_linear(lines, |input| {
            let before = |at: usize| input.iter().take(at);
            let is_new = |(at, line): (usize, &u32)| before(at).all(|known| known != &(line + 1));
            input
                .iter()
                .enumerate()
                .filter(|line| is_new(*line))
                .count()
        });
        assert!(pairs.is_err_and(|error| error.contains("CPU")));
        let copies = check_linear(lines, |input| {
            let prefixes = (0..input.len()).step_by(64);
            prefixes
                .map(|end| input.iter().take(end).copied().collect::<Vec<_>>().len())
                .sum::<usize>()
        });
        assert!(copies.is_err_and(|error| error.contains("allocate")));
    }
}

mod json {
    use lectern::json::JsonValue;
    use lectern::operation::write::parse_parts;

    use super::*;

    /// The parser refuses more values than this, and a refusal takes no time.
    const MOST_VALUES: usize = 90_000;
    /// The length of a member or an entry, if as many as possible are to fit.
    const SHORT: usize = 40;

    /// Texts of `bytes` in all, which differ in their last bytes only.
    fn texts(bytes: usize, most: usize) -> impl Iterator<Item = String> {
        let count = (bytes / SHORT).clamp(1, most);
        let width = (bytes / count).saturating_sub(8).max(8);
        (0..count).map(move |number| format!("{number:0>width$}"))
    }

    fn joined(texts: impl Iterator<Item = String>) -> String {
        texts.collect::<Vec<_>>().join(",")
    }

    fn object(names: impl Iterator<Item = String>) -> String {
        format!("{{{}}}", joined(names.map(|name| format!("\"{name}\":0"))))
    }

    fn parses(name: &str, input: impl Fn(usize) -> String) {
        assert_linear(name, input, |json| {
            let value = JsonValue::parse(json.as_bytes());
            assert!(value.is_some(), "{name} is refused");
            value.map(drop)
        });
    }

    #[test]
    fn objects_of_many_members_are_read_in_linear_time() {
        parses("one object", |bytes| object(texts(bytes, MOST_VALUES)));
        parses("objects of 1,000 members", |bytes| {
            let names: Vec<String> = texts(bytes, MOST_VALUES).collect();
            let objects = names
                .chunks(1000)
                .map(|names| object(names.iter().cloned()));
            format!("[{}]", joined(objects))
        });
        parses("names in descending order", |bytes| {
            let mut names: Vec<String> = texts(bytes, MOST_VALUES).collect();
            names.reverse();
            object(names.into_iter())
        });
        parses("names with escapes", |bytes| {
            object(texts(bytes, MOST_VALUES).map(|name| format!(r"\u006e{name}")))
        });
    }

    #[test]
    fn arrays_strings_and_numbers_are_read_in_linear_time() {
        parses("a string", |bytes| format!("\"{}\"", "a".repeat(bytes)));
        parses("escapes", |bytes| {
            format!("\"{}\"", r"\n".repeat(bytes / 2))
        });
        parses("pairs of halves", |bytes| {
            format!("\"{}\"", r"\uD83D\uDE00".repeat(bytes / 12))
        });
        parses("digits", |bytes| "7".repeat(bytes));
        parses("white space", |bytes| {
            format!("{}0{}", " ".repeat(bytes / 2), "\n".repeat(bytes / 2))
        });
        parses("strings", |bytes| {
            format!(
                "[{}]",
                joined(texts(bytes, MOST_VALUES).map(|text| format!("\"{text}\"")))
            )
        });
        parses("nested arrays", |bytes| {
            let deep = |text: String| format!("{}\"{text}\"{}", "[".repeat(14), "]".repeat(14));
            format!("[{}]", joined(texts(bytes, MOST_VALUES / 15).map(deep)))
        });
    }

    #[test]
    fn json_that_is_refused_is_refused_in_linear_time() {
        for (name, input) in [
            ("brackets", "["),
            ("braces", "{"),
            ("members without an end", "{\"a\":"),
            ("quotes", "\""),
            ("backslashes", "\"\\"),
            ("one member again and again", "\"a\":0,"),
        ] {
            let made = |bytes: usize| format!("{{{}", input.repeat(bytes / input.len()));
            assert_linear(name, made, |json| {
                JsonValue::parse(json.as_bytes()).is_some()
            });
        }
        assert_linear(
            "the last member is the first",
            |bytes| {
                let names = texts(bytes, MOST_VALUES).chain(texts(bytes, MOST_VALUES).take(1));
                object(names)
            },
            |json| assert!(JsonValue::parse(json.as_bytes()).is_none()),
        );
    }

    #[test]
    fn lists_of_parts_are_read_in_linear_time() {
        // At most 10,000 parts. Larger lists have longer entity-tags, or unknown members.
        assert_linear(
            "entity-tags",
            |bytes| {
                let parts = (1..).zip(texts(bytes, 10_000));
                let part = |(number, etag)| format!(r#"{{"partNumber":{number},"etag":"{etag}"}}"#);
                format!(r#"{{"parts":[{}]}}"#, joined(parts.map(part)))
            },
            |json| assert!(parse_parts(json.as_bytes()).is_ok()),
        );
        assert_linear(
            "members that nothing asks for",
            |bytes| {
                let more = object(texts(bytes, MOST_VALUES));
                let more = more.trim_start_matches('{');
                format!(r#"{{"parts":[{{"etag":"e","partNumber":1,{more}]}}"#)
            },
            |json| assert!(parse_parts(json.as_bytes()).is_ok()),
        );
        assert_linear(
            "parts that are out of order",
            |bytes| {
                let parts = texts(bytes, MOST_VALUES / 4);
                let part = |etag| format!(r#"{{"partNumber":1,"etag":"{etag}"}}"#);
                format!(r#"{{"parts":[{}]}}"#, joined(parts.map(part)))
            },
            |json| assert!(parse_parts(json.as_bytes()).is_err()),
        );
    }
}

mod asset_lists {
    use lectern::credential::binding::Binding;
    use lectern::credential::keyring::Keyring;
    use lectern::object::key::ObjectKey;
    use lectern::playlist::{Base, Grant, Limits, rewrite_asset_list};

    use super::*;

    /// Bytes of memory for each byte of a list: decoded escapes, and the result.
    const MOST_PER_BYTE: usize = 3;
    /// Memory of the values, whose number is limited.
    const MOST_FOR_VALUES: usize = 16 << 20;

    #[test]
    fn asset_lists_are_rewritten_in_linear_time_and_bounded_memory() {
        let keys = Keyring::from_json(
            r#"[{"kid":"m","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#,
        )
        .expect("a key ring");
        let key = ObjectKey::new("c/v/assets.json").expect("an object key");
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let grant = Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: key.directory(),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits: Limits::None,
        };
        // Each input has the maximum number of entries, and beyond that longer ones.
        for (name, entry, padding) in [
            ("URIs", r#"{"URI":"a.m3u8"}"#, "nothing"),
            ("URIs with a query", r#"{"URI":"a.m3u8?PAD"}"#, "PAD"),
            ("URIs of folders", r#"{"URI":"b/../PAD/a.m3u8"}"#, "PAD"),
            (
                "URIs elsewhere",
                r#"{"URI":"https://b.example/PAD"}"#,
                "PAD",
            ),
            ("escapes", r#"{"URI":"a\u002em3u8?PAD"}"#, "PAD"),
            ("other members", r#"{"PAD":0,"URI":"a.m3u8"}"#, "PAD"),
        ] {
            let list = |bytes: usize| {
                let count = (bytes / 40).clamp(1, 30_000);
                let filling = "x/".repeat((bytes / count).saturating_sub(entry.len()) / 2);
                let filling = if name == "other members" {
                    filling
                } else {
                    filling.replace("/", "y")
                };
                let entry = entry.replace(padding, &filling);
                format!(r#"{{"ASSETS":[{}]}}"#, vec![entry; count].join(","))
            };
            assert_linear(name, list, |list| {
                rewrite_asset_list(list.as_bytes(), &base, &grant)
            });
            let list = list(8 << 20);
            let mut length = 0;
            let used =
                measure(|| length = rewrite_asset_list(list.as_bytes(), &base, &grant).len());
            assert!(length >= list.len());
            assert!(
                used.bytes_max as usize <= MOST_PER_BYTE * list.len() + MOST_FOR_VALUES,
                "{name}: {} bytes for {}",
                used.bytes_max,
                list.len()
            );
        }
    }
}

mod playlists {
    use lectern::credential::binding::Binding;
    use lectern::credential::keyring::Keyring;
    use lectern::object::key::ObjectKey;
    use lectern::playlist::{Base, Entitlements, Grant, Limits, rewrite};

    use super::*;

    /// The rewriter refuses more URIs than this.
    const MOST_URIS: usize = 140_000;
    /// Bytes of memory for each byte of a playlist: the result, and the filters' records of each
    /// line. The edge needs half of it, because its addresses have 32 bits.
    const MOST_PER_BYTE: usize = 10;
    const SLACK: usize = 1 << 20;

    fn multivariant(preview: Option<(u32, u32)>) -> Limits {
        Limits::RestrictedLink(Entitlements {
            max_height: Some(480),
            langs: Some(vec!["en".to_owned()]),
            preview,
        })
    }

    /// A playlist of about `bytes`: `head`, and `lines` repeatedly. `N` stands for the number of
    /// the repetition, and `PAD` for text that limits the URIs to [`MOST_URIS`].
    fn playlist(head: &str, lines: &str, bytes: usize) -> String {
        let count = (bytes / (lines.len() + 8)).clamp(1, MOST_URIS / 2);
        let pad = "x".repeat((bytes / count).saturating_sub(lines.len() + 16).max(1));
        let mut text = head.to_owned();
        for number in 0..count {
            let unit = lines.replace("NN", &format!("{number:06}"));
            let unit = unit.replace("PAD", &pad);
            if text.len() + unit.len() > bytes.max(head.len() + unit.len()) {
                break;
            }
            text += &unit;
        }
        text
    }

    fn is_linear(name: &str, head: &str, lines: &str, limits: &Limits) {
        let keys = Keyring::from_json(
            r#"[{"kid":"m","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#,
        )
        .expect("a key ring");
        let key = ObjectKey::new("c/v/playlist.m3u8").expect("an object key");
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let grant = Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: key.directory(),
            depth: 2,
            binding: Binding::default(),
            ticket: None,
            limits: limits.clone(),
        };
        let input = |bytes: usize| playlist(head, lines, bytes);
        let rewritten = |text: &String| {
            let found = rewrite(text.as_bytes(), &base, &grant);
            assert!(found.is_ok(), "{name}: {:?}", found.err());
            found.map(|found| found.bytes.len()).ok()
        };
        assert_linear(name, input, rewritten);
        let largest = input(8 << 20);
        let mut length = None;
        let used = measure(|| length = rewritten(&largest));
        assert!(
            used.bytes_max as usize <= MOST_PER_BYTE * largest.len() + SLACK,
            "{name}: {} bytes for {}, which became {length:?}",
            used.bytes_max,
            largest.len()
        );
    }

    const MASTER: &str = "#EXTM3U\n";
    const VOD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n";

    #[test]
    fn every_tag_with_a_uri_is_signed_in_linear_time() {
        for lines in [
            "#EXTINF:4,PAD\nsegNN.m4s\n",
            "PADNN.m4s\n",
            "b/../c/PAD/NN.m4s?x=1&p=EOLD&y=2#t\n",
            "https://b.example/NN/PAD.m4s\n",
            "#EXT-X-MAP:URI=\"NNPAD.mp4\",BYTERANGE=\"1@0\"\n",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k/PADNN\",KEYFORMAT=\"NN\"\n",
            "#EXT-X-PART:DURATION=1,URI=\"NN.m4s\",X-PAD=PAD\n",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"NN\",NAME=\"PAD\",URI=\"NN.m3u8\"\n",
            "#EXT-X-DATERANGE:ID=\"NN\",X-ASSET-URI=\"NN.m3u8\",X-ASSET-LIST=\"NN.json\",X-A=\"PAD\"\n",
        ] {
            is_linear(lines, MASTER, lines, &Limits::None);
        }
    }

    #[test]
    fn variables_are_written_out_in_linear_time() {
        for lines in [
            "#EXT-X-DEFINE:NAME=\"PADNN\",VALUE=\"\"\n",
            "#EXT-X-DEFINE:NAME=\"vNN\",VALUE=\"PAD\"\n",
            "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"PAD\"\n",
            "#EXT-X-DEFINE:IMPORT=\"vNN\"\n# PAD\n",
            "#EXT-X-DEFINE:NAME=\"vNN\",VALUE=\"a\"\n# PAD\n{$vNN}.ts\n",
            "{$a}/{$a}{$a}.ts\n# PAD\n",
            "{$unknown}/{$a}.ts\n# PAD\n",
            "{$b}/{$a}.ts\n# PAD\n",
        ] {
            let head = format!(
                "{MASTER}#EXT-X-DEFINE:NAME=\"a\",VALUE=\"x\"\n#EXT-X-DEFINE:NAME=\"b\",VALUE=\"{}\"\n",
                "y".repeat(60)
            );
            is_linear(lines, &head, lines, &Limits::None);
        }
    }

    #[test]
    fn lines_that_are_left_alone_take_linear_time() {
        let many = |text: &str| format!("# PAD{}\n", text.repeat(60_000 / text.len()));
        for lines in [
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"NNPAD\"\n".to_owned(),
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"NNPAD\"\n#\n".to_owned(),
            many("#EXT-X-DEFINE"),
            many("#EXT-X-CONTENT-STEERING"),
            many("#"),
            many("{$"),
            format!("#EXT-X-MAP:{}\n# PAD\n", "A=1,".repeat(15_000)),
            format!("#EXT-X-MAP:{}\n# PAD\n", "=,".repeat(30_000)),
            format!("#EXT-X-MAP:A=\"{}\"\n# PAD\n", "#EXT".repeat(15_000)),
            format!("{}\n# PAD\n", "{$a}".repeat(15_000)),
            format!("{}\n# PAD\n", "../".repeat(20_000)),
            format!("{}\n# PAD\n", "%7B".repeat(20_000)),
        ] {
            let name: String = lines.chars().take(60).collect();
            is_linear(&name, MASTER, &lines, &Limits::None);
        }
    }

    #[test]
    fn a_multivariant_playlist_is_filtered_in_linear_time() {
        let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\n360p.m3u8\n";
        for lines in [
            "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360,AUDIO=\"NN\",SUBTITLES=\"NN\",X=\"PAD\"\nNN.m3u8\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"NN\",LANGUAGE=\"en\",URI=\"a.m3u8\"\n",
            "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280x720,X=\"PAD\"\nNN.m3u8\n",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"NN\",LANGUAGE=\"de\",NAME=\"PAD\",URI=\"PADNN.m3u8\"\n",
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",LANGUAGE=\"en\",NAME=\"PAD\",URI=\"NN.m3u8\"\n",
            "#EXT-X-I-FRAME-STREAM-INF:RESOLUTION=1280x720,URI=\"NN.m3u8\",X=\"PAD\"\n",
            "#EXT-X-SESSION-DATA:DATA-ID=\"NN\",URI=\"PAD.json\",FORMAT=RAW\n",
            "\n\n\n\n# PAD\n\n\n",
        ] {
            let head = format!("{MASTER}{variant}");
            is_linear(lines, &head, lines, &multivariant(None));
            is_linear(lines, &head, lines, &multivariant(Some((0, 60))));
        }
    }

    #[test]
    fn a_media_playlist_is_filtered_in_linear_time() {
        for lines in [
            "#EXTINF:4,PAD\nNN.m4s\n",
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",KEYFORMAT=\"PADNN\"\n",
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",KEYFORMAT=\"NN\"\n#EXTINF:4,PAD\nNN.m4s\n",
            "#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"NNPAD\"\n#EXT-X-BITRATE:1\n#EXTINF:4,\ns\n",
            "#EXTINF:4,PAD\n#EXT-X-BYTERANGE:9\nPADNN.m4s\n",
            "#EXT-X-DISCONTINUITY\n#EXTINF:4,PAD\n# c\n\nNN.m4s\n",
            "\n\n\n\n# PAD\n\n\n",
        ] {
            let preview = Some((100, 200));
            is_linear(lines, VOD, lines, &Limits::Media { preview });
        }
    }

    #[test]
    fn a_storyboard_is_signed_in_linear_time() {
        for lines in [
            "\nNN\n00:00.000 --> 00:01.000\nPADNN.jpg#xywh=0,0,1,1\n",
            "PAD-->NN\n",
        ] {
            is_linear(lines, "WEBVTT\n", lines, &Limits::Storyboard);
        }
    }
}

mod requests {
    use lectern::config::Config;
    use lectern::credential::claims::Claims;
    use lectern::credential::link;
    use lectern::decide::{Decision, decide};
    use lectern::object::key::Scope;
    use lectern::request::Request;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn config() -> Config {
        Config::from_lookup(|name| {
            (name == "LECTERN_KEYS").then(|| {
                r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#.to_owned()
            })
        })
        .expect("a configuration")
    }

    /// Decides a request with a valid link and one more header.
    fn decided<'config>(
        config: &'config Config,
        bearer: &str,
        (name, value): (&str, &str),
    ) -> Decision<'config> {
        let header = |asked: &str| match asked {
            "authorization" => Some(bearer.to_owned()),
            asked => (asked == name).then(|| value.to_owned()),
        };
        let request = Request {
            method: "GET",
            origin: "https://video.example.org",
            path: "/c/a.mp4",
            query: None,
            header: &header,
            country: &|| None,
        };
        decide(&request, config, NOW)
    }

    #[test]
    fn headers_are_read_in_linear_time() {
        let config = config();
        let claims = Claims::new(Scope::parse("/c/").expect("a scope"), NOW + 60);
        let bearer = format!("Bearer {}", link::mint(config.keys.minting(), &claims));
        for (name, repeated) in [
            ("if-none-match", r#""a","#),
            ("if-none-match", ",, \t"),
            ("if-none-match", r#"W/"aaaaaaaaaaaaaaa","#),
            ("if-match", r#""","#),
            ("if-match", r#""a" "#),
            ("if-range", r#""a""#),
            ("if-modified-since", "Sun "),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT "),
            ("if-unmodified-since", "06-Nov-94-"),
            ("range", "bytes="),
            ("range", "0-0,"),
            ("range", "9"),
            ("accept-encoding", "gzip;q=0,"),
            ("accept-encoding", "gzip;"),
            ("accept-encoding", ";q=0"),
            ("cf-connecting-ip", "1:"),
            ("origin", "https://a."),
            ("content-type", "a/b;"),
        ] {
            let value = |bytes: usize| {
                let first = if name == "range" { "bytes=0-" } else { "" };
                format!("{first}{}", repeated.repeat(bytes / repeated.len()))
            };
            assert_linear(&format!("{name}: {repeated}"), value, |value| {
                assert!(matches!(
                    decided(&config, &bearer, (name, value)),
                    Decision::Read(_)
                ));
            });
        }
    }

    #[test]
    fn paths_queries_and_tokens_are_read_in_linear_time() {
        let config = config();
        for (name, before, repeated) in [
            ("a path", "/", "a/"),
            ("an encoded path", "/", "%41"),
            ("dots", "/", "../"),
            ("a path's pass", "/~", "A"),
            ("paths' passes", "", "/~A"),
            ("a query", "/a?", "a=b&"),
            ("a token", "/a?token=", "A"),
            ("a token's dots", "/a?token=", "."),
            ("a pass", "/a?p=", "A"),
            ("a URL", "", "://"),
            ("question marks", "/", "?"),
        ] {
            let url = |bytes: usize| {
                format!(
                    "https://a.example{before}{}",
                    repeated.repeat(bytes / repeated.len())
                )
            };
            assert_linear(name, url, |url| {
                let (origin, path, query) = lectern::request::split_url(url)?;
                let request = Request {
                    method: "GET",
                    origin,
                    path,
                    query,
                    header: &|_| None,
                    country: &|| None,
                };
                matches!(decide(&request, &config, NOW), Decision::Refuse(_)).then_some(())
            });
        }
    }
}
