//! Reads: storage is asked once, and the pure part says what to make of what it said.

use web_sys::{ReadableStream, Response};
use worker::{Object, ResponseBody};

use super::bucket::{Bucket, stored};
use super::reply::{Body, Reply, failed};
use crate::http::problem::Problem;
use crate::http::problem::Refusal;
use crate::http::range::ByteRange;
use crate::read::{Answer, Read, Treatment};
use crate::storage::{StorageError, Stored};

pub(super) async fn read(
    read: &Read<'_>,
    origin: &str,
    bucket: &Bucket,
    reply: &Reply,
) -> Result<Response, Refusal> {
    if read.head && !matches!(read.treatment, Treatment::Playlist | Treatment::AssetList) {
        let stored = bucket.head(&read.key).await.map_err(refused)?;
        let stored = stored.ok_or_else(not_found)?;
        // The length of a rewritten playlist is only known once it was rewritten.
        if !read.is_rewritten(&stored) {
            return match read.answer(&stored) {
                Answer::Whole(headers) | Answer::Part(_, headers) | Answer::Rewritten(headers) => {
                    reply.send(200, headers, Body::Empty).map_err(failed)
                }
                Answer::NotModified(headers) => {
                    reply.send(304, headers, Body::Empty).map_err(failed)
                }
                Answer::Refuse(problem) => Err(Refusal::new(problem, "")),
            };
        }
    }
    let range = read.storage_range();
    let object = match bucket.get(&read.key, range).await {
        Err(StorageError::RangeNotSatisfiable) => {
            return unsatisfiable(read, bucket, reply).await;
        }
        other => other.map_err(refused)?.ok_or_else(not_found)?,
    };
    let stored = stored(&object);
    match read.answer(&stored) {
        Answer::Whole(headers) => {
            // `If-Range` did not hold: the range that came is not the whole.
            let object = match range {
                Some(_) => again(read, None, object, &stored, bucket).await?,
                None => object,
            };
            let body = body(&object)?;
            reply.send(200, headers, Body::Stream(body)).map_err(failed)
        }
        Answer::Part(part, headers) => {
            // The stored content type decided that this is no playlist, so its range is only asked for now.
            let object = match range {
                Some(_) => object,
                None => {
                    let range = ByteRange::FromTo {
                        first: part.first,
                        last: part.last,
                    };
                    again(read, Some(range), object, &stored, bucket).await?
                }
            };
            let body = body(&object)?;
            reply.send(206, headers, Body::Stream(body)).map_err(failed)
        }
        Answer::Rewritten(mut headers) => {
            let object_body = object.body().ok_or_else(no_body)?;
            let bytes = object_body.bytes().await.map_err(failed)?;
            let rewritten = read
                .rewrite(&bytes, origin)
                .map_err(|error| Refusal::new(error.problem(), error))?;
            headers.push(("Content-Length", rewritten.len().to_string()));
            let body = match read.head {
                true => Body::Empty,
                false => Body::Bytes(rewritten),
            };
            reply.send(200, headers, body).map_err(failed)
        }
        Answer::NotModified(headers) => {
            discard(&object);
            reply.send(304, headers, Body::Empty).map_err(failed)
        }
        Answer::Refuse(problem) => {
            discard(&object);
            Err(Refusal::new(problem, ""))
        }
    }
}

/// R2 refuses a range that selects nothing without saying how long the object is; conditions still come first.
async fn unsatisfiable(
    read: &Read<'_>,
    bucket: &Bucket,
    reply: &Reply,
) -> Result<Response, Refusal> {
    let stored = bucket.head(&read.key).await.map_err(refused)?;
    match read.answer(&stored.ok_or_else(not_found)?) {
        Answer::NotModified(headers) => reply.send(304, headers, Body::Empty).map_err(failed),
        Answer::Refuse(problem) => Err(Refusal::new(problem, "")),
        Answer::Whole(headers) => {
            let object = bucket.get(&read.key, None).await.map_err(refused)?;
            let object = object.ok_or_else(not_found)?;
            reply
                .send(200, headers, Body::Stream(body(&object)?))
                .map_err(failed)
        }
        Answer::Part(..) | Answer::Rewritten(_) => Err(Refusal::new(
            Problem::StorageUnavailable,
            "the object changed between two reads",
        )),
    }
}

/// Reads the same object again, another part of it.
async fn again(
    read: &Read<'_>,
    range: Option<ByteRange>,
    first: Object,
    expected: &Stored,
    bucket: &Bucket,
) -> Result<Object, Refusal> {
    discard(&first);
    let object = bucket.get(&read.key, range).await.map_err(refused)?;
    let object = object.ok_or_else(not_found)?;
    if stored(&object).etag != expected.etag {
        discard(&object);
        return Err(Refusal::new(
            Problem::StorageUnavailable,
            "the object changed between two reads",
        ));
    }
    Ok(object)
}

/// The stream goes from R2 to the client without entering wasm.
fn body(object: &Object) -> Result<ReadableStream, Refusal> {
    let body = object.body().ok_or_else(no_body)?;
    match body.response_body().map_err(failed)? {
        ResponseBody::Stream(stream) => Ok(stream),
        ResponseBody::Body(_) | ResponseBody::Empty => Err(no_body()),
    }
}

fn no_body() -> Refusal {
    Refusal::new(Problem::StorageUnavailable, "storage sent no body")
}

/// Tells storage that the body is not wanted.
fn discard(object: &Object) {
    if let Ok(stream) = body(object) {
        let _ = stream.cancel();
    }
}

fn not_found() -> Refusal {
    Refusal::new(Problem::NotFound, "no such object")
}

fn refused(error: StorageError) -> Refusal {
    Refusal::new(error.problem(), error)
}
