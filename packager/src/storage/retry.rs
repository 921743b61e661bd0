//! Decides on retries and their delays. Pure except for the waiting.

use std::time::Duration;

pub(crate) const ATTEMPTS: u32 = 6;
/// Attempts before the first response: a wrong address is likelier than a transient failure.
pub(crate) const FIRST_ATTEMPTS: u32 = 3;
pub(crate) const FIRST: Duration = Duration::from_millis(250);
pub(crate) const LONGEST: Duration = Duration::from_secs(8);
/// Maximum of a server's `Retry-After`.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// Timeout for the start of a response, and for gaps in it.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Minimum bytes a second of a body, which extends the timeout.
const SLOWEST: u64 = 32 << 10;

/// Statuses after which the same request may succeed (RFC 9110 §15.6, RFC 6585 §4).
pub(crate) fn is_worthwhile(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Statuses that report overload.
pub(crate) fn is_overload(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// Timeout of a request with a body of so many bytes.
pub(crate) fn timeout_for(bytes: u64) -> Duration {
    ANSWER_TIMEOUT + Duration::from_secs(bytes / SLOWEST)
}

/// Parses `Retry-After`.
pub(crate) fn parse_retry_after(retry_after: Option<&str>) -> Option<Duration> {
    // RFC 9110 §10.2.3 also allows a date, which no server here sends.
    let seconds = retry_after?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_ASKED))
}

/// Delay after attempt number `attempt` (from 0): `Retry-After`, or a random share of a doubling
/// time, so that parallel failures do not return together. `random` is any byte.
pub(crate) fn delay(attempt: u32, retry_after: Option<&str>, random: u8) -> Duration {
    if let Some(asked) = parse_retry_after(retry_after) {
        return asked;
    }
    let ceiling = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    ceiling / 2 + ceiling / 2 * u32::from(random) / 255
}

pub(crate) async fn wait(attempt: u32, retry_after: Option<&str>) {
    let mut random = [128];
    // Without randomness, the delay is the middle one.
    let _ = getrandom::fill(&mut random);
    tokio::time::sleep(delay(attempt, retry_after, random[0])).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_vary_and_give_way_to_what_the_server_asks() {
        for (attempt, retry_after, random, expected) in [
            (0, None, 0, 125),
            (0, None, 255, 250),
            (3, None, 255, 2_000),
            (40, None, 255, 8_000),
            (0, Some("3"), 9, 3_000),
            (0, Some("86400"), 9, 60_000),
            (0, Some("Wed, 21 Oct 2026 07:28:00 GMT"), 255, 250),
        ] {
            assert_eq!(
                delay(attempt, retry_after, random),
                Duration::from_millis(expected),
                "{attempt} {retry_after:?}"
            );
        }
        assert!(is_worthwhile(503) && is_worthwhile(429));
        assert!(!is_worthwhile(403) && !is_worthwhile(412) && !is_worthwhile(501));
    }
}
