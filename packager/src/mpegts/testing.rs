//! Valid and damaged transport streams for tests.

use super::muxer::{AAC, H264};
use crate::mpegts::access_unit::AccessUnit;
use crate::mpegts::muxer::Writer;

const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
/// Parameter sets that x264 wrote for 256x144, baseline.
const SPS: &[u8] =
    b"\0\0\0\x01\x67\x42\xc0\x0c\xd9\x01\x01\x3b\x01\x10\0\0\x03\0\x10\0\0\x03\x03\x20\xf1\x42\xa4\x80";
const PPS: &[u8] = b"\0\0\0\x01\x68\xcb\x83\xcb\x20";

/// A segment whose PES packets are added in byte order.
pub(crate) struct TsBuilder {
    /// Stream types and PIDs.
    pub(crate) kinds: Vec<(u8, u16)>,
    parts: Vec<TsPart>,
}

enum TsPart {
    Video(AccessUnit),
    Audio(AccessUnit),
    /// A lost video packet.
    Lost,
}

impl TsBuilder {
    pub(crate) fn new() -> Self {
        Self {
            kinds: vec![(H264, VIDEO), (AAC, AUDIO)],
            parts: vec![],
        }
    }

    pub(crate) fn video(&mut self, pts: u64, dts: u64, data: &[u8]) {
        self.parts.push(TsPart::Video(unit(pts, dts, data)));
    }

    pub(crate) fn audio(&mut self, pts: u64, data: &[u8]) {
        self.parts.push(TsPart::Audio(unit(pts, pts, data)));
    }

    pub(crate) fn skip_counter(&mut self) {
        self.parts.push(TsPart::Lost);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_after(&mut Writer::default())
    }

    /// Bytes of a segment that follows the ones already written.
    pub(crate) fn bytes_after(&self, writer: &mut Writer) -> Vec<u8> {
        writer.tables(&self.kinds);
        let mut out = writer.take();
        for part in &self.parts {
            match part {
                TsPart::Video(unit) => writer.write_video(VIDEO, unit, Some(unit.dts)),
                TsPart::Audio(unit) => writer.write_audio(AUDIO, std::slice::from_ref(unit), None),
                TsPart::Lost => {
                    writer.write_video(VIDEO, &unit(0, 0, b"lost"), None);
                    writer.take();
                }
            }
            out.extend(writer.take());
        }
        out
    }
}

fn unit(pts: u64, dts: u64, data: &[u8]) -> AccessUnit {
    AccessUnit {
        pts,
        dts,
        is_key: false,
        data: data.to_vec(),
    }
}

/// An H.264 access unit, 256x144: a keyframe with its parameter sets, or another frame.
pub(crate) fn h264_unit(is_key: bool) -> Vec<u8> {
    match is_key {
        true => [SPS, PPS, &bare_key()].concat(),
        false => slice(0x41),
    }
}

/// A keyframe without its parameter sets.
pub(crate) fn bare_key() -> Vec<u8> {
    slice(0x65)
}

fn slice(kind: u8) -> Vec<u8> {
    let mut unit = b"\0\0\0\x01\x09\xf0\0\0\0\x01".to_vec();
    unit.push(kind);
    unit.resize(250, 0xa5);
    unit
}

/// Frames of AAC-LC, 48 kHz.
pub(crate) fn aac_frames(count: usize, channels: u8) -> Vec<u8> {
    let [high, low] = [channels >> 2, channels << 6];
    let mut frame = vec![
        0xff,
        0xf1,
        0x4c | high,
        low,
        100 >> 3,
        (100 & 7) << 5 | 0x1f,
        0xfc,
    ];
    // The last bits end a frame.
    frame.resize(99, 0x5a);
    frame.push(0x07);
    frame.repeat(count)
}
