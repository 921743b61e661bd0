//! Objects that become one file, one after the other. What is there when this is interrupted is not fetched again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::FetchError;
use crate::output::OutputError;
use crate::partial::{self, remove_folder};
use crate::progress::{Progress, Unit};
use crate::publish::{PublishError, Target, Version, retry};
use crate::revision::hex;

/// What a file is called before it is whole.
const PART: &str = "part";
/// Of a name on most file systems 255; a longer one says no more.
const LONGEST_NAME: usize = 120;

/// An object of which the file is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) path: String,
    pub(super) bytes: u64,
    /// None where a list told of it: it is held against its length alone.
    pub(super) version: Option<Version>,
}

/// A folder with the file, which one process works in at a time. It stays unless it is discarded.
#[derive(Debug)]
pub(crate) struct Download {
    root: PathBuf,
    file: PathBuf,
    /// Held until this is dropped, or we are killed.
    _lock: File,
}

impl Download {
    /// Fetches what is missing of the pieces into a folder below `work`, which their names, lengths and versions name.
    pub(super) async fn fetch(
        target: &Target,
        pieces: &[Piece],
        name: &str,
        work: &Path,
        progress: Progress,
    ) -> Result<Self> {
        let root = work.join(format!("lectern-input-{}", digest(target, pieces)));
        partial::make_private(work, &root)
            .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
        let download = Self {
            _lock: partial::lock(&root)?.ok_or_else(|| OutputError::Busy(root.clone()))?,
            file: root.join(shortened(name)),
            root,
        };
        let whole = pieces.iter().map(|piece| piece.bytes).sum();
        if fs::metadata(&download.file).is_ok_and(|found| found.len() == whole) {
            return Ok(download);
        }
        let part = download.root.join(PART);
        let mut file = File::options().create(true).append(true).open(&part)?;
        let had = file.metadata()?.len();
        if had > whole {
            file.set_len(0)?;
        } else if had > 0 {
            progress.note(format_args!(
                "taking up where it stopped: {had} of {whole} bytes are there"
            ));
        }
        let step = progress.step("fetching", Unit::Bytes, whole);
        for (piece, from) in missing(pieces, file.metadata()?.len()) {
            let mut from = from;
            let mut failures = 0;
            while from < piece.bytes {
                let before = from;
                let error = match append(target, piece, &mut from, &mut file, |bytes| {
                    step.add(bytes);
                })
                .await
                {
                    Ok(()) => continue,
                    Err(error) => error,
                };
                // Whoever gets on is not given up.
                failures = if from > before { 1 } else { failures + 1 };
                if failures >= retry::ATTEMPTS || !is_passing(&error) {
                    return Err(error);
                }
                retry::wait(failures - 1, None).await;
            }
        }
        file.sync_all()?;
        fs::rename(part, &download.file)?;
        step.finish();
        Ok(download)
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn folder(&self) -> &Path {
        &self.root
    }

    /// Removes it: what is in it is of no use any more.
    pub(super) fn discard(self) {
        remove_folder(&self.root);
    }
}

/// Appends what comes of a piece, from `from` on.
async fn append(
    target: &Target,
    piece: &Piece,
    from: &mut u64,
    file: &mut File,
    told: impl Fn(u64),
) -> Result<()> {
    let changed = || FetchError::Changed(target.name(&piece.path));
    let read = target.read(&piece.path, *from, piece.version.as_ref());
    let mut chunks = read.await?.ok_or_else(changed)?;
    loop {
        let next = tokio::time::timeout(retry::ANSWER_TIMEOUT, chunks.next());
        let Some(chunk) = next.await.map_err(|_| cut_short(piece))? else {
            break;
        };
        let chunk = chunk?;
        let length = chunk.len() as u64;
        if *from + length > piece.bytes {
            return Err(changed().into());
        }
        file.write_all(&chunk)
            .context("cannot write what is fetched")?;
        *from += length;
        told(length);
    }
    if *from < piece.bytes {
        return Err(cut_short(piece).into());
    }
    Ok(())
}

fn cut_short(piece: &Piece) -> PublishError {
    PublishError::Bucket {
        path: piece.path.clone(),
        why: "it stopped in the middle of an answer".to_owned(),
    }
}

/// Whether the rest may come when it is asked for anew.
fn is_passing(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(PublishError::Bucket { .. } | PublishError::Unreachable { .. })
    )
}

/// The pieces that a file of `had` bytes lacks, and from which byte on each.
fn missing(pieces: &[Piece], had: u64) -> impl Iterator<Item = (&Piece, u64)> {
    let mut left = had;
    pieces.iter().map(move |piece| {
        let from = left.min(piece.bytes);
        left -= from;
        (piece, from)
    })
}

/// What changes when any of it does.
fn digest(target: &Target, pieces: &[Piece]) -> String {
    let mut hash = Sha256::new();
    for Piece {
        path,
        bytes,
        version,
    } in pieces
    {
        let version = version.as_ref().map_or("", |version| &version.0);
        hash.update(format!("{}\n{bytes}\n{version}\n", target.name(path)));
    }
    let mut hex = hex(&hash.finalize());
    hex.truncate(16);
    hex
}

/// The end of a name, which has the extension: ffmpeg looks at it.
fn shortened(name: &str) -> &str {
    let from = name.len().saturating_sub(LONGEST_NAME);
    let from = (from..name.len()).find(|at| name.is_char_boundary(*at));
    let name = from.map_or(name, |from| &name[from..]);
    match name {
        "work" | PART => "recording",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(path: &str, bytes: u64) -> Piece {
        Piece {
            path: path.to_owned(),
            bytes,
            version: None,
        }
    }

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let pieces = [piece("init", 10), piece("a", 0), piece("b", 20)];
        for (had, expected) in [
            (0, [0, 0, 0]),
            (4, [4, 0, 0]),
            (10, [10, 0, 0]),
            (25, [10, 0, 15]),
            (30, [10, 0, 20]),
        ] {
            let from: Vec<u64> = missing(&pieces, had).map(|(_, from)| from).collect();
            assert_eq!(from, expected, "{had}");
        }
    }

    #[test]
    fn a_name_keeps_its_end_and_takes_none_of_ours() {
        let long = format!("{}é.mov", "x".repeat(300));
        for (name, expected) in [
            ("talk.mov", "talk.mov"),
            ("part", "recording"),
            ("work", "recording"),
        ] {
            assert_eq!(shortened(name), expected);
        }
        assert!(shortened(&long).ends_with("xé.mov"));
        assert!(shortened(&long).len() <= LONGEST_NAME);
        assert!(shortened(&"é".repeat(200)).len() <= LONGEST_NAME);
    }
}
