//! Encoding options of the command line.

use crate::manifest::container::Container;
use crate::media::Codec;
use crate::source::language;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The default maximum: each worker holds decoded frames of every rung in memory.
pub(crate) const MAX_WORKERS: usize = 16;

#[derive(Debug, Clone, Args)]
pub(crate) struct EncodeArgs {
    /// Sizes to offer, by short side, never larger than the source: `lecture`
    /// (1080,720,480,240), `mobile` (720,480,240), `full` (2160,1440,1080,720,480,360,240), or a
    /// list such as `1080,480`.
    #[arg(long, value_name = "SIZES", default_value = "lecture", value_parser = ladder_sizes)]
    pub(crate) ladder: LadderSizes,
    /// Codecs to offer besides H.264, for players that decode them: `hevc`, `av1`. They take
    /// several times longer.
    #[arg(long, value_name = "CODEC", value_delimiter = ',')]
    pub(crate) codec: Vec<Codec>,
    /// Container of the segments: `cmaf` for current devices, `ts` (MPEG-2 Transport Streams of
    /// H.264, no DASH) for very old ones.
    #[arg(
        long,
        value_name = "CONTAINER",
        default_value = "cmaf",
        hide_possible_values = true
    )]
    pub(crate) container: Container,
    /// Add an audio-only Variant Stream, which players choose on connections too slow for video.
    #[arg(long)]
    pub(crate) audio_only_variant: bool,
    /// Encoding time against size and quality; --preset and --crf set x264's own options.
    #[arg(long, value_name = "QUALITY", default_value = "standard")]
    pub(crate) quality: Quality,
    /// Language of the audio, such as `de` or `pt-BR`. Of several audio tracks, it is that of those
    /// that declare none.
    #[arg(long, value_name = "LANG", value_parser = language_tag)]
    pub(crate) language: Option<String>,
    /// Keep the loudness of the source, instead of normalizing to -16 LUFS (EBU R 128).
    #[arg(long)]
    pub(crate) no_loudnorm: bool,
    /// Seconds of a Media Segment.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) segment_duration: u32,
    /// x264's preset: slower is smaller [default: the quality's].
    #[arg(long)]
    preset: Option<Preset>,
    /// x264's CRF: lower is better and larger [default: the quality's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=40))]
    crf: Option<u32>,
    /// Parallel encoders, each with one thread; the result is the same [default: one per core].
    #[arg(long, alias = "threads", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
}

impl EncodeArgs {
    pub(crate) fn workers(&self) -> usize {
        self.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(2, |cores| cores.get().min(MAX_WORKERS)),
            usize::from,
        )
    }

    /// Settings for a single rung of at most `side`p that is ready early.
    pub(crate) fn small(&self, side: u32, segment_duration: u32) -> Self {
        Self {
            segment_duration,
            // Measuring loudness decodes the whole audio first.
            no_loudnorm: true,
            ladder: LadderSizes(vec![side]),
            codec: vec![],
            quality: Quality::Fast,
            preset: None,
            crf: None,
            container: Container::Cmaf,
            audio_only_variant: false,
            ..self.clone()
        }
    }

    pub(crate) fn preset(&self) -> Preset {
        self.preset.unwrap_or(match self.quality {
            Quality::Fast => Preset::Superfast,
            Quality::Standard => Preset::Veryfast,
            Quality::Best => Preset::Slow,
        })
    }

    pub(crate) fn crf(&self) -> u32 {
        self.crf.unwrap_or(match self.quality {
            Quality::Fast => 24,
            Quality::Standard => 23,
            Quality::Best => 21,
        })
    }
}

fn language_tag(tag: &str) -> Result<String, String> {
    match language(tag) {
        und if und == "und" => Err("a language tag such as `en`, `de` or `pt-BR`".to_owned()),
        language => Ok(language),
    }
}

/// Short sides, largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LadderSizes(pub(crate) Vec<u32>);

pub(crate) fn ladder_sizes(text: &str) -> Result<LadderSizes, String> {
    let list = match text {
        "lecture" => "1080,720,480,240",
        "mobile" => "720,480,240",
        "full" => "2160,1440,1080,720,480,360,240",
        list => list,
    };
    let sides: Option<Vec<u32>> = list
        .split(',')
        .map(|side| {
            side.trim()
                .parse()
                .ok()
                .filter(|side| (16..=4320).contains(side))
        })
        .collect();
    let mut sides = sides.ok_or_else(|| {
        "`lecture`, `mobile`, `full`, or sizes from 16 to 4320 such as `1080,480`".to_owned()
    })?;
    sides.sort_unstable_by(|a, b| b.cmp(a));
    sides.dedup();
    Ok(LadderSizes(sides))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quality {
    /// Superfast, CRF 24.
    Fast,
    /// Veryfast, CRF 23.
    Standard,
    /// Slow, CRF 21.
    Best,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
    Slower,
    Veryslow,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Settings of an encoding, as `package.json` stores them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Short sides.
    pub(crate) ladder: Vec<u32>,
    /// Seconds.
    pub(crate) segment_duration: u32,
    pub(crate) preset: String,
    pub(crate) crf: u32,
    /// Codecs besides H.264.
    pub(crate) codecs: Vec<Codec>,
    /// Target loudness in LUFS; absent if it is not normalized.
    pub(crate) loudness: Option<i32>,
    #[serde(default)]
    pub(crate) container: Container,
    /// An audio-only Variant Stream accompanies those with video.
    #[serde(default)]
    pub(crate) audio_only_variant: bool,
}

/// Removes duplicates and H.264, which every package has.
pub(crate) fn codecs(wanted: &[Codec]) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = vec![];
    for codec in wanted {
        if *codec != Codec::H264 && !codecs.contains(codec) {
            codecs.push(*codec);
        }
    }
    codecs
}

/// Settings parsed from a command line.
#[cfg(test)]
pub(crate) mod testing {
    use clap::Parser;

    use super::EncodeArgs;

    pub(crate) fn encode_args(words: &str) -> EncodeArgs {
        #[derive(Parser)]
        struct EncodeCli {
            #[command(flatten)]
            encode: EncodeArgs,
        }
        let line = format!("lectern {words}");
        let parsed = EncodeCli::try_parse_from(line.split_whitespace());
        parsed.expect("it parses").encode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_tag() {
        for (text, expected) in [
            ("de", Some("de")),
            ("deu", Some("de")),
            ("pt-BR", Some("pt-br")),
            ("german language", None),
            ("", None),
        ] {
            assert_eq!(language_tag(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_ladder_is_a_name_or_sizes() {
        for (text, expected) in [
            ("lecture", Some(vec![1080, 720, 480, 240])),
            ("480, 1080,480", Some(vec![1080, 480])),
            ("8", None),
            ("big", None),
            ("", None),
        ] {
            assert_eq!(ladder_sizes(text).ok(), expected.map(LadderSizes), "{text}");
        }
    }
}
