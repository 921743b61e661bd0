//! What the source is: ffprobe's JSON, parsed once into typed facts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::process::{self, ProcessError};

/// An upload named `.mp4` may be a playlist or a concat list, and ffmpeg would then open what it names. Only these
/// demuxers, which open nothing but the file they were given, may read a source.
const DEMUXERS: &str = "mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au";
const PROTOCOLS: &str = "file,pipe";
/// H.264 works in macroblocks of 16 × 16; anything smaller is a placeholder rather than a picture.
const SMALLEST_SIDE: u32 = 16;

/// A source that cannot be packaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("there is no such file")]
    Missing,
    #[error("it is not a file")]
    NotAFile,
    #[error("it is empty")]
    Empty,
    #[error("it cannot be opened")]
    Unopenable(#[source] std::io::Error),
    #[error("ffmpeg cannot read it: {0}")]
    Unreadable(String),
    #[error("it has neither picture nor sound")]
    NoMedia,
    #[error("it has sound and no picture, and a lecture needs a picture")]
    NoVideo,
    #[error(
        "its picture is {width}×{height}, and the smallest that can be packaged is {SMALLEST_SIDE}×{SMALLEST_SIDE}"
    )]
    TooSmall { width: u32, height: u32 },
}

impl InputError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing | Self::NotAFile => "check the path of the recording",
            Self::Empty => "the copy or the upload may not have finished; fetch the file again",
            Self::Unopenable(_) => "check who may read the file",
            Self::Unreadable(_) | Self::NoMedia => {
                "check that it is a finished recording, e.g. MP4, MOV, MKV, WebM or AVI, and that it plays"
            }
            Self::NoVideo => {
                "add a still picture: ffmpeg -loop 1 -i title.png -i talk.m4a -shortest talk.mp4"
            }
            Self::TooSmall { .. } => "check that this is the recording and not a placeholder",
        })
    }
}

/// A rate in frames a second, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) num: u32,
    pub(crate) den: u32,
}

impl Rate {
    pub(crate) const fn new(num: u32, den: u32) -> Self {
        Self { num, den }
    }

    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// `30000/1001` as ffprobe writes it; `0/0` is how it says that it does not know.
    fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once('/')?;
        let (num, den) = (num.parse().ok()?, den.parse().ok()?);
        (num != 0 && den != 0).then_some(Self { num, den })
    }
}

/// What matters of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// ffprobe's name of the container.
    pub(crate) container: String,
    /// Seconds, when the header says.
    pub(crate) duration: Option<f64>,
    pub(crate) video: Video,
    pub(crate) audio: Option<Audio>,
}

/// The picture, as it is shown: rotated, with square pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Video {
    /// The stream's index in the source.
    pub(crate) index: u32,
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Degrees by which players turn the coded picture.
    pub(crate) rotation: i32,
    pub(crate) average_rate: Option<Rate>,
    pub(crate) nominal_rate: Option<Rate>,
    pub(crate) pixel_format: String,
    /// `matrix`, when the source names it.
    pub(crate) color_space: Option<String>,
    pub(crate) color_transfer: Option<String>,
    pub(crate) duration: Option<f64>,
}

impl Video {
    /// PQ or HLG: a curve that ordinary screens do not show.
    pub(crate) fn is_hdr(&self) -> bool {
        matches!(
            self.color_transfer.as_deref(),
            Some("smpte2084" | "arib-std-b67")
        )
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audio {
    /// The stream's index in the source.
    pub(crate) index: u32,
    pub(crate) codec: String,
    pub(crate) channels: u32,
    /// BCP 47; `und` when the source does not say.
    pub(crate) language: String,
    pub(crate) duration: Option<f64>,
}

/// Looks at a source without decoding it.
pub(crate) async fn probe(path: &Path) -> Result<Source, anyhow::Error> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(InputError::Missing.into());
        }
        Err(error) => return Err(InputError::Unopenable(error).into()),
    };
    if !metadata.is_file() {
        return Err(InputError::NotAFile.into());
    }
    if metadata.len() == 0 {
        return Err(InputError::Empty.into());
    }
    if let Err(error) = std::fs::File::open(path) {
        return Err(InputError::Unopenable(error).into());
    }
    match process::capture("ffprobe", argv(path)).await {
        Ok(json) => Ok(parse(&json)?),
        Err(ProcessError::Failed { said, .. }) => Err(InputError::Unreadable(
            said.replace(&format!("{}: ", file_url(path).to_string_lossy()), ""),
        )
        .into()),
        Err(error) => Err(error.into()),
    }
}

/// The options by which ffmpeg and ffprobe open a source and nothing else.
pub(crate) fn input_options() -> [&'static str; 4] {
    [
        "-protocol_whitelist",
        PROTOCOLS,
        "-format_whitelist",
        DEMUXERS,
    ]
}

/// `file:` keeps a name such as `concat:a|b` or `-y` from being read as anything but a file.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

fn argv(path: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(["-of", "json", "-show_format", "-show_streams"].map(Into::into));
    args.push(file_url(path));
    args
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    pix_fmt: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
    channels: Option<u32>,
    #[serde(default)]
    disposition: BTreeMap<String, i32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

/// ffprobe's JSON to facts.
fn parse(json: &[u8]) -> Result<Source, InputError> {
    let probed: Probed = serde_json::from_slice(json).map_err(|error| {
        InputError::Unreadable(format!("ffprobe's answer is not understood ({error})"))
    })?;
    let video = probed
        .streams
        .iter()
        .find(|stream| stream.is("video") && !stream.is_disposed("attached_pic"));
    let audio = || probed.streams.iter().filter(|stream| stream.is("audio"));
    let Some(video) = video else {
        return Err(if audio().next().is_some() {
            InputError::NoVideo
        } else {
            InputError::NoMedia
        });
    };
    let (width, height, rotation) = video.shown_size();
    if width.min(height) < SMALLEST_SIDE {
        return Err(InputError::TooSmall { width, height });
    }
    let format = probed.format.as_ref();
    let start = format
        .and_then(|format| format.start_time.as_deref())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0);
    Ok(Source {
        container: format.map_or_else(String::new, |format| format.format_name.clone()),
        duration: format.and_then(|format| seconds(format.duration.as_deref())),
        video: Video {
            index: video.index,
            codec: video.codec_name.clone().unwrap_or_default(),
            width,
            height,
            rotation,
            average_rate: video.avg_frame_rate.as_deref().and_then(Rate::parse),
            nominal_rate: video.r_frame_rate.as_deref().and_then(Rate::parse),
            pixel_format: video.pix_fmt.clone().unwrap_or_default(),
            color_space: video.color_space.clone().filter(|name| name != "unknown"),
            color_transfer: video
                .color_transfer
                .clone()
                .filter(|name| name != "unknown"),
            duration: video.end(start),
        },
        audio: audio()
            .find(|stream| stream.is_disposed("default"))
            .or_else(|| audio().next())
            .map(|stream| Audio {
                index: stream.index,
                codec: stream.codec_name.clone().unwrap_or_default(),
                channels: stream.channels.unwrap_or(0),
                language: language(stream.tags.get("language").map_or("", String::as_str)),
                duration: stream.end(start),
            }),
    })
}

impl Stream {
    /// A stream that ffmpeg has no decoder for has no `codec_name`.
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind) && self.codec_name.is_some()
    }

    fn is_disposed(&self, name: &str) -> bool {
        self.disposition.get(name) == Some(&1)
    }

    /// When it ends, in seconds after the source begins: what comes before it is filled with a still or with silence.
    fn end(&self, start: f64) -> Option<f64> {
        let delay = self
            .start_time
            .as_deref()
            .and_then(|text| text.parse::<f64>().ok())
            .map_or(0.0, |own| (own - start).max(0.0));
        self.seconds().map(|seconds| seconds + delay)
    }

    fn seconds(&self) -> Option<f64> {
        // Matroska keeps it in a tag, as `00:00:30.003000000`.
        seconds(self.duration.as_deref()).or_else(|| {
            let mut parts = self.tags.get("DURATION")?.split(':');
            let (hours, minutes, rest): (f64, f64, f64) = (
                parts.next()?.parse().ok()?,
                parts.next()?.parse().ok()?,
                parts.next()?.parse().ok()?,
            );
            Some(hours * 3600.0 + minutes * 60.0 + rest).filter(|seconds| *seconds > 0.0)
        })
    }

    fn shown_size(&self) -> (u32, u32, i32) {
        let (mut width, mut height) = (self.width.unwrap_or(0), self.height.unwrap_or(0));
        if let Some((x, y)) = self.sample_aspect_ratio.as_deref().and_then(|sar| {
            let (x, y) = sar.split_once(':')?;
            let (x, y): (f64, f64) = (x.parse().ok()?, y.parse().ok()?);
            (x > 0.0 && y > 0.0).then_some((x, y))
        }) {
            // The longer of the two stays, so that nothing is scaled up.
            if x > y {
                height = (f64::from(height) * y / x).round() as u32;
            } else {
                width = (f64::from(width) * x / y).round() as u32;
            }
        }
        let rotation = self
            .side_data_list
            .iter()
            .find_map(|data| data.rotation)
            .unwrap_or(0.0) as i32;
        if rotation.rem_euclid(180) == 90 {
            std::mem::swap(&mut width, &mut height);
        }
        (width, height, rotation)
    }
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

/// ISO 639-2 of the container to BCP 47, which wants the shortest code (RFC 5646 §2.2.1); it becomes a folder's name
/// and an attribute, so anything but a plain tag is `und`.
fn language(tag: &str) -> String {
    let tag = tag.trim().to_ascii_lowercase();
    let short = match tag.as_str() {
        "ara" => "ar",
        "chi" | "zho" => "zh",
        "cze" | "ces" => "cs",
        "dan" => "da",
        "dut" | "nld" => "nl",
        "eng" => "en",
        "fin" => "fi",
        "fre" | "fra" => "fr",
        "ger" | "deu" => "de",
        "gre" | "ell" => "el",
        "heb" => "he",
        "hin" => "hi",
        "hun" => "hu",
        "ita" => "it",
        "jpn" => "ja",
        "kor" => "ko",
        "nor" => "no",
        "pol" => "pl",
        "por" => "pt",
        "rum" | "ron" => "ro",
        "rus" => "ru",
        "spa" => "es",
        "swe" => "sv",
        "tur" => "tr",
        "ukr" => "uk",
        "vie" => "vi",
        other => other,
    };
    let is_plain = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let primary = short.split('-').next().unwrap_or("");
    if short.len() <= 35 && (2..=3).contains(&primary.len()) && short.split('-').all(is_plain) {
        short.to_owned()
    } else {
        "und".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_picture_with_oblong_pixels_is_reported_as_it_is_shown() {
        let json = br#"{"streams":[
            {"index":0,"codec_type":"video","codec_name":"mjpeg","width":300,"height":300,"disposition":{"attached_pic":1}},
            {"index":1,"codec_type":"video","codec_name":"h264","width":1440,"height":1080,"sample_aspect_ratio":"4:3",
             "avg_frame_rate":"30000/1001","r_frame_rate":"0/0","color_space":"unknown","side_data_list":[{"rotation":-90}]},
            {"index":2,"codec_type":"audio","codec_name":"aac","channels":2,"tags":{"language":"eng"}},
            {"index":3,"codec_type":"audio","codec_name":"aac","channels":6,"disposition":{"default":1},"tags":{"language":"deu","DURATION":"00:01:30.5"}}
        ],"format":{"format_name":"matroska,webm","duration":"N/A"}}"#;
        let source = parse(json).expect("it is a source");
        let video = &source.video;
        assert_eq!((video.index, video.width, video.height), (1, 810, 1440));
        assert_eq!(video.average_rate, Some(Rate::new(30000, 1001)));
        assert_eq!((video.nominal_rate, &video.color_space), (None, &None));
        let audio = source.audio.expect("it has audio");
        assert_eq!((audio.index, audio.language.as_str()), (3, "de"));
        assert_eq!((source.duration, audio.duration), (None, Some(90.5)));
    }

    #[test]
    fn what_cannot_be_a_lecture_is_refused_in_a_sentence() {
        for (json, expected) in [
            (r#"{}"#, "it has neither picture nor sound"),
            (
                r#"{"streams":[{"index":0,"codec_type":"audio","codec_name":"aac"}]}"#,
                "it has sound and no picture, and a lecture needs a picture",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"h264","width":1,"height":1}]}"#,
                "its picture is 1×1, and the smallest that can be packaged is 16×16",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","width":640,"height":480}]}"#,
                "it has neither picture nor sound",
            ),
        ] {
            let error = parse(json.as_bytes()).expect_err(json);
            assert_eq!(error.to_string(), expected, "{json}");
            assert!(error.hint().is_some(), "{json}");
        }
    }

    #[test]
    fn a_language_is_a_short_plain_tag_or_und() {
        for (tag, expected) in [
            ("eng", "en"),
            ("GER", "de"),
            ("pt-BR", "pt-br"),
            ("gsw", "gsw"),
            ("", "und"),
            ("und", "und"),
            ("../../etc", "und"),
            ("en\"", "und"),
            ("english language", "und"),
        ] {
            assert_eq!(language(tag), expected, "{tag}");
        }
    }
}
