//! Which credential a request shows, and whether it opens an object to whoever asks.

use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::link::{self, Claims, LinkError, Use};
use crate::object_key::ObjectKey;
use crate::pass::{self, Pass, PassError};
use crate::request::{Request, parameter};

/// The credential of a request: a directory's pass in the path, a pass or a link in the query, or a link in
/// `Authorization`.
pub(crate) enum Credential<'request> {
    PathPass(&'request str),
    Pass(&'request str),
    Link(String),
}

impl<'request> Credential<'request> {
    pub(crate) fn of(
        request: &Request<'request>,
        in_path: Option<&'request str>,
    ) -> Result<Self, Refusal> {
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

/// RFC 6750 §2.1; the scheme's name is case-insensitive (RFC 9110 §11.1).
fn bearer(authorization: Option<String>) -> Option<String> {
    let authorization = authorization?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

/// Verifies a pass for `key`.
pub(crate) fn open_pass(
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

/// Verifies a link, and that it opens `key` for one of `uses` to whoever asks.
pub(crate) fn open_link(
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
    } else if claims.max_bytes.is_some() {
        Some("the link has `max_bytes`, which this version does not enforce")
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
