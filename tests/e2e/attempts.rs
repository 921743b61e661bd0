//! Requests that open nothing: forged links, ambiguous paths, headers and methods that other
//! servers obey, uploads into another user's upload. They are sent as bytes, because clients
//! normalize requests. The edge refuses each in words, and keeps working.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lectern::credential::claims::Purpose;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::edge::{Edge, now};

const SECRET: &str = "what only u2 and the viewer may read";
const PATH: &str = "/uploads/u2/essay.mp4";

/// An edge with another user's object.
fn stage() -> Edge {
    let edge = Edge::start();
    let token = edge.token("/uploads/u2/", Purpose::Upload);
    let put = edge.send(
        "PUT",
        &format!("{PATH}?token={token}"),
        &[],
        SECRET.as_bytes(),
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    edge
}

/// Sends bytes. Returns the status and the whole answer.
fn raw(edge: &Edge, request: &[u8]) -> (u16, String) {
    let address = edge.origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a timeout");
    stream.write_all(request).expect("written");
    let mut answer = Vec::new();
    // Each request asks the server to close the connection.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    (status, text)
}

/// Attempts of one kind, and their results.
#[derive(Default)]
struct Attempts {
    sent: usize,
    failed: Vec<String>,
}

impl Attempts {
    /// Sends a request with a target and header lines. Each comes from another network, because
    /// refusals are counted.
    fn refused(&mut self, edge: &Edge, name: &str, method: &str, target: &str, lines: &str) {
        self.sent += 1;
        let address = format!("198.{}.{}.1", self.sent / 200, self.sent % 200);
        let host = edge.origin.trim_start_matches("http://");
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nCF-Connecting-IP: {address}\r\n\
             Connection: close\r\n{lines}\r\n"
        );
        let (status, text) = raw(edge, request.as_bytes());
        // A refusal in words, or one by the server in front of the Worker, which closes the
        // connection.
        let is_refusal = matches!(
            status,
            0 | 400 | 401 | 403 | 404 | 405 | 411 | 414 | 431 | 501
        );
        if !is_refusal || text.contains(SECRET) {
            let start: String = text.chars().take(200).collect();
            self.failed
                .push(format!("{name}: {method} {target}: {start:?}"));
        }
    }

    fn judge(&self, kind: &str, edge: &Edge) {
        let _ = writeln!(std::io::stderr(), "{} attempts: {kind}", self.sent);
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
        // A valid link still opens its object.
        let reply = edge.get(&format!(
            "{PATH}?token={}",
            edge.token("/uploads/u2/", Purpose::Play)
        ));
        assert_eq!((reply.status, reply.text()), (200, SECRET));
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The edge's own secret, which a forger does not have. Each of these links is invalid in one point
/// only.
fn secret(edge: &Edge) -> Vec<u8> {
    let ring: Value = serde_json::from_str(edge.keys_json()).expect("JSON");
    URL_SAFE_NO_PAD
        .decode(ring[0]["secret"].as_str().expect("a secret"))
        .expect("base64url")
}

fn hs256(secret: &[u8], header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64(header), base64(payload));
    let mac = Hmac::<Sha256>::new_from_slice(secret)
        .expect("a key")
        .chain_update(&signed)
        .finalize();
    format!("{signed}.{}", base64(mac.into_bytes()))
}

#[test]
fn no_forged_or_misread_link_opens_anything() {
    let edge = stage();
    let secret = secret(&edge);
    let exp = now() + 3600;
    let header = r#"{"alg":"HS256","typ":"JWT","kid":"e2e"}"#;
    let payload = format!(r#"{{"path":"/uploads/u2/","exp":{exp}}}"#);
    let right = hs256(&secret, header, &payload);
    assert_eq!(edge.get(&format!("{PATH}?token={right}")).status, 200);
    let parts: Vec<&str> = right.split('.').collect();
    let mut links: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| links.push((name.to_owned(), token));

    // Algorithms and headers (RFC 8725 §2, §3).
    for alg in ["none", "None", "NONE", "nOnE", "HS1", "hs256", "", "HS256 "] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "e2e" }).to_string();
        add("alg, signed", hs256(&secret, &header, &payload));
        add(
            "alg, unsigned",
            format!("{}.{}.", base64(&header), base64(&payload)),
        );
        add(
            "alg, two parts",
            format!("{}.{}", base64(&header), base64(&payload)),
        );
        add(
            "alg, a right signature of another header",
            format!("{}.{}.{}", base64(&header), parts[1], parts[2]),
        );
    }
    for (alg, mac) in [
        ("HS384", {
            let signed = format!(
                "{}.{}",
                base64(r#"{"alg":"HS384","kid":"e2e"}"#),
                base64(&payload)
            );
            let mac = Hmac::<Sha384>::new_from_slice(&secret)
                .expect("a key")
                .chain_update(&signed)
                .finalize();
            format!("{signed}.{}", base64(mac.into_bytes()))
        }),
        ("HS512", {
            let signed = format!(
                "{}.{}",
                base64(r#"{"alg":"HS512","kid":"e2e"}"#),
                base64(&payload)
            );
            let mac = Hmac::<Sha512>::new_from_slice(&secret)
                .expect("a key")
                .chain_update(&signed)
                .finalize();
            format!("{signed}.{}", base64(mac.into_bytes()))
        }),
    ] {
        add(alg, mac);
    }
    for header in [
        r#"{"alg":"RS256","kid":"e2e"}"#,
        r#"{"alg":"ES256","kid":"e2e"}"#,
        r#"{"alg":"EdDSA","kid":"e2e"}"#,
        r#"{"alg":"dir","enc":"A256GCM","kid":"e2e"}"#,
        r#"{"alg":["HS256"],"kid":"e2e"}"#,
        r#"{"alg":{"HS256":1},"kid":"e2e"}"#,
        r#"{"alg":null,"kid":"e2e"}"#,
        r#"{"kid":"e2e"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":""}"#,
        r#"{"alg":"HS256","kid":"other"}"#,
        r#"{"alg":"HS256","kid":"../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"e2e' OR '1'='1"}"#,
        r#"{"alg":"HS256","kid":["e2e"]}"#,
        r#"{"alg":"HS256","kid":"E2E"}"#,
        r#"{"alg":"HS256","kid":"e2e\u0000"}"#,
        r#"{"alg":"HS256","kid":"e2e","kid":"e2e"}"#,
        r#"{"alg":"none","alg":"HS256","kid":"e2e"}"#,
        r#"{"alg":"HS256","kid":"e2e","crit":["other"]}"#,
        r#"{"alg":"HS256","kid":"e2e","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"HS256","kid":"e2e","jku":"http://127.0.0.2/keys","crit":["jku"]}"#,
        r#"["HS256"]"#,
        r#""HS256""#,
        "",
        "{",
    ] {
        add("a header", hs256(&secret, header, &payload));
    }

    // Keys that a forger may guess.
    for key in [
        &b""[..],
        b"secret",
        b"lectern",
        &[0; 32],
        b"e2e",
        payload.as_bytes(),
    ] {
        if !key.is_empty() {
            add("a guessed key", hs256(key, header, &payload));
        }
    }

    // Claims.
    for payload in [
        format!(r#"{{"path":"/uploads/u1/","exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/u2","exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/u","exp":{exp}}}"#),
        format!(r#"{{"path":"/","exp":{exp}}}"#),
        format!(r#"{{"path":"","exp":{exp}}}"#),
        format!(r#"{{"path":"uploads/u2/","exp":{exp}}}"#),
        format!(r#"{{"path":"//uploads/u2/","exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/u1/../u2/","exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/u1/%2e%2e/u2/","exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/*","exp":{exp}}}"#),
        format!(r#"{{"path":["/uploads/u2/"],"exp":{exp}}}"#),
        format!(r#"{{"path":{{"a":"/uploads/u2/"}},"exp":{exp}}}"#),
        format!(r#"{{"path":null,"exp":{exp}}}"#),
        format!(r#"{{"path":"/uploads/u1/","path":"/uploads/u2/","exp":{exp}}}"#),
        format!(r#"{{"Path":"/uploads/u2/","exp":{exp}}}"#),
        format!(r#"{{"exp":{exp}}}"#),
        r#"{"path":"/uploads/u2/"}"#.to_owned(),
        r#"{"path":"/uploads/u2/","exp":null}"#.to_owned(),
        format!(r#"{{"path":"/uploads/u2/","exp":"{exp}"}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp}.}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp}.5e0}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{}.999}}"#, now() - 1),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp}e0}}"#),
        r#"{"path":"/uploads/u2/","exp":-1}"#.to_owned(),
        r#"{"path":"/uploads/u2/","exp":1e99}"#.to_owned(),
        r#"{"path":"/uploads/u2/","exp":99999999999999999999}"#.to_owned(),
        r#"{"path":"/uploads/u2/","exp":18446744073709551615}"#.to_owned(),
        format!(r#"{{"path":"/uploads/u2/","exp":{}}}"#, now() - 1),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"exp":{exp}}}"#),
        format!(
            r#"{{"path":"/uploads/u2/","exp":{exp},"nbf":{}}}"#,
            now() + 600
        ),
        format!(
            r#"{{"path":"/uploads/u2/","exp":{exp},"iat":{}}}"#,
            now() + 600
        ),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"use":"upload"}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"use":"read"}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"use":["play"]}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"max_height":480}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"ip":["192.0.2.0/24"]}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"ip":[]}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"origin":["https://school.example"]}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp},"country":["DE"]}}"#),
        format!(r#"{{"path":"/uploads/u2/","exp":{exp}}} "x""#),
        format!("{{\"path\":\"/uploads/u2/\",\"exp\":{exp}\u{0}}}"),
        format!("\u{feff}{{\"path\":\"/uploads/u2/\",\"exp\":{exp}}}"),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        "[".repeat(2000),
    ] {
        add("claims", hs256(&secret, header, &payload));
    }

    // The same link in another notation (RFC 7515 §2, §5.2).
    add("nothing", String::new());
    add("no signature", format!("{}.{}.", parts[0], parts[1]));
    add("two parts", format!("{}.{}", parts[0], parts[1]));
    add("four parts", format!("{right}."));
    add("five parts", format!("{right}..."));
    add("padding", format!("{right}="));
    add("a space", format!("{right}%20"));
    add("a line feed", format!("{right}%0a"));
    add("NUL", format!("{right}%00"));
    add("half a signature", right[..right.len() - 20].to_owned());
    add(
        "a signature of something else",
        format!(
            "{}.{}.{}",
            parts[0],
            base64(format!(
                r#"{{"path":"/uploads/u2/","exp":{exp},"sub":"x"}}"#
            )),
            parts[2]
        ),
    );
    add("a flipped bit at the end", {
        let last = right.chars().next_back().expect("a character");
        let other = if last == 'A' { 'B' } else { 'A' };
        format!("{}{other}", &right[..right.len() - 1])
    });
    add("upper case", right.to_ascii_uppercase());
    add("percent-encoded dots", right.replace('.', "%2e%2e"));
    add("too long", "e".repeat(16_000));
    add("a pass", "EAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());

    let mut attempts = Attempts::default();
    for (name, token) in &links {
        let claims = token.split('.').nth(1).unwrap_or_default();
        let told = URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
        let name = format!("{name} {}", String::from_utf8_lossy(&told));
        attempts.refused(&edge, &name, "GET", &format!("{PATH}?token={token}"), "");
        attempts.refused(
            &edge,
            &name,
            "GET",
            PATH,
            &format!("Authorization: Bearer {token}\r\n"),
        );
    }
    attempts.judge("forged and misread links", &edge);
}

#[test]
fn no_way_of_writing_a_path_leads_out_of_a_links_folder() {
    let edge = stage();
    let token = edge.token("/uploads/u1/", Purpose::Play);
    let admin = edge.token("/uploads/u1/", Purpose::Admin);
    let host = edge.origin.trim_start_matches("http://").to_owned();
    let mut attempts = Attempts::default();
    for path in [
        "/uploads/u2/essay.mp4",
        "/uploads/u1/../u2/essay.mp4",
        "/uploads/u1/./../u2/essay.mp4",
        "/uploads/u1/%2e%2e/u2/essay.mp4",
        "/uploads/u1/%2E%2E/u2/essay.mp4",
        "/uploads/u1/.%2e/u2/essay.mp4",
        "/uploads/u1/..%2fu2/essay.mp4",
        "/uploads/u1/..%2Fu2/essay.mp4",
        "/uploads/u1%2f..%2fu2/essay.mp4",
        "/uploads/u1/%252e%252e/u2/essay.mp4",
        "/uploads/u1/..%252fu2/essay.mp4",
        "/uploads/u1/..\\u2\\essay.mp4",
        "/uploads/u1\\..\\u2\\essay.mp4",
        "/uploads/u1/..%5cu2%5cessay.mp4",
        "/uploads/u1/..;/u2/essay.mp4",
        "/uploads/u1/..;x=y/u2/essay.mp4",
        "/uploads/u1/%c0%ae%c0%ae/u2/essay.mp4",
        "/uploads/u1/%e0%80%ae%e0%80%ae/u2/essay.mp4",
        "/uploads/u1/%ef%bc%8e%ef%bc%8e/u2/essay.mp4",
        "/uploads/u1/..%00/u2/essay.mp4",
        "/uploads/u1/%00/../../u2/essay.mp4",
        "/uploads/u1//../u2/essay.mp4",
        "/uploads/u1///u2/essay.mp4",
        "//uploads/u2/essay.mp4",
        "/./uploads/u2/essay.mp4",
        "/uploads//u2/essay.mp4",
        "/uploads/u2/essay.mp4/",
        "/uploads/u2/essay.mp4%20",
        "/uploads/u2/essay.mp4%00",
        "/uploads/u2/essay.mp4#/uploads/u1/",
        "/uploads/U2/essay.mp4",
        "/UPLOADS/u2/essay.mp4",
        "/uploads/u1/../../uploads/u2/essay.mp4",
        "/uploads/u1",
        "/uploads/",
        "/",
        "/..",
        "/_lectern/../uploads/u2/essay.mp4",
        "/_lectern/cache/lectern/uploads/u2/essay.mp4",
        "/_lectern/%2e%2e/uploads/u2/essay.mp4",
        "/~/uploads/u2/essay.mp4",
        "/~x/uploads/u2/essay.mp4",
        "/~../uploads/u2/essay.mp4",
        "/~%2f/uploads/u2/essay.mp4",
    ] {
        for token in [&token, &admin] {
            attempts.refused(&edge, "a path", "GET", &format!("{path}?token={token}"), "");
        }
        attempts.refused(
            &edge,
            "a path",
            "GET",
            path,
            &format!("Authorization: Bearer {token}\r\n"),
        );
        attempts.refused(
            &edge,
            "a path",
            "GET",
            &format!("http://{host}{path}?token={token}"),
            "",
        );
    }
    for target in [
        format!("/uploads/u1/?token={admin}&as=list&after=../u2/"),
        format!("/uploads/?token={admin}&as=list"),
        format!("/uploads/u2/?token={admin}&as=list"),
        format!("/uploads/u1/../u2/?token={admin}&as=list"),
        format!("{PATH}?token={admin}&as=stored"),
        format!("{PATH}?token={token}&as=directory"),
        format!("{PATH}?token={token}&token={admin}"),
        format!("{PATH}?token={token}&p=x"),
        format!("{PATH}?p={token}"),
        format!("{PATH};token={token}"),
        format!("{PATH}?%74oken={token}"),
        format!("{PATH}?TOKEN={token}"),
        format!("{PATH}?token[]={token}"),
        format!("/~{token}{PATH}"),
        format!("{PATH}?"),
        PATH.to_owned(),
        "http://evil.example/uploads/u2/essay.mp4".to_owned(),
    ] {
        attempts.refused(&edge, "a query", "GET", &target, "");
    }
    attempts.judge("paths and queries", &edge);
}

#[test]
fn no_stranger_reads_or_changes_watch_data() {
    let edge = stage();
    // A viewer whose id no other viewer may see.
    let own = edge.token_of(json!({"path": "/uploads/u2/", "sub": SECRET}));
    let watched = "/_lectern/watched";
    let report = br#"{"position":9,"duration":60,"ranges":[[0,9]],"final":true}"#;
    let url = format!("{watched}?path={PATH}&token={own}");
    let posted = edge.send("POST", &url, &[("content-type", "text/plain")], report);
    assert_eq!(posted.verdict(), "200", "{}", edge.log());
    let other = edge.token_of(json!({"path": "/uploads/u1/", "sub": "u1"}));
    let unnamed = edge.token("/uploads/u2/", Purpose::Play);
    let upload = edge.token_of(json!({"path": "/uploads/u2/", "sub": SECRET, "use": "upload"}));
    let admin = edge.token("/uploads/", Purpose::Admin);
    let play = edge.token("/_lectern/watched/", Purpose::Play);
    let revoker = edge.token("/_lectern/revocations", Purpose::Admin);
    let encoded = SECRET.replace(' ', "%20");
    let mut attempts = Attempts::default();
    for token in [&other, &unnamed, &upload, &admin, &play, &revoker, ""] {
        for (method, target) in [
            ("GET", format!("{watched}?path={PATH}")),
            ("POST", format!("{watched}?path={PATH}")),
            ("GET", format!("{watched}?path=/uploads/u1/../u2/essay.mp4")),
            (
                "GET",
                format!("{watched}?path=/uploads/u1/a.mp4&path={PATH}"),
            ),
            ("GET", format!("{watched}/viewers/{encoded}")),
            ("DELETE", format!("{watched}/viewers/{encoded}")),
            ("GET", format!("{watched}/viewers/{encoded}?as=csv")),
            ("GET", format!("{watched}/lectures/uploads/u2/")),
            ("GET", format!("{watched}/lectures/uploads/u1/../u2/")),
            ("GET", format!("{watched}/../watched/lectures/uploads/u2/")),
            ("GET", format!("{watched}//lectures/uploads/u2/")),
            ("GET", format!("{watched}/lectures/uploads/u2/?as=list")),
            ("PUT", format!("{watched}/viewers/{encoded}")),
            ("GET", format!("/~x{watched}?path={PATH}")),
            ("PATCH", format!("{watched}?path={PATH}")),
        ] {
            let (and, lines) = match method {
                "GET" => ("&", ""),
                _ => ("&", "Content-Length: 0\r\n"),
            };
            let and = if target.contains('?') { and } else { "?" };
            let with_token = format!("{target}{and}token={token}");
            attempts.refused(&edge, "watch data", method, &with_token, lines);
        }
    }
    for query in ["", "?path=", "?path=/", "?path=%zz", "?token=x", "?p=x"] {
        let target = format!("{watched}{query}");
        attempts.refused(&edge, "a query", "GET", &target, "");
    }
    // Nothing of it changed the data.
    let progress = edge.get(&url).json();
    assert_eq!(
        (&progress["percent"], &progress["position"]),
        (&json!(15), &json!(9))
    );
    attempts.judge("watch data", &edge);
}

#[test]
fn no_header_and_no_method_changes_what_a_link_opens() {
    let edge = stage();
    let play = edge.token("/uploads/u1/", Purpose::Play);
    let upload = edge.token("/uploads/u1/", Purpose::Upload);
    let own = edge.token("/uploads/u2/", Purpose::Play);
    let mut attempts = Attempts::default();
    // Headers that proxies and frameworks obey, on a request that opens nothing.
    for lines in [
        "X-Original-URL: /uploads/u1/a.mp4\r\n",
        "X-Rewrite-URL: /uploads/u1/a.mp4\r\n",
        "X-Forwarded-Path: /uploads/u1/\r\n",
        "X-Forwarded-Prefix: /uploads/u1/\r\n",
        "X-Forwarded-Host: evil.example\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1;host=evil.example;proto=https\r\n",
        "True-Client-IP: 127.0.0.1\r\n",
        "X-HTTP-Method-Override: PUT\r\n",
        "X-Method-Override: DELETE\r\n",
        "X-HTTP-Method: PUT\r\n",
        "Cf-Worker: lectern\r\n",
        "Cf-Access-Jwt-Assertion: eyJ\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        "Origin: null\r\n",
        "Referer: http://127.0.0.1/uploads/u1/\r\n",
        "Cookie: token=x\r\n",
        "Authorization: Basic dTI6dTI=\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer null\r\n",
        "Authorization: bearer x y\r\n",
        "Proxy-Authorization: Bearer x\r\n",
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        "Range: bytes=0-\r\n",
        "If-Match: *\r\n",
        "If-None-Match: *\r\n",
        "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Expect: 200-ok\r\n",
    ] {
        attempts.refused(
            &edge,
            lines.trim_end(),
            "GET",
            &format!("{PATH}?token={play}"),
            lines,
        );
        attempts.refused(
            &edge,
            lines.trim_end(),
            "HEAD",
            &format!("{PATH}?token={upload}"),
            lines,
        );
    }
    attempts.refused(
        &edge,
        "two credentials",
        "GET",
        PATH,
        &format!("Authorization: Bearer {play}\r\nAuthorization: Bearer {own}\r\n"),
    );
    attempts.refused(
        &edge,
        "a right link in the wrong place",
        "GET",
        &format!("{PATH}?token={play}"),
        &format!("Authorization: Bearer {own}\r\n"),
    );
    // Methods that none of these links permits, and unknown methods.
    for method in [
        "PATCH", "TRACE", "PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "PURGE", "LINK", "QUERY",
        "get", "Get", "FOO",
    ] {
        for token in [&own, &upload] {
            attempts.refused(
                &edge,
                "a method",
                method,
                &format!("{PATH}?token={token}"),
                "Content-Length: 0\r\n",
            );
        }
    }
    for method in ["PUT", "DELETE", "POST"] {
        for (name, token) in [("play", &own), ("another's upload", &upload)] {
            attempts.refused(
                &edge,
                name,
                method,
                &format!("{PATH}?token={token}"),
                "Content-Length: 0\r\n",
            );
            attempts.refused(
                &edge,
                name,
                method,
                &format!("{PATH}?token={token}&uploads"),
                "Content-Length: 0\r\nDestination: /uploads/u1/x\r\nX-HTTP-Method-Override: GET\r\n",
            );
        }
    }
    attempts.judge("headers and methods", &edge);
}

#[test]
fn no_upload_in_parts_writes_what_its_link_does_not() {
    let edge = stage();
    let own = edge.token("/uploads/u1/", Purpose::Upload);
    let other = edge.token("/uploads/u2/", Purpose::Upload);
    let begun = edge.send("POST", &format!("{PATH}?token={other}&uploads"), &[], &[]);
    assert_eq!(begun.status, 201);
    let theirs = begun.json()["uploadId"].as_str().expect("an id").to_owned();
    let begun = edge.send(
        "POST",
        &format!("/uploads/u1/a.mp4?token={own}&uploads"),
        &[],
        &[],
    );
    let ours = begun.json()["uploadId"].as_str().expect("an id").to_owned();
    let complete = json!({ "parts": [{ "partNumber": 1, "etag": "x" }] }).to_string();
    let mut failed = Vec::new();
    let mut refused = |method: &str, target: String, body: &[u8]| {
        let reply = edge.send(method, &target, &[], body);
        // Storage reports an unknown upload differently from an outage.
        let is_unknown = method == "POST" && reply.status == 503;
        if !matches!(reply.status, 400 | 403 | 404 | 411 | 413) && !is_unknown {
            failed.push(format!("{method} {target}: {}", reply.verdict()));
        }
    };
    for id in [
        &theirs,
        &ours,
        &"x".to_owned(),
        &String::new(),
        &"../u2".to_owned(),
        &"a".repeat(4000),
    ] {
        // Another user's object by one's own link, and one's own object by another user's upload.
        refused(
            "PUT",
            format!("{PATH}?token={own}&uploadId={id}&partNumber=1"),
            b"x",
        );
        refused(
            "POST",
            format!("{PATH}?token={own}&uploadId={id}"),
            complete.as_bytes(),
        );
        refused("DELETE", format!("{PATH}?token={own}&uploadId={id}"), b"");
        if *id != ours {
            refused(
                "PUT",
                format!("/uploads/u1/a.mp4?token={own}&uploadId={id}&partNumber=1"),
                b"x",
            );
            refused(
                "POST",
                format!("/uploads/u1/a.mp4?token={own}&uploadId={id}"),
                complete.as_bytes(),
            );
        }
    }
    for part in [
        "0",
        "-1",
        "10001",
        "1.5",
        "1e3",
        "0x1",
        "",
        "99999999999999999999",
        "1&partNumber=2",
        "%31%00",
    ] {
        refused(
            "PUT",
            format!("/uploads/u1/a.mp4?token={own}&uploadId={ours}&partNumber={part}"),
            b"x",
        );
    }
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"parts":null}"#,
        r#"{"parts":[]}"#,
        r#"{"parts":[1]}"#,
        r#"{"parts":[{"partNumber":1}]}"#,
        r#"{"parts":[{"etag":"x"}]}"#,
        r#"{"parts":[{"partNumber":"1","etag":"x"}]}"#,
        r#"{"parts":[{"partNumber":1,"etag":1}]}"#,
        r#"{"parts":[{"partNumber":0,"etag":"x"}]}"#,
        r#"{"parts":[{"partNumber":10001,"etag":"x"}]}"#,
        r#"{"parts":[{"partNumber":1,"etag":"x"},{"partNumber":1,"etag":"y"}]}"#,
        r#"{"parts":[{"partNumber":2,"etag":"x"},{"partNumber":1,"etag":"y"}]}"#,
        r#"{"parts":[{"partNumber":1,"etag":"x","key":"uploads/u2/essay.mp4"}]}"#,
        r#"{"parts":[{"partNumber":1,"etag":"x"}],"parts":[]}"#,
        r#"{"__proto__":{"parts":[{"partNumber":1,"etag":"x"}]}}"#,
        "<parts/>",
    ] {
        refused(
            "POST",
            format!("/uploads/u1/a.mp4?token={own}&uploadId={ours}"),
            body.as_bytes(),
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The other upload is unchanged and continues.
    let put = edge.send(
        "PUT",
        &format!("{PATH}?token={other}&uploadId={theirs}&partNumber=1"),
        &[],
        b"more",
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());
    let play = edge.token("/uploads/u2/", Purpose::Play);
    assert_eq!(edge.get(&format!("{PATH}?token={play}")).text(), SECRET);
    assert_eq!(
        edge.get(&format!(
            "/uploads/u1/a.mp4?token={}",
            edge.token("/uploads/u1/", Purpose::Play)
        ))
        .verdict(),
        "404 not_found"
    );
}
