//! When to try again, and after how long. Pure but for the waiting.

use std::time::Duration;

pub(crate) const ATTEMPTS: u32 = 6;
/// Before anything answered: more likely a wrong address than a passing trouble.
pub(crate) const FIRST_ATTEMPTS: u32 = 3;
pub(crate) const FIRST: Duration = Duration::from_millis(250);
pub(crate) const LONGEST: Duration = Duration::from_secs(8);
/// A server that asks for more patience than this gets this much.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// How long an answer may take to begin, or to go on.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes a second that a body is given time for on top of that.
const SLOWEST: u64 = 32 << 10;

/// Whether the same request may succeed later (RFC 9110 §15.6, RFC 6585 §4).
pub(crate) fn is_worthwhile(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Whether an answer says that too much was asked at once.
pub(crate) fn is_too_much(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// How long a request with a body of so many bytes may take.
pub(crate) fn time_for(bytes: u64) -> Duration {
    ANSWER_TIMEOUT + Duration::from_secs(bytes / SLOWEST)
}

/// What the server asks for.
pub(crate) fn asked(retry_after: Option<&str>) -> Option<Duration> {
    // RFC 9110 §10.2.3 also allows a date, which no server here sends.
    let seconds = retry_after?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_ASKED))
}

/// How long to wait after attempt number `attempt` (from 0): what the server asks for, or a random share of a doubling
/// time, so that eight uploads that failed together do not return together. `random` is any byte.
pub(crate) fn delay(attempt: u32, retry_after: Option<&str>, random: u8) -> Duration {
    if let Some(asked) = asked(retry_after) {
        return asked;
    }
    let ceiling = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    ceiling / 2 + ceiling / 2 * u32::from(random) / 255
}

pub(crate) async fn wait(attempt: u32, retry_after: Option<&str>) {
    let mut random = [128];
    // Without randomness the wait is the middle one.
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
