//! The folder that a package is made in. Its name has the revision, so that an interrupted command
//! resumes there. Each finished task has a record of its files, and files that match their record
//! are kept.

mod cleanup;
pub(crate) mod error;
mod lock;
pub(crate) mod scratch;

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::media::Object;
use crate::media::Silence;
use crate::progress::Progress;
use crate::warning::WarningRecord;
use crate::workdir::scratch::remove_folder;
pub(crate) use cleanup::remove_abandoned;
use cleanup::{remove, remove_stale, sweep};
use error::FolderError;
use lock::LOCK;
pub(crate) use lock::{lock, make_private};

/// The subfolder for records, unfinished tasks and the lock, which are not published.
const STATE_DIR: &str = "work";

/// The record of a finished task.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    /// ffmpeg's warnings.
    pub(crate) warnings: String,
    /// Frames that a decoder dropped or repaired.
    #[serde(default)]
    pub(crate) damaged_frames: u64,
    /// Losses and guesses of the task.
    #[serde(default)]
    pub(crate) repairs: Vec<WarningRecord>,
    /// Silences of an audio track.
    #[serde(default)]
    pub(crate) silences: Vec<Silence>,
    /// Paths from the package's root.
    pub(crate) files: Vec<Object>,
}

/// A folder in which one process works at a time. When it is dropped, it stays if a task in it is
/// finished.
#[derive(Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
    revision: String,
    progress: Progress,
    /// The number of finished tasks, and of all tasks.
    tasks: Cell<(usize, usize)>,
    is_done: bool,
    /// Held until this is dropped or the process ends.
    _lock: File,
}

impl WorkDir {
    /// Opens the work folder beside the output folder, so that it can be renamed to it.
    pub(crate) fn beside(
        folder: &Path,
        revision: &str,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let mut name = prefix(folder);
        name.push(revision);
        Self::open(folder.with_file_name(name), revision, progress)
    }

    /// The path of the folder that [`WorkDir::under`] opens.
    pub(crate) fn path_under(folder: &Path, revision: &str) -> PathBuf {
        folder.join(format!("lectern-{revision}"))
    }

    /// Opens the work folder in a folder that others may write into.
    pub(crate) fn under(folder: &Path, revision: &str, progress: Progress) -> anyhow::Result<Self> {
        let root = Self::path_under(folder, revision);
        make_private(folder, &root)?;
        Self::open(root, revision, progress)
    }

    fn open(root: PathBuf, revision: &str, progress: Progress) -> anyhow::Result<Self> {
        let locked = lock(&root).map_err(|error| FolderError::making(&root, error))?;
        Ok(Self {
            _lock: locked.ok_or_else(|| FolderError::Busy(root.clone()))?,
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

    /// The file of a task that is not published.
    pub(crate) fn task_file(&self, task: &str) -> PathBuf {
        self.state_dir().join(format!("{task}.mp4"))
    }

    /// Makes an empty folder to encode a task in.
    pub(crate) fn scratch(&self, task: &str) -> Result<PathBuf> {
        let folder = self.state_dir().join(task);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Returns the records of finished tasks whose files match, and removes all other files.
    pub(crate) async fn resume(&self, tasks: &[String]) -> Result<Vec<Option<TaskRecord>>> {
        let mut records = vec![];
        let mut kept = HashSet::from([self.state_dir().join(LOCK)]);
        for task in tasks {
            let record = self.matching_record(task).await;
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

    async fn matching_record(&self, task: &str) -> Option<TaskRecord> {
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

    /// Records that a task is finished and its files have their final names.
    pub(crate) async fn record_finished(
        &self,
        task: &str,
        mut record: TaskRecord,
        files: &[PathBuf],
    ) -> anyhow::Result<TaskRecord> {
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

    /// Renames the folder to the output folder, and keeps only these objects. The old output folder
    /// is moved aside first and removed last, so that a failure loses neither.
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
        // After the rename, because a failed rename still needs these files, and a process that
        // waits for the lock must find the folder locked.
        let kept = objects.into_iter().map(|path| folder.join(path)).collect();
        sweep(folder, &kept)?;
        remove(&aside)?;
        remove_stale(folder)
    }

    /// Removes the folder.
    pub(crate) fn discard(mut self) {
        self.is_done = true;
        remove_folder(&self.root);
    }

    /// Keeps the finished tasks after a failure, unless it is final: another run cannot use them.
    pub(crate) fn abandon(self, is_final: bool) {
        if is_final {
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

fn prefix(folder: &Path) -> std::ffi::OsString {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".partial-");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: &str = "0123456789abcdef";

    fn open(folder: &Path, revision: &str) -> anyhow::Result<WorkDir> {
        WorkDir::beside(folder, revision, Progress::new(true))
    }

    pub(super) fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Finishes a task of one file.
    async fn finish(partial: &WorkDir, task: &str) -> PathBuf {
        let file = partial.revision_folder().join(task);
        fs::create_dir_all(partial.revision_folder()).expect("a folder");
        fs::write(&file, task).expect("it is written");
        let files = std::slice::from_ref(&file);
        let record = TaskRecord {
            warnings: "a warning".into(),
            ..TaskRecord::default()
        };
        partial
            .record_finished(task, record, files)
            .await
            .expect("it is kept");
        file
    }

    #[tokio::test]
    async fn finished_tasks_stay_and_files_that_differ_from_their_record_go() {
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
        assert_eq!(records[0].as_ref().expect("a record").warnings, "a warning");
        assert_eq!(names(&partial.revision_folder()), ["a"]);
        assert_eq!(names(&partial.state_dir()), ["a.json", LOCK]);
    }

    #[tokio::test]
    async fn a_folder_without_a_finished_task_or_of_a_bad_recording_is_removed() {
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
}
