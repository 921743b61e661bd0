//! Encode tasks: an audio track, or a chunk of the video, for one ffmpeg command each. Pure.

use super::chunk::{Chunk, FrameTimeline};
use super::ladder::Rung;
use super::plan::{AudioPlan, EncodePlan, VideoPlan};
use crate::media::Codec;

/// Work of one command, from one decode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EncodeTask<'a> {
    Audio(&'a AudioPlan),
    Video(&'a VideoPlan, VideoTask),
}

/// A chunk of the video in some of its rungs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoTask {
    pub(crate) chunk: Chunk,
    /// Largest first; never empty.
    pub(crate) rungs: Vec<Rung>,
    /// Sizes of the scaling chain, largest first: each is scaled from the previous one, encoded or
    /// not.
    pub(crate) chain: Vec<Rung>,
    /// This task also encodes the I-frames.
    pub(crate) has_iframes: bool,
    /// Share of this task in the work on its chunk, from 0 to 1.
    pub(crate) share: f64,
}

impl EncodePlan {
    /// Tasks in their starting order: early rungs first, and then audio, which cannot be split and
    /// finishes long before video.
    pub(crate) fn tasks(&self) -> Vec<EncodeTask<'_>> {
        let tasks = self.video.iter().flat_map(|video| {
            let tasks = video.tasks().into_iter();
            tasks.map(move |cut| EncodeTask::Video(video, cut))
        });
        let mut tasks: Vec<EncodeTask> = tasks.collect();
        let first = self.video.as_ref().map_or(0, VideoPlan::early_task_count);
        tasks.splice(first..first, self.audio.iter().map(EncodeTask::Audio));
        tasks
    }
}

impl EncodeTask<'_> {
    /// Name of its record and its folder: `audio-en`, `00015-1080p+720p`.
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
    /// Splits the video by chunks and passes. Video in one chunk splits by rungs: the largest of
    /// each codec apart, to occupy two cores, at the price of a second decode.
    fn tasks(&self) -> Vec<VideoTask> {
        // Rungs of one task, with the scaling chain that they belong to.
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
        let all: f64 = groups.iter().map(|(rungs, _)| pixels(rungs)).sum();
        let mut tasks = vec![];
        for (rungs, chain) in &groups {
            tasks.extend(self.chunks.iter().map(|chunk| VideoTask {
                chunk: *chunk,
                rungs: rungs.clone(),
                chain: chain.clone(),
                has_iframes: smallest.is_some_and(|smallest| rungs.contains(smallest)),
                share: pixels(rungs) / all,
            }));
        }
        tasks
    }

    /// Rungs of a chunk by pass: the early ones, and then the rest.
    fn passes(&self) -> Vec<Vec<Rung>> {
        let is_first = |rung: &&Rung| self.first.iter().flatten().any(|first| first == *rung);
        let others = self.rungs.iter().filter(|rung| !is_first(rung));
        let first = self.first.iter().cloned();
        first.chain([others.cloned().collect()]).collect()
    }

    /// Number of leading tasks that encode early rungs.
    fn early_task_count(&self) -> usize {
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

    /// Number of I-frames before a chunk, which is the number of its first one.
    pub(crate) fn iframes_before(&self, chunk: Chunk, timeline: FrameTimeline) -> u64 {
        let step = u64::from(self.iframe_interval_frames());
        chunk.frames(timeline).0.div_ceil(step)
    }

    /// Frame number of the first I-frame in a chunk.
    pub(crate) fn first_iframe(&self, cut: &VideoTask, timeline: FrameTimeline) -> u64 {
        self.iframes_before(cut.chunk, timeline) * u64::from(self.iframe_interval_frames())
    }
}

/// Pixels of a frame in all rungs, an estimate of encoding time.
fn pixels(rungs: &[Rung]) -> f64 {
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
        // Early rungs come before audio.
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
