//! Uploads Media Segments while the encoder runs.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::encode::chunk::Chunk;
use crate::encode::task::EncodeTask;
use crate::layout::{self, segment_name};
use crate::manifest::container::Container;
use crate::package::PackagePlan;
use crate::progress::Step;
use crate::publish::Publication;
use crate::storage::concurrency::MAX_REQUESTS as MOST_AT_ONCE;
use crate::storage::error::StorageError;
use crate::storage::object::{Upload, UploadBody};
use crate::workdir::WorkDir;

/// Time between scans of the encoder's output.
const SCAN_INTERVAL: Duration = Duration::from_millis(300);
/// Segments that must follow a final one: the last two may still be merged.
const HELD_BACK: usize = 2;

/// Uploads Media Segments as soon as they are final.
pub(crate) struct SegmentUploader {
    renditions: Vec<PendingSegments>,
}

/// Segments of a Rendition or of one of its chunks, which appear one after the other.
struct PendingSegments {
    name: String,
    folder: PathBuf,
    /// From the package's root.
    path: String,
    next: Cell<usize>,
    /// `None` if the chunk is the last one.
    end: Option<usize>,
    /// Number of uploads under way.
    sending: Cell<usize>,
    /// The caller uploads the rest.
    is_stopped: Cell<bool>,
}

impl SegmentUploader {
    pub(crate) fn new(plan: &PackagePlan, workdir: &WorkDir) -> Self {
        let pending = |name: &str, chunk: Chunk| PendingSegments {
            name: name.to_owned(),
            folder: workdir.revision_folder().join(name),
            path: layout::in_revision(&plan.revision, name),
            next: Cell::new(number(chunk.first)),
            end: chunk.end.map(number),
            sending: Cell::new(0),
            is_stopped: Cell::new(false),
        };
        let mut renditions = vec![];
        // Transport streams are made after encoding, and the CMAF segments are not published.
        let is_published = plan.encode.settings.container == Container::Cmaf;
        for task in plan.encode.tasks().into_iter().filter(|_| is_published) {
            match task {
                EncodeTask::Audio(audio) => renditions.push(pending(&audio.folder, Chunk::WHOLE)),
                EncodeTask::Video(_, video) => {
                    let rungs = video.rungs.iter();
                    renditions.extend(rungs.map(|rung| pending(&rung.name(), video.chunk)));
                }
            }
        }
        Self { renditions }
    }

    /// Uploads segments while `encoding` runs. The first error ends both.
    pub(crate) async fn send_during<T>(
        &self,
        publication: &Publication<'_>,
        step: &Step,
        encoding: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut encoding = std::pin::pin!(encoding);
        let mut scans = tokio::time::interval(SCAN_INTERVAL);
        let mut sending = FuturesUnordered::new();
        let mut encoded = None;
        loop {
            if let Some(result) = encoded.take_if(|_| sending.is_empty()) {
                return Ok(result);
            }
            tokio::select! {
                result = &mut encoding, if encoded.is_none() => encoded = Some(result?),
                Some(sent) = sending.next() => {
                    let bytes: Result<u64, StorageError> = sent;
                    step.add(bytes.context("cannot publish while encoding")?);
                }
                _ = scans.tick(), if encoded.is_none() => {}
            }
            while encoded.is_none() && sending.len() < MOST_AT_ONCE {
                let Some((pending, upload)) = self.take() else {
                    break;
                };
                sending.push(async move {
                    let upload = upload.with_hash().await?;
                    publication.send(&upload).await?;
                    pending.sending.update(|sending| sending - 1);
                    Ok(upload.bytes)
                });
            }
        }
    }

    /// Takes the next final segment.
    fn take(&self) -> Option<(&PendingSegments, Upload)> {
        let mut pending = self.renditions.iter();
        pending.find_map(|pending| Some((pending, pending.take()?)))
    }

    /// Uploads no more segments of a Rendition, and waits for uploads under way.
    pub(crate) async fn stop_rendition(&self, name: &str) {
        let of_rendition = || {
            self.renditions
                .iter()
                .filter(|pending| pending.name == name)
        };
        of_rendition().for_each(|pending| pending.is_stopped.set(true));
        while of_rendition().any(|pending| pending.sending.get() > 0) {
            tokio::time::sleep(SCAN_INTERVAL).await;
        }
    }
}

impl PendingSegments {
    fn take(&self) -> Option<Upload> {
        let next = self.next.get();
        if self.is_stopped.get() || self.end.is_some_and(|end| next >= end) {
            return None;
        }
        let name = segment_name(next);
        let file = self.folder.join(&name);
        // ffmpeg renames a segment when it is complete.
        let bytes = fs::metadata(&file).ok()?.len();
        let last = self.folder.join(segment_name(next + HELD_BACK));
        if bytes == 0 || !last.exists() {
            return None;
        }
        self.next.set(next + 1);
        self.sending.update(|sending| sending + 1);
        let path = format!("{}/{name}", self.path);
        Some(Upload {
            content_type: lectern::object::content_type::for_key(&path).to_owned(),
            path,
            source: UploadBody::File(file),
            bytes,
            sha256: None,
        })
    }
}

fn number(segment: u64) -> usize {
    usize::try_from(segment).unwrap_or(usize::MAX)
}
