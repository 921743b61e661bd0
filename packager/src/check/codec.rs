//! Facts from sample entries: number of channels, transfer function, faults of the configuration.
//! Pure.

use mp4_atom::{Avcc, Codec, Colr, Hvcc, Mp4a};

use super::h264_sps;

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

/// Transfer characteristics (ISO/IEC 23091-2), by `colr` or H.264's own parameters.
pub(crate) fn transfer(entry: &Codec) -> Option<u16> {
    let (colr, avcc) = match entry {
        Codec::Avc1(entry) => (&entry.colr, Some(&entry.avcc)),
        Codec::Avc3(entry) => (&entry.colr, Some(&entry.avcc)),
        Codec::Hvc1(entry) => (&entry.colr, None),
        Codec::Hev1(entry) => (&entry.colr, None),
        Codec::Av01(entry) => (&entry.colr, None),
        _ => return None,
    };
    match colr {
        Some(
            Colr::Nclx {
                transfer_characteristics,
                ..
            }
            | Colr::Nclc {
                transfer_characteristics,
                ..
            },
        ) => Some(*transfer_characteristics),
        _ => h264_sps::transfer(avcc?.sequence_parameter_sets.first()?),
    }
}

/// Fault of a sample entry: parameter sets that are missing, or that contradict the entry.
pub(crate) fn fault(entry: &Codec) -> Option<String> {
    match entry {
        Codec::Avc1(entry) => avc(
            &entry.avcc,
            (entry.visual.width.into(), entry.visual.height.into()),
        ),
        Codec::Hvc1(entry) => hevc(&entry.hvcc),
        Codec::Mp4a(entry) => aac(entry),
        _ => None,
    }
}

fn avc(avcc: &Avcc, listed: (u32, u32)) -> Option<String> {
    let Some(sps) = avcc.sequence_parameter_sets.first() else {
        return Some("its `avcC` has no SPS".to_owned());
    };
    if avcc.picture_parameter_sets.iter().all(Vec::is_empty) {
        return Some("its `avcC` has no PPS".to_owned());
    }
    let profile = [
        avcc.avc_profile_indication,
        avcc.profile_compatibility,
        avcc.avc_level_indication,
    ];
    if sps.get(1..4) != Some(&profile[..]) {
        return Some("its `avcC` declares another profile or level than its SPS".to_owned());
    }
    if h264_sps::is_damaged(sps) {
        return Some("its SPS cannot be read".to_owned());
    }
    let (width, height) = h264_sps::size(sps)?;
    ((width, height) != listed).then(|| {
        format!(
            "its sample entry has {}x{}, and its SPS {width}x{height}",
            listed.0, listed.1
        )
    })
}

fn hevc(hvcc: &Hvcc) -> Option<String> {
    // ITU-T H.265, Table 7-1.
    const SETS: [(u8, &str); 3] = [(32, "VPS"), (33, "SPS"), (34, "PPS")];
    let has = |kind: u8| {
        let mut all = hvcc.arrays.iter();
        all.any(|array| {
            let is_kind =
                |unit: &Vec<u8>| unit.first().is_some_and(|byte| byte >> 1 & 0x3f == kind);
            array.nal_unit_type == kind && array.nalus.iter().any(is_kind)
        })
    };
    let missing = SETS.iter().find(|(kind, _)| !has(*kind));
    missing.map(|(_, name)| format!("its `hvcC` has no {name}"))
}

/// Sample rates by their index (ISO/IEC 14496-3, Table 1.18).
pub(crate) const AAC_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
pub(crate) const AAC_LC: u8 = 2;

fn aac(entry: &Mp4a) -> Option<String> {
    const MPEG_4_AUDIO: u8 = 0x40;
    let decoder = &entry.esds.es_desc.dec_config;
    if decoder.object_type_indication != MPEG_4_AUDIO {
        return None;
    }
    let Some(config) = &decoder.dec_specific else {
        return Some("its `esds` has no AudioSpecificConfig".to_owned());
    };
    let rate = AAC_RATES.get(usize::from(config.freq_index))?;
    let listed = u32::from(entry.audio.sample_rate.integer());
    // SBR doubles the rate.
    (config.profile == AAC_LC && *rate != listed)
        .then(|| format!("its sample entry has {listed} Hz, and its AudioSpecificConfig {rate} Hz"))
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
