//! The built `lectern`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::process::{Run, run, text};

pub(crate) const LECTERN: &str = env!("CARGO_BIN_EXE_lectern");

pub(crate) fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(LECTERN);
    command
        .args(args)
        .env_remove("LECTERN_KEYS")
        .env_remove("LECTERN_UPLOAD_LINK")
        // `lectern` looks for `.dev.vars` in the working folder.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    command
}

pub(crate) fn lectern<S: AsRef<OsStr>>(args: &[S]) -> Run {
    run(&mut command(args))
}

/// Packages a recording with the fastest preset.
pub(crate) fn package(input: &Path, out: &Path, options: &[&str]) -> Run {
    let args = ["package", text(input), "-o", text(out)];
    lectern(&[&args[..], &["--preset", "ultrafast"], options].concat())
}

/// Packages a recording that must be taken.
pub(crate) fn packaged(input: &Path, out: &Path, options: &[&str]) -> Run {
    let run = package(input, out, options);
    assert_eq!(run.code, 0, "{}: {run:?}", input.display());
    run
}

/// Folder of the only revision of a package, or of a published lecture.
pub(crate) fn revision_folder(out: &Path) -> PathBuf {
    let mut revisions = std::fs::read_dir(out.join("v")).expect("a revision");
    revisions.next().expect("one").expect("an entry").path()
}

/// The download of a package.
pub(crate) fn download(out: &Path) -> PathBuf {
    revision_folder(out).join("lecture.mp4")
}

/// `package.json` of a folder's only revision.
pub(crate) fn package_json(out: &Path) -> Value {
    let json = std::fs::read(revision_folder(out).join("package.json")).expect("package.json");
    serde_json::from_slice(&json).expect("JSON")
}

/// A file of `../shared/recordings`; its name on standard error if it is not there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let file = testkit::root().join("../shared/recordings").join(name);
    if file.is_file() {
        return Some(file);
    }
    eprintln!("SKIPPED: {} is not there", file.display());
    None
}
