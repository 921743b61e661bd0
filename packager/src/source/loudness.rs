//! Loudness of a lecture and its correction (EBU R 128): one measured gain for the whole, so the
//! level does not pump.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::silence::{self, LEVELS_FILTER};
use super::{file_url, input_options};
use crate::ffmpeg::process::{self, ProcessError};
use crate::media::Silence;

/// Loudness for players and phones; EBU R 128's -23 is for living rooms.
pub(crate) const TARGET_LUFS: i32 = -16;
/// Encoders and loudspeakers clip peaks above this.
const MOST_PEAK_DB: f64 = -1.0;
/// A higher gain amplifies the noise of the room more than the voice.
const MOST_GAIN_DB: f64 = 30.0;
/// A smaller change is inaudible.
const LEAST_GAIN_DB: f64 = 0.5;
/// EBU R 128's absolute gate, below which there is only silence.
const SILENCE_LUFS: f64 = -70.0;
const SUMMARY_LINES: usize = 20;
/// No recorded audio has a higher level. Encoders refuse it, and the loudness of the whole would
/// follow it.
const MOST_LEVEL_DB: f64 = 60.0;

/// Filter that silences samples above [`MOST_LEVEL_DB`], infinite ones, and those that are no
/// number.
pub(crate) const SILENCED: &str = "aeval=if(lt(abs(val(ch))\\,1000)\\,val(ch)\\,0):c=same";

/// Measured loudness.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loudness {
    /// Integrated, LUFS.
    pub(crate) integrated: f64,
    /// dBFS.
    pub(crate) peak: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gain {
    db: f64,
    /// Peaks would clip without a limiter.
    is_limited: bool,
}

impl Gain {
    pub(crate) fn new(loudness: Loudness, target: i32) -> Option<Self> {
        if loudness.integrated <= SILENCE_LUFS {
            return None;
        }
        let db = (f64::from(target) - loudness.integrated).clamp(-MOST_GAIN_DB, MOST_GAIN_DB);
        (db.abs() >= LEAST_GAIN_DB).then_some(Self {
            db,
            is_limited: loudness.peak + db > MOST_PEAK_DB,
        })
    }

    pub(crate) fn filter(self) -> String {
        let volume = format!("volume={:.2}dB", self.db);
        if self.is_limited {
            // 0.891 is -1 dBFS.
            format!("{volume},alimiter=limit=0.891:attack=5:release=50:level=disabled:latency=1")
        } else {
            volume
        }
    }
}

/// Properties of an audio track that its decoded samples reveal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AudioMeasurement {
    pub(crate) loudness: Option<Loudness>,
    pub(crate) silences: Vec<Silence>,
    /// The channels or the sample rate change within the track, and ffmpeg counts from 0 again.
    pub(crate) is_restarted: bool,
    /// Some samples are infinite, or no number, or far above full scale.
    pub(crate) has_bad_samples: bool,
}

/// Decodes an audio track of the source once, through further filters, each with a comma. Writes
/// its levels into `scratch`.
pub(crate) async fn measure(
    source: &Path,
    stream: u32,
    filters: &str,
    scratch: &Path,
    on_progress: impl FnMut(Duration),
) -> Result<AudioMeasurement, ProcessError> {
    // The level tells ffmpeg's messages from the recording's own words, its metadata.
    let mut args: Vec<OsString> = "-hide_banner -nostdin -nostats -v +level+info -progress pipe:1"
        .split(' ')
        .map(Into::into)
        .collect();
    args.extend(input_options().map(Into::into));
    args.extend(["-i".into(), file_url(source)]);
    args.extend(["-map".into(), format!("0:{stream}").into()]);
    args.push("-af".into());
    args.push(
        format!(
            "{filters}astats=measure_perchannel=none:\
             measure_overall=Number_of_NaNs+Number_of_Infs+Peak_level,\
             {RESAMPLED_STEREO},ebur128=framelog=verbose:peak=sample:metadata=1,{LEVELS_FILTER}"
        )
        .into(),
    );
    args.extend(["-f", "null", "-"].map(Into::into));
    let run = process::encode_keeping(is_telling, SUMMARY_LINES, args, scratch, on_progress);
    let messages = run.await?.text;
    let loudness = parse(&messages);
    // A track without an audible part has no silence that a viewer would skip.
    let audible = loudness.filter(|loudness| loudness.integrated > SILENCE_LUFS);
    let silences = audible.map(|loudness| silence::read(scratch, loudness.integrated));
    let silences = silences.transpose().map_err(|source| ProcessError::Io {
        tool: "ffmpeg",
        source,
    })?;
    Ok(AudioMeasurement {
        loudness,
        silences: silences.unwrap_or_default(),
        is_restarted: messages.split("; ").any(is_restart),
        has_bad_samples: messages.split("; ").any(is_bad_sample),
    })
}

/// Messages that any part of a track may cause.
fn is_telling(line: &str) -> bool {
    is_restart(line) || is_bad_sample(line)
}

/// ffmpeg rebuilds its filters for other channels, and times then start at 0 again.
fn is_restart(line: &str) -> bool {
    line.to_ascii_lowercase()
        .contains("non monotonically increasing dts")
}

/// A line of `astats` that counts samples which no encoder takes.
fn is_bad_sample(line: &str) -> bool {
    let value = |name: &str| -> Option<f64> {
        let (_, value) = line.split_once(name)?;
        value.trim().parse().ok()
    };
    let counts = ["Number of NaNs:", "Number of Infs:"];
    counts
        .into_iter()
        .filter_map(value)
        .any(|count| count > 0.0)
        || value("Peak level dB:").is_some_and(|peak| peak.is_nan() || peak > MOST_LEVEL_DB)
}

/// Parses ffmpeg's summary: `Integrated loudness:; I: -23.0 LUFS; …; Sample peak:; Peak: -3.1
/// dBFS`.
fn parse(stderr: &str) -> Option<Loudness> {
    let (_, summary) = stderr.rsplit_once("Integrated loudness:")?;
    let value = |name: &str| {
        let (_, rest) = summary.split_once(name)?;
        let number: f64 = rest.split_whitespace().next()?.parse().ok()?;
        number.is_finite().then_some(number)
    };
    Some(Loudness {
        integrated: value("I:")?,
        peak: value("Peak:")?,
    })
}

/// Fills gaps with silence, so audio and video start together and stay in sync. Loudness is
/// measured on the same two channels.
pub(crate) const RESAMPLED_STEREO: &str =
    "aresample=async=1:first_pts=0,aformat=channel_layouts=stereo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_and_silence_is_none() {
        let stderr = "[Parsed_ebur128_2 @ 0x5] [info] Summary:; Integrated loudness:; I: -27.4 LUFS; Threshold: -37.5 LUFS; \
                    Loudness range:; LRA: 3.0 LU; Sample peak:; Peak: -9.0 dBFS";
        let loudness = Loudness {
            integrated: -27.4,
            peak: -9.0,
        };
        assert_eq!(parse(stderr), Some(loudness));
        assert_eq!(parse(&stderr.replace("-9.0", "-inf")), None);
        assert_eq!(parse("Output file is empty"), None);
    }

    #[test]
    fn a_restart_and_samples_that_are_no_sound_are_noticed() {
        for (line, expected) in [
            (
                "[null @ 0x5] Application provided invalid, non monotonically increasing dts to \
                 muxer in stream 0: 239616 >= 67104",
                (true, false),
            ),
            (
                "[Parsed_astats_0 @ 0x5] Number of NaNs: 1.000000",
                (false, true),
            ),
            (
                "[Parsed_astats_0 @ 0x5] Number of Infs: 2.000000",
                (false, true),
            ),
            (
                "[Parsed_astats_0 @ 0x5] Number of NaNs: 0.000000",
                (false, false),
            ),
            ("[Parsed_astats_0 @ 0x5] Peak level dB: inf", (false, true)),
            (
                "[Parsed_astats_0 @ 0x5] Peak level dB: 612.5",
                (false, true),
            ),
            ("[Parsed_astats_0 @ 0x5] Peak level dB: nan", (false, true)),
            (
                "[Parsed_astats_0 @ 0x5] Peak level dB: -inf",
                (false, false),
            ),
            ("[Parsed_astats_0 @ 0x5] Peak level dB: 6.0", (false, false)),
        ] {
            assert_eq!((is_restart(line), is_bad_sample(line)), expected, "{line}");
        }
    }

    #[test]
    fn audio_reaches_the_target_and_peaks_stay_below_the_limit() {
        for (integrated, peak, expected) in [
            (-20.0, -9.0, "volume=4.00dB"),
            (-12.5, -0.1, "volume=-3.50dB"),
            (
                -27.4,
                -9.0,
                "volume=11.40dB,alimiter=limit=0.891:attack=5:release=50:level=disabled:latency=1",
            ),
            (-60.0, -50.0, "volume=30.00dB"),
            (-16.3, -3.0, ""),
            (-70.0, -60.0, ""),
        ] {
            let gain = Gain::new(Loudness { integrated, peak }, TARGET_LUFS);
            assert_eq!(
                gain.map_or(String::new(), Gain::filter),
                expected,
                "{integrated}"
            );
        }
    }
}
