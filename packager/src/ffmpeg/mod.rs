//! ffmpeg and ffprobe as processes.

pub(crate) mod diagnosis;
pub(crate) mod messages;
pub(crate) mod process;
pub(crate) mod version;
