//! Removes a lecture with all its revisions.
//!
//! The first write is a comparison: it replaces `master.m3u8` only if it is still the one that was
//! looked at. A publish that runs at the same time then loses, and says so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt as _, stream};

use super::contents;
use super::inventory::{Inventory, Revision};
use crate::exit::Exit;
use crate::input::live::LiveParts;
use crate::layout::{self, MPD, MULTIVARIANT, TEMPORARY_PREFIX};
use crate::progress::Step;
use crate::redact::on_one_line;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::object::{PutCondition, Upload};
use crate::storage::{Store, StoredEntry, StoredObject};

/// A revision without `package.json` whose latest object is younger than this is being published.
const PUBLISHING: Duration = Duration::from_secs(3600);
/// Lectures and objects that an error names.
const MOST_NAMES: usize = 5;
/// Contents of `master.m3u8` between the comparison and its removal.
const REMOVED: &str = "#EXTM3U\n## removed\n";

#[derive(Debug, thiserror::Error)]
pub(crate) enum RemovalError {
    #[error("nothing is stored there")]
    Missing,
    #[error("it is no lecture: it holds {0}")]
    Several(String),
    #[error("revision `{revision}` is being published, or was until a moment ago")]
    BeingPublished { revision: String, minutes: u64 },
    #[error("another publish replaced the lecture meanwhile")]
    Replaced,
    #[error("nothing was removed: there was no confirmation")]
    Unconfirmed,
}

impl RemovalError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Several(_) | Self::Unconfirmed => Exit::Usage,
            Self::Missing | Self::BeingPublished { .. } | Self::Replaced => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Missing => "list what is stored with `lectern ls`".to_owned(),
            Self::Several(_) => {
                "name one lecture or object; `lectern ls` lists them with their sizes".to_owned()
            }
            Self::BeingPublished { minutes, .. } => format!(
                "wait until it is published; if nothing publishes it, run this again in {minutes} min"
            ),
            Self::Replaced => "look at it with `lectern revisions`, and run this again".to_owned(),
            Self::Unconfirmed => "answer `y` on a terminal, or give --yes".to_owned(),
        }
    }
}

/// A lecture to remove.
#[derive(Debug)]
pub(crate) struct LectureRemoval {
    /// The Multivariant Playlist as it was looked at.
    master: Option<StoredObject>,
    pub(crate) live: Option<String>,
    pub(crate) revisions: usize,
    /// In the order of removal: files at the root, then each `package.json`, then the rest.
    stages: [Vec<StoredEntry>; 3],
    /// Objects of the folder that belong to no lecture, and stay.
    pub(crate) kept: usize,
}

/// A folder without a lecture of its own.
pub(crate) fn not_a_lecture(entries: Vec<StoredEntry>) -> RemovalError {
    let contents = contents::group(entries);
    let count = contents.lectures.len() + contents.others.len();
    let lectures = contents.lectures.into_iter().map(|lecture| lecture.folder);
    let objects = contents.others.into_iter().map(|entry| entry.path);
    let names: Vec<String> = lectures
        .chain(objects)
        .take(MOST_NAMES)
        .map(|name| format!("`{}`", on_one_line(&name)))
        .collect();
    let more = match count.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    RemovalError::Several(format!("{}{more}", names.join(", ")))
}

impl LectureRemoval {
    /// Plans the removal of a lecture, and of the recording in its folder. Pure.
    ///
    /// # Errors
    /// Fails if a revision is being published.
    pub(crate) fn plan(
        master: Option<StoredObject>,
        inventory: Inventory,
        live_parts: &LiveParts,
        now: DateTime<Utc>,
    ) -> Result<Self, RemovalError> {
        if let Some((revision, minutes)) = being_published(&inventory.revisions, now) {
            return Err(RemovalError::BeingPublished { revision, minutes });
        }
        let live_parts = live_parts.paths();
        let is_own = |entry: &StoredEntry| {
            layout::is_mutable(&entry.path)
                || layout::is_note(&entry.path)
                || entry.path.starts_with(TEMPORARY_PREFIX)
        };
        let (live, others): (Vec<StoredEntry>, Vec<StoredEntry>) =
            (inventory.others.into_iter()).partition(|entry| live_parts.contains(&*entry.path));
        let (mut root, others): (Vec<StoredEntry>, Vec<StoredEntry>) =
            others.into_iter().partition(is_own);
        // The playlist is replaced first, and removed last.
        root.sort_by_key(|entry| (entry.path == MULTIVARIANT, entry.path != MPD));
        let revisions = inventory.revisions.len();
        let entries = (inventory.revisions.into_iter()).flat_map(|revision| {
            let own = layout::package_json_path(&revision.name);
            let entries = revision.entries.into_iter();
            entries.map(move |entry| (entry.path == own, entry))
        });
        let (packages, rest): (Vec<_>, Vec<_>) = entries.partition(|(is_package, _)| *is_package);
        let plain = |entries: Vec<(bool, StoredEntry)>| {
            let entries = entries.into_iter().map(|(_, entry)| entry);
            entries.collect::<Vec<_>>()
        };
        Ok(Self {
            master,
            live: inventory.live,
            revisions,
            stages: [root, plain(packages), [plain(rest), live].concat()],
            kept: others.len(),
        })
    }

    /// Removes the lecture.
    ///
    /// # Errors
    /// Fails if another publish replaces the lecture meanwhile. Before the comparison nothing is
    /// removed.
    pub(crate) async fn run(&self, store: &Store, step: &Step) -> anyhow::Result<()> {
        if let Some(master) = &self.master {
            let removed = Upload::of_bytes(MULTIVARIANT, REMOVED);
            let condition = PutCondition::Is(master.version.clone());
            let put = store.put(&removed, &condition, &Journal::none()).await;
            put.map_err(|error| match error {
                StorageError::Lost { .. } => anyhow::Error::from(RemovalError::Replaced),
                error => error.into(),
            })?;
        }
        let [root, packages, rest] = &self.stages;
        for entry in root {
            store.remove(&entry.path).await?;
            step.add(entry.bytes);
        }
        // `package.json` goes before the objects that it lists, so that `rollback` never finds half
        // of a revision.
        for stage in [packages, rest] {
            stream::iter(stage.iter().map(Ok::<_, StorageError>))
                .try_for_each_concurrent(MAX_REQUESTS, |entry| async move {
                    store.remove(&entry.path).await?;
                    step.add(entry.bytes);
                    Ok(())
                })
                .await?;
        }
        match store.size(MULTIVARIANT).await? {
            Some(_) => Err(RemovalError::Replaced.into()),
            None => Ok(()),
        }
    }

    /// Number and bytes of the objects.
    pub(crate) fn amount(&self) -> (usize, u64) {
        let bytes = self.entries().map(|entry| entry.bytes).sum();
        (self.entries().count(), bytes)
    }

    fn entries(&self) -> impl Iterator<Item = &StoredEntry> {
        self.stages.iter().flatten()
    }
}

/// The first revision that is incomplete and was written to lately, and the minutes until it counts
/// as abandoned.
fn being_published(revisions: &[Revision], now: DateTime<Utc>) -> Option<(String, u64)> {
    revisions
        .iter()
        .filter(|revision| revision.published().is_none())
        .find_map(|revision| {
            let since = now.signed_duration_since(revision.newest()?);
            // A time in the future is that of another clock, and counts as now.
            let left = PUBLISHING.checked_sub(since.to_std().unwrap_or_default())?;
            Some((revision.name.clone(), left.as_secs().div_ceil(60)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::progress::{Progress, StepUnit};
    use crate::publish::inventory::tests::entry;
    use crate::storage::location::ReachArgs;

    fn plan(entries: &[(&str, i64)], now: i64) -> Result<LectureRemoval, RemovalError> {
        let entries = entries.iter().map(|(path, at)| entry(path, *at)).collect();
        let inventory = Inventory::new("v/aa/480p/playlist.m3u8\n", "", entries);
        LectureRemoval::plan(
            None,
            inventory,
            &LiveParts::default(),
            entry("", now).modified,
        )
    }

    #[test]
    fn playlists_go_first_then_descriptions_then_the_rest_and_other_objects_stay() {
        let removal = plan(
            &[
                (".lectern-tmp", 1),
                ("manifest.mpd", 1),
                ("master.m3u8", 1),
                ("notes.txt", 1),
                ("v/aa/480p/seg", 1),
                ("v/aa/package.json", 1),
                ("v/aa/replaced.json", 1),
                ("v/bb/package.json", 1),
            ],
            999,
        );
        let removal = removal.expect("a plan");
        let names = removal.stages.each_ref().map(|stage| {
            let names = stage.iter().map(|entry| entry.path.as_str());
            names.collect::<Vec<_>>()
        });
        assert_eq!(names[0], ["manifest.mpd", ".lectern-tmp", "master.m3u8"]);
        assert_eq!(names[1], ["v/aa/package.json", "v/bb/package.json"]);
        assert_eq!(names[2], ["v/aa/480p/seg", "v/aa/replaced.json"]);
        assert_eq!((removal.kept, removal.amount()), (1, (7, 70)));
    }

    #[test]
    fn a_lecture_that_is_being_published_stays() {
        let complete = [("v/aa/package.json", 10), ("v/aa/480p/seg", 9)];
        for (others, now, expected) in [
            (vec![], 10, None),
            (vec![("v/bb/480p/seg", 60)], 61, Some(59)),
            (vec![("v/bb/480p/seg", 60)], 119, Some(1)),
            (vec![("v/bb/480p/seg", 60)], 120, Some(0)),
            (vec![("v/bb/480p/seg", 60)], 121, None),
            (vec![("v/bb/480p/seg", 60)], 50, Some(60)),
            (
                vec![("v/bb/480p/seg", 60), ("v/bb/package.json", 60)],
                61,
                None,
            ),
            // A provisional lecture has no `package.json`.
            (
                vec![("v/cc/480p/seg", 10), ("v/cc/480p/seg2", 60)],
                100,
                Some(20),
            ),
        ] {
            let entries = [&complete[..], &others].concat();
            let found = match plan(&entries, now) {
                Ok(_) => None,
                Err(RemovalError::BeingPublished { minutes, .. }) => Some(minutes),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(found, expected, "{others:?} at {now}");
        }
    }

    #[tokio::test]
    async fn a_lecture_that_another_publish_replaced_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().to_str().expect("UTF-8");
        let store = Store::open(folder, &ReachArgs::default()).expect("a folder");
        let write = async |path: &str, text: &'static str| {
            let upload = Upload::of_bytes(path, text);
            store.replace(&upload).await.expect("it is stored");
        };
        let plan = async || {
            let master = store.get(MULTIVARIANT).await.expect("it is read");
            let inventory = Inventory::list(&store).await.expect("a list");
            let parts = LiveParts::default();
            LectureRemoval::plan(master, inventory, &parts, clock::now()).expect("a plan")
        };
        write("v/aa/package.json", "{}").await;
        write("v/aa/seg", "a segment").await;
        write("notes.txt", "notes").await;
        write(MULTIVARIANT, "#EXTM3U\nv/aa/480p/playlist.m3u8\n").await;
        let step = Progress::new(true).step("removing", StepUnit::Bytes, 0);
        let removal = plan().await;
        write("v/bb/package.json", "{}").await;
        write(MULTIVARIANT, "#EXTM3U\nv/bb/480p/playlist.m3u8\n").await;
        let before = store.list("").await.expect("a list");
        let error = removal.run(&store, &step).await.expect_err("it is another");
        assert!(matches!(error.downcast_ref(), Some(RemovalError::Replaced)));
        assert_eq!(store.list("").await.expect("a list"), before);
        // Looked at again, it is removed, and what is not its own stays.
        plan()
            .await
            .run(&store, &step)
            .await
            .expect("it is removed");
        let left = store.list("").await.expect("a list");
        let left: Vec<&str> = left.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(left, ["notes.txt"]);
    }

    #[test]
    fn a_folder_of_lectures_names_some_of_them() {
        let entries = (0..7).map(|at| entry(&format!("{at}/v/aa/package.json"), 1));
        let other = [entry("notes\n.txt", 1)];
        let found = not_a_lecture(entries.chain(other).collect());
        assert_eq!(
            found.to_string(),
            "it is no lecture: it holds `0/`, `1/`, `2/`, `3/`, `4/` and 3 more"
        );
        let found = not_a_lecture(vec![entry("notes\n.txt", 1)]);
        assert_eq!(
            found.to_string(),
            "it is no lecture: it holds `notes\\n.txt`"
        );
    }
}
