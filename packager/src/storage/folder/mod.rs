//! Publishes into a folder: every object appears complete under its name, or not at all. Other
//! processes may write there too. So every file below the folder is opened through [`OpenFolder`],
//! which follows no symbolic link.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};

use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;

use super::error::StorageError;
use super::object::{
    PutCondition, Upload, UploadBody, Version, digest_mismatch, is_digest_mismatch,
};
use super::{LONGEST_IN_MEMORY, MOST_ENTRIES, ObjectHead, ObjectStream, StoredEntry, StoredObject};
use crate::digest::{self, Digest, Hasher, sha256};
use crate::files::open_folder::OpenFolder;
use crate::files::package_folder::is_below;
use crate::files::regular::open_no_follow;
use crate::layout::TEMPORARY_PREFIX;

/// Held while a mutable object is compared and replaced.
const LOCK: &str = ".lectern-lock";

#[derive(Debug, Clone)]
pub(crate) struct FolderStore {
    folder: PathBuf,
    /// Opened at its first use.
    root: Arc<OnceLock<OpenFolder>>,
}

impl FolderStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            root: Arc::default(),
        }
    }

    /// Writes an object if the condition holds, and returns whether it did.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
    ) -> Result<bool, StorageError> {
        let (target, sent, condition) = (self.clone(), upload.clone(), condition.clone());
        let path = self.path(&upload.path)?;
        let put = blocking(move || target.put_blocking(&sent, &condition)).await;
        put.map_err(|source| match is_digest_mismatch(&source) {
            true => upload.read_error(source),
            false => StorageError::Storage { path, source },
        })
    }

    /// Path of an object for the user.
    pub(crate) fn display_name(&self, path: &str) -> String {
        self.folder.join(path).display().to_string()
    }

    fn root(&self) -> io::Result<&OpenFolder> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = OpenFolder::open(&self.folder)?;
        Ok(self.root.get_or_init(|| root))
    }

    fn root_or_make(&self) -> io::Result<&OpenFolder> {
        match self.root() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder)?;
                self.root()
            }
            root => root,
        }
    }

    /// Opens an existing object. Refuses a link, a pipe or a device in its place.
    fn open(&self, path: &str) -> Result<Option<File>, StorageError> {
        self.path(path)?;
        match self.root().and_then(|root| root.open_object(path)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_no_object(&error) => Ok(None),
            Err(source) => Err(self.read_error(path, source)),
        }
    }

    fn read_error(&self, path: &str, source: io::Error) -> StorageError {
        StorageError::Read {
            path: self.folder.join(path),
            source,
        }
    }

    /// Path of an object. Refuses a name that leads out of the folder.
    fn path(&self, path: &str) -> Result<PathBuf, StorageError> {
        match is_below(path) {
            true => Ok(self.folder.join(path)),
            false => Err(StorageError::Outside(path.to_owned())),
        }
    }

    fn put_blocking(&self, upload: &Upload, condition: &PutCondition) -> io::Result<bool> {
        let root = self.root_or_make()?;
        let _lock = match condition {
            PutCondition::Any => None,
            // No lock: every publisher writes the same bytes to an immutable object.
            PutCondition::Absent if upload.is_immutable() => None,
            _ => Some(lock(root)?),
        };
        let there = match root.open_object(&upload.path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let holds = match (condition, there) {
            (PutCondition::Any, _) => true,
            (PutCondition::Absent, there) => there.is_none(),
            (PutCondition::Is(_), None) => false,
            // An object over the limit for memory is not the expected version: `get` refuses it.
            (PutCondition::Is(version), Some(file)) => {
                read_bounded(file)?.is_some_and(|bytes| version_of(&bytes) == *version)
            }
        };
        if holds {
            let (folders, name) = root.walk_or_make(&upload.path)?;
            place(upload, folders.last().unwrap_or(root), name)?;
        }
        Ok(holds)
    }

    /// Removes an object. One that is not found counts as removed.
    pub(crate) fn remove(&self, path: &str) -> Result<(), StorageError> {
        let at = self.path(path)?;
        let removed = self.root().and_then(|root| remove(root, path));
        match removed {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(StorageError::Storage { path: at, source })
            }
            _ => Ok(()),
        }
    }

    /// Reads an object into memory. Its version is the SHA-256, which [`PutCondition::Is`] takes.
    pub(crate) fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let bytes = read_bounded(file).map_err(|source| self.read_error(path, source))?;
        let bytes = bytes.ok_or_else(|| StorageError::TooLargeForMemory {
            path: path.to_owned(),
            most: LONGEST_IN_MEMORY,
        })?;
        Ok(Some(StoredObject {
            version: version_of(&bytes),
            bytes: bytes.into(),
        }))
    }

    /// Metadata of an object. Its version is the modification time, which [`Self::read`] takes.
    pub(crate) fn head(&self, path: &str) -> Result<Option<ObjectHead>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        head_of(&file)
            .map(Some)
            .map_err(|source| self.read_error(path, source))
    }

    /// Streams an object from byte `from` on; `None` if it is absent or has another version than
    /// the one of [`Self::head`].
    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<ObjectStream<'_>>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let path = self.path(path)?;
        let read_error = move |source| StorageError::Read {
            path: path.clone(),
            source,
        };
        let head = head_of(&file).map_err(&read_error)?;
        if version.is_some_and(|version| *version != head.version) {
            return Ok(None);
        }
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(from))
            .await
            .map_err(&read_error)?;
        let chunks = ReaderStream::with_capacity(file, 1 << 20).map_err(read_error);
        Ok(Some(chunks.boxed()))
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digest>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let digested = blocking(move || digest::of_reader_blocking(file)).await;
        digested
            .map(Some)
            .map_err(|source| self.read_error(path, source))
    }

    /// Lists the objects below a folder, sorted by path. Leaves out the lock.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<StoredEntry>, StorageError> {
        let mut found = vec![];
        match self.list_into(folder, &mut found) {
            Err(error) if !is_no_object(&error) => return Err(self.read_error(folder, error)),
            _ => {}
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn list_into(&self, path: &str, found: &mut Vec<StoredEntry>) -> io::Result<()> {
        let root = self.root()?;
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return walk(root, "", found);
        }
        let (folders, name) = root.walk(path)?;
        let folder = folders.last().unwrap_or(root).enter(name)?;
        walk(&folder, &format!("{path}/"), found)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Returns true if a path has no object: nothing, a folder, or a file as a parent.
fn is_no_object(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

fn head_of(file: &File) -> io::Result<ObjectHead> {
    let found = file.metadata()?;
    let modified = DateTime::<Utc>::from(found.modified()?);
    Ok(ObjectHead {
        bytes: found.len(),
        version: Version(modified.to_rfc3339()),
    })
}

/// Reads a whole file; `None` if it exceeds the limit for memory.
fn read_bounded(file: File) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![];
    let most = LONGEST_IN_MEMORY as u64;
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn version_of(bytes: &[u8]) -> Version {
    Version(sha256(bytes))
}

/// The lock of a folder. Its file is removed before the lock is released.
struct FolderLock<'a> {
    root: &'a OpenFolder,
    _file: File,
}

impl Drop for FolderLock<'_> {
    fn drop(&mut self) {
        let _ = self.root.remove_file(OsStr::new(LOCK));
    }
}

fn lock(root: &OpenFolder) -> io::Result<FolderLock<'_>> {
    loop {
        let file = root.open_lock(OsStr::new(LOCK))?;
        match file.lock() {
            // Some network file systems have no locks.
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // The publisher before may have removed this file while the lock was awaited.
        if root.is_same_file(OsStr::new(LOCK), &file)? {
            return Ok(FolderLock { root, _file: file });
        }
    }
}

/// Removes an object, and the folders that are empty without it.
fn remove(root: &OpenFolder, path: &str) -> io::Result<()> {
    let (folders, name) = root.walk(path)?;
    folders.last().unwrap_or(root).remove_file(name)?;
    let holders = std::iter::once(root).chain(&folders);
    let names: Vec<(&OpenFolder, &OsStr)> = holders.zip(Path::new(path).iter()).collect();
    // The last name is the object's, which is already removed.
    for (holder, name) in names.iter().rev().skip(1) {
        if holder.remove_empty_folder(name).is_err() {
            break;
        }
    }
    Ok(())
}

fn walk(folder: &OpenFolder, prefix: &str, found: &mut Vec<StoredEntry>) -> io::Result<()> {
    for entry in folder.entries()? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.name.to_string_lossy());
        if entry.is_folder {
            match folder.enter(&entry.name) {
                Ok(folder) => walk(&folder, &format!("{path}/"), found)?,
                // It was removed in between.
                Err(error) if is_no_object(&error) => {}
                Err(error) => return Err(error),
            }
            continue;
        }
        if path == LOCK {
            continue;
        }
        if found.len() >= MOST_ENTRIES {
            return Err(io::Error::new(
                ErrorKind::FileTooLarge,
                "it holds too many files",
            ));
        }
        let nanoseconds = entry.stat.st_mtime_nsec as u32;
        let modified = DateTime::from_timestamp(entry.stat.st_mtime, nanoseconds);
        found.push(StoredEntry {
            path,
            bytes: entry.stat.st_size.unsigned_abs(),
            modified: modified.unwrap_or_default(),
        });
    }
    Ok(())
}

/// A file with a temporary name. If it is dropped before the rename, the file is removed.
struct Temporary<'a> {
    folder: &'a OpenFolder,
    name: OsString,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(folder: &'a OpenFolder) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{TEMPORARY_PREFIX}{:016x}", u64::from_ne_bytes(random));
        let name = OsString::from(name);
        let file = folder.create_file(&name)?;
        Ok(Self { folder, name, file })
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // A renamed file no longer has this name.
        let _ = self.folder.remove_file(&self.name);
    }
}

/// Writes a temporary file beside the final one, and syncs it before the rename.
fn place(upload: &Upload, folder: &OpenFolder, name: &OsStr) -> io::Result<()> {
    // The file gets the default permissions of new files. A web server runs as another user, and
    // could not read a private file. The source's own permissions could make it executable.
    let temporary = Temporary::create(folder)?;
    match &upload.source {
        UploadBody::File(from) => {
            let from = open_no_follow(from)?;
            let found = copy(&from, &mut &temporary.file)?.sha256;
            if upload
                .sha256
                .as_ref()
                .is_some_and(|sha256| *sha256 != found)
            {
                return Err(digest_mismatch());
            }
        }
        UploadBody::Bytes(bytes) => io::Write::write_all(&mut &temporary.file, bytes)?,
    }
    temporary.file.sync_all()?;
    folder.rename(&temporary.name, name)?;
    folder.sync()
}

/// Copies a file and computes its digest.
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
mod tests;
