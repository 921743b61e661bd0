//! `lectern publish`, and what `ship` and the verbs that look after what is published share with it.

mod audit;
mod bucket;
pub(crate) mod client;
pub(crate) mod credentials;
mod edge;
mod error;
mod file;
mod journal;
mod lanes;
mod prune;
mod publication;
pub(crate) mod retry;
mod revisions;
mod service;
mod store;
mod target;
mod upload;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::PublishArgs;
use crate::package::megabytes;
use crate::package_file::{self, PackageFiles};
use crate::package_json::{self, MULTIVARIANT, Package, is_revision};
use crate::progress::{Progress, Unit};

pub(crate) use audit::{Broken, run as verify};
pub(crate) use error::PublishError;
pub(crate) use journal::Journal;
pub(crate) use lanes::MOST as MOST_AT_ONCE;
pub(crate) use prune::run as prune;
pub(crate) use publication::{Publication, upload};
pub(crate) use revisions::{rollback, run as revisions};
pub(crate) use store::{Entry, Target};
pub(crate) use target::is_private;
pub(crate) use upload::{Source, Upload, Version};

/// What a file is called before it is whole.
const TEMPORARY: &str = ".lectern-";
/// More than any Multivariant Playlist has.
const MAX_MASTER_BYTES: u64 = 8 << 20;
/// Says, in a revision's folder, until when it played at least.
const REPLACED: &str = "replaced.json";

pub(crate) async fn run(args: PublishArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let publishing = || format!("cannot publish `{}`", args.folder.display());
    let target = args.target.open().with_context(publishing)?;
    let package = open(&args.folder).with_context(publishing)?;
    let folder = std::path::absolute(&args.folder).with_context(publishing)?;
    let publication = Publication::begin(&target, &package.revision, &folder)
        .await
        .with_context(publishing)?;
    let step = progress.step("publishing", Unit::Bytes, package.bytes());
    publication
        .complete(&folder, &package, &step)
        .await
        .with_context(publishing)?;
    step.finish();
    report(progress, &target, &package);
    Ok(())
}

pub(crate) fn report(progress: Progress, target: &Target, package: &Package) {
    progress.note(format_args!(
        "published revision {}: {} objects, {:.1} MB",
        package.revision,
        package.objects.len() + 1,
        megabytes(package.bytes())
    ));
    let url = target.master();
    progress.result(
        &url,
        &serde_json::json!({"url": url, "revision": package.revision}),
    );
}

/// Reads what a folder holds, and checks that it is all there: every object a regular file, none behind a symbolic link.
fn open(folder: &Path) -> Result<Package, PublishError> {
    let incomplete = |why: String| PublishError::Incomplete {
        folder: folder.to_owned(),
        why,
    };
    let read = |path: &str, most| {
        package_file::read(folder, path, most)
            .map_err(|error| incomplete(format!("`{path}` cannot be read ({error})")))
    };
    let master = read(MULTIVARIANT, MAX_MASTER_BYTES)?;
    let master = String::from_utf8_lossy(&master);
    let revision = named_revision(&master)
        .ok_or_else(|| incomplete(format!("its `{MULTIVARIANT}` names no revision")))?;
    let own = package_json::own_path(revision);
    let package = Package::parse(&read(&own, package_json::MAX_BYTES)?, revision)
        .map_err(|error| incomplete(format!("of its `{own}`, {error}")))?;
    let mut files = PackageFiles::new(folder);
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

/// The revision that a Multivariant Playlist names first.
fn named_revision(master: &str) -> Option<&str> {
    master
        .lines()
        .find_map(|line| line.strip_prefix("v/")?.split_once('/'))
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
