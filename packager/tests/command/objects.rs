//! INPUT from a bucket, as an object or a recording in parts: a real S3 server behind a proxy that
//! injects faults.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::bucket::S3Bucket;
use testkit::bucket::keys;
use testkit::bucket::strict::{Answers, Fault, Moment};
use testkit::files::sha256;
use testkit::process::{Run, run, text, wait_for_child};
use testkit::recording::clip;
use testkit::recording::copying;

impl S3Bucket {
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.path().join("video").join(key)
    }

    /// Stores an object directly in the server.
    pub(crate) fn hold(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        fs::write(path, bytes).expect("it is written");
        let mut etags = self.strict.etags();
        etags.insert(
            format!("/video/{key}"),
            format!("\"{}\"", &sha256(bytes)[..32]),
        );
        self.strict.adopt(etags);
    }

    fn ship(&self, input: &str, target: &str, work: &Path) -> Command {
        let args = ["ship", input, target, "--preset", "ultrafast"];
        self.command(&[&args[..], &["--work", text(work)]].concat())
    }

    fn shipped(&self, input: &str, target: &str, work: &Path) -> Run {
        let run = run(&mut self.ship(input, target, work));
        assert_eq!(run.code, 0, "{run:?}");
        run
    }

    /// Names and digests of the objects published below a prefix.
    pub(crate) fn published(&self, prefix: &str) -> HashMap<String, String> {
        let folder = self.path(prefix);
        let names = keys(&folder).into_iter();
        names
            .map(|name| {
                let bytes = fs::read(folder.join(&name)).expect("an object");
                (name, sha256(&bytes))
            })
            .collect()
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[test]
fn an_object_is_shipped_as_the_file_that_it_was_whatever_fails_on_the_way() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let bytes = fs::read(&input).expect("a clip");
    let work = root.path().join("work");
    let expected = {
        let bucket = S3Bucket::start(|_| Fault::None);
        bucket.shipped(text(&input), "r2://video/courses/a", &work);
        bucket.published("courses/a")
    };
    let bucket = S3Bucket::start(|number| match number {
        1 | 6 => Fault::Status(503, None),
        2 => Fault::Reset,
        // The first answer about the object's bytes, and two more.
        4 | 5 | 7 => Fault::HalfAnswer,
        _ => Fault::None,
    });
    bucket.hold("uploads/é 1/clip.mp4", &bytes);
    let input = "r2://video/uploads/%C3%A9%201/clip.mp4";
    let run = bucket.shipped(input, "r2://video/courses/a", &work);
    assert_eq!(bucket.strict.state().faults, 6, "{run:?}");
    assert_eq!(bucket.published("courses/a"), expected);
    assert!(is_empty(&work));
}

#[test]
fn a_fetch_that_was_killed_goes_on_unless_the_object_is_another() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let mut bytes = fs::read(&input).expect("a clip");
    // No box contains the bytes after the last one.
    let length = u32::try_from(24_usize << 20).expect("a length");
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"free");
    bytes.resize(bytes.len() + (24 << 20) - 8, 7);
    let work = root.path().join("work");
    let bucket = S3Bucket::start(|_| Fault::None);
    bucket.hold("uploads/clip.mp4", &bytes);

    let part = || {
        let entries = fs::read_dir(&work).ok()?.flatten();
        let mut parts = entries.map(|entry| entry.path().join("clip.mp4.part"));
        parts.find(|part| part.exists())
    };
    let kill = || {
        let held = bucket.strict.hold(Answers::Large);
        let mut child = bucket
            .ship("r2://video/uploads/clip.mp4", "r2://video/courses/a", &work)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lectern starts");
        let is_some = |part: PathBuf| fs::metadata(part).is_ok_and(|found| found.len() > 0);
        wait_for_child(&mut child, "a part comes", || part().is_some_and(is_some));
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        drop(held);
    };
    kill();
    let had = fs::metadata(part().expect("a part"))
        .expect("it is there")
        .len();
    assert!(had < bytes.len() as u64, "{had}");
    let again = bucket.shipped("r2://video/uploads/clip.mp4", "r2://video/courses/a", &work);
    let said = format!("{had} of {} bytes are downloaded", bytes.len());
    assert!(again.stderr.contains(&said), "{said}: {again:?}");
    assert!(is_empty(&work));

    // The object is replaced between the question and the answer.
    let bucket = Arc::new(bucket);
    let inner = Arc::clone(&bucket);
    bucket.strict.reset();
    bucket
        .strict
        .on_request(Some(Arc::new(move |number, moment| {
            if (number, moment) == (1, Moment::Done) {
                inner.hold("uploads/clip.mp4", b"another");
            }
        })));
    let replaced =
        run(&mut bucket.ship("r2://video/uploads/clip.mp4", "r2://video/courses/b", &work));
    bucket.strict.on_request(None);
    assert_eq!(replaced.code, 5, "{replaced:?}");
    assert!(
        replaced
            .stderr
            .contains("was replaced or removed while it was read"),
        "{replaced:?}"
    );
    assert!(!bucket.path("courses/b").exists());
}

/// The duration of a stream in seconds.
fn lasts(file: &Path, stream: &str) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-progress", "-", "-i"])
        .arg(file)
        .args(["-map", &format!("0:{stream}"), "-f", "null", "/dev/null"])
        .output();
    let said = String::from_utf8_lossy(&output.expect("ffmpeg runs").stdout).into_owned();
    let (_, micros) = said.rsplit_once("out_time_us=").expect("progress");
    let micros: f64 = micros
        .lines()
        .next()
        .unwrap_or_default()
        .parse()
        .expect("a number");
    micros / 1e6
}

#[test]
fn a_recording_whose_sound_was_stored_apart_is_one_lecture_too() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 13);
    let bucket = S3Bucket::start(|_| Fault::None);
    let parts = root.path().join("parts");
    fs::create_dir(&parts).expect("a folder");
    // The names that mediabunny uses in live mode: one playlist per track.
    for (track, stream) in [(1, "0:v"), (2, "0:a")] {
        let made = copying(&input, stream)
            .args("-f hls -hls_segment_type fmp4 -hls_time 2 -hls_playlist_type event".split(' '))
            .args(["-start_number", "1", "-hls_flags", "omit_endlist"])
            .args(["-hls_fmp4_init_filename", &format!("init-{track}.m4s")])
            .args(["-hls_segment_filename", &format!("segment-{track}-%d.m4s")])
            .arg(format!("playlist-{track}.m3u8"))
            .current_dir(&parts)
            .status();
        assert!(made.expect("ffmpeg runs").success());
    }
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"2\",NAME=\"Microphone\",URI=\"playlist-2.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"2\"\nplaylist-1.m3u8\n";
    fs::write(parts.join("master.m3u8"), master).expect("it is written");
    for name in keys(&parts) {
        let bytes = fs::read(parts.join(&name)).expect("a part");
        bucket.hold(&format!("live/7/{name}"), &bytes);
    }
    let work = root.path().join("work");
    let run = bucket.shipped("r2://video/live/7/", "r2://video/courses/a", &work);
    assert!(run.stderr.contains("a recording in"), "{run:?}");
    let published = bucket.path("courses/a/master.m3u8");
    for stream in ["v:0", "a:0"] {
        let lasts = lasts(&published, stream);
        assert!((lasts - 13.0).abs() < 0.2, "{stream}: {lasts}");
    }
    let text = fs::read_to_string(published).expect("a playlist");
    assert!(text.contains("NAME=\"Microphone\""), "{text}");
    assert!(is_empty(&work));
}

/// The objects of a revision by their names in it, without those that name the revision or its
/// source: joined parts have other numbers than the file that they were cut from.
fn media_of(published: &HashMap<String, String>) -> HashMap<String, String> {
    let own = |(path, digest): (&String, &String)| {
        let (_, name) = path.strip_prefix("v/")?.split_once('/')?;
        (name != "package.json").then(|| (name.to_owned(), digest.clone()))
    };
    published.iter().filter_map(own).collect()
}

#[test]
fn a_recording_that_was_stored_in_parts_is_one_lecture() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 13);
    let parts = root.path().join("parts");
    fs::create_dir(&parts).expect("a folder");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(&input)
        .args(
            "-c copy -f hls -hls_segment_type fmp4 -hls_time 2 -hls_playlist_type event".split(' '),
        )
        .args(
            "-start_number 1 -hls_flags omit_endlist -hls_fmp4_init_filename init-1.m4s".split(' '),
        )
        .arg("-hls_segment_filename")
        .arg(parts.join("segment-1-%d.m4s"))
        .arg(parts.join("playlist-1.m3u8"))
        .status();
    assert!(made.expect("ffmpeg runs").success());
    let read = |name: &str| fs::read(parts.join(name)).expect(name);
    let names: Vec<String> = (1..)
        .map(|number| format!("segment-1-{number}.m4s"))
        .take_while(|name| parts.join(name).exists())
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    let mut whole = read("init-1.m4s");
    names.iter().for_each(|name| whole.extend(read(name)));
    let file = root.path().join("recording.mp4");
    fs::write(&file, whole).expect("it is written");

    let bucket = S3Bucket::start(|_| Fault::None);
    let work = root.path().join("work");
    bucket.shipped(text(&file), "r2://video/courses/file", &work);
    let expected = media_of(&bucket.published("courses/file"));
    for name in names.iter().map(String::as_str).chain(["init-1.m4s"]) {
        bucket.hold(&format!("live/7/{name}"), &read(name));
    }
    // The tab closed before it uploaded its first playlist.
    bucket.shipped("r2://video/live/7/", "r2://video/courses/names", &work);
    assert_eq!(media_of(&bucket.published("courses/names")), expected);
    // The tab closed before it uploaded its last playlist.
    let playlist = String::from_utf8(read("playlist-1.m3u8")).expect("text");
    let (last, _) = playlist.rsplit_once("#EXTINF").expect("a segment");
    bucket.hold("live/7/playlist-1.m3u8", last.as_bytes());
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist-1.m3u8\n";
    bucket.hold("live/7/master.m3u8", master.as_bytes());
    for input in [
        "r2://video/live/7/",
        "r2://video/live/7/playlist-1.m3u8",
        "r2://video/live/7/master.m3u8",
    ] {
        let run = bucket.shipped(input, "r2://video/courses/names", &work);
        assert!(run.stderr.contains("already there"), "{input}: {run:?}");
        assert!(is_empty(&work), "{input}: {:?}", keys(&work));
    }
    // The recording plays to its end.
    let lasts = lasts(&bucket.path("courses/names/master.m3u8"), "v:0");
    assert!((lasts - 13.0).abs() < 0.2, "{lasts}");

    let foreign = "#EXTM3U\n#EXT-X-MAP:URI=\"http://127.0.0.1:1/init.mp4\"\n#EXTINF:2,\na.m4s\n";
    bucket.hold("live/8/x.m3u8", foreign.as_bytes());
    for (input, code, said, hint) in [
        (
            "r2://video/live/8/x.m3u8",
            3,
            "names `http://127.0.0.1:1/init.mp4`, which is outside",
            "copy it into",
        ),
        (
            "r2://video/live/9/",
            3,
            "the folder holds no recording",
            "check the name",
        ),
        (
            "r2://video/uploads/none.mp4",
            3,
            "there is no object `r2://video/uploads/none.mp4`",
            "complete an upload",
        ),
        (
            "r2://video/none.mp4",
            2,
            "lies in no folder",
            "r2://bucket/uploads/talk.mov",
        ),
        (
            "https://edge.example/a/b.mp4?token=x",
            2,
            "has a query",
            "LECTERN_KEYS",
        ),
    ] {
        let run = run(&mut bucket.ship(input, "r2://video/courses/x", &work));
        assert_eq!(run.code, code, "{input}: {run:?}");
        let (error, shown) = run.stderr.split_once("\n\nhint: ").expect(input);
        assert!(error.contains(said), "{said}: {error}");
        assert!(shown.contains(hint), "{hint}: {shown}");
        assert!(!bucket.path("courses/x").exists());
    }
}
