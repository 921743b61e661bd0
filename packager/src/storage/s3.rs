//! Publishing into a bucket by the S3 API: R2, S3 and what speaks like them.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, GetOptions, GetRange, ObjectStore as _,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
    UpdateVersion,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::concurrency::{AdaptiveConcurrency, MAX_REQUESTS};
use super::credentials::{Credentials, credentials};
use super::error::StorageError;
use super::journal::{BegunUpload, Journal};
use super::location::BucketAddress;
use super::object::{PutCondition, Upload, Version};
use super::s3_http::Connector;
use super::{
    LONGEST_IN_MEMORY, MOST_ENTRIES, ObjectHead, ObjectStream, StoredEntry, StoredObject, retry,
};
use crate::digest::{Digest, Hasher};

/// Above this an object goes up in parts of this, so that no body in memory is larger.
const PART: u64 = 8 << 20;
/// S3 and R2 take 10,000.
const MOST_PARTS: u64 = 9_000;
/// Bodies in memory at the same time.
const MOST_MEMORY: u64 = 32 << 20;
const MIB: u64 = 1 << 20;
/// On top of what `object_store` does: it does not repeat a conditional write whose answer was lost, since it cannot know
/// what became of it. We can: what is there is compared.
const ATTEMPTS: u32 = 3;
/// Pages of a list that hold nothing, one after the other: removed objects may leave some.
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
        Self::opened_with(address, credentials)
    }

    fn opened_with(address: BucketAddress, credentials: Credentials) -> anyhow::Result<Self> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&address.bucket)
            .with_region(&address.region)
            .with_access_key_id(credentials.key_id)
            .with_secret_access_key(credentials.secret)
            .with_http_connector(Connector(Arc::new(AdaptiveConcurrency::default())))
            .with_unsigned_payload(address.is_protected())
            // R2 wants one request an object; deleting is rare.
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

    pub(crate) fn name(&self, path: &str) -> String {
        self.address.name(path)
    }

    /// False where the condition does not hold.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<bool, StorageError> {
        if upload.bytes > PART {
            return self.put_in_parts(upload, condition, journal).await;
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

    async fn put_in_parts(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<bool, StorageError> {
        let there = self.head(&upload.path).await?;
        let holds = match condition {
            PutCondition::Any => true,
            PutCondition::Absent => there.is_none(),
            // Nothing that is replaced is that large.
            PutCondition::Is(_) => false,
        };
        if !holds {
            return Ok(false);
        }
        let key = self.key(&upload.path)?;
        let taken_up = journal.under_way(&upload.path);
        let was_taken_up = taken_up.is_some();
        let sent = match taken_up {
            Some(begun) => self.send_parts(upload, &key, begun, journal).await,
            None => self.begin(upload, &key, journal).await,
        };
        match sent {
            // It may have been given up in between, by us or by the bucket, which does so after some days.
            Err(StorageError::Bucket { .. } | StorageError::Nothing(_)) if was_taken_up => {
                self.begin(upload, &key, journal).await?;
            }
            sent => sent?,
        }
        Ok(true)
    }

    async fn begin(
        &self,
        upload: &Upload,
        key: &Path,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        let id = self.repeated(&upload.path, async || {
            let options = PutMultipartOptions {
                attributes: attributes(upload),
                ..PutMultipartOptions::default()
            };
            self.store.create_multipart_opts(key, options).await
        });
        let id = id.await?.unwrap_or_default();
        let part = part_size(upload.bytes);
        journal.begun(&upload.path, &id, part);
        let begun = BegunUpload {
            id,
            part,
            parts: Default::default(),
        };
        self.send_parts(upload, key, begun, journal).await
    }

    /// Parts that the journal has are there; if this is interrupted, those that are there stay for the next time.
    async fn send_parts(
        &self,
        upload: &Upload,
        key: &Path,
        begun: BegunUpload,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        let BegunUpload { id, part, parts } = begun;
        let slices: Vec<_> = (0_usize..).zip(upload.parts(part).await?).collect();
        let sent: Vec<PartId> = stream::iter(slices)
            .map(|(at, slice)| {
                let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
                let (id, known) = (&id, parts.get(&number).cloned());
                async move {
                    if let Some(content_id) = known {
                        return Ok(PartId { content_id });
                    }
                    let _room = self.room(slice.length).await;
                    let body = upload.read(&slice).await?;
                    let sent = self.repeated(&upload.path, async || {
                        let payload = PutPayload::from_bytes(body.clone());
                        self.store.put_part(key, id, at, payload).await
                    });
                    let sent = sent.await?.ok_or_else(|| lost_upload(upload))?;
                    journal.part(&upload.path, number, &sent.content_id);
                    Ok::<_, StorageError>(sent)
                }
            })
            .buffered(MAX_REQUESTS)
            .try_collect()
            .await?;
        let completed = self.repeated(&upload.path, async || {
            let completed = self.store.complete_multipart(key, &id, sent.clone()).await;
            match completed {
                // Completed, and the answer lost: the upload is gone and the object is there.
                Err(Error::NotFound { .. })
                    if self
                        .store
                        .head(key)
                        .await
                        .is_ok_and(|found| found.size == upload.bytes) =>
                {
                    Ok(())
                }
                completed => completed.map(drop),
            }
        });
        completed.await?.ok_or_else(|| lost_upload(upload))
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
            Some(None) => Err(StorageError::LongAnswer {
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
        let chunks = (found.into_stream()).map_err(move |error| self.request_error(&path, &error));
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
            path: self.address.name(prefix),
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
        let wanted = bytes.div_ceil(MIB).clamp(1, MOST_MEMORY / MIB);
        self.memory.acquire_many(wanted as u32).await.ok()
    }

    /// None where a condition does not hold.
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
                Err(error) => return Err(self.request_error(path, &error)),
            };
            attempt += 1;
            if attempt >= ATTEMPTS || is_final(&error) {
                return Err(self.request_error(path, &error));
            }
            retry::wait(attempt, None).await;
        }
    }

    fn request_error(&self, path: &str, error: &Error) -> StorageError {
        let why = words(error);
        let path = match path {
            "" => self.address.name(""),
            path => path.to_owned(),
        };
        match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                StorageError::Denied { path, why }
            }
            Error::NotFound { .. } => StorageError::Nothing(path),
            // A list that is refused is not told apart.
            error if matches!(status(error), Some(401 | 403)) => StorageError::Denied { path, why },
            _ => StorageError::Bucket { path, why },
        }
    }
}

/// Equal parts, of which there are not too many.
fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_PARTS).div_ceil(MIB).max(PART / MIB) * MIB
}

/// What the Worker says of the same object by itself, for those who serve the bucket in another way.
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

fn lost_upload(upload: &Upload) -> StorageError {
    StorageError::Bucket {
        path: upload.path.clone(),
        why: "the upload in parts is gone".to_owned(),
    }
}

fn absent<T>(found: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match found {
        Err(Error::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// An answer that the same question will get again.
fn is_final(error: &Error) -> bool {
    status(error).is_some_and(|status| !retry::is_worthwhile(status))
}

/// `object_store` tells it in words alone.
fn status(error: &Error) -> Option<u16> {
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        let status = (message.split_once("status code: "))
            .and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
        if status.is_some() {
            return status;
        }
        cause = next.source();
    }
    None
}

/// The last cause; of an answer in XML, its code and message.
fn words(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        message = next.to_string();
        cause = next.source();
    }
    let element = |name: &str| {
        let (_, rest) = message.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    let message = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => message,
    };
    message
        .chars()
        .filter(|character| !character.is_control())
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn parts_are_equal_whole_mebibytes_and_not_too_many() {
        for (bytes, expected) in [
            (PART + 1, PART),
            (2 << 30, PART),
            (100_000_000_000, 11 * MIB),
            (1 << 40, 117 * MIB),
        ] {
            let part = part_size(bytes);
            assert_eq!(part, expected, "{bytes}");
            assert!(bytes.div_ceil(part) <= MOST_PARTS, "{bytes}");
        }
    }

    /// A bucket that answers everything with these headers and this, and the requests that it gets.
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
            prefix: lectern::object::key::ObjectKey::new("c".to_owned()).expect("a prefix"),
            endpoint: Some(format!("http://{address}")),
            region: "auto".into(),
        };
        let credentials = Credentials {
            key_id: "k".into(),
            secret: "s".into(),
            session: None,
        };
        let store = S3Store::opened_with(address, credentials).expect("it is opened");
        (store, counted)
    }

    #[tokio::test]
    async fn no_room_is_made_for_whatever_size_a_bucket_announces() {
        let (store, _) = bucket(
            "HTTP/1.1 200 OK\r\nContent-Length: 10000000000000\r\nETag: \"a\"\r\n\
             Last-Modified: Sun, 29 Nov 2026 12:00:00 GMT\r\nConnection: close\r\n\r\n",
        );
        let error = store.get("master.m3u8").await.expect_err("too large");
        assert!(matches!(error, StorageError::LongAnswer { .. }), "{error}");
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
