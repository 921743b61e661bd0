//! Cleans fragmented MP4 that was stored in parts and joined in one file (ISO/IEC 14496-12). Every
//! part keeps its length, so positions stay right.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::box_walk::BoxHeader;

/// Boxes that describe a part instead of the file: type, index and random access (§8.16.2,
/// §8.16.3, §8.8.9). A recorder may write an index in a clock of its own, which ffmpeg reads in the
/// track's.
const OF_PARTS: [[u8; 4]; 3] = [*b"styp", *b"sidx", *b"mfra"];
/// Maximum boxes that are looked at.
const MOST_BOXES: usize = 20_000_000;

/// Blanks the boxes of parts, and numbers the fragments from 1 (`mfhd` §8.8.5). Running it again
/// changes nothing. Bytes that are no boxes stay as they are.
pub(crate) fn clean(file: &mut (impl Read + Write + Seek)) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut at, mut fragments) = (0_u64, 0_u32);
    for _ in 0..MOST_BOXES {
        if at >= length {
            break;
        }
        let head = read(file, at, BoxHeader::LONGEST as u64)?;
        let Some(header) = BoxHeader::parse(&head, length - at) else {
            break;
        };
        let end = at.checked_add(header.size).filter(|end| *end <= length);
        let Some(end) = end else {
            break;
        };
        if OF_PARTS.contains(&header.kind) {
            write(file, at + 4, b"free")?;
        } else if &header.kind == b"moof" {
            fragments = fragments.saturating_add(1);
            let first = at + header.length;
            let child = read(file, first, BoxHeader::LONGEST as u64)?;
            // Version and flags precede the number, in 16 bytes.
            let is_numbered = BoxHeader::parse(&child, end - first)
                .is_some_and(|child| &child.kind == b"mfhd" && child.size == 16);
            if is_numbered && child[12..] != fragments.to_be_bytes() {
                write(file, first + 12, &fragments.to_be_bytes())?;
            }
        }
        at = end;
    }
    Ok(())
}

fn read(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![];
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(file: &mut (impl Write + Seek), at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use mp4_atom::{Atom as _, Moof};

    use super::*;
    use crate::mp4::boxes;
    use crate::mp4::testing::{init, segment};

    fn cleaned(bytes: &[u8]) -> Vec<u8> {
        let mut file = Cursor::new(bytes.to_vec());
        clean(&mut file).expect("memory");
        file.into_inner()
    }

    #[test]
    fn an_index_of_a_part_is_blanked_and_fragments_are_numbered() {
        let index = b"\0\0\0\x10sidx........";
        let part = [&index[..], &segment(0, &[40])].concat();
        let whole = [&init(1000)[..], &part, &part, b"\0\0\0\x08mfra"].concat();
        let clean = cleaned(&whole);
        let (mut kinds, mut numbers) = (vec![], vec![]);
        for (header, mut body) in boxes(&clean).expect("boxes") {
            kinds.push(header.kind.to_string());
            if header.kind == Moof::KIND {
                let moof = Moof::decode_body(&mut body).expect("a fragment");
                numbers.push(moof.mfhd.sequence_number);
            }
        }
        let part = ["free", "free", "moof", "mdat"];
        let expected = [&["ftyp", "moov"][..], &part, &part, &["free"]].concat();
        assert_eq!(kinds, expected);
        assert_eq!(numbers, [1, 2]);
        assert_eq!(cleaned(&clean), clean);
        assert_eq!(clean.len(), whole.len());
    }

    #[test]
    fn any_bytes_are_walked_without_a_panic_and_keep_their_length() {
        let whole = [init(1000), segment(0, &[40]), segment(40, &[40])].concat();
        for end in 0..whole.len() {
            assert_eq!(cleaned(&whole[..end]).len(), end);
        }
        for bytes in [
            &b"\0\0\0\x08moof"[..],
            b"\0\0\0\x10moof\0\0\0\x08mfhd",
            b"text",
        ] {
            assert_eq!(cleaned(bytes), bytes);
        }
    }
}
