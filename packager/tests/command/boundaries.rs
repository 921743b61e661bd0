//! Targets, packages and addresses of strangers: no verb writes or reads outside of them, waits for
//! them, or sends a link in clear.

use std::fs;
use std::path::Path;

use testkit::files::files;
use testkit::process::text;

use crate::common::{lectern, revision_folder};
use crate::faulty_edge::{FaultyEdge, Mood, with_keys};
use crate::publish::package;

#[test]
fn no_verb_writes_outside_its_target() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let served = root.path().join("a/b/served");
    let target = format!("file://{}", text(&served));
    let run = lectern(&["publish", text(&out), &target]);
    assert_eq!(run.code, 0, "{run:?}");
    let own = revision_folder(&served).join("package.json");
    let json = fs::read(&own).expect("it is there");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let named = json["revision"].as_str().expect("a name");
    for path in [
        "../outside",
        "../../outside",
        "v/../../outside",
        text(&root.path().join("outside")),
        "package.json",
        "master.m3u8/../../outside",
    ] {
        let mut hostile = json.clone();
        let file = serde_json::json!({"path": path, "text": "owned"});
        hostile["root"].as_array_mut().expect("a list").push(file);
        fs::write(&own, hostile.to_string()).expect("it is written");
        // Without a playing revision, nothing is compared.
        for name in ["master.m3u8", "manifest.mpd"] {
            fs::remove_file(served.join(name)).expect("it is removed");
        }
        let before = files(root.path());
        let run = lectern(&["rollback", &target, "--revision", named]);
        assert_eq!(run.code, 5, "{path}: {run:?}");
        assert!(files(root.path()) == before, "{path}");
        for name in ["master.m3u8", "manifest.mpd"] {
            fs::copy(out.join(name), served.join(name)).expect("it is copied");
        }
        let before = files(root.path());
        for args in [
            &["rollback", &target, "--revision", named][..],
            &["verify", &target],
            &["verify", &target, "--revision", named],
        ] {
            let run = lectern(args);
            assert_eq!(run.code, 5, "{args:?} {path}: {run:?}");
            assert!(run.stderr.contains("which is no object"), "{run:?}");
        }
        let run = lectern(&["prune", &target, "--keep", "1"]);
        assert_eq!(run.code, 0, "{path}: {run:?}");
        let run = lectern(&["revisions", &target]);
        assert_eq!(run.code, 0, "{path}: {run:?}");
        assert!(files(root.path()) == before, "{path}");
    }
    // The folder that it was published from repairs it.
    let run = lectern(&["verify", &target, "--repair", text(&out)]);
    assert_eq!(run.code, 0, "{run:?}");
    let mended = fs::read(&own).expect("it is there");
    assert_eq!(
        mended,
        fs::read(revision_folder(&out).join("package.json")).expect("it is there")
    );
}

#[test]
fn no_verb_waits_for_a_pipe_or_follows_a_link_at_a_target() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let (served, outside) = (root.path().join("served"), root.path().join("outside"));
    let target = format!("file://{}", text(&served));
    let segment = revision_folder(&out).join("240p/seg00000.m4s");
    let hostile: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o6755);
    fs::set_permissions(&segment, hostile).expect("it is set");
    let run = lectern(&["publish", text(&out), &target]);
    assert_eq!(run.code, 0, "{run:?}");
    let sent = revision_folder(&served).join("240p/seg00000.m4s");
    let mode = |path: &Path| {
        let found = fs::metadata(path).expect("it is there").permissions();
        std::os::unix::fs::PermissionsExt::mode(&found) & 0o7777
    };
    assert_eq!(mode(&sent), mode(&served.join("master.m3u8")));
    let all = [
        &["revisions", &target][..],
        &["rollback", &target],
        &["verify", &target],
        &["prune", &target],
        &["publish", text(&out), &target],
    ];
    let assert_refused = |verbs: &[&[&str]], said: &str| {
        for args in verbs {
            let run = lectern(args);
            assert_ne!(run.code, 0, "{args:?}: {run:?}");
            assert!(run.stderr.contains(said), "{args:?}: {run:?}");
        }
    };
    let pipe = |path: &Path| {
        fs::remove_file(path).expect("it is removed");
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    };
    pipe(&sent);
    assert_refused(&all[2..3], "no regular file");
    let master = served.join("master.m3u8");
    pipe(&master);
    assert_refused(&all, "no regular file");
    fs::remove_file(&master).expect("it is removed");
    symlink("/dev/zero", &master).expect("a link");
    assert_refused(&all, "symbolic link");

    fs::remove_dir_all(&served).expect("it is removed");
    for (planted, to) in [("v", ""), (".lectern-lock", "lock")] {
        fs::create_dir_all(&served).expect("a folder");
        fs::create_dir_all(&outside).expect("a folder");
        symlink(outside.join(to), served.join(planted)).expect("a link");
        assert_refused(&all[4..], "symbolic link");
        assert!(files(&outside).is_empty(), "{planted}");
        fs::remove_dir_all(&served).expect("it is removed");
    }
}

#[test]
fn a_package_folder_sends_nothing_that_lies_outside_of_it_or_never_ends() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let secret = root.path().join("secret");
    let edge = FaultyEdge::start(Mood::Good);
    let revision = revision_folder(&out);
    let segment = revision.join("240p/seg00000.m4s");
    let bytes = fs::read(&segment).expect("a segment");
    // The same length as the segment, so that only the digest differs.
    fs::write(&secret, vec![b'S'; bytes.len()]).expect("it is written");
    let moved = root.path().join("moved");
    type Damage<'a> = &'a dyn Fn();
    let put_back = || {
        let _ = fs::remove_file(&segment);
        if moved.exists() {
            let folder = segment.parent().expect("a folder");
            fs::remove_file(folder).expect("a link");
            fs::rename(&moved, folder).expect("it is moved");
        }
        fs::write(&segment, &bytes).expect("it is written");
    };
    let changes: [(&str, Damage<'_>); 4] = [
        ("it is a symbolic link", &|| {
            fs::remove_file(&segment).expect("it is removed");
            symlink(&secret, &segment).expect("a link");
        }),
        ("it is a symbolic link", &|| {
            let folder = segment.parent().expect("a folder");
            fs::rename(folder, &moved).expect("it is moved");
            symlink(&moved, folder).expect("a link");
        }),
        ("it is no regular file", &|| {
            fs::remove_file(&segment).expect("it is removed");
            let made = std::process::Command::new("mkfifo").arg(&segment).status();
            assert!(made.expect("mkfifo runs").success());
        }),
        ("has other bytes than its `package.json` says", &|| {
            fs::copy(&secret, &segment).expect("it is copied");
        }),
    ];
    let served = root.path().join("served");
    for target in [
        format!("{}/courses/a", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        for (said, change) in &changes {
            change();
            let run = with_keys(&["publish", text(&out), &target]);
            put_back();
            assert_eq!(run.code, 3, "{target} {said}: {run:?}");
            assert!(run.stderr.contains(said), "{target} {said}: {run:?}");
            let is_secret = |bytes: &Vec<u8>| bytes.starts_with(b"SSSS");
            let bucket = edge.bucket();
            assert!(!bucket.objects.values().any(is_secret), "{target} {said}");
            assert!(
                bucket
                    .objects
                    .keys()
                    .all(|path| !path.ends_with("master.m3u8"))
            );
            if served.exists() {
                assert!(!files(&served).values().any(is_secret), "{target} {said}");
                assert!(!served.join("master.m3u8").exists(), "{target} {said}");
            }
        }
    }
    // The unchanged package is published.
    for target in [
        format!("{}/courses/a", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        let run = with_keys(&["publish", text(&out), &target]);
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn no_verb_sends_a_link_over_http_to_another_machine() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let clip = root.path().join("clip.mp4");
    let folder = root.path().join("other");
    // A name that resolvers never look up (RFC 6761).
    const TARGET: &str = "http://edge.invalid/courses/a";
    for args in [
        &["publish", text(&out), TARGET][..],
        &["ship", text(&clip), TARGET],
        &[
            "ship",
            "http://edge.invalid/uploads/a.mp4",
            "file:///nowhere/a",
        ],
        &[
            "package",
            "http://edge.invalid/uploads/a.mp4",
            "-o",
            text(&folder),
        ],
        &["revisions", TARGET],
        &["rollback", TARGET],
        &["prune", TARGET],
        &["verify", TARGET],
        &[
            "work",
            "http://edge.invalid/uploads/",
            "http://edge.invalid/courses/",
            "--queue",
            "http://127.0.0.1:9",
            "--once",
        ],
        &[
            "work",
            "http://edge.invalid/uploads/",
            "file:///nowhere",
            "--queue",
            "http://127.0.0.1:9",
            "--once",
        ],
        &["check", "http://edge.invalid/a.m3u8?token=a.b.c"],
    ] {
        let run = with_keys(args);
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(run.stderr.contains("HTTP without TLS"), "{args:?}: {run:?}");
        assert!(
            run.stderr.contains("--allow-plain-http"),
            "{args:?}: {run:?}"
        );
        assert!(!run.stderr.contains("a.b.c"), "{args:?}: {run:?}");
    }
    let allowed = with_keys(&["revisions", TARGET, "--allow-plain-http"]);
    assert_eq!(allowed.code, 5, "{allowed:?}");
    assert!(
        allowed.stderr.contains("cannot reach the edge"),
        "{allowed:?}"
    );
}
