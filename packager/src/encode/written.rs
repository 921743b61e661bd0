//! Segments that ffmpeg's HLS muxer writes into the revision. They are installed while it runs, so
//! that `ship` can upload them.

use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::argv::WRITTEN;
use crate::layout::segment_name;
use crate::mp4::complete_segment;

/// Segments of a Rendition, in the order in which ffmpeg renames them after it has written them.
pub(super) struct WrittenSegments {
    folder: PathBuf,
    next: Cell<usize>,
}

impl WrittenSegments {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            next: Cell::new(0),
        }
    }

    /// Gives each written segment its boxes and its name.
    pub(super) fn install(&self) -> Result<()> {
        loop {
            let at = self.next.get();
            let written = self.folder.join(format!("{WRITTEN}{at:05}.m4s"));
            let name = segment_name(at);
            let bytes = match fs::read(&written) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).with_context(|| format!("cannot read `{name}`")),
            };
            let part = self.folder.join("part");
            let complete =
                complete_segment(&bytes).with_context(|| format!("cannot read `{name}`"))?;
            fs::write(&part, complete)?;
            fs::rename(&part, self.folder.join(&name))?;
            fs::remove_file(&written)?;
            self.next.set(at + 1);
        }
    }
}
