//! HTTP-dates (RFC 9110 §5.6.7). Read by hand: a calendar is all that is needed of a date library here, and its format
//! strings would take a tenth of the Worker.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of a year of the Gregorian calendar.
const YEAR: u64 = 31_556_952;

/// Parses an HTTP-date in its three forms, `now` being what a year of two digits is near to. `None` where it is not one: the
/// condition that has it is then ignored.
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT        Sunday, 06-Nov-94 08:49:37 GMT        Sun Nov  6 08:49:37 1994
/// ```
#[must_use]
pub fn parse_date(text: &str, now: u64) -> Option<u64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day_name, year, month, day, time) = match *words.as_slice() {
        [name, day, month, year, time, "GMT"] => (name, number(year, 4)?, month, day, time),
        [name, date, time, "GMT"] => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            // §5.6.7: what would be more than 50 years ahead was in the last century.
            let year = 2000 + number(year, 2)?;
            let is_past = u64::from(year) >= 1970 + now / YEAR + 50;
            (name, year - if is_past { 100 } else { 0 }, month, day, time)
        }
        [name, month, day, time, year] => (name, number(year, 4)?, month, day, time),
        _ => return None,
    };
    if !DAYS.iter().any(|known| day_name.starts_with(known)) {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = u32::try_from(month).ok()? + 1;
    let day = number(day, 2).or_else(|| number(day, 1))?;
    let mut time = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if time.next().is_some() || second > 60 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    // A leap second is the last second of its minute here.
    let date = date.and_hms_opt(hour, minute, second.min(59))?;
    // Before 1970 is before everything that is stored.
    Some(u64::try_from(date.and_utc().timestamp()).unwrap_or(0))
}

/// An HTTP-date in its preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn format_date(seconds: u64) -> String {
    let date = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .unwrap_or_default();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[date.weekday().num_days_from_monday() as usize],
        date.day(),
        MONTHS[date.month0() as usize],
        date.year(),
        date.hour(),
        date.minute(),
        date.second()
    )
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u32> {
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
            "784111777",
        ] {
            assert_eq!(parse_date(text, NOW), None, "{text}");
        }
        assert_eq!(format_date(MODIFIED), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_year_of_two_digits_is_less_than_fifty_years_ahead() {
        // It is January 2027.
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
    fn every_day_reads_as_it_is_written() {
        for seconds in (0..4_000_000_000).step_by(86_399 * 7) {
            assert_eq!(parse_date(&format_date(seconds), NOW), Some(seconds));
        }
        let early = "Wed, 01 Jan 1969 00:00:00 GMT";
        assert_eq!(parse_date(early, NOW), Some(0));
    }
}
