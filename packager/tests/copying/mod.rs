//! One stream of a file, as another file or as segments.

use std::path::Path;
use std::process::Command;

/// An ffmpeg command that copies the stream. The caller adds the output.
pub(crate) fn copying(input: &Path, stream: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(input)
        .args(["-map", stream, "-c", "copy"]);
    command
}
