//! The rows that write. Each begins with the same object or none, and checks the stored object
//! afterwards: a refusal must leave it unchanged.

use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use lectern::http::date::{format_date, parse_date};
use lectern::object::key::Scope;

use super::{Asked, DIRECTORY, HeaderField, TableReply, headers};

const BEFORE: &[u8] = b"what is stored before a row";
const AFTER: &[u8] = b"what a row writes";

/// Returns whether a row of the table changes the stored object.
pub(super) fn is_row(line: &str) -> bool {
    let (_, target) = line.split_once(" | ").unwrap_or_default();
    ["PUT ", "POST ", "DELETE "]
        .iter()
        .any(|method| target.starts_with(method))
}

struct WriteRow<'table> {
    what: &'table str,
    method: &'table str,
    /// The object exists before the request.
    is_stored: bool,
    query: &'table str,
    headers: &'table str,
    answer: &'table str,
}

/// Properties of the storage before a row.
struct StorageFacts {
    /// The entity-tag of the object, if it exists.
    etag: String,
    date: u64,
    upload: String,
    /// The body that completes the upload.
    parts: String,
}

impl<'table> WriteRow<'table> {
    fn parse(line: &'table str) -> Self {
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [what, target, headers, answer] = columns[..] else {
            panic!("not four columns: {line}");
        };
        let (method, target) = target.split_once(' ').expect(line);
        let (object, query) = target.split_once('?').unwrap_or((target, ""));
        assert!(matches!(object, "stored" | "absent"), "{line}");
        Self {
            what,
            method,
            is_stored: object == "stored",
            query,
            headers,
            answer,
        }
    }

    /// The bytes that are stored after this answer.
    fn expected(&self, status: u16) -> Option<&'static [u8]> {
        let before = self.is_stored.then_some(BEFORE);
        let changes = matches!(self.query, "" | "uploadId={upload}");
        match self.method {
            _ if status >= 300 || !changes => before,
            "DELETE" if self.query.is_empty() => None,
            // An aborted upload changes no object.
            "DELETE" => before,
            _ => Some(AFTER),
        }
    }
}

impl StorageFacts {
    fn fill_in(&self, value: &str) -> String {
        let mut value = value.to_owned();
        for (name, meaning) in [
            ("{etag}", self.etag.clone()),
            ("{weak}", format!("W/{}", self.etag)),
            ("{opaque}", self.etag.replace('"', "")),
            ("{date}", format_date(self.date)),
            ("{date-1}", format_date(self.date.saturating_sub(1))),
            ("{date+1}", format_date(self.date + 1)),
            ("{upload}", self.upload.clone()),
        ] {
            value = value.replace(name, &meaning);
        }
        assert!(!value.contains('{'), "{value}");
        value
    }
}

/// Sends all rows in sequence.
pub(super) fn ask_all(
    rows: &[&str],
    keys: &Keyring,
    expires: u64,
    ask: &impl Fn(&str, &str, &[HeaderField], &[u8]) -> TableReply,
) -> Asked {
    let mut claims = Claims::new(Scope::parse(DIRECTORY).expect("a scope"), expires);
    claims.purpose = Purpose::Admin;
    let token = link::mint(keys.minting(), &claims);
    let mut all = Asked::default();
    for row in rows.iter().map(|line| WriteRow::parse(line)) {
        let send = |method: &str, query: &str, headers: &[HeaderField], body: &[u8]| {
            let url = format!("{DIRECTORY}written.mp4?token={token}&{query}");
            ask(method, &url, headers, body)
        };
        let facts = prepare(&row, &send);
        let query = facts.fill_in(row.query);
        let body = match row.method {
            "PUT" => AFTER,
            "POST" if row.query.contains("uploadId") => facts.parts.as_bytes(),
            _ => &[],
        };
        let headers = headers(row.headers, |value| facts.fill_in(value));
        let reply = send(row.method, &query, &headers, body);
        let stored = send("GET", "as=stored", &[], &[]);
        all.answers += 2;
        let mut wrong = vec![];
        let found = verdict(&reply);
        if found != row.answer {
            wrong.push(format!("{found} is not {}", row.answer));
        }
        let after = (stored.status == 200).then_some(stored.body.as_slice());
        if after != row.expected(reply.status) {
            let after = after.map(String::from_utf8_lossy);
            wrong.push(format!("{after:?} is stored"));
        }
        if row.method == "DELETE" && row.query == "uploadId={upload}" {
            let query = format!("uploadId={}&partNumber=1", facts.upload);
            let is_alive = send("PUT", &query, &[], AFTER).status == 200;
            if is_alive != (reply.status >= 300) {
                wrong.push(format!("the upload is there: {is_alive}"));
            }
        }
        if !wrong.is_empty() {
            all.wrong
                .push(format!("{}: {}", row.what, wrong.join("; ")));
        }
    }
    all
}

/// Restores the state in which a row begins.
fn prepare(
    row: &WriteRow<'_>,
    send: &impl Fn(&str, &str, &[HeaderField], &[u8]) -> TableReply,
) -> StorageFacts {
    let reset = match row.is_stored {
        true => send("PUT", "", &[], BEFORE),
        false => send("DELETE", "", &[], &[]),
    };
    assert!(reset.status < 300, "{}: {reset:?}", row.what);
    let stored = send("GET", "as=stored", &[], &[]);
    let header = |name| stored.header(name).unwrap_or_default();
    let mut facts = StorageFacts {
        etag: header("etag").to_owned(),
        date: parse_date(header("last-modified"), 0).unwrap_or_default(),
        upload: String::new(),
        parts: r#"{"parts":[{"partNumber":1,"etag":"none"}]}"#.to_owned(),
    };
    if row.query.contains("{upload}") {
        let created = json(&send("POST", "uploads", &[], &[]));
        facts.upload = created["uploadId"].as_str().expect("an id").to_owned();
        let query = format!("uploadId={}&partNumber=1", facts.upload);
        let part = json(&send("PUT", &query, &[], AFTER));
        facts.parts = serde_json::json!({ "parts": [part] }).to_string();
    }
    facts
}

fn json(reply: &TableReply) -> serde_json::Value {
    assert!(reply.status < 300, "{reply:?}");
    serde_json::from_slice(&reply.body).expect("JSON")
}

/// A status, and the code of a refusal.
fn verdict(reply: &TableReply) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
    let code = problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned()));
    match code {
        Some(code) => format!("{} {code}", reply.status),
        None => reply.status.to_string(),
    }
}
