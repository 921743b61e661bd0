//! The progress of a viewer in one lecture.

use super::WatchRecord;
use crate::ledger::codec::{LedgerReader, LedgerWriter};
use crate::ledger::report::{Lecture, WatchReport};
use crate::ledger::watching::{COMPLETED_PERCENT, MAX_DURATION, MAX_RUNS, WatchedRun, WatchedRuns};
use crate::ledger::webhook::EventKind;

/// A lecture's ledger gets a record at most once in this time, beside steps of 10 %.
pub(super) const RECORD_SECONDS: u64 = 3_600;
/// The same, if the player ends.
pub(super) const FINAL_RECORD_SECONDS: u64 = 600;
/// A report that changes nothing is written once in this time, so that the viewer is seen.
const SEEN_SECONDS: u64 = 3_600;

/// A viewer's progress in a lecture. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LectureProgress {
    pub(super) lecture: Lecture,
    pub(super) runs: WatchedRuns,
    pub(super) position: u32,
    pub(super) duration: u32,
    pub(super) completed_at: Option<u64>,
    /// The last report that was stored.
    pub(super) seen: u64,
    /// The highest multiple of 10 % that was reached, as 0 to 10.
    pub(super) step: u32,
    /// The last record that the lecture's ledger has.
    pub(super) recorded_at: Option<u64>,
    /// The second at which its ledger is to get a record.
    pub(super) record_at: Option<u64>,
}

impl LectureProgress {
    /// The progress before the first report.
    pub(super) fn new(lecture: Lecture, duration: u32) -> Self {
        Self {
            lecture,
            runs: WatchedRuns::default(),
            position: 0,
            duration,
            completed_at: None,
            seen: 0,
            step: 0,
            recorded_at: None,
            record_at: None,
        }
    }

    pub(super) fn record(&self) -> WatchRecord {
        WatchRecord {
            percent: self.runs.percent(self.duration),
            position: self.position,
            duration: self.duration,
            completed_at: self.completed_at,
            last_seen: self.seen,
        }
    }

    /// Takes a report in. Returns the events that it causes, and whether anything changed.
    pub(super) fn take(&mut self, report: &WatchReport, now: u64) -> (Vec<EventKind>, bool) {
        let before = (self.runs.clone(), self.position, self.duration);
        self.runs.add(&report.ranges);
        self.position = report.position;
        self.duration = report.duration;
        let percent = self.runs.percent(self.duration);
        let mut events = Vec::new();
        if percent / 10 > self.step {
            self.step = percent / 10;
            events.push(EventKind::Progress);
        }
        if percent >= COMPLETED_PERCENT && self.completed_at.is_none() {
            self.completed_at = Some(now);
            events.push(EventKind::Completed);
        }
        let is_changed = (&self.runs, self.position, self.duration)
            != (&before.0, before.1, before.2)
            || now >= self.seen + SEEN_SECONDS;
        if is_changed {
            self.seen = now;
            let wait = match report.is_final {
                true => FINAL_RECORD_SECONDS,
                false => RECORD_SECONDS,
            };
            let due = match self.recorded_at {
                _ if !events.is_empty() => now,
                // A lecture that was opened by mistake is not recorded at once.
                None if report.is_final => now,
                None => now + wait,
                Some(at) => now.max(at + wait),
            };
            self.record_at = Some(self.record_at.map_or(due, |known| known.min(due)));
        }
        (events, is_changed)
    }

    pub(super) fn write(&self, writer: &mut LedgerWriter) {
        writer.text(self.lecture.as_str());
        for number in [self.position, self.duration, self.step] {
            writer.integer(number.into());
        }
        writer.integer(self.seen);
        // No time is zero.
        for time in [self.completed_at, self.recorded_at, self.record_at] {
            writer.integer(time.unwrap_or(0));
        }
        let runs = self.runs.as_runs();
        writer.integer(runs.len() as u64);
        let mut end = 0;
        for run in runs {
            let length = run.end - run.start;
            let missing = length - run.watched;
            writer.integer((run.start - end).into());
            writer.integer(u64::from(length) << 1 | u64::from(missing > 0));
            if missing > 0 {
                writer.integer(missing.into());
            }
            end = run.end;
        }
    }

    pub(super) fn read(reader: &mut LedgerReader<'_>) -> Option<Self> {
        let lecture = Lecture::parse(&reader.text()?).ok()?;
        let [position, duration, step] = [reader.small()?, reader.small()?, reader.small()?];
        let seen = reader.integer()?;
        let mut time = || Some(Some(reader.integer()?).filter(|time| *time > 0));
        let (completed_at, recorded_at, record_at) = (time()?, time()?, time()?);
        let mut end = 0_u32;
        let runs = reader.list(MAX_RUNS, |reader| {
            let start = end.checked_add(reader.small()?)?;
            let length: u32 = reader.small()?;
            let missing = match length & 1 {
                0 => 0,
                _ => reader.small().filter(|missing: &u32| *missing > 0)?,
            };
            let length = length >> 1;
            end = start.checked_add(length)?;
            let watched = length.checked_sub(missing)?;
            Some(WatchedRun {
                start,
                end,
                watched,
            })
        })?;
        let is_valid = (1..=MAX_DURATION).contains(&duration) && position <= duration && step <= 10;
        is_valid.then_some(Self {
            lecture,
            runs: WatchedRuns::from_runs(runs)?,
            position,
            duration,
            completed_at,
            seen,
            step,
            recorded_at,
            record_at,
        })
    }

    pub(super) fn size(&self) -> usize {
        let mut writer = LedgerWriter::default();
        self.write(&mut writer);
        writer.bytes.len()
    }
}
