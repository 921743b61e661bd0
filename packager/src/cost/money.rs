//! Exact dollars. Pure.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

const DECIMALS: usize = 12;
const DOLLAR: u128 = 1_000_000_000_000;
const CENT: u128 = DOLLAR / 100;

/// Dollars in units of 10⁻¹²: list prices of a byte or a request are integers in it, so sums are
/// exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Money(u128);

impl Money {
    /// `0.015`: digits, with up to twelve decimals.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        decimal(text, DECIMALS).map(Self)
    }

    /// Price of `amount` at this price for `per`, rounded up to 10⁻¹² dollars.
    pub(crate) fn for_each(self, amount: u128, per: u128) -> Self {
        Self((self.0 * amount).div_ceil(per))
    }

    /// All digits, with at least two decimals.
    pub(crate) fn exact(self) -> String {
        let (whole, fraction) = (self.0 / DOLLAR, self.0 % DOLLAR);
        let digits = format!("{fraction:012}");
        let used = digits.trim_end_matches('0').len().max(2);
        format!("{whole}.{}", &digits[..used])
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Rounds to cents, halves up: `$1,234.50`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0 + CENT / 2) / CENT;
        f.pad(&format!("${}.{:02}", grouped(cents / 100), cents % 100))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a price such as `0.015`")))
    }
}

/// Parses a decimal number into units of 10⁻ᵈ. `None` for other text, more decimals, or more than
/// twelve digits before the point.
pub(crate) fn decimal(text: &str, decimals: usize) -> Option<u128> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(halves) => halves,
        None => (text, ""),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || fraction.len() > decimals {
        return None;
    }
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_digits_with_a_point_and_nothing_else() {
        for (text, expected) in [
            ("0.015", Some("0.015")),
            ("5", Some("5.00")),
            ("0.0000004", Some("0.0000004")),
            ("0.000000000001", Some("0.000000000001")),
            ("0.0000000000001", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("1,000", None),
            ("", None),
            ("1000000000000", None),
        ] {
            let money = Money::parse(text).map(Money::exact);
            assert_eq!(money.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn whole_numbers_stay_whole_numbers() {
        for (text, decimals, expected) in [
            ("1", 0, Some(1)),
            ("1.0", 0, None),
            ("0.85", 6, Some(850_000)),
            ("45", 2, Some(4_500)),
        ] {
            assert_eq!(decimal(text, decimals), expected, "{text} {decimals}");
        }
    }

    #[test]
    fn it_is_shown_to_the_cent_with_halves_up() {
        for (text, expected) in [
            ("0", "$0.00"),
            ("0.0049", "$0.00"),
            ("0.005", "$0.01"),
            ("0.459", "$0.46"),
            ("0.999", "$1.00"),
            ("1234567.891", "$1,234,567.89"),
        ] {
            let shown = Money::parse(text).map(|money| money.to_string());
            assert_eq!(shown.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_division_rounds_up() {
        let dollar = Money::parse("1").expect("a price");
        assert_eq!(dollar.for_each(1, 3).exact(), "0.333333333334");
        assert_eq!(dollar.for_each(3, 3).exact(), "1.00");
    }
}
