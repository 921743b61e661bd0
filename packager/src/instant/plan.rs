//! The plan of a provisional stream: copies of the source's streams if players decode them, else
//! one small rung. Pure.

use std::ffi::OsString;

use serde::Serialize;

use super::event_rendition::StreamStart;
use super::gop::GopProbe;
use crate::encode::argv::{WRITTEN, hls};
use crate::encode::ladder::Rung;
use crate::encode::plan::EncodePlan;
use crate::encode::settings::EncodeArgs;
use crate::encode::task::EncodeTask;
use crate::media::{AUDIO_CHANNELS, AUDIO_SAMPLE_RATE, Rate};
use crate::source::frame_rate::frame_rate;
use crate::source::loudness::RESAMPLED_STEREO;
use crate::source::seek_points::is_seekable;
use crate::source::{Audio, Source, Video, input_options};

/// Seconds of a segment. A shorter first segment is complete sooner.
const SEGMENT: u32 = 2;
/// The short side of the rung that is encoded if the video cannot be copied.
const SIDE: u32 = 480;
/// The largest short side that every phone decodes.
const MAX_COPIED_SIDE: u32 = 1080;
/// The most seconds between keyframes of a copied video. A seek loads that much.
const LONGEST_GAP: f64 = 6.0;
const AUDIO_KBITS: u64 = 128;

/// ffmpeg's commands, and the streams that they make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstantPlan {
    pub(crate) commands: Vec<Vec<OsString>>,
    /// True if each segment of the lecture starts where a provisional segment starts.
    pub(crate) is_aligned: bool,
    pub(crate) video: Option<InstantVideo>,
    pub(crate) audio: Vec<InstantAudio>,
    /// Target duration of the playlists, in seconds.
    pub(crate) target_duration: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstantVideo {
    pub(crate) folder: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Rate,
    /// Estimate in bit/s.
    pub(crate) bandwidth: u64,
    /// Seconds from the start of the lecture to the start of the stream.
    pub(crate) start: f64,
    pub(crate) duration_seconds: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstantAudio {
    pub(crate) folder: String,
    pub(crate) audio: Audio,
    pub(crate) bandwidth: u64,
    /// Seconds from the start of the lecture. Negative if players discard the beginning; `None` if
    /// the encoder adds priming.
    pub(crate) start: Option<f64>,
    pub(crate) duration_seconds: Option<f64>,
}

/// The input of the revision's hash.
#[derive(Serialize)]
struct InstantRecipe<'a> {
    format: u32,
    source: &'a str,
    ffmpeg: &'a str,
    argv: Vec<Vec<String>>,
}

impl InstantPlan {
    pub(crate) fn new(
        source: &Source,
        bytes: u64,
        gop: &GopProbe,
        args: &EncodeArgs,
        input: &OsString,
    ) -> Self {
        let start = source
            .video
            .as_ref()
            .and_then(|video| gop.start(video.index, source));
        let has_key_frames = gop.gap.is_some_and(|gap| gap <= LONGEST_GAP);
        let mut plan = match start.filter(|_| has_key_frames && is_copyable(source)) {
            Some(start) => Self::copied(source, bytes, gop, start, input),
            None => Self::encoded(&EncodePlan::new(source, &args.small(SIDE, SEGMENT)), input),
        };
        // RFC 8216bis §6.2.4: all Variant Streams have the same target duration, also the lecture's
        // rungs.
        let own = u64::from(args.segment_duration);
        plan.target_duration = plan.target_duration.max(own);
        plan.is_aligned &= args.segment_duration.is_multiple_of(SEGMENT);
        plan
    }

    fn copied(source: &Source, bytes: u64, gop: &GopProbe, start: f64, input: &OsString) -> Self {
        let mut args: Vec<OsString> = words("-hide_banner -nostdin -nostats -y -v warning");
        args.extend(words("-progress pipe:1"));
        args.extend(input_options().map(Into::into));
        args.extend(["-i".into(), input.clone()]);
        let mut stream = |index: u32, folder: &str, codec: Vec<OsString>| {
            args.extend(["-map".into(), format!("0:{index}").into()]);
            args.extend(words("-map_metadata -1 -map_chapters -1"));
            args.extend(codec);
            args.extend(hls(folder, &format!("{folder}/seg%05d.m4s"), SEGMENT));
        };
        let video = source.video.as_ref().map(|video| {
            let folder = format!("{}p", short_side(video));
            stream(video.index, &folder, words("-c copy"));
            // The peak is unknown before the end: estimate twice the average.
            let average = bytes as f64 * 8.0 / source.end().unwrap_or(1.0).max(1.0);
            InstantVideo {
                folder,
                width: video.width,
                height: video.height,
                frame_rate: frame_rate(video),
                bandwidth: (average * 2.0) as u64,
                start: start.max(0.0),
                duration_seconds: video.duration,
            }
        });
        let audio = (crate::encode::plan::audio_folders(&source.audio).zip(&source.audio))
            .map(|(folder, audio)| {
                let mut audio = audio.clone();
                let start = gop
                    .start(audio.index, source)
                    .filter(|_| is_copyable_audio(&audio));
                // Encoding audio is a hundred times faster than playing it.
                if start.is_some() {
                    stream(audio.index, &folder, words("-c copy"));
                } else {
                    stream(audio.index, &folder, audio_codec());
                    audio.channels = AUDIO_CHANNELS;
                }
                InstantAudio {
                    folder,
                    duration_seconds: audio.duration,
                    audio,
                    bandwidth: 2 * AUDIO_KBITS * 1000,
                    start,
                }
            })
            .collect();
        Self {
            commands: vec![args],
            is_aligned: false,
            video,
            audio,
            target_duration: (LONGEST_GAP as u64) + u64::from(SEGMENT),
        }
    }

    fn encoded(plan: &EncodePlan, input: &OsString) -> Self {
        let mut commands = vec![];
        let mut video = None;
        let (duration_seconds, audio_tracks) = plan.expected_seconds();
        for task in plan.tasks() {
            let task = match task {
                EncodeTask::Video(plan, mut video_task) => {
                    video_task.has_iframes = false;
                    let Some(Rung {
                        width,
                        height,
                        max_rate,
                        ..
                    }) = video_task.rungs.first().cloned()
                    else {
                        continue;
                    };
                    video = Some(InstantVideo {
                        folder: video_task.rungs[0].name(),
                        width,
                        height,
                        frame_rate: plan.frame_rate,
                        bandwidth: u64::from(max_rate) * 1000,
                        start: 0.0,
                        duration_seconds,
                    });
                    EncodeTask::Video(plan, video_task)
                }
                audio @ EncodeTask::Audio(_) => audio,
            };
            commands.push(multithreaded(listed_as_written(
                plan.argv(&task, input.clone()),
            )));
        }
        let audio = (plan.audio.iter().zip(audio_tracks))
            .map(|(audio, duration_seconds)| InstantAudio {
                duration_seconds,
                folder: audio.folder.clone(),
                audio: Audio {
                    channels: AUDIO_CHANNELS,
                    ..audio.stream.clone()
                },
                bandwidth: AUDIO_KBITS * 1000,
                start: None,
            })
            .collect();
        Self {
            commands,
            is_aligned: true,
            video,
            audio,
            target_duration: u64::from(SEGMENT),
        }
    }

    /// Returns the folder, the start and the duration in seconds of each stream.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (&str, StreamStart, Option<f64>)> {
        let video = self.video.iter().map(|video| {
            let start = StreamStart::At(video.start);
            (video.folder.as_str(), start, video.duration_seconds)
        });
        let audio = self.audio.iter().map(|audio| {
            let start = audio
                .start
                .map_or(StreamStart::Primed, |start| match start < 0.0 {
                    true => StreamStart::Discarded(-start),
                    false => StreamStart::At(start),
                });
            (audio.folder.as_str(), start, audio.duration_seconds)
        });
        video.chain(audio)
    }

    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let video = self.video.iter().map(|video| video.folder.as_str());
        video.chain(self.audio.iter().map(|audio| audio.folder.as_str()))
    }

    /// Serializes everything that determines the bytes, without the input's name.
    pub(crate) fn recipe(&self, source: &str, ffmpeg: &str, input: &OsString) -> Vec<u8> {
        let shown = |arg: &OsString| match arg == input {
            true => "SOURCE".to_owned(),
            false => arg.to_string_lossy().into_owned(),
        };
        let argv = self.commands.iter();
        let recipe = InstantRecipe {
            format: 1,
            source,
            ffmpeg,
            argv: argv.map(|args| args.iter().map(shown).collect()).collect(),
        };
        // Serializing a struct of strings never fails.
        serde_json::to_vec(&recipe).unwrap_or_default()
    }
}

/// Removes the limits on threads. Provisional streams need not have the same bytes every time.
fn multithreaded(args: Vec<OsString>) -> Vec<OsString> {
    let mut unlimited: Vec<OsString> = vec![];
    for arg in args {
        match unlimited.last() {
            Some(last) if last == "-threads" => drop(unlimited.pop()),
            _ => unlimited.push(arg),
        }
    }
    unlimited
}

/// Returns true if every player decodes the source's video.
pub(crate) fn is_copyable(source: &Source) -> bool {
    let is_plain_h264 = |video: &Video| {
        video.codec == "h264"
            && video.pixel_format == "yuv420p"
            && video.rotation == 0
            && !video.interlaced
            && !video.still
            && short_side(video) <= MAX_COPIED_SIDE
    };
    // A copy keeps the lag of its timestamps, so all streams must have the same one.
    let lag = |index| source.lags.get(&index);
    let is_in_step = (source.audio.iter())
        .all(|audio| lag(audio.index) == source.video.as_ref().and_then(|video| lag(video.index)));
    is_seekable(source)
        && is_in_step
        && source.end().is_some()
        && source.video.as_ref().is_some_and(is_plain_h264)
}

fn is_copyable_audio(audio: &Audio) -> bool {
    audio.codec == "aac" && audio.channels <= AUDIO_CHANNELS
}

fn audio_codec() -> Vec<OsString> {
    let mut args = words("-c:a aac");
    args.extend(["-ac".into(), AUDIO_CHANNELS.to_string().into()]);
    args.extend(["-ar".into(), AUDIO_SAMPLE_RATE.to_string().into()]);
    args.extend(["-b:a".into(), format!("{AUDIO_KBITS}k").into()]);
    args.extend(["-af".into(), RESAMPLED_STEREO.into()]);
    args
}

/// Lets ffmpeg give segments their names, because nothing is done to them before they are listed.
fn listed_as_written(args: Vec<OsString>) -> Vec<OsString> {
    let written = format!("/{WRITTEN}%05d.m4s");
    let named = |arg: OsString| match arg.to_str().and_then(|arg| arg.strip_suffix(&written)) {
        Some(folder) => format!("{folder}/seg%05d.m4s").into(),
        None => arg,
    };
    args.into_iter().map(named).collect()
}

fn short_side(video: &Video) -> u32 {
    video.width.min(video.height)
}

fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisional_encoder_takes_all_threads() {
        let args = words("-threads 1 -i a -preset superfast -threads 1 -g 600");
        assert_eq!(multithreaded(args), words("-i a -preset superfast -g 600"));
    }
}
