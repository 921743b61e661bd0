//! Writes: bodies stream from the client to R2 without entering wasm.

use web_sys::{ReadableStream, Request, Response};
use worker::Env;

use super::hold::Held;
use super::queue::UploadQueue;
use super::r2::R2Bucket;
use super::raw::Beginning;
use super::responder::{self, Responder, failed};
use super::{streams, upload_account};
use crate::budget::HoldPurpose;
use crate::http::precondition::{EntityTag, WriteConditions};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::upload_account::UploadCharge;
use crate::object::file_kind::check_bytes;
use crate::object::key::ObjectKey;
use crate::object::stored::BucketError;
use crate::operation::read::Headers;
use crate::operation::upload_bounds::UploadBounds;
use crate::operation::write::{Evaluated, Write, created_json, parse_parts};

/// The context of a write.
pub(super) struct WriteContext<'request> {
    pub(super) request: &'request Request,
    pub(super) bucket: &'request R2Bucket,
    pub(super) queue: UploadQueue<'request>,
    pub(super) responder: &'request Responder,
    /// The bounds of the link.
    pub(super) bounds: &'request UploadBounds,
    pub(super) env: &'request Env,
}

impl WriteContext<'_> {
    pub(super) async fn write(&self, write: Write) -> Result<Response, Refusal> {
        let Self {
            bucket,
            queue,
            responder,
            bounds,
            ..
        } = self;
        let charge = bounds.charge(&write);
        let sniffs = bounds.sniffs(&write);
        match write {
            Write::Put {
                key,
                content_type,
                conditions,
                length,
            } => {
                // A request that fails its conditions is refused before its body is read. Without
                // conditions, the stored object still tells if this request creates it (RFC 9110
                // §9.3.4).
                let stored = bucket.head(&key).await.map_err(refused)?;
                let is_new = stored.is_none();
                let evaluated = match conditions.is_empty() {
                    true => None,
                    false => Some(Evaluated::of(&conditions, stored.as_ref())?),
                };
                let body = self.body(&key, sniffs, length).await?;
                self.charge(charge).await?;
                let written = bucket
                    .put(&key, body.stream()?, &content_type, evaluated)
                    .await
                    .map_err(refused)?;
                let changed =
                    || Refusal::new(Problem::PreconditionFailed, "another write came first");
                let stored = written.ok_or_else(changed)?;
                queue.announce(&key, &stored).await?;
                let status = if is_new { 201 } else { 200 };
                json(responder, status, vec![etag(&stored.etag)], "{}".to_owned())
            }
            Write::Delete { key, conditions } => {
                // R2 deletes unconditionally: it removes an object that was written after this check.
                self.evaluate(&key, &conditions).await?;
                bucket.delete(&key).await.map_err(refused)?;
                empty(responder)
            }
            Write::Create { key, content_type } => {
                self.charge(charge).await?;
                let upload = bucket
                    .create_upload(&key, &content_type)
                    .await
                    .map_err(refused)?;
                json(responder, 201, vec![], created_json(&upload))
            }
            Write::Part {
                key,
                upload,
                number,
                length,
            } => {
                let body = self.body(&key, sniffs, length).await?;
                self.charge(charge).await?;
                let body = body.stream()?.ok_or_else(|| {
                    let reason = "the body is empty: send the bytes of the part";
                    Refusal::new(Problem::BadRequest, reason)
                })?;
                let part = bucket
                    .upload_part(&key, &upload, number, body)
                    .await
                    .map_err(refused)?;
                let header = etag(&part.etag);
                json(responder, 200, vec![header], part.json())
            }
            Write::Complete {
                key,
                upload,
                conditions,
                length,
            } => {
                let held = Held::in_time(HoldPurpose::PartList, length).await?;
                let list = match self.request.body() {
                    Some(body) => streams::read(&body, &held).await.map_err(failed)?,
                    None => Vec::new(),
                };
                let parts = parse_parts(&list)?;
                drop(list);
                bounds.check_parts(&parts)?;
                // The binding completes unconditionally: two simultaneous completions may both pass
                // this check.
                self.evaluate(&key, &conditions).await?;
                self.charge(charge).await?;
                let stored = bucket
                    .complete_upload(&key, &upload, parts)
                    .await
                    .map_err(refused)?;
                queue.announce(&key, &stored).await?;
                let body = format!(r#"{{"size":{}}}"#, stored.size);
                json(responder, 201, vec![etag(&stored.etag)], body)
            }
            Write::Abort { key, upload } => {
                bucket.abort_upload(&key, &upload).await.map_err(refused)?;
                empty(responder)
            }
        }
    }

    /// Evaluates the conditions of a write on the stored object. Without conditions, storage is not
    /// read.
    async fn evaluate(&self, key: &ObjectKey, conditions: &WriteConditions) -> Result<(), Refusal> {
        if conditions.is_empty() {
            return Ok(());
        }
        let stored = self.bucket.head(key).await.map_err(refused)?;
        Evaluated::of(conditions, stored.as_ref()).map(drop)
    }

    async fn charge(&self, charge: Option<(&str, UploadCharge)>) -> Result<(), Refusal> {
        match charge {
            Some((account, charge)) => upload_account::charge(self.env, account, charge).await,
            None => Ok(()),
        }
    }

    /// The body of a request. If the link lists types, its first bytes are checked here.
    async fn body(&self, key: &ObjectKey, sniffs: bool, length: u64) -> Result<Body, Refusal> {
        let stream = self.request.body();
        if !sniffs {
            return Ok(Body::Untouched(stream));
        }
        let beginning = match &stream {
            Some(stream) => Beginning::of(stream).await.map_err(failed)?,
            None => Beginning::default(),
        };
        check_bytes(key, &beginning.bytes())
            .map_err(|reason| Refusal::new(Problem::UnsupportedType, reason))?;
        Ok(match stream {
            Some(stream) => Body::Begun(beginning, stream, length),
            None => Body::Untouched(None),
        })
    }
}

/// The body of a request that stores it.
enum Body {
    Untouched(Option<ReadableStream>),
    /// Its first bytes, its rest, and the length of both.
    Begun(Beginning, ReadableStream, u64),
}

impl Body {
    fn stream(self) -> Result<Option<ReadableStream>, Refusal> {
        match self {
            Self::Untouched(stream) => Ok(stream),
            Self::Begun(beginning, rest, length) => {
                beginning.join(&rest, length).map(Some).map_err(failed)
            }
        }
    }
}

fn etag(opaque: &str) -> (&'static str, String) {
    ("ETag", EntityTag::strong(opaque).header())
}

fn json(
    responder: &Responder,
    status: u16,
    mut headers: Headers,
    body: String,
) -> Result<Response, Refusal> {
    headers.push(("Content-Type", "application/json".to_owned()));
    headers.push(("Cache-Control", "no-store".to_owned()));
    responder
        .send(status, headers, responder::ResponseBody::Text(body))
        .map_err(failed)
}

fn empty(responder: &Responder) -> Result<Response, Refusal> {
    let headers = vec![("Cache-Control", "no-store".to_owned())];
    responder
        .send(204, headers, responder::ResponseBody::Empty)
        .map_err(failed)
}

fn refused(error: BucketError) -> Refusal {
    Refusal::new(error.problem(), error)
}
