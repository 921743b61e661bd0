//! Range and conditional requests (RFC 9110 §13, §14) on the pure code. The Worker answers the same table end to end.

mod http_table;

use http_table::{Object, Reply};
use lectern::config::Config;
use lectern::decide::{Decision, decide};
use lectern::http::cors::preflight_headers;
use lectern::http::problem::Problem;
use lectern::read::{Answer, Headers, Read};
use lectern::request::{Request, split_url};
use lectern::storage::Stored;

const NOW: u64 = 1_800_000_000;
const ORIGIN: &str = "https://video.example";
const KEYS: &str = r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;

#[test]
fn range_and_conditional_requests_are_decided_as_rfc_9110_says() {
    let config = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| KEYS.to_owned()));
    let config = config.expect("a config");
    let objects = http_table::objects();
    let rows = http_table::run(&config.keys, NOW + 3600, |method, url, headers| {
        let (status, headers, body) = answer(&config, &objects, method, url, headers);
        let headers = config
            .allowed_origins
            .headers(None)
            .into_iter()
            .chain(headers);
        Reply {
            status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
            // A platform drops it.
            body: if method == "HEAD" { Vec::new() } else { body },
        }
    });
    assert!(rows >= 80, "{rows} rows");
}

/// What the shell does, without a platform; what would be gzipped is not.
fn answer(
    config: &Config,
    objects: &[Object],
    method: &str,
    url: &str,
    headers: &[(String, String)],
) -> (u16, Headers, Vec<u8>) {
    let refused = |problem: Problem| {
        let body = problem.body().into_bytes();
        (problem.status(), problem.headers(), body)
    };
    let url = format!("{ORIGIN}{url}");
    let (origin, path, query) = split_url(&url).expect("a URL");
    let header = |name: &str| {
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
    let read = match decide(&request, config, NOW) {
        Decision::Read(read) => read,
        Decision::Options => return (204, preflight_headers(), Vec::new()),
        Decision::Refuse(refusal) => return refused(refusal.problem),
        other => panic!("{other:?}"),
    };
    let Some(object) = objects.iter().find(|object| object.path == path) else {
        return refused(Problem::NotFound);
    };
    let stored = Stored {
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        size: object.bytes.len() as u64,
        uploaded: (NOW - 60) * 1000 + 999,
        content_type: Some(object.content_type.to_owned()),
    };
    match read.answer(&stored) {
        Answer::NotModified(headers) => (304, headers, Vec::new()),
        Answer::Refuse(problem) => refused(problem),
        Answer::Whole(headers) => (200, headers, object.bytes.clone()),
        Answer::Part(range, headers) => {
            let part = range.first as usize..=range.last as usize;
            (206, headers, object.bytes[part].to_vec())
        }
        Answer::Rewritten(headers) => rewritten(&read, object, headers),
    }
}

fn rewritten(read: &Read<'_>, object: &Object, mut headers: Headers) -> (u16, Headers, Vec<u8>) {
    let body = read
        .rewrite(&object.bytes, ORIGIN)
        .expect("a playlist")
        .bytes;
    if !headers.iter().any(|(name, _)| *name == "Content-Encoding") {
        headers.push(("Content-Length", body.len().to_string()));
    }
    (200, headers, body)
}
