//! Limits of a job: bytes to fetch, frames to encode, time, and free disk space. An upload may be
//! made to fill a disk or to keep a machine busy, so `lectern work` always has limits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::Instant;

use crate::exit::Exit;
use crate::units::{GB, duration, format_bytes, size};

/// Twelve hours at 8 Mbit/s are 43 GB.
const WORK_INPUT: u64 = 50 * GB;
/// Twelve hours at 60 frames a second, 24 at 30.
const WORK_FRAMES: u64 = 2_600_000;
/// The longest lease of a queue's message.
const WORK_TIME: Duration = Duration::from_secs(12 * 3600);
/// Frames that a recording of any size may have: an hour at 60 frames a second.
const FRAMES_OF_ANY_SIZE: u64 = 216_000;
/// The fewest bytes for each further frame. Three hours of a slide at 30 frames a second with
/// speech at 24 kbit/s have 100.
const MIN_BYTES_A_FRAME: u64 = 50;
/// How often a playlist may name each stored byte. A recorder names each segment once; a platform
/// may repeat a slate.
const MAX_REPEATS: u64 = 2;

/// Limits on the command line.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits of one recording")]
pub(crate) struct LimitArgs {
    /// Maximum size of a recording to fetch, e.g. `20GB`; a segment counts as often as its playlist
    /// names it [default: none; `lectern work`: 50GB].
    #[arg(long, value_name = "SIZE", env = "LECTERN_MAX_INPUT", hide_env_values = true, value_parser = size)]
    max_input: Option<u64>,
    /// Maximum number of video frames [default: none; `lectern work`: 216000, or more by size up to
    /// 2600000].
    #[arg(
        long,
        value_name = "COUNT",
        env = "LECTERN_MAX_FRAMES",
        hide_env_values = true
    )]
    max_frames: Option<u64>,
    /// Maximum time from the first byte to the end, e.g. `3h` [default: none; `lectern work`: 12h].
    #[arg(long, value_name = "TIME", env = "LECTERN_MAX_TIME", hide_env_values = true, value_parser = duration)]
    max_time: Option<Duration>,
}

/// A limit that a recording exceeds. Another attempt would exceed it as well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    #[error("it has {} to fetch, and the limit is {}", format_bytes(*.named), format_bytes(*.limit))]
    Input { named: u64, limit: u64 },
    #[error(
        "its playlists name {} of segments, and {} are stored: segments are listed again and again",
        format_bytes(*.named),
        format_bytes(*.stored)
    )]
    Repeats { named: u64, stored: u64 },
    #[error("its playlists list {named} segments, and only {distinct} of them are different")]
    RepeatedSegments { named: usize, distinct: usize },
    #[error("it has {frames} frames to encode, and the limit is {limit}")]
    Frames { frames: u64, limit: u64 },
    #[error("it took longer than its limit of {} s", .0.as_secs())]
    Time(Duration),
}

impl LimitError {
    pub(crate) fn exit(&self) -> Exit {
        Exit::Input
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Input { .. } => "to accept this recording, raise --max-input",
            Self::Repeats { .. } | Self::RepeatedSegments { .. } => {
                "to accept this recording, package it by hand, without --max-input"
            }
            Self::Frames { .. } => "to accept this recording, raise --max-frames",
            Self::Time(_) => "to accept this recording, raise --max-time",
        }
    }
}

/// A disk without room for a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` has {} free, and {} are needed",
    .folder.display(),
    format_bytes(*.free),
    format_bytes(*.needed)
)]
pub(crate) struct DiskError {
    pub(crate) folder: PathBuf,
    pub(crate) free: u64,
    pub(crate) needed: u64,
}

/// Limits of one job.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResourceLimits {
    input: Option<u64>,
    frames: Option<u64>,
    /// A small recording may have fewer frames than `frames`.
    has_frames_by_size: bool,
    time: Option<(Duration, Instant)>,
    /// Bytes of the disk that a download leaves free.
    min_free: u64,
    /// The job comes from a queue, which removes its download even if it fails.
    pub(crate) is_queued: bool,
}

impl LimitArgs {
    /// Limits of a command that a person runs: only those on the command line.
    pub(crate) fn for_command(&self) -> ResourceLimits {
        ResourceLimits {
            input: self.max_input,
            frames: self.max_frames,
            time: self.max_time.map(|time| (time, Instant::now() + time)),
            ..ResourceLimits::default()
        }
    }

    /// Limits of a queue's job that starts now.
    pub(crate) fn for_queue_job(&self, min_free: u64) -> ResourceLimits {
        let time = self.max_time.unwrap_or(WORK_TIME);
        ResourceLimits {
            input: Some(self.max_input.unwrap_or(WORK_INPUT)),
            frames: Some(self.max_frames.unwrap_or(WORK_FRAMES)),
            has_frames_by_size: self.max_frames.is_none(),
            time: Some((time, Instant::now() + time)),
            min_free,
            is_queued: true,
        }
    }
}

impl ResourceLimits {
    /// Checks the size of a recording: the bytes that are stored, and the bytes that its playlists
    /// name.
    pub(crate) fn check_input(&self, stored: u64, named: u64) -> Result<(), LimitError> {
        let Some(limit) = self.input else {
            return Ok(());
        };
        if named > limit {
            return Err(LimitError::Input { named, limit });
        }
        if named > stored.saturating_mul(MAX_REPEATS) {
            return Err(LimitError::Repeats { named, stored });
        }
        Ok(())
    }

    /// Checks a playlist whose segments are of unknown size.
    pub(crate) fn check_segments(&self, named: usize, distinct: usize) -> Result<(), LimitError> {
        let is_within = named as u64 <= (distinct as u64).saturating_mul(MAX_REPEATS);
        match self.input {
            Some(_) if !is_within => Err(LimitError::RepeatedSegments { named, distinct }),
            _ => Ok(()),
        }
    }

    /// Checks that a folder's disk has room for this many bytes.
    pub(crate) fn check_disk(&self, folder: &Path, bytes: u64) -> Result<()> {
        let free = free_bytes(folder)?;
        let needed = bytes.saturating_add(self.min_free);
        if needed > free {
            let folder = folder.to_owned();
            return Err(DiskError {
                folder,
                free,
                needed,
            }
            .into());
        }
        Ok(())
    }

    /// Checks the number of frames of a recording of this many bytes.
    pub(crate) fn check_frames(&self, frames: u64, bytes: u64) -> Result<(), LimitError> {
        let Some(limit) = self.frames else {
            return Ok(());
        };
        let by_size = FRAMES_OF_ANY_SIZE.max(bytes / MIN_BYTES_A_FRAME);
        let limit = if self.has_frames_by_size {
            limit.min(by_size)
        } else {
            limit
        };
        if frames > limit {
            return Err(LimitError::Frames { frames, limit });
        }
        Ok(())
    }

    /// Runs work, and cancels it at the deadline.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some((time, deadline)) = self.time else {
            return work.await;
        };
        match tokio::time::timeout_at(deadline, work).await {
            Ok(done) => done,
            Err(_) => Err(LimitError::Time(time).into()),
        }
    }
}

/// Free bytes of a folder's disk.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder).map_err(std::io::Error::from)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MB;

    #[test]
    fn a_job_has_limits_and_a_command_only_those_of_its_arguments() {
        let (segment, listed) = (5_000_000, 100_000 * 5_000_000);
        let job = LimitArgs::default().for_queue_job(0);
        let own = LimitArgs::default().for_command();
        for (limits, stored, named, expected) in [
            (&own, segment, listed, ""),
            (&job, 40 * GB, 40 * GB, ""),
            (&job, segment, 2 * segment, ""),
            (
                &job,
                segment,
                listed,
                "it has 500.0 GB to fetch, and the limit is 50.0 GB",
            ),
            (
                &job,
                segment,
                3 * segment,
                "its playlists name 15.0 MB of segments, and 5.0 MB are stored: segments are listed again and again",
            ),
        ] {
            let found = limits.check_input(stored, named);
            let found = found
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert_eq!(found, expected, "{stored} {named}");
        }
        assert!(job.check_segments(2, 1).is_ok() && own.check_segments(3, 1).is_ok());
        assert!(job.check_segments(3, 1).is_err());
    }

    #[test]
    fn frames_are_limited_by_number_and_by_size() {
        let frames = |hours: f64| (hours * 3600.0 * 30.0) as u64;
        let of = |words: &[&str]| {
            #[derive(clap::Parser)]
            struct Words {
                #[command(flatten)]
                limits: LimitArgs,
            }
            let words = [&["x"], words].concat();
            <Words as clap::Parser>::parse_from(words).limits
        };
        for (limits, hours, bytes, expected) in [
            (of(&[]).for_queue_job(0), 2.0, MB, None),
            (of(&[]).for_queue_job(0), 3.0, MB, Some(216_000)),
            (of(&[]).for_queue_job(0), 3.0, 17 * MB, None),
            (of(&[]).for_queue_job(0), 24.0, 40 * GB, None),
            (of(&[]).for_queue_job(0), 25.0, 40 * GB, Some(2_600_000)),
            (
                of(&["--max-frames", "400000"]).for_queue_job(0),
                3.0,
                MB,
                None,
            ),
            (
                of(&["--max-frames", "10"]).for_queue_job(0),
                1.0,
                MB,
                Some(10),
            ),
            (of(&["--max-frames", "10"]).for_command(), 1.0, MB, Some(10)),
            (of(&[]).for_command(), 24.0, MB, None),
        ] {
            let found = match limits.check_frames(frames(hours), bytes) {
                Ok(()) => None,
                Err(LimitError::Frames { limit, .. }) => Some(limit),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(found, expected, "{hours} h, {bytes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cancelled_at_its_deadline() {
        let limits = LimitArgs {
            max_time: Some(Duration::from_secs(9)),
            ..LimitArgs::default()
        };
        let limits = limits.for_command();
        let long = limits.within(async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            Ok(())
        });
        long.await.expect("it is done in time");
        let longer = limits.within(std::future::pending::<Result<()>>()).await;
        let error = longer.expect_err("it is late");
        assert_eq!(error.to_string(), "it took longer than its limit of 9 s");
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_how_much_it_lacks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = ResourceLimits::default();
        own.check_disk(folder.path(), 1).expect("there is a byte");
        let error = own
            .check_disk(folder.path(), u64::MAX)
            .expect_err("there is not");
        assert!(error.is::<DiskError>(), "{error}");
        let kept = LimitArgs::default().for_queue_job(u64::MAX);
        assert!(kept.check_disk(folder.path(), 1).is_err());
    }
}
