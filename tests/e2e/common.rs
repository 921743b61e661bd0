//! Helpers of the publishing suite, shared with the packager's tests.

use std::path::Path;

/// A finished run of `lectern`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}
