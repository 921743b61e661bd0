//! Publishing into a bucket: a real S3 server behind a proxy that is as strict as R2 and injects
//! faults by a seed.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::command;
use crate::publish::packages;
use serde_json::Value;
use testkit::bucket::keys;
use testkit::bucket::server::{KEY_ID, SECRET, serve};
use testkit::bucket::strict::{Answers, Fault, Moment, Strict, drawn};
use testkit::files::{copy, names, sha256};
use testkit::process::{Run, run, text, wait_for_child, wait_until};
use testkit::target_suite::{SuiteTarget, suite};

const TARGET: &str = "r2://video/courses/café";
/// The folder of `TARGET` on the server.
const FOLDER: &str = "video/courses/café";

/// A bucket with its server and proxy.
pub(crate) struct S3Bucket {
    pub(crate) strict: Strict,
    pub(crate) root: tempfile::TempDir,
}

impl S3Bucket {
    pub(crate) fn start(plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("video")).expect("a bucket");
        let strict = Strict::start(serve(root.path()), plan);
        Self { strict, root }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command
            .args(["--endpoint", &self.strict.endpoint()])
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(&mut self.command(args))
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join(FOLDER)
    }

    /// The current revision, if it is complete: every object in its `package.json` exists with its
    /// digest.
    fn plays(&self) -> Result<String, String> {
        whole(&self.folder())
    }

    pub(crate) fn assert_lawful(&self) {
        let violations = self.strict.state().violations.clone();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

fn whole(folder: &Path) -> Result<String, String> {
    let master =
        fs::read_to_string(folder.join("master.m3u8")).map_err(|error| error.to_string())?;
    let named = master
        .lines()
        .find_map(|line| line.strip_prefix("v/")?.split_once('/'));
    let revision = named.ok_or("no revision")?.0.to_owned();
    let json = fs::read(folder.join(format!("v/{revision}/package.json")))
        .map_err(|error| format!("{revision}: {error}"))?;
    let package: Value = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    for object in package["objects"].as_array().ok_or("no objects")? {
        let path = object["path"].as_str().ok_or("no path")?;
        // The next revision's MPD may exist already, complete.
        if path == "manifest.mpd" {
            continue;
        }
        let bytes = fs::read(folder.join(path)).map_err(|error| format!("{path}: {error}"))?;
        if sha256(&bytes) != object["sha256"].as_str().ok_or("no hash")? {
            return Err(format!("{path} is another"));
        }
    }
    Ok(revision)
}

#[test]
fn a_bucket_does_all_that_a_target_does() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let bucket = S3Bucket::start(|_| Fault::None);
    let access = SuiteTarget {
        target: TARGET.to_owned(),
        run: &|args| bucket.run(args),
        read: &|path| fs::read(bucket.folder().join(path)).ok(),
        damage: &|path, bytes| match bytes {
            Some(bytes) => fs::write(bucket.folder().join(path), bytes).expect("it is written"),
            None => fs::remove_file(bucket.folder().join(path)).expect("it is removed"),
        },
    };
    suite(&packages(root.path(), 9), &access);
    bucket.assert_lawful();
}

/// The server process. Dropping it ends it.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_others_wrote_takes_it_the_same_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join(".tools/venv/bin/moto_server");
    if !program.exists() {
        assert!(
            std::env::var_os("LECTERN_REQUIRE_INTEROP").is_none(),
            "moto is missing: run `tools/install.sh interop`"
        );
        let skipped = format!("SKIPPED: {} is not there\n", program.display());
        let _ = std::io::stderr().write_all(skipped.as_bytes());
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
        .to_string();
    let _moto = Moto(
        Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("moto starts"),
    );
    // It holds buckets in memory, and accepts unsigned requests.
    let ask = |method: &str, path: &str, body: &[u8]| -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
        let path = path.replace('é', "%C3%A9");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let is_good = answer.starts_with(b"HTTP/1.1 2");
        is_good.then(|| answer.split_off(end + 4))
    };
    wait_until(
        || "moto does not answer".to_owned(),
        || ask("PUT", "/video", b"").is_some(),
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let access = SuiteTarget {
        target: "s3://video/courses/café".to_owned(),
        run: &|args| {
            let endpoint = format!("http://127.0.0.1:{port}");
            let mut command = command(args);
            run(command
                .args(["--endpoint", &endpoint])
                .env("AWS_ACCESS_KEY_ID", KEY_ID)
                .env("AWS_SECRET_ACCESS_KEY", SECRET))
        },
        read: &|path| ask("GET", &format!("/{FOLDER}/{path}"), b""),
        damage: &|path, bytes| {
            let method = if bytes.is_some() { "PUT" } else { "DELETE" };
            let done = ask(
                method,
                &format!("/{FOLDER}/{path}"),
                bytes.unwrap_or_default(),
            );
            assert!(done.is_some(), "{path}");
        },
    };
    suite(&packages(folder.path(), 9), &access);
}

#[test]
fn failed_requests_are_retried_until_the_package_is_complete() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = packages(root.path(), 9);
    for seed in 0..4 {
        let bucket = S3Bucket::start(move |number| match drawn(seed, number) % 20 {
            0 => Fault::Status(500, None),
            1 => Fault::Status(429, Some(1)),
            2 => Fault::Status(503, None),
            3 => Fault::Reset,
            4 => Fault::HalfAnswer,
            5 if number.is_multiple_of(4) => Fault::Late,
            _ => Fault::None,
        });
        for folder in [&first, &second] {
            let run = bucket.run(&["publish", text(folder), TARGET]);
            assert_eq!(run.code, 0, "{seed}: {run:?}");
            assert!(!run.stderr.contains(SECRET) && !run.stderr.contains(KEY_ID));
            bucket.plays().expect("it plays whole");
        }
        assert!(bucket.strict.state().faults > 5, "{seed}");
        let verified = bucket.run(&["verify", TARGET]);
        assert_eq!(verified.code, 0, "{seed}: {verified:?}");
        bucket.assert_lawful();
    }
}

#[test]
fn a_request_without_an_answer_times_out_and_is_retried() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let [first, _] = packages(root.path(), 9);
    // Several at once, so that their waits overlap.
    let bucket = S3Bucket::start(|number| match number {
        5..8 => Fault::Never,
        _ => Fault::None,
    });
    let started = Instant::now();
    let run = bucket.run(&["publish", text(&first), TARGET]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(bucket.strict.state().faults, 3);
    assert!(started.elapsed() > Duration::from_secs(59));
    bucket.plays().expect("it plays whole");
    bucket.assert_lawful();
}

#[test]
fn of_two_publishers_at_once_one_wins_and_the_other_is_told() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = packages(root.path(), 9);
    let bucket = Arc::new(S3Bucket::start(|_| Fault::None));
    // Before the first publisher switches, the second one finishes.
    let inner = Arc::clone(&bucket);
    let (other, is_done) = (second.clone(), Mutex::new(false));
    bucket.strict.on_request(Some(Arc::new(move |_, moment| {
        let has_all = fs::read_dir(inner.folder().join("v")).is_ok_and(|mut revisions| {
            revisions.any(|revision| {
                let revision = revision.expect("an entry").path();
                revision.join("package.json").exists()
            })
        });
        let Ok(mut is_done) = is_done.try_lock() else {
            return;
        };
        if moment == Moment::Arrived && has_all && !*is_done {
            *is_done = true;
            let run = inner.run(&["publish", text(&other), TARGET]);
            assert_eq!(run.code, 0, "{run:?}");
        }
    })));
    // The hook runs while other requests continue: `lectern` sends from its own threads.
    let lost = bucket.run(&["publish", text(&first), TARGET]);
    bucket.strict.on_request(None);
    assert_eq!(lost.code, 5, "{lost:?}");
    assert!(lost.stderr.contains("another publish changed"), "{lost:?}");
    let won = bucket.plays().expect("it plays whole");
    let package = fs::read_dir(second.join("v")).expect("a folder").next();
    let name = package.expect("a revision").expect("an entry").file_name();
    assert_eq!(won, name.to_string_lossy());
    let again = bucket.run(&["publish", text(&first), TARGET]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_ne!(bucket.plays().expect("it plays whole"), won);
}

/// The state of the bucket and the proxy, to restore between runs.
struct Snapshot {
    folder: PathBuf,
    etags: HashMap<String, String>,
}

#[test]
fn killed_at_any_point_the_old_lecture_plays_and_the_same_command_goes_on() {
    const POINTS: usize = 100;
    let root = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = packages(root.path(), 9);
    let bucket = Arc::new(S3Bucket::start(|_| Fault::None));
    assert_eq!(bucket.run(&["publish", text(&first), TARGET]).code, 0);
    let old = bucket.plays().expect("it plays whole");
    let snapshot = Snapshot {
        folder: root.path().join("snapshot"),
        etags: bucket.strict.etags(),
    };
    copy(&bucket.root.path().join("video"), &snapshot.folder);
    bucket.strict.reset();
    assert_eq!(bucket.run(&["publish", text(&second), TARGET]).code, 0);
    let new = bucket.plays().expect("it plays whole");
    let (requests, objects) = {
        let state = bucket.strict.state();
        (state.requests, state.order.len())
    };
    let mut resumed_less = 0;
    for point in 0..POINTS {
        let at = 1 + drawn(7, point) as usize % requests;
        let moment = match point % 2 {
            0 => Moment::Arrived,
            _ => Moment::Done,
        };
        fs::remove_dir_all(bucket.root.path().join("video")).expect("it is removed");
        copy(&snapshot.folder, &bucket.root.path().join("video"));
        bucket.strict.adopt(snapshot.etags.clone());
        bucket.strict.reset();
        let child: Arc<Mutex<Option<Child>>> = Arc::default();
        let victim = Arc::clone(&child);
        bucket.strict.on_request(Some(Arc::new(move |number, now| {
            if (number, now) == (at, moment) {
                // SIGKILL.
                while let Ok(mut child) = victim.lock() {
                    if let Some(child) = child.as_mut() {
                        let _ = child.kill();
                        break;
                    }
                }
            }
        })));
        let args = ["publish", text(&second), TARGET];
        let mut command = bucket.command(&args);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        *child.lock().expect("no panic") = Some(command.spawn().expect("lectern starts"));
        let status = loop {
            let mut child = child.lock().expect("no panic");
            let child = child.as_mut().expect("it was started");
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        bucket.strict.on_request(None);
        bucket.strict.wait_until_idle();
        assert!(
            !status.success() || at == requests,
            "{point}: it was not killed"
        );
        let playing = bucket
            .plays()
            .unwrap_or_else(|error| panic!("{point} at {at}: {error}"));
        assert!(
            playing == old || playing == new && at + 1 >= requests,
            "{point} at {at}: {playing}"
        );
        bucket.strict.reset();
        let resumed = bucket.run(&args);
        assert_eq!(resumed.code, 0, "{point} at {at}: {resumed:?}");
        assert_eq!(bucket.plays().as_ref(), Ok(&new), "{point} at {at}");
        if bucket.strict.state().order.len() < objects {
            resumed_less += 1;
        }
    }
    bucket.assert_lawful();
    // Everything is sent only if nothing was stored.
    assert!(resumed_less > POINTS * 3 / 4, "{resumed_less}");
    let pruned = bucket.run(&["prune", TARGET, "--keep", "1", "--max-watch", "0s"]);
    assert_eq!(pruned.code, 0, "{pruned:?}");
    assert_eq!(bucket.plays().as_ref(), Ok(&new));
    let package = fs::read(second.join(format!("v/{new}/package.json"))).expect("a package");
    let package: Value = serde_json::from_slice(&package).expect("JSON");
    let mut expected: Vec<String> = (package["objects"].as_array().expect("a list").iter())
        .map(|object| object["path"].as_str().expect("a path").to_owned())
        .collect();
    expected.push(format!("v/{new}/package.json"));
    expected.sort();
    assert_eq!(
        keys(&bucket.folder()),
        expected,
        "nothing is lost, and nothing is left over"
    );
    assert_eq!(
        names(root.path())
            .iter()
            .filter(|name| name.contains(".publish-"))
            .count(),
        0
    );
}

#[test]
fn a_large_object_goes_up_in_equal_parts_and_goes_on_with_those_that_are_there() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let [folder, _] = packages(root.path(), 9);
    let large: Vec<u8> = (0_u32..(37 << 18)).flat_map(u32::to_be_bytes).collect();
    let path = add(&folder, "large.mp4", &large);
    let bucket = S3Bucket::start(|_| Fault::None);
    let held = bucket.strict.hold(Answers::PartsAfter(2));
    let args = ["publish", text(&folder), TARGET];
    let mut child = bucket.command(&args).spawn().expect("it starts");
    // Beside the package it is written down which parts are there.
    let written_down = || {
        let entries = fs::read_dir(root.path()).expect("a folder").flatten();
        let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        texts
            .map(|text| text.matches("{\"part\":").count())
            .sum::<usize>()
    };
    let why = "two parts are written down";
    wait_for_child(&mut child, why, || written_down() >= 2);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    drop(held);
    bucket.strict.wait_until_idle();
    bucket.strict.reset();
    let resumed = bucket.run(&args);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert!(fs::read(bucket.folder().join(path)).expect("it is there") == large);
    let received = bucket.strict.state().received;
    assert!(received < 30 << 20, "{received} of 37 MiB were sent again");
    bucket.assert_lawful();
}

#[test]
fn a_bucket_error_comes_with_a_remedy() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let [folder, _] = packages(root.path(), 9);
    let bucket = S3Bucket::start(|_| Fault::None);
    let endpoint = bucket.strict.endpoint();
    let empty = root.path().join("credentials");
    fs::write(&empty, "[default]\naws_access_key_id = A\n").expect("it is written");
    for (target, endpoint, key, secret, code, said, hint) in [
        (
            TARGET,
            Some(endpoint.as_str()),
            KEY_ID,
            "wrong",
            5,
            "SignatureDoesNotMatch",
            "read, write, list and delete",
        ),
        (
            "s3://none/a",
            Some(&endpoint),
            KEY_ID,
            SECRET,
            5,
            "NoSuchBucket",
            "create the bucket",
        ),
        (
            TARGET,
            Some("http://127.0.0.1:1"),
            KEY_ID,
            SECRET,
            5,
            "the bucket failed",
            "it resumes",
        ),
        (
            TARGET,
            None,
            KEY_ID,
            SECRET,
            4,
            "R2_ACCOUNT_ID is not set",
            "--endpoint",
        ),
        (
            TARGET,
            Some(&endpoint),
            "",
            "",
            4,
            "has no key",
            "aws_access_key_id",
        ),
        (
            "http://h/a",
            Some(&endpoint),
            KEY_ID,
            SECRET,
            2,
            "--endpoint is for",
            "r2://bucket/prefix",
        ),
    ] {
        let mut command = command(&["publish", text(&folder), target]);
        if let Some(endpoint) = endpoint {
            command.args(["--endpoint", endpoint]);
        }
        let run = run(command
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_SHARED_CREDENTIALS_FILE", &empty));
        assert_eq!(run.code, code, "{said}: {run:?}");
        assert!(run.stderr.contains(said), "{said}: {run:?}");
        assert!(run.stderr.contains(hint), "{hint}: {run:?}");
        assert!(!run.stderr.contains(SECRET), "{run:?}");
    }
}

/// Adds an object to a package, and returns its path.
fn add(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let revision = fs::read_dir(folder.join("v")).expect("a folder").next();
    let revision = revision.expect("a revision").expect("an entry").path();
    fs::write(revision.join(name), bytes).expect("it is written");
    let json = revision.join("package.json");
    let mut package: Value =
        serde_json::from_slice(&fs::read(&json).expect("a package")).expect("JSON");
    let path = format!(
        "v/{}/{name}",
        package["revision"].as_str().expect("a revision")
    );
    let object = serde_json::json!({
        "path": path, "bytes": bytes.len(), "sha256": sha256(bytes), "type": "video/mp4",
    });
    package["objects"]
        .as_array_mut()
        .expect("a list")
        .insert(0, object);
    fs::write(&json, package.to_string()).expect("it is written");
    path
}
