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
