//! The example course app beside the running Worker, as visitors see it in Chromium.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::process::{PATIENCE, succeed};
use testkit::{recording, root};

use lectern::credential::binding::Binding;
use lectern::credential::claims::Purpose;
use lectern::credential::pass::{Minter, PassKind};
use lectern::object::key::ObjectKey;
use serde_json::{Value, json};

use crate::edge::{Edge, built, now};
use crate::media::{self, Playlist};

/// The app on its own port. It ends with this process in any case.
struct School {
    supervisor: Child,
    origin: String,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

impl School {
    /// Starts the app for the edge at this address.
    fn open(edge: &Edge, origin: &str) -> Self {
        let address = free_address();
        let log = fs::File::create(edge.folder().join("school.log")).expect("a log");
        let supervisor = Command::new("sh")
            .args(["-c", r#""$@" </dev/null & cat >/dev/null; kill -9 -$$"#])
            .args(["school", "puma", "--quiet", "--environment", "production"])
            .args(["--bind", &format!("tcp://{address}")])
            .arg(root().join("examples/course-app/config.ru"))
            .env("LECTERN_KEYS", edge.keys_json())
            .env("LECTERN_EDGE", origin)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let school = Self {
            supervisor,
            origin: format!("http://{address}"),
        };
        school.wait(edge);
        school
    }

    fn wait(&self, edge: &Edge) {
        let started = Instant::now();
        while ureq::get(&self.origin).call().is_err() {
            assert!(
                started.elapsed() < PATIENCE,
                "the app did not start; is all installed (make .tools/course.ok)?\n{}",
                app_output(edge)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn visited(&self, folder: &Path, how: Option<&str>, env: &[(&str, &str)]) -> Value {
        let printed = succeed(
            Command::new(built("node_modules/node/bin/node"))
                .arg(root().join("tests/browser/course.mjs"))
                .arg(&self.origin)
                .arg(folder)
                .args(how)
                .envs(env.iter().copied()),
        );
        serde_json::from_str(&printed).expect("JSON")
    }
}

impl Drop for School {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// The app's output.
fn app_output(edge: &Edge) -> String {
    fs::read_to_string(edge.folder().join("school.log")).unwrap_or_default()
}

#[test]
fn the_course_app_is_used_from_login_to_the_last_frame_and_says_each_refusal_in_words() {
    let edge = Edge::for_bodies_of(8 << 20);
    edge.publish(media::package(), "/courses/rails/intro/");
    edge.publish(media::package(), "/courses/rails/models/");
    edge.publish(media::package(), "/samples/lecture/");
    let wire = free_address();
    let school = School::open(&edge, &format!("http://{wire}"));
    broadcast(&edge);
    let folder = tempfile::TempDir::new().expect("a folder");
    recording::clip(folder.path(), "320x180", 4);
    let command = built("target/debug/lectern");
    let passes = expired_passes(&edge, "/courses/rails/models/").to_string();
    let env = [
        ("LECTERN_KEYS", edge.keys_json()),
        ("EXPIRED_PASSES", &passes),
        ("LECTERN", command.to_str().expect("UTF-8")),
        ("WIRE", &format!("{} {}", wire.port(), edge.origin)),
    ];
    let seen = school.visited(folder.path(), None, &env);
    let shown = format!("{seen:#}\n{}\n{}", app_output(&edge), edge.log());
    assert_eq!(seen["errors"], json!([]), "{shown}");

    // A preview ends at its cut and has one rung.
    assert_eq!(seen["previewListed"], json!([480]), "{shown}");
    assert_plays(&seen["preview"], 8.0, &shown);
    assert_eq!(seen["preview"]["asked"], json!([480]), "{shown}");
    assert_eq!(seen["lessonListed"], json!([480, 720, 1080]), "{shown}");
    assert_plays(&seen["lesson"], media::SECONDS, &shown);
    assert_eq!(seen["trialListed"], json!([480]), "{shown}");
    assert_eq!(seen["trial"]["how"], "enough", "{shown}");
    assert_eq!(seen["trial"]["videoHeight"], 480, "{shown}");
    assert_eq!(seen["trial"]["asked"], json!([480]), "{shown}");

    assert_eq!(seen["download"], "models.mp4", "{shown}");
    let taken_home = folder.path().join("taken-home.mp4");
    let seconds = media::duration(taken_home.to_str().expect("UTF-8"));
    assert!((seconds - media::SECONDS).abs() < 0.2, "{seconds} s");

    assert_eq!(seen["submitted"]["said"], "my talk.mp4 was submitted.");
    let path = seen["submitted"]["path"].as_str().expect("a path");
    assert!(
        path.starts_with("/uploads/u1/") && path.ends_with("/my-talk.mp4"),
        "{path}"
    );
    let stored = edge.get(&format!(
        "{path}?as=stored&token={}",
        edge.token(path, Purpose::Admin)
    ));
    assert_eq!(stored.text(), "a small recording");

    let expected = json!({
        "withoutLogin": "Log in to watch “Models and the database”.",
        "wrongPassword": "Wrong name or password.",
        "wrongType": "This file is not a recording. Choose one of these types: mp4, mov, webm, mkv.",
        "tooLarge": "This file is too large. Choose one of up to 100 MiB.",
        "tooLargeForTheEdge": "The file is too large for the video server.",
        "tooLate": "This page was open for too long. Reload it and submit again.",
        "brokenOff": "The upload stopped at N %. Nothing was stored: submit it again.",
        "missing_token": "A link is needed to open this.",
        "expired": "This link has expired. Open the lecture from the course again.",
        "not_yet": "This link does not open this.",
        "forbidden": "This link does not open this.",
        "tampered": "This link does not open this.",
        "not_found": "There is nothing here.",
        "no_variant": "This lecture has no version that this link opens.",
        "no_preview": "This lecture cannot be shown in part.",
        "opensLater": "“Background jobs” opens on 1 January 2030.",
        "trialAsksForMore": "Your trial account plays up to 480p. A full account plays 1080p.",
        "teaches": "Only teachers submit and record lectures.",
        "trialDownloads": "Your trial account plays lectures here. A full account downloads them.",
    });
    assert_eq!(seen["refused"], expected, "{shown}");
    let expected = json!({
        "before": "The lecture has not begun yet.",
        "live": "The lecture plays while it is recorded. \
                 Its sizes for slow lines follow after its end.",
        "how": "enough",
        "isCopied": true,
    });
    assert_eq!(seen["recorded"], expected, "{shown}");
    let expected = json!({
        "stored": "The recording is stored, and waits to be packaged.",
        "ready": "The lecture is ready, in up to 180p.",
        "how": "ended",
    });
    assert_eq!(seen["submittedLecture"], expected, "{shown}");
    // Interrupted and late uploads leave nothing.
    let uploads = format!(
        "/uploads/u1/?as=list&token={}",
        edge.token("/uploads/u1/", Purpose::Admin)
    );
    let listed = edge.get(&uploads).json();
    let keys: Vec<&str> = listed["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|object| object["key"].as_str()?.split('/').next_back())
        .collect();
    assert_eq!(keys, ["my-talk.mp4", "again.mp4"], "{listed:#}");

    let expired = &seen["expiredInPlay"];
    let sentence = "This link has expired. Open the lecture from the course again.";
    assert_eq!(expired["sentence"], sentence, "{shown}");
    assert!(expired["reached"].as_f64() > Some(0.0), "{shown}");
    let sentence = "Too many refused requests. Try again in a minute.";
    assert_eq!(seen["tried"]["sentence"], sentence, "{shown}");
    assert_eq!(seen["tried"]["lesson"]["how"], "enough", "{shown}");

    drop(edge);
    let sentence = "The video server cannot be reached. Try again in a moment.";
    let expected = json!({
        "preview": sentence, "lesson": sentence, "download": sentence, "upload": sentence, "errors": [],
    });
    assert_eq!(school.visited(folder.path(), Some("down"), &[]), expected);
}

/// The playlists of a running broadcast, as `make course-app` stores them.
fn broadcast(edge: &Edge) {
    let folder = "/samples/broadcast/";
    let token = edge.token(folder, Purpose::Upload);
    for name in ["480p.m3u8", "master.m3u8"] {
        let playlist = root().join("examples/course-app/broadcast").join(name);
        let playlist = fs::read(playlist).expect("a playlist");
        let put = edge.send(
            "PUT",
            &format!("{folder}{name}?token={token}"),
            &[],
            &playlist,
        );
        assert!(matches!(put.status, 200 | 201), "{name}");
    }
}

/// Expired passes for every segment of a lecture except the first ones.
fn expired_passes(edge: &Edge, folder: &str) -> Value {
    let token = edge.token(folder, Purpose::Play);
    let master = Playlist::open(edge, &format!("{folder}master.m3u8?token={token}"));
    let objects = master
        .listed()
        .into_iter()
        .flat_map(|playlist| Playlist::open(edge, &playlist).listed());
    let mut passes = serde_json::Map::new();
    for object in objects {
        let (path, _) = object.split_once('?').expect("a pass");
        if !path.contains("/seg") || path.contains("/seg00000") {
            continue;
        }
        let key = ObjectKey::from_url_path(path).expect("an object key");
        let (directory, name) = key.split();
        let mut pass = Vec::new();
        Minter::new(edge.keys.minting(), now() - 60, Binding::default()).mint(
            PassKind::Object,
            directory,
            name,
            &mut pass,
        );
        let pass = String::from_utf8(pass).expect("ASCII");
        passes.insert(path.to_owned(), pass.into());
    }
    passes.into()
}

#[test]
fn a_visitor_is_told_that_the_storage_does_not_answer_and_watches_when_it_does() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), "/courses/rails/intro/");
    let school = School::open(&edge, &edge.origin);
    let folder = tempfile::TempDir::new().expect("a folder");
    let seen = school.visited(folder.path(), Some("ill"), &[]);
    let shown = format!("{seen:#}\n{}\n{}", app_output(&edge), edge.log());
    let sentence = "The storage does not answer. Try again in a moment.";
    assert_eq!(seen["preview"], sentence, "{shown}");
    assert_eq!(seen["after"]["how"], "enough", "{shown}");
    assert_eq!(seen["errors"], json!([]), "{shown}");
}

/// Asserts that playback ended after `seconds`, with the frames of all of them.
fn assert_plays(played: &Value, seconds: f64, shown: &str) {
    assert_eq!(played["how"], "ended", "{shown}");
    let reached = played["currentTime"].as_f64().expect("a number");
    assert!((reached - seconds).abs() < 0.2, "{shown}");
    // 30 frames a second; a browser without a GPU may skip some at the start.
    let frames = played["frames"].as_f64().expect("a number");
    assert!(frames > 25.0 * seconds, "{shown}");
}

#[test]
fn the_first_embed_guide_leads_to_a_playing_embed() {
    let edge = Edge::start();
    edge.publish(media::package(), "/courses/rails/intro/");
    let folder = tempfile::TempDir::new().expect("a folder");
    let node = built("node_modules/node/bin");
    let node = node.to_str().expect("UTF-8");
    let printed = succeed(
        Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/first-embed.mjs"))
            .arg(&edge.origin)
            .arg(folder.path())
            // Debian's Node is older than the guide requires.
            .env(
                "PATH",
                format!("{node}:{}", std::env::var("PATH").unwrap_or_default()),
            )
            .env("LECTERN_KEYS", edge.keys_json()),
    );
    let seen: Value = serde_json::from_str(&printed).expect("JSON");
    for language in ["Ruby", "Node"] {
        let shown = format!("{seen:#}\n{}", edge.log());
        assert_plays(&seen[language], media::SECONDS, &shown);
        // The edge's key, and the SDK's.
        let printed = seen[language]["printed"].as_str().expect("a text");
        assert!(printed.contains(r#""keys":["e2e"]"#), "{shown}");
        let (_, ids) = printed.split_once('}').expect("the edge's answer");
        assert!(ids.contains("e2e"), "{shown}");
        // The output is that of the guide's table.
        let guide = include_str!("../../docs/first-embed.md");
        for (stumble, sentence) in [
            ("otherKeys", "This link does not open this."),
            ("nothing", "There is nothing here."),
        ] {
            assert_eq!(seen[language][stumble], sentence, "{shown}");
            assert!(guide.contains(&format!("| in the frame, \"{sentence}\" |")));
        }
    }
}
