//! Facts about samples from their sample entries: framing of NAL units, number of channels. Pure.

use mp4_atom::{Avcc, Codec, Hvcc};

/// Framing of NAL units in a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Avc { length_size: u8 },
    Hevc { length_size: u8 },
}

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
        _ => None,
    }
}

impl Coding {
    /// Recognizes an IDR picture by its first slice; `None` without a slice.
    pub(crate) fn is_idr(self, sample: &[u8]) -> Option<bool> {
        let (Self::Avc { length_size } | Self::Hevc { length_size }) = self;
        let mut rest = sample;
        // Parameter sets, delimiters and messages precede the first slice; their number is small.
        for _ in 0..64 {
            let (length, after) = rest.split_at_checked(length_size.into())?;
            let length = length
                .iter()
                .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
            let (unit, after) = after.split_at_checked(length)?;
            rest = after;
            let Some(header) = unit.first() else { continue };
            match self {
                // Table 7-1: 1 to 4 are slices of other pictures, 5 of an IDR picture.
                Self::Avc { .. } => match header & 0x1f {
                    5 => return Some(true),
                    1..=4 => return Some(false),
                    _ => {}
                },
                // Table 7-1: below 16 are trailing and leading pictures, 16 to 21 random access
                // points.
                Self::Hevc { .. } => match header >> 1 & 0x3f {
                    16..=21 => return Some(true),
                    0..=9 => return Some(false),
                    _ => {}
                },
            }
        }
        None
    }
}

/// Channels in AAC's own configuration (ISO/IEC 14496-3, Table 1.19).
pub(crate) fn channels(entry: &Codec) -> Option<u16> {
    let Codec::Mp4a(entry) = entry else {
        return None;
    };
    let config = entry.esds.es_desc.dec_config.dec_specific.as_ref()?;
    match config.chan_conf {
        7 => Some(8),
        count @ 1..=6 => Some(count.into()),
        _ => None,
    }
}

/// Compares an element of `CODECS` with a codec. Case does not matter to players. A codec known by
/// its four characters only is compared by these.
pub(crate) fn is_same(listed: &str, found: &str) -> bool {
    let (listed, found) = (listed.to_ascii_lowercase(), found.to_ascii_lowercase());
    if found.contains('.') && !found.starts_with("av01") {
        return listed == found;
    }
    // AV1's optional fields may follow, and those of codecs without a dot here always do.
    listed == found
        || listed
            .strip_prefix(&found)
            .is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idr_picture_is_recognized_by_its_first_slice() {
        let avc = Coding::Avc { length_size: 4 };
        let hevc = Coding::Hevc { length_size: 2 };
        for (coding, sample, expected) in [
            (avc, &b"\0\0\0\x01\x09\0\0\0\x02\x65\xff"[..], Some(true)),
            (avc, b"\0\0\0\x01\x41", Some(false)),
            (avc, b"\0\0\0\x01\x06", None),
            (avc, b"\xff\xff\xff\xff\x65", None),
            (avc, b"", None),
            (hevc, b"\0\x02\x26\x01", Some(true)),
            (hevc, b"\0\x02\x02\x01", Some(false)),
        ] {
            assert_eq!(coding.is_idr(sample), expected, "{sample:?}");
        }
    }

    #[test]
    fn names_are_the_same_whatever_their_case() {
        for (listed, found, expected) in [
            ("avc1.64001F", "avc1.64001f", true),
            ("avc1.640020", "avc1.64001f", false),
            ("vp09.00.10.08", "vp09", true),
            ("Opus", "opus", true),
            ("av01.0.04M.08.0.110", "av01.0.04M.08", true),
            ("mp4a.40.29", "mp4a.40.2", false),
        ] {
            assert_eq!(is_same(listed, found), expected, "{listed} {found}");
        }
    }
}
