//! Parses ffprobe's JSON into facts. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::language::language;
use super::packets::Packets;
use super::{MOST_PIXELS, OBLONGEST, SMALLEST_SIDE, SourceError, Video};
use crate::ffmpeg::diagnosis::{Diagnosis, codec_and_tag};
use crate::media::Rate;

#[derive(Deserialize)]
pub(super) struct ProbedSource {
    #[serde(default)]
    pub(super) streams: Vec<ProbedStream>,
    format: Option<ProbedFormat>,
}

#[derive(Deserialize)]
struct ProbedFormat {
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ProbedStream {
    pub(super) index: u32,
    pub(super) codec_type: Option<String>,
    pub(super) codec_name: Option<String>,
    codec_tag_string: Option<String>,
    bits_per_raw_sample: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    pix_fmt: Option<String>,
    field_order: Option<String>,
    nb_frames: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    color_primaries: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
    pub(super) channels: Option<u32>,
    #[serde(default)]
    disposition: BTreeMap<String, i32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    side_data_type: Option<String>,
    rotation: Option<f64>,
    dv_profile: Option<u32>,
    #[serde(rename = "dv_bl_signal_compatibility_id")]
    dv_compatibility: Option<u32>,
}

const LONGEST_TITLE: usize = 64;

/// Parses ffprobe's JSON.
pub(super) fn parse(json: &[u8]) -> Result<ProbedSource, SourceError> {
    serde_json::from_slice(json).map_err(|_| SourceError::Unreadable(Diagnosis::Damaged))
}

impl ProbedSource {
    /// ffprobe's name of the container.
    pub(super) fn container(&self) -> &str {
        let format = self.format.as_ref();
        format.map_or("", |format| format.format_name.as_str())
    }

    pub(super) fn streams(&self, kind: &str) -> impl Iterator<Item = &ProbedStream> {
        let streams = self.streams.iter();
        streams.filter(move |stream| stream.is_of(kind))
    }

    /// Returns true if the packets of an audio track begin behind those that ffprobe read for its
    /// parameters. Headers of other containers hold them.
    pub(super) fn has_late_audio(&self, packets: &Packets) -> bool {
        let is_late = |stream: &ProbedStream| {
            stream.channels == Some(0) && packets.of(stream.index).is_some()
        };
        matches!(self.container(), "mpegts" | "mpeg") && self.streams("audio").any(is_late)
    }

    /// Tag of a stream in its container.
    pub(super) fn tag_of(&self, index: u32) -> String {
        let mut streams = self.streams.iter();
        let stream = streams.find(|stream| stream.index == index);
        stream.map_or("", ProbedStream::tag).to_owned()
    }

    /// Declared seconds of the container.
    pub(super) fn duration(&self) -> Option<f64> {
        let format = self.format.as_ref()?;
        seconds(format.duration.as_deref())
    }

    /// Start of the clock in seconds.
    pub(super) fn start(&self) -> f64 {
        self.format
            .as_ref()
            .and_then(|format| format.start_time.as_deref())
            .and_then(|text| text.parse().ok())
            .filter(|start: &f64| start.is_finite())
            .unwrap_or(0.0)
    }
}

impl ProbedStream {
    pub(super) fn codec(&self) -> &str {
        match self.codec_name.as_deref() {
            None | Some("unknown" | "none") => "",
            Some(codec) => codec,
        }
    }

    fn is_of(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    /// Audio, also in a Transport Stream's codec that ffmpeg takes for data.
    pub(super) fn is_audio(&self) -> bool {
        self.is_of("audio") || (self.is_of("data") && matches!(self.tag(), "AC-4" | "iamf"))
    }

    pub(super) fn has_codec(&self) -> bool {
        !self.codec().is_empty()
    }

    pub(super) fn tag(&self) -> &str {
        self.codec_tag_string.as_deref().unwrap_or_default()
    }

    /// Name of a codec that this ffmpeg does not know, or whose packets it does not find.
    pub(super) fn undecodable_codec(&self, has_packets: bool) -> Option<String> {
        if !self.has_codec() {
            return Some(codec_and_tag("", self.tag()));
        }
        if self.is_audio() && (self.channels == Some(0) || !self.is_of("audio")) && has_packets {
            return Some(match self.tag() {
                // Stream types of Transport Streams (ISO/IEC 13818-1, table 2-34).
                "-[0][0][0]" | ".[0][0][0]" => codec_and_tag("mpegh_3d_audio", ""),
                tag => codec_and_tag(self.codec(), tag),
            });
        }
        // FFmpeg 6.0 is the first that reads it.
        let is_32_bit = self.bits_per_raw_sample.as_deref() == Some("32");
        (self.codec() == "flac" && is_32_bit && !has_packets).then(|| "32-bit FLAC".to_owned())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.tag(), "encv" | "enca" | "drmi" | "drms" | "drmv")
            || self.side_data_list.iter().any(|data| {
                let kind = data.side_data_type.as_deref();
                kind.is_some_and(|kind| kind.starts_with("Encryption"))
            })
    }

    /// Covers and thumbnails, which are no video of the lecture.
    pub(super) fn is_image(&self) -> bool {
        ["attached_pic", "timed_thumbnails"]
            .iter()
            .any(|name| self.is_disposed(name))
    }

    /// Profile of Dolby Vision whose base layer other decoders show in wrong colours.
    fn dolby_vision(&self) -> Option<u32> {
        let data = self.side_data_list.iter();
        let mut records = data.filter_map(|data| Some((data.dv_profile?, data.dv_compatibility)));
        let (profile, _) = records.find(|(_, compatible)| compatible.unwrap_or(0) == 0)?;
        Some(profile)
    }

    pub(super) fn video(&self, start: f64) -> Result<Video, SourceError> {
        if let Some(profile) = self.dolby_vision() {
            return Err(SourceError::DolbyVision(profile));
        }
        let ShownSize {
            width,
            height,
            rotation,
            is_crooked,
        } = self.shown_size();
        if width.min(height) < SMALLEST_SIDE {
            return Err(SourceError::TooSmall { width, height });
        }
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(SourceError::TooLarge { width, height });
        }
        let known = |name: &Option<String>| {
            let name = name.clone();
            name.filter(|name| name != "unknown" && name != "reserved")
        };
        Ok(Video {
            index: self.index,
            codec: self.codec_name.clone().unwrap_or_default(),
            width,
            height,
            rotation,
            is_crooked,
            average_rate: self.avg_frame_rate.as_deref().and_then(Rate::parse),
            nominal_rate: self.r_frame_rate.as_deref().and_then(Rate::parse),
            pixel_format: self.pix_fmt.clone().unwrap_or_default(),
            color_space: known(&self.color_space),
            color_transfer: known(&self.color_transfer),
            color_primaries: known(&self.color_primaries),
            interlaced: matches!(self.field_order.as_deref(), Some("tt" | "bb" | "tb" | "bt")),
            still: self.nb_frames.as_deref() == Some("1"),
            is_held: false,
            duration: self.end(start),
        })
    }

    pub(super) fn language(&self) -> String {
        language(self.tags.get("language").map_or("", String::as_str))
    }

    /// Title as a playlist name, which cannot hold a quotation mark.
    pub(super) fn title(&self) -> Option<String> {
        let title: String = self
            .tags
            .get("title")?
            .chars()
            .filter(|character| !character.is_control() && *character != '"')
            .take(LONGEST_TITLE)
            .collect();
        let title = title.trim();
        (!title.is_empty()).then(|| title.to_owned())
    }

    pub(super) fn is_disposed(&self, name: &str) -> bool {
        self.disposition.get(name) == Some(&1)
    }

    /// End in seconds after the start of the source. Earlier gaps are filled with a still frame or
    /// silence.
    pub(super) fn end(&self, start: f64) -> Option<f64> {
        let delay = self
            .start_time
            .as_deref()
            .and_then(|text| text.parse::<f64>().ok())
            .map_or(0.0, |own| (own - start).max(0.0));
        let end = match (seconds(self.duration.as_deref()), self.tagged()) {
            (Some(length), _) => length + delay,
            // mkvmerge tags the duration of a track, ffmpeg its end.
            (None, Some(length)) if self.tags.contains_key("_STATISTICS_TAGS") => length + delay,
            (None, Some(end)) => end - start.max(0.0),
            (None, None) => return None,
        };
        (end > 0.0).then_some(end)
    }

    /// Seconds of a Matroska tag such as `00:00:30.003000000`.
    fn tagged(&self) -> Option<f64> {
        let mut parts = self.tags.get("DURATION")?.split(':');
        let (hours, minutes, rest): (f64, f64, f64) = (
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
        );
        Some(hours * 3600.0 + minutes * 60.0 + rest).filter(|seconds| *seconds > 0.0)
    }

    pub(super) fn shown_size(&self) -> ShownSize {
        let (mut width, mut height) = (self.width.unwrap_or(0), self.height.unwrap_or(0));
        if let Some((x, y)) = self.sample_aspect_ratio.as_deref().and_then(|sar| {
            let (x, y) = sar.split_once(':')?;
            let (x, y): (f64, f64) = (x.parse().ok()?, y.parse().ok()?);
            // A ratio such as 1:255 is a mistake of a header. Anamorphic film has up to 2:1.
            let is_shape = (1.0 / OBLONGEST..=OBLONGEST).contains(&(x / y));
            (x > 0.0 && y > 0.0 && is_shape).then_some((x, y))
        }) {
            // The longer side stays, so nothing is upscaled.
            if x > y {
                height = (f64::from(height) * y / x).round() as u32;
            } else {
                width = (f64::from(width) * x / y).round() as u32;
            }
        }
        let rotation = self
            .side_data_list
            .iter()
            .find_map(|data| data.rotation)
            .filter(|degrees| degrees.is_finite())
            .unwrap_or(0.0);
        // ffmpeg rounds to whole degrees, and turns by what is no quarter turn within black edges.
        let degrees = rotation.round();
        let quarter = (degrees / 90.0).round() * 90.0;
        let rotation = quarter as i32 % 360;
        if rotation.rem_euclid(180) == 90 {
            std::mem::swap(&mut width, &mut height);
        }
        ShownSize {
            width,
            height,
            rotation,
            is_crooked: degrees != quarter,
        }
    }
}

/// Size of a frame after its rotation, with square pixels.
pub(super) struct ShownSize {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Degrees, in quarter turns.
    rotation: i32,
    is_crooked: bool,
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::super::packets::testing::packets;
    use super::super::structure::Structure;
    use super::*;

    /// Packets of eight tracks, without times.
    fn counted() -> Packets {
        let lines = (0..8).map(|track| format!("{track},N/A,N/A,N/A,K_\n").repeat(2));
        packets("", &lines.collect::<String>())
    }

    fn source(json: &[u8]) -> Result<Source, SourceError> {
        let probed = parse(json)?;
        let selected = probed.select(&counted(), &Structure::default())?;
        Ok(selected.source)
    }

    #[test]
    fn rotated_video_with_oblong_pixels_has_its_display_size() {
        let json = br#"{"streams":[
            {"index":0,"codec_type":"video","codec_name":"mjpeg","width":300,"height":300,"disposition":{"attached_pic":1}},
            {"index":1,"codec_type":"video","codec_name":"h264","width":1440,"height":1080,"sample_aspect_ratio":"4:3",
             "avg_frame_rate":"30000/1001","r_frame_rate":"0/0","color_space":"unknown","side_data_list":[{"rotation":-90}]},
            {"index":2,"codec_type":"audio","codec_name":"aac","channels":2,"tags":{"language":"eng"}},
            {"index":3,"codec_type":"audio","codec_name":"aac","channels":6,"disposition":{"default":1},"tags":{"language":"deu","DURATION":"00:01:30.5"}}
        ],"format":{"format_name":"matroska,webm","duration":"N/A"}}"#;
        let source = source(json).expect("it is a source");
        let video = source.video.expect("it has video");
        assert_eq!((video.index, video.width, video.height), (1, 810, 1440));
        assert_eq!(video.average_rate, Some(Rate::new(30000, 1001)));
        assert_eq!((video.nominal_rate, &video.color_space), (None, &None));
        assert_eq!(source.cover, Some(0));
        let audio = &source.audio[0];
        assert_eq!((audio.index, audio.language.as_str()), (3, "de"));
        assert_eq!(source.audio[1].language, "en");
        assert_eq!((source.duration, audio.duration), (None, Some(90.5)));
    }

    #[test]
    fn a_track_that_begins_late_ends_when_its_writer_meant() {
        for (stream, expected) in [
            (r#""duration":"2.0","#, Some(3.0)),
            (r#""tags":{"DURATION":"00:00:03.0"},"#, Some(3.0)),
            (
                r#""tags":{"DURATION":"00:00:02.0","_STATISTICS_TAGS":"BPS DURATION"},"#,
                Some(3.0),
            ),
            ("", None),
        ] {
            let json = format!(
                r#"{{"streams":[{{{stream}"index":0,"codec_type":"audio","codec_name":"aac","start_time":"1.0"}}]}}"#
            );
            let source = source(json.as_bytes()).expect("it is a source");
            assert_eq!(source.audio[0].duration, expected, "{json}");
        }
    }

    #[test]
    fn audio_without_channels_begins_late_in_a_transport_stream() {
        for (container, channels, expected) in
            [("mpegts", 0, true), ("mpegts", 2, false), ("mov", 0, false)]
        {
            let json = format!(
                r#"{{"streams":[{{"index":0,"codec_type":"audio","codec_name":"aac","channels":{channels}}}],
                "format":{{"format_name":"{container}"}}}}"#
            );
            let probed = parse(json.as_bytes()).expect("it is probed");
            assert_eq!(probed.has_late_audio(&counted()), expected, "{json}");
            assert!(!probed.has_late_audio(&Packets::default()), "{json}");
        }
    }

    #[test]
    fn a_source_that_is_no_lecture_is_refused_with_the_reason() {
        for (json, expected) in [
            (r#"{}"#, "it has neither video nor audio"),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"h264","width":1,"height":1}]}"#,
                "its video is 1×1, and the minimum is 16×16",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"h264","width":65535,"height":65535}]}"#,
                "its video is 65535×65535, and the maximum is 7680×4320",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"audio","codec_name":"aac"}],"format":{"duration":"9999999"}}"#,
                "its duration is 2777.8 hours, and the maximum is 24",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","width":640,"height":480}]}"#,
                "its video is an unknown codec: this ffmpeg cannot decode it",
            ),
            (
                r#"{"streams":[{"index":9,"codec_type":"video","codec_name":"h264","width":64,"height":48}]}"#,
                "its tracks have no data that can be played",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"audio","codec_tag_string":"ac-4","channels":2}]}"#,
                "its audio is AC-4 (`ac-4`): this ffmpeg cannot decode it",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"hevc","codec_tag_string":"encv"}]}"#,
                "it is encrypted",
            ),
            (
                r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"hevc","width":64,"height":48,
                   "side_data_list":[{"side_data_type":"DOVI configuration record","dv_profile":5,
                   "dv_bl_signal_compatibility_id":0}]}]}"#,
                "its video is Dolby Vision profile 5, whose colours other players cannot show",
            ),
        ] {
            let error = source(json.as_bytes()).expect_err(json);
            assert_eq!(error.to_string(), expected, "{json}");
            assert!(error.hint().is_some(), "{json}");
        }
    }

    #[test]
    fn titles_and_captions_are_kept_as_far_as_playlists_can_name_them() {
        let json = br#"{"streams":[
            {"index":0,"codec_type":"audio","codec_name":"opus","channels":1,"tags":{"title":" Speaker\"\r\n#EXT-X-ENDLIST "}},
            {"index":1,"codec_type":"subtitle","codec_name":"subrip","tags":{"language":"eng","title":"\n"}},
            {"index":2,"codec_type":"subtitle","codec_name":"hdmv_pgs_subtitle"}
        ]}"#;
        let source = source(json).expect("it is a source");
        assert_eq!(source.video, None);
        assert_eq!(
            source.audio[0].title.as_deref(),
            Some("Speaker#EXT-X-ENDLIST")
        );
        let [subtitle] = &source.subtitles[..] else {
            panic!("{source:?}");
        };
        assert_eq!((subtitle.index, subtitle.language.as_str()), (1, "en"));
        assert_eq!(subtitle.title, None);
    }
}
