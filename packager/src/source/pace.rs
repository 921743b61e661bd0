//! Counts frames in packets, if the header does not reveal the real rate.

use std::ffi::OsString;
use std::path::Path;

use super::frame_rate::{SPARSE, frame_rate};
use super::{LONGEST, Source, SourceError, Video, file_url, input_options};
use crate::ffmpeg::process;
use crate::media::Rate;

/// Bytes a frame above which the frame rate is credible and packets are not counted. A film at 1
/// Mbit/s has 5,000, slides with speech at 24 kbit/s have 100, and held frames have almost none.
const LEAST_BYTES_A_FRAME: f64 = 2_000.0;
/// Seconds below which no frame is held for long.
const SHORT: f64 = 10.0;
/// Frames in a second that count as motion.
const MOTION: u16 = 5;
/// Maximum share of seconds with motion in video with held frames: a minute of motion in an hour
/// justifies its rate.
const MOST_MOTION: f64 = 0.01;

/// Number of frames, and the start of the last one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub(crate) frames: u64,
    /// Seconds from the start of the source.
    pub(crate) end: f64,
    /// Seconds with motion.
    moving: u32,
}

impl Pace {
    /// Counts the frames of a source, unless its header and size make its rate credible.
    pub(crate) async fn of(
        path: &Path,
        source: &Source,
        bytes: u64,
    ) -> Result<Option<Self>, anyhow::Error> {
        let Some(video) = source
            .video
            .as_ref()
            .filter(|video| may_be_slow(video, source, bytes))
        else {
            return Ok(None);
        };
        let (mut frames, mut end) = (0, f64::NEG_INFINITY);
        let mut seconds: Vec<u16> = vec![];
        let on_line = |line: &str| {
            frames += 1;
            let time = line.split(',').next().unwrap_or_default();
            let Ok(time) = time.parse().map(|time: f64| time - source.start) else {
                return;
            };
            end = end.max(time);
            let second = time.max(0.0) as usize;
            if second < LONGEST as usize {
                seconds.resize(seconds.len().max(second + 1), 0);
                seconds[second] = seconds[second].saturating_add(1);
            }
        };
        // The encoder reports a source that ffprobe cannot read to its end.
        if let Err(error) = process::lines("ffprobe", argv(path, video.index), on_line).await {
            return match error {
                process::ProcessError::Failed { .. } => Ok(None),
                error => Err(error.into()),
            };
        }
        if end > f64::from(LONGEST) {
            return Err(SourceError::TooLong(end).into());
        }
        let moving = seconds.iter().filter(|frames| **frames >= MOTION);
        let moving = u32::try_from(moving.count()).unwrap_or(u32::MAX);
        let pace = Self {
            frames,
            end,
            moving,
        };
        Ok(end.is_finite().then_some(pace))
    }

    /// The average rate, if frames are held for most of the time.
    pub(crate) fn sparse_rate(self) -> Option<Rate> {
        let frames = u32::try_from(self.frames).ok()?;
        let rate = Rate::new(frames, self.end.ceil().max(1.0) as u32);
        let is_held = f64::from(self.moving) < self.end * MOST_MOTION && self.end >= SHORT;
        (is_held && frames > 0 && rate.as_f64() < SPARSE).then_some(rate)
    }
}

fn may_be_slow(video: &Video, source: &Source, bytes: u64) -> bool {
    // A header may declare a wrong rate.
    let is_sparse = video
        .average_rate
        .is_some_and(|rate| rate.as_f64() < SPARSE);
    let at_rate = |seconds: f64| seconds * frame_rate(video).as_f64() * LEAST_BYTES_A_FRAME;
    let duration = video.duration.or(source.duration);
    !video.still && (is_sparse || duration.is_none_or(|seconds| (bytes as f64) < at_rate(seconds)))
}

fn argv(path: &Path, stream: u32) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(["-select_streams".into(), stream.to_string().into()]);
    args.extend(["-show_entries", "packet=pts_time", "-of", "csv=p=0"].map(Into::into));
    args.push(file_url(path));
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing;

    fn source(average: Option<Rate>, duration: Option<f64>) -> Source {
        let mut video = testing::video();
        (video.average_rate, video.nominal_rate) = (average, Some(Rate::new(60, 1)));
        video.duration = duration;
        Source {
            container: "matroska,webm".into(),
            start: 0.0,
            duration,
            video: Some(video),
            audio: vec![],
            subtitles: vec![],
            cover: None,
            lags: std::collections::BTreeMap::new(),
            is_probed_far: false,
        }
    }

    #[test]
    fn only_what_weighs_too_little_for_its_frames_is_counted() {
        let sixty = Some(Rate::new(60, 1));
        for (average, duration, bytes, expected) in [
            (sixty, Some(600.0), 614_000, true),
            (sixty, Some(600.0), 100_000_000, false),
            (sixty, None, 100_000_000, true),
            (Some(Rate::new(60, 1201)), Some(600.0), 100_000_000, true),
        ] {
            let source = source(average, duration);
            let video = source.video.as_ref().expect("it has video");
            let found = may_be_slow(video, &source, bytes);
            assert_eq!(found, expected, "{average:?} {duration:?} {bytes}");
        }
    }

    #[test]
    fn a_rate_is_sparse_if_frames_are_held_for_most_of_the_time() {
        for (frames, end, moving, expected) in [
            (30, 600.4, 2, Some(Rate::new(30, 601))),
            (599, 600.0, 0, Some(Rate::new(599, 600))),
            (600, 600.0, 0, None),
            // A demonstration of a minute in an hour of slides.
            (2_400, 3600.0, 60, None),
            (0, 600.0, 0, None),
            (3, 9.0, 0, None),
        ] {
            let pace = Pace {
                frames,
                end,
                moving,
            };
            assert_eq!(pace.sparse_rate(), expected, "{pace:?}");
        }
    }

    #[tokio::test]
    async fn frames_are_counted_in_the_packets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gap.mkv");
        let made = std::process::Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=s=64x64:r=60:d=0.5",
            ])
            .args([
                "-vf",
                "setpts='if(gte(N,15),PTS+300/TB,PTS)'",
                "-vsync",
                "passthrough",
            ])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-output_ts_offset",
                "5",
            ])
            .arg(&path)
            .status();
        assert!(made.expect("ffmpeg is installed").success());
        let (mut probed, _) = crate::source::probe(&path).await.expect("it is a source");
        let pace = Pace::of(&path, &probed, 1_000).await.expect("it is read");
        let pace = pace.expect("it is counted");
        assert!(
            pace.frames == 30 && pace.moving == 2 && (pace.end - 300.48).abs() < 0.1,
            "{pace:?}"
        );
        assert_eq!(pace.sparse_rate(), Some(Rate::new(30, 301)));
        let large = Pace::of(&path, &probed, 1 << 30)
            .await
            .expect("it is not read");
        assert_eq!(large, None);
        probed.start = -90_000.0;
        let late = Pace::of(&path, &probed, 1_000).await;
        assert!(late.expect_err("a day is too long").is::<SourceError>());
    }
}
