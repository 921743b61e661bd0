//! Errors of output and work folders.

use crate::exit::Exit;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("`{}` holds something else, which would be overwritten", .0.display())]
    Exists(PathBuf),
    #[error("another `lectern` is at work in `{}`", .0.display())]
    Busy(PathBuf),
    #[error("`{}` takes no files", folder.display())]
    Unwritable { folder: PathBuf, source: io::Error },
}

impl FolderError {
    /// Returns the error of a folder in which this work folder cannot be made.
    pub(crate) fn making(root: &Path, source: io::Error) -> anyhow::Error {
        match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Unwritable {
                folder: root.parent().unwrap_or(root).to_owned(),
                source,
            }
            .into(),
            _ => source.into(),
        }
    }
}

impl FolderError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "choose another name, or replace it with --force",
            Self::Unwritable { .. } => "choose another folder, or check who may write into it",
            Self::Busy(_) => "wait until it has ended, and run this again",
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) => Exit::Usage,
            Self::Busy(_) | Self::Unwritable { .. } => Exit::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_right_to_write_is_the_environments_fault() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let error = FolderError::making(Path::new("/a/out.partial-1"), kind.into());
            let error = error.downcast_ref::<FolderError>().expect("its own error");
            assert_eq!(error.exit(), Exit::Environment, "{kind}");
            assert_eq!(error.to_string(), "`/a` takes no files", "{kind}");
        }
        let other = FolderError::making(Path::new("/a/b"), ErrorKind::NotADirectory.into());
        assert!(!other.is::<FolderError>(), "{other:?}");
    }
}
