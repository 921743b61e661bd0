//! `lectern work`: jobs from a queue, done once whoever fails.

mod queue;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use queue::{Queue, TOKEN};

use crate::Bucket;
use crate::common::{Run, clip, run, text};
use crate::s3::strict::Fault;

fn worker(bucket: &Bucket, queue: &Queue, work: &Path, more: &[&str]) -> Command {
    let from = "r2://video/uploads/";
    let words = ["work", from, "r2://video/courses", "--queue", &queue.url];
    let words = [&words[..], &["--work", text(work)], more].concat();
    let mut command = bucket.command(&words);
    command.env("CLOUDFLARE_API_TOKEN", TOKEN);
    command
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("lectern starts")
}

fn wait(what: &str, child: &mut Child, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        assert!(child.try_wait().expect("a child").is_none(), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ended(child: Child, signal: &str) -> Run {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn the_job_of_a_worker_that_is_killed_is_done_elsewhere_to_the_same_bytes() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 25);
    let [direct, first, second] = ["direct", "first", "second"].map(|name| root.path().join(name));
    let settings = ["--preset", "medium"];
    let expected = {
        let bucket = Bucket::start(|_| Fault::None);
        let words = ["ship", text(&input), "r2://video/courses/rails/talk"];
        let words = [&words[..], &["--work", text(&direct)], &settings].concat();
        let shipped = bucket.run(&words);
        assert_eq!(shipped.code, 0, "{shipped:?}");
        bucket.published("courses/rails/talk")
    };
    let bucket = Bucket::start(|_| Fault::None);
    bucket.hold("uploads/rails/talk.mp4", &fs::read(&input).expect("a clip"));
    let queue = Queue::start(3);
    queue.uploaded("uploads/rails/talk.mp4");

    let more = ["--lease", "4s", "--pause", "1s", "--threads", "1"];
    let more = [&more[..], &settings].concat();
    let mut victim = started(worker(&bucket, &queue, &first, &more));
    wait("a segment goes up", &mut victim, || {
        !bucket.strict.state().order.is_empty()
    });
    let killed = ended(victim, "-KILL");
    assert_eq!(killed.stdout, "", "it was not done: {killed:?}");
    assert!(!bucket.path("courses/rails/talk/master.m3u8").exists());

    let mut heir = started(worker(&bucket, &queue, &second, &more));
    wait("the queue is empty", &mut heir, || queue.is_empty());
    let heir = ended(heir, "-TERM");
    assert_eq!(heir.code, 130, "{heir:?}");
    assert_eq!(
        heir.stdout, "r2://video/courses/rails/talk/master.m3u8\n",
        "{heir:?}"
    );
    assert_eq!(bucket.published("courses/rails/talk"), expected);
    assert_eq!(queue.state().acknowledged.len(), 1);
    assert!(queue.state().leases >= 2);
    assert_eq!(fs::read_dir(&second).expect("a folder").count(), 0);

    // Handed out once more, as queues may, it is there.
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
fn what_cannot_be_done_ends_among_the_dead_letters_and_holds_nothing_up() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 2);
    let bucket = Bucket::start(|_| Fault::None);
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    bucket.hold("uploads/notes.bin", b"no recording");
    let queue = Queue::start(3);
    queue.send("hello");
    queue.uploaded("uploads/notes.bin");
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
        "ffmpeg cannot read it",
    ] {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    let state = queue.state();
    assert_eq!(state.acknowledged.len(), 1);
    assert_eq!(state.dead.len(), 3, "{:?}", state.dead);
    let mut delays = state.delays.clone();
    delays.sort();
    assert_eq!(delays, [60, 60, 60, 120, 120, 120, 240, 240, 240]);
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
}

#[test]
fn a_worker_gives_its_job_back_where_it_is_told_to_end_or_can_do_none() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 25);
    let bucket = Bucket::start(|_| Fault::None);
    bucket.hold("uploads/talk.mp4", &fs::read(&input).expect("a clip"));
    let queue = Queue::start(9);
    queue.uploaded("uploads/talk.mp4");
    let work = root.path().join("work");

    let more = ["--preset", "medium", "--threads", "1"];
    let mut child = started(worker(&bucket, &queue, &work, &more));
    wait("a segment goes up", &mut child, || {
        !bucket.strict.state().order.is_empty()
    });
    let told = ended(child, "-TERM");
    assert_eq!(told.code, 130, "{told:?}");
    assert_eq!(queue.state().delays, [0], "{told:?}");

    // No ffmpeg: the next job would fail as well.
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
        refused.stderr.contains("hint: CLOUDFLARE_API_TOKEN"),
        "{refused:?}"
    );
    for run in [told, unable, refused] {
        assert!(!run.stderr.contains(TOKEN) && !run.stderr.contains("another-token"));
    }
}
