//! Why an INPUT was not fetched, how the command ends then, and what to do.

use lectern::object::key::ObjectKeyError;

use super::recording::RecordingError;
use crate::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("`{0}` lies in no folder")]
    NoFolder(String),
    #[error("`{0}` has a query or a fragment")]
    Decorated(String),
    #[error("the name of `{input}` is not acceptable")]
    BadName {
        input: String,
        #[source]
        source: ObjectKeyError,
    },
    #[error("there is no object `{0}`")]
    Missing(String),
    #[error("`{0}` was replaced or removed while it was read")]
    Changed(String),
    #[error("`{0}` is on no host that --allow-host names, or not on HTTPS")]
    NotAllowed(String),
    #[error("cannot fetch `{url}`: {why}")]
    Elsewhere {
        url: String,
        why: String,
        may_pass: bool,
    },
    #[error("`{0}` is too large for a playlist")]
    LargePlaylist(String),
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl FetchError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoFolder(_) | Self::Decorated(_) | Self::BadName { .. } => Exit::Usage,
            Self::Missing(_) | Self::LargePlaylist(_) | Self::Recording(_) => Exit::Input,
            Self::NotAllowed(_) | Self::Changed(_) | Self::Elsewhere { .. } => Exit::Refused,
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoFolder(_) => {
                "a link opens no whole bucket: let it lie in a folder, as in `r2://bucket/uploads/talk.mov`"
            }
            Self::Decorated(_) => {
                "leave the link away, since LECTERN_KEYS opens it; in a name write `?` as %3F and `#` as %23"
            }
            Self::BadName { .. } => "give the object another name",
            Self::Missing(_) => {
                "check its name; an upload in parts is there when it was completed. A recording in parts is named by its playlist, or by its folder with a slash"
            }
            Self::Changed(_) => "run this again",
            Self::NotAllowed(_) => {
                "name every host that it may be fetched from: the playlist's, and that of the segments"
            }
            Self::Elsewhere { .. } => "does it play in a browser? its link may have expired",
            Self::LargePlaylist(_) => "is it a playlist?",
            Self::Recording(error) => error.hint(),
        }
    }
}
