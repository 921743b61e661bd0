//! Sizes and times as people write and read them. Sizes are decimal: a kB has 1,000 bytes. Pure.

use std::time::Duration;

pub(crate) const MB: u64 = 1_000_000;
pub(crate) const GB: u64 = 1_000 * MB;

/// Parses a size in decimal units, such as `2GB` or `500MB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as `500MB`, `20GB` or `1TB`");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_uppercase().as_str() {
        "B" => 1,
        "KB" => 1_000,
        "MB" => MB,
        "GB" => GB,
        "TB" => 1_000 * GB,
        _ => return Err(wrong()),
    };
    let amount: u64 = amount.parse().map_err(|_| wrong())?;
    amount.checked_mul(unit).ok_or_else(wrong)
}

/// Formats a number of things, such as `1 part` or `3 parts`.
pub(crate) fn format_count(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// Formats a size, such as `20.5 GB`.
pub(crate) fn format_bytes(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} {}", if bytes == 1 { "byte" } else { "bytes" });
    }
    // An amount that rounds to 1,000 belongs to the next unit.
    let units = [("kB", 1e3), ("MB", 1e6)];
    let fitting = units
        .into_iter()
        .find(|(_, unit)| bytes as f64 / unit < 999.95);
    let (name, unit) = fitting.unwrap_or(("GB", 1e9));
    format!("{:.1} {name}", bytes as f64 / unit)
}

/// Parses a time such as `90s`, `30m`, `6h` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `30m`, `6h` or `7d`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let amount: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    amount
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// Formats an estimated time in steps that a reader can follow: `25 s`, `4 min`, `1 h 20 min`.
pub(crate) fn format_estimate(seconds: f64) -> String {
    // Steps of 5 s, of a minute, and of five minutes.
    let rounded = |step: f64| ((seconds / step).round().max(1.0) * step) as u64;
    match rounded(5.0) {
        seconds @ ..60 => format!("{seconds} s"),
        60..3_570 => format!("{} min", rounded(60.0) / 60),
        _ => {
            let minutes = rounded(300.0) / 60;
            match (minutes / 60, minutes % 60) {
                (hours, 0) => format!("{hours} h"),
                (hours, minutes) => format!("{hours} h {minutes} min"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("20GB", Some(20_000_000_000)),
            ("500 mb", Some(500_000_000)),
            ("0B", Some(0)),
            ("1TB", Some(1_000_000_000_000)),
            ("5", None),
            ("GB", None),
            ("-1GB", None),
            ("1.5GB", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_fits() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (5_000_000, "5.0 MB"),
            (16 << 20, "16.8 MB"),
            (999_999_999, "1.0 GB"),
            (500_000_000_000, "500.0 GB"),
            (1_500_000_000_000, "1500.0 GB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(format_bytes(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn an_estimate_is_rounded_and_never_nothing() {
        for (seconds, expected) in [
            (0.0, "5 s"),
            (0.4, "5 s"),
            (7.4, "5 s"),
            (7.6, "10 s"),
            (57.4, "55 s"),
            (57.6, "1 min"),
            (89.0, "1 min"),
            (91.0, "2 min"),
            (3_540.0, "59 min"),
            (3_570.0, "1 h"),
            (4_700.0, "1 h 20 min"),
            (86_400.0, "24 h"),
        ] {
            assert_eq!(format_estimate(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("6h", Some(21_600)),
            ("7d", Some(604_800)),
            ("6", None),
            ("h", None),
            ("-1h", None),
            ("1ö", None),
            ("", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(
                duration(text).ok().map(|time| time.as_secs()),
                expected,
                "{text}"
            );
        }
    }
}
