//! The R2 binding, with typed options and typed errors. Traps of the binding that this module closes: a `Range`
//! header that is forwarded unparsed returns the whole object, and `object.range` is always set; so ranges are parsed
//! before they come here, and `range` is never read back.

use web_sys::ReadableStream;
use worker::{Conditional, Data, Env, HttpMetadata, Object, Range};

use super::reply::message;
use crate::http::problem::Problem;
use crate::http::problem::Refusal;
use crate::http::range::ByteRange;
use crate::object_key::ObjectKey;
use crate::storage::{StorageError, Stored};
use crate::write::{Condition, UploadedPart};

/// The name of the binding in `wrangler.toml`.
const BINDING: &str = "BUCKET";

pub(super) struct Bucket(worker::Bucket);

fn storage_error(error: worker::Error) -> StorageError {
    StorageError::from_message(&message(error))
}

impl Bucket {
    pub(super) fn of(env: &Env) -> Result<Self, Refusal> {
        env.bucket(BINDING).map(Self).map_err(|_| {
            Refusal::new(
                Problem::Misconfigured,
                format!("no R2 bucket is bound as `{BINDING}`"),
            )
        })
    }

    pub(super) async fn head(&self, key: &ObjectKey) -> Result<Option<Stored>, StorageError> {
        let found = self.0.head(key.as_str()).await.map_err(storage_error)?;
        Ok(found.as_ref().map(stored))
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Option<Object>, StorageError> {
        let mut get = self.0.get(key.as_str());
        if let Some(range) = range {
            get = get.range(match range {
                ByteRange::FromTo { first, last } => Range::OffsetWithLength {
                    offset: exact(first),
                    length: exact(last - first + 1),
                },
                ByteRange::From { first } => Range::OffsetToEnd {
                    offset: exact(first),
                },
                ByteRange::Suffix { length } => Range::Suffix {
                    suffix: exact(length),
                },
            });
        }
        get.execute().await.map_err(storage_error)
    }

    /// `None` where the condition does not hold.
    pub(super) async fn put(
        &self,
        key: &ObjectKey,
        body: Data,
        content_type: String,
        condition: Option<Condition>,
    ) -> Result<Option<Stored>, StorageError> {
        let mut put = self.0.put(key.as_str(), body).http_metadata(HttpMetadata {
            content_type: Some(content_type),
            ..HttpMetadata::default()
        });
        if let Some(condition) = condition {
            let (matches, does_not_match) = match condition {
                Condition::Absent => (None, Some("*".to_owned())),
                Condition::Present => (Some("*".to_owned()), None),
                Condition::Is(etag) => (Some(etag), None),
            };
            put = put.only_if(Conditional {
                etag_matches: matches,
                etag_does_not_match: does_not_match,
                ..Conditional::default()
            });
        }
        let written = put.execute().await.map_err(storage_error)?;
        Ok(written.as_ref().map(stored))
    }

    pub(super) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.0.delete(key.as_str()).await.map_err(storage_error)
    }

    pub(super) async fn create_upload(
        &self,
        key: &ObjectKey,
        content_type: String,
    ) -> Result<String, StorageError> {
        let upload = self
            .0
            .create_multipart_upload(key.as_str())
            .http_metadata(HttpMetadata {
                content_type: Some(content_type),
                ..HttpMetadata::default()
            })
            .execute()
            .await
            .map_err(storage_error)?;
        Ok(upload.upload_id().await)
    }

    pub(super) async fn upload_part(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: u16,
        body: ReadableStream,
    ) -> Result<UploadedPart, StorageError> {
        let upload = self.upload(key, upload)?;
        let part = upload
            .upload_part(number, body)
            .await
            .map_err(storage_error)?;
        Ok(UploadedPart {
            part_number: part.part_number(),
            etag: part.etag(),
        })
    }

    pub(super) async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
        parts: Vec<UploadedPart>,
    ) -> Result<Stored, StorageError> {
        let parts = parts
            .into_iter()
            .map(|part| worker::UploadedPart::new(part.part_number, part.etag));
        let upload = self.upload(key, upload)?;
        let object = upload.complete(parts).await.map_err(storage_error)?;
        Ok(stored(&object))
    }

    pub(super) async fn abort_upload(
        &self,
        key: &ObjectKey,
        upload: &str,
    ) -> Result<(), StorageError> {
        let upload = self.upload(key, upload)?;
        upload.abort().await.map_err(storage_error)
    }

    fn upload(&self, key: &ObjectKey, id: &str) -> Result<worker::MultipartUpload, StorageError> {
        self.0
            .resume_multipart_upload(key.as_str(), id)
            .map_err(storage_error)
    }
}

pub(super) fn stored(object: &Object) -> Stored {
    Stored {
        etag: object.etag(),
        size: object.size(),
        uploaded: object.uploaded().as_millis(),
        content_type: object.http_metadata().content_type,
    }
}

/// JavaScript numbers are exact up to 2^53; what lies beyond is beyond every object, and stays so.
fn exact(number: u64) -> u64 {
    number.min((1 << 53) - 1)
}
