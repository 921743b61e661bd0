//! Work folders belong to one user, and to one process at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::STATE_DIR;
use super::error::FolderError;

/// The file that a process locks.
pub(super) const LOCK: &str = "lock";

/// Makes a folder for this user only, in a folder that others may write into.
pub(crate) fn make_private(folder: &Path, root: &Path) -> anyhow::Result<()> {
    let failed = |error| FolderError::making(root, error);
    fs::create_dir_all(folder).map_err(failed)?;
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(root)?;
            let own = tempfile::tempfile_in(folder)?.metadata()?.uid();
            if !found.is_dir() || found.uid() != own {
                return Err(FolderError::Exists(root.to_owned()).into());
            }
            Ok(())
        }
        made => made.map_err(failed),
    }
}

/// Locks a folder, and makes it if it does not exist. Returns `None` if another process has the
/// lock.
pub(crate) fn lock(root: &Path) -> Result<Option<File>> {
    loop {
        fs::create_dir_all(root.join(STATE_DIR))?;
        let path = root.join(STATE_DIR).join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The process that had the lock may have renamed the folder.
        let is_same = fs::metadata(&path).is_ok_and(|found| {
            let own = file.metadata();
            own.is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
        });
        if is_same {
            return Ok(Some(file));
        }
    }
}
