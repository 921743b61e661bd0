//! Playlists from measured facts (RFC 8216bis). Pure: equal facts give equal bytes.

use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, Map, MasterPlaylist,
    MediaPlaylist, MediaPlaylistType, MediaSegment, Resolution, VariantStream,
    WRITE_OPT_FLOAT_PRECISION,
};
use std::sync::atomic::Ordering;

use crate::probe::Rate;

/// `EXT-X-MAP` in a playlist of whole segments needs 6, and fMP4 as ffmpeg and others write it is declared as 7.
const VERSION: usize = 7;
const AUDIO_GROUP: &str = "audio";

/// A measured Media Segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) micros: u64,
    pub(crate) bytes: u64,
}

/// A Variant Stream to list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variant {
    pub(crate) uri: String,
    pub(crate) bandwidth: u64,
    pub(crate) average_bandwidth: u64,
    pub(crate) codecs: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Rate,
}

/// The audio Rendition to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AudioRendition {
    pub(crate) uri: String,
    pub(crate) language: String,
}

/// Where the segment with this number is, from its Media Playlist.
pub(crate) fn segment_name(at: usize) -> String {
    format!("seg{at:05}.m4s")
}

/// RFC 8216bis §4.4.3.1: every `EXTINF`, rounded to the nearest integer, is at most this.
pub(crate) fn target_duration<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> u64 {
    segments
        .into_iter()
        .map(|segment| (segment.micros + 500_000) / 1_000_000)
        .max()
        .unwrap_or(1)
        .max(1)
}

pub(crate) fn media(segments: &[Segment], target_duration: u64) -> Vec<u8> {
    write(|out| {
        MediaPlaylist {
            version: Some(VERSION),
            independent_segments: true,
            target_duration,
            playlist_type: Some(MediaPlaylistType::Vod),
            end_list: true,
            segments: segments
                .iter()
                .enumerate()
                .map(|(at, segment)| MediaSegment {
                    uri: segment_name(at),
                    duration: seconds(segment.micros),
                    map: (at == 0).then(|| Map {
                        uri: "init.mp4".into(),
                        ..Map::default()
                    }),
                    ..MediaSegment::default()
                })
                .collect(),
            ..MediaPlaylist::default()
        }
        .write_to(out)
    })
}

/// The Multivariant Playlist, smallest Variant Stream first: players start with what is listed first, and at 1 Mbit/s
/// that was 2.4 s to the first picture instead of 12.
pub(crate) fn multivariant(variants: &[Variant], audio: Option<&AudioRendition>) -> Vec<u8> {
    let mut variants = variants.to_vec();
    variants.sort_by_key(|variant| variant.width.min(variant.height));
    write(|out| {
        MasterPlaylist {
            version: Some(VERSION),
            independent_segments: true,
            alternatives: audio
                .map(|audio| AlternativeMedia {
                    media_type: AlternativeMediaType::Audio,
                    uri: Some(audio.uri.clone()),
                    group_id: AUDIO_GROUP.into(),
                    language: Some(audio.language.clone()),
                    name: match audio.language.as_str() {
                        "und" => "Audio".into(),
                        language => language.into(),
                    },
                    default: true,
                    autoselect: true,
                    channels: Some("2".into()),
                    ..AlternativeMedia::default()
                })
                .into_iter()
                .collect(),
            variants: variants
                .into_iter()
                .map(|variant| VariantStream {
                    uri: variant.uri,
                    bandwidth: variant.bandwidth,
                    average_bandwidth: Some(variant.average_bandwidth),
                    codecs: Some(variant.codecs),
                    resolution: Some(Resolution {
                        width: variant.width.into(),
                        height: variant.height.into(),
                    }),
                    frame_rate: Some(shown_rate(variant.frame_rate)),
                    audio: audio.map(|_| AUDIO_GROUP.into()),
                    closed_captions: Some(ClosedCaptionGroupId::None),
                    // m3u8-rs writes several of `other_attributes` in an order that changes from run to run: never
                    // put more than one there.
                    other_attributes: None,
                    ..VariantStream::default()
                })
                .collect(),
            ..MasterPlaylist::default()
        }
        .write_to(out)
    })
}

/// Three decimals, as RFC 8216bis §4.4.6.2 has it.
pub(crate) fn shown_rate(rate: Rate) -> f64 {
    (rate.as_f64() * 1000.0).round() / 1000.0
}

/// The peak and the average in bit/s. Peak (RFC 8216bis §4.1): the highest rate of any run of segments that lasts between
/// half and one and a half target durations, so that a last segment of one picture does not count as a peak.
pub(crate) fn bandwidth(segments: &[Segment], target_duration: u64) -> (u64, u64) {
    let (least, most) = (target_duration * 500_000, target_duration * 1_500_000);
    let mut peak = 0;
    for first in 0..segments.len() {
        let mut run = Segment {
            micros: 0,
            bytes: 0,
        };
        for segment in &segments[first..] {
            run.micros += segment.micros;
            run.bytes += segment.bytes;
            if run.micros > most {
                break;
            }
            if run.micros >= least {
                peak = peak.max(rate(run));
            }
        }
    }
    let whole = segments.iter().fold(
        Segment {
            micros: 0,
            bytes: 0,
        },
        |sum, segment| Segment {
            micros: sum.micros + segment.micros,
            bytes: sum.bytes + segment.bytes,
        },
    );
    let average = rate(whole);
    (peak.max(average), average)
}

fn rate(run: Segment) -> u64 {
    let bits = u128::from(run.bytes) * 8 * 1_000_000;
    u64::try_from(bits.div_ceil(u128::from(run.micros.max(1)))).unwrap_or(u64::MAX)
}

/// m3u8-rs keeps `EXTINF` in an `f32`: exact to the microsecond below 16 s, and longer segments are not made here.
fn seconds(micros: u64) -> f32 {
    (micros as f64 / 1e6) as f32
}

fn write(to: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Vec<u8> {
    WRITE_OPT_FLOAT_PRECISION.store(6, Ordering::Relaxed);
    let mut out = vec![];
    // Writing into memory does not fail.
    let _ = to(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("playlists are UTF-8")
    }

    fn segment(micros: u64, bytes: u64) -> Segment {
        Segment { micros, bytes }
    }

    #[test]
    fn a_media_playlist_lists_exact_durations() {
        let segments = [segment(4_010_667, 1), segment(1_322_666, 1)];
        insta::assert_snapshot!(text(media(&segments, 4)), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:4
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:4.010667,
        seg00000.m4s
        #EXTINF:1.322666,
        seg00001.m4s
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_multivariant_playlist_lists_the_smallest_first_and_is_the_same_every_time() {
        let variant = |width, height, bandwidth| Variant {
            uri: format!("v/0123456789abcdef/{height}p/playlist.m3u8"),
            bandwidth,
            average_bandwidth: bandwidth / 2,
            codecs: "avc1.64001f,mp4a.40.2".into(),
            width,
            height,
            frame_rate: Rate::new(30_000, 1001),
        };
        let variants = [variant(1280, 720, 2_000_000), variant(854, 480, 900_000)];
        let audio = AudioRendition {
            uri: "v/0123456789abcdef/audio/en/playlist.m3u8".into(),
            language: "en".into(),
        };
        let playlist = text(multivariant(&variants, Some(&audio)));
        for _ in 0..50 {
            assert_eq!(text(multivariant(&variants, Some(&audio))), playlist);
        }
        insta::assert_snapshot!(playlist, @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,URI="v/0123456789abcdef/audio/en/playlist.m3u8",GROUP-ID="audio",LANGUAGE="en",NAME="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=450000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=29.97,AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/480p/playlist.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.97,AUDIO="audio",CLOSED-CAPTIONS=NONE
        v/0123456789abcdef/720p/playlist.m3u8
        "#);
    }

    #[test]
    fn every_microsecond_of_a_segment_survives_the_library() {
        for micros in (1..16_000_000).step_by(997) {
            assert_eq!(
                format!("{:.6}", seconds(micros)),
                format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
            );
        }
    }

    #[test]
    fn the_peak_is_that_of_runs_about_as_long_as_the_target_duration() {
        // 4 s at 1 Mbit/s, 4 s at 2 Mbit/s, and one picture of 0.04 s that would be 20 Mbit/s on its own.
        let segments = [
            segment(4_000_000, 500_000),
            segment(4_000_000, 1_000_000),
            segment(40_000, 100_000),
        ];
        let (peak, average) = bandwidth(&segments, 4);
        assert_eq!(peak, 2_178_218);
        assert_eq!(average, 1_592_040);
        assert_eq!(
            bandwidth(&[segment(400_000, 50_000)], 4),
            (1_000_000, 1_000_000)
        );
        assert_eq!(bandwidth(&[], 4), (0, 0));
    }

    #[test]
    fn the_target_duration_is_the_longest_segment_rounded() {
        for (micros, expected) in [(4_010_667, 4), (4_500_000, 5), (40_000, 1)] {
            assert_eq!(target_duration(&[segment(micros, 1)]), expected, "{micros}");
        }
    }
}
