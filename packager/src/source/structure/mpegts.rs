//! MPEG-2 Transport Streams: scrambling (ISO/IEC 13818-1 §2.4.3.2).

use std::io::{Read, Result, Seek};

use super::Window;

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Packets that are looked into.
const PACKETS: usize = 4_000;

/// Returns true if most packets are scrambled.
pub(super) fn is_scrambled(file: &mut Window<'_, impl Read + Seek>) -> Result<bool> {
    let bytes = file.bytes(0, PACKET * PACKETS)?;
    let packets = bytes.chunks_exact(PACKET);
    let count = packets.len();
    // `01` is reserved, and appears in damaged packets.
    let scrambled = packets.filter(|packet| packet[0] == SYNC && packet[3] & 0x80 != 0);
    Ok(scrambled.count() * 2 > count)
}

#[cfg(test)]
mod tests {
    use super::super::Structure;
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_stream_is_scrambled_if_most_packets_are() -> Result<()> {
        for (clear, scrambled, expected) in [(3, 4, true), (4, 3, false), (0, 0, false)] {
            let packet = |control| {
                let mut packet = vec![0; PACKET];
                (packet[0], packet[3]) = (SYNC, control);
                packet
            };
            let bytes = [packet(0x10).repeat(clear), packet(0x90).repeat(scrambled)].concat();
            let read = Structure::read(&mut Cursor::new(bytes), "mpegts")?;
            assert_eq!(read.is_encrypted, expected);
        }
        Ok(())
    }
}
