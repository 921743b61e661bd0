//! ffmpeg's version, which every revision hashes.

use crate::ffmpeg::process::{self, ProcessError};

/// `5.1.9-0+deb12u1`.
pub(crate) async fn ffmpeg_version() -> Result<String, ProcessError> {
    let output = process::capture("ffmpeg", vec!["-version".into()]).await?;
    let text = String::from_utf8_lossy(&output);
    Ok(text
        .split_whitespace()
        .nth(2)
        .unwrap_or("unknown")
        .to_owned())
}
