//! The R2 binding, with typed options and typed errors. Traps of the binding that this module closes: a `Range`
//! header that is forwarded unparsed returns the whole object, and `object.range` is always set; so ranges are parsed
//! before they come here, and `range` is never read back.

use js_sys::Promise;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::ReadableStream;
use worker_sys::{R2Bucket, R2MultipartUpload, R2Object, R2ObjectBody, R2UploadedPart};

use super::js::{self, number, object, property, settled, sleep, within};
use crate::http::problem::{Problem, Refusal};
use crate::http::range::ByteRange;
use crate::object_key::ObjectKey;
use crate::storage::{RETRIES_MS, StorageError, Stored, TIMEOUT_MS};
use crate::write::{Condition, UploadedPart};

/// The name of the binding in `wrangler.toml`.
const BINDING: &str = "BUCKET";

pub(super) struct Bucket(R2Bucket);

/// An object as R2 gave it.
pub(super) struct Object {
    pub(super) stored: Stored,
    object: R2ObjectBody,
}

impl Object {
    /// The stream goes from R2 to the client without entering wasm.
    pub(super) fn body(&self) -> Result<ReadableStream, StorageError> {
        self.object.body().map_err(storage_error)
    }

    pub(super) async fn bytes(&self) -> Result<Vec<u8>, StorageError> {
        let buffer = self.object.array_buffer().map_err(storage_error)?;
        let buffer = settled(buffer).await.map_err(storage_error)?;
        Ok(js::bytes(&buffer))
    }

    /// Tells storage that the body is not wanted.
    pub(super) fn discard(&self) {
        if let Ok(stream) = self.object.body() {
            let _ = stream.cancel();
        }
    }
}

fn storage_error(error: JsValue) -> StorageError {
    StorageError::from_message(&js::message(&error))
}

impl Bucket {
    pub(super) fn of(env: &JsValue) -> Result<Self, Refusal> {
        property(env, BINDING)
            .filter(JsValue::is_object)
            .map(|bucket| Self(bucket.unchecked_into()))
            .ok_or_else(|| {
                Refusal::new(
                    Problem::Misconfigured,
                    format!("no R2 bucket is bound as `{BINDING}`"),
                )
            })
    }

    pub(super) async fn head(&self, key: &ObjectKey) -> Result<Option<Stored>, StorageError> {
        let found = ask(&|| self.0.head(key.as_str().to_owned())).await?;
        Ok(found.map(|found| stored(found.unchecked_ref())))
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Option<Object>, StorageError> {
        let options = match range {
            None => JsValue::UNDEFINED,
            Some(range) => object(&[("range", range_option(range))]),
        };
        let found = ask(&|| self.0.get(key.as_str().to_owned(), options.clone())).await?;
        Ok(found.map(|found| Object {
            stored: stored(found.unchecked_ref()),
            object: found.unchecked_into(),
        }))
    }

    /// `None` where the condition does not hold.
    pub(super) async fn put(
        &self,
        key: &ObjectKey,
        body: JsValue,
        content_type: &str,
        condition: Option<Condition>,
    ) -> Result<Option<Stored>, StorageError> {
        let mut options = vec![("httpMetadata", metadata(content_type))];
        if let Some(condition) = condition {
            let (name, etag) = match &condition {
                Condition::Absent => ("etagDoesNotMatch", "*"),
                Condition::Present => ("etagMatches", "*"),
                Condition::Is(etag) => ("etagMatches", etag.as_str()),
            };
            options.push(("onlyIf", object(&[(name, etag.into())])));
        }
        let written = self.0.put(key.as_str().to_owned(), body, object(&options));
        let written = answer(written).await?;
        Ok((!written.is_null()).then(|| stored(written.unchecked_ref())))
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        answer(self.0.delete(key.as_str().to_owned())).await?;
        Ok(())
    }

    pub(super) async fn create_upload(
        &self,
        key: &ObjectKey,
        content_type: &str,
    ) -> Result<String, StorageError> {
        let options = object(&[("httpMetadata", metadata(content_type))]);
        let key = key.as_str().to_owned();
        let upload = answer(self.0.create_multipart_upload(key, options)).await?;
        let upload: &R2MultipartUpload = upload.unchecked_ref();
        upload.upload_id().map_err(storage_error)
    }

    pub(super) async fn upload_part(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: u16,
        body: ReadableStream,
    ) -> Result<UploadedPart, StorageError> {
        let upload = self.upload(key, upload)?;
        let part = answer(upload.upload_part(number, body.into())).await?;
        let part: &R2UploadedPart = part.unchecked_ref();
        Ok(UploadedPart {
            part_number: number,
            etag: part.etag().map_err(storage_error)?,
        })
    }

    pub(super) async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
        parts: &[UploadedPart],
    ) -> Result<Stored, StorageError> {
        let part = |part: &UploadedPart| {
            object(&[
                ("partNumber", part.part_number.into()),
                ("etag", part.etag.as_str().into()),
            ])
        };
        let upload = self.upload(key, upload)?;
        let completed = answer(upload.complete(parts.iter().map(part).collect())).await?;
        Ok(stored(completed.unchecked_ref()))
    }

    pub(super) async fn abort_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
    ) -> Result<(), StorageError> {
        answer(self.upload(key, upload)?.abort()).await?;
        Ok(())
    }

    fn upload(&self, key: &ObjectKey, id: &str) -> Result<R2MultipartUpload, StorageError> {
        self.0
            .resume_multipart_upload(key.as_str().to_owned(), id.to_owned())
            .map(JsValue::unchecked_into)
            .map_err(storage_error)
    }
}

/// Asks R2 for something that can be asked again: nothing was sent to the client yet. An answer that does not come is not
/// waited for a second time.
async fn ask(call: &dyn Fn() -> Result<Promise, JsValue>) -> Result<Option<JsValue>, StorageError> {
    let mut waits = RETRIES_MS.iter();
    loop {
        let asked = js::microseconds();
        let found = match call() {
            Ok(promise) => within(TIMEOUT_MS, &promise).await,
            Err(error) => Err(error),
        };
        let error = match found {
            Ok(found) => return Ok((!found.is_null()).then_some(found)),
            Err(error) => storage_error(error),
        };
        let in_time = js::microseconds() - asked < u64::from(TIMEOUT_MS) * 1000;
        match waits.next() {
            Some(wait) if in_time && error.may_pass() => sleep(*wait).await,
            _ => return Err(error),
        }
    }
}

/// Asks R2 for something that is done once.
async fn answer(called: Result<Promise, JsValue>) -> Result<JsValue, StorageError> {
    settled(called.map_err(storage_error)?)
        .await
        .map_err(storage_error)
}

fn range_option(range: ByteRange) -> JsValue {
    match range {
        ByteRange::FromTo { first, last } => object(&[
            ("offset", number(first)),
            // `last` may be as large as numbers are.
            ("length", number((last - first).saturating_add(1))),
        ]),
        ByteRange::From { first } => object(&[("offset", number(first))]),
        ByteRange::Suffix { length } => object(&[("suffix", number(length))]),
    }
}

fn metadata(content_type: &str) -> JsValue {
    object(&[("contentType", content_type.into())])
}

fn stored(object: &R2Object) -> Stored {
    Stored {
        etag: object.etag().unwrap_or_default(),
        size: object.size().unwrap_or_default() as u64,
        uploaded: object
            .uploaded()
            .map_or(0, |uploaded| uploaded.get_time() as u64),
        content_type: object
            .http_metadata()
            .and_then(|metadata| metadata.content_type())
            .ok()
            .flatten(),
    }
}
