//! Boundaries of the chunks that are encoded in parallel. Pure: they follow from the source and the
//! settings, so all machines produce the same bytes.

use crate::media::Rate;
use crate::source::tolerance;

/// Approximate number of chunks: enough for eight cores, and few enough to make startup cost
/// negligible.
const CHUNKS: f64 = 8.0;
/// Maximum seconds of a chunk, which bounds the work that an interruption loses.
const LONGEST: u32 = 60;
/// Minimum seconds of decoding before a chunk: the deinterlacer reads the previous frame.
pub(crate) const PREROLL: f64 = 0.2;
/// Frame rate below which a frame is almost as long as the tolerance of fragment boundaries (see
/// `argv`).
const SLOWEST: f64 = 5.0;

/// Frame numbers and segment boundaries of a lecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameTimeline {
    /// Seconds of a segment.
    pub(crate) segment: u32,
    pub(crate) rate: Rate,
}

impl FrameTimeline {
    /// The first frame of a segment, at or after its start time.
    pub(crate) fn first_frame(self, segment: u64) -> u64 {
        let Rate { num, den } = self.rate;
        (segment * u64::from(self.segment) * u64::from(num)).div_ceil(u64::from(den))
    }

    pub(crate) fn seconds(self, frame: u64) -> f64 {
        frame as f64 / self.rate.as_f64()
    }

    /// Start of a frame in ticks of a track.
    pub(crate) fn ticks(self, frame: u64, timescale: u32) -> u64 {
        let Rate { num, den } = self.rate;
        let (frame, num) = (u128::from(frame), u128::from(num.max(1)));
        let ticks = (frame * u128::from(den) * u128::from(timescale) + num / 2) / num;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn start(self, segment: u64) -> f64 {
        self.seconds(self.first_frame(segment))
    }
}

/// A run of whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    /// The segment after the last one; `None` if the chunk reaches the end of the source.
    pub(crate) end: Option<u64>,
}

impl Chunk {
    pub(crate) const WHOLE: Self = Self {
        first: 0,
        end: None,
    };

    pub(crate) fn is_whole(self) -> bool {
        self == Self::WHOLE
    }

    /// Numbers of its first frame and of the frame after its last.
    pub(crate) fn frames(self, timeline: FrameTimeline) -> (u64, Option<u64>) {
        let end = self.end.map(|end| timeline.first_frame(end));
        (timeline.first_frame(self.first), end)
    }

    /// Seek target for the demuxer; `None` at the start of the source.
    pub(crate) fn target(self, timeline: FrameTimeline) -> Option<f64> {
        (self.first > 0).then(|| (timeline.start(self.first) - PREROLL).max(0.0))
    }
}

/// Candidate boundaries: the first segment of each chunk after the first.
pub(crate) fn starts(duration_seconds: f64, timeline: FrameTimeline) -> Vec<u64> {
    if timeline.rate.as_f64() < SLOWEST {
        return vec![];
    }
    let length = length(duration_seconds, timeline.segment);
    // A header may promise slightly more than the file holds, which must not become a chunk.
    let is_there =
        |start: &u64| duration_seconds - timeline.start(*start) >= tolerance(duration_seconds);
    (1..)
        .map(|chunk| chunk * length)
        .take_while(is_there)
        .collect()
}

/// Splits the video at the [`starts`] with a usable key frame. `key_frames` holds the time of the
/// preceding key frame for each start, or `None`. A start far behind its key frame would be decoded
/// twice, so it joins the previous chunk.
pub(crate) fn chunks(
    duration_seconds: f64,
    timeline: FrameTimeline,
    key_frames: &[Option<f64>],
) -> Vec<Chunk> {
    let farthest =
        length(duration_seconds, timeline.segment) as f64 * f64::from(timeline.segment) / 2.0;
    let is_near = |start: u64, key_frame: f64| {
        let target = timeline.start(start) - PREROLL;
        key_frame <= target && target - key_frame <= farthest
    };
    let mut firsts = vec![0];
    firsts.extend(
        starts(duration_seconds, timeline)
            .into_iter()
            .zip(key_frames)
            .filter(|(start, key_frame)| key_frame.is_some_and(|at| is_near(*start, at)))
            .map(|(start, _)| start),
    );
    let ends = firsts.iter().skip(1).map(|end| Some(*end)).chain([None]);
    let chunks: Vec<Chunk> = firsts
        .iter()
        .zip(ends)
        .map(|(first, end)| Chunk { first: *first, end })
        .collect();
    let longest = chunks
        .iter()
        .map(|chunk| {
            chunk
                .end
                .map_or(duration_seconds, |end| timeline.start(end))
                - timeline.start(chunk.first)
        })
        .fold(0.0, f64::max);
    // If one chunk is most of the video, two cores gain nothing.
    if longest * 3.0 > duration_seconds * 2.0 {
        return vec![Chunk::WHOLE];
    }
    chunks
}

/// Segments of a chunk.
fn length(duration_seconds: f64, segment: u32) -> u64 {
    let segments = (duration_seconds / CHUNKS / f64::from(segment))
        .ceil()
        .max(1.0) as u64;
    segments.min(u64::from((LONGEST / segment).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAL: FrameTimeline = FrameTimeline {
        segment: 4,
        rate: Rate::new(25, 1),
    };
    const NTSC: FrameTimeline = FrameTimeline {
        segment: 4,
        rate: Rate::new(30_000, 1001),
    };

    /// Formats chunks as `0-4 4-`, with a key frame every `key_frames` seconds.
    fn cut(duration_seconds: f64, timeline: FrameTimeline, key_frames: f64) -> String {
        let key_frames: Vec<Option<f64>> = starts(duration_seconds, timeline)
            .into_iter()
            .map(|start| timeline.start(start) - PREROLL)
            .map(|target| Some((target / key_frames).floor() * key_frames))
            .collect();
        chunks(duration_seconds, timeline, &key_frames)
            .iter()
            .map(|Chunk { first, end }| match end {
                Some(end) => format!("{first}-{end}"),
                None => format!("{first}-"),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_chunk_is_an_eighth_of_the_video_whole_segments_and_a_minute_at_most() {
        for (duration_seconds, expected) in [
            (3.0, "0-"),
            (8.0, "0-1 1-"),
            (20.0, "0-1 1-2 2-3 3-4 4-"),
            (60.0, "0-2 2-4 4-6 6-8 8-10 10-12 12-14 14-"),
            (300.0, "0-10 10-20 20-30 30-40 40-50 50-60 60-70 70-"),
        ] {
            assert_eq!(
                cut(duration_seconds, PAL, 0.5),
                expected,
                "{duration_seconds} s"
            );
        }
        let hours = cut(7200.0, PAL, 2.0);
        assert!(hours.starts_with("0-15 15-30 "), "{hours}");
        assert_eq!(hours.split(' ').count(), 119, "{hours}");
    }

    #[test]
    fn a_video_with_few_key_frames_stays_in_few_chunks() {
        // One key frame at the beginning; one in ten seconds; one chunk with most of the video.
        assert_eq!(cut(600.0, PAL, 10_000.0), "0-");
        assert_eq!(cut(60.0, PAL, 10.0), "0-6 6-8 8-");
        assert_eq!(cut(5.0, PAL, 0.5), "0-");
        let slow = FrameTimeline {
            rate: Rate::new(1, 1),
            ..PAL
        };
        assert_eq!(cut(600.0, slow, 1.0), "0-");
    }

    #[test]
    fn a_boundary_that_cannot_be_sought_joins_the_chunk_before() {
        let near = |at: f64| Some(at - 1.0);
        let key_frames = [near(4.0), None, near(12.0), Some(16.1)];
        let found = chunks(20.0, PAL, &key_frames);
        let firsts: Vec<u64> = found.iter().map(|chunk| chunk.first).collect();
        assert_eq!(firsts, [0, 1, 3]);
        assert_eq!(chunks(20.0, PAL, &[]), [Chunk::WHOLE]);
    }

    #[test]
    fn a_segment_begins_with_the_first_frame_that_is_not_before_its_time() {
        // 4 s are 119.88 frames.
        let firsts: Vec<u64> = (0..4).map(|segment| NTSC.first_frame(segment)).collect();
        assert_eq!(firsts, [0, 120, 240, 360]);
        assert_eq!(NTSC.first_frame(15), 1799);
        assert_eq!(NTSC.ticks(1799, 30_000), 1799 * 1001);
        let last = Chunk {
            first: 15,
            end: None,
        };
        assert_eq!(last.frames(NTSC), (1799, None));
        let target = last.target(NTSC).expect("it is not the first");
        assert!((target - (60.026_633 - PREROLL)).abs() < 1e-6, "{target}");
    }
}
