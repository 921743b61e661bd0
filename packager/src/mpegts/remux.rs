//! Remuxes a package to MPEG-2 Transport Streams, for devices that read nothing else. Access units
//! and times of the CMAF segments stay, and nothing is encoded again.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::access_unit::{AccessUnit, SampleKind};
use super::muxer::Writer;
use crate::layout::{self, segment_name};
use crate::manifest::container::Container;
use crate::media::{IFrame, Object, Rendition, Segment};
use crate::mp4::Init;
use crate::progress::Step;

/// Common PIDs.
const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
/// Audio frames in a PES packet: 85 ms. Without video, each packet carries a clock reference
/// (ISO/IEC 13818-1 §2.7.2: every 0.1 s), and padding stays small.
const FRAMES: usize = 4;
/// Ticks by which bytes arrive before decoding; §2.4.2.6 allows a second.
const AHEAD: u64 = 45_000;
/// Ticks between clock references.
pub(crate) const CLOCK: u64 = 9_000;

/// Remuxed Renditions.
#[derive(Debug)]
pub(crate) struct TsRenditions {
    pub(crate) video: Vec<Rendition>,
    /// The first Rendition has no segments of its own if it is muxed with video.
    pub(crate) audio: Vec<Rendition>,
    /// The first frame of each segment of the smallest rung, as a range of its segment.
    pub(crate) iframes: Vec<IFrame>,
}

/// Remuxes all Renditions in the revision's folder, beside their CMAF segments. The first audio
/// track goes into the video segments, if there are any. It has segments of its own as well if
/// `is_alone`.
pub(crate) async fn wrap(
    revision: &Path,
    video: Vec<Rendition>,
    audio: Vec<Rendition>,
    is_alone: bool,
    step: &Step,
) -> Result<TsRenditions> {
    let cannot = |rendition: &Rendition| format!("cannot wrap `{}`", rendition.folder);
    let mut streams = TsRenditions {
        video: vec![],
        audio: vec![],
        iframes: vec![],
    };
    for rendition in &video {
        let made = remux_video(revision, rendition, audio.first(), step).await;
        let (made, iframes) = made.with_context(|| cannot(rendition))?;
        streams.video.push(made);
        // The last Rendition is the smallest.
        streams.iframes = iframes;
    }
    for (at, rendition) in audio.iter().enumerate() {
        streams
            .audio
            .push(if at > 0 || video.is_empty() || is_alone {
                let made = remux_audio(revision, rendition, step).await;
                made.with_context(|| cannot(rendition))?
            } else {
                rendition.without_segments()
            });
    }
    Ok(streams)
}

async fn remux_video(
    revision: &Path,
    rendition: &Rendition,
    audio: Option<&Rendition>,
    step: &Step,
) -> Result<(Rendition, Vec<IFrame>)> {
    let source = SegmentReader::open(revision, rendition)?;
    let mut audio_frames = audio
        .map(|audio| AudioReader::open(revision, audio))
        .transpose()?;
    let mut muxer = SegmentMuxer::new(true, audio.is_some());
    let (mut made, mut iframes, mut micros) = (rendition.without_segments(), vec![], 0);
    for (at, segment) in rendition.segments.iter().enumerate() {
        micros += segment.micros;
        let is_last = at + 1 == rendition.segments.len();
        let end = if is_last {
            u64::MAX
        } else {
            Container::Ts.origin() + micros * 9 / 100
        };
        let audio_frames = match &mut audio_frames {
            Some(audio_frames) => audio_frames.until(end)?,
            None => vec![],
        };
        let (bytes, first) = muxer.segment(&source.units(at)?, &audio_frames);
        write_segment(revision, &mut made, segment.micros, &bytes)?;
        step.add(bytes.len() as u64);
        iframes.push(IFrame {
            segment: Segment {
                micros: segment.micros,
                bytes: first as u64,
            },
            offset: 0,
        });
        tokio::task::yield_now().await;
    }
    Ok((made, iframes))
}

async fn remux_audio(revision: &Path, rendition: &Rendition, step: &Step) -> Result<Rendition> {
    let source = SegmentReader::open(revision, rendition)?;
    let mut muxer = SegmentMuxer::new(false, true);
    let mut made = rendition.without_segments();
    for (at, segment) in rendition.segments.iter().enumerate() {
        let (bytes, _) = muxer.segment(&[], &source.units(at)?);
        write_segment(revision, &mut made, segment.micros, &bytes)?;
        step.add(bytes.len() as u64);
        tokio::task::yield_now().await;
    }
    Ok(made)
}

/// Writes a segment with the duration of its CMAF segment.
fn write_segment(revision: &Path, made: &mut Rendition, micros: u64, bytes: &[u8]) -> Result<()> {
    let name = Container::Ts.segment_name(made.segments.len());
    let path = format!("{}/{name}", made.folder);
    fs::write(revision.join(&path), bytes)?;
    made.segments.push(Segment {
        micros,
        bytes: bytes.len() as u64,
    });
    made.objects.push(Object::of_bytes(path, bytes));
    Ok(())
}

/// Reader for the CMAF segments of a Rendition.
struct SegmentReader<'a> {
    revision: &'a Path,
    rendition: &'a Rendition,
    init: Init,
    kind: SampleKind,
}

impl<'a> SegmentReader<'a> {
    fn open(revision: &'a Path, rendition: &'a Rendition) -> Result<Self> {
        let name = layout::init(&rendition.folder);
        let reading = || format!("cannot read `{name}`");
        let bytes = fs::read(revision.join(&name)).with_context(reading)?;
        Ok(Self {
            revision,
            rendition,
            init: Init::parse(&bytes).with_context(reading)?,
            kind: SampleKind::of(&bytes).with_context(reading)?,
        })
    }

    fn units(&self, at: usize) -> Result<Vec<AccessUnit>> {
        let name = format!("{}/{}", self.rendition.folder, segment_name(at));
        let reading = || format!("cannot read `{name}`");
        let bytes = fs::read(self.revision.join(&name)).with_context(reading)?;
        let samples = self.init.samples(&bytes).with_context(reading)?;
        let units = samples.iter().map(|sample| {
            let data = self.kind.convert(sample.data)?;
            Ok(AccessUnit::new(
                sample,
                &self.init,
                self.rendition.reorder_ticks,
                data,
            ))
        });
        units
            .collect::<Result<Vec<AccessUnit>>>()
            .with_context(reading)
    }
}

/// Reader for the audio that is muxed with video.
struct AudioReader<'a> {
    source: SegmentReader<'a>,
    next: usize,
    read: VecDeque<AccessUnit>,
}

impl<'a> AudioReader<'a> {
    fn open(revision: &'a Path, rendition: &'a Rendition) -> Result<Self> {
        Ok(Self {
            source: SegmentReader::open(revision, rendition)?,
            next: 0,
            read: VecDeque::new(),
        })
    }

    /// Reads the remaining frames before `end`. Priming is dropped, although an edit list would
    /// hide it. As the first frames of a segment, it would define the start. hls.js and Shaka
    /// Player then jumped to the first video frame.
    fn until(&mut self, end: u64) -> Result<Vec<AccessUnit>> {
        while self.next < self.source.rendition.segments.len()
            && self.read.back().is_none_or(|last| last.pts < end)
        {
            let units = self.source.units(self.next)?.into_iter();
            let origin = Container::Ts.origin();
            self.read.extend(units.filter(|unit| unit.pts >= origin));
            self.next += 1;
        }
        let count = self.read.iter().take_while(|unit| unit.pts < end).count();
        Ok(self.read.drain(..count).collect())
    }
}

/// Muxer of one Rendition, whose continuity counters run through all segments (RFC 8216bis §3).
pub(crate) struct SegmentMuxer {
    writer: Writer,
    streams: Vec<(u8, u16)>,
    /// Time of the last clock reference.
    clock: Option<u64>,
}

impl SegmentMuxer {
    pub(crate) fn new(has_video: bool, has_audio: bool) -> Self {
        let video = has_video.then_some((super::muxer::H264, VIDEO));
        let audio = has_audio.then_some((super::muxer::AAC, AUDIO));
        Self {
            writer: Writer::default(),
            streams: video.into_iter().chain(audio).collect(),
            clock: None,
        }
    }

    /// Muxes a Media Segment; the number is the length in bytes up to the end of its first frame.
    pub(crate) fn segment(
        &mut self,
        video: &[AccessUnit],
        audio_frames: &[AccessUnit],
    ) -> (Vec<u8>, usize) {
        self.writer.tables(&self.streams);
        let mut audio_frames = audio_frames.chunks(FRAMES).peekable();
        let mut first = 0;
        for (at, unit) in video.iter().enumerate() {
            // The first frame precedes all audio, because an I-frame playlist refers to it.
            while at > 0
                && let Some(frames) = audio_frames.next_if(|frames| frames[0].pts <= unit.dts)
            {
                self.write_audio(frames);
            }
            self.advance_clock(VIDEO, unit.dts);
            self.writer.write_video(VIDEO, unit, self.clock);
            if at == 0 {
                first = self.writer.len();
            }
        }
        for frames in audio_frames {
            if video.is_empty() {
                self.advance_clock(AUDIO, frames[0].pts);
            }
            self.write_audio(frames);
        }
        (self.writer.take(), first)
    }

    fn write_audio(&mut self, frames: &[AccessUnit]) {
        let clock = self.clock.filter(|_| self.streams.len() == 1);
        self.writer.write_audio(AUDIO, frames, clock);
    }

    /// Advances the clock to a decode time, and fills long gaps with clock references.
    fn advance_clock(&mut self, pid: u16, decoded: u64) {
        let now = decoded.saturating_sub(AHEAD);
        while let Some(last) = self.clock
            && last + CLOCK < now
        {
            self.writer.clock(pid, last + CLOCK);
            self.clock = Some(last + CLOCK);
        }
        self.clock = Some(now);
    }
}
