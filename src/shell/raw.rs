//! Requests and responses without the crate `worker`: all headers cross as one text. Header by
//! header, a request of 1 KiB took 147 µs more CPU from the cache and 183 µs more from the bucket,
//! in turns of `make bench-stream`.

use js_sys::futures::JsFuture;
use js_sys::{Error, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, Request, Response};

use crate::object::file_kind::SNIFFED_BYTES;

#[wasm_bindgen(module = "/src/shell/raw.js")]
extern "C" {
    fn requested(request: &Request) -> String;

    fn posted(url: &str, lines: &str, body: &str, milliseconds: u32) -> Promise;

    fn begun(body: &ReadableStream, length: u32) -> Promise;

    #[wasm_bindgen(catch)]
    fn joined(
        beginning: &Uint8Array,
        rest: &ReadableStream,
        length: f64,
    ) -> Result<ReadableStream, JsValue>;

    #[wasm_bindgen(catch)]
    fn responded(status: u16, lines: &str, body: &JsValue) -> Result<Response, JsValue>;
}

/// The method, URL and headers of a request, copied at once.
pub(super) struct Requested {
    lines: String,
}

impl Requested {
    pub(super) fn of(request: &Request) -> Self {
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

    /// `request.cf.country`. A client could send the header of the same meaning, depending on the
    /// zone's settings.
    pub(super) fn country(&self) -> Option<&str> {
        Some(self.line(2)).filter(|country| !country.is_empty())
    }

    /// The client's own `Accept-Encoding`. The platform replaces the header with its own, which
    /// always accepts gzip.
    pub(super) fn accept_encoding(&self) -> Option<&str> {
        Some(self.line(3)).filter(|encodings| !encodings.is_empty())
    }

    /// A header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.split('\n').skip(4);
        headers.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }

    fn line(&self, at: usize) -> &str {
        self.lines.split('\n').nth(at).unwrap_or_default()
    }
}

/// The first bytes of a body. Its rest never enters wasm.
#[derive(Default)]
pub(super) struct Beginning(Option<Uint8Array>);

impl Beginning {
    /// Reads the first bytes of a body, or all of a shorter one.
    pub(super) async fn of(body: &ReadableStream) -> Result<Self, JsValue> {
        let bytes = JsFuture::from(begun(body, SNIFFED_BYTES as u32)).await?;
        Ok(Self(Some(bytes.unchecked_into())))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.as_ref().map(Uint8Array::to_vec).unwrap_or_default()
    }

    /// Puts the first bytes and the rest together again.
    pub(super) fn join(
        &self,
        rest: &ReadableStream,
        length: u64,
    ) -> Result<ReadableStream, JsValue> {
        joined(&self.0.clone().unwrap_or_default(), rest, length as f64)
    }
}

/// Creates a response with these headers.
pub(super) fn response(
    status: u16,
    headers: &[(&str, &str)],
    body: &JsValue,
) -> Result<Response, JsValue> {
    responded(status, &header_lines(headers)?, body)
}

/// Sends a `POST` to another server, and returns the answer's status.
pub(super) async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    timeout_ms: u32,
) -> worker::Result<u16> {
    let sent = posted(url, &header_lines(headers)?, body, timeout_ms);
    let status = JsFuture::from(sent).await?;
    Ok(status.as_f64().unwrap_or(0.0) as u16)
}

fn header_lines(headers: &[(&str, &str)]) -> Result<String, JsValue> {
    let mut lines = String::new();
    for (name, value) in headers {
        // No header value has line breaks (RFC 9110 §5.5), but metadata written without the edge
        // may.
        if value.contains('\n') {
            return Err(Error::new("a header's value has lines").into());
        }
        for text in [name, value] {
            lines.push_str(text);
            lines.push('\n');
        }
    }
    Ok(lines)
}
