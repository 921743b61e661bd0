//! Range and conditional requests as one table, `rows.txt`, for the pure code and the Worker.

mod writes;

use std::collections::HashMap;

use lectern::credential::binding::Binding;
use lectern::credential::claims::Claims;
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use lectern::credential::pass::{Minter, PassKind};
use lectern::http::date::{format_date, parse_date};
use lectern::object::key::{ObjectKey, Scope};

const ROWS: &str = include_str!("rows.txt");
const DIRECTORY: &str = "/http/table/";
/// The least number of rows, so that a truncated table fails.
const MIN_ROWS: usize = 200;

/// An object of the table.
pub struct TableObject {
    /// The name in the table.
    name: &'static str,
    pub path: String,
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

/// An answer. The body is decoded.
#[derive(Debug)]
pub struct TableReply {
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<HeaderField>,
    pub body: Vec<u8>,
}

impl TableReply {
    /// Removes headers of the connection and the moment, so that repeated requests have equal
    /// answers.
    fn lasting(mut self) -> Self {
        self.headers.retain_mut(|(name, value)| {
            if name == "cache-control"
                && let Some((before, after)) = value.split_once("max-age=")
            {
                let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
                *value = format!("{before}max-age=…{after}");
            }
            !matches!(
                name.as_str(),
                "connection" | "date" | "server-timing" | "transfer-encoding"
            )
        });
        self.headers.sort();
        self
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The objects to store. Each is stored three times: under a name that determines its type, under
/// one that does not, and in a revision, which the data centre's cache keeps.
pub fn objects() -> Vec<TableObject> {
    let media: Vec<u8> = (0..1000_u16).map(|at| (at % 251) as u8).collect();
    let captions = "WEBVTT\n\n".to_owned() + &"00:00.000 --> 00:01.000\nYes.\n\n".repeat(50);
    let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n".to_owned()
        + &"#EXTINF:4,\nmedia.mp4\n".repeat(50)
        + "#EXT-X-ENDLIST\n";
    [
        ("media", "media.mp4", "video/mp4", media.as_slice()),
        ("media", "media", "video/mp4", &media),
        ("media", "v/1/media.mp4", "video/mp4", &media),
        ("empty", "empty.mp4", "video/mp4", &[]),
        ("empty", "empty", "video/mp4", &[]),
        ("empty", "v/1/empty.mp4", "video/mp4", &[]),
        ("captions", "en.vtt", "text/vtt", captions.as_bytes()),
        ("captions", "v/1/en.vtt", "text/vtt", captions.as_bytes()),
        (
            "playlist",
            "media.m3u8",
            "application/vnd.apple.mpegurl",
            playlist.as_bytes(),
        ),
        (
            "playlist",
            "v/1/media.m3u8",
            "application/vnd.apple.mpegurl",
            playlist.as_bytes(),
        ),
    ]
    .into_iter()
    .map(|(name, path, content_type, bytes)| TableObject {
        name,
        path: format!("{DIRECTORY}{path}"),
        content_type,
        bytes: bytes.to_vec(),
    })
    .collect()
}

/// The path and query that open an object. For a playlist that is a pass with an expiry in seconds,
/// so that the rewritten playlist does not change while the table runs.
pub fn opened(keys: &Keyring, path: &str, expires: u64) -> String {
    if !path.ends_with(".m3u8") {
        let scope = Scope::parse(DIRECTORY).expect("a scope");
        let token = link::mint(keys.minting(), &Claims::new(scope, expires));
        return format!("{path}?token={token}");
    }
    let key = ObjectKey::from_url_path(path).expect("an object key");
    let (directory, name) = key.split();
    let mut pass = Vec::new();
    Minter::new(keys.minting(), expires, Binding::default()).mint(
        PassKind::Playlist { depth: 2 },
        directory,
        name,
        &mut pass,
    );
    format!("{path}?p={}", String::from_utf8(pass).expect("ASCII"))
}

/// Sends every request of the table, for all objects at once. Returns the number of rows. `ask`
/// takes a method, a path with its query, headers and a body. A request without `Accept-Encoding`
/// asks for the stored bytes.
///
/// # Panics
/// With every row whose answer differs from the table's.
pub fn run(
    keys: &Keyring,
    expires: u64,
    ask: impl Fn(&str, &str, &[HeaderField], &[u8]) -> TableReply + Sync,
) -> usize {
    let (writes, reads): (Vec<&str>, Vec<&str>) = ROWS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .partition(|line| writes::is_row(line));
    let rows: Vec<Row> = reads.into_iter().map(Row::parse).collect();
    assert!(rows.len() >= MIN_ROWS, "{} rows", rows.len());
    let mut objects = objects();
    objects.push(TableObject {
        name: "missing",
        path: format!("{DIRECTORY}missing.mp4"),
        content_type: "",
        bytes: Vec::new(),
    });
    for row in &rows {
        let is_known = objects.iter().any(|object| object.name == row.object);
        assert!(is_known, "no object is called `{}`", row.object);
    }
    let asked: Vec<Asked> = std::thread::scope(|scope| {
        let (rows, writes, ask) = (&rows, &writes, &ask);
        let written = scope.spawn(move || writes::ask_all(writes, keys, expires, ask));
        let threads: Vec<_> = objects
            .iter()
            .map(|object| {
                scope.spawn(move || {
                    let url = opened(keys, &object.path, expires);
                    Asked::all(rows, object, |method, headers| {
                        ask(method, &url, headers, &[]).lasting()
                    })
                })
            })
            .collect();
        threads
            .into_iter()
            .chain([written])
            .map(|thread| thread.join().expect("a thread"))
            .collect()
    });
    let answers: usize = asked.iter().map(|asked| asked.answers).sum();
    let wrong: Vec<String> = asked.into_iter().flat_map(|asked| asked.wrong).collect();
    assert!(
        wrong.is_empty(),
        "{}\n{} wrong",
        wrong.join("\n"),
        wrong.len()
    );
    let count = rows.len() + writes.len();
    eprintln!("{count} rows, {answers} answers");
    count
}

type HeaderField = (String, String);

/// The results of the rows for one object in one place.
#[derive(Default)]
struct Asked {
    answers: usize,
    wrong: Vec<String>,
}

impl Asked {
    fn all(
        rows: &[Row],
        object: &TableObject,
        ask: impl Fn(&str, &[HeaderField]) -> TableReply,
    ) -> Self {
        let mut all = Self::default();
        let facts = (object.name != "missing").then(|| ObjectFacts::of(object, &ask));
        let mut wholes = HashMap::new();
        for row in rows.iter().filter(|row| row.object == object.name) {
            let headers = row.headers(facts.as_ref());
            let reply = ask(row.method, &headers);
            all.answers += 1;
            let mut found = row.answer.differences(&reply, facts.as_ref(), row.method);
            if row.method == "GET" {
                let head = ask("HEAD", &headers);
                all.answers += 1;
                // RFC 9110 §14.2: `Range` has a meaning for `GET` alone.
                let mut whole_headers = headers.clone();
                whole_headers.retain(|(name, _)| !name.eq_ignore_ascii_case("range"));
                let get = if whole_headers == headers {
                    &reply
                } else {
                    // Many rows share them.
                    wholes.entry(whole_headers).or_insert_with_key(|headers| {
                        all.answers += 1;
                        ask("GET", headers)
                    })
                };
                found.extend(head_differences(&head, get));
            }
            if !found.is_empty() {
                let (what, path) = (row.what, &object.path);
                all.wrong
                    .push(format!("{what} ({path}): {}", found.join("; ")));
            }
        }
        all
    }
}

/// The differences between the answers to `HEAD` and `GET`.
fn head_differences(head: &TableReply, get: &TableReply) -> Vec<String> {
    let mut found = Vec::new();
    if head.status != get.status {
        found.push(format!("HEAD has {}, GET {}", head.status, get.status));
    }
    let lacks = |one: &TableReply, other: &TableReply| -> Vec<String> {
        let headers = one
            .headers
            .iter()
            .filter(|&header| !other.headers.contains(header));
        headers
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    };
    if head.headers != get.headers {
        let (more, less) = (lacks(head, get), lacks(get, head));
        found.push(format!("HEAD has {more:?} where GET has {less:?}"));
    }
    if !head.body.is_empty() {
        found.push("HEAD has a body".to_owned());
    }
    found
}

struct Row {
    what: &'static str,
    method: &'static str,
    object: &'static str,
    headers: &'static str,
    answer: ExpectedAnswer,
}

enum ExpectedAnswer {
    Whole { gzip: bool },
    Part { first: usize, last: usize },
    NotModified { gzip: bool },
    PreconditionFailed,
    RangeNotSatisfiable,
    NotFound,
    Options,
}

impl Row {
    fn parse(line: &'static str) -> Self {
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [what, target, headers, answer] = columns[..] else {
            panic!("not four columns: {line}");
        };
        let (method, object) = target.split_once(' ').expect(line);
        Self {
            what,
            method,
            object,
            headers,
            answer: ExpectedAnswer::parse(answer).expect(line),
        }
    }

    fn headers(&self, facts: Option<&ObjectFacts>) -> Vec<HeaderField> {
        headers(self.headers, |value| {
            facts.map_or_else(|| value.to_owned(), |facts| facts.fill_in(value))
        })
    }
}

/// Parses a column of headers, separated by ` & `, and fills in its placeholders.
fn headers(column: &str, fill_in: impl Fn(&str) -> String) -> Vec<HeaderField> {
    column
        .split(" & ")
        .filter(|header| !header.is_empty())
        .map(|header| {
            let (name, value) = header.split_once(": ").unwrap_or((header, ""));
            (name.trim_end_matches(':').to_owned(), fill_in(value))
        })
        .collect()
}

impl ExpectedAnswer {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "200" | "200 gzip" => Self::Whole {
                gzip: text.ends_with("gzip"),
            },
            "304" | "304 gzip" => Self::NotModified {
                gzip: text.ends_with("gzip"),
            },
            "412" => Self::PreconditionFailed,
            "416" => Self::RangeNotSatisfiable,
            "404" => Self::NotFound,
            "204" => Self::Options,
            part => {
                let (first, last) = part.strip_prefix("206 ")?.split_once('-')?;
                Self::Part {
                    first: first.parse().ok()?,
                    last: last.parse().ok()?,
                }
            }
        })
    }

    /// The differences between `reply` and the row.
    fn differences(
        &self,
        reply: &TableReply,
        facts: Option<&ObjectFacts>,
        method: &str,
    ) -> Vec<String> {
        let (status, mut headers, mut body) = match facts {
            Some(facts) => self.expected(facts),
            None => (404, problem(), String::new().into_bytes()),
        };
        // A page that may read a lecture may also read why it does not play.
        headers.push(("access-control-allow-origin", Some("*".to_owned())));
        if reply.status != status {
            return vec![format!("{} is not {status}", reply.status)];
        }
        let mut found: Vec<String> = headers
            .into_iter()
            .filter(|(name, value)| reply.header(name) != value.as_deref())
            .map(|(name, value)| format!("`{name}` is {:?} and not {value:?}", reply.header(name)))
            .collect();
        let exposed = reply.header("access-control-expose-headers").unwrap_or("");
        for name in ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"] {
            if !exposed.split(", ").any(|exposed| exposed == name) {
                found.push(format!("`{name}` is not exposed"));
            }
        }
        if method == "HEAD" {
            body.clear();
        }
        // The content type identifies a refusal's body.
        if status < 400 && reply.body != body {
            let (ours, theirs) = (reply.body.len(), body.len());
            found.push(format!("a body of {ours} bytes, not the {theirs}"));
        }
        found
    }

    /// Status, headers (`None` for absent ones) and body.
    fn expected(&self, facts: &ObjectFacts) -> (u16, ExpectedHeaders, Vec<u8>) {
        let known = |gzip: bool| {
            let etag = if gzip { &facts.gzip_etag } else { &facts.etag };
            vec![
                ("etag", Some(etag.clone())),
                ("last-modified", Some(format_date(facts.date))),
                ("cache-control", Some(facts.cache_control.clone())),
                ("vary", facts.vary.clone()),
            ]
        };
        let sent = |gzip: bool, length: usize| {
            let mut headers = known(gzip);
            let length = (!gzip).then(|| length.to_string());
            headers.push(("content-length", length));
            headers.push(("content-encoding", gzip.then(|| "gzip".to_owned())));
            headers.push(("content-type", Some(facts.content_type.clone())));
            headers.push(("accept-ranges", facts.accept_ranges.clone()));
            headers
        };
        match *self {
            Self::Whole { gzip } => {
                let mut headers = sent(gzip, facts.body.len());
                headers.push(("content-range", None));
                (200, headers, facts.body.clone())
            }
            Self::Part { first, last } => {
                let body = facts.body[first..=last].to_vec();
                let mut headers = sent(false, body.len());
                let range = format!("bytes {first}-{last}/{}", facts.body.len());
                headers.push(("content-range", Some(range)));
                (206, headers, body)
            }
            Self::NotModified { gzip } => {
                let mut headers = known(gzip);
                headers.push(("content-length", None));
                headers.push(("content-range", None));
                (304, headers, Vec::new())
            }
            Self::PreconditionFailed => (412, problem(), Vec::new()),
            Self::RangeNotSatisfiable => {
                let mut headers = problem();
                headers.retain(|(name, _)| *name != "content-range");
                let range = format!("bytes */{}", facts.body.len());
                headers.push(("content-range", Some(range)));
                (416, headers, Vec::new())
            }
            Self::NotFound => (404, problem(), Vec::new()),
            Self::Options => (204, vec![("etag", None)], Vec::new()),
        }
    }
}

type ExpectedHeaders = Vec<(&'static str, Option<String>)>;

/// The headers of a refusal.
fn problem() -> ExpectedHeaders {
    vec![
        ("content-type", Some("application/problem+json".to_owned())),
        ("cache-control", Some("no-store".to_owned())),
        ("content-range", None),
        ("etag", None),
    ]
}

/// Properties of an object, from plain answers.
struct ObjectFacts {
    etag: String,
    /// The same as `etag` if the object is not gzipped.
    gzip_etag: String,
    date: u64,
    cache_control: String,
    vary: Option<String>,
    content_type: String,
    accept_ranges: Option<String>,
    body: Vec<u8>,
}

impl ObjectFacts {
    fn of(object: &TableObject, ask: impl Fn(&str, &[HeaderField]) -> TableReply) -> Self {
        let path = &object.path;
        let plain = ask("GET", &[]);
        let gzip = ask("GET", &[("Accept-Encoding".to_owned(), "gzip".to_owned())]);
        assert_eq!((plain.status, gzip.status), (200, 200), "{path}");
        let header = |name: &str| plain.header(name).map(str::to_owned);
        let etag = header("etag").expect("a tag");
        let gzip_etag = gzip.header("etag").expect("a tag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        let is_text = matches!(object.name, "captions" | "playlist");
        assert_eq!(etag != gzip_etag, is_text, "{path}");
        if object.name == "playlist" {
            assert!(plain.body.len() > object.bytes.len(), "{path}");
        } else {
            assert_eq!(plain.body, object.bytes, "{path}");
        }
        let accept_ranges = (object.name != "playlist").then(|| "bytes".to_owned());
        let last_modified = header("last-modified").expect("a date");
        Self {
            etag,
            gzip_etag,
            date: parse_date(&last_modified, 0).expect("a date"),
            cache_control: header("cache-control").expect("a cache policy"),
            vary: is_text.then(|| "Accept-Encoding".to_owned()),
            content_type: object.content_type.to_owned(),
            accept_ranges,
            body: plain.body,
        }
    }

    fn fill_in(&self, value: &str) -> String {
        let mut value = value.to_owned();
        for (name, meaning) in [
            ("{etag}", self.etag.clone()),
            ("{gzip}", self.gzip_etag.clone()),
            ("{weak}", format!("W/{}", self.etag)),
            ("{weak-gzip}", format!("W/{}", self.gzip_etag)),
            ("{opaque}", self.etag.replace('"', "")),
            ("{upper}", self.etag.to_ascii_uppercase()),
            ("{date}", format_date(self.date)),
            ("{date-1}", format_date(self.date - 1)),
            ("{date+1}", format_date(self.date + 1)),
            ("{rfc850}", rfc850(self.date)),
            ("{rfc850-1}", rfc850(self.date - 1)),
            ("{asctime}", asctime(self.date)),
            ("{asctime-1}", asctime(self.date - 1)),
            ("{length}", self.body.len().to_string()),
        ] {
            value = value.replace(name, &meaning);
        }
        assert!(!value.contains('{'), "{value}");
        value
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(seconds: u64) -> String {
    let [day_name, day, month, year, time] = parts(seconds);
    let day_name = match day_name.as_str() {
        "Tue" => "Tuesday".to_owned(),
        "Wed" => "Wednesday".to_owned(),
        "Thu" => "Thursday".to_owned(),
        "Sat" => "Saturday".to_owned(),
        other => format!("{other}day"),
    };
    format!("{day_name}, {day}-{month}-{} {time} GMT", &year[2..])
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(seconds: u64) -> String {
    let [day_name, day, month, year, time] = parts(seconds);
    let day = day.trim_start_matches('0');
    format!("{day_name} {month} {day:>2} {time} {year}")
}

/// Of `Sun, 06 Nov 1994 08:49:37 GMT` all but the zone.
fn parts(seconds: u64) -> [String; 5] {
    let date = format_date(seconds).replace(',', "");
    let mut words = date.split(' ').map(str::to_owned);
    std::array::from_fn(|_| words.next().expect("a date"))
}
