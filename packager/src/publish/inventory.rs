//! The revisions at a target, and the one that plays.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::named_revision;
use crate::layout::{self, MPD, MULTIVARIANT, REPLACED_JSON};
use crate::package::manifest_json::{Package, is_revision};
use crate::storage::error::StorageError;
use crate::storage::{Store, StoredEntry};

/// All objects below a target, by revision.
#[derive(Debug)]
pub(crate) struct Inventory {
    pub(crate) live: Option<String>,
    /// Every revision that the playlist or the MPD at the root names. After an interrupted
    /// publication they differ.
    pub(crate) named: Vec<String>,
    /// The live revision, then the others, latest first. Buckets give times in whole seconds.
    pub(crate) revisions: Vec<Revision>,
    /// Objects of no revision.
    pub(crate) others: Vec<StoredEntry>,
}

#[derive(Debug)]
pub(crate) struct Revision {
    pub(crate) name: String,
    pub(crate) entries: Vec<StoredEntry>,
}

impl Inventory {
    pub(crate) async fn list(target: &Store) -> Result<Self, StorageError> {
        if !target.is_readable() {
            return Err(StorageError::WriteOnly);
        }
        let text = async |path| {
            let stored = target.get(path).await?;
            let text = stored.map(|stored| String::from_utf8_lossy(&stored.bytes).into_owned());
            Ok::<_, StorageError>(text.unwrap_or_default())
        };
        let (master, manifest) = (text(MULTIVARIANT).await?, text(MPD).await?);
        let entries = target.list("").await?;
        Ok(Self::new(&master, &manifest, entries))
    }

    pub(crate) fn new(master: &str, manifest: &str, entries: Vec<StoredEntry>) -> Self {
        let mut folders: BTreeMap<String, Vec<StoredEntry>> = BTreeMap::new();
        let mut others = vec![];
        for entry in entries {
            let folder =
                (entry.path.strip_prefix(layout::REVISIONS)).and_then(|rest| rest.split_once('/'));
            let name = folder.map(|(name, _)| name.to_owned());
            match name.filter(|name| is_revision(name)) {
                Some(name) => folders.entry(name).or_default().push(entry),
                None => others.push(entry),
            }
        }
        let mentioned: HashSet<&str> = [master, manifest].into_iter().flat_map(mentioned).collect();
        let is_named = |name: &&String| mentioned.contains(name.as_str());
        let named = folders.keys().filter(is_named).cloned().collect();
        let mut revisions: Vec<Revision> = folders
            .into_iter()
            .map(|(name, entries)| Revision { name, entries })
            .collect();
        let live = named_revision(master).map(str::to_owned);
        revisions.sort_by_key(|revision| {
            let is_live = live.as_ref() == Some(&revision.name);
            std::cmp::Reverse((is_live, revision.newest()))
        });
        Self {
            live,
            named,
            revisions,
            others,
        }
    }
}

/// Names behind `v/` in a text, each with a slash at its end.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let names = text.match_indices(layout::REVISIONS);
    names.filter_map(|(at, prefix)| Some(text[at + prefix.len()..].split_once('/')?.0))
}

impl Revision {
    /// The time at which `package.json` was written. All objects that it lists were stored before.
    pub(crate) fn published(&self) -> Option<DateTime<Utc>> {
        self.modified(layout::PACKAGE_JSON)
    }

    pub(crate) fn replaced(&self) -> Option<DateTime<Utc>> {
        self.modified(REPLACED_JSON)
    }

    /// The latest time at which an object was written, except the note that the revision was
    /// replaced.
    pub(crate) fn newest(&self) -> Option<DateTime<Utc>> {
        self.published_entries().map(|entry| entry.modified).max()
    }

    /// The entries without the note that the revision was replaced.
    pub(crate) fn published_entries(&self) -> impl Iterator<Item = &StoredEntry> {
        let note = layout::in_revision(&self.name, REPLACED_JSON);
        self.entries.iter().filter(move |entry| entry.path != note)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    fn modified(&self, name: &str) -> Option<DateTime<Utc>> {
        let path = layout::in_revision(&self.name, name);
        let mut entries = self.entries.iter();
        Some(entries.find(|entry| entry.path == path)?.modified)
    }
}

/// Reads which revision plays; `None` if the target has no lecture of a package.
pub(crate) async fn live_revision(target: &Store) -> Result<Option<String>, StorageError> {
    let stored = target.get(MULTIVARIANT).await?;
    let text = stored.map(|stored| String::from_utf8_lossy(&stored.bytes).into_owned());
    Ok(text.and_then(|text| named_revision(&text).map(str::to_owned)))
}

/// Reads the `package.json` of a revision.
pub(crate) async fn read_package(target: &Store, revision: &str) -> Result<Package, StorageError> {
    let none = || StorageError::NoRevision(revision.to_owned());
    if !is_revision(revision) {
        return Err(none());
    }
    let path = layout::package_json_path(revision);
    let stored = target.get(&path).await?.ok_or_else(none)?;
    Package::parse(&stored.bytes, revision).map_err(|error| StorageError::BadPackage {
        path,
        why: error.to_string(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An entry that was written in this minute.
    pub(crate) fn entry(path: &str, minute: i64) -> StoredEntry {
        StoredEntry {
            path: path.to_owned(),
            bytes: 10,
            modified: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
        }
    }

    #[test]
    fn an_inventory_puts_the_live_revision_first_and_then_the_latest() {
        let inventory = Inventory::new(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/bb/480p/playlist.m3u8\n",
            "<BaseURL>v/cc/480p/</BaseURL>",
            vec![
                entry("master.m3u8", 9),
                entry("v/aa/package.json", 1),
                entry("v/aa/replaced.json", 99),
                entry("v/aa/seg", 0),
                entry("v/bb/package.json", 8),
                entry("v/cc/package.json", 10),
                entry("v/dd/seg", 12),
                entry("v/loose", 1),
                entry("v/\u{1b}[2J/package.json", 20),
                entry("v/../package.json", 20),
            ],
        );
        assert_eq!(inventory.live.as_deref(), Some("bb"));
        assert_eq!(inventory.named, ["bb", "cc"]);
        let names: Vec<&str> = (inventory.revisions.iter())
            .map(|revision| revision.name.as_str())
            .collect();
        assert_eq!(names, ["bb", "dd", "cc", "aa"]);
        assert_eq!(inventory.others.len(), 4);
    }
}
