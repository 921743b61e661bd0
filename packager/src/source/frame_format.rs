//! Finds changes of the size or the pixel format within a video.

use std::ffi::OsString;
use std::path::Path;

use super::{file_url, input_options};
use crate::ffmpeg::process::{self, ProcessError};

/// Decodes a video, and tells if its frames have several sizes or pixel formats.
pub(crate) async fn is_changing(path: &Path, stream: u32) -> Result<bool, ProcessError> {
    let (mut first, mut is_changing) = (None::<String>, false);
    let on_line = |line: &str| match &first {
        Some(first) => is_changing |= !line.is_empty() && line != first,
        None => first = Some(line.to_owned()).filter(|line| !line.is_empty()),
    };
    process::lines("ffprobe", argv(path, stream), on_line).await?;
    Ok(is_changing)
}

fn argv(path: &Path, stream: u32) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(["-select_streams".into(), stream.to_string().into()]);
    args.extend(["-show_entries", "frame=width,height,pix_fmt"].map(Into::into));
    args.extend(["-of", "compact=p=0:nk=1:s=x"].map(Into::into));
    args.push(file_url(path));
    args
}
