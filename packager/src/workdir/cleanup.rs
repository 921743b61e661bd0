//! Removes work folders that no process uses, and files that no record lists.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::scratch::remove_folder;
use super::{STATE_DIR, lock, prefix};

/// Removes this user's work folders without a process and without a change in this time. Returns
/// their number.
pub(crate) fn remove_abandoned(folder: &Path, after: Duration) -> anyhow::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let own = tempfile::tempfile_in(folder)?.metadata()?.uid();
    let mut removed = 0;
    for entry in entries {
        let root = entry?.path();
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix("lectern-").unwrap_or_default();
        if !is_revision(rest.strip_prefix("input-").unwrap_or(rest)) {
            continue;
        }
        let found = fs::symlink_metadata(&root)?;
        if !found.is_dir() || found.uid() != own {
            continue;
        }
        // Every task changes one of the two folders.
        let state_dir =
            fs::metadata(root.join(STATE_DIR)).and_then(|state_dir| state_dir.modified());
        let last = found.modified()?.max(state_dir.unwrap_or(UNIX_EPOCH));
        if last.elapsed().unwrap_or_default() > after && lock(&root)?.is_some() {
            remove_folder(&root);
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_revision(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes unfinished packages for the same output that no process works in.
pub(super) fn remove_stale(folder: &Path) -> Result<()> {
    let prefix = prefix(folder).to_string_lossy().into_owned();
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(revision) = name.strip_prefix(&prefix) else {
            continue;
        };
        if is_revision(revision) && entry.file_type()?.is_dir() && lock(&entry.path())?.is_some() {
            remove_folder(&entry.path());
        }
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Removes all files below a folder but these, and all empty folders.
pub(super) fn sweep(folder: &Path, kept: &HashSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            sweep(&path, kept)?;
            let _ = fs::remove_dir(&path);
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::workdir::tests::names;

    #[test]
    fn old_folders_are_removed_unless_they_are_locked_or_have_another_name() {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let root = tempfile::tempdir().expect("a temporary folder");
        let old = std::time::SystemTime::now() - 2 * DAY;
        let make = |name: &str| {
            let folder = root.path().join(name);
            fs::create_dir_all(folder.join(STATE_DIR)).expect("it is made");
            folder
        };
        let age = |folder: &Path| {
            for folder in [folder.join(STATE_DIR), folder.to_owned()] {
                let folder = File::open(folder).expect("a folder");
                folder.set_modified(old).expect("it is set");
            }
        };
        let busy = make("lectern-0000000000000002");
        let lock = lock(&busy).expect("a lock").expect("a free lock");
        for name in [
            "lectern-0000000000000000",
            "lectern-input-0000000000000001",
            "lectern-notes",
            "talk",
        ] {
            age(&make(name));
        }
        age(&busy);
        make("lectern-0000000000000003");
        let removed = remove_abandoned(root.path(), DAY).expect("the folder is readable");
        assert_eq!(removed, 2);
        assert_eq!(
            names(root.path()),
            [
                "lectern-0000000000000002",
                "lectern-0000000000000003",
                "lectern-notes",
                "talk"
            ]
        );
        drop(lock);
        assert_eq!(
            remove_abandoned(&root.path().join("none"), DAY).expect("nothing"),
            0
        );
    }
}
