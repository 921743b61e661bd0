//! Published packages: uploading one, switching to it, and listing its revisions.

pub(crate) mod contents;
pub(crate) mod file_upload;
pub(crate) mod inventory;
pub(crate) mod publication;
pub(crate) mod removal;
pub(crate) mod replaced;
pub(crate) mod report;
pub(crate) mod segment_uploader;

use std::path::Path;

use anyhow::Result;

use crate::files::open_folder::OpenFolder;
use crate::files::package_folder;
use crate::layout::{self, MULTIVARIANT};
use crate::package::manifest_json::{self, Package, is_revision};
use crate::progress::Progress;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::units::format_bytes;

pub(crate) use publication::{Publication, upload_of};

/// The largest Multivariant Playlist that is read.
const MAX_MASTER_BYTES: u64 = 8 << 20;

/// Narrates the end of a publication.
pub(crate) fn narrate(progress: Progress, target: &Store, package: &Package) {
    progress.note(format_args!(
        "published revision {}: {} objects, {}, at {}",
        package.revision,
        package.objects.len() + 1,
        format_bytes(package.bytes()),
        target.master()
    ));
}

/// Reads the package in a folder, and checks that every object is a regular file of the right size.
pub(crate) fn open_package(folder: &Path) -> Result<Package, StorageError> {
    let incomplete = |why: String| StorageError::Incomplete {
        folder: folder.to_owned(),
        why,
    };
    let read = |path: &str, most| {
        package_folder::read(folder, path, most)
            .map_err(|error| incomplete(format!("`{path}` cannot be read ({error})")))
    };
    let master = read(MULTIVARIANT, MAX_MASTER_BYTES)?;
    let master = String::from_utf8_lossy(&master);
    let revision = named_revision(&master)
        .ok_or_else(|| incomplete(format!("its `{MULTIVARIANT}` names no revision")))?;
    let package_json = layout::package_json_path(revision);
    let package = Package::parse(&read(&package_json, manifest_json::MAX_BYTES)?, revision)
        .map_err(|error| incomplete(format!("of its `{package_json}`, {error}")))?;
    let files = OpenFolder::open(folder).map_err(|error| incomplete(error.to_string()))?;
    for object in &package.objects {
        let path = &object.path;
        match files.size(path) {
            Ok(bytes) if bytes == object.bytes => {}
            Ok(_) => return Err(incomplete(format!("`{path}` is cut short"))),
            Err(error) => return Err(incomplete(format!("`{path}` is missing ({error})"))),
        }
    }
    Ok(package)
}

/// The first revision that a Multivariant Playlist names.
pub(crate) fn named_revision(master: &str) -> Option<&str> {
    master
        .lines()
        .find_map(|line| line.strip_prefix(layout::REVISIONS)?.split_once('/'))
        .map(|(revision, _)| revision)
        .filter(|revision| is_revision(revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_the_folder_that_a_multivariant_playlist_names() {
        for (master, expected) in [
            (
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/0a1b/480p/playlist.m3u8\n",
                Some("0a1b"),
            ),
            ("v/0a1b/480p/playlist.m3u8?p=x\n", Some("0a1b")),
            ("v/../480p/playlist.m3u8", None),
            ("v//480p/playlist.m3u8", None),
            ("480p/playlist.m3u8", None),
        ] {
            assert_eq!(named_revision(master), expected, "{master}");
        }
    }
}
