//! Memory of a request: reserved before use, renewed during it, and released at its end. See
//! [`crate::budget`].

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use web_sys::ReadableStream;
use worker::{Context, Result};

use super::streams::Sending;
use super::time::{now_ms, sleep, within};
use crate::budget::{Budget, Hold, HoldPurpose, MAX_SENDING_MS, RENEW_MS, WAITS_MS};
use crate::http::problem::{Problem, Refusal};

/// The largest result without a hold. The platform takes it at once and sends it from its own
/// buffers.
const MAX_UNHELD_BYTES: usize = 64 << 10;

/// The budget of this isolate.
static BUDGET: Mutex<Budget> = Mutex::new(Budget::new());

/// Locks briefly and without contention: an isolate has one thread, and no code awaits under the
/// lock.
fn budget() -> MutexGuard<'static, Budget> {
    BUDGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A reservation. Dropping it releases the memory. If the platform drops the request, it lapses.
pub(super) struct Held(RefCell<Hold>);

impl Held {
    /// Reserves the memory of a body of `size` bytes, if there is room.
    pub(super) fn now(purpose: HoldPurpose, size: u64) -> Option<Self> {
        let hold = budget().reserve(purpose, purpose.bytes_for(size), now_ms())?;
        Some(Self(RefCell::new(hold)))
    }

    /// Reserves the memory of a body of `size` bytes, and waits for room. It polls, because a
    /// request may not await another request's promise on this platform.
    pub(super) async fn in_time(purpose: HoldPurpose, size: u64) -> Result<Self, Refusal> {
        for wait in WAITS_MS {
            if let Some(held) = Self::now(purpose, size) {
                return Ok(held);
            }
            sleep(wait).await;
        }
        Self::now(purpose, size).ok_or_else(busy)
    }

    /// Resizes the hold.
    pub(super) fn resize(&self, bytes: u64) -> Result<(), Refusal> {
        let resized = budget().resize(&mut self.0.borrow_mut(), bytes, now_ms());
        resized.then_some(()).ok_or_else(busy)
    }

    /// Holds the reservation while `work` runs.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match select(work.as_mut(), pin!(sleep(RENEW_MS))).await {
                Either::Left((served, _)) => return served,
                Either::Right(_) => budget().renew(&self.0.borrow(), now_ms()),
            }
        }
    }

    /// Streams bytes to the client. The reservation is held until the client has received all,
    /// disconnects, or exceeds the time limit.
    pub(super) fn send(held: Rc<Self>, bytes: &[u8], context: &Context) -> Result<ReadableStream> {
        let (stream, sending) = Sending::of(bytes)?;
        context.wait_until(async move {
            let ended = within(MAX_SENDING_MS, held.during(sending.end())).await;
            if ended.is_none() {
                sending.abort().await;
            }
        });
        Ok(stream)
    }

    /// Returns whether a result is so large that its memory is held until it was sent.
    pub(super) fn is_needed_for(bytes: &[u8]) -> bool {
        bytes.len() > MAX_UNHELD_BYTES
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        budget().release(&self.0.borrow());
    }
}

fn busy() -> Refusal {
    Refusal::new(
        Problem::Busy,
        "other requests hold the memory that this one needs",
    )
}
