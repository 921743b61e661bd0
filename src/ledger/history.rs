//! The history of a viewer: what he watched of each lecture, and what is still to be delivered about
//! it. His ledger stores it as one value, so that a report writes one row.

use serde::Serialize;

use super::codec::{LedgerReader, LedgerWriter};
use super::report::{Lecture, LectureHash, MAX_LECTURE_BYTES, WatchReport};
use super::watching::{COMPLETED_PERCENT, MAX_DURATION, MAX_RUNS, WatchedRun, WatchedRuns};
use super::webhook::{EventKind, WebhookEvent};
use crate::json::written;

/// Lectures whose runs are all kept. Of older ones, one run is kept.
pub const MAX_OPEN: usize = 100;
/// Lectures of a viewer, and the bytes of all. Beyond, the oldest is dropped.
pub const MAX_LECTURES: usize = 1_000;
const MAX_LECTURES_BYTES: usize = 180_000;
/// Lectures whose ledger still has a row of the viewer that is to be removed: two histories.
const MAX_REMOVALS: usize = 2 * MAX_LECTURES;
/// Webhook events that wait.
pub const MAX_EVENTS: usize = 50;
const MAX_VIEWER_BYTES: usize = 256;
/// The delays after failures, in seconds. A webhook event that fails after the last one is dropped.
const RETRY_SECONDS: [u64; 5] = [10, 60, 600, 3_600, 21_600];
/// A lecture's ledger gets a record at most once in this time, beside steps of 10 %.
const RECORD_SECONDS: u64 = 3_600;
/// The same, if the player ends.
const FINAL_RECORD_SECONDS: u64 = 600;
/// A report that changes nothing is written once in this time, so that the viewer is seen.
const SEEN_SECONDS: u64 = 3_600;
const VERSION: u64 = 1;

/// The history of a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchHistory {
    /// The `sub` of his links.
    pub viewer: String,
    lectures: Vec<LectureProgress>,
    removals: Vec<LectureHash>,
    events: Vec<WebhookEvent>,
    /// Deliveries to lectures' ledgers that failed since one succeeded.
    failures: u32,
    /// The second before which no lecture's ledger is asked.
    retry_at: u64,
}

/// A viewer's progress in a lecture. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LectureProgress {
    lecture: Lecture,
    runs: WatchedRuns,
    position: u32,
    duration: u32,
    completed_at: Option<u64>,
    /// The last report that was stored.
    seen: u64,
    /// The highest multiple of 10 % that was reached, as 0 to 10.
    step: u32,
    /// The last record that the lecture's ledger has.
    recorded_at: Option<u64>,
    /// The second at which its ledger is to get a record.
    record_at: Option<u64>,
}

/// A viewer's progress in a lecture, as its ledger and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WatchRecord {
    pub percent: u32,
    pub position: u32,
    pub duration: u32,
    pub completed_at: Option<u64>,
    pub last_seen: u64,
}

/// A viewer's progress in a lecture, as his player sees it.
#[derive(Debug, Default, Serialize)]
struct PlayerProgress {
    percent: u32,
    position: u32,
    duration: u32,
    completed_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<Vec<(u32, u32)>>,
}

/// Something that the viewer's ledger is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// To the lecture's ledger: the viewer's progress.
    Record(Lecture, WatchRecord),
    /// To the lecture's ledger: the removal of the viewer.
    Removal(LectureHash),
    /// To the course app.
    Webhook(WebhookEvent),
}

impl LectureProgress {
    fn record(&self) -> WatchRecord {
        WatchRecord {
            percent: self.runs.percent(self.duration),
            position: self.position,
            duration: self.duration,
            completed_at: self.completed_at,
            last_seen: self.seen,
        }
    }

    /// Takes a report in. Returns the events that it causes, and whether anything changed.
    fn take(&mut self, report: &WatchReport, now: u64) -> (Vec<EventKind>, bool) {
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

    fn write(&self, writer: &mut LedgerWriter) {
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

    fn read(reader: &mut LedgerReader<'_>) -> Option<Self> {
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

    fn size(&self) -> usize {
        let mut writer = LedgerWriter::default();
        self.write(&mut writer);
        writer.bytes.len()
    }
}

impl WatchHistory {
    #[must_use]
    pub fn new(viewer: &str) -> Self {
        Self {
            viewer: viewer.to_owned(),
            lectures: Vec::new(),
            removals: Vec::new(),
            events: Vec::new(),
            failures: 0,
            retry_at: 0,
        }
    }

    /// Parses what [`WatchHistory::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = LedgerReader::new(bytes);
        if reader.integer()? != VERSION {
            return None;
        }
        let history = Self {
            viewer: reader
                .text()
                .filter(|viewer| viewer.len() <= MAX_VIEWER_BYTES)?,
            failures: reader.small()?,
            retry_at: reader.integer()?,
            lectures: reader.list(MAX_LECTURES, LectureProgress::read)?,
            removals: reader.list(MAX_REMOVALS, |reader| reader.bytes(16)?.try_into().ok())?,
            events: reader.list(MAX_EVENTS, WebhookEvent::read)?,
        };
        reader.is_at_end().then_some(history)
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = LedgerWriter::default();
        writer.integer(VERSION);
        writer.text(&self.viewer);
        writer.integer(self.failures.into());
        writer.integer(self.retry_at);
        writer.integer(self.lectures.len() as u64);
        for lecture in &self.lectures {
            lecture.write(&mut writer);
        }
        writer.integer(self.removals.len() as u64);
        for hash in &self.removals {
            writer.bytes.extend_from_slice(hash);
        }
        writer.integer(self.events.len() as u64);
        for event in &self.events {
            event.write(&mut writer);
        }
        writer.bytes
    }

    /// Returns whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lectures.is_empty() && self.removals.is_empty() && self.events.is_empty()
    }

    #[must_use]
    pub fn has(&self, lecture: &Lecture) -> bool {
        self.find(lecture).is_some()
    }

    fn find(&self, lecture: &Lecture) -> Option<&LectureProgress> {
        self.lectures.iter().find(|known| known.lecture == *lecture)
    }

    /// Takes a report in. Returns whether the history changed, and so must be stored.
    pub fn report(
        &mut self,
        lecture: &Lecture,
        report: &WatchReport,
        has_webhook: bool,
        now: u64,
    ) -> bool {
        let known = self
            .lectures
            .iter()
            .position(|known| known.lecture == *lecture);
        let at = known.unwrap_or(self.lectures.len());
        if known.is_none() {
            // The removal of an older row must not remove the new one.
            self.removals.retain(|hash| *hash != lecture.hash());
            self.lectures.push(LectureProgress {
                lecture: lecture.clone(),
                runs: WatchedRuns::default(),
                position: 0,
                duration: report.duration,
                completed_at: None,
                seen: 0,
                step: 0,
                recorded_at: None,
                record_at: None,
            });
        }
        let progress = &mut self.lectures[at];
        let (events, is_changed) = progress.take(report, now);
        let record = progress.record();
        for kind in events.into_iter().filter(|_| has_webhook) {
            self.events.push(WebhookEvent {
                kind,
                lecture: lecture.clone(),
                percent: record.percent,
                position: record.position,
                duration: record.duration,
                at: now,
                attempts: 0,
                due: now,
            });
        }
        if is_changed {
            self.bound(lecture);
        }
        is_changed
    }

    /// Keeps the history within its bounds. The latest lecture stays as it is.
    fn bound(&mut self, latest: &Lecture) {
        let excess = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..excess);
        let is_open = |progress: &LectureProgress| progress.runs.as_runs().len() > 1;
        let open = self.lectures.iter().filter(|it| is_open(it)).count();
        for _ in MAX_OPEN..open {
            let others = self.lectures.iter_mut().filter(|it| it.lecture != *latest);
            if let Some(oldest) = others.filter(|it| is_open(it)).min_by_key(|it| it.seen) {
                oldest.runs.join_all();
            }
        }
        let mut size: usize = self.lectures.iter().map(LectureProgress::size).sum();
        while self.lectures.len() > MAX_LECTURES || size > MAX_LECTURES_BYTES {
            let others = self.lectures.iter().enumerate();
            let others = others.filter(|(_, it)| it.lecture != *latest);
            // A completed lecture goes last.
            let oldest = others.min_by_key(|(_, it)| (it.completed_at.is_some(), it.seen));
            let Some((at, _)) = oldest else {
                break;
            };
            let dropped = self.lectures.remove(at);
            size -= dropped.size();
            self.remove_from_ledger(&dropped.lecture);
        }
    }

    fn remove_from_ledger(&mut self, lecture: &Lecture) {
        let hash = lecture.hash();
        self.removals.retain(|known| *known != hash);
        // Beyond, ledgers have not answered for weeks.
        if self.removals.len() >= MAX_REMOVALS {
            self.removals.remove(0);
        }
        self.removals.push(hash);
        self.events.retain(|event| event.lecture != *lecture);
    }

    /// Drops lectures without a report for `keep` seconds. Returns whether there were any.
    pub fn expire(&mut self, keep: u64, now: u64) -> bool {
        let (kept, expired): (Vec<_>, Vec<_>) = self
            .lectures
            .drain(..)
            .partition(|progress| now < progress.seen.saturating_add(keep));
        self.lectures = kept;
        for progress in &expired {
            self.remove_from_ledger(&progress.lecture);
        }
        !expired.is_empty()
    }

    /// Forgets everything, once lectures' ledgers have removed their rows. Returns the number of
    /// lectures.
    pub fn forget(&mut self) -> usize {
        let lectures = std::mem::take(&mut self.lectures);
        for progress in &lectures {
            self.remove_from_ledger(&progress.lecture);
        }
        self.events.clear();
        self.retry_at = 0;
        lectures.len()
    }

    /// The rows in lectures' ledgers that are still to be removed.
    #[must_use]
    pub fn pending_removals(&self) -> usize {
        self.removals.len()
    }

    /// The deliveries that are due, at most `most`.
    #[must_use]
    pub fn due(&self, now: u64, most: usize) -> Vec<Delivery> {
        let is_asked = now >= self.retry_at;
        let is_due = |it: &&LectureProgress| it.record_at.is_some_and(|at| at <= now);
        let records = self
            .lectures
            .iter()
            .filter(is_due)
            .map(|it| Delivery::Record(it.lecture.clone(), it.record()));
        let removals = self.removals.iter().map(|hash| Delivery::Removal(*hash));
        let events = self.events.iter().filter(|event| event.due <= now);
        let events = events.map(|event| Delivery::Webhook(event.clone()));
        let to_ledgers = removals.chain(records).filter(|_| is_asked);
        events.chain(to_ledgers).take(most).collect()
    }

    /// Returns whether a delivery is still to be sent. It may have been forgotten since it was due.
    #[must_use]
    pub fn is_due(&self, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Record(lecture, _) => self.has(lecture),
            Delivery::Removal(hash) => self.removals.contains(hash),
            Delivery::Webhook(event) => self.events.iter().any(|known| known.is_same(event)),
        }
    }

    /// Notes a delivery that arrived.
    pub fn delivered(&mut self, delivery: &Delivery, now: u64) {
        match delivery {
            Delivery::Record(lecture, record) => {
                (self.failures, self.retry_at) = (0, 0);
                let known = self.lectures.iter_mut().find(|it| it.lecture == *lecture);
                match known {
                    Some(progress) => {
                        progress.recorded_at = Some(now);
                        // A later report may want another record.
                        let is_latest = progress.record() == *record;
                        let next = (!is_latest).then_some(now + FINAL_RECORD_SECONDS);
                        progress.record_at = next;
                    }
                    // It was forgotten meanwhile.
                    None => self.remove_from_ledger(lecture),
                }
            }
            Delivery::Removal(hash) => {
                (self.failures, self.retry_at) = (0, 0);
                self.removals.retain(|known| known != hash);
            }
            Delivery::Webhook(event) => self.events.retain(|known| !known.is_same(event)),
        }
    }

    /// Notes a delivery that failed, and when it is repeated. Returns whether it is given up.
    pub fn failed(&mut self, delivery: &Delivery, now: u64) -> bool {
        let Delivery::Webhook(failed) = delivery else {
            let delay = RETRY_SECONDS.get(self.failures as usize);
            self.failures = self.failures.saturating_add(1);
            self.retry_at = now + delay.or(RETRY_SECONDS.last()).unwrap_or(&0);
            return false;
        };
        let delay = RETRY_SECONDS.get(failed.attempts as usize);
        for event in &mut self.events {
            match delay {
                Some(delay) if event.is_same(failed) => {
                    event.attempts += 1;
                    event.due = now + delay;
                }
                // The others wait for the app, too.
                _ => event.due = event.due.max(now + RETRY_SECONDS[0]),
            }
        }
        if delay.is_none() {
            self.events.retain(|known| !known.is_same(failed));
        }
        delay.is_none()
    }

    /// The second at which the ledger has something to do.
    #[must_use]
    pub fn next_due(&self, keep: u64) -> Option<u64> {
        let records = self.lectures.iter().filter_map(|it| it.record_at);
        let removals = self.removals.iter().map(|_| 0);
        let to_ledgers = records.chain(removals).map(|at| at.max(self.retry_at));
        let events = self.events.iter().map(|event| event.due);
        let ends = self.lectures.iter().map(|it| it.seen.saturating_add(keep));
        to_ledgers.chain(events).chain(ends).min()
    }

    /// The viewer's progress in a lecture, as JSON for his player.
    #[must_use]
    pub fn progress_json(&self, lecture: &Lecture, has_ranges: bool) -> String {
        let found = self.find(lecture);
        let ranges = |progress: &LectureProgress| {
            // Of a run with gaps, only the number of watched seconds is known.
            let runs = progress.runs.as_runs().iter();
            let certain = runs.filter(|run| run.watched == run.end - run.start);
            certain.map(|run| (run.start, run.end)).collect()
        };
        let ranges = has_ranges.then(|| found.map(ranges).unwrap_or_default());
        let progress = found
            .map(LectureProgress::record)
            .map(|record| PlayerProgress {
                percent: record.percent,
                position: record.position,
                duration: record.duration,
                completed_at: record.completed_at,
                ranges: None,
            });
        written(&PlayerProgress {
            ranges,
            ..progress.unwrap_or_default()
        })
    }

    /// The second at which a lecture goes on: where the viewer stopped, or 0 near the end. `None` if
    /// the viewer has not begun it, so that a player may use a position of its own.
    #[must_use]
    pub fn position(&self, lecture: &Lecture) -> Option<u32> {
        let progress = self.find(lecture)?;
        let is_near_end = u64::from(progress.position) * 20 > u64::from(progress.duration) * 19;
        Some(if is_near_end { 0 } else { progress.position })
    }

    /// The viewer's progress in every lecture, by path.
    #[must_use]
    pub fn records(&self) -> Vec<(&str, WatchRecord)> {
        let record = |it: &LectureProgress| it.record();
        let mut records: Vec<_> = self
            .lectures
            .iter()
            .map(|it| (it.lecture.as_str(), record(it)))
            .collect();
        records.sort_unstable_by_key(|(lecture, _)| *lecture);
        records
    }
}

/// The most bytes of a history.
pub const MAX_HISTORY_BYTES: usize = MAX_LECTURES_BYTES
    + MAX_REMOVALS * 16
    + MAX_EVENTS * (MAX_LECTURE_BYTES + 64)
    + MAX_VIEWER_BYTES
    + 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::places::{CHECK_IN_SECONDS, SILENCE_SECONDS};

    const NOW: u64 = 1_800_000_000;
    const YEAR: u64 = 365 * 86_400;

    fn lecture(name: &str) -> Lecture {
        Lecture::parse(&format!("/courses/{name}/")).expect("a lecture")
    }

    fn report(position: u32, ranges: &[(u32, u32)]) -> WatchReport {
        WatchReport {
            position,
            duration: 1_000,
            ranges: ranges.to_vec(),
            is_final: false,
        }
    }

    fn kinds(history: &WatchHistory) -> Vec<(EventKind, u32)> {
        let events = history.events.iter();
        events.map(|event| (event.kind, event.percent)).collect()
    }

    /// Delivers all that is due, and returns it.
    fn deliver(history: &mut WatchHistory, now: u64) -> Vec<Delivery> {
        let due = history.due(now, usize::MAX);
        for delivery in &due {
            history.delivered(delivery, now);
        }
        due
    }

    #[test]
    fn a_lecture_that_is_not_begun_has_no_position() {
        let mut history = WatchHistory::new("s");
        let lecture = |path: &str| {
            let key = crate::object::key::ObjectKey::new(path).expect("a key");
            Lecture::of(&key).expect("a lecture")
        };
        let (begun, other) = (lecture("c/a/master.m3u8"), lecture("c/b/master.m3u8"));
        assert_eq!(history.position(&begun), None);
        history.report(&begun, &report(0, &[(0, 9)]), false, 1);
        assert_eq!(history.position(&begun), Some(0));
        assert_eq!(history.position(&other), None);
    }

    #[test]
    fn a_lecture_that_is_nearly_over_begins_anew() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        for (position, expected) in [(950, 950), (951, 0), (1_000, 0)] {
            history.report(&intro, &report(position, &[(0, 9)]), false, 1);
            assert_eq!(history.position(&intro), Some(expected), "{position}");
        }
    }

    #[test]
    fn each_tenth_and_the_completion_are_announced_once() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        for (ranges, expected) in [
            (&[(0, 99)][..], &[][..]),
            (&[(99, 100)], &[(EventKind::Progress, 10)]),
            (&[(0, 100)], &[]),
            (&[(100, 350)], &[(EventKind::Progress, 35)]),
            (&[(350, 899)], &[(EventKind::Progress, 89)]),
            (
                &[(0, 901)],
                &[(EventKind::Progress, 90), (EventKind::Completed, 90)],
            ),
            (&[(901, 999)], &[]),
            (&[(0, 1_000)], &[(EventKind::Progress, 100)]),
            (&[(0, 1_000)], &[]),
        ] {
            history.report(&intro, &report(5, ranges), true, NOW);
            assert_eq!(kinds(&history), expected, "{ranges:?}");
            history.events.clear();
        }
        let mut silent = WatchHistory::new("s42");
        silent.report(&intro, &report(5, &[(0, 1_000)]), false, NOW);
        assert_eq!(kinds(&silent), []);
        // Seeking to the end is not watching.
        let mut seeker = WatchHistory::new("s42");
        seeker.report(&intro, &report(1_000, &[(0, 5), (990, 1_000)]), true, NOW);
        assert_eq!(seeker.records()[0].1.percent, 1);
        assert_eq!(seeker.records()[0].1.completed_at, None);
    }

    #[test]
    fn a_completed_lecture_stays_completed() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        history.report(&intro, &report(1_000, &[(0, 950)]), true, NOW);
        // The lecture was replaced by a longer one.
        let longer = WatchReport {
            duration: 2_000,
            ..report(3, &[])
        };
        history.report(&intro, &longer, true, NOW + 9);
        let record = history.records()[0].1.clone();
        assert_eq!((record.percent, record.completed_at), (47, Some(NOW)));
    }

    #[test]
    fn a_report_that_changes_nothing_is_not_stored() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        let same = report(30, &[(0, 30)]);
        for (after, expected) in [(0, true), (30, false), (3_599, false), (3_600, true)] {
            let changed = history.report(&intro, &same, true, NOW + after);
            assert_eq!(changed, expected, "{after}");
        }
        assert!(history.report(&intro, &report(31, &[]), true, NOW + 3_601));
    }

    #[test]
    fn a_lectures_ledger_hears_of_steps_at_once_and_of_the_rest_later() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        history.report(&intro, &report(30, &[(0, 30)]), false, NOW);
        assert_eq!(history.next_due(YEAR), Some(NOW + RECORD_SECONDS));
        history.report(&intro, &report(100, &[(30, 100)]), false, NOW + 70);
        assert_eq!(deliver(&mut history, NOW + 70).len(), 1);
        assert_eq!(history.due(NOW + 70, 9), []);
        let last = WatchReport {
            is_final: true,
            ..report(120, &[(100, 120)])
        };
        history.report(&intro, &last, false, NOW + 90);
        let next = NOW + 70 + FINAL_RECORD_SECONDS;
        assert_eq!(history.next_due(YEAR), Some(next));
        assert_eq!(deliver(&mut history, next).len(), 1);
        assert_eq!(history.next_due(YEAR), Some(NOW + 90 + YEAR));
        // A first report that is the last is recorded at once.
        let other = lecture("other");
        history.report(&other, &last, false, next);
        assert_eq!(deliver(&mut history, next).len(), 1);
    }

    #[test]
    fn failures_are_repeated_and_events_given_up() {
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        history.report(&intro, &report(100, &[(0, 100)]), true, NOW);
        let mut now = NOW;
        let [webhook, record] = &history.due(now, 9)[..] else {
            panic!("two deliveries");
        };
        let (webhook, record) = (webhook.clone(), record.clone());
        assert!(matches!(record, Delivery::Record(..)));
        for delay in RETRY_SECONDS {
            history.failed(&record, now);
            let due = history.due(now, 9);
            let [current] = &due[..] else {
                panic!("one delivery");
            };
            assert!(!history.failed(current, now), "{webhook:?}");
            assert_eq!(history.due(now + delay - 1, 9), []);
            assert_eq!(history.next_due(YEAR), Some(now + delay));
            now += delay;
            assert_eq!(history.due(now, 9).len(), 2);
        }
        let last = history.due(now, 9).remove(0);
        assert!(history.failed(&last, now));
        assert_eq!(history.events, []);
        // The record is never given up.
        for _ in 0..9 {
            history.failed(&record, now);
            now += RETRY_SECONDS[4];
            assert_eq!(history.due(now, 9).len(), 1);
        }
        history.delivered(&record, now);
        assert_eq!((history.failures, history.due(now, 9)), (0, vec![]));
    }

    #[test]
    fn a_forgotten_viewer_is_removed_everywhere() {
        let mut history = WatchHistory::new("s42");
        for name in ["a", "b"] {
            history.report(&lecture(name), &report(100, &[(0, 100)]), true, NOW);
        }
        let in_flight = history.due(NOW, 9);
        assert_eq!(history.forget(), 2);
        assert_eq!(history.pending_removals(), 2);
        assert_eq!(history.records(), []);
        assert_eq!(deliver(&mut history, NOW).len(), 2);
        assert!(history.is_empty());
        // A record that arrived after the removal is removed again.
        let record = |it: &&Delivery| matches!(it, Delivery::Record(..));
        history.delivered(in_flight.iter().find(record).expect("a record"), NOW);
        assert_eq!(deliver(&mut history, NOW).len(), 1);
        assert!(history.is_empty());
        assert_eq!(history.forget(), 0);
        // A lecture that is watched again keeps its new row.
        history.report(&lecture("a"), &report(100, &[(0, 100)]), true, NOW);
        history.forget();
        history.report(&lecture("a"), &report(100, &[(0, 100)]), false, NOW);
        let due = history.due(NOW, 9);
        assert!(matches!(&due[..], [Delivery::Record(..)]), "{due:?}");
    }

    #[test]
    fn a_lecture_ends_with_its_time_and_others_stay() {
        let mut history = WatchHistory::new("s42");
        history.report(&lecture("a"), &report(100, &[(0, 100)]), false, NOW);
        history.report(&lecture("b"), &report(100, &[(0, 100)]), false, NOW + 5);
        deliver(&mut history, NOW + 5);
        assert_eq!(history.next_due(YEAR), Some(NOW + YEAR));
        history.expire(YEAR, NOW + YEAR - 1);
        assert_eq!(history.records().len(), 2);
        history.expire(YEAR, NOW + YEAR);
        assert_eq!(history.records().len(), 1);
        let due = history.due(NOW + YEAR, 9);
        assert_eq!(due, [Delivery::Removal(lecture("a").hash())]);
    }

    /// The largest history that reports can make.
    fn largest() -> WatchHistory {
        let mut history = WatchHistory::new(&"v".repeat(MAX_VIEWER_BYTES));
        let name = |at: usize| {
            let path = format!("/{at:04}/");
            Lecture::parse(&format!(
                "{path}{}/",
                "x".repeat(MAX_LECTURE_BYTES - path.len() - 1)
            ))
            .expect("a lecture")
        };
        for at in 0..1_300 {
            // Long runs with long gaps, which take the most bytes.
            let ranges: Vec<_> = (0..300).map(|at| (at * 280, at * 280 + 140)).collect();
            for part in ranges.chunks(MAX_RUNS) {
                let report = WatchReport {
                    duration: MAX_DURATION,
                    position: MAX_DURATION,
                    ..report(0, part)
                };
                history.report(&name(at), &report, true, NOW + at as u64);
            }
        }
        history
    }

    #[test]
    fn a_history_is_bounded() {
        let history = largest();
        let bytes = history.to_bytes();
        assert!(bytes.len() <= MAX_HISTORY_BYTES, "{}", bytes.len());
        // With 255 players' places, the viewer's ledger stays below 256 kB.
        const { assert!(MAX_HISTORY_BYTES + 255 * 24 < 256_000) };
        assert_eq!(history.events.len(), MAX_EVENTS);
        // The dropped lectures of this one, and all of another that was forgotten.
        let mut full = history.clone();
        for at in 0..MAX_REMOVALS {
            full.remove_from_ledger(&lecture(&at.to_string()));
        }
        assert_eq!(full.removals.len(), MAX_REMOVALS);
        assert!(full.to_bytes().len() <= MAX_HISTORY_BYTES);
        assert!(
            history.lectures.len() >= MAX_OPEN,
            "{}",
            history.lectures.len()
        );
        assert_eq!(WatchHistory::from_bytes(&bytes), Some(history));
    }

    #[test]
    fn a_thousand_usual_lectures_keep_what_was_watched() {
        let mut history = WatchHistory::new("s42");
        for at in 0..MAX_LECTURES as u32 {
            let lecture = lecture(&format!("rails/lecture-{at:04}"));
            let ranges = [(0, 400), (450, 950), (960, 960 + at % 40)];
            history.report(&lecture, &report(999, &ranges), false, NOW + u64::from(at));
        }
        assert_eq!(history.records().len(), MAX_LECTURES);
        assert!(
            history
                .records()
                .iter()
                .all(|(_, record)| record.completed_at.is_some())
        );
        let open = history
            .lectures
            .iter()
            .filter(|it| it.runs.as_runs().len() > 1);
        assert_eq!(open.count(), MAX_OPEN);
        assert!(
            history.to_bytes().len() < 100_000,
            "{}",
            history.to_bytes().len()
        );
        // One more drops the oldest that was not completed, which is none, so the oldest.
        let more = WatchReport {
            ranges: vec![(0, 10)],
            ..report(10, &[])
        };
        history.report(&lecture("more"), &more, false, NOW + 5_000);
        assert_eq!(history.records().len(), MAX_LECTURES);
        history.report(&lecture("most"), &more, false, NOW + 5_001);
        let completed = |history: &WatchHistory| {
            let records = history.records();
            let completed = records.iter().filter(|(_, it)| it.completed_at.is_some());
            completed.count()
        };
        assert_eq!(completed(&history), MAX_LECTURES - 1);
        assert!(history.has(&lecture("most")) && !history.has(&lecture("more")));
    }

    #[test]
    fn a_view_of_45_minutes_calls_durable_objects_at_most_120_times() {
        // One isolate's memory: the second at which it last asked for the player.
        let mut history = WatchHistory::new("s42");
        let intro = lecture("intro");
        let (mut calls, mut alarm, mut asked) = (0, None::<u64>, NOW);
        // Opening the lecture takes a place, and names the second to go on at.
        calls += 1;
        for second in 0..=2_700_u64 {
            let now = NOW + second;
            // A segment is asked for every four seconds, and keeps the place.
            if second % 4 == 0 && now >= asked + CHECK_IN_SECONDS {
                calls += 1;
                asked = now;
            }
            if second > 0 && second % 30 == 0 {
                let to = second as u32;
                let posted = WatchReport {
                    position: to,
                    duration: 2_700,
                    ranges: vec![(to - 30, to)],
                    is_final: second == 2_700,
                };
                calls += 1;
                asked = now;
                assert!(history.report(&intro, &posted, true, now));
                let due = history.next_due(YEAR);
                alarm = alarm.min(due).or(due);
            }
            if alarm.is_some_and(|at| at <= now) {
                // The alarm itself, and a call for each record.
                let delivered = deliver(&mut history, now);
                let records = delivered
                    .iter()
                    .filter(|it| matches!(it, Delivery::Record(..)));
                calls += 1 + records.count();
                alarm = history.next_due(YEAR);
            }
        }
        assert_eq!(history.records()[0].1.percent, 100);
        // `lectern cost` has the same number.
        assert_eq!(calls, 111);
        // Two places: the pages of one viewer keep theirs by reports alone.
        const { assert!(CHECK_IN_SECONDS > 30 && 2 * CHECK_IN_SECONDS < SILENCE_SECONDS) };
    }

    proptest! {
        #[test]
        fn stored_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(history) = WatchHistory::from_bytes(&bytes) {
                prop_assert_eq!(WatchHistory::from_bytes(&history.to_bytes()), Some(history));
            }
        }

        #[test]
        fn a_history_is_read_as_it_was_written(
            posts in prop::collection::vec((0..5_u32, 0..1_000_u32, 0..90_u32), 0..60),
        ) {
            let mut history = WatchHistory::new("s \"42\"");
            for (at, (name, from, length)) in posts.into_iter().enumerate() {
                let ranges = [(from, (from + length).min(1_000))];
                let lecture = lecture(&name.to_string());
                history.report(&lecture, &report(from, &ranges), true, NOW + at as u64 * 30);
                if at % 7 == 0 {
                    let due = history.due(NOW, 3);
                    for delivery in &due {
                        history.failed(delivery, NOW + at as u64 * 30);
                    }
                }
                let again = WatchHistory::from_bytes(&history.to_bytes());
                prop_assert_eq!(again.as_ref(), Some(&history));
            }
        }
    }
}
