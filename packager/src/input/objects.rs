//! Downloads objects of a target into one file, one after the other. An interrupted download
//! resumes.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;

use super::FetchError;
use super::download::Download;
use crate::progress::{Progress, StepUnit};
use crate::storage::error::StorageError;
use crate::storage::object::Version;
use crate::storage::{Store, retry};

/// An object that is a part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InputPart {
    pub(super) path: String,
    pub(super) bytes: u64,
    /// Version to read; `None` after a listing, which only reveals the length.
    pub(super) version: Option<Version>,
}

impl InputPart {
    /// Changes with the object's contents.
    pub(super) fn identity(&self, target: &Store) -> String {
        let version = self.version.as_ref().map_or("", |version| &version.0);
        let name = target.display_name(&self.path);
        format!("{name}\n{}\n{version}\n", self.bytes)
    }
}

/// Downloads the missing bytes of all parts.
pub(super) async fn fetch(
    download: &Download,
    name: &str,
    target: &Store,
    parts: &[InputPart],
    progress: Progress,
) -> Result<PathBuf> {
    let place = download.file(name);
    if place.is_whole() {
        return Ok(place.whole().to_owned());
    }
    let whole = parts.iter().map(|part| part.bytes).sum();
    let mut file = place.open()?;
    let had = file.metadata()?.len();
    if had > whole {
        file.set_len(0)?;
    } else if had > 0 {
        progress.note(format_args!(
            "resuming: {had} of {whole} bytes are downloaded"
        ));
    }
    let step = progress.step("fetching", StepUnit::Bytes, whole);
    for (part, from) in missing(parts, file.metadata()?.len()) {
        let mut from = from;
        let mut failures = 0;
        while from < part.bytes {
            let before = from;
            let error = match append(target, part, &mut from, &mut file, |bytes| {
                step.add(bytes);
            })
            .await
            {
                Ok(()) => continue,
                Err(error) => error,
            };
            // Progress resets the count of failures.
            failures = if from > before { 1 } else { failures + 1 };
            if failures >= retry::ATTEMPTS || !is_passing(&error) {
                return Err(error);
            }
            retry::wait(failures - 1, None).await;
        }
    }
    step.finish();
    place.become_whole(&file)
}

/// Appends the bytes of a part from `from` on.
async fn append(
    target: &Store,
    part: &InputPart,
    from: &mut u64,
    file: &mut File,
    on_bytes: impl Fn(u64),
) -> Result<()> {
    let changed = || FetchError::Changed(target.display_name(&part.path));
    let read = target.read(&part.path, *from, part.version.as_ref());
    let mut chunks = read.await?.ok_or_else(changed)?;
    loop {
        let next = tokio::time::timeout(retry::ANSWER_TIMEOUT, chunks.next());
        let Some(chunk) = next.await.map_err(|_| cut_short(part))? else {
            break;
        };
        let chunk = chunk?;
        let length = chunk.len() as u64;
        if *from + length > part.bytes {
            return Err(changed().into());
        }
        file.write_all(&chunk)
            .context("cannot write the download")?;
        *from += length;
        on_bytes(length);
    }
    if *from < part.bytes {
        return Err(cut_short(part).into());
    }
    Ok(())
}

fn cut_short(part: &InputPart) -> StorageError {
    StorageError::Bucket {
        path: part.path.clone(),
        why: "the response ended early".to_owned(),
    }
}

/// Errors after which another request may deliver the rest.
fn is_passing(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(StorageError::Bucket { .. } | StorageError::Unreachable { .. })
    )
}

/// Parts that a file of `had` bytes lacks, each with its first missing byte.
fn missing(parts: &[InputPart], had: u64) -> impl Iterator<Item = (&InputPart, u64)> {
    let mut left = had;
    parts.iter().map(move |part| {
        let from = left.min(part.bytes);
        left -= from;
        (part, from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, bytes: u64) -> InputPart {
        InputPart {
            path: path.to_owned(),
            bytes,
            version: None,
        }
    }

    #[test]
    fn a_resumed_download_fetches_only_missing_bytes() {
        let parts = [part("init", 10), part("a", 0), part("b", 20)];
        for (had, expected) in [
            (0, [0, 0, 0]),
            (4, [4, 0, 0]),
            (10, [10, 0, 0]),
            (25, [10, 0, 15]),
            (30, [10, 0, 20]),
        ] {
            let from: Vec<u64> = missing(&parts, had).map(|(_, from)| from).collect();
            assert_eq!(from, expected, "{had}");
        }
    }
}
