//! From what a source is and what the person chose to what is encoded. Pure.

use crate::cli::EncodeArgs;
use crate::ffmpeg::{PicturePlan, Plan, Settings, SoundPlan};
use crate::ladder::{Codec, Rung, frame_rate, ladder};
use crate::loudness::TARGET_LUFS;
use crate::playlists::shown_rate;
use crate::probe::{Audio, Source, Video};

/// Seconds by which one stream may end before another without being filled up: less is the end of a last frame.
const LEAST_GAP: f64 = 0.5;

impl Plan {
    pub(crate) fn new(source: &Source, args: &EncodeArgs) -> Self {
        let settings = Settings {
            ladder: args.ladder.0.clone(),
            segment_duration: args.segment_duration,
            preset: args.preset().to_string(),
            crf: args.crf(),
            threads: args.threads.unwrap_or_else(|| {
                std::thread::available_parallelism()
                    .map_or(2, |cores| u16::try_from(cores.get()).unwrap_or(16).min(16))
            }),
            codecs: codecs(&args.codec),
            loudness: (!args.no_loudnorm).then_some(TARGET_LUFS),
            container: args.container,
            audio_only_variant: args.audio_only_variant,
        };
        // Players stop where the first stream ends, so that a picture that ends early would take the sound with it.
        let end = source.end();
        let missing = |own: Option<f64>| Some(end? - own?).filter(|gap| *gap > LEAST_GAP);
        Self {
            picture: source.video.as_ref().map(|video| PicturePlan {
                video: video.clone(),
                rungs: rungs(video, &settings),
                frame_rate: frame_rate(video),
                hold: missing(video.duration),
            }),
            sound: folders(&source.audio)
                .zip(&source.audio)
                .map(|(folder, audio)| SoundPlan {
                    audio: audio.clone(),
                    folder,
                    length: missing(audio.duration).and(end),
                    gain: None,
                })
                .collect(),
            settings,
        }
    }

    /// Seconds that the picture and each sound track have to last, where that is known.
    pub(crate) fn expected(&self) -> (Option<f64>, Vec<Option<f64>>) {
        let picture = self.picture.as_ref().and_then(|picture| {
            picture
                .video
                .duration
                .map(|own| own + picture.hold.unwrap_or(0.0))
        });
        let sound = self.sound.iter();
        let sound = sound.map(|sound| sound.length.or(sound.audio.duration));
        (picture, sound.collect())
    }

    /// `1280×720, 854×480 at 25 frames a second, sound `en``
    pub(crate) fn told(&self) -> String {
        let mut parts = vec![];
        if let Some(picture) = &self.picture {
            let sizes: Vec<String> = (picture.rungs.iter())
                .map(|rung| match rung.codec {
                    Codec::H264 => format!("{}×{}", rung.width, rung.height),
                    _ => rung.name(),
                })
                .collect();
            let rate = shown_rate(picture.frame_rate);
            parts.push(format!("{} at {rate} frames a second", sizes.join(", ")));
        } else {
            parts.push("no picture".to_owned());
        }
        for sound in &self.sound {
            parts.push(format!("sound `{}`", sound.audio.language));
        }
        if self.sound.is_empty() {
            parts.push("no sound".to_owned());
        }
        parts.join(", ")
    }
}

/// H.264 goes without saying.
fn codecs(wanted: &[Codec]) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = vec![];
    for codec in wanted {
        if *codec != Codec::H264 && !codecs.contains(codec) {
            codecs.push(*codec);
        }
    }
    codecs
}

fn rungs(video: &Video, settings: &Settings) -> Vec<Rung> {
    let sizes = ladder(video.width, video.height, &settings.ladder);
    let others = settings.codecs.iter();
    let others = others.flat_map(|codec| sizes.iter().map(|rung| rung.with(*codec)));
    sizes.iter().cloned().chain(others).collect()
}

/// `audio/en`, and `audio/en-2` for the second of a language.
fn folders(audio: &[Audio]) -> impl Iterator<Item = String> {
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
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::probe::Rate;

    fn args(words: &str) -> EncodeArgs {
        let words = format!("lectern package in.mp4 -o out {words}");
        match Cli::try_parse_from(words.split_whitespace())
            .expect("it parses")
            .verb
        {
            Verb::Package(args) => args.encode,
            other => panic!("{other:?}"),
        }
    }

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
            average_rate: Some(Rate::new(25, 1)),
            nominal_rate: Some(Rate::new(25, 1)),
            pixel_format: "yuv420p".into(),
            color_space: None,
            color_transfer: None,
            interlaced: false,
            still: false,
            duration,
        }
    }

    fn source(video: Option<Video>, audio: Vec<Audio>) -> Source {
        Source {
            container: "mov".into(),
            duration: None,
            video,
            audio,
            subtitles: vec![],
            cover: None,
        }
    }

    #[test]
    fn what_ends_early_is_filled_up() {
        for (picture, sound, hold, length) in [
            (Some(60.0), Some(60.02), None, None),
            (Some(60.0), Some(90.0), Some(30.0), None),
            (Some(60.0), Some(20.0), None, Some(60.0)),
            (None, Some(20.0), None, None),
            (Some(60.0), None, None, None),
        ] {
            let source = source(Some(video(picture)), vec![audio("en", sound)]);
            let plan = Plan::new(&source, &args(""));
            let said = format!("{picture:?} {sound:?}");
            assert_eq!(
                plan.picture.as_ref().and_then(|plan| plan.hold),
                hold,
                "{said}"
            );
            assert_eq!(plan.sound[0].length, length, "{said}");
        }
    }

    #[test]
    fn every_sound_track_has_a_folder_of_its_own() {
        let tracks = ["en", "de", "en", "en"].map(|language| audio(language, None));
        let plan = Plan::new(&source(None, tracks.into()), &args(""));
        let expected = ["audio/en", "audio/de", "audio/en-2", "audio/en-3"];
        assert_eq!(plan.audio_folders(), expected);
        assert!(plan.video_folders().is_empty());
    }

    #[test]
    fn other_codecs_are_offered_beside_and_not_instead() {
        let source = source(Some(video(None)), vec![]);
        let plan = Plan::new(&source, &args("--codec hevc,h264,hevc --ladder 720,480"));
        assert_eq!(
            plan.video_folders(),
            ["720p", "480p", "720p-hevc", "480p-hevc"]
        );
        assert_eq!(
            plan.told(),
            "1280×720, 854×480, 720p-hevc, 480p-hevc at 25 frames a second, no sound"
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
            let settings = Plan::new(&source(None, vec![]), &args(words)).settings;
            assert_eq!(
                (settings.preset.as_str(), settings.crf),
                expected,
                "{words}"
            );
        }
    }
}
