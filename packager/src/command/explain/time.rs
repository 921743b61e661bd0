//! Times and spans in words, and times in another unit than seconds.

use std::cmp::Ordering;

use chrono::DateTime;

/// The unit of a time that cannot be seconds, and how many make one. 10^11 seconds end in the year
/// 5138, and 10^11 milliseconds in 1973.
pub(super) fn tiny_unit(time: u64) -> Option<(&'static str, u64)> {
    match time {
        0..100_000_000_000 => None,
        100_000_000_000..100_000_000_000_000 => Some(("milliseconds", 1_000)),
        _ => Some(("microseconds", 1_000_000)),
    }
}

/// Formats a time and its distance from now, such as `2026-11-22T19:00:00Z, 3 minutes ago`.
pub(super) fn format_time(time: u64, now: u64) -> String {
    if let Some((unit, length)) = tiny_unit(time) {
        let seconds = time / length;
        let date = format_time(seconds, now);
        return format!("{time}, which is in {unit}: write {seconds} for {date}");
    }
    let date = i64::try_from(time)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(
            || time.to_string(),
            |date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
    match time.cmp(&now) {
        Ordering::Less => format!("{date}, {} ago", format_span(now - time)),
        Ordering::Equal => format!("{date}, now"),
        Ordering::Greater => format!("{date}, in {}", format_span(time - now)),
    }
}

/// Formats a span in its largest unit, such as `3 minutes`.
pub(super) fn format_span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_their_largest_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (179, "2 minutes"),
            (7_199, "1 hour"),
            (86_400, "1 day"),
            (2_592_000, "30 days"),
        ] {
            assert_eq!(format_span(seconds), expected);
        }
    }
}
