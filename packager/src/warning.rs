//! Warnings: losses and guesses that do not stop a command. Each is a line for people, and an
//! object with a code for programs and for `package.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Kind of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TrackKind {
    Video,
    Audio,
    Subtitle,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Subtitle => "subtitle",
        })
    }
}

/// A loss or a guess. `track` is the stream index in the recording, as ffprobe counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub(crate) enum Warning {
    /// ffmpeg knows no codec of this name, or has no decoder for it.
    UndecodableTrack {
        track: u32,
        kind: TrackKind,
        /// Name and tag, such as ``AC-4 (`ac-4`)``.
        codec: String,
    },
    /// A track without a packet.
    EmptyTrack { track: u32, kind: TrackKind },
    /// A second video track; a lecture has one.
    ExtraVideo { track: u32, width: u32, height: u32 },
    /// A track beyond the maximum number.
    ExtraTrack { track: u32, kind: TrackKind },
    /// Subtitles that are images, which no text can be made of.
    ImageSubtitles { track: u32, codec: String },
    /// Subtitles that cannot be read, or are too large.
    LostSubtitles { track: u32, reason: String },
    /// Subtitles in a language of which another track has more text.
    ExtraSubtitles { track: u32, language: String },
    /// Cues that begin after the end of the lecture.
    LateCaptions { language: String, cues: usize },
    /// Chapters beyond the maximum number.
    ExtraChapters { chapters: usize, kept: usize },
    /// Chapters that are too large to be read.
    LostChapters { reason: String },
    /// Subtitles in a charset that the file does not declare.
    GuessedCharset {
        #[serde(skip_serializing_if = "Option::is_none")]
        track: Option<u32>,
        language: String,
        charset: String,
    },
    /// Frames that a damaged recording lacks in its middle.
    MissingFrames {
        track: u32,
        kind: TrackKind,
        missing: u64,
        of: u64,
        /// Duration of the missing frames.
        missing_seconds: f64,
    },
    /// Frames that the decoder drops or repairs, so that they play with errors. Two chunks decode
    /// the frames between a key frame and their boundary, so the number is an upper bound.
    DamagedFrames { kind: TrackKind, frames: u64 },
    /// Infinite samples, and those that are no number, became silence.
    SilencedSamples { track: u32 },
    /// Channels or sample rate change within a track.
    ChangingAudio { track: u32 },
    /// More channels than any layout has.
    MixedDown { track: u32, channels: u32 },
    /// HDR video that does not name its colours.
    AssumedColours { track: u32 },
    /// A display matrix that is no quarter turn.
    NearestTurn { track: u32, degrees: i32 },
    /// Frames of several sizes.
    ResizedVideo { track: u32, width: u32, height: u32 },
    /// A header that declares more than the recording holds.
    ShorterThanDeclared { declared: f64, actual: f64 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UndecodableTrack { track, kind, codec } => write!(
                f,
                "{kind} track {track} is left out: {codec}: this ffmpeg cannot decode it"
            ),
            Self::EmptyTrack { track, kind } => {
                write!(f, "{kind} track {track} is left out: it has no data")
            }
            Self::ExtraVideo {
                track,
                width,
                height,
            } => write!(
                f,
                "video track {track} ({width}×{height}) is left out: a lecture has one video"
            ),
            Self::ExtraTrack { track, kind } => {
                write!(f, "{kind} track {track} is left out: there are too many")
            }
            Self::ImageSubtitles { track, codec } => write!(
                f,
                "subtitle track {track} is left out: `{codec}` subtitles are images, not text"
            ),
            Self::LostSubtitles { track, reason } => {
                write!(f, "subtitle track {track} is left out: {reason}")
            }
            Self::ExtraSubtitles { track, language } => write!(
                f,
                "subtitle track {track} is left out: another one in `{language}` has more text"
            ),
            Self::LateCaptions { language, cues } => write!(
                f,
                "captions `{language}`: cues that begin after the end of the lecture are not shown: \
                 {cues}"
            ),
            Self::ExtraChapters { chapters, kept } => {
                write!(f, "it has {chapters} chapters: the first {kept} are kept")
            }
            Self::LostChapters { reason } => write!(f, "its chapters are left out: {reason}"),
            Self::GuessedCharset {
                track,
                language,
                charset,
            } => {
                write!(f, "subtitles `{language}`")?;
                if let Some(track) = track {
                    write!(f, " (track {track})")?;
                }
                write!(f, " are not UTF-8, and are read as {charset}: check them")
            }
            Self::MissingFrames {
                track,
                kind,
                missing,
                of,
                missing_seconds,
            } => write!(
                f,
                "the recording is damaged: {missing} of {of} frames of {kind} track {track} are \
                 missing ({missing_seconds:.1} s)"
            ),
            Self::DamagedFrames { kind, frames } => {
                let units = match kind {
                    TrackKind::Video | TrackKind::Audio => format!("frames of its {kind}"),
                    TrackKind::Subtitle => "cues of its subtitles".to_owned(),
                };
                write!(
                    f,
                    "the recording is damaged: {units} that play with errors or are missing: up to \
                     {frames}"
                )
            }
            Self::SilencedSamples { track } => write!(
                f,
                "audio track {track} has samples that are infinite, no number or far too loud: \
                 they are silenced"
            ),
            Self::ChangingAudio { track } => write!(
                f,
                "audio track {track} changes its channels or its sample rate: it is made constant"
            ),
            Self::MixedDown { track, channels } => write!(
                f,
                "audio track {track} has {channels} channels: all are mixed into two"
            ),
            Self::AssumedColours { track } => write!(
                f,
                "video track {track} is HDR and does not name its colours: they are read as BT.2020"
            ),
            Self::NearestTurn { track, degrees } => write!(
                f,
                "the rotation of video track {track} is no multiple of 90 degrees: {degrees} is the nearest"
            ),
            Self::ResizedVideo {
                track,
                width,
                height,
            } => write!(
                f,
                "video track {track} changes its size: all of it is scaled to {width}×{height}"
            ),
            Self::ShorterThanDeclared { declared, actual } => write!(
                f,
                "the recording declares {declared:.1} s, and its last frame ends at {actual:.1} s"
            ),
        }
    }
}

/// A warning as JSON: its code, its track, a sentence, and the figures of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WarningRecord {
    pub(crate) code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) track: Option<u32>,
    pub(crate) message: String,
    #[serde(flatten)]
    figures: BTreeMap<String, Value>,
}

impl From<&Warning> for WarningRecord {
    fn from(warning: &Warning) -> Self {
        // Serializing an enum of strings and numbers never fails.
        let mut figures: BTreeMap<String, Value> = serde_json::to_value(warning)
            .and_then(serde_json::from_value)
            .unwrap_or_default();
        let code = figures.remove("code");
        let track = figures.remove("track");
        Self {
            code: code
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into(),
            track: track
                .and_then(|track| track.as_u64())
                .and_then(|track| u32::try_from(track).ok()),
            message: warning.to_string(),
            figures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_a_sentence_and_an_object_with_its_code_and_figures() {
        let missing = Warning::MissingFrames {
            track: 0,
            kind: TrackKind::Video,
            missing: 48,
            of: 150,
            missing_seconds: 1.92,
        };
        let record = WarningRecord::from(&missing);
        let json = serde_json::to_string(&record).expect("JSON");
        assert_eq!(
            json,
            r#"{"code":"missing-frames","track":0,"message":"the recording is damaged: 48 of 150 frames of video track 0 are missing (1.9 s)","kind":"video","missing":48,"missing_seconds":1.92,"of":150}"#
        );
        let read: WarningRecord = serde_json::from_str(&json).expect("a record");
        assert_eq!(read, record);
        // A later version may write other codes.
        let later = r#"{"code":"new","message":"m","figure":[1]}"#;
        let read: WarningRecord = serde_json::from_str(later).expect("a record");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), later);
    }
}
