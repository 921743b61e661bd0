//! The cache of the data centre (Cache API). Every error counts as a miss.

use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use web_sys::ReadableStream;
use worker::{
    Cache, CacheKey, Context, Headers, Method, Request, Response, ResponseBody, ResponseBuilder,
    Result,
};

use super::hold::Held;
use super::streams;
use super::time::{now_ms, within};
use crate::budget::HoldPurpose;
use crate::http::range::ContentRange;
use crate::object::stored::ObjectMetadata;
use crate::operation::cache_policy::{FillRight, FillRights};

/// The time limit of a look-up, in milliseconds.
const TIMEOUT_MS: u32 = 1_000;
/// The header that carries the metadata of the stored object.
const STORED: &str = "X-Lectern-Stored";

/// The entries that this isolate is filling.
static RIGHTS: Mutex<FillRights> = Mutex::new(FillRights::new());

/// Locks briefly and without contention: an isolate has one thread, and no code awaits under the
/// lock.
fn rights() -> MutexGuard<'static, FillRights> {
    RIGHTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cache entry, by its URL.
pub(super) struct CacheEntry {
    cache: Cache,
    url: String,
}

/// A hit.
pub(super) struct Cached {
    pub(super) stored: ObjectMetadata,
    body: ReadableStream,
}

/// The answer to a request for the right to fill.
pub(super) enum FillStart {
    Filling(Filling),
    /// Another request fills it.
    Elsewhere,
}

/// The right to fill an entry. One request has it at a time.
pub(super) struct Filling(FillRight);

impl Drop for Filling {
    fn drop(&mut self) {
        rights().end(&self.0);
    }
}

impl CacheEntry {
    pub(super) fn new(url: String) -> Self {
        Self {
            cache: Cache::default(),
            url,
        }
    }

    pub(super) async fn look_up(&self) -> Option<Cached> {
        self.found(CacheKey::Url(self.url.clone()), 200).await
    }

    /// Reads a part of the entry that [`CacheEntry::look_up`] found.
    pub(super) async fn look_up_part(&self, part: ContentRange) -> Option<Cached> {
        let mut request = Request::new(&self.url, Method::Get).ok()?;
        let range = format!("bytes={}-{}", part.first, part.last);
        request.headers_mut().ok()?.set("Range", &range).ok()?;
        self.found(CacheKey::Request(&request), 206).await
    }

    async fn found(&self, key: CacheKey<'_>, status: u16) -> Option<Cached> {
        let found = within(TIMEOUT_MS, self.cache.get(key, false)).await;
        let response = found?.ok()??;
        let ResponseBody::Stream(body) = response.body().clone() else {
            return None;
        };
        let header = response.headers().get(STORED).ok().flatten();
        let header = header.filter(|_| response.status_code() == status);
        let Some(stored) = header.and_then(|header| ObjectMetadata::from_header(&header)) else {
            streams::discard(&body);
            return None;
        };
        Some(Cached { stored, body })
    }

    /// Requests the right to fill this entry.
    pub(super) fn begin(&self) -> FillStart {
        match rights().begin(&self.url, now_ms()) {
            Some(right) => FillStart::Filling(Filling(right)),
            None => FillStart::Elsewhere,
        }
    }

    /// Caches bytes for some seconds, after the answer. Their memory is held until the cache has
    /// them.
    pub(super) fn keep_bytes(
        self,
        filling: Filling,
        held: Rc<Held>,
        stored: &ObjectMetadata,
        bytes: &[u8],
        seconds: u32,
        context: &Context,
    ) {
        let array = Uint8Array::from(bytes);
        let body = web_sys::Response::new_with_opt_js_u8_array(Some(&array));
        // The response has its own copy.
        streams::free(&array.buffer());
        let Some(body) = body.ok().and_then(|response| response.body()) else {
            return;
        };
        let Ok(response) = kept(stored, seconds, body) else {
            return;
        };
        context.wait_until(async move {
            held.during(self.put(response)).await;
            drop(filling);
        });
    }

    /// Caches a body while it streams to the viewer, whose stream is returned. Bytes that one of
    /// the two has read and the other has not wait in memory. Without room for them, the body goes
    /// to the viewer alone.
    pub(super) fn keep_stream(
        self,
        right: Filling,
        stored: &ObjectMetadata,
        body: &ReadableStream,
        seconds: u32,
        context: &Context,
    ) -> Result<ReadableStream> {
        let Some(held) = Held::now(HoldPurpose::CacheFill, stored.size) else {
            return Ok(body.clone());
        };
        let (viewers, body, sent) = streams::fork(body, stored.size)?;
        let response = kept(stored, seconds, body)?;
        context.wait_until(async move {
            held.during(self.put(response)).await;
            // The cache has the body, so another request may fill the entry again. The viewer's
            // copy may still be streaming.
            drop(right);
            let _ = held.during(JsFuture::from(sent)).await;
        });
        Ok(viewers)
    }

    /// Keeps a response, or nothing if its body breaks off: workerd's cache has such a body, too.
    async fn put(&self, response: Response) {
        if self.cache.put(&self.url, response).await.is_err() {
            let _ = self.cache.delete(&self.url, false).await;
        }
    }

    /// Deletes the entry in this data centre.
    pub(super) fn forget(self, context: &Context) {
        context.wait_until(async move {
            let _ = self.cache.delete(&self.url, false).await;
        });
    }
}

impl Cached {
    pub(super) fn body(&self) -> &ReadableStream {
        &self.body
    }

    pub(super) async fn bytes(&self, held: &Held) -> Result<Vec<u8>> {
        streams::read(&self.body, held).await
    }

    pub(super) fn discard(&self) {
        streams::discard(&self.body);
    }
}

/// The response to cache. It has a length, so that the cache can serve ranges.
fn kept(stored: &ObjectMetadata, seconds: u32, body: ReadableStream) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Cache-Control", &format!("public, max-age={seconds}"))?;
    headers.set("Content-Length", &stored.size.to_string())?;
    headers.set(STORED, &stored.to_header())?;
    Ok(ResponseBuilder::new().with_headers(headers).stream(body))
}
