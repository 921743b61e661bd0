//! `lectern work`: ships recordings that a queue announces, on any number of machines.
//!
//! A job may run twice, if a lease ends before the job does. Both runs make the same revision, so
//! the second finds it published.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use super::args::TargetArgs;
use super::ship::{self, ShipArgs};
use super::status::{JobStatus, StatusWriter};
use crate::clock;
use crate::encode::settings::EncodeArgs;
use crate::exit::Exit;
use crate::extras::ExtrasArgs;
use crate::failure::{self, Interrupted};
use crate::ffmpeg::process::ProcessError;
use crate::input::HlsArgs;
use crate::input::live::LiveParts;
use crate::limits::{DiskError, LimitArgs, LimitError};
use crate::progress::watch::ProgressWatch;
use crate::progress::{Progress, StepUnit};
use crate::publish::inventory::live_revision;
use crate::queue::job::{QueueJob, UploadsFolder};
use crate::queue::prune_schedule::{PruneSchedule, ScheduledPrune};
use crate::queue::{JobOutcome, Leased, PullQueue, QueueError};
use crate::redact::redacted;
use crate::storage::error::StorageError;
use crate::storage::location::resolve;
use crate::storage::{Store, retry};
use crate::units::{duration, format_bytes, format_count, size};
use crate::workdir;

/// Delay after the first failure. Each further failure doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(60);
const LONGEST_DELAY: Duration = Duration::from_secs(3600);
/// Age at which the folder of a killed worker is removed. Until then its job may resume.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Time between two attempts to remove live parts.
const NEXT_PRUNE: Duration = Duration::from_secs(600);

/// Takes jobs until the queue is empty, an error would fail the next job too, or `interrupted`
/// ends.
pub(crate) async fn run(
    args: WorkArgs,
    interrupted: impl Future<Output = Result<()>>,
) -> Result<()> {
    let worker = Worker::open(args)?;
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let leased = tokio::select! {
            // Polled first, so that a signal is caught from the start.
            biased;
            ended = &mut interrupted => return ended,
            leased = worker.next_job() => leased?,
        };
        let Some(leased) = leased else {
            worker.progress.note("the queue has nothing more");
            return Ok(());
        };
        worker.remove_abandoned(ABANDONED);
        let done = Box::pin(worker.ship(&leased, &mut interrupted)).await;
        if done.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) {
            worker.give_back(&leased, Duration::ZERO).await;
            return done;
        }
        worker.finish(&leased, done).await?;
    }
}

/// Ships the jobs of a queue.
struct Worker {
    args: WorkArgs,
    uploads: UploadsFolder,
    queue: PullQueue,
    /// The folder of unfinished jobs.
    folder: PathBuf,
    schedule: PruneSchedule,
    /// The schedule could not be read, and this was reported.
    has_schedule_failed: Cell<bool>,
    progress: Progress,
    /// Follows one job after the other.
    watch: &'static ProgressWatch,
}

impl Worker {
    /// Checks all arguments before the first job is taken.
    fn open(mut args: WorkArgs) -> Result<Self> {
        args.from = resolve(&args.from).map_err(StorageError::from)?;
        args.target.target = resolve(&args.target.target).map_err(StorageError::from)?;
        let uploads = UploadsFolder::parse(&args.from)?;
        let queue = PullQueue::open(&args.queue)?;
        Store::open(&args.from, &args.target.reach.of(&args.from))?;
        args.target.open()?;
        let folder = args.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        Ok(Self {
            progress: Progress::new(args.json),
            args,
            uploads,
            queue,
            schedule: PruneSchedule::open(&folder),
            has_schedule_failed: Cell::new(false),
            folder,
            watch: Box::leak(Box::default()),
        })
    }

    /// Waits for a job. Returns `None` if the queue is empty and the worker ends then.
    async fn next_job(&self) -> Result<Option<Leased>> {
        loop {
            self.prune_due().await;
            self.wait_for_disk().await?;
            match self.pull().await? {
                None if !self.args.once => tokio::time::sleep(self.args.pause).await,
                pulled => return Ok(pulled),
            }
        }
    }

    /// Waits until the disk has room for a job, and removes abandoned jobs to make room.
    async fn wait_for_disk(&self) -> Result<()> {
        let mut has_reported = false;
        loop {
            let limits = self.args.limits.for_queue_job(self.args.min_free);
            let Err(error) = limits.check_disk(&self.folder, 0) else {
                if has_reported {
                    self.progress.note("the disk has room again");
                }
                return Ok(());
            };
            if self.remove_abandoned(Duration::ZERO) > 0 {
                continue;
            }
            if self.args.once || !error.is::<DiskError>() {
                return Err(error.context("no job is taken"));
            }
            if !has_reported {
                self.progress.note(format_args!(
                    "no job is taken: {error:#}; looking again every {} s",
                    self.args.pause.as_secs()
                ));
                has_reported = true;
            }
            tokio::time::sleep(self.args.pause).await;
        }
    }

    /// Pulls a message, and waits for the end of an outage. With `--once` it waits for a few
    /// attempts only.
    async fn pull(&self) -> Result<Option<Leased>, QueueError> {
        let mut attempt = 0;
        loop {
            let error = match self.queue.pull(self.args.lease).await {
                Err(error) if error.is_temporary() => error,
                pulled => return pulled,
            };
            attempt += 1;
            if self.args.once && attempt >= retry::ATTEMPTS {
                return Err(error);
            }
            self.progress.note(format_args!("{error}; asking again"));
            retry::wait(attempt, None).await;
            if attempt >= retry::ATTEMPTS {
                tokio::time::sleep(self.args.pause).await;
            }
        }
    }

    async fn ship(
        &self,
        leased: &Leased,
        interrupted: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let args = &self.args;
        let job = QueueJob::parse(&leased.body, &self.uploads, &args.target.target)
            .context("cannot take up a message")?;
        self.progress.note(format_args!("taken: `{}`", job.input));
        let target = TargetArgs {
            target: job.target.clone(),
            reach: args.target.reach.clone(),
        };
        let status = match args.no_status {
            true => None,
            false => self.open_status(&job, &target)?,
        };
        let work = self.ship_job(&job, target, interrupted);
        let Some(status) = status else {
            return work.await;
        };
        let attempts = Some(leased.attempts);
        let result = |done: &Result<()>, observed| JobStatus::of_result(done, observed, attempts);
        status.during(self.watch, work, result).await
    }

    /// Opens the status of a job's upload.
    fn open_status(&self, job: &QueueJob, target: &TargetArgs) -> Result<Option<StatusWriter>> {
        let input = PathBuf::from(&job.input);
        let store = target.open_for(&input)?;
        StatusWriter::beside(&input, &store, &target.reach, self.progress)
    }

    async fn ship_job(
        &self,
        job: &QueueJob,
        target: TargetArgs,
        interrupted: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let args = &self.args;
        let limits = args.limits.for_queue_job(args.min_free);
        if let Some(bytes) = job.bytes {
            let checked = limits.check_input(bytes, bytes);
            checked.with_context(|| format!("cannot ship `{}`", job.input))?;
        }
        let ship = ShipArgs {
            input: job.input.clone().into(),
            target,
            hls: HlsArgs::default(),
            encode: args.encode.clone(),
            extras: args.extras.clone(),
            instant: args.instant,
            temp_dir: args.temp_dir.clone(),
            status: !args.no_status,
            json: args.json,
            limits: args.limits.clone(),
            watch: Some(self.watch),
        };
        ship::ship_until(ship, limits, interrupted).await?;
        if job.is_in_place {
            self.schedule_prune(&job.target, args.prune_live_after);
        }
        Ok(())
    }

    /// Schedules the removal of a lecture's live parts.
    fn schedule_prune(&self, target: &str, after: Duration) {
        let entry = ScheduledPrune {
            target: target.to_owned(),
            due: clock::unix(clock::now()).saturating_add(after.as_secs()),
        };
        if let Err(error) = self.schedule.add(&entry) {
            self.progress.note(format_args!(
                "the parts of the live recording stay ({error}): remove them with `lectern prune {}`",
                redacted(target)
            ));
        }
    }

    /// Removes live parts that are due. A failure is reported, and tried again later.
    async fn prune_due(&self) {
        let now = || clock::unix(clock::now());
        while let Some(entry) = self.next_due(now()) {
            let target = redacted(&entry.target);
            let pruned = self.prune_live(&entry.target).await;
            if let Err(error) = &pruned {
                let progress = self.progress;
                progress.note(format_args!(
                    "cannot remove the live parts of `{target}`: {error:#}"
                ));
            }
            let is_over = match pruned {
                Ok(true) => self.unschedule(&entry),
                _ => false,
            };
            if !is_over {
                self.schedule_prune(&entry.target, NEXT_PRUNE);
                return;
            }
        }
    }

    /// Returns a lecture whose live parts are due. Reports the first of several failures.
    fn next_due(&self, now: u64) -> Option<ScheduledPrune> {
        let due = self.schedule.next_due(now);
        let has_failed = due.is_err();
        let is_new = has_failed && !self.has_schedule_failed.get();
        self.has_schedule_failed.set(has_failed);
        match due {
            Ok(entry) => entry,
            Err(error) => {
                if is_new {
                    let folder = self.folder.display();
                    self.progress.note(format_args!(
                        "cannot read in `{folder}` which live recordings are due: {error}; \
                         their parts stay until `lectern prune` removes them"
                    ));
                }
                None
            }
        }
    }

    /// Forgets a lecture whose live parts are gone. Returns false if its file stays.
    fn unschedule(&self, entry: &ScheduledPrune) -> bool {
        let removed = self.schedule.remove(entry);
        if let Err(error) = &removed {
            let (folder, target) = (self.folder.display(), redacted(&entry.target));
            self.progress.note(format_args!(
                "the live parts of `{target}` are removed, but not its entry in `{folder}`: {error}"
            ));
        }
        removed.is_ok()
    }

    /// Removes the live parts of a lecture, unless a viewer may still be watching them. Returns
    /// true if none is left.
    async fn prune_live(&self, target: &str) -> Result<bool> {
        let store = Store::open(target, &self.args.target.reach)?;
        // Another recording may have begun there, with parts of the same names.
        if live_revision(&store).await?.is_none() {
            return Ok(false);
        }
        let (listed, after) = (store.list("").await?, self.args.prune_live_after);
        let live = LiveParts::find_expired(&store, &listed, after, clock::now()).await?;
        if live.is_empty() {
            let all = LiveParts::find(&store, &listed).await?;
            return Ok(all.is_empty());
        }
        let (objects, bytes) = live.amount();
        let step = self.progress.step("removing", StepUnit::Bytes, bytes);
        live.remove(&store, &step).await?;
        step.finish();
        self.progress.note(format_args!(
            "removed {} of a live recording at `{}`, {}",
            format_count(objects, "object"),
            redacted(target),
            format_bytes(bytes)
        ));
        Ok(true)
    }

    /// Acknowledges a message, or returns it to the queue. Returns an error that the next job would
    /// get too.
    async fn finish(&self, leased: &Leased, done: Result<()>) -> Result<()> {
        let error = match done {
            Ok(()) => {
                // If this fails, the next worker finds the lecture published.
                if let Err(error) = self.queue.end_lease(leased, JobOutcome::Done).await {
                    let progress = self.progress;
                    progress.note(format_args!("it is shipped, but {error}"));
                }
                return Ok(());
            }
            Err(error) => error,
        };
        if error.is::<LimitError>() {
            self.progress.report_given_up(&format_error(&error));
            if let Err(error) = self.queue.end_lease(leased, JobOutcome::Done).await {
                let progress = self.progress;
                progress.note(format_args!("it is given up, but {error}"));
            }
            return Ok(());
        }
        self.give_back(leased, delay(leased.attempts)).await;
        if is_disk_full(&error) {
            self.remove_abandoned(Duration::ZERO);
        } else if is_environment(&error) {
            return Err(error);
        }
        self.progress.note(format_args!(
            "attempt {} failed: {}",
            leased.attempts,
            format_error(&error)
        ));
        Ok(())
    }

    async fn give_back(&self, leased: &Leased, after: Duration) {
        if let Err(error) = self.queue.end_lease(leased, JobOutcome::Retry(after)).await {
            self.progress.note(format_args!(
                "it was not given back ({error}): another gets it when its lease lapses"
            ));
        }
    }

    /// Removes folders of jobs without a process and without a change in this time. Returns their
    /// number.
    fn remove_abandoned(&self, after: Duration) -> usize {
        let removed = match workdir::remove_abandoned(&self.folder, after) {
            Ok(removed) => removed,
            Err(error) => {
                let folder = self.folder.display();
                let progress = self.progress;
                progress.note(format_args!("cannot tidy `{folder}`: {error:#}"));
                return 0;
            }
        };
        if removed > 0 {
            let progress = self.progress;
            progress.note(format_args!(
                "removed {removed} folders of jobs that were left"
            ));
        }
        removed
    }
}

/// Formats an error and its hint.
fn format_error(error: &anyhow::Error) -> String {
    let hint = failure::of(error).1.map(|hint| format!(" ({hint})"));
    format!("{error:#}{}", hint.unwrap_or_default())
}

fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let full = cause.downcast_ref::<std::io::Error>();
        cause.is::<DiskError>()
            || matches!(cause.downcast_ref(), Some(ProcessError::DiskFull { .. }))
            || full.is_some_and(|error| error.kind() == ErrorKind::StorageFull)
    })
}

/// Returns true if the next job would fail as well, as without ffmpeg or keys.
fn is_environment(error: &anyhow::Error) -> bool {
    matches!(failure::of(error).0, Exit::Environment)
}

/// Delay before the next attempt.
fn delay(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    FIRST_DELAY
        .saturating_mul(1 << doublings)
        .min(LONGEST_DELAY)
}

#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Folder of the uploads, the edge's UPLOADS_PREFIX: `r2://bucket/uploads/`, or
    /// `https://edge/uploads/` or `edge:/uploads/` through the edge.
    pub(crate) from: String,
    /// Folder of the lectures: `uploads/rails/intro.mov` becomes `TARGET/rails/intro`.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Queue's id in the account CLOUDFLARE_ACCOUNT_ID, or the URL above its `/messages/pull`.
    #[arg(long, value_name = "ID|URL")]
    pub(crate) queue: String,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    /// Publish a provisional lecture first, as `lectern ship --instant` does.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Folder to encode in [default: the system's temporary folder].
    #[arg(long, alias = "work", value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
    /// Time until the queue gives an unfinished job to another machine; at most `12h`.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = lease)]
    pub(crate) lease: Duration,
    /// Time to wait when the queue is empty.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) pause: Duration,
    /// Time after which the parts of a live recording are removed, once its package plays from the
    /// same folder: the edge's MAX_WATCH.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) prune_live_after: Duration,
    /// Do not write the status of a job beside its upload.
    #[arg(long)]
    pub(crate) no_status: bool,
    /// Exit when the queue is empty.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Free disk space to keep; with less, `lectern work` takes no job.
    #[arg(long, value_name = "SIZE", env = "LECTERN_MIN_FREE", hide_env_values = true, default_value = "2GB", value_parser = size)]
    pub(crate) min_free: u64,
}

/// Parses a lease that Cloudflare accepts.
pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|lease| match lease.as_secs() {
        1..=43_200 => Ok(lease),
        _ => Err("from `1s` to `12h`".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_delay() {
        for (attempts, expected) in [(0, 60), (1, 60), (2, 120), (5, 960), (7, 3600), (99, 3600)] {
            assert_eq!(delay(attempts).as_secs(), expected, "{attempts}");
        }
    }
}
