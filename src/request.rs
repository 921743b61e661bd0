//! A request as a set of facts, and the parsing of its URL.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::credential::binding::{Binding, Country, Network};
use crate::http::problem::{Problem, Refusal};
use crate::object::key::{ObjectKey, hex};
use crate::text::split_once;

/// The maximum length of a query. A link has at most 4 KiB, and metrics (CMCD) less.
const MAX_QUERY_BYTES: usize = 8 * 1024;

/// The prefix of the edge's own paths: pages, health.
pub(crate) const RESERVED: &str = "_lectern/";

/// An incoming request.
#[derive(Clone, Copy)]
pub struct Request<'request> {
    pub method: &'request str,
    /// Scheme, host and port.
    pub origin: &'request str,
    /// The path as the client sent it, still encoded.
    pub path: &'request str,
    /// The query without its question mark.
    pub query: Option<&'request str>,
    /// Looks up a header by its lower-case name.
    pub header: &'request dyn Fn(&str) -> Option<String>,
    /// The country of the client's address, according to the platform.
    pub country: &'request dyn Fn() -> Option<String>,
}

impl Request<'_> {
    /// The client's address. Cloudflare overwrites this header on every request.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        (self.header)("cf-connecting-ip")?.trim().parse().ok()
    }

    /// Returns whether a script of a page sends the request. Browsers name the page's origin (Fetch
    /// standard, `Origin`) if the page is another site's, and an empty destination
    /// (`Sec-Fetch-Dest`) if a script fetches.
    pub(crate) fn is_by_script(&self) -> bool {
        (self.header)("origin").is_some()
            || (self.header)("sec-fetch-dest").is_some_and(|destination| destination == "empty")
    }

    /// The key that counts the refusals of an address: its /24 or /64, because a client often
    /// controls a whole /64.
    #[must_use]
    pub fn limited_as(&self) -> Option<String> {
        let network = Network::of(self.address()?);
        Some(URL_SAFE_NO_PAD.encode(network.bytes()))
    }

    pub(crate) fn country(&self) -> Option<Country> {
        Country::parse(&(self.country)()?)
    }

    /// The network and country of the request, as far as they are needed.
    pub(crate) fn binding(&self, network: bool, country: bool) -> Binding {
        Binding {
            network: network.then(|| self.address()).flatten().map(Network::of),
            country: country.then(|| self.country()).flatten(),
        }
    }
}

impl std::fmt::Debug for Request<'_> {
    /// Omits query and headers, because they carry credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Splits an absolute URL into origin, path and query, without the fragment.
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

/// The value of a query parameter, which may occur once.
pub(crate) fn parameter<'query>(
    query: Option<&'query str>,
    name: &str,
) -> Result<Option<&'query str>, Refusal> {
    if query.is_some_and(|query| query.len() > MAX_QUERY_BYTES) {
        return Err(Refusal::new(Problem::BadRequest, "the query exceeds 8 KiB"));
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
            format!("the parameter `{name}` occurs twice"),
        ));
    }
    Ok(first)
}

/// Decodes a query parameter's value (RFC 3986 §2.1), once. A plus sign stays one.
pub(crate) fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(*rest.next()?)? * 16 + hex(*rest.next()?)?,
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Splits `/~<pass>/…`, a directory's pass in the path, from the rest of the path.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_once() {
        for (value, expected) in [
            ("", Some("")),
            ("AB-cd_9~.", Some("AB-cd_9~.")),
            ("a%2Bb%2fc%3D%3d", Some("a+b/c==")),
            ("a+b", Some("a+b")),
            ("%2541", Some("%41")),
            ("%c3%a9", Some("é")),
            ("%", None),
            ("%2", None),
            ("%+1", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(value).as_deref(), expected, "{value}");
        }
    }
}
