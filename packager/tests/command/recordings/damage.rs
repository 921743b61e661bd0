//! Recordings that end early, or lack frames.

use std::path::Path;

use serde_json::Value;
use testkit::recording::make;

use super::{H264, Refused, TONE, VIDEO, changed, find, judge, package};
use crate::common::{package_json, shared};

#[test]
fn a_file_that_ends_early_is_found_whatever_its_container() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, inputs, options) in [
        ("front.mp4", &[VIDEO, TONE][..], "-movflags +faststart"),
        ("back.mp4", &[VIDEO, TONE], ""),
        ("a.mov", &[VIDEO, TONE], "-movflags +faststart"),
        (
            "fragments.mp4",
            &[VIDEO, TONE],
            "-movflags +frag_keyframe+global_sidx -g 25",
        ),
        ("a.mkv", &[VIDEO, TONE], ""),
        (
            "a.webm",
            &[VIDEO, TONE],
            "-c:v libvpx -deadline realtime -c:a libopus",
        ),
        ("a.avi", &[VIDEO, TONE], ""),
        ("a.flv", &[VIDEO, TONE], ""),
        ("a.wmv", &[VIDEO, TONE], "-c:v wmv2 -c:a wmav2"),
        ("a.wav", &[TONE], "-c:a pcm_s16le"),
        ("a.flac", &[TONE], "-c:a flac"),
        ("a.mp3", &[TONE], "-c:a libmp3lame"),
        ("a.m4a", &[TONE], "-movflags +faststart"),
    ] {
        let options = match options.contains("-c:") || inputs.len() == 1 {
            true => options.to_owned(),
            false => format!("{H264} {options}"),
        };
        let whole = make(root.path(), name, inputs, &options);
        let half = changed(&whole, |bytes| bytes.truncate(bytes.len() / 2));
        let reason = match name {
            "back.mp4" => "its index is missing",
            _ => "it is cut short",
        };
        judge(&half, &Refused(reason));
    }
}

#[test]
fn frames_that_a_damaged_recording_lacks_are_counted() {
    let missing = |input: &Path| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let run = package(input, &out, &["--json"]);
        assert_eq!(run.code, 0, "{run:?}");
        let package = package_json(&out);
        let warnings = package["warnings"].as_array().expect("warnings").clone();
        let of_video = warnings
            .into_iter()
            .find(|warning| warning["code"] == "missing-frames" && warning["kind"] == "video");
        let warning = of_video.expect("frames are missing");
        let message = warning["message"].as_str().expect("a message");
        let events = run.stdout.lines();
        let mut events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = events.find(|event| event["event"] == "warning");
        assert_eq!(event.expect("an event")["code"], "missing-frames");
        let [missing, of] = ["missing", "of"].map(|name| warning[name].as_u64().expect(name));
        assert!(
            message.contains(&format!("{missing} of {of} frames")),
            "{message}"
        );
        (missing, of)
    };
    if let Some(file) = shared("08-damaged-middle.mkv") {
        assert_eq!(missing(&file), (48, 150));
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    let whole = make(
        root.path(),
        "a.mkv",
        &[VIDEO, TONE],
        &format!("{H264} -g 25"),
    );
    let damaged = changed(&whole, |bytes| {
        // The head of a cluster: what it holds is not found.
        let middle = bytes.len() / 2;
        let at = middle + find(&bytes[middle..], b"\xa3");
        bytes[at..at + 3000]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x55);
    });
    let (missing, of) = missing(&damaged);
    assert!((1..50).contains(&missing) && of == 100, "{missing} of {of}");
}
