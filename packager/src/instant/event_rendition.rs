//! A Rendition that grows on disk, as far as it may be listed.

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

/// A segment is longer than its playlist has said that any would be.
#[derive(Debug, thiserror::Error)]
#[error("a segment of `{folder}` lasts {:.1} s, and its playlist has promised {target} s", *micros as f64 / 1e6)]
pub(crate) struct SegmentTooLong {
    folder: String,
    micros: u64,
    target: u64,
}

/// Where a stream begins, whose segments ffmpeg has begin at 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StreamStart {
    /// So many seconds after the lecture.
    At(f64),
    /// With so many seconds that are not heard.
    Unheard(f64),
    /// With the encoder's priming, which is not heard.
    Primed,
}

pub(crate) struct EventRendition {
    folder: PathBuf,
    /// From the package's root.
    path: String,
    beginning: StreamStart,
    target: u64,
    init: Option<Init>,
    segments: Vec<Segment>,
    /// What is there and not yet listed, since what comes next may become a part of it.
    held: VecDeque<HeldSegment>,
    /// Microseconds after which what ends is held until all is there.
    held_from: u64,
    end: u64,
}

struct HeldSegment {
    segment: Segment,
    name: String,
}

impl EventRendition {
    /// `lasts` is what is known of how many seconds there will be.
    pub(crate) fn new(
        revision: &Path,
        path: String,
        name: &str,
        beginning: StreamStart,
        target: u64,
        duration_seconds: Option<f64>,
    ) -> Self {
        let held_from =
            duration_seconds.map_or(u64::MAX, |duration_seconds| (duration_seconds * 1e6) as u64);
        Self {
            folder: revision.join(name),
            path,
            beginning,
            target,
            init: None,
            segments: vec![],
            held: VecDeque::new(),
            held_from: held_from.saturating_sub(2 * STUB_MICROS),
            end: 0,
        }
    }

    pub(crate) fn codec(&self) -> &str {
        self.init.as_ref().map_or("", |init| &init.codec)
    }

    pub(crate) fn has_begun(&self) -> bool {
        !self.segments.is_empty()
    }

    /// What may be listed from now on.
    pub(crate) fn take(&mut self, is_ended: bool) -> Result<Vec<Upload>> {
        let mut uploads = vec![];
        while let Some(held) = self.next(&mut uploads)? {
            self.held.push_back(held);
        }
        if is_ended {
            self.merge_trailing_stub()?;
        }
        let mut end = self.length();
        while let Some(held) = self.held.front() {
            end += held.segment.micros;
            if end >= self.held_from && !is_ended {
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

    /// The next segment that is whole: it is written under another name and renamed.
    fn next(&mut self, uploads: &mut Vec<Upload>) -> Result<Option<HeldSegment>> {
        let name = segment_name(self.segments.len() + self.held.len());
        let file = self.folder.join(&name);
        let mut bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{name}`")),
        };
        if self.init.is_none() {
            uploads.push(self.begin()?);
        }
        let Some(init) = &self.init else {
            return Ok(None);
        };
        if let StreamStart::At(start) = self.beginning
            && start > 0.0
        {
            let ticks = (start * f64::from(init.timescale)).round() as u64;
            retime(&mut bytes, ticks, 0).with_context(|| format!("cannot move `{name}`"))?;
            fs::write(&file, &bytes).with_context(|| format!("cannot write `{name}`"))?;
        }
        let times = init
            .times(&bytes)
            .with_context(|| format!("cannot read `{name}`"))?;
        let segment = Segment {
            micros: init.micros(self.end + times.duration) - init.micros(self.end),
            bytes: bytes.len() as u64,
        };
        self.end += times.duration;
        Ok(Some(HeldSegment { segment, name }))
    }

    /// A last segment that is hardly any becomes a part of the one before; players never ask for it. Where that is listed
    /// already it is left out.
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

    fn begin(&mut self) -> Result<Upload> {
        let read = fs::read(self.folder.join(layout::INIT)).context("cannot read `init.mp4`")?;
        let bytes = match self.beginning {
            StreamStart::Primed => trim_priming(&read)?,
            StreamStart::Unheard(seconds) => {
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

    /// The peak and the average in bit/s, of what is there.
    pub(crate) fn bandwidth(&self) -> (u64, u64) {
        bandwidth(&self.segments, self.target)
    }

    pub(crate) fn length(&self) -> u64 {
        self.segments.iter().map(|segment| segment.micros).sum()
    }
}
