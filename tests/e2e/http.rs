//! Range and conditional requests (RFC 9110 §13, §14) to the Worker, with the table of the pure
//! code.

use std::time::{Duration, Instant};
use testkit::process::PATIENCE;

use lectern::credential::claims::Purpose;

use super::edge::{Edge, now};
use super::media;
use testkit::http_table::{self, TableReply};

#[test]
fn range_and_conditional_requests_are_answered_as_rfc_9110_says() {
    let edge = Edge::start();
    let upload = edge.token("/http/table/", Purpose::Upload);
    let expires = now() + 3600;
    for object in http_table::objects() {
        let url = format!("{}?token={upload}", object.path);
        let content_type = [("content-type", object.content_type)];
        let put = edge.send("PUT", &url, &content_type, &object.bytes);
        assert!(
            matches!(put.status, 200 | 201),
            "{}: {}",
            url,
            put.verdict()
        );
        if object.path.contains("/v/1/") {
            let url = http_table::opened(&edge.keys, &object.path, expires);
            wait_until_cached(&edge, &url);
        }
    }
    let began = Instant::now();
    let rows = http_table::run(&edge.keys, expires, |method, url, headers, body| {
        let mut headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        if !headers.iter().any(|(name, _)| *name == "Accept-Encoding") {
            headers.push(("Accept-Encoding", "identity"));
        }
        let reply = edge.send(method, url, &headers, body);
        assert!(!reply.broke_off, "{method} {url} {headers:?} broke off");
        let is_gzipped = reply.header("content-encoding") == Some("gzip");
        let body = if is_gzipped && !reply.body.is_empty() {
            media::gunzip(&reply.body)
        } else {
            reply.body
        };
        TableReply {
            status: reply.status,
            headers: reply.headers,
            body,
        }
    });
    eprintln!("in {:.1} s", began.elapsed().as_secs_f64());
    assert!(rows >= 80, "{rows} rows");
}

/// Objects of a revision are in the data centre's cache after one read.
fn wait_until_cached(edge: &Edge, url: &str) {
    let began = Instant::now();
    loop {
        let reply = edge.get(url);
        assert_eq!(reply.verdict(), "200", "{url}");
        let timing = reply.header("server-timing").unwrap_or_default();
        if timing.contains("cache;desc=hit") {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{url}: {timing}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
