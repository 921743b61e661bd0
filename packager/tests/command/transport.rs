//! Packages for devices without CMAF, or with I-frames or audio only, made with the real ffmpeg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{lectern, revision_folder};
use testkit::process::text;
use testkit::recording::copying;
use testkit::recording::{clip, decode};

/// A recording of 9 s with two audio tracks and reordered frames.
fn lecture(folder: &Path) -> PathBuf {
    let (input, file) = (clip(folder, "480x360", 9), folder.join("lecture.mkv"));
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", text(&input)])
        .args(["-map", "0", "-map", "0:a", "-c", "copy"])
        .args(["-metadata:s:a:1", "language=ger"])
        .arg(&file)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    file
}

/// Packages into a folder and checks it. Returns the folder of the revision.
fn package(input: &Path, out: &Path, more: &[&str]) -> PathBuf {
    let args = [
        "package",
        text(input),
        "-o",
        text(out),
        "--ladder",
        "360,240",
    ];
    let run = lectern(&[&args, more].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let run = lectern(&["check", text(out)]);
    assert_eq!(run.code, 0, "{run:?}");
    revision_folder(out)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect(name)
}

fn durations(playlist: &str) -> Vec<&str> {
    let lines = playlist.lines();
    lines.filter(|line| line.starts_with("#EXTINF")).collect()
}

/// The packets that ffprobe reads, one per line.
fn packets(file: &Path, stream: &str, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-of",
            "default=nw=1:nk=1",
            "-select_streams",
            stream,
        ])
        .args(["-show_entries", entries])
        .arg(file)
        .output()
        .expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn a_lecture_plays_as_transport_streams_with_the_times_of_its_cmaf_segments() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = lecture(root.path());
    let captions = root.path().join("talk.srt");
    fs::write(&captions, "1\n00:00:01,000 --> 00:00:02,000\nHello\n").expect("captions");
    let captions = format!("en={}", text(&captions));
    let (cmaf, ts) = (root.path().join("cmaf"), root.path().join("ts"));
    let cmaf = package(&input, &cmaf, &[]);
    let folder = package(&input, &ts, &["--container", "ts", "--captions", &captions]);
    assert_ne!(cmaf.file_name(), folder.file_name());

    let master = read(&ts, "master.m3u8");
    let listed = |line: &str, parts: &[&str]| {
        let found = master.lines().find(|found| found.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no {line}: {master}"));
        for part in parts {
            assert!(found.contains(part), "{part}: {master}");
        }
    };
    listed("#EXT-X-VERSION:4", &[]);
    // The video segments contain the first track; the other one has its own.
    // Each Variant Stream has a group of its own.
    let variants = master.matches("#EXT-X-STREAM-INF").count();
    assert_eq!(
        master.matches("TYPE=AUDIO").count(),
        2 * variants,
        "{master}"
    );
    assert_eq!(master.matches("/audio/").count(), variants, "{master}");
    listed(
        "#EXT-X-MEDIA:TYPE=AUDIO",
        &[
            r#"NAME="English",LANGUAGE="en",DEFAULT=YES"#,
            r#"CHANNELS="2""#,
        ],
    );
    listed(
        "#EXT-X-STREAM-INF",
        &["RESOLUTION=320x240", "FRAME-RATE=29.97", r#",mp4a.40.2""#],
    );
    listed("#EXT-X-I-FRAME-STREAM-INF", &["/240p/iframes.m3u8"]);
    let json = read(&folder, "package.json");
    assert!(json.contains(r#""container": "ts""#), "{json}");
    assert!(!json.contains("m4s") && !json.contains("init.mp4") && !json.contains("manifest.mpd"));
    assert!(read(&folder, "subs/en/seg00000.vtt").contains("MPEGTS:900000,LOCAL:00:00:00.000"));
    decode(&folder.join("240p/playlist.m3u8"));
    decode(&folder.join("360p/playlist.m3u8"));
    decode(&folder.join("audio/de/playlist.m3u8"));

    for name in ["240p", "360p", "audio/de"] {
        let playlist = read(&folder, &format!("{name}/playlist.m3u8"));
        assert!(
            playlist.starts_with("#EXTM3U\n#EXT-X-VERSION:3\n"),
            "{playlist}"
        );
        assert!(!playlist.contains("EXT-X-MAP"), "{playlist}");
        let expected = read(&cmaf, &format!("{name}/playlist.m3u8"));
        assert_eq!(durations(&playlist), durations(&expected), "{name}");
        assert_eq!(durations(&playlist).len(), 3, "{name}");
    }
    // Frames are decoded before they are shown, no audio precedes the first frame, and a segment
    // starts 4.004 s after the previous one.
    for name in ["240p", "360p"] {
        for (at, expected) in [(0, "900000"), (1, "1260360"), (2, "1620720")] {
            let file = folder.join(format!("{name}/seg{at:05}.ts"));
            let first = packets(&file, "v", "packet=pts").swap_remove(0);
            assert_eq!(first, expected, "{name} {at}");
        }
        let file = folder.join(format!("{name}/seg00000.ts"));
        let decoded = packets(&file, "v", "packet=dts").swap_remove(0);
        assert_eq!(decoded, "893994", "two pictures of 29.97 a second");
        assert_eq!(packets(&file, "a", "packet=pts")[0], "900000");
    }
    let sound = folder.join("audio/de/seg00000.ts");
    assert_eq!(packets(&sound, "a", "packet=pts")[0], "898080");
    // The segments in sequence are one stream without loss.
    let all = ["seg00000.ts", "seg00001.ts", "seg00002.ts"];
    let all = all.map(|name| fs::read(folder.join("240p").join(name)).expect(name));
    let whole = root.path().join("whole.ts");
    fs::write(&whole, all.concat()).expect("a file");
    decode(&whole);
    let of_cmaf = packets(&cmaf.join("240p/playlist.m3u8"), "v", "packet=size").len();
    assert_eq!(packets(&whole, "v", "packet=size").len(), of_cmaf);
}

#[test]
fn sound_alone_is_a_variant_stream_that_no_player_starts_with() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 5);
    for container in ["cmaf", "ts"] {
        let out = root.path().join(container);
        let more = ["--audio-only-variant", "--container", container];
        let folder = package(&input, &out, &more);
        let master = read(&out, "master.m3u8");
        let variants: Vec<&str> = master
            .lines()
            .filter(|line| line.starts_with("#EXT-X-STREAM-INF"))
            .collect();
        let [pictures, sound] = variants[..] else {
            panic!("{master}");
        };
        assert!(pictures.contains("RESOLUTION=320x240"), "{master}");
        assert!(!sound.contains("RESOLUTION"), "{master}");
        assert!(sound.contains(r#"CODECS="mp4a.40.2",STABLE-VARIANT-ID="audio-en",AUDIO="audio""#));
        // Apple's HLS Authoring Specification: one audio-only Variant Stream of at most 192 kbit/s.
        let rate = sound
            .split("BANDWIDTH=")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let rate: u64 = rate.expect("a rate").parse().expect("a number");
        assert!((64_000..=192_000).contains(&rate), "{master}");
        decode(&folder.join("audio/en/playlist.m3u8"));
    }
}

#[test]
fn a_talk_without_pictures_and_pictures_without_sound_are_transport_streams_too() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = lecture(root.path());
    let part = |map: &str, name: &str| {
        let file = root.path().join(name);
        let made = copying(&input, map).arg(&file).status();
        assert!(made.expect("ffmpeg is installed").success());
        file
    };
    for (map, name, expected) in [
        ("0:a", "talk.mka", &["audio/de", "audio/en"][..]),
        ("0:v", "mute.mkv", &["360p", "240p"]),
    ] {
        let out = root.path().join("out").join(name);
        let folder = package(&part(map, name), &out, &["--container", "ts"]);
        decode(&out.join("master.m3u8"));
        for rendition in expected {
            assert!(
                folder.join(rendition).join("seg00002.ts").exists(),
                "{name} {rendition}"
            );
        }
        let master = read(&out, "master.m3u8");
        assert_eq!(
            master.matches("TYPE=AUDIO").count(),
            expected.len() * usize::from(map == "0:a")
        );
        // Two Renditions have their own segments or I-frames.
        let entries = master.lines().filter(|line| {
            let kinds = ["#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF"];
            kinds.iter().any(|kind| line.starts_with(kind)) && line.contains(",URI=")
        });
        let expected = if map == "0:a" { 2 } else { 1 };
        assert_eq!(entries.count(), expected, "{master}");
    }
}

#[test]
fn a_codec_that_transport_streams_do_not_hold_is_refused_before_anything_is_encoded() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 1);
    let out = root.path().join("out");
    let args = ["--codec", "hevc", "--container", "ts"];
    let run = lectern(&[&["package", text(&input), "-o", text(&out)], &args[..]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(run.stderr.contains("holds H.264 alone"), "{run:?}");
    assert!(run.stderr.contains("hint: leave `--codec` out"), "{run:?}");
    assert!(!out.exists());
}

#[test]
fn the_file_to_take_home_shows_its_first_picture_when_its_sound_begins() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 3);
    let folder = package(&input, &root.path().join("out"), &["--preset", "medium"]);
    let file = folder.join("lecture.mp4");
    let first =
        |stream: &str| packets(&file, stream, "frame=best_effort_timestamp_time")[0].clone();
    assert_eq!(first("v").parse::<f64>().expect("seconds"), 0.0);
    assert!(first("a").parse::<f64>().expect("seconds").abs() < 0.001);
    // The test requires reordered frames.
    let reordered = packets(&file, "v", "stream=has_b_frames");
    assert_eq!(reordered, ["2"]);
}
