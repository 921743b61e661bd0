//! The example course app beside the running Worker, as its visitors see it in Chromium.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lectern::link::Use;
use serde_json::{Value, json};

use crate::edge::{Edge, built, root, run};
use crate::media;

/// The app on a port of its own, which ends with this process, however that ends.
struct School {
    supervisor: Child,
    origin: String,
}

impl School {
    fn open(edge: &Edge) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let log = fs::File::create(edge.folder().join("school.log")).expect("a log");
        let supervisor = Command::new("sh")
            .args(["-c", r#""$@" </dev/null & cat >/dev/null; kill -9 -$$"#])
            .args(["school", "puma", "--quiet", "--environment", "production"])
            .args(["--bind", &format!("tcp://{address}")])
            .arg(root().join("examples/course-app/config.ru"))
            .env("LECTERN_KEYS", edge.keys_json())
            .env("LECTERN_EDGE", &edge.origin)
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
                started.elapsed() < Duration::from_secs(30),
                "the app did not start; is all installed (make .tools/course.ok)?\n{}",
                said(edge)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn visited(&self, folder: &Path, arguments: &[&str]) -> Value {
        let printed = run(Command::new(built("node_modules/node/bin/node"))
            .arg(root().join("tests/browser/course.mjs"))
            .arg(&self.origin)
            .arg(folder)
            .args(arguments));
        serde_json::from_str(&printed).expect("JSON")
    }
}

impl Drop for School {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// What the app has written on its terminal.
fn said(edge: &Edge) -> String {
    fs::read_to_string(edge.folder().join("school.log")).unwrap_or_default()
}

#[test]
fn the_course_app_is_used_from_login_to_the_last_frame_and_says_each_refusal_in_words() {
    let edge = Edge::for_bodies_of(8 << 20);
    edge.publish(media::package(), "/courses/rails/intro/");
    edge.publish(media::package(), "/courses/rails/models/");
    let school = School::open(&edge);
    let folder = tempfile::TempDir::new().expect("a folder");
    let seen = school.visited(folder.path(), &[]);
    let shown = format!("{seen:#}\n{}\n{}", said(&edge), edge.log());
    assert_eq!(seen["errors"], json!([]), "{shown}");

    // A preview ends where it is cut, and has one size.
    assert_eq!(seen["previewListed"], json!([480]), "{shown}");
    assert_plays(&seen["preview"], 8.0, &shown);
    assert_eq!(seen["preview"]["asked"], json!([480]), "{shown}");
    assert_eq!(seen["lessonListed"], json!([480, 720, 1080]), "{shown}");
    assert_plays(&seen["lesson"], media::SECONDS, &shown);
    assert_eq!(seen["trialListed"], json!([480]), "{shown}");
    assert_eq!(seen["trial"]["how"], "enough", "{shown}");
    assert_eq!(seen["trial"]["videoHeight"], 480, "{shown}");
    assert_eq!(seen["trial"]["asked"], json!([480]), "{shown}");

    assert_eq!(seen["download"], "lecture.mp4", "{shown}");
    let taken_home = folder.path().join("taken-home.mp4");
    let seconds = media::duration(taken_home.to_str().expect("UTF-8"));
    assert!((seconds - media::SECONDS).abs() < 0.2, "{seconds} s");

    assert_eq!(seen["handedIn"]["said"], "my talk.mp4 has arrived.");
    let path = seen["handedIn"]["path"].as_str().expect("a path");
    assert!(
        path.starts_with("/uploads/u1/") && path.ends_with("/my-talk.mp4"),
        "{path}"
    );
    let stored = edge.get(&format!(
        "{path}?as=stored&token={}",
        edge.token(path, Use::Admin)
    ));
    assert_eq!(stored.text(), "a small recording");

    let expected = json!({
        "withoutLogin": "Log in to watch “Models, and what they are not”.",
        "wrongPassword": "Name or password is wrong.",
        "wrongType": "Recordings only: mp4, mov, webm, mkv.",
        "tooLarge": "The file is too large: 100 MiB at most.",
        "tooLargeForTheEdge": "The file is too large for the video server.",
        "expired": "This link has expired. Open the lecture from the course again.",
        "no_variant": "This lecture has no version that this link opens.",
        "forbidden": "This link does not open this.",
        "trialAsksForMore": "A trial account plays up to 480 lines. 1080 lines need a full account.",
        "trialTakesHome": "A trial account watches here. Taking a lecture home needs a full account.",
    });
    assert_eq!(seen["refused"], expected, "{shown}");

    drop(edge);
    let sentence = "The video server cannot be reached. Try again in a moment.";
    let expected = json!({
        "preview": sentence, "lesson": sentence, "download": sentence, "upload": sentence, "errors": [],
    });
    assert_eq!(school.visited(folder.path(), &["down"]), expected);
}

/// That it ended after so many seconds, with the pictures of all of them.
fn assert_plays(played: &Value, seconds: f64, shown: &str) {
    assert_eq!(played["how"], "ended", "{shown}");
    let reached = played["currentTime"].as_f64().expect("a number");
    assert!((reached - seconds).abs() < 0.2, "{shown}");
    // 30 frames a second; a browser without a GPU may skip some at the start.
    let frames = played["frames"].as_f64().expect("a number");
    assert!(frames > 25.0 * seconds, "{shown}");
}

#[test]
fn who_follows_the_guide_from_an_empty_folder_has_a_playing_embed() {
    let edge = Edge::start();
    edge.publish(media::package(), "/courses/rails/intro/");
    let folder = tempfile::TempDir::new().expect("a folder");
    let node = built("node_modules/node/bin");
    let node = node.to_str().expect("UTF-8");
    let printed = run(Command::new(built("node_modules/node/bin/node"))
        .arg(root().join("tests/browser/first-embed.mjs"))
        .arg(&edge.origin)
        .arg(folder.path())
        // Debian's Node is older than the guide asks for.
        .env(
            "PATH",
            format!("{node}:{}", std::env::var("PATH").unwrap_or_default()),
        )
        .env("LECTERN_KEYS", edge.keys_json()));
    let seen: Value = serde_json::from_str(&printed).expect("JSON");
    for language in ["Ruby", "Node"] {
        let shown = format!("{seen:#}\n{}", edge.log());
        assert_plays(&seen[language], media::SECONDS, &shown);
        // The edge's key, and the one that the SDK mints with.
        let printed = seen[language]["printed"].as_str().expect("a text");
        assert!(printed.contains(r#""keys":["e2e"]"#), "{shown}");
        let (_, ids) = printed.split_once('}').expect("the edge's answer");
        assert!(ids.contains("e2e"), "{shown}");
    }
}
