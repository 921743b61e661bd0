//! What storage says: of an object, and when it refuses.

use crate::http::precondition::{EntityTag, Validators};
use crate::http::problem::Problem;

/// How long storage may take to begin an answer to a read, in milliseconds. Players give a segment about 10 s.
pub const TIMEOUT_MS: u32 = 8_000;
/// After how many milliseconds a read that failed is tried again. Players try again as well, so these are few.
pub const RETRIES_MS: [u32; 2] = [50, 250];

/// What storage says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Without quotes.
    pub etag: String,
    pub size: u64,
    /// Milliseconds since 1970.
    pub uploaded: u64,
    pub content_type: Option<String>,
}

impl Stored {
    /// The validators of the object as it is stored.
    #[must_use]
    pub fn validators(&self) -> Validators {
        Validators {
            etag: EntityTag::strong(&self.etag),
            last_modified: self.uploaded / 1000,
        }
    }

    /// As one header value: `<etag> <size> <uploaded> [<content type>]`.
    #[must_use]
    pub fn to_header(&self) -> String {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        format!(
            "{} {} {} {content_type}",
            self.etag, self.size, self.uploaded
        )
    }

    /// Reads what [`Stored::to_header`] wrote.
    #[must_use]
    pub fn from_header(header: &str) -> Option<Self> {
        let mut parts = header.splitn(4, ' ');
        Some(Self {
            etag: parts.next()?.to_owned(),
            size: parts.next()?.parse().ok()?,
            uploaded: parts.next()?.parse().ok()?,
            content_type: parts
                .next()
                .filter(|content_type| !content_type.is_empty())
                .map(str::to_owned),
        })
    }
}

/// Why storage did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("the range lies outside the object")]
    RangeNotSatisfiable,
    #[error("the upload in parts is not acceptable: {0}")]
    BadUpload(String),
    #[error("storage failed: {0}")]
    Unavailable(String),
    /// An answer without R2's error code.
    #[error("storage failed: {0}")]
    Unspecified(String),
}

impl StorageError {
    /// Reads the message of an R2 binding's exception, which ends in R2's error code: `get: … (10039)`.
    #[must_use]
    pub fn from_message(message: &str) -> Self {
        let code = message
            .trim_end()
            .strip_suffix(')')
            .and_then(|rest| rest.rsplit_once('('))
            .and_then(|(_, code)| code.parse::<u32>().ok());
        match code {
            Some(10039) => Self::RangeNotSatisfiable,
            Some(0) => Self::Unspecified(message.to_owned()),
            // EntityTooSmall, NoSuchUpload, InvalidPart, unequal parts, and their relatives.
            Some(10011 | 10024 | 10025 | 10048 | 10029 | 10030) => {
                Self::BadUpload(message.to_owned())
            }
            // The binding checks it by itself, without a code.
            None if message.contains("Part number must be") => Self::BadUpload(message.to_owned()),
            _ => Self::Unavailable(message.to_owned()),
        }
    }

    /// Whether the same question may have another answer in a moment.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unspecified(_))
    }

    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::BadUpload(_) => Problem::BadUpload,
            Self::RangeNotSatisfiable | Self::Unavailable(_) | Self::Unspecified(_) => {
                Problem::StorageUnavailable
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_at_the_end_of_a_message_says_what_went_wrong() {
        for (message, expected) in [
            (
                "get: The requested range is not satisfiable (10039)",
                Problem::StorageUnavailable,
            ),
            (
                "completeMultipartUpload: All non-trailing parts must have the same length. (10048)",
                Problem::BadUpload,
            ),
            (
                "uploadPart: The specified multipart upload does not exist. (10024)",
                Problem::BadUpload,
            ),
            (
                "Part number must be between 1 and 10000 (inclusive). Actual value was: 0",
                Problem::BadUpload,
            ),
            (
                "get: We encountered an internal error. Please try again. (10001)",
                Problem::StorageUnavailable,
            ),
            ("Network connection lost.", Problem::StorageUnavailable),
            ("get: Unspecified error (0)", Problem::StorageUnavailable),
            ("(x)", Problem::StorageUnavailable),
        ] {
            assert_eq!(
                StorageError::from_message(message).problem(),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_stored_is_read_as_it_was_written() {
        for content_type in [None, Some("text/vtt; charset=utf-8")] {
            let stored = Stored {
                etag: "e".to_owned(),
                size: 5 << 30,
                uploaded: 784_111_777_999,
                content_type: content_type.map(str::to_owned),
            };
            let header = stored.to_header();
            assert_eq!(Stored::from_header(&header), Some(stored.clone()));
            // Headers lose white space at their end.
            assert_eq!(Stored::from_header(header.trim_end()), Some(stored));
        }
        for header in ["", "e", "e 5", "e x 7", "e 5 -7 a"] {
            assert_eq!(Stored::from_header(header), None, "{header}");
        }
    }
}
