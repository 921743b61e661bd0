//! Failures in words for the uploader. They name no path, no machine and no tool.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::encode::completeness::CompletenessError;
use crate::exit::Exit;
use crate::failure;
use crate::ffmpeg::diagnosis::Diagnosis;
use crate::ffmpeg::process::ProcessError;
use crate::input::{FetchError, RecordingError};
use crate::limits::LimitError;
use crate::source::SourceError;

/// Reasons that an uploader can act on, and one for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploaderError {
    Empty,
    Damaged,
    CutShort,
    Encrypted,
    UnknownFormat,
    NoMedia,
    TooSmall,
    TooLarge,
    TooLong,
    Incomplete,
    Unreadable,
    /// The cause is not in the recording. Another attempt follows.
    Retrying,
    /// The cause is not in the recording. The queue gives the job up.
    GivenUp,
}

impl UploaderError {
    /// The reason for an error, if the recording causes it.
    pub(crate) fn of(error: &anyhow::Error) -> Option<Self> {
        let known = error.chain().find_map(Self::of_cause);
        known.or_else(|| (failure::of(error).0 == Exit::Input).then_some(Self::Unreadable))
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<LimitError>() {
            return Some(match error {
                LimitError::Input { .. } => Self::TooLarge,
                LimitError::Frames { .. } | LimitError::Time(_) => Self::TooLong,
                LimitError::Repeats { .. } | LimitError::RepeatedSegments { .. } => {
                    Self::Unreadable
                }
            });
        }
        if let Some(error) = cause.downcast_ref::<SourceError>() {
            return Self::of_source(error);
        }
        if cause.is::<CompletenessError>() {
            return Some(Self::Damaged);
        }
        match cause.downcast_ref() {
            Some(ProcessError::Failed { stderr, .. }) => Self::of_diagnosis(&Diagnosis::of(stderr)),
            Some(ProcessError::Verbose { .. }) => Some(Self::Unreadable),
            _ => match cause.downcast_ref() {
                Some(FetchError::Recording(error)) => Some(Self::of_parts(error)),
                _ => None,
            },
        }
    }

    fn of_parts(error: &RecordingError) -> Self {
        match error {
            RecordingError::Absent { .. } | RecordingError::Gap(_) | RecordingError::Nothing => {
                Self::Incomplete
            }
            RecordingError::Encrypted(_) => Self::Encrypted,
            _ => Self::Unreadable,
        }
    }

    fn of_source(error: &SourceError) -> Option<Self> {
        Some(match error {
            SourceError::Empty => Self::Empty,
            SourceError::CutShort { .. } => Self::CutShort,
            SourceError::Undecodable { .. } | SourceError::DolbyVision(_) => Self::UnknownFormat,
            SourceError::NoMedia | SourceError::NoPackets => Self::NoMedia,
            SourceError::TooSmall { .. } => Self::TooSmall,
            SourceError::TooLarge { .. } => Self::TooLarge,
            SourceError::TooLong(_) => Self::TooLong,
            SourceError::Unreadable(diagnosis) => return Self::of_diagnosis(diagnosis),
            SourceError::Missing | SourceError::NotAFile(_) | SourceError::Unopenable(_) => {
                return None;
            }
        })
    }

    fn of_diagnosis(diagnosis: &Diagnosis) -> Option<Self> {
        Some(match diagnosis {
            Diagnosis::Encrypted => Self::Encrypted,
            Diagnosis::Container(_) | Diagnosis::NoDecoder(_) => Self::UnknownFormat,
            Diagnosis::NoIndex => Self::CutShort,
            Diagnosis::Damaged => Self::Damaged,
            Diagnosis::OutOfMemory | Diagnosis::Unknown => return None,
        })
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Damaged => "damaged",
            Self::CutShort => "cut_short",
            Self::Encrypted => "encrypted",
            Self::UnknownFormat => "unknown_format",
            Self::NoMedia => "no_media",
            Self::TooSmall => "too_small",
            Self::TooLarge => "too_large",
            Self::TooLong => "too_long",
            Self::Incomplete => "incomplete",
            Self::Unreadable => "unreadable",
            Self::Retrying => "retrying",
            Self::GivenUp => "given_up",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Empty => "The file is empty. Finish its copy or export, and upload it again.",
            Self::Damaged => {
                "The recording is damaged. Play it to its end on your computer, export it again, \
                 and upload that."
            }
            Self::CutShort => {
                "The file is cut short, or is no recording. Wait until the export or the copy is \
                 complete, and upload it again."
            }
            Self::Encrypted => {
                "The recording is protected against copying. Upload the original without \
                 protection."
            }
            Self::UnknownFormat => {
                "This format cannot be read. Export the recording as MP4 with H.264 and AAC, and \
                 upload that."
            }
            Self::NoMedia => {
                "The file has neither video nor audio that plays. Check that it is the recording."
            }
            Self::TooSmall => {
                "The picture is too small for a lecture. Check that it is the recording."
            }
            Self::TooLarge => {
                "The recording is larger than this school accepts. Upload a smaller file, for \
                 example an export at a lower bitrate."
            }
            Self::TooLong => {
                "The recording is longer than this school accepts. Cut it into parts, and upload \
                 each."
            }
            Self::Incomplete => {
                "Parts of the recording are missing. Open the page that recorded it, and finish \
                 the upload."
            }
            Self::Unreadable => {
                "The recording cannot be read. Export it again as MP4, and upload that."
            }
            Self::Retrying => {
                "Something went wrong that is not in your recording. It is tried again without \
                 your help."
            }
            Self::GivenUp => {
                "Something went wrong that is not in your recording. Tell the school; your upload \
                 is stored."
            }
        }
    }
}

impl Serialize for UploaderError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("UploaderError", 2)?;
        error.serialize_field("code", self.code())?;
        error.serialize_field("text", self.text())?;
        error.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::Context as _;

    use super::*;
    use crate::storage::error::StorageError;

    #[test]
    fn a_failure_of_the_recording_has_a_reason_and_others_have_none() {
        let process = |stderr: &str| ProcessError::Failed {
            tool: "ffmpeg",
            stderr: stderr.to_owned(),
        };
        let declared = (60.0, 6.6);
        let cut_short = SourceError::CutShort {
            declared: declared.0,
            actual: declared.1,
        };
        for (error, expected) in [
            (SourceError::Empty.into(), Some("empty")),
            (cut_short.into(), Some("cut_short")),
            (
                SourceError::Unreadable(Diagnosis::NoIndex).into(),
                Some("cut_short"),
            ),
            (SourceError::NoMedia.into(), Some("no_media")),
            (SourceError::DolbyVision(5).into(), Some("unknown_format")),
            (
                process("file:/srv/x.mp4: Invalid data found").into(),
                Some("damaged"),
            ),
            (process("Cannot allocate memory").into(), None),
            (process("what is this").into(), None),
            (
                FetchError::Recording(RecordingError::Gap(7)).into(),
                Some("incomplete"),
            ),
            (
                FetchError::Recording(RecordingError::TooManyAudioTracks(99)).into(),
                Some("unreadable"),
            ),
            (
                LimitError::Time(Duration::from_secs(1)).into(),
                Some("too_long"),
            ),
            (
                LimitError::Input { named: 2, limit: 1 }.into(),
                Some("too_large"),
            ),
            (StorageError::WriteOnly.into(), None),
            (anyhow::anyhow!("/srv/secret"), None),
        ] {
            let error: anyhow::Error = error;
            let found = Err::<(), _>(error).context("cannot ship `r2://b/uploads/x`");
            let error = found.expect_err("an error");
            let found = UploaderError::of(&error);
            assert_eq!(found.map(UploaderError::code), expected, "{error:#}");
        }
    }
}
