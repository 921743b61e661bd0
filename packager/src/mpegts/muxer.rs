//! Packets of a transport stream (ISO/IEC 13818-1 §2.4.3, §2.4.4): tables, PES packets, clock
//! references. Pure.

use std::collections::BTreeMap;

use super::access_unit::AccessUnit;

/// Stream types (Table 2-34).
pub(crate) const AAC: u8 = 0x0f;
pub(crate) const H264: u8 = 0x1b;
const PACKET: usize = 188;
const PMT: u16 = 0x1000;
/// Stream ids of PES packets (Table 2-22).
const AUDIO_STREAM_ID: u8 = 0xc0;
const VIDEO_STREAM_ID: u8 = 0xe0;

#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    /// The next continuity counter of each PID.
    counters: BTreeMap<u16, u8>,
}

impl Writer {
    /// Takes the bytes written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Writes PAT and PMT of these stream types and PIDs, the first of which carries the clock.
    pub(crate) fn tables(&mut self, streams: &[(u8, u16)]) {
        let [high, low] = PMT.to_be_bytes();
        // Transport stream 1, program 1.
        self.section(
            0,
            &[0x00, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | high, low],
        );
        let [high, low] = streams
            .first()
            .map_or(0x1fff, |(_, pid)| *pid)
            .to_be_bytes();
        let mut pmt = vec![0x02, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0xe0 | high, low, 0xf0, 0];
        for (kind, pid) in streams {
            let [high, low] = pid.to_be_bytes();
            pmt.extend([*kind, 0xe0 | high, low, 0xf0, 0]);
        }
        self.section(PMT, &pmt);
    }

    /// Completes a table section with its length and checksum. Sections are far shorter than a
    /// packet.
    fn section(&mut self, pid: u16, section: &[u8]) {
        let mut section = section.to_vec();
        // Length of the rest, including the checksum.
        section[2] = u8::try_from(section.len() + 1).unwrap_or(u8::MAX);
        section.extend(crc(&section).to_be_bytes());
        section.insert(0, 0);
        section.resize(PACKET - 4, 0xff);
        self.packets(pid, &[], &section);
    }

    pub(crate) fn write_video(&mut self, pid: u16, unit: &AccessUnit, clock: Option<u64>) {
        let mut adaptation = vec![];
        if unit.is_key || clock.is_some() {
            // Flags for random access and the clock reference (§2.4.3.4).
            let key = if unit.is_key { 0x40 } else { 0 };
            adaptation.push(key | if clock.is_some() { 0x10 } else { 0 });
            adaptation.extend(clock.map(encode_pcr).into_iter().flatten());
        }
        let mut pes = header(VIDEO_STREAM_ID, unit.pts, Some(unit.dts), 0);
        pes.extend_from_slice(&unit.data);
        self.packets(pid, &adaptation, &pes);
    }

    /// Writes audio frames in one PES packet.
    pub(crate) fn write_audio(&mut self, pid: u16, frames: &[AccessUnit], clock: Option<u64>) {
        let Some(first) = frames.first() else { return };
        let mut adaptation = vec![];
        if let Some(clock) = clock {
            adaptation.push(0x50);
            adaptation.extend(encode_pcr(clock));
        }
        let length = frames.iter().map(|frame| frame.data.len()).sum();
        let mut pes = header(AUDIO_STREAM_ID, first.pts, None, length);
        for frame in frames {
            pes.extend_from_slice(&frame.data);
        }
        self.packets(pid, &adaptation, &pes);
    }

    /// Writes a packet with only a clock reference.
    pub(crate) fn clock(&mut self, pid: u16, ticks: u64) {
        let [high, low] = pid.to_be_bytes();
        // Without a payload, the counter is that of the previous packet (§2.4.3.3).
        let counter = self
            .counters
            .get(&pid)
            .map_or(0, |next| next.wrapping_sub(1) & 0x0f);
        let end = self.out.len() + PACKET;
        self.out
            .extend([0x47, high, low, 0x20 | counter, 183, 0x10]);
        self.out.extend(encode_pcr(ticks));
        self.out.resize(end, 0xff);
    }

    /// Writes the packets of a payload. The first one holds the adaptation field, given without its
    /// length.
    fn packets(&mut self, pid: u16, adaptation: &[u8], payload: &[u8]) {
        let counter = self.counters.entry(pid).or_default();
        let (mut rest, mut adaptation) = (payload, Some(adaptation));
        while !rest.is_empty() {
            let [high, low] = pid.to_be_bytes();
            let field = adaptation.take();
            let start = if field.is_some() { 0x40 } else { 0 };
            let field = field.unwrap_or_default();
            // Includes the length byte of a present field.
            let taken = if field.is_empty() { 0 } else { field.len() + 1 };
            let room = PACKET - 4 - taken;
            let (now, later) = rest.split_at(room.min(rest.len()));
            let stuffing = room - now.len();
            let has_field = taken + stuffing > 0;
            self.out.extend([
                0x47,
                start | high,
                low,
                if has_field { 0x30 } else { 0x10 } | *counter,
            ]);
            if has_field {
                let length = taken + stuffing - 1;
                self.out.push(u8::try_from(length).unwrap_or(u8::MAX));
                let end = self.out.len() + length;
                self.out.extend_from_slice(field);
                if field.is_empty() && length > 0 {
                    // No flag is set.
                    self.out.push(0);
                }
                self.out.resize(end, 0xff);
            }
            self.out.extend_from_slice(now);
            *counter = (*counter + 1) & 0x0f;
            rest = later;
        }
    }
}

/// Header of a PES packet (§2.4.3.6) whose data begins with an access unit.
fn header(id: u8, pts: u64, dts: Option<u64>, length: usize) -> Vec<u8> {
    let dts = dts.filter(|dts| *dts != pts);
    let (flags, stamps) = if dts.is_some() { (0xc0, 10) } else { (0x80, 5) };
    // Video packets may leave an unknown or excessive length open.
    let length = match length {
        0 => 0,
        length => u16::try_from(length + 3 + stamps).unwrap_or(0),
    };
    let [high, low] = length.to_be_bytes();
    let mut out = vec![
        0,
        0,
        1,
        id,
        high,
        low,
        0x84,
        flags,
        if dts.is_some() { 10 } else { 5 },
    ];
    out.extend(encode_timestamp(if dts.is_some() { 3 } else { 2 }, pts));
    out.extend(
        dts.map(|dts| encode_timestamp(1, dts))
            .into_iter()
            .flatten(),
    );
    out
}

/// Encodes 33 bits in five bytes, with marker bits between.
fn encode_timestamp(prefix: u8, ticks: u64) -> [u8; 5] {
    let part = |shift: u32, mask: u64| (ticks >> shift & mask) as u8;
    [
        prefix << 4 | part(30, 7) << 1 | 1,
        part(22, 0xff),
        part(15, 0x7f) << 1 | 1,
        part(7, 0xff),
        part(0, 0x7f) << 1 | 1,
    ]
}

/// A program clock reference (§2.4.3.5) without its extension.
fn encode_pcr(ticks: u64) -> [u8; 6] {
    let part = |shift: u32| (ticks >> shift) as u8;
    [part(25), part(17), part(9), part(1), part(0) << 7 | 0x7e, 0]
}

/// CRC-32 of table sections (Annex A).
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(length: usize) -> AccessUnit {
        AccessUnit {
            pts: (1 << 33) - 1,
            dts: 90_000,
            is_key: true,
            data: vec![0xab; length],
        }
    }

    #[test]
    fn a_program_association_table_has_the_checksum_that_ffmpeg_writes() {
        let mut writer = Writer::default();
        writer.tables(&[(H264, 0x100)]);
        let bytes = writer.take();
        // ffmpeg 5.1: the PAT in `ffmpeg -f lavfi -i testsrc2 -frames:v 1 -f mpegts -`.
        assert_eq!(
            bytes[4..21],
            [
                0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0x2a, 0xb1, 0x04, 0xb2
            ]
        );
        assert_eq!(bytes.len(), 2 * PACKET);
    }

    #[test]
    fn every_length_fills_whole_packets_and_counters_go_on() {
        for length in 1..600 {
            let mut writer = Writer::default();
            writer.write_video(0x100, &unit(length), Some(45_000));
            writer.clock(0x100, 54_000);
            writer.write_video(0x100, &unit(length), None);
            let bytes = writer.take();
            assert!(bytes.len().is_multiple_of(PACKET), "{length}");
            let (mut expected, mut data) = (0, 0);
            for packet in bytes.chunks(PACKET) {
                assert_eq!(packet[0], 0x47, "{length}");
                if packet[3] & 0x10 != 0 {
                    let field = if packet[3] & 0x20 != 0 { 5 } else { 4 };
                    data += packet[field..].iter().filter(|byte| **byte == 0xab).count();
                    assert_eq!(packet[3] & 0x0f, expected, "{length}");
                    expected = (expected + 1) & 0x0f;
                } else {
                    assert_eq!(packet[3] & 0x0f, (expected + 15) & 0x0f, "{length}");
                }
            }
            assert_eq!(data, 2 * length);
        }
    }

    #[test]
    fn a_timestamp_is_33_bits_with_markers_between() {
        assert_eq!(encode_timestamp(2, 0), [0x21, 0, 1, 0, 1]);
        assert_eq!(
            encode_timestamp(2, (1 << 33) - 1),
            [0x2f, 0xff, 0xff, 0xff, 0xff]
        );
        assert_eq!(encode_timestamp(1, 1 << 33 | 1), [0x11, 0, 1, 0, 3]);
        assert_eq!(encode_pcr(1), [0, 0, 0, 0, 0xfe, 0]);
        assert_eq!(encode_pcr(1 << 32), [0x80, 0, 0, 0, 0x7e, 0]);
    }
}
