//! Reads: the cache is asked, else storage, and the pure part says what to make of what it said.

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

/// After how many milliseconds a request looks again whether another one has filled the cache.
const LOOK_AGAIN_MS: [u32; 9] = [4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// Where a read happens.
pub(super) struct ReadContext<'request> {
    pub(super) origin: &'request str,
    pub(super) bucket_name: &'request str,
    pub(super) bucket: &'request R2Bucket,
    pub(super) context: &'request Context,
    pub(super) responder: &'request Responder,
    /// What verifying took, in microseconds.
    pub(super) verified_in: u64,
}

/// A read that was answered.
pub(super) struct Served {
    pub(super) response: Response,
    pub(super) bytes: u64,
    pub(super) source: Option<ServedFrom>,
    /// How the answer differs from what is stored, where the operator should know.
    pub(super) note: Option<String>,
}

impl Served {
    /// An answer that holds nothing of an object.
    pub(super) fn plain(response: Response) -> Self {
        Self {
            response,
            bytes: 0,
            source: None,
            note: None,
        }
    }
}

/// What was found of an object, and where.
struct FoundObject {
    stored: ObjectMetadata,
    body: FoundBody,
}

enum FoundBody {
    /// From the cache: always the whole.
    Cached(CacheEntry, Cached),
    /// From storage: the range that was asked for, else the whole; with the right to keep it, where it may be kept.
    Stored(R2Object, Option<ByteRange>, Option<(CacheEntry, Filling)>),
    /// Storage was asked about the object and not for it.
    Absent,
}

impl FoundObject {
    fn source(&self) -> ServedFrom {
        match self.body {
            FoundBody::Cached(..) => ServedFrom::Cache,
            FoundBody::Stored(..) | FoundBody::Absent => ServedFrom::Storage,
        }
    }

    fn discard(self) {
        match self.body {
            FoundBody::Cached(_, cached) => cached.discard(),
            FoundBody::Stored(object, ..) => object.discard(),
            FoundBody::Absent => {}
        }
    }
}

pub(super) async fn read(read: &Read<'_>, place: &ReadContext<'_>) -> Result<Served, Refusal> {
    let found = find(read, place).await?;
    let source = found.source();
    let mut headers = vec![(
        "Server-Timing",
        format!(
            "cache;desc={}, verify;dur={}",
            source.word(),
            milliseconds(place.verified_in)
        ),
    )];
    let mut send = |status: u16, more: Headers, body: ResponseBody, bytes: u64| {
        headers.extend(more);
        let headers = std::mem::take(&mut headers);
        let response = place
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
        ReadAnswer::NotModified(headers) => {
            found.discard();
            send(304, headers, ResponseBody::Empty, 0)
        }
        ReadAnswer::Redirect(location) => {
            found.discard();
            let response = place.responder.redirect(location).map_err(failed)?;
            Ok(Served::plain(response))
        }
        ReadAnswer::Refuse(problem) => {
            found.discard();
            Err(Refusal::new(problem, "what is stored does not allow it"))
        }
        ReadAnswer::Whole(headers) if read.head => {
            found.discard();
            send(200, headers, ResponseBody::Empty, 0)
        }
        ReadAnswer::Whole(headers) => {
            let size = found.stored.size;
            let body = whole(read, found, place).await?;
            send(200, headers, ResponseBody::Stream(body), size)
        }
        ReadAnswer::Part(range, headers) => {
            let body = part(read, found, range, place).await?;
            send(206, headers, ResponseBody::Stream(body), range.size())
        }
        ReadAnswer::Rewritten(mut headers) => {
            let held = match Held::in_time(HoldPurpose::Rewrite, found.stored.size).await {
                Ok(held) => Rc::new(held),
                Err(refusal) => {
                    found.discard();
                    return Err(refusal);
                }
            };
            let bytes = stored_bytes(read, found, place, &held).await?;
            let began = microseconds();
            let rewritten = read
                .rewrite(&bytes, place.origin)
                .map_err(|error| Refusal::new(error.problem(), error))?;
            let took = microseconds() - began;
            headers.push((
                "Server-Timing",
                format!("rewrite;dur={}", milliseconds(took)),
            ));
            let length = rewritten.bytes.len() as u64;
            let note = rewritten.note();
            if !headers.iter().any(|(name, _)| *name == "Content-Encoding") {
                headers.push(("Content-Length", length.to_string()));
            }
            // What the cache is given, and what the viewer is.
            held.resize(bytes.len() as u64 + length)?;
            drop(bytes);
            let body = if read.head {
                ResponseBody::Empty
            } else if Held::is_needed_for(&rewritten.bytes) {
                ResponseBody::Stream(
                    Held::send(held, &rewritten.bytes, place.context).map_err(failed)?,
                )
            } else {
                ResponseBody::Bytes(rewritten.bytes)
            };
            let served = send(200, headers, body, length)?;
            Ok(Served { note, ..served })
        }
    }
}

/// Looks an object up: in the cache if it may be there, else in storage, which is asked once. Of the requests that miss
/// the cache at the same time one reads storage and fills the cache, and the others wait for it.
async fn find(read: &Read<'_>, place: &ReadContext<'_>) -> Result<FoundObject, Refusal> {
    let is_playlist = matches!(read.treatment, Treatment::Playlist | Treatment::AssetList);
    let mut entry = (!read.is_direct && may_hold(&read.key, is_playlist))
        .then(|| url(place.origin, place.bucket_name, &read.key))
        .map(CacheEntry::new);
    // The length of a playlist is only known once it was rewritten, so its `HEAD` reads it.
    let asks_only = read.head && !is_playlist;
    let range = read.storage_range();
    let mut filling = None;
    let mut waits = LOOK_AGAIN_MS.iter();
    while let Some(looking) = &entry {
        if let Some(cached) = looking.look_up().await {
            let stored = cached.stored.clone();
            let body = FoundBody::Cached(entry.take().ok_or_else(gone)?, cached);
            return Ok(FoundObject { stored, body });
        }
        // A range is not the whole that the cache wants.
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
        let stored = place.bucket.head(&read.key).await.map_err(refused)?;
        let stored = stored.ok_or_else(not_found)?;
        if !read.is_rewritten(&stored) {
            let body = FoundBody::Absent;
            return Ok(FoundObject { stored, body });
        }
    }
    match place.bucket.get(&read.key, range).await {
        // R2 refuses a range that selects nothing without saying how long the object is; conditions still come first. Where
        // the range begins right behind the object's end, wrangler's simulation of R2 fails without saying why.
        Err(BucketError::RangeNotSatisfiable | BucketError::Unspecified(_)) if range.is_some() => {
            let stored = place.bucket.head(&read.key).await.map_err(refused)?;
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

/// The body of 200.
async fn whole(
    read: &Read<'_>,
    found: FoundObject,
    place: &ReadContext<'_>,
) -> Result<ReadableStream, Refusal> {
    let stored = found.stored;
    match found.body {
        FoundBody::Cached(_, cached) => Ok(cached.body().clone()),
        FoundBody::Stored(object, None, kept) => {
            let body = stream(&object)?;
            let seconds = object_seconds(&read.key, stored.size);
            match kept.zip(seconds) {
                Some(((entry, filling), seconds)) => entry
                    .keep_stream(filling, &stored, &body, seconds, place.context)
                    .map_err(failed),
                None => Ok(body),
            }
        }
        // `If-Range` did not hold: the range that came is not the whole.
        FoundBody::Stored(object, Some(_), _) => {
            object.discard();
            stream(&fetch(read, None, &stored, place).await?)
        }
        FoundBody::Absent => stream(&fetch(read, None, &stored, place).await?),
    }
}

/// The body of 206.
async fn part(
    read: &Read<'_>,
    found: FoundObject,
    part: ContentRange,
    place: &ReadContext<'_>,
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
        // The stored content type decided that this is no playlist, so its range is only asked for now.
        FoundBody::Stored(object, None, _) => object.discard(),
        FoundBody::Absent => {}
    }
    let range = ByteRange::FromTo {
        first: part.first,
        last: part.last,
    };
    stream(&fetch(read, Some(range), &stored, place).await?)
}

/// The stored bytes of what is rewritten. Nothing was sent yet, so that a body that breaks off is read again, once.
async fn stored_bytes(
    read: &Read<'_>,
    found: FoundObject,
    place: &ReadContext<'_>,
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
                keep(read, kept, held, &stored, &bytes, place);
                return Ok(bytes);
            }
            kept
        }
        FoundBody::Absent => None,
    };
    let object = fetch(read, None, &stored, place).await?;
    let bytes = object.bytes(held).await.map_err(refused)?;
    keep(read, kept, held, &stored, &bytes, place);
    Ok(bytes)
}

fn keep(
    read: &Read<'_>,
    kept: Option<(CacheEntry, Filling)>,
    held: &Rc<Held>,
    stored: &ObjectMetadata,
    bytes: &[u8],
    place: &ReadContext<'_>,
) {
    if let Some((entry, filling)) = kept {
        let seconds = playlist_seconds(&read.key, bytes);
        let held = Rc::clone(held);
        entry.keep_bytes(filling, held, stored, bytes, seconds, place.context);
    }
}

/// Reads the same object again, or another part of it.
async fn fetch(
    read: &Read<'_>,
    range: Option<ByteRange>,
    expected: &ObjectMetadata,
    place: &ReadContext<'_>,
) -> Result<R2Object, Refusal> {
    let object = place.bucket.get(&read.key, range).await.map_err(refused)?;
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

/// `Server-Timing` has milliseconds.
fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03}", microseconds / 1000, microseconds % 1000)
}

fn gone() -> Refusal {
    Refusal::new(
        Problem::StorageUnavailable,
        "the object changed between two reads",
    )
}

fn not_found() -> Refusal {
    Refusal::new(Problem::NotFound, "no such object")
}

fn refused(error: BucketError) -> Refusal {
    Refusal::new(error.problem(), error)
}
