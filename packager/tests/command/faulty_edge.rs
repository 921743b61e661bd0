//! A stand-in for the edge with injected faults.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use testkit::process::{Run, run};

use crate::common::command;

/// The objects of the edge, and its requests.
#[derive(Default)]
pub(crate) struct EdgeState {
    pub(crate) objects: HashMap<String, Vec<u8>>,
    /// Paths in the order of their writes.
    pub(crate) order: Vec<String>,
    parts: HashMap<u32, Vec<u8>>,
    requests: usize,
    pub(crate) tokens: Vec<String>,
}

/// The faults of the edge.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
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

pub(crate) struct FaultyEdge {
    pub(crate) origin: String,
    bucket: Arc<Mutex<EdgeState>>,
}

impl FaultyEdge {
    pub(crate) fn start(mood: Mood) -> Self {
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

    pub(crate) fn bucket(&self) -> MutexGuard<'_, EdgeState> {
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

pub(crate) const KEYS: &str =
    r#"[{"kid":"test","secret":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]"#;

/// Runs `lectern` with the keys of the edge.
pub(crate) fn with_keys(args: &[&str]) -> Run {
    run(command(args).env("LECTERN_KEYS", KEYS))
}
