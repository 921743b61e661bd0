//! What is encoded by a command of its own: a sound track, or a piece of the picture. Pure.

use super::chunk::{Chunk, FrameTimeline};
use super::ladder::Rung;
use super::plan::{AudioPlan, EncodePlan, VideoPlan};
use crate::media::Codec;

/// What one command encodes, from one decode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EncodeTask<'a> {
    Audio(&'a AudioPlan),
    Video(&'a VideoPlan, VideoTask),
}

/// A piece of the picture in some of its sizes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoTask {
    pub(crate) chunk: Chunk,
    /// Largest first; never empty.
    pub(crate) rungs: Vec<Rung>,
    /// What each size is scaled from is the one before it, whether it is encoded or not: these and the rungs, largest first.
    pub(crate) chain: Vec<Rung>,
    /// Whether the pictures to look through are made of it.
    pub(crate) has_iframes: bool,
    /// How much of the work on the piece it is, from 0 to 1.
    pub(crate) share: f64,
}

impl EncodePlan {
    /// What is encoded by a command of its own, in the order in which they are best begun: what is waited for, and then
    /// sound, since it cannot be cut and is done long before the picture.
    pub(crate) fn tasks(&self) -> Vec<EncodeTask<'_>> {
        let tasks = self.video.iter().flat_map(|video| {
            let tasks = video.tasks().into_iter();
            tasks.map(move |cut| EncodeTask::Video(video, cut))
        });
        let mut tasks: Vec<EncodeTask> = tasks.collect();
        let first = self.video.as_ref().map_or(0, VideoPlan::waited_for);
        tasks.splice(first..first, self.audio.iter().map(EncodeTask::Audio));
        tasks
    }
}

impl EncodeTask<'_> {
    /// What its record and its folder are called: `audio-en`, `00015-1080p+720p`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Audio(audio) => audio.folder.replace('/', "-"),
            Self::Video(_, cut) => cut.name(),
        }
    }
}

impl VideoTask {
    pub(crate) fn name(&self) -> String {
        let rungs: Vec<String> = self.rungs.iter().map(Rung::name).collect();
        format!("{:05}-{}", self.chunk.first, rungs.join("+"))
    }
}

impl VideoPlan {
    /// Pieces in all sizes, or in those first that are to be had first; of a picture that is in one piece, the largest size
    /// of each codec and the others apart, so that two cores have something to do: it costs a second decode.
    fn tasks(&self) -> Vec<VideoTask> {
        // What is encoded together, and what that is a part of.
        let groups: Vec<(Vec<Rung>, Vec<Rung>)> = match self.chunks.as_slice() {
            [_] => {
                let groups = self.groups().into_iter();
                groups.map(|rungs| (rungs.clone(), rungs)).collect()
            }
            _ => {
                let passes = self.passes().into_iter();
                passes.map(|rungs| (rungs, self.rungs.clone())).collect()
            }
        };
        let smallest = self.rungs.iter().rfind(|rung| rung.codec == Codec::H264);
        let all: f64 = groups.iter().map(|(rungs, _)| work(rungs)).sum();
        let mut tasks = vec![];
        for (rungs, chain) in &groups {
            tasks.extend(self.chunks.iter().map(|chunk| VideoTask {
                chunk: *chunk,
                rungs: rungs.clone(),
                chain: chain.clone(),
                has_iframes: smallest.is_some_and(|smallest| rungs.contains(smallest)),
                share: work(rungs) / all,
            }));
        }
        tasks
    }

    /// What is encoded together of a piece: what is to be had first, and then all else.
    fn passes(&self) -> Vec<Vec<Rung>> {
        let is_first = |rung: &&Rung| self.first.iter().flatten().any(|first| first == *rung);
        let others = self.rungs.iter().filter(|rung| !is_first(rung));
        let first = self.first.iter().cloned();
        first.chain([others.cloned().collect()]).collect()
    }

    /// How many cuts the first of these are.
    fn waited_for(&self) -> usize {
        match self.first.as_slice() {
            [] => 0,
            _ if self.chunks.len() == 1 => 0,
            _ => self.chunks.len(),
        }
    }

    fn groups(&self) -> Vec<Vec<Rung>> {
        let mut groups: Vec<Vec<Rung>> = vec![];
        for rung in &self.rungs {
            let mut own = groups
                .iter_mut()
                .filter(|group| group[0].codec == rung.codec);
            match own.nth(1) {
                Some(others) => others.push(rung.clone()),
                None => groups.push(vec![rung.clone()]),
            }
        }
        groups
    }

    /// How many of them come before a piece, which is the number of its first.
    pub(crate) fn iframes_before(&self, chunk: Chunk, timeline: FrameTimeline) -> u64 {
        let step = u64::from(self.iframe_interval_frames());
        chunk.frames(timeline).0.div_ceil(step)
    }

    /// The number of the frame that is the first of them in a piece.
    pub(crate) fn first_iframe(&self, cut: &VideoTask, timeline: FrameTimeline) -> u64 {
        self.iframes_before(cut.chunk, timeline) * u64::from(self.iframe_interval_frames())
    }
}

/// Pixels of a frame in all of these: what encoding takes goes by that, roughly.
fn work(rungs: &[Rung]) -> f64 {
    let pixels = rungs.iter().map(|rung| f64::from(rung.width * rung.height));
    pixels.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::ladder::ladder;
    use crate::encode::plan::testing;

    #[test]
    fn video_is_encoded_in_chunks_or_else_its_largest_rungs_apart() {
        let mut plan = testing::plan();
        let names = |plan: &EncodePlan| -> Vec<String> {
            let of = |task: &EncodeTask<'_>| match task {
                EncodeTask::Video(_, cut) => {
                    let rungs: Vec<String> = cut.rungs.iter().map(Rung::name).collect();
                    let iframe_files = if cut.has_iframes { "+" } else { "" };
                    format!("{} {}{iframe_files}", task.name(), rungs.join(","))
                }
                EncodeTask::Audio(_) => task.name(),
            };
            plan.tasks().iter().map(of).collect()
        };
        let video = plan.video.as_mut().expect("it has video");
        video.rungs = ladder(1920, 1080, &[1080, 720, 480]);
        let others: Vec<Rung> = video
            .rungs
            .iter()
            .map(|rung| rung.with(Codec::Hevc))
            .collect();
        video.rungs.extend(others);
        let expected = [
            "audio-en",
            "00000-1080p 1080p",
            "00000-720p+480p 720p,480p+",
            "00000-1080p-hevc 1080p-hevc",
            "00000-720p-hevc+480p-hevc 720p-hevc,480p-hevc",
        ];
        assert_eq!(names(&plan), expected);
        let video = plan.video.as_mut().expect("it has video");
        video.rungs.truncate(1);
        assert_eq!(names(&plan), ["audio-en", "00000-1080p 1080p+"]);
        let video = plan.video.as_mut().expect("it has video");
        video.rungs = ladder(1920, 1080, &[1080, 720]);
        video.chunks = vec![
            Chunk {
                first: 0,
                end: Some(15),
            },
            Chunk {
                first: 15,
                end: None,
            },
        ];
        let expected = [
            "audio-en",
            "00000-1080p+720p 1080p,720p+",
            "00015-1080p+720p 1080p,720p+",
        ];
        assert_eq!(names(&plan), expected);
        // What is to be had first comes before the sound.
        let video = plan.video.as_mut().expect("it has video");
        video.rungs = ladder(1920, 1080, &[1080, 720, 480]);
        video.first = vec![ladder(1920, 1080, &[480])];
        let expected = [
            "00000-480p 480p+",
            "00015-480p 480p+",
            "audio-en",
            "00000-1080p+720p 1080p,720p",
            "00015-1080p+720p 1080p,720p",
        ];
        assert_eq!(names(&plan), expected);
        let shares: Vec<u32> = plan
            .tasks()
            .iter()
            .filter_map(|task| match task {
                EncodeTask::Video(_, cut) => Some((cut.share * 100.0).round() as u32),
                EncodeTask::Audio(_) => None,
            })
            .collect();
        assert_eq!(shares, [12, 12, 88, 88]);
    }
}
