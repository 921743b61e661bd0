//! `lectern work`: jobs from a queue, each completed once despite failures.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use testkit::queue::{QueueServer, TOKEN};

use crate::bucket::S3Bucket;
use testkit::bucket::strict::{Answers, Fault};
use testkit::process::{end, run, text, wait_for_child};
use testkit::recording::clip;

fn worker(bucket: &S3Bucket, queue: &QueueServer, work: &Path, more: &[&str]) -> Command {
    let from = "r2://video/uploads/";
    let words = ["work", from, "r2://video/courses", "--queue", &queue.url];
    let words = [&words[..], &["--no-status", "--work", text(work)], more].concat();
    let mut command = bucket.command(&words);
    command.env("CLOUDFLARE_API_TOKEN", TOKEN);
    command
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("lectern starts")
}

#[test]
fn the_job_of_a_worker_that_is_killed_is_done_elsewhere_to_the_same_bytes() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 25);
    let [direct, first, second] = ["direct", "first", "second"].map(|name| root.path().join(name));
    let settings = ["--preset", "medium"];
    let expected = {
        let bucket = S3Bucket::start(|_| Fault::None);
        let words = ["ship", text(&input), "r2://video/courses/rails/talk"];
        let words = [&words[..], &["--work", text(&direct)], &settings].concat();
        let shipped = bucket.run(&words);
        assert_eq!(shipped.code, 0, "{shipped:?}");
        bucket.published("courses/rails/talk")
    };
    let bucket = S3Bucket::start(|_| Fault::None);
    bucket.hold("uploads/rails/talk.mp4", &fs::read(&input).expect("a clip"));
    let queue = QueueServer::start(3);
    queue.uploaded("uploads/rails/talk.mp4");

    let more = ["--lease", "4s", "--pause", "1s", "--threads", "1"];
    let more = [&more[..], &settings].concat();
    let held = bucket.strict.hold(Answers::Writes);
    let mut victim = started(worker(&bucket, &queue, &first, &more));
    wait_for_child(&mut victim, "a segment goes up", || {
        !bucket.strict.state().order.is_empty()
    });
    let killed = end(victim, "-KILL");
    drop(held);
    assert_eq!(killed.stdout, "", "it was not done: {killed:?}");
    assert!(!bucket.path("courses/rails/talk/master.m3u8").exists());

    let mut heir = started(worker(&bucket, &queue, &second, &more));
    wait_for_child(&mut heir, "the queue is empty", || queue.is_empty());
    let heir = end(heir, "-TERM");
    assert_eq!(heir.code, 130, "{heir:?}");
    assert_eq!(
        heir.stdout, "r2://video/courses/rails/talk/master.m3u8\n",
        "{heir:?}"
    );
    assert_eq!(bucket.published("courses/rails/talk"), expected);
    assert_eq!(queue.state().acknowledged.len(), 1);
    assert!(queue.state().leases >= 2);
    assert_eq!(fs::read_dir(&second).expect("a folder").count(), 0);

    // The queue delivers it twice, and the package exists already.
    queue.uploaded("uploads/rails/talk.mp4");
    let again = run(&mut worker(
        &bucket,
        &queue,
        &second,
        &[&more[..], &["--once"]].concat(),
    ));
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("already there"), "{again:?}");
    assert!(queue.is_empty());
    bucket.assert_lawful();
}

#[test]
fn an_impossible_job_becomes_a_dead_letter_and_blocks_no_other() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 2);
    let bucket = S3Bucket::start(|_| Fault::None);
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    bucket.hold("uploads/notes.mp4", b"no recording");
    let queue = QueueServer::start(3);
    queue.send("hello");
    queue.uploaded("uploads/notes.mp4");
    queue.uploaded("uploads/page.html");
    queue.uploaded("elsewhere/talk.mp4");
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");
    let once = ["--once", "--preset", "ultrafast"];
    let done = run(&mut worker(&bucket, &queue, &work, &once));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        done.stdout, "r2://video/courses/talk/master.m3u8\n",
        "{done:?}"
    );
    for said in [
        "attempt 1 failed: cannot take up a message: the message is not what an edge says of an upload",
        "`elsewhere/talk.mp4` does not lie below `uploads/`",
        "`uploads/page.html` has an extension that no recording has",
        "its index is missing",
    ] {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    let state = queue.state();
    assert_eq!(state.acknowledged.len(), 1);
    assert_eq!(state.dead.len(), 4, "{:?}", state.dead);
    let mut delays = state.delays.clone();
    delays.sort();
    assert_eq!(delays, [[60; 4], [120; 4], [240; 4]].concat());
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
}

#[test]
fn a_worker_gives_its_job_back_where_it_is_told_to_end_or_can_do_none() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 25);
    let bucket = S3Bucket::start(|_| Fault::None);
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    let queue = QueueServer::start(9);
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");

    let more = ["--preset", "medium", "--threads", "1"];
    let held = bucket.strict.hold(Answers::Writes);
    let mut child = started(worker(&bucket, &queue, &work, &more));
    wait_for_child(&mut child, "a segment goes up", || {
        !bucket.strict.state().order.is_empty()
    });
    let told = end(child, "-TERM");
    drop(held);
    assert_eq!(told.code, 130, "{told:?}");
    assert_eq!(queue.state().delays, [0], "{told:?}");

    // Without ffmpeg, the next job would fail as well.
    let bare = root.path().join("bare");
    fs::create_dir(&bare).expect("a folder");
    let unable = run(worker(&bucket, &queue, &bare, &["--once"]).env("PATH", &bare));
    assert_eq!(unable.code, 4, "{unable:?}");
    assert_eq!(queue.state().delays[1..], [120], "{unable:?}");

    let mut stranger = worker(&bucket, &queue, &work, &["--once"]);
    let refused = run(stranger.env("CLOUDFLARE_API_TOKEN", "another-token"));
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("the queue refused with 403: Authentication error"),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains("hint: allow CLOUDFLARE_API_TOKEN"),
        "{refused:?}"
    );
    for run in [told, unable, refused] {
        assert!(!run.stderr.contains(TOKEN) && !run.stderr.contains("another-token"));
    }
}

#[test]
fn a_worker_that_is_told_to_end_restores_the_lecture_that_played() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    let old = clip(root.path(), "320x240", 4);
    let words = ["ship", text(&old), "r2://video/courses/talk"];
    let shipped = bucket.run(&[&words[..], &["--work", text(root.path())]].concat());
    assert_eq!(shipped.code, 0, "{shipped:?}");
    let master = bucket.path("courses/talk/master.m3u8");
    let before = fs::read(&master).expect("it plays");
    let new = clip(root.path(), "320x240", 25);
    bucket.hold("uploads/talk.mp4", &fs::read(&new).expect("a clip"));
    let queue = QueueServer::start(9);
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");
    let more = ["--preset", "slow", "--threads", "1", "--instant"];
    let mut child = started(worker(&bucket, &queue, &work, &more));
    wait_for_child(&mut child, "a provisional lecture plays", || {
        fs::read(&master).is_ok_and(|now| now != before)
    });
    let told = end(child, "-TERM");
    assert_eq!(told.code, 130, "{told:?}");
    assert_eq!(queue.state().delays, [0], "{told:?}");
    assert!(told.stderr.contains("plays again"), "{told:?}");
    assert_eq!(fs::read(&master).expect("it plays"), before);
}

#[test]
fn a_job_that_exceeds_a_limit_is_given_up_and_the_next_one_is_done() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 9);
    let bucket = S3Bucket::start(|_| Fault::None);
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    let playlist = |segments: &str| format!("#EXTM3U\n{segments}#EXT-X-ENDLIST\n");
    let names = |segments: String| playlist(&segments);
    let hostile = [
        (
            "repeated",
            names("a.ts\n".repeat(100_000)),
            "and the limit is 50.0 GB",
        ),
        (
            "thrice",
            names("small.ts\n".repeat(3)),
            "segments are listed again and again",
        ),
    ];
    let queue = QueueServer::start(3);
    for (name, playlist, _) in &hostile {
        let folder = format!("uploads/{name}");
        bucket.hold(&format!("{folder}/x.m3u8"), playlist.as_bytes());
        bucket.hold(&format!("{folder}/a.ts"), &vec![0; 5_000_000]);
        bucket.hold(&format!("{folder}/small.ts"), b"small");
        queue.uploaded(&format!("{folder}/ended"));
    }
    let large = serde_json::json!({"key": "uploads/large.mov", "etag": "e", "bytes": 1_u64 << 40, "uploaded": 2});
    queue.send(&large.to_string());
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");
    let once = ["--once", "--preset", "ultrafast"];
    let done = run(&mut worker(&bucket, &queue, &work, &once));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        done.stdout, "r2://video/courses/talk/master.m3u8\n",
        "{done:?}"
    );
    let large = (
        "large",
        String::new(),
        "it has 1099.5 GB to fetch, and the limit is 50.0 GB",
    );
    for (name, _, said) in hostile.iter().chain([&large]) {
        let lines = done.stderr.lines();
        let line = lines.filter(|line| line.starts_with("not retried: "));
        let line = line.filter(|line| line.contains(&format!("uploads/{name}")));
        let line: Vec<&str> = line.collect();
        assert!(
            line.len() == 1 && line[0].contains(said),
            "{name}: {done:?}"
        );
    }
    // Their segments were not requested, and the queue does not deliver these jobs again.
    assert!(!done.stderr.contains("a recording in"), "{done:?}");
    assert_eq!(queue.state().acknowledged.len(), 4);
    assert!(queue.is_empty() && queue.state().dead.is_empty());
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);

    // What is found out later is given up as well, and leaves nothing. The bucket answers no write meanwhile, so that no
    // machine is quick enough to end in time.
    let _held = bucket.strict.hold(Answers::Writes);
    for (limit, said) in [
        (
            ["--max-frames", "9"],
            "it has 270 frames to encode, and the limit is 9",
        ),
        (["--max-time", "1s"], "it took longer than its limit of 1 s"),
    ] {
        queue.uploaded("uploads/talk.mp4");
        // Another revision than the one that is there.
        let other = ["--once", "--preset", "superfast"];
        let done = run(&mut worker(
            &bucket,
            &queue,
            &work,
            &[&other[..], &limit].concat(),
        ));
        assert_eq!(done.code, 0, "{limit:?}: {done:?}");
        assert!(done.stderr.contains(said), "{limit:?}: {done:?}");
        assert!(queue.is_empty(), "{limit:?}: {done:?}");
        assert_eq!(
            fs::read_dir(&work).expect("a folder").count(),
            0,
            "{limit:?}: {done:?}"
        );
    }
}

#[test]
fn the_download_of_a_failed_job_is_removed() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    // A playlist cannot name another host, a local path or another folder.
    for (at, uri) in [
        "http://127.0.0.1:1/a.ts",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "/etc/passwd",
        "../../secret.ts",
        "//evil.example/a.ts",
    ]
    .into_iter()
    .enumerate()
    {
        let playlist = format!("#EXTM3U\n#EXTINF:4,\n{uri}\n#EXT-X-ENDLIST\n");
        bucket.hold(&format!("uploads/{at}/x.m3u8"), playlist.as_bytes());
    }
    let queue = QueueServer::start(1);
    for at in 0..6 {
        queue.uploaded(&format!("uploads/{at}/ended"));
    }
    let work = root.path().join("work");
    let done = run(&mut worker(&bucket, &queue, &work, &["--once"]));
    assert_eq!(done.code, 0, "{done:?}");
    let refused = done.stderr.matches("which is outside its folder").count();
    assert_eq!(refused, 6, "{done:?}");
    assert!(queue.is_empty(), "{done:?}");
    assert_eq!(queue.state().acknowledged.len(), 0);

    // The bucket refuses the package. The downloaded input is removed too.
    let input = clip(root.path(), "320x240", 2);
    let bucket = S3Bucket::start(|number| match number {
        0..=6 => Fault::None,
        _ => Fault::Status(403, None),
    });
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    let queue = QueueServer::start(1);
    queue.uploaded("uploads/talk.mp4");
    let once = ["--once", "--preset", "ultrafast"];
    let failed = run(&mut worker(&bucket, &queue, &work, &once));
    assert_eq!(failed.code, 0, "{failed:?}");
    assert!(failed.stderr.contains("attempt 1 failed"), "{failed:?}");
    assert!(failed.stderr.contains("fetching: "), "{failed:?}");
    let left = fs::read_dir(&work).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    let is_input = |name: &std::ffi::OsString| name.to_string_lossy().contains("input");
    assert!(!left.iter().any(is_input), "{left:?}: {failed:?}");
}

#[test]
fn a_worker_whose_disk_is_nearly_full_makes_room_and_else_takes_no_job() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    let queue = QueueServer::start(3);
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");
    let left = work.join("lectern-input-0123456789abcdef");
    fs::create_dir_all(left.join("work")).expect("a folder");
    let own = work.join("mine");
    fs::create_dir_all(&own).expect("a folder");
    let full = ["--min-free", "1000000TB", "--pause", "1s"];
    let once = run(&mut worker(
        &bucket,
        &queue,
        &work,
        &[&full[..], &["--once"]].concat(),
    ));
    assert_eq!(once.code, 4, "{once:?}");
    for said in [
        "removed 1 folders of jobs that were left",
        "no job is taken: ",
        "hint: free some space",
    ] {
        assert!(once.stderr.contains(said), "{said}: {once:?}");
    }
    assert!(!left.exists() && own.exists());
    assert_eq!(queue.state().leases, 0);

    // Without `--once`, it continues to poll.
    let log = root.path().join("log");
    let mut waiting = worker(&bucket, &queue, &work, &full);
    waiting.stderr(fs::File::create(&log).expect("a log"));
    let mut waiting = waiting.spawn().expect("lectern starts");
    wait_for_child(&mut waiting, "it says so", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("looking again every 1 s"))
    });
    assert!(waiting.try_wait().expect("a child").is_none());
    let told = end(waiting, "-TERM");
    assert_eq!(told.code, 130, "{told:?}");
    assert_eq!(queue.state().leases, 0);
}
