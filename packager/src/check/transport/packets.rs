//! Packets of 188 bytes, their tables, and their PES packets (ISO/IEC 13818-1 §2.4.3, §2.4.4).

use crate::mpegts::muxer::crc;

pub(super) const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Last PID of tables (EN 300 468 §5.1.3).
const LAST_TABLE_PID: u16 = 0x1f;
const NULL_PID: u16 = 0x1fff;
/// Maximum number of streams in a lecture's program.
const MOST_STREAMS: usize = 32;

/// The PAT, and the PMT of its first program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TsTables {
    pub(super) programs: usize,
    /// PID of the program clock.
    pub(super) clock: Option<u16>,
    pub(super) streams: Vec<TsStream>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct TsStream {
    pub(super) kind: u8,
    pub(super) pid: u16,
}

impl TsTables {
    /// Reads packets of 188 bytes, with the PAT and a PMT before any media (RFC 8216bis §3.1.1).
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(PACKET) {
            return Err(format!("its {} bytes are no whole packets", bytes.len()));
        }
        let packets = bytes.chunks_exact(PACKET);
        if let Some(at) = packets.clone().position(|packet| packet[0] != SYNC) {
            return Err(format!("packet {at} does not start with 0x47"));
        }
        // Tables of the service may precede or separate them: ffmpeg writes the SDT first.
        let is_service = |packet: &&[u8]| (1..=LAST_TABLE_PID).contains(&pid(packet));
        let mut all = packets.clone().filter(|packet| !is_service(packet));
        let table = match all.next() {
            Some(pat) if pid(pat) == 0 => section(packets.clone(), 0),
            _ => return Err("it has no PAT before its media".to_owned()),
        };
        let pat = programs(&table.bytes);
        // Packets that begin no section continue the PAT.
        let next = all.map(pid).find(|pid| *pid != 0);
        if next.is_none_or(|next| !pat.contains(&next)) {
            return Err("it has no PMT of its PAT before its media".to_owned());
        }
        let pmt = next.map_or_else(TableSection::default, |pid| section(packets.clone(), pid));
        let streams = streams(&pmt.bytes).ok_or("its PMT cannot be read")?;
        for (table, name) in [(&table, "PAT"), (&pmt, "PMT")] {
            if !table.is_sound {
                return Err(format!("the checksum of its {name} is wrong"));
            }
        }
        if let Some((at, why)) = packets
            .enumerate()
            .find_map(|(at, one)| Some((at, fault(one)?)))
        {
            return Err(format!("packet {at} {why}"));
        }
        Ok(Self {
            programs: pat.len(),
            clock: pmt
                .bytes
                .get(8..10)
                .map(|pid| u16::from_be_bytes([pid[0], pid[1]]) & 0x1fff),
            streams,
        })
    }
}

/// Fault in the header of a packet (§2.4.3.2, §2.4.3.4).
fn fault(packet: &[u8]) -> Option<&'static str> {
    let (has_adaptation, has_payload) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0);
    let adaptation = usize::from(packet[4]);
    // An adaptation field without a payload fills the packet.
    let is_fitting = match (has_adaptation, has_payload) {
        (true, true) => adaptation < PACKET - 5,
        (true, false) => adaptation <= PACKET - 5,
        (false, _) => true,
    };
    if packet[1] & 0x80 != 0 {
        Some("is flagged as damaged")
    } else if pid(packet) != NULL_PID && packet[3] & 0xc0 != 0 {
        Some("is scrambled")
    } else if !is_fitting {
        Some("has an adaptation field that leaves it")
    } else {
        None
    }
}

pub(super) fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// The packet has a program clock reference (§2.4.3.5).
pub(super) fn has_clock(packet: &[u8]) -> bool {
    packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0
}

fn is_start(packet: &[u8]) -> bool {
    packet[1] & 0x40 != 0
}

/// Bytes after the header and the adaptation field.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let skipped = match packet[3] >> 4 & 3 {
        1 => 4,
        3 => 5 + usize::from(packet[4]),
        _ => return None,
    };
    packet.get(skipped..).filter(|payload| !payload.is_empty())
}

/// A section of a table without its checksum; empty if none is complete.
#[derive(Debug, Default)]
struct TableSection {
    bytes: Vec<u8>,
    /// The checksum is right.
    is_sound: bool,
}

/// The first section on a PID.
fn section<'a>(packets: impl Iterator<Item = &'a [u8]>, wanted: u16) -> TableSection {
    let mut found: Vec<u8> = vec![];
    let mut has_begun = false;
    for packet in packets.filter(|packet| pid(packet) == wanted) {
        let Some(mut payload) = payload(packet) else {
            continue;
        };
        if is_start(packet) {
            if has_begun {
                break;
            }
            let pointer = 1 + usize::from(payload[0]);
            payload = payload.get(pointer..).unwrap_or_default();
            has_begun = true;
        } else if !has_begun {
            continue;
        }
        found.extend_from_slice(payload);
        if let [_, high, low, ..] = found[..] {
            let length = 3 + (usize::from(high & 0x0f) << 8 | usize::from(low));
            if found.len() >= length {
                found.truncate(length);
                let is_sound = crc(&found) == 0;
                found.truncate(length.saturating_sub(4));
                return TableSection {
                    bytes: found,
                    is_sound,
                };
            }
        }
    }
    TableSection::default()
}

/// PIDs of the PMTs in a PAT.
fn programs(pat: &[u8]) -> Vec<u16> {
    pat.get(8..)
        .unwrap_or_default()
        .chunks_exact(4)
        .filter(|entry| entry[..2] != [0, 0])
        .map(|entry| u16::from_be_bytes([entry[2], entry[3]]) & 0x1fff)
        .collect()
}

fn streams(pmt: &[u8]) -> Option<Vec<TsStream>> {
    let length = |at: usize| {
        let [high, low] = [*pmt.get(at)?, *pmt.get(at + 1)?];
        Some(usize::from(high & 0x0f) << 8 | usize::from(low))
    };
    if pmt.first() != Some(&2) {
        return None;
    }
    let mut at = 12 + length(10)?;
    let mut found = vec![];
    while at < pmt.len() && found.len() < MOST_STREAMS {
        found.push(TsStream {
            kind: pmt[at],
            pid: u16::from_be_bytes([*pmt.get(at + 1)?, *pmt.get(at + 2)?]) & 0x1fff,
        });
        at += 5 + length(at + 3)?;
    }
    Some(found)
}

/// Continuity counters of each PID (§2.4.3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// A PID with its first and its last counter.
    each: Vec<(u16, u8, u8)>,
    /// The first counter that does not continue the previous one.
    pub(crate) jump: Option<String>,
}

impl Counters {
    pub(super) fn count(&mut self, packet: &[u8]) {
        let pid = pid(packet);
        // Packets without a payload do not count.
        if pid == NULL_PID || packet[3] & 0x10 == 0 {
            return;
        }
        let counter = packet[3] & 0x0f;
        // The discontinuity indicator permits a jump.
        let is_signaled = packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x80 != 0;
        if let Some((_, _, last)) = self.each.iter_mut().find(|(known, ..)| *known == pid) {
            // A packet may be sent twice.
            let is_next = counter == (*last + 1) & 0x0f || counter == *last;
            if !is_next && !is_signaled && self.jump.is_none() {
                self.jump = Some(jump(pid, *last, counter));
            }
            *last = counter;
        } else if self.each.len() < MOST_STREAMS {
            self.each.push((pid, counter, counter));
        }
    }

    /// First counter that the next segment does not continue.
    pub(crate) fn jump_to(&self, next: &Self) -> Option<String> {
        self.each.iter().find_map(|(pid, _, last)| {
            let (_, first, _) = next.each.iter().find(|(other, ..)| other == pid)?;
            let is_next = *first == (*last + 1) & 0x0f;
            (!is_next).then(|| jump(*pid, *last, *first))
        })
    }
}

fn jump(pid: u16, from: u8, to: u8) -> String {
    format!("on PID 0x{pid:x} counter {to} follows {from}")
}

/// Assembles PES packets one at a time.
#[derive(Debug, Default)]
pub(super) struct Pes {
    bytes: Vec<u8>,
    has_begun: bool,
    /// The segment begins within a PES packet.
    pub(super) is_cut_in: bool,
}

impl Pes {
    pub(super) fn push(&mut self, packet: &[u8], whole: impl FnMut(&[u8])) {
        let Some(payload) = payload(packet) else {
            return;
        };
        if is_start(packet) {
            self.finish(whole);
            self.has_begun = true;
        } else if !self.has_begun {
            self.is_cut_in = true;
            return;
        }
        self.bytes.extend_from_slice(payload);
    }

    pub(super) fn finish(&mut self, mut whole: impl FnMut(&[u8])) {
        if !self.bytes.is_empty() {
            whole(&self.bytes);
        }
        self.bytes.clear();
    }
}

/// The header of a PES packet (§2.4.3.6), and the bytes after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PesPayload<'bytes> {
    pub(super) pts: Option<u64>,
    pub(super) dts: Option<u64>,
    pub(super) data: &'bytes [u8],
    /// The packet declares more bytes than it has.
    pub(super) is_cut: bool,
}

pub(super) fn unpack(pes: &[u8]) -> Option<PesPayload<'_>> {
    let [0, 0, 1, _, high, low, _, flags, length, ..] = *pes else {
        return None;
    };
    let declared = match u16::from_be_bytes([high, low]) {
        0 => Some(pes),
        length => pes.get(..6 + usize::from(length)),
    };
    let whole = declared.unwrap_or(pes);
    let stamp = |at: usize| -> Option<u64> {
        let five: [u8; 5] = pes.get(at..at + 5)?.try_into().ok()?;
        let [a, b, c, d, e] = five.map(u64::from);
        Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
    };
    let pts = (flags & 0x80 != 0).then(|| stamp(9)).flatten();
    Some(PesPayload {
        pts,
        dts: (flags & 0xc0 == 0xc0).then(|| stamp(14)).flatten().or(pts),
        data: whole.get(9 + usize::from(length)..)?,
        is_cut: declared.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mpegts::testing::TsBuilder as Made;

    #[test]
    fn a_transport_stream_is_packets_that_begin_with_its_tables() {
        let good = Made::new().bytes();
        assert_eq!(good.len(), 2 * PACKET);
        assert!(TsTables::read(&good).is_ok_and(|tables| tables.streams.len() == 2));
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        for (bytes, expected) in [
            (good[..300].to_vec(), "its 300 bytes are no whole packets"),
            (vec![], "its 0 bytes are no whole packets"),
            (with(PACKET, 0), "packet 1 does not start with 0x47"),
            (with(2, 0x20), "it has no PAT before its media"),
            (
                with(PACKET + 2, 1),
                "it has no PMT of its PAT before its media",
            ),
            (
                good[..PACKET].to_vec(),
                "it has no PMT of its PAT before its media",
            ),
            (with(4, 255), "it has no PMT of its PAT before its media"),
            (with(PACKET + 5, 1), "its PMT cannot be read"),
            (with(9, 9), "the checksum of its PAT is wrong"),
            (with(PACKET + 8, 9), "the checksum of its PMT is wrong"),
            (
                with(PACKET + 1, 0xc1),
                "it has no PMT of its PAT before its media",
            ),
        ] {
            assert_eq!(TsTables::read(&bytes), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_pes_packet_says_when_it_plays() {
        let header = [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10];
        let stamps = [0x31, 0, 0x01, 0, 0x03, 0x11, 0, 0x01, 0, 0x01];
        let pes = [&header[..], &stamps, b"data"].concat();
        let expected = PesPayload {
            pts: Some(1),
            dts: Some(0),
            data: b"data",
            is_cut: false,
        };
        assert_eq!(unpack(&pes), Some(expected));
        assert_eq!(unpack(&pes[..18]), None);
        assert_eq!(unpack(b"\0\0\x02"), None);
    }

    #[test]
    fn counters_go_on_from_one_segment_to_the_next() {
        let counted = |counters: &[u8]| {
            let mut found = Counters::default();
            for counter in counters {
                let mut packet = [0xff; PACKET];
                packet[..4].copy_from_slice(&[SYNC, 1, 0, 0x10 | counter]);
                found.count(&packet);
            }
            found
        };
        let first = counted(&[14, 15, 0, 0, 1]);
        assert_eq!(first.jump, None);
        assert_eq!(first.jump_to(&counted(&[2, 3])), None);
        assert_eq!(
            first.jump_to(&counted(&[0])).as_deref(),
            Some("on PID 0x100 counter 0 follows 1")
        );
        assert_eq!(
            counted(&[1, 3]).jump.as_deref(),
            Some("on PID 0x100 counter 3 follows 1")
        );
    }
}
