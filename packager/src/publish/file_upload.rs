//! Stores one file as an object.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lectern::object::content_type;

use crate::digest::{self, Digest};
use crate::exit::Exit;
use crate::files::regular::open_regular;
use crate::progress::{Progress, StepUnit};
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::object::{PutCondition, PutOutcome, Upload, UploadBody};

/// Time between two looks at the journal.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub(crate) enum FileUploadError {
    #[error("`{}` has no name that an object can have", .0.display())]
    NoName(PathBuf),
    #[error("`{0}` names no object in a folder")]
    NoFolder(String),
    #[error("`{0}` already exists with other contents")]
    Exists(String),
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl FileUploadError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoName(_) | Self::NoFolder(_) => Exit::Usage,
            Self::Unreadable { .. } => Exit::Input,
            Self::Exists(_) => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoName(_) => "end TARGET with a name, as in `edge:/uploads/talk.mov`",
            Self::NoFolder(_) => "give a folder with a `/` at the end, or an object in a folder",
            Self::Exists(_) => "choose another name, or give --replace",
            Self::Unreadable { .. } => "check the name, and that it is a file",
        }
    }
}

/// A file, and the object that it becomes.
pub(crate) struct FileUpload {
    upload: Upload,
    digest: Digest,
    /// The file, with the path that the user gave.
    file: PathBuf,
}

impl FileUpload {
    /// Reads the size and the hash of a file that becomes the object `name`.
    pub(crate) async fn open(file: &Path, name: String) -> Result<Self, FileUploadError> {
        let unreadable = |source| FileUploadError::Unreadable {
            path: file.to_owned(),
            source,
        };
        // Uploading follows no symbolic link, but a user's own file may be one.
        let source = file.canonicalize().map_err(unreadable)?;
        let opened = open_regular(&source).map_err(unreadable)?;
        let digest = digest::of_reader(opened, |_| {}).await;
        let digest = digest.map_err(unreadable)?;
        let upload = Upload {
            content_type: content_type::for_key(&name).to_owned(),
            path: name,
            source: UploadBody::File(source),
            bytes: digest.bytes,
            sha256: Some(digest.sha256.clone()),
        };
        Ok(Self {
            upload,
            digest,
            file: file.to_owned(),
        })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.upload.bytes
    }

    pub(crate) fn sha256(&self) -> &str {
        &self.digest.sha256
    }

    /// Stores the object. Another object of this name is replaced only if `is_replacing`.
    ///
    /// An interrupted upload in parts continues from its journal, in the system's temporary folder.
    pub(crate) async fn store(
        &self,
        store: &Store,
        is_replacing: bool,
        progress: Progress,
    ) -> anyhow::Result<PutOutcome> {
        if store.is_readable() && self.is_stored(store, is_replacing).await? {
            return Ok(PutOutcome::AlreadyThere);
        }
        let condition = match is_replacing {
            true => PutCondition::Any,
            false => PutCondition::Absent,
        };
        let path = &self.upload.path;
        let folder = std::env::temp_dir().join("lectern-upload");
        let key = self.digest.sha256.get(..16).unwrap_or_default();
        let journal = Journal::open(&folder, key, &store.display_name(path));
        let step = progress.step("uploading", StepUnit::Bytes, self.upload.bytes);
        let put = async {
            let put = store.put(&self.upload, &condition, &journal).await;
            self.convert(put, store)
        };
        let look = async {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Some(begun) = journal.find_upload(path) {
                    step.set(begun.part.saturating_mul(begun.parts.len() as u64));
                }
            }
        };
        let outcome = tokio::select! {
            outcome = put => outcome?,
            () = look => PutOutcome::AlreadyThere,
        };
        journal.finish();
        step.set(self.upload.bytes);
        step.finish();
        Ok(outcome)
    }

    /// Returns true if the object has these contents already.
    ///
    /// # Errors
    /// Fails if it has others, and is not to be replaced.
    async fn is_stored(&self, store: &Store, is_replacing: bool) -> anyhow::Result<bool> {
        let path = &self.upload.path;
        let Some(bytes) = store.size(path).await? else {
            return Ok(false);
        };
        let is_same =
            bytes == self.upload.bytes && store.digest(path).await?.as_ref() == Some(&self.digest);
        match is_same || is_replacing {
            true => Ok(is_same),
            false => Err(FileUploadError::Exists(store.display_name(path)).into()),
        }
    }

    fn convert(
        &self,
        put: Result<PutOutcome, StorageError>,
        store: &Store,
    ) -> anyhow::Result<PutOutcome> {
        match put {
            // Hints of these errors are those of a package.
            Err(StorageError::Differs { path } | StorageError::Lost { path }) => {
                Err(FileUploadError::Exists(store.display_name(&path)).into())
            }
            Err(StorageError::Changed { .. }) => Err(FileUploadError::Unreadable {
                path: self.file.clone(),
                source: io::Error::other("it changed while it was sent"),
            }
            .into()),
            put => Ok(put?),
        }
    }
}
