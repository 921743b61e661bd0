//! Recordings that ffmpeg makes and plays.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{run, succeed};

/// ffmpeg with arguments that words are enough for; more may follow.
pub fn ffmpeg(words: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-y"])
        .args(words.split_whitespace());
    command
}

/// Creates a recording with ffmpeg. Each of `inputs` is a source in its filter syntax.
pub fn make(folder: &Path, name: &str, inputs: &[impl AsRef<str>], options: &str) -> PathBuf {
    let file = folder.join(name);
    let mut command = ffmpeg("");
    for input in inputs {
        command.args(["-f", "lavfi", "-i", input.as_ref()]);
    }
    succeed(command.args(options.split_whitespace()).arg(&file));
    file
}

/// A recording with a moving picture and a tone.
pub fn clip(folder: &Path, size: &str, seconds: u32) -> PathBuf {
    let picture = format!("testsrc2=s={size}:r=30000/1001");
    let options = format!(
        "-t {seconds} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -metadata:s:a:0 language=eng \
         -movflags +faststart"
    );
    let inputs = [&picture, "sine=f=330:r=44100"];
    make(folder, "clip.mp4", &inputs, &options)
}

/// An ffmpeg that copies a stream of a file; what it becomes follows.
pub fn copying(input: &Path, stream: &str) -> Command {
    let mut command = ffmpeg("-i");
    command.arg(input).args(["-map", stream, "-c", "copy"]);
    command
}

/// Decodes all of what a playlist or a file names, and takes no warning.
pub fn decode(input: &Path) {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "warning", "-nostdin", "-xerror", "-i"])
        .arg(input)
        .args(["-map", "0", "-f", "null", "-"]);
    let played = run(&mut command);
    let is_clean = played.code == 0 && played.stderr.is_empty();
    assert!(is_clean, "{}: {played:?}", input.display());
}
