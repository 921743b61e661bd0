//! `lectern revisions`: lists the revisions at a target, and marks the one that plays.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;

use crate::command;
use crate::command::args::TargetArgs;
use crate::publish::inventory::Inventory;
use crate::redact::redacted;
use crate::storage::error::StorageError;
use crate::units::format_bytes;
use clap::Args;

/// A revision, as `--json` prints it.
#[derive(Serialize)]
struct ListedRevision {
    revision: String,
    live: bool,
    /// `None` if the upload was never complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<DateTime<Utc>>,
    objects: usize,
    bytes: u64,
}

pub(crate) async fn run(args: RevisionsArgs) -> Result<()> {
    let listing = || format!("cannot look at `{}`", redacted(&args.target.target));
    let revisions = list_revisions(&args).await.with_context(listing)?;
    if args.json {
        return command::print(&serde_json::to_string_pretty(&revisions)?);
    }
    for revision in revisions {
        command::print(&format_line(&revision))?;
    }
    Ok(())
}

async fn list_revisions(args: &RevisionsArgs) -> Result<Vec<ListedRevision>> {
    let target = args.target.open()?;
    let inventory = Inventory::list(&target).await?;
    if inventory.live.is_none() && inventory.revisions.is_empty() {
        return Err(StorageError::Nothing(redacted(&args.target.target)).into());
    }
    Ok(rows(&inventory))
}

/// Rows of the list. The note that a revision was replaced is none of its objects.
fn rows(inventory: &Inventory) -> Vec<ListedRevision> {
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.trunc_subsecs(0));
    let revisions = (inventory.revisions.iter()).map(|revision| ListedRevision {
        revision: revision.name.clone(),
        live: inventory.live.as_ref() == Some(&revision.name),
        published: seconds(revision.published()),
        replaced: seconds(revision.replaced()),
        objects: revision.published_entries().count(),
        bytes: revision.published_entries().map(|entry| entry.bytes).sum(),
    });
    revisions.collect()
}

fn format_line(revision: &ListedRevision) -> String {
    let format = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let state = match (revision.live, revision.published, revision.replaced) {
        (true, ..) => "plays".to_owned(),
        (false, _, Some(replaced)) => format!("replaced {}", format(replaced)),
        (false, None, None) => "never complete".to_owned(),
        (false, Some(_), None) => "not played yet".to_owned(),
    };
    format!(
        "{}  {:19}  {:5} objects  {:>10}  {state}",
        revision.revision,
        revision.published.map(format).unwrap_or_default(),
        revision.objects,
        format_bytes(revision.bytes)
    )
}

#[derive(Debug, Args)]
pub(crate) struct RevisionsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print one JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn a_replaced_revision_has_the_objects_that_were_published() {
        let inventory = Inventory::new(
            "v/new/480p/playlist.m3u8\n",
            "",
            vec![
                entry("v/new/package.json", 8),
                entry("v/new/seg", 8),
                entry("v/old/package.json", 1),
                entry("v/old/seg", 1),
                entry("v/old/replaced.json", 9),
            ],
        );
        let lines: Vec<String> = rows(&inventory).iter().map(format_line).collect();
        assert_eq!(
            lines,
            [
                "new  1970-01-01 00:08:00      2 objects    20 bytes  plays",
                "old  1970-01-01 00:01:00      2 objects    20 bytes  replaced 1970-01-01 00:09:00",
            ]
        );
    }
}
