//! Publishing through the edge, and its effect on current viewers.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lectern::credential::claims::Purpose;
use serde_json::Value;

use super::browser::{play_elsewhere, viewers};
use super::edge::Edge;
use super::{LECTURE, MASTER, media};
use testkit::process::{Run, run};
use testkit::recording::make;
use testkit::target_suite::{SuiteTarget, suite};

/// Viewers of one lecture.
const CLASS: usize = 20;

fn lectern(edge: &Edge, args: &[&str]) -> Run {
    run(edge.lectern().args(args))
}

#[test]
fn the_edge_does_all_that_a_target_does() {
    let edge = Edge::start();
    let (_kept, other) = media::packaged(1, &["--ladder", "240", "--crf", "36"]);
    let packages: [PathBuf; 2] = [media::package().to_owned(), other];
    let token = edge.token(LECTURE, Purpose::Admin);
    let url = |path: &str, more: &str| format!("{LECTURE}{path}?token={token}{more}");
    let access = SuiteTarget {
        target: format!("{}{LECTURE}", edge.origin),
        run: &|args| lectern(&edge, args),
        read: &|path| {
            let reply = edge.get(&url(path, "&as=stored"));
            (reply.status == 200).then_some(reply.body)
        },
        damage: &|path, bytes| {
            let (method, body) = bytes.map_or(("DELETE", &[][..]), |bytes| ("PUT", bytes));
            let reply = edge.send(method, &url(path, ""), &[], body);
            assert!(reply.status < 300, "{}", reply.verdict());
        },
    };
    suite(&packages, &access);
}

#[test]
fn ship_ends_with_a_link_and_a_page_that_open() {
    let edge = Edge::start();
    let folder = tempfile::TempDir::new().expect("a folder");
    let input = recording(
        folder.path(),
        "lecture.mp4",
        ["320x240", "2"],
        &["-c:v", "libx264", "-c:a", "aac"],
    );
    let input = input.to_str().expect("UTF-8");
    let target = format!("edge:{LECTURE}");
    let ship = ["ship", input, &target, "--preset", "ultrafast"];
    let with_edge = |command: &mut Command| run(command.env("LECTERN_EDGE", &edge.origin));
    for _again in [false, true] {
        let shipped = with_edge(edge.lectern().args(ship));
        assert_eq!(shipped.code, 0, "{shipped:?}");
        let link = shipped.stdout.trim().strip_prefix(&*edge.origin);
        let link = link.unwrap_or_else(|| panic!("{shipped:?}"));
        assert!(
            edge.get(link).text().contains("#EXT-X-STREAM-INF"),
            "{link}"
        );
        let last = shipped.stderr.lines().last().expect("a line");
        let page = last.split(' ').next_back().expect("a word");
        let (page, fragment) = page.split_once('#').expect("a fragment");
        assert_eq!(fragment, link);
        let page = page.strip_prefix(&*edge.origin).expect("at the edge");
        assert!(edge.get(page).text().contains("<lectern-video"), "{page}");
    }
}

#[test]
fn an_edge_lists_takes_and_loses_files_and_lectures() {
    let edge = Edge::start();
    let (_kept, package) = media::packaged(1, &["--ladder", "240", "--no-mp4"]);
    edge.publish(&package, LECTURE);
    let folder = tempfile::TempDir::new().expect("a folder");
    let talk = folder.path().join("talk.mov");
    // Larger than one request.
    let bytes = vec![7; (64 << 20) + 5];
    fs::write(&talk, &bytes).expect("a file");
    let talk = talk.to_str().expect("UTF-8");
    let all = |path: &str| format!("{}{path}", edge.origin);
    let upload = ["upload", talk, &all("/courses/uploads/")];
    let first = lectern(&edge, &upload);
    assert_eq!(
        first.stdout.trim(),
        all("/courses/uploads/talk.mov"),
        "{first:?}"
    );
    let again = lectern(&edge, &upload);
    assert!(again.stderr.contains("already there"), "{again:?}");
    let paths = || {
        let run = lectern(&edge, &["ls", &all("/courses/"), "--json"]);
        let rows: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
        let path = |row: &Value| row["path"].as_str().expect("a path").to_owned();
        rows.iter().map(path).collect::<Vec<_>>()
    };
    let lecture = LECTURE.strip_prefix("/courses/").expect("a course");
    assert_eq!(paths(), [lecture, "uploads/talk.mov"]);
    let removed = lectern(&edge, &["rm", &all(LECTURE), "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(paths(), ["uploads/talk.mov"]);
    assert_eq!(
        edge.get(&edge.link(MASTER)[edge.origin.len()..]).status,
        404
    );
    let removed = lectern(&edge, &["rm", &all("/courses/uploads/talk.mov"), "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(paths(), [""; 0]);
}

/// The viewers of a lecture, after all have begun.
struct Class(Child, BufReader<std::process::ChildStdout>);

impl Class {
    fn begin(count: usize, link: &str) -> Self {
        let mut child = viewers(count, link)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "begun");
        Self(child, output)
    }

    fn ends(mut self) -> Vec<Value> {
        let mut told = String::new();
        self.1.read_to_string(&mut told).expect("their reports");
        assert!(self.0.wait().expect("node ends").success());
        serde_json::from_str(&told).expect("JSON")
    }
}

#[test]
fn a_class_that_watches_while_a_lecture_is_replaced_and_pruned_notices_nothing() {
    let edge = Edge::start();
    let (_first, old) = media::packaged(1, &["--ladder", "240", "--no-mp4"]);
    let (_second, new) = media::packaged(1, &["--ladder", "240", "--no-mp4", "--crf", "36"]);
    edge.publish(&old, LECTURE);
    let class = Class::begin(CLASS, &edge.link(MASTER));
    edge.publish(&new, LECTURE);
    let target = format!("{}{LECTURE}", edge.origin);
    let pruned = lectern(&edge, &["prune", &target, "--keep", "1"]);
    assert_eq!(pruned.code, 0, "{pruned:?}");
    assert_eq!(pruned.stdout.trim(), "", "what is watched stays");
    let all = class.ends();
    assert_eq!(all.len(), CLASS);
    for viewer in all {
        assert_eq!(viewer["how"], "ended", "{viewer:#}\n{}", edge.log());
        assert_eq!(viewer["errors"], serde_json::json!([]), "{viewer:#}");
        assert_eq!(viewer["stalls"], 0, "{viewer:#}");
    }
}

/// A recording of this size and duration.
fn recording(folder: &Path, name: &str, [size, seconds]: [&str; 2], codecs: &[&str]) -> PathBuf {
    let inputs = [
        format!("testsrc2=s={size}:r=25:d={seconds}"),
        format!("sine=f=330:r=44100:d={seconds}"),
    ];
    make(folder, name, &inputs, &codecs.join(" "))
}

#[test]
fn early_viewers_see_the_whole_lecture_and_later_ones_see_it_in_better_quality() {
    let edge = Edge::start();
    let folder = tempfile::TempDir::new().expect("a folder");
    // Codecs that no browser plays.
    let codecs = ["-c:v", "mpeg4", "-q:v", "6", "-c:a", "mp3"];
    let input = recording(folder.path(), "screen.mkv", ["1920x1080", "20"], &codecs);
    let target = format!("{}{LECTURE}", edge.origin);
    let mut ship = edge
        .lectern()
        .args([
            "ship",
            "--instant",
            "--json",
            "--ladder",
            "1080,720,480",
            "--work",
        ])
        .arg(folder.path().join("work"))
        .arg(&input)
        .arg(&target)
        .stdout(Stdio::piped())
        .spawn()
        .expect("lectern starts");
    let mut events = BufReader::new(ship.stdout.take().expect("its output")).lines();
    let mut until = |name: &str| {
        let found = events.by_ref().any(|line| {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            event["event"] == name
        });
        assert!(found, "{name}");
    };
    until("playable");
    let first = Class::begin(1, &edge.link(MASTER));
    until("better");
    let second = Class::begin(1, &edge.link(MASTER));
    let heights = |class: Class| {
        let viewer = class.ends().swap_remove(0);
        assert_eq!(viewer["how"], "ended", "{viewer:#}\n{}", edge.log());
        assert_eq!(viewer["errors"], serde_json::json!([]), "{viewer:#}");
        let reached = viewer["reached"].as_f64().expect("a time");
        assert!((reached - 20.0).abs() < 0.3, "{viewer:#}");
        viewer["heights"].clone()
    };
    assert_eq!(heights(first), serde_json::json!([480]));
    let better = heights(second);
    let better: Vec<u64> = serde_json::from_value(better).expect("numbers");
    assert_eq!(better.iter().max(), Some(&720), "{better:?}");
    events.for_each(drop);
    assert!(ship.wait().expect("it ends").success());
    let master = edge.get(&format!(
        "{MASTER}?token={}",
        edge.token(MASTER, Purpose::Play)
    ));
    assert!(
        master.text().contains("RESOLUTION=1920x1080"),
        "{}",
        master.text()
    );
}

#[test]
fn a_provisional_lecture_plays_in_other_players() {
    let edge = Edge::start();
    let folder = tempfile::TempDir::new().expect("a folder");
    // A stream that is copied, and exceeds the bitrate of a 720p rung.
    let codecs = "-c:v libx264 -preset superfast -g 60 -qp 14 -pix_fmt yuv420p -c:a aac";
    let codecs: Vec<&str> = codecs.split(' ').collect();
    let input = recording(folder.path(), "lecture.mp4", ["1280x720", "24"], &codecs);
    let mut ship = edge
        .lectern()
        .args(["ship", "--instant", "--json", "--ladder", "720,480,360"])
        .arg("--work")
        .arg(folder.path().join("work"))
        .arg(&input)
        .arg(format!("{}{LECTURE}", edge.origin))
        .stdout(Stdio::piped())
        .spawn()
        .expect("lectern starts");
    let output = BufReader::new(ship.stdout.take().expect("its output"));
    let is_better = |line: &String| line.contains("\"event\":\"better\"");
    let better = output.lines().map_while(Result::ok).filter(is_better);
    assert_eq!(better.take(2).count(), 2);
    // Two rungs of the lecture with the recording's own audio, so far.
    ship.kill().expect("it is killed");
    ship.wait().expect("it ends");
    let link = edge.link(MASTER);
    let players = ["hlsjs", "shaka", "native", "hlsjs", "shaka", "native"];
    let all = play_elsewhere(&players.map(|player| (player, &link)));
    for (player, played) in players.iter().zip(all) {
        assert_eq!(
            played["how"],
            "ended",
            "{player}: {played:#}\n{}",
            edge.log()
        );
        assert_eq!(
            played["errors"],
            serde_json::json!([]),
            "{player}: {played:#}"
        );
        assert_eq!(
            played["refused"],
            serde_json::json!([]),
            "{player}: {played:#}"
        );
        let reached = played["currentTime"].as_f64().expect("a time");
        assert!((reached - 24.0).abs() < 0.3, "{player}: {played:#}");
    }
}
