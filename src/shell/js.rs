//! The little of JavaScript that the shell needs, so that each call is one line elsewhere.

use std::pin::Pin;

use js_sys::futures::{JsFuture, future_to_promise};
use js_sys::{Array, ArrayBuffer, Error, JSON, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, Response};

use super::hold::Held;
use crate::storage::Stored;

#[wasm_bindgen(module = "/src/shell/platform.js")]
extern "C" {
    fn requested(request: &JsValue) -> String;

    #[wasm_bindgen(catch)]
    fn responded(status: u16, lines: &str, body: &JsValue) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch, js_name = call)]
    fn call_with_three(
        of: &JsValue,
        method: &str,
        first: &JsValue,
        second: &JsValue,
        third: &JsValue,
    ) -> Result<JsValue, JsValue>;

    fn raced(milliseconds: u32, promise: &Promise) -> Promise;

    #[wasm_bindgen(js_name = settles)]
    fn settles_within(milliseconds: u32, promise: &Promise) -> Promise;

    fn slept(milliseconds: u32) -> Promise;

    #[wasm_bindgen(catch, js_name = stored)]
    fn stored_line(object: &JsValue) -> Result<String, JsValue>;

    /// A page of R2's list, as JSON.
    #[wasm_bindgen(catch)]
    pub(super) fn listed(page: &JsValue) -> Result<String, JsValue>;

    /// The data centre's cache (Cache API), if there is one.
    pub(super) fn cache() -> Option<JsValue>;

    #[wasm_bindgen(js_name = cached)]
    pub(super) fn cached_line(response: &JsValue, header: &str) -> String;

    /// A request for a part of what a URL names.
    #[wasm_bindgen(catch)]
    pub(super) fn part(url: &str, range: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = discard)]
    fn discarded(of: &Body) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    fn forked(stream: &ReadableStream, length: f64) -> Result<Array, JsValue>;

    #[wasm_bindgen(catch)]
    fn sending(bytes: &Uint8Array) -> Result<Sending, JsValue>;

    pub(super) fn panicked(message: &str);
}

#[wasm_bindgen]
extern "C" {
    /// Milliseconds; the platform lets it move with I/O alone.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;

    /// What requests, responses and R2's objects have in common (Fetch standard, `Body`).
    pub(super) type Body;

    #[wasm_bindgen(method, getter)]
    pub(super) fn body(this: &Body) -> Option<ReadableStream>;

    /// Bytes on their way to a client.
    pub(super) type Sending;

    #[wasm_bindgen(method, getter)]
    fn stream(this: &Sending) -> ReadableStream;

    /// Settles when they were read, or will not be.
    #[wasm_bindgen(method, getter)]
    pub(super) fn sent(this: &Sending) -> Promise;

    #[wasm_bindgen(method, js_name = abort)]
    fn break_off(this: &Sending) -> Promise;
}

impl Body {
    /// All of the body, which `held` was reserved for.
    pub(super) async fn bytes(&self, held: &Held) -> Result<Vec<u8>, JsValue> {
        let promise = call(self, "arrayBuffer", &[])?;
        let buffer: ArrayBuffer = held.during(promise.unchecked_ref()).await?.unchecked_into();
        let bytes = Uint8Array::new(&buffer).to_vec();
        free(&buffer);
        Ok(bytes)
    }

    /// Says that the body is not wanted.
    pub(super) fn discard(&self) {
        let _ = discarded(self);
    }
}

impl Sending {
    /// Ends the stream without its end, which every client takes for what it is.
    pub(super) async fn abort(&self) {
        let _ = settled(self.break_off()).await;
    }
}

/// Frees a buffer now, and not when the garbage collector next looks.
pub(super) fn free(buffer: &ArrayBuffer) {
    let _ = buffer.transfer_with_length(0);
}

/// Whether a promise has settled after so many milliseconds.
pub(super) async fn settles(milliseconds: u32, promise: &Promise) -> bool {
    let settled = settled(settles_within(milliseconds, promise)).await;
    settled.is_ok_and(|settled| settled == JsValue::TRUE)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// A stream of bytes to a client, and what is known of it.
pub(super) fn send(bytes: &Uint8Array) -> Result<(ReadableStream, Sending), JsValue> {
    let sending = sending(bytes)?;
    Ok((sending.stream(), sending))
}

/// Calls a method. None has more than three arguments.
pub(super) fn call(of: &JsValue, method: &str, arguments: &[&JsValue]) -> Result<JsValue, JsValue> {
    let undefined = JsValue::UNDEFINED;
    let argument = |at: usize| arguments.get(at).copied().unwrap_or(&undefined);
    call_with_three(of, method, argument(0), argument(1), argument(2))
}

/// What the promise that a method returns brings.
pub(super) async fn called(
    of: &JsValue,
    method: &str,
    arguments: &[&JsValue],
) -> Result<JsValue, JsValue> {
    settled(call(of, method, arguments)?.unchecked_into()).await
}

/// What a promise brings.
pub(super) async fn settled(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

/// What a promise brings within so many milliseconds; later it is an error.
pub(super) async fn within(milliseconds: u32, promise: &Promise) -> Result<JsValue, JsValue> {
    settled(raced(milliseconds, promise)).await
}

/// Lets a request live until this is done, after its answer.
pub(super) fn wait_until(context: &JsValue, work: impl Future<Output = ()> + 'static) {
    // Boxed, because what is built around a future is built once a type.
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    let promise = future_to_promise(async {
        work.await;
        Ok(JsValue::UNDEFINED)
    });
    // A request that is over is not kept alive; the work goes on as far as the platform lets it.
    let _ = call(context, "waitUntil", &[&promise]);
}

pub(super) async fn sleep(milliseconds: u32) {
    let _ = settled(slept(milliseconds)).await;
}

/// What R2 says of an object.
pub(super) fn stored(object: &JsValue) -> Result<Stored, JsValue> {
    Stored::from_header(&stored_line(object)?)
        .ok_or_else(|| Error::new("an object that does not say what it is").into())
}

/// Two copies of a stream, and when the first is out of memory.
pub(super) fn fork(
    stream: &ReadableStream,
    length: u64,
) -> Result<(ReadableStream, ReadableStream, Promise), JsValue> {
    let forked = forked(stream, length as f64)?;
    Ok((
        forked.get(0).unchecked_into(),
        forked.get(1).unchecked_into(),
        forked.get(2).unchecked_into(),
    ))
}

/// A request's method, URL and headers, taken over at once.
pub(super) struct Requested {
    lines: String,
}

impl Requested {
    pub(super) fn of(request: &JsValue) -> Self {
        Self {
            lines: requested(request),
        }
    }

    pub(super) fn method(&self) -> &str {
        self.line(0)
    }

    pub(super) fn url(&self) -> &str {
        self.line(1)
    }

    /// `request.cf.country`. The header of the same meaning is only as good as the zone's settings: a client may send it.
    pub(super) fn country(&self) -> Option<&str> {
        Some(self.line(2)).filter(|country| !country.is_empty())
    }

    /// What the client accepts. The header says what the platform between us accepts, which is gzip always.
    pub(super) fn accept_encoding(&self) -> Option<&str> {
        Some(self.line(3)).filter(|encodings| !encodings.is_empty())
    }

    /// A header, by its name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.split('\n').skip(4);
        headers.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }

    fn line(&self, at: usize) -> &str {
        self.lines.split('\n').nth(at).unwrap_or_default()
    }
}

/// A response with these headers.
pub(super) fn response(
    status: u16,
    headers: &[(&str, &str)],
    body: &JsValue,
) -> Result<Response, JsValue> {
    let mut lines = String::new();
    for (name, value) in headers {
        // No header's value has lines (RFC 9110 §5.5); what was stored past the edge may have.
        if value.contains('\n') {
            return Err(Error::new("a header's value has lines").into());
        }
        for text in [name, value] {
            lines.push_str(text);
            lines.push('\n');
        }
    }
    responded(status, &lines, body)
}

/// What a JSON text says: one crossing for an object with all that is in it.
pub(super) fn json(text: &str) -> Result<JsValue, JsValue> {
    JSON::parse(text)
}

/// A property, if it is there.
pub(super) fn property(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &JsValue::from_str(name))
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}

/// A text property, if it is there.
pub(super) fn text(of: &JsValue, name: &str) -> Option<String> {
    property(of, name)?.as_string()
}

/// What an exception says.
pub(super) fn message(exception: &JsValue) -> String {
    text(exception, "message")
        .or_else(|| exception.as_string())
        .unwrap_or_else(|| "an exception without a message".to_owned())
}

/// Microseconds, for differences.
pub(super) fn microseconds() -> u64 {
    (performance_now() * 1000.0) as u64
}
