//! ASF and WMV: the size of the file, and encryption.

use std::io::{Read, Result, Seek};

use super::{Structure, Window, little_endian};

const HEADER: [u8; 16] = *b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C";
const FILE: [u8; 16] = *b"\xA1\xDC\xAB\x8C\x47\xA9\xCF\x11\x8E\xE4\x00\xC0\x0C\x20\x53\x65";
const ENCRYPTION: [u8; 16] = *b"\xFB\xB3\x11\x22\x23\xBD\xD2\x11\xB4\xB7\x00\xA0\xC9\x55\xFC\x6E";
/// Maximum number of objects in a header.
const MOST_OBJECTS: usize = 1_000;

pub(super) fn read(file: &mut Window<'_, impl Read + Seek>) -> Result<Structure> {
    let mut structure = Structure::default();
    if !file.bytes(0, 16)?.starts_with(&HEADER) {
        return Ok(structure);
    }
    let mut at = 30;
    for _ in 0..MOST_OBJECTS {
        let object = file.bytes(at, 92)?;
        let Some(size) = little_endian(object.get(16..24)).filter(|size| *size >= 24) else {
            break;
        };
        if object.starts_with(&FILE) {
            let is_live = object.get(88).is_none_or(|flags| flags & 1 == 1);
            let declared = little_endian(object.get(40..48)).filter(|size| *size > 0 && !is_live);
            let number = |at: usize| little_endian(object.get(at..at + 8));
            // 100 ns, and a buffer before it in milliseconds.
            let micros = number(64).zip(number(80));
            structure.declared_micros = micros
                .map(|(length, buffer)| (length / 10).saturating_sub(buffer.saturating_mul(1000)))
                .filter(|micros| *micros > 0 && !is_live);
            structure.is_cut_short = declared.map(|size| size > file.length);
        }
        structure.is_encrypted |= object.starts_with(&ENCRYPTION);
        at = u64::saturating_add(at, size);
    }
    Ok(structure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_declared_size_is_compared_with_the_file() -> Result<()> {
        let mut bytes = [&HEADER[..], &[0; 14], &FILE, &104_u64.to_le_bytes()].concat();
        bytes.extend([0; 16]);
        bytes.extend(158_u64.to_le_bytes());
        bytes.resize(134, 0);
        bytes.extend([&ENCRYPTION[..], &24_u64.to_le_bytes()].concat());
        for (length, expected) in [(158, false), (157, true)] {
            let read = Structure::read(&mut Cursor::new(&bytes[..length]), "asf")?;
            assert_eq!(read.is_cut_short, Some(expected));
        }
        assert!(Structure::read(&mut Cursor::new(&bytes), "asf")?.is_encrypted);
        Ok(())
    }
}
