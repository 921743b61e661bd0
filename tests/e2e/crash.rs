//! The runtime is killed during writes and reads, and restarted on its remaining files. Every
//! acknowledged write is complete, and every other one is complete or absent.
//!
//! Here, workerd's bucket keeps this promise. Lectern's part is that it acknowledges no more than
//! storage did, and that neither its cache nor a multipart upload is corrupted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::process::PATIENCE;

use lectern::credential::claims::Purpose;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::edge::{Edge, Reply};

const FOLDER: &str = "/crash/";
const PART: usize = 5 << 20;
/// The length of the last part.
const REST: usize = 300_000;
/// The moments of a kill: after this many answers, of which so many are parts', and up to
/// [`LATER_MS`] later.
const ROUNDS: [(u64, u64); 4] = [(3, 0), (10, 1), (40, 0), (10, 3)];
const LATER_MS: u64 = 150;

/// The bytes that a seed generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    seed: u64,
    length: usize,
}

impl Content {
    fn bytes(self) -> Vec<u8> {
        let mut random = LoadRandom(self.seed);
        let mut bytes = vec![0; self.length.next_multiple_of(8)];
        for eight in bytes.chunks_exact_mut(8) {
            eight.copy_from_slice(&random.next().to_le_bytes());
        }
        bytes.truncate(self.length);
        bytes
    }
}

/// SplitMix64.
struct LoadRandom(u64);

impl LoadRandom {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The acknowledged state of an object, and the unanswered write.
#[derive(Debug, Clone)]
struct Known {
    path: String,
    stored: Option<Content>,
    pending: Option<Content>,
}

/// A multipart upload in progress.
#[derive(Debug)]
struct MultipartUpload {
    path: String,
    content: Content,
    id: String,
    /// The answers for the parts.
    parts: Vec<Value>,
    /// Its completion was requested.
    is_completing: bool,
    is_complete: bool,
}

/// Many clients of one edge.
struct Load<'edge> {
    edge: &'edge Edge,
    write: String,
    read: String,
    is_over: AtomicBool,
    answered: AtomicU64,
    parts: AtomicU64,
    /// Objects that readers read, and that are not written again.
    settled: Mutex<Vec<(String, Content)>>,
}

impl<'edge> Load<'edge> {
    fn new(edge: &'edge Edge, settled: Vec<(String, Content)>) -> Self {
        Self {
            edge,
            write: format!("Bearer {}", edge.token(FOLDER, Purpose::Upload)),
            read: format!("Bearer {}", edge.token(FOLDER, Purpose::Play)),
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            parts: AtomicU64::new(0),
            settled: Mutex::new(settled),
        }
    }

    /// The answer to a write, if it is complete. Without a kill it must be.
    fn write(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Reply> {
        let mut all = vec![("authorization", self.write.as_str())];
        all.extend(headers);
        let reply = self.edge.send(method, url, &all, body);
        self.complete_answer(url, reply)
    }

    fn read(&self, url: &str, headers: &[(&str, &str)]) -> Option<Reply> {
        let mut all = vec![("authorization", self.read.as_str())];
        all.extend(headers);
        let reply = self.edge.send("GET", url, &all, &[]);
        self.complete_answer(url, reply)
    }

    fn complete_answer(&self, url: &str, reply: Reply) -> Option<Reply> {
        let is_whole = reply.status != 0 && reply.status < 500 && !reply.broke_off;
        assert!(
            is_whole || self.is_over.load(Ordering::SeqCst),
            "{url}: {} before anything was killed\n{}",
            reply.status,
            self.edge.log()
        );
        self.answered
            .fetch_add(u64::from(is_whole), Ordering::SeqCst);
        is_whole.then_some(reply)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Writes new objects, and rewrites one of them.
    fn put(&self, seed: u64) -> Vec<Known> {
        let mut random = LoadRandom(seed);
        let again = Known {
            path: format!("{FOLDER}again-{seed:x}.bin"),
            stored: None,
            pending: None,
        };
        let mut all = vec![again];
        for number in 0.. {
            let scale = 10 + random.below(12);
            let content = Content {
                seed: random.next(),
                length: 1 + random.below(1 << scale) as usize,
            };
            // The cache keeps half of the new objects.
            let folder = ["", "v/1/"][number % 2];
            let is_new = number % 3 != 0;
            if is_new {
                all.push(Known {
                    path: format!("{FOLDER}{folder}{seed:x}-{number}.bin"),
                    stored: None,
                    pending: None,
                });
            }
            let at = if is_new { all.len() - 1 } else { 0 };
            let known = &mut all[at];
            known.pending = Some(content);
            let condition: &[_] = if is_new {
                &[("if-none-match", "*")]
            } else {
                &[]
            };
            let Some(reply) = self.write("PUT", &known.path, condition, &content.bytes()) else {
                break;
            };
            let is_stored = reply.status == 201 || (!is_new && reply.status == 200);
            assert!(is_stored, "{}: {}", known.path, reply.verdict());
            known.stored = known.pending.take();
            if is_new {
                let settled = (known.path.clone(), content);
                self.settled.lock().expect("a list").push(settled);
            }
            if self.is_over() {
                break;
            }
        }
        all
    }

    /// Uploads in parts, in sequence. The last upload is the interrupted one.
    fn upload(&self, seed: u64) -> Vec<MultipartUpload> {
        let mut all: Vec<MultipartUpload> = Vec::new();
        let mut random = LoadRandom(seed);
        while !self.is_over() {
            let path = format!("{FOLDER}parts-{seed:x}-{}.mov", all.len());
            let content = Content {
                seed: random.next(),
                length: PART + REST,
            };
            let Some(id) = self.begin(&path) else { break };
            all.push(MultipartUpload {
                path,
                content,
                id,
                parts: Vec::new(),
                is_completing: false,
                is_complete: false,
            });
            let upload = all.last_mut().expect("just pushed");
            self.resume(upload);
        }
        all
    }

    fn begin(&self, path: &str) -> Option<String> {
        let created = self.write("POST", &format!("{path}?uploads"), &[], &[])?;
        assert_eq!(created.status, 201, "{}", created.text());
        Some(
            created.json()["uploadId"]
                .as_str()
                .expect("an id")
                .to_owned(),
        )
    }

    /// Sends the missing parts of an upload and completes it. `None` if it is interrupted.
    fn resume(&self, upload: &mut MultipartUpload) -> Option<()> {
        let bytes = upload.content.bytes();
        for (number, body) in (1..).zip(bytes.chunks(PART)).skip(upload.parts.len()) {
            let url = format!("{}?uploadId={}&partNumber={number}", upload.path, upload.id);
            let part = self.write("PUT", &url, &[], body)?;
            assert_eq!(part.verdict(), "200", "{url}");
            upload.parts.push(part.json());
            self.parts.fetch_add(1, Ordering::SeqCst);
        }
        upload.is_completing = true;
        let body = json!({ "parts": upload.parts }).to_string();
        let url = format!("{}?uploadId={}", upload.path, upload.id);
        let completed = self.write("POST", &url, &[], body.as_bytes())?;
        assert_eq!(completed.verdict(), "201", "{url}");
        upload.is_complete = true;
        Some(())
    }

    /// Reads stored objects, whole and in ranges.
    fn watch(&self, seed: u64) {
        let mut random = LoadRandom(seed);
        while !self.is_over() {
            let settled = {
                let settled = self.settled.lock().expect("a list");
                let at = random.below(settled.len().max(1) as u64) as usize;
                settled.get(at).cloned()
            };
            let Some((path, content)) = settled else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let first = random.below(content.length as u64) as usize;
            let (range, from) = match random.below(3) {
                0 => (Some(format!("bytes={first}-")), first),
                _ => (None, 0),
            };
            let headers: Vec<_> = range
                .iter()
                .map(|range| ("range", range.as_str()))
                .collect();
            let Some(reply) = self.read(&path, &headers) else {
                break;
            };
            assert_eq!(
                reply.status,
                if range.is_some() { 206 } else { 200 },
                "{path}"
            );
            assert!(
                reply.body == content.bytes()[from..],
                "{path}: not what was stored"
            );
        }
    }
}

/// Kills the runtime during its work, and restarts it.
fn interrupt(
    edge: &mut Edge,
    seed: u64,
    after: (u64, u64),
    settled: &mut Vec<(String, Content)>,
) -> (Vec<Known>, Vec<MultipartUpload>) {
    let load = Load::new(edge, std::mem::take(settled));
    let (known, uploads) = std::thread::scope(|scope| {
        let load = &load;
        let puts: Vec<_> = (0..3)
            .map(|at| scope.spawn(move || load.put(seed + at)))
            .collect();
        let uploads: Vec<_> = (3..5)
            .map(|at| scope.spawn(move || load.upload(seed + at)))
            .collect();
        let watching: Vec<_> = (5..8)
            .map(|at| scope.spawn(move || load.watch(seed + at)))
            .collect();

        let reached = |count: &AtomicU64, bound| count.load(Ordering::SeqCst) >= bound;
        let started = Instant::now();
        while !(reached(&load.answered, after.0) && reached(&load.parts, after.1))
            && started.elapsed() < PATIENCE
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let later = LoadRandom(seed).below(LATER_MS);
        std::thread::sleep(Duration::from_millis(later));
        load.is_over.store(true, Ordering::SeqCst);
        load.edge.kill_runtime();
        for watching in watching {
            watching.join().expect("a reader");
        }
        (
            puts.into_iter()
                .flat_map(|put| put.join().expect("a writer"))
                .collect(),
            uploads
                .into_iter()
                .flat_map(|upload| upload.join().expect("an uploader"))
                .collect(),
        )
    });
    *settled = load.settled.into_inner().expect("a list");
    edge.restart();
    (known, uploads)
}

/// The bytes stored under `path`.
fn found(load: &Load<'_>, path: &str) -> Option<Vec<u8>> {
    let reply = load.read(path, &[]).expect("an answer");
    match reply.status {
        200 => {
            let said = reply.header("content-length");
            let length = reply.body.len().to_string();
            assert!(said.is_none_or(|said| said == length), "{path}: {said:?}");
            Some(reply.body)
        }
        404 => None,
        status => panic!("{path}: {status}"),
    }
}

fn assert_is(path: &str, found: Option<&[u8]>, contents: &[Option<Content>]) {
    let digest = |bytes: &[u8]| Sha256::digest(bytes);
    let found = found.map(|bytes| (bytes.len(), digest(bytes)));
    let expected = |content: &Option<Content>| {
        content.map(|content| (content.length, digest(&content.bytes())))
    };
    assert!(
        contents.iter().any(|content| expected(content) == found),
        "{path} is {:?} bytes long, and none of {contents:?}",
        found.map(|(length, _)| length)
    );
}

#[test]
fn acknowledged_writes_survive_a_killed_runtime_and_no_object_is_partial() {
    let mut edge = Edge::alone();
    let mut settled = Vec::new();
    let mut everything: Vec<Known> = Vec::new();
    for (round, after) in (0_u64..).zip(ROUNDS) {
        let (known, uploads) = interrupt(&mut edge, 0x1ec7 + 0x100 * round, after, &mut settled);
        let load = Load::new(&edge, Vec::new());

        for Known {
            path,
            stored,
            pending,
        } in known
        {
            let body = found(&load, &path);
            // An unanswered write is stored, or the previous object is.
            let possible: Vec<_> = [Some(stored), pending.map(Some)]
                .into_iter()
                .flatten()
                .collect();
            assert_is(&path, body.as_deref(), &possible);
            if let (Some(content), None) = (stored, pending) {
                everything.push(Known {
                    path,
                    stored: Some(content),
                    pending: None,
                });
            }
        }

        for mut upload in uploads {
            let path = upload.path.clone();
            let body = found(&load, &path);
            let whole = Some(upload.content);
            match (upload.is_complete, upload.is_completing) {
                (true, _) => assert_is(&path, body.as_deref(), &[whole]),
                (false, true) => assert_is(&path, body.as_deref(), &[whole, None]),
                (false, false) => assert_is(&path, body.as_deref(), &[None]),
            }
            if body.is_none() {
                load.resume(&mut upload)
                    .expect("an upload that can be continued");
                assert_is(&path, found(&load, &path).as_deref(), &[whole]);
                // The upload can be started again.
                upload.id = load.begin(&path).expect("an id");
                upload.parts.clear();
                load.resume(&mut upload)
                    .expect("an upload that can be begun again");
            }
            everything.push(Known {
                path,
                stored: whole,
                pending: None,
            });
        }
    }

    // Later kills removed nothing that survived earlier ones, in the bucket and in the cache.
    let load = Load::new(&edge, Vec::new());
    assert!(everything.len() > 20, "only {} objects", everything.len());
    for Known { path, stored, .. } in &everything {
        assert_is(path, found(&load, path).as_deref(), &[*stored]);
    }
}
