//! `lectern publish` and `lectern ship` against an edge with injected faults.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::common::{command, lectern};
use sha2::{Digest as _, Sha256};
use testkit::process::{Run, run, text};
use testkit::recording::clip;
use testkit::target_suite::{SuiteTarget, suite};

/// The objects of the edge, and its requests.
#[derive(Default)]
struct EdgeState {
    objects: HashMap<String, Vec<u8>>,
    /// Paths in the order of their writes.
    order: Vec<String>,
    parts: HashMap<u32, Vec<u8>>,
    requests: usize,
    tokens: Vec<String>,
}

/// The faults of the edge.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Good,
    /// Every third request gets a 503.
    Busy,
    /// The fifth upload and all later ones are refused.
    Forbidding,
    /// Every answer to a read is truncated.
    Dropping,
    /// Every page of a list is the first one.
    Endless,
}

struct FaultyEdge {
    origin: String,
    bucket: Arc<Mutex<EdgeState>>,
}

impl FaultyEdge {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let bucket = Arc::new(Mutex::new(EdgeState::default()));
        let shared = Arc::clone(&bucket);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bucket = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, mood, &bucket));
            }
        });
        Self { origin, bucket }
    }

    fn bucket(&self) -> MutexGuard<'_, EdgeState> {
        self.bucket.lock().expect("no panic at the edge")
    }
}

fn serve(stream: &TcpStream, mood: Mood, bucket: &Mutex<EdgeState>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut headers: HashMap<String, String> = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).expect("a header");
            let Some((name, value)) = header.trim().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        assert!(
            !headers.contains_key("transfer-encoding"),
            "R2 wants a length"
        );
        let length = headers
            .get("content-length")
            .map_or(0, |value| value.parse().expect("a length"));
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let (status, answer) = answer(&line, &headers, body, mood, bucket);
        let etag = etag(&answer);
        let is_other = |asked: &String| asked.trim_matches('"') != etag;
        let from = (headers.get("range")).and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        });
        let (status, answer) = match from {
            _ if status != 200 || !line.starts_with("GET") => (status, &answer[..]),
            _ if headers.get("if-match").is_some_and(is_other) => (412, &answer[..0]),
            Some(from) => (206, &answer[from..]),
            None => (200, &answer[..]),
        };
        write!(
            &*stream,
            "HTTP/1.1 {status} X\r\nRetry-After: 0\r\nETag: \"{etag}\"\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        )
        .expect("an answer");
        if mood == Mood::Dropping && line.contains("/uploads/") && answer.len() > 50_000 {
            // The client disconnects.
            let _ = (&*stream).write_all(&answer[..answer.len() / 2]);
            return;
        }
        if !line.starts_with("HEAD") {
            (&*stream).write_all(answer).expect("an answer");
        }
    }
}

fn etag(object: &[u8]) -> String {
    format!(
        "{}-{:x}",
        object.len(),
        object.iter().fold(7_u64, |all, byte| {
            all.wrapping_mul(31).wrapping_add(u64::from(*byte))
        })
    )
}

/// Returns three objects per page.
fn list(bucket: &EdgeState, path: &str, query: &str) -> Vec<u8> {
    let after = query
        .split_once("&after=")
        .map(|(_, after)| format!("{path}{after}"));
    let mut paths: Vec<&String> = bucket.objects.keys().collect();
    paths.retain(|found| {
        found.starts_with(path) && after.as_ref().is_none_or(|after| *found > after)
    });
    paths.sort();
    let truncated = paths.len() > 3;
    paths.truncate(3);
    let objects: Vec<_> = (paths.iter())
        .map(|path| {
            let key = path.trim_start_matches('/').replace("%C3%A9", "é");
            let bytes = bucket.objects[*path].len();
            serde_json::json!({"key": key, "bytes": bytes, "etag": "e", "uploaded": 1_700_000_000_000_i64})
        })
        .collect();
    serde_json::json!({"objects": objects, "truncated": truncated})
        .to_string()
        .into_bytes()
}

fn answer(
    line: &str,
    headers: &HashMap<String, String>,
    body: Vec<u8>,
    mood: Mood,
    bucket: &Mutex<EdgeState>,
) -> (u16, Vec<u8>) {
    let problem = |status: u16, code: &str| {
        (
            status,
            format!(r#"{{"code":"{code}","title":"No"}}"#).into_bytes(),
        )
    };
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().expect("a method"),
        words.next().expect("a target"),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.to_owned();
    let mut bucket = bucket.lock().expect("no panic at the edge");
    let Some(token) = headers
        .get("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return problem(401, "missing_token");
    };
    bucket.tokens.push(token.to_owned());
    bucket.requests += 1;
    if mood == Mood::Busy && bucket.requests.is_multiple_of(3) {
        return problem(503, "storage_unavailable");
    }
    let number = || {
        let number = query.split(['=', '&']).nth(1).expect("a part number");
        number.parse().expect("a number")
    };
    match (method, query) {
        ("GET", query) if query.starts_with("as=list") => match mood {
            Mood::Endless => (200, list(&bucket, &path, "as=list")),
            _ => (200, list(&bucket, &path, query)),
        },
        ("GET" | "HEAD", "as=stored") => match bucket.objects.get(&path) {
            Some(object) => (200, object.clone()),
            None => problem(404, "not_found"),
        },
        ("PUT", "") => {
            let found = bucket.objects.get(&path).map(|object| etag(object));
            let expected = headers
                .get("if-match")
                .map(|etag| etag.trim_matches('"').to_owned());
            if headers.get("if-none-match").is_some() && found.is_some()
                || expected.is_some() && expected != found
            {
                return problem(412, "precondition_failed");
            }
            if mood == Mood::Forbidding && bucket.objects.len() >= 4 {
                return problem(403, "forbidden");
            }
            bucket.objects.insert(path.clone(), body);
            bucket.order.push(path);
            (201, vec![])
        }
        ("POST", "uploads") => (201, br#"{"uploadId":"an/id+"}"#.to_vec()),
        ("PUT", _) => {
            assert!(query.ends_with("&uploadId=an%2Fid%2B"), "{query}");
            let number: u32 = number();
            bucket.parts.insert(number, body);
            (
                200,
                format!(r#"{{"partNumber":{number},"etag":"e{number}"}}"#).into_bytes(),
            )
        }
        ("POST", _) => {
            let list: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            let parts = list["parts"].as_array().expect("a list").clone();
            let mut object = vec![];
            for part in parts {
                let number = part["partNumber"].as_u64().expect("a number");
                assert_eq!(part["etag"], format!("e{number}"));
                object.extend(bucket.parts.remove(&(number as u32)).expect("a part"));
            }
            bucket.objects.insert(path.clone(), object);
            bucket.order.push(path);
            (201, vec![])
        }
        ("DELETE", "") => match bucket.objects.remove(&path) {
            Some(_) => (204, vec![]),
            None => problem(404, "not_found"),
        },
        _ => problem(405, "method_not_allowed"),
    }
}

const KEYS: &str = r#"[{"kid":"test","secret":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]"#;

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_keys(args: &[&str]) -> Run {
    run(command(args).env("LECTERN_KEYS", KEYS))
}

fn package(root: &Path) -> PathBuf {
    let input = clip(root, "320x240", 6);
    let out = root.join("out");
    let run = lectern(&[
        "package",
        text(&input),
        "-o",
        text(&out),
        "--preset",
        "ultrafast",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    out
}

fn assert_last(order: &[String], prefix: &str) {
    let [.., media, playlist, package, manifest, master] = order else {
        panic!("{order:?}");
    };
    assert_eq!(*master, format!("{prefix}/master.m3u8"));
    assert_eq!(*manifest, format!("{prefix}/manifest.mpd"));
    assert!(package.ends_with("/package.json"), "{order:?}");
    assert!(
        media.ends_with("/playlist.m3u8") && playlist.ends_with("/playlist.m3u8"),
        "{order:?}"
    );
    let is_playlist = |path: &&String| path.ends_with("/playlist.m3u8");
    assert_eq!(order.iter().filter(is_playlist).count(), 3, "{order:?}");
}

#[test]
fn a_busy_edge_gets_everything_in_order_and_nothing_the_second_time() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let edge = FaultyEdge::start(Mood::Busy);
    let target = format!("{}/courses/caf%C3%A9/", edge.origin);
    let first = with_keys(&["publish", text(&out), &target]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.stdout.trim(), format!("{target}master.m3u8"));
    assert_last(&edge.bucket().order, "/courses/caf%C3%A9");
    for (path, object) in &edge.bucket().objects {
        let file = out.join(
            path.strip_prefix("/courses/caf%C3%A9/")
                .expect("the prefix"),
        );
        assert!(fs::read(file).expect(path) == *object, "{path}");
    }
    edge.bucket().order.clear();
    let second = with_keys(&["publish", text(&out), &target]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(edge.bucket().order.is_empty(), "{:?}", edge.bucket().order);
    for token in &edge.bucket().tokens {
        assert!(!first.stderr.contains(token) && !second.stderr.contains(token));
    }
}

#[test]
fn a_refusal_is_shown_and_no_playlist_becomes_visible() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let edge = FaultyEdge::start(Mood::Forbidding);
    let target = format!("{}/courses/a", edge.origin);
    let run = with_keys(&["publish", text(&out), &target]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("with 403: forbidden: No"), "{run:?}");
    assert!(
        run.stderr.contains("\n\nhint: use the LECTERN_KEYS"),
        "{run:?}"
    );
    assert!(
        edge.bucket()
            .objects
            .keys()
            .all(|path| !path.ends_with(".m3u8"))
    );
}

#[test]
fn an_object_too_large_for_one_request_goes_up_in_equal_parts_with_a_link_that_was_handed_over() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let revision = fs::read_dir(out.join("v")).expect("a folder").next();
    let revision = revision.expect("a revision").expect("an entry").path();
    let large: Vec<u8> = (0_u32..(65 << 18)).flat_map(u32::to_be_bytes).collect();
    fs::write(revision.join("large.mp4"), &large).expect("it is written");
    let json = revision.join("package.json");
    let mut package: serde_json::Value =
        serde_json::from_slice(&fs::read(&json).expect("a package")).expect("JSON");
    let path = format!(
        "v/{}/large.mp4",
        package["revision"].as_str().expect("a revision")
    );
    package["objects"].as_array_mut().expect("a list").insert(
        0,
        serde_json::json!({
            "path": path, "bytes": large.len(), "sha256": sha256(&large), "type": "video/mp4",
        }),
    );
    fs::write(&json, package.to_string()).expect("it is written");
    let edge = FaultyEdge::start(Mood::Good);
    let target = format!("{}/a", edge.origin);
    let run = run(command(&["publish", text(&out), &target])
        .env("LECTERN_UPLOAD_LINK", "https://edge.example/a/?token=h.p.s"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        edge.bucket().objects[&format!("/a/{path}")] == large,
        "the parts make the whole"
    );
    assert!(edge.bucket().tokens.iter().all(|token| token == "h.p.s"));
}

#[test]
fn shipping_is_packaging_and_publishing_and_goes_on_where_it_was_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "640x480", 13);
    let work = root.path().join("work");
    let edge = FaultyEdge::start(Mood::Good);
    let target = format!("{}/courses/b", edge.origin);
    let args = ["ship", text(&input), &target, "--work", text(&work)];
    let first = with_keys(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert_last(&edge.bucket().order, "/courses/b");
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    let names: Vec<String> = edge.bucket().order.clone();
    for name in [
        "480p/seg00003.m4s",
        "audio/en/seg00003.m4s",
        "audio/en/init.mp4",
    ] {
        assert!(
            names.iter().any(|path| path.ends_with(name)),
            "{name}: {names:?}"
        );
    }
    let second = with_keys(&args);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stderr.contains("already there"), "{second:?}");
    assert_eq!(edge.bucket().order.len(), names.len());

    let refusing = FaultyEdge::start(Mood::Forbidding);
    let target = format!("{}/courses/b", refusing.origin);
    let refused = with_keys(&["ship", text(&input), &target, "--work", text(&work)]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("parts are finished and stay in"),
        "{refused:?}"
    );
    assert_eq!(
        fs::read_dir(&work).expect("a folder").count(),
        2,
        "the folder and its journal"
    );
    let other = FaultyEdge::start(Mood::Good);
    let target = format!("{}/courses/b", other.origin);
    let taken_up = with_keys(&["ship", text(&input), &target, "--work", text(&work)]);
    assert_eq!(taken_up.code, 0, "{taken_up:?}");
    assert!(taken_up.stderr.contains("resuming: "), "{taken_up:?}");
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    assert!(
        other.bucket().objects == edge.bucket().objects,
        "they are the same lecture"
    );
}

#[test]
fn an_upload_behind_the_edge_is_fetched_by_ranges_and_shipped_as_the_file_that_it_was() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let work = root.path().join("work");
    let edge = FaultyEdge::start(Mood::Dropping);
    let bytes = fs::read(&input).expect("a clip");
    assert!(bytes.len() > 200_000, "{}", bytes.len());
    let path = "/uploads/caf%C3%A9/talk.mp4".to_owned();
    edge.bucket().objects.insert(path.clone(), bytes);
    let ship = |input: &str, target: &str| {
        let target = format!("{}/courses/{target}", edge.origin);
        let words = ["ship", input, &target, "--preset", "ultrafast"];
        with_keys(&[&words[..], &["--work", text(&work)]].concat())
    };
    let uploaded = format!("{}{path}", edge.origin);
    for (input, target) in [(text(&input), "a"), (&uploaded, "b")] {
        let shipped = ship(input, target);
        assert_eq!(shipped.code, 0, "{shipped:?}");
    }
    let of = |target: &str| -> Vec<(String, Vec<u8>)> {
        let prefix = format!("/courses/{target}/");
        let bucket = edge.bucket();
        let own = bucket.objects.iter();
        let own = own.filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, bytes)));
        let mut own: Vec<_> = own
            .map(|(path, bytes)| (path.to_owned(), bytes.clone()))
            .collect();
        own.sort();
        own
    };
    assert!(!of("a").is_empty() && of("a") == of("b"));
    assert_eq!(fs::read_dir(&work).expect("a folder").count(), 0);
    let missing = ship(&format!("{}/uploads/none.mp4", edge.origin), "c");
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.stderr.contains("there is no object"), "{missing:?}");
    // A link that permits only writes does not read.
    let link = run(
        command(&["ship", &uploaded, &format!("{}/courses/d", edge.origin)])
            .env("LECTERN_UPLOAD_LINK", "a.b.c"),
    );
    assert_eq!(link.code, 4, "{link:?}");
    assert!(link.stderr.contains("reads nothing"), "{link:?}");
}

#[test]
fn a_folder_does_all_that_a_target_does() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let packages = ["30", "38"].map(|crf| {
        let out = root.path().join(format!("package-{crf}"));
        let args = ["package", text(&input), "-o", text(&out), "--crf", crf];
        let run = lectern(&[&args[..], &["--preset", "ultrafast"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        out
    });
    let served = root.path().join("served");
    let access = SuiteTarget {
        target: format!("file://{}", text(&served)),
        run: &|args| lectern(args),
        read: &|path| fs::read(served.join(path)).ok(),
        damage: &|path, bytes| match bytes {
            Some(bytes) => fs::write(served.join(path), bytes).expect("it is written"),
            None => fs::remove_file(served.join(path)).expect("it is removed"),
        },
    };
    suite(&packages, &access);
}

#[test]
fn a_folder_gets_the_same_objects_and_replaces_only_what_can_change() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let folder = root.path().join("served");
    let target = format!("file://{}", text(&folder));
    for _ in 0..2 {
        let run = lectern(&["publish", text(&out), &target]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.stdout.trim(), text(&folder.join("master.m3u8")));
    }
    let played = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-nostdin", "-i"])
        .arg(folder.join("master.m3u8"))
        .args(["-f", "null", "-"])
        .status();
    assert!(played.expect("ffmpeg runs").success());
}

#[test]
fn transport_streams_are_shipped_whole_and_leave_no_manifest_of_what_was_there_before() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 6);
    let edge = FaultyEdge::start(Mood::Good);
    let served = root.path().join("served");
    let manifest = "/courses/b/manifest.mpd";
    for target in [
        format!("{}/courses/b", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        for (container, has_manifest) in [("cmaf", true), ("ts", false), ("ts", false)] {
            let args = ["ship", text(&input), &target, "--container", container];
            let run = with_keys(&args);
            assert_eq!(run.code, 0, "{run:?}");
            let is_there = match target.starts_with("file:") {
                true => served.join("manifest.mpd").exists(),
                false => edge.bucket().objects.contains_key(manifest),
            };
            assert_eq!(is_there, has_manifest, "{target} {container}");
        }
    }
    let bucket = edge.bucket();
    let sent = |name: &str| {
        bucket
            .order
            .iter()
            .filter(|path| path.ends_with(name))
            .count()
    };
    assert_eq!(
        (sent(".ts"), sent("240p/iframes.m3u8")),
        (2, 1),
        "{:?}",
        bucket.order
    );
    // Of transport streams, only their CMAF source is uploaded during encoding. It is not part of
    // the package.
    assert_eq!(sent("240p/seg00001.m4s"), 1, "{:?}", bucket.order);
}

#[test]
fn a_missing_object_is_reported_with_a_remedy() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}/a", listener.local_addr().expect("an address"))
    };
    let empty = root.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let short = r#"[{"kid":"a","secret":"AAAA"}]"#;
    for (folder, target, keys, code, said, hint) in [
        (
            &out,
            closed.as_str(),
            KEYS,
            5,
            "cannot reach the edge",
            "make serve",
        ),
        (
            &out,
            &closed,
            "",
            4,
            "there are no keys",
            "lectern keys new",
        ),
        (&out, &closed, short, 4, "has 3 bytes", "lectern keys new"),
        (
            &empty,
            &closed,
            KEYS,
            3,
            "holds no complete package",
            "lectern package",
        ),
        (
            &out,
            "ftp://bucket/a",
            KEYS,
            2,
            "`ftp` targets are not supported",
            "a target is a folder",
        ),
        (
            &out,
            "http://h/",
            KEYS,
            2,
            "a target needs a prefix",
            "https://edge.example/prefix",
        ),
    ] {
        let run = run(command(&["publish", text(folder), target])
            .env("LECTERN_KEYS", keys)
            .current_dir(&empty));
        assert_eq!(run.code, code, "{target}: {run:?}");
        let (error, shown) = run.stderr.split_once("\n\nhint: ").expect(target);
        assert!(error.contains(said), "{target}: {error}");
        assert!(shown.contains(hint), "{target}: {shown}");
    }
}

/// The only revision in a published folder.
fn revision_folder(served: &Path) -> PathBuf {
    let mut revisions = fs::read_dir(served.join("v")).expect("a folder");
    let revision = revisions.next().expect("a revision").expect("an entry");
    revision.path()
}

/// All files below a folder, with their bytes.
fn files(folder: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                let bytes = fs::read(&path).expect("a file");
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn no_verb_writes_outside_its_target() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let served = root.path().join("a/b/served");
    let target = format!("file://{}", text(&served));
    let run = lectern(&["publish", text(&out), &target]);
    assert_eq!(run.code, 0, "{run:?}");
    let own = revision_folder(&served).join("package.json");
    let json = fs::read(&own).expect("it is there");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let named = json["revision"].as_str().expect("a name");
    for path in [
        "../outside",
        "../../outside",
        "v/../../outside",
        text(&root.path().join("outside")),
        "package.json",
        "master.m3u8/../../outside",
    ] {
        let mut hostile = json.clone();
        let file = serde_json::json!({"path": path, "text": "owned"});
        hostile["root"].as_array_mut().expect("a list").push(file);
        fs::write(&own, hostile.to_string()).expect("it is written");
        // Without a playing revision, nothing is compared.
        for name in ["master.m3u8", "manifest.mpd"] {
            fs::remove_file(served.join(name)).expect("it is removed");
        }
        let before = files(root.path());
        let run = lectern(&["rollback", &target, "--revision", named]);
        assert_eq!(run.code, 5, "{path}: {run:?}");
        assert!(files(root.path()) == before, "{path}");
        for name in ["master.m3u8", "manifest.mpd"] {
            fs::copy(out.join(name), served.join(name)).expect("it is copied");
        }
        let before = files(root.path());
        for args in [
            &["rollback", &target, "--revision", named][..],
            &["verify", &target],
            &["verify", &target, "--revision", named],
        ] {
            let run = lectern(args);
            assert_eq!(run.code, 5, "{args:?} {path}: {run:?}");
            assert!(run.stderr.contains("which is no object"), "{run:?}");
        }
        let run = lectern(&["prune", &target, "--keep", "1"]);
        assert_eq!(run.code, 0, "{path}: {run:?}");
        let run = lectern(&["revisions", &target]);
        assert_eq!(run.code, 0, "{path}: {run:?}");
        assert!(files(root.path()) == before, "{path}");
    }
    // The folder that it was published from repairs it.
    let run = lectern(&["verify", &target, "--repair", text(&out)]);
    assert_eq!(run.code, 0, "{run:?}");
    let mended = fs::read(&own).expect("it is there");
    assert_eq!(
        mended,
        fs::read(revision_folder(&out).join("package.json")).expect("it is there")
    );
}

#[test]
fn no_verb_waits_for_a_pipe_or_follows_a_link_at_a_target() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let (served, outside) = (root.path().join("served"), root.path().join("outside"));
    let target = format!("file://{}", text(&served));
    let segment = revision_folder(&out).join("240p/seg00000.m4s");
    let hostile: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o6755);
    fs::set_permissions(&segment, hostile).expect("it is set");
    let run = lectern(&["publish", text(&out), &target]);
    assert_eq!(run.code, 0, "{run:?}");
    let sent = revision_folder(&served).join("240p/seg00000.m4s");
    let mode = |path: &Path| {
        let found = fs::metadata(path).expect("it is there").permissions();
        std::os::unix::fs::PermissionsExt::mode(&found) & 0o7777
    };
    assert_eq!(mode(&sent), mode(&served.join("master.m3u8")));
    let all = [
        &["revisions", &target][..],
        &["rollback", &target],
        &["verify", &target],
        &["prune", &target],
        &["publish", text(&out), &target],
    ];
    let assert_refused = |verbs: &[&[&str]], said: &str| {
        for args in verbs {
            let run = lectern(args);
            assert_ne!(run.code, 0, "{args:?}: {run:?}");
            assert!(run.stderr.contains(said), "{args:?}: {run:?}");
        }
    };
    let pipe = |path: &Path| {
        fs::remove_file(path).expect("it is removed");
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    };
    pipe(&sent);
    assert_refused(&all[2..3], "no regular file");
    let master = served.join("master.m3u8");
    pipe(&master);
    assert_refused(&all, "no regular file");
    fs::remove_file(&master).expect("it is removed");
    symlink("/dev/zero", &master).expect("a link");
    assert_refused(&all, "symbolic link");

    fs::remove_dir_all(&served).expect("it is removed");
    for (planted, to) in [("v", ""), (".lectern-lock", "lock")] {
        fs::create_dir_all(&served).expect("a folder");
        fs::create_dir_all(&outside).expect("a folder");
        symlink(outside.join(to), served.join(planted)).expect("a link");
        assert_refused(&all[4..], "symbolic link");
        assert!(files(&outside).is_empty(), "{planted}");
        fs::remove_dir_all(&served).expect("it is removed");
    }
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    let edge = FaultyEdge::start(Mood::Endless);
    for name in ["a", "b", "c", "d"] {
        let path = format!("/courses/a/v/{name}");
        edge.bucket().objects.insert(path, vec![]);
    }
    let run = with_keys(&["revisions", &format!("{}/courses/a", edge.origin)]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("does not end"), "{run:?}");
}

#[test]
fn a_package_folder_sends_nothing_that_lies_outside_of_it_or_never_ends() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let secret = root.path().join("secret");
    let edge = FaultyEdge::start(Mood::Good);
    let revision = revision_folder(&out);
    let segment = revision.join("240p/seg00000.m4s");
    let bytes = fs::read(&segment).expect("a segment");
    // The same length as the segment, so that only the digest differs.
    fs::write(&secret, vec![b'S'; bytes.len()]).expect("it is written");
    let moved = root.path().join("moved");
    type Damage<'a> = &'a dyn Fn();
    let put_back = || {
        let _ = fs::remove_file(&segment);
        if moved.exists() {
            let folder = segment.parent().expect("a folder");
            fs::remove_file(folder).expect("a link");
            fs::rename(&moved, folder).expect("it is moved");
        }
        fs::write(&segment, &bytes).expect("it is written");
    };
    let changes: [(&str, Damage<'_>); 4] = [
        ("it is a symbolic link", &|| {
            fs::remove_file(&segment).expect("it is removed");
            symlink(&secret, &segment).expect("a link");
        }),
        ("it is a symbolic link", &|| {
            let folder = segment.parent().expect("a folder");
            fs::rename(folder, &moved).expect("it is moved");
            symlink(&moved, folder).expect("a link");
        }),
        ("it is no regular file", &|| {
            fs::remove_file(&segment).expect("it is removed");
            let made = std::process::Command::new("mkfifo").arg(&segment).status();
            assert!(made.expect("mkfifo runs").success());
        }),
        ("has other bytes than its `package.json` says", &|| {
            fs::copy(&secret, &segment).expect("it is copied");
        }),
    ];
    let served = root.path().join("served");
    for target in [
        format!("{}/courses/a", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        for (said, change) in &changes {
            change();
            let run = with_keys(&["publish", text(&out), &target]);
            put_back();
            assert_eq!(run.code, 3, "{target} {said}: {run:?}");
            assert!(run.stderr.contains(said), "{target} {said}: {run:?}");
            let is_secret = |bytes: &Vec<u8>| bytes.starts_with(b"SSSS");
            let bucket = edge.bucket();
            assert!(!bucket.objects.values().any(is_secret), "{target} {said}");
            assert!(
                bucket
                    .objects
                    .keys()
                    .all(|path| !path.ends_with("master.m3u8"))
            );
            if served.exists() {
                assert!(!files(&served).values().any(is_secret), "{target} {said}");
                assert!(!served.join("master.m3u8").exists(), "{target} {said}");
            }
        }
    }
    // The unchanged package is published.
    for target in [
        format!("{}/courses/a", edge.origin),
        format!("file://{}", text(&served)),
    ] {
        let run = with_keys(&["publish", text(&out), &target]);
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn no_verb_sends_a_link_over_http_to_another_machine() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = package(root.path());
    let clip = root.path().join("clip.mp4");
    let folder = root.path().join("other");
    // A name that resolvers never look up (RFC 6761).
    const TARGET: &str = "http://edge.invalid/courses/a";
    for args in [
        &["publish", text(&out), TARGET][..],
        &["ship", text(&clip), TARGET],
        &[
            "ship",
            "http://edge.invalid/uploads/a.mp4",
            "file:///nowhere/a",
        ],
        &[
            "package",
            "http://edge.invalid/uploads/a.mp4",
            "-o",
            text(&folder),
        ],
        &["revisions", TARGET],
        &["rollback", TARGET],
        &["prune", TARGET],
        &["verify", TARGET],
        &[
            "work",
            "http://edge.invalid/uploads/",
            "http://edge.invalid/courses/",
            "--queue",
            "http://127.0.0.1:9",
            "--once",
        ],
        &[
            "work",
            "http://edge.invalid/uploads/",
            "file:///nowhere",
            "--queue",
            "http://127.0.0.1:9",
            "--once",
        ],
        &["check", "http://edge.invalid/a.m3u8?token=a.b.c"],
    ] {
        let run = with_keys(args);
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(run.stderr.contains("HTTP without TLS"), "{args:?}: {run:?}");
        assert!(
            run.stderr.contains("--allow-plain-http"),
            "{args:?}: {run:?}"
        );
        assert!(!run.stderr.contains("a.b.c"), "{args:?}: {run:?}");
    }
    let allowed = with_keys(&["revisions", TARGET, "--allow-plain-http"]);
    assert_eq!(allowed.code, 5, "{allowed:?}");
    assert!(
        allowed.stderr.contains("cannot reach the edge"),
        "{allowed:?}"
    );
}
