//! Publishing into a folder: every object appears whole, under its name, or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Outcome, PublishError, Upload};

#[derive(Debug, Clone)]
pub(crate) struct FileTarget {
    pub(crate) folder: PathBuf,
}

impl FileTarget {
    pub(crate) async fn put(&self, upload: &Upload) -> Result<Outcome, PublishError> {
        let to = self.folder.join(&upload.path);
        let storage = |source| PublishError::Storage {
            path: to.clone(),
            source,
        };
        if upload.is_immutable && fs::metadata(&to).is_ok_and(|found| found.len() == upload.bytes) {
            return Ok(Outcome::AlreadyThere);
        }
        let (from, target) = (upload.file.clone(), to.clone());
        tokio::task::spawn_blocking(move || place(&from, &target))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the copy was cancelled")))
            .map_err(storage)?;
        Ok(Outcome::Written)
    }

    /// What is not there is as good as removed.
    pub(crate) fn remove(&self, path: &str) -> Result<(), PublishError> {
        let path = self.folder.join(path);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(PublishError::Storage { path, source })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(path)).ok()
    }
}

/// A temporary name beside the final one, on disk before it gets that.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let temporary = tempfile::Builder::new()
        .prefix(".lectern-")
        .tempfile_in(folder)?;
    io::copy(&mut File::open(from)?, &mut temporary.as_file())?;
    // A web server runs as somebody else; temporary files are private to who made them.
    temporary
        .as_file()
        .set_permissions(fs::metadata(from)?.permissions())?;
    temporary.as_file().sync_all()?;
    temporary.persist(to)?;
    File::open(folder)?.sync_all()
}
