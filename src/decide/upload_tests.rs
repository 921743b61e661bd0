//! Upload links: bounds, statuses, and the reasons that their holders read.

use super::tests::{NOW, config, with_bindings};
use super::*;
use crate::credential::link::{mint, verify_signature};
use crate::object::stored::ObjectMetadata;
use crate::operation::read::ReadAnswer;
use crate::request::split_url;

fn link(config: &Config, claims: &str) -> String {
    let json = format!(r#"{{"path":"/u/","exp":1800000060,"use":"upload"{claims}}}"#);
    // A later claim of the same name would be refused.
    let claims = Claims::from_json(json.as_bytes()).expect("claims");
    mint(config.keys.minting(), &claims)
}

fn decide_at<'config>(
    config: &'config Config,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
) -> Decision<'config> {
    let url = format!("https://a.example{url}");
    let (origin, path, query) = split_url(&url).expect("a URL");
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let request = Request {
        method,
        origin,
        path,
        query,
        header: &header,
        country: &|| None,
    };
    decide(&request, config, NOW)
}

fn refusal(decision: Decision<'_>) -> Refusal {
    match decision {
        Decision::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_writer_hears_which_part_of_the_request_is_wrong() {
    let config = config();
    let token = link(&config, "");
    let length = ("content-length", "9");
    for (method, path, query, header, expected) in [
        ("PUT", "/u/a%2fb", "", length, "slash"),
        ("PUT", "/u/a\\b", "", length, "backslash"),
        ("PUT", "/u/../../b", "", length, "segment"),
        ("PUT", "/u/a", "", ("x", ""), "`Content-Length`"),
        (
            "PUT",
            "/u/a",
            "",
            ("content-length", "999999999999"),
            "104857600",
        ),
        ("PUT", "/u/a", "uploadId=%zz", length, "`uploadId`"),
        ("PUT", "/u/a", "uploadId=", length, "`uploadId`"),
        (
            "PUT",
            "/u/a",
            "uploadId=u&partNumber=0",
            length,
            "`partNumber` in the query is `0`",
        ),
        (
            "PUT",
            "/u/a",
            "partNumber=1",
            length,
            "`uploadId` and `partNumber`",
        ),
        (
            "PUT",
            "/u/a",
            "uploads&uploads",
            length,
            "`uploads` occurs twice",
        ),
        ("POST", "/u/a", "", length, "does not fit `POST`"),
        ("DELETE", "/u/a", "uploads", length, "does not fit `DELETE`"),
    ] {
        let url = format!("{path}?token={token}&{query}");
        let refusal = refusal(decide_at(&config, method, &url, &[header]));
        let told = refusal.told_detail().unwrap_or_default();
        assert!(
            told.contains(expected),
            "{method} {path}?{query}: {refusal:?}"
        );
        assert!(!refusal.counts(), "{refusal:?}");
    }
    let url = format!("/u/a?token={token}");
    for (name, value) in [("content-range", "bytes 0-8/9"), ("if-match", "x")] {
        let headers = [length, (name, value)];
        let refusal = refusal(decide_at(&config, "PUT", &url, &headers));
        let told = refusal
            .told_detail()
            .unwrap_or_default()
            .to_ascii_lowercase();
        assert!(told.contains(name), "{refusal:?}");
    }
}

#[test]
fn a_forger_hears_nothing() {
    let config = config();
    let upload = link(&config, "");
    let play = mint(
        config.keys.minting(),
        &Claims::from_json(br#"{"path":"/u/","exp":1800000060}"#).expect("claims"),
    );
    let expired = mint(
        config.keys.minting(),
        &Claims::from_json(br#"{"path":"/u/","exp":1799999999,"use":"upload"}"#).expect("claims"),
    );
    let forged = format!("{}A", &upload[..upload.len() - 1]);
    let length = ("content-length", "9");
    for (path, token) in [
        ("/u/a%2fb", &*forged),
        ("/u/a%2fb", &play),
        ("/u/a%2fb", &expired),
        ("/u/a%2fb", ""),
        ("/u/a?uploads&uploads", &forged),
        ("/u/a", &play),
        // A valid link of another folder is refused like a forged one.
        ("/other/a", &upload),
    ] {
        let and = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{and}token={token}");
        let refusal = refusal(decide_at(&config, "PUT", &url, &[length]));
        assert_eq!(refusal.told_detail(), None, "{path} {refusal:?}");
    }
    assert!(verify_signature(&upload, &config.keys).is_ok());
}

#[test]
fn an_upload_link_reads_a_status_below_its_path_and_no_other_object() {
    let config = config();
    let token = link(&config, "");
    for (path, expected) in [
        ("/u/a.mp4.status.json", true),
        ("/u/live/status.json", true),
        ("/u/live/status.json?as=stored", true),
        ("/u/live/status.json?download", true),
        ("/u/a.mp4", false),
        ("/u/a.json", false),
        ("/u/status.json/a.m4s", false),
        ("/u/master.m3u8", false),
        ("/u/poster.jpg", false),
        ("/v/status.json", false),
        ("/status.json", false),
        ("/u/../v/status.json", false),
        ("/u/?as=list", false),
    ] {
        let and = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{and}token={token}");
        for method in ["GET", "HEAD"] {
            match decide_at(&config, method, &url, &[("origin", "https://b.example")]) {
                Decision::Read(read) => {
                    assert!(expected, "{method} {path}");
                    assert_eq!(read.treatment, Treatment::Status);
                    assert!(!read.may_be_cached() && !read.hides_link, "{path}");
                }
                Decision::Refuse(_) => assert!(!expected, "{method} {path}"),
                other => panic!("{method} {path}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_upload_link_to_one_object_reads_its_status_alone() {
    let config = config();
    let claims = br#"{"path":"/u/a.mp4","exp":1800000060,"use":"upload"}"#;
    let claims = Claims::from_json(claims).expect("claims");
    let token = mint(config.keys.minting(), &claims);
    for (path, expected) in [
        ("/u/a.mp4.status.json", true),
        ("/u/b.mp4.status.json", false),
        ("/u/a.mp4.status.json.status.json", false),
        ("/u/status.json", false),
        ("/u/a.mp4", false),
    ] {
        let url = format!("{path}?token={token}");
        let found = matches!(decide_at(&config, "GET", &url, &[]), Decision::Read(_));
        assert_eq!(found, expected, "{path}");
        let writes = matches!(
            decide_at(&config, "PUT", &url, &[("content-length", "1")]),
            Decision::Write { .. }
        );
        assert_eq!(writes, path == "/u/a.mp4", "{path}");
    }
}

#[test]
fn a_status_is_json_whatever_its_uploader_calls_it() {
    let config = config();
    let url = format!("/u/status.json?token={}", link(&config, ""));
    let Decision::Read(read) = decide_at(&config, "GET", &url, &[("range", "bytes=0-1")]) else {
        panic!("no read");
    };
    let stored = |size, content_type: &str| ObjectMetadata {
        etag: "e".to_owned(),
        size,
        uploaded: 0,
        content_type: Some(content_type.to_owned()),
    };
    for content_type in [
        "text/html",
        "application/vnd.apple.mpegurl",
        "application/dash+xml",
    ] {
        let ReadAnswer::Whole(headers) = read.answer(&stored(65_536, content_type)) else {
            panic!("not whole");
        };
        let header = |name| headers.iter().find(|(known, _)| *known == name);
        let (_, found) = header("Content-Type").expect("a type");
        assert_eq!(found, "application/json", "{content_type}");
        let (_, found) = header("Cache-Control").expect("cache control");
        assert_eq!(found, "no-store");
    }
    let too_large = read.answer(&stored(65_537, "application/json"));
    assert_eq!(too_large, ReadAnswer::Refuse(Problem::NotFound));
}

#[test]
fn the_bounds_of_a_link_hold_or_the_link_is_refused() {
    let (bound, bare) = (with_bindings(), config());
    let length = ("content-length", "9");
    for (config, claims, path, expected) in [
        (&bound, r#","jti":"l","max_bytes":9"#, "/u/a.mp4", None),
        (&bound, r#","jti":"l","max_objects":9"#, "/u/a.mp4", None),
        (&bound, r#","types":["video"]"#, "/u/a.mp4", None),
        (&bare, r#","types":["video"]"#, "/u/a.mp4", None),
        (
            &bare,
            r#","jti":"l","max_bytes":9"#,
            "/u/a.mp4",
            Some(Problem::Forbidden),
        ),
        (
            &bare,
            r#","jti":"l","max_objects":9"#,
            "/u/a.mp4",
            Some(Problem::Forbidden),
        ),
        (
            &bare,
            r#","types":["video"]"#,
            "/u/a.html",
            Some(Problem::UnsupportedType),
        ),
    ] {
        let url = format!("{path}?token={}", link(config, claims));
        match decide_at(config, "PUT", &url, &[length]) {
            Decision::Write { write, bounds, .. } => {
                assert_eq!(expected, None, "{claims} {path}");
                assert_eq!(bounds.charge(&write).is_some(), claims.contains("jti"));
            }
            Decision::Refuse(refusal) => assert_eq!(Some(refusal.problem), expected, "{claims}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_post_without_a_preflight_does_what_a_put_does() {
    let config = config();
    let token = link(&config, "");
    let length = ("content-length", "9");
    let plain = ("content-type", "text/plain;charset=UTF-8");
    for (query, expected) in [
        ("put", Some("video/mp4")),
        ("uploadId=u&partNumber=3", Some("part 3")),
        ("put&uploads", None),
        ("put&uploadId=u", None),
        ("partNumber=3", None),
    ] {
        let url = format!("/u/a.mp4?token={token}&{query}");
        let found = match decide_at(&config, "POST", &url, &[length, plain]) {
            Decision::Write { write, .. } => match write {
                Write::Put { content_type, .. } => Some(content_type),
                Write::Part { number, .. } => Some(format!("part {number}")),
                other => panic!("{other:?}"),
            },
            _ => None,
        };
        assert_eq!(found.as_deref(), expected, "{query}");
    }
}
