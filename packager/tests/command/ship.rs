//! `lectern ship` to an edge with injected faults, and into a folder.

use std::fs;

use testkit::process::{run, text};
use testkit::recording::clip;

use crate::common::command;
use crate::faulty_edge::{FaultyEdge, Mood, with_keys};
use crate::publish::assert_last;

#[test]
fn shipping_is_packaging_and_publishing_and_goes_on_where_it_was_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "640x480", 13);
    let work = root.path().join("work");
    let edge = FaultyEdge::start(Mood::Good);
    let target = format!("{}/courses/b", edge.origin);
    let args = [
        "ship",
        text(&input),
        &target,
        "--work",
        text(&work),
        "--ladder",
        "480",
    ];
    let first = with_keys(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert_last(&edge.bucket().order, "/courses/b");
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    let names: Vec<String> = edge.bucket().order.clone();
    for name in [
        "480p/seg00003.m4s",
        "audio/en/seg00003.m4s",
        "audio/en/init.mp4",
    ] {
        assert!(
            names.iter().any(|path| path.ends_with(name)),
            "{name}: {names:?}"
        );
    }
    let second = with_keys(&args);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stderr.contains("already there"), "{second:?}");
    assert_eq!(edge.bucket().order.len(), names.len());

    let refusing = FaultyEdge::start(Mood::Forbidding);
    let target = format!("{}/courses/b", refusing.origin);
    let refused = with_keys(&[
        "ship",
        text(&input),
        &target,
        "--work",
        text(&work),
        "--ladder",
        "480",
    ]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("parts are finished and stay in"),
        "{refused:?}"
    );
    assert_eq!(
        fs::read_dir(&work).expect("a folder").count(),
        2,
        "the folder and its journal"
    );
    let other = FaultyEdge::start(Mood::Good);
    let target = format!("{}/courses/b", other.origin);
    let taken_up = with_keys(&[
        "ship",
        text(&input),
        &target,
        "--work",
        text(&work),
        "--ladder",
        "480",
    ]);
    assert_eq!(taken_up.code, 0, "{taken_up:?}");
    assert!(taken_up.stderr.contains("resuming: "), "{taken_up:?}");
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    assert!(
        other.bucket().objects == edge.bucket().objects,
        "they are the same lecture"
    );
}

#[test]
fn an_upload_behind_the_edge_is_fetched_by_ranges_and_shipped_as_the_file_that_it_was() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let work = root.path().join("work");
    let edge = FaultyEdge::start(Mood::Dropping);
    let bytes = fs::read(&input).expect("a clip");
    assert!(bytes.len() > 200_000, "{}", bytes.len());
    let path = "/uploads/caf%C3%A9/talk.mp4".to_owned();
    edge.bucket().objects.insert(path.clone(), bytes);
    let ship = |input: &str, target: &str| {
        let target = format!("{}/courses/{target}", edge.origin);
        let words = ["ship", input, &target, "--preset", "ultrafast"];
        with_keys(&[&words[..], &["--work", text(&work)]].concat())
    };
    let uploaded = format!("{}{path}", edge.origin);
    for (input, target) in [(text(&input), "a"), (&uploaded, "b")] {
        let shipped = ship(input, target);
        assert_eq!(shipped.code, 0, "{shipped:?}");
    }
    let of = |target: &str| -> Vec<(String, Vec<u8>)> {
        let prefix = format!("/courses/{target}/");
        let bucket = edge.bucket();
        let own = bucket.objects.iter();
        let own = own.filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, bytes)));
        let mut own: Vec<_> = own
            .map(|(path, bytes)| (path.to_owned(), bytes.clone()))
            .collect();
        own.sort();
        own
    };
    assert!(!of("a").is_empty() && of("a") == of("b"));
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    let missing = ship(&format!("{}/uploads/none.mp4", edge.origin), "c");
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.stderr.contains("there is no object"), "{missing:?}");
    // A link that permits only writes does not read.
    let link = run(
        command(&["ship", &uploaded, &format!("{}/courses/d", edge.origin)])
            .env("LECTERN_UPLOAD_LINK", "a.b.c"),
    );
    assert_eq!(link.code, 4, "{link:?}");
    assert!(link.stderr.contains("reads nothing"), "{link:?}");
}

#[test]
fn transport_streams_are_shipped_whole_and_leave_no_manifest_of_what_was_there_before() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let edge = FaultyEdge::start(Mood::Good);
    let served = root.path().join("served");
    let manifest = "/courses/b/manifest.mpd";
    for target in [
        format!("{}/courses/b", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        for (container, has_manifest) in [("cmaf", true), ("ts", false), ("ts", false)] {
            let args = ["ship", text(&input), &target, "--container", container];
            let run = with_keys(&args);
            assert_eq!(run.code, 0, "{run:?}");
            let is_there = match target.starts_with("file:") {
                true => served.join("manifest.mpd").exists(),
                false => edge.bucket().objects.contains_key(manifest),
            };
            assert_eq!(is_there, has_manifest, "{target} {container}");
        }
    }
    let bucket = edge.bucket();
    let sent = |name: &str| {
        bucket
            .order
            .iter()
            .filter(|path| path.ends_with(name))
            .count()
    };
    assert_eq!(
        (sent(".ts"), sent("240p/iframes.m3u8")),
        (2, 1),
        "{:?}",
        bucket.order
    );
    // Of transport streams, only their CMAF source is uploaded during encoding. It is not part of
    // the package.
    assert_eq!(sent("240p/seg00001.m4s"), 1, "{:?}", bucket.order);
}
