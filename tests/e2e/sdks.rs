//! Links of every SDK edition and public JWT library: the running Worker opens what they permit,
//! and no more.

use std::io::Write as _;
use std::process::{Command, Stdio};
use testkit::root;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lectern::sdk::{Options, Sdk};
use serde_json::{Value, json};

use super::edge::{Edge, now};
use testkit::jwt_libraries::{LibraryAnswer, for_each_library};

/// Each edition's folder below `sdk/`, its program, and its arguments. Call and URL follow.
const EDITIONS: [(&str, &str, &[&str]); 5] = [
    ("ruby", "ruby", &["-I", "lib", "../../tests/sdks/link.rb"]),
    ("javascript", "node", &["../../tests/sdks/link.mjs"]),
    ("python", "python3", &["../../tests/sdks/link.py"]),
    ("php", "php", &["../../tests/sdks/link.php"]),
    ("go", "go", &["run", "../../tests/sdks/link.go"]),
];

#[test]
fn a_link_of_every_sdk_opens_the_running_worker() {
    let edge = Edge::start();
    for name in EDITIONS.map(|(name, ..)| name).into_iter().chain(["rust"]) {
        let folder = format!("{}/{name}/", edge.origin);
        // Characters that each language escapes differently.
        let object = format!("{folder}it's (é) + ~1/v/1/a<b>&.m4s");
        let Some(upload) = minted(&edge, name, "upload_link", &folder) else {
            continue;
        };
        let play = minted(&edge, name, "link", &object).expect("as before");
        let path = play
            .strip_prefix(&edge.origin)
            .and_then(|link| link.split('?').next())
            .expect("a path");
        let query = upload.split('?').nth(1).expect("a token");

        let put = edge.send("PUT", &format!("{path}?{query}"), &[], b"media");
        assert!(matches!(put.status, 200 | 201), "{name}: {path}");
        let got = edge.get(&play[edge.origin.len()..]);
        assert_eq!(
            (got.verdict().as_str(), got.text()),
            ("200", "media"),
            "{name}: {play}"
        );

        let token = play.split("token=").nth(1).expect("a token");
        for (method, url, expected) in [
            ("GET", format!("{path}?{query}"), "403 forbidden"),
            ("PUT", format!("{path}?token={token}"), "403 forbidden"),
            (
                "GET",
                format!("/{name}/other.m4s?token={token}"),
                "403 forbidden",
            ),
            (
                "GET",
                format!("{path}?token={}", forged(token)),
                "403 forbidden",
            ),
        ] {
            let answer = edge.send(method, &url, &[], b"");
            assert_eq!(answer.verdict(), expected, "{name}: {method} {url}");
        }
    }
}

/// The output of an edition; `None` if its language is not installed.
fn minted(edge: &Edge, name: &str, call: &str, url: &str) -> Option<String> {
    let mut editions = EDITIONS.iter();
    let Some((name, program, arguments)) = editions.find(|(other, ..)| *other == name) else {
        let sdk = Sdk::new(edge.keys_json()).expect("the edge's keys");
        let options = Options {
            viewer: Some("s/42 é".into()),
            expires_in: Some(600),
            ..Options::default()
        };
        let link = match call {
            "link" => sdk.link(url, &options, now()),
            _ => sdk.upload_link(url, &options, now()),
        };
        return Some(link.expect(url));
    };
    let output = Command::new(program)
        .args(*arguments)
        .args([call, url])
        .current_dir(root().join("sdk").join(name))
        .env("LECTERN_KEYS", edge.keys_json())
        .env("PYTHONPATH", root().join("sdk/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GOCACHE", root().join(".tools/go"))
        .env("GOPROXY", "off")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        require_installed(program);
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Fails under `make test`, where everything is installed. Elsewhere prints a line.
fn require_installed(what: &str) {
    assert!(
        std::env::var_os("LECTERN_REQUIRE_INTEROP").is_none(),
        "{what} is not installed: apt-get install ruby python3 php-cli golang-go, or make .tools/sdk.ok .tools/interop.ok"
    );
    // Bypasses the test harness, which would hide the line.
    let _ = writeln!(std::io::stderr(), "skipped: {what} is not installed");
}

fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    bytes[0] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn a_link_of_five_public_jwt_libraries_opens_the_running_worker() {
    let edge = Edge::start();
    let entries: Value = serde_json::from_str(edge.keys_json()).expect("JSON");
    let (kid, secret) = (
        &entries[0]["kid"],
        entries[0]["secret"].as_str().expect("a secret"),
    );
    let upload = edge.token("/jwt/", lectern::credential::claims::Purpose::Upload);
    let put = edge.send(
        "PUT",
        &format!("/jwt/v/1/a.m4s?token={upload}"),
        &[],
        b"media",
    );
    assert!(matches!(put.status, 200 | 201), "{}", put.verdict());

    let claims = json!({ "path": "/jwt/", "exp": now() + 600, "sub": "s/42 \u{e9}" });
    let asked = json!({ "secret": secret, "kid": kid, "claims": claims });

    for_each_library(|name, library| {
        let LibraryAnswer::Output(token) = library.ask("mint", &asked) else {
            return false;
        };
        let token = token.expect(name);
        for (url, expected) in [
            (format!("/jwt/v/1/a.m4s?token={token}"), "200"),
            (format!("/jwt/v/1/b.m4s?token={token}"), "404 not_found"),
            (format!("/other/a.m4s?token={token}"), "403 forbidden"),
            (
                format!("/jwt/v/1/a.m4s?token={}", forged(&token)),
                "403 forbidden",
            ),
        ] {
            assert_eq!(edge.get(&url).verdict(), expected, "{name}: {url}");
        }
        true
    });
}
