//! The little of JavaScript that the shell needs, so that each call is one line elsewhere.

use std::pin::Pin;

use js_sys::futures::{JsFuture, future_to_promise};
use js_sys::{Error, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use worker_sys::Context;

// A text that goes from wasm to JavaScript is decoded by the platform, which takes longer than most of what is done with
// it: so what belongs together goes as one text, in lines.
#[wasm_bindgen(inline_js = r#"
export const requested = ({ method, url, headers, cf }) => {
  let lines = `${method}\n${url}\n${cf?.country ?? ""}\n${cf?.clientAcceptEncoding ?? headers.get("accept-encoding") ?? ""}`;
  for (const [name, value] of headers) lines += `\n${name}:${value}`;
  return lines;
};
export const responded = (status, lines, body) => {
  const headers = new Headers();
  const all = lines.split("\n");
  for (let at = 1; at < all.length; at += 2) headers.append(all[at - 1], all[at]);
  return new Response(body, { status, headers });
};
export const raced = (milliseconds, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
"#)]
extern "C" {
    fn requested(request: &JsValue) -> String;

    #[wasm_bindgen(catch)]
    fn responded(status: u16, lines: &str, body: &JsValue) -> Result<web_sys::Response, JsValue>;

    fn raced(milliseconds: u32, promise: &Promise) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: u32) -> JsValue;

    /// Milliseconds; the platform lets it move with I/O alone.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
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
pub(super) fn wait_until(context: &Context, work: impl Future<Output = ()> + 'static) {
    // Boxed, because what is built around a future is built once a type.
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    let promise = future_to_promise(async {
        work.await;
        Ok(JsValue::UNDEFINED)
    });
    // A request that is over is not kept alive; the work goes on as far as the platform lets it.
    let _ = context.wait_until(&promise);
}

pub(super) async fn sleep(milliseconds: u32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(resolve.unchecked_ref(), milliseconds);
    });
    let _ = settled(promise).await;
}

/// A request's method, URL and headers, taken over at once.
pub(super) struct Requested {
    lines: String,
}

impl Requested {
    pub(super) fn of(request: &web_sys::Request) -> Self {
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
pub(super) fn response<'header>(
    status: u16,
    headers: impl Iterator<Item = (&'header str, &'header str)>,
    body: &JsValue,
) -> Result<web_sys::Response, JsValue> {
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

/// An object with these properties.
pub(super) fn object(properties: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in properties {
        // Only a frozen object refuses a property.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
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

/// The bytes of an `ArrayBuffer`.
pub(super) fn bytes(buffer: &JsValue) -> Vec<u8> {
    js_sys::Uint8Array::new(buffer).to_vec()
}

/// Microseconds, for differences.
pub(super) fn microseconds() -> u64 {
    (performance_now() * 1000.0) as u64
}

/// JavaScript numbers are exact up to 2^53; what lies beyond is beyond every object, and stays so.
pub(super) fn number(number: u64) -> JsValue {
    JsValue::from_f64(number.min((1 << 53) - 1) as f64)
}
