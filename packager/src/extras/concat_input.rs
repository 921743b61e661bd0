//! The encoded segments of a Rendition, as an input of ffmpeg.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::layout::{self, segment_name};

/// The Media Initialization Section and Media Segments in the order of a list, which is removed when this is dropped.
/// A list and not a playlist: what is read is one MP4 file, so nothing depends on how a demuxer of playlists counts time.
#[derive(Debug)]
pub(crate) struct ConcatInput {
    list: NamedTempFile,
    folder: String,
}

impl ConcatInput {
    /// These segments of the Rendition in `folder`, a path from the revision's.
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

    /// What comes before the output, with more options of the input; run in the revision's folder. These are our own
    /// files, and they are read as what they are or not at all.
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
