//! Responses: the headers of every answer, and the body.

use wasm_bindgen::JsValue;
use web_sys::{ReadableStream, Response};

use super::r2::message;
use super::raw::response;
use crate::http::cors::{AllowedOrigins, preflight_headers};
use crate::http::problem::{Problem, Refusal};
use crate::operation::read::Headers;

/// The headers of every answer. They keep a stored object from running as a page, whatever its
/// content type.
const ALWAYS: [(&str, &str); 4] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
];

/// Sends the answers to one request.
pub(super) struct Responder {
    cors: Headers,
}

pub(super) enum ResponseBody {
    Empty,
    Text(String),
    Bytes(Vec<u8>),
    Stream(ReadableStream),
}

impl Responder {
    pub(super) fn new(allowed: &AllowedOrigins, origin: Option<&str>) -> Self {
        Self {
            cors: allowed.headers(origin),
        }
    }

    /// Creates a responder for refusals only.
    pub(super) fn public() -> Self {
        Self::new(&AllowedOrigins::Any, None)
    }

    pub(super) fn send(
        &self,
        status: u16,
        headers: Headers,
        body: ResponseBody,
    ) -> Result<Response, JsValue> {
        let body = match body {
            ResponseBody::Empty => JsValue::UNDEFINED,
            ResponseBody::Text(text) => text.into(),
            ResponseBody::Bytes(bytes) => js_sys::Uint8Array::from(bytes.as_slice()).into(),
            ResponseBody::Stream(stream) => stream.into(),
        };
        let more = self.cors.iter().chain(&headers);
        let mut all = ALWAYS.to_vec();
        all.extend(more.map(|(name, value)| (*name, value.as_str())));
        response(status, &all, &body)
    }

    pub(super) fn refuse(
        &self,
        problem: Problem,
        detail: Option<&str>,
    ) -> Result<Response, JsValue> {
        let body = problem.body(detail);
        let headers = problem.headers(&body);
        self.send(problem.status(), headers, ResponseBody::Text(body))
    }

    /// Answers with JSON that no cache keeps.
    pub(super) fn json(&self, json: String) -> Result<Response, JsValue> {
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        self.send(200, headers, ResponseBody::Text(json))
    }

    /// Redirects with 307 (RFC 9110 §15.4.8) to a path on the same origin.
    pub(super) fn redirect(&self, location: String) -> Result<Response, JsValue> {
        let headers = vec![
            ("Location", location),
            ("Cache-Control", "no-store".to_owned()),
        ];
        self.send(307, headers, ResponseBody::Empty)
    }

    /// Answers a preflight that asks for these headers.
    pub(super) fn options(&self, requested: Option<&str>) -> Result<Response, JsValue> {
        self.send(204, preflight_headers(requested), ResponseBody::Empty)
    }
}

/// An exception in the Worker. The client sees a storage error without details.
pub(super) fn failed(error: impl Into<worker::Error>) -> Refusal {
    Refusal::new(Problem::StorageUnavailable, message(&error.into()))
}
