//! Reads MPEG-2 Transport Streams as Media Segments (ISO/IEC 13818-1; RFC 8216bis §3.1.1): tracks
//! and times of untrusted bytes. Pure.

mod elementary;
#[cfg(test)]
mod muxer_test;
mod packets;

use super::fmp4::{CheckedTrack, Medium, SegmentSamples};
use crate::check::fmp4::WRAPS_AT;
use elementary::{ElementaryAudio, ElementaryVideo};
pub(crate) use packets::Counters;
use packets::{PACKET, Pes, TsTables};

/// Contents of a segment, except for streams of other kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transport {
    pub(crate) video: Option<SegmentSamples>,
    pub(crate) audio: Option<SegmentSamples>,
    pub(crate) counters: Counters,
    /// A feature that players of transport streams do not support.
    pub(crate) stranger: Option<String>,
    /// The segment has audio or video streams of other codecs.
    pub(crate) is_partly_known: bool,
    /// H.264 has parameter sets before its first frame; `None` without H.264.
    pub(crate) has_parameter_sets: Option<bool>,
    /// Bytes of a stream that are none of its codec.
    pub(crate) fault: Option<String>,
}

impl Transport {
    /// Reads a segment; its tracks are video and audio, as far as they are present.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Vec<CheckedTrack>), String> {
        let tables = TsTables::read(bytes)?;
        let (mut video, mut audio) = (ElementaryVideo::default(), ElementaryAudio::default());
        let mut counters = Counters::default();
        let mut has_clock = false;
        let pid = |kind| {
            let mut streams = tables.streams.iter();
            streams
                .find(|stream| stream.kind == kind)
                .map(|stream| stream.pid)
        };
        let (video_pid, audio_pid) = (pid(H264), pid(AAC));
        let (mut video_pes, mut audio_pes) = (Pes::default(), Pes::default());
        for packet in bytes.chunks_exact(PACKET) {
            counters.count(packet);
            let at = Some(packets::pid(packet));
            has_clock |= at == tables.clock && packets::has_clock(packet);
            if at == video_pid {
                video_pes.push(packet, |pes| video.add(pes));
            } else if at == audio_pid {
                audio_pes.push(packet, |pes| audio.add(pes));
            }
        }
        video.is_cut_in |= video_pes.is_cut_in;
        video_pes.finish(|pes| video.add(pes));
        audio_pes.finish(|pes| audio.add(pes));
        audio.finish();
        let missing = match (
            video_pid.is_some() && video.fragments().is_none_or(|one| one.samples == 0),
            audio_pid.is_some() && audio.fragments().is_none(),
        ) {
            (true, _) => Some("its video stream has no frame"),
            (_, true) => Some("its audio stream has no frame"),
            _ => (!has_clock).then_some("its program has no clock reference"),
        };
        let fault = video.fault.or(audio.fault).or(missing);
        let tracks: Vec<CheckedTrack> = [video.track(), audio.track()]
            .into_iter()
            .flatten()
            .collect();
        let is_av = |kind: u8| !matches!(kind, PRIVATE_DATA | METADATA | SPLICES);
        let known = tables
            .streams
            .iter()
            .filter(|stream| is_av(stream.kind))
            .count();
        Ok((
            Self {
                fault: fault.map(str::to_owned),
                is_partly_known: known != tracks.len(),
                stranger: stranger(&tables),
                has_parameter_sets: video_pid.map(|_| video.has_parameter_sets()),
                video: video.fragments(),
                audio: audio.fragments(),
                counters,
            },
            tracks,
        ))
    }

    pub(crate) fn of(&self, medium: Medium) -> Option<&SegmentSamples> {
        match medium {
            Medium::Video => self.video.as_ref(),
            Medium::Audio => self.audio.as_ref(),
            Medium::Other => None,
        }
    }
}

/// Stream types (ISO/IEC 13818-1, Table 2-34; the last two are Apple's and ATSC's).
const AAC: u8 = 0x0f;
const H264: u8 = 0x1b;
const HEVC: u8 = 0x24;
const PRIVATE_DATA: u8 = 0x06;
const METADATA: u8 = 0x15;
const SPLICES: u8 = 0x86;

/// RFC 8216bis §3.1.1 requires one program. Apple's HLS Authoring Specification and "MPEG-2 Stream
/// Encryption Format for HTTP Live Streaming" name its codecs.
fn stranger(tables: &TsTables) -> Option<String> {
    const KNOWN: [u8; 12] = [
        0x03,
        0x04,
        PRIVATE_DATA,
        AAC,
        METADATA,
        H264,
        0x81,
        SPLICES,
        0x87,
        0xc1,
        0xcf,
        0xdb,
    ];
    if tables.programs != 1 {
        return Some(format!("it has {} programs", tables.programs));
    }
    let strange = tables
        .streams
        .iter()
        .find(|stream| !KNOWN.contains(&stream.kind))?;
    Some(match strange.kind {
        HEVC => "it carries HEVC, which players take in fragmented MP4 alone".to_owned(),
        kind => format!("it carries a stream of type 0x{kind:02x}"),
    })
}

/// Signed distance of a timestamp from another, the shorter way round.
fn since(base: u64, time: u64) -> i64 {
    let apart = time.wrapping_sub(base) % WRAPS_AT;
    let apart = i64::try_from(apart).unwrap_or(0);
    if apart < 1 << 32 {
        apart
    } else {
        apart - (1 << 33)
    }
}

/// Access units of one kind in a segment.
fn fragments(start: u64, duration: u64, samples: u64, longest_sample: u64) -> SegmentSamples {
    SegmentSamples {
        start,
        duration,
        samples,
        longest_sample,
        shown_from: i64::try_from(start).unwrap_or(0),
        starts_with_sync: true,
        starts_with_idr: None,
        longest_gap: 0,
        is_rising: true,
        has_first_sample: true,
        ..SegmentSamples::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mpegts::testing::{TsBuilder, aac_frames, h264_unit};

    fn read(stream: &TsBuilder) -> Transport {
        Transport::read(&stream.bytes())
            .expect("a transport stream")
            .0
    }

    #[test]
    fn a_segment_says_what_it_carries_and_when_it_plays() {
        // Three frames out of order, and audio that begins before them.
        let mut stream = TsBuilder::new();
        stream.video(900_000, 900_000, &h264_unit(true));
        stream.audio(898_080, &aac_frames(3, 2));
        stream.video(907_200, 903_600, &h264_unit(false));
        stream.video(903_600, 907_200, &h264_unit(false));
        let (found, tracks) = Transport::read(&stream.bytes()).expect("a transport stream");
        let video = found.video.expect("pictures");
        assert_eq!(
            (video.start, video.duration, video.samples),
            (900_000, 10_800, 3)
        );
        assert_eq!(
            (video.starts_with_idr, video.longest_gap),
            (Some(true), 10_800)
        );
        let audio = found.audio.expect("sound");
        assert_eq!(
            (audio.start, audio.duration, audio.samples),
            (898_080, 5_760, 3)
        );
        assert_eq!(found.has_parameter_sets, Some(true));
        assert_eq!((found.stranger, found.counters.jump), (None, None));
        let codecs: Vec<&str> = tracks.iter().map(|track| track.codec.as_str()).collect();
        assert_eq!(codecs, ["avc1.42c00c", "mp4a.40.2"]);
        assert_eq!(tracks[0].sizes[0], (256, 144));
        assert_eq!((tracks[1].sample_rate, tracks[1].channels), (48_000, 2));
    }

    #[test]
    fn faults_of_a_segment_are_found() {
        let mut stream = TsBuilder::new();
        stream.video(0, 0, &h264_unit(false));
        let found = read(&stream);
        assert_eq!(found.video.map(|video| video.starts_with_sync), Some(false));
        assert_eq!(found.has_parameter_sets, Some(false));

        // 0.1 s of audio are missing between two of its packets.
        let mut stream = TsBuilder::new();
        stream.audio(0, &aac_frames(2, 2));
        stream.audio(3_840 + 9_000, &aac_frames(2, 2));
        assert_eq!(read(&stream).audio.map(|audio| audio.has_hole), Some(true));

        let mut stream = TsBuilder::new();
        stream.video(0, 0, &h264_unit(true));
        stream.skip_counter();
        stream.video(3_600, 3_600, &h264_unit(false));
        assert!(read(&stream).counters.jump.is_some());

        let mut stream = TsBuilder::new();
        stream.kinds = vec![(HEVC, 0x100)];
        assert!(
            read(&stream)
                .stranger
                .is_some_and(|what| what.contains("HEVC"))
        );
    }

    #[test]
    fn timestamps_go_on_where_they_wrap() {
        let mut stream = TsBuilder::new();
        stream.video(WRAPS_AT - 3_600, WRAPS_AT - 3_600, &h264_unit(true));
        stream.video(0, 0, &h264_unit(false));
        let video = read(&stream).video.expect("pictures");
        assert_eq!((video.start, video.duration), (WRAPS_AT - 3_600, 7_200));
        assert_eq!((since(5, 3), since(WRAPS_AT - 1, 1)), (-2, 2));
    }

    #[test]
    fn damaged_bytes_are_an_error_or_a_number_and_never_a_panic() {
        let mut stream = TsBuilder::new();
        stream.video(900_000, 900_000, &h264_unit(true));
        stream.audio(900_000, &aac_frames(3, 2));
        let good = stream.bytes();
        for at in 0..good.len() {
            let _ = Transport::read(&good[..at]);
            for value in [0, 1, 0x1f, 0x40, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = Transport::read(&bad);
            }
        }
    }
}
