//! Each rule is broken by one change to a good package, which breaks no other rule.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::fixture::Fixture;
use super::{CheckReport, package, refuse_plain_http, rules};
use crate::mpegts::muxer::crc;

type FixtureChange = fn(&mut Fixture);

const MASTER: &str = "master.m3u8";
const AV: [&str; 4] = [
    "low/playlist.m3u8",
    "high/playlist.m3u8",
    "audio/en/playlist.m3u8",
    "ts/playlist.m3u8",
];

/// A rule, with a change that breaks only this one.
const SPOILED: &[(&str, FixtureChange)] = &[
    ("OB-01", |s| s.remove("subs/en/seg00000.vtt")),
    ("OB-02", |s| {
        s.text("ts/playlist.m3u8", "seg00000.ts", "../../seg00000.ts");
    }),
    ("OB-03", |s| {
        s.rename("ts/seg00000.ts", "ts/seg 0.ts");
        s.text("ts/playlist.m3u8", "seg00000.ts", "seg 0.ts");
    }),
    ("OB-04", |s| {
        s.late_text("package.json", "\"sha256\":\"", "\"sha256\":\"0");
    }),
    ("OB-05", |s| s.text("manifest.mpd", "</MPD>", "")),
    ("OB-06", |s| {
        s.text("manifest.mpd", "startNumber=\"0\"", "startNumber=\"1\"");
    }),
    ("OB-07", |s| {
        s.text(
            "manifest.mpd",
            "codecs=\"avc1.64001e\"",
            "codecs=\"avc1.64001f\"",
        );
    }),
    ("OB-08", |s| {
        s.late_text("package.json", "\"segments\":3", "\"segments\":4");
    }),
    ("OB-09", |s| {
        s.bytes("lecture.mp4", |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("MV-01", |s| {
        s.remove("manifest.mpd");
        s.remove("lecture.mp4");
        s.is_stated = false;
        s.bytes(MASTER, |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let kept = text.lines().filter(|line| {
                let is_removed = ["#EXT-X-MEDIA", "#EXT-X-STREAM-INF"];
                let is_kept = !is_removed.iter().any(|tag| line.starts_with(tag));
                line.starts_with('#') && is_kept
            });
            *bytes = kept.collect::<Vec<_>>().join("\n").into_bytes();
        });
    }),
    ("MV-02", |s| {
        s.text(MASTER, "#EXT-X-INDEPENDENT-SEGMENTS\n", "");
    }),
    ("MV-03", |s| {
        s.all_text(MASTER, ":BANDWIDTH=", ":BANDWIDTH=1");
    }),
    ("MV-04", |s| {
        s.text(MASTER, ",AVERAGE-BANDWIDTH=", ",AVERAGE-BANDWIDTH=1");
    }),
    ("MV-05", |s| s.text(MASTER, "avc1.64001e,", "avc1.64001f,")),
    ("MV-06", |s| s.text(MASTER, "640x360", "640x362")),
    ("MV-07", |s| s.text(MASTER, "=25.000", "=24.975")),
    ("MV-08", |s| s.text(MASTER, ",CLOSED-CAPTIONS=NONE", "")),
    ("MV-09", |s| {
        s.text(MASTER, ",SUBTITLES=\"subs\"", ",SUBTITLES=\"sub\"");
    }),
    ("MV-10", |s| {
        s.high.bytes = 12_000;
        s.is_high_first = true;
    }),
    ("MV-11", |s| s.high = s.low.clone()),
    ("MV-12", |s| s.is_audio_first = true),
    ("MV-13", |s| {
        s.text(MASTER, ",FRAME-RATE", ",VIDEO-RANGE=PQ,FRAME-RATE");
    }),
    ("MV-14", |s| s.text(MASTER, ",SUBTITLES=\"subs\"", "")),
    ("RG-01", |s| {
        s.text(MASTER, ",URI=\"subs/en/playlist.m3u8\"", "");
    }),
    ("RG-02", |s| s.text(MASTER, "NAME=\"Captions\",", "")),
    ("RG-03", |s| {
        s.text(MASTER, "LANGUAGE=\"en\"", "LANGUAGE=\"en_US\"");
    }),
    ("RG-04", |s| s.text(MASTER, "DEFAULT=YES", "DEFAULT=NO")),
    ("RG-05", |s| {
        s.bytes(MASTER, |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (head, tail) = text.rsplit_once("AUDIO=\"audio\"").expect("a group");
            *bytes = format!("{head}AUDIO=\"b\"{tail}").into_bytes();
        });
        s.text(
            MASTER,
            "#EXT-X-MEDIA:",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"Deutsch\",LANGUAGE=\"de\",DEFAULT=YES,CHANNELS=\"2\",\
             URI=\"audio/en/playlist.m3u8\"\n#EXT-X-MEDIA:",
        );
    }),
    ("RG-06", |s| {
        s.text(MASTER, "CHANNELS=\"2\"", "CHANNELS=\"6\"");
    }),
    ("PL-01", |s| {
        s.text(
            "low/playlist.m3u8",
            "#EXT-X-ENDLIST",
            "#EXT-X-VERSION:7\n#EXT-X-ENDLIST",
        );
    }),
    ("PL-02", |s| {
        s.text("low/playlist.m3u8", "VERSION:7", "VERSION:5");
    }),
    ("PL-03", |s| {
        s.text(
            "audio/en/playlist.m3u8",
            "TARGETDURATION:2",
            "TARGETDURATION:3",
        );
    }),
    ("PL-04", |s| {
        for path in AV {
            s.text(path, "TARGETDURATION:2", "TARGETDURATION:1");
        }
    }),
    ("PL-05", |s| {
        s.text("ts/playlist.m3u8", "#EXT-X-ENDLIST\n", "");
    }),
    ("PL-06", |s| {
        for path in AV {
            s.text(path, "TARGETDURATION:2", "TARGETDURATION:11");
        }
    }),
    ("SG-01", |s| {
        s.bytes("high/seg00001.m4s", |bytes| {
            bytes.truncate(bytes.len() - 10);
        });
    }),
    ("SG-02", |s| s.low.brand = *b"mp42"),
    ("SG-03", |s| s.audio.has_styp = false),
    ("SG-04", |s| s.audio.sequence = [1, 3, 2]),
    ("SG-05", |s| s.high.open = Some(1)),
    ("SG-06", |s| {
        s.bytes("ts/seg00000.ts", |bytes| bytes[188] = 0);
    }),
    ("SG-07", |s| {
        // The stream type of AAC becomes that of its LATM transport.
        s.bytes("ts/seg00001.ts", |bytes| {
            assert_eq!(bytes[210], 0x0f);
            bytes[210] = 0x11;
            let checksum = crc(&bytes[193..215]).to_be_bytes();
            bytes[215..219].copy_from_slice(&checksum);
        });
    }),
    ("SG-08", |s| {
        s.bytes("ts/seg00001.ts", |bytes| {
            let at = bytes.len() - 188 + 3;
            bytes[at] = bytes[at] & 0xf0 | (bytes[at] + 2) & 0x0f;
        });
    }),
    ("SG-09", |s| s.ts.bare = Some(1)),
    ("SG-10", |s| {
        s.bytes("high/seg00001.m4s", |bytes| {
            // The second frame of the segment.
            let at = bytes.len() - 49 * 1_280;
            bytes[at..at + 1_280].fill(0);
        });
    }),
    ("SG-11", |s| {
        s.bytes("high/init.mp4", |bytes| {
            let sps = bytes.windows(4).position(|at| at == b"\x67\x64\0\x1e");
            bytes[sps.expect("parameter sets") + 3] = 0x1f;
        });
    }),
    ("SG-12", |s| s.bytes("ts/key.bin", |bytes| bytes[0] = 0)),
    ("SG-13", |s| {
        s.high.bytes = s.low.bytes;
        s.bytes("high/seg00000.m4s", |bytes| {
            let last = bytes.len() - 1;
            bytes[last] = 9;
        });
    }),
    ("SG-14", |s| {
        s.bytes("audio/en/seg00001.m4s", |bytes| {
            let run = bytes.windows(4).position(|at| at == b"trun");
            let first = run.expect("a run") + 16;
            // Duration, size and flags of each frame.
            for (frame, ticks) in [1_u32, 1, 3 * 1_024 - 2].into_iter().enumerate() {
                let at = first + frame * 12;
                assert_eq!(bytes[at..at + 4], 1_024_u32.to_be_bytes());
                bytes[at..at + 4].copy_from_slice(&ticks.to_be_bytes());
            }
        });
    }),
    ("TM-01", |s| {
        s.text("high/playlist.m3u8", "EXTINF:2.0", "EXTINF:2.1");
    }),
    ("TM-02", |s| s.high.late = 500),
    ("TM-03", |s| {
        s.audio.base = 48_000 * 10;
        s.text("subs/en/seg00000.vtt", "MPEGTS:0", "MPEGTS:900000");
        for video in s.videos() {
            video.base = 25_000 * 10;
        }
    }),
    ("TM-04", |s| {
        s.audio.base = 48_000 * 8 / 100;
        for video in s.videos() {
            video.edit = Some(25_000 * 8 / 100);
        }
    }),
    ("TM-05", |s| s.audio.samples = vec![94]),
    ("TM-06", |s| s.high.samples = vec![40, 60, 50]),
    ("TM-07", |s| {
        for video in s.videos() {
            video.samples = vec![50, 50, 45, 5];
        }
    }),
    ("TM-08", |s| {
        for video in s.videos() {
            video.samples = vec![75, 75];
            video.gop = 75;
        }
    }),
    ("TM-09", |s| {
        s.text(
            "high/playlist.m3u8",
            "seg00000.m4s\n",
            "seg00000.m4s\n#EXT-X-DISCONTINUITY\n",
        );
    }),
    ("AV-01", |s| {
        s.low.frame = 250;
        s.low.samples = vec![200; 3];
        s.low.gop = 100;
    }),
    ("AV-02", |s| s.high.is_avc3 = true),
    ("AV-03", |s| s.audio.profile = 1),
    ("AV-04", |s| s.audio.sample_rate = 32_000),
    ("AV-05", |s| {
        s.audio.channels = 6;
        s.ts.channels = 6;
    }),
    ("IF-01", |s| {
        s.text("low/iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", "");
    }),
    ("IF-02", |s| {
        s.bytes("low/iframes.m3u8", |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // One byte less than the frame.
            let (head, tail) = text.split_once("BYTERANGE:").expect("a byte range");
            let (length, tail) = tail.split_once('@').expect("an offset");
            let length = length.parse::<u64>().expect("a length") - 1;
            *bytes = format!("{head}BYTERANGE:{length}@{tail}").into_bytes();
        });
    }),
    ("IF-03", |s| {
        s.text(MASTER, "CODECS=\"avc1.64001e\",", "CODECS=\"avc1.640020\",");
    }),
    ("IF-04", |s| {
        s.bytes(MASTER, |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let kept = text.lines().filter(|line| !line.contains("I-FRAME"));
            *bytes = kept.collect::<Vec<_>>().join("\n").into_bytes();
        });
    }),
    ("IF-05", |s| {
        s.text("low/iframes.m3u8", "EXTINF:2.0", "EXTINF:1.5");
    }),
    ("SB-01", |s| {
        s.text("subs/en/seg00000.vtt", "WEBVTT", "WebVTT");
    }),
    ("SB-02", |s| {
        s.text("subs/en/seg00000.vtt", "X-TIMESTAMP-MAP=", "NOTE ");
    }),
    ("SB-03", |s| {
        s.text("subs/en/seg00000.vtt", "00:02.000", "00:00.500");
    }),
    ("SB-04", |s| {
        s.text("subs/en/seg00000.vtt", "MPEGTS:0", "MPEGTS:900000");
    }),
    ("SB-05", |s| {
        s.text(
            "subs/en/seg00000.vtt",
            "00:01.000 --> 00:02.000",
            "00:11.000 --> 00:12.000",
        );
    }),
    ("SB-06", |s| {
        s.text("subs/en/playlist.m3u8", "EXTINF:6.0", "EXTINF:3.0");
    }),
    ("SD-01", |s| s.text(MASTER, ",VALUE=\"Talk\"", "")),
    ("SD-02", |s| {
        s.text(MASTER, "com.example.title", "com.apple.hls.chapters");
    }),
    ("SD-03", |s| s.text("chapters.json", "[", "{")),
    ("SD-04", |s| {
        s.text("storyboard.vtt", "sprites/0.jpg#", "sprites/0.txt#");
    }),
    ("SD-05", |s| {
        s.text("storyboard.vtt", "xywh=0,0,160,90", "xywh=0,0,160,91");
    }),
    ("SD-06", |s| {
        s.text("chapters.json", "[]", "[{\"start-time\":7}]");
    }),
    ("SD-07", |s| s.text("subs/en/captions.vtt", "WEBVTT", "1")),
    ("SD-08", |s| s.text("silences.json", "3.0", "0.5")),
];

fn check(spoil: FixtureChange) -> CheckReport {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join("package");
    let mut sample = Fixture::new();
    spoil(&mut sample);
    sample.write(&folder);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(package(&folder))
        .expect("a report")
}

#[test]
fn a_good_package_keeps_every_rule_and_every_rule_applies_to_it() {
    let report = check(|_| {});
    let lines = report.to_string();
    let skipped: Vec<&str> = lines.lines().filter(|line| line.starts_with('–')).collect();
    assert_eq!(report.broken(), "");
    assert_eq!(skipped, [] as [&str; 0]);
}

#[test]
fn every_rule_is_broken_by_one_change_that_breaks_no_other() {
    let known: Vec<&str> = rules::all().map(|rule| rule.id).collect();
    let spoiled: Vec<&str> = SPOILED.iter().map(|(id, _)| *id).collect();
    assert_eq!(
        known, spoiled,
        "each rule has one change here, in the same order"
    );
    assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len());
    let mut wrong = vec![];
    for (id, spoil) in SPOILED {
        let report = check(*spoil);
        if report.broken_ids() != [*id] {
            wrong.push(format!("{id}: {}", report.broken()));
        }
    }
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn a_sprite_that_a_storyboard_names_and_is_missing_is_reported() {
    assert_eq!(check(|s| s.remove("sprites/0.jpg")).broken_ids(), ["OB-01"]);
}

#[test]
fn encrypted_samples_are_said_to_be_unjudged() {
    let report = check(|s| {
        s.text(
            "high/playlist.m3u8",
            "#EXT-X-MAP",
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
             #EXT-X-MAP",
        );
    });
    assert_eq!(report.broken(), "");
    let lines = report.to_string();
    let unjudged: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("? "))
        .map(|line| &line[..5])
        .collect();
    assert_eq!(unjudged, ["SG-10", "SG-12"]);
    assert!(
        lines.contains("high/playlist.m3u8: its samples are encrypted"),
        "{lines}"
    );
}

#[test]
fn the_list_of_rules_in_the_documentation_is_the_list_of_rules() {
    const BEGIN: &str = "| Rule | What is so | Who asks for it |\n|---|---|---|\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check.md");
    let shown = std::fs::read_to_string(&path).expect("docs/check.md");
    let (intro, _) = shown.split_once(BEGIN).expect("a table of rules");
    let mut expected = format!("{intro}{BEGIN}");
    for rule in rules::all() {
        let _ = writeln!(
            expected,
            "| {} | {} | {} |",
            rule.id, rule.title, rule.source
        );
    }
    if std::env::var_os("LECTERN_BLESS").is_some() {
        std::fs::write(&path, &expected).expect("it is written");
        return;
    }
    assert!(
        shown == expected,
        "write docs/check.md with LECTERN_BLESS=1 and read the diff"
    );
}

#[test]
fn a_link_is_sent_over_http_to_this_machine_alone() {
    for (input, expected) in [
        ("https://edge.example/a.m3u8?token=a.b.c", true),
        ("http://edge.example/a.m3u8", true),
        ("http://edge.example/a.m3u8?x=1", true),
        ("http://127.0.0.1:8787/a.m3u8?token=a.b.c", true),
        ("http://edge.example/a.m3u8?token=a.b.c", false),
        ("http://edge.example/a.m3u8?x=1&p=AAAA", false),
        ("http://edge.example/~AAAA/a.m3u8", false),
        ("http://user:word@edge.example/a.m3u8", false),
        ("out/master.m3u8", true),
    ] {
        assert_eq!(refuse_plain_http(input).is_ok(), expected, "{input}");
    }
}
