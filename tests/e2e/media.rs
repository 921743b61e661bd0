//! Lectures to publish, and playlists to read.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use testkit::process::succeed;

use tempfile::TempDir;

use crate::edge::{Edge, lectern};

/// Seconds of the sample lecture.
pub(crate) const SECONDS: f64 = 14.0;

/// A package of a short sample lecture in three rungs, built once.
pub(crate) fn package() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, package) = MADE.get_or_init(|| packaged(1, &["--ladder", "1080,720,480"]));
    package
}

/// A sample lecture of up to forty seconds. All are copies of one, which takes a while to make.
pub(crate) fn sample(seconds: u32) -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let whole = folder.path().join("whole.mp4");
        succeed(
            lectern()
                .args(["sample", "--seconds", "40", "-o"])
                .arg(whole),
        );
        folder
    });
    let copy = TempDir::new_in(folder)
        .expect("a folder")
        .keep()
        .join("sample.mp4");
    succeed(
        Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(folder.path().join("whole.mp4"))
            .args(["-t", &seconds.to_string(), "-c", "copy"])
            .args(["-movflags", "+faststart"])
            .arg(&copy),
    );
    copy
}

/// A package of the sample lecture with `tracks` audio tracks and further options, and its
/// temporary folder.
pub(crate) fn packaged(tracks: usize, args: &[&str]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let mut input = sample(14);
    if tracks > 1 {
        let sample = std::mem::replace(&mut input, folder.path().join("tracks.mp4"));
        succeed(
            Command::new("ffmpeg")
                .args(["-v", "error", "-nostdin", "-i"])
                .arg(&sample)
                .args(["-map", "0:v"])
                .args(["-map", "0:a"].repeat(tracks))
                .args(["-c", "copy"])
                .arg(&input),
        );
    }
    let package = folder.path().join("package");
    succeed(
        lectern()
            .arg("package")
            .arg(&input)
            .arg("-o")
            .arg(&package)
            .args(["--preset", "ultrafast"])
            .args(args),
    );
    (folder, package)
}

/// Seconds of the long lecture.
pub(crate) const LONG_SECONDS: u32 = 150;

/// A package of a lecture that lasts for two minutes and a half, and has a caption every second,
/// built once. Its only rung costs a browser little.
pub(crate) fn long_package() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, package) = MADE.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let (input, captions, package) = (at("long.mp4"), at("talk.srt"), at("package"));
        let seconds = LONG_SECONDS.to_string();
        succeed(
            lectern()
                .args(["sample", "--seconds", &seconds, "-o"])
                .arg(&input),
        );
        let cue = |at: u32| {
            let second = format!("00:{:02}:{:02}", at / 60, at % 60);
            format!(
                "{}\n{second},100 --> {second},900\nSecond {at}.\n\n",
                at + 1
            )
        };
        let cues: String = (0..LONG_SECONDS).map(cue).collect();
        std::fs::write(&captions, cues).expect("written");
        let mut packages = lectern();
        packages.arg("package").arg(&input).arg("-o").arg(&package);
        packages
            .arg("--captions")
            .arg(format!("en={}", captions.display()));
        succeed(packages.args(["--ladder", "240", "--preset", "ultrafast", "--no-mp4"]));
        (folder, package)
    });
    package
}

/// A playlist as served by the edge.
pub(crate) struct Playlist {
    path: String,
    pub(crate) text: String,
}

impl Playlist {
    /// Fetches `path_and_query`, which must open.
    pub(crate) fn open(edge: &Edge, path_and_query: &str) -> Self {
        let reply = edge.get(path_and_query);
        assert_eq!(reply.status, 200, "{path_and_query}: {}", reply.text());
        let path = path_and_query.split('?').next().unwrap_or(path_and_query);
        Self {
            path: path.to_owned(),
            text: reply.text().to_owned(),
        }
    }

    /// The path and query of the session data with this `DATA-ID`.
    pub(crate) fn session_data(&self, id: &str) -> Option<String> {
        let start = format!("#EXT-X-SESSION-DATA:DATA-ID=\"{id}\",URI=\"");
        let line = self
            .text
            .lines()
            .find_map(|line| line.strip_prefix(&start))?;
        Some(self.beside(line.split('"').next()?))
    }

    /// The path and query of a relative URI.
    pub(crate) fn beside(&self, uri: &str) -> String {
        let (folder, _) = self.path.rsplit_once('/').expect("an absolute path");
        format!("{folder}/{uri}")
    }

    /// The paths and queries of its playable entries, each once: URI lines and `URI` attributes.
    pub(crate) fn listed(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.text
            .lines()
            .filter(|line| !line.starts_with("#EXT-X-SESSION-DATA"))
            .filter_map(|line| match line.strip_prefix('#') {
                None => Some(line),
                Some(tag) => tag.split_once("URI=\"")?.1.split('"').next(),
            })
            .filter(|uri| !uri.is_empty() && seen.insert(*uri))
            .map(|uri| self.beside(uri))
            .collect()
    }
}

/// The duration that ffprobe reads.
pub(crate) fn duration(url: &str) -> f64 {
    succeed(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "format=duration",
                "-of",
                "csv=p=0",
            ])
            .arg(url),
    )
    .trim()
    .parse()
    .expect("seconds")
}

/// Decodes everything behind `url`. Any error in any segment fails.
pub(crate) fn decode(url: &str) {
    succeed(
        Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-nostdin", "-i", url])
            .args(["-map", "0", "-f", "null", "-"]),
    );
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip starts");
    let mut stdin = gzip.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = gzip.wait_with_output().expect("gzip ends");
    writer.join().expect("a thread").expect("written");
    assert!(output.status.success());
    output.stdout
}
