//! The decision: from the facts of a request, the configuration and the time to everything that can happen, as one
//! enum. No storage is touched before a credential was verified here.

use std::fmt::Display;
use std::net::IpAddr;

use crate::config::Config;
use crate::content_type;
use crate::http::date::parse_date;
use crate::http::precondition::{Conditions, EntityTags, IfRange};
use crate::http::problem::Problem;
use crate::http::range::ByteRange;
use crate::link::{self, Claims, LinkError, Use};
use crate::network::{Country, Network, Place};
use crate::object_key::{Directory, ObjectKey};
use crate::pass::{self, Kind, Minter, Pass, PassError};
use crate::playlist::{Entitlements, Grant, Limits, is_playlist_name};
use crate::read::{Read, Treatment};
use crate::write::Write;

/// Object keys below this are the edge's own: pages, health.
const RESERVED: &str = "_lectern/";

/// A request as it came in.
#[derive(Clone, Copy)]
pub struct Request<'request> {
    pub method: &'request str,
    /// Scheme, host and port.
    pub origin: &'request str,
    /// The path as the client sent it, still encoded.
    pub path: &'request str,
    /// The query without its question mark.
    pub query: Option<&'request str>,
    /// A header's value by its name in lower case.
    pub header: &'request dyn Fn(&str) -> Option<String>,
    /// The country that the client's address is in, as the platform says it.
    pub country: &'request dyn Fn() -> Option<String>,
}

impl Request<'_> {
    /// The client's address. Cloudflare sets the header on every request, whatever the client sent.
    fn address(&self) -> Option<IpAddr> {
        (self.header)("cf-connecting-ip")?.trim().parse().ok()
    }

    fn country(&self) -> Option<Country> {
        Country::parse(&(self.country)()?)
    }

    /// Where the request comes from, as far as it is asked for.
    fn place(&self, network: bool, country: bool) -> Place {
        Place {
            network: network.then(|| self.address()).flatten().map(Network::of),
            country: country.then(|| self.country()).flatten(),
        }
    }
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
    /// 307 to this path on our own origin.
    Redirect(String),
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
        "GET" | "HEAD" => read(request, config, now),
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
) -> Result<Decision<'config>, Refusal> {
    let (in_path, path) = split_path_pass(request.path);
    let key = object_key(path)?;
    let mut attachment = false;
    let mut by_pass = true;
    let (treatment, expires, grant) = match Credential::of(request, in_path)? {
        Credential::PathPass(text) => {
            let pass = open_pass(text, &key, request, config, now)?;
            let Kind::Directory { depth } = pass.kind else {
                return Err(Refusal::new(
                    Problem::Forbidden,
                    "an object's pass in the path",
                ));
            };
            let grant = grant_of(config, &key, depth, &pass, request, Limits::None)?;
            (Treatment::AsStored, pass.expires, grant)
        }
        Credential::Pass(text) => {
            let pass = open_pass(text, &key, request, config, now)?;
            let (treatment, depth, limits) = match pass.kind {
                Kind::Object => (Treatment::AsStored, 0, Limits::None),
                Kind::Playlist { depth } => (Treatment::Playlist, depth, Limits::None),
                Kind::AssetList { depth } => (Treatment::AssetList, depth, Limits::None),
                Kind::Restricted { depth, preview } => {
                    (Treatment::Playlist, depth, Limits::Media { preview })
                }
                Kind::Directory { .. } => {
                    return Err(Refusal::new(
                        Problem::Forbidden,
                        "a directory's pass in the query",
                    ));
                }
            };
            let grant = grant_of(config, &key, depth, &pass, request, limits)?;
            (treatment, pass.expires, grant)
        }
        Credential::Link(link) => {
            let uses = [Use::Play, Use::Download, Use::Admin];
            let claims = open_link(&link, &key, &uses, request, config, now)?;
            let grant = grant_by_link(config, &claims, request, now)?;
            if grant.limits == Limits::None && key.has_extension("mpd") {
                return location(&key, &grant).map(Decision::Redirect);
            }
            attachment = claims.use_ == Use::Download && key.has_extension("mp4");
            by_pass = false;
            (by_name(&key), claims.exp, grant)
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
    Ok(Decision::Read(Box::new(Read {
        key,
        head,
        treatment,
        by_pass,
        attachment,
        conditions,
        range,
        seconds_left: expires.saturating_sub(now),
        grant,
    })))
}

/// What a link that names the object makes of it: only where the name says nothing, the stored content type counts.
fn by_name(key: &ObjectKey) -> Treatment {
    if is_playlist_name(key.split().1) {
        Treatment::Playlist
    } else if content_type::for_key(key.as_str()) == content_type::UNKNOWN {
        Treatment::ByContentType
    } else {
        Treatment::AsStored
    }
}

/// A directory's pass in the path, `/~<pass>/…`, and the path behind it.
fn split_path_pass(path: &str) -> (Option<&str>, &str) {
    path.strip_prefix("/~")
        .and_then(|rest| rest.find('/').map(|slash| rest.split_at(slash)))
        .map_or((None, path), |(pass, rest)| (Some(pass), rest))
}

fn open_pass(
    text: &str,
    key: &ObjectKey,
    request: &Request<'_>,
    config: &Config,
    now: u64,
) -> Result<Pass, Refusal> {
    // Where the request comes from is only asked of what is bound to a place.
    let (network, country) = pass::decode(text).map_or((false, false), |pass| pass.bound);
    let place = request.place(network, country);
    pass::verify(text, key, place, &config.keys, now).map_err(|error| {
        let problem = match error {
            PassError::Expired(_) => Problem::Expired,
            _ => Problem::Forbidden,
        };
        Refusal::new(problem, error)
    })
}

/// What a pass lets its playlist hand on: no more than it says itself.
fn grant_of<'config>(
    config: &'config Config,
    key: &ObjectKey,
    depth: u8,
    pass: &Pass,
    request: &Request<'_>,
    limits: Limits,
) -> Result<Grant<'config>, Refusal> {
    let root = Directory::ancestor_of(key, depth.into())
        .ok_or_else(|| Refusal::new(Problem::Forbidden, "the pass's root"))?;
    Ok(Grant {
        key: config.keys.minting(),
        expires: pass.expires,
        root,
        depth,
        place: request.place(pass.bound.0, pass.bound.1),
        limits,
    })
}

/// What a link lets a playlist hand on.
fn grant_by_link<'config>(
    config: &'config Config,
    claims: &Claims,
    request: &Request<'_>,
    now: u64,
) -> Result<Grant<'config>, Refusal> {
    let watch = claims
        .watch
        .unwrap_or(config.watch_window)
        .min(config.max_watch);
    let root = claims.path.root();
    let depth = depth(&root)?;
    let entitlements = Entitlements {
        max_height: claims.max_height,
        langs: claims.langs.clone(),
        preview: claims.preview,
    };
    Ok(Grant {
        key: config.keys.minting(),
        expires: pass::expiry(now, watch),
        root,
        depth,
        place: request.place(claims.ip.is_some(), claims.country.is_some()),
        limits: if entitlements == Entitlements::default() {
            Limits::None
        } else {
            Limits::Multivariant(entitlements)
        },
    })
}

/// Where a DASH manifest is read: below a directory's pass in the path, which its relative URLs inherit.
fn location(key: &ObjectKey, grant: &Grant<'_>) -> Result<String, Refusal> {
    let directory = key.directory();
    let depth = depth(&directory)?;
    let mut location = b"/~".to_vec();
    Minter::new(grant.key, grant.expires, grant.place).mint(
        Kind::Directory { depth },
        directory.as_str(),
        "",
        &mut location,
    );
    // A pass is base64url, so this is text.
    let mut location = String::from_utf8(location).unwrap_or_default();
    location.push_str(&key.to_url_path());
    Ok(location)
}

/// How deep a directory lies. A pass says it in one byte; a deeper one must not become a wider one.
fn depth(directory: &Directory) -> Result<u8, Refusal> {
    u8::try_from(directory.depth())
        .map_err(|_| Refusal::new(Problem::Forbidden, "a path that is over 255 folders deep"))
}

fn write(request: &Request<'_>, config: &Config, now: u64) -> Result<Write, Refusal> {
    let (in_path, path) = split_path_pass(request.path);
    let key = object_key(path)?;
    match Credential::of(request, in_path)? {
        Credential::Link(link) => {
            let uses = [Use::Upload, Use::Admin];
            open_link(&link, &key, &uses, request, config, now)?;
        }
        Credential::Pass(_) | Credential::PathPass(_) => {
            return Err(Refusal::new(Problem::Forbidden, "a pass writes nothing"));
        }
    }
    Write::parse(request, key, config)
}

/// The object that a path names.
fn object_key(path: &str) -> Result<ObjectKey, Refusal> {
    let key =
        ObjectKey::from_url_path(path).map_err(|error| Refusal::new(Problem::BadPath, error))?;
    if key.as_str().starts_with(RESERVED) {
        return Err(Refusal::new(Problem::NotFound, "a reserved path"));
    }
    if key.as_str().starts_with('~') {
        return Err(Refusal::new(
            Problem::BadPath,
            "a pass in the path without an object",
        ));
    }
    Ok(key)
}

/// Verifies a link, and that it opens `key` for one of `uses` to whoever asks.
fn open_link(
    link: &str,
    key: &ObjectKey,
    uses: &[Use],
    request: &Request<'_>,
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
    let refused = if !uses.contains(&claims.use_) {
        Some("the link is for another use")
    } else if !claims.path.contains(key) {
        Some("the link's path does not contain this object")
    } else if claims.sessions.is_some() {
        Some("the link has `sessions`, which this version does not enforce")
    } else if !address_allowed(&claims, request) {
        Some("the link's `ip` does not contain the address")
    } else if !country_allowed(&claims, request) {
        Some("the link's `country` does not name the country")
    } else if !origin_allowed(&claims, request) {
        Some("the link's `origin` does not name the page's origin")
    } else {
        None
    };
    match refused {
        Some(reason) => Err(Refusal::new(Problem::Forbidden, reason)),
        None => Ok(claims),
    }
}

fn address_allowed(claims: &Claims, request: &Request<'_>) -> bool {
    claims.ip.as_ref().is_none_or(|ranges| {
        request
            .address()
            .is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
    })
}

fn country_allowed(claims: &Claims, request: &Request<'_>) -> bool {
    claims.country.as_ref().is_none_or(|countries| {
        request
            .country()
            .is_some_and(|country| countries.contains(&country))
    })
}

/// Browsers say which page asks: in `Origin` across origins, in `Sec-Fetch-Site` on the same one. Players that are no
/// browser say nothing, and a link for certain pages is not for them.
fn origin_allowed(claims: &Claims, request: &Request<'_>) -> bool {
    let Some(patterns) = &claims.origin else {
        return true;
    };
    let header = request.header;
    let same_origin = || {
        (header("sec-fetch-site").as_deref() == Some("same-origin"))
            .then(|| request.origin.to_owned())
    };
    header("origin")
        .or_else(same_origin)
        .is_some_and(|origin| patterns.iter().any(|pattern| pattern.matches(&origin)))
}

/// The credential of a request: a directory's pass in the path, a pass or a link in the query, or a link in
/// `Authorization`.
enum Credential<'request> {
    PathPass(&'request str),
    Pass(&'request str),
    Link(String),
}

impl<'request> Credential<'request> {
    fn of(request: &Request<'request>, in_path: Option<&'request str>) -> Result<Self, Refusal> {
        let pass = parameter(request.query, "p")?;
        let token = parameter(request.query, "token")?;
        match (in_path, pass, token) {
            (Some(pass), None, None) => Ok(Self::PathPass(pass)),
            (None, Some(pass), None) => Ok(Self::Pass(pass)),
            (None, None, Some(token)) => Ok(Self::Link(token.to_owned())),
            (None, None, None) => bearer((request.header)("authorization"))
                .map(Self::Link)
                .ok_or_else(|| Refusal::new(Problem::MissingToken, "no credential")),
            _ => Err(Refusal::new(
                Problem::BadRequest,
                "more than one credential",
            )),
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
            Decision::Redirect(_) => "redirect".to_owned(),
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
    fn a_link_opens_only_from_where_it_says() {
        let config = config();
        let claims = |json: &str| {
            let json = format!(r#"{{"path":"/a/","exp":{NOW},{json}}}"#);
            serde_json::from_str::<Claims>(&json).expect("claims")
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
            (r#""sessions":1"#, vec![], "forbidden"),
        ] {
            let token = link::mint(config.keys.minting(), &claims(restriction));
            let url = format!("https://a.example/a/b?token={token}");
            let found = decided(&config, "GET", &url, &headers);
            assert_eq!(found, expected, "{restriction} {headers:?}");
        }
    }

    #[test]
    fn a_name_says_what_an_object_is_and_else_its_stored_type_does() {
        for (name, expected) in [
            ("a/p.m3u8", Treatment::Playlist),
            ("a/P.M3U", Treatment::Playlist),
            ("a/s.m4s", Treatment::AsStored),
            ("a/lecture.mp4", Treatment::AsStored),
            ("a/playlist", Treatment::ByContentType),
            ("a.m3u8/x", Treatment::ByContentType),
        ] {
            let key = ObjectKey::new(name).expect(name);
            assert_eq!(by_name(&key), expected, "{name}");
        }
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
        let token = link(&config, "/c/", Use::Play);
        let manifest = format!("https://a.example/c/v/1/manifest.mpd?token={token}");
        let Decision::Redirect(location) = decide_url(&manifest) else {
            panic!("no redirect");
        };
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
        Minter::new(config.keys.minting(), NOW, Place::default()).mint(
            Kind::Object,
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
