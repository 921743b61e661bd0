//! Writes, and the reasons of refusals that the holder of a link reads.

use super::{Decision, ticket};
use crate::config::Config;
use crate::credential::claims::Purpose;
use crate::credential::link::{decode, verify};
use crate::credential::{Credential, open_link, permit_client};
use crate::http::problem::{Problem, Reason, Refusal};
use crate::operation::status::status_subject;
use crate::operation::upload_bounds::UploadBounds;
use crate::operation::write::Write;
use crate::request::{Request, object_key, split_path_pass};

/// The uses of a link that may write.
const WRITERS: [Purpose; 2] = [Purpose::Upload, Purpose::Admin];

pub(super) fn write<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let parsed = parse_write(request, config, now);
    // The holder of a link that may write hears which part of the request is wrong.
    parsed.map_err(|mut refusal| {
        if refusal.problem == Problem::Forbidden || !has_writing_link(request, config, now) {
            return refusal;
        }
        if refusal.problem == Problem::BadPath {
            refusal
                .detail
                .push_str(": percent-encode each name in it, once");
        }
        refusal.told()
    })
}

fn parse_write<'config>(
    request: &Request<'_>,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let (in_path, path) = split_path_pass(request.path);
    let key = object_key(path)?;
    let Credential::Link(link) = Credential::of(request, in_path)? else {
        return Err(Refusal::new(Problem::Forbidden, "a pass cannot write"));
    };
    let writers = match status_subject(&key) {
        Some(_) if request.method != "DELETE" => &[Purpose::Admin],
        _ => &WRITERS[..],
    };
    let claims = open_link(&link, &key, writers, request, config, now)?;
    permit_page(request, config)?;
    let kid = decode(&link).map(|(kid, _)| kid).unwrap_or_default();
    let bounds = UploadBounds::of(&claims, &kid);
    let write = Write::parse(request, key, config, now)?;
    bounds.check(&write)?;
    Ok(Decision::Write {
        write,
        ticket: ticket(&claims, config),
        bounds,
    })
}

/// Checks the page whose script sends a write. The browser asks before a `PUT` from another origin,
/// and not before a `POST`: without this check, every page in the network of a link with `ip` could
/// use a leaked one.
fn permit_page(request: &Request<'_>, config: &Config) -> Result<(), Refusal> {
    let header = request.header;
    let is_allowed = match header("origin") {
        // Browsers send it with each write. Other clients send none.
        None => true,
        Some(origin) => {
            origin == request.origin
                || header("sec-fetch-site").is_some_and(|site| site == "same-origin")
                || config.allowed_origins.allows(&origin)
        }
    };
    let reason = "`ALLOWED_ORIGINS` does not name the page's origin";
    match is_allowed {
        true => Ok(()),
        false => Err(Refusal::because(Problem::Forbidden, Reason::Origin, reason)),
    }
}

/// Returns whether the request has a link that may write somewhere and opens for this client, so
/// that its holder is no forger and no thief.
fn has_writing_link(request: &Request<'_>, config: &Config, now: u64) -> bool {
    let (in_path, _) = split_path_pass(request.path);
    let Ok(Credential::Link(link)) = Credential::of(request, in_path) else {
        return false;
    };
    let verified = verify(&link, &config.keys, now, config.max_link_age);
    verified.is_ok_and(|claims| {
        WRITERS.contains(&claims.purpose)
            && permit_client(&claims, request).is_ok()
            && permit_page(request, config).is_ok()
    })
}
