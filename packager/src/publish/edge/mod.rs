//! Publishing through the edge, with a link: streamed from disk, tried again where that can help.

mod client;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone as _, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lectern::link::Use;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, RANGE,
};
use reqwest::{Method, StatusCode};

use self::client::{Client, Sent};
use self::wire::{Completed, Created, Listed, Part, escaped};
use super::PublishError;
use super::journal::{Begun, Journal};
use super::store::{Chunks, Digested, Entry, Head, Stored};
use super::target::Prefix;
use super::upload::{Condition, Slice, Upload, Version};

/// Above this an object goes up in parts.
const LARGE: u64 = 64 << 20;
const PART: u64 = 16 << 20;
/// Parts of one object at the same time.
const PARTS_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(crate) struct EdgeTarget {
    prefix: Prefix,
    client: Client,
}

impl EdgeTarget {
    pub(crate) fn open(prefix: Prefix) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::open(&prefix)?,
            prefix,
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        // Paths of a package are keys; `open` and `Job` make no others.
        self.prefix.url(path).unwrap_or_default()
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.client.is_readable()
    }

    /// False where the condition does not hold.
    pub(crate) async fn put(
        &self,
        upload: &Upload,
        condition: &Condition,
        journal: &Journal,
    ) -> Result<bool, PublishError> {
        let put = if upload.bytes > LARGE {
            self.put_in_parts(upload, condition, journal).await
        } else {
            let url = self.url(&upload.path);
            let whole = upload.whole();
            let sent = self.client.send(&upload.path, Use::Upload, async || {
                let request = self.client.put(&url, upload, &whole).await?;
                Ok(conditional(request, condition).header(CONTENT_TYPE, &upload.content_type))
            });
            sent.await.map(drop)
        };
        match put {
            Ok(()) => Ok(true),
            Err(PublishError::Refused { status: 412, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_in_parts(
        &self,
        upload: &Upload,
        condition: &Condition,
        journal: &Journal,
    ) -> Result<(), PublishError> {
        if let Some(begun) = journal.under_way(&upload.path) {
            match self.send_parts(upload, condition, begun, journal).await {
                // It may have been given up in between, by us or by the bucket, which does so after some days.
                Err(PublishError::Refused { status: 400, .. }) => {}
                sent => return sent,
            }
        }
        let url = self.url(&upload.path);
        let answer = self.client.send(&upload.path, Use::Upload, async || {
            let request = self.client.request(Method::POST, &format!("{url}?uploads"));
            Ok(request.header(CONTENT_TYPE, &upload.content_type))
        });
        let Created { upload_id } = wire::understood(&answer.await?.body, &upload.path)?;
        journal.begun(&upload.path, &upload_id, PART);
        let begun = Begun {
            id: upload_id,
            part: PART,
            parts: BTreeMap::new(),
        };
        self.send_parts(upload, condition, begun, journal).await
    }

    /// Parts that the journal has are there; if this is interrupted, those that are there stay for the next time.
    async fn send_parts(
        &self,
        upload: &Upload,
        condition: &Condition,
        begun: Begun,
        journal: &Journal,
    ) -> Result<(), PublishError> {
        let Begun { id, part, parts } = begun;
        let (url, id) = (self.url(&upload.path), escaped(&id));
        let slices: Vec<(u32, Slice)> = (1..).zip(upload.parts(part).await?).collect();
        let parts: Vec<Part> = stream::iter(slices)
            .map(|(part_number, slice)| {
                let url = format!("{url}?partNumber={part_number}&uploadId={id}");
                let known = parts.get(&part_number).cloned();
                async move {
                    if let Some(etag) = known {
                        return Ok(Part { part_number, etag });
                    }
                    let sent = self.client.send(&upload.path, Use::Upload, async || {
                        self.client.put(&url, upload, &slice).await
                    });
                    let part: Part = wire::understood(&sent.await?.body, &upload.path)?;
                    journal.part(&upload.path, part_number, &part.etag);
                    Ok::<_, PublishError>(part)
                }
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        let body = serde_json::to_vec(&Completed { parts }).unwrap_or_default();
        let completed = self.client.send(&upload.path, Use::Upload, async || {
            let url = format!("{url}?uploadId={id}");
            let request = self.client.request(Method::POST, &url);
            Ok(conditional(request, condition)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()))
        });
        completed.await.map(drop)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Option<Stored>, PublishError> {
        let url = format!("{}?as=stored", self.url(path));
        let sent = self.client.send(path, Use::Admin, async || {
            Ok(self.client.request(Method::GET, &url))
        });
        Ok(found(sent.await)?.map(|sent| Stored {
            version: version(&sent),
            bytes: sent.body.into(),
        }))
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Option<Head>, PublishError> {
        let url = format!("{}?as=stored", self.url(path));
        let sent = self.client.send(path, Use::Admin, async || {
            Ok(self.client.request(Method::HEAD, &url))
        });
        let sent = found(sent.await)?;
        Ok(sent.and_then(|sent| {
            Some(Head {
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
    ) -> Result<Option<Chunks<'_>>, PublishError> {
        let url = format!("{}?as=stored", self.url(path));
        let mut headers = HeaderMap::new();
        let condition = version.map(|Version(etag)| (IF_MATCH, format!("\"{etag}\"")));
        let range = (from > 0).then(|| (RANGE, format!("bytes={from}-")));
        for (name, value) in condition.into_iter().chain(range) {
            headers.extend(HeaderValue::from_str(&value).map(|value| (name, value)));
        }
        match self.client.read(path, &url, &headers).await {
            Err(PublishError::Refused { status: 412, .. }) => Ok(None),
            read => found(read),
        }
    }

    pub(crate) async fn digest(&self, path: &str) -> Result<Option<Digested>, PublishError> {
        let url = format!("{}?as=stored", self.url(path));
        found(self.client.digest(path, &url).await)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Entry>, PublishError> {
        let root = self.prefix.directory();
        // As object keys have it.
        let root = root.trim_start_matches('/');
        let directory = self.prefix.directory_url(prefix);
        let mut entries: Vec<Entry> = vec![];
        let mut after = String::new();
        loop {
            let url = format!("{directory}?as=list{after}");
            let sent = self.client.send(prefix, Use::Admin, async || {
                Ok(self.client.request(Method::GET, &url))
            });
            let Listed { objects, truncated } = wire::understood(&sent.await?.body, prefix)?;
            let count = entries.len();
            entries.extend(objects.into_iter().filter_map(|object| {
                Some(Entry {
                    path: object.key.strip_prefix(root)?.to_owned(),
                    bytes: object.bytes,
                    modified: time(object.uploaded),
                })
            }));
            match entries.last() {
                Some(last) if truncated && entries.len() > count => {
                    let below = last.path.strip_prefix(prefix).unwrap_or(&last.path);
                    after = format!("&after={}", escaped_path(below));
                }
                _ => return Ok(entries),
            }
        }
    }

    /// What is not there is as good as removed.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), PublishError> {
        let url = self.url(path);
        let sent = self.client.send(path, Use::Upload, async || {
            Ok(self.client.request(Method::DELETE, &url))
        });
        found(sent.await).map(drop)
    }
}

fn version(sent: &Sent) -> Version {
    Version(sent.header(ETAG).trim_matches('"').to_owned())
}

fn conditional(request: reqwest::RequestBuilder, condition: &Condition) -> reqwest::RequestBuilder {
    match condition {
        Condition::Any => request,
        Condition::Absent => request.header("if-none-match", "*"),
        Condition::Is(Version(etag)) => request.header("if-match", format!("\"{etag}\"")),
    }
}

fn found<T>(sent: Result<T, PublishError>) -> Result<Option<T>, PublishError> {
    const NOT_FOUND: u16 = StatusCode::NOT_FOUND.as_u16();
    match sent {
        Err(PublishError::Refused {
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

/// A path in a query, where `&` and `+` mean something else.
fn escaped_path(path: &str) -> String {
    path.split('/').map(escaped).collect::<Vec<_>>().join("/")
}
