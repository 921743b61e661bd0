//! Chooses the tracks of a lecture, and names what is left out. Pure.

use super::ends;
use super::ffprobe::{ProbedSource, ProbedStream, ShownSize};
use super::language::language;
use super::packets::Packets;
use super::structure::Structure;
use super::{Audio, MOST_TRACKS, Source, SourceError, Subtitle};
use crate::ffmpeg::diagnosis::{Diagnosis, codec_and_tag};
use crate::warning::{TrackKind, Warning};

/// Text subtitle codecs that ffmpeg converts.
const TEXT_SUBTITLES: [&str; 7] = ["ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"];
const IMAGE_SUBTITLES: [&str; 4] = ["dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle", "xsub"];

/// A source, and the losses of its selection.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) source: Source,
    pub(super) warnings: Vec<Warning>,
}

impl ProbedSource {
    /// Chooses the tracks of a lecture, and judges what headers declare by packets and structure.
    pub(super) fn select(
        &self,
        packets: &Packets,
        structure: &Structure,
    ) -> Result<Selection, SourceError> {
        if structure.is_encrypted || self.streams.iter().any(ProbedStream::is_encrypted) {
            return Err(SourceError::Unreadable(Diagnosis::Encrypted));
        }
        let start = self.start();
        let mut tracks = TrackFilter {
            packets,
            pcm: self.pcm_mismatches(structure),
            warnings: vec![],
            refused: vec![],
        };
        let is_moving_image = |stream: &&ProbedStream| !stream.is_image();
        let video = tracks.retain(
            TrackKind::Video,
            self.streams("video").filter(is_moving_image),
        );
        let audio = self.streams.iter().filter(|stream| stream.is_audio());
        let mut audio = tracks.retain(TrackKind::Audio, audio);
        audio.sort_by_key(|stream| !stream.is_disposed("default"));
        let video = choose_video(video, packets, &mut tracks.warnings);
        for stream in audio.split_off(audio.len().min(MOST_TRACKS)) {
            tracks.warnings.push(Warning::ExtraTrack {
                track: stream.index,
                kind: TrackKind::Audio,
            });
        }
        tracks.refuse_the_only(TrackKind::Video, video.is_some())?;
        tracks.refuse_the_only(TrackKind::Audio, !audio.is_empty())?;
        let mut warnings = tracks.warnings;
        if video.is_none() && audio.is_empty() {
            return Err(match warnings.is_empty() {
                true => SourceError::NoMedia,
                false => SourceError::NoPackets,
            });
        }
        let language = |stream: &ProbedStream| {
            let position = usize::try_from(stream.index).unwrap_or(usize::MAX);
            match structure.has_language.get(position) {
                Some(false) => language(""),
                _ => stream.language(),
            }
        };
        let mut source = Source {
            lags: std::collections::BTreeMap::new(),
            is_probed_far: false,
            container: self.container().to_owned(),
            start,
            duration: self.duration(),
            cover: self
                .streams("video")
                .find(|stream| stream.has_codec() && stream.is_image())
                .map(|stream| stream.index),
            video: video.map(|stream| stream.video(start)).transpose()?,
            audio: audio
                .into_iter()
                .map(|stream| Audio {
                    index: stream.index,
                    codec: stream.codec_name.clone().unwrap_or_default(),
                    channels: stream.channels.unwrap_or(0),
                    language: language(stream),
                    title: stream.title(),
                    duration: stream.end(start),
                })
                .collect(),
            subtitles: self
                .subtitles(&mut warnings)
                .map(|stream| Subtitle {
                    index: stream.index,
                    codec: stream.codec_name.clone().unwrap_or_default(),
                    language: language(stream),
                    title: stream.title(),
                })
                .collect(),
        };
        let others = self
            .streams
            .iter()
            .filter(|stream| !matches!(stream.codec_type.as_deref(), Some("video" | "audio")));
        let others: Vec<f64> = others.filter_map(|stream| stream.end(start)).collect();
        warnings.extend(ends::judge(&mut source, packets, structure, &others)?);
        warnings.extend(ends::missing_frames(&source, packets));
        Ok(Selection { source, warnings })
    }

    /// Text subtitles; others become warnings.
    fn subtitles(&self, warnings: &mut Vec<Warning>) -> impl Iterator<Item = &ProbedStream> {
        let mut text = vec![];
        for stream in self.streams("subtitle") {
            let (track, codec) = (stream.index, stream.codec());
            if TEXT_SUBTITLES.contains(&codec) && text.len() < MOST_TRACKS {
                text.push(stream);
            } else if TEXT_SUBTITLES.contains(&codec) {
                let kind = TrackKind::Subtitle;
                warnings.push(Warning::ExtraTrack { track, kind });
            } else if IMAGE_SUBTITLES.contains(&codec) {
                let codec = codec.to_owned();
                warnings.push(Warning::ImageSubtitles { track, codec });
            } else {
                let codec = codec_and_tag(codec, stream.tag());
                let reason = format!("its format, {codec}, is not supported");
                warnings.push(Warning::LostSubtitles { track, reason });
            }
        }
        text.into_iter()
    }

    /// Tracks of PCM in MP4 whose format this ffmpeg does not read, such as 24-bit samples that it
    /// takes for 16-bit ones.
    fn pcm_mismatches(&self, structure: &Structure) -> Vec<(u32, String)> {
        let tracks = self.streams("audio");
        let tracks = tracks.filter(|stream| matches!(stream.tag(), "ipcm" | "fpcm"));
        let formats = tracks.zip(&structure.pcm);
        formats
            .filter(|(stream, format)| {
                let kind = if stream.tag() == "fpcm" { 'f' } else { 's' };
                let end = if format.is_little_endian { "le" } else { "be" };
                stream.codec() != format!("pcm_{kind}{}{end}", format.bits)
            })
            .map(|(stream, format)| {
                let codec = codec_and_tag("", stream.tag());
                (stream.index, format!("{}-bit {codec}", format.bits))
            })
            .collect()
    }
}

/// Removes the tracks that cannot be played, with a warning for each.
struct TrackFilter<'a> {
    packets: &'a Packets,
    /// Tracks whose PCM format is not read, with its name.
    pcm: Vec<(u32, String)>,
    warnings: Vec<Warning>,
    /// Kind and codec of tracks that cannot be decoded.
    refused: Vec<(TrackKind, String)>,
}

impl TrackFilter<'_> {
    fn retain<'s>(
        &mut self,
        kind: TrackKind,
        streams: impl Iterator<Item = &'s ProbedStream>,
    ) -> Vec<&'s ProbedStream> {
        let mut kept = vec![];
        for stream in streams {
            let track = stream.index;
            let pcm = self.pcm.iter().find(|(index, _)| *index == track);
            let codec = match pcm {
                Some((_, codec)) => Some(codec.clone()),
                None => stream.undecodable_codec(self.packets.of(track).is_some()),
            };
            if let Some(codec) = codec {
                self.refused.push((kind, codec.clone()));
                self.warnings
                    .push(Warning::UndecodableTrack { track, kind, codec });
            } else if self.packets.of(track).is_none() {
                self.warnings.push(Warning::EmptyTrack { track, kind });
            } else {
                kept.push(stream);
            }
        }
        kept
    }

    /// Refuses a source whose only track of a kind cannot be decoded.
    fn refuse_the_only(&self, kind: TrackKind, has_track: bool) -> Result<(), SourceError> {
        let refused = self.refused.iter().find(|(other, _)| *other == kind);
        match refused {
            Some((kind, codec)) if !has_track => Err(SourceError::Undecodable {
                kind: *kind,
                codec: codec.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Chooses the default track among those that move, else the largest. A flag that all tracks have
/// says nothing.
fn choose_video<'a>(
    tracks: Vec<&'a ProbedStream>,
    packets: &Packets,
    warnings: &mut Vec<Warning>,
) -> Option<&'a ProbedStream> {
    let is_moving = |stream: &&ProbedStream| {
        let packets = packets.of(stream.index);
        packets.is_some_and(|packets| packets.count > 1)
    };
    let is_default = |stream: &&ProbedStream| stream.is_disposed("default");
    let mut candidates = tracks.clone();
    for is_better in [&is_moving as &dyn Fn(&&ProbedStream) -> bool, &is_default] {
        if candidates.iter().any(is_better) {
            candidates.retain(is_better);
        }
    }
    let area = |stream: &&&ProbedStream| {
        let ShownSize { width, height, .. } = stream.shown_size();
        u64::from(width) * u64::from(height)
    };
    // Of several largest ones, `max_by_key` returns the last.
    let chosen = candidates.iter().rev().max_by_key(area).copied()?;
    for stream in tracks.iter().filter(|stream| stream.index != chosen.index) {
        let ShownSize { width, height, .. } = stream.shown_size();
        warnings.push(Warning::ExtraVideo {
            track: stream.index,
            width,
            height,
        });
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::super::ffprobe::parse;
    use super::super::packets::testing::packets;
    use super::super::structure::PcmFormat;
    use super::*;

    fn stream(index: u32, kind: &str, more: &str) -> String {
        format!(r#"{{"index":{index},"codec_type":"{kind}"{more}}}"#)
    }

    fn video(index: u32, side: u32, is_default: bool) -> String {
        let is_default = u32::from(is_default);
        let more = format!(
            r#","codec_name":"h264","width":{side},"height":{side},"disposition":{{"default":{is_default}}}"#
        );
        stream(index, "video", &more)
    }

    /// Selects from streams with a number of packets each.
    fn select(
        streams: &[String],
        counts: &[usize],
        structure: &Structure,
    ) -> Result<Selection, SourceError> {
        let json = format!(
            r#"{{"streams":[{}],"format":{{"format_name":"matroska,webm"}}}}"#,
            streams.join(",")
        );
        let lines = counts.iter().enumerate();
        let lines = lines.map(|(track, count)| format!("{track},1,1,1,K_\n").repeat(*count));
        let packets = packets("", &lines.collect::<String>());
        parse(json.as_bytes())?.select(&packets, structure)
    }

    fn codes(selection: &Selection) -> Vec<String> {
        let warnings = selection.warnings.iter();
        warnings
            .map(|warning| {
                let record = crate::warning::WarningRecord::from(warning);
                format!("{} {:?}", record.code, record.track)
            })
            .collect()
    }

    #[test]
    fn the_video_is_the_default_track_that_moves_else_the_largest() {
        for (tracks, counts, expected) in [
            // A still comes first.
            ([(160, true), (320, false)], [1, 9], 1),
            ([(320, true), (160, false)], [9, 9], 0),
            ([(160, true), (320, false)], [9, 9], 0),
            // Flags that all tracks have say nothing, and neither do flags that none has.
            ([(160, true), (320, true)], [9, 9], 1),
            ([(160, false), (320, false)], [9, 9], 1),
            ([(320, false), (320, false)], [9, 9], 0),
            ([(160, false), (320, false)], [1, 1], 1),
            ([(160, false), (320, true)], [9, 0], 0),
        ] {
            let streams = [0, 1].map(|index: u32| {
                let (side, is_default) = tracks[index as usize];
                video(index, side, is_default)
            });
            let selection = select(&streams, &counts, &Structure::default()).expect("a source");
            let chosen = selection.source.video.as_ref().expect("it has video");
            assert_eq!(chosen.index, expected, "{tracks:?} {counts:?}");
            let code = match counts[1 - expected as usize] {
                0 => "empty-track",
                _ => "extra-video",
            };
            let other = Some(1 - expected);
            assert_eq!(codes(&selection), [format!("{code} {other:?}")]);
        }
    }

    #[test]
    fn tracks_that_cannot_be_played_are_left_out_and_refused_if_they_are_the_only_ones() {
        let aac = stream(1, "audio", r#","codec_name":"aac","channels":2"#);
        let float = stream(2, "audio", r#","codec_tag_string":"fpcm","channels":1"#);
        let pgs = stream(3, "subtitle", r#","codec_name":"hdmv_pgs_subtitle""#);
        let ttml = stream(4, "subtitle", r#","codec_tag_string":"stpp""#);
        let streams = [video(0, 320, true), aac, float.clone(), pgs, ttml];
        let selection = select(&streams, &[9; 5], &Structure::default()).expect("a source");
        assert_eq!(
            codes(&selection),
            [
                "undecodable-track Some(2)",
                "image-subtitles Some(3)",
                "lost-subtitles Some(4)"
            ]
        );
        let said = selection.warnings[0].to_string();
        assert!(said.contains("floating-point PCM (`fpcm`)"), "{said}");
        let only = [video(0, 320, true), float.replace(":2,", ":1,")];
        let error = select(&only, &[9; 2], &Structure::default()).expect_err("no audio is left");
        assert_eq!(
            error.to_string(),
            "its audio is floating-point PCM (`fpcm`): this ffmpeg cannot decode it"
        );
    }

    #[test]
    fn pcm_is_refused_where_this_ffmpeg_takes_it_for_another_format() {
        for (codec, bits, is_little_endian, expected) in [
            ("pcm_s16le", 16, true, ""),
            ("pcm_s24le", 24, true, ""),
            (
                "pcm_s16le",
                24,
                true,
                "its audio is 24-bit integer PCM (`ipcm`): this ffmpeg cannot decode it",
            ),
            (
                "pcm_s16le",
                16,
                false,
                "its audio is 16-bit integer PCM (`ipcm`): this ffmpeg cannot decode it",
            ),
        ] {
            let more = format!(r#","codec_name":"{codec}","codec_tag_string":"ipcm","channels":2"#);
            let structure = Structure {
                pcm: vec![PcmFormat {
                    is_little_endian,
                    bits,
                }],
                ..Structure::default()
            };
            let found = select(&[stream(0, "audio", &more)], &[9], &structure);
            let said = found
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert_eq!(said, expected, "{codec} {bits}");
        }
    }

    #[test]
    fn a_language_that_matroska_does_not_declare_is_undetermined() {
        let more = r#","codec_name":"opus","channels":2,"tags":{"language":"eng"}"#;
        for (has_language, expected) in [(vec![false], "und"), (vec![true], "en"), (vec![], "en")] {
            let structure = Structure {
                has_language,
                ..Structure::default()
            };
            let selection = select(&[stream(0, "audio", more)], &[9], &structure);
            let audio = selection.expect("a source").source.audio;
            assert_eq!(audio[0].language, expected);
        }
    }
}
