//! Upload links: bounds, statuses, and the reasons that their holders read.

use super::tests::{NOW, config, with_bindings};
use super::*;
use crate::credential::link::{mint, verify_signature};
use crate::http::cors::AllowedOrigins;
use crate::http::problem::Reason;
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
    decide_from(config, method, url, headers, "")
}

fn decide_from<'config>(
    config: &'config Config,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    country: &str,
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
        country: &|| Some(country.to_owned()),
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
                    assert!(!read.may_be_cached() && read.hides_link, "{path}");
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
fn an_upload_link_writes_no_status_and_an_administrators_does() {
    let config = config();
    let upload = link(&config, "");
    let claims = br#"{"path":"/u/","exp":1800000060,"use":"admin"}"#;
    let admin = mint(
        config.keys.minting(),
        &Claims::from_json(claims).expect("claims"),
    );
    for (method, path, query, by_upload) in [
        ("PUT", "/u/a.mp4.status.json", "", false),
        ("PUT", "/u/live/status.json", "", false),
        ("POST", "/u/live/status.json", "&put", false),
        ("POST", "/u/live/status.json", "&uploads", false),
        ("PUT", "/u/status.json", "&uploadId=u&partNumber=1", false),
        ("POST", "/u/status.json", "&uploadId=u", false),
        ("DELETE", "/u/live/status.json", "", true),
        ("PUT", "/u/a.json", "", true),
        ("PUT", "/u/.status.json", "", true),
    ] {
        for (token, expected) in [(&upload, by_upload), (&admin, true)] {
            let url = format!("{path}?token={token}{query}");
            let found = decide_at(&config, method, &url, &[("content-length", "9")]);
            let is_write = matches!(found, Decision::Write { .. });
            assert_eq!(is_write, expected, "{method} {path} {query}: {found:?}");
        }
    }
}

#[test]
fn a_status_is_json_and_a_script_gets_it_by_a_pass() {
    let config = config();
    let url = format!("/u/status.json?token={}", link(&config, ""));
    let stored = |size, content_type: &str| ObjectMetadata {
        etag: "e".to_owned(),
        size,
        uploaded: 0,
        content_type: Some(content_type.to_owned()),
    };
    let by_script = ("sec-fetch-dest", "empty");
    let Decision::Read(read) = decide_at(&config, "GET", &url, &[by_script]) else {
        panic!("no read");
    };
    let ReadAnswer::Redirect(location) = read.answer(&stored(9, "application/json")) else {
        panic!("no redirect");
    };
    assert!(location.starts_with("/u/status.json?p="), "{location}");
    match decide_at(&config, "GET", &location, &[by_script]) {
        Decision::Read(read) => assert!(read.seconds_left <= 70, "{}", read.seconds_left),
        other => panic!("{other:?}"),
    }
    let Decision::Read(read) = decide_at(&config, "GET", &url, &[("range", "bytes=0-1")]) else {
        panic!("no read");
    };
    for content_type in ["text/html", "video/mp4", "application/json"] {
        let ReadAnswer::Whole(headers) = read.answer(&stored(65_536, content_type)) else {
            panic!("not whole");
        };
        let header = |name| headers.iter().find(|(known, _)| *known == name);
        let (_, found) = header("Content-Type").expect("a type");
        assert_eq!(found, "application/json", "{content_type}");
        let (_, found) = header("Cache-Control").expect("cache control");
        assert_eq!(found, "no-store");
    }
    for (size, content_type, problem) in [
        (65_537, "application/json", Problem::NotFound),
        (9, "application/dash+xml", Problem::UnsafePlaylist),
        (9, "audio/mpegurl", Problem::UnsafePlaylist),
    ] {
        let refused = read.answer(&stored(size, content_type));
        assert_eq!(refused, ReadAnswer::Refuse(problem), "{content_type}");
    }
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
fn a_page_that_the_edge_does_not_allow_writes_nothing() {
    let listed = Config {
        allowed_origins: AllowedOrigins::parse("https://school.example").expect("a list"),
        ..config()
    };
    let any = config();
    let school = Some("https://school.example");
    let (own, foreign) = (Some("https://a.example"), Some("https://b.example"));
    for (config, origin, site, expected) in [
        (&listed, None, "", true),
        (&listed, own, "", true),
        (&listed, school, "cross-site", true),
        (&listed, foreign, "", false),
        (&listed, foreign, "cross-site", false),
        (&listed, Some("null"), "cross-site", false),
        // A proxy in front of the edge changed the scheme.
        (&listed, Some("http://a.example"), "same-origin", true),
        (&any, foreign, "cross-site", true),
    ] {
        let token = link(config, r#","ip":["192.0.2.0/24"]"#);
        let mut headers = vec![("content-length", "9"), ("cf-connecting-ip", "192.0.2.7")];
        headers.extend(origin.map(|origin| ("origin", origin)));
        headers.extend((!site.is_empty()).then_some(("sec-fetch-site", site)));
        for (method, query) in [
            ("POST", "put"),
            ("POST", "uploads"),
            ("POST", "uploadId=u&partNumber=1"),
            ("POST", "uploadId=u"),
            ("PUT", ""),
        ] {
            let url = format!("/u/a.mp4?token={token}&{query}");
            let found = decide_at(config, method, &url, &headers);
            let case = format!("{method} {query} {origin:?} {site}");
            match found {
                Decision::Write { .. } => assert!(expected, "{case}"),
                Decision::Refuse(refusal) => {
                    assert!(!expected, "{case}: {refusal:?}");
                    assert_eq!(refusal.reason, Reason::Origin, "{case}");
                    assert_eq!(refusal.told_detail(), None, "{case}");
                }
                other => panic!("{case}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_link_that_does_not_open_here_tells_nothing() {
    let config = config();
    let bound = r#","ip":["192.0.2.0/24"],"origin":["https://school.example"],"country":["DE"]"#;
    let token = link(&config, bound);
    let inside = ("cf-connecting-ip", "192.0.2.7");
    let outside = ("cf-connecting-ip", "198.51.100.7");
    let school = ("origin", "https://school.example");
    let foreign = ("origin", "https://b.example");
    for (address, origin, country, expected) in [
        (inside, school, "DE", true),
        (outside, school, "DE", false),
        (inside, foreign, "DE", false),
        (inside, school, "FR", false),
    ] {
        let headers = [address, origin, ("content-length", "9")];
        for path in ["/u/a%2fb", "/u/a"] {
            let url = format!("{path}?token={token}&uploads&uploads");
            let found = decide_from(&config, "PUT", &url, &headers, country);
            let refusal = refusal(found);
            assert_eq!(refusal.is_told, expected, "{path} {headers:?} {refusal:?}");
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
