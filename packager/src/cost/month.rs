//! A month of storage, publishing and views in the units of providers. Pure.

use super::lecture::{LectureProfile, Requests};
use super::prices::{Assumptions, ViewerMemory};

const MILLION: u64 = 1_000_000;

/// The inputs of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) lecture: LectureProfile,
    /// Seconds of stored lectures, and of those published in this month.
    pub(crate) stored_seconds: u64,
    pub(crate) new_seconds: u64,
    pub(crate) views: u64,
    /// Seconds of a view, at most those of a lecture.
    pub(crate) watched_seconds: u64,
    /// Stored bytes, if known.
    pub(crate) bytes: Option<u64>,
    /// The edge remembers viewers.
    pub(crate) has_viewers: bool,
    /// Cache hits in a million reads of cacheable objects.
    pub(crate) hits: u64,
    pub(crate) cpu_micros: u64,
}

/// The month in bytes, requests, CPU microseconds and seconds of video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) stored_seconds: u128,
    pub(crate) stored_bytes: u128,
    pub(crate) new_seconds: u128,
    pub(crate) new_writes: u128,
    pub(crate) views: u128,
    /// CPU microseconds of a request.
    pub(crate) cpu_micros: u128,
    /// Write requests to publish everything once.
    pub(crate) all_writes: u128,
    pub(crate) view: Requests,
    /// Amounts of a thousand views.
    pub(crate) thousand: Watching,
    pub(crate) month: Watching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watching {
    pub(crate) requests: u128,
    /// Requests that the cache does not answer.
    pub(crate) reads: u128,
    /// Bytes that the player page loads, and those that are watched.
    pub(crate) loaded_bytes: u128,
    pub(crate) watched_bytes: u128,
    pub(crate) watched_seconds: u128,
    pub(crate) cpu_micros: u128,
    /// Requests to Durable Objects, the rows that they write, and the time that they run.
    pub(crate) ledger_calls: u128,
    pub(crate) ledger_rows: u128,
    pub(crate) ledger_gb_micros: u128,
    /// Reads of the list of revocations in Workers KV.
    pub(crate) list_reads: u128,
}

impl Question {
    /// Requests of one view to Durable Objects, and its reads of Workers KV, if no other view of the
    /// isolate has the list.
    pub(crate) fn ledger_calls(&self, viewers: &ViewerMemory) -> (u64, u64) {
        let every = |seconds: u64| self.watched_seconds.div_ceil(seconds);
        match self.has_viewers {
            true => (
                viewers.opening_calls + every(viewers.seconds_per_call) + viewers.progress_calls,
                1 + every(viewers.seconds_per_list),
            ),
            false => (0, 0),
        }
    }

    pub(crate) fn month(&self, assumptions: &Assumptions) -> Month {
        let (lecture, rates) = (&self.lecture, &assumptions.ladder);
        // 1 kbit/s is 125 bytes a second.
        let estimated = u128::from(self.stored_seconds * lecture.stored(rates)) * 125;
        let stored_bytes = self.bytes.map_or(estimated, u128::from);
        let loaded_seconds = match self.watched_seconds == lecture.seconds {
            true => lecture.seconds,
            false => (self.watched_seconds + assumptions.player.ahead_seconds).min(lecture.seconds),
        };
        let view = lecture.view(loaded_seconds, lecture.rungs.len() as u64);
        // Known stored bytes scale the bytes of a view.
        let bytes = |seconds: u64, views: u128| {
            let estimated_bytes = u128::from(seconds * lecture.watched(rates)) * 125;
            match (self.bytes, estimated) {
                (None, _) | (_, 0) => estimated_bytes * views,
                (Some(known), _) => {
                    (estimated_bytes * u128::from(known)).div_ceil(estimated) * views
                }
            }
        };
        let viewers = &assumptions.viewers;
        let (ledger_calls, list_reads) = self.ledger_calls(viewers);
        let ledger_rows = match ledger_calls {
            0 => 0,
            calls => calls * viewers.rows_per_call + viewers.alarm_rows,
        };
        let watching = |views: u128| {
            let requests = u128::from(view.all()) * views;
            let misses = (u128::from(view.objects()) * views * u128::from(MILLION - self.hits))
                .div_ceil(u128::from(MILLION));
            Watching {
                requests,
                reads: u128::from(view.playlists) * views + misses,
                loaded_bytes: bytes(loaded_seconds, views),
                watched_bytes: bytes(self.watched_seconds, views),
                watched_seconds: u128::from(self.watched_seconds) * views,
                cpu_micros: requests * u128::from(self.cpu_micros),
                ledger_calls: u128::from(ledger_calls) * views,
                ledger_rows: u128::from(ledger_rows) * views,
                // A Durable Object has 128 MB.
                ledger_gb_micros: u128::from(ledger_calls * viewers.micros_per_call) * views / 8,
                list_reads: u128::from(list_reads) * views,
            }
        };
        let writes = u128::from(lecture.writes(rates));
        let lectures = |seconds: u64| u128::from(seconds.div_ceil(lecture.seconds));
        Month {
            stored_seconds: u128::from(self.stored_seconds),
            stored_bytes,
            new_seconds: u128::from(self.new_seconds),
            new_writes: lectures(self.new_seconds) * writes,
            views: u128::from(self.views),
            cpu_micros: u128::from(self.cpu_micros),
            all_writes: lectures(self.stored_seconds) * writes,
            view,
            thousand: watching(1_000),
            month: watching(u128::from(self.views)),
        }
    }
}
