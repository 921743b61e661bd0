//! The status of a job beside its upload.

use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::bucket::strict::Fault;
use testkit::process::{Run, run, text};
use testkit::queue::{QueueServer, TOKEN};
use testkit::recording::clip;

use crate::bucket::S3Bucket;

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
    assert_eq!(failed["state"], "failed", "{failed}");
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
