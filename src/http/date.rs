//! HTTP-dates (RFC 9110 §5.6.7). chrono has the calendar; the three forms are parsed here, because
//! chrono's format strings accept more than them.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, NaiveDate};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of a year of the Gregorian calendar.
const YEAR: u64 = 31_556_952;
/// The last second of the year 9999: an HTTP-date's year has four digits.
const LAST: u64 = 253_402_300_799;

/// Parses an HTTP-date in its three forms. Years of two digits are near `now`. Returns `None` if it
/// is invalid: the caller ignores the condition.
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT        Sunday, 06-Nov-94 08:49:37 GMT        Sun Nov  6 08:49:37 1994
/// ```
#[must_use]
pub fn parse_date(text: &str, now: u64) -> Option<u64> {
    // No form has more than six words.
    let words: Vec<&str> = text.split_ascii_whitespace().take(7).collect();
    let (day_name, year, month, day, time) = match *words.as_slice() {
        [name, day, month, year, time, "GMT"] => (name, number::<i32>(year, 4)?, month, day, time),
        [name, date, time, "GMT"] => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            // §5.6.7: a date over 50 years ahead is of the last century.
            let year = 2000 + number::<i32>(year, 2)?;
            let is_past = u64::from(year.unsigned_abs()) >= 1970 + now / YEAR + 50;
            (name, year - if is_past { 100 } else { 0 }, month, day, time)
        }
        [name, month, day, time, year] => (name, number::<i32>(year, 4)?, month, day, time),
        _ => return None,
    };
    if !DAYS.iter().any(|known| day_name.starts_with(known)) {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
    let day = number(day, 2).or_else(|| number(day, 1))?;
    let mut time = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if time.next().is_some() || second > 60 {
        return None;
    }
    // A leap second counts as the last second of its minute.
    let date =
        NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, second.min(59))?;
    // No object is older than 1970.
    Some(u64::try_from(date.and_utc().timestamp()).unwrap_or(0))
}

/// Formats an HTTP-date in its preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn format_date(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let date = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let date = date.unwrap_or_default();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[date.weekday().num_days_from_sunday() as usize % 7],
        date.day(),
        MONTHS[date.month0() as usize % 12],
        date.year(),
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Formats a time as RFC 3339 does: `1994-11-06T08:49:37Z`.
#[must_use]
pub fn format_rfc3339(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let date = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let date = date.unwrap_or_default();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        date.month(),
        date.day(),
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Parses a number of exactly `digits` digits.
fn number<T: FromStr>(text: &str, digits: usize) -> Option<T> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: u64 = 784_111_777;
    const NOW: u64 = 1_800_000_000;

    #[test]
    fn dates_are_read_in_three_forms_and_written_in_one() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_date(text, NOW), Some(MODIFIED), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Foo, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 006 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 01994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Tue, 29 Feb 1994 08:49:37 GMT",
            "Tue, 29 Feb 2100 08:49:37 GMT",
            "784111777",
        ] {
            assert_eq!(parse_date(text, NOW), None, "{text}");
        }
        assert_eq!(format_date(MODIFIED), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_year_of_two_digits_is_less_than_fifty_years_ahead() {
        // `now` is January 2027.
        for (text, expected) in [
            ("Friday, 31-Dec-76 23:59:59 GMT", 2076),
            ("Saturday, 01-Jan-77 00:00:00 GMT", 1977),
            ("Friday, 31-Dec-99 00:00:00 GMT", 1999),
            ("Saturday, 01-Jan-00 00:00:00 GMT", 2000),
        ] {
            let date = format_date(parse_date(text, NOW).expect(text));
            assert!(date.contains(&format!(" {expected} ")), "{text}: {date}");
        }
    }

    #[test]
    fn every_day_of_400_years_is_read_as_it_was_written() {
        for day in 0..146_097 + 366 {
            let seconds = day * 86_400 + 86_399;
            assert_eq!(parse_date(&format_date(seconds), NOW), Some(seconds));
        }
    }

    #[test]
    fn dates_are_clamped_to_1970_and_to_9999() {
        for early in [
            "Wed, 01 Jan 1969 00:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:60 GMT",
            "Tue, 29 Feb 0000 00:00:00 GMT",
            "Sat, 01 Jan 0000 00:00:00 GMT",
        ] {
            assert_eq!(parse_date(early, NOW), Some(0), "{early}");
        }
        for late in [LAST, LAST + 1, u64::MAX] {
            assert_eq!(format_date(late), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
        assert_eq!(parse_date(&format_date(LAST), NOW), Some(LAST));
    }
}
