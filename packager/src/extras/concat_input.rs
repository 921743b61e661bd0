//! Encoded segments of a Rendition as an input of ffmpeg.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::layout::{self, segment_name};

/// A concat list of the Media Initialization Section and Media Segments, removed on drop. ffmpeg
/// reads one MP4 file through it, so no playlist demuxer counts time.
#[derive(Debug)]
pub(crate) struct ConcatInput {
    list: NamedTempFile,
    folder: String,
}

impl ConcatInput {
    /// Lists these segments of the Rendition in `folder`, a path from the revision's folder.
    pub(crate) fn of(
        revision: &Path,
        folder: &str,
        segments: std::ops::Range<usize>,
    ) -> std::io::Result<Self> {
        let mut list = tempfile::Builder::new()
            .prefix("list-")
            .tempfile_in(revision.join(folder))?;
        writeln!(list, "file:{}", layout::init(folder))?;
        for at in segments {
            writeln!(list, "file:{folder}/{}", segment_name(at))?;
        }
        list.flush()?;
        Ok(Self {
            list,
            folder: folder.to_owned(),
        })
    }

    /// Input arguments with further options; ffmpeg runs in the revision's folder. They allow only
    /// the format and protocols of these files.
    pub(crate) fn args(&self, options: &str) -> Vec<OsString> {
        let name = self.list.path().file_name().unwrap_or_default();
        let mut url = OsString::from(format!("concatf:file:{}/", self.folder));
        url.push(name);
        let mut args: Vec<OsString> =
            "-protocol_whitelist concatf,file -format_whitelist mov -f mov"
                .split(' ')
                .chain(options.split_whitespace())
                .map(Into::into)
                .collect();
        args.extend(["-i".into(), url]);
        args
    }
}
