//! Verifies the segments of a chunk against its expected frames, and moves them into the revision.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::chunk::FrameTimeline;
use super::ladder::Rung;
use super::plan::VideoPlan;
use super::task::VideoTask;
use crate::layout::{self, segment_name};
use crate::mp4::fragments::{Layout, read};
use crate::mp4::retime::retime;
use crate::mp4::{Init, STYP, iframe_track};

/// Maximum distance of decoding before presentation, in frames (ITU-T H.264 §A.3.1,
/// `max_dec_frame_buffering`).
const MOST_REORDERED: u64 = 16;

/// Mismatches between the output of a chunk and its frames.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("`{0}` has too few or too many frames")]
    Length(String),
    #[error("segment {segment} of `{name}` does not begin with its expected frame")]
    Astray { name: String, segment: u64 },
    #[error("the I-frames do not begin at the boundary of the chunk")]
    IFrames,
    #[error("the initialization section of `{0}` differs between chunks")]
    Init(String),
}

/// Output of a chunk in its scratch folder.
pub(crate) struct ChunkOutput<'a> {
    pub(crate) from: &'a Path,
    pub(crate) plan: &'a VideoPlan,
    pub(crate) cut: &'a VideoTask,
    pub(crate) timeline: FrameTimeline,
}

/// A rung's file with the decode time of its first fragment.
struct RungFile {
    file: File,
    layout: Layout,
    head: Vec<u8>,
    init: Init,
    start: u64,
}

impl ChunkOutput<'_> {
    /// Verifies that no segment is missing and that each begins with its expected frame. The length
    /// of the last chunk is unknown in advance.
    pub(crate) fn verify(&self) -> Result<()> {
        for rung in &self.cut.rungs {
            let name = rung.name();
            self.verify_rung(&name)
                .with_context(|| format!("cannot use a chunk of `{name}`"))?;
        }
        if self.cut.has_iframes {
            self.verify_iframes()
                .context("cannot use the I-frames of a chunk")?;
        }
        Ok(())
    }

    fn verify_rung(&self, name: &str) -> Result<()> {
        let chunk = self.cut.chunk;
        let (first, end) = chunk.frames(self.timeline);
        let Some(mut written) = self.open(name)? else {
            // The source ended before this chunk.
            return match end {
                None => Ok(()),
                Some(_) => Err(ChunkError::Length(name.to_owned()).into()),
            };
        };
        let ticks = |frame| self.timeline.ticks(frame, written.init.timescale);
        let astray = |segment| ChunkError::Astray {
            name: name.to_owned(),
            segment,
        };
        // Timestamps count from the start of the lecture. Frames are decoded before they are shown,
        // except for the first one.
        let earliest = ticks(first.saturating_sub(MOST_REORDERED));
        if !(earliest..=ticks(first)).contains(&written.start) {
            return Err(astray(chunk.first).into());
        }
        let (mut segment, mut length) = (chunk.first, 0);
        for at in &written.layout.fragments {
            let times = written.init.times(&read(&mut written.file, at.clone())?)?;
            let start = ticks(self.timeline.first_frame(segment)) - ticks(first);
            if length != start || times.start.checked_sub(written.start) != Some(start) {
                return Err(astray(segment).into());
            }
            length += times.duration;
            segment += 1;
        }
        match end {
            Some(end) if length != ticks(end) - ticks(first) || Some(segment) != chunk.end => {
                Err(ChunkError::Length(name.to_owned()).into())
            }
            _ => Ok(()),
        }
    }

    /// Verifies that the I-frames begin at the boundary of the chunk. Their timestamps count from
    /// the start of the lecture.
    fn verify_iframes(&self) -> Result<()> {
        let first = self.plan.first_iframe(self.cut, self.timeline);
        let found = iframe_track::first(&self.iframe_files())?;
        let is_right = match found {
            Some((start, timescale)) => start == self.timeline.ticks(first, timescale),
            None => (self.cut.chunk.frames(self.timeline).1).is_none_or(|end| first >= end),
        };
        if is_right {
            return Ok(());
        }
        Err(ChunkError::IFrames.into())
    }

    /// Moves the segments into the revision's folder, and the I-frames to `iframe_files`; returns
    /// the installed files.
    pub(crate) fn install(&self, revision: &Path, iframe_files: &Path) -> Result<Vec<PathBuf>> {
        let mut files = vec![];
        for name in self.cut.rungs.iter().map(Rung::name) {
            self.install_rung(&name, &revision.join(&name), &mut files)
                .with_context(|| format!("cannot move a chunk of `{name}`"))?;
        }
        if self.cut.has_iframes {
            let written = self.iframe_files();
            let mut bytes = fs::read(&written)?;
            let before = self.plan.iframes_before(self.cut.chunk, self.timeline);
            retime(&mut bytes, 0, before)?;
            fs::write(&written, bytes)?;
            fs::rename(&written, iframe_files)?;
            files.push(iframe_files.to_owned());
        }
        Ok(files)
    }

    fn install_rung(&self, name: &str, to: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        let Some(mut written) = self.open(name)? else {
            return Ok(());
        };
        fs::create_dir_all(to)?;
        let part = self.from.join("part");
        let init = to.join(layout::INIT);
        match fs::read(&init) {
            Ok(there) if there != written.head => {
                return Err(ChunkError::Init(name.to_owned()).into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::write(&part, &written.head)?;
                fs::rename(&part, &init)?;
            }
            Err(error) => return Err(error.into()),
        }
        files.push(init);
        let first = self.cut.chunk.first;
        let before = self.timeline.first_frame(first);
        let ticks = self.timeline.ticks(before, written.init.timescale) - written.start;
        for (segment, at) in (first..).zip(&written.layout.fragments) {
            let mut bytes = read(&mut written.file, at.clone())?;
            retime(&mut bytes, ticks, first)?;
            let place = to.join(segment_name(usize::try_from(segment)?));
            fs::write(&part, [STYP, &bytes].concat())?;
            fs::rename(&part, &place)?;
            files.push(place);
        }
        Ok(())
    }

    /// Opens a rung's file; `None` if the encoder wrote no frame.
    fn open(&self, name: &str) -> Result<Option<RungFile>> {
        let mut file = File::open(self.from.join(format!("{name}.mp4")))?;
        let layout = Layout::of(&mut file)?;
        let Some(first) = layout.fragments.first() else {
            return Ok(None);
        };
        let head = read(&mut file, layout.head.clone())?;
        let init = Init::parse(&head)?;
        let start = init.times(&read(&mut file, first.clone())?)?.start;
        Ok(Some(RungFile {
            file,
            layout,
            head,
            init,
            start,
        }))
    }

    fn iframe_files(&self) -> PathBuf {
        self.from
            .join(layout::IFRAMES_FOLDER)
            .join(layout::IFRAMES_FILE)
    }
}
