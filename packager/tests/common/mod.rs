//! Helpers of the tests that run the real binary.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A finished run of `lectern`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lectern"));
    command
        .args(args)
        .env_remove("LECTERN_KEYS")
        .env_remove("LECTERN_UPLOAD_LINK")
        // `lectern` looks for `.dev.vars` in the working folder.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(command: &mut Command) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("lectern starts");
    Run {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

pub(crate) fn lectern<S: AsRef<OsStr>>(args: &[S]) -> Run {
    run(&mut command(args))
}

/// A generated recording: moving video and a tone.
pub(crate) fn clip(folder: &Path, size: &str, seconds: u32) -> PathBuf {
    let clip = folder.join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=s={size}:r=30000/1001"))
        .args(["-f", "lavfi", "-i", "sine=f=330:r=44100", "-t"])
        .arg(seconds.to_string())
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
        ])
        .args(["-c:a", "aac", "-metadata:s:a:0", "language=eng"])
        .args(["-movflags", "+faststart"])
        .arg(&clip)
        .status()
        .expect("ffmpeg is installed");
    assert!(made.success(), "ffmpeg makes a clip");
    clip
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}
