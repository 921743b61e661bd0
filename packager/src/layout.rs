//! Names of a package's files and folders.

pub(crate) const PACKAGE_JSON: &str = "package.json";

pub(crate) const MULTIVARIANT: &str = "master.m3u8";

pub(crate) const MPD: &str = "manifest.mpd";

/// Whether this is the same in every revision's place, and not under `v/`: it is replaced, and written last.
pub(crate) fn is_mutable(path: &str) -> bool {
    matches!(path, MULTIVARIANT | MPD)
}

pub(crate) fn package_json_path(revision: &str) -> String {
    format!("v/{revision}/{PACKAGE_JSON}")
}

/// Where they are, from the revision's folder.
pub(crate) const IFRAMES_FOLDER: &str = "iframes";

pub(crate) const IFRAMES_FILE: &str = "pictures.mp4";

/// What a file is called before it is whole.
pub(crate) const TEMPORARY_PREFIX: &str = ".lectern-";

/// Says, in a revision's folder, until when it played at least.
pub(crate) const REPLACED_JSON: &str = "replaced.json";
