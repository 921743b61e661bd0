//! What `ship` sends before the encoder has ended.

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
use crate::package::PackageJob;
use crate::progress::Step;
use crate::publish::Publication;
use crate::storage::concurrency::MAX_REQUESTS as MOST_AT_ONCE;
use crate::storage::error::StorageError;
use crate::storage::object::{Upload, UploadBody};
use crate::workdir::WorkDir;

const BETWEEN_SCANS: Duration = Duration::from_millis(300);
/// How many segments must exist after one that is final: the last two may yet become one.
const HELD_BACK: usize = 2;

/// Media Segments that are final before the encoder has ended.
pub(crate) struct SegmentUploader {
    renditions: Vec<PendingSegments>,
}

/// A run of segments of a Rendition, which appear one after the other.
struct PendingSegments {
    name: String,
    folder: PathBuf,
    /// From the package's root.
    path: String,
    next: Cell<usize>,
    /// None where it goes to the end.
    end: Option<usize>,
    /// How many are on their way.
    sending: Cell<usize>,
    /// The rest is sent by somebody else.
    is_over: Cell<bool>,
}

impl SegmentUploader {
    pub(crate) fn new(job: &PackageJob, workdir: &WorkDir) -> Self {
        let growing = |name: &str, chunk: Chunk| PendingSegments {
            name: name.to_owned(),
            folder: workdir.revision_folder().join(name),
            path: layout::in_revision(&job.revision, name),
            next: Cell::new(number(chunk.first)),
            end: chunk.end.map(number),
            sending: Cell::new(0),
            is_over: Cell::new(false),
        };
        let mut renditions = vec![];
        // Transport streams are made of segments that are not published.
        let is_published = job.plan.settings.container == Container::Cmaf;
        for part in job.plan.tasks().into_iter().filter(|_| is_published) {
            match part {
                EncodeTask::Audio(audio) => renditions.push(growing(&audio.folder, Chunk::WHOLE)),
                EncodeTask::Video(_, cut) => {
                    let rungs = cut.rungs.iter();
                    renditions.extend(rungs.map(|rung| growing(&rung.name(), cut.chunk)));
                }
            }
        }
        Self { renditions }
    }

    /// Sends what appears while `encoding` runs. The first refusal ends both.
    pub(crate) async fn send_during<T>(
        &self,
        publication: &Publication<'_>,
        step: &Step,
        encoding: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut encoding = std::pin::pin!(encoding);
        let mut scans = tokio::time::interval(BETWEEN_SCANS);
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
                let Some((growing, upload)) = self.take() else {
                    break;
                };
                sending.push(async move {
                    let upload = upload.with_hash().await?;
                    publication.send(&upload).await?;
                    growing.sending.update(|sending| sending - 1);
                    Ok(upload.bytes)
                });
            }
        }
    }

    /// The next segment that is final and not yet on its way.
    fn take(&self) -> Option<(&PendingSegments, Upload)> {
        let mut growing = self.renditions.iter();
        growing.find_map(|growing| Some((growing, growing.take()?)))
    }

    /// Sends nothing more of a Rendition, and waits for what is on its way.
    pub(crate) async fn finish(&self, name: &str) {
        let own = || {
            self.renditions
                .iter()
                .filter(|growing| growing.name == name)
        };
        own().for_each(|growing| growing.is_over.set(true));
        while own().any(|growing| growing.sending.get() > 0) {
            tokio::time::sleep(BETWEEN_SCANS).await;
        }
    }
}

impl PendingSegments {
    fn take(&self) -> Option<Upload> {
        let next = self.next.get();
        if self.is_over.get() || self.end.is_some_and(|end| next >= end) {
            return None;
        }
        let name = segment_name(next);
        let file = self.folder.join(&name);
        // It is written under another name and renamed: what has this one is complete.
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
