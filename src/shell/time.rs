//! The platform's clock and timers.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::Date;
use wasm_bindgen::JsCast as _;
use web_sys::WorkerGlobalScope;
use worker::Delay;

pub(super) async fn sleep(milliseconds: u32) {
    Delay::from(Duration::from_millis(milliseconds.into())).await;
}

/// Returns the result of `work`, unless it exceeds the time limit.
pub(super) async fn within<T>(milliseconds: u32, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(milliseconds))).await {
        Either::Left((served, _)) => Some(served),
        Either::Right(_) => None,
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    Date::now() as u64
}

/// Microseconds, for differences. The platform advances them only with I/O.
pub(super) fn microseconds() -> u64 {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let performance = global.performance();
    performance.map_or(0, |performance| (performance.now() * 1000.0) as u64)
}
