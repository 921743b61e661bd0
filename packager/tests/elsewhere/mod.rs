//! `--hls`: a lecture of another platform, and nobody else is asked.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::{Run, clip, command, run, text};
use crate::facts;

/// Serves a folder, and counts what it is asked.
struct Platform {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Platform {
    fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(vec![]));
        let (shared, folder) = (Arc::clone(&asked), folder.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut asked = shared.lock().expect("no panic");
                let _ = serve(&stream, &folder, &mut asked);
            }
        });
        Self { host, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }
}

/// One request. Every third one is told to come again, and `/moved` leads to `/`.
fn serve(stream: &TcpStream, folder: &Path, asked: &mut Vec<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? < 3 {
            break;
        }
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    asked.push(target);
    let file = fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = match file {
        _ if path.starts_with("/moved") => ("302 Found\r\nLocation: /master.m3u8", vec![]),
        _ if asked.len().is_multiple_of(3) => ("503 Busy", vec![]),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", vec![]),
    };
    let mut stream = stream;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}

/// A lecture in TS segments, with a Multivariant Playlist of two entries.
fn lecture(root: &Path) -> PathBuf {
    let folder = root.join("platform");
    fs::create_dir(&folder).expect("a folder");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(clip(root, "320x240", 9))
        .args("-c copy -f hls -hls_time 2 -hls_playlist_type vod".split(' '))
        .arg(folder.join("high.m3u8"))
        .status();
    assert!(made.expect("ffmpeg runs").success());
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8?sig=x\n";
    fs::write(folder.join("master.m3u8"), master).expect("it is written");
    folder
}

#[test]
fn a_lecture_of_another_platform_is_fetched_from_the_hosts_that_are_named_and_no_other() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = lecture(root.path());
    let (platform, other) = (Platform::start(&folder), Platform::start(&folder));
    let out = root.path().join("out");
    let package = |path: &str, allowed: &[&str]| -> Run {
        let url = format!("http://{}/{path}", platform.host);
        let words = [
            "package",
            &url,
            "-o",
            text(&out),
            "--hls",
            "--preset",
            "ultrafast",
        ];
        let hosts = allowed.iter().flat_map(|host| ["--allow-host", host]);
        run(command(&words).args(hosts))
    };
    let done = package("master.m3u8?token=secret", &[&platform.host]);
    assert_eq!(done.code, 0, "{done:?}");
    let lasts = facts(&out)["duration"].as_f64().expect("seconds");
    assert!((lasts - 9.0).abs() < 0.2, "{lasts}");
    let left = fs::read_dir(root.path()).expect("a folder").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("lectern-"));
    assert_eq!(left.count(), 0);

    let playlist = fs::read_to_string(folder.join("high.m3u8")).expect("a playlist");
    let elsewhere = playlist.replacen("high0.ts", &format!("http://{}/high0.ts", other.host), 1);
    fs::write(folder.join("elsewhere.m3u8"), elsewhere).expect("it is written");
    let key = playlist.replacen("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF", 1);
    fs::write(folder.join("encrypted.m3u8"), key).expect("it is written");
    let apart = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"a.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhigh.m3u8\n";
    fs::write(folder.join("apart.m3u8"), apart).expect("it is written");
    let first = platform.asked();
    for (path, allowed, code, said) in [
        (
            "master.m3u8",
            &other.host,
            5,
            "is on no host that --allow-host names",
        ),
        (
            "elsewhere.m3u8?token=secret",
            &platform.host,
            5,
            "is on no host that --allow-host names",
        ),
        (
            "moved?token=secret",
            &platform.host,
            5,
            "it leads elsewhere",
        ),
        ("none.m3u8", &platform.host, 5, "it answers 404"),
        ("encrypted.m3u8", &platform.host, 3, "is encrypted"),
        (
            "apart.m3u8",
            &platform.host,
            3,
            "has sound in a playlist of its own",
        ),
    ] {
        let refused = package(path, &[allowed]);
        assert_eq!(refused.code, code, "{path}: {refused:?}");
        assert!(refused.stderr.contains(said), "{path}: {refused:?}");
        assert!(refused.stderr.contains("\n\nhint: "), "{path}: {refused:?}");
    }
    assert_eq!(other.asked(), 0);
    // The playlists, some of them twice, and no segment.
    assert!(
        platform.asked() - first <= 10,
        "{}",
        platform.asked() - first
    );
    // What opens a lecture elsewhere is nobody's business but the platform's.
    assert!(!done.stderr.contains("secret"), "{done:?}");
    let unnamed = package("master.m3u8", &[]);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
}
