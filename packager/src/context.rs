//! State that all steps of one job share.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::limits::ResourceLimits;
use crate::progress::Progress;

/// One job: its progress, its limits and the folder it works in.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) progress: Progress,
    pub(crate) limits: ResourceLimits,
    work: PathBuf,
    started: Instant,
}

impl Context {
    /// Starts a job. Downloads and unfinished packages lie below `work`.
    pub(crate) fn new(progress: Progress, limits: ResourceLimits, work: &Path) -> io::Result<Self> {
        Ok(Self {
            progress,
            limits,
            work: std::path::absolute(work)?,
            started: Instant::now(),
        })
    }

    /// The folder for downloads and unfinished packages, as an absolute path.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// Seconds since the job started.
    pub(crate) fn elapsed_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
