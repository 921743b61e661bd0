//! `lectern rollback`: an earlier revision plays again.

use crate::publish::Publication;
use anyhow::{Context as _, Result};
use std::collections::HashMap;

use crate::command::args::TargetArgs;
use crate::layout::{self, MULTIVARIANT};
use crate::package::manifest_json::Package;
use crate::progress::Progress;
use crate::publish::inventory::{Inventory, Revision, package};
use crate::storage::error::StorageError;
use crate::storage::object::Upload;
use clap::Args;

pub(crate) async fn run(args: RollbackArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let going_back = || format!("cannot go back at `{}`", args.target.target);
    let target = args.target.open().with_context(going_back)?;
    let inventory = Inventory::of(&target).await.with_context(going_back)?;
    let revision = chosen(&inventory, args.revision.as_deref()).with_context(going_back)?;
    let package = package(&target, &revision.name)
        .await
        .with_context(going_back)?;
    let missing = missing(revision, &package);
    if missing > 0 {
        return Err(StorageError::NotWhole {
            revision: revision.name.clone(),
            missing,
        })
        .with_context(going_back);
    }
    if package.root.iter().all(|file| file.path != MULTIVARIANT) {
        return Err(StorageError::NoMaster(revision.name.clone())).with_context(going_back);
    }
    let publication = Publication::without_folder(&target, &revision.name)
        .await
        .with_context(going_back)?;
    let last = (package.root.iter())
        .map(|file| Upload::of_bytes(&file.path, file.text.clone()))
        .collect();
    publication.activate(last).await.with_context(going_back)?;
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

/// The one that was asked for, else the one that was replaced last.
pub(crate) fn chosen<'a>(
    inventory: &'a Inventory,
    wanted: Option<&str>,
) -> Result<&'a Revision, StorageError> {
    let mut all = inventory.revisions.iter();
    if let Some(wanted) = wanted {
        return all
            .find(|revision| revision.name == wanted)
            .ok_or_else(|| StorageError::NoRevision(wanted.to_owned()));
    }
    all.filter(|revision| inventory.live.as_ref() != Some(&revision.name))
        .filter(|revision| revision.published().is_some())
        .max_by_key(|revision| revision.replaced())
        .ok_or_else(|| StorageError::NoRevision("that played before".to_owned()))
}

/// How many objects are not there, or are of another size.
pub(crate) fn missing(revision: &Revision, package: &Package) -> usize {
    let there: HashMap<&str, u64> = (revision.entries.iter())
        .map(|entry| (entry.path.as_str(), entry.bytes))
        .collect();
    let own = |path: &str| !layout::is_mutable(path);
    (package.objects.iter())
        .filter(|object| own(&object.path))
        .filter(|object| there.get(object.path.as_str()) != Some(&object.bytes))
        .count()
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Which [default: the one that was replaced last].
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::inventory::tests::entry;

    #[test]
    fn a_rollback_takes_the_revision_that_was_replaced_last_or_the_one_asked_for() {
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
        let found = |wanted| chosen(&inventory, wanted).map(|revision| revision.name.as_str());
        assert_eq!(found(None).expect("there is one"), "aa");
        assert_eq!(found(Some("cc")).expect("there is one"), "cc");
        assert!(found(Some("zz")).is_err());
    }
}
