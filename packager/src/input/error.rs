//! Errors of downloading INPUT, with their exit codes and hints.

use lectern::object::key::ObjectKeyError;

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
                "store it in a folder, as in `r2://bucket/uploads/talk.mov`: no link opens a whole bucket"
            }
            Self::Decorated(_) => {
                "remove the query, because LECTERN_KEYS opens the object; in a name write `?` as %3F and `#` as %23"
            }
            Self::BadName { .. } => "give the object another name",
            Self::Missing(_) => {
                "check its name, and complete an upload in parts first; name a recording in parts by its playlist, or by its folder with a slash"
            }
            Self::Changed(_) => "run this again",
            Self::NotAllowed(_) => {
                "name every host with --allow-host: the playlist's, and that of the segments"
            }
            Self::Elsewhere { .. } => "play it in a browser: its link may have expired",
            Self::LargePlaylist(_) => "check that it is a playlist",
            Self::Recording(error) => error.hint(),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum RecordingError {
    #[error("`{0}` is no playlist")]
    NoPlaylist(String),
    #[error("`{playlist}` names `{uri}`, which is outside its folder")]
    Foreign { playlist: String, uri: String },
    #[error("`{playlist}` names `{path}`, which is missing")]
    Absent { playlist: String, path: String },
    #[error("`{0}` is encrypted")]
    Encrypted(String),
    #[error("the byte ranges in `{0}` do not cover their file")]
    Ranges(String),
    #[error("`{0}` changes its Media Initialization Section in the middle")]
    Runs(String),
    #[error("it has {0} audio tracks")]
    TooManyAudioTracks(usize),
    #[error("there are several: {0}")]
    Several(String),
    #[error("`{0}` lists more than {MOST_SEGMENTS} segments")]
    TooMany(String),
    #[error(
        "the folder holds no recording: neither a playlist nor an initialization section with numbered segments"
    )]
    Nothing,
    #[error("segment {0} is missing before later ones")]
    Gap(u64),
}

impl RecordingError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NoPlaylist(_) => "check the name",
            Self::Foreign { .. } => "copy it into the playlist's folder, the only one that is read",
            Self::Absent { .. } => "wait until it is uploaded, and run this again",
            Self::Encrypted(_) => "decrypt it with the tool that made it",
            Self::Ranges(_) => "give the name of the file",
            Self::Runs(_) => "ship each part separately, from its own folder",
            Self::TooManyAudioTracks(_) => "give the URL of one Variant Stream's playlist instead",
            Self::Several(_) => "give the name of one instead of the folder's",
            Self::TooMany(_) => {
                "join its segments, with `ffmpeg -i IN -c copy OUT.mkv`, and ship that"
            }
            Self::Nothing => "check the name of the folder",
            Self::Gap(_) => "upload it, or name a playlist that lists the other segments",
        }
    }
}

/// Maximum number of segments; a day of half-second segments has 172,800.
pub(crate) const MOST_SEGMENTS: usize = 200_000;
