//! What plays until the lecture does: what grew, the lecture's own rungs beside it, or these in its place. Pure.

use serde::{Deserialize, Serialize};

use crate::encode::ladder::{Rung, cap};
use crate::encode::plan::VideoPlan;
use crate::manifest::presentation::{AudioTrack, Presentation, VideoTrack};
use crate::media::Codec;

/// Lines of a picture that is as good as the recording's own.
const GOOD: u32 = 720;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provisional {
    pub(crate) revision: String,
    /// What it began with: a stream of the recording, or one small rung.
    pub(super) grown: Vec<VideoTrack>,
    pub(super) audio: Vec<AudioTrack>,
    /// What is there of the lecture itself.
    pub(super) rungs: Vec<VideoTrack>,
    /// Whether these are cut where it is. Where they are not, hls.js stood still at a switch or at the end in six of nine
    /// plays, and Chromium's own player showed a part of a segment twice: one key frame is in the middle of the other's
    /// segment, and the frames before it depend on what is replaced.
    pub(super) is_aligned: bool,
    /// Seconds, in all its Media Playlists.
    pub(super) target_duration: u64,
}

impl Provisional {
    /// The rungs that are worth having before the others, in the order and together as they are listed: what everything
    /// decodes, the smallest first, without the largest, with which all is there, and without what plays already.
    pub(crate) fn wanted(&self, video: &VideoPlan) -> Vec<Vec<Rung>> {
        let rungs = video.rungs.iter();
        let h264 = rungs.filter(|rung| rung.codec == Codec::H264);
        let smaller: Vec<&Rung> = h264.skip(1).filter(|rung| !self.has_grown(rung)).collect();
        let (mut wanted, mut waiting) = (vec![], vec![]);
        for rung in smaller.into_iter().rev() {
            waiting.insert(0, rung.clone());
            if self.is_aligned || self.is_outdone_by(rung.short_side()) {
                wanted.push(std::mem::take(&mut waiting));
            }
        }
        wanted
    }

    /// Whether a rung that is there is any better than what plays.
    pub(super) fn wants(&self, rung: &Rung) -> bool {
        let is_there = self.rungs.iter().any(|own| own.track.id == rung.name());
        rung.codec == Codec::H264 && !is_there && !self.has_grown(rung)
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

    /// What plays.
    pub(super) fn listed(&self) -> impl Iterator<Item = &VideoTrack> {
        let sides = self.rungs.iter().map(VideoTrack::short_side);
        let is_outdone = sides.max().is_some_and(|best| self.is_outdone_by(best));
        let (grown, rungs) = match (self.is_aligned, is_outdone) {
            (true, _) => (&self.grown[..], &self.rungs[..]),
            (false, true) => (&[][..], &self.rungs[..]),
            (false, false) => (&self.grown[..], &[][..]),
        };
        grown.iter().chain(rungs)
    }

    /// Whether those who come now are better off with the lecture's own rungs, of so many lines at most, than with the
    /// recording's stream: these are as good, or what carries them does not carry that.
    fn is_outdone_by(&self, lines: u32) -> bool {
        let is_as_good = |grown: &VideoTrack| lines >= grown.short_side().min(GOOD);
        let is_heavy =
            |grown: &VideoTrack| grown.track.peak_bandwidth > u64::from(cap(GOOD)) * 1000;
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
    fn rungs_are_listed_beside_what_is_cut_alike_and_else_in_its_place_as_soon_as_they_serve_better()
     {
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
    fn what_is_worth_having_first_is_all_but_the_largest_and_what_plays_already() {
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
            let wanted: Vec<String> = provisional.wanted(&video).into_iter().map(name).collect();
            assert_eq!(wanted.join(" "), expected, "{grown:?}");
            assert!(!provisional.wants(&video.rungs[3]), "it is listed");
            assert!(
                !provisional.wants(&video.rungs[4]),
                "not everything decodes it"
            );
            assert_eq!(provisional.wants(&video.rungs[2]), !is_aligned);
        }
        // The recording's own stream, of little, is as good as all but the whole.
        video.rungs = crate::encode::ladder::ladder(854, 480, &[480, 360, 240]);
        assert_eq!(
            provisional((480, LIGHT), &[], false).wanted(&video),
            Vec::<Vec<Rung>>::new()
        );
    }
}
