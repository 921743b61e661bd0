//! The list of revocations, in Workers KV. Each data centre keeps it for half a minute, and each
//! isolate for another half, so a revocation is known everywhere within about a minute, while
//! Workers KV works.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::console;
use worker::{Env, Result};

use super::time::within;
use crate::credential::ticket::Ticket;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::revocation::{FRESH_SECONDS, KEY, Revocations};
use crate::object::key::ObjectKey;
use crate::object::stored::TIMEOUT_MS;

/// The time for which a data centre keeps the list: the least that Workers KV allows.
const KV_SECONDS: u64 = 30;
/// The delay before the list is read again after a failure.
const READ_AGAIN_SECONDS: u64 = 10;
/// The name of the binding in `wrangler.toml`. It is optional.
pub(super) const BINDING: &str = "REVOCATIONS";

thread_local! {
    /// The list, and the second at which it was read.
    static LIST: RefCell<Option<(u64, Rc<Revocations>)>> = const { RefCell::new(None) };
}

/// Refuses a player whose viewer, link or path is revoked.
pub(super) async fn check(
    env: &Env,
    ticket: &Ticket,
    key: &ObjectKey,
    now: u64,
) -> std::result::Result<(), Refusal> {
    let known = LIST.with_borrow(Clone::clone);
    let list = match known {
        Some((at, list)) if now < at + FRESH_SECONDS => list,
        older => match within(TIMEOUT_MS, read(env)).await {
            Some(Ok(list)) => {
                let list = Rc::new(list);
                LIST.replace(Some((now, Rc::clone(&list))));
                list
            }
            // Lectures go on while KV is down. An older list is better than none.
            failure => {
                let reason = match failure {
                    Some(Err(error)) => error.to_string(),
                    _ => "no answer in time".to_owned(),
                };
                console::error_1(
                    &format!("the list of revocations cannot be read: {reason}").into(),
                );
                let list = older.map(|(_, list)| list).unwrap_or_default();
                // The next requests do not wait for KV, too.
                let again = now.saturating_sub(FRESH_SECONDS - READ_AGAIN_SECONDS);
                LIST.replace(Some((again, Rc::clone(&list))));
                list
            }
        },
    };
    if list.revoke(ticket, key, now) {
        let reason = "the viewer, the link or the path is revoked";
        return Err(Refusal::new(Problem::Revoked, reason));
    }
    Ok(())
}

async fn read(env: &Env) -> Result<Revocations> {
    let kept = env.kv(BINDING)?.get(KEY).cache_ttl(KV_SECONDS);
    let text = kept.text().await?;
    match text {
        None => Ok(Revocations::default()),
        Some(text) => Revocations::from_json(text.as_bytes())
            .ok_or_else(|| format!("`{KEY}` is no list").into()),
    }
}

/// Replaces the list. Only its ledger calls this.
pub(super) async fn write(env: &Env, json: &str) -> Result<()> {
    env.kv(BINDING)?.put(KEY, json)?.execute().await?;
    Ok(())
}
