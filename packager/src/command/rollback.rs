//! `lectern rollback`: activates an earlier revision.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::command::args::TargetArgs;
use crate::layout::{self, MULTIVARIANT};
use crate::package::manifest_json::Package;
use crate::progress::Progress;
use crate::publish::Publication;
use crate::publish::inventory::{Inventory, Revision, read_package};
use crate::redact::redacted;
use crate::storage::error::StorageError;
use crate::storage::object::Upload;

pub(crate) async fn run(args: RollbackArgs) -> Result<()> {
    let rolling_back = || format!("cannot go back at `{}`", redacted(&args.target.target));
    roll_back(&args).await.with_context(rolling_back)
}

async fn roll_back(args: &RollbackArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let target = args.target.open()?;
    let inventory = Inventory::list(&target).await?;
    if inventory.revisions.is_empty() {
        return Err(StorageError::Nothing(redacted(&args.target.target)).into());
    }
    let revision = select_revision(&inventory, args.revision.as_deref())?;
    let package = read_package(&target, &revision.name).await?;
    let missing = count_missing(revision, &package);
    if missing > 0 {
        let revision = revision.name.clone();
        return Err(StorageError::NotWhole { revision, missing }.into());
    }
    if package.root.iter().all(|file| file.path != MULTIVARIANT) {
        return Err(StorageError::NoMaster(revision.name.clone()).into());
    }
    let publication = Publication::without_folder(&target, &revision.name).await?;
    let root_files = (package.root.iter())
        .map(|file| Upload::of_bytes(&file.path, file.text.clone()))
        .collect();
    publication.activate(root_files).await?;
    progress.note(format_args!(
        "revision {} plays again, instead of {}",
        revision.name,
        inventory.live.as_deref().unwrap_or("none")
    ));
    let url = target.master();
    progress.result(
        &url,
        &serde_json::json!({"url": url, "revision": revision.name}),
    );
    Ok(())
}

/// Selects the revision with this name, or the one that was replaced last.
fn select_revision<'a>(
    inventory: &'a Inventory,
    name: Option<&str>,
) -> Result<&'a Revision, StorageError> {
    let mut all = inventory.revisions.iter();
    if let Some(name) = name {
        return all
            .find(|revision| revision.name == name)
            .ok_or_else(|| StorageError::NoRevision(name.to_owned()));
    }
    all.filter(|revision| inventory.live.as_ref() != Some(&revision.name))
        .filter(|revision| revision.published().is_some())
        .max_by_key(|revision| revision.replaced())
        .ok_or(StorageError::NoOtherRevision)
}

/// Counts the objects that are missing or have another size.
fn count_missing(revision: &Revision, package: &Package) -> usize {
    let stored: HashMap<&str, u64> = (revision.entries.iter())
        .map(|entry| (entry.path.as_str(), entry.bytes))
        .collect();
    let is_immutable = |path: &str| !layout::is_mutable(path);
    (package.objects.iter())
        .filter(|object| is_immutable(&object.path))
        .filter(|object| stored.get(object.path.as_str()) != Some(&object.bytes))
        .count()
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Revision to activate [default: the one that was replaced last].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn a_rollback_activates_the_revision_that_was_replaced_last_or_the_named_one() {
        let inventory = Inventory::new(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/bb/480p/playlist.m3u8\n",
            "<BaseURL>v/cc/480p/</BaseURL>",
            vec![
                entry("v/aa/package.json", 1),
                entry("v/aa/replaced.json", 99),
                entry("v/bb/package.json", 8),
                entry("v/cc/package.json", 10),
                entry("v/dd/seg", 12),
            ],
        );
        let found = |name| select_revision(&inventory, name).map(|revision| revision.name.as_str());
        assert_eq!(found(None).expect("there is one"), "aa");
        assert_eq!(found(Some("cc")).expect("there is one"), "cc");
        assert!(found(Some("zz")).is_err());
    }
}
