//! Recordings that people have, of the kinds of public bug reports: each becomes a package of all
//! that it holds, or a refusal in words. A file of `../shared/recordings` runs where it is there,
//! and a recording made here of the same kind runs everywhere.

mod damage;
mod durations;
mod text;
mod tracks;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::process::Run;
use testkit::recording::decode;

use crate::common::{self, package_json, shared};

const VIDEO: &str = "testsrc2=s=160x120:r=25:d=4";
const TONE: &str = "sine=f=440:r=48000:d=4";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";

enum Outcome {
    /// Seconds, and the codes of the warnings.
    Packaged(f64, &'static [&'static str]),
    /// A part of the error.
    Refused(&'static str),
}
use Outcome::{Packaged, Refused};

fn package(input: &Path, out: &Path, options: &[&str]) -> Run {
    let small = ["--threads", "1", "--no-mp4", "--no-storyboard"];
    common::package(input, out, &[&small, options].concat())
}

fn codes(package: &Value) -> Vec<&str> {
    let warnings = package["warnings"].as_array();
    let warnings = warnings.into_iter().flatten();
    let codes = warnings.map(|warning| warning["code"].as_str().expect("a code"));
    codes.collect()
}

/// Packages a recording, and compares the result.
fn judge(input: &Path, outcome: &Outcome) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let run = package(input, &out, &[]);
    let said = format!("{}: {run:?}", input.display());
    // No line of ffmpeg reaches a person.
    assert!(!run.stderr.contains(" @ 0x"), "{said}");
    match outcome {
        Packaged(seconds, warnings) => {
            assert_eq!(run.code, 0, "{said}");
            let package = package_json(&out);
            let duration = package["duration"].as_f64().expect("a number");
            assert!((duration - seconds).abs() < 0.2, "{duration} s: {said}");
            assert_eq!(codes(&package), *warnings, "{said}");
            let lines = run.stderr.lines();
            let lines = lines.filter(|line| line.starts_with("warning: "));
            assert_eq!(lines.count(), warnings.len(), "{said}");
            for rendition in package["renditions"].as_array().expect("renditions") {
                let folder = rendition["folder"].as_str().expect("a folder");
                let revision = package["revision"].as_str().expect("a name");
                decode(&out.join(format!("v/{revision}/{folder}/playlist.m3u8")));
            }
        }
        Refused(reason) => {
            assert_eq!(run.code, 3, "{said}");
            assert!(run.stderr.contains(reason), "{said}");
            assert!(run.stderr.contains("\nhint: "), "{said}");
            assert!(!out.exists(), "{said}");
        }
    }
}

/// Judges shared files, with the outcome for each.
fn judge_shared(files: &[(&str, Outcome)]) {
    for (name, outcome) in files {
        if let Some(file) = shared(name) {
            judge(&file, outcome);
        }
    }
}

/// Writes a recording whose bytes are changed.
fn changed(file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(file).expect("a recording");
    change(&mut bytes);
    fs::write(file, bytes).expect("it is written");
    file.to_owned()
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    let mut windows = bytes.windows(part.len());
    windows
        .position(|found| found == part)
        .expect("it is there")
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = find(bytes, from);
    bytes[at..at + to.len()].copy_from_slice(to);
}
