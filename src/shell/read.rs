//! Reads: from the cache or storage; the pure part decides the answer.

use std::rc::Rc;

use web_sys::{ReadableStream, Response};
use worker::Context;

use super::cache::{CacheEntry, Cached, FillStart, Filling};
use super::hold::Held;
use super::r2::{R2Bucket, R2Object};
use super::responder::{Responder, ResponseBody, failed};
use super::time::{microseconds, sleep};
use crate::budget::HoldPurpose;
use crate::http::problem::{Problem, Refusal};
use crate::http::range::{ByteRange, ContentRange};
use crate::log::ServedFrom;
use crate::object::stored::{BucketError, ObjectMetadata};
use crate::operation::cache_policy::{may_hold, object_seconds, playlist_seconds, url};
use crate::operation::read::{Headers, Read, ReadAnswer, Treatment};
use crate::playlist::PlaylistError;

/// The delays before a waiting request reads the cache again, in milliseconds.
const LOOK_AGAIN_MS: [u32; 9] = [4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// The context of a read.
pub(super) struct ReadContext<'request> {
    pub(super) origin: &'request str,
    pub(super) bucket_name: &'request str,
    pub(super) bucket: &'request R2Bucket,
    pub(super) platform: &'request Context,
    pub(super) responder: &'request Responder,
    /// The duration of the verification, in microseconds.
    pub(super) verified_in: u64,
}

/// An answered read.
pub(super) struct Served {
    pub(super) response: Response,
    pub(super) bytes: u64,
    pub(super) source: Option<ServedFrom>,
    /// A difference between the answer and the stored object that concerns the operator.
    pub(super) note: Option<String>,
}

impl Served {
    /// An answer without an object.
    pub(super) fn plain(response: Response) -> Self {
        Self {
            response,
            bytes: 0,
            source: None,
            note: None,
        }
    }
}

/// A found object and its source.
pub(super) struct FoundObject {
    pub(super) stored: ObjectMetadata,
    body: FoundBody,
}

enum FoundBody {
    /// From the cache: always the whole object.
    Cached(CacheEntry, Cached),
    /// From storage: the requested range or the whole, with the right to cache it, if it has one.
    Stored(R2Object, Option<ByteRange>, Option<(CacheEntry, Filling)>),
    /// From storage: metadata only.
    Absent,
    /// The whole object, in reserved memory.
    InMemory(Vec<u8>, Rc<Held>),
}

impl FoundObject {
    fn source(&self) -> ServedFrom {
        match self.body {
            FoundBody::Cached(..) => ServedFrom::Cache,
            FoundBody::Stored(..) | FoundBody::Absent | FoundBody::InMemory(..) => {
                ServedFrom::Storage
            }
        }
    }

    pub(super) fn discard(self) {
        match self.body {
            FoundBody::Cached(_, cached) => cached.discard(),
            FoundBody::Stored(object, ..) => object.discard(),
            FoundBody::Absent | FoundBody::InMemory(..) => {}
        }
    }
}

/// Answers a read. `position` is the viewer's in the lecture that the read opens.
pub(super) async fn read(
    read: &Read<'_>,
    position: Option<u32>,
    context: &ReadContext<'_>,
) -> Result<Served, Refusal> {
    let mut found = find(read, context).await?;
    let source = found.source();
    if read.may_be_silent(&found.stored) {
        found = match read.known_form(&found.stored) {
            Some(stored) => FoundObject { stored, ..found },
            None => end_silent(read, found, context).await?,
        };
    }
    let mut headers = vec![(
        "Server-Timing",
        format!(
            "cache;desc={}, verify;dur={}",
            source.word(),
            milliseconds(context.verified_in)
        ),
    )];
    let mut send = |status: u16, more: Headers, body: ResponseBody, bytes: u64| {
        headers.extend(more);
        let headers = std::mem::take(&mut headers);
        let response = context
            .responder
            .send(status, headers, body)
            .map_err(failed)?;
        Ok(Served {
            response,
            bytes,
            source: Some(source),
            note: None,
        })
    };
    match read.answer(&found.stored) {
        ReadAnswer::NotModified(mut headers) => {
            found.discard();
            headers.extend(position_header(position));
            send(304, headers, ResponseBody::Empty, 0)
        }
        ReadAnswer::Redirect(location) => {
            found.discard();
            let response = context.responder.redirect(location).map_err(failed)?;
            Ok(Served::plain(response))
        }
        ReadAnswer::Refuse(problem) => {
            found.discard();
            Err(Refusal::new(problem, "the stored object does not allow it"))
        }
        ReadAnswer::Whole(headers) if read.is_head => {
            found.discard();
            send(200, headers, ResponseBody::Empty, 0)
        }
        ReadAnswer::Whole(headers) => {
            let size = found.stored.size;
            let body = whole(read, found, context).await?;
            send(200, headers, ResponseBody::Stream(body), size)
        }
        ReadAnswer::Part(range, headers) => {
            let body = part(read, found, range, context).await?;
            send(206, headers, ResponseBody::Stream(body), range.size())
        }
        ReadAnswer::Rewritten(mut headers) => {
            let (bytes, held) = bytes_in_memory(read, found, context).await?;
            let began = microseconds();
            let rewritten = match read.rewrite(&bytes, context.origin) {
                Ok(rewritten) => rewritten,
                Err(PlaylistError::AmbiguousManifest) => {
                    let response = context.responder.redirect(read.path_below_pass());
                    return response.map(Served::plain).map_err(failed);
                }
                Err(error) => return Err(Refusal::new(error.problem(), error)),
            };
            let took = microseconds() - began;
            headers.push((
                "Server-Timing",
                format!("rewrite;dur={}", milliseconds(took)),
            ));
            if let Some(session) = read.session() {
                headers.push(("Lectern-Session", session));
            }
            headers.extend(position_header(position));
            let length = rewritten.bytes.len() as u64;
            let note = rewritten.note();
            if !headers.iter().any(|(name, _)| *name == "Content-Encoding") {
                headers.push(("Content-Length", length.to_string()));
            }
            // The copies for the cache and for the viewer.
            held.resize(bytes.len() as u64 + length)?;
            drop(bytes);
            let body = if read.is_head {
                ResponseBody::Empty
            } else if Held::is_needed_for(&rewritten.bytes) {
                ResponseBody::Stream(
                    Held::send(held, &rewritten.bytes, context.platform).map_err(failed)?,
                )
            } else {
                ResponseBody::Bytes(rewritten.bytes)
            };
            let served = send(200, headers, body, length)?;
            Ok(Served { note, ..served })
        }
    }
}

/// Ends the playlist of a recorder that died, so that its viewers stop asking.
async fn end_silent(
    read: &Read<'_>,
    found: FoundObject,
    context: &ReadContext<'_>,
) -> Result<FoundObject, Refusal> {
    let stored = found.stored.clone();
    let (bytes, held) = bytes_in_memory(read, found, context).await?;
    let (bytes, stored) = read.end(bytes, &stored);
    Ok(FoundObject {
        stored,
        body: FoundBody::InMemory(bytes, held),
    })
}

/// The stored bytes of an object that is rewritten, and the memory that was reserved for them.
pub(super) async fn bytes_in_memory(
    read: &Read<'_>,
    found: FoundObject,
    context: &ReadContext<'_>,
) -> Result<(Vec<u8>, Rc<Held>), Refusal> {
    let found = match found.body {
        FoundBody::InMemory(bytes, held) => return Ok((bytes, held)),
        body => FoundObject { body, ..found },
    };
    let held = match Held::in_time(HoldPurpose::Rewrite, found.stored.size).await {
        Ok(held) => Rc::new(held),
        Err(refusal) => {
            found.discard();
            return Err(refusal);
        }
    };
    let bytes = stored_bytes(read, found, context, &held).await?;
    Ok((bytes, held))
}

fn position_header(position: Option<u32>) -> Option<(&'static str, String)> {
    position.map(|position| ("Lectern-Position", position.to_string()))
}

/// Looks an object up in the cache, if it may be there, else in storage. Of simultaneous misses,
/// one reads storage and fills the cache, and the others wait for it.
pub(super) async fn find(
    read: &Read<'_>,
    context: &ReadContext<'_>,
) -> Result<FoundObject, Refusal> {
    let is_playlist = matches!(
        read.treatment,
        Treatment::Rewrite | Treatment::Manifest | Treatment::AssetList | Treatment::Steering
    );
    let mut entry = (read.may_be_cached() && may_hold(&read.key, is_playlist))
        .then(|| url(context.origin, context.bucket_name, &read.key))
        .map(CacheEntry::new);
    // The length of a playlist is known only after it is rewritten, so `HEAD` reads it.
    let asks_only = (read.is_head || read.hides_link) && !is_playlist;
    let range = read.storage_range();
    let mut filling = None;
    let mut waits = LOOK_AGAIN_MS.iter();
    while let Some(looking) = &entry {
        if let Some(cached) = looking.look_up().await {
            let stored = cached.stored.clone();
            let body = FoundBody::Cached(entry.take().ok_or_else(gone)?, cached);
            return Ok(FoundObject { stored, body });
        }
        // The cache keeps whole objects, not ranges.
        if asks_only || range.is_some() {
            break;
        }
        match looking.begin() {
            FillStart::Filling(right) => {
                filling = Some(right);
                break;
            }
            FillStart::Elsewhere => match waits.next() {
                Some(wait) => sleep(*wait).await,
                None => break,
            },
        }
    }
    if asks_only {
        let stored = context.bucket.head(&read.key).await.map_err(refused)?;
        let stored = stored.ok_or_else(not_found)?;
        if !read.is_rewritten(&stored) {
            let body = FoundBody::Absent;
            return Ok(FoundObject { stored, body });
        }
    }
    match context.bucket.get(&read.key, range).await {
        // R2 refuses an unsatisfiable range without the object's length, and conditions come first.
        // For a range that begins right after the object's end, wrangler's simulation of R2 fails
        // without a code.
        Err(BucketError::RangeNotSatisfiable | BucketError::Unspecified(_)) if range.is_some() => {
            let stored = context.bucket.head(&read.key).await.map_err(refused)?;
            let stored = stored.ok_or_else(not_found)?;
            let body = FoundBody::Absent;
            Ok(FoundObject { stored, body })
        }
        Err(error) => Err(refused(error)),
        Ok(None) => Err(not_found()),
        Ok(Some(object)) => {
            let stored = object.stored.clone();
            let body = FoundBody::Stored(object, range, entry.zip(filling));
            Ok(FoundObject { stored, body })
        }
    }
}

/// The body of a 200.
async fn whole(
    read: &Read<'_>,
    found: FoundObject,
    context: &ReadContext<'_>,
) -> Result<ReadableStream, Refusal> {
    let stored = found.stored;
    match found.body {
        FoundBody::Cached(_, cached) => Ok(cached.body().clone()),
        FoundBody::Stored(object, None, kept) => {
            let body = stream(&object)?;
            let seconds = object_seconds(&read.key, stored.size);
            match kept.zip(seconds) {
                Some(((entry, filling), seconds)) => entry
                    .keep_stream(filling, &stored, &body, seconds, context.platform)
                    .map_err(failed),
                None => Ok(body),
            }
        }
        // `If-Range` was false: the answer needs the whole, not the range.
        FoundBody::Stored(object, Some(_), _) => {
            object.discard();
            stream(&fetch(read, None, &stored, context).await?)
        }
        FoundBody::Absent | FoundBody::InMemory(..) => {
            stream(&fetch(read, None, &stored, context).await?)
        }
    }
}

/// The body of a 206.
async fn part(
    read: &Read<'_>,
    found: FoundObject,
    part: ContentRange,
    context: &ReadContext<'_>,
) -> Result<ReadableStream, Refusal> {
    let stored = found.stored;
    match found.body {
        FoundBody::Cached(entry, cached) => {
            cached.discard();
            let cached = entry.look_up_part(part).await;
            if let Some(cached) = cached.filter(|cached| cached.stored == stored) {
                return Ok(cached.body().clone());
            }
        }
        FoundBody::Stored(object, Some(_), _) => return stream(&object),
        // The stored content type shows that this is not a playlist, so the range is read now.
        FoundBody::Stored(object, None, _) => object.discard(),
        FoundBody::Absent | FoundBody::InMemory(..) => {}
    }
    let range = ByteRange::FromTo {
        first: part.first,
        last: part.last,
    };
    stream(&fetch(read, Some(range), &stored, context).await?)
}

/// The stored bytes of a rewritten object. Nothing was sent yet, so a truncated body is read again,
/// once.
async fn stored_bytes(
    read: &Read<'_>,
    found: FoundObject,
    context: &ReadContext<'_>,
    held: &Rc<Held>,
) -> Result<Vec<u8>, Refusal> {
    let stored = found.stored;
    let kept = match found.body {
        FoundBody::Cached(_, cached) => {
            if let Ok(bytes) = cached.bytes(held).await {
                return Ok(bytes);
            }
            None
        }
        FoundBody::Stored(object, _, kept) => {
            if let Ok(bytes) = object.bytes(held).await {
                keep(read, kept, held, &stored, &bytes, context);
                return Ok(bytes);
            }
            kept
        }
        FoundBody::InMemory(bytes, _) => return Ok(bytes),
        FoundBody::Absent => None,
    };
    let object = fetch(read, None, &stored, context).await?;
    let bytes = object.bytes(held).await.map_err(refused)?;
    keep(read, kept, held, &stored, &bytes, context);
    Ok(bytes)
}

fn keep(
    read: &Read<'_>,
    kept: Option<(CacheEntry, Filling)>,
    held: &Rc<Held>,
    stored: &ObjectMetadata,
    bytes: &[u8],
    context: &ReadContext<'_>,
) {
    if let Some((entry, filling)) = kept {
        let seconds = playlist_seconds(&read.key, bytes);
        let held = Rc::clone(held);
        entry.keep_bytes(filling, held, stored, bytes, seconds, context.platform);
    }
}

/// Reads the same version of the object again, or another part of it.
async fn fetch(
    read: &Read<'_>,
    range: Option<ByteRange>,
    expected: &ObjectMetadata,
    context: &ReadContext<'_>,
) -> Result<R2Object, Refusal> {
    let object = context
        .bucket
        .get(&read.key, range)
        .await
        .map_err(refused)?;
    let object = object.ok_or_else(not_found)?;
    if object.stored.etag != expected.etag {
        object.discard();
        return Err(gone());
    }
    Ok(object)
}

fn stream(object: &R2Object) -> Result<ReadableStream, Refusal> {
    object.body().cloned().map_err(refused)
}

/// Formats milliseconds for `Server-Timing`.
fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03}", microseconds / 1000, microseconds % 1000)
}

fn gone() -> Refusal {
    Refusal::new(
        Problem::StorageUnavailable,
        "the object changed between two reads",
    )
}

pub(super) fn not_found() -> Refusal {
    Refusal::new(Problem::NotFound, "no such object")
}

fn refused(error: BucketError) -> Refusal {
    Refusal::new(error.problem(), error)
}
