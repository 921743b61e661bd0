//! `lectern work`: takes recordings from a queue as they are uploaded, and ships them. Any number of machines may do so.
//!
//! A job may be done twice, by a worker whose lease has lapsed and by the next: both make the same bytes of the same revision,
//! so the second finds that it is there.

mod job;
mod queue;

use std::time::Duration;

use anyhow::{Context as _, Result};

use self::job::{Job, Uploads};
use self::queue::{Leased, Outcome, Queue};
use crate::cli::{HlsArgs, ShipArgs, TargetArgs, WorkArgs};
use crate::exit::{self, Exit};
use crate::partial;
use crate::progress::Progress;
use crate::publish::{Target, retry};
use crate::ship;

pub(crate) use self::job::JobError;
pub(crate) use self::queue::QueueError;

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
    let uploads = Uploads::parse(&args.from)?;
    let queue = Queue::open(&args.queue)?;
    // What cannot be opened is found out before anything is taken.
    Target::open(&args.from, &args.target.reach.of(&args.from))?;
    args.target.open()?;
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let next = async {
            loop {
                match pull(&queue, &args, progress).await? {
                    None if !args.once => tokio::time::sleep(args.pause).await,
                    pulled => return Ok::<_, QueueError>(pulled),
                }
            }
        };
        let leased = tokio::select! {
            leased = next => leased?,
            ended = &mut interrupted => return ended,
        };
        let Some(leased) = leased else {
            progress.note("the queue has nothing more");
            return Ok(());
        };
        tidy(&args, progress);
        let done = tokio::select! {
            done = Box::pin(attempt(&leased, &args, &uploads, progress)) => done,
            ended = &mut interrupted => {
                give_back(&queue, &leased, Duration::ZERO, progress).await;
                return ended;
            }
        };
        match done {
            Ok(()) => match queue.settle(&leased, Outcome::Done).await {
                Ok(()) => {}
                // Whoever gets it next finds that it is there.
                Err(error) => progress.note(format_args!("it is shipped, but {error}")),
            },
            Err(error) => {
                let after = delay(leased.attempts);
                give_back(&queue, &leased, after, progress).await;
                if is_ours(&error) {
                    return Err(error);
                }
                let hint = exit::of(&error).1.map(|hint| format!(" ({hint})"));
                progress.note(format_args!(
                    "attempt {} failed: {error:#}{}",
                    leased.attempts,
                    hint.unwrap_or_default()
                ));
            }
        }
    }
}

/// A message, if there is one. An outage is waited out, unless nobody waits with us.
async fn pull(
    queue: &Queue,
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
    uploads: &Uploads,
    progress: Progress,
) -> Result<()> {
    let job = Job::parse(&leased.body, uploads, &args.target.target)
        .context("cannot take up a message")?;
    progress.note(format_args!("taken: `{}`", job.input));
    ship::run(ShipArgs {
        input: job.input.into(),
        target: TargetArgs {
            target: job.target,
            reach: args.target.reach.clone(),
        },
        hls: HlsArgs::default(),
        encode: args.encode.clone(),
        instant: args.instant,
        work: args.work.clone(),
        json: args.json,
    })
    .await
}

/// The disk has to last longer than any job.
fn tidy(args: &WorkArgs, progress: Progress) {
    let folder = args.work.clone().unwrap_or_else(std::env::temp_dir);
    match partial::remove_abandoned(&folder, ABANDONED) {
        Ok(0) => {}
        Ok(removed) => {
            progress.note(format_args!(
                "removed {removed} folders of jobs that were left"
            ));
        }
        Err(error) => {
            let folder = folder.display();
            progress.note(format_args!("cannot tidy `{folder}`: {error:#}"));
        }
    }
}

async fn give_back(queue: &Queue, leased: &Leased, after: Duration, progress: Progress) {
    if let Err(error) = queue.settle(leased, Outcome::Back(after)).await {
        progress.note(format_args!(
            "it was not given back ({error}): another gets it when its lease lapses"
        ));
    }
}

/// Whether the next job would fail here as well: no ffmpeg, a full disk, no keys.
fn is_ours(error: &anyhow::Error) -> bool {
    matches!(exit::of(error).0, Exit::Environment)
}

fn delay(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    FIRST_DELAY
        .saturating_mul(1 << doublings)
        .min(LONGEST_DELAY)
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
