//! One object on its way, and what must hold of what is there for it to be written.

use std::io::SeekFrom;
use std::path::PathBuf;

use bytes::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::PublishError;
use crate::package_json::is_mutable;

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// From the package's root.
    pub(crate) path: String,
    pub(crate) source: Source,
    pub(crate) bytes: u64,
    pub(crate) content_type: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

/// What is there, as the target tells it from what may replace it: an entity-tag without its quotes, or a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Any,
    Absent,
    Is(Version),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written,
    AlreadyThere,
}

/// A run of an upload's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) from: u64,
    pub(crate) length: u64,
}

impl Upload {
    pub(crate) fn of_bytes(path: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            source: Source::Bytes(bytes),
            content_type: lectern::content_type::for_key(path).to_owned(),
        }
    }

    /// Under `v/`: what is there already is this.
    pub(crate) fn is_immutable(&self) -> bool {
        !is_mutable(&self.path)
    }

    pub(crate) fn whole(&self) -> Slice {
        Slice {
            from: 0,
            length: self.bytes,
        }
    }

    /// R2 wants all parts but the last equally large.
    pub(crate) fn parts(&self, part: u64) -> impl Iterator<Item = Slice> + use<> {
        let bytes = self.bytes;
        (0..bytes.div_ceil(part)).map(move |at| Slice {
            from: at * part,
            length: part.min(bytes - at * part),
        })
    }

    /// A run of it, in memory.
    pub(crate) async fn read(&self, slice: Slice) -> Result<Bytes, PublishError> {
        let file = match &self.source {
            Source::Bytes(bytes) => {
                let range = usize::try_from(slice.from).unwrap_or(usize::MAX)
                    ..usize::try_from(slice.from + slice.length).unwrap_or(usize::MAX);
                return Ok(bytes.slice(range));
            }
            Source::File(file) => file,
        };
        let read = |source| PublishError::Read {
            path: file.clone(),
            source,
        };
        let mut open = File::open(file).await.map_err(read)?;
        open.seek(SeekFrom::Start(slice.from)).await.map_err(read)?;
        let mut bytes = Vec::with_capacity(usize::try_from(slice.length).unwrap_or(0));
        let got = open.take(slice.length).read_to_end(&mut bytes).await;
        if got.map_err(read)? as u64 != slice.length {
            return Err(read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_but_the_last_are_equal_and_together_the_whole() {
        const PART: u64 = 8 << 20;
        for bytes in [PART + 1, PART * 5, PART * 5 - 1] {
            let upload = Upload {
                bytes,
                ..Upload::of_bytes("v/1/a", "")
            };
            let parts: Vec<Slice> = upload.parts(PART).collect();
            assert_eq!(parts.iter().map(|part| part.length).sum::<u64>(), bytes);
            let (last, others) = parts.split_last().expect("there are parts");
            assert!(others.iter().all(|part| part.length == PART), "{bytes}");
            assert!((1..=PART).contains(&last.length), "{bytes}");
            assert!(
                parts
                    .windows(2)
                    .all(|pair| pair[0].from + PART == pair[1].from)
            );
        }
    }
}
