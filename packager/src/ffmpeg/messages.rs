//! ffmpeg's own messages: for people only with `--verbose`, else translated by `diagnosis`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress;

static IS_VERBOSE: AtomicBool = AtomicBool::new(false);

/// Shows every message of ffmpeg and ffprobe from now on.
pub(crate) fn show_all() {
    IS_VERBOSE.store(true, Ordering::Relaxed);
}

/// Shows a line of a tool's standard error, with `--verbose`.
pub(super) fn show(tool: &str, line: &str) {
    if IS_VERBOSE.load(Ordering::Relaxed) {
        progress::narrate(&format_args!("{tool}: {line}"));
    }
}
