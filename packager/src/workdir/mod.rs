//! The folder that a package is made in. It is named by the revision and outlives what interrupts the work, so that the same
//! command takes up where it stopped: beside each finished part is a record of its files, and what fits its record is kept.

pub(crate) mod error;
pub(crate) mod scratch;

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::media::Object;
use crate::progress::Progress;
use crate::workdir::scratch::remove_folder;
use error::FolderError;

/// Records, what is being encoded, and the lock: all that is no part of the package.
const STATE_DIR: &str = "work";
const LOCK: &str = "lock";

/// What is known of a finished part.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    /// What ffmpeg complained about.
    pub(crate) warnings: String,
    /// Paths from the package's root.
    pub(crate) files: Vec<Object>,
}

/// A folder in which one process works at a time. Dropped, it stays if any part of it is finished.
#[derive(Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
    revision: String,
    progress: Progress,
    /// How many parts are finished, and of how many.
    tasks: Cell<(usize, usize)>,
    is_done: bool,
    /// Held until this is dropped, or we are killed.
    _lock: File,
}

impl WorkDir {
    /// A sibling of the folder that it becomes, so that it can be renamed to it.
    pub(crate) fn beside(
        folder: &Path,
        revision: &str,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let mut name = prefix(folder);
        name.push(revision);
        Self::open(folder.with_file_name(name), revision, progress)
    }

    /// What [`WorkDir::under`] makes.
    pub(crate) fn name_under(folder: &Path, revision: &str) -> PathBuf {
        folder.join(format!("lectern-{revision}"))
    }

    /// In a folder that others may write into.
    pub(crate) fn under(folder: &Path, revision: &str, progress: Progress) -> anyhow::Result<Self> {
        let root = Self::name_under(folder, revision);
        make_private(folder, &root)?;
        Self::open(root, revision, progress)
    }

    fn open(root: PathBuf, revision: &str, progress: Progress) -> anyhow::Result<Self> {
        Ok(Self {
            _lock: lock(&root)?.ok_or_else(|| FolderError::Busy(root.clone()))?,
            root,
            revision: revision.to_owned(),
            progress,
            tasks: Cell::new((0, 0)),
            is_done: false,
        })
    }

    /// The package's root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn revision_folder(&self) -> PathBuf {
        self.root.join("v").join(&self.revision)
    }

    /// Where a part has what is no object of the package.
    pub(crate) fn task_file(&self, task: &str) -> PathBuf {
        self.state_dir().join(format!("{task}.mp4"))
    }

    /// An empty folder to encode a part in.
    pub(crate) fn scratch(&self, task: &str) -> Result<PathBuf> {
        let folder = self.state_dir().join(task);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Which of these parts are finished, each file as its record says; everything else is removed.
    pub(crate) async fn resume(&self, tasks: &[String]) -> Result<Vec<Option<TaskRecord>>> {
        let mut records = vec![];
        let mut kept = HashSet::from([self.state_dir().join(LOCK)]);
        for task in tasks {
            let record = self.fitting(task).await;
            if let Some(record) = &record {
                kept.insert(self.record(task));
                kept.extend(record.files.iter().map(|file| self.root.join(&file.path)));
            }
            records.push(record);
        }
        sweep(&self.root, &kept)?;
        self.tasks
            .set((records.iter().flatten().count(), tasks.len()));
        Ok(records)
    }

    async fn fitting(&self, task: &str) -> Option<TaskRecord> {
        let json = fs::read(self.record(task)).ok()?;
        let record: TaskRecord = serde_json::from_slice(&json).ok()?;
        for file in &record.files {
            let found = Object::of_file(&self.root, &file.path).await.ok()?;
            if found != *file {
                return None;
            }
        }
        Some(record)
    }

    /// Says that a part is finished; its files are there under their final names.
    pub(crate) async fn record_finished(
        &self,
        task: &str,
        warnings: String,
        files: &[PathBuf],
    ) -> anyhow::Result<TaskRecord> {
        let mut record = TaskRecord {
            warnings,
            files: vec![],
        };
        for file in files {
            let path = file.strip_prefix(&self.root)?.to_string_lossy();
            record.files.push(Object::of_file(&self.root, &path).await?);
        }
        let (place, written) = (self.record(task), self.state_dir().join("record"));
        fs::write(&written, serde_json::to_vec(&record)?)?;
        fs::rename(written, place)?;
        let (kept, all) = self.tasks.get();
        self.tasks.set((kept + 1, all));
        Ok(record)
    }

    fn state_dir(&self) -> PathBuf {
        self.root.join(STATE_DIR)
    }

    fn record(&self, task: &str) -> PathBuf {
        self.state_dir().join(format!("{task}.json"))
    }

    /// Takes the final name. What had it before is moved aside first and removed last, so that a failure in between
    /// loses neither.
    pub(crate) fn commit<'a>(
        mut self,
        folder: &Path,
        objects: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        let mut aside = self.root.clone().into_os_string();
        aside.push(".old");
        let aside = PathBuf::from(aside);
        let had_one = fs::symlink_metadata(folder).is_ok();
        if had_one {
            remove(&aside)?;
            fs::rename(folder, &aside)?;
        }
        if let Err(error) = fs::rename(&self.root, folder) {
            if had_one {
                fs::rename(&aside, folder)?;
            }
            return Err(error);
        }
        self.is_done = true;
        // Only now: whoever waits for the lock shall not find the folder without one, and what objects are made of may
        // still be needed.
        let kept = objects.into_iter().map(|path| folder.join(path)).collect();
        sweep(folder, &kept)?;
        remove(&aside)?;
        remove_stale(folder)
    }

    /// Removes it: what is in it is of no use any more.
    pub(crate) fn discard(mut self) {
        self.is_done = true;
        remove_folder(&self.root);
    }

    /// What failed, and whether what is finished is worth keeping: not if the recording is no good.
    pub(crate) fn abandon(self, is_hopeless: bool) {
        if is_hopeless {
            self.discard();
        }
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        match self.tasks.get() {
            (0, _) => remove_folder(&self.root),
            (kept, all) => self.progress.note(format_args!(
                "{kept} of {all} parts are finished and stay in `{}`: the same command goes on from there",
                self.root.display()
            )),
        }
    }
}

/// Makes a folder of ours in one that others may write into.
pub(crate) fn make_private(folder: &Path, root: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(root)?;
            let own = tempfile::tempfile_in(folder)?.metadata()?.uid();
            if !found.is_dir() || found.uid() != own {
                return Err(FolderError::Exists(root.to_owned()).into());
            }
            Ok(())
        }
        made => Ok(made?),
    }
}

/// Removes folders of ours that whoever worked in them was killed in and nobody has come back to.
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
        // What is done in it is done in the one or beside the other.
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

/// The lock of a folder, which is made if it is not there; none where another process has it.
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
        // Whoever had it may have moved the folder away in between.
        let is_there = fs::metadata(&path).is_ok_and(|found| {
            let own = file.metadata();
            own.is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
        });
        if is_there {
            return Ok(Some(file));
        }
    }
}

fn prefix(folder: &Path) -> std::ffi::OsString {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".partial-");
    name
}

/// Removes what interrupted work for the same output left behind, unless somebody is at it.
fn remove_stale(folder: &Path) -> Result<()> {
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

fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Removes every file below a folder but these, and every folder in which nothing is left.
fn sweep(folder: &Path, kept: &HashSet<PathBuf>) -> Result<()> {
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
    use super::*;

    const REVISION: &str = "0123456789abcdef";

    fn open(folder: &Path, revision: &str) -> anyhow::Result<WorkDir> {
        WorkDir::beside(folder, revision, Progress::new(true))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A part of one file.
    async fn finish(partial: &WorkDir, task: &str) -> PathBuf {
        let file = partial.revision_folder().join(task);
        fs::create_dir_all(partial.revision_folder()).expect("a folder");
        fs::write(&file, task).expect("it is written");
        let files = std::slice::from_ref(&file);
        partial
            .record_finished(task, "said".into(), files)
            .await
            .expect("it is kept");
        file
    }

    #[tokio::test]
    async fn what_is_finished_stays_and_what_does_not_fit_its_record_goes() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let out = root.path().join("out");
        let tasks = ["a", "b", "c"].map(String::from);
        let partial = open(&out, REVISION).expect("it is made");
        partial.resume(&tasks).await.expect("nothing is there");
        finish(&partial, "a").await;
        let damaged = finish(&partial, "b").await;
        fs::write(partial.revision_folder().join("half"), "x").expect("it is written");
        fs::write(partial.scratch("c").expect("a folder").join("half"), "x")
            .expect("it is written");
        drop(partial);
        assert_eq!(names(root.path()), [format!("out.partial-{REVISION}")]);

        fs::write(damaged, "B").expect("it is written");
        let partial = open(&out, REVISION).expect("it is there");
        let records = partial.resume(&tasks).await.expect("it is taken up");
        let kept: Vec<bool> = records.iter().map(Option::is_some).collect();
        assert_eq!(kept, [true, false, false]);
        assert_eq!(records[0].as_ref().expect("a record").warnings, "said");
        assert_eq!(names(&partial.revision_folder()), ["a"]);
        assert_eq!(names(&partial.state_dir()), ["a.json", LOCK]);
    }

    #[tokio::test]
    async fn a_folder_without_a_finished_part_or_of_a_bad_recording_is_gone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let out = root.path().join("out");
        drop(open(&out, REVISION).expect("it is made"));
        assert!(names(root.path()).is_empty());
        let partial = open(&out, REVISION).expect("it is made");
        finish(&partial, "a").await;
        partial.abandon(true);
        assert!(names(root.path()).is_empty());
    }

    #[tokio::test]
    async fn a_folder_belongs_to_one_process_and_becomes_the_output_with_nothing_left_over() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let out = root.path().join("out");
        let stale = open(&out, "00000000000000aa").expect("it is made");
        finish(&stale, "a").await;
        drop(stale);
        let busy = open(&out, "00000000000000bb").expect("it is made");
        let again = open(&out, "00000000000000bb").expect_err("it is locked");
        assert!(again.to_string().contains("another `lectern`"), "{again}");
        for content in ["1", "2"] {
            let partial = open(&out, REVISION).expect("it is made");
            for name in ["a", "made-of"] {
                fs::write(partial.root().join(name), content).expect("it is written");
            }
            partial.commit(&out, ["a"]).expect("it is renamed");
            assert_eq!(
                fs::read_to_string(out.join("a")).expect("it is there"),
                content
            );
            assert_eq!(names(&out), ["a"]);
            assert_eq!(names(root.path()), ["out", "out.partial-00000000000000bb"]);
        }
        drop(busy);
    }

    #[test]
    fn what_was_left_long_ago_is_removed_unless_somebody_is_at_it_or_it_is_not_ours() {
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
        let lock = lock(&busy).expect("a lock").expect("nobody has it");
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
        let removed = remove_abandoned(root.path(), DAY).expect("it is looked through");
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
