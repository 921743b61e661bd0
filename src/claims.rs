//! What a link says.

use serde::Serialize;

use crate::http::cors::OriginPattern;
use crate::json::Value;
use crate::network::{Cidr, Country};
use crate::object_key::{Directory, Scope};

/// The largest integer that every JSON implementation carries exactly (RFC 8259 §6).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
const MAX_NAME_BYTES: usize = 256;
const MAX_LIST_ENTRIES: usize = 32;

/// What a link may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// `GET` and `HEAD`.
    #[default]
    Play,
    /// `PUT`, `DELETE` and the parts of an upload; reads nothing.
    Upload,
    /// As `play`, plus the MP4 as an attachment.
    Download,
    /// The operator's own tools.
    Admin,
}

/// What a link says. Times are seconds since 1970 (RFC 7519 `NumericDate`), whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// What the link opens.
    pub path: Scope,
    /// The last second at which it opens anything.
    pub exp: u64,
    /// The link opens nothing before this second, less 30 of leeway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When the link was minted; not in the future, less 30 s of leeway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    #[serde(rename = "use", skip_serializing_if = "is_play")]
    pub use_: Use,
    /// The viewer, opaque to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The link's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Seconds that URLs issued from this link keep working after it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<u64>,
    /// Variant Streams taller than this, in pixels, are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// Only Media Segments between these seconds are listed.
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
    /// How many players may watch at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// How many bytes all uploads under the link may have together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl Use {
    const ALL: [(&str, Self); 4] = [
        ("play", Self::Play),
        ("upload", Self::Upload),
        ("download", Self::Download),
        ("admin", Self::Admin),
    ];
}

impl Claims {
    /// The two claims that every link has.
    #[must_use]
    pub fn new(path: Scope, exp: u64) -> Self {
        Self {
            path,
            exp,
            nbf: None,
            iat: None,
            use_: Use::Play,
            sub: None,
            jti: None,
            watch: None,
            max_height: None,
            preview: None,
            langs: None,
            ip: None,
            country: None,
            origin: None,
            sessions: None,
            max_bytes: None,
        }
    }

    /// Reads the claims of a link. A claim that is not known is left aside; one that is known and cannot be meant, `null`
    /// included, is an error.
    ///
    /// # Errors
    /// The rule that does not hold, in words.
    pub fn from_json(json: &[u8]) -> Result<Self, &'static str> {
        let members = Value::parse(json).ok_or("the claims are no JSON")?;
        let members = members.as_object().ok_or("the claims are no JSON object")?;
        let mut path = None;
        let mut exp = None;
        // Both are there in the end, or this is not returned.
        let mut claims = Self::new(Scope::Directory(Directory::default()), 0);
        for (name, value) in members {
            let ok = match &**name {
                "path" => set(
                    &mut path,
                    value.as_str().and_then(|path| Scope::parse(path).ok()),
                ),
                "exp" => set(&mut exp, value.as_integer()),
                "nbf" => set(&mut claims.nbf, value.as_integer()),
                "iat" => set(&mut claims.iat, value.as_integer()),
                "use" => {
                    let known = Use::ALL
                        .iter()
                        .find(|(name, _)| Some(*name) == value.as_str());
                    known.map(|(_, use_)| claims.use_ = *use_).is_some()
                }
                "sub" => set(&mut claims.sub, value.as_str().map(str::to_owned)),
                "jti" => set(&mut claims.jti, value.as_str().map(str::to_owned)),
                "watch" => set(&mut claims.watch, value.as_integer()),
                "max_height" => set(&mut claims.max_height, small(value)),
                "preview" => set(&mut claims.preview, pair(value)),
                "langs" => set(&mut claims.langs, list(value, |lang| Some(lang.to_owned()))),
                "ip" => set(&mut claims.ip, list(value, Cidr::parse)),
                "country" => set(&mut claims.country, list(value, Country::parse)),
                "origin" => set(&mut claims.origin, list(value, OriginPattern::parse)),
                "sessions" => set(&mut claims.sessions, small(value)),
                "max_bytes" => set(&mut claims.max_bytes, value.as_integer()),
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

    /// The bounds that the types do not say. `mint` does not check them, so that tests can mint what must be refused;
    /// the tools that people mint with do.
    ///
    /// # Errors
    /// The rule that does not hold, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        fn any<T>(values: &[&Option<T>], breaks: impl Fn(&T) -> bool) -> bool {
            values.iter().copied().flatten().any(breaks)
        }
        let numbers = [
            &Some(self.exp),
            &self.nbf,
            &self.iat,
            &self.watch,
            &self.max_bytes,
        ];
        if any(&numbers, |number| *number > MAX_SAFE_INTEGER) {
            return Err("a number is beyond 2^53");
        }
        if any(&[&self.sub, &self.jti], |name| {
            !(1..=MAX_NAME_BYTES).contains(&name.len())
        }) {
            return Err("`sub` and `jti` have 1 to 256 bytes");
        }
        let lengths = [
            self.langs.as_ref().map(Vec::len),
            self.ip.as_ref().map(Vec::len),
            self.country.as_ref().map(Vec::len),
            self.origin.as_ref().map(Vec::len),
        ];
        if any(&lengths.each_ref(), |length| {
            !(1..=MAX_LIST_ENTRIES).contains(length)
        }) {
            return Err("a list has 1 to 32 entries");
        }
        if self.langs.iter().flatten().any(|lang| !is_language(lang)) {
            return Err("`langs` are BCP 47 tags such as `en` or `pt-BR`");
        }
        if any(&[&self.preview], |(from, to)| from >= to) {
            return Err("`preview` is `[from, to]`, the first before the second");
        }
        if [self.watch, self.max_bytes].contains(&Some(0))
            || [self.max_height, self.sessions].contains(&Some(0))
        {
            return Err("`watch`, `max_height`, `sessions` and `max_bytes` are at least 1");
        }
        Ok(())
    }
}

/// What a claim has to be.
fn rule(name: &str) -> &'static str {
    match name {
        "path" => "`path` is an object or a folder, such as `/courses/rails/`",
        "exp" => {
            "`exp` is the last second at which the link opens anything, a whole number of seconds since 1970"
        }
        "use" => "`use` is `play`, `upload`, `download` or `admin`",
        "sub" | "jti" => "`sub` and `jti` are strings",
        "preview" => "`preview` is `[from, to]` in whole seconds",
        "langs" => "`langs` is a list of strings",
        "ip" => "`ip` is a list of addresses or of ranges such as `192.0.2.0/24`",
        "country" => "`country` is a list of ISO 3166 codes such as `DE`",
        "origin" => "`origin` is a list of origins such as `https://*.school.example`",
        _ => "`nbf`, `iat`, `watch`, `max_height`, `sessions` and `max_bytes` are whole numbers",
    }
}

/// Sets a claim; whether there was something to set it to.
fn set<T>(claim: &mut Option<T>, value: Option<T>) -> bool {
    *claim = value;
    claim.is_some()
}

fn small(value: &Value<'_>) -> Option<u32> {
    value
        .as_integer()
        .and_then(|number| u32::try_from(number).ok())
}

fn pair(value: &Value<'_>) -> Option<(u32, u32)> {
    match value.as_array()? {
        [from, to] => Some((small(from)?, small(to)?)),
        _ => None,
    }
}

fn list<T>(value: &Value<'_>, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_strings()?.into_iter().map(parse).collect()
}

/// The names of all claims. What a header's `crit` may list too: every one of them is read.
pub const CLAIMS: [&str; 16] = [
    "path",
    "use",
    "exp",
    "nbf",
    "iat",
    "sub",
    "jti",
    "watch",
    "max_height",
    "preview",
    "langs",
    "ip",
    "country",
    "origin",
    "sessions",
    "max_bytes",
];

/// RFC 5646 §2.1, as far as a range is concerned: subtags of letters and digits.
fn is_language(tag: &str) -> bool {
    tag.split('-').all(|subtag| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn is_play(use_: &Use) -> bool {
    *use_ == Use::Play
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
    fn a_refused_claim_is_told_with_its_rule() {
        for (json, expected) in [
            ("", "JSON"),
            ("[]", "object"),
            ("{}", "`path`"),
            (r#"{"path":"/a"}"#, "`exp`"),
            (r#"{"path":"a","exp":1}"#, "`path`"),
            (r#"{"path":"/a","exp":"1"}"#, "`exp`"),
            (r#"{"path":"/a","exp":1,"use":"watch"}"#, "`use`"),
            (r#"{"path":"/a","exp":1,"sub":7}"#, "`sub`"),
            (r#"{"path":"/a","exp":1,"jti":null}"#, "`jti`"),
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
            (r#"{"path":"/a","exp":1,"max_bytes":0}"#, "`max_bytes`"),
            (r#"{"path":"/a","exp":1,"max_bytes":"1"}"#, "`max_bytes`"),
        ] {
            let error = Claims::from_json(json.as_bytes()).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
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
