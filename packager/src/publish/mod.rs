//! `lectern publish`: Media Segments first, the Multivariant Playlist last, so that nobody ever sees a playlist or an MPD
//! that names an absent object.

mod file;
mod http;
mod retry;
mod target;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use futures_util::{TryStreamExt as _, stream};
use lectern::object_key::ObjectKey;

use crate::cli::PublishArgs;
use crate::exit::{DISK_FULL, Exit};
use crate::output;
use crate::package::megabytes;
use crate::package_json::{MPD, MULTIVARIANT, Package, is_mutable};
use crate::progress::{Progress, Step, Unit};
use file::FileTarget;
use http::HttpTarget;
use target::{Place, TargetError};

/// Uploads at the same time: enough to fill a line in spite of round trips, few enough for a bucket's rate limits.
pub(crate) const CONCURRENCY: usize = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("`{}` holds no complete package: {why}", folder.display())]
    Incomplete { folder: PathBuf, why: String },
    #[error("cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write `{}`", path.display())]
    Storage {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the edge refused `{path}` with {status}: {problem}")]
    Refused {
        path: String,
        status: u16,
        problem: String,
    },
    #[error("cannot reach the edge at `{origin}`: {why}")]
    Unreachable { origin: String, why: String },
    #[error("LECTERN_UPLOAD_LINK is neither a URL with `?token=` nor a token")]
    BadUploadLink,
}

impl PublishError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Target(_) => Exit::Usage,
            Self::Incomplete { .. } => Exit::Input,
            Self::Read { .. } => Exit::Failed,
            Self::BadUploadLink => Exit::Environment,
            Self::Storage { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Exit::Environment
            }
            Self::Storage { .. } | Self::Refused { .. } | Self::Unreachable { .. } => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Target(_) => "a target is `file:///folder` or `https://edge.example/prefix`",
            Self::Incomplete { .. } => "make it again with `lectern package --force`",
            Self::BadUploadLink => "mint one with `lectern link URL/ --use upload`",
            Self::Storage { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                DISK_FULL
            }
            Self::Storage { .. } => "check that the folder is there and who may write into it",
            Self::Refused {
                status: 401 | 403, ..
            } => {
                "LECTERN_KEYS here and at the edge must be the same, or the upload link must cover this prefix"
            }
            Self::Refused { status: 413, .. } => "raise the edge's size limit",
            Self::Refused { .. } => {
                "the edge's log says more; running this again continues where it stopped"
            }
            Self::Unreachable { .. } => "is the edge running? `make serve` starts one here",
            Self::Read { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// One object on its way.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// From the package's root.
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) content_type: String,
    /// Under `v/`: what is there already is this.
    pub(crate) is_immutable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written,
    AlreadyThere,
}

#[derive(Debug)]
pub(crate) enum Target {
    Folder(FileTarget),
    Edge(Box<HttpTarget>),
}

impl Target {
    /// Parses a target, and finds what opens it.
    pub(crate) fn open(text: &str) -> Result<Self> {
        Ok(match Place::parse(text).map_err(PublishError::from)? {
            Place::Folder(folder) => Self::Folder(FileTarget { folder }),
            Place::Edge(prefix) => Self::Edge(Box::new(HttpTarget::open(prefix)?)),
        })
    }

    /// Where the lecture is played from.
    pub(crate) fn master(&self) -> String {
        match self {
            Self::Folder(target) => target.folder.join(MULTIVARIANT).display().to_string(),
            Self::Edge(target) => target.url(MULTIVARIANT),
        }
    }

    pub(crate) async fn put(&self, upload: &Upload) -> Result<Outcome, PublishError> {
        match self {
            Self::Folder(target) => target.put(upload).await,
            Self::Edge(target) => target.put(upload).await,
        }
    }

    async fn remove(&self, path: &str) -> Result<(), PublishError> {
        match self {
            Self::Folder(target) => target.remove(path),
            Self::Edge(target) => target.remove(path).await,
        }
    }

    /// An object that is there already, if it may be read.
    pub(crate) async fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(target) => target.read(path),
            Self::Edge(target) => target.read(path).await,
        }
    }

    /// Whether this revision is what plays there now.
    pub(crate) async fn serves(&self, revision: &str) -> bool {
        let Some(master) = self.read(MULTIVARIANT).await else {
            return false;
        };
        named_revision(&String::from_utf8_lossy(&master)).is_some_and(|named| named == revision)
    }
}

pub(crate) async fn run(args: PublishArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let publishing = || format!("cannot publish `{}`", args.folder.display());
    let target = Target::open(&args.target).with_context(publishing)?;
    let package = open(&args.folder).with_context(publishing)?;
    let step = progress.step("publishing", Unit::Bytes, package.bytes());
    publish(&args.folder, &package, &target, &HashSet::new(), &step)
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

/// Reads what a folder holds, and checks that it is all there.
fn open(folder: &Path) -> Result<Package, PublishError> {
    let incomplete = |why: String| PublishError::Incomplete {
        folder: folder.to_owned(),
        why,
    };
    let master = fs::read_to_string(folder.join(MULTIVARIANT))
        .map_err(|error| incomplete(format!("`{MULTIVARIANT}` cannot be read ({error})")))?;
    let package = named_revision(&master)
        .and_then(|revision| output::read(folder, revision))
        .ok_or_else(|| incomplete("its `package.json` is not there or not understood".into()))?;
    let prefix = format!("v/{}/", package.revision);
    for object in &package.objects {
        let path = &object.path;
        let is_ours = is_mutable(path) || path.starts_with(&prefix);
        // A package that names `../../secret` would publish it.
        if !is_ours || ObjectKey::new(path.as_str()).is_err() {
            return Err(incomplete(format!("its `package.json` names `{path}`")));
        }
        if !fs::metadata(folder.join(path)).is_ok_and(|found| found.len() == object.bytes) {
            return Err(incomplete(format!("`{path}` is missing or cut short")));
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
        .filter(|revision| revision.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Publishes a package that is in `folder`, but for the paths in `done`.
pub(crate) async fn publish(
    folder: &Path,
    package: &Package,
    target: &Target,
    done: &HashSet<String>,
    step: &Step,
) -> Result<(), PublishError> {
    let own = package.own_path();
    let json = fs::read(folder.join(&own)).map_err(|source| PublishError::Read {
        path: folder.join(&own),
        source,
    })?;
    // It is published after all that it lists, so where it is, they are.
    let is_there = target.read(&own).await.is_some_and(|there| there == json);
    for stage in stages(folder, package, json.len() as u64) {
        stream::iter(stage.into_iter().map(Ok::<_, PublishError>))
            .try_for_each_concurrent(CONCURRENCY, |upload| async move {
                let is_done = done.contains(&upload.path) || (is_there && upload.is_immutable);
                if !is_done {
                    target.put(&upload).await?;
                }
                step.add(upload.bytes);
                Ok(())
            })
            .await?;
    }
    // Transport streams have none, and what an earlier package left would go on playing that.
    if package.objects.iter().all(|object| object.path != MPD) {
        target.remove(MPD).await?;
    }
    Ok(())
}

/// Each stage is complete before the next begins.
///
/// The Multivariant Playlist is what makes a revision the lecture: it alone says what plays there now. The MPD names
/// objects that are all there, so that it may come just before: if the two do not both arrive, DASH players have the new
/// revision whole and HLS players the old one, until somebody publishes again.
fn stages(folder: &Path, package: &Package, json_bytes: u64) -> [Vec<Upload>; 5] {
    let upload = |path: &str, bytes, content_type: &str| Upload {
        path: path.to_owned(),
        file: folder.join(path),
        bytes,
        content_type: content_type.to_owned(),
        is_immutable: !is_mutable(path),
    };
    let own = package.own_path();
    let own = upload(&own, json_bytes, lectern::content_type::for_key(&own));
    let [mut media, mut playlists, mut manifest, mut master] = [vec![], vec![], vec![], vec![]];
    for object in &package.objects {
        let stage = match object.path.as_str() {
            MULTIVARIANT => &mut master,
            MPD => &mut manifest,
            path if path.ends_with(".m3u8") => &mut playlists,
            _ => &mut media,
        };
        stage.push(upload(&object.path, object.bytes, &object.content_type));
    }
    [media, playlists, vec![own], manifest, master]
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
            ("480p/playlist.m3u8", None),
        ] {
            assert_eq!(named_revision(master), expected, "{master}");
        }
    }
}
