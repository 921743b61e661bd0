//! The claims of a link (RFC 7519 §4).

use serde::Serialize;

use super::binding::{Cidr, Country};
use crate::http::cors::OriginPattern;
use crate::json::JsonValue;
use crate::object::file_kind::FileKind;
use crate::object::key::{Directory, Scope};

/// The largest integer that every JSON implementation carries exactly (RFC 8259 §6).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
const MAX_NAME_BYTES: usize = 256;
const MAX_LIST_ENTRIES: usize = 32;

/// The longest watermark, in characters.
const MAX_WATERMARK: usize = 100;
/// The life of passes under a link with `strict`, in seconds.
pub const STRICT_SECONDS: u64 = 60;

/// The longest time for which a device may keep a lecture, in seconds: 30 days.
const MAX_OFFLINE: u64 = 2_592_000;
/// The most objects that an upload link may be limited to. The edge keeps a hash of each.
const MAX_OBJECTS: u64 = 100_000;

/// Rules for the values of claims, in the order in which they are checked.
const RULES: [&str; 14] = [
    "a number is beyond 2^53",
    "`sub` and `jti` have 1 to 256 bytes",
    "a list has 1 to 32 entries",
    "`langs` are BCP 47 tags such as `en` or `pt-BR`",
    "`preview` is `[from, to]`, the first before the second",
    "`watch`, `max_height`, `sessions`, `max_bytes` and `max_objects` are at least 1",
    "`sessions` is at most 255",
    "`sessions` needs `sub`, and `sessions_policy` needs `sessions`",
    "`watermark` has 1 to 100 characters",
    "`offline` is 1 to 2592000 seconds",
    "`offline` excludes `sessions` and `strict`: a device without a connection asks nothing",
    "`max_bytes`, `max_objects` and `types` need `use` to be `upload`",
    "`max_bytes` and `max_objects` need `jti`, under which the edge counts",
    "`max_objects` is at most 100000",
];

/// The purpose that a link permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// `GET` and `HEAD`.
    #[default]
    Play,
    /// `PUT`, `DELETE` and multipart uploads. Permits no reads.
    Upload,
    /// As `Play`, and the MP4 as an attachment.
    Download,
    /// The operator's own tools.
    Admin,
}

/// The player that stops when a viewer has more players than `sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionsPolicy {
    /// The newest player wins, and the oldest stops.
    #[default]
    Newest,
    /// The oldest players go on, and a new one is refused.
    Oldest,
}

/// The claims of a link. Times are seconds since 1970 (RFC 7519 `NumericDate`), rounded down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The object or directory that the link opens.
    pub path: Scope,
    /// The last second of validity.
    pub exp: u64,
    /// The first second of validity, with 30 seconds of leeway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The second of minting. It must not lie in the future, with 30 seconds of leeway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    #[serde(rename = "use", skip_serializing_if = "is_play")]
    pub purpose: Purpose,
    /// An opaque viewer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The id of the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The text that the player page shows over the video, such as the viewer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// Seconds that URLs issued from this link keep working after it is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<u64>,
    /// The tallest Variant Stream to list, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// The range of seconds whose Media Segments are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<(u32, u32)>,
    /// Audio and subtitle Renditions to list, as BCP 47 tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub langs: Option<Vec<String>>,
    /// Address ranges (CIDR) that may open the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Vec<Cidr>>,
    /// ISO 3166 codes of countries that may open the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Vec<Country>>,
    /// Origins whose pages may open the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Vec<OriginPattern>>,
    /// The number of simultaneous players.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// The player that stops when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_policy: Option<SessionsPolicy>,
    /// Passes live [`STRICT_SECONDS`], and players renew them.
    #[serde(skip_serializing_if = "is_false")]
    pub strict: bool,
    /// Seconds for which the player page may keep the lecture on the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<u64>,
    /// The sum of bytes that uploads under the link's `jti` may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The number of objects that uploads under the link's `jti` may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_objects: Option<u64>,
    /// The kinds of files that an upload link takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<FileKind>>,
}

impl Purpose {
    const ALL: [(&str, Self); 4] = [
        ("play", Self::Play),
        ("upload", Self::Upload),
        ("download", Self::Download),
        ("admin", Self::Admin),
    ];
}

impl Claims {
    /// Claims with the two that every link requires.
    #[must_use]
    pub fn new(path: Scope, exp: u64) -> Self {
        Self {
            path,
            exp,
            nbf: None,
            iat: None,
            purpose: Purpose::Play,
            sub: None,
            jti: None,
            watermark: None,
            watch: None,
            max_height: None,
            preview: None,
            langs: None,
            ip: None,
            country: None,
            origin: None,
            sessions: None,
            sessions_policy: None,
            strict: false,
            offline: None,
            max_bytes: None,
            max_objects: None,
            types: None,
        }
    }

    /// Parses the claims of a link. An unknown claim is ignored. A known claim with an invalid
    /// value is an error, and `null` is invalid.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn from_json(json: &[u8]) -> Result<Self, &'static str> {
        Self::from_value(&JsonValue::parse(json).ok_or("the claims are not JSON")?)
    }

    /// Parses the claims of a link from a JSON value, as [`Claims::from_json`].
    pub(crate) fn from_value(value: &JsonValue<'_>) -> Result<Self, &'static str> {
        let members = value
            .as_object()
            .ok_or("the claims are not a JSON object")?;
        let mut path = None;
        let mut exp = None;
        // The placeholders are replaced, or the function returns an error.
        let mut claims = Self::new(Scope::Directory(Directory::default()), 0);
        for (name, value) in members {
            let ok = match &**name {
                "path" => set(
                    &mut path,
                    value.as_str().and_then(|path| Scope::parse(path).ok()),
                ),
                "exp" => set(&mut exp, value.as_floor()),
                "nbf" => set(&mut claims.nbf, value.as_floor()),
                "iat" => set(&mut claims.iat, value.as_floor()),
                "use" => {
                    let known = Purpose::ALL
                        .iter()
                        .find(|(name, _)| Some(*name) == value.as_str());
                    known
                        .map(|(_, purpose)| claims.purpose = *purpose)
                        .is_some()
                }
                "sub" => set(&mut claims.sub, value.as_str().map(str::to_owned)),
                "jti" => set(&mut claims.jti, value.as_str().map(str::to_owned)),
                "watermark" => set(&mut claims.watermark, value.as_str().map(str::to_owned)),
                "watch" => set(&mut claims.watch, value.as_integer()),
                "max_height" => set(&mut claims.max_height, parse_u32(value)),
                "preview" => set(&mut claims.preview, parse_pair(value)),
                "langs" => set(
                    &mut claims.langs,
                    parse_list(value, |lang| Some(lang.to_owned())),
                ),
                "ip" => set(&mut claims.ip, parse_list(value, Cidr::parse)),
                "country" => set(&mut claims.country, parse_list(value, Country::parse)),
                "origin" => set(&mut claims.origin, parse_list(value, OriginPattern::parse)),
                "sessions_policy" => {
                    let policy = match value.as_str() {
                        Some("newest") => Some(SessionsPolicy::Newest),
                        Some("oldest") => Some(SessionsPolicy::Oldest),
                        _ => None,
                    };
                    set(&mut claims.sessions_policy, policy)
                }
                "sessions" => set(&mut claims.sessions, parse_u32(value)),
                "strict" => {
                    claims.strict = *value == JsonValue::Bool(true);
                    matches!(value, JsonValue::Bool(_))
                }
                "offline" => set(&mut claims.offline, value.as_integer()),
                "max_bytes" => set(&mut claims.max_bytes, value.as_integer()),
                "max_objects" => set(&mut claims.max_objects, value.as_integer()),
                "types" => set(&mut claims.types, parse_list(value, FileKind::parse)),
                _ => true,
            };
            if !ok {
                return Err(rule(name));
            }
        }
        claims.path = path.ok_or(rule("path"))?;
        claims.exp = exp.ok_or(rule("exp"))?;
        claims.check()?;
        Ok(claims)
    }

    /// Checks the rules that the types cannot express. [`mint`](super::link::mint) skips them, so
    /// that tests can mint invalid links. The command and the SDKs check them.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        let first = self.violations().min_by_key(|(_, rule)| *rule);
        first.map_or(Ok(()), |(_, rule)| Err(RULES[rule]))
    }

    /// The first claim that violates a rule, and that rule.
    pub(crate) fn first_violation(&self) -> Option<(&'static str, &'static str)> {
        let (claim, rule) = self.violations().next()?;
        Some((claim, RULES[rule]))
    }

    /// Each invalid claim with the index of its rule, in the order of the claims.
    fn violations(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let number = |claim, number: Option<u64>| {
            let is_beyond = number.is_some_and(|number| number > MAX_SAFE_INTEGER);
            is_beyond.then_some((claim, 0))
        };
        let name = |claim, name: &Option<String>| {
            let length = name.as_ref().map(String::len);
            let is_beyond = length.is_some_and(|length| !(1..=MAX_NAME_BYTES).contains(&length));
            is_beyond.then_some((claim, 1))
        };
        let list = |claim, length: Option<usize>| {
            let is_beyond = length.is_some_and(|length| !(1..=MAX_LIST_ENTRIES).contains(&length));
            is_beyond.then_some((claim, 2))
        };
        let characters = self.watermark.as_ref().map(|text| text.chars().count());
        let is_no_text = characters.is_some_and(|count| !(1..=MAX_WATERMARK).contains(&count));
        let mut langs = self.langs.iter().flatten();
        let is_no_language = langs.any(|lang| !is_language(lang));
        let is_backwards = self.preview.is_some_and(|(from, to)| from >= to);
        let least = |claim, number: Option<u64>| (number == Some(0)).then_some((claim, 5));
        let is_no_span = self
            .offline
            .is_some_and(|seconds| !(1..=MAX_OFFLINE).contains(&seconds));
        let is_asking = self.strict || self.sessions.is_some();
        let for_upload = |claim, is_set: bool| {
            let is_other = is_set && self.purpose != Purpose::Upload;
            is_other.then_some((claim, 11))
        };
        let counted = |claim, number: Option<u64>| {
            let is_uncounted = number.is_some() && self.jti.is_none();
            is_uncounted.then_some((claim, 12))
        };
        let violations = [
            number("exp", Some(self.exp)),
            number("nbf", self.nbf),
            number("iat", self.iat),
            name("sub", &self.sub),
            name("jti", &self.jti),
            is_no_text.then_some(("watermark", 8)),
            number("watch", self.watch),
            least("watch", self.watch),
            least("max_height", self.max_height.map(u64::from)),
            is_backwards.then_some(("preview", 4)),
            list("langs", self.langs.as_ref().map(Vec::len)),
            is_no_language.then_some(("langs", 3)),
            list("ip", self.ip.as_ref().map(Vec::len)),
            list("country", self.country.as_ref().map(Vec::len)),
            list("origin", self.origin.as_ref().map(Vec::len)),
            least("sessions", self.sessions.map(u64::from)),
            (self.sessions > Some(255)).then_some(("sessions", 6)),
            (self.sessions.is_some() && self.sub.is_none()).then_some(("sessions", 7)),
            (self.sessions_policy.is_some() && self.sessions.is_none())
                .then_some(("sessions_policy", 7)),
            is_no_span.then_some(("offline", 9)),
            (self.offline.is_some() && is_asking).then_some(("offline", 10)),
            number("max_bytes", self.max_bytes),
            least("max_bytes", self.max_bytes),
            for_upload("max_bytes", self.max_bytes.is_some()),
            counted("max_bytes", self.max_bytes),
            least("max_objects", self.max_objects),
            (self.max_objects > Some(MAX_OBJECTS)).then_some(("max_objects", 13)),
            for_upload("max_objects", self.max_objects.is_some()),
            counted("max_objects", self.max_objects),
            list("types", self.types.as_ref().map(Vec::len)),
            for_upload("types", self.types.is_some()),
        ];
        violations.into_iter().flatten()
    }
}

/// The rule for a claim's type, in words.
fn rule(name: &str) -> &'static str {
    match name {
        "path" => "`path` is an object or a folder, such as `/courses/rails/`",
        "exp" => {
            "`exp` is the last second at which the link opens anything, in seconds since 1970, without an exponent"
        }
        "use" => "`use` is `play`, `upload`, `download` or `admin`",
        "sub" | "jti" | "watermark" => "`sub`, `jti` and `watermark` are strings",
        "nbf" | "iat" => "`nbf` and `iat` are seconds since 1970, without an exponent",
        "preview" => "`preview` is `[from, to]` in whole seconds",
        "langs" => "`langs` is a list of strings",
        "ip" => "`ip` is a list of addresses or of ranges such as `192.0.2.0/24`",
        "country" => "`country` is a list of ISO 3166 codes such as `DE`",
        "sessions_policy" => "`sessions_policy` is `newest` or `oldest`",
        "strict" => "`strict` is `true` or `false`",
        "origin" => "`origin` is a list of origins such as `https://*.school.example`",
        "types" => "`types` is a list of `video`, `audio`, `image`, `captions` and `hls`",
        _ => {
            "`watch`, `max_height`, `sessions`, `offline`, `max_bytes` and `max_objects` are whole numbers"
        }
    }
}

/// Sets a claim. Returns `false` if there is no value.
fn set<T>(claim: &mut Option<T>, value: Option<T>) -> bool {
    *claim = value;
    claim.is_some()
}

fn parse_u32(value: &JsonValue<'_>) -> Option<u32> {
    value
        .as_integer()
        .and_then(|number| u32::try_from(number).ok())
}

fn parse_pair(value: &JsonValue<'_>) -> Option<(u32, u32)> {
    match value.as_array()? {
        [from, to] => Some((parse_u32(from)?, parse_u32(to)?)),
        _ => None,
    }
}

fn parse_list<T>(value: &JsonValue<'_>, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_strings()?.into_iter().map(parse).collect()
}

/// The names of all claims. The `crit` header may list any of them, because the edge reads them
/// all.
pub const CLAIMS: [&str; 22] = [
    "path",
    "use",
    "exp",
    "nbf",
    "iat",
    "sub",
    "jti",
    "watermark",
    "watch",
    "max_height",
    "preview",
    "langs",
    "ip",
    "country",
    "origin",
    "sessions",
    "sessions_policy",
    "strict",
    "offline",
    "max_bytes",
    "max_objects",
    "types",
];

/// Returns whether a language tag has the syntax of RFC 5646 §2.1: subtags of letters and digits.
fn is_language(tag: &str) -> bool {
    tag.split('-').all(|subtag| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_play(purpose: &Purpose) -> bool {
    *purpose == Purpose::Play
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_exact_integer_is_a_number_of_seconds() {
        let at = |number| Claims {
            watch: Some(number),
            ..Claims::new(Scope::parse("/a").expect("a scope"), 0)
        };
        assert_eq!(at(MAX_SAFE_INTEGER).check(), Ok(()));
        assert!(at(MAX_SAFE_INTEGER + 1).check().is_err());
    }

    #[test]
    fn a_watermark_has_a_hundred_characters_of_any_script_at_most() {
        let of = |count| Claims {
            watermark: Some("🎓".repeat(count)),
            ..Claims::new(Scope::parse("/a").expect("a scope"), 0)
        };
        assert_eq!(of(MAX_WATERMARK).check(), Ok(()));
        assert!(of(MAX_WATERMARK + 1).check().is_err());
    }

    #[test]
    fn a_refused_claim_names_its_rule() {
        for (json, expected) in [
            ("", "JSON"),
            ("[]", "object"),
            ("{}", "`path`"),
            (r#"{"path":"/a"}"#, "`exp`"),
            (r#"{"path":"a","exp":1}"#, "`path`"),
            (r#"{"path":"/a","exp":"1"}"#, "`exp`"),
            (r#"{"path":"/a","exp":1e3}"#, "`exp`"),
            (r#"{"path":"/a","exp":-0.5}"#, "`exp`"),
            (r#"{"path":"/a","exp":1,"nbf":-1}"#, "`nbf`"),
            (r#"{"path":"/a","exp":1,"watch":1.5}"#, "`watch`"),
            (r#"{"path":"/a","exp":1,"use":"watch"}"#, "`use`"),
            (r#"{"path":"/a","exp":1,"sub":7}"#, "`sub`"),
            (r#"{"path":"/a","exp":1,"jti":null}"#, "`jti`"),
            (r#"{"path":"/a","exp":1,"watermark":7}"#, "`watermark`"),
            (
                r#"{"path":"/a","exp":1,"watermark":""}"#,
                "1 to 100 characters",
            ),
            (r#"{"path":"/a","exp":1,"preview":[0]}"#, "`preview`"),
            (r#"{"path":"/a","exp":1,"langs":"en"}"#, "`langs`"),
            (r#"{"path":"/a","exp":1,"ip":["x"]}"#, "`ip`"),
            (
                r#"{"path":"/a","exp":1,"country":["Germany"]}"#,
                "`country`",
            ),
            (
                r#"{"path":"/a","exp":1,"origin":["a.example"]}"#,
                "`origin`",
            ),
            (
                r#"{"path":"/a","exp":1,"max_height":4294967296}"#,
                "`max_height`",
            ),
            (r#"{"path":"/a","exp":1,"sessions":0}"#, "`sessions`"),
            (r#"{"path":"/a","exp":1,"strict":1}"#, "`strict`"),
            (r#"{"path":"/a","exp":1,"strict":null}"#, "`strict`"),
            (r#"{"path":"/a","exp":1,"offline":"72h"}"#, "`offline`"),
            (r#"{"path":"/a","exp":1,"offline":0}"#, "2592000"),
            (r#"{"path":"/a","exp":1,"offline":2592001}"#, "2592000"),
            (
                r#"{"path":"/a","exp":1,"offline":1,"strict":true}"#,
                "excludes",
            ),
            (
                r#"{"path":"/a","exp":1,"offline":1,"sub":"s","sessions":1}"#,
                "excludes",
            ),
            (r#"{"path":"/a","exp":1,"max_bytes":0}"#, "`max_bytes`"),
            (r#"{"path":"/a","exp":1,"max_bytes":"1"}"#, "`max_bytes`"),
            (
                r#"{"path":"/a","exp":1,"jti":"l","max_bytes":1}"#,
                "`upload`",
            ),
            (
                r#"{"path":"/a","exp":1,"use":"upload","max_bytes":1}"#,
                "need `jti`",
            ),
            (
                r#"{"path":"/a","exp":1,"use":"upload","jti":"l","max_objects":100001}"#,
                "100000",
            ),
            (
                r#"{"path":"/a","exp":1,"use":"upload","types":[]}"#,
                "1 to 32 entries",
            ),
            (
                r#"{"path":"/a","exp":1,"use":"upload","types":["text/html"]}"#,
                "`captions`",
            ),
            (r#"{"path":"/a","exp":1,"types":["video"]}"#, "`upload`"),
        ] {
            let error = Claims::from_json(json.as_bytes()).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_time_with_a_fraction_is_rounded_down() {
        for (time, expected) in [
            ("1.0", 1),
            ("1.999999", 1),
            ("1.99999999999999999999", 1),
            ("0.5", 0),
            ("9007199254740991.9", MAX_SAFE_INTEGER),
        ] {
            let json = format!(r#"{{"path":"/a","exp":{time},"nbf":{time},"iat":{time}}}"#);
            let claims = Claims::from_json(json.as_bytes()).expect(time);
            let found = (claims.exp, claims.nbf, claims.iat);
            assert_eq!(found, (expected, Some(expected), Some(expected)), "{time}");
        }
    }

    #[test]
    fn every_claim_that_is_named_is_read() {
        for name in CLAIMS {
            let json = format!(r#"{{"path":"/a","exp":1,"{name}":{{}}}}"#);
            let json = match name {
                "path" | "exp" => json.replacen(&format!(r#""{name}":"#), r#""x":"#, 1),
                _ => json,
            };
            assert!(Claims::from_json(json.as_bytes()).is_err(), "{name}");
        }
    }
}
