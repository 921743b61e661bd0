//! Unusual recordings play to their end without an error or a refusal in hls.js, Shaka Player (HLS
//! and DASH), dash.js, and in Chromium's own player, as HLS and as `lecture.mp4`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use testkit::process::succeed;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::edge::{Edge, lectern};
use crate::{browser, media};
use testkit::oddities;
use testkit::recording::make;
use testkit::root;

/// The opened file, and the player.
const MASTER: &str = "master.m3u8";
const MPD: &str = "manifest.mpd";
const MP4: &str = "lecture.mp4";
const PLAYERS: [(&str, &str); 6] = [
    ("hlsjs", MASTER),
    ("shaka", MASTER),
    ("native", MASTER),
    ("shaka", MPD),
    ("dashjs", MPD),
    ("native-seek", MP4),
];

/// A published package, and its expected properties.
struct PublishedLecture {
    name: String,
    revision: String,
    seconds: f64,
    has_picture: bool,
}

/// Packages and publishes a recording. Returns `None` if it is refused, as the manual says.
fn lecture(edge: &Edge, root: &Path, input: &Path, arguments: &[&str]) -> Option<PublishedLecture> {
    let name = input.file_name().expect("a name").to_string_lossy();
    let out = root.join(format!("{name}.out"));
    let output = lectern()
        .args(["package", "--preset", "ultrafast", "-o"])
        .args([&out, input])
        .args(arguments)
        .output()
        .expect("lectern starts");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) {
        assert!(said.contains("\n\nhint: "), "{name}: {said}");
        return None;
    }
    assert!(output.status.success(), "{name}: {said}");
    succeed(lectern().arg("check").arg(&out));
    media::decode(out.join(MASTER).to_str().expect("UTF-8"));
    edge.publish(&out, &format!("/{name}/"));
    let mut revisions = fs::read_dir(out.join("v")).expect("a revision");
    let revision = revisions.next().expect("one").expect("an entry");
    let facts = fs::read(revision.path().join("package.json")).expect("package.json");
    let facts: Value = serde_json::from_slice(&facts).expect("JSON");
    let renditions = facts["renditions"].as_array().expect("a list");
    let lecture = PublishedLecture {
        name: name.into_owned(),
        revision: revision.file_name().to_string_lossy().into_owned(),
        seconds: facts["duration"].as_f64().expect("a number"),
        has_picture: renditions.iter().any(|one| !one["picture"].is_null()),
    };
    fs::remove_dir_all(&out).expect("removed");
    Some(lecture)
}

impl PublishedLecture {
    fn link(&self, edge: &Edge, object: &str) -> String {
        let Self { name, revision, .. } = self;
        match object {
            MP4 => edge.link(&format!("/{name}/v/{revision}/{MP4}")),
            _ => edge.link(&format!("/{name}/{object}")),
        }
    }

    /// Returns whether it played as expected.
    fn is_fine(&self, player: &str, played: &Value) -> bool {
        let number = |name: &str| played[name].as_f64().unwrap_or(f64::NAN);
        played["how"] == "ended"
            && played["errors"] == json!([])
            && played["refused"] == json!([])
            && (number("currentTime") - self.seconds).abs() < 0.2
            && (number("frames") > 0.0) == self.has_picture
            && (player != "native-seek" || number("seeks") >= 1.0 && number("partial") >= 1.0)
    }
}

/// Plays each lecture in each of these players. Returns the results.
fn play_all(edge: &Edge, lectures: &[PublishedLecture], players: &[(&str, &str)]) -> Vec<Value> {
    let mut plays = vec![];
    for lecture in lectures {
        for (player, object) in players {
            plays.push((lecture, *player, *object, lecture.link(edge, object)));
        }
    }
    let links: Vec<(&str, &String)> = (plays.iter())
        .map(|(_, player, _, link)| (*player, link))
        .collect();
    let all = browser::play_elsewhere(&links);
    assert_eq!(all.len(), plays.len());
    let failed: Vec<String> = (plays.iter().zip(&all))
        .filter(|((lecture, player, ..), played)| !lecture.is_fine(player, played))
        .map(|((lecture, player, object, _), played)| {
            format!(
                "{} s of {} in {player}, {object}: {played:#}",
                lecture.seconds, lecture.name
            )
        })
        .collect();
    assert!(failed.is_empty(), "{}\n{}", failed.join("\n"), edge.log());
    all
}

#[test]
fn every_odd_recording_plays_to_the_end_in_every_player() {
    let root = TempDir::new().expect("a folder");
    let edge = Edge::start();
    let lectures: Vec<PublishedLecture> = oddities::ALL
        .iter()
        .map(|oddity| {
            let input = oddity.make(root.path());
            let lecture = lecture(&edge, root.path(), &input, &[]).expect("no refusal");
            let lasts = lecture.seconds;
            assert!(
                (lasts - oddity.seconds).abs() < 0.2,
                "{}: {lasts} s",
                oddity.name
            );
            assert_eq!(lecture.has_picture, !oddity.renditions.starts_with("audio"));
            lecture
        })
        .collect();
    play_all(&edge, &lectures, &PLAYERS);
}

#[test]
fn every_real_recording_plays_to_the_end_in_every_player_or_is_refused() {
    let clips = std::env::var_os("LECTERN_CLIPS")
        .map_or_else(|| root().join("../shared/clips"), PathBuf::from);
    let Ok(entries) = fs::read_dir(&clips) else {
        // `println!` is visible only if a test fails.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {} is not there (set LECTERN_CLIPS)",
            clips.display()
        );
        return;
    };
    let root = TempDir::new().expect("a folder");
    let edge = Edge::start();
    let mut lectures = vec![];
    let mut refused = vec![];
    for entry in entries {
        let input = entry.expect("an entry").path();
        if input.extension().is_some_and(|kind| kind == "md") {
            continue;
        }
        match lecture(&edge, root.path(), &input, &["--ladder", "mobile"]) {
            Some(lecture) => lectures.push(lecture),
            None => refused.push(input.file_name().expect("a name").to_owned()),
        }
    }
    assert_eq!(refused, ["one-pixel-444-1fps.mp4"]);
    play_all(&edge, &lectures, &PLAYERS);
}

#[test]
fn transport_streams_and_sound_beside_pictures_play_to_the_end_in_every_player() {
    let root = TempDir::new().expect("a folder");
    let edge = Edge::start();
    let pictures = ["testsrc2=s=854x480:r=25:d=5", "sine=d=5"];
    let options = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";
    let of = |name: &str, arguments: &[&str]| {
        let input = make(root.path(), name, &pictures, options);
        lecture(&edge, root.path(), &input, arguments).expect("no refusal")
    };
    let old = of("old.mp4", &["--container", "ts", "--ladder", "480,240"]);
    let by_hls = [("hlsjs", MASTER), ("shaka", MASTER), ("native", MASTER)];
    play_all(&edge, &[old], &by_hls);
    let thin = of("thin.mp4", &["--audio-only-variant", "--ladder", "480,240"]);
    play_all(&edge, &[thin], &PLAYERS);
}

#[test]
fn captions_languages_and_another_codec_are_there_in_every_player() {
    let root = TempDir::new().expect("a folder");
    let edge = Edge::start();
    let input = make(
        root.path(),
        "everything.mkv",
        &["testsrc2=s=854x480:r=25:d=3", "sine=d=3", "sine=f=880:d=3"],
        "-map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac \
         -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu",
    );
    let captions = root.path().join("talk.srt");
    fs::write(&captions, "1\n00:00:00,500 --> 00:00:02,000\nWelcome.\n").expect("written");
    let captions = format!("fr={}", captions.display());
    let arguments = [
        "--codec",
        "av1",
        "--ladder",
        "480,240",
        "--captions",
        &captions,
    ];
    let lecture = lecture(&edge, root.path(), &input, &arguments).expect("no refusal");
    let players = [
        ("hlsjs", MASTER),
        ("hlsjs-av1-de", MASTER),
        ("shaka", MASTER),
        ("shaka-av1-de", MASTER),
        ("shaka", MPD),
        ("shaka-av1-de", MPD),
        ("dashjs", MPD),
        ("dashjs-av1-de", MPD),
        ("native", MASTER),
        ("native-seek", MP4),
    ];
    let all = play_all(&edge, &[lecture], &players);
    for ((player, object), played) in players.iter().zip(&all) {
        // The player reports no choice and shows no captions.
        if player.starts_with("native") {
            continue;
        }
        let shown = format!("{player}, {object}: {played:#}");
        assert_eq!(played["audio"], json!(["en", "de"]), "{shown}");
        assert_eq!(played["text"], json!(["fr"]), "{shown}");
        assert_eq!(played["heights"], json!([240, 480]), "{shown}");
        assert_eq!(played["cues"], json!(["Welcome."]), "{shown}");
        if player.ends_with("-av1-de") {
            let codec = played["codec"].as_str().expect("a codec");
            assert!(codec.starts_with("av01"), "{shown}");
            assert_eq!(played["language"], "de", "{shown}");
        }
    }
}
