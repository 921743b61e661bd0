//! The credential of a request: which one it carries, and whether it opens an object for this
//! client.

pub mod binding;
pub mod claims;
pub mod keyring;
pub mod link;
pub mod pass;
pub mod steering_token;
pub mod ticket;

use crate::config::Config;
use crate::http::problem::{Problem, Reason, Refusal};
use crate::object::key::ObjectKey;
use crate::request::{Request, parameter};
use claims::{Claims, Purpose};
use link::LinkError;
use pass::{Pass, PassError};

/// A directory's pass in the path, a pass or a link in the query, or a link in `Authorization`.
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
    // Only bound passes need the request's network and country.
    let (network, country) = pass::decode(text).map_or((false, false), |pass| pass.bound);
    let binding = request.binding(network, country);
    pass::verify(text, key, binding, &config.keys, now).map_err(|error| {
        let (problem, reason) = match error {
            PassError::Expired(at) => (Problem::Expired, Reason::Expired { at }),
            PassError::BadMac => (Problem::Forbidden, Reason::WrongMac),
            PassError::Malformed | PassError::UnknownKey => (Problem::Forbidden, Reason::Other),
        };
        Refusal::because(problem, reason, error)
    })
}

/// Verifies a link, and that it opens `key` for one of `uses` and this client.
pub(crate) fn open_link(
    link: &str,
    key: &ObjectKey,
    uses: &[Purpose],
    request: &Request<'_>,
    config: &Config,
    now: u64,
) -> Result<Claims, Refusal> {
    let claims =
        link::verify(link, &config.keys, now, config.max_link_age).map_err(link_refusal)?;
    permit(&claims, key, uses, request, config)?;
    Ok(claims)
}

/// Verifies a link that may have expired, for as long as a lecture that it opened in its last second
/// goes on.
pub(crate) fn open_ended_link(
    link: &str,
    key: &ObjectKey,
    uses: &[Purpose],
    request: &Request<'_>,
    config: &Config,
    now: u64,
) -> Result<Claims, Refusal> {
    let claims = match link::verify(link, &config.keys, now, config.max_link_age) {
        Err(LinkError::Expired(at)) => {
            let claims = link::verify_signature(link, &config.keys).map_err(link_refusal)?;
            let watch = claims.watch.unwrap_or(config.watch_window);
            let end = at.saturating_add(watch.min(config.max_watch));
            match now > end {
                true => Err(LinkError::Expired(at)),
                false => Ok(claims),
            }
        }
        verified => verified,
    };
    let claims = claims.map_err(link_refusal)?;
    permit(&claims, key, uses, request, config)?;
    Ok(claims)
}

/// The refusal of a link, or of a steering token.
pub(crate) fn link_refusal(error: LinkError) -> Refusal {
    let (problem, reason) = match error {
        LinkError::Expired(at) => (Problem::Expired, Reason::Expired { at }),
        LinkError::NotYetValid(before) => (Problem::Forbidden, Reason::NotYetValid { before }),
        LinkError::UnknownKey | LinkError::BadSignature => (Problem::Forbidden, Reason::WrongKey),
        LinkError::TooFarAhead(_) => (Problem::Forbidden, Reason::TooFarAhead),
        _ => (Problem::Forbidden, Reason::Other),
    };
    Refusal::because(problem, reason, error)
}

/// Checks that verified claims open `key` for one of `uses` and this client.
pub(crate) fn permit(
    claims: &Claims,
    key: &ObjectKey,
    uses: &[Purpose],
    request: &Request<'_>,
    config: &Config,
) -> Result<(), Refusal> {
    let (reason, detail) = if !uses.contains(&claims.purpose) {
        (Reason::Purpose, "the link is for another use")
    } else if !claims.path.contains(key) {
        (Reason::Path, "the link's path does not contain this object")
    } else if claims.sessions.is_some() && !config.bindings.ledgers {
        (
            Reason::Other,
            "the link has `sessions`, and the edge has no binding `LEDGERS`",
        )
    } else if (claims.max_bytes.is_some() || claims.max_objects.is_some())
        && !config.bindings.ledgers
    {
        (
            Reason::Other,
            "the link has `max_bytes` or `max_objects`, and the edge has no binding `LEDGERS`",
        )
    } else {
        return permit_client(claims, request);
    };
    Err(Refusal::because(Problem::Forbidden, reason, detail))
}

/// Checks that verified claims open anything for this client: its address, country, and page.
pub(crate) fn permit_client(claims: &Claims, request: &Request<'_>) -> Result<(), Refusal> {
    let (reason, detail) = if !address_allowed(claims, request) {
        (
            Reason::Address,
            "the link's `ip` does not contain the address",
        )
    } else if !country_allowed(claims, request) {
        (
            Reason::Country,
            "the link's `country` does not name the country",
        )
    } else if !origin_allowed(claims, request) {
        (
            Reason::Origin,
            "the link's `origin` does not name the page's origin",
        )
    } else {
        return Ok(());
    };
    Err(Refusal::because(Problem::Forbidden, reason, detail))
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

/// The header in which the player page names the pages that embed it, the nearest first.
const EMBEDDER: &str = "lectern-embedder";

/// Browsers name the page: in `Origin` across origins, in `Sec-Fetch-Site` on the same one. Other
/// players name none, so a link with `origin` refuses them.
///
/// The player page belongs to the edge, so it also names the pages around it, and these count. Only
/// a script sends that header, and a script of another site sends `Origin` with it.
fn origin_allowed(claims: &Claims, request: &Request<'_>) -> bool {
    let Some(patterns) = &claims.origin else {
        return true;
    };
    let header = request.header;
    let is_listed = |origin: &str| patterns.iter().any(|pattern| pattern.matches(origin));
    let embedders = header(EMBEDDER);
    let page = header("origin").or_else(|| match header("sec-fetch-site") {
        Some(site) => (site == "same-origin").then(|| request.origin.to_owned()),
        // Browsers before `Sec-Fetch-Site`.
        None => embedders.as_ref().map(|_| request.origin.to_owned()),
    });
    match (page, embedders) {
        (None, _) => false,
        (Some(page), None) => is_listed(&page),
        (Some(page), Some(embedders)) => {
            (page == request.origin || is_listed(&page))
                && embedders.split(',').map(str::trim_ascii).all(is_listed)
        }
    }
}
