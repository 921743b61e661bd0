//! The download folder. It survives an interruption, so the same command resumes the download.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::digest::sha256;
use crate::limits::{LimitError, ResourceLimits};
use crate::progress::Progress;
use crate::workdir;
use crate::workdir::error::FolderError;
use crate::workdir::scratch::remove_folder;

/// Maximum bytes of a name; most file systems allow 255.
const LONGEST_NAME: usize = 120;
/// Folder of the lock.
const DESK: &str = "work";

/// A folder of files that one process works in at a time. Dropped, it stays unless it is empty.
#[derive(Debug)]
pub(crate) struct Download {
    root: PathBuf,
    progress: Progress,
    /// Held until this is dropped or the process ends.
    _lock: File,
}

/// An incomplete file with its temporary name.
#[derive(Debug)]
pub(super) struct PartialFile {
    part: PathBuf,
    whole: PathBuf,
}

impl Download {
    /// Opens the folder below `work`; its name is derived from the identity of the input.
    pub(super) fn begin(work: &Path, identity: &str, progress: Progress) -> Result<Self> {
        let mut digest = sha256(identity);
        digest.truncate(16);
        let root = work.join(format!("lectern-input-{digest}"));
        workdir::make_private(work, &root)
            .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
        let lock = workdir::lock(&root)?.ok_or_else(|| FolderError::Busy(root.clone()))?;
        Ok(Self {
            root,
            progress,
            _lock: lock,
        })
    }

    pub(super) fn file(&self, name: &str) -> PartialFile {
        let whole = self.root.join(shortened(name));
        let mut part = whole.clone().into_os_string();
        part.push(".part");
        PartialFile {
            part: part.into(),
            whole,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.root
    }

    /// Downloads within the limits, and returns the folder with the file that `fetch` made. Removes
    /// the folder after the failure of a queue's job or an exceeded limit, which another try would
    /// meet again.
    pub(super) async fn fill(
        self,
        limits: &ResourceLimits,
        fetch: impl AsyncFnOnce(&Self) -> Result<PathBuf>,
    ) -> Result<(Self, PathBuf)> {
        match limits.within(fetch(&self)).await {
            Ok(file) => Ok((self, file)),
            Err(error) => {
                if limits.is_queued || error.is::<LimitError>() {
                    self.discard();
                }
                Err(error)
            }
        }
    }

    /// Counts the bytes that the folder lacks of `bytes`.
    pub(super) fn count_missing(&self, bytes: u64) -> u64 {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let had: u64 = entries
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .sum();
        bytes.saturating_sub(had)
    }

    /// Removes the folder, whose contents are useless.
    pub(super) fn discard(self) {
        remove_folder(&self.root);
    }

    fn has_files(&self) -> bool {
        let entries = fs::read_dir(&self.root).into_iter().flatten();
        entries.flatten().any(|entry| entry.file_name() != DESK)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.has_files() {
            self.progress.note(format_args!(
                "the download stays in `{}`: the same command resumes it",
                self.root.display()
            ));
        } else {
            remove_folder(&self.root);
        }
    }
}

impl PartialFile {
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    pub(super) fn whole(&self) -> &Path {
        &self.whole
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_file()
    }

    pub(super) fn open(&self) -> Result<File> {
        let options = File::options().create(true).append(true).open(&self.part);
        options.with_context(|| format!("cannot write `{}`", self.part.display()))
    }

    pub(super) fn become_whole(self, file: &File) -> Result<PathBuf> {
        file.sync_all()?;
        fs::rename(&self.part, &self.whole)?;
        Ok(self.whole)
    }
}

/// The end of a name, which keeps the extension for ffmpeg.
fn shortened(name: &str) -> &str {
    let from = name.len().saturating_sub(LONGEST_NAME);
    let from = (from..name.len()).find(|at| name.is_char_boundary(*at));
    match from.map_or(name, |from| &name[from..]) {
        DESK => "recording",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_end_and_takes_none_of_ours() {
        let long = format!("{}é.mov", "x".repeat(300));
        for (name, expected) in [("talk.mov", "talk.mov"), ("work", "recording")] {
            assert_eq!(shortened(name), expected);
        }
        assert!(shortened(&long).ends_with("xé.mov"));
        assert!(shortened(&long).len() <= LONGEST_NAME);
        assert!(shortened(&"é".repeat(200)).len() <= LONGEST_NAME);
    }
}
