//! Errors of output and work folders.

use crate::exit::Exit;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("`{}` holds something else, which would be overwritten", .0.display())]
    Exists(PathBuf),
    #[error("another `lectern` is at work in `{}`", .0.display())]
    Busy(PathBuf),
}

impl FolderError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "choose another name, or replace it with --force",
            Self::Busy(_) => "wait until it has ended, and run this again",
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) => Exit::Usage,
            Self::Busy(_) => Exit::Environment,
        }
    }
}
