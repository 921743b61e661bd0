//! Writes: bodies stream from the client to R2 without entering wasm.

use wasm_bindgen::JsValue;
use web_sys::Response;

use super::bucket::Bucket;
use super::js::Body;
use super::queue::Queue;
use super::reply::{self, Reply, failed};
use crate::http::precondition::{EntityTag, WriteConditions};
use crate::http::problem::Problem;
use crate::http::problem::Refusal;
use crate::object_key::ObjectKey;
use crate::read::Headers;
use crate::storage::StorageError;
use crate::write::{Evaluated, Write, created_json, parse_parts};

pub(super) async fn write(
    write: Write,
    request: &Body,
    bucket: &Bucket,
    queue: &Queue<'_>,
    reply: &Reply,
) -> Result<Response, Refusal> {
    match write {
        Write::Put {
            key,
            content_type,
            conditions,
        } => {
            // What is refused anyway is refused before its body is read.
            let evaluated = evaluate(&key, &conditions, bucket).await?;
            let is_new = evaluated == Some(Evaluated::Absent);
            let body = request.body().map_or(JsValue::from_str(""), JsValue::from);
            let written = bucket
                .put(&key, body, &content_type, evaluated)
                .await
                .map_err(refused)?;
            let changed = || Refusal::new(Problem::PreconditionFailed, "another write came first");
            let stored = written.ok_or_else(changed)?;
            queue.tell(&key, &stored).await?;
            let status = if is_new { 201 } else { 200 };
            json(reply, status, vec![etag(&stored.etag)], "{}".to_owned())
        }
        Write::Delete { key, conditions } => {
            // R2 removes without a condition: what is written between this look and the removal is removed.
            evaluate(&key, &conditions, bucket).await?;
            bucket.delete(&key).await.map_err(refused)?;
            empty(reply)
        }
        Write::Create { key, content_type } => {
            let upload = bucket
                .create_upload(&key, &content_type)
                .await
                .map_err(refused)?;
            json(reply, 201, vec![], created_json(&upload))
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
            json(reply, 200, vec![header], part.json())
        }
        Write::Complete {
            key,
            upload,
            conditions,
        } => {
            let list = request.bytes().await.map_err(failed)?;
            let parts = parse_parts(&list)?;
            // The binding completes without a condition: of two completions at once both may pass this look.
            evaluate(&key, &conditions, bucket).await?;
            let stored = bucket
                .complete_upload(&key, &upload, &parts)
                .await
                .map_err(refused)?;
            queue.tell(&key, &stored).await?;
            let body = format!(r#"{{"size":{}}}"#, stored.size);
            json(reply, 201, vec![etag(&stored.etag)], body)
        }
        Write::Abort { key, upload } => {
            bucket.abort_upload(&key, &upload).await.map_err(refused)?;
            empty(reply)
        }
    }
}

/// Evaluates the conditions of a write on what is stored now; without any, nothing is looked at.
async fn evaluate(
    key: &ObjectKey,
    conditions: &WriteConditions,
    bucket: &Bucket,
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
    reply: &Reply,
    status: u16,
    mut headers: Headers,
    body: String,
) -> Result<Response, Refusal> {
    headers.push(("Content-Type", "application/json".to_owned()));
    headers.push(("Cache-Control", "no-store".to_owned()));
    reply
        .send(status, headers, reply::Body::Text(body))
        .map_err(failed)
}

fn empty(reply: &Reply) -> Result<Response, Refusal> {
    let headers = vec![("Cache-Control", "no-store".to_owned())];
    reply.send(204, headers, reply::Body::Empty).map_err(failed)
}

fn refused(error: StorageError) -> Refusal {
    Refusal::new(error.problem(), error)
}
