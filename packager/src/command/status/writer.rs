//! Writes the status of one job beside its upload.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use lectern::operation::upload_event::ENDED;
use tokio::time::{Instant, sleep_until, timeout};

use super::JobStatus;
use crate::clock;
use crate::input::InputAddress;
use crate::layout::{STATUS_JSON, STATUS_SUFFIX};
use crate::progress::Progress;
use crate::progress::watch::{Observed, ProgressWatch};
use crate::storage::Store;
use crate::storage::location::{self, ReachArgs};
use crate::storage::object::Upload;

/// Time between two writes. R2 accepts one a second for each object.
const WRITE_INTERVAL: Duration = Duration::from_secs(2);
/// Time to write the result. A signal waits for it at the most.
const RESULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes `K.status.json` beside an upload `K`, and `status.json` beside a recording in parts.
#[derive(Debug)]
pub(crate) struct StatusWriter {
    /// The folder of the upload.
    store: Store,
    path: String,
    /// Path of the lecture's folder at the edge, if the target has one.
    lecture: Option<String>,
    progress: Progress,
    last_write: Cell<Option<Instant>>,
    is_writing: Cell<bool>,
    /// A write failed, and the failure was reported.
    has_failed: Cell<bool>,
}

impl StatusWriter {
    /// Opens the folder of INPUT. Returns `None` if that is a file of this machine.
    pub(crate) fn beside(
        input: &Path,
        target: &Store,
        reach: &ReachArgs,
        progress: Progress,
    ) -> anyhow::Result<Option<Self>> {
        let input = location::resolve(&input.to_string_lossy())?;
        let InputAddress::Object { place, name } = InputAddress::parse(Path::new(&input))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            store: Store::open(&place, &reach.of(&place))?,
            path: status_path(name.as_deref()),
            lecture: target.lecture_path(),
            progress,
            last_write: Cell::new(None),
            is_writing: Cell::new(false),
            has_failed: Cell::new(false),
        }))
    }

    /// Does the work, and writes its progress meanwhile and its result at the end.
    pub(crate) async fn during<T>(
        &self,
        watch: &ProgressWatch,
        work: impl Future<Output = T>,
        result: impl FnOnce(&T, Observed) -> JobStatus,
    ) -> T {
        watch.reset();
        let mut work = pin!(work);
        let mut following = pin!(self.follow(watch));
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            never = &mut following => match never {},
        };
        let status = result(&done, watch.snapshot());
        let finish = async {
            // Dropped, a request could arrive after the next one.
            if self.is_writing.get() {
                let written = poll_fn(|task| {
                    let _ = following.as_mut().poll(task);
                    match self.is_writing.get() {
                        true => Poll::Pending,
                        false => Poll::Ready(()),
                    }
                });
                written.await;
            }
            self.wait().await;
            self.write(status).await;
        };
        if timeout(RESULT_TIMEOUT, finish).await.is_err() {
            self.report(&"the storage does not answer");
        }
        done
    }

    /// Writes each change of the progress, for ever.
    async fn follow(&self, watch: &ProgressWatch) -> Infallible {
        let mut written = None;
        loop {
            let observed = watch.snapshot();
            if written.as_ref() != Some(&observed) {
                self.write(JobStatus::of_progress(observed.clone())).await;
                written = Some(observed);
            }
            tokio::time::sleep(WRITE_INTERVAL).await;
        }
    }

    /// Waits until another write is due.
    async fn wait(&self) {
        if let Some(last) = self.last_write.get() {
            sleep_until(last + WRITE_INTERVAL).await;
        }
    }

    /// Writes a status. A failure to write does not fail the job.
    async fn write(&self, status: JobStatus) {
        self.is_writing.set(true);
        let status = JobStatus {
            lecture: self.lecture.clone(),
            updated: clock::unix(clock::now()),
            ..status
        };
        // Serializing a struct of strings and numbers never fails.
        let json = serde_json::to_vec(&status).unwrap_or_default();
        let upload = Upload::of_bytes(&self.path, json);
        if let Err(error) = self.store.replace(&upload).await {
            self.report(&error);
        }
        self.last_write.set(Some(Instant::now()));
        self.is_writing.set(false);
    }

    /// Reports the first failure to write.
    fn report(&self, why: &dyn Display) {
        if !self.has_failed.replace(true) {
            let name = self.store.display_name(&self.path);
            let progress = self.progress;
            progress.note(format_args!("cannot write the status `{name}`: {why}"));
        }
    }
}

/// Path of a status from the folder of its upload.
fn status_path(name: Option<&str>) -> String {
    match name {
        None | Some(ENDED) => STATUS_JSON.to_owned(),
        Some(playlist) if playlist.ends_with(".m3u8") => STATUS_JSON.to_owned(),
        Some(name) => format!("{name}{STATUS_SUFFIX}"),
    }
}

#[cfg(test)]
mod tests {
    use lectern::object::key::ObjectKey;
    use lectern::operation::upload_event::may_be_recording;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_status_is_no_upload() {
        for (name, expected) in [
            (Some("talk.mov"), "talk.mov.status.json"),
            (Some("talk"), "talk.status.json"),
            (Some("ended"), "status.json"),
            (Some("master.m3u8"), "status.json"),
            (None, "status.json"),
        ] {
            let path = status_path(name);
            assert_eq!(path, expected);
            let key = ObjectKey::new(format!("uploads/{path}")).expect("a key");
            assert!(!may_be_recording(&key), "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_status_comes_at_once_and_the_result_last() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("u")).expect("a folder");
        let place = format!("file://{}/u/talk.mov", root.path().display());
        let target = Store::open(root.path().to_str().expect("UTF-8"), &ReachArgs::default());
        let target = target.expect("a folder");
        let reach = ReachArgs::default();
        let progress = Progress::new(true);
        let writer = StatusWriter::beside(Path::new(&place), &target, &reach, progress);
        let writer = writer.expect("a folder").expect("an object");
        let file = root.path().join("u/talk.mov.status.json");
        let read = || -> Value {
            let json = std::fs::read(&file).expect("a status");
            serde_json::from_slice(&json).expect("JSON")
        };
        let watch: &'static ProgressWatch = Box::leak(Box::default());
        let progress = progress.watched_by(Some(watch));
        let work = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(read()["state"], "packaging");
            progress.report_rungs_playing(vec!["480p".to_owned()]);
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert_eq!(read()["state"], "playing");
            assert_eq!(read()["rungs"][0], "480p");
            Ok::<(), anyhow::Error>(())
        };
        let result =
            |result: &anyhow::Result<()>, observed| JobStatus::of_result(result, observed, Some(1));
        writer
            .during(watch, work, result)
            .await
            .expect("it is done");
        let done = read();
        assert_eq!(
            (&done["state"], &done["percent"]),
            (&"done".into(), &100.into())
        );
        assert!(
            done["updated"]
                .as_u64()
                .is_some_and(|at| at > 1_700_000_000)
        );
    }
}
