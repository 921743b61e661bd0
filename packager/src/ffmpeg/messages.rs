//! ffmpeg's own messages: for people only with `--verbose`, else translated by `diagnosis`.

use std::fmt::Display;
use std::sync::OnceLock;

/// Prints a message; unset without `--verbose`.
static PRINT: OnceLock<fn(&dyn Display)> = OnceLock::new();

/// Prints every message of ffmpeg and ffprobe from now on.
pub(crate) fn show_all(print: fn(&dyn Display)) {
    let _ = PRINT.set(print);
}

/// Shows a line of a tool's standard error, with `--verbose`.
pub(super) fn show(tool: &str, line: &str) {
    if let Some(print) = PRINT.get() {
        print(&format_args!("{tool}: {line}"));
    }
}
