//! Stores: a folder, a bucket, or a prefix behind an edge, with their common operations.

pub(crate) mod concurrency;
pub(crate) mod credentials;
pub(crate) mod edge;
pub(crate) mod error;
mod folder;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod location;
pub(crate) mod notation;
pub(crate) mod object;
pub(crate) mod retry;
mod s3;
mod s3_http;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::digest::Digest;
use crate::layout::MULTIVARIANT;
use crate::progress::Progress;
use edge::EdgeStore;
use error::StorageError;
use folder::FolderStore;
use journal::Journal;
use location::Location;
use location::ReachArgs;
use object::{PutCondition, PutOutcome, Upload, Version};
use s3::S3Store;

/// Requests are signed and reveal no key, so this is a warning only.
const PLAIN_BUCKET: &str = "the bucket's endpoint uses HTTP without TLS: requests do not reveal the key, but everybody \
    on the network path can read objects, change responses, and repeat a request for 15 minutes; use https://, or \
    silence this warning with --allow-plain-http";
/// Maximum bytes of an object in memory; lists, playlists and package descriptions are far smaller.
const LONGEST_IN_MEMORY: usize = 64 << 20;
/// Maximum entries of a list; a thousand lectures of many hours have fewer.
const MOST_ENTRIES: usize = 10_000_000;
/// Attempts to read an object that appears and disappears.
const LOOKS: u32 = 3;

#[derive(Debug)]
pub(crate) enum Store {
    Folder(FolderStore),
    Bucket(Box<S3Store>),
    Edge(Box<EdgeStore>),
}

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredObject {
    pub(crate) bytes: Bytes,
    pub(crate) version: Version,
}

/// Metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectHead {
    pub(crate) bytes: u64,
    pub(crate) version: Version,
}

/// Bytes of an object as a stream. After an error, the caller requests the rest.
pub(crate) type ObjectStream<'a> = BoxStream<'a, Result<Bytes, StorageError>>;

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    /// Path from the package's root.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Store {
    /// Parses a target, and reads its credentials.
    pub(crate) fn open(text: &str, reach: &ReachArgs) -> anyhow::Result<Self> {
        let place = Location::parse(text, reach)?;
        if let Location::Bucket(address) = &place
            && !reach.allow_plain_http
            && !address.is_protected()
        {
            Progress::new(false).caution(PLAIN_BUCKET);
        }
        Ok(match place {
            Location::Folder(folder) => Self::Folder(FolderStore::new(folder)),
            Location::Bucket(address) => Self::Bucket(Box::new(S3Store::open(address)?)),
            Location::Edge(prefix) => Self::Edge(Box::new(EdgeStore::open(prefix)?)),
        })
    }

    /// URL or path of the Multivariant Playlist.
    pub(crate) fn master(&self) -> String {
        self.display_name(MULTIVARIANT)
    }

    /// Path of the lecture's folder at an edge; `None` for a folder of this machine.
    pub(crate) fn lecture_path(&self) -> Option<String> {
        let master = match self {
            Self::Folder(_) => return None,
            Self::Bucket(target) => target.master_path(),
            Self::Edge(target) => {
                let url = target.url(MULTIVARIANT);
                let (_, rest) = url.split_once("://")?;
                rest[rest.find('/')?..].to_owned()
            }
        };
        master.strip_suffix(MULTIVARIANT).map(str::to_owned)
    }

    /// Name of an object for the user.
    pub(crate) fn display_name(&self, path: &str) -> String {
        match self {
            Self::Folder(target) => target.display_name(path),
            Self::Bucket(target) => target.display_name(path),
            Self::Edge(target) => target.url(path),
        }
    }

    /// Reading is possible; an upload link only writes.
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            Self::Folder(_) | Self::Bucket(_) => true,
            Self::Edge(target) => target.is_readable(),
        }
    }

    /// Writes an object if the condition holds. An existing immutable object counts as written. A
    /// mutable one counts if it has the same bytes.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<PutOutcome, StorageError> {
        let mut look = 0;
        loop {
            let is_written = match self {
                Self::Folder(target) => target.put(upload, condition).await,
                Self::Bucket(target) => target.put(upload, condition, journal).await,
                Self::Edge(target) => target.put(upload, condition, journal).await,
            }?;
            if is_written {
                return Ok(PutOutcome::Written);
            }
            if !self.is_readable() {
                return Ok(PutOutcome::AlreadyThere);
            }
            if upload.is_immutable() {
                match self.size(&upload.path).await? {
                    Some(bytes) if bytes == upload.bytes => return Ok(PutOutcome::AlreadyThere),
                    Some(_) => {
                        return Err(StorageError::Differs {
                            path: upload.path.clone(),
                        });
                    }
                    // Some servers answer two parallel writers with a conflict.
                    None if look < LOOKS => {
                        look += 1;
                        retry::wait(look, None).await;
                        continue;
                    }
                    None => {}
                }
            } else {
                // The response to an earlier write may have been lost.
                let there = self.get(&upload.path).await?;
                let own = upload.read(&upload.whole()).await?;
                if there.is_some_and(|there| there.bytes == own) {
                    return Ok(PutOutcome::AlreadyThere);
                }
            }
            return Err(StorageError::Lost {
                path: upload.path.clone(),
            });
        }
    }

    /// Writes an object unconditionally.
    pub(crate) async fn replace(&self, upload: &Upload) -> Result<(), StorageError> {
        self.put(upload, &PutCondition::Any, &Journal::none())
            .await
            .map(drop)
    }

    /// Reads the current object into memory.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        match self {
            Self::Folder(target) => target.get(path),
            Self::Bucket(target) => target.get(path).await,
            Self::Edge(target) => target.get(path).await,
        }
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Option<ObjectHead>, StorageError> {
        match self {
            Self::Folder(target) => target.head(path),
            Self::Bucket(target) => target.head(path).await,
            Self::Edge(target) => target.head(path).await,
        }
    }

    pub(crate) async fn size(&self, path: &str) -> Result<Option<u64>, StorageError> {
        Ok(self.head(path).await?.map(|head| head.bytes))
    }

    /// Streams an object from byte `from` on; `None` if it is gone or has another version.
    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<ObjectStream<'_>>, StorageError> {
        match self {
            Self::Folder(target) => target.read(path, from, version).await,
            Self::Bucket(target) => target.read(path, from, version).await,
            Self::Edge(target) => target.read(path, from, version).await,
        }
    }

    /// Size and hash of an object, computed chunk by chunk.
    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digest>, StorageError> {
        match self {
            Self::Folder(target) => target.digest(path).await,
            Self::Bucket(target) => target.digest(path).await,
            Self::Edge(target) => target.digest(path).await,
        }
    }

    /// Lists the objects below a folder, which is empty or ends in a slash, sorted by path.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<StoredEntry>, StorageError> {
        match self {
            Self::Folder(target) => target.list(prefix),
            Self::Bucket(target) => target.list(prefix).await,
            Self::Edge(target) => target.list(prefix).await,
        }
    }

    /// Removes an object. One that is not found counts as removed.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        match self {
            Self::Folder(target) => target.remove(path),
            Self::Bucket(target) => target.remove(path).await,
            Self::Edge(target) => target.remove(path).await,
        }
    }
}
