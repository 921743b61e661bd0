//! Journal of a publication beside the package: one line for each finished object or part, so an
//! interrupted upload resumes. Lines are appended, and the last one may be torn.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::sha256;
use crate::files::regular::open_no_follow_with;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JournalLine {
    /// A stored object.
    Sent(String),
    /// A started multipart upload: path, id, length of a part.
    Begun(String, String, u64),
    /// A stored part: path, number from 1, entity-tag.
    Part(String, u32, String),
    /// The provisional lecture that plays during the upload.
    #[serde(rename = "meanwhile")]
    Provisional(Value),
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BegunUpload {
    pub(crate) id: String,
    pub(crate) part: u64,
    /// Entity-tags by number.
    pub(crate) parts: BTreeMap<u32, String>,
}

#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    state: Mutex<JournalState>,
}

#[derive(Debug, Default)]
enum JournalFile {
    /// The journal is unwritable, held by another process, or in memory only.
    #[default]
    Nowhere,
    /// Created with its first line.
    NotYet(PathBuf),
    File(File),
}

#[derive(Debug, Default)]
struct JournalState {
    file: JournalFile,
    sent: HashSet<String>,
    begun: HashMap<String, BegunUpload>,
    provisional: Option<Value>,
}

impl Journal {
    /// Opens the journal of a package in a folder on its way to a target.
    pub(crate) fn open(folder: &Path, revision: &str, target: &str) -> Self {
        let hash = sha256(target);
        let mut name = prefix(folder);
        name.push(format!("{revision}-{}", hash.get(..8).unwrap_or_default()));
        let path = folder.with_file_name(name);
        let state = match JournalState::read(&path) {
            Ok(state) => state,
            Err(error) if error.kind() == ErrorKind::NotFound => JournalState {
                file: JournalFile::NotYet(path.clone()),
                ..JournalState::default()
            },
            Err(_) => JournalState::default(),
        };
        Self {
            path,
            state: Mutex::new(state),
        }
    }

    /// A journal in memory.
    pub(crate) fn none() -> Self {
        Self {
            path: PathBuf::new(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn was_sent(&self, path: &str) -> bool {
        self.state().sent.contains(path)
    }

    pub(crate) fn record_sent(&self, path: &str) {
        let mut state = self.state();
        state.begun.remove(path);
        if state.sent.insert(path.to_owned()) {
            state.write(&JournalLine::Sent(path.to_owned()));
        }
    }

    pub(crate) fn find_upload(&self, path: &str) -> Option<BegunUpload> {
        self.state().begun.get(path).cloned()
    }

    pub(crate) fn record_upload(&self, path: &str, id: &str, part: u64) {
        let line = JournalLine::Begun(path.to_owned(), id.to_owned(), part);
        let mut state = self.state();
        state.write(&line);
        state.take(line);
    }

    pub(crate) fn record_part(&self, path: &str, number: u32, etag: &str) {
        let line = JournalLine::Part(path.to_owned(), number, etag.to_owned());
        let mut state = self.state();
        state.write(&line);
        state.take(line);
    }

    pub(crate) fn provisional(&self) -> Option<Value> {
        self.state().provisional.clone()
    }

    pub(crate) fn record_provisional(&self, provisional: Value) {
        let line = JournalLine::Provisional(provisional);
        let mut state = self.state();
        state.write(&line);
        state.take(line);
    }

    /// Removes the journal of a complete publication.
    pub(crate) fn finish(&self) {
        if matches!(self.state().file, JournalFile::File(_)) {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Removes all journals of a removed folder.
    pub(crate) fn remove_all(folder: &Path) {
        let prefix = prefix(folder).to_string_lossy().into_owned();
        let entries = folder.parent().map(fs::read_dir);
        for entry in entries.into_iter().flatten().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, JournalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prefix(folder: &Path) -> std::ffi::OsString {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".publish-");
    name
}

impl JournalState {
    fn read(path: &Path) -> io::Result<Self> {
        // Others may write to the parent folder of a package.
        let mut file = open_no_follow_with(File::options().append(true).read(true), path)?;
        let found = file.metadata()?;
        let is_ours = found.uid() == rustix::process::geteuid().as_raw();
        if found.nlink() > 1 || !is_ours {
            return Err(ErrorKind::PermissionDenied.into());
        }
        lock_file(&file)?;
        let mut text = vec![];
        file.read_to_end(&mut text)?;
        let mut state = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice(line) {
                state.take(line);
            }
        }
        // A line after a torn one begins on its own line.
        if text.last().is_some_and(|byte| *byte != b'\n') {
            file.write_all(b"\n")?;
        }
        state.file = JournalFile::File(file);
        Ok(state)
    }

    fn take(&mut self, line: JournalLine) {
        match line {
            JournalLine::Sent(path) => {
                self.begun.remove(&path);
                self.sent.insert(path);
            }
            JournalLine::Begun(path, id, part) => {
                let begun = BegunUpload {
                    id,
                    part,
                    parts: BTreeMap::new(),
                };
                self.begun.insert(path, begun);
            }
            JournalLine::Part(path, number, etag) => {
                if let Some(begun) = self.begun.get_mut(&path) {
                    begun.parts.insert(number, etag);
                }
            }
            JournalLine::Provisional(provisional) => self.provisional = Some(provisional),
        }
    }

    fn write(&mut self, line: &JournalLine) {
        if self.try_write(line).is_err() {
            self.file = JournalFile::Nowhere;
        }
    }

    /// Writes a line at once, so a killed process leaves whole lines. A failed write only causes
    /// another upload.
    fn try_write(&mut self, line: &JournalLine) -> io::Result<()> {
        if let JournalFile::NotYet(path) = &self.file {
            let file = File::options().create_new(true).append(true).open(path)?;
            lock_file(&file)?;
            self.file = JournalFile::File(file);
        }
        let JournalFile::File(file) = &mut self.file else {
            return Ok(());
        };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        file.write_all(&text)
    }
}

/// Locks the file until the process ends.
fn lock_file(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_journal_has_all_lines_but_a_torn_one() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("out");
        let open = || Journal::open(&folder, "0a", "s3://b/c");
        let journal = open();
        journal.record_sent("v/0a/a");
        journal.record_upload("v/0a/b", "id", 5);
        journal.record_part("v/0a/b", 2, "e2");
        journal.record_part("v/0a/b", 1, "e1");
        journal.record_part("v/0a/unknown", 1, "e1");
        journal.record_upload("v/0a/c", "id", 5);
        journal.record_sent("v/0a/c");
        journal.record_provisional(serde_json::json!(["480p"]));
        journal.record_provisional(serde_json::json!(["480p", "720p"]));
        let elsewhere = Journal::open(&folder, "0a", "s3://b/d");
        assert!(!elsewhere.was_sent("v/0a/a"));
        assert!(!elsewhere.path.exists(), "there is nothing to write down");
        elsewhere.record_sent("v/0a/a");
        // A second process that publishes the same package keeps no journal.
        let second = open();
        assert!(!second.was_sent("v/0a/a"));
        second.finish();
        let path = journal.path.clone();
        drop(journal);
        let mut file = File::options()
            .append(true)
            .open(&path)
            .expect("it is there");
        file.write_all(br#"{"sent":"v/0a/to"#)
            .expect("it is written");
        let journal = open();
        assert!(journal.was_sent("v/0a/a") && journal.was_sent("v/0a/c"));
        assert!(!journal.was_sent("v/0a/to"));
        let provisional = serde_json::json!(["480p", "720p"]);
        assert_eq!(journal.provisional(), Some(provisional));
        let parts = BTreeMap::from([(1, "e1".to_owned()), (2, "e2".to_owned())]);
        let expected = BegunUpload {
            id: "id".into(),
            part: 5,
            parts,
        };
        assert_eq!(journal.find_upload("v/0a/b"), Some(expected));
        assert_eq!(journal.find_upload("v/0a/c"), None);
        journal.record_sent("v/0a/d");
        drop(journal);
        let journal = open();
        assert!(journal.was_sent("v/0a/d"));
        journal.finish();
        assert!(!path.exists());
        assert!(elsewhere.path.exists());
        Journal::remove_all(&folder);
        assert!(!elsewhere.path.exists());
    }

    #[test]
    fn a_journal_is_written_through_no_link() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("out");
        let open = || Journal::open(&folder, "0a", "s3://b/c");
        let path = open().path;
        let victim = root.path().join("victim");
        fs::write(&victim, "mine\n").expect("it is written");
        for is_symbolic in [true, false] {
            let linked = match is_symbolic {
                true => std::os::unix::fs::symlink(&victim, &path),
                false => fs::hard_link(&victim, &path),
            };
            linked.expect("a link");
            let journal = open();
            journal.record_sent("v/0a/a");
            journal.finish();
            drop(journal);
            assert_eq!(fs::read(&victim).expect("it is there"), b"mine\n");
            fs::remove_file(&path).expect("a link");
        }
    }
}
