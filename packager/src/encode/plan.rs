//! The encoding plan, from source facts and chosen settings. Pure.

use super::chunk::{Chunk, FrameTimeline};
use super::ladder::{Rung, ladder};
use super::settings::EncodeArgs;
use crate::encode::settings::{Settings, codecs};
use crate::manifest::bandwidth::shown_rate;
use crate::media::{Codec, Rate};
use crate::source::frame_rate::frame_rate;
use crate::source::lag::Lag;
use crate::source::loudness::{Gain, TARGET_LUFS};
use crate::source::seek_points::is_seekable;
use crate::source::{Audio, Source, Video};

/// Seconds by which a stream may end early without padding; less is the end of a last frame.
const LEAST_GAP: f64 = 0.5;
/// Seconds between I-frames, and the maximum of their short side.
const IFRAME_STEP_SECONDS: f64 = 2.0;
const IFRAME_SIDE: u32 = 240;

/// All parameters of the encoded bytes, except for the source and ffmpeg itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodePlan {
    pub(crate) settings: Settings,
    /// `None` for an audio-only lecture.
    pub(crate) video: Option<VideoPlan>,
    pub(crate) audio: Vec<AudioPlan>,
    /// ffmpeg corrects the clock of this container, which may jump.
    pub(crate) is_mended: bool,
    /// ffmpeg has to read far for the parameters of a stream.
    pub(crate) is_probed_far: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoPlan {
    pub(crate) stream: Video,
    /// Largest first; never empty.
    pub(crate) rungs: Vec<Rung>,
    /// Rungs encoded in earlier passes: one inner list per pass, largest first. Each pass decodes
    /// once more, and the bytes are the same.
    pub(crate) first: Vec<Vec<Rung>>,
    pub(crate) frame_rate: Rate,
    /// Lag of the source's timestamps.
    pub(crate) lag: Option<Lag>,
    /// Frames of the source have several sizes, and are scaled to that of the first.
    pub(crate) is_resized: bool,
    /// Seconds to hold the last frame, if audio lasts longer.
    pub(crate) hold: Option<f64>,
    /// From the first segment to the end; never empty.
    pub(crate) chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AudioPlan {
    pub(crate) stream: Audio,
    /// `audio/en`, `audio/en-2`.
    pub(crate) folder: String,
    /// Lag of the source's timestamps.
    pub(crate) lag: Option<Lag>,
    /// Duration in seconds after padding with silence, if video lasts longer.
    pub(crate) length: Option<f64>,
    pub(crate) gain: Option<Gain>,
    /// Infinite samples and those that are no number become silence.
    pub(crate) is_silenced: bool,
    /// The source is a copy with constant channels and sample rate, from the start of the lecture.
    pub(crate) is_steady: bool,
}

impl EncodePlan {
    pub(crate) fn new(source: &Source, args: &EncodeArgs) -> Self {
        let settings = Settings {
            ladder: args.ladder.0.clone(),
            segment_duration: args.segment_duration,
            preset: args.preset().to_string(),
            crf: args.crf(),
            codecs: codecs(&args.codec),
            loudness: (!args.no_loudnorm).then_some(TARGET_LUFS),
            container: args.container,
            audio_only_variant: args.audio_only_variant,
        };
        // Players stop at the end of the first stream, so video that ends early would cut off the
        // audio.
        let end = source.end();
        let missing = |own: Option<f64>| Some(end? - own?).filter(|gap| *gap > LEAST_GAP);
        Self {
            video: source.video.as_ref().map(|video| VideoPlan {
                stream: video.clone(),
                rungs: rungs(video, &settings),
                first: vec![],
                frame_rate: frame_rate(video),
                lag: source.lags.get(&video.index).cloned(),
                is_resized: false,
                hold: missing(video.duration),
                chunks: vec![Chunk::WHOLE],
            }),
            audio: audio_folders(&source.audio)
                .zip(&source.audio)
                .map(|(folder, audio)| AudioPlan {
                    stream: audio.clone(),
                    folder,
                    lag: source.lags.get(&audio.index).cloned(),
                    length: missing(audio.duration).and(end),
                    gain: None,
                    is_silenced: false,
                    is_steady: false,
                })
                .collect(),
            is_mended: !is_seekable(source),
            is_probed_far: source.is_probed_far,
            settings,
        }
    }

    /// Folders of the video Renditions, largest first.
    pub(crate) fn video_folders(&self) -> Vec<String> {
        let rungs = self.video.iter().flat_map(|video| &video.rungs);
        rungs.map(Rung::name).collect()
    }

    /// Folders of the audio Renditions.
    pub(crate) fn audio_folders(&self) -> Vec<String> {
        self.audio
            .iter()
            .map(|audio| audio.folder.clone())
            .collect()
    }

    pub(crate) fn timeline(&self, video: &VideoPlan) -> FrameTimeline {
        FrameTimeline {
            segment: self.settings.segment_duration,
            rate: video.frame_rate,
        }
    }

    /// Expected seconds of the video and of each audio track, if known.
    pub(crate) fn expected_seconds(&self) -> (Option<f64>, Vec<Option<f64>>) {
        let video = self.video.as_ref().and_then(|video| {
            video
                .stream
                .duration
                .map(|own| own + video.hold.unwrap_or(0.0))
        });
        let audio = self.audio.iter();
        let audio = audio.map(|audio| audio.length.or(audio.stream.duration));
        (video, audio.collect())
    }

    /// `1280×720, 854×480 at 25 frames a second, audio `en``
    pub(crate) fn describe(&self) -> String {
        let mut tasks = vec![];
        if let Some(video) = &self.video {
            let sizes: Vec<String> = (video.rungs.iter())
                .map(|rung| match rung.codec {
                    Codec::H264 => format!("{}×{}", rung.width, rung.height),
                    _ => rung.name(),
                })
                .collect();
            let rate = shown_rate(video.frame_rate);
            tasks.push(format!("{} at {rate} frames a second", sizes.join(", ")));
        } else {
            tasks.push("no video".to_owned());
        }
        for audio in &self.audio {
            tasks.push(format!("audio `{}`", audio.stream.language));
        }
        if self.audio.is_empty() {
            tasks.push("no audio".to_owned());
        }
        tasks.join(", ")
    }
}

impl VideoPlan {
    /// Size of the I-frames.
    pub(crate) fn iframe_rung(&self) -> Rung {
        let side = self.rungs.last().map_or(IFRAME_SIDE, Rung::short_side);
        // `ladder` never returns an empty list.
        ladder(
            self.stream.width,
            self.stream.height,
            &[side.min(IFRAME_SIDE)],
        )
        .swap_remove(0)
    }

    /// Seconds between I-frames, a whole number of frames.
    pub(crate) fn iframe_interval_seconds(&self) -> f64 {
        f64::from(self.iframe_interval_frames()) / self.frame_rate.as_f64()
    }

    pub(crate) fn iframe_interval_frames(&self) -> u32 {
        (IFRAME_STEP_SECONDS * self.frame_rate.as_f64())
            .round()
            .max(1.0) as u32
    }
}

fn rungs(video: &Video, settings: &Settings) -> Vec<Rung> {
    let sizes = ladder(video.width, video.height, &settings.ladder);
    let others = settings.codecs.iter();
    let others = others.flat_map(|codec| sizes.iter().map(|rung| rung.with(*codec)));
    sizes.iter().cloned().chain(others).collect()
}

/// `audio/en`, and `audio/en-2` for the second track of a language.
pub(crate) fn audio_folders(audio: &[Audio]) -> impl Iterator<Item = String> {
    audio.iter().enumerate().map(|(at, track)| {
        let language = &track.language;
        let before = audio[..at].iter();
        match before.filter(|other| other.language == *language).count() {
            0 => format!("audio/{language}"),
            count => format!("audio/{language}-{}", count + 1),
        }
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::manifest::container::Container;

    pub(crate) fn plan() -> EncodePlan {
        EncodePlan {
            settings: Settings {
                ladder: vec![720, 480],
                segment_duration: 4,
                preset: "veryfast".into(),
                crf: 23,
                codecs: vec![],
                loudness: None,
                container: Container::Cmaf,
                audio_only_variant: false,
            },
            video: Some(video_plan()),
            audio: vec![AudioPlan {
                stream: Audio {
                    index: 1,
                    codec: "opus".into(),
                    channels: 2,
                    language: "en".into(),
                    title: None,
                    duration: None,
                },
                folder: "audio/en".into(),
                lag: None,
                length: None,
                gain: None,
                is_silenced: false,
                is_steady: false,
            }],
            is_mended: false,
            is_probed_far: false,
        }
    }

    pub(crate) fn video_plan() -> VideoPlan {
        VideoPlan {
            rungs: ladder(1280, 720, &[720, 480]),
            first: vec![],
            frame_rate: Rate::new(30_000, 1001),
            stream: crate::source::testing::video(),
            lag: None,
            is_resized: false,
            hold: None,
            chunks: vec![Chunk::WHOLE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::settings::testing::encode_args as args;

    fn audio(language: &str, duration: Option<f64>) -> Audio {
        Audio {
            index: 1,
            codec: "aac".into(),
            channels: 2,
            language: language.into(),
            title: None,
            duration,
        }
    }

    fn video(duration: Option<f64>) -> Video {
        Video {
            index: 0,
            codec: "h264".into(),
            width: 1280,
            height: 720,
            rotation: 0,
            is_crooked: false,
            average_rate: Some(Rate::new(25, 1)),
            nominal_rate: Some(Rate::new(25, 1)),
            pixel_format: "yuv420p".into(),
            color_space: None,
            color_transfer: None,
            color_primaries: None,
            interlaced: false,
            still: false,
            is_held: false,
            duration,
        }
    }

    fn source(video: Option<Video>, audio: Vec<Audio>) -> Source {
        Source {
            container: "mov".into(),
            start: 0.0,
            duration: None,
            video,
            audio,
            subtitles: vec![],
            cover: None,
            lags: std::collections::BTreeMap::new(),
            is_probed_far: false,
        }
    }

    #[test]
    fn the_shorter_of_video_and_audio_is_extended() {
        for (video_seconds, audio_seconds, hold, length) in [
            (Some(60.0), Some(60.02), None, None),
            (Some(60.0), Some(90.0), Some(30.0), None),
            (Some(60.0), Some(20.0), None, Some(60.0)),
            (None, Some(20.0), None, None),
            (Some(60.0), None, None, None),
        ] {
            let source = source(Some(video(video_seconds)), vec![audio("en", audio_seconds)]);
            let plan = EncodePlan::new(&source, &args(""));
            let case = format!("{video_seconds:?} {audio_seconds:?}");
            assert_eq!(
                plan.video.as_ref().and_then(|plan| plan.hold),
                hold,
                "{case}"
            );
            assert_eq!(plan.audio[0].length, length, "{case}");
        }
    }

    #[test]
    fn every_audio_track_has_a_folder_of_its_own() {
        let tracks = ["en", "de", "en", "en"].map(|language| audio(language, None));
        let plan = EncodePlan::new(&source(None, tracks.into()), &args(""));
        let expected = ["audio/en", "audio/de", "audio/en-2", "audio/en-3"];
        assert_eq!(plan.audio_folders(), expected);
        assert!(plan.video_folders().is_empty());
    }

    #[test]
    fn other_codecs_are_offered_beside_and_not_instead() {
        let source = source(Some(video(None)), vec![]);
        let plan = EncodePlan::new(&source, &args("--codec hevc,h264,hevc --ladder 720,480"));
        assert_eq!(
            plan.video_folders(),
            ["720p", "480p", "720p-hevc", "480p-hevc"]
        );
        assert_eq!(
            plan.describe(),
            "1280×720, 854×480, 720p-hevc, 480p-hevc at 25 frames a second, no audio"
        );
    }

    #[test]
    fn quality_is_a_name_for_preset_and_crf() {
        for (words, expected) in [
            ("", ("veryfast", 23)),
            ("--quality best", ("slow", 21)),
            ("--quality fast --crf 30", ("superfast", 30)),
            ("--preset medium", ("medium", 23)),
        ] {
            let settings = EncodePlan::new(&source(None, vec![]), &args(words)).settings;
            assert_eq!(
                (settings.preset.as_str(), settings.crf),
                expected,
                "{words}"
            );
        }
    }
}
