//! Lag of ffmpeg's timestamps behind the times at which players show a stream. Pure.
//!
//! ffmpeg delays a track of fragmented MP4 by its lowest composition offset, so CMAF video came
//! 0.08 s late at 25 frames a second. It also counts from the encoder's priming, which players
//! discard, so video missed the frames of a constant rate.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::composition::ShiftedTrack;

/// Maximum seconds that count as priming: HE-AAC has 0.1 s.
const LONGEST_PRIMING: f64 = 0.12;
/// A smaller lag is inaudible.
const LEAST_LAG: f64 = 0.001;

/// Lags by stream index; streams in time have none.
pub(crate) type Lags = BTreeMap<u32, Lag>;

/// Seconds by which the timestamps of a stream are late.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lag {
    /// At the beginning.
    pub(crate) seconds: f64,
    /// Positions in the file from which it grows, with the further seconds.
    pub(crate) growth: Vec<(u64, f64)>,
}

impl Lag {
    /// Lag that ffmpeg adds to a track after it has read the whole index.
    pub(crate) fn of_track(track: &ShiftedTrack) -> Self {
        let last = track.steps.last();
        Self {
            seconds: seconds_of(track, last.map_or(0, |step| step.ticks)),
            growth: vec![],
        }
    }

    /// Lag of a track whose first frame ffmpeg reads at `start` seconds. ffmpeg reads the fragments
    /// one after the other if an index names them all.
    fn growing(track: &ShiftedTrack, start: f64) -> Self {
        let late = start * f64::from(track.timescale) - track.start as f64;
        let mut steps = track.steps.iter();
        let begun = steps.position(|step| (f64::from(step.ticks) - late).abs() <= 1.0);
        let Some(begun) = begun else {
            return Self::of_track(track);
        };
        let steps = &track.steps[begun..];
        Self {
            seconds: seconds_of(track, steps[0].ticks),
            growth: (steps.windows(2))
                .map(|pair| {
                    (
                        pair[1].position,
                        seconds_of(track, pair[1].ticks - pair[0].ticks),
                    )
                })
                .collect(),
        }
    }

    /// Expression of the right timestamp for `setpts` and `asetpts`.
    pub(crate) fn expression(&self) -> String {
        let mut late = format!("{:.6}", self.seconds);
        for (position, seconds) in &self.growth {
            let _ = write!(late, "+{seconds:.6}*gte(POS\\,{position})");
        }
        format!("round(PTS-({late})/TB)")
    }
}

#[derive(Deserialize)]
struct ProbedTimes {
    #[serde(default)]
    streams: Vec<ProbedStreamTimes>,
    format: Option<ProbedFormatTimes>,
}

#[derive(Deserialize)]
struct ProbedStreamTimes {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    /// The id of an MP4 track, `0x1`.
    id: Option<String>,
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct ProbedFormatTimes {
    start_time: Option<String>,
}

/// Derives lags from ffprobe's JSON and the tracks that ffmpeg delays.
pub(super) fn lags(json: &[u8], tracks: &[ShiftedTrack]) -> Lags {
    let Ok(ProbedTimes { streams, format }) = serde_json::from_slice(json) else {
        return Lags::new();
    };
    let start = format.and_then(|format| seconds(format.start_time.as_ref()));
    let start = start.unwrap_or(0.0);
    let mut found: Vec<(&ProbedStreamTimes, f64, Lag)> = vec![];
    for stream in &streams {
        let Some(own) = seconds(stream.start_time.as_ref()) else {
            continue;
        };
        let id = stream.id.as_deref().and_then(|id| id.strip_prefix("0x"));
        let id = id.and_then(|id| u32::from_str_radix(id, 16).ok());
        let track = tracks.iter().find(|track| Some(track.id) == id);
        let lag = track.map_or_else(Lag::none, |track| Lag::growing(track, own));
        found.push((stream, own - lag.seconds, lag));
    }
    let right_start = right_start(&found);
    let lags = found.into_iter().filter_map(|(stream, _, mut lag)| {
        lag.seconds += right_start? - start;
        let is_late = lag.seconds.abs() >= LEAST_LAG || !lag.growth.is_empty();
        is_late.then_some((stream.index, lag))
    });
    lags.collect()
}

/// The first time at which a stream is shown. Priming before 0 is not shown.
fn right_start(found: &[(&ProbedStreamTimes, f64, Lag)]) -> Option<f64> {
    let first = found.iter().map(|(_, own, _)| *own).reduce(f64::min)?;
    let is_priming = |(stream, own, _): &(&ProbedStreamTimes, f64, Lag)| {
        *own >= 0.0
            || *own >= -LONGEST_PRIMING
                && stream.codec_type.as_deref() == Some("audio")
                && stream.codec_name.as_deref() == Some("aac")
    };
    let has_video = found
        .iter()
        .any(|(stream, ..)| stream.codec_type.as_deref() == Some("video"));
    let is_primed = first < 0.0 && has_video && found.iter().all(is_priming);
    Some(if is_primed { 0.0 } else { first })
}

impl Lag {
    fn none() -> Self {
        Self {
            seconds: 0.0,
            growth: vec![],
        }
    }
}

fn seconds_of(track: &ShiftedTrack, ticks: u32) -> f64 {
    f64::from(ticks) / f64::from(track.timescale)
}

fn seconds(text: Option<&String>) -> Option<f64> {
    text?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::composition::ShiftStep;

    fn track(id: u32, steps: &[(u64, u32)]) -> ShiftedTrack {
        let steps = steps.iter();
        let steps = steps.map(|(position, ticks)| ShiftStep {
            position: *position,
            ticks: *ticks,
        });
        ShiftedTrack {
            id,
            timescale: 12_800,
            start: 0,
            steps: steps.collect(),
        }
    }

    fn json(start: &str, video: &str, audio: &str, codec: &str) -> String {
        let stream = |index: u32, kind: &str, codec: &str, start: &str| {
            format!(
                r#"{{"index":{index},"codec_type":"{kind}","codec_name":"{codec}","id":"0x{:x}","start_time":"{start}"}}"#,
                index + 1
            )
        };
        let mut streams = vec![];
        if !video.is_empty() {
            streams.push(stream(0, "video", "h264", video));
        }
        if !audio.is_empty() {
            streams.push(stream(1, "audio", codec, audio));
        }
        let streams = streams.join(",");
        format!(r#"{{"streams":[{streams}],"format":{{"start_time":"{start}"}}}}"#)
    }

    #[test]
    fn a_delayed_track_and_priming_are_brought_to_the_times_of_players() {
        let late = || vec![track(1, &[(700, 1024)])];
        for (start, video, audio, codec, tracks, expected) in [
            // Not delayed: a plain MP4, a stream that begins late, and priming of another codec.
            ("0.0", "0.0", "0.0", "aac", vec![], vec![]),
            ("0.5", "0.9", "0.5", "aac", vec![], vec![]),
            ("-0.0065", "0.0", "-0.0065", "opus", vec![], vec![]),
            ("-2.0", "-2.0", "-2.0", "aac", vec![], vec![]),
            ("-0.02", "", "-0.02", "aac", vec![], vec![]),
            // Delayed video with audio, by itself, and before audio.
            ("0.0", "0.08", "0.0", "aac", late(), vec![(0, 0.08)]),
            ("0.08", "0.08", "", "aac", late(), vec![]),
            (
                "0.05",
                "0.08",
                "0.05",
                "aac",
                late(),
                vec![(0, 0.03), (1, -0.05)],
            ),
            (
                "-0.02",
                "0.08",
                "-0.02",
                "aac",
                late(),
                vec![(0, 0.1), (1, 0.02)],
            ),
            (
                "-0.02",
                "0.0",
                "-0.02",
                "aac",
                vec![],
                vec![(0, 0.02), (1, 0.02)],
            ),
        ] {
            let json = json(start, video, audio, codec);
            let found = lags(json.as_bytes(), &tracks);
            let found: Vec<(u32, f64)> = (found.iter())
                .map(|(index, lag)| (*index, (lag.seconds * 1e6).round() / 1e6))
                .collect();
            assert_eq!(found, expected, "{json}");
        }
        assert_eq!(lags(b"", &late()), Lags::new());
    }

    #[test]
    fn a_lag_may_grow_within_a_file() {
        let track = track(1, &[(700, 0), (900, 640), (1200, 1280)]);
        for (start, expected) in [
            (
                0.0,
                "0.000000+0.050000*gte(POS\\,900)+0.050000*gte(POS\\,1200)",
            ),
            (0.05, "0.050000+0.050000*gte(POS\\,1200)"),
            (0.1, "0.100000"),
            // A start that no step explains.
            (0.3, "0.100000"),
        ] {
            let found = Lag::growing(&track, start).expression();
            assert_eq!(found, format!("round(PTS-({expected})/TB)"));
        }
    }
}
