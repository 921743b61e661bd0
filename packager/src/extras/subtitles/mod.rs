//! Subtitles: given as files or kept from the recording, stored as WebVTT.

pub(crate) mod captions;
pub(crate) mod embedded;
mod subrip;
pub(crate) mod webvtt;
