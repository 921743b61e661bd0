//! The little of JavaScript that the shell needs, so that each call is one line elsewhere.

use js_sys::futures::JsFuture;
use js_sys::{Array, Error, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: u32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);

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
    let mut timer = JsValue::UNDEFINED;
    let late = Promise::new(&mut |_, reject| {
        let reject = reject.bind1(&JsValue::NULL, &Error::new("no answer in time").into());
        timer = set_timeout(reject.unchecked_ref(), milliseconds);
    });
    let first = settled(Promise::race(&Array::of2(promise, &late))).await;
    clear_timeout(&timer);
    first
}

pub(super) async fn sleep(milliseconds: u32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(resolve.unchecked_ref(), milliseconds);
    });
    let _ = settled(promise).await;
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
