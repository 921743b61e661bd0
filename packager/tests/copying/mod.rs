//! One stream of a file, as another file or as segments.

use std::path::Path;
use std::process::Command;

/// An ffmpeg that copies it; what it becomes follows.
pub(crate) fn copying(input: &Path, stream: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(input)
        .args(["-map", stream, "-c", "copy"]);
    command
}
