//! A live recording that becomes a lecture in its own folder, with its status.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::bucket::keys;
use testkit::bucket::strict::Fault;
use testkit::process::{Run, run, succeed, text};
use testkit::queue::{QueueServer, TOKEN};
use testkit::recording::{clip, decode, ffmpeg};

use crate::bucket::S3Bucket;

const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplaylist-1.m3u8\n";

/// Stores what a recorder stores, up to its end.
fn record(bucket: &S3Bucket, folder: &str, root: &Path) -> Vec<String> {
    let parts = root.join("parts");
    fs::create_dir(&parts).expect("a folder");
    let input = clip(root, "320x240", 7);
    let mut command = ffmpeg("-i");
    command
        .arg(&input)
        .args("-c copy -f hls -hls_segment_type fmp4 -hls_time 2".split(' '))
        .args("-hls_playlist_type event -start_number 1".split(' '))
        .args("-hls_fmp4_init_filename init-1.m4s".split(' '))
        .args("-hls_segment_filename segment-1-%d.m4s playlist-1.m3u8".split(' '))
        .current_dir(&parts);
    succeed(&mut command);
    fs::write(parts.join("master.m3u8"), MASTER).expect("written");
    fs::write(parts.join("ended"), "").expect("written");
    for name in keys(&parts) {
        let bytes = fs::read(parts.join(&name)).expect("a part");
        let key = format!("{folder}/{name}");
        bucket.hold(&key, &bytes);
        // The server's own entity-tag is the MD5, which a conditional write compares.
        let hashed = succeed(Command::new("md5sum").arg(parts.join(&name)));
        let md5 = hashed.split(' ').next().unwrap_or_default();
        let mut etags = bucket.strict.etags();
        etags.insert(format!("/video/{key}"), format!("\"{md5}\""));
        bucket.strict.adopt(etags);
    }
    keys(&parts)
}

fn work(bucket: &S3Bucket, queue: &QueueServer, folder: &Path, more: &[&str]) -> Run {
    let place = ["work", "r2://video/courses/", "r2://video/courses"];
    let words = ["--queue", &queue.url, "--once", "--preset", "ultrafast"];
    let words = [&place[..], &words, &["--work", text(folder)], more].concat();
    let done = run(bucket.command(&words).env("CLOUDFLARE_API_TOKEN", TOKEN));
    assert_eq!(done.code, 0, "{done:?}");
    done
}

fn status(bucket: &S3Bucket, key: &str) -> Value {
    let json = fs::read(bucket.path(key)).expect("a status");
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn the_ladder_of_a_live_recording_replaces_it_in_its_folder() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    let queue = QueueServer::start(3);
    let recorded = record(&bucket, "courses/live/7", root.path());
    let folder = bucket.path("courses/live/7");
    let temporary = root.path().join("work");
    queue.uploaded("courses/live/7/ended");
    let done = work(&bucket, &queue, &temporary, &[]);
    let url = "r2://video/courses/live/7/master.m3u8\n";
    assert_eq!(done.stdout, url, "{done:?}");
    let master = || fs::read_to_string(folder.join("master.m3u8")).expect("a playlist");
    assert!(master().contains("\nv/"), "{}", master());
    decode(&folder.join("master.m3u8"));
    // Viewers who opened it live go on with the same objects.
    let is_stored = |name: &String| folder.join(name).is_file();
    assert!(recorded.iter().all(is_stored), "{:?}", keys(&folder));
    let kept = fs::read_to_string(folder.join("recorded.m3u8")).expect("it is kept");
    assert_eq!(kept, MASTER);
    let status = status(&bucket, "courses/live/7/status.json");
    assert_eq!(status["state"], "done", "{status}");
    assert_eq!(status["lecture"], "/courses/live/7/", "{status}");
    assert_eq!(status["rungs"], serde_json::json!(["240p"]), "{status}");

    // The queue delivers the message twice. The source is the recording, not its package.
    let before = master();
    queue.uploaded("courses/live/7/ended");
    let again = work(&bucket, &queue, &temporary, &[]);
    assert!(again.stderr.contains("already there"), "{again:?}");
    assert_eq!(master(), before);

    // No pass opens the parts any more, so every command may remove them.
    let pruned = bucket.run(&["prune", "r2://video/courses/live/7", "--max-watch", "1h"]);
    assert_eq!(pruned.code, 0, "{pruned:?}");
    assert!(recorded.iter().all(is_stored), "{pruned:?}");
    queue.uploaded("courses/live/7/ended");
    let done = work(&bucket, &queue, &temporary, &["--prune-live-after", "0s"]);
    // `recorded.m3u8` goes with them, and `master.m3u8` is the package's.
    let said = format!("removed {} objects of a live recording", recorded.len());
    assert!(done.stderr.contains(&said), "{said}: {done:?}");
    let left = keys(&folder);
    let is_left = |name: &String| name.starts_with("v/");
    let others: Vec<&String> = left.iter().filter(|name| !is_left(name)).collect();
    assert_eq!(others, ["manifest.mpd", "master.m3u8", "status.json"]);
    decode(&folder.join("master.m3u8"));
    assert_eq!(keys(&temporary), [""; 0]);

    // A message that comes after that changes nothing.
    queue.uploaded("courses/live/7/ended");
    let late = work(&bucket, &queue, &temporary, &[]);
    assert!(late.stderr.contains("already there"), "{late:?}");
    assert_eq!(master(), before);
    assert!(queue.is_empty());
    bucket.assert_lawful();
}

#[test]
fn an_uploader_reads_how_far_the_job_is_and_why_it_failed() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    let queue = QueueServer::start(1);
    let input = clip(root.path(), "320x240", 3);
    bucket.hold("courses/talk.mp4", &fs::read(&input).expect("a clip"));
    bucket.hold("courses/notes.mp4", b"no recording");
    queue.uploaded("courses/talk.mp4");
    queue.uploaded("courses/notes.mp4");
    work(&bucket, &queue, &root.path().join("work"), &["--instant"]);
    let done = status(&bucket, "courses/talk.mp4.status.json");
    assert_eq!(
        (&done["state"], &done["percent"]),
        (&"done".into(), &100.into())
    );
    assert_eq!(done["lecture"], "/courses/talk/", "{done}");
    let failed = status(&bucket, "courses/notes.mp4.status.json");
    // The queue repeats the job, so it is not over yet.
    assert_eq!(failed["state"], "waiting", "{failed}");
    assert_eq!(failed["error"]["code"], "cut_short", "{failed}");
    let told = failed["error"]["text"].as_str().expect("a text");
    assert!(!told.contains('/') && !told.contains("ffmpeg"), "{told}");

    // A person who ships an upload by hand can leave its status, too.
    let words = [
        "ship",
        "r2://video/courses/talk.mp4",
        "r2://video/courses/b",
    ];
    let temporary = root.path().join("work");
    let more = [
        "--preset",
        "ultrafast",
        "--status",
        "--work",
        text(&temporary),
    ];
    let shipped = bucket.run(&[&words[..], &more].concat());
    assert_eq!(shipped.code, 0, "{shipped:?}");
    let done = status(&bucket, "courses/talk.mp4.status.json");
    assert_eq!(done["lecture"], "/courses/b/", "{done}");
    bucket.assert_lawful();
}
