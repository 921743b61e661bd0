//! Publishing into a folder: every object appears whole, under its name, or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};

use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;

use super::error::StorageError;
use super::object::{PutCondition, Upload, UploadBody, Version, is_other_bytes, other_bytes};
use super::{Chunks, ObjectHead, StoredEntry, StoredObject};
use crate::digest::{self, Digest, Hasher, sha256};
use crate::files::package_folder::{self, is_below};
use crate::layout::TEMPORARY_PREFIX;

/// Held while what may be replaced is compared and replaced.
const LOCK: &str = ".lectern-lock";

#[derive(Debug, Clone)]
pub(crate) struct FolderStore {
    pub(crate) folder: PathBuf,
}

impl FolderStore {
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
    ) -> Result<bool, StorageError> {
        let (target, sent, condition) = (self.clone(), upload.clone(), condition.clone());
        let path = self.path(&upload.path)?;
        let to = path.clone();
        let put = blocking(move || target.put_now(&sent, &condition, &to)).await;
        put.map_err(|source| match is_other_bytes(&source) {
            true => upload.told(source),
            false => StorageError::Storage { path, source },
        })
    }

    /// Where an object is: below the folder, whatever what was read from it says.
    fn path(&self, path: &str) -> Result<PathBuf, StorageError> {
        match is_below(path) {
            true => Ok(self.folder.join(path)),
            false => Err(StorageError::Outside(path.to_owned())),
        }
    }

    fn put_now(&self, upload: &Upload, condition: &PutCondition, to: &Path) -> io::Result<bool> {
        let _lock = match condition {
            PutCondition::Any => None,
            // What is immutable is the same whoever comes first.
            PutCondition::Absent if upload.is_immutable() => None,
            _ => Some(self.lock()?),
        };
        let holds = match condition {
            PutCondition::Any => true,
            PutCondition::Absent => !to.exists(),
            PutCondition::Is(version) => match fs::read(to) {
                Ok(bytes) => version_of(&bytes) == *version,
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            },
        };
        if holds {
            place(upload, to)?;
        }
        Ok(holds)
    }

    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(LOCK))?;
        match file.lock() {
            // Some network file systems have no locks.
            Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
            _ => Ok(file),
        }
    }

    /// What is not there is as good as removed.
    pub(crate) fn remove(&self, path: &str) -> Result<(), StorageError> {
        let path = self.path(path)?;
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(StorageError::Storage { path, source })
            }
            _ => {
                // Folders that are empty now go too, as they do where there are none.
                let mut folder = path.parent();
                while let Some(empty) = folder.filter(|folder| *folder != self.folder) {
                    if fs::remove_dir(empty).is_err() {
                        break;
                    }
                    folder = empty.parent();
                }
                Ok(())
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        let path = self.path(path)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(StoredObject {
                version: version_of(&bytes),
                bytes: bytes.into(),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(StorageError::Read { path, source }),
        }
    }

    pub(crate) fn head(&self, path: &str) -> Option<ObjectHead> {
        let found = fs::metadata(self.path(path).ok()?).ok()?;
        let modified = DateTime::<Utc>::from(found.modified().ok()?);
        found.is_file().then(|| ObjectHead {
            bytes: found.len(),
            version: Version(modified.to_rfc3339()),
        })
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<Chunks<'_>>, StorageError> {
        let head = self.head(path);
        if head.is_none_or(|head| version.is_some_and(|version| *version != head.version)) {
            return Ok(None);
        }
        let path = self.path(path)?;
        let opened = tokio::fs::File::open(&path).await;
        let read = move |source| StorageError::Read {
            path: path.clone(),
            source,
        };
        let mut file = opened.map_err(&read)?;
        file.seek(SeekFrom::Start(from)).await.map_err(&read)?;
        let chunks = ReaderStream::with_capacity(file, 1 << 20).map_err(read);
        Ok(Some(chunks.boxed()))
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digest>, StorageError> {
        let path = self.path(path)?;
        let file = path.clone();
        let digested = blocking(move || digest::of_reader_blocking(File::open(file)?));
        match digested.await {
            Ok(digested) => Ok(Some(digested)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(StorageError::Read { path, source }),
        }
    }

    /// Everything below a folder of it, by name.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<StoredEntry>, StorageError> {
        let mut found = vec![];
        let start = self.folder.join(prefix);
        walk(&start, &self.folder, &mut found).map_err(|source| StorageError::Read {
            path: start,
            source,
        })?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("it was cancelled")))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

fn version_of(bytes: &[u8]) -> Version {
    Version(sha256(bytes))
}

fn walk(folder: &Path, root: &Path, found: &mut Vec<StoredEntry>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, root, found)?;
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            // It was renamed or removed in between.
            continue;
        };
        let name = path.strip_prefix(root).unwrap_or(&path);
        if name == Path::new(LOCK) {
            continue;
        }
        found.push(StoredEntry {
            path: name.to_string_lossy().into_owned(),
            bytes: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).into(),
        });
    }
    Ok(())
}

/// A temporary name beside the final one, on disk before it gets that.
fn place(upload: &Upload, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        // As every new file has it: a web server runs as another user, and a package's file may have bits that run programs.
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    match &upload.source {
        UploadBody::File(from) => {
            let from = package_folder::open(from)?;
            let found = copy(&from, &mut temporary.as_file())?.sha256;
            if upload
                .sha256
                .as_ref()
                .is_some_and(|sha256| *sha256 != found)
            {
                return Err(other_bytes());
            }
        }
        UploadBody::Bytes(bytes) => io::Write::write_all(&mut temporary.as_file(), bytes)?,
    }
    temporary.as_file().sync_all()?;
    temporary.persist(to)?;
    File::open(folder)?.sync_all()
}

/// Copies a file, and computes its digest on the way.
fn copy(mut from: &File, to: &mut impl io::Write) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 20]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path) -> FolderStore {
        FolderStore {
            folder: folder.to_owned(),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
    }

    #[tokio::test]
    async fn a_file_at_a_target_has_the_mode_of_a_new_file() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| root.path().join(name);
        for name in ["new", "hostile"] {
            fs::write(path(name), "segment").expect("it is written");
        }
        let hostile = fs::Permissions::from_mode(0o6755);
        fs::set_permissions(path("hostile"), hostile).expect("it is set");
        let uploads = [
            Upload {
                source: UploadBody::File(path("hostile")),
                ..Upload::of_bytes("v/1/a", "segment")
            },
            Upload::of_bytes("master.m3u8", "segment"),
        ];
        for upload in uploads {
            let put = store(&path("served"))
                .put(&upload, &PutCondition::Any)
                .await;
            assert!(put.expect("it is written"));
            let found = mode(&path("served").join(&upload.path));
            assert_eq!(found, mode(&path("new")), "{found:o} {}", upload.path);
        }
    }
}
