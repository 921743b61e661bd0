//! Reads of stable names: the stored object, else that of the revision that plays now.

use worker::Env;

use super::read::{ReadContext, Served, bytes_in_memory, find, not_found};
use super::{read as reads, revocations};
use crate::http::problem::{Problem, Refusal};
use crate::object::key::ObjectKey;
use crate::operation::read::{Naming, Read, Treatment};
use crate::operation::stable_name::{MAX_BYTES, find_object, playlist_beside};

/// Answers a read, whose key may be a stable name. `position` is as for [`reads::read`].
pub(super) async fn read(
    mut of: Read<'_>,
    position: Option<u32>,
    env: &Env,
    context: &ReadContext<'_>,
    now: u64,
) -> Result<Served, Refusal> {
    if of.is_refused_by_name() {
        let reason = "a link with restrictions opens playlists";
        return Err(Refusal::new(Problem::Forbidden, reason));
    }
    let stored = reads::read(&of, position, context).await;
    let redirects = match (&stored, of.name) {
        (Err(refusal), Naming::Stable { redirects }) if refusal.problem == Problem::NotFound => {
            redirects
        }
        _ => return stored,
    };
    let playlist = playlist_beside(&of.key).ok_or_else(not_found)?;
    let name = std::mem::replace(&mut of.key, playlist);
    let treatment = std::mem::replace(&mut of.treatment, Treatment::Rewrite);
    let object = current_object(&of, &name, context).await?;
    if let Some(ticket) = of.grant.ticket.filter(|_| of.viewer.asks_revocations) {
        revocations::check(env, &ticket, &object, now).await?;
    }
    (of.key, of.treatment, of.name) = (object, treatment, Naming::Resolved);
    of.hides_link |= redirects;
    reads::read(&of, position, context).await
}

/// The object that `name` stands for while the playlist of `playlist` plays.
async fn current_object(
    playlist: &Read<'_>,
    name: &ObjectKey,
    context: &ReadContext<'_>,
) -> Result<ObjectKey, Refusal> {
    let found = find(playlist, context).await?;
    let size = found.stored.size;
    if size > MAX_BYTES as u64 {
        found.discard();
        return Err(not_found());
    }
    let (bytes, _held) = bytes_in_memory(playlist, found, context).await?;
    find_object(name, &bytes).ok_or_else(not_found)
}
