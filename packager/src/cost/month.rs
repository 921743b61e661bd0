//! A month: what is stored, published and watched, in what providers count. Pure.

use super::lecture::{Lecture, Requests};
use super::prices::Assumptions;

const MILLION: u64 = 1_000_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) lecture: Lecture,
    /// Seconds of lectures that are stored, and of those that are published in this month.
    pub(crate) stored_seconds: u64,
    pub(crate) new_seconds: u64,
    pub(crate) views: u64,
    /// Seconds that a view lasts, at most a lecture's.
    pub(crate) watched_seconds: u64,
    /// What is stored, where that is known.
    pub(crate) bytes: Option<u64>,
    /// Of a million reads of what the data centre's cache may hold, those that it answers.
    pub(crate) hits: u64,
    pub(crate) cpu_micros: u64,
}

/// The answer, in bytes, requests, microseconds of CPU and seconds of video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) stored_seconds: u128,
    pub(crate) stored_bytes: u128,
    pub(crate) new_seconds: u128,
    pub(crate) new_writes: u128,
    pub(crate) views: u128,
    /// What a request takes.
    pub(crate) cpu_micros: u128,
    /// Writes that put all of it into the bucket, once.
    pub(crate) all_writes: u128,
    pub(crate) view: Requests,
    /// What a thousand views take.
    pub(crate) thousand: Watching,
    pub(crate) month: Watching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watching {
    pub(crate) requests: u128,
    /// Requests that the cache does not answer.
    pub(crate) reads: u128,
    /// Bytes that a player of ours loads, and those that are watched.
    pub(crate) loaded_bytes: u128,
    pub(crate) watched_bytes: u128,
    pub(crate) watched_seconds: u128,
    pub(crate) cpu_micros: u128,
}

impl Question {
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
        // Where the bytes are known and not estimated, a view is of as many more or fewer.
        let bytes = |seconds: u64, views: u128| {
            let estimated_bytes = u128::from(seconds * lecture.watched(rates)) * 125;
            match (self.bytes, estimated) {
                (None, _) | (_, 0) => estimated_bytes * views,
                (Some(known), _) => {
                    (estimated_bytes * u128::from(known)).div_ceil(estimated) * views
                }
            }
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
