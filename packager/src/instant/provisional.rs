//! The provisional lecture: the stream that was published first, rungs beside it, or rungs instead
//! of it. Pure.

use serde::{Deserialize, Serialize};

use crate::encode::ladder::{Rung, cap};
use crate::encode::plan::VideoPlan;
use crate::manifest::presentation::{AudioTrack, Presentation, VideoTrack};
use crate::media::Codec;

/// The short side from which a rung is as good as the recording's own stream.
const GOOD_SIDE: u32 = 720;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provisional {
    pub(crate) revision: String,
    /// The stream that was published first: a stream of the recording, or one small rung.
    pub(super) grown: Vec<VideoTrack>,
    pub(super) audio: Vec<AudioTrack>,
    /// Complete rungs of the lecture.
    pub(super) rungs: Vec<VideoTrack>,
    /// True if rungs have segments of the same times as the first stream. If not, hls.js stalled at
    /// a switch or at the end in six of nine plays, and Chromium's own player showed a part of a
    /// segment twice: the keyframe of one is in the middle of the other's segment, and the frames
    /// before it depend on the frames that are replaced.
    pub(super) is_aligned: bool,
    /// The target duration in seconds, in all Media Playlists.
    pub(super) target_duration: u64,
}

impl Provisional {
    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    /// H.264 rungs to encode early, smallest first, grouped by playlist update. Excludes the
    /// largest rung (finishing it finishes the lecture) and any rung that already plays.
    pub(crate) fn early_rungs(&self, video: &VideoPlan) -> Vec<Vec<Rung>> {
        let rungs = video.rungs.iter();
        let h264 = rungs.filter(|rung| rung.codec == Codec::H264);
        let smaller: Vec<&Rung> = h264.skip(1).filter(|rung| !self.has_grown(rung)).collect();
        let (mut groups, mut waiting) = (vec![], vec![]);
        for rung in smaller.into_iter().rev() {
            waiting.insert(0, rung.clone());
            if self.is_aligned || self.is_outdone_by(rung.short_side()) {
                groups.push(std::mem::take(&mut waiting));
            }
        }
        groups
    }

    /// Returns true if a complete rung is not listed yet and every player decodes it.
    pub(super) fn is_better(&self, rung: &Rung) -> bool {
        let is_listed = self.rungs.iter().any(|own| own.track.id == rung.name());
        rung.codec == Codec::H264 && !is_listed && !self.has_grown(rung)
    }

    fn has_grown(&self, rung: &Rung) -> bool {
        let mut grown = self.grown.iter();
        self.is_aligned && grown.any(|grown| grown.track.id == rung.name())
    }

    pub(super) fn presentation(&self) -> Presentation {
        Presentation {
            video: self.listed().cloned().collect(),
            audio: self.audio.clone(),
            ..Presentation::default()
        }
    }

    /// The Variant Streams to list.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &VideoTrack> {
        let sides = self.rungs.iter().map(VideoTrack::short_side);
        let is_outdone = sides.max().is_some_and(|best| self.is_outdone_by(best));
        let (grown, rungs) = match (self.is_aligned, is_outdone) {
            (true, _) => (&self.grown[..], &self.rungs[..]),
            (false, true) => (&[][..], &self.rungs[..]),
            (false, false) => (&self.grown[..], &[][..]),
        };
        grown.iter().chain(rungs)
    }

    /// Returns true if rungs up to this short side serve new viewers better than the first stream:
    /// they look as good, or need much less bandwidth.
    fn is_outdone_by(&self, side: u32) -> bool {
        let is_as_good = |grown: &VideoTrack| side >= grown.short_side().min(GOOD_SIDE);
        let is_heavy =
            |grown: &VideoTrack| grown.track.peak_bandwidth > u64::from(cap(GOOD_SIDE)) * 1000;
        (self.grown.iter()).all(|grown| is_as_good(grown) || is_heavy(grown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::presentation::testing::video;

    const HEAVY: u64 = 2_800_001;
    const LIGHT: u64 = 2_800_000;

    fn provisional(grown: (u32, u64), rungs: &[u32], is_aligned: bool) -> Provisional {
        let track = |side: u32| video(side * 16 / 9, side, "avc1");
        let mut first = track(grown.0);
        first.track.peak_bandwidth = grown.1;
        Provisional {
            revision: "0a1b".into(),
            grown: vec![first],
            audio: vec![],
            rungs: rungs.iter().copied().map(track).collect(),
            is_aligned,
            target_duration: 8,
        }
    }

    #[test]
    fn aligned_rungs_are_listed_beside_the_first_stream_and_others_instead_of_it() {
        for (grown, rungs, is_aligned, expected) in [
            ((480, LIGHT), &[][..], true, &[480][..]),
            ((480, LIGHT), &[720], true, &[480, 720]),
            ((1080, HEAVY), &[], false, &[1080]),
            ((1080, HEAVY), &[480], false, &[480]),
            ((1080, HEAVY), &[480, 720], false, &[480, 720]),
            ((1080, LIGHT), &[480], false, &[1080]),
            ((1080, LIGHT), &[480, 720], false, &[480, 720]),
            ((480, LIGHT), &[360], false, &[480]),
            ((480, LIGHT), &[360, 480], false, &[360, 480]),
        ] {
            let provisional = provisional(grown, rungs, is_aligned);
            let listed: Vec<u32> = provisional.listed().map(VideoTrack::short_side).collect();
            assert_eq!(listed, expected, "{grown:?} {rungs:?}");
        }
    }

    #[test]
    fn early_rungs_are_all_but_the_largest_and_those_that_play() {
        let mut video = crate::encode::plan::testing::video_plan();
        video.rungs = crate::encode::ladder::ladder(1920, 1080, &[1080, 720, 480, 240]);
        video.rungs.push(video.rungs[2].with(Codec::Hevc));
        for (grown, is_aligned, expected) in [
            ((1080, HEAVY), false, "240p 480p 720p"),
            ((1080, LIGHT), false, "720p+480p+240p"),
            ((480, LIGHT), false, "480p+240p 720p"),
            ((480, LIGHT), true, "240p 720p"),
        ] {
            let provisional = provisional(grown, &[240], is_aligned);
            let name = |rungs: Vec<Rung>| {
                let names: Vec<String> = rungs.iter().map(Rung::name).collect();
                names.join("+")
            };
            let early: Vec<String> = provisional
                .early_rungs(&video)
                .into_iter()
                .map(name)
                .collect();
            assert_eq!(early.join(" "), expected, "{grown:?}");
            assert!(!provisional.is_better(&video.rungs[3]), "it is listed");
            assert!(
                !provisional.is_better(&video.rungs[4]),
                "not everything decodes it"
            );
            assert_eq!(provisional.is_better(&video.rungs[2]), !is_aligned);
        }
        // The recording's own stream, of little, is as good as all but the whole.
        video.rungs = crate::encode::ladder::ladder(854, 480, &[480, 360, 240]);
        assert_eq!(
            provisional((480, LIGHT), &[], false).early_rungs(&video),
            Vec::<Vec<Rung>>::new()
        );
    }
}
