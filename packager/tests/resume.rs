//! Work that is interrupted goes on where it stopped, and its package is the same to the byte.

mod common;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Run, clip, command, lectern, run, text};
use tree::files;

/// Noise, which takes more bits than the ladder allows: the encoder's rate control has something to do.
fn noise(root: &Path) -> PathBuf {
    let file = root.join("noise.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg("testsrc2=s=320x180:r=25:d=24,noise=alls=40:allf=t")
        .args(["-f", "lavfi", "-i", "sine=f=330:r=48000:d=24"])
        .args("-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac".split(' '))
        .arg(&file)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    file
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
    let words = words.into_iter().chain(["--preset", "slower"]);
    words.map(str::to_owned).collect()
}

/// The folder that work for an output is done in, if there is one.
fn partial(out: &Path) -> Option<PathBuf> {
    let prefix = format!("{}.partial-", text(out));
    let folder = fs::read_dir(out.parent().expect("a parent")).expect("a folder");
    let mut paths = folder.map(|entry| entry.expect("an entry").path());
    paths.find(|path| text(path).starts_with(&prefix))
}

/// Names of the finished parts.
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

/// Starts it, and waits until something is so.
fn start(args: &[String], what: &str, is: impl Fn() -> bool) -> Child {
    let mut child = command(args);
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("lectern starts");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        assert!(child.try_wait().expect("a child").is_none(), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn signal(child: Child, name: &str) -> Run {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::new(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn interrupted_work_goes_on_and_the_package_is_the_same_to_the_byte() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = noise(root.path());
    let whole = root.path().join("whole");
    let run = lectern(&args(&input, &whole, "3"));
    assert_eq!(run.code, 0, "{run:?}");
    let whole = files(&whole);

    // Killed, it can say nothing; whoever works on it has it alone.
    let out = root.path().join("out");
    let again = args(&input, &out, "1");
    let child = start(&again, "two parts finish", || finished(&out).len() >= 2);
    let second = lectern(&again);
    assert_eq!(second.code, 4, "{second:?}");
    assert!(
        second.stderr.contains("another `lectern` is at work"),
        "{second:?}"
    );
    assert!(second.stderr.contains("hint: wait"), "{second:?}");
    let killed = signal(child, "-KILL");
    assert!(!killed.stderr.contains("goes on"), "{killed:?}");
    assert!(!out.exists());

    // What was damaged in between is made again, and what is finished is not.
    let before = finished(&out);
    assert!((2..6).contains(&before.len()), "{before:?}");
    let folder = partial(&out).expect("it is kept");
    let (segment, mut bytes) = files(&folder)
        .into_iter()
        .find(|(name, _)| name.ends_with("180p/seg00000.m4s"))
        .expect("the first piece is finished");
    *bytes.last_mut().expect("it has bytes") ^= 1;
    fs::write(folder.join(segment), bytes).expect("it is written");
    let child = start(&again, "a part finishes", || {
        finished(&out).len() > before.len()
    });
    let stopped = signal(child, "-TERM");
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
    let words = [
        args(&input, &out, "1"),
        vec!["--preset".into(), "veryslow".into()],
    ];
    let mut words = words.concat();
    words.drain(6..8);
    let child = start(&words, "it begins", || partial(&out).is_some());
    let stopped = signal(child, "-INT");
    assert_eq!(stopped.code, 130, "{stopped:?}");
    assert_eq!(partial(&out), None, "{stopped:?}");
    assert!(!out.exists());
}

#[test]
fn a_package_leaves_nothing_of_interrupted_work_under_another_recipe() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 12);
    let out = root.path().join("out");
    let child = start(&args(&input, &out, "1"), "a part finishes", || {
        !finished(&out).is_empty()
    });
    signal(child, "-KILL");
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
    fs::write(bin.join("ffmpeg"), script).expect("it is written");
    let executable = Command::new("chmod")
        .arg("+x")
        .arg(bin.join("ffmpeg"))
        .status();
    assert!(executable.expect("chmod runs").success());
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
    // Sought where it should be it is in pieces, which have another name.
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
