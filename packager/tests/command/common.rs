//! The built `lectern`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::process::{Run, run};

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

/// `package.json` of a folder's only revision.
pub(crate) fn package_json(out: &Path) -> Value {
    let mut revisions = std::fs::read_dir(out.join("v")).expect("a revision");
    let revision = revisions.next().expect("one").expect("an entry").path();
    let json = std::fs::read(revision.join("package.json")).expect("package.json");
    serde_json::from_slice(&json).expect("JSON")
}
