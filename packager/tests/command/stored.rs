//! `lectern ls`, `rm` and `upload`, and the notations of places: in a folder, and in a real S3
//! server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bucket::S3Bucket;
use crate::common::{command, lectern, packaged};
use serde_json::Value;
use testkit::bucket::strict::Fault;
use testkit::files::names;
use testkit::process::{Run, run, text};
use testkit::recording::clip;

/// A package of two seconds.
fn package(root: &Path) -> PathBuf {
    let out = root.join("package");
    packaged(&clip(root, "320x240", 2), &out, &[]);
    out
}

/// Runs `lectern` in a folder.
fn within(folder: &Path, args: &[&str]) -> Run {
    let mut command = command(args);
    run(command.current_dir(folder))
}

fn json(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

/// Kinds and paths of `lectern ls --json`.
fn listed(run: &Run) -> Vec<String> {
    let rows = json(run);
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| format!("{} {}", row["kind"], row["path"]).replace('"', ""))
        .collect()
}

#[test]
fn a_bucket_lists_takes_and_loses_files_and_lectures() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let bucket = S3Bucket::start(|_| Fault::None);
    for lecture in ["a", "b"] {
        let target = format!("r2://video/courses/{lecture}");
        let run = bucket.run(&["publish", text(&out), &target]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains("LECTERN_EDGE"), "{run:?}");
    }
    let talk = root.path().join("a talk.mov");
    fs::write(&talk, b"a recording").expect("a file");
    let upload = ["upload", text(&talk), "r2://video/courses/b/"];
    let run = bucket.run(&upload);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "r2://video/courses/b/a talk.mov\n"),
        "{run:?}"
    );
    // The same file again is no error, another one is.
    let again = bucket.run(&upload);
    assert!(again.stderr.contains("already there"), "{again:?}");
    fs::write(&talk, b"another one").expect("a file");
    let other = bucket.run(&upload);
    assert_eq!(other.code, 5, "{other:?}");
    assert!(other.stderr.contains("give --replace"), "{other:?}");
    let stored = bucket.path("courses/b/a talk.mov");
    assert_eq!(fs::read(&stored).expect("an object"), b"a recording");
    let replaced = bucket.run(&[&upload[..], &["--replace"]].concat());
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert_eq!(fs::read(&stored).expect("an object"), b"another one");

    let all = ["lecture a/", "lecture b/", "object b/a talk.mov"];
    let ls = ["ls", "r2://video/courses", "--json"];
    assert_eq!(listed(&bucket.run(&ls)), all);
    let row = &json(&bucket.run(&ls))[0];
    assert_eq!(
        (&row["revisions"], &row["published"]),
        (&1.into(), &true.into())
    );

    // A folder of lectures is no lecture, and nothing is removed without a confirmation.
    let folder = bucket.run(&["rm", "r2://video/courses", "--yes"]);
    assert_eq!(folder.code, 2, "{folder:?}");
    assert!(folder.stderr.contains("it holds `a/`, `b/`"), "{folder:?}");
    let unconfirmed = bucket.run(&["rm", "r2://video/courses/b"]);
    assert_eq!(unconfirmed.code, 2, "{unconfirmed:?}");
    assert!(unconfirmed.stderr.contains("--yes"), "{unconfirmed:?}");
    let dry = bucket.run(&["rm", "r2://video/courses/b", "--dry-run"]);
    assert!(dry.stdout.starts_with("would remove "), "{dry:?}");
    assert_eq!(listed(&bucket.run(&ls)), all);

    let removed = bucket.run(&["rm", "r2://video/courses/b", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let kept = "; not removed: 1 other object in its folder\n";
    assert!(removed.stderr.contains(kept), "{removed:?}");
    assert_eq!(
        listed(&bucket.run(&ls)),
        ["lecture a/", "object b/a talk.mov"]
    );
    let object = bucket.run(&["rm", "r2://video/courses/b/a%20talk.mov", "--yes"]);
    assert_eq!(object.code, 0, "{object:?}");
    assert!(
        object.stdout.starts_with("removed 1 object, "),
        "{object:?}"
    );
    assert_eq!(listed(&bucket.run(&ls)), ["lecture a/"]);
    // The stand-in's empty folder `b` would be an object.
    let nothing = bucket.run(&["rm", "r2://video/courses/c", "--yes"]);
    assert_eq!(nothing.code, 5, "{nothing:?}");
    for words in ["nothing is stored there", "hint: list what is stored"] {
        assert!(nothing.stderr.contains(words), "{nothing:?}");
    }
    // Nothing has played before, and no lecture is there.
    let first = bucket.run(&["rollback", "r2://video/courses/a"]);
    let other = "no other revision has played there";
    assert!(first.stderr.contains(other), "{first:?}");
    let absent = bucket.run(&["rollback", "r2://video/courses/c"]);
    assert!(absent.stderr.contains("there is no lecture"), "{absent:?}");
    assert_eq!((first.code, absent.code), (5, 5));
    bucket.assert_lawful();
}

#[test]
fn a_lecture_stays_while_a_revision_is_being_published() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let target = root.path().join("www");
    assert_eq!(lectern(&["publish", text(&out), text(&target)]).code, 0);
    let segment = target.join("v/beef/480p/seg00000.m4s");
    fs::create_dir_all(segment.parent().expect("a folder")).expect("a folder");
    fs::write(&segment, b"a segment").expect("a segment");
    let before = names(&target);
    let refused = lectern(&["rm", text(&target), "--yes"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("revision `beef` is being published"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("in 60 min"), "{refused:?}");
    assert_eq!(names(&target), before);
}

#[test]
fn a_folder_is_a_target_as_people_write_it() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let url = format!(
        "file://{}",
        text(&root.path().join("by url")).replace(' ', "%20")
    );
    assert_eq!(lectern(&["publish", text(&out), &url]).code, 0);
    let expected = names(&root.path().join("by url"));
    let absolute = text(&root.path().join("absolute")).to_owned();
    for (target, folder) in [
        (absolute.as_str(), "absolute"),
        ("./here", "here"),
        ("bare/intro", "bare/intro"),
        ("with space/", "with space"),
        ("../up", "up"),
    ] {
        let run = within(&out, &["publish", ".", target]);
        assert_eq!(run.code, 0, "{run:?}");
        let base = if target.starts_with('/') || target.starts_with("..") {
            root.path()
        } else {
            &out
        };
        let folder = base.join(folder);
        assert_eq!(names(&folder), expected, "{target}");
        let master = Path::new(run.stdout.trim()).canonicalize();
        let expected = folder.join("master.m3u8").canonicalize();
        assert_eq!(
            master.expect("a file"),
            expected.expect("a file"),
            "{target}"
        );
        // The package is published from here.
        if base == out {
            fs::remove_dir_all(&folder).expect("it is removed");
        }
    }
}

#[test]
fn a_file_may_be_called_as_a_host_is() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let talk = root.path().join("talk.v2.mov");
    fs::write(&talk, b"a recording").expect("a file");
    let removed = within(root.path(), &["rm", "talk.v2.mov", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!talk.exists());
    let missing = within(root.path(), &["rm", "talk.v2.mov", "--yes"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(
        missing.stderr.contains("or the path `./talk.v2.mov`"),
        "{missing:?}"
    );
}

#[test]
fn a_host_without_a_scheme_gets_a_suggestion() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let keys = lectern(&["keys", "new"]).stdout;
    for (args, expected) in [
        (
            &["ls", "localhost:8787/x"][..],
            "did you mean `http://localhost:8787/x`?",
        ),
        (
            &["ls", "video.example.org/x"],
            "did you mean `https://video.example.org/x`, or the path `./video.example.org/x`?",
        ),
        (
            &["package", "localhost:8787/u/a.mov", "-o", "out"],
            "did you mean `http://localhost:8787/u/a.mov`?",
        ),
        (
            &["link", "localhost:8787/x/master.m3u8"],
            "did you mean `http://localhost:8787/x/master.m3u8`?",
        ),
        (
            &["check", "localhost:8787/x/master.m3u8"],
            "did you mean `http://localhost:8787/x/master.m3u8`?",
        ),
    ] {
        let run = run(command(args)
            .current_dir(root.path())
            .env_remove("LECTERN_EDGE")
            .env("LECTERN_KEYS", keys.trim()));
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(expected), "{run:?}");
    }
}

#[test]
fn a_path_at_the_edge_is_its_url() {
    let keys = lectern(&["keys", "new"]).stdout;
    let with = |args: &[&str], edge: Option<&str>| {
        let mut command = command(args);
        command
            .env_remove("LECTERN_EDGE")
            .env("LECTERN_KEYS", keys.trim());
        if let Some(edge) = edge {
            command.env("LECTERN_EDGE", edge);
        }
        run(&mut command)
    };
    let edge = Some("https://video.example.org/");
    for url in [
        "edge:/courses/a/master.m3u8",
        "/courses/a/master.m3u8",
        "https://video.example.org/courses/a/master.m3u8",
    ] {
        let run = with(&["link", url], edge);
        let expected = "https://video.example.org/courses/a/master.m3u8?token=";
        assert!(run.stdout.starts_with(expected), "{run:?}");
    }
    let unset = with(&["link", "edge:/courses/a/master.m3u8"], None);
    assert_eq!(unset.code, 4, "{unset:?}");
    assert!(unset.stderr.contains("export LECTERN_EDGE="), "{unset:?}");
    // A target that begins with a slash is a folder, whatever the edge is.
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = with(&["ls", text(root.path())], edge);
    assert_eq!(folder.code, 0, "{folder:?}");
    assert!(folder.stderr.contains("nothing is stored"), "{folder:?}");
}

#[test]
fn a_folder_of_parts_and_its_playlist_are_inputs() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 4);
    let live = root.path().join("my live");
    fs::create_dir(&live).expect("a folder");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", text(&input), "-c", "copy"])
        .args(["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"])
        .args(["-hls_segment_type", "fmp4", "live.m3u8"])
        .current_dir(&live)
        .status();
    assert!(status.expect("ffmpeg runs").success());
    for (input, out) in [
        ("my live", "a"),
        ("my live/", "b"),
        ("my live/live.m3u8", "c"),
    ] {
        let args = ["package", input, "-o", out, "--preset", "ultrafast"];
        let run = within(root.path(), &args);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            names(&root.path().join(out)),
            names(&root.path().join("a")),
            "{input}"
        );
    }
}

#[test]
fn programs_get_facts_and_progress_within_its_total() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "640x480", 9);
    let target = root.path().join("www");
    let args = ["ship", text(&input), text(&target), "--json"];
    let options = ["--preset", "ultrafast", "--ladder", "480,240", "--temp-dir"];
    let run = lectern(&[&args[..], &options, &[text(&root.path().join("work"))]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let events: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    for event in &events {
        if let (Some(done), Some(total)) = (event["done"].as_u64(), event["total"].as_u64()) {
            assert!(done <= total, "{event}");
        }
    }
    let result = &events.last().expect("events")["result"];
    assert_eq!(result["heights"], serde_json::json!([240, 480]));
    let seconds = result["duration"].as_f64().expect("a number");
    assert!((seconds - 9.0).abs() < 0.1, "{result}");
    assert_eq!(result["warnings"], serde_json::json!([]));
    let poster = result["poster"].as_str().expect("a path");
    assert!(Path::new(poster).is_file(), "{result}");
    assert_eq!(result["url"], text(&target.join("master.m3u8")));
    assert_eq!(result.get("link"), None, "a folder needs no link");
    // Nothing to do the second time, and the same facts.
    let again = lectern(&[&args[..], &options, &[text(root.path())]].concat());
    let last = again.stdout.lines().last().expect("an event");
    let last: Value = serde_json::from_str(last).expect(last);
    assert_eq!(last["result"], *result);
}

#[test]
fn a_quiet_command_prints_its_result_and_its_errors() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 2);
    let out = root.path().join("out");
    let run = packaged(&input, &out, &["-q"]);
    let master = format!("{}\n", text(&out.join("master.m3u8")));
    assert_eq!(
        (run.code, run.stderr.as_str(), run.stdout.as_str()),
        (0, "", master.as_str())
    );
    let missing = lectern(&["-q", "package", "missing.mov", "-o", text(&out)]);
    assert!(
        missing.code == 3 && missing.stderr.contains("error: "),
        "{missing:?}"
    );
}

#[test]
fn completions_and_manual_pages_name_every_verb() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let script = root.path().join("lectern.bash");
    fs::write(&script, lectern(&["completions", "bash"]).stdout).expect("a script");
    let ask = r#". "$1"; COMP_WORDS=(lectern "$2") COMP_CWORD=1 COMPREPLY=()
        _lectern lectern "$2" lectern; echo "${COMPREPLY[@]}""#;
    for (typed, expected) in [("up", "upload"), ("roll", "rollback"), ("rm", "rm")] {
        let output = Command::new("bash")
            .args(["-c", ask, "bash", text(&script), typed])
            .output();
        let output = output.expect("bash runs");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            expected,
            "{typed}"
        );
    }
    let man = root.path().join("man");
    assert_eq!(lectern(&["man", text(&man)]).code, 0);
    let page = fs::read_to_string(man.join("lectern-ship.1")).expect("a page");
    assert!(
        page.contains("LECTERN_KEYS") && page.contains("\\-\\-instant"),
        "{page}"
    );
    assert!(man.join("lectern.1").is_file());
}
