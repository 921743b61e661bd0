//! `lectern check` on packages of the real ffmpeg: our own and others.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{command, lectern, packaged};
use testkit::process::text;
use testkit::recording::clip;

fn ffmpeg(folder: &Path, args: &[&str]) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-i"])
        .arg(folder.join("clip.mp4"))
        .args(args)
        .current_dir(folder)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
}

fn rules(args: &[&str]) -> (i32, serde_json::Value) {
    let run = lectern(&[&["check", "--json"], args].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    (run.code, report)
}

fn with(report: &serde_json::Value, result: &str) -> Vec<String> {
    let all = report["rules"].as_array().expect("rules");
    all.iter()
        .filter(|rule| rule["result"] == result)
        .map(|rule| rule["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn our_own_package_keeps_every_rule_and_a_spoiled_one_ends_with_6() {
    let root = tempfile::tempdir().expect("a temporary folder");
    // The last 0.1 s would be a segment of its own.
    let input = clip(root.path(), "320x240", 5);
    ffmpeg(root.path(), &["-t", "4.1", "-c:a", "copy", "short.mp4"]);
    let out = root.path().join("out");
    for (input, segment) in [(input, "3"), (root.path().join("short.mp4"), "2")] {
        packaged(&input, &out, &["--segment-duration", segment, "--force"]);
        let (code, report) = rules(&[text(&out)]);
        assert_eq!((code, with(&report, "broken")), (0, vec![]), "{report}");
    }
    let master = out.join("master.m3u8");
    let playlist = fs::read_to_string(&master).expect("a playlist");
    fs::write(
        &master,
        playlist.replacen("CODECS=\"avc1.", "CODECS=\"avc1.9", 1),
    )
    .expect("it is written");
    let (code, report) = rules(&[text(&master)]);
    assert_eq!(code, 6);
    // Its bytes also differ from the listed ones.
    assert_eq!(with(&report, "broken"), ["OB-04", "MV-05"], "{report}");
    let run = lectern(&["check", text(&out)]);
    assert_eq!((run.code, run.stderr.as_str()), (6, ""));
    // `| head -1` closes the pipe.
    let mut closed = command(&["check", text(&out)]);
    let closed = closed.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut closed = closed.spawn().expect("lectern");
    drop(closed.stdout.take());
    let closed = closed.wait_with_output().expect("it ends");
    assert_eq!((closed.status.code(), closed.stderr), (Some(6), vec![]));
    assert!(run.stdout.contains("✘ MV-05  `CODECS` are"), "{run:?}");
    assert!(run.stdout.contains("→ copy the codec strings"), "{run:?}");
}

#[test]
fn a_plain_ffmpeg_package_is_reported_with_its_gaps() {
    let root = tempfile::tempdir().expect("a temporary folder");
    clip(root.path(), "320x240", 9);
    let folder = root.path().join("ts");
    fs::create_dir(&folder).expect("a folder");
    ffmpeg(
        root.path(),
        &[
            "-c",
            "copy",
            "-f",
            "hls",
            "-hls_time",
            "4",
            "-master_pl_name",
            "main.m3u8",
            "ts/media.m3u8",
        ],
    );
    // The only playlist that lists Variant Streams.
    let (code, report) = rules(&[text(&folder)]);
    assert_eq!(code, 6);
    let broken = with(&report, "broken");
    for id in ["MV-02", "MV-04", "MV-05", "PL-05", "TM-08"] {
        assert!(broken.iter().any(|broken| broken == id), "{id}: {report}");
    }
    let passed = with(&report, "pass");
    for id in [
        "SG-05", "SG-06", "SG-07", "SG-08", "SG-09", "TM-01", "TM-02", "TM-04", "AV-04",
    ] {
        assert!(passed.iter().any(|passed| passed == id), "{id}: {report}");
    }
    let skipped = with(&report, "not_applicable");
    for id in ["SG-02", "SG-03", "TM-03", "TM-06"] {
        assert!(
            skipped.iter().any(|skipped| skipped == id),
            "{id}: {report}"
        );
    }
}

#[test]
fn a_folder_without_a_package_is_refused_in_a_sentence() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    fs::write(path("page.m3u8"), "<html>").expect("a file");
    fs::create_dir(path("two")).expect("a folder");
    for name in ["two/a.m3u8", "two/b.m3u8"] {
        fs::write(
            path(name),
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
        )
        .expect("a file");
    }
    for (name, said) in [
        ("absent", "there is no such file or folder"),
        (".", "holds no Multivariant Playlist"),
        ("two", "holds several Multivariant Playlists"),
        ("page.m3u8", "it does not start with `#EXTM3U`"),
    ] {
        let run = lectern(&["check", text(&path(name))]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{name}: {run:?}");
        assert!(
            run.stderr.contains(said) && run.stderr.contains("hint: "),
            "{name}: {run:?}"
        );
    }
    // A URI of a device or outside the folder is reported, and not opened.
    let listing = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nlink.ts\n#EXTINF:4,\n/dev/zero\n#EXT-X-ENDLIST\n";
    fs::write(path("media.m3u8"), listing).expect("a file");
    std::os::unix::fs::symlink("/dev/zero", path("link.ts")).expect("a link");
    let (code, report) = rules(&[text(&path("media.m3u8"))]);
    assert_eq!(code, 6);
    let broken = with(&report, "broken");
    assert!(
        broken.starts_with(&["OB-01".to_owned(), "OB-02".to_owned()]),
        "{report}"
    );
    assert!(
        report.to_string().contains("a link out of the folder"),
        "{report}"
    );
}

/// Serves the files of a folder over plain HTTP, concurrently.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            std::thread::spawn(move || answer(stream, &root));
        }
    });
    origin
}

fn answer(mut stream: TcpStream, root: &Path) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut path, mut range) = (None, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("get /") {
            let rest = rest.split([' ', '?']).next().expect("a path");
            path = Some(rest.to_owned());
        } else if let Some(rest) = line.strip_prefix("range: bytes=") {
            let (first, last) = rest.split_once('-').expect("a range");
            range = Some((
                first.parse().expect("a number"),
                last.parse().expect("a number"),
            ));
        } else if line.is_empty() {
            let found = path.take().and_then(|path| fs::read(root.join(path)).ok());
            let (status, body) = match (found, range.take()) {
                (None, _) => ("404 Not Found", vec![]),
                (Some(bytes), None) => ("200 OK", bytes),
                (Some(bytes), Some((first, last))) => {
                    let last: usize = last;
                    ("206 Partial Content", bytes[first..=last].to_vec())
                }
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if stream
                .write_all(&[head.as_bytes(), &body].concat())
                .is_err()
            {
                return;
            }
        }
    }
}

#[test]
fn a_url_is_followed_on_its_own_origin_and_elsewhere_only_when_asked() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 9);
    let out = root.path().join("out");
    packaged(&input, &out, &[]);
    let (_, folder) = rules(&[text(&out)]);
    let (here, there) = (serve(out.clone()), serve(out.clone()));
    let (code, report) = rules(&[&format!("{here}/master.m3u8?token=x")]);
    assert_eq!(code, 0, "{report}");
    // Players read neither the manifest nor `package.json` nor the download.
    let mut passed = with(&folder, "pass");
    let of_files = ["OB-04", "OB-05", "OB-06", "OB-07", "OB-08", "OB-09"];
    passed.retain(|id| !of_files.contains(&id.as_str()));
    assert_eq!(with(&report, "pass"), passed);

    let master = fs::read_to_string(out.join("master.m3u8")).expect("a playlist");
    fs::write(
        out.join("away.m3u8"),
        master.replace("\nv/", &format!("\n{there}/v/")),
    )
    .expect("a file");
    let away = format!("{here}/away.m3u8");
    let (code, report) = rules(&[&away]);
    assert_eq!(code, 6);
    assert_eq!(with(&report, "broken"), ["OB-01", "OB-02"], "{report}");
    let (_, report) = rules(&[&away, "--follow"]);
    assert_eq!(with(&report, "broken"), ["OB-02"], "{report}");

    let run = lectern(&["check", &format!("{here}/absent.m3u8")]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("the server answers 404"), "{run:?}");
}
