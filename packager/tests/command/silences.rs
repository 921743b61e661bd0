//! Silences of a recording, which players skip.

use std::fs;

use serde_json::Value;
use testkit::process::text;
use testkit::recording::make;

use crate::common::{lectern, packaged, revision_folder};

/// A voice of four syllables a second in a room with noise. It rests from 6 s to 10 s and from 14 s
/// on, and pauses for a second at 12 s.
const VOICE: &str = "aevalsrc='0.2*sin(600*PI*t)*(0.6+0.4*sin(8*PI*t))\
    *(lt(t,6)+between(t,10,12)+between(t,13,14))+0.0008*(random(0)-0.5)':s=48000:d=17";

#[test]
fn rests_of_a_voice_are_listed_for_players() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = make(root.path(), "voice.wav", &[VOICE], "-ac 1");
    let out = root.path().join("out");
    packaged(&input, &out, &["--no-mp4"]);
    let folder = revision_folder(&out);
    let json = fs::read(folder.join("silences.json")).expect("silences");
    let found: Vec<(f64, f64)> = serde_json::from_slice(&json).expect("pairs");
    let expected = [(6.0, 10.0), (14.0, 17.0)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((from, to), (expected_from, expected_to)) in found.iter().zip(expected) {
        let is_near = |one: f64, other: f64| (one - other).abs() < 0.25;
        assert!(
            is_near(*from, expected_from) && is_near(*to, expected_to),
            "{found:?}"
        );
    }
    let name = folder.file_name().expect("a name").to_string_lossy();
    let master = fs::read_to_string(out.join("master.m3u8")).expect("a playlist");
    let listed = format!("DATA-ID=\"lectern.silences\",URI=\"v/{name}/silences.json\"\n");
    assert!(master.contains(&listed), "{master}");
    let package = fs::read(folder.join("package.json")).expect("package.json");
    let package: Value = serde_json::from_slice(&package).expect("JSON");
    let mut objects = package["objects"].as_array().expect("objects").iter();
    let path = format!("v/{name}/silences.json");
    let object = objects.find(|object| object["path"] == *path);
    assert_eq!(object.expect("it is listed")["type"], "application/json");
    let checked = lectern(&["check", text(&out)]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn a_recording_without_rests_lists_none() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, source) in [
        ("tone.wav", "sine=f=330:d=5"),
        ("nothing.wav", "anullsrc=d=5"),
    ] {
        let input = make(root.path(), name, &[source], "-ac 1 -t 5");
        let out = root.path().join(name).with_extension("out");
        packaged(&input, &out, &["--no-mp4"]);
        let master = fs::read_to_string(out.join("master.m3u8")).expect("a playlist");
        assert!(!master.contains("silences"), "{name}: {master}");
        assert!(!revision_folder(&out).join("silences.json").exists());
    }
}
