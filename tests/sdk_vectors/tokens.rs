//! Validly signed tokens with invalid contents, and some unsigned ones.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{EDGE, NOW, SECRETS};

/// A token with any header and payload, and a valid signature.
fn sign(key: usize, header: &str, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    seal(key, &signed)
}

fn seal(key: usize, signed: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRETS[key].1).expect("a key");
    let signature = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"2026-11"}"#;

/// An unknown claim, nested this deep.
fn deep(levels: usize, inmost: &str) -> String {
    payload(&format!(
        r#","x":{}{inmost}{}"#,
        "[".repeat(levels),
        "]".repeat(levels)
    ))
}

fn payload(more: &str) -> String {
    format!(r#"{{"path":"/courses/rails/","exp":{NOW}{more}}}"#)
}

fn expiring(exp: &str) -> String {
    format!(r#"{{"path":"/courses/rails/","exp":{exp}}}"#)
}

/// Tokens that open something.
pub(crate) fn good() -> Vec<Value> {
    let old = r#"{"kid":"old._-","alg":"HS256"}"#;
    let object = format!(r#"{{"exp":{NOW},"path":"/courses/rails/m.m3u8"}}"#);
    let more = |more: &str| sign(0, HEADER, &payload(more));
    let timed = |exp: &str| sign(0, HEADER, &expiring(exp));
    let cases = [
        (
            "an upload link with bounds",
            more(
                r#","use":"upload","jti":"l","max_bytes":1,"max_objects":100000,"types":["hls","video"]"#,
            ),
            None,
        ),
        ("the fewest claims", sign(0, HEADER, &payload("")), None),
        (
            "an older key, and members in another order",
            sign(1, old, &object),
            None,
        ),
        (
            "white space",
            sign(
                0,
                "{ \"alg\" : \"HS256\",\n\t\"kid\":\"2026-11\" }\n",
                &format!(" {{\r\n \"exp\": {NOW}, \"path\" : \"/courses/rails/\" }} "),
            ),
            None,
        ),
        (
            "escapes that other writers use",
            sign(
                0,
                HEADER,
                &payload(r#","sub":"\u00e9\/\u003c\ud83c\udf93\u0026""#),
            ),
            None,
        ),
        (
            "a type in lower case",
            sign(
                0,
                r#"{"alg":"HS256","kid":"2026-11","typ":"jwt","x":[1]}"#,
                &payload(""),
            ),
            None,
        ),
        (
            "a critical claim that is read",
            sign(
                0,
                r#"{"alg":"HS256","kid":"2026-11","crit":["preview"]}"#,
                &payload(r#","preview":[0,60]"#),
            ),
            None,
        ),
        (
            "unknown claims, which are left aside",
            sign(
                0,
                HEADER,
                &payload(r#","course":{"a":[null,1.5,true]},"aud":"x""#),
            ),
            None,
        ),
        (
            "numbers of every kind in unknown claims",
            sign(
                0,
                HEADER,
                &payload(r#","x":[-1,-0,0.5,1e3,1E-3,18446744073709551616]"#),
            ),
            None,
        ),
        (
            "a name again on another level",
            sign(
                0,
                HEADER,
                &payload(r#","x":{"exp":1,"x":{"x":[{"a":1},{"a":2}]}}"#),
            ),
            None,
        ),
        (
            "brackets, colons and escaped quotes in strings",
            sign(
                0,
                HEADER,
                &payload(r#","x":"\"},{:[\\","y":"\\\"","z":[":"]"#),
            ),
            None,
        ),
        ("as deep as may be", sign(0, HEADER, &deep(15, "1")), None),
        (
            "as deep as may be, and nothing there",
            sign(0, HEADER, &deep(16, "")),
            None,
        ),
        (
            "every claim",
            sign(
                0,
                HEADER,
                &payload(
                    r#","nbf":1,"iat":2,"use":"admin","sub":"s","jti":"l","watch":999999,"max_height":720,"preview":[0,60],"langs":["en"],"ip":["192.0.2.7"],"country":["de"],"origin":["HTTPS://A.example"]"#,
                ),
            ),
            None,
        ),
        (
            "almost not yet",
            sign(
                0,
                HEADER,
                &payload(&format!(r#","nbf":{},"iat":{}"#, NOW + 30, NOW + 30)),
            ),
            None,
        ),
        (
            "a folder opens what is in it",
            sign(0, HEADER, &payload("")),
            Some("/courses/rails/intro/m.m3u8"),
        ),
        (
            "a folder opens itself, and folders in it",
            sign(0, HEADER, &payload("")),
            Some("/courses/rails/intro/"),
        ),
        (
            "a path of the query's URL",
            sign(0, HEADER, &payload("")),
            Some("/courses/rails/"),
        ),
        (
            "a path that is escaped",
            sign(0, HEADER, &payload("")),
            Some("/courses/r%61ils/m%20m?x=1#y"),
        ),
        (
            "names that begin with a null, in header and claims",
            sign(
                0,
                r#"{"alg":"HS256","kid":"2026-11","\u0000a":1,"_\u0000a":2}"#,
                &payload(r#","\u0000":1,"\u0000path":2,"":{"\u0000a":3}"#),
            ),
            None,
        ),
        (
            "a restricted link to what may be a playlist",
            sign(
                0,
                HEADER,
                &format!(r#"{{"path":"/a.mp4/lecture","exp":{NOW},"max_height":480}}"#),
            ),
            None,
        ),
        (
            "an object opens itself",
            sign(1, old, &object),
            Some("/courses/rails/m.m3u8"),
        ),
        (
            "exp with a fraction, in its last second",
            timed(&format!("{NOW}.5")),
            None,
        ),
        (
            "exp with a fraction of nothing",
            timed(&format!("{NOW}.0")),
            None,
        ),
        (
            "exp with a fraction that a float rounds up",
            timed(&format!("{NOW}.99999999999999999999")),
            None,
        ),
        (
            "times with microseconds, as lcobucci/jwt writes them",
            sign(
                0,
                HEADER,
                &format!(
                    r#"{{"path":"/courses/rails/","iat":{}.123456,"nbf":{}.123456,"exp":{}.654321}}"#,
                    NOW - 60,
                    NOW - 60,
                    NOW + 3600
                ),
            ),
            None,
        ),
        (
            "a fraction almost not yet",
            more(&format!(
                r#","nbf":{}.999,"iat":{}.999"#,
                NOW + 30,
                NOW + 30
            )),
            None,
        ),
        (
            "a fraction of the first second",
            more(r#","nbf":0.5,"iat":0.0"#),
            None,
        ),
        (
            "a time with a fraction by an escaped name",
            more(r#","\u006ebf":1.5"#),
            None,
        ),
        (
            "fractions of times on other levels",
            more(r#","x":{"exp":1.5,"nbf":[1.5]},"y":["iat",1.5]"#),
            None,
        ),
    ];
    let mut vectors: Vec<Value> = cases
        .into_iter()
        .map(|(name, token, path)| match path {
            Some(path) => {
                json!({ "name": name, "token": token, "url": format!("{EDGE}{path}"), "now": NOW })
            }
            None => json!({ "name": name, "token": token, "now": NOW }),
        })
        .collect();
    let token = sign(0, HEADER, &payload(""));
    vectors.push(json!({ "name": "a URL with its link", "token": format!("{EDGE}/courses/rails/m.m3u8?start=1&token={token}&x#y"), "now": NOW }));
    vectors
}

/// Tokens that open nothing, or not what is asked for.
pub(crate) fn bad() -> Vec<Value> {
    let good = sign(0, HEADER, &payload(""));
    let parts: Vec<&str> = good.split('.').collect();
    let signed = |header: &str| sign(0, header, &payload(""));
    let claimed = |payload: &str| sign(0, HEADER, payload);
    let more = |more: &str| sign(0, HEADER, &payload(more));
    let flipped = {
        let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64url");
        signature[31] ^= 1;
        format!(
            "{}.{}.{}",
            parts[0],
            parts[1],
            URL_SAFE_NO_PAD.encode(signature)
        )
    };
    let last = |from: &str| {
        // The last character of 32 bytes has two unused bits.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.find(&from[from.len() - 1..]).expect("base64url");
        format!("{}{}", &from[..from.len() - 1], &alphabet[at + 1..=at + 1])
    };
    let plain = vec![
        ("nothing", String::new()),
        ("no JWT", "abc".into()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.{}", parts[2])),
        (
            "five parts, as an encrypted token has",
            format!("{good}.a.b"),
        ),
        ("dots", "..".into()),
        ("a header alone", format!("{}..", parts[0])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "padding",
            format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        ),
        ("a space", format!(" {good}")),
        ("a line feed at the end", format!("{good}\n")),
        ("base64 that is not url", good.replace(parts[2], "ab+/")),
        (
            "a header of one character",
            format!("a.{}.{}", parts[1], parts[2]),
        ),
        ("a last character with other bits", last(&good)),
        ("text that is not ASCII", format!("{good}é")),
        ("another signature", flipped),
        (
            "the signature of other claims",
            format!(
                "{}.{}.{}",
                parts[0],
                URL_SAFE_NO_PAD.encode(payload(r#","use":"admin""#)),
                parts[2]
            ),
        ),
        ("half of a signature", good[..good.len() - 22].to_owned()),
        ("the key of another id", sign(1, HEADER, &payload(""))),
        (
            "an unknown key",
            signed(r#"{"alg":"HS256","typ":"JWT","kid":"2026-12"}"#),
        ),
        ("an empty id", signed(r#"{"alg":"HS256","kid":""}"#)),
        (
            "an id in another case",
            signed(r#"{"alg":"HS256","kid":"OLD._-"}"#),
        ),
        (
            "a key that every object has",
            signed(r#"{"alg":"HS256","kid":"__proto__"}"#),
        ),
        (
            "a method that every object has",
            signed(r#"{"alg":"HS256","kid":"constructor"}"#),
        ),
        ("no id", signed(r#"{"alg":"HS256","typ":"JWT"}"#)),
        ("an id as a number", signed(r#"{"alg":"HS256","kid":1}"#)),
        ("no algorithm", signed(r#"{"typ":"JWT","kid":"2026-11"}"#)),
        ("alg none", signed(r#"{"alg":"none","kid":"2026-11"}"#)),
        (
            "alg none, without a signature",
            format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"2026-11"}"#),
                parts[1]
            ),
        ),
        ("alg HS512", signed(r#"{"alg":"HS512","kid":"2026-11"}"#)),
        ("alg RS256", signed(r#"{"alg":"RS256","kid":"2026-11"}"#)),
        (
            "alg in lower case",
            signed(r#"{"alg":"hs256","kid":"2026-11"}"#),
        ),
        (
            "alg as a list",
            signed(r#"{"alg":["HS256"],"kid":"2026-11"}"#),
        ),
        (
            "another type",
            signed(r#"{"alg":"HS256","kid":"2026-11","typ":"JWE"}"#),
        ),
        (
            "a type as a number",
            signed(r#"{"alg":"HS256","kid":"2026-11","typ":1}"#),
        ),
        ("a header that is a list", signed("[]")),
        ("a header that is null", signed("null")),
        ("a header that is no JSON", signed("{")),
        (
            "crit without names",
            signed(r#"{"alg":"HS256","kid":"2026-11","crit":[]}"#),
        ),
        (
            "crit as text",
            signed(r#"{"alg":"HS256","kid":"2026-11","crit":"exp"}"#),
        ),
        (
            "crit with a number",
            signed(r#"{"alg":"HS256","kid":"2026-11","crit":[1]}"#),
        ),
        (
            "crit that is null",
            signed(r#"{"alg":"HS256","kid":"2026-11","crit":null}"#),
        ),
        (
            "a critical header that is not understood",
            signed(r#"{"alg":"HS256","kid":"2026-11","crit":["exp","b64"]}"#),
        ),
        ("claims that are a list", claimed("[]")),
        ("claims that are null", claimed("null")),
        ("claims that are no JSON", claimed("{'path':'/a'}")),
        (
            "claims with something behind them",
            claimed(&(payload("") + " x")),
        ),
        ("a claim twice", more(r#","exp":1800000000"#)),
        (
            "a claim twice, once escaped",
            more(r#","\u0065xp":1800000000"#),
        ),
        ("an unknown claim twice", more(r#","x":1,"x":1"#)),
        (
            "a member twice within an unknown claim",
            more(r#","x":{"a":[{"b":1,"c":2,"b":1}]}"#),
        ),
        ("nbf with an exponent", more(r#","nbf":1e3"#)),
        (
            "nbf with a fraction and an exponent",
            more(r#","nbf":1.5e3"#),
        ),
        ("nbf of minus nothing", more(r#","nbf":-0"#)),
        (
            "nbf of minus nothing with a fraction",
            more(r#","nbf":-0.0"#),
        ),
        ("a negative nbf with a fraction", more(r#","nbf":-0.5"#)),
        ("iat with a fraction as text", more(r#","iat":"1.5""#)),
        ("iat with a fraction in a list", more(r#","iat":[1.5]"#)),
        (
            "iat with a fraction in an object",
            more(r#","iat":{"iat":1.5}"#),
        ),
        (
            "nbf with a fraction, not yet",
            more(&format!(r#","nbf":{}.0"#, NOW + 31)),
        ),
        (
            "exp with a fraction, over",
            claimed(&expiring(&format!("{}.999999", NOW - 1))),
        ),
        ("exp with an exponent", claimed(&expiring("1.8e9"))),
        (
            "exp with a large exponent",
            claimed(&expiring("1800000000e999")),
        ),
        ("exp of a fraction", claimed(&expiring("0.9"))),
        ("exp of infinity", claimed(&expiring("Infinity"))),
        (
            "exp with a zero before it",
            claimed(&expiring(&format!("0{NOW}.5"))),
        ),
        (
            "exp with a point alone",
            claimed(&expiring(&format!("{NOW}."))),
        ),
        (
            "exp with two fractions",
            claimed(&expiring(&format!("{NOW}.5.5"))),
        ),
        (
            "exp beyond 2^53, with a fraction",
            claimed(&expiring("9007199254740992.0")),
        ),
        (
            "exp in milliseconds",
            claimed(&expiring(&format!("{NOW}000"))),
        ),
        (
            "exp twice, once with a fraction",
            more(r#","exp":1800000000.5"#),
        ),
        ("watch with a fraction", more(r#","watch":60.5"#)),
        (
            "max_height with a fraction of nothing",
            more(r#","max_height":720.0"#),
        ),
        (
            "preview with a fraction of nothing",
            more(r#","preview":[0,60.0]"#),
        ),
        (
            "half of a character in the viewer",
            more(r#","sub":"\ud83c""#),
        ),
        ("the other half", more(r#","sub":"\udf93""#)),
        ("two first halves", more(r#","sub":"\ud83c\ud83c""#)),
        (
            "half of a character in an unknown claim",
            more(r#","x":["a","\ud83cx"]"#),
        ),
        ("a comment", more(r#",/* */"x":1"#)),
        ("a comma too many", more(r#","x":[1,]"#)),
        (
            "a space within a number",
            claimed(r#"{"path":"/courses/rails/","exp":1 800000000}"#),
        ),
        ("a zero before a number", more(r#","x":01"#)),
        ("a number that ends in a point", more(r#","x":1."#)),
        ("no number", more(r#","x":NaN"#)),
        ("an escape that JSON does not have", more(r#","x":"\x41""#)),
        ("a line feed within a string", more(",\"x\":\"\n\"")),
        (
            "a byte order mark",
            claimed(&format!("\u{feff}{}", payload(""))),
        ),
        ("17 levels", claimed(&deep(16, "1"))),
        (
            "18 levels of objects",
            more(&format!(
                r#","x":{}1{}"#,
                r#"{"a":"#.repeat(16),
                "}".repeat(16)
            )),
        ),
        (
            "an algorithm twice",
            signed(r#"{"alg":"HS256","alg":"HS256","kid":"2026-11"}"#),
        ),
        (
            "an id twice, once escaped",
            signed(r#"{"alg":"HS256","kid":"2026-11","\u006bid":"2026-11"}"#),
        ),
        ("bytes that are not UTF-8", {
            let signed = format!(
                "{}.{}",
                parts[0],
                URL_SAFE_NO_PAD.encode(
                    [
                        payload(r#","x":""#).trim_end_matches('}').as_bytes(),
                        b"\xff\"}"
                    ]
                    .concat()
                )
            );
            seal(0, &signed)
        }),
        ("no claims", claimed("{}")),
        ("no path", claimed(&format!(r#"{{"exp":{NOW}}}"#))),
        ("no exp", claimed(r#"{"path":"/a"}"#)),
        (
            "the whole bucket",
            claimed(&format!(r#"{{"path":"/","exp":{NOW}}}"#)),
        ),
        (
            "two dots",
            claimed(&format!(r#"{{"path":"/a/../b","exp":{NOW}}}"#)),
        ),
        (
            "a relative path",
            claimed(&format!(r#"{{"path":"a","exp":{NOW}}}"#)),
        ),
        (
            "exp as text",
            claimed(&format!(r#"{{"path":"/a","exp":"{NOW}"}}"#)),
        ),
        (
            "exp with a fraction as text",
            claimed(&format!(r#"{{"path":"/a","exp":"{NOW}.5"}}"#)),
        ),
        (
            "exp beyond 2^53",
            claimed(r#"{"path":"/a","exp":9007199254740992}"#),
        ),
        ("use in another case", more(r#","use":"Play""#)),
        ("use that is null", more(r#","use":null"#)),
        ("a negative nbf", more(r#","nbf":-1"#)),
        ("watch 0", more(r#","watch":0"#)),
        ("an empty viewer", more(r#","sub":"""#)),
        ("a viewer as a number", more(r#","sub":42"#)),
        ("preview backwards", more(r#","preview":[60,30]"#)),
        ("max_height 0", more(r#","max_height":0"#)),
        ("no langs", more(r#","langs":[]"#)),
        (
            "a range with bits behind it",
            more(r#","ip":["10.0.0.1/8"]"#),
        ),
        ("a country by its name", more(r#","country":["Germany"]"#)),
        (
            "an origin without a scheme",
            more(r#","origin":["school.example"]"#),
        ),
        ("sessions 0", more(r#","sessions":0"#)),
        (
            "a claim twice, after a null",
            more(r#","\u0000a":1,"\u0000a":1"#),
        ),
        ("langs as an object", more(r#","langs":{"0":"en"}"#)),
        ("preview as an object", more(r#","preview":{"0":0,"1":60}"#)),
        ("sessions without a viewer", more(r#","sessions":1"#)),
        (
            "sessions, one too many",
            more(r#","sub":"s","sessions":256"#),
        ),
        (
            "another sessions_policy",
            more(r#","sub":"s","sessions":1,"sessions_policy":"first""#),
        ),
        (
            "sessions_policy without sessions",
            more(r#","sub":"s","sessions_policy":"oldest""#),
        ),
        ("watermark as a number", more(r#","watermark":1"#)),
        ("an empty watermark", more(r#","watermark":"""#)),
        ("strict as a number", more(r#","strict":1"#)),
        ("strict as null", more(r#","strict":null"#)),
        ("offline 0", more(r#","offline":0"#)),
        ("offline for 31 days", more(r#","offline":2678400"#)),
        ("offline with a unit", more(r#","offline":"72h""#)),
        ("offline with a fraction", more(r#","offline":1.5"#)),
        ("offline and strict", more(r#","strict":true,"offline":60"#)),
        (
            "offline and sessions",
            more(r#","sub":"s","sessions":1,"offline":60"#),
        ),
        ("max_bytes 0", more(r#","max_bytes":0"#)),
        ("max_bytes as text", more(r#","max_bytes":"1""#)),
        (
            "max_bytes of a play link",
            more(r#","jti":"l","max_bytes":1073741824"#),
        ),
        (
            "max_bytes without jti",
            more(r#","use":"upload","max_bytes":1073741824"#),
        ),
        (
            "max_objects 0",
            more(r#","use":"upload","jti":"l","max_objects":0"#),
        ),
        (
            "max_objects over 100000",
            more(r#","use":"upload","jti":"l","max_objects":100001"#),
        ),
        (
            "max_objects without jti",
            more(r#","use":"upload","max_objects":1"#),
        ),
        ("types of a play link", more(r#","types":["video"]"#)),
        ("no types", more(r#","use":"upload","types":[]"#)),
        ("types as text", more(r#","use":"upload","types":"video""#)),
        (
            "a MIME type in types",
            more(r#","use":"upload","types":["video/mp4"]"#),
        ),
        (
            "the edge's own folder",
            claimed(&format!(r#"{{"path":"/_lectern/x","exp":{NOW}}}"#)),
        ),
        (
            "a path that begins like a pass",
            claimed(&format!(r#"{{"path":"/~x","exp":{NOW}}}"#)),
        ),
        (
            "256 folders",
            claimed(&format!(
                r#"{{"path":"{}/","exp":{NOW}}}"#,
                "/a".repeat(256)
            )),
        ),
        (
            "a restricted link to a Media Segment",
            claimed(&format!(
                r#"{{"path":"/a/seg00001.m4s","exp":{NOW},"max_height":480}}"#
            )),
        ),
        (
            "expired, and reserved",
            claimed(&format!(r#"{{"path":"/_lectern/x","exp":{}}}"#, NOW - 1)),
        ),
        (
            "expired a second ago",
            claimed(&format!(r#"{{"path":"/a","exp":{}}}"#, NOW - 1)),
        ),
        ("expired in 1970", claimed(r#"{"path":"/a","exp":0}"#)),
        (
            "31 days ahead",
            claimed(&format!(r#"{{"path":"/a","exp":{}}}"#, NOW + 31 * 86_400)),
        ),
        (
            "one second too far ahead",
            claimed(&format!(r#"{{"path":"/a","exp":{}}}"#, NOW + 2_592_001)),
        ),
        ("not yet", more(&format!(r#","nbf":{}"#, NOW + 31))),
        (
            "minted in the future",
            more(&format!(r#","iat":{}"#, NOW + 31)),
        ),
        (
            "over 4,096 bytes",
            more(&format!(r#","x":"{}""#, "x".repeat(3000))),
        ),
        (
            "a URL without a link",
            format!("{EDGE}/courses/rails/m.m3u8?a={good}"),
        ),
        (
            "a URL beside what its link opens",
            format!("{EDGE}/courses/rails2/m.m3u8?token={good}"),
        ),
        (
            "a URL with a link that expired",
            format!("{EDGE}/a?token={}", claimed(r#"{"path":"/a","exp":0}"#)),
        ),
    ];
    let object = claimed(&format!(r#"{{"path":"/courses/rails","exp":{NOW}}}"#));
    let scoped = [
        ("another folder", good.clone(), "/courses/php/m.m3u8"),
        (
            "a folder that begins like it",
            good.clone(),
            "/courses/rails2/m.m3u8",
        ),
        ("the folder above", good.clone(), "/courses/"),
        (
            "the folder's name without its slash",
            good.clone(),
            "/courses/rails",
        ),
        ("below an object", object.clone(), "/courses/rails/m.m3u8"),
        ("an object as a folder", object.clone(), "/courses/rails/"),
        ("an object that begins like it", object, "/courses/rails2"),
        (
            "a path in another case",
            good.clone(),
            "/Courses/rails/m.m3u8",
        ),
        ("out of the folder", good, "/courses/rails/../php/m.m3u8"),
    ];
    let options = [
        ("now as text", json!({ "now": "abc" })),
        ("now before 1970", json!({ "now": -1 })),
        ("now as a list", json!({ "now": [NOW] })),
        ("max_link_age as text", json!({ "max_link_age": "1" })),
        ("a negative max_link_age", json!({ "max_link_age": -1 })),
        ("keys as a number", json!({ "keys": 42 })),
        ("keys as a list", json!({ "keys": [1] })),
    ];
    let late = claimed(r#"{"path":"/a","exp":60}"#);
    let options = options.map(
        |(name, options)| json!({ "name": name, "token": late, "now": NOW, "options": options }),
    );
    let plain = plain.into_iter().map(|(name, token)| (name, token, None));
    let scoped = scoped
        .into_iter()
        .map(|(name, token, path)| (name, token, Some(format!("{EDGE}{path}"))));
    plain
        .chain(scoped)
        .map(|(name, token, url)| match url {
            Some(url) => json!({ "name": name, "token": token, "url": url, "now": NOW }),
            None => json!({ "name": name, "token": token, "now": NOW }),
        })
        .chain(options)
        .collect()
}
