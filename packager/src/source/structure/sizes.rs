//! Sizes that headers of other containers declare, against the size of the file. `None` means that
//! a header declares no size.

use std::io::{Read, Result, Seek};

use super::{Window, big_endian, little_endian};

/// Maximum number of RIFF chunks: those of an AVI (OpenDML), each up to a gigabyte, or of a WAV.
const MOST_CHUNKS: usize = 10_000;
/// Bytes in which the first frame of an MP3 is looked for.
const FIRST_FRAME: usize = 4096;

/// RIFF: AVI and WAV. A recorder that does not finish leaves 0 or about the largest number: SoX
/// writes `0x7ffff024` into a pipe, and arecord `0x7fffff24`.
pub(super) fn riff(file: &mut Window<'_, impl Read + Seek>) -> Result<Option<bool>> {
    let mut at = 0;
    for _ in 0..MOST_CHUNKS {
        let head = file.bytes(at, 8)?;
        if !head.starts_with(b"RIFF") {
            break;
        }
        let size = little_endian(head.get(4..8)).unwrap_or(0);
        if matches!(size, 0 | 0x7FFF_F000..=0x7FFF_FFFF | 0xFFFF_FF00..=0xFFFF_FFFF) {
            return Ok(None);
        }
        let end = at + 8 + size;
        if end > file.length {
            return Ok(Some(true));
        }
        at = end + size % 2;
    }
    Ok((at > 0).then_some(false))
}

/// AVI: microseconds of a frame, and the number of frames, from the main header.
pub(super) fn avi_micros(file: &mut Window<'_, impl Read + Seek>) -> Result<Option<u64>> {
    let header = file.bytes(0, 52)?;
    if header.get(24..28) != Some(b"avih") {
        return Ok(None);
    }
    let (frame, count) = (header.get(32..36), header.get(48..52));
    let micros = little_endian(frame).zip(little_endian(count));
    Ok(micros
        .map(|(frame, count)| frame * count)
        .filter(|micros| *micros > 0))
}

/// WAV: the bytes of its data at its bytes a second.
pub(super) fn wav_micros(file: &mut Window<'_, impl Read + Seek>) -> Result<Option<u64>> {
    let (mut at, mut bytes_a_second) = (12, None);
    for _ in 0..MOST_CHUNKS {
        let chunk = file.bytes(at, 20)?;
        let Some(size) = little_endian(chunk.get(4..8)) else {
            break;
        };
        match chunk.get(..4) {
            Some(b"fmt ") => bytes_a_second = little_endian(chunk.get(16..20)),
            Some(b"data") => {
                let rate = bytes_a_second.filter(|rate| *rate > 0);
                return Ok(rate.map(|rate| size * 1_000_000 / rate));
            }
            _ => {}
        }
        at += 8 + size + size % 2;
    }
    Ok(None)
}

/// FLV: each tag is followed by its size, so the last one is found from the end.
pub(super) fn flv(file: &mut Window<'_, impl Read + Seek>) -> Result<Option<bool>> {
    let last = file.length.saturating_sub(4);
    let size = big_endian(file.bytes(last, 4)?.get(..4)).unwrap_or(0);
    let head = file.bytes(last.saturating_sub(size), 4)?;
    let body = big_endian(head.get(1..4)).unwrap_or(0);
    let is_tag = matches!(head.first().map(|kind| kind & 0x1F), Some(8 | 9 | 18));
    Ok(Some(!(is_tag && body + 11 == size && size <= last)))
}

/// MP3: a Xing or Info frame may have the number of bytes.
pub(super) fn mp3(file: &mut Window<'_, impl Read + Seek>) -> Result<Option<bool>> {
    let tag = file.bytes(0, 10)?;
    let start = match tag.get(..3) {
        Some(b"ID3") => {
            let size = tag.iter().skip(6);
            10 + size.fold(0, |size, byte| (size << 7) | u64::from(byte & 0x7F))
        }
        _ => 0,
    };
    let frame = file.bytes(start, FIRST_FRAME)?;
    let mut windows = frame.windows(4);
    let found = windows.position(|name| name == b"Xing" || name == b"Info");
    let Some(info) = found.and_then(|at| frame.get(at..)) else {
        return Ok(None);
    };
    let flags = big_endian(info.get(4..8)).unwrap_or(0);
    let at = if flags & 1 == 1 { 12 } else { 8 };
    let bytes = big_endian(info.get(at..at + 4)).filter(|bytes| flags & 2 == 2 && *bytes > 0);
    Ok(bytes.map(|bytes| start + bytes > file.length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn is_cut(
        bytes: &[u8],
        read: impl Fn(&mut Window<'_, Cursor<Vec<u8>>>) -> Result<Option<bool>>,
    ) -> Option<bool> {
        let mut file = Cursor::new(bytes.to_vec());
        let mut file = Window::new(&mut file).expect("it is read");
        read(&mut file).expect("it is read")
    }

    #[test]
    fn a_declared_size_is_compared_with_the_file() {
        let riff_of = |size: u32| [&b"RIFF"[..], &size.to_le_bytes(), b"WAVEdata"].concat();
        for (size, expected) in [
            (8, Some(false)),
            (9, Some(true)),
            (0, None),
            (0x7FFF_F024, None),
            (u32::MAX, None),
        ] {
            assert_eq!(is_cut(&riff_of(size), riff), expected, "{size}");
        }
        let wav =
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\x04\0\0\0\0\0\0\0data\x08\0\0\0";
        let mut file = Cursor::new(wav.to_vec());
        let mut file = Window::new(&mut file).expect("it is read");
        let micros = wav_micros(&mut file).expect("it is read");
        assert_eq!(micros, Some(2_000_000));
        let tag = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\0\0\x02\0\0\0\0\0\0\0ab\0\0\0\x0d";
        assert_eq!(is_cut(tag, flv), Some(false));
        assert_eq!(is_cut(&tag[..tag.len() - 1], flv), Some(true));
        let mp3_of = b"\xff\xfb\x90\x64\0\0Info\0\0\0\x03\0\0\0\x01\0\0\0\x18xx";
        assert_eq!(is_cut(mp3_of, mp3), Some(false));
        assert_eq!(is_cut(&mp3_of[..23], mp3), Some(true));
        assert_eq!(is_cut(b"\xff\xfb", mp3), None);
    }
}
