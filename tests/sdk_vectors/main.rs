//! `sdk/vectors.json` tests every edition of the SDK: claims and URLs with the exact token or link;
//! tokens, claims, URLs and keys with the expected refusal.
//!
//! The Rust edition answers the questions in the file, and the test writes the answers. To add a
//! vector, add its question and run `LECTERN_BLESS=1 cargo test --test sdk_vectors`. Signed tokens
//! come from `tokens.rs`.

mod tokens;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lectern::credential::binding::{Cidr, Country};
use lectern::credential::claims::{CLAIMS, Claims, Purpose, SessionsPolicy};
use lectern::credential::keyring::Keyring;
use lectern::credential::link;
use lectern::http::cors::OriginPattern;
use lectern::object::file_kind::FileKind;
use lectern::object::key::Scope;
use lectern::sdk::{Error, Options, Sdk};
use serde_json::{Map, Value, json};

const NOW: u64 = 1_800_000_000;
/// The claims that bound uploads.
const BOUNDS: [&str; 3] = ["max_bytes", "max_objects", "types"];
const EDGE: &str = "https://video.school.example";
/// Bytes that are not UTF-8, and whose base64 contains characters that base64url replaces; and the
/// shortest key.
const SECRETS: [(&str, &[u8]); 2] = [("2026-11", &[0xfb; 33]), ("old._-", &[7; 32])];
/// The lists of the file, and the members of each that are answers.
const LISTS: [(&str, &str); 8] = [
    ("mint", "token"),
    ("link", "link"),
    ("embed", "link"),
    ("verify", "claims"),
    ("refused_claims", "error"),
    ("refused_links", "error"),
    ("refused_tokens", "error"),
    ("refused_keys", "error"),
];

#[test]
fn the_vectors_are_what_the_rust_edition_gives() {
    let committed = committed();
    let asked: Value = serde_json::from_str(&committed).expect("JSON");
    let answered = text(&answered(&asked));
    if std::env::var_os("LECTERN_BLESS").is_some() {
        std::fs::write(path(), &answered).expect("written");
        return;
    }
    assert!(
        committed == answered,
        "sdk/vectors.json is not what src/sdk.rs gives: LECTERN_BLESS=1 cargo test --test sdk_vectors writes it anew"
    );
}

#[test]
fn there_are_enough_vectors_and_every_refusal_has_one() {
    let vectors: Value = serde_json::from_str(&committed()).expect("JSON");
    for (list, least) in LISTS
        .map(|(list, _)| list)
        .into_iter()
        .zip([55, 33, 4, 15, 120, 53, 85, 20])
    {
        let length = list_of(&vectors, list).len();
        assert!(length >= least, "{list} has {length}");
    }
    let seen: Vec<&str> = LISTS
        .iter()
        .filter(|(_, answer)| *answer == "error")
        .flat_map(|(list, _)| list_of(&vectors, list))
        .filter_map(|vector| vector["error"].as_str())
        .collect();
    let source = include_str!("../../src/sdk.rs");
    let codes = source.split("fn code(").nth(1).expect("the codes");
    let codes = codes.split("impl Sdk").next().expect("their end");
    let codes = codes
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|code| !CLAIMS.contains(code));
    let mut counted = 0;
    for code in codes {
        assert!(seen.contains(&code), "no vector is refused as {code}");
        counted += 1;
    }
    assert!(counted > 40, "{counted}");
}

#[test]
fn a_vectors_token_is_what_the_edge_mints_and_verifies() {
    let keys = Keyring::from_json(&keys()).expect("a key ring");
    let vectors: Value = serde_json::from_str(&committed()).expect("JSON");
    for vector in list_of(&vectors, "mint") {
        let claims = read(&vector["claims"]);
        assert_eq!(
            vector["token"],
            link::mint(keys.minting(), &claims),
            "{vector}"
        );
        let token = vector["token"].as_str().expect("a token");
        assert_eq!(link::verify_signature(token, &keys), Ok(claims), "{vector}");
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/vectors.json")
}

fn committed() -> String {
    std::fs::read_to_string(path()).expect("sdk/vectors.json")
}

fn list_of<'vectors>(vectors: &'vectors Value, list: &str) -> &'vectors [Value] {
    vectors[list].as_array().expect(list)
}

/// Formats one vector per line.
fn text(vectors: &Value) -> String {
    let lists = LISTS.map(|(list, _)| {
        let lines: Vec<String> = list_of(vectors, list)
            .iter()
            .map(Value::to_string)
            .collect();
        format!("  \"{list}\": [\n    {}\n  ]", lines.join(",\n    "))
    });
    format!(
        "{{\n  \"keys\": {},\n{}\n}}\n",
        vectors["keys"],
        lists.join(",\n")
    )
}

/// Adds the answers of the Rust edition to the vectors.
fn answered(vectors: &Value) -> Value {
    let answer = |list: &str, vector: &Value| match list {
        "mint" => right(
            vector,
            sdk_for(vector).mint(&read(&vector["claims"]), now(vector)),
        ),
        "link" | "embed" => right(vector, call(vector).expect("options that Rust has")),
        "verify" => {
            let claims = verify(vector).unwrap_or_else(|error| panic!("{vector}: {error}"));
            serde_json::to_value(claims).expect("JSON")
        }
        "refused_claims" => refusal(vector).into(),
        "refused_links" | "refused_tokens" if inexpressible_code(&vector["options"]).is_some() => {
            inexpressible_code(&vector["options"]).into()
        }
        "refused_links" => match call(vector) {
            Some(found) => wrong(vector, found),
            None => {
                refusal(&json!({ "claims": inexpressible_claims(&vector["options"]), "now": NOW }))
                    .into()
            }
        },
        "refused_tokens" => wrong(vector, verify(vector)),
        _ => wrong(vector, Sdk::new(vector["keys"].as_str().expect("a text"))),
    };
    let mut all = json!({ "keys": keys() });
    for (list, name) in LISTS {
        let asked = match list {
            "verify" => tokens::good(),
            "refused_tokens" => tokens::bad(),
            _ => list_of(vectors, list).to_vec(),
        };
        let answered = asked.into_iter().map(|mut vector| {
            vector[name] = answer(list, &vector);
            vector
        });
        all[list] = answered.collect();
    }
    all
}

fn right(vector: &Value, found: Result<String, Error>) -> Value {
    found
        .unwrap_or_else(|error| panic!("{vector}: {error}"))
        .into()
}

fn wrong<T: std::fmt::Debug>(vector: &Value, found: Result<T, Error>) -> Value {
    match found {
        Err(error) => error.code().into(),
        Ok(found) => panic!("{vector} is accepted: {found:?}"),
    }
}

fn now(vector: &Value) -> u64 {
    vector["now"].as_u64().expect("a time")
}

fn verify(vector: &Value) -> Result<Claims, Error> {
    let token = vector["token"].as_str().expect("a token");
    sdk_for(vector).verify(token, vector["url"].as_str(), now(vector))
}

fn keys() -> String {
    let ring = SECRETS
        .map(|(kid, secret)| json!({ "kid": kid, "secret": URL_SAFE_NO_PAD.encode(secret) }));
    json!(ring).to_string()
}

/// An edition with the limits that a vector sets.
fn sdk_for(vector: &Value) -> Sdk {
    let mut sdk = Sdk::new(&keys()).expect("a key ring");
    sdk.max_link_age = vector["max_link_age"].as_u64().unwrap_or(sdk.max_link_age);
    sdk.max_watch = vector["max_watch"].as_u64().unwrap_or(sdk.max_watch);
    sdk
}

fn with(base: &Value, more: &Value) -> Value {
    let mut members: Map<String, Value> = base.as_object().expect("an object").clone();
    members.extend(more.as_object().expect("an object").clone());
    Value::Object(members)
}

fn read(claims: &Value) -> Claims {
    Claims::from_json(claims.to_string().as_bytes()).expect("claims")
}

/// Converts a vector's options to Rust; `None` if the types cannot express them.
fn options(json: &Value) -> Option<Options> {
    let text = |name: &str| match &json[name] {
        Value::Null => Some(None),
        value => value.as_str().map(|text| Some(text.to_owned())),
    };
    let number = |name: &str| match &json[name] {
        Value::Null => Some(None),
        value => value.as_u64().map(Some),
    };
    let small = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    fn list<T>(value: &Value, parse: impl Fn(&str) -> Option<T>) -> Option<Option<Vec<T>>> {
        match value {
            Value::Null => Some(None),
            value => value
                .as_array()?
                .iter()
                .map(|entry| parse(entry.as_str()?))
                .collect::<Option<_>>()
                .map(Some),
        }
    }
    let purpose = match json["use"].as_str() {
        None => Purpose::Play,
        Some("play") => Purpose::Play,
        Some("download") => Purpose::Download,
        Some("upload") => Purpose::Upload,
        Some("admin") => Purpose::Admin,
        Some(_) => return None,
    };
    Some(Options {
        viewer: text("viewer")?,
        expires_in: number("expires_in")?,
        expires_at: number("expires_at")?,
        not_before: number("not_before")?,
        watch: number("watch")?,
        max_height: match &json["max_height"] {
            Value::Null => None,
            value => Some(small(value)?),
        },
        preview: match &json["preview"] {
            Value::Null => None,
            value => match value.as_array()?.as_slice() {
                [from, to] => Some((small(from)?, small(to)?)),
                _ => return None,
            },
        },
        langs: list(&json["langs"], |lang| Some(lang.to_owned()))?,
        ip: list(&json["ip"], Cidr::parse)?,
        country: list(&json["country"], Country::parse)?,
        origin: list(&json["origin"], OriginPattern::parse)?,
        jti: text("jti")?,
        watermark: text("watermark")?,
        sessions: match &json["sessions"] {
            Value::Null => None,
            value => Some(small(value)?),
        },
        sessions_policy: match json["sessions_policy"].as_str() {
            None => None,
            Some("newest") => Some(SessionsPolicy::Newest),
            Some("oldest") => Some(SessionsPolicy::Oldest),
            Some(_) => return None,
        },
        strict: match &json["strict"] {
            Value::Null => false,
            value => value.as_bool()?,
        },
        offline: number("offline")?,
        max_bytes: number("max_bytes")?,
        max_objects: number("max_objects")?,
        types: list(&json["types"], FileKind::parse)?,
        purpose,
        directory: json["directory"].as_bool().unwrap_or_default(),
    })
}

fn call(vector: &Value) -> Option<Result<String, Error>> {
    let options = options(&vector["options"])?;
    let url = vector["url"].as_str().expect("a URL");
    let (sdk, now) = (sdk_for(vector), now(vector));
    Some(match vector["call"].as_str() {
        Some("upload_link") => sdk.upload_link(url, &options, now),
        Some("embed_url") => sdk.embed_url(url, &options, now),
        Some("poster_url") => sdk.poster_url(url, &options, now),
        Some("download_url") => {
            let name = vector["options"]["name"].as_str();
            sdk.download_url(url, name, &options, now)
        }
        _ => sdk.link(url, &options, now),
    })
}

/// The code of an edge option that Rust's types cannot express. The vectors expect a refusal.
fn inexpressible_code(options: &Value) -> Option<&'static str> {
    let has = |name: &str| !options[name].is_null();
    let directory = &options["directory"];
    if has("keys") {
        Some("bad_keys")
    } else if ["now", "max_link_age", "max_watch"].into_iter().any(has)
        || !directory.is_null() && !directory.is_boolean()
        || has("name") && !options["name"].is_string()
    {
        Some("bad_option")
    } else {
        None
    }
}

/// The claims of options that Rust's types cannot express.
fn inexpressible_claims(options: &Value) -> Value {
    let mut claims = json!({ "path": "/a", "exp": NOW });
    for (name, value) in options.as_object().expect("an object") {
        let claim = match name.as_str() {
            "viewer" => "sub",
            "expires_in" | "expires_at" => "exp",
            "not_before" => "nbf",
            name => name,
        };
        claims[claim] = match (name.as_str(), value.as_i64()) {
            ("expires_in", Some(lasts)) => NOW.saturating_add_signed(lasts).into(),
            _ => value.clone(),
        };
    }
    claims
}

/// The code with which each edition refuses these claims: that of the first invalid claim, or of
/// all together.
fn refusal(vector: &Value) -> String {
    let claims = &vector["claims"];
    let members = claims.as_object().expect("an object");
    if let Err(error) = Scope::parse(claims["path"].as_str().unwrap_or_default()) {
        return Error::Path(error).code().to_owned();
    }
    for (name, value) in members {
        if !CLAIMS.contains(&name.as_str()) {
            return "unknown_claim".to_owned();
        }
        // `sessions_policy` needs `sessions`, which needs `sub`. Bounds of uploads need `jti`.
        let others = match BOUNDS.contains(&name.as_str()) {
            true => json!({ "path": "/a", "exp": 0, "use": "upload", "jti": "l" }),
            false => json!({ "path": "/a", "exp": 0, "sub": "s", "sessions": 1 }),
        };
        let alone = with(&others, &json!({ name: value }));
        // `verify` takes a fraction of a second. Rust's types cannot mint one, and no edition does.
        if value.is_f64() {
            return format!("bad_{name}");
        }
        if Claims::from_json(alone.to_string().as_bytes()).is_err() {
            return format!("bad_{name}");
        }
    }
    match Claims::from_json(claims.to_string().as_bytes()) {
        Err(_) if members.contains_key("sessions") && !members.contains_key("sub") => {
            "bad_sessions".to_owned()
        }
        Err(_) if members.contains_key("sessions_policy") => "bad_sessions_policy".to_owned(),
        // Each bound alone is valid, so the first lacks `use` or `jti`.
        Err(_) => match BOUNDS.iter().find(|name| members.contains_key(**name)) {
            Some(bound) => format!("bad_{bound}"),
            None => "bad_exp".to_owned(),
        },
        Ok(claims) => {
            let error = sdk_for(vector)
                .mint(&claims, now(vector))
                .expect_err("a refusal");
            error.code().to_owned()
        }
    }
}
