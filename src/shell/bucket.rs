//! The R2 binding, with typed options and typed errors. Traps of the binding that this module closes: a `Range`
//! header that is forwarded unparsed returns the whole object, and `object.range` is always set; so ranges are parsed
//! before they come here, and `range` is never read back.

use js_sys::Promise;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::ReadableStream;

use super::js::{self, Body, call, json, property, sleep, text, within};
use crate::http::problem::{Problem, Refusal};
use crate::http::range::ByteRange;
use crate::json::quoted;
use crate::list::List;
use crate::object_key::ObjectKey;
use crate::storage::{RETRIES_MS, StorageError, Stored, TIMEOUT_MS};
use crate::write::{Evaluated, UploadedPart};

/// The name of the binding in `wrangler.toml`.
const BINDING: &str = "BUCKET";

pub(super) struct Bucket(JsValue);

/// An object as R2 gave it.
pub(super) struct Object {
    pub(super) stored: Stored,
    object: Body,
}

impl Object {
    /// The stream goes from R2 to the client without entering wasm.
    pub(super) fn body(&self) -> Result<ReadableStream, StorageError> {
        let without = || StorageError::Unavailable("an object without its body".to_owned());
        self.object.body().ok_or_else(without)
    }

    pub(super) async fn bytes(&self) -> Result<Vec<u8>, StorageError> {
        self.object.bytes().await.map_err(storage_error)
    }

    pub(super) fn discard(&self) {
        self.object.discard();
    }
}

pub(super) fn storage_error(error: JsValue) -> StorageError {
    StorageError::from_message(&js::message(&error))
}

impl Bucket {
    pub(super) fn of(env: &JsValue) -> Result<Self, Refusal> {
        property(env, BINDING)
            .filter(JsValue::is_object)
            .map(Self)
            .ok_or_else(|| {
                Refusal::new(
                    Problem::Misconfigured,
                    format!("no R2 bucket is bound as `{BINDING}`"),
                )
            })
    }

    pub(super) async fn head(&self, key: &ObjectKey) -> Result<Option<Stored>, StorageError> {
        let found = self.ask("head", &[&name(key)]).await?;
        found.map(|found| stored(&found)).transpose()
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Option<Object>, StorageError> {
        let options = match range {
            None => JsValue::UNDEFINED,
            Some(range) => json(&range_option(range)).map_err(storage_error)?,
        };
        let Some(found) = self.ask("get", &[&name(key), &options]).await? else {
            return Ok(None);
        };
        Ok(Some(Object {
            stored: stored(&found)?,
            object: found.unchecked_into(),
        }))
    }

    /// A page of what lies below a directory, as JSON.
    pub(super) async fn list(&self, list: &List) -> Result<String, StorageError> {
        let options = json(&list.options()).map_err(storage_error)?;
        let page = self.ask("list", &[&options]).await?.unwrap_or_default();
        js::listed(&page).map_err(storage_error)
    }

    /// `None` where the object is not what the conditions were evaluated on.
    pub(super) async fn put(
        &self,
        key: &ObjectKey,
        body: JsValue,
        content_type: &str,
        evaluated: Option<Evaluated>,
    ) -> Result<Option<Stored>, StorageError> {
        let only_if = match &evaluated {
            None => String::new(),
            Some(Evaluated::Absent) => r#","onlyIf":{"etagDoesNotMatch":"*"}"#.to_owned(),
            Some(Evaluated::Present(etag)) => {
                format!(r#","onlyIf":{{"etagMatches":{}}}"#, quoted(etag))
            }
        };
        let options = options(content_type, &only_if)?;
        let written = answer(&self.0, "put", &[&name(key), &body, &options]).await?;
        if written.is_null() {
            return Ok(None);
        }
        stored(&written).map(Some)
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        answer(&self.0, "delete", &[&name(key)]).await?;
        Ok(())
    }

    pub(super) async fn create_upload(
        &self,
        key: &ObjectKey,
        content_type: &str,
    ) -> Result<String, StorageError> {
        let options = options(content_type, "")?;
        let created = [&name(key), &options];
        let upload = answer(&self.0, "createMultipartUpload", &created).await?;
        said(&upload, "uploadId")
    }

    pub(super) async fn upload_part(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: u16,
        body: ReadableStream,
    ) -> Result<UploadedPart, StorageError> {
        let upload = self.upload(key, upload)?;
        let part = answer(&upload, "uploadPart", &[&JsValue::from(number), &body]).await?;
        Ok(UploadedPart {
            part_number: number,
            etag: said(&part, "etag")?,
        })
    }

    pub(super) async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
        parts: &[UploadedPart],
    ) -> Result<Stored, StorageError> {
        let upload = self.upload(key, upload)?;
        let parts: Vec<String> = parts.iter().map(UploadedPart::json).collect();
        let parts = json(&format!("[{}]", parts.join(","))).map_err(storage_error)?;
        stored(&answer(&upload, "complete", &[&parts]).await?)
    }

    pub(super) async fn abort_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
    ) -> Result<(), StorageError> {
        answer(&self.upload(key, upload)?, "abort", &[]).await?;
        Ok(())
    }

    fn upload(&self, key: &ObjectKey, id: &str) -> Result<JsValue, StorageError> {
        let resumed = [&name(key), &JsValue::from_str(id)];
        call(&self.0, "resumeMultipartUpload", &resumed).map_err(storage_error)
    }

    async fn ask(
        &self,
        method: &str,
        arguments: &[&JsValue],
    ) -> Result<Option<JsValue>, StorageError> {
        ask(&self.0, method, arguments).await
    }
}

/// Asks for something that can be asked again: nothing was sent to the client yet. An answer that does not come is not waited
/// for a second time.
pub(super) async fn ask(
    of: &JsValue,
    method: &str,
    arguments: &[&JsValue],
) -> Result<Option<JsValue>, StorageError> {
    let mut waits = RETRIES_MS.iter();
    loop {
        let asked = js::microseconds();
        let found = match call(of, method, arguments) {
            Ok(promise) => within(TIMEOUT_MS, promise.unchecked_ref::<Promise>()).await,
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
async fn answer(
    of: &JsValue,
    method: &str,
    arguments: &[&JsValue],
) -> Result<JsValue, StorageError> {
    js::called(of, method, arguments)
        .await
        .map_err(storage_error)
}

fn name(key: &ObjectKey) -> JsValue {
    JsValue::from_str(key.as_str())
}

fn said(of: &JsValue, name: &str) -> Result<String, StorageError> {
    text(of, name).ok_or_else(|| StorageError::Unavailable(format!("an answer without `{name}`")))
}

fn stored(object: &JsValue) -> Result<Stored, StorageError> {
    js::stored(object).map_err(storage_error)
}

fn range_option(range: ByteRange) -> String {
    /// JavaScript numbers are exact up to 2^53; what lies beyond is beyond every object, and stays so.
    fn number(number: u64) -> u64 {
        number.min((1 << 53) - 1)
    }
    let members = match range {
        ByteRange::FromTo { first, last } => {
            // `last` may be as large as numbers are.
            let length = number((last - first).saturating_add(1));
            format!(r#""offset":{},"length":{length}"#, number(first))
        }
        ByteRange::From { first } => format!(r#""offset":{}"#, number(first)),
        ByteRange::Suffix { length } => format!(r#""suffix":{}"#, number(length)),
    };
    format!(r#"{{"range":{{{members}}}}}"#)
}

/// How an object is written: its content type, and further members.
fn options(content_type: &str, more: &str) -> Result<JsValue, StorageError> {
    let content_type = quoted(content_type);
    let options = format!(r#"{{"httpMetadata":{{"contentType":{content_type}}}{more}}}"#);
    json(&options).map_err(storage_error)
}
