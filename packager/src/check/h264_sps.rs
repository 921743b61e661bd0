//! Reads profile, level and size from an H.264 sequence parameter set (ITU-T H.264 §7.3.2.1.1) of
//! untrusted bytes. Pure.

use h264_reader::nal::sps::{SeqParameterSet, SpsError};
use h264_reader::rbsp::{BitReader, decode_nal};

/// RFC 6381 §3.3: `avc1.64001f`.
pub(crate) fn codec(sps: &[u8]) -> Option<String> {
    let [profile, constraints, level] = sps.get(1..4)?.try_into().ok()?;
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// Display width and height.
pub(crate) fn size(sps: &[u8]) -> Option<(u32, u32)> {
    parse(sps)?.pixel_dimensions().ok()
}

/// The bits are no set. A set beyond the limits of its level is one.
pub(crate) fn is_damaged(sps: &[u8]) -> bool {
    let Some(payload) = sps.get(3).and_then(|_| decode_nal(sps).ok()) else {
        return true;
    };
    let parsed = SeqParameterSet::from_bits(BitReader::new(&payload[..]));
    parsed.is_err_and(|error| {
        let is_limit = matches!(
            error,
            SpsError::FieldValueTooLarge { .. } | SpsError::FieldValueTooSmall { .. }
        );
        !is_limit
    })
}

/// Transfer characteristics, if the set declares them (§E.2.1).
pub(crate) fn transfer(sps: &[u8]) -> Option<u16> {
    let signal = parse(sps)?.vui_parameters?.video_signal_type?;
    let colour = signal.colour_description?;
    Some(colour.transfer_characteristics.into())
}

fn parse(sps: &[u8]) -> Option<SeqParameterSet> {
    // The parser requires a header and more.
    sps.get(3)?;
    // Removes the header and the emulation prevention bytes (§7.4.1).
    let payload = decode_nal(sps).ok()?;
    SeqParameterSet::from_bits(BitReader::new(&payload[..])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_are_those_that_x264_was_asked_for() {
        for (hex, codec_, size_) in [
            (
                "67640028acd940780227e5c044000003000400000300c83c60c658",
                "avc1.640028",
                (1920, 1080),
            ),
            (
                "6764001eacd940d83de6f011000003000100000300320f162d96",
                "avc1.64001e",
                (854, 480),
            ),
            (
                "6742c00cd901013b011000000300100000030320f142a480",
                "avc1.42c00c",
                (256, 144),
            ),
            (
                "674d4015eca0d8ff2780880000030008000003019078b16cb0",
                "avc1.4d4015",
                (426, 240),
            ),
            // 4:4:4, whose chroma is cropped by single samples.
            (
                "67f4001f919b280841ef13e022000003000200000300641e30632c",
                "avc1.f4001f",
                (1048, 480),
            ),
            // Interlaced.
            (
                "6764001eacd940b424d8088000000300800000190f8a14cb",
                "avc1.64001e",
                (720, 576),
            ),
        ] {
            let sps = bytes(hex);
            assert_eq!(codec(&sps).as_deref(), Some(codec_), "{hex}");
            assert_eq!(size(&sps), Some(size_), "{hex}");
        }
    }

    #[test]
    fn a_set_beyond_its_level_is_not_damaged() {
        // 1280x720 at level 3, and zeros behind the profile.
        let beyond = bytes("6764001eacb402802dfe80");
        assert_eq!((size(&beyond), is_damaged(&beyond)), (None, false));
        assert!(is_damaged(&bytes("6764001e00000000000000")));
        assert!(!is_damaged(&bytes(
            "6764001eacd940d83de6f011000003000100000300320f162d96"
        )));
    }

    #[test]
    fn a_damaged_set_has_some_size_or_none_and_never_a_panic() {
        let good = bytes("67640028acd940780227e5c044000003000400000300c83c60c658");
        for at in 0..good.len() {
            let _ = size(&good[..at]);
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = (size(&bad), codec(&bad), is_damaged(&bad));
            }
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
            .collect()
    }
}
