//! `lectern work`: takes recordings from a queue as they are uploaded, and ships them. Any number of machines may do so.
//!
//! A job may be done twice, by a worker whose lease has lapsed and by the next: both make the same bytes of the same revision,
//! so the second finds that it is there.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::args::TargetArgs;
use super::ship::{self, ShipArgs};
use crate::exit::Exit;
use crate::ffmpeg::process::ProcessError;
use crate::input::HlsArgs;
use crate::limits::{DiskError, LimitError};
use crate::progress::Progress;
use crate::queue::job::{QueueJob, UploadsFolder};
use crate::queue::{JobOutcome, Leased, PullQueue};
use crate::storage::{Store, retry};
use crate::workdir;

use crate::encode::settings::EncodeArgs;
use crate::extras::ExtrasArgs;
use crate::failure;
use crate::limits::{LimitArgs, duration, size};
use crate::queue::QueueError;
use clap::Args;
use std::path::PathBuf;

/// After what failed once; twice as long after each further time.
const FIRST_DELAY: Duration = Duration::from_secs(60);
const LONGEST_DELAY: Duration = Duration::from_secs(3600);
/// What a worker that was killed has left is of use until its job is done elsewhere.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// `interrupted` ends it: what it has taken is given back.
pub(crate) async fn run(
    args: WorkArgs,
    interrupted: impl Future<Output = Result<()>>,
) -> Result<()> {
    let progress = Progress::new(args.json);
    let uploads = UploadsFolder::parse(&args.from)?;
    let queue = PullQueue::open(&args.queue)?;
    // What cannot be opened is found out before anything is taken.
    Store::open(&args.from, &args.target.reach.of(&args.from))?;
    args.target.open()?;
    let folder = args.work.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let next = async {
            loop {
                wait_for_room(&folder, &args, progress).await?;
                match pull(&queue, &args, progress).await? {
                    None if !args.once => tokio::time::sleep(args.pause).await,
                    pulled => return anyhow::Ok(pulled),
                }
            }
        };
        let leased = tokio::select! {
            // Signals are listened for before anything is said.
            biased;
            ended = &mut interrupted => return ended,
            leased = next => leased?,
        };
        let Some(leased) = leased else {
            progress.note("the queue has nothing more");
            return Ok(());
        };
        tidy(&folder, ABANDONED, progress);
        let done = tokio::select! {
            done = Box::pin(attempt(&leased, &args, &uploads, progress)) => done,
            ended = &mut interrupted => {
                give_back(&queue, &leased, Duration::ZERO, progress).await;
                return ended;
            }
        };
        match done {
            Ok(()) => match queue.settle(&leased, JobOutcome::Done).await {
                Ok(()) => {}
                // Whoever gets it next finds that it is there.
                Err(error) => progress.note(format_args!("it is shipped, but {error}")),
            },
            // Whoever does it next comes to the same limit.
            Err(error) if error.is::<LimitError>() => {
                let why = described(&error);
                progress.given_up(&why);
                if let Err(error) = queue.settle(&leased, JobOutcome::Done).await {
                    progress.note(format_args!("it is given up, but {error}"));
                }
            }
            Err(error) => {
                let after = delay(leased.attempts);
                give_back(&queue, &leased, after, progress).await;
                if is_disk_full(&error) {
                    // What the job has made is what fills it.
                    tidy(&folder, Duration::ZERO, progress);
                } else if is_ours(&error) {
                    return Err(error);
                }
                progress.note(format_args!(
                    "attempt {} failed: {}",
                    leased.attempts,
                    described(&error)
                ));
            }
        }
    }
}

/// Waits until the disk has room for a job. What others have left there makes some.
async fn wait_for_room(folder: &Path, args: &WorkArgs, progress: Progress) -> Result<()> {
    let mut has_reported = false;
    loop {
        let limits = args.limits.of_job(args.min_free);
        let Err(error) = limits.check_disk(folder, 0) else {
            if has_reported {
                progress.note("the disk has room again");
            }
            return Ok(());
        };
        if tidy(folder, Duration::ZERO, progress) > 0 {
            continue;
        }
        if args.once || !error.is::<DiskError>() {
            return Err(error.context("no job is taken"));
        }
        if !has_reported {
            progress.note(format_args!(
                "no job is taken: {error:#}; looking again every {} s",
                args.pause.as_secs()
            ));
            has_reported = true;
        }
        tokio::time::sleep(args.pause).await;
    }
}

/// A message, if there is one. An outage is waited out, unless nobody waits with us.
async fn pull(
    queue: &PullQueue,
    args: &WorkArgs,
    progress: Progress,
) -> Result<Option<Leased>, QueueError> {
    let mut attempt = 0;
    loop {
        let error = match queue.pull(args.lease).await {
            Err(error) if error.may_pass() => error,
            pulled => return pulled,
        };
        attempt += 1;
        if args.once && attempt >= retry::ATTEMPTS {
            return Err(error);
        }
        progress.note(format_args!("{error}; asking again"));
        retry::wait(attempt, None).await;
        if attempt >= retry::ATTEMPTS {
            tokio::time::sleep(args.pause).await;
        }
    }
}

async fn attempt(
    leased: &Leased,
    args: &WorkArgs,
    uploads: &UploadsFolder,
    progress: Progress,
) -> Result<()> {
    let job = QueueJob::parse(&leased.body, uploads, &args.target.target)
        .context("cannot take up a message")?;
    progress.note(format_args!("taken: `{}`", job.input));
    let limits = args.limits.of_job(args.min_free);
    if let Some(bytes) = job.bytes {
        let cannot = || format!("cannot ship `{}`", job.input);
        limits.check_input(bytes, bytes).with_context(cannot)?;
    }
    let ship = ShipArgs {
        input: job.input.into(),
        target: TargetArgs {
            target: job.target,
            reach: args.target.reach.clone(),
        },
        hls: HlsArgs::default(),
        encode: args.encode.clone(),
        extras: args.extras.clone(),
        instant: args.instant,
        work: args.work.clone(),
        json: args.json,
        limits: args.limits.clone(),
    };
    ship::run_within(ship, &limits).await
}

/// Removes folders of jobs that nothing has worked in for so long, and says how many. The disk has to last longer than
/// any job.
fn tidy(folder: &Path, after: Duration, progress: Progress) -> usize {
    match workdir::remove_abandoned(folder, after) {
        Ok(0) => 0,
        Ok(removed) => {
            progress.note(format_args!(
                "removed {removed} folders of jobs that were left"
            ));
            removed
        }
        Err(error) => {
            let folder = folder.display();
            progress.note(format_args!("cannot tidy `{folder}`: {error:#}"));
            0
        }
    }
}

/// An error with its hint.
fn described(error: &anyhow::Error) -> String {
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

async fn give_back(queue: &PullQueue, leased: &Leased, after: Duration, progress: Progress) {
    if let Err(error) = queue.settle(leased, JobOutcome::Back(after)).await {
        progress.note(format_args!(
            "it was not given back ({error}): another gets it when its lease lapses"
        ));
    }
}

/// Whether the next job would fail here as well: no ffmpeg, no keys.
fn is_ours(error: &anyhow::Error) -> bool {
    matches!(failure::of(error).0, Exit::Environment)
}

fn delay(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    FIRST_DELAY
        .saturating_mul(1 << doublings)
        .min(LONGEST_DELAY)
}

#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Where uploads lie, the edge's UPLOADS_PREFIX: `r2://bucket/uploads/`, or `https://edge/uploads/` through the edge.
    pub(crate) from: String,
    /// What lectures go below: `uploads/rails/intro.mov` becomes `TARGET/rails/intro`.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The queue's id in the account CLOUDFLARE_ACCOUNT_ID, or the URL above its `/messages/pull`.
    #[arg(long, value_name = "ID|URL")]
    pub(crate) queue: String,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    /// As in `lectern ship`.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Where to encode [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// How long a job may take before another machine gets it as well; at most `12h`.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = lease)]
    pub(crate) lease: Duration,
    /// How long to wait where the queue is empty.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) pause: Duration,
    /// End when the queue is empty.
    #[arg(long)]
    pub(crate) once: bool,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Bytes of the disk that stay free: with less, no job is taken.
    #[arg(long, value_name = "SIZE", env = "LECTERN_MIN_FREE", default_value = "2GB", value_parser = size)]
    pub(crate) min_free: u64,
}

/// As long as Cloudflare leases a message, and long enough to do something.
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
    fn what_fails_is_tried_again_later_and_later() {
        for (attempts, expected) in [(0, 60), (1, 60), (2, 120), (5, 960), (7, 3600), (99, 3600)] {
            assert_eq!(delay(attempts).as_secs(), expected, "{attempts}");
        }
    }
}
