//! Measured Renditions, from which playlists and the MPD follow.

use std::path::Path;

use anyhow::Result;

use crate::encode::ladder::Rung;
use crate::encode::plan::VideoPlan;
use crate::layout;
use crate::manifest::presentation::{IFrames, Track};
use crate::manifest::{bandwidth, hls};
use crate::media::{self, Object, Rendition, Segment};
use crate::mp4::iframe_track::IFrameTrack;
use crate::mpegts::remux;
use crate::progress::{Progress, StepUnit};

pub(crate) struct Measurements {
    /// In the plan's order, largest first.
    pub(crate) video: Vec<Rendition>,
    pub(crate) audio: Vec<Rendition>,
    pub(crate) iframes: Option<IFrameSource>,
}

/// The I-frames that players show while a viewer seeks.
pub(crate) enum IFrameSource {
    /// A file of their own, with its path from the revision's folder.
    File(Box<IFrameTrack>, Object),
    /// The first I-frame of each transport stream of the smallest rung.
    First(Vec<media::IFrame>),
}

impl IFrameSource {
    fn frames(&self) -> &[media::IFrame] {
        match self {
            Self::File(file, _) => &file.iframes,
            Self::First(frames) => frames,
        }
    }

    pub(crate) fn playlist(&self) -> Vec<u8> {
        match self {
            Self::File(file, _) => hls::iframes(layout::IFRAMES_FILE, &file.map, &file.iframes),
            Self::First(frames) => hls::first_iframes(frames),
        }
    }
}

impl Measurements {
    /// Renditions with a playlist. Audio that only the video's transport streams carry has no
    /// segments of its own.
    pub(crate) fn renditions(&self) -> impl Iterator<Item = &Rendition> {
        let all = self.video.iter().chain(&self.audio);
        all.filter(|rendition| !rendition.segments.is_empty())
    }

    /// Wraps the CMAF segments in transport streams. The CMAF segments stay until the package has
    /// its final name, so that an interrupted run can resume.
    pub(crate) async fn wrap_in_ts(
        self,
        revision: &Path,
        has_audio_only: bool,
        progress: Progress,
    ) -> Result<Self> {
        let bytes = |rendition: &Rendition| -> u64 {
            let objects = rendition.objects.iter();
            objects.map(|object| object.bytes).sum()
        };
        let Self { video, audio, .. } = self;
        let total = video.iter().chain(&audio).map(bytes).sum();
        let step = progress.step("wrapping", StepUnit::Bytes, total);
        let streams = remux::wrap(revision, video, audio, has_audio_only, &step).await?;
        step.finish();
        Ok(Self {
            iframes: (!streams.video.is_empty()).then_some(IFrameSource::First(streams.iframes)),
            video: streams.video,
            audio: streams.audio,
        })
    }

    /// The path of the I-frame playlist, from the revision's folder: beside its segments.
    pub(crate) fn iframe_playlist(&self) -> String {
        match (&self.iframes, self.video.last()) {
            (Some(IFrameSource::First(_)), Some(smallest)) => {
                format!("{}/iframes.m3u8", smallest.folder)
            }
            _ => layout::media_playlist(layout::IFRAMES_FOLDER),
        }
    }

    /// The I-frame Variant Stream, as the Multivariant Playlist lists it.
    pub(crate) fn iframe_variant(
        &self,
        plan: &VideoPlan,
        iframes: &IFrameSource,
        prefix: &str,
    ) -> IFrames {
        let segments: Vec<Segment> = (iframes.frames().iter())
            .map(|frame| frame.segment)
            .collect();
        let target = bandwidth::target_duration(&segments);
        let (peak_bandwidth, average_bandwidth) = bandwidth::bandwidth(&segments, target);
        let mut track = Track {
            folder: format!("{prefix}/{}", layout::IFRAMES_FOLDER),
            id: layout::IFRAMES_FOLDER.to_owned(),
            codec: String::new(),
            peak_bandwidth,
            average_bandwidth,
            timescale: 1,
            ticks: vec![],
        };
        let mut rung = plan.iframe_rung();
        match iframes {
            IFrameSource::File(file, _) => {
                track.codec.clone_from(&file.init.codec);
                track.timescale = file.init.timescale;
                track.ticks.clone_from(&file.ticks);
            }
            IFrameSource::First(_) => {
                let smallest = self.video.last().zip(plan.rungs.last());
                if let Some((rendition, smallest)) = smallest {
                    track.codec.clone_from(&rendition.codec);
                    rung = smallest.clone();
                }
            }
        }
        let Rung { width, height, .. } = rung;
        IFrames {
            track,
            playlist: format!("{prefix}/{}", self.iframe_playlist()),
            width,
            height,
        }
    }
}
