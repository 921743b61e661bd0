//! Finds the key frames at which decoding begins after a seek, and checks them with one frame each.

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{MATROSKA, MP4, Source, file_url, input_options};
use crate::ffmpeg::process;

/// Demuxers with an index of key frames, which find the one before a time.
const INDEXED: [&str; 2] = [MP4, MATROSKA];

#[derive(Deserialize)]
struct ProbedFrames {
    #[serde(default)]
    frames: Vec<ProbedFrame>,
}

#[derive(Deserialize)]
struct ProbedFrame {
    key_frame: u8,
    pict_type: Option<String>,
    best_effort_timestamp_time: Option<String>,
    #[serde(flatten)]
    look: PictureFormat,
    #[serde(default)]
    side_data_list: Vec<HdrMetadata>,
}

/// Properties of a frame that determine encoder settings. The encoder of a chunk sees its own first
/// frame instead of the lecture's.
#[derive(Deserialize, PartialEq)]
struct PictureFormat {
    width: u32,
    height: u32,
    pix_fmt: Option<String>,
    color_range: Option<String>,
    color_space: Option<String>,
    color_primaries: Option<String>,
    color_transfer: Option<String>,
}

/// HDR metadata that controls tone mapping.
#[derive(Deserialize, PartialEq)]
struct HdrMetadata {
    max_luminance: Option<Value>,
    max_content: Option<Value>,
}

impl ProbedFrame {
    fn light(&self) -> impl Iterator<Item = &HdrMetadata> {
        let is_set =
            |light: &&HdrMetadata| light.max_luminance.is_some() || light.max_content.is_some();
        self.side_data_list.iter().filter(is_set)
    }

    fn is_like(&self, other: &Self) -> bool {
        self.look == other.look && self.light().eq(other.light())
    }
}

/// Containers in which decoding can begin in the middle.
pub(crate) fn is_seekable(source: &Source) -> bool {
    INDEXED.contains(&source.container.as_str())
}

/// Finds the key frame before each time, counted from the start of the source. An entry is `None`
/// if decoding there starts without a key frame, or in another format than the first frame. The
/// result is empty for a source without reliable seeking.
pub(crate) async fn keyframes_before(
    path: &Path,
    source: &Source,
    stream: u32,
    times: &[f64],
) -> Vec<Option<f64>> {
    if times.is_empty() {
        return vec![];
    }
    // A source that ffprobe cannot seek is encoded in one chunk, whose encoder reports the fault.
    let json = process::capture("ffprobe", argv(path, source.start, stream, times)).await;
    json.ok()
        .and_then(|json| parse(&json, source.start, times.len()))
        .unwrap_or_default()
}

fn argv(path: &Path, start: f64, stream: u32, times: &[f64]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(["-threads", "1", "-select_streams"].map(Into::into));
    args.push(stream.to_string().into());
    // One packet at the beginning, and one at each time.
    let mut intervals = "%+#1".to_owned();
    for time in times {
        intervals += &format!(",{:.6}%+#1", start + time);
    }
    args.extend(["-read_intervals".into(), intervals.into()]);
    args.extend(
        [
            "-show_frames",
            "-show_entries",
            "frame=key_frame,pict_type,best_effort_timestamp_time,width,height,pix_fmt,color_range,color_space,\
             color_primaries,color_transfer:frame_side_data=max_luminance,max_content",
            "-of",
            "json",
        ]
        .map(Into::into),
    );
    args.push(file_url(path));
    args
}

/// Parses one frame for each time; `None` if a time gave none or several, because the frames are
/// then ambiguous. The beginning gives none if an edit list removes it.
fn parse(json: &[u8], start: f64, places: usize) -> Option<Vec<Option<f64>>> {
    let ProbedFrames { frames } = serde_json::from_slice(json).ok()?;
    let first = frames.first()?;
    let sought = &frames[frames.len().checked_sub(places)?..];
    (frames.len() <= places + 1).then(|| {
        sought
            .iter()
            .map(|frame| {
                let is_whole = frame.key_frame == 1 && frame.pict_type.as_deref() == Some("I");
                let time = frame.best_effort_timestamp_time.as_deref()?;
                let time: f64 = time.parse().ok()?;
                (is_whole && frame.is_like(first)).then_some(time - start)
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_key_frames_that_look_like_the_first_are_trusted() {
        let frame = |key: u8, kind: &str, time: &str, more: &str| {
            format!(
                r#"{{"key_frame":{key},"pict_type":"{kind}","best_effort_timestamp_time":"{time}","width":640,
                     "height":360,"color_space":"bt709"{more}}}"#
            )
        };
        let light = r#","side_data_list":[{"side_data_type":"Mastering display metadata","max_luminance":"10000000/10000"}]"#;
        let unregistered = r#","side_data_list":[{"side_data_type":"H.26[45] User Data Unregistered SEI message"}]"#;
        for (sought, expected) in [
            (frame(1, "I", "12.5", ""), Some(2.5)),
            (frame(0, "P", "12.5", ""), None),
            // A gradual refresh starts without a complete frame.
            (frame(1, "P", "12.5", ""), None),
            (frame(1, "I", "N/A", ""), None),
            (frame(1, "I", "12.5", light), None),
            (frame(1, "I", "12.5", "").replace("bt709", "bt2020nc"), None),
            (frame(1, "I", "12.5", "").replace("640", "320"), None),
        ] {
            let json = format!(
                r#"{{"frames":[{},{sought}]}}"#,
                frame(1, "I", "10.0", unregistered)
            );
            let found = parse(json.as_bytes(), 10.0, 1);
            assert_eq!(found, Some(vec![expected]), "{json}");
            assert_eq!(parse(json.as_bytes(), 10.0, 0), None, "{json}");
            assert_eq!(parse(json.as_bytes(), 10.0, 3), None, "{json}");
        }
        assert_eq!(parse(b"{}", 0.0, 0), None);
    }
}
