//! What comes out of phones, recorders and broken downloads: each becomes a package that plays, or a refusal.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Run, clip, command, lectern, run, text};

const PICTURE: &str = "testsrc2=s=320x180:r=25";
const TONE: &str = "sine=f=440:r=48000";

/// A recording that ffmpeg makes: each word of `inputs` is a source of the filters' language.
fn make(root: &Path, name: &str, inputs: &[&str], options: &str) -> PathBuf {
    let file = root.join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-y"]);
    for input in inputs {
        ffmpeg.args(["-f", "lavfi", "-i", input]);
    }
    let made = ffmpeg
        .args(options.split_whitespace())
        .arg(&file)
        .status()
        .expect("ffmpeg is installed");
    assert!(made.success(), "ffmpeg makes {name}");
    file
}

fn package(input: &Path, out: &Path) -> Run {
    let args = ["package", text(input), "-o", text(out)];
    lectern(&[&args[..], &["--preset", "ultrafast", "--threads", "1"]].concat())
}

fn facts(out: &Path) -> serde_json::Value {
    let mut revisions = fs::read_dir(out.join("v")).expect("a revision");
    let revision = revisions.next().expect("one").expect("an entry").path();
    let json = fs::read(revision.join("package.json")).expect("package.json");
    serde_json::from_slice(&json).expect("JSON")
}

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

fn decodes(master: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-xerror", "-i"])
        .arg(master)
        .args(["-map", "0", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{}: {said}",
        master.display()
    );
}

#[test]
fn odd_recordings_become_packages_that_play() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let h264 = "-c:v libx264 -preset ultrafast";
    let mp4 = &format!("{h264} -pix_fmt yuv420p -c:a aac");
    let (picture, tone) = (&format!("{PICTURE}:d=3"), &format!("{TONE}:d=3"));
    let all: &[(&str, &[&str], &str, &str, f64)] = &[
        ("sound.mp3", &[tone], "-c:a libmp3lame", "audio/und", 3.0),
        (
            "cover.mp3",
            &[tone, "testsrc2=s=300x300:d=0.04"],
            "-map 0 -map 1 -c:a libmp3lame -c:v mjpeg -disposition:v attached_pic",
            "audio/und",
            3.0,
        ),
        (
            "still.mp4",
            &["testsrc2=s=320x180:r=25:d=0.04", tone],
            mp4,
            "320x180@10 audio/und",
            3.0,
        ),
        (
            "sound-ends.mp4",
            &[picture, &format!("{TONE}:d=1")],
            mp4,
            "320x180@25 audio/und",
            3.0,
        ),
        (
            "picture-ends.mkv",
            &[&format!("{PICTURE}:d=1"), tone],
            mp4,
            "320x180@25 audio/und",
            3.0,
        ),
        (
            "languages.mkv",
            &[picture, tone, tone, tone],
            &format!(
                "-map 0 -map 1 -map 2 -map 3 {mp4} -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu \
                 -metadata:s:a:2 language=eng -metadata:s:a:2 title=Commentary"
            ),
            "320x180@25 audio/en audio/de audio/en-2",
            3.0,
        ),
        (
            "interlaced.ts",
            &["testsrc2=s=352x288:r=50:d=3"],
            "-vf interlace,setsar=16/15 -flags +ilme+ildct -c:v mpeg2video -b:v 2M",
            "352x264@25",
            3.0,
        ),
        (
            "hdr.mp4",
            &["testsrc2=s=320x180:r=24000/1001:d=2"],
            "-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast \
             -x265-params log-level=error:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
            "320x180@23.976",
            2.0,
        ),
        (
            "fast-and-round.mkv",
            &["testsrc2=s=320x180:r=120:d=2", &format!("{TONE}:d=2")],
            "-filter_complex [1]pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0[a] -map 0:v -map [a] -c:v libx264 \
             -preset ultrafast -c:a ac3",
            "320x180@60 audio/und",
            2.0,
        ),
        (
            "a-moment.mp4",
            &["testsrc2=s=320x180:r=100:d=0.01"],
            h264,
            "320x180@10",
            0.1,
        ),
        (
            "oblong.mp4",
            &[picture],
            &format!("-vf setsar=8/9 {mp4}"),
            "284x180@25",
            3.0,
        ),
        (
            "portrait-444.mp4",
            &["testsrc2=s=181x321:r=25:d=2"],
            &format!("{h264} -pix_fmt yuv444p -color_range pc"),
            "180x320@25",
            2.0,
        ),
        (
            "before-zero.ts",
            &[picture, tone],
            &format!("{mp4} -avoid_negative_ts disabled -output_ts_offset -2"),
            "320x180@25 audio/und",
            3.0,
        ),
        (
            "slow.mp4",
            &["testsrc2=s=320x180:r=1:d=5"],
            mp4,
            "320x180@1",
            5.0,
        ),
    ];
    for (name, inputs, options, expected, seconds) in all {
        let input = make(root.path(), name, inputs, options);
        let out = root.path().join(format!("{name}.out"));
        let run = package(&input, &out);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert_eq!(run.stdout.trim(), text(&out.join("master.m3u8")), "{name}");
        let facts = facts(&out);
        assert_eq!(renditions(&facts), *expected, "{name}");
        let lasts = facts["duration"].as_f64().expect("a number");
        assert!((lasts - seconds).abs() < 0.2, "{name}: {lasts} s");
        decodes(&out.join("master.m3u8"));
    }
}

#[test]
fn quiet_sound_is_brought_to_the_loudness_of_others() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let tone = "sine=f=440:r=48000:d=6,volume=-24dB";
    let input = make(root.path(), "quiet.wav", &[tone], "-ac 2");
    for (flag, expected) in [("--no-loudnorm", -45.0), ("--quality=fast", -16.0)] {
        let out = root.path().join(flag);
        let run = lectern(&["package", text(&input), "-o", text(&out), flag]);
        assert_eq!(run.code, 0, "{run:?}");
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
    let ours = root.path().join(format!("out.partial-{}", child.id()));
    let encoders = || {
        let processes = fs::read_dir("/proc").expect("a /proc").flatten();
        processes
            .filter(|process| {
                let folder = fs::read_link(process.path().join("cwd"));
                folder.is_ok_and(|folder| folder.starts_with(&ours))
            })
            .count()
    };
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !is() {
            assert!(started.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("no encoder starts", &|| encoders() > 0);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    wait("the encoder goes on", &|| encoders() == 0);
}

/// SplitMix64: the cases are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("below end")
    }
}

/// Cut off, or with some bits turned, most of them where the headers are.
fn damaged(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
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
                        .args(["--signal=KILL", "60", env!("CARGO_BIN_EXE_lectern")])
                        .args(args)
                        .stdin(Stdio::null()));
                    let said = format!("{case}.{kind} after {:?}: {run:?}", started.elapsed());
                    assert!(!run.stderr.contains("panicked"), "{said}");
                    match run.code {
                        0 => {
                            decodes(&out.join("master.m3u8"));
                            packaged.fetch_add(1, Ordering::Relaxed);
                        }
                        1 | 3 => {
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
    // Neither all nor none: the damage is such that it matters.
    let packaged = packaged.into_inner();
    assert!(
        (20..180).contains(&packaged),
        "{packaged} of {CASES} were packaged"
    );
}
