//! Moves fragments to their time in the lecture (ISO/IEC 14496-12), because ffmpeg writes each
//! chunk as if it were the first. Every other byte stays.

use std::ops::Range;

use super::BoxError;
use crate::box_walk::{FoundBox, walk};

/// Adds to the time of each fragment (`tfdt` §8.8.12, `sidx` §8.16.3) and to its number (`mfhd`
/// §8.8.5).
pub(crate) fn retime(bytes: &mut [u8], ticks: u64, fragments: u64) -> Result<(), BoxError> {
    for FoundBox { kind, body, .. } in children(bytes, 0..bytes.len())? {
        match &kind {
            b"sidx" => {
                // Version, flags, reference id and timescale precede the time.
                add(bytes, &body, 12, ticks)?;
            }
            b"moof" => {
                for FoundBox { kind, body, .. } in children(bytes, body)? {
                    match &kind {
                        b"mfhd" => add_u32(bytes, body.start + 4, fragments)?,
                        b"traf" => {
                            for FoundBox { kind, body, .. } in children(bytes, body)? {
                                if &kind == b"tfdt" {
                                    add(bytes, &body, 4, ticks)?;
                                }
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Adds to a number at an offset in a box: 64 bits, or 32 in version 0.
fn add(bytes: &mut [u8], body: &Range<usize>, at: usize, ticks: u64) -> Result<(), BoxError> {
    if *bytes.get(body.start).ok_or_else(cut_short)? == 0 {
        return add_u32(bytes, body.start + at, ticks);
    }
    let at = body.start + at;
    let field = bytes.get_mut(at..at + 8).ok_or_else(cut_short)?;
    let number = u64::from_be_bytes(field.try_into().map_err(|_| cut_short())?);
    let sum = number.checked_add(ticks).ok_or_else(cut_short)?;
    field.copy_from_slice(&sum.to_be_bytes());
    Ok(())
}

fn add_u32(bytes: &mut [u8], at: usize, more: u64) -> Result<(), BoxError> {
    let field = bytes.get_mut(at..at + 4).ok_or_else(cut_short)?;
    let number = u32::from_be_bytes(field.try_into().map_err(|_| cut_short())?);
    let sum = u64::from(number).checked_add(more);
    let sum = sum.and_then(|sum| u32::try_from(sum).ok());
    field.copy_from_slice(&sum.ok_or_else(cut_short)?.to_be_bytes());
    Ok(())
}

/// Child boxes of a range.
fn children(bytes: &[u8], within: Range<usize>) -> Result<Vec<FoundBox>, BoxError> {
    let found = walk(bytes, within).map(|found| match found {
        Ok(found) if !found.is_cut => Ok(found),
        _ => Err(cut_short()),
    });
    found.collect()
}

fn cut_short() -> BoxError {
    BoxError::from(mp4_atom::Error::OutOfBounds)
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Atom as _, Encode as _, Moof, Sidx};

    use super::*;
    use crate::mp4::boxes;
    use crate::mp4::testing::segment;

    fn sidx(start: u64) -> Vec<u8> {
        let mut bytes = vec![];
        Sidx {
            reference_id: 1,
            timescale: 1000,
            earliest_presentation_time: start,
            first_offset: 0,
            references: vec![],
        }
        .encode(&mut bytes)
        .expect("it encodes");
        bytes
    }

    #[test]
    fn a_fragment_is_moved_in_time_and_number_and_nothing_else_changes() {
        let whole = |start| [sidx(start), segment(start, &[40, 40])].concat();
        // mp4-atom writes 32-bit times if they fit, and ffmpeg writes 64-bit times.
        for (start, ticks) in [(0, 7), (1 << 33, 1 << 40)] {
            let mut bytes = whole(start);
            retime(&mut bytes, ticks, 41).expect("it is moved");
            let moved = start + ticks;
            let mut kinds = vec![];
            for (header, mut body) in boxes(&bytes).expect("boxes") {
                kinds.push(header.kind.to_string());
                match header.kind {
                    Sidx::KIND => {
                        let sidx = Sidx::decode_body(&mut body).expect("an index");
                        assert_eq!(sidx.earliest_presentation_time, moved);
                    }
                    Moof::KIND => {
                        let moof = Moof::decode_body(&mut body).expect("a fragment");
                        assert_eq!(moof.mfhd.sequence_number, 42);
                        let tfdt = moof.traf[0].tfdt.as_ref().expect("a time");
                        assert_eq!(tfdt.base_media_decode_time, moved);
                    }
                    _ => {}
                }
            }
            assert_eq!(kinds, ["sidx", "styp", "moof", "mdat"]);
            let differing = bytes.iter().zip(whole(start)).filter(|(a, b)| **a != *b);
            assert!(differing.count() <= 2 * 8 + 4);
        }
    }

    #[test]
    fn what_is_cut_short_or_would_overflow_is_an_error_and_never_a_panic() {
        let whole = [sidx(0), segment(0, &[40])].concat();
        for end in 0..whole.len() {
            let _ = retime(&mut whole[..end].to_vec(), 1, 1);
        }
        assert!(retime(&mut whole.clone(), 0, u64::from(u32::MAX)).is_err());
        for bytes in [&b"\0\0\0\x04moof"[..], b"\xff\xff\xff\xffmoof", b"\0\0"] {
            assert!(retime(&mut bytes.to_vec(), 1, 1).is_err(), "{bytes:?}");
        }
    }
}
