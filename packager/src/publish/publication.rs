//! One revision on its way: what is there before, what went up, and the switch at the end. Media Segments first, the
//! Multivariant Playlist last, so that nobody ever sees a playlist or an MPD that names an absent object.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{TryStreamExt as _, future, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::named_revision;
use crate::clock;
use crate::files::package_folder;
use crate::layout::{self, MPD, MULTIVARIANT, REPLACED_JSON, is_mutable};
use crate::media::Object;
use crate::package::manifest_json::{self, Package};
use crate::progress::Step;
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::object::{PutCondition, PutOutcome, Upload, UploadBody};
use crate::storage::{Store, StoredObject};

pub(crate) struct Publication<'a> {
    target: &'a Store,
    revision: String,
    journal: Journal,
    /// What was there under `v/<revision>/` when this began, with its sizes.
    present: HashMap<String, u64>,
    /// What was sent, or found to be there, and the hash that it was sent with.
    settled: Mutex<HashMap<String, Option<String>>>,
    written: AtomicUsize,
    /// None where the target reads nothing.
    before: Option<ReplacedRoot>,
    /// What was made to play since then in its place, until all is there.
    meanwhile: Mutex<Option<StoredObject>>,
}

/// What played when this began: it alone may be replaced.
#[derive(Debug, Clone, Default)]
struct ReplacedRoot {
    master: Option<StoredObject>,
    manifest: Option<StoredObject>,
}

impl<'a> Publication<'a> {
    /// `folder` is where the package is or will be: its journal lies beside it.
    pub(crate) async fn begin(
        target: &'a Store,
        revision: &str,
        folder: &Path,
    ) -> Result<Self, StorageError> {
        let journal = Journal::open(folder, revision, &target.master());
        Self::with(target, revision, journal).await
    }

    /// Of what is not in a folder.
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
            settled: Mutex::default(),
            written: AtomicUsize::new(0),
            before,
            meanwhile: Mutex::default(),
        })
    }

    pub(crate) fn target(&self) -> &'a Store {
        self.target
    }

    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision that played there when this began, as far as that can be read.
    pub(crate) fn live(&self) -> Option<String> {
        let master = self.before.as_ref()?.master.as_ref()?;
        named_revision(&String::from_utf8_lossy(&master.bytes)).map(str::to_owned)
    }

    /// What an earlier run made play in the revision's place, if it plays still.
    pub(crate) fn load_provisional<T: DeserializeOwned>(
        &self,
        revision: impl Fn(&T) -> &str,
    ) -> Option<T> {
        let load_provisional = serde_json::from_value(self.journal.meanwhile()?).ok()?;
        (self.live()? == revision(&load_provisional)).then_some(load_provisional)
    }

    /// What plays in the revision's place until it does: whoever takes this up goes on with that.
    pub(crate) fn save_provisional(&self, meanwhile: &impl Serialize) {
        if let Ok(meanwhile) = serde_json::to_value(meanwhile) {
            self.journal.plays(meanwhile);
        }
    }

    /// How many objects went up.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Sends what never changes, unless it is there.
    pub(crate) async fn send(&self, upload: &Upload) -> Result<(), StorageError> {
        let is_there = match self.before {
            Some(_) => self.present.get(&upload.path) == Some(&upload.bytes),
            None => self.journal.was_sent(&upload.path),
        };
        if is_there || self.is_settled(upload)? {
            self.settle(upload);
            return Ok(());
        }
        let outcome = self
            .target
            .put(upload, &PutCondition::Absent, &self.journal)
            .await?;
        self.journal.sent(&upload.path);
        if outcome == PutOutcome::Written {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        self.settle(upload);
        Ok(())
    }

    /// Whether it was sent. What was sent while the encoder ran must be what `package.json` lists in the end.
    fn is_settled(&self, upload: &Upload) -> Result<bool, StorageError> {
        match self.settled().get(&upload.path) {
            None => Ok(false),
            Some(Some(sent)) if upload.sha256.as_ref().is_some_and(|sha256| sha256 != sent) => {
                Err(StorageError::Changed {
                    path: upload.path.clone(),
                })
            }
            Some(_) => Ok(true),
        }
    }

    fn settle(&self, upload: &Upload) {
        let mut settled = self.settled();
        let hash = settled.entry(upload.path.clone()).or_default();
        if hash.is_none() {
            hash.clone_from(&upload.sha256);
        }
    }

    fn settled(&self) -> MutexGuard<'_, HashMap<String, Option<String>>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what is left of a package that is in `folder`, and switches to it.
    pub(crate) async fn complete(
        &self,
        folder: &Path,
        package: &Package,
        step: &Step,
    ) -> Result<(), StorageError> {
        let own = package.own_path();
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
        let [media, playlists, last] = stages(folder, package);
        for stage in [media, playlists, vec![own]] {
            stream::iter(stage.into_iter().map(Ok::<_, StorageError>))
                .try_for_each_concurrent(MAX_REQUESTS, |upload| async move {
                    // What went up early was counted then.
                    if !self.is_settled(&upload)? {
                        self.send(&upload).await?;
                        step.add(upload.bytes);
                    }
                    Ok(())
                })
                .await?;
        }
        self.activate(last).await?;
        self.journal.finish();
        Ok(())
    }

    /// Makes what has only begun what plays, in HLS: an MPD that is there goes on playing what it names.
    pub(crate) async fn start_provisional(&self, master: Upload) -> Result<(), StorageError> {
        self.note_replaced().await?;
        self.put_last(&master, self.master()).await
    }

    /// Makes something better play than what plays, of which this will not be the last.
    pub(crate) async fn update_provisional(&self, master: &Upload) -> Result<(), StorageError> {
        self.put_last(master, self.master()).await?;
        if self.before.is_some() {
            let own = master.read(&master.whole()).await?;
            let stored = self.target.get(MULTIVARIANT).await?;
            let stored = stored.filter(|stored| stored.bytes == own);
            *self.meanwhile() = Some(stored.ok_or_else(|| StorageError::Lost {
                path: master.path.clone(),
            })?);
        }
        Ok(())
    }

    /// What this may replace, if that can be read.
    fn master(&self) -> Option<Option<StoredObject>> {
        let before = self.before.as_ref()?;
        let meanwhile = self.meanwhile().clone();
        Some(meanwhile.or_else(|| before.master.clone()))
    }

    fn meanwhile(&self) -> MutexGuard<'_, Option<StoredObject>> {
        self.meanwhile
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the revision what plays. The MPD names objects that are all there, so that it may come just before: if the
    /// two do not both arrive, DASH players have the new revision whole and HLS players the old one, until somebody publishes
    /// again. Who finds one of them changed since he began has lost against another, and changes nothing more.
    pub(crate) async fn activate(&self, last: Vec<Upload>) -> Result<(), StorageError> {
        let before = self.before.as_ref();
        self.note_replaced().await?;
        let (manifest, master): (Vec<Upload>, Vec<Upload>) =
            last.into_iter().partition(|upload| upload.path == MPD);
        for upload in &manifest {
            let stored = before.map(|before| before.manifest.clone());
            self.put_last(upload, stored).await?;
        }
        for upload in &master {
            self.put_last(upload, self.master()).await?;
        }
        // Transport streams have none, and what an earlier package left would go on playing that.
        let is_there = before.is_none_or(|before| before.manifest.is_some());
        if manifest.is_empty() && is_there {
            self.target.remove(MPD).await?;
        }
        Ok(())
    }

    /// Replaces what was there when this began: none where that cannot be read.
    async fn put_last(
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

    /// From now on nobody opens what played until now, and who has opened it goes on for a while: `prune` counts from here.
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

/// An object of a package that is in a folder.
pub(crate) fn upload_of(folder: &Path, object: &Object) -> Upload {
    Upload {
        path: object.path.clone(),
        source: UploadBody::File(folder.join(&object.path)),
        bytes: object.bytes,
        content_type: object.content_type.clone(),
        sha256: Some(object.sha256.clone()),
    }
}

/// Each stage is complete before the next begins; the last is what may change.
fn stages(folder: &Path, package: &Package) -> [Vec<Upload>; 3] {
    let [mut media, mut playlists, mut last] = [vec![], vec![], vec![]];
    for object in &package.objects {
        let stage = match object.path.as_str() {
            path if is_mutable(path) => &mut last,
            path if path.ends_with(".m3u8") => &mut playlists,
            _ => &mut media,
        };
        stage.push(upload_of(folder, object));
    }
    [media, playlists, last]
}
