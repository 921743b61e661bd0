//! Reads of statuses by upload links.

use super::{Decision, grant_by_link};
use crate::config::Config;
use crate::credential::claims::{Claims, STRICT_SECONDS};
use crate::credential::pass;
use crate::http::encoding::accepts_gzip;
use crate::http::precondition::Conditions;
use crate::http::problem::Refusal;
use crate::ledger::ViewerChecks;
use crate::object::key::ObjectKey;
use crate::operation::read::{Naming, Read, Treatment};
use crate::request::Request;

/// Reads a status with an upload link, which opens nothing else. The rest of its query has no
/// effect.
pub(super) fn status<'config>(
    request: &Request<'_>,
    key: ObjectKey,
    claims: &Claims,
    config: &'config Config,
    now: u64,
) -> Result<Decision<'config>, Refusal> {
    let mut grant = grant_by_link(config, claims, &key, request, now)?;
    // A script asks again for each status, so its pass need not last.
    grant.expires = pass::expiry(now, STRICT_SECONDS);
    let header = request.header;
    Ok(Decision::Read(Box::new(Read {
        key,
        is_head: request.method == "HEAD",
        treatment: Treatment::Status,
        has_pass: false,
        is_for_admin: false,
        hides_link: request.is_by_script(),
        attachment: None,
        name: Naming::Exact,
        conditions: Conditions::parse(header, now),
        range: None,
        accepts_gzip: header("accept-encoding").is_some_and(|value| accepts_gzip(&value)),
        sub: claims.sub.clone(),
        viewer: ViewerChecks {
            asks_revocations: grant.ticket.is_some() && config.bindings.revocations,
            ..ViewerChecks::default()
        },
        seconds_left: claims.exp.saturating_sub(now),
        now,
        steering: None,
        grant,
    })))
}
