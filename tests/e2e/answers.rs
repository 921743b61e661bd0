//! Headers of every answer, and the encoding of bodies.

use lectern::credential::claims::Purpose;

use super::edge::Edge;
use super::{LECTURE, MASTER, Walk, media, walk};

#[test]
fn text_is_gzipped_for_clients_that_accept_it_and_media_never_is() {
    let edge = Edge::start();
    edge.publish(media::package(), LECTURE);
    let upload = edge.token(LECTURE, Purpose::Upload);
    let captions =
        "WEBVTT\n\n".to_owned() + &"00:00.000 --> 00:01.000\nGood morning.\n\n".repeat(99);
    let path = format!("{LECTURE}v/1/subs/en.vtt");
    let put = edge.send(
        "PUT",
        &format!("{path}?token={upload}"),
        &[],
        captions.as_bytes(),
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    let Walk { playlists, objects } = walk(&edge);
    let segment = objects
        .iter()
        .find(|url| url.contains("/seg"))
        .expect("a segment");
    let token = edge.token(LECTURE, Purpose::Play);
    let captions = format!("{path}?token={token}");
    let gzip = ("accept-encoding", "br, gzip");
    for (url, is_text) in [(&playlists[0], true), (&captions, true), (segment, false)] {
        let plain = edge.send("GET", url, &[("accept-encoding", "identity")], &[]);
        assert_eq!(plain.header("content-encoding"), None, "{url}");
        let length = plain.body.len().to_string();
        assert_eq!(
            plain.header("content-length"),
            Some(length.as_str()),
            "{url}"
        );
        let encoded = edge.send("GET", url, &[gzip], &[]);
        let head = edge.send("HEAD", url, &[gzip], &[]);
        for name in [
            "etag",
            "content-encoding",
            "content-type",
            "vary",
            "last-modified",
        ] {
            assert_eq!(head.header(name), encoded.header(name), "{name} of {url}");
        }
        if !is_text {
            assert_eq!(encoded.header("content-encoding"), None, "{url}");
            assert_eq!(encoded.body, plain.body);
            continue;
        }
        assert_eq!(encoded.header("content-encoding"), Some("gzip"), "{url}");
        assert_eq!(encoded.header("vary"), Some("Accept-Encoding"), "{url}");
        assert!(encoded.body.len() < plain.body.len(), "{url}");
        assert_eq!(media::gunzip(&encoded.body), plain.body, "{url}");
        // Another representation, with its own validator.
        let etag = encoded.header("etag").expect("a tag");
        assert_ne!(Some(etag), plain.header("etag"), "{url}");
        let again = edge.send("GET", url, &[gzip, ("if-none-match", etag)], &[]);
        assert_eq!(again.status, 304, "{url}");
    }
    // Ranges are of the stored bytes.
    let part = edge.send("GET", &captions, &[gzip, ("range", "bytes=0-5")], &[]);
    assert_eq!((part.status, part.text()), (206, "WEBVTT"));
    assert_eq!(part.header("content-encoding"), None);
}

#[test]
fn the_files_of_the_page_vary_by_encoding_and_hashed_ones_are_kept() {
    let edge = Edge::start();
    let reply = edge.get("/_lectern/play");
    let page = reply.text();
    let assets: Vec<String> = page
        .split('"')
        .filter(|text| text.starts_with("assets/"))
        .map(|asset| format!("/_lectern/{asset}"))
        .collect();
    assert!(assets.len() >= 2, "{page}");
    let named = [
        "/_lectern/play",
        "/_lectern/embed.js",
        "/_lectern/element.js",
        "/_lectern/sw.js",
    ];
    for path in assets.iter().map(String::as_str).chain(named) {
        for encoding in ["identity", "gzip"] {
            let reply = edge.send("GET", path, &[("accept-encoding", encoding)], &[]);
            assert_eq!(reply.status, 200, "{path}");
            let mut all = reply.headers.iter();
            let varies = all.any(|(name, value)| {
                name == "vary" && value.to_ascii_lowercase().contains("accept-encoding")
            });
            assert!(varies, "{path} in {encoding}: {:?}", reply.headers);
            let expected = match path {
                "/_lectern/play" => "public, max-age=0, must-revalidate",
                "/_lectern/embed.js" | "/_lectern/element.js" => "public, max-age=3600",
                "/_lectern/sw.js" => "no-cache",
                _ => "public, max-age=31536000, immutable",
            };
            assert_eq!(reply.header("cache-control"), Some(expected), "{path}");
        }
    }
}

#[test]
fn the_schools_pages_may_read_every_answer_and_others_none() {
    let edge = Edge::for_pages_of("https://*.school.example, https://app.example");
    edge.publish(media::package(), LECTURE);
    let Walk { playlists, objects } = walk(&edge);
    let segment = objects
        .iter()
        .find(|url| url.contains("/seg"))
        .expect("a segment");
    let etag = edge.get(segment).header("etag").expect("a tag").to_owned();
    let missing = format!("{LECTURE}x?token={}", edge.token(LECTURE, Purpose::Play));
    let answers = [
        ("GET", segment.as_str(), vec![], "200"),
        ("HEAD", segment, vec![], "200"),
        ("GET", &playlists[0], vec![], "200"),
        ("GET", segment, vec![("range", "bytes=0-1")], "206"),
        ("GET", segment, vec![("if-none-match", &etag)], "304"),
        (
            "GET",
            segment,
            vec![("range", "bytes=99999999-")],
            "416 range_not_satisfiable",
        ),
        ("GET", MASTER, vec![], "401 missing_token"),
        ("GET", &missing, vec![], "404 not_found"),
        ("PATCH", segment, vec![], "405 method_not_allowed"),
        (
            "OPTIONS",
            segment,
            vec![("access-control-request-method", "PUT")],
            "204",
        ),
    ];
    for (method, url, headers, expected) in &answers {
        for (origin, is_allowed) in [
            ("https://rails.school.example", true),
            ("https://app.example", true),
            ("https://school.example", false),
            ("https://rails.school.example.evil", false),
            ("null", false),
        ] {
            let case = format!("{method} {expected} for {origin}");
            let mut headers = headers.clone();
            headers.push(("origin", origin));
            let reply = edge.send(method, url, &headers, &[]);
            if *method != "HEAD" {
                assert_eq!(reply.verdict(), *expected, "{case}");
            }
            let allowed = is_allowed.then_some(origin);
            assert_eq!(
                reply.header("access-control-allow-origin"),
                allowed,
                "{case}"
            );
            assert_eq!(reply.header("timing-allow-origin"), allowed, "{case}");
            let exposed = reply.header("access-control-expose-headers");
            assert_eq!(
                exposed.is_some_and(|names| names.contains("Content-Range")),
                is_allowed,
                "{case}"
            );
            let varies = reply
                .headers
                .iter()
                .any(|(name, value)| name == "vary" && value.contains("Origin"));
            assert!(varies, "{case}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "cross-origin"),
            ] {
                assert_eq!(reply.header(name), Some(value), "{case}");
            }
        }
    }
}
