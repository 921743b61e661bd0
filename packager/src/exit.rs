//! How the command ends: the closed set of exit codes, and which error ends it how.

use std::process::ExitCode;

/// Everything `lectern` ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Input = 3,
    Environment = 4,
    Refused = 5,
    Broken = 6,
    /// 128 + SIGINT, as shells report it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

pub(crate) const DISK_FULL: &str = "free some space, or write to another disk, and run it again";
