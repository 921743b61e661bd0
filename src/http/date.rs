//! HTTP-dates (RFC 9110 §5.6.7). Read by hand: a calendar is all that is needed of a date library here, and its format
//! strings would take a tenth of the Worker.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Parses an HTTP-date in its three forms. `None` where it is not one: the condition that has it is then ignored.
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT        Sunday, 06-Nov-94 08:49:37 GMT        Sun Nov  6 08:49:37 1994
/// ```
#[must_use]
pub fn parse_date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (year, month, day, time) = match *words.as_slice() {
        [_, day, month, year, time, "GMT"] => (number(year, 4)?, month, day, time),
        [_, date, time, "GMT"] => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            // Two digits: a recipient takes a year more than 50 years ahead as one of the last century.
            let year = number(year, 2)?;
            (year + if year < 70 { 2000 } else { 1900 }, month, day, time)
        }
        [_, month, day, time, year] => (number(year, 4)?, month, day, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = number(day, 2).or_else(|| number(day, 1))?;
    let mut time = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if time.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()? + 1,
        day,
    )?;
    // A leap second is the last second of its minute here.
    let date = date.and_hms_opt(hour, minute, second.min(59))?;
    u64::try_from(date.and_utc().timestamp()).ok()
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

    #[test]
    fn dates_are_read_in_three_forms_and_written_in_one() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_date(text), Some(MODIFIED), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "784111777",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(format_date(MODIFIED), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn every_day_reads_as_it_is_written() {
        for seconds in (0..4_000_000_000).step_by(86_399 * 7) {
            assert_eq!(parse_date(&format_date(seconds)), Some(seconds));
        }
    }
}
