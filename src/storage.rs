//! What storage says: of an object, and when it refuses.

use crate::http::problem::Problem;

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

/// Why storage did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("the range lies outside the object")]
    RangeNotSatisfiable,
    #[error("the upload in parts is not acceptable: {0}")]
    BadUpload(String),
    #[error("storage failed: {0}")]
    Unavailable(String),
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
            // EntityTooSmall, NoSuchUpload, InvalidPart, unequal parts, and their relatives.
            Some(10011 | 10024 | 10025 | 10048 | 10029 | 10030) => {
                Self::BadUpload(message.to_owned())
            }
            _ => Self::Unavailable(message.to_owned()),
        }
    }

    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::BadUpload(_) => Problem::BadUpload,
            Self::RangeNotSatisfiable | Self::Unavailable(_) => Problem::StorageUnavailable,
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
                "get: We encountered an internal error. Please try again. (10001)",
                Problem::StorageUnavailable,
            ),
            ("Network connection lost.", Problem::StorageUnavailable),
            ("(x)", Problem::StorageUnavailable),
        ] {
            assert_eq!(
                StorageError::from_message(message).problem(),
                expected,
                "{message}"
            );
        }
    }
}
