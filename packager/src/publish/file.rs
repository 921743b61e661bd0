//! Publishing into a folder: every object appears whole, under its name, or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncSeekExt as _;
use tokio_util::io::ReaderStream;

use super::store::{Chunks, Digested, Entry, Head, Stored};
use super::upload::{Condition, Source, Upload, Version, is_other_bytes, other_bytes};
use super::{PublishError, TEMPORARY};
use crate::package_file::{self, is_below};
use crate::revision::hex;

/// Held while what may be replaced is compared and replaced.
const LOCK: &str = ".lectern-lock";

#[derive(Debug, Clone)]
pub(crate) struct FileTarget {
    pub(crate) folder: PathBuf,
}

impl FileTarget {
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &Condition,
    ) -> Result<bool, PublishError> {
        let (target, sent, condition) = (self.clone(), upload.clone(), condition.clone());
        let path = self.path(&upload.path)?;
        let to = path.clone();
        let put = blocking(move || target.put_now(&sent, &condition, &to)).await;
        put.map_err(|source| match is_other_bytes(&source) {
            true => upload.told(source),
            false => PublishError::Storage { path, source },
        })
    }

    /// Where an object is: below the folder, whatever what was read from it says.
    fn path(&self, path: &str) -> Result<PathBuf, PublishError> {
        match is_below(path) {
            true => Ok(self.folder.join(path)),
            false => Err(PublishError::Outside(path.to_owned())),
        }
    }

    fn put_now(&self, upload: &Upload, condition: &Condition, to: &Path) -> io::Result<bool> {
        let _lock = match condition {
            Condition::Any => None,
            // What is immutable is the same whoever comes first.
            Condition::Absent if upload.is_immutable() => None,
            _ => Some(self.lock()?),
        };
        let holds = match condition {
            Condition::Any => true,
            Condition::Absent => !to.exists(),
            Condition::Is(version) => match fs::read(to) {
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
    pub(crate) fn remove(&self, path: &str) -> Result<(), PublishError> {
        let path = self.path(path)?;
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(PublishError::Storage { path, source })
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

    pub(crate) fn get(&self, path: &str) -> Result<Option<Stored>, PublishError> {
        let path = self.path(path)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(Stored {
                version: version_of(&bytes),
                bytes: bytes.into(),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(PublishError::Read { path, source }),
        }
    }

    pub(crate) fn head(&self, path: &str) -> Option<Head> {
        let found = fs::metadata(self.path(path).ok()?).ok()?;
        let modified = DateTime::<Utc>::from(found.modified().ok()?);
        found.is_file().then(|| Head {
            bytes: found.len(),
            version: Version(modified.to_rfc3339()),
        })
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<Chunks<'_>>, PublishError> {
        let head = self.head(path);
        if head.is_none_or(|head| version.is_some_and(|version| *version != head.version)) {
            return Ok(None);
        }
        let path = self.path(path)?;
        let opened = tokio::fs::File::open(&path).await;
        let read = move |source| PublishError::Read {
            path: path.clone(),
            source,
        };
        let mut file = opened.map_err(&read)?;
        file.seek(SeekFrom::Start(from)).await.map_err(&read)?;
        let chunks = ReaderStream::with_capacity(file, 1 << 20).map_err(read);
        Ok(Some(chunks.boxed()))
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digested>, PublishError> {
        let path = self.path(path)?;
        let file = path.clone();
        let digested = blocking(move || {
            let mut file = File::open(file)?;
            let (mut hash, mut bytes) = (Sha256::new(), 0);
            let mut buffer = vec![0; 1 << 20];
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
            Ok(Digested {
                bytes,
                sha256: hex(&hash.finalize()),
            })
        });
        match digested.await {
            Ok(digested) => Ok(Some(digested)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(PublishError::Read { path, source }),
        }
    }

    /// Everything below a folder of it, by name.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<Entry>, PublishError> {
        let mut found = vec![];
        let start = self.folder.join(prefix);
        walk(&start, &self.folder, &mut found).map_err(|source| PublishError::Read {
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
    Version(hex(&Sha256::digest(bytes)))
}

fn walk(folder: &Path, root: &Path, found: &mut Vec<Entry>) -> io::Result<()> {
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
        found.push(Entry {
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
        .prefix(TEMPORARY)
        .tempfile_in(folder)?;
    let mode = match &upload.source {
        Source::File(from) => {
            let from = package_file::open(from)?;
            let mut hash = Sha256::new();
            copy(&from, &mut temporary.as_file(), &mut hash)?;
            let found = hex(&hash.finalize());
            if upload
                .sha256
                .as_ref()
                .is_some_and(|sha256| *sha256 != found)
            {
                return Err(other_bytes());
            }
            from.metadata()?.permissions()
        }
        Source::Bytes(bytes) => {
            io::Write::write_all(&mut temporary.as_file(), bytes)?;
            std::os::unix::fs::PermissionsExt::from_mode(0o644)
        }
    };
    // A web server runs as somebody else; temporary files are private to who made them.
    temporary.as_file().set_permissions(mode)?;
    temporary.as_file().sync_all()?;
    temporary.persist(to)?;
    File::open(folder)?.sync_all()
}

/// Copies a file, and takes its hash on the way.
fn copy(mut from: &File, to: &mut impl io::Write, hash: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}
