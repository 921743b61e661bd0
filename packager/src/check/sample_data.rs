//! Bytes of samples, by the framing of their codec: NAL units, OBUs, AAC frames. Pure.

use mp4_atom::{Avcc, Codec, Hvcc};

/// Zero bytes that may follow a NAL unit in its sample.
const MOST_PADDING: usize = 8;
/// Maximum NAL units and OBUs of a sample; the rest is not examined.
const MOST_UNITS: usize = 10_000;

/// Framing of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Avc {
        length_size: u8,
    },
    Hevc {
        length_size: u8,
    },
    Av1,
    /// AAC without a header (ISO/IEC 14496-3, `raw_data_block`).
    Aac,
    /// Frames that begin with these bits.
    Sync([u8; 2]),
    /// Frames without a mark.
    Plain,
}

/// Framing of a codec; `None` if its samples cannot be examined, encrypted ones included.
pub(crate) fn coding(entry: &Codec) -> Option<Coding> {
    let avc = |avcc: &Avcc| Coding::Avc {
        length_size: avcc.length_size,
    };
    let hevc = |hvcc: &Hvcc| Coding::Hevc {
        length_size: (hvcc.length_size_minus_one & 3) + 1,
    };
    match entry {
        Codec::Avc1(entry) => Some(avc(&entry.avcc)),
        Codec::Avc3(entry) => Some(avc(&entry.avcc)),
        Codec::Hvc1(entry) => Some(hevc(&entry.hvcc)),
        Codec::Hev1(entry) => Some(hevc(&entry.hvcc)),
        Codec::Av01(_) => Some(Coding::Av1),
        Codec::Mp4a(entry) => {
            let config = entry.esds.es_desc.dec_config.dec_specific.as_ref();
            match config.map(|config| config.profile) {
                // LC, SBR and PS share the frame; xHE-AAC has another.
                Some(2 | 5 | 29) => Some(Coding::Aac),
                _ => Some(Coding::Plain),
            }
        }
        Codec::Ac3(_) | Codec::Eac3(_) => Some(Coding::Sync([0x0b, 0x77])),
        Codec::Flac(_) => Some(Coding::Sync([0xff, 0xf8])),
        Codec::Opus(_) | Codec::Mp3(_) | Codec::Wvtt(_) => Some(Coding::Plain),
        _ => None,
    }
}

impl Coding {
    /// The codec has random access points that its bytes show.
    pub(crate) fn is_video(self) -> bool {
        matches!(self, Self::Avc { .. } | Self::Hevc { .. } | Self::Av1)
    }

    /// Recognizes an IDR picture by its first slice; `None` without a slice.
    pub(crate) fn is_idr(self, sample: &[u8]) -> Option<bool> {
        let length_size = match self {
            Self::Avc { length_size } | Self::Hevc { length_size } => length_size,
            Self::Av1 => return is_key_frame(sample),
            _ => return None,
        };
        // Parameter sets, delimiters and messages precede the first slice; their number is small.
        for unit in units(sample, length_size).take(64) {
            let header = unit.ok()?.first()?;
            match self {
                // Table 7-1: 1 to 4 are slices of other pictures, 5 of an IDR picture.
                Self::Avc { .. } => match header & 0x1f {
                    5 => return Some(true),
                    1..=4 => return Some(false),
                    _ => {}
                },
                // Table 7-1: below 16 are trailing and leading pictures, 16 to 21 random access
                // points.
                _ => match header >> 1 & 0x3f {
                    16..=21 => return Some(true),
                    0..=9 => return Some(false),
                    _ => {}
                },
            }
        }
        None
    }

    /// A reason why the bytes are no sample of the codec.
    pub(crate) fn fault(self, sample: &[u8]) -> Option<&'static str> {
        if sample.is_empty() {
            return Some("it has no bytes");
        }
        if sample.len() > MOST_PADDING && sample.iter().all(|byte| *byte == 0) {
            return Some("all its bytes are 0");
        }
        match self {
            Self::Avc { length_size } => nal_fault(sample, length_size, |header| {
                let [first, ..] = header else { return None };
                (first & 0x80 == 0).then_some((1..=5).contains(&(first & 0x1f)))
            }),
            Self::Hevc { length_size } => nal_fault(sample, length_size, |header| {
                let [first, second, ..] = header else {
                    return None;
                };
                let is_header = first & 0x80 == 0 && second & 7 != 0;
                is_header.then_some(first >> 1 & 0x3f < 32)
            }),
            Self::Av1 => obu_fault(sample),
            Self::Sync([first, second]) => match sample {
                // The last bit of FLAC's mark is the blocking strategy.
                [a, b, ..] if *a == first && b & 0xfe == second & 0xfe => None,
                _ => Some("it does not begin with the mark of its codec"),
            },
            Self::Aac | Self::Plain => None,
        }
    }

    /// The sample does not end as its codec does. A frame of AAC ends with the element `ID_END`
    /// (111) and zeros up to the byte. Random bytes do so too in a quarter of all cases, and some
    /// encoders pad, so a segment is judged as a whole.
    pub(crate) fn is_odd(self, sample: &[u8]) -> bool {
        if self != Self::Aac {
            return false;
        }
        let last = match sample {
            [.., before, last] => u16::from_be_bytes([*before, *last]),
            [last] => (*last).into(),
            [] => return true,
        };
        let zeros = last.trailing_zeros();
        // ID_END as the first element is an empty frame.
        zeros > 7 || last >> zeros & 7 != 7 || sample[0] >> 5 == 7
    }
}

/// NAL units with lengths before them; an error ends them.
fn units(sample: &[u8], length_size: u8) -> impl Iterator<Item = Result<&[u8], ()>> {
    let mut rest = sample;
    std::iter::from_fn(move || {
        let all = std::mem::take(&mut rest);
        if all.is_empty() {
            return None;
        }
        let Some((length, after)) = all.split_at_checked(length_size.into()) else {
            return Some(Err(()));
        };
        let length = length
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some((unit, after)) = after.split_at_checked(length) else {
            return Some(Err(()));
        };
        rest = after;
        Some(Ok(unit))
    })
}

/// Fault of NAL units. `is_slice` reads a header, and is `None` for bytes that are none.
fn nal_fault(
    sample: &[u8],
    length_size: u8,
    is_slice: impl Fn(&[u8]) -> Option<bool>,
) -> Option<&'static str> {
    let mut has_slice = false;
    for unit in units(sample, length_size).take(MOST_UNITS) {
        let Ok(unit) = unit else {
            return Some("the lengths of its NAL units miss its end");
        };
        if unit.is_empty() {
            continue;
        }
        let Some(is_slice) = is_slice(unit) else {
            return Some("a NAL unit has no valid header");
        };
        has_slice |= is_slice;
        if has_start_code(unit) {
            return Some("a NAL unit contains bytes that encoders escape");
        }
    }
    (!has_slice).then_some("it has no slice")
}

/// ITU-T H.264 and H.265 §7.4.1: `00 00 00`, `00 00 01` and `00 00 02` never occur in a NAL unit.
fn has_start_code(unit: &[u8]) -> bool {
    let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
    let end = if zeros <= MOST_PADDING {
        unit.len() - zeros
    } else {
        unit.len()
    };
    let unit = &unit[..end];
    let mut at = 2;
    while let Some(byte) = unit.get(at) {
        match byte {
            // No code ends here or begins in the two before.
            3.. => at += 3,
            _ if unit[at - 2..at] == [0, 0] => return true,
            _ => at += 1,
        }
    }
    false
}

/// An Open Bitstream Unit: its type, and its bytes after the header.
type Obu<'sample> = (u8, &'sample [u8]);

/// Open Bitstream Units (AV1 §5.3); an error ends them.
fn obus(sample: &[u8]) -> impl Iterator<Item = Result<Obu<'_>, ()>> {
    let mut rest = sample;
    std::iter::from_fn(move || {
        let all = std::mem::take(&mut rest);
        let [header, after @ ..] = all else {
            return None;
        };
        let (is_forbidden, kind) = (header & 0x81 != 0, header >> 3 & 0x0f);
        let (has_extension, has_size) = (header & 4 != 0, header & 2 != 0);
        let after = after.get(usize::from(has_extension)..);
        let (Some(after), false) = (after, is_forbidden) else {
            return Some(Err(()));
        };
        if !has_size {
            return Some(Ok((kind, after)));
        }
        let Some((size, length)) = leb128(after) else {
            return Some(Err(()));
        };
        let body = after[length..].split_at_checked(size);
        Some(match body {
            Some((body, next)) => {
                rest = next;
                Ok((kind, body))
            }
            None => Err(()),
        })
    })
}

/// A number, and its bytes (AV1 §4.10.5).
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        value |= usize::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

const FRAME_HEADER: u8 = 3;
const TILE_GROUP: u8 = 4;
const FRAME: u8 = 6;
/// Maximum zero bytes in a row: a coder writes that many by chance once in 2^500 bytes.
const MOST_ZEROS: usize = 64;

fn obu_fault(sample: &[u8]) -> Option<&'static str> {
    let mut has_frame = false;
    for obu in obus(sample).take(MOST_UNITS) {
        match obu {
            Ok((kind, body)) => {
                has_frame |= matches!(kind, FRAME_HEADER | FRAME) && !body.is_empty();
                let is_coded = matches!(kind, TILE_GROUP | FRAME);
                if is_coded
                    && body
                        .split(|byte| *byte != 0)
                        .any(|run| run.len() > MOST_ZEROS)
                {
                    return Some("a frame has more zeros than arithmetic coding writes");
                }
            }
            Err(()) => return Some("its OBUs cannot be read"),
        }
    }
    (!has_frame).then_some("it has no frame")
}

/// AV1 §5.9.2: a shown key frame has `show_existing_frame` 0 and `frame_type` 0.
fn is_key_frame(sample: &[u8]) -> Option<bool> {
    let mut all = obus(sample).take(MOST_UNITS).map_while(Result::ok);
    let (_, body) = all.find(|(kind, _)| matches!(*kind, FRAME_HEADER | FRAME))?;
    Some(body.first()? & 0xe0 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVC: Coding = Coding::Avc { length_size: 4 };
    const HEVC: Coding = Coding::Hevc { length_size: 2 };

    #[test]
    fn an_idr_picture_is_recognized_by_its_first_slice() {
        for (coding, sample, expected) in [
            (AVC, &b"\0\0\0\x01\x09\0\0\0\x02\x65\xff"[..], Some(true)),
            (AVC, b"\0\0\0\x01\x41", Some(false)),
            (AVC, b"\0\0\0\x01\x06", None),
            (AVC, b"\xff\xff\xff\xff\x65", None),
            (AVC, b"", None),
            (HEVC, b"\0\x02\x26\x01", Some(true)),
            (HEVC, b"\0\x02\x02\x01", Some(false)),
            (Coding::Av1, b"\x12\0\x32\x01\x10", Some(true)),
            (Coding::Av1, b"\x12\0\x32\x01\x30", Some(false)),
            (Coding::Av1, b"\x12\0", None),
        ] {
            assert_eq!(coding.is_idr(sample), expected, "{sample:?}");
        }
    }

    #[test]
    fn bytes_of_something_else_are_no_sample() {
        let escaped = "a NAL unit contains bytes that encoders escape";
        let unread = "its OBUs cannot be read";
        for (coding, sample, expected) in [
            (AVC, &b"\0\0\0\x02\x65\xff"[..], None),
            (AVC, b"\0\0\0\x06\x65\0\0\x03\0\0", None),
            (AVC, b"", Some("it has no bytes")),
            (AVC, &[0; 100], Some("all its bytes are 0")),
            (
                AVC,
                b"\0\0\0\x09\x65\xff",
                Some("the lengths of its NAL units miss its end"),
            ),
            (
                AVC,
                b"\0\0\0\x01\x65\xff",
                Some("the lengths of its NAL units miss its end"),
            ),
            (
                AVC,
                b"\0\0\0\x01\xe5",
                Some("a NAL unit has no valid header"),
            ),
            (AVC, b"\0\0\0\x01\x09", Some("it has no slice")),
            (AVC, b"\0\0\0\x05\x65\0\0\0\x01", Some(escaped)),
            (HEVC, b"\0\x02\x26\x01", None),
            (
                HEVC,
                b"\0\x02\x26\0",
                Some("a NAL unit has no valid header"),
            ),
            (HEVC, b"\0\x06\x26\x01\0\0\x02\x01", Some(escaped)),
            (Coding::Av1, b"\x12\0\x32\x01\x10", None),
            (Coding::Av1, b"\x12\0\x32\x09\x10", Some(unread)),
            (Coding::Av1, b"\x92\0", Some(unread)),
            (Coding::Av1, b"\x12\0", Some("it has no frame")),
            (
                Coding::Av1,
                &[&b"\x32\x51\x10"[..], &[0; 80]].concat(),
                Some("a frame has more zeros than arithmetic coding writes"),
            ),
            (Coding::Sync([0x0b, 0x77]), b"\x0b\x77\x01", None),
            (
                Coding::Sync([0x0b, 0x77]),
                b"\x0b\x07\x01",
                Some("it does not begin with the mark of its codec"),
            ),
        ] {
            assert_eq!(coding.fault(sample), expected, "{coding:?} {sample:?}");
        }
    }

    #[test]
    fn a_frame_of_aac_ends_with_its_last_element() {
        for (sample, is_odd) in [
            (&b"\x21\x07"[..], false),
            (b"\x21\x03\x80", false),
            (b"\x21\xe0", false),
            (b"\x21\x05", true),
            (b"\x21\x07\0\0", true),
            (b"\xe7\x07", true),
            (b"", true),
        ] {
            assert_eq!(Coding::Aac.is_odd(sample), is_odd, "{sample:?}");
        }
    }
}
