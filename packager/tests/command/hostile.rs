//! Attacks on the packager: paths that are not files, costly recordings without content, and
//! programs that ask for keys.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{LECTERN, command, lectern, package, package_json, packaged};
use testkit::process::{Run, run, text};
use testkit::recording::clip;

fn ffmpeg(folder: &Path, words: &str) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(words.split_whitespace())
        .current_dir(folder)
        .status();
    assert!(made.expect("ffmpeg is installed").success(), "{words}");
}

/// Runs `lectern`, and kills it if it waits for an idle pipe.
fn run_with_timeout(folder: &Path, args: &[&str]) -> Run {
    run(Command::new("timeout")
        .args(["--signal=KILL", "600", LECTERN])
        .args(args)
        .current_dir(folder)
        .env_remove("LECTERN_KEYS")
        .stdin(Stdio::null()))
}

#[test]
fn a_path_that_is_no_file_is_refused_at_once() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    clip(folder, "64x64", 1);
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    symlink("pipe", folder.join("link")).expect("a link");
    let _socket = UnixListener::bind(folder.join("socket")).expect("a socket");
    fs::create_dir(folder.join("folder")).expect("a folder");
    symlink("../pipe", folder.join("folder/x.m3u8")).expect("a link");
    symlink("../pipe", folder.join("folder/master.m3u8")).expect("a link");
    symlink("pipe", folder.join(".dev.vars")).expect("a link");
    let in_folder = format!("file://{}/folder/", text(folder));
    let playlist = format!("{in_folder}x.m3u8");
    for (what, code, said) in [
        ("pipe", 3, "it is a named pipe, and not a file"),
        ("link", 3, "it is a named pipe, and not a file"),
        ("socket", 3, "it is a socket, and not a file"),
        ("/dev/zero", 3, "it is a device, and not a file"),
        ("folder", 3, "the folder holds no recording"),
        (&in_folder, 3, "the folder holds no recording"),
        (&playlist, 3, "there is no object"),
    ] {
        let packaged = run_with_timeout(folder, &["package", what, "-o", "out"]);
        let shipped = run_with_timeout(folder, &["ship", what, "file:///tmp/none/at/all"]);
        for run in [packaged, shipped] {
            assert_eq!(run.code, code, "{what}: {run:?}");
            assert!(run.stderr.contains(said), "{what}: {run:?}");
        }
        if what.contains("://") {
            continue;
        }
        let captions = format!("en={what}");
        let args = ["package", "clip.mp4", "-o", "out", "--captions", &captions];
        let captioned = run_with_timeout(folder, &args);
        let said = match what {
            "folder" => "it is a folder, and not a file",
            _ => said,
        };
        assert_eq!(captioned.code, 3, "{what}: {captioned:?}");
        assert!(captioned.stderr.contains(said), "{what}: {captioned:?}");
    }
    for (args, code) in [
        (&["check", "pipe"][..], 3),
        (&["check", "link"], 3),
        (&["check", "folder/x.m3u8"], 3),
        (&["check", "/dev/zero"], 3),
        // Their folder is a named pipe.
        (&["package", "clip.mp4", "-o", "pipe"], 2),
        (&["package", "clip.mp4", "-o", "pipe/out"], 2),
        (
            &["ship", "clip.mp4", "file:///tmp/none", "--work", "pipe"],
            1,
        ),
        (&["link", "https://edge.example/a/master.m3u8"], 4),
    ] {
        let refused = run_with_timeout(folder, args);
        assert_eq!(refused.code, code, "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("error: "), "{args:?}: {refused:?}");
    }
}

/// Programs that record their environment before they act.
fn recording_tools(folder: &Path, tools: &[&str]) -> (PathBuf, PathBuf) {
    let (bin, seen) = (folder.join("bin"), folder.join("seen"));
    fs::create_dir(&bin).expect("a folder");
    let path = std::env::var("PATH").expect("a PATH");
    for tool in tools {
        let real = path.split(':').map(|folder| Path::new(folder).join(tool));
        let Some(real) = real.clone().find(|real| real.is_file()) else {
            continue;
        };
        let script = format!(
            "#!/bin/sh\necho \"{tool}\" >>'{seen}'\nenv >>'{seen}'\ntr '\\0' '\\n' </proc/$PPID/environ >>'{seen}.parent' 2>/dev/null\nexec '{real}' \"$@\"\n",
            seen = text(&seen),
            real = text(&real),
        );
        fs::write(bin.join(tool), script).expect("it is written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(bin.join(tool), mode).expect("it may be run");
    }
    (bin, seen)
}

#[test]
fn programs_are_given_no_key_and_find_none() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x180", 2);
    let tools = ["ffmpeg", "ffprobe", "espeak-ng"];
    let (bin, seen) = recording_tools(root.path(), &tools);
    let path = format!("{}:{}", text(&bin), std::env::var("PATH").expect("a PATH"));
    let work = root.path().join("work");
    let target = format!("file://{}/published", text(root.path()));
    let sample = root.path().join("sample.mp4");
    for args in [
        &[
            "ship",
            text(&input),
            &target,
            "--instant",
            "--work",
            text(&work),
        ][..],
        &["sample", "--seconds", "2", "-o", text(&sample)],
    ] {
        let done = run(command(args)
            .env("PATH", &path)
            .env("LANG", "C.UTF-8")
            .env("LECTERN_KEYS", "a-secret-of-the-edge")
            .env("LECTERN_UPLOAD_LINK", "a-secret-link")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-bucket")
            .env("CLOUDFLARE_API_TOKEN", "a-secret-of-the-queue")
            .env("HTTPS_PROXY", "http://u:a-secret@proxy.example"));
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
    }
    let seen = fs::read_to_string(&seen).expect("they ran");
    for line in ["ffmpeg", "ffprobe", "LANG=C.UTF-8"] {
        assert!(seen.lines().any(|found| found == line), "{line}: {seen}");
    }
    let told: Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("secret"))
        .collect();
    assert!(told.is_empty(), "{told:?}");
    // The superuser may read everything.
    let status = fs::read_to_string("/proc/self/status").expect("a /proc");
    if !status.lines().any(|line| line.starts_with("Uid:\t0\t")) {
        let found = fs::read_to_string(root.path().join("seen.parent")).unwrap_or_default();
        assert!(!found.contains("secret"), "{found}");
    }
}

/// Half a second at 60 frames a second. The second half starts `gap` seconds later.
fn held(folder: &Path, name: &str, gap: u32) -> PathBuf {
    ffmpeg(
        folder,
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r=60:d=0.5 -vf setpts=if(gte(N\\,15)\\,PTS+{gap}/TB\\,PTS) -vsync passthrough \
             -c:v libx264 -preset ultrafast -pix_fmt yuv420p {name}"
        ),
    );
    folder.join(name)
}

#[test]
fn a_picture_that_is_held_for_minutes_is_encoded_at_a_low_rate_and_stays_whole() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for name in ["held.mp4", "held.mkv"] {
        let input = held(root.path(), name, 300);
        let out = root.path().join(format!("{name}.out"));
        let done = packaged(&input, &out, &[]);
        let said = "it has 30 frames in 300 s: it is encoded at 5 a second";
        assert!(done.stderr.contains(said), "{name}: {done:?}");
        let facts = package_json(&out);
        let rate = &facts["renditions"][0]["picture"]["frame_rate"];
        assert_eq!(
            (&rate["num"], &rate["den"]),
            (&5.into(), &1.into()),
            "{name}"
        );
        let lasts = facts["duration"].as_f64().expect("seconds");
        assert!((lasts - 300.5).abs() < 0.5, "{name}: {lasts}");
        // Its second half is present and differs.
        let count = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-i",
                text(&out.join("master.m3u8")),
            ])
            .args(["-map", "0:v:0", "-f", "framemd5", "-"])
            .output()
            .expect("ffmpeg runs");
        let hashes = String::from_utf8_lossy(&count.stdout).into_owned();
        let hashes: Vec<&str> = (hashes.lines())
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit(',').next())
            .collect();
        assert!(
            (1_500..=1_504).contains(&hashes.len()),
            "{name}: {}",
            hashes.len()
        );
        assert_ne!(hashes[5], hashes[hashes.len() - 1], "{name}");
        let limited = package(&input, &out, &["--max-frames", "1000", "--force"]);
        assert_eq!(limited.code, 3, "{name}: {limited:?}");
        let said = "frames to encode, and the limit is 1000";
        assert!(limited.stderr.contains(said), "{name}: {limited:?}");
    }
}

#[test]
fn of_sixty_thousand_chapters_as_many_stay_as_a_person_looks_through() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let chapters: String = (0..60_000)
        .map(|at| {
            format!(
                "[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={}\ntitle=Chapter {at}\n",
                at + 1
            )
        })
        .collect();
    fs::write(
        root.path().join("chapters.txt"),
        format!(";FFMETADATA1\n{chapters}"),
    )
    .expect("it is written");
    for name in ["many.mkv", "many.mp4"] {
        ffmpeg(
            root.path(),
            &format!(
                "-f lavfi -i testsrc2=s=64x64:r=5:d=60 -i chapters.txt -map 0 -map_chapters 1 -c:v libx264 -preset ultrafast {name}"
            ),
        );
        let (input, out) = (
            root.path().join(name),
            root.path().join(format!("{name}.out")),
        );
        let done = packaged(&input, &out, &[]);
        let said = "it has 60000 chapters: the first 1000 are kept";
        assert!(done.stderr.contains(said), "{name}: {done:?}");
        let chapters = package_json(&out)["chapters"].as_array().map(Vec::len);
        assert_eq!(chapters, Some(1_000), "{name}");
    }
}

#[test]
fn subtitles_that_are_no_captions_are_left_out() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let cue = |at| {
        let line = "x".repeat(20_000);
        format!("{at}\n00:00:00,{at:03} --> 00:00:01,900\n{line}\n\n")
    };
    let cues: String = (0..1_000).map(cue).collect();
    fs::write(root.path().join("s.srt"), cues).expect("it is written");
    ffmpeg(
        root.path(),
        "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -i s.srt -map 0 -map 1 -c:s srt -c:v libx264 -preset ultrafast s.mkv",
    );
    let (input, out) = (root.path().join("s.mkv"), root.path().join("out"));
    let done = packaged(&input, &out, &[]);
    assert_eq!(done.stdout.trim(), text(&out.join("master.m3u8")));
    let said = "subtitle track 1 is left out: it is larger than 16.8 MB";
    assert!(done.stderr.contains(said), "{done:?}");
}

#[test]
fn a_name_with_line_breaks_is_one_line_of_a_log() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = root.path().join("a\nerror: b\u{1b}[2J.mp4");
    fs::write(&input, "no recording").expect("it is written");
    let out = root.path().join("out");
    let refused = lectern(&["package", text(&input), "-o", text(&out)]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(
        refused.stderr.contains("a\\nerror: b\\u{1b}[2J.mp4"),
        "{refused:?}"
    );
    let lines = refused
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "));
    assert_eq!(lines.count(), 1, "{refused:?}");
}

#[test]
fn limits_may_be_asked_for_and_what_exceeds_them_is_not_read() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "1280x720", 30);
    let out = root.path().join("out");
    let args = [
        "package",
        text(&input),
        "-o",
        text(&out),
        "--preset",
        "veryslow",
    ];
    for (limit, code, said) in [
        (
            ["--max-time", "1s"],
            3,
            "it took longer than its limit of 1 s",
        ),
        (
            ["--max-frames", "100"],
            3,
            "it has 900 frames to encode, and the limit is 100",
        ),
        (["--max-input", "5"], 2, "is not a size such as"),
    ] {
        let refused = lectern(&[&args[..], &limit].concat());
        assert_eq!(refused.code, code, "{limit:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{limit:?}: {refused:?}");
    }
    // It leaves nothing.
    let left = fs::read_dir(root.path()).expect("a folder").count();
    assert_eq!(left, 1, "{left}");
    let mut from_environment = command(&args);
    let refused = run(from_environment.env("LECTERN_MAX_FRAMES", "100"));
    assert_eq!(refused.code, 3, "{refused:?}");
}
