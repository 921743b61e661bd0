//! The decisions as tables.

use super::*;
use crate::config::Bindings;
use crate::credential::binding::Binding;
use crate::credential::link;
use crate::credential::pass::Minter;
use crate::credential::ticket::seal_session;
use crate::playlist::{Entitlements, PlaylistError};
use crate::request::split_url;

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn config() -> Config {
    Config::from_lookup(|name| {
        (name == "LECTERN_KEYS").then(|| {
            r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#.to_owned()
        })
    })
    .expect("a config")
}

fn link(config: &Config, path: &str, purpose: Purpose) -> String {
    let claims = Claims {
        purpose,
        ..Claims::new(Scope::parse(path).expect("a scope"), NOW + 60)
    };
    link::mint(config.keys.minting(), &claims)
}

/// The decision in a word: `read`, `write`, `options` or the refusal's code.
fn decided(config: &Config, method: &str, url: &str, headers: &[(&str, &str)]) -> String {
    let (origin, path, query) = split_url(url).expect("a URL");
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let request = Request {
        method,
        origin,
        path,
        query,
        header: &header,
        country: &|| header("country"),
    };
    match decide(&request, config, NOW) {
        Decision::Options => "options".to_owned(),
        Decision::Health => "health".to_owned(),
        Decision::Redirect(_) => "redirect".to_owned(),
        Decision::Read(_) => "read".to_owned(),
        Decision::Steering(_) => "steering".to_owned(),
        Decision::Write { .. } => "write".to_owned(),
        Decision::List { .. } => "list".to_owned(),
        Decision::Revocations { .. } => "revocations".to_owned(),
        Decision::PlayerWatch(watch) => match watch.place {
            Some(_) => format!("{:?} with a place", watch.action),
            None => format!("{:?}", watch.action),
        },
        Decision::AdminWatch { .. } => "watched".to_owned(),
        Decision::Refuse(refusal) => refusal.problem.code().to_owned(),
    }
}

#[test]
fn a_link_opens_what_it_says_for_what_it_says() {
    let config = config();
    let length = ("content-length", "1");
    for (path, purpose, method, url, expected) in [
        ("/a/", Purpose::Play, "GET", "/a/b", "read"),
        ("/a/", Purpose::Play, "HEAD", "/a/b/c", "read"),
        ("/a/", Purpose::Download, "GET", "/a/b", "read"),
        ("/a/", Purpose::Admin, "GET", "/a/b", "read"),
        ("/a/", Purpose::Upload, "GET", "/a/b", "forbidden"),
        ("/a/b", Purpose::Play, "GET", "/a/b", "read"),
        ("/a/b", Purpose::Play, "GET", "/a/c", "forbidden"),
        ("/a/", Purpose::Play, "GET", "/ab/c", "forbidden"),
        ("/a/", Purpose::Play, "PUT", "/a/b", "forbidden"),
        ("/a/", Purpose::Download, "DELETE", "/a/b", "forbidden"),
        ("/a/", Purpose::Upload, "PUT", "/a/b", "write"),
        ("/a/", Purpose::Upload, "DELETE", "/a/b", "write"),
        ("/a/", Purpose::Admin, "PUT", "/a/b", "write"),
        ("/a/", Purpose::Upload, "PUT", "/b/b", "forbidden"),
        (
            "/a/",
            Purpose::Upload,
            "PATCH",
            "/a/b",
            "method_not_allowed",
        ),
        ("/a/", Purpose::Play, "GET", "/a/%2e%2e/b", "bad_path"),
        ("/a/", Purpose::Play, "GET", "/_lectern/x", "not_found"),
        ("/a/", Purpose::Play, "GET", "/_lectern/health", "health"),
        (
            "/a/",
            Purpose::Upload,
            "PUT",
            "/_lectern/health",
            "not_found",
        ),
        ("/a/", Purpose::Play, "OPTIONS", "/%zz", "options"),
    ] {
        let token = link(&config, path, purpose);
        let bearer = format!("bearer {token}");
        let case = format!("{path} {purpose:?} {method} {url}");
        let by_query = format!("https://a.example{url}?x=1&token={token}");
        assert_eq!(
            decided(&config, method, &by_query, &[length]),
            expected,
            "{case}"
        );
        let by_header = format!("https://a.example{url}");
        let headers = [length, ("authorization", &bearer)];
        assert_eq!(
            decided(&config, method, &by_header, &headers),
            expected,
            "{case}"
        );
    }
}

#[test]
fn a_credential_is_given_once() {
    let config = config();
    let token = link(&config, "/a", Purpose::Play);
    for (query, expected) in [
        ("", "missing_token"),
        ("?x=token", "missing_token"),
        ("?token", "forbidden"),
        ("?token=", "forbidden"),
        (&format!("?token={token}&token={token}"), "bad_request"),
        (&format!("?token={token}&token"), "bad_request"),
        (&format!("?token={token}&p=x"), "bad_request"),
        ("?p=x&p=y", "bad_request"),
        ("?p=x", "forbidden"),
        (&format!("?tokens={token}"), "missing_token"),
        (&format!("?token={token}&CMCD=bl%3D1&_HLS_msn=2"), "read"),
    ] {
        let url = format!("https://a.example/a{query}");
        assert_eq!(decided(&config, "GET", &url, &[]), expected, "{query}");
    }
    let basic = [("authorization", "Basic eA==")];
    assert_eq!(
        decided(&config, "GET", "https://a.example/a", &basic),
        "missing_token"
    );
}

#[test]
fn a_link_opens_only_from_where_it_says() {
    let config = config();
    let claims = |json: &str| {
        let json = format!(r#"{{"path":"/a/","exp":{NOW},{json}}}"#);
        Claims::from_json(json.as_bytes()).expect("claims")
    };
    let home = ("cf-connecting-ip", "192.0.2.7");
    for (restriction, headers, expected) in [
        (r#""ip":["192.0.2.0/24"]"#, vec![home], "read"),
        (r#""ip":["10.0.0.0/8","192.0.2.7"]"#, vec![home], "read"),
        (r#""ip":["192.0.3.0/24"]"#, vec![home], "forbidden"),
        (r#""ip":["192.0.2.0/24"]"#, vec![], "forbidden"),
        (
            r#""ip":["192.0.2.0/24"]"#,
            vec![("cf-connecting-ip", "x")],
            "forbidden",
        ),
        (r#""country":["DE","FR"]"#, vec![("country", "fr")], "read"),
        (r#""country":["DE"]"#, vec![("country", "FR")], "forbidden"),
        (
            r#""country":["DE"]"#,
            vec![("cf-ipcountry", "DE")],
            "forbidden",
        ),
        (
            r#""origin":["https://*.school.example"]"#,
            vec![("origin", "https://a.school.example")],
            "read",
        ),
        (
            r#""origin":["https://*.school.example"]"#,
            vec![("origin", "https://school.example.evil")],
            "forbidden",
        ),
        (r#""origin":["https://a.example"]"#, vec![], "forbidden"),
        (
            r#""origin":["https://a.example"]"#,
            vec![("sec-fetch-site", "same-origin")],
            "read",
        ),
        (
            r#""origin":["https://b.example"]"#,
            vec![("sec-fetch-site", "same-origin")],
            "forbidden",
        ),
        (r#""sub":"s","sessions":1"#, vec![], "forbidden"),
    ] {
        let token = link::mint(config.keys.minting(), &claims(restriction));
        let url = format!("https://a.example/a/b?token={token}");
        let found = decided(&config, "GET", &url, &headers);
        assert_eq!(found, expected, "{restriction} {headers:?}");
    }
}

/// The edge is `https://a.example` here. Its player page names the pages that embed it.
#[test]
fn pages_around_the_player_page_open_a_link_that_lists_them_all() {
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
    let config = config();
    let embedder = |origins| ("lectern-embedder", origins);
    let school = "https://school.example";
    let lists_the_edge = r#"["https://a.example","https://school.example"]"#;
    for (listed, headers, expected) in [
        (
            r#"["https://school.example"]"#,
            vec![SAME, embedder(school)],
            "read",
        ),
        // Browsers before `Sec-Fetch-Site`.
        (
            r#"["https://school.example"]"#,
            vec![embedder(school)],
            "read",
        ),
        (
            r#"["https://*.school.example"]"#,
            vec![
                SAME,
                embedder("https://a.school.example, https://b.school.example"),
            ],
            "read",
        ),
        (
            r#"["https://school.example"]"#,
            vec![SAME, embedder("https://evil.example")],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![
                SAME,
                embedder("https://school.example, https://evil.example"),
            ],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![
                SAME,
                embedder("https://evil.example,https://school.example"),
            ],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![SAME, embedder("null")],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![SAME, embedder("")],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![SAME, embedder("https://school.example,")],
            "forbidden",
        ),
        // The page on its own.
        (r#"["https://school.example"]"#, vec![SAME], "forbidden"),
        (lists_the_edge, vec![SAME], "read"),
        // The edge's own origin does not stand for every page around its page.
        (
            lists_the_edge,
            vec![SAME, embedder("https://evil.example")],
            "forbidden",
        ),
        // A script of another site sends its own origin.
        (
            r#"["https://school.example"]"#,
            vec![("origin", "https://evil.example"), embedder(school)],
            "forbidden",
        ),
        (
            r#"["https://school.example"]"#,
            vec![("sec-fetch-site", "cross-site"), embedder(school)],
            "forbidden",
        ),
        // The page of another edge.
        (
            r#"["https://b.example","https://school.example"]"#,
            vec![("origin", "https://b.example"), embedder(school)],
            "read",
        ),
    ] {
        let json = format!(r#"{{"path":"/a/","exp":{NOW},"origin":{listed}}}"#);
        let claims = Claims::from_json(json.as_bytes()).expect("claims");
        let token = link::mint(config.keys.minting(), &claims);
        let url = format!("https://a.example/a/b?token={token}");
        let found = decided(&config, "GET", &url, &headers);
        assert_eq!(found, expected, "{listed} {headers:?}");
    }
}

#[test]
fn a_name_says_what_an_object_is_and_else_its_stored_type_does() {
    for (name, expected) in [
        ("a/p.m3u8", Treatment::Rewrite),
        ("a/P.M3U", Treatment::Rewrite),
        ("a/s.m4s", Treatment::AsStored),
        ("a/storyboard.vtt", Treatment::Rewrite),
        ("a/en.vtt", Treatment::AsStored),
        ("a/lecture.mp4", Treatment::AsStored),
        ("a/playlist", Treatment::ByContentType),
        ("a.m3u8/x", Treatment::ByContentType),
    ] {
        let key = ObjectKey::new(name).expect(name);
        assert_eq!(by_name(&key), expected, "{name}");
    }
}

#[test]
fn a_script_gets_what_may_be_a_manifest_without_the_link() {
    let config = config();
    let token = link(&config, "/a/", Purpose::Play);
    let page = ("origin", "https://app.example");
    let script = ("sec-fetch-dest", "empty");
    let element = ("sec-fetch-dest", "video");
    for (url, header, expected) in [
        ("/a/x.mp4?", Some(page), Some(true)),
        ("/a/x.mp4?", Some(script), Some(true)),
        ("/a/x.mp4?", Some(element), Some(false)),
        ("/a/x.mp4?", None, Some(false)),
        ("/a/x?", Some(script), Some(true)),
        ("/a/p.m3u8?", Some(page), Some(false)),
        ("/a/storyboard.vtt?", Some(page), Some(false)),
        // Below a directory's pass.
        ("/a/p.mpd?", Some(page), None),
        ("/a/p.mpd?", Some(script), None),
        ("/a/p.mpd?", None, Some(false)),
        ("/a/p.m3u8?as=directory&", Some(page), None),
        ("/a/x.mp4?as=directory&", None, None),
        ("/a/x.mp4?as=directory&", Some(page), Some(true)),
        ("/a/x?as=directory&", Some(script), Some(true)),
        ("/a/storyboard.vtt?as=directory&", Some(page), Some(false)),
    ] {
        let (path, query) = url.split_once('?').expect("a query");
        let query = format!("{query}token={token}");
        let request = Request {
            method: "GET",
            origin: "https://edge.example",
            path,
            query: Some(&query),
            header: &|name| {
                header
                    .filter(|(known, _)| *known == name)
                    .map(|(_, value)| value.to_owned())
            },
            country: &|| None,
        };
        let hides_link = match decide(&request, &config, NOW) {
            Decision::Read(read) => Some(read.hides_link),
            Decision::Redirect(_) => None,
            decision => panic!("{url}: {decision:?}"),
        };
        assert_eq!(hides_link, expected, "{url} {header:?}");
    }
}

#[test]
fn a_storyboard_hands_on_pictures_and_a_restricted_link_does_not_open_it() {
    let config = config();
    let key = ObjectKey::new("c/v/1/storyboard.vtt").expect("a key");
    let restricted =
        Claims::from_json(format!(r#"{{"path":"/c/","exp":{NOW},"langs":["en"]}}"#).as_bytes())
            .expect("claims");
    let restricted_link = link::mint(config.keys.minting(), &restricted);
    let pass = |kind| {
        let mut minted = Vec::new();
        let (directory, name) = key.split();
        let mut minter = Minter::new(config.keys.minting(), NOW, Binding::default());
        minter.mint(kind, directory, name, &mut minted);
        String::from_utf8(minted).expect("ASCII")
    };
    let langs = Entitlements {
        langs: restricted.langs.clone(),
        ..Entitlements::default()
    };
    for (query, treatment, limits, root) in [
        (
            format!("token={}", link(&config, "/c/", Purpose::Play)),
            Treatment::Rewrite,
            Limits::Storyboard,
            "c/v/1/",
        ),
        (
            format!(
                "token={}",
                link(&config, "/c/v/1/storyboard.vtt", Purpose::Play)
            ),
            Treatment::Rewrite,
            Limits::Storyboard,
            "c/v/1/",
        ),
        (
            format!("p={}", pass(PassKind::Storyboard { depth: 2 })),
            Treatment::Rewrite,
            Limits::Storyboard,
            "c/v/",
        ),
        // In a stored storyboard, the images have no passes.
        (
            format!("p={}", pass(PassKind::Object)),
            Treatment::AsStored,
            Limits::None,
            "",
        ),
        (
            format!("token={restricted_link}"),
            Treatment::Rewrite,
            Limits::RestrictedLink(langs),
            "c/v/1/",
        ),
    ] {
        let request = Request {
            method: "GET",
            origin: "https://a.example",
            path: "/c/v/1/storyboard.vtt",
            query: Some(&query),
            header: &|_| None,
            country: &|| None,
        };
        let Decision::Read(read) = decide(&request, &config, NOW) else {
            panic!("{query}: no read");
        };
        assert_eq!((read.treatment, &read.grant.limits), (treatment, &limits));
        assert_eq!(read.grant.root.as_str(), root, "{query}");
        let board = b"WEBVTT\n\n00:00.000 --> 00:02.000\na.jpg\n";
        let expected = match limits {
            Limits::Storyboard => Ok(true),
            Limits::RestrictedLink(_) => Err(PlaylistError::NotForRestricted),
            _ => continue,
        };
        let shown = read.rewrite(board, request.origin);
        let has_pass =
            shown.map(|shown| String::from_utf8_lossy(&shown.bytes).contains("\na.jpg?p=E"));
        assert_eq!(has_pass, expected, "{query}");
    }
    let by_path = format!(
        "https://a.example/c/v/1/storyboard.vtt?as=directory&token={}",
        link(&config, "/c/", Purpose::Play)
    );
    assert_eq!(decided(&config, "GET", &by_path, &[]), "redirect");
}

#[test]
fn a_manifest_is_read_below_a_directorys_pass() {
    let config = config();
    let decide_url = |url: &str| {
        let (origin, path, query) = split_url(url).expect("a URL");
        let request = Request {
            method: "GET",
            origin,
            path,
            query,
            header: &|_| None,
            country: &|| None,
        };
        decide(&request, &config, NOW)
    };
    let token = link(&config, "/c/", Purpose::Play);
    let manifest = format!("https://a.example/c/v/1/manifest.mpd?token={token}");
    let Decision::Read(read) = decide_url(&manifest) else {
        panic!("no answer");
    };
    assert_eq!(read.treatment, Treatment::Manifest);
    let Decision::Redirect(redirect) = decide_url(&format!("{manifest}&as=directory")) else {
        panic!("no redirect");
    };
    let location = redirect.location();
    assert_eq!(location, read.path_below_pass());
    let (pass, rest) = location
        .strip_prefix("/~")
        .and_then(|rest| rest.split_once('/'))
        .expect("a pass in the path");
    assert_eq!(rest, "c/v/1/manifest.mpd");
    for (path, expected) in [
        ("/c/v/1/manifest.mpd", "read"),
        ("/c/v/1/480p/seg00000.m4s", "read"),
        ("/c/v/1/480p/playlist.m3u8", "read"),
        ("/c/v/2/manifest.mpd", "forbidden"),
        ("/c/master.m3u8", "forbidden"),
        ("/d", "forbidden"),
        ("/c/v/1/../2/a", "bad_path"),
        ("", "bad_path"),
        ("/", "bad_path"),
    ] {
        let url = format!("https://a.example/~{pass}{path}");
        assert_eq!(decided(&config, "GET", &url, &[]), expected, "{path}");
    }
    // A directory's pass of the root would open the whole bucket.
    let top = link(&config, "/manifest.mpd", Purpose::Play);
    let url = format!("https://a.example/manifest.mpd?token={top}");
    assert_eq!(decided(&config, "GET", &url, &[]), "forbidden");
    let inside = "https://a.example/c/v/1/480p/seg00000.m4s";
    for (url, expected) in [
        (format!("{inside}?p={pass}"), "forbidden"),
        (
            format!("https://a.example/~{pass}/c/v/1/a?token={token}"),
            "bad_request",
        ),
        (format!("https://a.example/~{pass}/c/v/1/a?x=1"), "read"),
        ("https://a.example/~/c/v/1/a".to_owned(), "forbidden"),
    ] {
        assert_eq!(decided(&config, "GET", &url, &[]), expected, "{url}");
    }
    let put = format!("https://a.example/~{pass}/c/v/1/a");
    assert_eq!(decided(&config, "PUT", &put, &[]), "forbidden");
}

#[test]
fn a_pass_opens_its_object_and_writes_nothing() {
    let config = config();
    let mut minted = Vec::new();
    Minter::new(config.keys.minting(), NOW, Binding::default()).mint(
        PassKind::Object,
        "a/",
        "b",
        &mut minted,
    );
    let pass = String::from_utf8(minted).expect("ASCII");
    for (method, path, expected) in [
        ("GET", "/a/b", "read"),
        ("GET", "/a/c", "forbidden"),
        ("PUT", "/a/b", "forbidden"),
    ] {
        let url = format!("https://a.example{path}?p={pass}");
        assert_eq!(
            decided(&config, method, &url, &[]),
            expected,
            "{method} {path}"
        );
    }
}

#[test]
fn a_write_has_one_meaning_or_is_refused() {
    let config = config();
    let token = link(&config, "/a/", Purpose::Upload);
    for (method, query, headers, expected) in [
        ("PUT", "", vec![("content-length", "0")], "write"),
        ("PUT", "", vec![], "length_required"),
        ("PUT", "", vec![("content-length", "x")], "length_required"),
        ("PUT", "", vec![("content-length", "104857600")], "write"),
        (
            "PUT",
            "",
            vec![("content-length", "104857601")],
            "payload_too_large",
        ),
        (
            "PUT",
            "",
            vec![("content-length", "1"), ("content-range", "bytes 0-0/9")],
            "bad_request",
        ),
        (
            "PUT",
            "",
            vec![("content-length", "1"), ("if-none-match", "*")],
            "write",
        ),
        (
            "PUT",
            "",
            vec![("content-length", "1"), ("if-none-match", "\"a\"")],
            "write",
        ),
        (
            "PUT",
            "",
            vec![("content-length", "1"), ("if-match", "a")],
            "bad_condition",
        ),
        ("DELETE", "", vec![("if-none-match", "a")], "bad_condition"),
        (
            "DELETE",
            "",
            vec![("if-unmodified-since", "yesterday")],
            "bad_condition",
        ),
        // An upload has no entity-tag.
        (
            "POST",
            "uploads",
            vec![("if-none-match", "*")],
            "bad_condition",
        ),
        (
            "PUT",
            "uploadId=u&partNumber=1",
            vec![("content-length", "1"), ("if-match", "*")],
            "bad_condition",
        ),
        (
            "DELETE",
            "uploadId=u",
            vec![("if-match", "\"a\"")],
            "bad_condition",
        ),
        ("POST", "uploads", vec![], "write"),
        ("POST", "", vec![], "bad_request"),
        (
            "PUT",
            "uploads",
            vec![("content-length", "1")],
            "bad_request",
        ),
        (
            "PUT",
            "uploadId=u&partNumber=1",
            vec![("content-length", "5")],
            "write",
        ),
        (
            "PUT",
            "uploadId=u&partNumber=0",
            vec![("content-length", "5")],
            "bad_request",
        ),
        (
            "PUT",
            "uploadId=u&partNumber=10001",
            vec![("content-length", "5")],
            "bad_request",
        ),
        (
            "PUT",
            "uploadId=u&partNumber=65537",
            vec![("content-length", "5")],
            "bad_request",
        ),
        // 300 parts of 100 MiB exceed 20 GiB.
        (
            "PUT",
            "uploadId=u&partNumber=300",
            vec![("content-length", "104857600")],
            "payload_too_large",
        ),
        (
            "POST",
            "uploadId=u",
            vec![("content-length", "1048577")],
            "payload_too_large",
        ),
        ("DELETE", "uploadId=u", vec![], "write"),
        ("DELETE", "uploadId=", vec![], "bad_request"),
    ] {
        let url = format!("https://a.example/a/b?token={token}&{query}");
        let found = decided(&config, method, &url, &headers);
        assert_eq!(found, expected, "{method} {query} {headers:?}");
    }
}

#[test]
fn a_directorys_pass_is_given_to_whom_the_directory_is_open() {
    let config = config();
    let restricted =
        Claims::from_json(format!(r#"{{"path":"/c/","exp":{NOW},"max_height":480}}"#).as_bytes())
            .expect("claims");
    let restricted = link::mint(config.keys.minting(), &restricted);
    let (directory, object) = (
        link(&config, "/c/", Purpose::Play),
        link(&config, "/c/master.m3u8", Purpose::Play),
    );
    for (token, query, expected) in [
        (&directory, "as=directory", "redirect"),
        (&directory, "", "read"),
        (&directory, "as=", "bad_request"),
        (&directory, "as=file", "bad_request"),
        (&directory, "as=directory&as=directory", "bad_request"),
        (&object, "as=directory", "forbidden"),
        (&object, "", "read"),
        (&restricted, "as=directory", "forbidden"),
    ] {
        let url = format!("https://a.example/c/master.m3u8?token={token}&{query}");
        assert_eq!(decided(&config, "GET", &url, &[]), expected, "{query}");
    }
}

#[test]
fn only_an_administrator_reads_stored_bytes() {
    let config = config();
    let restricted = format!(r#"{{"path":"/c/","exp":{NOW},"use":"admin","max_height":480}}"#);
    let restricted = Claims::from_json(restricted.as_bytes()).expect("claims");
    let restricted = link::mint(config.keys.minting(), &restricted);
    let (all, object) = (
        link(&config, "/c/", Purpose::Admin),
        link(&config, "/c/any", Purpose::Admin),
    );
    let (viewer, writer) = (
        link(&config, "/c/", Purpose::Play),
        link(&config, "/c/", Purpose::Upload),
    );
    for (token, method, path, query, expected) in [
        (&all, "GET", "/c/master.m3u8", "as=stored", "read"),
        (&all, "HEAD", "/c/manifest.mpd", "as=stored", "read"),
        (&all, "GET", "/d/master.m3u8", "as=stored", "forbidden"),
        (&viewer, "GET", "/c/master.m3u8", "as=stored", "forbidden"),
        (&writer, "GET", "/c/master.m3u8", "as=stored", "forbidden"),
        (
            &restricted,
            "GET",
            "/c/master.m3u8",
            "as=stored",
            "forbidden",
        ),
        (&all, "GET", "/c/", "as=list", "list"),
        (&all, "GET", "/c/v/", "as=list&after=1/a", "list"),
        (&all, "HEAD", "/c/", "as=list", "bad_path"),
        (&all, "GET", "/", "as=list", "forbidden"),
        (&all, "GET", "/cc/", "as=list", "forbidden"),
        (&all, "GET", "/c/master.m3u8", "as=list", "bad_request"),
        (&object, "GET", "/c/", "as=list", "forbidden"),
        (&viewer, "GET", "/c/", "as=list", "forbidden"),
        (&writer, "GET", "/c/", "as=list", "forbidden"),
        (&restricted, "GET", "/c/", "as=list", "forbidden"),
    ] {
        let url = format!("https://a.example{path}?token={token}&{query}");
        let case = format!("{method} {path} {query}");
        assert_eq!(decided(&config, method, &url, &[]), expected, "{case}");
    }
    let without_link = "https://a.example/c/?as=list";
    assert_eq!(decided(&config, "GET", without_link, &[]), "missing_token");
}

#[test]
fn only_a_valid_credential_can_be_expired() {
    let config = config();
    let key = config.keys.minting();
    let claims = Claims::new(Scope::parse("/a/").expect("a scope"), NOW - 1);
    let link = link::mint(key, &claims);
    let mut pass = Vec::new();
    Minter::new(key, NOW - 1, Binding::default()).mint(PassKind::Object, "a/", "b", &mut pass);
    let pass = String::from_utf8(pass).expect("ASCII");
    for (query, expected) in [
        (format!("token={link}"), "expired"),
        (format!("token={}", link.replace("eyJ", "eyK")), "forbidden"),
        (format!("p={pass}"), "expired"),
        (format!("p={}", pass.to_ascii_lowercase()), "forbidden"),
    ] {
        let url = format!("https://a.example/a/b?{query}");
        assert_eq!(decided(&config, "GET", &url, &[]), expected, "{query}");
    }
}

#[test]
fn a_stable_name_follows_what_plays_for_a_link_that_reads() {
    let config = config();
    let shown = Naming::Stable { redirects: false };
    let redirected = Naming::Stable { redirects: true };
    for (path, purpose, url, expected) in [
        ("/c/l/", Purpose::Play, "/c/l/poster.jpg?", shown),
        ("/c/l/poster.jpg", Purpose::Play, "/c/l/poster.jpg?", shown),
        (
            "/c/l/lecture.mp4",
            Purpose::Download,
            "/c/l/lecture.mp4?",
            redirected,
        ),
        ("/c/l/", Purpose::Admin, "/c/l/lecture.mp4?", redirected),
        // An administrator replaces the object that is stored under this name.
        (
            "/c/l/",
            Purpose::Admin,
            "/c/l/lecture.mp4?as=stored&",
            Naming::Exact,
        ),
        (
            "/c/l/",
            Purpose::Play,
            "/c/l/v/1/lecture.mp4?",
            Naming::Exact,
        ),
        ("/c/l/", Purpose::Play, "/c/l/video.mp4?", Naming::Exact),
    ] {
        let token = link(&config, path, purpose);
        let url = format!("https://a.example{url}token={token}");
        let read = decided_read(&config, "GET", &url).expect("a read");
        assert_eq!(read.name, expected, "{path} {purpose:?} {url}");
    }
    // A strict link's pass ends within a minute, so every range comes by the link.
    let claims = br#"{"path":"/c/l/","exp":1800000060,"strict":true}"#;
    let claims = Claims::from_json(claims).expect("claims");
    let token = link::mint(config.keys.minting(), &claims);
    let url = format!("https://a.example/c/l/lecture.mp4?token={token}");
    let read = decided_read(&config, "GET", &url).expect("a read");
    assert_eq!(read.name, shown);
    // A pass is for one version of one object.
    let mut pass = Vec::new();
    let key = config.keys.minting();
    Minter::new(key, NOW + 9, Binding::default()).mint(
        PassKind::Object,
        "c/l/",
        "poster.jpg",
        &mut pass,
    );
    let pass = String::from_utf8(pass).expect("ASCII");
    let url = format!("https://a.example/c/l/poster.jpg?p={pass}");
    let read = decided_read(&config, "GET", &url).expect("a read");
    assert_eq!(read.name, Naming::Exact);
}

#[test]
fn a_restricted_link_opens_no_stable_name() {
    let config = config();
    for restriction in [
        r#""preview":[0,60]"#,
        r#""max_height":480"#,
        r#""langs":["en"]"#,
    ] {
        let claims = format!(r#"{{"path":"/c/","exp":1800000060,{restriction}}}"#);
        let claims = Claims::from_json(claims.as_bytes()).expect("claims");
        let token = link::mint(config.keys.minting(), &claims);
        for name in ["lecture.mp4", "poster.jpg"] {
            let url = format!("https://a.example/c/l/{name}?token={token}");
            let read = decided_read(&config, "GET", &url).expect("a read");
            assert!(read.is_refused_by_name(), "{restriction} {name}");
        }
    }
}

#[test]
fn a_download_is_named_after_the_lecture_or_as_asked() {
    let config = config();
    let bad = Err(Problem::BadRequest);
    for (purpose, path, query, expected) in [
        (Purpose::Play, "lecture.mp4", "", Ok(None)),
        (
            Purpose::Play,
            "lecture.mp4",
            "download&",
            Ok(Some("l'été.mp4")),
        ),
        (Purpose::Download, "lecture.mp4", "", Ok(Some("l'été.mp4"))),
        (
            Purpose::Download,
            "v/1/lecture.mp4",
            "",
            Ok(Some("l'été.mp4")),
        ),
        (Purpose::Download, "poster.jpg", "", Ok(None)),
        (
            Purpose::Play,
            "poster.jpg",
            "download=&",
            Ok(Some("poster.jpg")),
        ),
        (
            Purpose::Play,
            "lecture.mp4",
            "download=Tag%201&",
            Ok(Some("Tag 1.mp4")),
        ),
        (
            Purpose::Play,
            "lecture.mp4",
            "download=a%0d%0aX:%20y&",
            Ok(Some("aX- y.mp4")),
        ),
        (
            Purpose::Play,
            "lecture.mp4",
            "download=..%2f..%2fx&",
            Ok(Some("-..-x.mp4")),
        ),
        (
            Purpose::Play,
            "lecture.mp4",
            "download=%22%3b&",
            Ok(Some("-;.mp4")),
        ),
        (
            Purpose::Play,
            "lecture.mp4",
            "download=x%E2%80%AE4pm.exe&",
            Ok(Some("x4pm.exe.mp4")),
        ),
        (Purpose::Play, "lecture.mp4", "download=%ff&", bad),
        (Purpose::Play, "lecture.mp4", "download=%&", bad),
        (Purpose::Play, "lecture.mp4", "download=a&download=b&", bad),
        (Purpose::Play, "master.m3u8", "download=%ff&", Ok(None)),
        (Purpose::Play, "v/1/storyboard.vtt", "download=x&", Ok(None)),
    ] {
        let token = link(&config, "/c/l'été/", purpose);
        let url = format!("https://a.example/c/l'%C3%A9t%C3%A9/{path}?{query}token={token}");
        let found = decided_read(&config, "GET", &url).map(|read| read.attachment);
        let found = match &found {
            Ok(name) => Ok(name.as_deref()),
            Err(problem) => Err(*problem),
        };
        assert_eq!(found, expected, "{purpose:?} {path} {query}");
    }
}

#[test]
fn a_link_that_counts_players_takes_a_place_by_a_playlist() {
    let config = with_bindings();
    let claims = r#"{"path":"/a/","exp":1800000060,"sub":"s","sessions":2}"#;
    let claims = Claims::from_json(claims.as_bytes()).expect("claims");
    let token = link::mint(config.keys.minting(), &claims);
    let url = |path: &str| format!("https://a.example/a/{path}?token={token}");
    for (method, path, expected) in [
        ("GET", "master.m3u8", Ok(Some(PlaceRequest::Take))),
        ("GET", "v/1/video.m3u8", Ok(Some(PlaceRequest::Take))),
        ("HEAD", "master.m3u8", Ok(Some(PlaceRequest::Take))),
        ("HEAD", "v/1/seg00000.m4s", Err(Problem::Forbidden)),
        ("HEAD", "manifest.mpd", Ok(Some(PlaceRequest::Take))),
        ("GET", "poster.jpg", Ok(None)),
        ("GET", "storyboard.vtt", Ok(None)),
        ("GET", "captions.vtt", Ok(None)),
        ("GET", "lecture.mp4", Err(Problem::Forbidden)),
        ("GET", "v/1/seg00000.m4s", Err(Problem::Forbidden)),
        ("GET", "no-extension", Err(Problem::Forbidden)),
    ] {
        let found = match decided_read(&config, method, &url(path)) {
            Ok(read) => Ok(read.viewer.place),
            Err(problem) => Err(problem),
        };
        assert_eq!(found, expected, "{method} {path}");
    }
    // A directory's pass opens media, so it needs a place, whatever the method and the name.
    for method in ["GET", "HEAD"] {
        for name in ["x.jpg", "captions.vtt", "storyboard.vtt"] {
            let url = format!("{}&as=directory", url(name));
            assert_eq!(decided(&config, method, &url, &[]), "forbidden", "{name}");
        }
        let url = format!("{}&as=directory", url("master.m3u8"));
        assert_eq!(decided(&config, method, &url, &[]), "redirect");
    }
    // A session is the edge's own, and this viewer's.
    let key = config.keys.minting();
    let sealed = seal_session(key, &viewer_hash("s"), &[1; 8]);
    let other = seal_session(key, &viewer_hash("t"), &[1; 8]);
    for (session, expected) in [
        (sealed.as_str(), ([1; 8], PlaceRequest::Keep)),
        (&other, ([0; 8], PlaceRequest::Take)),
        ("AQIDBAUGBwg", ([0; 8], PlaceRequest::Take)),
        ("x", ([0; 8], PlaceRequest::Take)),
    ] {
        let master = format!("{}&session={session}", url("master.m3u8"));
        let read = decided_read(&config, "GET", &master).expect("a read");
        let place = read.grant.ticket.and_then(|ticket| ticket.place);
        let place = place.expect("a place");
        assert_eq!(place.places, 2);
        let found = (place.session, read.viewer.place.expect("a request"));
        assert_eq!(found, expected, "{session}");
    }
}

#[test]
fn a_pass_keeps_what_its_link_says_of_the_viewer() {
    let config = with_bindings();
    let claims = r#"{"path":"/a/","exp":1800000060,"sub":"s","jti":"l","sessions":1}"#;
    let claims = Claims::from_json(claims.as_bytes()).expect("claims");
    let place = Place {
        session: [9; 8],
        places: 1,
        newest_wins: true,
    };
    let seated = Ticket {
        place: Some(place),
        ..Ticket::of(&claims).expect("a ticket")
    };
    let standing = Ticket {
        place: None,
        ..seated
    };
    let strict = Ticket {
        is_strict: true,
        ..standing
    };
    for (ticket, kind, name, asks, keeps) in [
        (Some(seated), PassKind::Object, "seg.m4s", true, true),
        (
            Some(seated),
            PassKind::Playlist { depth: 1 },
            "v.m3u8",
            true,
            true,
        ),
        (Some(standing), PassKind::Object, "seg.m4s", false, false),
        (Some(strict), PassKind::Object, "seg.m4s", true, false),
        (
            Some(standing),
            PassKind::Playlist { depth: 1 },
            "v.m3u8",
            true,
            false,
        ),
        (
            None,
            PassKind::Playlist { depth: 1 },
            "v.m3u8",
            false,
            false,
        ),
    ] {
        let mut pass = Vec::new();
        let minter = Minter::new(config.keys.minting(), NOW, Binding::default());
        minter.with_ticket(ticket).mint(kind, "a/", name, &mut pass);
        let pass = String::from_utf8(pass).expect("ASCII");
        let url = format!("https://a.example/a/{name}?p={pass}");
        let read = decided_read(&config, "GET", &url).expect("a read");
        let expected = ViewerChecks {
            asks_revocations: asks,
            place: keeps.then_some(PlaceRequest::Keep),
            position_of: None,
        };
        assert_eq!(read.viewer, expected, "{kind:?} {ticket:?}");
        // Without the bindings, an edge asks nothing and goes on serving.
        let bare = Config {
            bindings: Bindings::default(),
            ..with_bindings()
        };
        let read = decided_read(&bare, "GET", &url).expect("a read");
        assert_eq!(read.viewer, ViewerChecks::default());
    }
}

#[test]
fn an_opening_may_ask_for_its_viewers_position() {
    let config = with_bindings();
    let bare = self::config();
    let key = config.keys.minting();
    for (config, claims, url, expected) in [
        (&config, r#","sub":"s""#, "/a/b/m.m3u8?with=position", true),
        (
            &config,
            r#","sub":"s","sessions":2"#,
            "/a/b/m.m3u8?with=position",
            true,
        ),
        (&config, r#","sub":"s""#, "/a/b/m.m3u8?with=a", false),
        (&config, r#","sub":"s""#, "/a/b/m.m3u8?x=1", false),
        (&config, r#","sub":"s""#, "/a/b/m.mp4?with=position", false),
        (
            &config,
            r#","sub":"s","use":"admin""#,
            "/a/b/m.m3u8?with=position",
            false,
        ),
        (
            &config,
            r#","sub":"s","preview":[0,60]"#,
            "/a/b/m.m3u8?with=position",
            false,
        ),
        (&config, "", "/a/b/m.m3u8?with=position", false),
        // A manifest's answer has no room for it: a script gets a redirect.
        (&config, r#","sub":"s""#, "/a/b/m.mpd?with=position", false),
        (&bare, r#","sub":"s""#, "/a/b/m.m3u8?with=position", false),
    ] {
        let json = format!(r#"{{"path":"/a/","exp":1800000060{claims}}}"#);
        let claims = Claims::from_json(json.as_bytes()).expect("claims");
        let token = link::mint(key, &claims);
        let url = format!("https://a.example{url}&token={token}");
        let read = decided_read(config, "GET", &url).expect("a read");
        let expected = expected.then(|| viewer_hash("s"));
        assert_eq!(read.viewer.position_of, expected, "{json} {url}");
    }
}

pub(super) fn with_bindings() -> Config {
    Config {
        bindings: Bindings {
            ledgers: true,
            revocations: true,
        },
        ..config()
    }
}

fn decided_read<'config>(
    config: &'config Config,
    method: &str,
    url: &str,
) -> Result<Box<Read<'config>>, Problem> {
    let (origin, path, query) = split_url(url).expect("a URL");
    let request = Request {
        method,
        origin,
        path,
        query,
        header: &|_| None,
        country: &|| None,
    };
    match decide(&request, config, NOW) {
        Decision::Read(read) => Ok(read),
        Decision::Refuse(refusal) => Err(refusal.problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_viewers_own_link_reports_what_he_watches() {
    let config = with_bindings();
    let key = config.keys.minting();
    let token = |json: &str| {
        let claims = Claims::from_json(json.as_bytes()).expect("claims");
        link::mint(key, &claims)
    };
    let viewer = r#"{"path":"/a/","exp":1800000060,"sub":"s""#;
    let named = token(&format!("{viewer}}}"));
    let counted = token(&format!(r#"{viewer},"sessions":2}}"#));
    let upload = token(&format!(r#"{viewer},"use":"upload"}}"#));
    let unnamed = link(&config, "/a/", Purpose::Play);
    let session = seal_session(key, &viewer_hash("s"), &[1; 8]);
    let other = seal_session(key, &viewer_hash("t"), &[1; 8]);
    let report = "Report { length: 9 }";
    let placed = "Report { length: 9 } with a place";
    for (method, query, length, expected) in [
        (
            "GET",
            format!("path=/a/m.m3u8&token={named}"),
            "",
            "Progress",
        ),
        ("POST", format!("path=/a/m.m3u8&token={named}"), "9", report),
        (
            "POST",
            format!("path=%2Fa%2Fm.m3u8&token={named}"),
            "9",
            report,
        ),
        (
            "POST",
            format!("path=/a/b/v/1/m.m3u8&token={named}"),
            "9",
            report,
        ),
        ("POST", format!("path=/a/m.mp4&token={named}"), "9", report),
        (
            "POST",
            format!("path=/a/m.m3u8&token={counted}"),
            "9",
            report,
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={counted}&session={session}"),
            "9",
            placed,
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={counted}&session={other}"),
            "9",
            report,
        ),
        (
            "POST",
            format!("path=/a/m.mp4&token={counted}&session={session}"),
            "9",
            report,
        ),
        (
            "GET",
            format!("path=/a/m.m3u8&token={counted}&session={session}"),
            "",
            "Progress",
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={named}"),
            "16385",
            "payload_too_large",
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={named}"),
            "",
            "length_required",
        ),
        (
            "PUT",
            format!("path=/a/m.m3u8&token={named}"),
            "9",
            "method_not_allowed",
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={unnamed}"),
            "9",
            "bad_request",
        ),
        (
            "POST",
            format!("path=/a/m.m3u8&token={upload}"),
            "9",
            "forbidden",
        ),
        (
            "POST",
            format!("path=/b/m.m3u8&token={named}"),
            "9",
            "forbidden",
        ),
        ("POST", format!("token={named}"), "9", "bad_request"),
        ("POST", format!("path=&token={named}"), "9", "bad_path"),
        (
            "POST",
            format!("path=/a/../b&token={named}"),
            "9",
            "bad_path",
        ),
        (
            "POST",
            format!("path=/a/%25zz&token={named}"),
            "9",
            "bad_path",
        ),
        (
            "POST",
            format!("path=/a/%zz&token={named}"),
            "9",
            "bad_request",
        ),
        (
            "POST",
            format!("path=/_lectern/m.m3u8&token={named}"),
            "9",
            "not_found",
        ),
        ("POST", "path=/a/m.m3u8".to_owned(), "9", "missing_token"),
        ("POST", "path=/a/m.m3u8&p=AAAA".to_owned(), "9", "forbidden"),
    ] {
        let url = format!("https://a.example/_lectern/watched?{query}");
        let headers = [("content-length", length)];
        let headers = if length.is_empty() { &[][..] } else { &headers };
        assert_eq!(
            decided(&config, method, &url, headers),
            expected,
            "{method} {url}"
        );
    }
    let top = token(r#"{"path":"/m.m3u8","exp":1800000060,"sub":"s"}"#);
    let url = format!("https://a.example/_lectern/watched?path=/m.m3u8&token={top}");
    assert_eq!(decided(&config, "GET", &url, &[]), "bad_request");
}

#[test]
fn only_an_administrator_of_watch_data_sees_all_of_it() {
    let config = with_bindings();
    let own = "/_lectern/watched/";
    for (path, purpose, method, asked, expected) in [
        (own, Purpose::Admin, "GET", "viewers/s42", "watched"),
        (own, Purpose::Admin, "DELETE", "viewers/s42", "watched"),
        (own, Purpose::Admin, "GET", "lectures/a/?as=csv", "watched"),
        (
            "/_lectern/",
            Purpose::Admin,
            "GET",
            "lectures/a/",
            "watched",
        ),
        (own, Purpose::Play, "GET", "viewers/s42", "forbidden"),
        (own, Purpose::Upload, "DELETE", "viewers/s42", "forbidden"),
        ("/a/", Purpose::Admin, "GET", "lectures/a/", "forbidden"),
        (
            "/_lectern/watched",
            Purpose::Admin,
            "GET",
            "lectures/a/",
            "forbidden",
        ),
        (
            "/_lectern/revocations",
            Purpose::Admin,
            "GET",
            "lectures/a/",
            "forbidden",
        ),
        (
            own,
            Purpose::Admin,
            "POST",
            "viewers/s42",
            "method_not_allowed",
        ),
        (own, Purpose::Admin, "GET", "others", "not_found"),
    ] {
        let token = link(&config, path, purpose);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let url = format!("https://a.example{own}{asked}");
        let found = decided(&config, method, &url, &headers);
        assert_eq!(found, expected, "{path} {purpose:?} {method} {asked}");
        // An edge without ledgers has no such paths.
        let bare = self::config();
        let found = decided(&bare, method, &url, &headers);
        let expected = if expected == "forbidden" {
            "forbidden"
        } else {
            "not_found"
        };
        assert_eq!(found, expected, "{path} {purpose:?} {method} {asked}");
    }
    let url = format!("https://a.example{own}viewers/s42");
    assert_eq!(decided(&config, "GET", &url, &[]), "missing_token");
    let claims = r#"{"path":"/a/","exp":1800000060,"sub":"s"}"#;
    let claims = Claims::from_json(claims.as_bytes()).expect("claims");
    let bare = self::config();
    let token = link::mint(bare.keys.minting(), &claims);
    let url = format!("https://a.example/_lectern/watched?path=/a/m.m3u8&token={token}");
    assert_eq!(decided(&bare, "GET", &url, &[]), "not_found");
}
