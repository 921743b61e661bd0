//! The lecture that a provisional one replaced. It plays again if the run that published the
//! provisional one fails, or the run after a crash.

use serde::{Deserialize, Serialize};

use super::Publication;
use crate::layout::{MPD, MULTIVARIANT};
use crate::package::manifest_json::is_revision;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::object::Upload;

/// Files at the root that a provisional lecture replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplacedLecture {
    /// `None` if the Multivariant Playlist names no revision.
    pub(crate) revision: Option<String>,
    pub(super) master: String,
    pub(super) manifest: Option<String>,
}

/// `provisional.json` of a provisional revision. Others may write below a target.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProvisionalNote {
    pub(super) replaced: Option<ReplacedLecture>,
}

impl ProvisionalNote {
    pub(super) fn to_json(&self) -> Vec<u8> {
        // Serializing a struct of strings never fails.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let mut note: Self = serde_json::from_slice(json).ok()?;
        if let Some(replaced) = &mut note.replaced {
            replaced.revision = replaced.revision.take().filter(|name| is_revision(name));
        }
        Some(note)
    }
}

/// A provisional revision that may play, and the lecture that it replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartedProvisional {
    pub(crate) revision: String,
    pub(crate) replaced: Option<ReplacedLecture>,
}

/// The lecture that plays after a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// The lecture that played before.
    Restored,
    /// The provisional lecture, because nothing played before.
    Provisional,
    /// The provisional lecture, because the objects of the one before were removed.
    Gone,
    /// The provisional lecture did not begin to play, or another publication replaced it.
    Other,
}

/// Activates the lecture that played before, if the provisional revision still plays.
pub(crate) async fn restore(
    target: &Store,
    started: &StartedProvisional,
) -> Result<AfterFailure, StorageError> {
    let replaced = started.replaced.as_ref();
    let revision = replaced.and_then(|replaced| replaced.revision.as_ref());
    let revision = revision.unwrap_or(&started.revision);
    let publication = Publication::without_folder(target, revision).await?;
    if target.is_readable() && publication.live().as_ref() != Some(&started.revision) {
        return Ok(AfterFailure::Other);
    }
    let Some(replaced) = replaced else {
        return Ok(AfterFailure::Provisional);
    };
    if publication.is_gone() {
        return Ok(AfterFailure::Gone);
    }
    let manifest = replaced.manifest.iter();
    let mut files: Vec<Upload> = manifest
        .map(|text| Upload::of_bytes(MPD, text.clone()))
        .collect();
    files.push(Upload::of_bytes(MULTIVARIANT, replaced.master.clone()));
    publication.activate(files).await?;
    Ok(AfterFailure::Restored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;
    use crate::storage::StoredObject;
    use crate::storage::location::ReachArgs;

    fn master(revision: &str) -> Upload {
        let text = format!("#EXTM3U\nv/{revision}/480p/playlist.m3u8\n");
        Upload::of_bytes(MULTIVARIANT, text)
    }

    /// Publishes a provisional revision, as one run of `ship --instant` does.
    async fn start(store: &Store, revision: &str) -> StartedProvisional {
        let publication = Publication::without_folder(store, revision).await;
        let publication = publication.expect("it is listed");
        let replaced = publication.replaced_lecture().await.expect("it is read");
        let started = StartedProvisional {
            revision: revision.to_owned(),
            replaced: replaced.clone(),
        };
        let switched = publication.start_provisional(master(revision), replaced);
        switched.await.expect("it plays");
        started
    }

    async fn root_files(store: &Store) -> [Option<StoredObject>; 2] {
        let [master, manifest] = [store.get(MULTIVARIANT), store.get(MPD)];
        [master.await, manifest.await].map(|stored| stored.expect("it is read"))
    }

    async fn write(store: &Store, path: &str, text: &'static str) {
        let upload = Upload::of_bytes(path, text);
        store.replace(&upload).await.expect("it is written");
    }

    fn open(root: &tempfile::TempDir) -> Store {
        let folder = root.path().to_str().expect("UTF-8");
        Store::open(folder, &ReachArgs::default()).expect("a folder")
    }

    #[tokio::test]
    async fn a_killed_run_and_a_failed_one_after_it_restore_what_played_before_both() {
        let root = tempfile::tempdir().expect("a folder");
        let store = open(&root);
        write(&store, "v/ee/480p/seg", "a segment").await;
        write(&store, MPD, "v/ee/").await;
        store.replace(&master("ee")).await.expect("it is written");
        let before = root_files(&store).await;
        // The first run neither restores anything nor leaves a journal.
        let killed = start(&store, "aa").await;
        let resumed = Publication::without_folder(&store, "ff").await;
        let resumed = resumed.expect("it is listed").replaced_by_live().await;
        assert_eq!(resumed.expect("it is read"), killed.replaced);
        let failed = start(&store, "bb").await;
        assert_eq!(failed.replaced, killed.replaced);
        let restored = restore(&store, &killed).await.expect("it is looked at");
        assert_eq!(restored, AfterFailure::Other);
        let restored = restore(&store, &failed).await.expect("it is restored");
        assert_eq!(restored, AfterFailure::Restored);
        assert_eq!(root_files(&store).await, before);
        // A lecture that played is no note of another.
        let resumed = Publication::without_folder(&store, "ff").await;
        let resumed = resumed.expect("it is listed").replaced_by_live().await;
        assert_eq!(resumed.expect("it is read"), None);
    }

    #[tokio::test]
    async fn nothing_is_restored_that_never_played_or_is_gone() {
        let root = tempfile::tempdir().expect("a folder");
        let store = open(&root);
        for expected in [AfterFailure::Provisional, AfterFailure::Gone] {
            start(&store, "aa").await;
            store.remove("v/ee/480p/seg").await.expect("it is removed");
            let failed = start(&store, "bb").await;
            let playing = root_files(&store).await;
            let restored = restore(&store, &failed).await.expect("it is looked at");
            assert_eq!(restored, expected);
            assert_eq!(root_files(&store).await, playing);
            write(&store, "v/ee/480p/seg", "a segment").await;
            for revision in ["aa", "bb"] {
                let note = layout::in_revision(revision, layout::PROVISIONAL_JSON);
                store.remove(&note).await.expect("it is removed");
            }
            store.replace(&master("ee")).await.expect("it is written");
        }
    }

    #[test]
    fn a_note_names_a_revision_or_none() {
        for (revision, expected) in [(r#""0a""#, Some("0a")), (r#""../x""#, None), ("null", None)] {
            let json =
                format!(r#"{{"replaced":{{"revision":{revision},"master":"m","manifest":null}}}}"#);
            let note = ProvisionalNote::parse(json.as_bytes()).expect("a note");
            let replaced = note.replaced.expect("a lecture");
            assert_eq!(replaced.revision.as_deref(), expected);
        }
        let nothing = ProvisionalNote { replaced: None };
        assert_eq!(ProvisionalNote::parse(&nothing.to_json()), Some(nothing));
        assert_eq!(ProvisionalNote::parse(b"[]"), None);
    }
}
