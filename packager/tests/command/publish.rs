//! `lectern publish` at an edge with injected faults, and into a folder.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use testkit::files::names;
use testkit::process::{run, text};
use testkit::recording::clip;
use testkit::target_suite::{SuiteTarget, suite};

use crate::common::{command, lectern, packaged, revision_folder};
use crate::faulty_edge::{FaultyEdge, KEYS, Mood, with_keys};

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A package of 6 s.
pub(crate) fn package(root: &Path) -> PathBuf {
    let out = root.join("out");
    packaged(&clip(root, "320x240", 6), &out, &[]);
    out
}

/// Two revisions of one lecture.
pub(crate) fn packages(root: &Path, seconds: u32) -> [PathBuf; 2] {
    let input = clip(root, "320x240", seconds);
    ["30", "38"].map(|crf| {
        let out = root.join(format!("package-{crf}"));
        packaged(&input, &out, &["--crf", crf]);
        out
    })
}

/// Playlists are written last, and `master.m3u8` behind all.
pub(crate) fn assert_last(order: &[String], prefix: &str) {
    let [.., media, playlist, package, manifest, master] = order else {
        panic!("{order:?}");
    };
    assert_eq!(*master, format!("{prefix}/master.m3u8"));
    assert_eq!(*manifest, format!("{prefix}/manifest.mpd"));
    assert!(package.ends_with("/package.json"), "{order:?}");
    assert!(
        media.ends_with(".m3u8") && playlist.ends_with(".m3u8"),
        "{order:?}"
    );
    let is_playlist = |path: &&String| path.contains("/v/") && path.ends_with(".m3u8");
    assert_eq!(order.iter().filter(is_playlist).count(), 4, "{order:?}");
}

#[test]
fn a_busy_edge_gets_everything_in_order_and_nothing_the_second_time() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let edge = FaultyEdge::start(Mood::Busy);
    let target = format!("{}/courses/caf%C3%A9/", edge.origin);
    let first = with_keys(&["publish", text(&out), &target]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.stdout.trim(), format!("{target}master.m3u8"));
    assert_last(&edge.bucket().order, "/courses/caf%C3%A9");
    for (path, object) in &edge.bucket().objects {
        let file = out.join(
            path.strip_prefix("/courses/caf%C3%A9/")
                .expect("the prefix"),
        );
        assert!(fs::read(file).expect(path) == *object, "{path}");
    }
    edge.bucket().order.clear();
    let second = with_keys(&["publish", text(&out), &target]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(edge.bucket().order.is_empty(), "{:?}", edge.bucket().order);
    for token in &edge.bucket().tokens {
        assert!(!first.stderr.contains(token) && !second.stderr.contains(token));
    }
}

#[test]
fn a_refusal_is_shown_and_no_playlist_becomes_visible() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let edge = FaultyEdge::start(Mood::Forbidding);
    let target = format!("{}/courses/a", edge.origin);
    let run = with_keys(&["publish", text(&out), &target]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("with 403: forbidden: No"), "{run:?}");
    assert!(
        run.stderr.contains("\n\nhint: use the LECTERN_KEYS"),
        "{run:?}"
    );
    assert!(
        edge.bucket()
            .objects
            .keys()
            .all(|path| !path.ends_with(".m3u8"))
    );
}

#[test]
fn an_object_too_large_for_one_request_goes_up_in_equal_parts_with_a_link_that_was_handed_over() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let revision = revision_folder(&out);
    let large: Vec<u8> = (0_u32..(65 << 18)).flat_map(u32::to_be_bytes).collect();
    fs::write(revision.join("large.mp4"), &large).expect("it is written");
    let json = revision.join("package.json");
    let mut package: serde_json::Value =
        serde_json::from_slice(&fs::read(&json).expect("a package")).expect("JSON");
    let path = format!(
        "v/{}/large.mp4",
        package["revision"].as_str().expect("a revision")
    );
    package["objects"].as_array_mut().expect("a list").insert(
        0,
        serde_json::json!({
            "path": path, "bytes": large.len(), "sha256": sha256(&large), "type": "video/mp4",
        }),
    );
    fs::write(&json, package.to_string()).expect("it is written");
    let edge = FaultyEdge::start(Mood::Good);
    let target = format!("{}/a", edge.origin);
    let run = run(command(&["publish", text(&out), &target])
        .env("LECTERN_UPLOAD_LINK", "https://edge.example/a/?token=h.p.s"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        edge.bucket().objects[&format!("/a/{path}")] == large,
        "the parts make the whole"
    );
    assert!(edge.bucket().tokens.iter().all(|token| token == "h.p.s"));
}

#[test]
fn a_folder_does_all_that_a_target_does() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let packages = packages(root.path(), 6);
    let served = root.path().join("served");
    let access = SuiteTarget {
        target: format!("file://{}", text(&served)),
        run: &|args| lectern(args),
        read: &|path| fs::read(served.join(path)).ok(),
        damage: &|path, bytes| match bytes {
            Some(bytes) => fs::write(served.join(path), bytes).expect("it is written"),
            None => fs::remove_file(served.join(path)).expect("it is removed"),
        },
    };
    suite(&packages, &access);
}

#[test]
fn a_folder_gets_the_same_objects_alone_and_replaces_only_what_can_change() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let folder = root.path().join("served");
    let target = format!("file://{}", text(&folder));
    for _ in 0..2 {
        let run = lectern(&["publish", text(&out), &target]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.stdout.trim(), text(&folder.join("master.m3u8")));
        // The lock is gone, and so is every other file that is none of the package.
        assert_eq!(names(&folder), names(&out));
    }
    let played = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-nostdin", "-i"])
        .arg(folder.join("master.m3u8"))
        .args(["-f", "null", "-"])
        .status();
    assert!(played.expect("ffmpeg runs").success());
}

#[test]
fn a_missing_object_is_reported_with_a_remedy() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}/a", listener.local_addr().expect("an address"))
    };
    let empty = root.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let short = r#"[{"kid":"a","secret":"AAAA"}]"#;
    for (folder, target, keys, code, said, hint) in [
        (
            &out,
            closed.as_str(),
            KEYS,
            5,
            "cannot reach the edge",
            "make serve",
        ),
        (
            &out,
            &closed,
            "",
            4,
            "there are no keys",
            "lectern keys new",
        ),
        (&out, &closed, short, 4, "has 3 bytes", "lectern keys new"),
        (
            &empty,
            &closed,
            KEYS,
            3,
            "holds no complete package",
            "lectern package",
        ),
        (
            &out,
            "ftp://bucket/a",
            KEYS,
            2,
            "`ftp` targets are not supported",
            "a target is a folder",
        ),
        (
            &out,
            "http://h/",
            KEYS,
            2,
            "a target needs a prefix",
            "https://edge.example/prefix",
        ),
    ] {
        let run = run(command(&["publish", text(folder), target])
            .env("LECTERN_KEYS", keys)
            .current_dir(&empty));
        assert_eq!(run.code, code, "{target}: {run:?}");
        let (error, shown) = run.stderr.split_once("\n\nhint: ").expect(target);
        assert!(error.contains(said), "{target}: {error}");
        assert!(shown.contains(hint), "{target}: {shown}");
    }
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    let edge = FaultyEdge::start(Mood::Endless);
    for name in ["a", "b", "c", "d"] {
        let path = format!("/courses/a/v/{name}");
        edge.bucket().objects.insert(path, vec![]);
    }
    let run = with_keys(&["revisions", &format!("{}/courses/a", edge.origin)]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("does not end"), "{run:?}");
}
