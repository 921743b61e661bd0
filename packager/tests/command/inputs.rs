//! Recordings of phones and recorders, and broken downloads: each becomes a playable package, or a
//! refusal.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::common::{LECTERN, command, package, package_json, packaged};
use testkit::oddities;
use testkit::process::{run, text, wait_until};
use testkit::recording::{clip, decode, make};

/// `320x180@25 160x90@25 audio/en`, of all Renditions.
fn renditions(facts: &serde_json::Value) -> String {
    let list = facts["renditions"].as_array().expect("a list");
    let names: Vec<String> = list
        .iter()
        .filter(|rendition| rendition["folder"] != "iframes")
        .map(|rendition| {
            let picture = &rendition["picture"];
            if picture.is_null() {
                return rendition["folder"].as_str().expect("a name").to_owned();
            }
            let rate = &picture["frame_rate"];
            let rate =
                rate["num"].as_f64().expect("a rate") / rate["den"].as_f64().expect("a rate");
            format!("{}x{}@{rate:.4}", picture["width"], picture["height"])
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        })
        .collect();
    names.join(" ")
}

#[test]
fn odd_recordings_become_packages_that_play() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for oddity in &oddities::ALL {
        let name = oddity.name;
        let input = oddity.make(root.path());
        let out = root.path().join(format!("{name}.out"));
        let arguments = ["--threads", "1", "--ladder", "1080,720,480"];
        let run = package(&input, &out, &arguments);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert_eq!(run.stdout.trim(), text(&out.join("master.m3u8")), "{name}");
        let facts = package_json(&out);
        assert_eq!(renditions(&facts), oddity.renditions, "{name}");
        let lasts = facts["duration"].as_f64().expect("a number");
        assert!((lasts - oddity.seconds).abs() < 0.2, "{name}: {lasts} s");
        decode(&out.join("master.m3u8"));
    }
}

#[test]
fn quiet_sound_is_brought_to_the_loudness_of_others() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let tone = "sine=f=440:r=48000:d=6,volume=-24dB";
    let input = make(root.path(), "quiet.wav", &[tone], "-ac 2");
    for (flag, expected) in [("--no-loudnorm", -45.0), ("--quality=fast", -16.0)] {
        let out = root.path().join(flag);
        packaged(&input, &out, &[flag]);
        let heard = Command::new("ffmpeg")
            .args(["-nostdin", "-nostats", "-i"])
            .arg(out.join("master.m3u8"))
            .args(["-af", "ebur128=framelog=verbose", "-f", "null", "-"])
            .output()
            .expect("ffmpeg is installed");
        let said = String::from_utf8_lossy(&heard.stderr);
        let (_, summary) = said.rsplit_once("I:").expect("a summary");
        let lufs = summary.split_whitespace().next().expect("a number");
        let lufs: f64 = lufs.parse().expect("a number");
        assert!((lufs - expected).abs() < 1.0, "{flag}: {lufs} LUFS");
    }
}

#[test]
fn an_encoder_does_not_outlive_a_packager_that_is_killed() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "1280x720", 60);
    let out = root.path().join("out");
    let mut child = command(&[
        "package",
        text(&input),
        "-o",
        text(&out),
        "--preset",
        "veryslow",
    ])
    .stderr(Stdio::null())
    .spawn()
    .expect("lectern starts");
    let ours = format!("{}.partial-", text(&out));
    let encoders = || {
        let processes = fs::read_dir("/proc").expect("a /proc").flatten();
        processes
            .filter(|process| {
                let folder = fs::read_link(process.path().join("cwd"));
                folder.is_ok_and(|folder| folder.to_string_lossy().starts_with(&ours))
            })
            .count()
    };
    wait_until(|| "no encoder starts".to_owned(), || encoders() > 0);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    wait_until(|| "the encoder goes on".to_owned(), || encoders() == 0);
}

/// SplitMix64. The cases are the same in every run.
struct DamageRandom(u64);

impl DamageRandom {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("below end")
    }
}

/// Truncated, or with flipped bits, most of them in the headers.
fn damaged(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut random = DamageRandom(seed);
    if random.below(3) == 0 {
        return whole[..random.below(whole.len())].to_vec();
    }
    let mut bytes = whole.to_vec();
    let within = if random.below(2) == 0 {
        2000.min(bytes.len())
    } else {
        bytes.len()
    };
    for _ in 0..=random.below(40) {
        let at = random.below(within);
        bytes[at] ^= 1 << random.below(8);
    }
    bytes
}

#[test]
fn damaged_recordings_never_hang_nor_crash_nor_become_packages_that_do_not_play() {
    const CASES: usize = 200;
    let root = tempfile::tempdir().expect("a temporary folder");
    let inputs = ["testsrc2=s=160x120:r=25:d=2", "sine=f=440:r=48000:d=2"];
    let h264 = "-c:v libx264 -preset ultrafast -c:a aac";
    let wholes: Vec<(&str, Vec<u8>)> = [
        ("mp4", &format!("{h264} -movflags +faststart")[..]),
        ("mkv", h264),
        ("ts", h264),
        ("webm", "-c:v libvpx -deadline realtime -c:a libopus"),
    ]
    .into_iter()
    .map(|(kind, options)| {
        let file = make(root.path(), &format!("whole.{kind}"), &inputs, options);
        (kind, fs::read(file).expect("a recording"))
    })
    .collect();
    let (next, packaged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, Into::into) {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= CASES {
                        return;
                    }
                    let (kind, whole) = &wholes[case % wholes.len()];
                    let input = root.path().join(format!("{case}.{kind}"));
                    fs::write(&input, damaged(whole, case as u64)).expect("written");
                    let out = root.path().join(format!("{case}.out"));
                    let started = Instant::now();
                    let args = [
                        "package",
                        text(&input),
                        "-o",
                        text(&out),
                        "--preset",
                        "ultrafast",
                    ];
                    let run = run(Command::new("timeout")
                        .args(["--signal=KILL", "600", LECTERN])
                        .args(args)
                        .stdin(Stdio::null()));
                    let said = format!("{case}.{kind} after {:?}: {run:?}", started.elapsed());
                    assert!(!run.stderr.contains("panicked"), "{said}");
                    match run.code {
                        0 => {
                            decode(&out.join("master.m3u8"));
                            packaged.fetch_add(1, Ordering::Relaxed);
                        }
                        3 => {
                            assert!(run.stderr.contains("error: "), "{said}");
                            assert!(!out.exists(), "{said}");
                        }
                        _ => panic!("{said}"),
                    }
                    let _ = fs::remove_dir_all(&out);
                }
            });
        }
    });
    // Some succeed and some fail, so the damage is effective.
    let packaged = packaged.into_inner();
    assert!(
        (20..180).contains(&packaged),
        "{packaged} of {CASES} were packaged"
    );
}
