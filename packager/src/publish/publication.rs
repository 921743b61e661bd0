//! Publishes one revision: uploads its objects, then replaces the files at the root. Media Segments
//! go first and the Multivariant Playlist last, so that no playlist or MPD ever names a missing
//! object.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{TryStreamExt as _, future, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::named_revision;
use super::replaced::{ProvisionalNote, ReplacedLecture};
use crate::clock;
use crate::files::package_folder;
use crate::layout::{self, MPD, MULTIVARIANT, PROVISIONAL_JSON, REPLACED_JSON, is_mutable};
use crate::media::Object;
use crate::package::manifest_json::{self, Package};
use crate::progress::Step;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::object::{PutCondition, PutOutcome, Upload, UploadBody};
use crate::storage::{Store, StoredObject};

/// A revision that is being published.
pub(crate) struct Publication<'a> {
    target: &'a Store,
    revision: String,
    journal: Journal,
    /// Sizes of the objects below `v/<revision>/` at the beginning.
    present: HashMap<String, u64>,
    /// Objects that are stored, with the hash that was sent.
    stored: Mutex<HashMap<String, Option<String>>>,
    written: AtomicUsize,
    /// The files at the root at the beginning; `None` if the target cannot be read.
    before: Option<ReplacedRoot>,
    /// The provisional playlist that this publication wrote since then.
    provisional: Mutex<Option<StoredObject>>,
}

/// Files at the root at the beginning. Only these versions may be replaced.
#[derive(Debug, Clone, Default)]
struct ReplacedRoot {
    master: Option<StoredObject>,
    manifest: Option<StoredObject>,
}

impl<'a> Publication<'a> {
    /// Begins to publish the package in `folder`, which may not exist yet. Its journal lies beside
    /// the folder.
    pub(crate) async fn begin(
        target: &'a Store,
        revision: &str,
        folder: &Path,
    ) -> Result<Self, StorageError> {
        let journal = Journal::open(folder, revision, &target.master());
        Self::with(target, revision, journal).await
    }

    /// Begins to publish a revision that is not in a folder, and has no journal.
    pub(crate) async fn without_folder(
        target: &'a Store,
        revision: &str,
    ) -> Result<Self, StorageError> {
        Self::with(target, revision, Journal::none()).await
    }

    async fn with(
        target: &'a Store,
        revision: &str,
        journal: Journal,
    ) -> Result<Self, StorageError> {
        let (mut before, mut present) = (None, HashMap::new());
        if target.is_readable() {
            let prefix = layout::in_revision(revision, "");
            let (master, manifest, listed) = future::try_join3(
                target.get(MULTIVARIANT),
                target.get(MPD),
                target.list(&prefix),
            )
            .await?;
            before = Some(ReplacedRoot { master, manifest });
            present.extend(listed.into_iter().map(|entry| (entry.path, entry.bytes)));
        }
        Ok(Self {
            target,
            revision: revision.to_owned(),
            journal,
            present,
            stored: Mutex::default(),
            written: AtomicUsize::new(0),
            before,
            provisional: Mutex::default(),
        })
    }

    pub(crate) fn target(&self) -> &'a Store {
        self.target
    }

    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision that played at the beginning, if the target can be read.
    pub(crate) fn live(&self) -> Option<String> {
        let master = self.before.as_ref()?.master.as_ref()?;
        named_revision(&String::from_utf8_lossy(&master.bytes)).map(str::to_owned)
    }

    /// The lecture that played at the beginning. If that was a provisional one, whose run ended
    /// early, the lecture that it replaced. `None` if the target cannot be read or has none.
    pub(crate) async fn replaced_lecture(&self) -> Result<Option<ReplacedLecture>, StorageError> {
        match self.provisional_note().await? {
            Some(note) => Ok(note.replaced),
            None => Ok(self.lecture_before()),
        }
    }

    /// The lecture that the provisional one replaced which plays, if that is known.
    pub(crate) async fn replaced_by_live(&self) -> Result<Option<ReplacedLecture>, StorageError> {
        let note = self.provisional_note().await?;
        Ok(note.and_then(|note| note.replaced))
    }

    async fn provisional_note(&self) -> Result<Option<ProvisionalNote>, StorageError> {
        let Some(live) = self.live() else {
            return Ok(None);
        };
        let path = layout::in_revision(&live, PROVISIONAL_JSON);
        let stored = self.target.get(&path).await?;
        Ok(stored.and_then(|stored| ProvisionalNote::parse(&stored.bytes)))
    }

    fn lecture_before(&self) -> Option<ReplacedLecture> {
        let before = self.before.as_ref()?;
        let text = |stored: &StoredObject| String::from_utf8_lossy(&stored.bytes).into_owned();
        Some(ReplacedLecture {
            revision: self.live(),
            master: before.master.as_ref().map(text)?,
            manifest: before.manifest.as_ref().map(text),
        })
    }

    /// Returns true if the target has no object of this revision, except for the note that it was
    /// replaced.
    pub(super) fn is_gone(&self) -> bool {
        let note = layout::in_revision(&self.revision, REPLACED_JSON);
        self.before.is_some() && self.present.keys().all(|path| *path == note)
    }

    /// Loads the provisional lecture of an earlier run, if it still plays.
    pub(crate) fn load_provisional<T: DeserializeOwned>(
        &self,
        revision: impl Fn(&T) -> &str,
    ) -> Option<T> {
        let provisional = serde_json::from_value(self.journal.provisional()?).ok()?;
        (self.live()? == revision(&provisional)).then_some(provisional)
    }

    /// Saves the provisional lecture in the journal, for the next run.
    pub(crate) fn save_provisional(&self, provisional: &impl Serialize) {
        if let Ok(provisional) = serde_json::to_value(provisional) {
            self.journal.record_provisional(provisional);
        }
    }

    /// Number of objects that this publication uploaded.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Uploads an immutable object, unless the target has it.
    pub(crate) async fn send(&self, upload: &Upload) -> Result<(), StorageError> {
        let is_present = match self.before {
            Some(_) => self.present.get(&upload.path) == Some(&upload.bytes),
            None => self.journal.was_sent(&upload.path),
        };
        if is_present || self.is_stored(upload)? {
            self.record_stored(upload);
            return Ok(());
        }
        let outcome = self
            .target
            .put(upload, &PutCondition::Absent, &self.journal)
            .await?;
        self.journal.record_sent(&upload.path);
        if outcome == PutOutcome::Written {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        self.record_stored(upload);
        Ok(())
    }

    /// Returns true if this publication stored the object already.
    ///
    /// # Errors
    /// Fails if `package.json` lists another hash than the one that was sent while the encoder ran.
    fn is_stored(&self, upload: &Upload) -> Result<bool, StorageError> {
        match self.stored().get(&upload.path) {
            None => Ok(false),
            Some(Some(sent)) if upload.sha256.as_ref().is_some_and(|sha256| sha256 != sent) => {
                Err(StorageError::Changed {
                    path: upload.path.clone(),
                })
            }
            Some(_) => Ok(true),
        }
    }

    fn record_stored(&self, upload: &Upload) {
        let mut stored = self.stored();
        let hash = stored.entry(upload.path.clone()).or_default();
        if hash.is_none() {
            hash.clone_from(&upload.sha256);
        }
    }

    fn stored(&self) -> MutexGuard<'_, HashMap<String, Option<String>>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uploads the rest of the package in `folder`, and activates it.
    pub(crate) async fn complete(
        &self,
        folder: &Path,
        package: &Package,
        step: &Step,
    ) -> Result<(), StorageError> {
        let own = package.package_json_path();
        let json =
            package_folder::read(folder, &own, manifest_json::MAX_BYTES).map_err(|source| {
                StorageError::Read {
                    path: folder.join(&own),
                    source,
                }
            })?;
        if Package::parse(&json, &package.revision).as_ref() != Ok(package) {
            return Err(StorageError::Changed { path: own });
        }
        let own = Upload::of_bytes(&own, json);
        let [media, playlists, root_files] = stages(folder, package);
        for stage in [media, playlists, vec![own]] {
            stream::iter(stage.into_iter().map(Ok::<_, StorageError>))
                .try_for_each_concurrent(MAX_REQUESTS, |upload| async move {
                    // Objects that were uploaded early are counted already.
                    if !self.is_stored(&upload)? {
                        self.send(&upload).await?;
                        step.add(upload.bytes);
                    }
                    Ok(())
                })
                .await?;
        }
        self.activate(root_files).await?;
        self.journal.finish();
        Ok(())
    }

    /// Activates a provisional lecture, in HLS only: an MPD at the root keeps its revision. Notes
    /// first which lecture it replaces, for a later run on any machine.
    pub(crate) async fn start_provisional(
        &self,
        master: Upload,
        replaced: Option<ReplacedLecture>,
    ) -> Result<(), StorageError> {
        let path = layout::in_revision(&self.revision, PROVISIONAL_JSON);
        let note = ProvisionalNote { replaced }.to_json();
        self.send(&Upload::of_bytes(&path, note)).await?;
        self.note_replaced().await?;
        self.replace_root_file(&master, self.master()).await
    }

    /// Replaces the playlist of the provisional lecture.
    pub(crate) async fn update_provisional(&self, master: &Upload) -> Result<(), StorageError> {
        self.replace_root_file(master, self.master()).await?;
        if self.before.is_some() {
            let own = master.read(&master.whole()).await?;
            let stored = self.target.get(MULTIVARIANT).await?;
            let stored = stored.filter(|stored| stored.bytes == own);
            *self.provisional() = Some(stored.ok_or_else(|| StorageError::Lost {
                path: master.path.clone(),
            })?);
        }
        Ok(())
    }

    /// The Multivariant Playlist that may be replaced; `None` if the target cannot be read.
    fn master(&self) -> Option<Option<StoredObject>> {
        let before = self.before.as_ref()?;
        let provisional = self.provisional().clone();
        Some(provisional.or_else(|| before.master.clone()))
    }

    fn provisional(&self) -> MutexGuard<'_, Option<StoredObject>> {
        self.provisional
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the files at the root, so that the revision plays.
    ///
    /// The MPD goes first: all objects that it names are stored. If only the MPD arrives, DASH
    /// players read the new revision and HLS players the old one, each of them whole.
    ///
    /// # Errors
    /// Fails if another publication replaced one of the files, and replaces no further file then.
    pub(crate) async fn activate(&self, root_files: Vec<Upload>) -> Result<(), StorageError> {
        let before = self.before.as_ref();
        self.note_replaced().await?;
        let (manifest, master): (Vec<Upload>, Vec<Upload>) = root_files
            .into_iter()
            .partition(|upload| upload.path == MPD);
        for upload in &manifest {
            let stored = before.map(|before| before.manifest.clone());
            self.replace_root_file(upload, stored).await?;
        }
        for upload in &master {
            self.replace_root_file(upload, self.master()).await?;
        }
        // Transport streams have no MPD, and an old one would keep an earlier revision playing.
        let has_mpd = before.is_none_or(|before| before.manifest.is_some());
        if manifest.is_empty() && has_mpd {
            self.target.remove(MPD).await?;
        }
        Ok(())
    }

    /// Replaces a file at the root, if it is still the stored one. Replaces any file if the target
    /// cannot be read.
    async fn replace_root_file(
        &self,
        upload: &Upload,
        stored: Option<Option<StoredObject>>,
    ) -> Result<(), StorageError> {
        let own = upload.read(&upload.whole()).await?;
        let condition = match stored {
            None => PutCondition::Any,
            Some(None) => PutCondition::Absent,
            Some(Some(stored)) if stored.bytes == own => return Ok(()),
            Some(Some(stored)) => PutCondition::Is(stored.version),
        };
        let put = self.target.put(upload, &condition, &self.journal);
        put.await.map(drop)
    }

    /// Notes in the live revision that it is replaced now. `prune` counts the time that viewers may
    /// keep watching from here.
    async fn note_replaced(&self) -> Result<(), StorageError> {
        let Some(live) = self.live().filter(|live| *live != self.revision) else {
            return Ok(());
        };
        let note = serde_json::json!({"at": clock::now().to_rfc3339(), "by": self.revision});
        let upload = Upload::of_bytes(&layout::in_revision(&live, REPLACED_JSON), note.to_string());
        self.target
            .put(&upload, &PutCondition::Any, &self.journal)
            .await
            .map(drop)
    }
}

/// The upload of an object of a package in a folder.
pub(crate) fn upload_of(folder: &Path, object: &Object) -> Upload {
    Upload {
        path: object.path.clone(),
        source: UploadBody::File(folder.join(&object.path)),
        bytes: object.bytes,
        content_type: object.content_type.clone(),
        sha256: Some(object.sha256.clone()),
    }
}

/// The stages of uploading a package. Each is complete before the next begins; the last are the
/// files at the root.
fn stages(folder: &Path, package: &Package) -> [Vec<Upload>; 3] {
    let [mut media, mut playlists, mut root_files] = [vec![], vec![], vec![]];
    for object in &package.objects {
        let stage = match object.path.as_str() {
            path if is_mutable(path) => &mut root_files,
            path if path.ends_with(".m3u8") => &mut playlists,
            _ => &mut media,
        };
        stage.push(upload_of(folder, object));
    }
    [media, playlists, root_files]
}
