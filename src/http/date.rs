//! HTTP-dates (RFC 9110 §5.6.7) and their calendar. A date library brings tables and format strings
//! that are not needed here. The tests compare this module with chrono.

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds of an average Gregorian year.
const YEAR: u64 = 31_556_952;
const DAY: u64 = 86_400;
/// The last second of the year 9999: an HTTP-date's year has four digits.
const LAST: u64 = 253_402_300_799;
/// The day number of 1 January 1970. Day 0 is 1 March, 400 years before the year 0, so that no date
/// is negative. With leap days at the end of a year, the days of months need no table.
const DAYS_TO_1970: u64 = 865_565;

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
        [name, day, month, year, time, "GMT"] => (name, number(year, 4)?, month, day, time),
        [name, date, time, "GMT"] => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            // §5.6.7: a date over 50 years ahead is of the last century.
            let year = 2000 + number(year, 2)?;
            let is_past = year >= 1970 + now / YEAR + 50;
            (name, year - if is_past { 100 } else { 0 }, month, day, time)
        }
        [name, month, day, time, year] => (name, number(year, 4)?, month, day, time),
        _ => return None,
    };
    if !DAYS.iter().any(|known| day_name.starts_with(known)) {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let day = number(day, 2).or_else(|| number(day, 1))?;
    let mut time = time.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if time.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days(year, month, day);
    // 30 February has the number of another day.
    if date(days) != (year, month, day) {
        return None;
    }
    // A leap second counts as the last second of its minute.
    let seconds = days * DAY + (hour * 60 + minute) * 60 + second.min(59);
    // No object is older than 1970.
    Some(seconds.saturating_sub(DAYS_TO_1970 * DAY))
}

/// Formats an HTTP-date in its preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn format_date(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let days = seconds / DAY + DAYS_TO_1970;
    let (year, month, day) = date(days);
    // Day 0 was a Wednesday.
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days + 2) as usize % 7],
        MONTHS[(month - 1) as usize % 12],
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The day number of a date. Months and days count from 1.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // January and February belong to the year that began in March.
    let year = year + 400 - u64::from(month < 3);
    first_day(year) + first_day_of_month((month + 9) % 12) + day - 1
}

/// The year, month and day of a day number.
fn date(days: u64) -> (u64, u64, u64) {
    let mut year = days / 365;
    while first_day(year) > days {
        year -= 1;
    }
    let day = days - first_day(year);
    let month = (day * 5 + 2) / 153;
    let day = day - first_day_of_month(month) + 1;
    let is_next_year = month > 9;
    let month = (month + 2) % 12 + 1;
    (year + u64::from(is_next_year) - 400, month, day)
}

/// The day number of 1 March in a year.
fn first_day(year: u64) -> u64 {
    year * 365 + year / 4 - year / 100 + year / 400
}

/// The days from 1 March to the first of a month. March is 0; five months have 153 days.
fn first_day_of_month(month: u64) -> u64 {
    (month * 153 + 2) / 5
}

/// Parses a number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u64> {
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
    fn the_calendar_is_chronos() {
        // The calendar repeats every 400 years.
        let first = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");
        for (number, day) in first.iter_days().take(146_097 + 366).enumerate() {
            let seconds = number as u64 * DAY + 86_399;
            let expected = day.format("%a, %d %b %Y 23:59:59 GMT").to_string();
            assert_eq!(format_date(seconds), expected);
            assert_eq!(parse_date(&expected, NOW), Some(seconds), "{expected}");
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
