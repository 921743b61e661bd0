//! Five public JWT libraries, in five languages, asked to mint and to verify.
//!
//! The test skips a library that is not installed, and prints that. With
//! `LECTERN_REQUIRE_INTEROP=1` it fails.
//! Secrets go through stdin, never through arguments, which every process of the machine can read.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;

use crate::root;

#[derive(Debug)]
pub enum Library {
    /// A script, and the programs that may run it. The first installed one does.
    Script(&'static str, &'static [&'static str]),
    Jsonwebtoken,
}

const LIBRARIES: [(&str, Library); 5] = [
    ("npm jose", Library::Script("jose.mjs", &["node"])),
    (
        "PyPI PyJWT",
        Library::Script("pyjwt.py", &[".tools/venv/bin/python", "python3"]),
    ),
    ("Debian ruby-jwt", Library::Script("ruby_jwt.rb", &["ruby"])),
    (
        "Debian libcrypt-jwt-perl",
        Library::Script("perl_jwt.pl", &["perl"]),
    ),
    ("crate jsonwebtoken", Library::Jsonwebtoken),
];

/// Calls `check`, which returns whether the library is installed.
pub fn for_each_library(check: impl Fn(&str, &Library) -> bool) {
    for (name, library) in &LIBRARIES {
        if check(name, library) {
            continue;
        }
        assert!(
            std::env::var_os("LECTERN_REQUIRE_INTEROP").is_none(),
            "{name} is not installed"
        );
        // Bypasses the test harness, which would hide the line.
        let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed");
    }
}

#[derive(Debug)]
pub enum LibraryAnswer {
    /// The output of the library; `None` for a refusal.
    Output(Option<String>),
    NotInstalled,
}

impl Library {
    pub fn ask(&self, mode: &str, asked: &Value) -> LibraryAnswer {
        match self {
            Self::Script(script, programs) => run(script, programs, mode, asked),
            Self::Jsonwebtoken => LibraryAnswer::Output(jsonwebtoken(mode, asked)),
        }
    }
}

fn run(script: &str, programs: &[&str], mode: &str, asked: &Value) -> LibraryAnswer {
    let root = root();
    for program in programs {
        let beside = root.join(program);
        let found = if beside.exists() {
            beside.as_path()
        } else {
            Path::new(program)
        };
        let spawned = Command::new(found)
            .arg(root.join("crates/testkit/jwt").join(script))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else { continue };
        let mut stdin = child.stdin.take().expect("a pipe");
        // A missing library reads nothing.
        let _ = stdin.write_all(asked.to_string().as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("an answer");
        if output.status.code() == Some(3) {
            continue;
        }
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        return LibraryAnswer::Output(output.status.success().then_some(said));
    }
    LibraryAnswer::NotInstalled
}

fn jsonwebtoken(mode: &str, asked: &Value) -> Option<String> {
    let secret = asked["secret"].as_str().expect("a secret");
    let secret = URL_SAFE_NO_PAD.decode(secret).expect("base64url");
    if mode == "mint" {
        let header = Header {
            kid: asked["kid"].as_str().map(str::to_owned),
            ..Header::new(Algorithm::HS256)
        };
        return jsonwebtoken::encode(
            &header,
            &asked["claims"],
            &EncodingKey::from_secret(&secret),
        )
        .ok();
    }
    let token = asked["token"].as_str().expect("a token");
    let key = DecodingKey::from_secret(&secret);
    let decoded = jsonwebtoken::decode::<Value>(token, &key, &Validation::new(Algorithm::HS256));
    decoded.ok().map(|token| token.claims.to_string())
}
