//! Errors of `object_store`, whose status and cause stand in their text alone.

use std::error::Error as _;

use object_store::Error;

use super::S3Store;
use crate::storage::error::StorageError;
use crate::storage::retry;

impl S3Store {
    pub(super) fn storage_error(&self, path: &str, error: &Error) -> StorageError {
        let why = find_cause(error);
        let path = match path {
            "" => self.address.display_name(""),
            path => path.to_owned(),
        };
        match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                StorageError::Denied { path, why }
            }
            Error::NotFound { .. } => StorageError::Nothing(path),
            // `object_store` has no error of its own for a refused list.
            error if matches!(status(error), Some(401 | 403)) => StorageError::Denied { path, why },
            _ => StorageError::Bucket { path, why },
        }
    }
}

/// Returns true if the service would answer a repeated request in the same way.
pub(super) fn is_final(error: &Error) -> bool {
    status(error).is_some_and(|status| !retry::is_worthwhile(status))
}

/// The HTTP status of an answer, which only the error's text contains.
fn status(error: &Error) -> Option<u16> {
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        let status = (text.split_once("status code: "))
            .and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
        if status.is_some() {
            return status;
        }
        cause = next.source();
    }
    None
}

/// The innermost cause of an error, or the code and message of an XML answer.
fn find_cause(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = next.to_string();
        cause = next.source();
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    let text = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => text,
    };
    text.chars()
        .filter(|character| !character.is_control())
        .take(300)
        .collect()
}
