//! Facts about the source, parsed once from ffprobe's JSON.

pub(crate) mod composition;
mod decoding;
mod ends;
mod ffprobe;
pub(crate) mod frame_format;
pub(crate) mod frame_rate;
pub(crate) mod lag;
pub(crate) mod language;
pub(crate) mod loudness;
mod pace;
mod packets;
pub(crate) mod seek_points;
mod selection;
pub(crate) mod silence;
mod structure;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ffmpeg::diagnosis::Diagnosis;
use crate::ffmpeg::process::{self, ProcessError};
use crate::files::regular::open_regular;
use crate::media::Rate;
use crate::warning::{TrackKind, Warning};
use composition::ShiftedTrack;
pub(crate) use ends::tolerance;
use lag::Lags;
pub(crate) use language::language;
pub(crate) use pace::Pace;
use packets::Packets;
use selection::Selection;
use structure::Structure;

/// Allowed demuxers, which open only the given file. An upload named `.mp4` may be a playlist or a
/// concat list, and ffmpeg would open the files that it names.
pub(crate) const DEMUXERS: &str = "mov,matroska,avi,mpegts,mpeg,flv,ogg,wav,mp3,aac,flac,asf,mxf,gif,ac3,h264,hevc,m4v,mpegvideo,nut,aiff,amr,caf,w64,au,\
dts,dv,eac3,ivf,mjpeg,mlp,obu,rm,tak,truehd,tta,vc1,wtv,wv,yuv4mpegpipe";
const PROTOCOLS: &str = "file,pipe";
/// ffprobe's names of containers.
const MP4: &str = "mov,mp4,m4a,3gp,3g2,mj2";
const MATROSKA: &str = "matroska,webm";
/// Smaller video is a placeholder: H.264 has macroblocks of 16 × 16.
const SMALLEST_SIDE: u32 = 16;
/// The most oblong pixels.
pub(crate) const OBLONGEST: f64 = 4.0;
/// 8K. Headers may claim anything, and a decoder allocates memory for the claim.
const MOST_PIXELS: u64 = 7680 * 4320;
/// Maximum duration in seconds: two frames that are years apart would become years of frames at a
/// constant rate.
pub(crate) const LONGEST: u32 = 24 * 3600;
/// Channels of the largest common layout, 7.1.
const MOST_LAID_OUT: u32 = 8;
/// Maximum number of audio tracks.
const MOST_TRACKS: usize = 16;

/// Reasons to refuse a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("there is no such file")]
    Missing,
    #[error(transparent)]
    NotAFile(std::io::Error),
    #[error("it is empty")]
    Empty,
    #[error("it cannot be opened")]
    Unopenable(#[source] std::io::Error),
    #[error("{0}")]
    Unreadable(Diagnosis),
    #[error("its {kind} is {codec}: this ffmpeg cannot decode it")]
    Undecodable { kind: TrackKind, codec: String },
    #[error("its video is Dolby Vision profile {0}, whose colours other players cannot show")]
    DolbyVision(u32),
    #[error("its tracks have no data that can be played")]
    NoPackets,
    #[error(
        "it is cut short: it declares {declared:.1} s, and its last frame ends at {actual:.1} s"
    )]
    CutShort { declared: f64, actual: f64 },
    #[error("it has neither video nor audio")]
    NoMedia,
    #[error("its video is {width}×{height}, and the minimum is {SMALLEST_SIDE}×{SMALLEST_SIDE}")]
    TooSmall { width: u32, height: u32 },
    #[error("its video is {width}×{height}, and the maximum is 7680×4320")]
    TooLarge { width: u32, height: u32 },
    #[error("its duration is {:.1} hours, and the maximum is 24", .0 / 3600.0)]
    TooLong(f64),
}

impl SourceError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing | Self::NotAFile(_) => "check the path of the recording",
            Self::Empty => "finish the copy or the upload, or download the file again",
            Self::Unopenable(_) => "check who may read the file",
            Self::Undecodable { .. } => {
                "convert the recording where it plays, e.g. to H.264 and AAC in MP4, or install an ffmpeg with this decoder"
            }
            Self::DolbyVision(_) => "export it as HDR10, HLG or SDR",
            Self::CutShort { .. } => "play the recording to its end, and download or copy it again",
            Self::Unreadable(
                diagnosis @ (Diagnosis::Encrypted
                | Diagnosis::NoDecoder(_)
                | Diagnosis::OutOfMemory),
            ) => diagnosis.hint(),
            Self::Unreadable(_) | Self::NoMedia | Self::NoPackets => {
                "check that it is a finished recording, e.g. MP4, MOV, MKV, WebM or AVI, and that it plays"
            }
            Self::TooSmall { .. } => "check that this is the recording and not a placeholder",
            Self::TooLarge { .. } => "scale it down: ffmpeg -i IN -vf scale=3840:-2 OUT.mp4",
            Self::TooLong(_) => {
                "correct its timestamps with `ffmpeg -i IN -c copy OUT.mkv`, or cut it into parts"
            }
        })
    }
}

/// Facts about the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// ffprobe's name of the container.
    pub(crate) container: String,
    /// Start of its clock in seconds.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) start: f64,
    /// Seconds, if the header declares them.
    pub(crate) duration: Option<f64>,
    /// `None` for an audio recording.
    pub(crate) video: Option<Video>,
    /// The default track comes first.
    pub(crate) audio: Vec<Audio>,
    /// Text subtitles; image subtitles are dropped.
    pub(crate) subtitles: Vec<Subtitle>,
    /// Stream index of the cover image of an audio file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cover: Option<u32>,
    /// Streams whose timestamps ffmpeg reads late. The recording's bytes determine them.
    #[serde(skip)]
    pub(crate) lags: Lags,
    /// A stream begins so late that ffmpeg has to read far for its parameters.
    #[serde(skip)]
    pub(crate) is_probed_far: bool,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

impl Source {
    /// End of its last stream, as far as headers declare it.
    pub(crate) fn end(&self) -> Option<f64> {
        let video = self.video.iter().map(|video| video.duration);
        let audio = self.audio.iter().map(|audio| audio.duration);
        video
            .chain(audio)
            .try_fold(0.0, |longest: f64, end| Some(longest.max(end?)))
            .filter(|end| *end > 0.0)
    }

    /// Resets what `package.json` does not list, so that the file gives the same facts.
    pub(crate) fn reset_unlisted(&mut self) {
        self.lags.clear();
        self.is_probed_far = false;
        if let Some(video) = &mut self.video {
            (video.is_held, video.is_crooked) = (false, false);
            video.color_primaries = None;
        }
    }

    /// Corrects the ends of late streams, which count from the start of the source.
    fn correct_lags(&mut self, lags: Lags) {
        let video = self.video.iter_mut();
        let video = video.map(|video| (video.index, &mut video.duration));
        let audio = self.audio.iter_mut();
        let audio = audio.map(|audio| (audio.index, &mut audio.duration));
        for (index, duration) in video.chain(audio) {
            let lag = lags.get(&index).map_or(0.0, |lag| lag.seconds);
            if let Some(end) = duration {
                // A sum such as 12.100000000000001 would have other digits after JSON.
                *end = ((*end - lag).max(0.0) * 1e6).round() / 1e6;
            }
        }
        self.lags = lags;
    }
}

/// Video at its display size: rotated, with square pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Video {
    /// Stream index in the source.
    pub(crate) index: u32,
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Degrees by which players rotate the coded frame.
    pub(crate) rotation: i32,
    /// The display matrix is no quarter turn, and `rotation` is the nearest one.
    #[serde(skip)]
    pub(crate) is_crooked: bool,
    pub(crate) average_rate: Option<Rate>,
    pub(crate) nominal_rate: Option<Rate>,
    pub(crate) pixel_format: String,
    /// The matrix, if the source declares it.
    pub(crate) color_space: Option<String>,
    pub(crate) color_transfer: Option<String>,
    /// The primaries, if the source declares them.
    #[serde(skip)]
    pub(crate) color_primaries: Option<String>,
    pub(crate) interlaced: bool,
    /// A single frame, however long it is shown.
    pub(crate) still: bool,
    /// Frames are held so long that a low rate suffices. Only the packets reveal it.
    #[serde(skip)]
    pub(crate) is_held: bool,
    pub(crate) duration: Option<f64>,
}

impl Video {
    /// PQ or HLG, whose transfer curve ordinary screens do not show.
    pub(crate) fn is_hdr(&self) -> bool {
        matches!(
            self.color_transfer.as_deref(),
            Some("smpte2084" | "arib-std-b67")
        )
    }

    /// Full-range video (0 is black, 255 white), such as camera JPEG; HDR is converted to limited
    /// range anyway.
    pub(crate) fn is_full_range(&self) -> bool {
        self.pixel_format.starts_with("yuvj") && !self.is_hdr()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audio {
    /// Stream index in the source.
    pub(crate) index: u32,
    pub(crate) codec: String,
    pub(crate) channels: u32,
    /// BCP 47; `und` if the source does not declare it.
    pub(crate) language: String,
    /// Title in the source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) title: Option<String>,
    pub(crate) duration: Option<f64>,
}

impl Audio {
    /// More channels than any layout that ffmpeg mixes down has.
    pub(crate) fn is_mixed_down(&self) -> bool {
        self.channels > MOST_LAID_OUT
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subtitle {
    /// Stream index in the source.
    pub(crate) index: u32,
    pub(crate) codec: String,
    /// BCP 47; `und` if the source does not declare it.
    pub(crate) language: String,
    /// Title in the source.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) title: Option<String>,
}

/// Probes a source: reads its headers and all its packets, and decodes its beginning. Returns its
/// facts, and what is lost.
pub(crate) async fn probe(path: &Path) -> Result<(Source, Vec<Warning>), anyhow::Error> {
    let opened = open_regular(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, mut file) = opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => SourceError::Missing,
        ErrorKind::InvalidInput => SourceError::NotAFile(error),
        _ => SourceError::Unopenable(error),
    })?;
    if metadata.len() == 0 {
        return Err(SourceError::Empty.into());
    }
    let mut structure = |container: &str| {
        let structure = Structure::read(&mut file, container);
        structure.map_err(SourceError::Unopenable)
    };
    let mut json = match process::capture("ffprobe", argv(path, false)).await {
        Ok(json) => json,
        Err(ProcessError::Failed { stderr, .. }) => {
            // ffprobe fails on some files whose headers say that they are encrypted.
            let mut is_encrypted = false;
            for container in [MP4, MATROSKA, "mpegts"] {
                is_encrypted |= structure(container)?.is_encrypted;
            }
            return Err(SourceError::Unreadable(match is_encrypted {
                true => Diagnosis::Encrypted,
                false => Diagnosis::of(&stderr),
            })
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    let mut probed = ffprobe::parse(&json)?;
    let structure = structure(probed.container())?;
    let packets = Packets::count(path, probed.container()).await?;
    let is_probed_far = probed.has_late_audio(&packets);
    if is_probed_far {
        json = process::capture("ffprobe", argv(path, true)).await?;
        probed = ffprobe::parse(&json)?;
    }
    let Selection {
        mut source,
        mut warnings,
    } = probed.select(&packets, &structure)?;
    source.is_probed_far = is_probed_far;
    let tag_of = |track| probed.tag_of(track);
    decoding::drop_undecodable(path, &mut source, tag_of, &mut warnings).await?;
    source.correct_lags(lag::lags(&json, &shifted_tracks(&source, path)));
    Ok((source, warnings))
}

/// Tracks of fragmented MP4 that ffmpeg delays.
fn shifted_tracks(source: &Source, path: &Path) -> Vec<ShiftedTrack> {
    if !source.container.starts_with("mov,") {
        return vec![];
    }
    // Reading failed elsewhere if it fails here.
    let found = open_regular(path).and_then(ShiftedTrack::find);
    found.unwrap_or_default()
}

/// Options that keep ffmpeg and ffprobe from opening anything but the source.
pub(crate) fn input_options() -> [&'static str; 4] {
    [
        "-protocol_whitelist",
        PROTOCOLS,
        "-format_whitelist",
        DEMUXERS,
    ]
}

/// Options for a source whose audio begins late. By default ffmpeg reads 5 MB and 7 s of a
/// Transport Stream, and keeps in memory what it reads.
pub(crate) const FAR_PROBE: [&str; 4] = ["-probesize", "200M", "-analyzeduration", "3600M"];

/// The prefix `file:` makes a file name of `concat:a|b` or `-y`.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

fn argv(path: &Path, is_far: bool) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    if is_far {
        args.extend(FAR_PROBE.map(Into::into));
    }
    args.extend(input_options().map(Into::into));
    args.extend(["-of", "json", "-show_format", "-show_streams"].map(Into::into));
    args.push(file_url(path));
    args
}

/// Streams that ffprobe finds in a short recording.
#[cfg(test)]
pub(crate) mod testing {
    use super::Video;

    pub(crate) fn video() -> Video {
        Video {
            index: 0,
            codec: "h264".into(),
            width: 1280,
            height: 720,
            rotation: 0,
            is_crooked: false,
            average_rate: None,
            nominal_rate: None,
            pixel_format: "yuv420p".into(),
            color_space: None,
            color_transfer: None,
            color_primaries: None,
            interlaced: false,
            still: false,
            is_held: false,
            duration: None,
        }
    }
}
