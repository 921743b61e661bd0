//! Writes: bodies stream from the client to R2 without entering wasm.

use web_sys::{Request, Response};

use super::hold::Held;
use super::queue::UploadQueue;
use super::r2::R2Bucket;
use super::responder::{self, Responder, failed};
use super::streams;
use crate::budget::HoldPurpose;
use crate::http::precondition::{EntityTag, WriteConditions};
use crate::http::problem::{Problem, Refusal};
use crate::object::key::ObjectKey;
use crate::object::stored::BucketError;
use crate::operation::read::Headers;
use crate::operation::write::{Evaluated, Write, created_json, parse_parts};

pub(super) async fn write(
    write: Write,
    request: &Request,
    bucket: &R2Bucket,
    queue: &UploadQueue<'_>,
    responder: &Responder,
) -> Result<Response, Refusal> {
    match write {
        Write::Put {
            key,
            content_type,
            conditions,
        } => {
            // A request that fails its conditions is refused before its body is read.
            let evaluated = evaluate(&key, &conditions, bucket).await?;
            let is_new = evaluated == Some(Evaluated::Absent);
            let written = bucket
                .put(&key, request.body(), &content_type, evaluated)
                .await
                .map_err(refused)?;
            let changed = || Refusal::new(Problem::PreconditionFailed, "another write came first");
            let stored = written.ok_or_else(changed)?;
            queue.announce(&key, &stored).await?;
            let status = if is_new { 201 } else { 200 };
            json(responder, status, vec![etag(&stored.etag)], "{}".to_owned())
        }
        Write::Delete { key, conditions } => {
            // R2 deletes unconditionally: it removes an object that was written after this check.
            evaluate(&key, &conditions, bucket).await?;
            bucket.delete(&key).await.map_err(refused)?;
            empty(responder)
        }
        Write::Create { key, content_type } => {
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
        } => {
            let body = request
                .body()
                .ok_or_else(|| Refusal::new(Problem::BadRequest, "a part without a body"))?;
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
            let list = match request.body() {
                Some(body) => streams::read(&body, &held).await.map_err(failed)?,
                None => Vec::new(),
            };
            let parts = parse_parts(&list)?;
            drop(list);
            // The binding completes unconditionally: two simultaneous completions may both pass
            // this check.
            evaluate(&key, &conditions, bucket).await?;
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
async fn evaluate(
    key: &ObjectKey,
    conditions: &WriteConditions,
    bucket: &R2Bucket,
) -> Result<Option<Evaluated>, Refusal> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let stored = bucket.head(key).await.map_err(refused)?;
    Evaluated::of(conditions, stored.as_ref()).map(Some)
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
