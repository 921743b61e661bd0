//! Interrupted work resumes, and the package is identical to the byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::common::{command, lectern};
use testkit::files::files;
use testkit::process::{end, run, text, wait_for_child};
use testkit::recording::{clip, make};

/// Noise, which exceeds the ladder's bitrate: it exercises the rate control.
fn noise(root: &Path) -> PathBuf {
    let picture = "testsrc2=s=320x180:r=25:d=24,noise=alls=40:allf=t";
    let inputs = [picture, "sine=f=330:r=48000:d=24"];
    let options = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac";
    make(root, "noise.mp4", &inputs, options)
}

fn args(input: &Path, out: &Path, threads: &str) -> Vec<String> {
    let words = [
        "package",
        text(input),
        "-o",
        text(out),
        "--threads",
        threads,
    ];
    let words = words.into_iter().chain(["--preset", "medium"]);
    words.map(str::to_owned).collect()
}

/// The working folder of an output, if it exists.
fn partial(out: &Path) -> Option<PathBuf> {
    let prefix = format!("{}.partial-", text(out));
    let folder = fs::read_dir(out.parent().expect("a parent")).expect("a folder");
    let mut paths = folder.map(|entry| entry.expect("an entry").path());
    paths.find(|path| text(path).starts_with(&prefix))
}

/// Names of the finished chunks.
fn finished(out: &Path) -> Vec<String> {
    let Some(Ok(work)) = partial(out).map(|partial| fs::read_dir(partial.join("work"))) else {
        return vec![];
    };
    let names = work.flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    names
}

/// An ffmpeg that encodes as many parts as it is allowed to, and then waits: work is interrupted at one point, on any machine.
struct Encoder(PathBuf);

impl Encoder {
    fn install(root: &Path) -> Self {
        let encoder = Self(root.join("encoder"));
        fs::create_dir_all(encoder.0.join("allowed")).expect("a folder");
        let path = std::env::var("PATH").expect("a PATH");
        let script = format!(
            "#!/bin/sh\n\
             case \"$*\" in *'-c:v libx264'*|*'-c:a aac'*)\n\
             until for one in '{own}'/allowed/*; do rmdir \"$one\" 2>/dev/null && break; done; do\n\
             : >'{own}/waits'; sleep 0.02\n\
             done;;\n\
             esac\n\
             PATH='{path}' exec ffmpeg \"$@\"\n",
            own = text(&encoder.0),
        );
        executable(&encoder.0.join("ffmpeg"), &script);
        encoder
    }

    /// Starts `lectern`, and waits until it has encoded so many parts and waits with the next one.
    fn start(&self, args: &[String], parts: usize) -> Child {
        let waits = self.0.join("waits");
        let _ = fs::remove_file(&waits);
        for part in 0..parts {
            fs::create_dir(self.0.join(format!("allowed/{part}"))).expect("a folder");
        }
        let path = std::env::var("PATH").expect("a PATH");
        let mut child = command(args)
            .env("PATH", format!("{}:{path}", text(&self.0)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("lectern starts");
        wait_for_child(&mut child, "an encoder waits", || waits.exists());
        child
    }
}

fn executable(file: &Path, script: &str) {
    fs::write(file, script).expect("it is written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it may be run");
}

#[test]
fn interrupted_work_goes_on_and_the_package_is_the_same_to_the_byte() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = noise(root.path());
    let whole = root.path().join("whole");
    let run = lectern(&args(&input, &whole, "3"));
    assert_eq!(run.code, 0, "{run:?}");
    let whole = files(&whole);

    // A killed run prints nothing. It held an exclusive lock.
    let out = root.path().join("out");
    let again = args(&input, &out, "1");
    let encoder = Encoder::install(root.path());
    let child = encoder.start(&again, 2);
    let second = lectern(&again);
    assert_eq!(second.code, 4, "{second:?}");
    assert!(
        second.stderr.contains("another `lectern` is at work"),
        "{second:?}"
    );
    assert!(second.stderr.contains("hint: wait"), "{second:?}");
    let killed = end(child, "-KILL");
    assert!(!killed.stderr.contains("goes on"), "{killed:?}");
    assert!(!out.exists());

    // Damaged chunks are rebuilt, and finished ones are kept.
    let before = finished(&out);
    assert!((2..6).contains(&before.len()), "{before:?}");
    let folder = partial(&out).expect("it is kept");
    let (segment, mut bytes) = files(&folder)
        .into_iter()
        .find(|(name, _)| name.ends_with("180p/seg00000.m4s"))
        .expect("the first piece is finished");
    *bytes.last_mut().expect("it has bytes") ^= 1;
    fs::write(folder.join(segment), bytes).expect("it is written");
    let child = encoder.start(&again, 2);
    let stopped = end(child, "-TERM");
    assert_eq!(stopped.code, 130, "{stopped:?}");
    let kept = format!("resuming: {} of 7 parts are finished", before.len() - 1);
    assert!(stopped.stderr.contains(&kept), "{kept}: {stopped:?}");
    let after = finished(&out).len();
    let stays = format!(
        "{after} of 7 parts are finished and stay in `{}`",
        text(&folder)
    );
    assert!(stopped.stderr.contains(&stays), "{stays}: {stopped:?}");
    assert!(
        stopped
            .stderr
            .contains("the same command goes on from there"),
        "{stopped:?}"
    );

    let run = lectern(&again);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr
            .contains(&format!(": {after} of 7 parts are finished")),
        "{run:?}"
    );
    assert_eq!(run.stdout.trim(), text(&out.join("master.m3u8")));
    let made = files(&out);
    let names =
        |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> { files.keys().cloned().collect() };
    assert_eq!(names(&made), names(&whole));
    for (name, bytes) in &made {
        assert!(whole[name] == *bytes, "{name} differs");
    }
    assert_eq!(partial(&out), None);
}

#[test]
fn nothing_is_left_of_work_that_was_interrupted_before_anything_was_finished() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = noise(root.path());
    let out = root.path().join("out");
    let child = Encoder::install(root.path()).start(&args(&input, &out, "1"), 0);
    assert!(partial(&out).is_some());
    let stopped = end(child, "-INT");
    assert_eq!(stopped.code, 130, "{stopped:?}");
    assert_eq!(partial(&out), None, "{stopped:?}");
    assert!(!out.exists());
}

#[test]
fn a_package_leaves_nothing_of_interrupted_work_under_another_recipe() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 12);
    let out = root.path().join("out");
    let child = Encoder::install(root.path()).start(&args(&input, &out, "1"), 1);
    end(child, "-KILL");
    assert!(partial(&out).is_some());
    let words = ["package", text(&input), "-o", text(&out)];
    let run = run(command(&words).args(["--preset", "ultrafast"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("resuming: "), "{run:?}");
    assert_eq!(partial(&out), None);
}

#[test]
fn a_picture_whose_pieces_do_not_fit_is_encoded_as_a_whole_under_a_name_of_its_own() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = noise(root.path());
    // An ffmpeg that seeks too far.
    let bin = root.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    let script = format!(
        "#!/bin/sh\nfor word; do shift; [ \"$before\" = -ss ] && word=9; before=$word; set -- \"$@\" \"$word\"; done\n\
         PATH='{path}' exec ffmpeg \"$@\"\n"
    );
    executable(&bin.join("ffmpeg"), &script);
    let out = root.path().join("out");
    let words = [
        "package",
        text(&input),
        "-o",
        text(&out),
        "--preset",
        "ultrafast",
    ];
    let far = run(command(&words).env("PATH", format!("{}:{path}", text(&bin))));
    assert_eq!(far.code, 0, "{far:?}");
    assert!(far.stderr.contains(" in 7 parts\n"), "{far:?}");
    assert!(
        far.stderr.contains("; it is encoded as a whole\n"),
        "{far:?}"
    );
    assert!(far.stderr.contains(" in 2 parts\n"), "{far:?}");
    assert_eq!(partial(&out), None);
    let again = lectern(&words);
    assert!(again.stderr.contains("already packaged"), "{again:?}");
    // With exact seeks, the video is encoded in chunks, which have other names.
    let other = root.path().join("other");
    let pieces = lectern(&[&words[..3], &[text(&other)], &words[4..]].concat());
    assert_eq!(pieces.code, 0, "{pieces:?}");
    let revision = |out: &Path| {
        files(out)
            .into_keys()
            .find(|name| name.ends_with("package.json"))
    };
    assert_ne!(revision(&out), revision(&other));
}
