//! A Rendition that an encoder is writing, and its segments that may be listed.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bytes::Bytes;

use crate::encode::rendition::STUB_MICROS;
use crate::layout::{self, segment_name};
use crate::manifest::bandwidth::bandwidth;
use crate::manifest::hls::growing;
use crate::media::Segment;
use crate::mp4::retime::retime;
use crate::mp4::{Init, join, trim, trim_priming};
use crate::storage::object::{Upload, UploadBody};

/// A segment is longer than the target duration of its playlist.
#[derive(Debug, thiserror::Error)]
#[error("a segment of `{folder}` lasts {:.1} s, and its playlist has promised {target} s", *micros as f64 / 1e6)]
pub(crate) struct SegmentTooLong {
    folder: String,
    micros: u64,
    target: u64,
}

/// The start of a stream. ffmpeg writes segments that start at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StreamStart {
    /// Seconds after the start of the lecture.
    At(f64),
    /// Seconds at the beginning that players discard.
    Discarded(f64),
    /// The encoder's priming, which players discard.
    Primed,
}

/// A growing Rendition.
pub(crate) struct EventRendition {
    folder: PathBuf,
    /// From the package's root.
    path: String,
    start: StreamStart,
    target: u64,
    init: Option<Init>,
    segments: Vec<Segment>,
    /// Complete segments that are not listed yet, because the next segment may be merged into them.
    held: VecDeque<HeldSegment>,
    /// The time from which segments are held until the encoder ends.
    held_from_micros: u64,
    end_ticks: u64,
}

struct HeldSegment {
    segment: Segment,
    name: String,
}

impl EventRendition {
    /// `duration_seconds` is the source's duration, if it is known.
    pub(crate) fn new(
        revision: &Path,
        path: String,
        name: &str,
        start: StreamStart,
        target: u64,
        duration_seconds: Option<f64>,
    ) -> Self {
        let held_from =
            duration_seconds.map_or(u64::MAX, |duration_seconds| (duration_seconds * 1e6) as u64);
        Self {
            folder: revision.join(name),
            path,
            start,
            target,
            init: None,
            segments: vec![],
            held: VecDeque::new(),
            held_from_micros: held_from.saturating_sub(2 * STUB_MICROS),
            end_ticks: 0,
        }
    }

    pub(crate) fn codec(&self) -> &str {
        self.init.as_ref().map_or("", |init| &init.codec)
    }

    pub(crate) fn has_begun(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Takes the objects that may be listed now.
    pub(crate) fn take_complete(&mut self, is_ended: bool) -> Result<Vec<Upload>> {
        let mut uploads = vec![];
        while let Some(held) = self.take_next(&mut uploads)? {
            self.held.push_back(held);
        }
        if is_ended {
            self.merge_trailing_stub()?;
        }
        let mut end = self.length_micros();
        while let Some(held) = self.held.front() {
            end += held.segment.micros;
            if end >= self.held_from_micros && !is_ended {
                break;
            }
            let (segment, name) = (held.segment, held.name.clone());
            self.held.pop_front();
            if (segment.micros + 500_000) / 1_000_000 > self.target {
                return Err(SegmentTooLong {
                    folder: self.path.clone(),
                    micros: segment.micros,
                    target: self.target,
                }
                .into());
            }
            self.segments.push(segment);
            let path = format!("{}/{name}", self.path);
            uploads.push(Upload {
                content_type: lectern::object::content_type::for_key(&path).to_owned(),
                path,
                bytes: segment.bytes,
                source: UploadBody::File(self.folder.join(name)),
                sha256: None,
            });
        }
        Ok(uploads)
    }

    /// Takes the next complete segment. ffmpeg renames a segment when it is complete.
    fn take_next(&mut self, uploads: &mut Vec<Upload>) -> Result<Option<HeldSegment>> {
        let name = segment_name(self.segments.len() + self.held.len());
        let file = self.folder.join(&name);
        let mut bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{name}`")),
        };
        if self.init.is_none() {
            uploads.push(self.read_init()?);
        }
        let Some(init) = &self.init else {
            return Ok(None);
        };
        if let StreamStart::At(seconds) = self.start
            && seconds > 0.0
        {
            let ticks = (seconds * f64::from(init.timescale)).round() as u64;
            retime(&mut bytes, ticks, 0).with_context(|| format!("cannot move `{name}`"))?;
            fs::write(&file, &bytes).with_context(|| format!("cannot write `{name}`"))?;
        }
        let times = init
            .times(&bytes)
            .with_context(|| format!("cannot read `{name}`"))?;
        let segment = Segment {
            micros: init.micros(self.end_ticks + times.duration) - init.micros(self.end_ticks),
            bytes: bytes.len() as u64,
        };
        self.end_ticks += times.duration;
        Ok(Some(HeldSegment { segment, name }))
    }

    /// Merges a very short last segment into the segment before, because players never ask for it.
    /// If that segment is listed already, the last one is dropped.
    fn merge_trailing_stub(&mut self) -> Result<()> {
        let is_stub = |held: &HeldSegment| held.segment.micros < STUB_MICROS;
        let is_first = self.segments.is_empty() && self.held.len() == 1;
        let last = self.held.back();
        if is_first || !last.is_some_and(is_stub) {
            return Ok(());
        }
        let Some(stub) = self.held.pop_back() else {
            return Ok(());
        };
        let Some(last) = self.held.back_mut() else {
            return Ok(());
        };
        let file = self.folder.join(&last.name);
        let joined = join(&fs::read(&file)?, &fs::read(self.folder.join(stub.name))?)?;
        fs::write(&file, &joined)?;
        last.segment = Segment {
            micros: last.segment.micros + stub.segment.micros,
            bytes: joined.len() as u64,
        };
        Ok(())
    }

    /// Reads the Media Initialization Section.
    fn read_init(&mut self) -> Result<Upload> {
        let read = fs::read(self.folder.join(layout::INIT)).context("cannot read `init.mp4`")?;
        let bytes = match self.start {
            StreamStart::Primed => trim_priming(&read)?,
            StreamStart::Discarded(seconds) => {
                let timescale = f64::from(Init::parse(&read)?.timescale);
                trim(&read, (seconds * timescale).round() as u64)?
            }
            StreamStart::At(_) => read,
        };
        self.init = Some(Init::parse(&bytes)?);
        let path = layout::init(&self.path);
        Ok(Upload::of_bytes(&path, Bytes::from(bytes)))
    }

    pub(crate) fn playlist(&self, is_ended: bool) -> Upload {
        let path = layout::media_playlist(&self.path);
        Upload::of_bytes(&path, growing(&self.segments, self.target, is_ended))
    }

    /// The peak and the average of the listed segments, in bit/s.
    pub(crate) fn bandwidth(&self) -> (u64, u64) {
        bandwidth(&self.segments, self.target)
    }

    /// Duration of the listed segments.
    pub(crate) fn length_micros(&self) -> u64 {
        self.segments.iter().map(|segment| segment.micros).sum()
    }
}
