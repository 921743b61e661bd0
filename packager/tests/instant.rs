//! `lectern ship --instant`: something plays within seconds, and the lecture proper follows.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{clip, command, lectern, run, text};
use serde_json::Value;

/// A recording whose sound no player takes as it is, or neither that nor its picture.
fn other(folder: &Path, name: &str, codec: &str) -> PathBuf {
    let out = folder.join(format!("{name}.mkv"));
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-nostdin",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=640x360:r=25:d=9",
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=f=330:r=44100:d=9",
            "-c:v",
            codec,
            "-pix_fmt",
            "yuv420p",
            "-g",
            "50",
            "-c:a",
            "mp3",
        ])
        .arg(&out)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    out
}

/// What a target shows at one moment: that it names only what is there.
fn look(served: &Path) -> Option<(String, bool)> {
    let master = fs::read_to_string(served.join("master.m3u8")).ok()?;
    let playlists = master.lines().filter(|line| line.starts_with("v/"));
    let mut found = None;
    for playlist in playlists {
        let folder = served.join(playlist).parent().expect("a folder").to_owned();
        let listed = fs::read_to_string(served.join(playlist)).expect("what is named is there");
        for segment in listed.lines().filter(|line| line.ends_with(".m4s")) {
            assert!(folder.join(segment).exists(), "{playlist} {segment}");
        }
        assert!(folder.join("init.mp4").exists(), "{playlist}");
        let revision = playlist.split('/').nth(1).expect("a revision").to_owned();
        found = Some((revision, listed.contains("#EXT-X-ENDLIST")));
    }
    found
}

#[test]
fn what_players_take_is_copied_and_what_they_do_not_grows_and_then_the_lecture_plays() {
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
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("lectern starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut first, mut done) = (None, None);
        for line in lines {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let seen = look(&served);
            match event["event"].as_str().expect("an event") {
                "playable" => {
                    assert!(event["seconds"].as_f64().expect("a time") > 0.0);
                    first = Some(seen.expect("it plays").0);
                }
                "done" => done = seen,
                _ => {}
            }
        }
        assert!(child.wait().expect("it ends").success(), "{name}");
        let first = first.expect("it plays before the command is over");
        let (last, is_ended) = done.expect("it plays at the end");
        assert_ne!(first, last, "{name}");
        assert!(is_ended);
        let grown = served.join(format!("v/{first}/{folder}/playlist.m3u8"));
        let grown = fs::read_to_string(grown).expect("it stays for who watches it");
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
        // Again, there is nothing to do, and nothing worse plays meanwhile.
        let again = run(&mut command(&args));
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stdout.contains("already there"), "{again:?}");
        assert!(!again.stdout.contains("playable"), "{again:?}");
        assert_eq!(again.stderr, "");
        assert_eq!(look(&served).expect("it plays").0, last);
        let revisions = lectern(&["revisions", &target]).stdout;
        for (revision, state) in [(&last, "plays"), (&first, "replaced ")] {
            let line = revisions.lines().find(|line| line.starts_with(revision));
            assert!(line.is_some_and(|line| line.contains(state)), "{revisions}");
        }
    }
}
