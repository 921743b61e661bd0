//! Stored metadata of an object, and errors of storage.

use crate::http::precondition::{EntityTag, Validators};
use crate::http::problem::Problem;

/// The time limit for storage to start its answer to a read, in milliseconds. Players give a
/// segment about 10 s.
pub const TIMEOUT_MS: u32 = 8_000;
/// The delays before a failed read is retried, in milliseconds. They are few, because players retry
/// as well.
pub const RETRIES_MS: [u32; 2] = [50, 250];

/// The metadata of a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// The entity-tag, without quotes.
    pub etag: String,
    pub size: u64,
    /// Milliseconds since 1970.
    pub uploaded: u64,
    pub content_type: Option<String>,
}

impl ObjectMetadata {
    /// The validators of the stored object.
    #[must_use]
    pub fn validators(&self) -> Validators {
        Validators {
            etag: EntityTag::strong(&self.etag),
            last_modified: Some(self.uploaded / 1000),
        }
    }

    /// One header value: `<etag> <size> <uploaded> [<content type>]`.
    #[must_use]
    pub fn to_header(&self) -> String {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        format!(
            "{} {} {} {content_type}",
            self.etag, self.size, self.uploaded
        )
    }

    /// Parses the result of [`ObjectMetadata::to_header`].
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

/// The reason why storage did not serve a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    #[error("the range lies outside the object")]
    RangeNotSatisfiable,
    #[error("storage refused the multipart upload: {0}")]
    BadUpload(String),
    #[error("storage does not know the multipart upload: {0}")]
    NoUpload(String),
    #[error("storage failed: {0}")]
    Unavailable(String),
    /// A failure without R2's error code.
    #[error("storage failed: {0}")]
    Unspecified(String),
    /// R2 calls its own failure internal, and so the completion of an upload that it never knew.
    #[error("storage failed: {0}")]
    Internal(String),
}

impl BucketError {
    /// Parses the message of an R2 binding's exception, which ends in R2's error code: `get: …
    /// (10039)`.
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
            Some(10001) => Self::Internal(message.to_owned()),
            Some(10024) => Self::NoUpload(message.to_owned()),
            // EntityTooSmall, InvalidPart, unequal parts, and related errors.
            Some(10011 | 10025 | 10048 | 10029 | 10030) => Self::BadUpload(message.to_owned()),
            // The binding checks the part number itself, without a code.
            None if message.contains("Part number must be") => Self::BadUpload(message.to_owned()),
            _ => Self::Unavailable(message.to_owned()),
        }
    }

    /// Returns whether a retry may succeed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Unspecified(_) | Self::Internal(_)
        )
    }

    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::BadUpload(_) => Problem::BadUpload,
            Self::NoUpload(_) => Problem::NoUpload,
            Self::RangeNotSatisfiable
            | Self::Unavailable(_)
            | Self::Unspecified(_)
            | Self::Internal(_) => Problem::StorageUnavailable,
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
                Problem::NoUpload,
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
                BucketError::from_message(message).problem(),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn metadata_survives_the_round_trip() {
        for content_type in [None, Some("text/vtt; charset=utf-8")] {
            let stored = ObjectMetadata {
                etag: "e".to_owned(),
                size: 5 << 30,
                uploaded: 784_111_777_999,
                content_type: content_type.map(str::to_owned),
            };
            let header = stored.to_header();
            assert_eq!(ObjectMetadata::from_header(&header), Some(stored.clone()));
            // Headers lose trailing white space.
            assert_eq!(ObjectMetadata::from_header(header.trim_end()), Some(stored));
        }
        for header in ["", "e", "e 5", "e x 7", "e 5 -7 a"] {
            assert_eq!(ObjectMetadata::from_header(header), None, "{header}");
        }
    }
}
