//! Exit codes.

use std::process::ExitCode;

/// The exit codes of `lectern`.
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
    /// 128 + SIGINT, as in shells.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The hint of every error about a full disk.
pub(crate) const DISK_FULL: &str = "free some space, or write to another disk, and run it again";
