//! `lectern ship --instant`: the recording plays within seconds, and the finished lecture follows.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{command, lectern};
use serde_json::Value;
use testkit::files::files;
use testkit::process::{run, text};
use testkit::recording::{clip, make};

/// A stream that is copied, and exceeds the bitrate of a 720p rung.
const HEAVY: &[&str] = &["-c:v", "libx264", "-qp", "12", "-c:a", "aac"];

/// A recording whose audio, or audio and video, no player decodes.
fn other(folder: &Path, name: &str, codec: &str) -> PathBuf {
    let codecs = ["-c:v", codec, "-c:a", "mp3"];
    recording(folder, &format!("{name}.mkv"), &codecs, "640x360", 9)
}

fn recording(folder: &Path, name: &str, codecs: &[&str], size: &str, seconds: u32) -> PathBuf {
    let inputs = [
        format!("testsrc2=s={size}:r=25:d={seconds}"),
        format!("sine=f=330:r=44100:d={seconds}"),
    ];
    let options = format!("-pix_fmt yuv420p -g 50 {}", codecs.join(" "));
    make(folder, name, &inputs, &options)
}

/// Runs the command and passes on its events, until it ends or `on_event` returns `false`. Returns
/// whether it succeeded.
fn events(args: &[&str], on_event: &mut dyn FnMut(&Value) -> bool) -> bool {
    let mut child = command(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("lectern starts");
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if !on_event(&event) {
            child.kill().expect("it is killed");
            break;
        }
    }
    child.wait().expect("it ends").success()
}

/// The playlists of a target at one moment. Asserts that it names only existing files.
fn read_served(served: &Path) -> Option<(String, bool)> {
    let master = fs::read_to_string(served.join("master.m3u8")).ok()?;
    let playlists = master.lines().filter(|line| line.starts_with("v/"));
    let mut found = None;
    for playlist in playlists {
        let folder = served.join(playlist).parent().expect("a folder").to_owned();
        let listed = fs::read_to_string(served.join(playlist)).expect("what is named is there");
        let map = listed.lines().find_map(|line| {
            let uri = line.strip_prefix("#EXT-X-MAP:URI=\"")?;
            uri.strip_suffix('"')
        });
        let segments = listed.lines().filter(|line| line.ends_with(".m4s"));
        for named in segments.chain([map.expect("a map")]) {
            assert!(folder.join(named).exists(), "{playlist} {named}");
        }
        let revision = playlist.split('/').nth(1).expect("a revision").to_owned();
        found = Some((revision, listed.contains("#EXT-X-ENDLIST")));
    }
    found
}

#[test]
fn playable_streams_are_copied_others_grow_and_the_lecture_follows() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let h264 = clip(root.path(), "640x360", 9);
    for (name, input, folder) in [
        ("h264", h264, "360p"),
        ("sound", other(root.path(), "sound", "libx264"), "360p"),
        ("other", other(root.path(), "other", "mpeg4"), "360p"),
    ] {
        let served = root.path().join(name);
        let work = root.path().join("work");
        let target = format!("file://{}", text(&served));
        let args = [
            "ship",
            text(&input),
            &target,
            "--instant",
            "--json",
            "--work",
            text(&work),
        ];
        let (mut first, mut done) = (None, None);
        let ended = events(&args, &mut |event| {
            let seen = read_served(&served);
            match event["event"].as_str().expect("an event") {
                "playable" => {
                    assert!(event["seconds"].as_f64().expect("a time") > 0.0);
                    first = Some(seen.expect("it plays").0);
                }
                "done" => done = seen,
                _ => {}
            }
            true
        });
        assert!(ended, "{name}");
        let first = first.expect("it plays before the command is over");
        let (last, is_ended) = done.expect("it plays at the end");
        assert_ne!(first, last, "{name}");
        assert!(is_ended);
        let grown = served.join(format!("v/{first}/{folder}/playlist.m3u8"));
        let grown = fs::read_to_string(grown).expect("it stays for current viewers");
        assert!(grown.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n"), "{grown}");
        assert!(grown.ends_with("#EXT-X-ENDLIST\n"), "{grown}");
        let seconds: f64 = (grown.lines())
            .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
            .map(|seconds| seconds.parse::<f64>().expect("a number"))
            .sum();
        assert!((seconds - 9.0).abs() < 0.2, "{name}: {seconds}");
        let played = Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-nostdin", "-i"])
            .arg(served.join(format!("v/{first}/{folder}/playlist.m3u8")))
            .args(["-f", "null", "-"])
            .status();
        assert!(played.expect("ffmpeg runs").success(), "{name}");
        assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0, "{name}");
        // A second run has nothing to do, and never switches to a worse revision.
        let again = run(&mut command(&args));
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stdout.contains("already there"), "{again:?}");
        assert!(!again.stdout.contains("playable"), "{again:?}");
        assert_eq!(again.stderr, "");
        assert_eq!(read_served(&served).expect("it plays").0, last);
        let revisions = lectern(&["revisions", &target]).stdout;
        for (revision, state) in [(&last, "plays"), (&first, "replaced ")] {
            let line = revisions.lines().find(|line| line.starts_with(revision));
            assert!(line.is_some_and(|line| line.contains(state)), "{revisions}");
        }
    }
}

/// The entries of a Multivariant Playlist, such as `480p`, and their target durations.
fn listed(served: &Path) -> (Vec<String>, Vec<String>) {
    let master = fs::read_to_string(served.join("master.m3u8")).expect("something plays");
    let names = master.lines().filter(|line| line.starts_with("v/"));
    let names: Vec<String> = names.map(str::to_owned).collect();
    let media = master.lines().filter_map(|line| {
        let (_, uri) = line.strip_prefix("#EXT-X-MEDIA:")?.split_once("URI=\"")?;
        Some(uri.trim_end_matches('"').to_owned())
    });
    let target = |playlist: String| {
        let text = fs::read_to_string(served.join(playlist)).expect("what is named is there");
        let line = text
            .lines()
            .find(|line| line.starts_with("#EXT-X-TARGETDURATION:"));
        line.expect("a target duration").to_owned()
    };
    let mut targets: Vec<String> = names.iter().cloned().chain(media).map(target).collect();
    targets.dedup();
    let rung = |playlist: &String| playlist.rsplit('/').nth(1).unwrap_or_default().to_owned();
    (names.iter().map(rung).collect(), targets)
}

/// The worst similarity of two videos at the same time, in dB.
fn likeness(one: &Path, other: &Path) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(one)
        .arg("-i")
        .arg(other)
        .args([
            "-lavfi",
            "[0:v]scale=640:360[a];[1:v]scale=640:360[b];[a][b]psnr=stats_file=-",
        ])
        .args(["-f", "null", "-"])
        .output();
    let output = output.expect("ffmpeg runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let average = |line: &str| -> Option<f64> {
        let (_, rest) = line.split_once("psnr_avg:")?;
        rest.split(' ').next()?.parse().ok()
    };
    let worst = said
        .lines()
        .filter_map(average)
        .fold(f64::INFINITY, f64::min);
    assert!(worst.is_finite(), "{said}");
    worst
}

#[test]
fn rungs_are_listed_one_by_one_beside_what_plays_and_come_out_as_they_would_have() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = recording(root.path(), "lecture.mp4", HEAVY, "1280x720", 16);
    let served = root.path().join("served");
    let target = format!("file://{}", text(&served));
    let (work, plain) = (root.path().join("work"), root.path().join("plain"));
    let ship = ["ship", text(&input), &target, "--ladder", "720,480,360"];
    let args = [&ship[..], &["--work", text(&work), "--instant", "--json"]].concat();
    let (mut first, mut seen) = (None, vec![]);
    let ended = events(&args, &mut |event| {
        if event["event"] == "playable" {
            first = Some(read_served(&served).expect("it plays").0);
        }
        if event["event"] == "better" {
            let (revision, is_ended) = read_served(&served).expect("it plays");
            assert_eq!(Some(revision), first);
            assert!(is_ended);
            let (rungs, targets) = listed(&served);
            assert_eq!(targets.len(), 1, "RFC 8216bis §6.2.4: {targets:?}");
            seen.push(rungs);
        }
        true
    });
    assert!(ended);
    assert_eq!(seen, [vec!["360p"], vec!["360p", "480p"]]);
    assert_eq!(listed(&served).0, ["360p", "480p", "720p"]);
    // Both revisions show the same frame at the same time.
    let first = served.join(format!("v/{}", first.expect("it plays at once")));
    let playlist = |rung: &str| first.join(rung).join("playlist.m3u8");
    let worst = likeness(&playlist("720p"), &playlist("lecture/480p"));
    assert!(worst > 30.0, "{worst} dB");
    // The lecture equals that of a run without `--instant`.
    let target = format!("file://{}", text(&plain));
    let ship = ["ship", text(&input), &target, "--ladder", "720,480,360"];
    let shipped = lectern(&[&ship[..], &["--work", text(&work)]].concat());
    assert_eq!(shipped.code, 0, "{shipped:?}");
    let (revision, _) = read_served(&plain).expect("it plays");
    let own = |served: &Path| files(&served.join("v").join(&revision));
    assert!(own(&served) == own(&plain), "the same bytes");
}

#[test]
fn a_killed_run_resumes_with_the_playing_revision() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = recording(root.path(), "lecture.mp4", HEAVY, "1280x720", 16);
    let served = root.path().join("served");
    let target = format!("file://{}", text(&served));
    let work = root.path().join("work");
    let ship = ["ship", text(&input), &target, "--ladder", "720,480,360"];
    let args = [&ship[..], &["--work", text(&work), "--instant", "--json"]].concat();
    assert!(!events(&args, &mut |event| event["event"] != "better"));
    let (first, _) = read_served(&served).expect("it plays");
    assert_eq!(listed(&served).0, ["360p"]);
    let mut seen = vec![];
    let ended = events(&args, &mut |event| {
        let rungs = listed(&served).0;
        assert!(rungs.contains(&"360p".to_owned()), "{rungs:?}");
        if event["event"] == "playable" || event["event"] == "better" {
            assert_eq!(read_served(&served).expect("it plays").0, first);
            seen.push(rungs.len());
        }
        true
    });
    assert!(ended);
    assert_eq!(seen, [1, 2]);
    assert_eq!(listed(&served).0, ["360p", "480p", "720p"]);
    assert_eq!(
        fs::read_dir(served.join("v")).expect("revisions").count(),
        2
    );
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
}

#[test]
fn a_picture_that_begins_late_is_not_copied_since_nothing_would_be_shown_until_then() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = recording(root.path(), "a.mp4", HEAVY, "640x360", 8);
    for (delay, is_copied) in [("0.06", true), ("0.5", false)] {
        let late = root.path().join(format!("late-{delay}.mp4"));
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-itsoffset", delay, "-i"])
            .arg(&input)
            .arg("-i")
            .arg(&input)
            .args(["-map", "0:v", "-map", "1:a", "-c", "copy"])
            .arg(&late)
            .status();
        assert!(made.expect("ffmpeg runs").success());
        let served = root.path().join(delay);
        let target = format!("file://{}", text(&served));
        let work = root.path().join("work");
        let args = [
            "ship",
            text(&late),
            &target,
            "--instant",
            "--work",
            text(&work),
        ];
        let shipped = lectern(&args);
        assert_eq!(shipped.code, 0, "{shipped:?}");
        let last = read_served(&served).expect("it plays").0;
        let folders = fs::read_dir(served.join("v")).expect("revisions");
        let mut folders = folders.map(|entry| entry.expect("an entry").path());
        let first = folders.find(|folder| !folder.ends_with(&last));
        let playlist = first
            .expect("what played at once")
            .join("360p/playlist.m3u8");
        // An encoded rung has frames from the beginning.
        let probed = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "format=start_time",
                "-of",
                "csv=p=0",
            ])
            .arg(&playlist)
            .output();
        let start = String::from_utf8_lossy(&probed.expect("ffprobe runs").stdout).into_owned();
        let start: f64 = start.trim().parse().expect("a number");
        let expected = if is_copied { 0.06 } else { 0.0 };
        // ffprobe counts from the start of decoding, two frames earlier.
        assert!((start - 0.08 - expected).abs() < 0.001, "{delay}: {start}");
    }
}

/// Ships a recording, and returns its target, its folder and its revision.
fn shipped(root: &Path, name: &str, input: &Path) -> (String, PathBuf, String) {
    let served = root.join(name);
    let target = format!("file://{}", text(&served));
    let work = root.join("work");
    let shipped = lectern(&["ship", text(input), &target, "--work", text(&work)]);
    assert_eq!(shipped.code, 0, "{shipped:?}");
    let (revision, _) = read_served(&served).expect("it plays");
    (target, served, revision)
}

fn root_files(served: &Path) -> [Vec<u8>; 2] {
    ["master.m3u8", "manifest.mpd"].map(|name| fs::read(served.join(name)).expect(name))
}

#[test]
fn a_run_that_fails_later_restores_the_lecture_that_played() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (old, new) = (
        clip(root.path(), "640x360", 5),
        recording(root.path(), "new.mp4", HEAVY, "640x360", 9),
    );
    let (target, served, before) = shipped(root.path(), "served", &old);
    let files = root_files(&served);
    // The last object of the new revision cannot be written.
    let (_, _, revision) = shipped(root.path(), "other", &new);
    let blocked = served.join(format!("v/{revision}/package.json"));
    fs::create_dir_all(&blocked).expect("a folder");
    let work = root.path().join("work");
    let ship = [
        "ship",
        text(&new),
        &target,
        "--instant",
        "--work",
        text(&work),
    ];
    let failed = lectern(&ship);
    assert_ne!(failed.code, 0, "{failed:?}");
    assert!(
        failed.stdout.contains("master.m3u8"),
        "it played: {failed:?}"
    );
    let note = format!("revision {before}, which played before, plays again");
    assert!(failed.stderr.contains(&note), "{failed:?}");
    assert!(root_files(&served) == files, "as before");
    let listed = lectern(&["revisions", &target]).stdout;
    let line = listed.lines().find(|line| line.starts_with(&before));
    assert!(line.is_some_and(|line| line.ends_with("plays")), "{listed}");

    // Without the obstacle, the same command publishes.
    fs::remove_dir(&blocked).expect("removed");
    assert_eq!(lectern(&ship).code, 0);
    assert_eq!(read_served(&served).expect("it plays").0, revision);

    // If nothing played before, the provisional lecture stays.
    let empty = root.path().join("empty");
    fs::create_dir_all(empty.join(format!("v/{revision}/package.json"))).expect("a folder");
    let target = format!("file://{}", text(&empty));
    let failed = lectern(&[
        "ship",
        text(&new),
        &target,
        "--instant",
        "--work",
        text(&work),
    ]);
    assert_ne!(failed.code, 0, "{failed:?}");
    assert!(
        failed
            .stderr
            .contains("the provisional lecture still plays"),
        "{failed:?}"
    );
    assert_ne!(read_served(&empty).expect("it plays").0, revision);
}

#[test]
fn an_interrupted_run_restores_the_lecture_that_played() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let old = clip(root.path(), "640x360", 5);
    let new = recording(root.path(), "new.mp4", HEAVY, "1280x720", 16);
    let (target, served, before) = shipped(root.path(), "served", &old);
    let files = root_files(&served);
    let work = root.path().join("work");
    let mut child = command(&["ship", text(&new), &target, "--instant", "--json"])
        .args(["--work", text(&work)])
        .stdout(Stdio::piped())
        .spawn()
        .expect("lectern starts");
    let mut restored = None;
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if event["event"] == "playable" {
            assert_ne!(read_served(&served).expect("it plays").0, before);
            let pid = child.id().to_string();
            let killed = Command::new("kill").args(["-INT", &pid]).status();
            assert!(killed.expect("kill runs").success());
        }
        if event["event"] == "restored" {
            restored = Some(event["revision"].clone());
        }
        assert_ne!(event["event"], "done");
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(restored, Some(Value::from(before)));
    assert!(root_files(&served) == files, "as before");
}

#[test]
fn a_run_that_fails_after_a_killed_one_restores_the_lecture_before_both() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let old = clip(root.path(), "640x360", 5);
    // Its stream is encoded, so that the first run is killed before its end.
    let codecs = ["-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac"];
    let new = recording(root.path(), "new.mkv", &codecs, "1280x720", 40);
    let (target, served, before) = shipped(root.path(), "served", &old);
    let files = root_files(&served);
    // Each run on a machine of its own.
    let [first, second] = ["first", "second"].map(|name| root.path().join(name));
    let ship = ["ship", text(&new), &target, "--instant", "--json", "--work"];
    let args = [&ship[..], &[text(&first)]].concat();
    assert!(!events(&args, &mut |event| event["event"] != "playable"));
    let (killed, is_ended) = read_served(&served).expect("it plays");
    assert!(killed != before && !is_ended);
    let mut child = command(&[&ship[..], &[text(&second)]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("lectern starts");
    let mut restored = None;
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if event["event"] == "playable" {
            assert_ne!(read_served(&served).expect("it plays").0, killed);
            let pid = child.id().to_string();
            let told = Command::new("kill").args(["-INT", &pid]).status();
            assert!(told.expect("kill runs").success());
        }
        if event["event"] == "restored" {
            restored = Some(event["revision"].clone());
        }
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(restored, Some(Value::from(before)));
    assert!(root_files(&served) == files, "as before");
}
