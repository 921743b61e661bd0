//! Publishes into a folder: every object appears complete under its name, or not at all. Others may
//! write below the folder too, so [`OpenFolder`] opens what is below it and follows no link.

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
use super::object::{PutCondition, Upload, UploadBody, Version, is_other_bytes, other_bytes};
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
    /// Opened once, as soon as it is there.
    root: Arc<OnceLock<OpenFolder>>,
}

impl FolderStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            root: Arc::default(),
        }
    }

    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
    ) -> Result<bool, StorageError> {
        let (target, sent, condition) = (self.clone(), upload.clone(), condition.clone());
        let path = self.path(&upload.path)?;
        let put = blocking(move || target.put_now(&sent, &condition)).await;
        put.map_err(|source| match is_other_bytes(&source) {
            true => upload.read_error(source),
            false => StorageError::Storage { path, source },
        })
    }

    /// Path of an object, for messages.
    pub(crate) fn name(&self, path: &str) -> String {
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
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(self.read_error(path, source)),
        }
    }

    fn read_error(&self, path: &str, source: io::Error) -> StorageError {
        StorageError::Read {
            path: self.folder.join(path),
            source,
        }
    }

    /// Path of an object, always below the folder, whatever name the package has.
    fn path(&self, path: &str) -> Result<PathBuf, StorageError> {
        match is_below(path) {
            true => Ok(self.folder.join(path)),
            false => Err(StorageError::Outside(path.to_owned())),
        }
    }

    fn put_now(&self, upload: &Upload, condition: &PutCondition) -> io::Result<bool> {
        let root = self.root_or_make()?;
        let _lock = match condition {
            PutCondition::Any => None,
            // An immutable object is the same from every publisher.
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
            // A larger object cannot be the expected version.
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

    /// Removes an object; a missing one counts as removed.
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

    pub(crate) fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let bytes = read_bounded(file).map_err(|source| self.read_error(path, source))?;
        let bytes = bytes.ok_or_else(|| StorageError::LongAnswer {
            path: path.to_owned(),
            most: LONGEST_IN_MEMORY,
        })?;
        Ok(Some(StoredObject {
            version: version_of(&bytes),
            bytes: bytes.into(),
        }))
    }

    pub(crate) fn head(&self, path: &str) -> Result<Option<ObjectHead>, StorageError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        head_of(&file)
            .map(Some)
            .map_err(|source| self.read_error(path, source))
    }

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
        let read = move |source| StorageError::Read {
            path: path.clone(),
            source,
        };
        let head = head_of(&file).map_err(&read)?;
        if version.is_some_and(|version| *version != head.version) {
            return Ok(None);
        }
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(from)).await.map_err(&read)?;
        let chunks = ReaderStream::with_capacity(file, 1 << 20).map_err(read);
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

    /// Lists everything below a folder, sorted by name.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<StoredEntry>, StorageError> {
        let mut found = vec![];
        match self.list_now(prefix, &mut found) {
            Err(error) if !is_absent(&error) => return Err(self.read_error(prefix, error)),
            _ => {}
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn list_now(&self, prefix: &str, found: &mut Vec<StoredEntry>) -> io::Result<()> {
        let root = self.root()?;
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return walk(root, "", found);
        }
        let (folders, name) = root.walk(prefix)?;
        let folder = folders.last().unwrap_or(root).enter(name)?;
        walk(&folder, &format!("{prefix}/"), found)
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

fn lock(root: &OpenFolder) -> io::Result<File> {
    let file = root.open_lock(OsStr::new(LOCK))?;
    match file.lock() {
        // Some network file systems have no locks.
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
        _ => Ok(file),
    }
}

/// Removes an object, and the folders that are empty without it.
fn remove(root: &OpenFolder, path: &str) -> io::Result<()> {
    let (folders, name) = root.walk(path)?;
    folders.last().unwrap_or(root).remove_file(name)?;
    let holders = std::iter::once(root).chain(&folders);
    let names: Vec<(&OpenFolder, &OsStr)> = holders.zip(Path::new(path).iter()).collect();
    // Without the last, which is the object's own.
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
                Err(error) if is_absent(&error) => {}
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

/// A file without its final name. Dropping it removes a file that was not renamed.
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
    // Default permissions of new files: a web server runs as another user, and a package's file may
    // have executable bits.
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
                return Err(other_bytes());
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
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    use super::*;

    fn store(folder: &Path) -> FolderStore {
        FolderStore::new(folder.to_owned())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
    }

    fn words(error: &StorageError) -> String {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    }

    /// Errors of each way to read, list or write an object.
    async fn errors(store: &FolderStore, path: &str) -> Vec<(&'static str, Option<String>)> {
        let upload = Upload::of_bytes(path, "new");
        let describe = |error: StorageError| words(&error);
        vec![
            ("get", store.get(path).err().map(describe)),
            ("head", store.head(path).err().map(describe)),
            ("read", store.read(path, 0, None).await.err().map(describe)),
            ("digest", store.digest(path).await.err().map(describe)),
            (
                "put",
                store
                    .put(&upload, &PutCondition::Any)
                    .await
                    .err()
                    .map(describe),
            ),
            (
                "put new",
                store
                    .put(&upload, &PutCondition::Absent)
                    .await
                    .err()
                    .map(describe),
            ),
        ]
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

    #[tokio::test]
    async fn no_symbolic_link_below_a_target_is_followed() {
        for planted in ["v", "v/1", "v/1/a"] {
            let root = tempfile::tempdir().expect("a temporary folder");
            let (served, outside) = (root.path().join("served"), root.path().join("outside"));
            fs::create_dir_all(outside.join("1")).expect("a folder");
            for name in ["a", "1/a"] {
                fs::write(outside.join(name), "victim").expect("it is written");
            }
            let link = served.join(planted);
            fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
            let to = match planted {
                "v/1/a" => outside.join("a"),
                _ => outside.clone(),
            };
            symlink(to, &link).expect("a link");
            // The target itself may be a link.
            symlink(&served, root.path().join("latest")).expect("a link");
            let store = store(&root.path().join("latest"));
            for (verb, error) in errors(&store, "v/1/a").await {
                let error = error.unwrap_or_default();
                assert!(error.contains("symbolic link"), "{planted} {verb}: {error}");
            }
            if planted != "v/1/a" {
                let removed = store.remove("v/1/a").map_err(|error| words(&error));
                let removed = removed.expect_err("it lies behind a link");
                assert!(removed.contains("symbolic link"), "{planted}: {removed}");
                let listed = store.list("v/1/").map_err(|error| words(&error));
                assert!(listed.expect_err("a link").contains("symbolic link"));
            }
            for name in ["a", "1/a"] {
                let victim = fs::read(outside.join(name)).expect("it is there");
                assert_eq!(victim, b"victim", "{planted}");
            }
        }
    }

    /// Another process swaps a folder of the target for a link out of it, and back, all the time.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

        use rustix::fs::{CWD, RenameFlags, renameat_with};

        /// Ends what runs beside the test, also where that fails.
        struct Ending<'a>(&'a AtomicBool);

        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        const ROUNDS: usize = 400;
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| root.path().join(name);
        let (folder, link) = (path("served/v"), path("served/link"));
        fs::create_dir_all(folder.join("1")).expect("a folder");
        fs::create_dir_all(path("outside/1")).expect("a folder");
        symlink(path("outside"), &link).expect("a link");
        let victim = path("outside/1/victim");
        fs::write(&victim, "victim").expect("it is written");
        let (is_over, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (mut written, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            let _ending = Ending(&is_over);
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE)
                        .expect("they are swapped");
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            let store = store(&path("served"));
            for round in 0..ROUNDS {
                let seen = swaps.load(Ordering::Relaxed);
                while swaps.load(Ordering::Relaxed) == seen {
                    std::thread::yield_now();
                }
                let new = Upload::of_bytes(&format!("v/1/{round}"), "new");
                match runtime.block_on(store.put(&new, &PutCondition::Absent)) {
                    Ok(_) => written += 1,
                    Err(_) => refused += 1,
                }
                let read = store.get("v/1/victim");
                assert!(!matches!(read, Ok(Some(_))), "{round}: it was read");
                let _ = store.remove("v/1/victim");
                let listed = store.list("v/1").unwrap_or_default();
                assert!(listed.iter().all(|entry| !entry.path.ends_with("victim")));
            }
        });
        assert!(written > 0 && refused > 0, "{written} and {refused}");
        let outside = fs::read_dir(path("outside/1")).expect("a folder");
        let outside: Vec<_> = outside.map(|entry| entry.expect("an entry")).collect();
        assert_eq!(outside.len(), 1, "{outside:?}");
        assert_eq!(fs::read(&victim).expect("it is there"), b"victim");
    }

    #[tokio::test]
    async fn the_lock_of_a_target_is_no_symbolic_link() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (served, outside) = (root.path().join("served"), root.path().join("outside"));
        fs::create_dir(&served).expect("a folder");
        symlink(&outside, served.join(LOCK)).expect("a link");
        let upload = Upload::of_bytes("master.m3u8", "new");
        let put = store(&served).put(&upload, &PutCondition::Absent).await;
        let error = words(&put.expect_err("a link"));
        assert!(error.contains("symbolic link"), "{error}");
        assert!(!outside.exists());
    }

    #[tokio::test]
    async fn what_is_no_file_at_a_target_is_not_waited_for() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let pipe = root.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        for (verb, error) in errors(&store(root.path()), "pipe").await {
            let error = error.unwrap_or_default();
            assert!(error.contains("no regular file"), "{verb}: {error}");
        }
        fs::rename(&pipe, root.path().join(LOCK)).expect("it is moved");
        let upload = Upload::of_bytes("master.m3u8", "new");
        let put = store(root.path()).put(&upload, &PutCondition::Absent).await;
        put.expect_err("no file");
        // A folder is no object, and does not disturb reading.
        fs::create_dir(root.path().join("folder")).expect("a folder");
        let found = store(root.path()).get("folder").expect("it is looked at");
        assert_eq!(found, None);
    }

    #[test]
    fn what_is_read_into_memory_has_a_bound() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = File::create(root.path().join("master.m3u8")).expect("a file");
        file.set_len(1 << 40).expect("a file with a hole");
        let error = store(root.path())
            .get("master.m3u8")
            .expect_err("too large");
        assert!(matches!(error, StorageError::LongAnswer { .. }), "{error}");
    }
}
