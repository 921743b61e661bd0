//! Range and conditional requests (RFC 9110 §13, §14) on the pure code. The Worker answers the same table end to end.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Mutex;

use lectern::config::Config;
use lectern::decide::{Decision, decide};
use lectern::http::cors::preflight_headers;
use lectern::http::precondition::WriteConditions;
use lectern::http::problem::Problem;
use lectern::object::stored::ObjectMetadata;
use lectern::operation::read::{Headers, Read, ReadAnswer};
use lectern::operation::write::{Evaluated, Write, created_json};
use lectern::request::{Request, split_url};
use testkit::http_table::{self, TableReply};

const NOW: u64 = 1_800_000_000;
const ORIGIN: &str = "https://video.example";
const KEYS: &str = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;

#[test]
fn range_and_conditional_requests_are_decided_as_rfc_9110_says() {
    let config = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| KEYS.to_owned()));
    let config = config.expect("a config");
    let storage = Mutex::new(Storage::new());
    let rows = http_table::run(&config.keys, NOW + 3600, |method, url, headers, body| {
        let (status, headers, body) = answer(&config, &storage, method, url, headers, body);
        let headers = config
            .allowed_origins
            .headers(None)
            .into_iter()
            .chain(headers);
        TableReply {
            status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
            // The platform drops it.
            body: if method == "HEAD" { Vec::new() } else { body },
        }
    });
    assert!(rows >= 300, "{rows} rows");
}

/// Objects and multipart uploads, in memory.
struct Storage {
    objects: HashMap<String, MemoryObject>,
    uploads: HashMap<String, Vec<u8>>,
}

struct MemoryObject {
    content_type: String,
    bytes: Vec<u8>,
}

impl MemoryObject {
    fn stored(&self) -> ObjectMetadata {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        ObjectMetadata {
            etag: format!("{:016x}", hasher.finish()),
            size: self.bytes.len() as u64,
            uploaded: (NOW - 60) * 1000 + 999,
            content_type: Some(self.content_type.clone()),
        }
    }
}

impl Storage {
    fn new() -> Self {
        let object = |object: http_table::TableObject| {
            let key = object.path.trim_start_matches('/').to_owned();
            let content_type = object.content_type.to_owned();
            let bytes = object.bytes;
            (
                key,
                MemoryObject {
                    content_type,
                    bytes,
                },
            )
        };
        Self {
            objects: http_table::objects().into_iter().map(object).collect(),
            uploads: HashMap::new(),
        }
    }

    /// Performs a write as the shell does. Returns the answer's status and body.
    fn write(&mut self, write: Write, body: &[u8]) -> Result<(u16, String), Problem> {
        let key = write.key().as_str().to_owned();
        let stored = self.objects.get(&key).map(MemoryObject::stored);
        let evaluate = |conditions: &WriteConditions| {
            Evaluated::of(conditions, stored.as_ref()).map_err(|refusal| refusal.problem)
        };
        let found = |upload: Option<&mut Vec<u8>>| upload.ok_or(Problem::NoUpload).cloned();
        match write {
            Write::Put { conditions, .. } => {
                let is_new = evaluate(&conditions)? == Evaluated::Absent;
                self.put(key, body.to_vec());
                let status = if is_new { 201 } else { 200 };
                Ok((status, "{}".to_owned()))
            }
            Write::Delete { conditions, .. } => {
                evaluate(&conditions)?;
                self.objects.remove(&key);
                Ok((204, String::new()))
            }
            Write::Create { .. } => {
                let upload = self.uploads.len().to_string();
                self.uploads.insert(upload.clone(), Vec::new());
                Ok((201, created_json(&upload)))
            }
            Write::Part { upload, number, .. } => {
                let bytes = self.uploads.get_mut(&upload).ok_or(Problem::NoUpload)?;
                *bytes = body.to_vec();
                Ok((200, format!(r#"{{"partNumber":{number},"etag":"e"}}"#)))
            }
            Write::Complete {
                upload, conditions, ..
            } => {
                evaluate(&conditions)?;
                let bytes = found(self.uploads.get_mut(&upload))?;
                self.put(key, bytes);
                Ok((201, "{}".to_owned()))
            }
            Write::Abort { upload, .. } => {
                let upload = self.uploads.remove(&upload);
                upload.ok_or(Problem::NoUpload)?;
                Ok((204, String::new()))
            }
        }
    }

    fn put(&mut self, key: String, bytes: Vec<u8>) {
        let content_type = "video/mp4".to_owned();
        self.objects.insert(
            key,
            MemoryObject {
                content_type,
                bytes,
            },
        );
    }
}

/// Answers a read as the shell does, without a platform. Does not gzip.
fn answer(
    config: &Config,
    storage: &Mutex<Storage>,
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> (u16, Headers, Vec<u8>) {
    let refused = |problem: Problem| {
        let body = problem.body(None);
        (problem.status(), problem.headers(&body), body.into_bytes())
    };
    let url = format!("{ORIGIN}{url}");
    let (origin, path, query) = split_url(&url).expect("a URL");
    let header = |name: &str| {
        if name == "content-length" {
            return Some(body.len().to_string());
        }
        let values: Vec<&str> = headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        // RFC 9110 §5.3.
        (!values.is_empty()).then(|| values.join(", "))
    };
    let request = Request {
        method,
        origin,
        path,
        query,
        header: &header,
        country: &|| None,
    };
    let mut storage = storage.lock().expect("no panic");
    let read = match decide(&request, config, NOW) {
        Decision::Read(read) => read,
        Decision::Write { write, .. } => {
            return match storage.write(write, body) {
                Ok((status, body)) => (status, Vec::new(), body.into_bytes()),
                Err(problem) => refused(problem),
            };
        }
        Decision::Options => return (204, preflight_headers(None), Vec::new()),
        Decision::Refuse(refusal) => return refused(refusal.problem),
        other => panic!("{other:?}"),
    };
    let Some(object) = storage.objects.get(read.key.as_str()) else {
        return refused(Problem::NotFound);
    };
    match read.answer(&object.stored()) {
        ReadAnswer::NotModified(headers) => (304, headers, Vec::new()),
        ReadAnswer::Refuse(problem) => refused(problem),
        ReadAnswer::Redirect(location) => panic!("no script asks, and it leads to {location}"),
        ReadAnswer::Whole(headers) => (200, headers, object.bytes.clone()),
        ReadAnswer::Part(range, headers) => {
            let part = range.first as usize..=range.last as usize;
            (206, headers, object.bytes[part].to_vec())
        }
        ReadAnswer::Rewritten(headers) => rewritten(&read, object, headers),
    }
}

fn rewritten(
    read: &Read<'_>,
    object: &MemoryObject,
    mut headers: Headers,
) -> (u16, Headers, Vec<u8>) {
    let body = read
        .rewrite(&object.bytes, ORIGIN)
        .expect("a playlist")
        .bytes;
    if !headers.iter().any(|(name, _)| *name == "Content-Encoding") {
        headers.push(("Content-Length", body.len().to_string()));
    }
    (200, headers, body)
}
