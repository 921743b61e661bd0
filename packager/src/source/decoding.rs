//! Decodes the first packets of each track: a codec may have no decoder, or the decoder may not
//! know its variant.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use super::{Source, SourceError, file_url, input_options};
use crate::ffmpeg::diagnosis::codec_and_tag;
use crate::ffmpeg::process::{self, ProcessError};
use crate::warning::{TrackKind, Warning};

/// Packets of all tracks that are decoded first. Most files have a frame of each track in them.
const FIRST: usize = 60;
/// Packets of one track, without a frame in which it counts as undecodable.
const MOST: usize = 1_000;

/// Removes the tracks that ffmpeg cannot decode, with a warning for each. `tag_of` is the tag of a
/// track in its container.
pub(super) async fn drop_undecodable(
    path: &Path,
    source: &mut Source,
    tag_of: impl Fn(u32) -> String,
    warnings: &mut Vec<Warning>,
) -> Result<(), anyhow::Error> {
    let decoded = decode(path, None, FIRST).await?;
    let video = source.video.iter();
    let video = video.map(|video| (video.index, TrackKind::Video, video.codec.clone()));
    let audio = source.audio.iter();
    let audio = audio.map(|audio| (audio.index, TrackKind::Audio, audio.codec.clone()));
    let tracks: Vec<_> = video.chain(audio).collect();
    for (track, kind, codec) in tracks {
        if decoded.contains(&track) || decode(path, Some(track), MOST).await?.contains(&track) {
            continue;
        }
        let codec = codec_and_tag(&codec, &tag_of(track));
        source.audio.retain(|audio| audio.index != track);
        if kind == TrackKind::Video || source.audio.is_empty() {
            return Err(SourceError::Undecodable { kind, codec }.into());
        }
        warnings.push(Warning::UndecodableTrack { track, kind, codec });
    }
    Ok(())
}

/// Decodes up to `count` packets from the beginning, and returns the tracks that gave a frame.
async fn decode(
    path: &Path,
    track: Option<u32>,
    count: usize,
) -> Result<BTreeSet<u32>, ProcessError> {
    let mut tracks = BTreeSet::new();
    let on_line = |line: &str| tracks.extend(line.trim_end_matches(',').parse::<u32>());
    match process::lines("ffprobe", argv(path, track, count), on_line).await {
        Ok(_) | Err(ProcessError::Failed { .. }) => Ok(tracks),
        Err(error) => Err(error),
    }
}

fn argv(path: &Path, track: Option<u32>, count: usize) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(["-threads", "1"].map(Into::into));
    if let Some(track) = track {
        args.extend(["-select_streams".into(), track.to_string().into()]);
    }
    args.extend(["-read_intervals".into(), format!("%+#{count}").into()]);
    args.extend(["-show_entries", "frame=stream_index", "-of", "csv=p=0"].map(Into::into));
    args.push(file_url(path));
    args
}
