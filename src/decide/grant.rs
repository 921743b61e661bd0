//! The authority that a credential passes on, and the questions about its viewer.

use crate::config::Config;
use crate::credential::claims::{Claims, STRICT_SECONDS};
use crate::credential::pass::{self, Pass};
use crate::credential::ticket::Ticket;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::{PlaceRequest, ViewerChecks};
use crate::object::key::{Directory, ObjectKey};
use crate::playlist::{Entitlements, Grant, Limits};
use crate::request::Request;

/// The grant of a pass: its playlist grants no more than the pass itself.
pub(super) fn grant_of<'config>(
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
        signing_key: config.keys.minting(),
        expires: pass.expires,
        root,
        depth,
        binding: request.binding(pass.bound.0, pass.bound.1),
        ticket: pass.ticket,
        limits,
    })
}

/// The grant of a link that opens `key`.
///
/// Its root is the object's own folder, however far the link reaches. Otherwise, an uploader's
/// playlist could grant the folders around it.
pub(super) fn grant_by_link<'config>(
    config: &'config Config,
    claims: &Claims,
    key: &ObjectKey,
    request: &Request<'_>,
    now: u64,
) -> Result<Grant<'config>, Refusal> {
    let watch = watch(claims, config);
    let life = match claims.strict {
        true => watch.min(STRICT_SECONDS),
        false => watch,
    };
    let root = key.directory();
    let depth = depth(&root)?;
    let entitlements = Entitlements {
        max_height: claims.max_height,
        langs: claims.langs.clone(),
        preview: claims.preview,
    };
    Ok(Grant {
        signing_key: config.keys.minting(),
        expires: pass::expiry(now, life),
        root,
        depth,
        binding: request.binding(claims.ip.is_some(), claims.country.is_some()),
        ticket: ticket(claims, config),
        limits: if entitlements == Entitlements::default() {
            Limits::None
        } else {
            Limits::RestrictedLink(entitlements)
        },
    })
}

/// The seconds for which a lecture goes on after a link opened it.
pub(super) fn watch(claims: &Claims, config: &Config) -> u64 {
    let watch = claims.watch.unwrap_or(config.watch_window);
    watch.min(config.max_watch)
}

/// The depth of a directory. A pass stores it in one byte, and truncation would widen the scope.
fn depth(directory: &Directory) -> Result<u8, Refusal> {
    u8::try_from(directory.depth())
        .map_err(|_| Refusal::new(Problem::Forbidden, "a path that is over 255 folders deep"))
}

/// The ticket of a link, if the edge can ask anything about it.
pub(super) fn ticket(claims: &Claims, config: &Config) -> Option<Ticket> {
    let is_asked = config.bindings.revocations || claims.sessions.is_some();
    Ticket::of(claims).filter(|_| is_asked)
}

/// The checks of a request with a pass. A segment's pass names its viewer or link only for players
/// with a place and strict links, so that browsers can cache the URLs of all others.
pub(super) fn checks_of_pass(pass: &Pass, config: &Config) -> ViewerChecks {
    let place = pass.ticket.and_then(|ticket| ticket.place);
    ViewerChecks {
        asks_revocations: pass.ticket.is_some() && config.bindings.revocations,
        place: place
            .filter(|_| config.bindings.ledgers)
            .map(|_| PlaceRequest::Keep),
        position_of: None,
    }
}
