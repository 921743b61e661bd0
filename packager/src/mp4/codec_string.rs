//! Codec strings for `CODECS` (RFC 6381; ISO/IEC 14496-15 Annex E; AV1 in ISO-BMFF §5) from sample
//! entries. Pure.

use mp4_atom::{Av1c, Avcc, Codec, Hvcc};

/// `avc1.64001f`; for an unknown codec, its four characters only.
pub(crate) fn codec_string(entry: &Codec) -> String {
    match entry {
        Codec::Avc1(entry) => avc("avc1", &entry.avcc),
        Codec::Avc3(entry) => avc("avc3", &entry.avcc),
        Codec::Hvc1(entry) => hevc("hvc1", &entry.hvcc),
        Codec::Hev1(entry) => hevc("hev1", &entry.hvcc),
        Codec::Av01(entry) => av1(&entry.av1c),
        Codec::Vp09(_) => "vp09".to_owned(),
        Codec::Vp08(_) => "vp08".to_owned(),
        Codec::Mp4a(entry) => {
            let config = &entry.esds.es_desc.dec_config;
            match &config.dec_specific {
                Some(specific) if config.object_type_indication == 0x40 => {
                    format!("mp4a.40.{}", specific.profile)
                }
                _ => format!("mp4a.{:x}", config.object_type_indication),
            }
        }
        Codec::Mp3(_) => "mp3".to_owned(),
        Codec::Opus(_) => "opus".to_owned(),
        Codec::Flac(_) => "flac".to_owned(),
        Codec::Ac3(_) => "ac-3".to_owned(),
        Codec::Eac3(_) => "ec-3".to_owned(),
        Codec::Wvtt(_) => "wvtt".to_owned(),
        Codec::Unknown(kind, _) => kind.to_string(),
        _ => "unknown".to_owned(),
    }
}

/// Profile, constraints and level of the decoder configuration (RFC 6381 §3.3).
fn avc(entry: &str, config: &Avcc) -> String {
    format!(
        "{entry}.{:02x}{:02x}{:02x}",
        config.avc_profile_indication, config.profile_compatibility, config.avc_level_indication
    )
}

/// ISO/IEC 14496-15, annex E.3.
fn hevc(entry: &str, config: &Hvcc) -> String {
    let space = ["", "A", "B", "C"][usize::from(config.general_profile_space & 3)];
    let compatible = u32::from_be_bytes(config.general_profile_compatibility_flags).reverse_bits();
    let tier = if config.general_tier_flag { 'H' } else { 'L' };
    let mut text = format!(
        "{entry}.{space}{}.{compatible:X}.{tier}{}",
        config.general_profile_idc, config.general_level_idc
    );
    let constraints = config.general_constraint_indicator_flags;
    let last = constraints.iter().rposition(|byte| *byte != 0);
    for byte in &constraints[..last.map_or(0, |at| at + 1)] {
        text += &format!(".{byte:X}");
    }
    text
}

/// AV1 in ISO-BMFF, §5: the mandatory fields.
fn av1(config: &Av1c) -> String {
    let tier = if config.seq_tier_0 { 'H' } else { 'M' };
    let depth = match (config.high_bitdepth, config.twelve_bit) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    format!(
        "av01.{}.{:02}{tier}.{depth:02}",
        config.seq_profile, config.seq_level_idx_0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_named_as_players_ask_for_them() {
        let main = Hvcc {
            general_profile_idc: 1,
            general_profile_compatibility_flags: [0x60, 0, 0, 0],
            general_constraint_indicator_flags: [0x90, 0, 0, 0, 0, 0],
            general_level_idc: 93,
            ..Hvcc::default()
        };
        assert_eq!(hevc("hvc1", &main), "hvc1.1.6.L93.90");
        let none = Hvcc {
            general_profile_space: 1,
            general_tier_flag: true,
            general_constraint_indicator_flags: [0xB0, 0, 4, 0, 0, 0],
            ..main
        };
        assert_eq!(hevc("hvc1", &none), "hvc1.A1.6.H93.B0.0.4");
        let av1c = Av1c {
            seq_level_idx_0: 8,
            ..Av1c::default()
        };
        assert_eq!(av1(&av1c), "av01.0.08M.08");
    }

    #[test]
    fn an_hevc_name_has_reversed_flags_and_no_zeros_at_its_end() {
        let config = Hvcc {
            general_profile_idc: 1,
            general_profile_compatibility_flags: [0x60, 0, 0, 0],
            general_constraint_indicator_flags: [0x90, 0, 0, 0, 0, 0],
            general_level_idc: 93,
            ..Hvcc::new()
        };
        assert_eq!(hevc("hvc1", &config), "hvc1.1.6.L93.90");
    }
}
