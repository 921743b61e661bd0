//! A limit on questions to one viewer's ledger, so that no viewer uses up the school's requests to
//! Durable Objects.

use std::collections::BTreeMap;

use crate::credential::ticket::ViewerHash;

/// The questions of a viewer in one window. A player asks once in 30 seconds, and when it opens,
/// pauses or ends.
const MAX_QUESTIONS: u32 = 60;
const WINDOW_SECONDS: u64 = 60;
/// The most viewers that are counted at once. Beyond, all may ask.
const MAX_COUNTED: usize = 10_000;

/// Questions of viewers since each one's window began.
#[derive(Debug, Default)]
pub struct ViewerLimit {
    /// The second at which the window began, and the questions since.
    counts: BTreeMap<ViewerHash, (u64, u32)>,
}

impl ViewerLimit {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts: BTreeMap::new(),
        }
    }

    /// Counts a question. Returns whether the viewer may ask it.
    pub fn take(&mut self, viewer: ViewerHash, now: u64) -> bool {
        let is_over = |began: u64| now >= began + WINDOW_SECONDS;
        if self.counts.len() >= MAX_COUNTED {
            self.counts.retain(|_, (began, _)| !is_over(*began));
        }
        let is_full = self.counts.len() >= MAX_COUNTED && !self.counts.contains_key(&viewer);
        if is_full {
            return true;
        }
        let count = self.counts.entry(viewer).or_insert((now, 0));
        if is_over(count.0) {
            *count = (now, 0);
        }
        count.1 = count.1.saturating_add(1);
        count.1 <= MAX_QUESTIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_viewer_asks_sixty_times_a_minute() {
        let mut limit = ViewerLimit::new();
        for question in 1..=200 {
            assert_eq!(limit.take([1; 12], NOW + 59), question <= 60, "{question}");
        }
        assert!(limit.take([2; 12], NOW + 59), "another viewer");
        assert!(!limit.take([1; 12], NOW + 118));
        assert!(limit.take([1; 12], NOW + 119));
    }

    #[test]
    fn the_limit_has_a_bounded_memory() {
        let mut limit = ViewerLimit::new();
        for number in 0..3 * MAX_COUNTED as u64 {
            let mut viewer = [0; 12];
            viewer[..8].copy_from_slice(&number.to_be_bytes());
            assert!(limit.take(viewer, NOW));
        }
        assert!(limit.counts.len() <= MAX_COUNTED);
        assert!(limit.take([9; 12], NOW + WINDOW_SECONDS));
        assert_eq!(limit.counts.len(), 1);
    }
}
