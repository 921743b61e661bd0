//! The decision: from the facts of a request, the configuration and the time to everything that can happen, as one
//! enum. No storage is touched before a credential was verified here.

use std::fmt::Display;

use crate::config::Config;
use crate::http::date::parse_date;
use crate::http::precondition::{Conditions, EntityTags, IfRange};
use crate::http::problem::Problem;
use crate::http::range::ByteRange;
use crate::link::{self, Claims, LinkError, Use};
use crate::object_key::{Directory, ObjectKey};
use crate::pass::{self, Kind, PassError};
use crate::playlist::{Grant, is_playlist_name};
use crate::read::{Read, Treatment};
use crate::write::Write;

/// Object keys below this are the edge's own: pages, health.
const RESERVED: &str = "_lectern/";

/// A request as it came in.
#[derive(Clone, Copy)]
pub struct Request<'request> {
    pub method: &'request str,
    /// The path as the client sent it, still encoded.
    pub path: &'request str,
    /// The query without its question mark.
    pub query: Option<&'request str>,
    /// A header's value by its name in lower case.
    pub header: &'request dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Request<'_> {
    /// Neither query nor headers: they carry credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Splits an absolute URL into origin, path and query; a fragment is left out.
///
/// ```
/// use lectern::decide::split_url;
/// assert_eq!(split_url("https://a.example/b/c?d=e#f"), Some(("https://a.example", "/b/c", Some("d=e"))));
/// assert_eq!(split_url("https://a.example"), None);
/// ```
#[must_use]
pub fn split_url(url: &str) -> Option<(&str, &str, Option<&str>)> {
    let authority_starts = url.find("://")? + 3;
    let path_starts = url[authority_starts..].find('/')? + authority_starts;
    let (origin, rest) = url.split_at(path_starts);
    let rest = rest.split('#').next().unwrap_or(rest);
    Some(match rest.split_once('?') {
        Some((path, query)) => (origin, path, Some(query)),
        None => (origin, rest, None),
    })
}

/// Everything that can happen.
#[derive(Debug)]
pub enum Decision<'config> {
    /// `OPTIONS`: say what may be done here; nobody needs a link for that.
    Options,
    Read(Box<Read<'config>>),
    Write(Write),
    Refuse(Refusal),
}

/// A refusal: what the client is told, and what the operator's log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub problem: Problem,
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(problem: Problem, reason: impl Display) -> Self {
        Self {
            problem,
            reason: format!("{reason}"),
        }
    }
}

/// Decides what happens to a request at `now`.
#[must_use]
pub fn decide<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Decision<'config> {
    let decided = match request.method {
        "OPTIONS" => Ok(Decision::Options),
        "GET" | "HEAD" => read(request, config, now).map(|read| Decision::Read(Box::new(read))),
        "PUT" | "POST" | "DELETE" => write(request, config, now).map(Decision::Write),
        method => Err(Refusal::new(
            Problem::MethodNotAllowed,
            format!("method `{method}`"),
        )),
    };
    decided.unwrap_or_else(Decision::Refuse)
}

fn read<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Read<'config>, Refusal> {
    let key = object_key(request)?;
    let (treatment, expires, grant) = match Credential::of(request)? {
        Credential::Pass(pass) => {
            let pass = pass::verify(pass, &key, &config.keys, now).map_err(|error| {
                let problem = match error {
                    PassError::Expired(_) => Problem::Expired,
                    _ => Problem::Forbidden,
                };
                Refusal::new(problem, error)
            })?;
            let (treatment, root) = match pass.kind {
                Kind::Object => (Treatment::AsStored, key.directory()),
                Kind::Playlist { depth } => {
                    let root = Directory::ancestor_of(&key, depth.into())
                        .ok_or_else(|| Refusal::new(Problem::Forbidden, "the pass's root"))?;
                    (Treatment::Playlist, root)
                }
            };
            (treatment, pass.expires, grant(config, pass.expires, root))
        }
        Credential::Link(link) => {
            let claims = open(
                &link,
                &key,
                &[Use::Play, Use::Download, Use::Admin],
                config,
                now,
            )?;
            let treatment = if is_playlist_name(key.split().1) {
                Treatment::Playlist
            } else {
                Treatment::ByContentType
            };
            let watch = claims
                .watch
                .unwrap_or(config.watch_window)
                .min(config.max_watch);
            let passes_expire = pass::expiry(now, watch);
            let root = claims.path.root();
            (treatment, claims.exp, grant(config, passes_expire, root))
        }
    };
    let header = request.header;
    let conditions = Conditions {
        if_match: header("if-match").and_then(|value| EntityTags::parse(&value)),
        if_unmodified_since: header("if-unmodified-since").and_then(|value| parse_date(&value)),
        if_none_match: header("if-none-match").and_then(|value| EntityTags::parse(&value)),
        if_modified_since: header("if-modified-since").and_then(|value| parse_date(&value)),
        if_range: header("if-range").map(|value| IfRange::parse(&value)),
    };
    let head = request.method == "HEAD";
    // RFC 9110 §14.2: `Range` has a meaning for GET only.
    let range = header("range")
        .filter(|_| !head)
        .and_then(|value| ByteRange::parse(&value));
    Ok(Read {
        key,
        head,
        treatment,
        conditions,
        range,
        seconds_left: expires.saturating_sub(now),
        grant,
    })
}

fn grant(config: &Config, expires: u64, root: Directory) -> Grant<'_> {
    Grant {
        key: config.keys.minting(),
        expires,
        root,
    }
}

fn write(request: &Request<'_>, config: &Config, now: u64) -> Result<Write, Refusal> {
    let key = object_key(request)?;
    match Credential::of(request)? {
        Credential::Link(link) => {
            open(&link, &key, &[Use::Upload, Use::Admin], config, now)?;
        }
        Credential::Pass(_) => {
            return Err(Refusal::new(Problem::Forbidden, "a pass writes nothing"));
        }
    }
    Write::parse(request, key, config)
}

/// The object that the request names.
fn object_key(request: &Request<'_>) -> Result<ObjectKey, Refusal> {
    let key = ObjectKey::from_url_path(request.path)
        .map_err(|error| Refusal::new(Problem::BadPath, error))?;
    if key.as_str().starts_with(RESERVED) {
        return Err(Refusal::new(Problem::NotFound, "a reserved path"));
    }
    Ok(key)
}

/// Verifies a link and that it opens `key` for one of `uses`.
fn open(
    link: &str,
    key: &ObjectKey,
    uses: &[Use],
    config: &Config,
    now: u64,
) -> Result<Claims, Refusal> {
    let claims = link::verify(link, &config.keys, now, config.max_link_age).map_err(|error| {
        let problem = match error {
            LinkError::Expired(_) => Problem::Expired,
            _ => Problem::Forbidden,
        };
        Refusal::new(problem, error)
    })?;
    let forbidden = |reason: &str| Err(Refusal::new(Problem::Forbidden, reason));
    if !uses.contains(&claims.use_) {
        return forbidden("the link is for another use");
    }
    if !claims.path.contains(key) {
        return forbidden("the link's path does not contain this object");
    }
    if claims.is_restricted() {
        return forbidden("the link has a restriction that this version does not enforce");
    }
    Ok(claims)
}

/// The credential of a request: a pass or a link in the query, or a link in `Authorization`.
enum Credential<'request> {
    Pass(&'request str),
    Link(String),
}

impl<'request> Credential<'request> {
    fn of(request: &Request<'request>) -> Result<Self, Refusal> {
        let pass = parameter(request.query, "p")?;
        let token = parameter(request.query, "token")?;
        match (pass, token) {
            (Some(_), Some(_)) => Err(Refusal::new(Problem::BadRequest, "both a pass and a link")),
            (Some(pass), None) => Ok(Self::Pass(pass)),
            (None, Some(token)) => Ok(Self::Link(token.to_owned())),
            (None, None) => bearer((request.header)("authorization"))
                .map(Self::Link)
                .ok_or_else(|| Refusal::new(Problem::MissingToken, "no credential")),
        }
    }
}

/// The value of a query parameter that may be there once.
pub(crate) fn parameter<'query>(
    query: Option<&'query str>,
    name: &str,
) -> Result<Option<&'query str>, Refusal> {
    let mut values = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|parameter| match parameter.split_once('=') {
            Some((found, value)) => (found == name).then_some(value),
            None => (parameter == name).then_some(""),
        });
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::new(
            Problem::BadRequest,
            format!("the parameter `{name}` is there twice"),
        ));
    }
    Ok(first)
}

/// RFC 6750 §2.1; the scheme's name is case-insensitive (RFC 9110 §11.1).
fn bearer(authorization: Option<String>) -> Option<String> {
    let authorization = authorization?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::Scope;

    const NOW: u64 = 1_800_000_000;

    fn config() -> Config {
        Config::from_lookup(|name| {
            (name == "LECTERN_KEYS").then(|| {
                r#"[{"kid":"k","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#.to_owned()
            })
        })
        .expect("a config")
    }

    fn link(config: &Config, path: &str, use_: Use) -> String {
        let claims = Claims {
            use_,
            ..Claims::new(Scope::parse(path).expect("a scope"), NOW + 60)
        };
        link::mint(config.keys.minting(), &claims)
    }

    /// What is decided, in a word: `read`, `write`, `options` or the refusal's code.
    fn decided(config: &Config, method: &str, url: &str, headers: &[(&str, &str)]) -> String {
        let (_, path, query) = split_url(url).expect("a URL");
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let request = Request {
            method,
            path,
            query,
            header: &header,
        };
        match decide(&request, config, NOW) {
            Decision::Options => "options".to_owned(),
            Decision::Read(_) => "read".to_owned(),
            Decision::Write(_) => "write".to_owned(),
            Decision::Refuse(refusal) => refusal.problem.code().to_owned(),
        }
    }

    #[test]
    fn a_link_opens_what_it_says_for_what_it_says() {
        let config = config();
        let length = ("content-length", "1");
        for (path, use_, method, url, expected) in [
            ("/a/", Use::Play, "GET", "/a/b", "read"),
            ("/a/", Use::Play, "HEAD", "/a/b/c", "read"),
            ("/a/", Use::Download, "GET", "/a/b", "read"),
            ("/a/", Use::Admin, "GET", "/a/b", "read"),
            ("/a/", Use::Upload, "GET", "/a/b", "forbidden"),
            ("/a/b", Use::Play, "GET", "/a/b", "read"),
            ("/a/b", Use::Play, "GET", "/a/c", "forbidden"),
            ("/a/", Use::Play, "GET", "/ab/c", "forbidden"),
            ("/a/", Use::Play, "PUT", "/a/b", "forbidden"),
            ("/a/", Use::Download, "DELETE", "/a/b", "forbidden"),
            ("/a/", Use::Upload, "PUT", "/a/b", "write"),
            ("/a/", Use::Upload, "DELETE", "/a/b", "write"),
            ("/a/", Use::Admin, "PUT", "/a/b", "write"),
            ("/a/", Use::Upload, "PUT", "/b/b", "forbidden"),
            ("/a/", Use::Upload, "PATCH", "/a/b", "method_not_allowed"),
            ("/a/", Use::Play, "GET", "/a/%2e%2e/b", "bad_path"),
            ("/a/", Use::Play, "GET", "/_lectern/x", "not_found"),
            ("/a/", Use::Play, "OPTIONS", "/%zz", "options"),
        ] {
            let token = link(&config, path, use_);
            let bearer = format!("bearer {token}");
            let case = format!("{path} {use_:?} {method} {url}");
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
        let token = link(&config, "/a", Use::Play);
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
    fn a_restriction_that_is_not_enforced_refuses() {
        let config = config();
        let claims = Claims {
            max_height: Some(480),
            ..Claims::new(Scope::parse("/a/").expect("a scope"), NOW)
        };
        let token = link::mint(config.keys.minting(), &claims);
        let url = format!("https://a.example/a/master.m3u8?token={token}");
        assert_eq!(decided(&config, "GET", &url, &[]), "forbidden");
    }

    #[test]
    fn a_pass_opens_its_object_and_writes_nothing() {
        let config = config();
        let mut minted = Vec::new();
        pass::Minter::new(config.keys.minting(), NOW).mint(Kind::Object, "a/", "b", &mut minted);
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
    fn a_write_says_what_it_wants() {
        let config = config();
        let token = link(&config, "/a/", Use::Upload);
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
                "bad_request",
            ),
            (
                "PUT",
                "",
                vec![("content-length", "1"), ("if-match", "W/\"a\"")],
                "bad_request",
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
            // 300 parts of 100 MiB are more than 20 GiB.
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
}
