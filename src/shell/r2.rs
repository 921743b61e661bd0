//! The R2 binding, with typed options and errors. The binding returns the whole object for a
//! `Range` header that is forwarded unparsed, and always sets `object.range`. So ranges are parsed
//! before they arrive here, and `range` is never read.

use web_sys::ReadableStream;
use worker::{Conditional, Data, Env, Error, HttpMetadata, Range, ResponseBody};

use super::hold::Held;
use super::streams;
use super::time::{sleep, within};
use crate::http::problem::{Problem, Refusal};
use crate::http::range::ByteRange;
use crate::object::key::ObjectKey;
use crate::object::stored::{BucketError, ObjectMetadata, RETRIES_MS, TIMEOUT_MS};
use crate::operation::list::{List, Listed, Page};
use crate::operation::write::{Evaluated, MAX_PARTS, UploadedPart};

/// The name of the binding in `wrangler.toml`.
const BINDING: &str = "BUCKET";

pub(super) struct R2Bucket(worker::Bucket);

/// An object that R2 returned.
pub(super) struct R2Object {
    pub(super) stored: ObjectMetadata,
    body: Option<ReadableStream>,
}

impl R2Object {
    /// The stream runs from R2 to the client without entering wasm.
    pub(super) fn body(&self) -> Result<&ReadableStream, BucketError> {
        let without = || BucketError::Unavailable("an object without its body".to_owned());
        self.body.as_ref().ok_or_else(without)
    }

    pub(super) async fn bytes(&self, held: &Held) -> Result<Vec<u8>, BucketError> {
        let bytes = streams::read(self.body()?, held).await;
        bytes.map_err(storage_error)
    }

    pub(super) fn discard(&self) {
        if let Some(body) = &self.body {
            streams::discard(body);
        }
    }
}

/// The message alone. The crate prepends the exception's name, and R2's error code ends the
/// message.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::UnknownJsError { message, .. } => message.clone(),
        error => error.to_string(),
    }
}

pub(super) fn storage_error(error: Error) -> BucketError {
    BucketError::from_message(&message(&error))
}

impl R2Bucket {
    pub(super) fn of(env: &Env) -> Result<Self, Refusal> {
        env.bucket(BINDING).map(Self).map_err(|_| {
            Refusal::new(
                Problem::Misconfigured,
                format!("no R2 bucket is bound as `{BINDING}`"),
            )
        })
    }

    pub(super) async fn head(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<ObjectMetadata>, BucketError> {
        let found = ask(|| self.0.head(key.as_str())).await?;
        Ok(found.as_ref().map(stored))
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Option<R2Object>, BucketError> {
        let found = ask(|| {
            let get = self.0.get(key.as_str());
            match range {
                None => get.execute(),
                Some(range) => get.range(range_option(range)).execute(),
            }
        });
        let Some(found) = found.await? else {
            return Ok(None);
        };
        let body = match found
            .body()
            .map(worker::ObjectBody::response_body)
            .transpose()
        {
            Ok(Some(ResponseBody::Stream(body))) => Some(body),
            Ok(_) => None,
            Err(error) => return Err(storage_error(error)),
        };
        Ok(Some(R2Object {
            stored: stored(&found),
            body,
        }))
    }

    /// Lists one page of a directory.
    pub(super) async fn list(&self, list: &List) -> Result<Page, BucketError> {
        let found = ask(|| {
            let all = self.0.list().prefix(list.directory.as_str());
            match &list.after {
                None => all.execute(),
                Some(after) => all.start_after(after.as_str()).execute(),
            }
        });
        let found = found.await?;
        let listed = |object: worker::Object| Listed {
            key: object.key(),
            bytes: object.size(),
            etag: object.etag(),
            uploaded: object.uploaded().as_millis(),
        };
        Ok(Page {
            objects: found.objects().into_iter().map(listed).collect(),
            truncated: found.truncated(),
        })
    }

    /// Writes an object. Returns `None` if it is no longer the one on which the conditions were
    /// evaluated.
    pub(super) async fn put(
        &self,
        key: &ObjectKey,
        body: Option<ReadableStream>,
        content_type: &str,
        evaluated: Option<Evaluated>,
    ) -> Result<Option<ObjectMetadata>, BucketError> {
        let body = body.map_or_else(|| Data::Text(String::new()), Data::from);
        let put = self.0.put(key.as_str(), body);
        let put = put.http_metadata(metadata(content_type));
        let put = match evaluated {
            None => put,
            Some(evaluated) => put.only_if(only_if(evaluated)),
        };
        let written = put.execute().await.map_err(storage_error)?;
        Ok(written.as_ref().map(stored))
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        self.0.delete(key.as_str()).await.map_err(storage_error)
    }

    pub(super) async fn create_upload(
        &self,
        key: &ObjectKey,
        content_type: &str,
    ) -> Result<String, BucketError> {
        let create = self.0.create_multipart_upload(key.as_str());
        let create = create.http_metadata(metadata(content_type));
        let created = create.execute().await.map_err(storage_error)?;
        Ok(created.upload_id().await)
    }

    pub(super) async fn upload_part(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: u16,
        body: ReadableStream,
    ) -> Result<UploadedPart, BucketError> {
        let upload = self.upload(key, upload)?;
        let part = upload.upload_part(number, body).await;
        Ok(UploadedPart {
            part_number: number,
            etag: part.map_err(storage_error)?.etag(),
        })
    }

    pub(super) async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
        parts: Vec<UploadedPart>,
    ) -> Result<ObjectMetadata, BucketError> {
        let listed = parts.last().map_or(0, |part| part.part_number);
        let parts = parts
            .into_iter()
            .map(|part| worker::UploadedPart::new(part.part_number, part.etag));
        let completed = self.upload(key, upload)?.complete(parts).await;
        match completed {
            Ok(object) => Ok(stored(&object)),
            Err(error) => Err(self.explain(key, upload, listed, error).await),
        }
    }

    pub(super) async fn abort_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
    ) -> Result<(), BucketError> {
        match self.upload(key, upload)?.abort().await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(key, upload, 0, error).await),
        }
    }

    /// Finds out if storage does not know an upload that it did not complete or abort. R2 then
    /// reports an internal error, and names the cause only to a further part. It is none of the
    /// parts up to `listed`, so no object gets it.
    async fn explain(
        &self,
        key: &ObjectKey,
        upload: &str,
        listed: u16,
        error: Error,
    ) -> BucketError {
        let error = storage_error(error);
        if !matches!(error, BucketError::Internal(_)) || listed == MAX_PARTS {
            return error;
        }
        let Ok(resumed) = self.upload(key, upload) else {
            return error;
        };
        let part = resumed.upload_part(MAX_PARTS, Data::Text("?".to_owned()));
        match within(TIMEOUT_MS, part)
            .await
            .map(|sent| sent.map_err(storage_error))
        {
            Some(Err(unknown @ BucketError::NoUpload(_))) => unknown,
            _ => error,
        }
    }

    fn upload(&self, key: &ObjectKey, id: &str) -> Result<worker::MultipartUpload, BucketError> {
        let resumed = self.0.resume_multipart_upload(key.as_str(), id);
        resumed.map_err(storage_error)
    }
}

/// Sends a read, and retries it if it fails, because nothing was sent to the client yet. A timeout
/// is not retried.
pub(super) async fn ask<T, F>(question: impl Fn() -> F) -> Result<T, BucketError>
where
    F: Future<Output = worker::Result<T>>,
{
    let mut waits = RETRIES_MS.iter();
    loop {
        let Some(answer) = within(TIMEOUT_MS, question()).await else {
            return Err(BucketError::Unavailable("no answer in time".to_owned()));
        };
        let error = match answer {
            Ok(found) => return Ok(found),
            Err(error) => storage_error(error),
        };
        match waits.next() {
            Some(wait) if error.may_pass() => sleep(*wait).await,
            _ => return Err(error),
        }
    }
}

fn stored(object: &worker::Object) -> ObjectMetadata {
    let content_type = object.http_metadata().content_type;
    ObjectMetadata {
        etag: object.etag(),
        size: object.size(),
        uploaded: object.uploaded().as_millis(),
        content_type: content_type.filter(|content_type| !content_type.is_empty()),
    }
}

fn metadata(content_type: &str) -> HttpMetadata {
    HttpMetadata {
        content_type: Some(content_type.to_owned()),
        ..HttpMetadata::default()
    }
}

fn only_if(evaluated: Evaluated) -> Conditional {
    let (etag_matches, etag_does_not_match) = match evaluated {
        Evaluated::Absent => (None, Some("*".to_owned())),
        Evaluated::Present(etag) => (Some(etag), None),
    };
    Conditional {
        etag_matches,
        etag_does_not_match,
        ..Conditional::default()
    }
}

fn range_option(range: ByteRange) -> Range {
    /// Clamps to 2^53, above which JavaScript numbers are inexact. No object is that large.
    fn number(number: u64) -> u64 {
        number.min((1 << 53) - 1)
    }
    match range {
        ByteRange::FromTo { first, last } => Range::OffsetWithLength {
            offset: number(first),
            // `last` may be the largest integer.
            length: number((last - first).saturating_add(1)),
        },
        ByteRange::From { first } => Range::OffsetToEnd {
            offset: number(first),
        },
        ByteRange::Suffix { length } => Range::Suffix {
            suffix: number(length),
        },
    }
}
