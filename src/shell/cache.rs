//! The data centre's cache (Cache API). A cache that fails is a cache that has nothing: every error here is a miss.

use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{ReadableStream, Response};

use super::hold::Held;
use super::js::{self, Body, call, called, wait_until, within};
use crate::budget::Purpose;
use crate::edge_cache::{FillRight, FillRights};
use crate::http::range::ContentRange;
use crate::storage::Stored;

/// How long the cache may take to say what it has, in milliseconds.
const TIMEOUT_MS: u32 = 1_000;
/// Carries what storage said of the object.
const STORED: &str = "X-Lectern-Stored";

/// What this isolate is filling the cache with.
static RIGHTS: Mutex<FillRights> = Mutex::new(FillRights::new());

/// Locked for a moment and by one: an isolate has one thread, and nothing waits here.
fn rights() -> MutexGuard<'static, FillRights> {
    RIGHTS.lock().unwrap_or_else(PoisonError::into_inner)
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
pub(super) struct Filling(FillRight);

impl Drop for Filling {
    fn drop(&mut self) {
        rights().end(&self.0);
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
        match rights().begin(&self.url, js::now_ms()) {
            Some(right) => Begun::Filling(Filling(right)),
            None => Begun::Elsewhere,
        }
    }

    /// Keeps bytes for so many seconds, after the answer. Memory for them is held until the cache has them.
    pub(super) fn keep_bytes(
        self,
        filling: Filling,
        held: Rc<Held>,
        stored: &Stored,
        bytes: &[u8],
        seconds: u32,
        context: &JsValue,
    ) {
        let body = js_sys::Uint8Array::from(bytes);
        let Ok(response) = kept(stored, seconds, &body) else {
            return;
        };
        // The response has a copy of its own.
        js::free(&body.buffer());
        wait_until(context, async move {
            self.put(&response, &held).await;
            drop(filling);
        });
    }

    /// Keeps a body for so many seconds while it streams to the viewer; returns the viewer's stream. What one of both has read and
    /// the other has not waits in memory: where there is no room for it, the body goes to the viewer alone.
    pub(super) fn keep_stream(
        self,
        right: Filling,
        stored: &Stored,
        body: ReadableStream,
        seconds: u32,
        context: &JsValue,
    ) -> Result<ReadableStream, JsValue> {
        let Some(held) = Held::now(Purpose::CacheFill, stored.size) else {
            return Ok(body);
        };
        let (viewers, body, sent) = js::fork(&body, stored.size)?;
        let response = kept(stored, seconds, &body)?;
        wait_until(context, async move {
            self.put(&response, &held).await;
            // The cache has it: who misses it now may fill it again. The viewer's copy may still be on its way.
            drop(right);
            let _ = held.during(&sent).await;
        });
        Ok(viewers)
    }

    async fn put(&self, response: &Response, held: &Held) {
        if let Ok(put) = call(&self.cache, "put", &[&self.name(), response]) {
            let _ = held.during(put.unchecked_ref()).await;
        }
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

    pub(super) async fn bytes(&self, held: &Held) -> Result<Vec<u8>, JsValue> {
        self.response.bytes(held).await
    }

    pub(super) fn discard(&self) {
        self.response.discard();
    }
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
