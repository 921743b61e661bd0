//! The data centre's cache (Cache API). A cache that fails is a cache that has nothing: every error here is a miss.

use std::cell::RefCell;

use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Cache, Headers, ReadableStream, Request, RequestInit, Response, ResponseInit};
use worker_sys::{Context, FixedLengthStream};

use super::js::{self, property, settled, wait_until, within};
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

thread_local! {
    /// What this isolate is filling the cache with.
    static FILLING: RefCell<Vec<Fill>> = const { RefCell::new(Vec::new()) };
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
    cache: Cache,
    url: String,
}

/// What the cache has.
pub(super) struct Cached {
    pub(super) stored: Stored,
    pub(super) response: Response,
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
        FILLING.with_borrow_mut(|filling| filling.retain(|fill| fill.number != self.0));
    }
}

impl Entry {
    /// `None` where there is no cache.
    pub(super) fn new(url: String) -> Option<Self> {
        let caches = property(&js_sys::global(), "caches")?;
        let cache = property(&caches, "default")?.unchecked_into();
        Some(Self { cache, url })
    }

    pub(super) async fn look_up(&self) -> Option<Cached> {
        matched(&self.cache.match_with_str(&self.url), 200).await
    }

    /// A part of what [`Entry::look_up`] found.
    pub(super) async fn look_up_part(&self, part: ContentRange) -> Option<Cached> {
        let headers = Headers::new().ok()?;
        let range = format!("bytes={}-{}", part.first, part.last);
        headers.set("Range", &range).ok()?;
        let init = RequestInit::new();
        init.set_headers(&headers);
        let request = Request::new_with_str_and_init(&self.url, &init).ok()?;
        matched(&self.cache.match_with_request(&request), 206).await
    }

    /// Asks for the right to fill this entry.
    pub(super) fn begin(&self) -> Begun {
        let now = js_sys::Date::now();
        FILLING.with_borrow_mut(|filling| {
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
        })
    }

    /// Keeps bytes for so many seconds, after the answer.
    pub(super) fn keep_bytes(
        self,
        filling: Filling,
        stored: &Stored,
        bytes: &[u8],
        seconds: u32,
        context: &Context,
    ) {
        let Some(init) = init(stored, seconds) else {
            return;
        };
        let array = js_sys::Uint8Array::from(bytes);
        let Ok(response) =
            Response::new_with_opt_buffer_source_and_init(Some(array.unchecked_ref()), &init)
        else {
            return;
        };
        wait_until(context, async move {
            let _ = settled(self.cache.put_with_str(&self.url, &response)).await;
            drop(filling);
        });
    }

    /// Keeps a body for so many seconds while it streams to the viewer; returns the viewer's stream.
    pub(super) fn keep_stream(
        self,
        filling: Filling,
        stored: &Stored,
        body: ReadableStream,
        seconds: u32,
        context: &Context,
    ) -> Result<ReadableStream, JsValue> {
        let has_room = FILLING.with_borrow_mut(|all| {
            let waiting: u64 = all.iter().map(|fill| fill.bytes).sum();
            let fits = waiting + stored.size <= MAX_FILLING_BYTES;
            for fill in all
                .iter_mut()
                .filter(|fill| fits && fill.number == filling.0)
            {
                fill.bytes = stored.size;
            }
            fits
        });
        let (Some(init), true, Ok(size)) =
            (init(stored, seconds), has_room, stored.size.try_into())
        else {
            return Ok(body);
        };
        let branches: Array = body.tee();
        let viewers: ReadableStream = branches.get(0).unchecked_into();
        let kept: ReadableStream = branches.get(1).unchecked_into();
        // The viewer's copy goes through a pipe of known length, whose end says when it is out of memory.
        let pipe = FixedLengthStream::new(size)?;
        let sent = viewers.pipe_to(&pipe.writable());
        let response = Response::new_with_opt_readable_stream_and_init(Some(&kept), &init)?;
        wait_until(context, async move {
            let _ = settled(self.cache.put_with_str(&self.url, &response)).await;
            FILLING.with_borrow_mut(|all| {
                for fill in all.iter_mut().filter(|fill| fill.number == filling.0) {
                    fill.is_kept = true;
                }
            });
            let _ = settled(sent).await;
            drop(filling);
        });
        Ok(pipe.readable())
    }

    /// Forgets the entry, in this data centre.
    pub(super) fn forget(self, context: &Context) {
        wait_until(context, async move {
            let _ = settled(self.cache.delete_with_str(&self.url)).await;
        });
    }
}

async fn matched(found: &Promise, status: u16) -> Option<Cached> {
    let found = within(TIMEOUT_MS, found).await;
    let response: Response = found.ok().filter(JsValue::is_object)?.unchecked_into();
    let header = response.headers().get(STORED).ok().flatten();
    let stored = header.and_then(|header| Stored::from_header(&header));
    match stored {
        Some(stored) if response.status() == status => Some(Cached { stored, response }),
        _ => {
            discard(&response);
            None
        }
    }
}

impl Cached {
    pub(super) fn body(&self) -> Option<ReadableStream> {
        self.response.body()
    }

    pub(super) async fn bytes(&self) -> Result<Vec<u8>, JsValue> {
        Ok(js::bytes(&settled(self.response.array_buffer()?).await?))
    }

    pub(super) fn discard(&self) {
        discard(&self.response);
    }
}

fn discard(response: &Response) {
    if let Some(body) = response.body() {
        let _ = body.cancel();
    }
}

/// How a body is kept. Its length is said, so that the cache can serve ranges of it.
fn init(stored: &Stored, seconds: u32) -> Option<ResponseInit> {
    let headers = Headers::new().ok()?;
    let max_age = format!("public, max-age={seconds}");
    headers.set("Cache-Control", &max_age).ok()?;
    headers
        .set("Content-Length", &stored.size.to_string())
        .ok()?;
    headers.set(STORED, &stored.to_header()).ok()?;
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Some(init)
}
