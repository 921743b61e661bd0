//! Faults that are planted into packages of the real packager, each with a rule of `lectern check`
//! that finds it.
//!
//! `package.json` is removed before, because its hashes find every change of bytes: a package of
//! another tool has none.

mod attribute_lists;
mod extras;
mod i_frames;
mod keys;
mod media_playlists;
mod multivariant;
mod segment_lists;
mod segments;
mod streams;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::files::names;
use testkit::process::{succeed, text};
use testkit::recording::ffmpeg;

use crate::common::lectern;

/// A fault, a rule that finds it, and the change that makes it.
type PlantedFault = (&'static str, &'static str, fn(&Planted));

/// A copy of a package, into which a fault is planted.
struct Planted {
    root: PathBuf,
    /// Folder of the revision, with its slash.
    revision: String,
}

impl Planted {
    /// A copy that shares the files until one changes.
    fn of(package: &Path, root: PathBuf) -> Self {
        let mut revision = None;
        for name in names(package) {
            let to = root.join(&name);
            fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
            fs::hard_link(package.join(&name), to).expect("a link");
            if name.ends_with("/package.json") {
                revision = name.strip_suffix("package.json").map(str::to_owned);
            }
        }
        Self {
            root,
            revision: revision.expect("a revision"),
        }
    }

    /// A file of the root, or of the revision.
    fn path(&self, name: &str) -> PathBuf {
        match name {
            "master.m3u8" | "manifest.mpd" => self.root.join(name),
            _ => self.root.join(&self.revision).join(name),
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        // The file is a link, whose other name keeps its bytes.
        if path.exists() {
            fs::remove_file(&path).expect("it is removed");
        }
        fs::write(path, bytes).expect("it is written");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    fn copy(&self, from: &str, to: &str) {
        self.write(to, &self.read(from));
    }

    fn swap(&self, one: &str, other: &str) {
        let (first, second) = (self.read(one), self.read(other));
        assert_ne!(first, second, "{one} {other}");
        self.write(one, &second);
        self.write(other, &first);
    }

    fn bytes(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let before = self.read(name);
        let mut bytes = before.clone();
        change(&mut bytes);
        assert_ne!(before, bytes, "{name} does not change");
        self.write(name, &bytes);
    }

    /// Replaces the first occurrence of a text.
    fn text(&self, name: &str, from: &str, to: &str) {
        self.bytes(name, |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            assert!(text.contains(from), "{name} has no `{from}`: {text}");
            *bytes = text.replacen(from, to, 1).into_bytes();
        });
    }

    /// Changes the lines of a file.
    fn lines(&self, name: &str, change: impl FnOnce(&mut Vec<String>)) {
        self.bytes(name, |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            *bytes = (lines.join("\n") + "\n").into_bytes();
        });
    }

    /// Adds a line behind the first one that begins so.
    fn add(&self, name: &str, behind: &str, line: &str) {
        self.lines(name, |lines| {
            let at = position(lines, behind);
            lines.insert(at + 1, line.to_owned());
        });
    }

    /// Removes the first line that begins so.
    fn drop_line(&self, name: &str, start: &str) {
        self.lines(name, |lines| {
            lines.remove(position(lines, start));
        });
    }
}

fn position(lines: &[String], start: &str) -> usize {
    let mut all = lines.iter();
    all.position(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no line begins with `{start}`: {lines:?}"))
}

/// Changes the lengths and offsets of a playlist's byte ranges.
fn ranges(planted: &Planted, playlist: &str, change: impl Fn(u64, u64) -> (u64, u64)) {
    planted.lines(playlist, |lines| {
        for line in lines {
            if let Some(range) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                let (length, offset) = range.split_once('@').expect("an offset");
                let numbers = (
                    length.parse().expect("a length"),
                    offset.parse().expect("an offset"),
                );
                let (length, offset) = change(numbers.0, numbers.1);
                *line = format!("#EXT-X-BYTERANGE:{length}@{offset}");
            }
        }
    });
}

/// Position of the type of the first box of a kind.
fn box_at(bytes: &[u8], kind: &[u8; 4]) -> usize {
    let mut all = bytes.windows(4);
    all.position(|window| window == kind).expect("a box")
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn set_be32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Bytes without a pattern, which are the same in every run.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A recording with two languages and chapters.
fn recording(folder: &Path) -> PathBuf {
    let chapters = folder.join("chapters.txt");
    let listing = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=3\ntitle=One\n\
                   [CHAPTER]\nTIMEBASE=1/1\nSTART=3\nEND=7\ntitle=Two\n";
    fs::write(&chapters, listing).expect("chapters");
    let input = folder.join("recording.mp4");
    let mut command = ffmpeg(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=7.2 -f lavfi -i sine=440:r=48000:d=7.2 \
         -f lavfi -i sine=880:r=48000:d=7.2 -i",
    );
    command.arg(&chapters).args(
        "-map 0 -map 1 -map 2 -map_metadata 3 -c:v libx264 -preset ultrafast -g 25 -c:a aac -ac 2 \
         -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu"
            .split_whitespace(),
    );
    succeed(command.arg(&input));
    let captions = "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nOne\n\n\
                    00:00:03.000 --> 00:00:05.000\nTwo\n";
    fs::write(folder.join("captions.vtt"), captions).expect("captions");
    input
}

/// A package of the recording.
fn package(folder: &Path, input: &Path, name: &str, options: &[&str]) -> PathBuf {
    let out = folder.join(name);
    let captions = format!("en={}", folder.join("captions.vtt").display());
    let run = lectern(
        &[
            &["package", text(input), "-o", text(&out)][..],
            &["--ladder", "full", "--segment-duration", "2"],
            &[
                "--preset",
                "ultrafast",
                "--crf",
                "40",
                "--captions",
                &captions,
            ],
            options,
        ]
        .concat(),
    );
    assert_eq!(run.code, 0, "{run:?}");
    out
}

/// Exit code and broken rules.
fn broken(root: &Path) -> (i32, BTreeSet<String>) {
    let run = lectern(&["check", "--json", text(root)]);
    let report: Value = match run.code {
        0 | 6 => serde_json::from_str(&run.stdout).expect("JSON"),
        _ => return (run.code, BTreeSet::new()),
    };
    let all = report["rules"].as_array().expect("rules");
    let ids = all
        .iter()
        .filter(|rule| rule["result"] == "broken")
        .map(|rule| rule["id"].as_str().expect("an id").to_owned());
    (run.code, ids.collect())
}

/// Faults that their rule does not find.
fn missed(
    package: &Path,
    folder: &Path,
    keeps_listing: bool,
    faults: &[PlantedFault],
) -> Vec<String> {
    let mut found = vec![];
    for (name, rule, plant) in faults {
        let root = tempfile::tempdir_in(folder).expect("a temporary folder");
        let planted = Planted::of(package, root.path().join("package"));
        if !keeps_listing {
            planted.remove("package.json");
        }
        plant(&planted);
        let (code, broken) = broken(&planted.root);
        if code != 6 || !broken.contains(*rule) {
            found.push(format!("{name}: {rule} is not in {broken:?}, exit {code}"));
        }
    }
    found
}

#[test]
fn a_fault_in_a_package_of_boxes_breaks_its_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = recording(folder.path());
    let made = package(folder.path(), &input, "boxes", &[]);
    assert_eq!(broken(&made), (0, BTreeSet::new()));
    let plain = [
        attribute_lists::FAULTS,
        multivariant::FAULTS,
        media_playlists::FAULTS,
        keys::FAULTS,
        segment_lists::FAULTS,
        i_frames::FAULTS,
        segments::FAULTS,
        extras::FAULTS,
    ];
    let mut missed_all = missed(&made, folder.path(), false, &plain.concat());
    missed_all.extend(missed(&made, folder.path(), true, extras::LISTING_FAULTS));
    assert_eq!(missed_all, [] as [&str; 0]);
}

#[test]
fn a_fault_in_a_package_of_transport_streams_breaks_its_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = recording(folder.path());
    let made = package(folder.path(), &input, "streams", &["--container", "ts"]);
    assert_eq!(broken(&made), (0, BTreeSet::new()));
    let missed = missed(&made, folder.path(), false, streams::FAULTS);
    assert_eq!(missed, [] as [&str; 0]);
}
