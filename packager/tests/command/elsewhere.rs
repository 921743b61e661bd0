//! `--hls`: a lecture of another platform, which receives all requests.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::{command, package_json};
use testkit::process::{Run, run, text};
use testkit::recording::clip;
use testkit::recording::copying;

/// Serves a folder and counts requests.
pub(crate) struct Platform {
    host: String,
    state: Arc<Mutex<PlatformState>>,
}

#[derive(Default)]
struct PlatformState {
    asked: Vec<String>,
    /// The suffix of removed paths.
    gone: Option<&'static str>,
}

impl Platform {
    pub(crate) fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(PlatformState::default()));
        let (shared, folder) = (Arc::clone(&state), folder.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut state = shared.lock().expect("no panic");
                let _ = serve(&stream, &folder, &mut state);
            }
        });
        Self { host, state }
    }

    /// The host and port that it serves.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn asked(&self) -> usize {
        self.state.lock().expect("no panic").asked.len()
    }

    /// The number of requests since `from` whose path ends in `end`.
    fn asked_since(&self, from: usize, end: &str) -> usize {
        let state = self.state.lock().expect("no panic");
        let paths = state.asked[from..]
            .iter()
            .filter_map(|target| target.split('?').next());
        paths.filter(|path| path.ends_with(end)).count()
    }

    fn lose(&self, end: Option<&'static str>) {
        self.state.lock().expect("no panic").gone = end;
    }

    pub(crate) fn package(&self, path: &str, out: &Path, allowed: &[&str]) -> Run {
        let url = format!("http://{}/{path}", self.host);
        let words = [
            "package",
            &url,
            "-o",
            text(out),
            "--hls",
            "--preset",
            "ultrafast",
        ];
        let hosts = allowed.iter().flat_map(|host| ["--allow-host", host]);
        run(command(&words).args(hosts))
    }

    /// As [`Platform::package`], with a limit of bytes.
    fn package_at_most(&self, path: &str, out: &Path, most: &str) -> Run {
        let url = format!("http://{}/{path}", self.host);
        let words = ["package", &url, "-o", text(out), "--hls", "--allow-host"];
        run(command(&words).args([&self.host, "--max-input", most]))
    }
}

/// Serves one request. Every third one gets a `Retry-After`, and `/moved` redirects to `/`.
fn serve(stream: &TcpStream, folder: &Path, state: &mut PlatformState) -> std::io::Result<()> {
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
    state.asked.push(target);
    if path.starts_with("/endless") {
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n#EXTM3U\n"
        )?;
        loop {
            stream.write_all(&[b'\n'; 1 << 16])?;
        }
    }
    let file = fs::read(folder.join(path.trim_start_matches('/')));
    let (status, body) = match file {
        _ if path.starts_with("/moved") => ("302 Found\r\nLocation: /master.m3u8", vec![]),
        _ if state.gone.is_some_and(|end| path.ends_with(end)) => ("410 Gone", vec![]),
        _ if state.asked.len().is_multiple_of(3) => ("503 Busy", vec![]),
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
    let package = |path: &str, allowed: &[&str]| platform.package(path, &out, allowed);
    let done = package("master.m3u8?token=secret", &[&platform.host]);
    assert_eq!(done.code, 0, "{done:?}");
    let lasts = package_json(&out)["duration"].as_f64().expect("seconds");
    assert!((lasts - 9.0).abs() < 0.2, "{lasts}");
    let left = fs::read_dir(root.path()).expect("a folder").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("lectern-"));
    assert_eq!(left.count(), 0);

    let playlist = fs::read_to_string(folder.join("high.m3u8")).expect("a playlist");
    let elsewhere = playlist.replacen("high0.ts", &format!("http://{}/high0.ts", other.host), 1);
    fs::write(folder.join("elsewhere.m3u8"), elsewhere).expect("it is written");
    let key = playlist.replacen("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF", 1);
    fs::write(folder.join("encrypted.m3u8"), key).expect("it is written");
    let apart = format!(
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"http://{}/a.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nhigh.m3u8\n",
        other.host
    );
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
            5,
            "is on no host that --allow-host names",
        ),
    ] {
        let refused = package(path, &[allowed]);
        assert_eq!(refused.code, code, "{path}: {refused:?}");
        assert!(refused.stderr.contains(said), "{path}: {refused:?}");
        assert!(refused.stderr.contains("\n\nhint: "), "{path}: {refused:?}");
        let signed = format!(
            "{path}{}token=secret",
            if path.contains('?') { '&' } else { '?' }
        );
        let refused = package(&signed, &[allowed]);
        assert!(!refused.stderr.contains("secret"), "{path}: {refused:?}");
    }
    assert_eq!(other.asked(), 0);
    // The playlists, some of them twice, and no segment.
    assert!(
        platform.asked() - first <= 20,
        "{}",
        platform.asked() - first
    );
    // The credential of the platform occurs in no output.
    assert!(!done.stderr.contains("secret"), "{done:?}");
    let unnamed = package("master.m3u8", &[]);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
}

#[test]
fn endless_and_compressed_answers_exhaust_neither_memory_nor_disk() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join("platform");
    fs::create_dir(&folder).expect("a folder");
    let playlist = |segments: String| format!("#EXTM3U\n{segments}#EXT-X-ENDLIST\n");
    let lines = |count: usize| {
        (0..count)
            .map(|at| format!("{at}.ts\n"))
            .collect::<String>()
    };
    // A megabyte of line breaks, compressed.
    let packed = Command::new("sh")
        .args([
            "-c",
            "{ echo '#EXTM3U'; head -c 1000000 /dev/zero | tr '\\0' '\\n'; } | gzip >packed.m3u8",
        ])
        .current_dir(&folder)
        .status();
    assert!(packed.expect("gzip runs").success());
    for (name, text) in [
        ("segment.m3u8", playlist("endless.ts\n".to_owned())),
        ("repeated.m3u8", playlist("1.ts\n".repeat(100_000))),
        ("many.m3u8", playlist(lines(200_001))),
    ] {
        fs::write(folder.join(name), text).expect("it is written");
    }
    let platform = Platform::start(&folder);
    let out = root.path().join("out");
    for (path, said) in [
        ("endless.m3u8", "is too large for a playlist"),
        ("packed.m3u8", "is no playlist"),
        ("segment.m3u8", "and the limit is 5.0 MB"),
        (
            "repeated.m3u8",
            "its playlists list 100000 segments, and only 1 of them are different",
        ),
        ("many.m3u8", "lists more than 200000 segments"),
    ] {
        let refused = platform.package_at_most(path, &out, "5MB");
        assert_eq!(refused.code, 3, "{path}: {refused:?}");
        assert!(refused.stderr.contains(said), "{path}: {refused:?}");
        assert_eq!(
            fs::read_dir(root.path()).expect("a folder").count(),
            1,
            "{path}"
        );
    }
}

/// A lecture that is black and silent for three seconds, then bright with two tones: Media
/// Playlists, and their Multivariant Playlist.
fn lecture_apart(root: &Path, name: &str, options: &str) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir(&folder).expect("a folder");
    let tone = |hertz: u32| format!("sine=f={hertz}:r=48000:d=9,volume='gte(t,3)':eval=frame");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg("color=white:s=320x240:r=25:d=9,fade=t=in:st=3:d=0.04")
        .args([
            "-f",
            "lavfi",
            "-i",
            &tone(330),
            "-f",
            "lavfi",
            "-i",
            &tone(550),
        ])
        .args(
            "-map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -c:a aac"
                .split(' '),
        )
        .arg(folder.join("whole.mp4"))
        .status();
    assert!(made.expect("ffmpeg runs").success());
    for (stream, name) in [("0:v", "v"), ("0:a:0", "a"), ("0:a:1", "b")] {
        let init = format!("{name}.init.mp4");
        let made = copying(&folder.join("whole.mp4"), stream)
            .args("-f hls -hls_time 2 -hls_playlist_type vod -hls_fmp4_init_filename".split(' '))
            .arg(&init)
            .args(options.split(' '))
            .arg(format!("{name}.m3u8"))
            .current_dir(&folder)
            .status();
        assert!(made.expect("ffmpeg runs").success());
    }
    let sound = |name: &str, rest: &str| {
        format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"s\",{rest},URI=\"{name}.m3u8\"\n")
    };
    let master = format!(
        "#EXTM3U\n{}{}#EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO=\"s\"\nv.m3u8\n",
        sound("b", "NAME=\"Deutsch\",LANGUAGE=\"de\""),
        sound("a", "NAME=\"English, plain\",LANGUAGE=\"en\",DEFAULT=YES"),
    );
    fs::write(folder.join("master.m3u8"), master).expect("it is written");
    folder
}

/// The times at which the video stops being black and each audio track starts.
fn begins(master: &Path) -> Vec<f64> {
    let measure = |filter: &str, stream: &str| {
        let output = Command::new("ffmpeg")
            .args(["-v", "info", "-nostats", "-nostdin", "-i"])
            .arg(master)
            .args([
                "-map",
                stream,
                if stream.contains(":v") { "-vf" } else { "-af" },
                filter,
                "-f",
                "null",
                "-",
            ])
            .output();
        String::from_utf8_lossy(&output.expect("ffmpeg runs").stderr).into_owned()
    };
    let found = |said: &str, key: &str| -> f64 {
        let (_, rest) = said
            .split_once(key)
            .unwrap_or_else(|| panic!("{key}: {said}"));
        let number: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        number.parse().expect("seconds")
    };
    vec![
        found(&measure("blackdetect=d=0.5", "0:v:0"), "black_end:"),
        found(&measure("silencedetect=d=0.5", "0:a:0"), "silence_end:"),
        found(&measure("silencedetect=d=0.5", "0:a:1"), "silence_end:"),
    ]
}

#[test]
fn sound_that_lies_apart_is_put_beside_its_picture_and_stays_in_step_with_it() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, options) in [
        ("ts", "-hls_segment_type mpegts"),
        ("mp4", "-hls_segment_type fmp4"),
        ("ranges", "-hls_segment_type fmp4 -hls_flags single_file"),
    ] {
        let folder = lecture_apart(root.path(), name, options);
        let platform = Platform::start(&folder);
        let out = root.path().join(format!("{name}.out"));
        if name != "ranges" {
            // Audio that begins later than its video.
            let playlist = fs::read_to_string(folder.join("b.m3u8")).expect("a playlist");
            let gap = playlist.replacen("#EXTINF", "#EXT-X-GAP\n#EXTINF", 1);
            fs::write(folder.join("b.m3u8"), gap).expect("it is written");
        }
        let run = platform.package("master.m3u8?sig=1", &out, &[&platform.host]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        let facts = package_json(&out);
        let names: Vec<&str> = (facts["renditions"].as_array().expect("a list").iter())
            .filter_map(|rendition| rendition["folder"].as_str())
            .filter(|folder| folder.starts_with("audio/"))
            .collect();
        assert_eq!(names, ["audio/en", "audio/de"], "{name}");
        let master = out.join("master.m3u8");
        let text = fs::read_to_string(&master).expect("a playlist");
        for called in ["NAME=\"English, plain\"", "NAME=\"Deutsch\""] {
            assert!(text.contains(called), "{name}: {text}");
        }
        for begin in begins(&master) {
            assert!((begin - 3.0).abs() < 0.09, "{name}: {begin}");
        }
    }
}

#[test]
fn a_lecture_that_was_fetched_in_part_goes_on_with_another_signature() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = lecture_apart(root.path(), "ts", "-hls_segment_type mpegts");
    let platform = Platform::start(&folder);
    let out = root.path().join("out");
    let left = || {
        let entries = fs::read_dir(root.path()).expect("a folder").flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| name.starts_with("lectern-input-"))
    };
    platform.lose(Some("a3.ts"));
    let stopped = platform.package("master.m3u8?sig=1", &out, &[&platform.host]);
    assert_eq!(stopped.code, 5, "{stopped:?}");
    assert!(stopped.stderr.contains("it answers 410"), "{stopped:?}");
    assert!(
        stopped.stderr.contains("the same command resumes it"),
        "{stopped:?}"
    );
    assert!(left());
    platform.lose(None);
    let before = platform.asked();
    let done = platform.package("master.m3u8?sig=2", &out, &[&platform.host]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr
            .contains("resuming: 3 of 5 parts are downloaded"),
        "{done:?}"
    );
    // No video, and only the missing audio, some of it twice.
    for (end, most) in [
        ("v0.ts", 0),
        ("a0.ts", 0),
        ("a2.ts", 0),
        ("a4.ts", 2),
        ("b0.ts", 2),
    ] {
        let asked = platform.asked_since(before, end);
        assert!(asked <= most, "{end}: {asked}");
    }
    assert!(!left());
    for begin in begins(&out.join("master.m3u8")) {
        assert!((begin - 3.0).abs() < 0.09, "{begin}");
    }
}
