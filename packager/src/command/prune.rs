//! `lectern prune`: removes revisions, and parts of a live recording, that no viewer can still be
//! watching.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt as _, stream};

use crate::clock;
use crate::command::args::TargetArgs;
use crate::input::live::LiveParts;
use crate::layout::{self, TEMPORARY_PREFIX};
use crate::progress::{Progress, StepUnit};
use crate::publish::inventory::{Inventory, Revision};
use crate::redact::redacted;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::units::{duration, format_bytes, format_count};
use clap::Args;

pub(crate) async fn run(args: PruneArgs) -> Result<()> {
    let pruning = || format!("cannot prune `{}`", redacted(&args.target.target));
    prune(&args).await.with_context(pruning)
}

async fn prune(args: &PruneArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let target = args.target.open()?;
    let inventory = Inventory::list(&target).await?;
    if inventory.live.is_none() {
        // The objects may belong to the first publication, which is still running.
        return Err(StorageError::Nothing(redacted(&args.target.target)).into());
    }
    let now = clock::now();
    let expired = expired_revisions(&inventory, args.keep, args.max_watch, now);
    let temporary = expired_temporary_files(&inventory, args.max_watch, now);
    let live = LiveParts::find_expired(&target, &inventory.others, args.max_watch, now).await?;
    let (live_objects, live_bytes) = live.amount();
    let bytes = expired.iter().map(|revision| revision.bytes()).sum::<u64>() + live_bytes;
    let names: Vec<&str> = expired
        .iter()
        .map(|revision| revision.name.as_str())
        .collect();
    if !args.dry_run {
        let step = progress.step("removing", StepUnit::Bytes, bytes);
        for revision in &expired {
            // `package.json` goes first, so that `rollback` never finds half of a revision.
            let package_json = layout::package_json_path(&revision.name);
            target.remove(&package_json).await?;
            let rest = revision
                .entries
                .iter()
                .filter(|entry| entry.path != package_json);
            stream::iter(rest.map(Ok::<_, StorageError>))
                .try_for_each_concurrent(MAX_REQUESTS, |entry| {
                    let (target, step) = (&target, &step);
                    async move {
                        target.remove(&entry.path).await?;
                        step.add(entry.bytes);
                        Ok(())
                    }
                })
                .await?;
        }
        live.remove(&target, &step).await?;
        for path in &temporary {
            target.remove(path).await?;
        }
        step.finish();
    }
    let verb = match args.dry_run {
        true => "would remove",
        false => "removed",
    };
    progress.note(format_args!(
        "{verb} {} of {} revisions{}, {}",
        names.len(),
        inventory.revisions.len(),
        match live_objects {
            0 => String::new(),
            count => format!(" and {} of a live recording", format_count(count, "object")),
        },
        format_bytes(bytes)
    ));
    progress.result(
        names.join("\n"),
        &serde_json::json!({"removed": names, "live_objects": live_objects, "bytes": bytes}),
    );
    Ok(())
}

/// Revisions to remove: not the live one, not the `keep - 1` latest beside it, and none that is
/// being watched or uploaded. Viewers' passes open a replaced revision for `max_watch`.
fn expired_revisions(
    inventory: &Inventory,
    keep: usize,
    max_watch: Duration,
    now: DateTime<Utc>,
) -> Vec<&Revision> {
    let is_named = |revision: &&Revision| {
        inventory.named.contains(&revision.name) || inventory.live.as_ref() == Some(&revision.name)
    };
    let complete = (inventory.revisions.iter())
        .filter(|revision| !is_named(revision) && revision.published().is_some());
    let kept: Vec<&str> = complete
        .take(keep.saturating_sub(1))
        .map(|revision| revision.name.as_str())
        .collect();
    (inventory.revisions.iter())
        .filter(|revision| !is_named(revision) && !kept.contains(&revision.name.as_str()))
        .filter(|revision| {
            let last = revision.replaced().max(revision.newest());
            last.is_none_or(|last| is_over(last, max_watch, now))
        })
        .collect()
}

/// Temporary files of processes that were killed.
fn expired_temporary_files(
    inventory: &Inventory,
    max_watch: Duration,
    now: DateTime<Utc>,
) -> Vec<&str> {
    let is_temporary = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with(TEMPORARY_PREFIX)
    };
    let everywhere = (inventory.others.iter()).chain(
        inventory
            .revisions
            .iter()
            .flat_map(|revision| &revision.entries),
    );
    everywhere
        .filter(|entry| is_temporary(&entry.path) && is_over(entry.modified, max_watch, now))
        .map(|entry| entry.path.as_str())
        .collect()
}

fn is_over(last: DateTime<Utc>, max_watch: Duration, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(last)
        .to_std()
        .is_ok_and(|since| since >= max_watch)
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Number of complete revisions to keep: the one that plays, and the latest ones beside it.
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub(crate) keep: usize,
    /// The edge's MAX_WATCH: how long viewers may keep watching a replaced revision, or the parts of
    /// a live recording.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) max_watch: Duration,
    /// Print the revisions to remove, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn revisions_that_play_are_kept_or_may_be_watched_stay() {
        let inventory = Inventory::new(
            "v/live/480p/playlist.m3u8\n",
            "v/half/",
            vec![
                entry("v/live/package.json", 100),
                entry("v/half/package.json", 110),
                entry("v/old1/package.json", 10),
                entry("v/old1/replaced.json", 20),
                entry("v/old2/package.json", 30),
                entry("v/old2/replaced.json", 100),
                entry("v/old3/package.json", 5),
                entry("v/old3/replaced.json", 8),
                entry("v/orphan/seg", 50),
                entry("v/underway/seg", 115),
                entry("v/old1/.lectern-abc", 1),
                entry(".lectern-def", 119),
            ],
        );
        for (keep, minutes, now, expected) in [
            (1, 60, 120, vec!["orphan", "old1", "old3"]),
            (2, 60, 120, vec!["orphan", "old1", "old3"]),
            (1, 60, 160, vec!["orphan", "old2", "old1", "old3"]),
            (2, 60, 160, vec!["orphan", "old1", "old3"]),
            (3, 60, 160, vec!["orphan", "old3"]),
            (9, 60, 160, vec!["orphan"]),
            (
                1,
                0,
                120,
                vec!["underway", "orphan", "old2", "old1", "old3"],
            ),
            (1, 1000, 120, vec![]),
        ] {
            let now = entry("", now).modified;
            let watch = Duration::from_secs(minutes * 60);
            let found: Vec<&str> = expired_revisions(&inventory, keep, watch, now)
                .into_iter()
                .map(|revision| revision.name.as_str())
                .collect();
            assert_eq!(found, expected, "{keep} {minutes}");
        }
        let watch = Duration::from_secs(3600);
        let found = expired_temporary_files(&inventory, watch, entry("", 120).modified);
        assert_eq!(found, ["v/old1/.lectern-abc"]);
    }
}
