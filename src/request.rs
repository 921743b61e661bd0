//! A request as a set of facts, and how its URL is read.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::credential::binding::{Binding, Country, Network};
use crate::http::problem::{Problem, Refusal};
use crate::object::key::ObjectKey;
use crate::text::split_once;

/// A query longer than this is none that a player sends: a link has at most 4 KiB, and metrics (CMCD) less.
const MAX_QUERY_BYTES: usize = 8 * 1024;

/// Object keys below this are the edge's own: pages, health.
pub(crate) const RESERVED: &str = "_lectern/";

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
    pub(crate) fn address(&self) -> Option<IpAddr> {
        (self.header)("cf-connecting-ip")?.trim().parse().ok()
    }

    /// Whether a script of a page sends the request. Browsers name the page's origin (Fetch standard, `Origin`) when the page
    /// is another site's, and an empty destination (`Sec-Fetch-Dest`) when a script fetches.
    pub(crate) fn is_by_script(&self) -> bool {
        (self.header)("origin").is_some()
            || (self.header)("sec-fetch-dest").is_some_and(|destination| destination == "empty")
    }

    /// The name under which refusals of an address are counted: its /24 or /64, since whoever has one address of a /64 has
    /// them all.
    #[must_use]
    pub fn limited_as(&self) -> Option<String> {
        let network = Network::of(self.address()?);
        Some(URL_SAFE_NO_PAD.encode(network.bytes()))
    }

    pub(crate) fn country(&self) -> Option<Country> {
        Country::parse(&(self.country)()?)
    }

    /// Where the request comes from, as far as it is asked for.
    pub(crate) fn place(&self, network: bool, country: bool) -> Binding {
        Binding {
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
/// use lectern::request::split_url;
/// assert_eq!(split_url("https://a.example/b/c?d=e#f"), Some(("https://a.example", "/b/c", Some("d=e"))));
/// assert_eq!(split_url("https://a.example"), None);
/// ```
#[must_use]
pub fn split_url(url: &str) -> Option<(&str, &str, Option<&str>)> {
    let (scheme, rest) = split_once(url, "://")?;
    let path_starts = scheme.len() + 3 + rest.find('/')?;
    let (origin, rest) = url.split_at_checked(path_starts)?;
    let rest = rest.split('#').next().unwrap_or(rest);
    Some(match rest.split_once('?') {
        Some((path, query)) => (origin, path, Some(query)),
        None => (origin, rest, None),
    })
}

/// The value of a query parameter that may be there once.
pub(crate) fn parameter<'query>(
    query: Option<&'query str>,
    name: &str,
) -> Result<Option<&'query str>, Refusal> {
    if query.is_some_and(|query| query.len() > MAX_QUERY_BYTES) {
        return Err(Refusal::new(Problem::BadRequest, "a query of over 8 KiB"));
    }
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

/// A directory's pass in the path, `/~<pass>/…`, and the path behind it.
pub(crate) fn split_path_pass(path: &str) -> (Option<&str>, &str) {
    path.strip_prefix("/~")
        .and_then(|rest| rest.split_at_checked(rest.find('/')?))
        .map_or((None, path), |(pass, rest)| (Some(pass), rest))
}

/// The object that a path names.
pub(crate) fn object_key(path: &str) -> Result<ObjectKey, Refusal> {
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
