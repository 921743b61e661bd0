//! Steering manifests: from the playlist of the opened revision, or from the opened playlist.

use worker::Env;

use super::read::{ReadContext, Served, read};
use super::{check_viewer, revocations};
use crate::decide::SteeringRead;
use crate::http::problem::{Problem, Refusal};

pub(super) async fn steer(
    steering: SteeringRead<'_>,
    env: &Env,
    context: &ReadContext<'_>,
    now: u64,
) -> Result<Served, Refusal> {
    let SteeringRead {
        read: mut of,
        pinned,
    } = steering;
    let checked = async {
        check_viewer(of.viewer, &mut of.grant.ticket, &of.key, env, now).await?;
        match (&pinned, of.grant.ticket) {
            (Some(pinned), Some(ticket)) if of.viewer.asks_revocations => {
                revocations::check(env, &ticket, pinned, now).await
            }
            _ => Ok(()),
        }
    };
    checked.await.map_err(Refusal::ends_steering)?;
    let mut opened = pinned.map(|pinned| std::mem::replace(&mut of.key, pinned));
    loop {
        match (read(&of, None, context).await, opened.take()) {
            (Err(refusal), Some(opened)) if refusal.problem == Problem::NotFound => of.key = opened,
            (served, _) => return served.map_err(Refusal::ends_steering),
        }
    }
}
