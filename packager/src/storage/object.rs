//! An object to upload, and the conditions of its write.

use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::error::StorageError;
use crate::digest::{self, Hasher};
use crate::files::regular::{open_no_follow, open_regular};
use crate::layout::{is_mutable, is_note};

/// Bytes of one read.
const CHUNK: usize = 64 << 10;

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// Path from the package's root.
    pub(crate) path: String,
    pub(crate) source: UploadBody,
    pub(crate) bytes: u64,
    pub(crate) content_type: String,
    /// Expected SHA-256 in hexadecimal, from `package.json`. It is compared during the upload, and
    /// a mismatch aborts the write.
    pub(crate) sha256: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum UploadBody {
    File(PathBuf),
    Bytes(Bytes),
}

/// Identifies one version of an object: an entity-tag without its quotes, or a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PutCondition {
    Any,
    Absent,
    Is(Version),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutOutcome {
    Written,
    AlreadyThere,
}

/// A range of an upload's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) from: u64,
    pub(crate) length: u64,
    /// Expected SHA-256 in hexadecimal, if known.
    pub(crate) sha256: Option<String>,
}

/// A file with other bytes than `package.json` describes.
#[derive(Debug, thiserror::Error)]
#[error("its SHA-256 is not the one that `package.json` says")]
pub(crate) struct DigestMismatch;

impl Upload {
    pub(crate) fn of_bytes(path: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            source: UploadBody::Bytes(bytes),
            content_type: lectern::object::content_type::for_key(path).to_owned(),
            sha256: None,
        }
    }

    /// Fixes the current contents of a file by their hash.
    pub(crate) async fn with_hash(self) -> Result<Self, StorageError> {
        let sha256 = match &self.source {
            UploadBody::Bytes(_) => None,
            UploadBody::File(file) => {
                let hash = match open_regular(file) {
                    Ok(file) => digest::of_reader(file, |_| {}).await,
                    Err(error) => Err(error),
                }
                .map(|found| found.sha256);
                Some(hash.map_err(|source| read_error_at(file, source))?)
            }
        };
        Ok(Self { sha256, ..self })
    }

    /// Objects under `v/` never change, so an existing one is this one.
    pub(crate) fn is_immutable(&self) -> bool {
        !is_mutable(&self.path) && !is_note(&self.path)
    }

    pub(crate) fn whole(&self) -> Slice {
        Slice {
            from: 0,
            length: self.bytes,
            sha256: self.sha256.clone(),
        }
    }

    /// Parts of equal length, except for the last: R2 requires it.
    fn slices(&self, part: u64) -> impl Iterator<Item = Slice> + use<> {
        let bytes = self.bytes;
        (0..bytes.div_ceil(part)).map(move |at| Slice {
            from: at * part,
            length: part.min(bytes - at * part),
            sha256: None,
        })
    }

    /// Parts of the upload. They are sent in parallel, so one hash cannot cover them: the file is
    /// read once before, and each part must match that reading.
    pub(crate) async fn parts(&self, part: u64) -> Result<Vec<Slice>, StorageError> {
        let mut slices: Vec<Slice> = self.slices(part).collect();
        let (UploadBody::File(path), Some(expected)) = (&self.source, &self.sha256) else {
            return Ok(slices);
        };
        let mut whole = Hasher::default();
        for slice in &mut slices {
            let mut part = Hasher::default();
            let mut chunks = file_chunks(path, slice)?;
            while let Some(chunk) = chunks
                .try_next()
                .await
                .map_err(|error| self.read_error(error))?
            {
                whole.update(&chunk);
                part.update(&chunk);
            }
            slice.sha256 = Some(part.finish().sha256);
        }
        if whole.finish().sha256 != *expected {
            return Err(self.read_error(digest_mismatch()));
        }
        Ok(slices)
    }

    /// Reads a range into memory.
    pub(crate) async fn read(&self, slice: &Slice) -> Result<Bytes, StorageError> {
        match &self.source {
            UploadBody::Bytes(bytes) => {
                let range = usize::try_from(slice.from).unwrap_or(usize::MAX)
                    ..usize::try_from(slice.from + slice.length).unwrap_or(usize::MAX);
                Ok(bytes.slice(range))
            }
            UploadBody::File(path) => {
                let mut bytes = Vec::with_capacity(usize::try_from(slice.length).unwrap_or(0));
                let mut chunks = file_chunks(path, slice)?;
                while let Some(chunk) = chunks
                    .try_next()
                    .await
                    .map_err(|error| self.read_error(error))?
                {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(bytes.into())
            }
        }
    }

    /// Streams a range.
    pub(crate) async fn stream(&self, slice: &Slice) -> Result<UploadStream, StorageError> {
        match &self.source {
            UploadBody::Bytes(_) => {
                let bytes = self.read(slice).await?;
                Ok(stream::once(async { Ok(bytes) }).boxed())
            }
            UploadBody::File(path) => file_chunks(path, slice),
        }
    }

    /// Converts an error of reading the source.
    pub(crate) fn read_error(&self, error: io::Error) -> StorageError {
        if is_digest_mismatch(&error) {
            return StorageError::Changed {
                path: self.path.clone(),
            };
        }
        match &self.source {
            UploadBody::File(path) => read_error_at(path, error),
            UploadBody::Bytes(_) => read_error_at(Path::new(&self.path), error),
        }
    }
}

pub(crate) type UploadStream = BoxStream<'static, io::Result<Bytes>>;

/// Streams a range of a file. The last chunk follows the comparison of the hash, so no receiver
/// gets all bytes of a wrong file.
struct FileChunks {
    reader: ReaderStream<tokio::io::Take<File>>,
    hasher: Hasher,
    sha256: Option<String>,
    left: u64,
    held: Option<Bytes>,
    is_over: bool,
}

impl FileChunks {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.is_over {
            if let Some(chunk) = self.reader.try_next().await? {
                self.left = self.left.saturating_sub(chunk.len() as u64);
                self.hasher.update(&chunk);
                if let Some(before) = self.held.replace(chunk) {
                    return Ok(Some(before));
                }
                continue;
            }
            self.is_over = true;
            if self.left > 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let found = std::mem::take(&mut self.hasher).finish().sha256;
            if self.sha256.as_ref().is_some_and(|sha256| *sha256 != found) {
                return Err(digest_mismatch());
            }
            return Ok(self.held.take());
        }
        Ok(None)
    }
}

fn file_chunks(path: &Path, slice: &Slice) -> Result<UploadStream, StorageError> {
    let opened = open_no_follow(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(slice.from))?;
        Ok(File::from_std(file).take(slice.length))
    });
    let file = opened.map_err(|source| read_error_at(path, source))?;
    let chunks = FileChunks {
        reader: ReaderStream::with_capacity(file, CHUNK),
        hasher: Hasher::default(),
        sha256: slice.sha256.clone(),
        left: slice.length,
        held: None,
        is_over: false,
    };
    let next = |mut chunks: FileChunks| async move {
        let next = chunks.next().await?;
        Ok(next.map(|chunk| (chunk, chunks)))
    };
    Ok(stream::try_unfold(chunks, next).boxed())
}

fn read_error_at(path: &Path, source: io::Error) -> StorageError {
    StorageError::Read {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn digest_mismatch() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, DigestMismatch)
}

/// Recognizes an error whose cause is a file with other bytes.
pub(crate) fn is_digest_mismatch(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<DigestMismatch>() || is_digest_mismatch(inner)) {
            return true;
        }
        cause = error.source();
    }
    false
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
            let parts: Vec<Slice> = upload.slices(PART).collect();
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

    async fn all(upload: &Upload, slice: &Slice) -> (Vec<u8>, Option<StorageError>) {
        let mut chunks = upload.stream(slice).await.expect("it is opened");
        let mut got = vec![];
        loop {
            match chunks.try_next().await {
                Ok(Some(chunk)) => got.extend_from_slice(&chunk),
                Ok(None) => return (got, None),
                Err(error) => return (got, Some(upload.read_error(error))),
            }
        }
    }

    #[tokio::test]
    async fn a_file_of_other_bytes_is_never_sent_whole() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = root.path().join("a");
        let bytes: Vec<u8> = (0..3 * CHUNK + 7).map(|at| at as u8).collect();
        std::fs::write(&file, &bytes).expect("it is written");
        let upload = Upload {
            path: "v/1/a".into(),
            source: UploadBody::File(file.clone()),
            bytes: bytes.len() as u64,
            content_type: String::new(),
            sha256: None,
        };
        let upload = upload.with_hash().await.expect("it is read");
        let (got, error) = all(&upload, &upload.whole()).await;
        assert!(got == bytes && error.is_none(), "{error:?}");
        let parts = upload.parts(CHUNK as u64).await.expect("it is read");
        assert_eq!(parts.len(), 4);

        let mut other = bytes.clone();
        other[2 * CHUNK + 1] ^= 1;
        std::fs::write(&file, &other).expect("it is written");
        let (got, error) = all(&upload, &upload.whole()).await;
        assert!(got.len() < bytes.len(), "{} bytes", got.len());
        assert!(
            matches!(error, Some(StorageError::Changed { .. })),
            "{error:?}"
        );
        let changed = |error| matches!(error, Some(StorageError::Changed { .. }));
        assert!(changed(upload.read(&upload.whole()).await.err()));
        assert!(changed(upload.parts(CHUNK as u64).await.err()));
        for (at, part) in parts.iter().enumerate() {
            let (got, error) = all(&upload, part).await;
            assert_eq!(changed(error), at == 2, "part {at}");
            assert_eq!(got.len() as u64 == part.length, at != 2, "part {at}");
        }
        std::fs::write(&file, &bytes[..bytes.len() - 1]).expect("it is written");
        let (_, error) = all(&upload, &upload.whole()).await;
        let is_short = matches!(error, Some(StorageError::Read { .. }));
        assert!(is_short, "{error:?}");
    }
}
