//! Adapts the number of parallel requests to the server (additive increase, multiplicative
//! decrease). Each timely response raises the limit slightly, and an overload response halves it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Initial limit.
const FIRST: usize = 8;
pub(crate) const MAX_REQUESTS: usize = 32;
/// Requests sent together are refused together, and count as one refusal.
const BETWEEN_CUTS: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct AdaptiveConcurrency {
    free: Semaphore,
    state: Mutex<ConcurrencyState>,
}

#[derive(Debug)]
struct ConcurrencyState {
    limit: usize,
    /// Responses since the last change of the limit.
    good: usize,
    /// Permits to remove on their return.
    closing: usize,
    cut: Option<Instant>,
}

/// Permit for one request.
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
        // The semaphore is never closed.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        ConcurrencySlot(self)
    }

    /// Records a response.
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

    /// Records an overload response or a timeout.
    pub(crate) fn on_overload(&self) {
        let mut state = self.state();
        let now = Instant::now();
        if (state.cut).is_some_and(|cut| now.duration_since(cut) < BETWEEN_CUTS) {
            return;
        }
        let half = (state.limit / 2).max(1);
        // Removes idle permits at once.
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

    /// Number of permits that are free now.
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
