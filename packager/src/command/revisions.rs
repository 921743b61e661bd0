//! `lectern revisions`: what lies at a target, and what plays.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;

use crate::command;
use crate::command::args::TargetArgs;
use crate::progress::megabytes;
use crate::publish::inventory::Inventory;
use crate::storage::error::StorageError;
use clap::Args;

/// As `--json` tells it.
#[derive(Serialize)]
pub(crate) struct ListedRevision<'a> {
    revision: &'a str,
    live: bool,
    /// None where it was never complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<DateTime<Utc>>,
    objects: usize,
    bytes: u64,
}

pub(crate) async fn run(args: RevisionsArgs) -> Result<()> {
    let looking = || format!("cannot look at `{}`", args.target.target);
    let target = args.target.open().with_context(looking)?;
    let inventory = Inventory::of(&target).await.with_context(looking)?;
    if inventory.live.is_none() && inventory.revisions.is_empty() {
        return Err(StorageError::Nothing(args.target.target.clone())).with_context(looking);
    }
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.trunc_subsecs(0));
    let listed: Vec<ListedRevision> = (inventory.revisions.iter())
        .map(|revision| ListedRevision {
            revision: &revision.name,
            live: inventory.live.as_ref() == Some(&revision.name),
            published: seconds(revision.published()),
            replaced: seconds(revision.replaced()),
            objects: revision.entries.len(),
            bytes: revision.bytes(),
        })
        .collect();
    if args.json {
        println_json(&listed)?;
        return Ok(());
    }
    for revision in listed {
        command::print(&line(&revision))?;
    }
    Ok(())
}

pub(crate) fn line(revision: &ListedRevision) -> String {
    let shown = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let state = match (revision.live, revision.published, revision.replaced) {
        (true, ..) => "plays".to_owned(),
        (false, _, Some(replaced)) => format!("replaced {}", shown(replaced)),
        (false, None, None) => "never complete".to_owned(),
        (false, Some(_), None) => "not played yet".to_owned(),
    };
    format!(
        "{}  {:19}  {:5} objects  {:9.1} MB  {state}",
        revision.revision,
        revision.published.map(shown).unwrap_or_default(),
        revision.objects,
        megabytes(revision.bytes)
    )
}

pub(crate) fn println_json(value: &impl Serialize) -> Result<()> {
    command::print(&serde_json::to_string_pretty(value)?)
}

#[derive(Debug, Args)]
pub(crate) struct RevisionsArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print one JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}
