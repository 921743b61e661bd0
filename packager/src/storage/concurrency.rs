//! How many requests are on their way at once: as many as the other side takes. Each answer that came in time makes room for
//! a little more, and a refusal for want of capacity halves it (additive increase, multiplicative decrease).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// At first.
const FIRST: usize = 8;
pub(crate) const MAX_REQUESTS: usize = 32;
/// Requests that were on their way together are refused together, and say one thing.
const BETWEEN_CUTS: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct AdaptiveConcurrency {
    free: Semaphore,
    state: Mutex<ConcurrencyState>,
}

#[derive(Debug)]
struct ConcurrencyState {
    limit: usize,
    /// Answers since the limit last moved.
    good: usize,
    /// Lanes that are closed as soon as they are free.
    closing: usize,
    cut: Option<Instant>,
}

/// The right to have one request on its way.
#[derive(Debug)]
pub(crate) struct ConcurrencySlot<'a>(&'a AdaptiveConcurrency);

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        Self {
            free: Semaphore::new(FIRST),
            state: Mutex::new(ConcurrencyState {
                limit: FIRST,
                good: 0,
                closing: 0,
                cut: None,
            }),
        }
    }
}

impl AdaptiveConcurrency {
    pub(crate) async fn enter(&self) -> ConcurrencySlot<'_> {
        // Nobody closes it.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        ConcurrencySlot(self)
    }

    /// An answer came.
    pub(crate) fn on_success(&self) {
        let mut state = self.state();
        state.good += 1;
        if state.good < state.limit || state.limit >= MAX_REQUESTS {
            return;
        }
        state.good = 0;
        state.limit += 1;
        match state.closing.checked_sub(1) {
            Some(closing) => state.closing = closing,
            None => self.free.add_permits(1),
        }
    }

    /// The other side had too much to do, or said nothing.
    pub(crate) fn on_overload(&self) {
        let mut state = self.state();
        let now = Instant::now();
        if (state.cut).is_some_and(|cut| now.duration_since(cut) < BETWEEN_CUTS) {
            return;
        }
        let half = (state.limit / 2).max(1);
        // Those that are free are closed at once.
        state.closing += state.limit - half;
        state.closing -= self.free.forget_permits(state.closing);
        state.limit = half;
        state.good = 0;
        state.cut = Some(now);
    }

    fn state(&self) -> MutexGuard<'_, ConcurrencyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConcurrencySlot<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match state.closing.checked_sub(1) {
            Some(closing) => state.closing = closing,
            None => self.0.free.add_permits(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many may enter now.
    async fn room(lanes: &AdaptiveConcurrency) -> usize {
        let mut inside = vec![];
        while let Ok(lane) = tokio::time::timeout(Duration::from_millis(1), lanes.enter()).await {
            inside.push(lane);
        }
        inside.len()
    }

    #[tokio::test(start_paused = true)]
    async fn room_grows_by_one_a_round_and_is_halved_once_for_what_is_refused_together() {
        let lanes = AdaptiveConcurrency::default();
        assert_eq!(room(&lanes).await, FIRST);
        for _ in 0..FIRST {
            lanes.on_success();
        }
        assert_eq!(room(&lanes).await, FIRST + 1);
        for _ in 0..FIRST {
            lanes.on_overload();
        }
        assert_eq!(room(&lanes).await, 4);
        for _ in 0..9 {
            tokio::time::advance(BETWEEN_CUTS).await;
            lanes.on_overload();
        }
        assert_eq!(room(&lanes).await, 1);
        for _ in 0..10_000 {
            lanes.on_success();
        }
        assert_eq!(room(&lanes).await, MAX_REQUESTS);
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_in_use_are_closed_when_they_are_left() {
        let lanes = AdaptiveConcurrency::default();
        let mut inside = vec![];
        for _ in 0..FIRST {
            inside.push(lanes.enter().await);
        }
        lanes.on_overload();
        inside.truncate(4);
        assert_eq!(room(&lanes).await, 0);
        inside.clear();
        assert_eq!(room(&lanes).await, 4);
    }
}
