//! Folders that leave nothing behind.

use std::fs;
use std::path::{Path, PathBuf};

use std::io::ErrorKind;
use std::time::Duration;

/// ffmpeg 5.1 writes cut segments to a full disk, says nothing and ends with 0; whether that is what happened shows in
/// whether anything more fits.
pub(crate) fn full_disk(folder: &Path) -> Option<std::io::Error> {
    let file = folder.join("space");
    let tried = fs::write(&file, vec![1; 1 << 20]);
    let _ = fs::remove_file(&file);
    tried
        .err()
        .filter(|error| error.kind() == ErrorKind::StorageFull)
}

/// A folder that is removed: at the end, on an error, on a signal.
#[derive(Debug)]
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    /// A sibling of a file, so that what is made in it can be renamed to that.
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

pub(crate) fn remove_folder(path: &Path) {
    // An ffmpeg that was just killed may still have a file to create.
    for _ in 0..20 {
        match fs::remove_dir_all(path) {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(_) => std::thread::sleep(Duration::from_millis(25)),
        }
    }
}
