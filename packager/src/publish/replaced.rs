//! The lecture that a provisional one replaced. It plays again if the run that published the
//! provisional one fails.

use serde::{Deserialize, Serialize};

use super::Publication;
use crate::layout::{MPD, MULTIVARIANT};
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::object::Upload;

/// Files at the root that a provisional lecture replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplacedLecture {
    /// `None` if the Multivariant Playlist names no revision.
    pub(crate) revision: Option<String>,
    pub(super) master: String,
    pub(super) manifest: Option<String>,
}

/// The lecture that plays after a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// The lecture that played before.
    Restored,
    /// The provisional lecture, because nothing played before.
    Provisional,
    /// The provisional lecture did not begin to play, or another publication replaced it.
    Other,
}

/// Activates the lecture that played before, if the provisional revision still plays.
pub(crate) async fn restore(
    target: &Store,
    provisional: &str,
    replaced: Option<&ReplacedLecture>,
) -> Result<AfterFailure, StorageError> {
    let revision = replaced.and_then(|replaced| replaced.revision.as_deref());
    let publication = Publication::without_folder(target, revision.unwrap_or(provisional)).await?;
    if target.is_readable() && publication.live().as_deref() != Some(provisional) {
        return Ok(AfterFailure::Other);
    }
    let Some(replaced) = replaced else {
        return Ok(AfterFailure::Provisional);
    };
    let manifest = replaced.manifest.iter();
    let mut files: Vec<Upload> = manifest
        .map(|text| Upload::of_bytes(MPD, text.clone()))
        .collect();
    files.push(Upload::of_bytes(MULTIVARIANT, replaced.master.clone()));
    publication.activate(files).await?;
    Ok(AfterFailure::Restored)
}
