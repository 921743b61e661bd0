//! Temporary folders.

use std::fs;
use std::path::{Path, PathBuf};

use std::io::ErrorKind;
use std::time::Duration;

/// Returns the error of a full disk, if a write to this folder fails with it. ffmpeg 5.1 writes
/// truncated segments to a full disk and returns 0.
pub(crate) fn full_disk(folder: &Path) -> Option<anyhow::Error> {
    let file = folder.join("space");
    let tried = fs::write(&file, vec![1; 1 << 20]);
    let _ = fs::remove_file(&file);
    let error = tried
        .err()
        .filter(|error| error.kind() == ErrorKind::StorageFull)?;
    let writing = format!("cannot write into `{}`", folder.display());
    Some(anyhow::Error::new(error).context(writing))
}

/// A folder that is removed when it is dropped: at the end, after an error or a signal.
#[derive(Debug)]
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Makes a folder beside a file, so that its contents can be renamed to that file.
    pub(crate) fn beside(file: &Path) -> std::io::Result<Self> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let path = file.with_file_name(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        remove_folder(&self.0);
    }
}

/// Removes a folder, and tries again while a process writes into it.
pub(crate) fn remove_folder(path: &Path) {
    // An ffmpeg that was just killed may still create a file.
    for _ in 0..20 {
        match fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(_) => std::thread::sleep(Duration::from_millis(25)),
        }
    }
}
