//! What came of an encoding, measured: what players are told of it follows from this.

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
    /// As the plan has them, largest first.
    pub(crate) video: Vec<Rendition>,
    pub(crate) audio: Vec<Rendition>,
    pub(crate) iframes: Option<IFrameSource>,
}

/// The pictures to look through the lecture by.
pub(crate) enum IFrameSource {
    /// In a file of their own, with its path from the revision's folder.
    File(Box<IFrameTrack>, Object),
    /// The first of each transport stream of the smallest rung.
    First(Vec<media::IFrame>),
}

impl IFrameSource {
    fn iframes(&self) -> &[media::IFrame] {
        match self {
            Self::File(file, _) => &file.iframes,
            Self::First(iframes) => iframes,
        }
    }

    pub(crate) fn playlist(&self) -> Vec<u8> {
        match self {
            Self::File(file, _) => hls::iframes(layout::IFRAMES_FILE, &file.map, &file.iframes),
            Self::First(iframes) => hls::first_iframes(iframes),
        }
    }
}

impl Measurements {
    /// Everything that plays as transport streams. What they are made of stays, for another try, until the package has its
    /// final name.
    pub(crate) async fn wrapped(
        self,
        revision: &Path,
        has_audio_alone: bool,
        progress: Progress,
    ) -> Result<Self> {
        let bytes = |rendition: &Rendition| -> u64 {
            let objects = rendition.objects.iter();
            objects.map(|object| object.bytes).sum()
        };
        let Self { video, audio, .. } = self;
        let total = video.iter().chain(&audio).map(bytes).sum();
        let step = progress.step("wrapping", StepUnit::Bytes, total);
        let streams = remux::wrap(revision, video, audio, has_audio_alone, &step).await?;
        step.finish();
        Ok(Self {
            iframes: (!streams.video.is_empty()).then_some(IFrameSource::First(streams.iframes)),
            video: streams.video,
            audio: streams.audio,
        })
    }

    /// The I-frame playlist, from the revision's folder: beside the segments that it is about.
    pub(crate) fn iframes_playlist(&self) -> String {
        match (&self.iframes, self.video.last()) {
            (Some(IFrameSource::First(_)), Some(smallest)) => {
                format!("{}/iframes.m3u8", smallest.folder)
            }
            _ => layout::media_playlist(layout::IFRAMES_FOLDER),
        }
    }

    /// The pictures to look through the lecture by, as players are told of them.
    pub(crate) fn listed(&self, plan: &VideoPlan, shown: &IFrameSource, prefix: &str) -> IFrames {
        let segments: Vec<Segment> = (shown.iframes().iter())
            .map(|iframe| iframe.segment)
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
        let (mut rung, mut map, mut index) = (plan.iframe_rung(), 0..0, 0..0);
        match shown {
            IFrameSource::File(file, _) => {
                track.codec.clone_from(&file.init.codec);
                track.timescale = file.init.timescale;
                track.ticks.clone_from(&file.ticks);
                (map, index) = (file.map.clone(), file.index.clone());
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
            playlist: format!("{prefix}/{}", self.iframes_playlist()),
            width,
            height,
            map,
            index,
        }
    }
}
