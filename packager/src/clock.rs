//! The only place that asks what time it is.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Seconds since 1970, as links count them.
pub(crate) fn unix(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or(0)
}
