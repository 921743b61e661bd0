//! Publishes through the edge with a link: streams from disk, and retries.

mod client;
mod revocations;
mod watched;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone as _, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lectern::credential::claims::Purpose;
use lectern::operation::status::is_status_name;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, RANGE,
};
use reqwest::{Method, StatusCode};

pub(crate) use self::revocations::{ListChange, RevocationEntry, revocations};
pub(crate) use self::watched::{WatchData, WatchedEntry};

use self::client::{EdgeClient, EdgeResponse};
use self::wire::{CompletedPart, CompletedUpload, CreatedUpload, ListAnswer, percent_encode};
use super::error::StorageError;
use super::journal::{BegunUpload, Journal};
use super::location::EdgeAddress;
use super::object::{PutCondition, Slice, Upload, Version};
use super::{MOST_ENTRIES, ObjectHead, ObjectStream, StoredEntry, StoredObject};
use crate::digest::Digest;

/// The largest object that one request uploads. Larger ones are uploaded in parts.
pub(crate) const MAX_WHOLE_BYTES: u64 = 64 << 20;
/// Bytes of each part but the last.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parallel parts of one object.
const PARTS_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(crate) struct EdgeStore {
    prefix: EdgeAddress,
    client: EdgeClient,
}

impl EdgeStore {
    pub(crate) fn open(prefix: EdgeAddress) -> anyhow::Result<Self> {
        Ok(Self {
            client: EdgeClient::open(&prefix)?,
            prefix,
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        // Package paths are valid keys; `open` and `Job` create no others.
        self.prefix.url(path).unwrap_or_default()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.client.is_readable()
    }

    /// Keys mint the links of requests, not an upload link.
    pub(crate) fn has_keys(&self) -> bool {
        self.client.has_keys()
    }

    /// Returns `false` if the condition does not hold.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<bool, StorageError> {
        let put = if upload.bytes > MAX_WHOLE_BYTES {
            self.put_in_parts(upload, condition, journal).await
        } else {
            let url = self.url(&upload.path);
            let whole = upload.whole();
            let sent = self
                .client
                .send(&upload.path, purpose_of(&upload.path), async || {
                    let request = self.client.put(&url, upload, &whole).await?;
                    Ok(conditional(request, condition).header(CONTENT_TYPE, &upload.content_type))
                });
            sent.await.map(drop)
        };
        match put {
            Ok(()) => Ok(true),
            Err(StorageError::Refused { status: 412, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_in_parts(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        if let Some(begun) = journal.find_upload(&upload.path) {
            match self.send_parts(upload, condition, begun, journal).await {
                // The upload may have been aborted, by this command or by the bucket after some
                // days (404), or its parts do not fit the file (400).
                Err(StorageError::Refused {
                    status: 400 | 404, ..
                }) => {}
                sent => return sent,
            }
        }
        let url = self.url(&upload.path);
        let answer = self.client.send(&upload.path, Purpose::Upload, async || {
            let request = self.client.request(Method::POST, &format!("{url}?uploads"));
            Ok(request.header(CONTENT_TYPE, &upload.content_type))
        });
        let CreatedUpload { upload_id } = wire::parse_body(&answer.await?.body, &upload.path)?;
        journal.record_upload(&upload.path, &upload_id, PART_BYTES);
        let begun = BegunUpload {
            id: upload_id,
            part: PART_BYTES,
            parts: BTreeMap::new(),
        };
        self.send_parts(upload, condition, begun, journal).await
    }

    /// Sends the parts that the journal lacks. After an interruption, stored parts stay for the
    /// next run.
    async fn send_parts(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        begun: BegunUpload,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        let BegunUpload { id, part, parts } = begun;
        let (url, id) = (self.url(&upload.path), percent_encode(&id));
        let slices: Vec<(u32, Slice)> = (1..).zip(upload.parts(part).await?).collect();
        let parts: Vec<CompletedPart> = stream::iter(slices)
            .map(|(part_number, slice)| {
                let url = format!("{url}?partNumber={part_number}&uploadId={id}");
                let known = parts.get(&part_number).cloned();
                async move {
                    if let Some(etag) = known {
                        return Ok(CompletedPart { part_number, etag });
                    }
                    let sent = self.client.send(&upload.path, Purpose::Upload, async || {
                        self.client.put(&url, upload, &slice).await
                    });
                    let part: CompletedPart = wire::parse_body(&sent.await?.body, &upload.path)?;
                    journal.record_part(&upload.path, part_number, &part.etag);
                    Ok::<_, StorageError>(part)
                }
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        let body = serde_json::to_vec(&CompletedUpload { parts }).unwrap_or_default();
        let completed = self.client.send(&upload.path, Purpose::Upload, async || {
            let url = format!("{url}?uploadId={id}");
            let request = self.client.request(Method::POST, &url);
            Ok(conditional(request, condition)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()))
        });
        completed.await.map(drop)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Option<StoredObject>, StorageError> {
        let url = format!("{}?as=stored", self.url(path));
        let sent = self.client.send(path, Purpose::Admin, async || {
            Ok(self.client.request(Method::GET, &url))
        });
        Ok(found(sent.await)?.map(|sent| StoredObject {
            version: version(&sent),
            bytes: sent.body.into(),
        }))
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Option<ObjectHead>, StorageError> {
        let url = format!("{}?as=stored", self.url(path));
        let sent = self.client.send(path, Purpose::Admin, async || {
            Ok(self.client.request(Method::HEAD, &url))
        });
        let sent = found(sent.await)?;
        Ok(sent.and_then(|sent| {
            Some(ObjectHead {
                bytes: sent.header(CONTENT_LENGTH).parse().ok()?,
                version: version(&sent),
            })
        }))
    }

    pub(crate) async fn read(
        &self,
        path: &str,
        from: u64,
        version: Option<&Version>,
    ) -> Result<Option<ObjectStream<'_>>, StorageError> {
        let url = format!("{}?as=stored", self.url(path));
        let mut headers = HeaderMap::new();
        let condition = version.map(|Version(etag)| (IF_MATCH, format!("\"{etag}\"")));
        let range = (from > 0).then(|| (RANGE, format!("bytes={from}-")));
        for (name, value) in condition.into_iter().chain(range) {
            headers.extend(HeaderValue::from_str(&value).map(|value| (name, value)));
        }
        match self.client.read(path, &url, &headers).await {
            Err(StorageError::Refused { status: 412, .. }) => Ok(None),
            read => found(read),
        }
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digest>, StorageError> {
        let url = format!("{}?as=stored", self.url(path));
        found(self.client.digest(path, &url).await)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<StoredEntry>, StorageError> {
        let root = self.prefix.directory();
        // Object keys have no leading slash.
        let root = root.trim_start_matches('/');
        let directory = self.prefix.directory_url(prefix);
        let mut entries: Vec<StoredEntry> = vec![];
        let mut after = String::new();
        let endless = |why: &str| StorageError::EndlessList {
            path: directory.clone(),
            why: why.to_owned(),
        };
        loop {
            let url = format!("{directory}?as=list{after}");
            let sent = self.client.send(prefix, Purpose::Admin, async || {
                Ok(self.client.request(Method::GET, &url))
            });
            let ListAnswer { objects, truncated } = wire::parse_body(&sent.await?.body, prefix)?;
            let count = entries.len();
            entries.extend(objects.into_iter().filter_map(|object| {
                Some(StoredEntry {
                    path: object.key.strip_prefix(root)?.to_owned(),
                    bytes: object.bytes,
                    modified: time(object.uploaded),
                })
            }));
            if entries.len() > MOST_ENTRIES {
                return Err(endless("it has too many objects"));
            }
            match entries.last() {
                Some(last) if truncated && entries.len() > count => {
                    let below = last.path.strip_prefix(prefix).unwrap_or(&last.path);
                    let next = format!("&after={}", escaped_path(below));
                    if std::mem::replace(&mut after, next) == after {
                        return Err(endless("it goes on where it was"));
                    }
                }
                _ => return Ok(entries),
            }
        }
    }

    /// Removes an object; a missing one counts as removed.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let url = self.url(path);
        let sent = self.client.send(path, Purpose::Upload, async || {
            Ok(self.client.request(Method::DELETE, &url))
        });
        found(sent.await).map(drop)
    }
}

/// The use of the link that stores an object. The edge takes a status from an administrator only.
fn purpose_of(path: &str) -> Purpose {
    let name = path.rsplit('/').next().unwrap_or(path);
    match is_status_name(name) {
        true => Purpose::Admin,
        false => Purpose::Upload,
    }
}

fn version(sent: &EdgeResponse) -> Version {
    Version(sent.header(ETAG).trim_matches('"').to_owned())
}

fn conditional(
    request: reqwest::RequestBuilder,
    condition: &PutCondition,
) -> reqwest::RequestBuilder {
    match condition {
        PutCondition::Any => request,
        PutCondition::Absent => request.header("if-none-match", "*"),
        PutCondition::Is(Version(etag)) => request.header("if-match", format!("\"{etag}\"")),
    }
}

fn found<T>(sent: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    const NOT_FOUND: u16 = StatusCode::NOT_FOUND.as_u16();
    match sent {
        Err(StorageError::Refused {
            status: NOT_FOUND, ..
        }) => Ok(None),
        sent => sent.map(Some),
    }
}

fn time(milliseconds: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(milliseconds)
        .single()
        .unwrap_or_default()
}

/// Escapes a path for a query, in which `&` and `+` have a meaning.
fn escaped_path(path: &str) -> String {
    path.split('/')
        .map(percent_encode)
        .collect::<Vec<_>>()
        .join("/")
}
