//! A bucket behind the S3 API: R2, S3 and compatible services.

mod error;
mod multipart;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{StreamExt as _, TryStreamExt as _};
use lectern::object::key::ObjectKey;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, GetOptions, GetRange, ObjectStore as _,
    ObjectStoreExt as _, PutMode, PutOptions, PutPayload, RetryConfig, UpdateVersion,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::digest::{Digest, Hasher};
use crate::layout::MULTIVARIANT;
use crate::storage::concurrency::AdaptiveConcurrency;
use crate::storage::credentials::{Credentials, credentials};
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::storage::location::BucketAddress;
use crate::storage::object::{PutCondition, Upload, Version};
use crate::storage::s3_http::Connector;
use crate::storage::{
    LONGEST_IN_MEMORY, MOST_ENTRIES, ObjectHead, ObjectStream, StoredEntry, StoredObject, retry,
};
use error::is_final;
use multipart::PART;

/// Bodies in memory at the same time.
const MOST_MEMORY: u64 = 32 << 20;
const MIB: u64 = 1 << 20;
/// Attempts beyond those of `object_store`, which never repeats a conditional write whose answer
/// was lost. A repeated write is safe here, because the caller compares what is stored.
const ATTEMPTS: u32 = 3;
/// Empty pages of a list in a row. Removed objects may leave some.
const MOST_EMPTY_PAGES: usize = 1_000;

#[derive(Debug)]
pub(crate) struct S3Store {
    address: BucketAddress,
    store: AmazonS3,
    memory: Semaphore,
}

impl S3Store {
    pub(crate) fn open(address: BucketAddress) -> anyhow::Result<Self> {
        let credentials = credentials(address.scheme)?;
        Self::with_credentials(address, credentials)
    }

    /// Path of the Multivariant Playlist at an edge of this bucket.
    pub(crate) fn master_path(&self) -> String {
        let key = ObjectKey::new(format!("{}/{MULTIVARIANT}", self.address.prefix));
        key.map(|key| key.to_url_path()).unwrap_or_default()
    }

    fn with_credentials(address: BucketAddress, credentials: Credentials) -> anyhow::Result<Self> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&address.bucket)
            .with_region(&address.region)
            .with_access_key_id(credentials.key_id)
            .with_secret_access_key(credentials.secret)
            .with_http_connector(Connector(Arc::new(AdaptiveConcurrency::default())))
            .with_unsigned_payload(address.is_protected())
            // R2 takes one request an object, and `lectern` deletes rarely.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: retry::FIRST,
                    max_backoff: retry::LONGEST,
                    base: 2.0,
                },
                max_retries: retry::ATTEMPTS as usize - 1,
                retry_timeout: Duration::from_secs(180),
            });
        if let Some(session) = credentials.session {
            builder = builder.with_token(session);
        }
        if let Some(endpoint) = &address.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http:"));
        }
        Ok(Self {
            store: builder.build()?,
            address,
            memory: Semaphore::new((MOST_MEMORY / MIB) as usize),
        })
    }

    pub(crate) fn display_name(&self, path: &str) -> String {
        self.address.display_name(path)
    }

    /// Writes an object. Returns false if the condition does not hold.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<bool, StorageError> {
        if upload.bytes > PART {
            return self.put_multipart(upload, condition, journal).await;
        }
        let mode = match condition {
            PutCondition::Any => PutMode::Overwrite,
            PutCondition::Absent => PutMode::Create,
            PutCondition::Is(Version(etag)) => PutMode::Update(UpdateVersion {
                e_tag: Some(etag.clone()),
                version: None,
            }),
        };
        let key = self.key(&upload.path)?;
        let _room = self.room(upload.bytes).await;
        let body = upload.read(&upload.whole()).await?;
        let put = self.repeated(&upload.path, async || {
            let options = PutOptions {
                mode: mode.clone(),
                attributes: attributes(upload),
                ..PutOptions::default()
            };
            let payload = PutPayload::from_bytes(body.clone());
            self.store.put_opts(&key, payload, options).await
        });
        Ok(put.await?.is_some())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        let key = self.key(path)?;
        let found = self.repeated(path, async || {
            let found = absent(self.store.get(&key).await)?;
            let Some(found) = found else { return Ok(None) };
            let version = Version(found.meta.e_tag.clone().unwrap_or_default());
            if found.meta.size > LONGEST_IN_MEMORY as u64 {
                return Ok(Some(None));
            }
            let (mut bytes, mut chunks) = (BytesMut::new(), found.into_stream());
            while let Some(chunk) = chunks.try_next().await? {
                if bytes.len() + chunk.len() > LONGEST_IN_MEMORY {
                    return Ok(Some(None));
                }
                bytes.extend_from_slice(&chunk);
            }
            let bytes = bytes.freeze();
            Ok(Some(Some(StoredObject { bytes, version })))
        });
        match found.await?.flatten() {
            Some(None) => Err(StorageError::TooLargeForMemory {
                path: path.to_owned(),
                most: LONGEST_IN_MEMORY,
            }),
            found => Ok(found.flatten()),
        }
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Option<ObjectHead>, StorageError> {
        let key = self.key(path)?;
        let found = self.repeated(path, async || absent(self.store.head(&key).await));
        Ok(found.await?.flatten().map(|found| ObjectHead {
            bytes: found.size,
            version: Version(found.e_tag.unwrap_or_default()),
        }))
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<ObjectStream<'_>>, StorageError> {
        let key = self.key(path)?;
        let found = self.repeated(path, async || {
            let options = GetOptions {
                if_match: version.map(|version| version.0.clone()),
                range: (from > 0).then_some(GetRange::Offset(from)),
                ..GetOptions::default()
            };
            absent(self.store.get_opts(&key, options).await)
        });
        let Some(found) = found.await?.flatten() else {
            return Ok(None);
        };
        let path = path.to_owned();
        let chunks = (found.into_stream()).map_err(move |error| self.storage_error(&path, &error));
        Ok(Some(chunks.boxed()))
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digest>, StorageError> {
        let key = self.key(path)?;
        self.repeated(path, async || {
            let found = absent(self.store.get(&key).await)?;
            let Some(found) = found else { return Ok(None) };
            let mut chunks = found.into_stream();
            let mut hasher = Hasher::default();
            while let Some(chunk) = chunks.try_next().await? {
                hasher.update(&chunk);
            }
            Ok(Some(hasher.finish()))
        })
        .await
        .map(Option::flatten)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<StoredEntry>, StorageError> {
        let folder = format!("{}/", self.key(prefix.trim_end_matches('/'))?);
        let root = format!("{}/", self.address.prefix);
        let endless = |why: &str| StorageError::EndlessList {
            path: self.address.display_name(prefix),
            why: why.to_owned(),
        };
        let (mut entries, mut objects, mut empty_pages) = (vec![], 0, 0);
        let mut token: Option<String> = None;
        loop {
            let page = self.repeated(prefix, async || {
                let options = PaginatedListOptions {
                    page_token: token.clone(),
                    ..PaginatedListOptions::default()
                };
                self.store.list_paginated(Some(&folder), options).await
            });
            let Some(page) = page.await? else { break };
            let found = page.result.objects;
            objects += found.len();
            empty_pages = if found.is_empty() { empty_pages + 1 } else { 0 };
            entries.extend(found.into_iter().filter_map(|found| {
                Some(StoredEntry {
                    path: found.location.as_ref().strip_prefix(&root)?.to_owned(),
                    bytes: found.size,
                    modified: found.last_modified,
                })
            }));
            let Some(next) = page.page_token else { break };
            if token.as_ref() == Some(&next) {
                return Err(endless("it goes on where it was"));
            }
            if objects > MOST_ENTRIES {
                return Err(endless("it has too many objects"));
            }
            if empty_pages > MOST_EMPTY_PAGES {
                return Err(endless("its pages are empty"));
            }
            token = Some(next);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    pub(crate) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let key = self.key(path)?;
        let removed = self.repeated(path, async || absent(self.store.delete(&key).await));
        removed.await.map(drop)
    }

    fn key(&self, path: &str) -> Result<Path, StorageError> {
        let key = match path {
            "" => self.address.prefix.to_string(),
            path => format!("{}/{path}", self.address.prefix),
        };
        Path::parse(key).map_err(|error| StorageError::Bucket {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }

    async fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let mebibytes = bytes.div_ceil(MIB).clamp(1, MOST_MEMORY / MIB);
        self.memory.acquire_many(mebibytes as u32).await.ok()
    }

    /// Repeats a request that failed for a passing reason. Returns `None` if its condition does not
    /// hold.
    async fn repeated<T>(
        &self,
        path: &str,
        ask: impl AsyncFn() -> object_store::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        let mut attempt = 0;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(
                    Error::AlreadyExists { .. }
                    | Error::Precondition { .. }
                    | Error::NotModified { .. },
                ) => return Ok(None),
                Err(error @ Error::Generic { .. }) => error,
                Err(error) => return Err(self.storage_error(path, &error)),
            };
            attempt += 1;
            if attempt >= ATTEMPTS || is_final(&error) {
                return Err(self.storage_error(path, &error));
            }
            retry::wait(attempt, None).await;
        }
    }
}

/// The headers that the Worker would add, for buckets that another server serves.
fn attributes(upload: &Upload) -> Attributes {
    let seconds = lectern::operation::cache_policy::seconds(&upload.path);
    let cache_control = if upload.is_immutable() {
        format!("max-age={seconds}, immutable")
    } else {
        format!("max-age={seconds}")
    };
    Attributes::from_iter([
        (Attribute::ContentType, upload.content_type.clone()),
        (Attribute::CacheControl, cache_control),
    ])
}

fn absent<T>(found: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match found {
        Err(Error::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A bucket that gives every request the same answer, and the number of requests.
    fn bucket(answer: &'static str) -> (S3Store, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let counted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&counted);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let mut lines = BufReader::new(&stream).lines();
                while lines
                    .next()
                    .is_some_and(|line| !line.unwrap_or_default().is_empty())
                {}
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        let address = BucketAddress {
            scheme: "s3",
            bucket: "b".into(),
            prefix: ObjectKey::new("c".to_owned()).expect("a prefix"),
            endpoint: Some(format!("http://{address}")),
            region: "auto".into(),
        };
        let credentials = Credentials {
            key_id: "k".into(),
            secret: "s".into(),
            session: None,
        };
        let store = S3Store::with_credentials(address, credentials).expect("it is opened");
        (store, counted)
    }

    #[tokio::test]
    async fn no_room_is_made_for_whatever_size_a_bucket_announces() {
        let (store, _) = bucket(
            "HTTP/1.1 200 OK\r\nContent-Length: 10000000000000\r\nETag: \"a\"\r\n\
             Last-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\nConnection: close\r\n\r\n",
        );
        let error = store.get("master.m3u8").await.expect_err("too large");
        assert!(
            matches!(error, StorageError::TooLargeForMemory { .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn no_room_is_made_for_whatever_size_a_list_announces() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 10000000000000\r\nConnection: close\r\n\r\n<",
            "HTTP/1.1 400 No\r\nContent-Length: 10000000000000\r\nConnection: close\r\n\r\n<",
        ] {
            let (store, _) = bucket(answer);
            let error = store.list("").await.expect_err("too large").to_string();
            assert!(error.contains("the answer is larger than"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_list_that_goes_on_where_it_was_is_given_up() {
        let (store, asked) = bucket(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListBucketResult><IsTruncated>true\
             </IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
        );
        let error = store.list("").await.expect_err("it has no end").to_string();
        assert!(error.contains("it goes on where it was"), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
