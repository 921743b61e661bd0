//! The history of a viewer: what he watched of each lecture, and what is still to be delivered about
//! it. His ledger stores it as one value, so that a report writes one row.

mod progress;

use serde::Serialize;

use self::progress::{FINAL_RECORD_SECONDS, LectureProgress};
use super::codec::{LedgerReader, LedgerWriter};
use super::report::{Lecture, LectureHash, MAX_LECTURE_BYTES, WatchReport};
use super::webhook::WebhookEvent;
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
            let new = LectureProgress::new(lecture.clone(), report.duration);
            self.lectures.push(new);
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
mod tests;
