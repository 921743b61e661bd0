//! Exit codes and hints of all errors.

use crate::check::CheckError;
use crate::cost::CostError;
use crate::encode::completeness::CompletenessError;
use crate::exit::{DISK_FULL, Exit};
use crate::extras::subtitles::captions::CaptionsError;
use crate::ffmpeg::process::ProcessError;
use crate::input::FetchError;
use crate::limits::{DiskError, LimitError};
use crate::manifest::container::ContainerError;
use crate::mp4::BoxError;
use crate::proxy::ProxyError;
use crate::publish::file_upload::FileUploadError;
use crate::publish::removal::RemovalError;
use crate::queue::QueueError;
use crate::queue::job::JobError;
use crate::source::SourceError;
use crate::storage::error::StorageError;
use crate::storage::http::ClientError;
use crate::storage::keys::KeysError;
use crate::workdir::error::FolderError;
use lectern::credential::link::LinkError;
use lectern::sdk::Error as SdkError;
use std::io::ErrorKind;

/// A signal ended the command.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// A report on standard output explains the failure, so that only the exit code is missing.
#[derive(Debug, thiserror::Error)]
#[error("the report says what is wrong")]
pub(crate) struct Reported(pub(crate) Exit);

/// Returns true if the recording caused the failure, so that another attempt would fail as well.
pub(crate) fn is_input_at_fault(error: &anyhow::Error) -> bool {
    of(error).0 == Exit::Input
}

/// Returns the exit code and the hint of the first cause that has them.
pub(crate) fn of(error: &anyhow::Error) -> (Exit, Option<String>) {
    error
        .chain()
        .find_map(of_cause)
        .unwrap_or((Exit::Failed, None))
}

pub(crate) fn of_cause(
    cause: &(dyn std::error::Error + 'static),
) -> Option<(Exit, Option<String>)> {
    if let Some(error) = cause.downcast_ref::<SourceError>() {
        return Some((Exit::Input, error.hint().map(Into::into)));
    }
    if let Some(error) = cause.downcast_ref::<CompletenessError>() {
        return Some((Exit::Input, Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<ProcessError>() {
        return Some((error.exit(), error.hint()));
    }
    if let Some(error) = cause.downcast_ref::<FolderError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<ContainerError>() {
        return Some((Exit::Usage, Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<CostError>() {
        return Some((Exit::Usage, Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<CaptionsError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<KeysError>() {
        return Some((Exit::Environment, Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<SdkError>() {
        return Some(match error {
            SdkError::Link(LinkError::TooFarAhead(_)) => {
                let hint = format!(
                    "let it expire sooner (`{}`), or set MAX_LINK_AGE to the edge's if that is larger",
                    error.code()
                );
                (Exit::Usage, Some(hint))
            }
            SdkError::Keys(_) => (Exit::Environment, None),
            _ => (Exit::Usage, None),
        });
    }
    if let Some(error) = cause.downcast_ref::<StorageError>() {
        return Some((error.exit(), error.hint()));
    }
    if let Some(error) = cause.downcast_ref::<FetchError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<ProxyError>() {
        return Some((Exit::Environment, Some(error.hint().into())));
    }
    if let Some(ClientError::Proxy(error)) = cause.downcast_ref() {
        return Some((Exit::Environment, Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<LimitError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if cause.is::<DiskError>() {
        return Some((Exit::Environment, Some(DISK_FULL.into())));
    }
    if let Some(error) = cause.downcast_ref::<QueueError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if let Some(JobError::NotAFolder(_)) = cause.downcast_ref() {
        return Some((Exit::Usage, None));
    }
    if let Some(error) = cause.downcast_ref::<CheckError>() {
        return Some((error.exit(), error.hint().map(Into::into)));
    }
    if let Some(Reported(exit)) = cause.downcast_ref() {
        return Some((*exit, None));
    }
    if let Some(error) = cause.downcast_ref::<FileUploadError>() {
        return Some((error.exit(), Some(error.hint().into())));
    }
    if let Some(error) = cause.downcast_ref::<RemovalError>() {
        return Some((error.exit(), Some(error.hint())));
    }
    if cause.is::<BoxError>() {
        return Some((Exit::Failed, None));
    }
    if cause.is::<Interrupted>() {
        return Some((Exit::Interrupted, None));
    }
    let error = cause.downcast_ref::<std::io::Error>()?;
    (error.kind() == ErrorKind::StorageFull).then(|| (Exit::Environment, Some(DISK_FULL.into())))
}
