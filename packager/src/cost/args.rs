//! Inputs of `lectern cost`.

use clap::Args;

use super::lecture::LectureProfile;
use super::money::decimal;
use super::month::Question;
use super::prices::Assumptions;
use super::quotes::{Included, PricePlan};
use crate::manifest::container::Container;

/// Maximum values: beyond them, it is no longer a school, and sums would overflow.
const MOST_MINUTES: u128 = 1_000_000_000;
const MOST_VIEWS: u64 = 1_000_000_000;
const MOST_GIGABYTES: u64 = 1_000_000_000;
const LONGEST_SECONDS: u64 = 86_400;
/// Maximum bytes a second of a lecture: 10 GB a minute.
const HEAVIEST: u64 = 10_000_000_000 / 60;

#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// Minutes of stored lectures.
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    minutes: Seconds,
    /// Views a month.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(0..=MOST_VIEWS))]
    views: u64,
    /// Minutes of a lecture.
    #[arg(long, value_name = "MINUTES", default_value = "45", value_parser = minutes)]
    lecture_minutes: Seconds,
    /// Average minutes of a view [default: all of the lecture].
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    watched: Option<Seconds>,
    /// Minutes of stored lectures that are published in this month.
    #[arg(long, value_name = "MINUTES", default_value = "0", value_parser = minutes_or_none)]
    new_minutes: Seconds,
    /// Gigabytes of lectures in the bucket [default: estimated from minutes and rungs].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=MOST_GIGABYTES))]
    gigabytes: Option<u64>,
    /// Rungs by short side, out of 1080, 720, 480, 360 and 240.
    #[arg(
        long,
        value_name = "SIZES",
        default_value = "1080,720,480",
        value_delimiter = ','
    )]
    rungs: Vec<u32>,
    /// Seconds of a Media Segment.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10))]
    segment_duration: u32,
    /// Container of the segments: `cmaf` has separate audio segments, `ts` has none.
    #[arg(
        long,
        value_name = "CONTAINER",
        default_value = "cmaf",
        hide_possible_values = true
    )]
    container: Container,
    /// Share of segment reads that the data centre's cache answers, from 0 to 1; 0 is the worst
    /// case.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    hit_ratio: Millionths,
    /// CPU milliseconds of a request, from the Worker's metrics [default: estimated].
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    cpu_ms: Option<Micros>,
    /// Count what the edge remembers of viewers: links with `sub` and `sessions`, played in the
    /// player page, which reports what plays.
    #[arg(long)]
    viewers: bool,
    /// The Workers plan.
    #[arg(long, value_name = "PLAN", default_value = "paid")]
    pub(super) plan: PricePlan,
    /// Charge for everything, because the rest of the account uses up the free amounts.
    #[arg(long)]
    no_included: bool,
    /// Print one JSON object, with every charge of every provider.
    #[arg(long)]
    pub(super) json: bool,
}

/// Units as types, so they cannot be confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seconds(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Millionths(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Micros(u64);

/// Inputs without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CostError {
    #[error("`--watched` is longer than a lecture")]
    Watched,
    #[error("`--new-minutes` are more than are stored")]
    New,
    #[error("lectures of more than 86,400 seconds are not packaged")]
    Long,
    #[error("the bit rate of `{0}p` is not known")]
    Rung(u32),
    #[error("`--gigabytes` are more than 10 for each minute that is stored")]
    Heavy,
}

impl CostError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Watched => "give minutes up to those of `--lecture-minutes`, 45 by default",
            Self::New => "give minutes up to those of `--minutes`",
            Self::Long => "give `--lecture-minutes` up to 1440",
            Self::Rung(_) => {
                "choose from 1080, 720, 480, 360 and 240, and give `--gigabytes` if you know them"
            }
            Self::Heavy => "`--minutes` counts all lectures together",
        }
    }
}

impl CostArgs {
    pub(super) fn included(&self) -> Included {
        match self.no_included {
            true => Included::UsedUp,
            false => Included::Free,
        }
    }

    /// Pure.
    pub(super) fn question(&self, assumptions: &Assumptions) -> Result<Question, CostError> {
        let (stored, lecture) = (self.minutes.0, self.lecture_minutes.0);
        let watched = self.watched.map_or(lecture, |watched| watched.0);
        if lecture > LONGEST_SECONDS {
            return Err(CostError::Long);
        }
        if watched > lecture {
            return Err(CostError::Watched);
        }
        if self.new_minutes.0 > stored {
            return Err(CostError::New);
        }
        let bytes = self.gigabytes.map(|gigabytes| gigabytes * 1_000_000_000);
        if bytes.is_some_and(|bytes| bytes / stored > HEAVIEST) {
            return Err(CostError::Heavy);
        }
        let mut rungs = self.rungs.clone();
        rungs.sort_unstable_by(|a, b| b.cmp(a));
        rungs.dedup();
        let unknown = rungs
            .iter()
            .find(|side| assumptions.ladder.of(**side).is_none());
        if let Some(side) = unknown {
            return Err(CostError::Rung(*side));
        }
        Ok(Question {
            lecture: LectureProfile {
                seconds: lecture,
                segment_seconds: u64::from(self.segment_duration),
                container: self.container,
                rungs,
            },
            stored_seconds: stored,
            new_seconds: self.new_minutes.0,
            views: self.views,
            watched_seconds: watched,
            bytes,
            has_viewers: self.viewers,
            hits: self.hit_ratio.0,
            cpu_micros: self
                .cpu_ms
                .map_or(assumptions.worker.cpu_micros_per_request, |cpu| cpu.0),
        })
    }
}

/// Parses minutes with up to two decimals into whole seconds.
fn minutes_or_none(text: &str) -> Result<Seconds, String> {
    decimal(text, 2)
        .filter(|hundredths| *hundredths <= MOST_MINUTES * 100)
        .and_then(|hundredths| u64::try_from((hundredths * 60).div_ceil(100)).ok())
        .map(Seconds)
        .ok_or_else(|| "minutes up to 1,000,000,000, such as `45` or `7.5`".to_owned())
}

fn minutes(text: &str) -> Result<Seconds, String> {
    match minutes_or_none(text)? {
        Seconds(0) => Err("more than 0 minutes".to_owned()),
        seconds => Ok(seconds),
    }
}

fn share(text: &str) -> Result<Millionths, String> {
    decimal(text, 6)
        .and_then(|share| u64::try_from(share).ok())
        .filter(|share| *share <= 1_000_000)
        .map(Millionths)
        .ok_or_else(|| "a share from 0 to 1, such as `0.85`".to_owned())
}

fn milliseconds(text: &str) -> Result<Micros, String> {
    decimal(text, 3)
        .and_then(|micros| u64::try_from(micros).ok())
        .filter(|micros| *micros <= 300_000_000)
        .map(Micros)
        .ok_or_else(|| "milliseconds up to 300000, such as `1.5`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_decimals_and_become_whole_seconds() {
        for (text, expected) in [
            ("45", Some(2_700)),
            ("0.25", Some(15)),
            ("0.01", Some(1)),
            ("7.5", Some(450)),
            ("1000000000", Some(60_000_000_000)),
            ("1000000001", None),
            ("0", None),
            ("0.001", None),
            ("-1", None),
            ("45m", None),
            ("", None),
        ] {
            let seconds = minutes(text).ok().map(|Seconds(seconds)| seconds);
            assert_eq!(seconds, expected, "{text}");
        }
        assert_eq!(minutes_or_none("0"), Ok(Seconds(0)));
    }

    #[test]
    fn a_share_lies_between_0_and_1() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.85", Some(850_000)),
            ("1", Some(1_000_000)),
            ("1.000001", None),
            ("85", None),
            ("85%", None),
        ] {
            let share = share(text).ok().map(|Millionths(share)| share);
            assert_eq!(share, expected, "{text}");
        }
        assert_eq!(milliseconds("0.9"), Ok(Micros(900)));
        assert!(milliseconds("300000.001").is_err());
    }
}
