//! Subtitles: files or streams of the recording, stored as WebVTT.

pub(crate) mod captions;
mod charset;
pub(crate) mod embedded;
mod mov_text;
mod subrip;
pub(crate) mod webvtt;
