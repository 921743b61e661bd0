//! `Range` (RFC 9110 §14): single byte ranges. Others are ignored, as §14.2 allows, and the whole
//! is sent.

/// A `Range` header that asks for one byte range.
///
/// ```text
/// Range: bytes=0-499      bytes=500-      bytes=-500
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `first-last`, both included.
    FromTo { first: u64, last: u64 },
    /// `first-`.
    From { first: u64 },
    /// `-length`: the last bytes.
    Suffix { length: u64 },
}

/// A range resolved against a length. Invariant: `first <= last < length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    pub last: u64,
    pub length: u64,
}

/// The range lies outside the representation (§15.5.17); the answer names its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range lies outside the {length} bytes there are")]
pub struct Unsatisfiable {
    pub length: u64,
}

impl ByteRange {
    /// Parses a `Range` header. Returns `None` if it must be ignored: another unit, several ranges,
    /// or invalid.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, set) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        match (first, last) {
            ("", length) => number(length).map(|length| Self::Suffix { length }),
            (first, "") => number(first).map(|first| Self::From { first }),
            (first, last) => {
                let is_forward = digits(first)? <= digits(last)?;
                let (first, last) = (number(first)?, number(last)?);
                is_forward.then_some(Self::FromTo { first, last })
            }
        }
    }

    /// Resolves the range against a representation of `length` bytes.
    ///
    /// # Errors
    /// When the range selects no byte (§14.1.2).
    pub fn resolve(self, length: u64) -> Result<ContentRange, Unsatisfiable> {
        let (first, last) = match self {
            Self::FromTo { first, last } => (first, last.min(length.saturating_sub(1))),
            Self::From { first } => (first, length.saturating_sub(1)),
            Self::Suffix { length: 0 } => return Err(Unsatisfiable { length }),
            Self::Suffix { length: suffix } => {
                (length.saturating_sub(suffix), length.saturating_sub(1))
            }
        };
        if first >= length {
            return Err(Unsatisfiable { length });
        }
        Ok(ContentRange {
            first,
            last,
            length,
        })
    }
}

/// A sort key for numbers of any length: the number of digits without leading zeros, then the
/// digits.
fn digits(text: &str) -> Option<(usize, &str)> {
    number(text)?;
    let digits = text.trim_start_matches('0');
    Some((digits.len(), digits))
}

/// Parses digits without sign or space. A number that overflows is beyond every object too.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

impl ContentRange {
    /// The length of the range in bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        self.last - self.first + 1
    }

    /// The value of `Content-Range`: `bytes 0-499/1234`.
    #[must_use]
    pub fn header(self) -> String {
        format!("bytes {}-{}/{}", self.first, self.last, self.length)
    }
}

impl Unsatisfiable {
    /// The value of `Content-Range` in a 416: `bytes */1234`.
    #[must_use]
    pub fn header(self) -> String {
        format!("bytes */{}", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_selects_what_rfc_9110_says() {
        for (header, length, expected) in [
            ("bytes=0-0", 10, Ok("bytes 0-0/10")),
            ("bytes=0-499", 10, Ok("bytes 0-9/10")),
            ("bytes=2-5", 10, Ok("bytes 2-5/10")),
            ("bytes=9-", 10, Ok("bytes 9-9/10")),
            ("bytes=-3", 10, Ok("bytes 7-9/10")),
            ("bytes=-99", 10, Ok("bytes 0-9/10")),
            ("Bytes= 1-2 ", 10, Ok("bytes 1-2/10")),
            (
                "bytes=5000000000-5000000009",
                6_000_000_000,
                Ok("bytes 5000000000-5000000009/6000000000"),
            ),
            ("bytes=0-99999999999999999999", 10, Ok("bytes 0-9/10")),
            ("bytes=007-8", 10, Ok("bytes 7-8/10")),
            ("bytes=10-", 10, Err("bytes */10")),
            ("bytes=10-20", 10, Err("bytes */10")),
            ("bytes=-0", 10, Err("bytes */10")),
            ("bytes=0-", 0, Err("bytes */0")),
            ("bytes=-1", 0, Err("bytes */0")),
            ("bytes=99999999999999999999-", 10, Err("bytes */10")),
        ] {
            let range = ByteRange::parse(header).expect(header);
            let resolved = range.resolve(length);
            let found = match resolved {
                Ok(range) => Ok(range.header()),
                Err(error) => Err(error.header()),
            };
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found, expected, "{header}");
        }
    }

    #[test]
    fn a_header_without_a_single_byte_range_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=18446744073709551617-18446744073709551616",
            "bytes=0-1,3-4",
            "bytes=0 - 1",
            "bytes=+1-2",
            "bytes=1--2",
            "items=0-1",
            "bytes:0-1",
            "bytes=0x1-2",
            "bytes=-1-2",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header}");
        }
    }
}
