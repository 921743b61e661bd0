//! The data centre's cache (Cache API). A cache that fails is a cache that has nothing: every error here is a miss.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{ReadableStream, Response};

use super::js::{self, Body, call, called, settled, wait_until, within};
use crate::http::range::ContentRange;
use crate::storage::Stored;

/// How long the cache may take to say what it has, in milliseconds.
const TIMEOUT_MS: u32 = 1_000;
/// Bodies that are on their way into the cache and to slow viewers at the same time wait in memory, of which an isolate
/// has 128 MB. Beyond this they only go to the viewers.
const MAX_FILLING_BYTES: u64 = 48 << 20;
/// A fill that takes longer was cut off with its request.
const MAX_FILLING_MS: f64 = 15_000.0;
/// Carries what storage said of the object.
const STORED: &str = "X-Lectern-Stored";

/// What this isolate is filling the cache with.
static FILLING: Mutex<Vec<Fill>> = Mutex::new(Vec::new());

/// Held for a moment and by one: an isolate has one thread, and nothing waits here.
fn filling() -> MutexGuard<'static, Vec<Fill>> {
    FILLING.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Fill {
    number: u32,
    url: String,
    since: f64,
    bytes: u64,
    /// Whether the cache has it, and only the viewer's copy is still on its way.
    is_kept: bool,
}

/// An entry of the cache, by the URL that it is under.
pub(super) struct Entry {
    cache: JsValue,
    url: String,
}

/// What the cache has.
pub(super) struct Cached {
    pub(super) stored: Stored,
    response: Body,
}

/// Whether this request fills the cache.
pub(super) enum Begun {
    Filling(Filling),
    /// Another request does.
    Elsewhere,
}

/// The right to fill an entry, given to one request at a time.
pub(super) struct Filling(u32);

impl Drop for Filling {
    fn drop(&mut self) {
        filling().retain(|fill| fill.number != self.0);
    }
}

impl Entry {
    /// `None` where there is no cache.
    pub(super) fn new(url: String) -> Option<Self> {
        Some(Self {
            cache: js::cache()?,
            url,
        })
    }

    pub(super) async fn look_up(&self) -> Option<Cached> {
        self.matched(&self.name(), "200").await
    }

    /// A part of what [`Entry::look_up`] found.
    pub(super) async fn look_up_part(&self, part: ContentRange) -> Option<Cached> {
        let range = format!("bytes={}-{}", part.first, part.last);
        self.matched(&js::part(&self.url, &range).ok()?, "206")
            .await
    }

    async fn matched(&self, request: &JsValue, status: &str) -> Option<Cached> {
        let found = call(&self.cache, "match", &[request]).ok()?;
        let found = within(TIMEOUT_MS, found.unchecked_ref()).await;
        let response = found.ok().filter(JsValue::is_object)?;
        let line = js::cached_line(&response, STORED);
        let said = line.split_once(' ').filter(|(found, _)| *found == status);
        let response: Body = response.unchecked_into();
        let Some(stored) = said.and_then(|(_, stored)| Stored::from_header(stored)) else {
            response.discard();
            return None;
        };
        Some(Cached { stored, response })
    }

    fn name(&self) -> JsValue {
        JsValue::from_str(&self.url)
    }

    /// Asks for the right to fill this entry.
    pub(super) fn begin(&self) -> Begun {
        let now = js_sys::Date::now();
        let mut filling = filling();
        filling.retain(|fill| now - fill.since < MAX_FILLING_MS);
        if filling
            .iter()
            .any(|fill| fill.url == self.url && !fill.is_kept)
        {
            return Begun::Elsewhere;
        }
        let number = filling.last().map_or(0, |last| last.number.wrapping_add(1));
        filling.push(Fill {
            number,
            url: self.url.clone(),
            since: now,
            bytes: 0,
            is_kept: false,
        });
        Begun::Filling(Filling(number))
    }

    /// Keeps bytes for so many seconds, after the answer.
    pub(super) fn keep_bytes(
        self,
        filling: Filling,
        stored: &Stored,
        bytes: &[u8],
        seconds: u32,
        context: &JsValue,
    ) {
        let body = js_sys::Uint8Array::from(bytes);
        let Ok(response) = kept(stored, seconds, &body) else {
            return;
        };
        wait_until(context, async move {
            self.put(&response).await;
            drop(filling);
        });
    }

    /// Keeps a body for so many seconds while it streams to the viewer; returns the viewer's stream.
    pub(super) fn keep_stream(
        self,
        right: Filling,
        stored: &Stored,
        body: ReadableStream,
        seconds: u32,
        context: &JsValue,
    ) -> Result<ReadableStream, JsValue> {
        if !has_room(&right, stored.size) {
            return Ok(body);
        }
        let (viewers, body, sent) = js::fork(&body, stored.size)?;
        let response = kept(stored, seconds, &body)?;
        wait_until(context, async move {
            self.put(&response).await;
            for fill in filling().iter_mut().filter(|fill| fill.number == right.0) {
                fill.is_kept = true;
            }
            let _ = settled(sent).await;
            drop(right);
        });
        Ok(viewers)
    }

    async fn put(&self, response: &Response) {
        let _ = called(&self.cache, "put", &[&self.name(), response]).await;
    }

    /// Forgets the entry, in this data centre.
    pub(super) fn forget(self, context: &JsValue) {
        wait_until(context, async move {
            let _ = called(&self.cache, "delete", &[&self.name()]).await;
        });
    }
}

impl Cached {
    pub(super) fn body(&self) -> Option<ReadableStream> {
        self.response.body()
    }

    pub(super) async fn bytes(&self) -> Result<Vec<u8>, JsValue> {
        self.response.bytes().await
    }

    pub(super) fn discard(&self) {
        self.response.discard();
    }
}

/// Whether there is room for so many bytes more, which are then counted.
fn has_room(right: &Filling, bytes: u64) -> bool {
    let mut filling = filling();
    let waiting: u64 = filling.iter().map(|fill| fill.bytes).sum();
    let fits = waiting + bytes <= MAX_FILLING_BYTES;
    if fits {
        for fill in filling.iter_mut().filter(|fill| fill.number == right.0) {
            fill.bytes = bytes;
        }
    }
    fits
}

/// How a body is kept. Its length is said, so that the cache can serve ranges of it.
fn kept(stored: &Stored, seconds: u32, body: &JsValue) -> Result<Response, JsValue> {
    let max_age = format!("public, max-age={seconds}");
    let length = stored.size.to_string();
    let stored = stored.to_header();
    let headers = [
        ("Cache-Control", max_age.as_str()),
        ("Content-Length", &length),
        (STORED, &stored),
    ];
    js::response(200, &headers, body)
}
