//! Lectures whose live parts a worker removes later. Each has a file beside the unfinished jobs, so
//! that a restart forgets none.

use std::fs;
use std::io::{ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::digest::sha256;

const PREFIX: &str = "lectern-live-";
const EXTENSION: &str = ".json";
/// A file of ours is far smaller.
const MAX_BYTES: u64 = 8 << 10;

/// The schedule of a folder.
#[derive(Debug)]
pub(crate) struct PruneSchedule {
    folder: PathBuf,
}

/// A lecture with live parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScheduledPrune {
    pub(crate) target: String,
    /// Seconds since 1970.
    pub(crate) due: u64,
}

impl PruneSchedule {
    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Adds a lecture, or replaces its time.
    pub(crate) fn add(&self, entry: &ScheduledPrune) -> Result<()> {
        let (file, json) = (self.file(&entry.target), serde_json::to_vec(entry)?);
        let mut written = NamedTempFile::new_in(&self.folder)?;
        written.write_all(&json)?;
        written.persist(file)?;
        Ok(())
    }

    /// Returns a lecture that is due.
    pub(crate) fn next_due(&self, now: u64) -> Result<Option<ScheduledPrune>> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !(name.starts_with(PREFIX) && name.ends_with(EXTENSION)) {
                continue;
            }
            let read = entry.metadata().and_then(|metadata| {
                let is_read = metadata.is_file() && metadata.len() <= MAX_BYTES;
                is_read.then(|| fs::read(entry.path())).transpose()
            });
            let json = match read {
                Ok(Some(json)) => json,
                Ok(None) => continue,
                // Another worker was quicker.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Others may write into a folder for temporary files.
            let found: Option<ScheduledPrune> = serde_json::from_slice(&json).ok();
            let own = found.filter(|found| self.file(&found.target) == entry.path());
            if let Some(found) = own.filter(|found| found.due <= now) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Removes a lecture.
    pub(crate) fn remove(&self, entry: &ScheduledPrune) -> Result<()> {
        match fs::remove_file(self.file(&entry.target)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn file(&self, target: &str) -> PathBuf {
        let digest = sha256(target);
        self.folder
            .join(format!("{PREFIX}{}{EXTENSION}", &digest[..16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lectures_are_due_at_their_time_and_survive_a_restart() {
        let root = tempfile::tempdir().expect("a folder");
        let entry = |target: &str, due| ScheduledPrune {
            target: target.to_owned(),
            due,
        };
        let schedule = PruneSchedule::open(root.path());
        schedule.add(&entry("r2://b/live/7", 10)).expect("added");
        schedule.add(&entry("r2://b/live/8", 20)).expect("added");
        schedule.add(&entry("r2://b/live/7", 30)).expect("replaced");
        for (name, text) in [
            ("lectern-live-0000000000000000.json", "{"),
            (
                "lectern-live-0000000000000001.json",
                r#"{"target":"r2://b/other","due":1}"#,
            ),
            ("notes.json", r#"{"target":"x","due":1}"#),
        ] {
            fs::write(root.path().join(name), text).expect("written");
        }
        let schedule = PruneSchedule::open(root.path());
        let due = |now| schedule.next_due(now).expect("read");
        assert_eq!(due(19), None);
        assert_eq!(due(20), Some(entry("r2://b/live/8", 20)));
        schedule.remove(&entry("r2://b/live/8", 20)).expect("gone");
        schedule.remove(&entry("r2://b/live/8", 20)).expect("gone");
        assert_eq!(due(29), None);
        assert_eq!(due(30), Some(entry("r2://b/live/7", 30)));
    }
}
