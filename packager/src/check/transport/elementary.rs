//! Access units of H.264 (ITU-T H.264, Annex B) and AAC (ISO/IEC 13818-7, ADTS) in PES packets.

use super::packets::{PesPayload, unpack};
use super::{fragments, since};
use crate::check::fmp4::{self, CLOCK, CheckedTrack, Medium, SegmentSamples};
use crate::check::h264_sps;
use crate::check::sample_data::Coding;

/// §7.4.1, Table 7-1.
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

const NO_PES: &str = "a packet of its streams is no PES packet";
const CUT_PES: &str = "a PES packet is cut short";

/// Video frames of a segment.
#[derive(Debug, Default)]
pub(super) struct ElementaryVideo {
    /// Timestamp of the first frame; the others are stored as differences from it.
    base: Option<u64>,
    shown: Vec<i64>,
    idr: Vec<i64>,
    decoded: Option<i64>,
    is_out_of_order: bool,
    frames: u64,
    starts_with_idr: bool,
    sps: Option<Vec<u8>>,
    /// Sequence and picture parameter sets before the first frame.
    sets: (bool, bool),
    /// The segment begins within a frame.
    pub(super) is_cut_in: bool,
    pub(super) fault: Option<&'static str>,
}

impl ElementaryVideo {
    pub(super) fn add(&mut self, pes: &[u8]) {
        let Some(PesPayload {
            pts,
            dts,
            data,
            is_cut,
        }) = unpack(pes)
        else {
            self.fault.get_or_insert(NO_PES);
            return;
        };
        if is_cut {
            self.fault.get_or_insert(CUT_PES);
        }
        let (mut slice, mut delimiters) = (None, 0);
        let (mut has_sps, mut has_pps) = (false, false);
        for unit in units(data) {
            if unit[0] & 0x80 != 0 {
                self.fault
                    .get_or_insert("a NAL unit of its video has no valid header");
            }
            match unit[0] & 0x1f {
                kind @ (SLICE..=IDR) => slice = slice.or(Some(kind)),
                SPS => {
                    has_sps = true;
                    self.sps.get_or_insert_with(|| unit.to_vec());
                }
                PPS => has_pps = true,
                DELIMITER => delimiters += 1,
                _ => {}
            }
        }
        if pts.is_some() && slice.is_none() {
            self.fault.get_or_insert("a video packet has no slice");
        }
        let is_idr = slice == Some(IDR);
        if self.frames == 0 {
            self.starts_with_idr = is_idr;
            self.sets = (has_sps, has_pps);
        }
        // A packet is one frame, unless it has several or continues one.
        self.frames += match slice {
            Some(_) => delimiters.max(1),
            None => 0,
        };
        let (Some(pts), Some(dts)) = (pts, dts) else {
            return;
        };
        let base = *self.base.get_or_insert(pts);
        let (shown, decoded) = (since(base, pts), since(base, dts));
        self.shown.push(shown);
        if is_idr {
            self.idr.push(shown);
        }
        self.is_out_of_order |= self.decoded.is_some_and(|before| decoded <= before);
        self.decoded = Some(decoded);
    }

    pub(super) fn has_parameter_sets(&self) -> bool {
        self.sets == (true, true)
    }

    pub(super) fn track(&self) -> Option<CheckedTrack> {
        let sps = self.sps.as_ref()?;
        let size = h264_sps::size(sps).unwrap_or_default();
        let mut track = CheckedTrack::of_transport(Medium::Video, h264_sps::codec(sps)?);
        track.sizes = [size, size];
        Some(track)
    }

    pub(super) fn fragments(&self) -> Option<SegmentSamples> {
        let base = self.base?;
        let mut shown = self.shown.clone();
        shown.sort_unstable();
        let (first, last) = (*shown.first()?, *shown.last()?);
        let mut steps = shown.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
        let longest = steps.clone().max().unwrap_or(0);
        // The duration of the last frame is unknown: it is taken from the one before.
        let end = last.saturating_add_unsigned(steps.next_back().unwrap_or(0));
        let mut keys = self.idr.clone();
        keys.sort_unstable();
        let from = std::iter::once(first).chain(keys.iter().copied());
        let to = keys.iter().copied().chain([end]);
        let longest_gap = from.zip(to).map(|(from, to)| to.abs_diff(from)).max();
        let start = base.wrapping_add_signed(first) % fmp4::WRAPS_AT;
        let is_idr = self.starts_with_idr && !self.is_cut_in;
        Some(SegmentSamples {
            starts_with_sync: is_idr,
            starts_with_idr: Some(is_idr),
            longest_gap: longest_gap.unwrap_or(0),
            has_hole: self.is_out_of_order,
            ..fragments(start, end.abs_diff(first), self.frames, longest)
        })
    }
}

/// NAL units between start codes.
fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(data);
    std::iter::from_fn(move || {
        loop {
            let unit = rest?;
            rest = after_start_code(unit);
            let length = rest.map_or(unit.len(), |rest| unit.len() - rest.len() - 3);
            if length > 0 {
                return Some(&unit[..length]);
            }
        }
    })
}

/// Bytes after the next `00 00 01`.
fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    while let Some(byte) = data.get(at) {
        match byte {
            // No code ends here or begins in the two before.
            2.. => at += 3,
            1 if data[at - 2..at] == [0, 0] => return data.get(at + 1..),
            _ => at += 1,
        }
    }
    None
}

/// Audio of a segment.
#[derive(Debug, Default)]
pub(super) struct ElementaryAudio {
    /// Bytes of an incomplete frame.
    rest: Vec<u8>,
    start: Option<u64>,
    frames: u64,
    has_hole: bool,
    header: Option<Adts>,
    /// Frames that do not end as AAC does.
    odd: u64,
    pub(super) fault: Option<&'static str>,
}

/// ADTS header of a frame (ISO/IEC 13818-7 §6.2).
#[derive(Debug, Clone, Copy)]
struct Adts {
    object_type: u8,
    sample_rate: u32,
    channels: u16,
    length: usize,
    /// Bytes of the header.
    header: usize,
}

impl Adts {
    /// Bytes of a header without its checksum.
    const HEADER: usize = 7;

    fn parse(bytes: &[u8]) -> Option<Self> {
        /// ISO/IEC 14496-3, Table 1.18.
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
            8_000, 7_350,
        ];
        let [0xff, b, c, d, e, f, ..] = *bytes else {
            return None;
        };
        let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
        let count = u16::from((c & 1) << 2 | d >> 6);
        (b & 0xf6 == 0xf0 && length >= 7).then_some(Self {
            object_type: (c >> 6) + 1,
            sample_rate: *RATES.get(usize::from(c >> 2 & 0x0f))?,
            channels: if count == 7 { 8 } else { count },
            length,
            header: if b & 1 == 0 { 9 } else { Self::HEADER },
        })
    }

    /// Ticks of a frame, times its sample rate, which keeps sums exact.
    const FRAME: u64 = 1_024 * CLOCK as u64;
}

impl ElementaryAudio {
    pub(super) fn add(&mut self, pes: &[u8]) {
        let Some(PesPayload {
            pts, data, is_cut, ..
        }) = unpack(pes)
        else {
            self.fault.get_or_insert(NO_PES);
            return;
        };
        if is_cut {
            self.fault.get_or_insert(CUT_PES);
        }
        // The timestamp belongs to the first frame that begins in the packet (13818-1 §2.4.3.7).
        let mut due = pts.map(|pts| (pts, self.rest.len()));
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(data);
        let mut at = 0;
        while let Some(frame) = bytes.get(at..).and_then(Adts::parse) {
            if let Some((pts, _)) = due.take_if(|(_, from)| at >= *from) {
                self.check_timestamp(pts);
            }
            if bytes.len() - at < frame.length {
                break;
            }
            self.header.get_or_insert(frame);
            self.frames += 1;
            let payload = bytes.get(at + frame.header..at + frame.length);
            self.odd += u64::from(Coding::Aac.is_odd(payload.unwrap_or_default()));
            at += frame.length;
        }
        bytes.drain(..at);
        let is_lost = bytes.len() >= Adts::HEADER && Adts::parse(&bytes).is_none();
        if is_lost {
            self.fault
                .get_or_insert("its audio has bytes that are no ADTS frame");
            bytes.clear();
        }
        self.rest = bytes;
    }

    /// Records an incomplete frame at the end of the segment.
    pub(super) fn finish(&mut self) {
        if self.odd > self.frames / fmp4::MOST_ODD {
            self.fault
                .get_or_insert("some of its audio frames are damaged");
        }
        if !self.rest.is_empty() {
            self.fault
                .get_or_insert("its last audio frame is cut short");
        }
    }

    /// Compares the timestamp of a frame with its expected time.
    fn check_timestamp(&mut self, pts: u64) {
        let Some(start) = self.start else {
            self.start = Some(pts);
            return;
        };
        let rate = self
            .header
            .map_or(1, |header| u64::from(header.sample_rate));
        let expected = self.frames * Adts::FRAME / rate;
        let apart = since(start, pts).abs_diff(i64::try_from(expected).unwrap_or(0));
        self.has_hole |= apart > Adts::FRAME / rate / 2;
    }

    pub(super) fn track(&self) -> Option<CheckedTrack> {
        let header = self.header?;
        let codec = format!("mp4a.40.{}", header.object_type);
        let mut track = CheckedTrack::of_transport(Medium::Audio, codec);
        track.channels = header.channels;
        track.sample_rate = header.sample_rate;
        Some(track)
    }

    pub(super) fn fragments(&self) -> Option<SegmentSamples> {
        let (start, rate) = (self.start?, u64::from(self.header?.sample_rate));
        let duration = self.frames * Adts::FRAME / rate;
        Some(SegmentSamples {
            has_hole: self.has_hole,
            ..fragments(start, duration, self.frames, Adts::FRAME / rate)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_between_start_codes_of_either_length() {
        let data = b"\0\0\0\x01\x09\xf0\0\0\x01\x67\x01\0\0\0\x01\0\0\x01\x65\x02\x03";
        let found: Vec<&[u8]> = units(data).collect();
        assert_eq!(found, [&b"\x09\xf0"[..], b"\x67\x01\0", b"\x65\x02\x03"]);
        assert_eq!(units(b"no code").count(), 0);
    }
}
