//! Access units in transport streams: H.264 with start codes (ITU-T H.264, Annex B), AAC with ADTS
//! headers (ISO/IEC 13818-7). MP4 has lengths instead, and stores parameters once. Pure.

use mp4_atom::{Avcc, Codec};

use crate::manifest::container::Container;
use crate::mp4::samples::Sample;
use crate::mp4::{BoxError, Init, moov};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// An access unit delimiter for any slice type (§7.3.2.4), which transport streams require (ISO/IEC
/// 13818-1 §2.14.1).
const DELIMITER: [u8; 2] = [9, 0xf0];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    /// Ticks of 90 kHz.
    pub(crate) pts: u64,
    pub(crate) dts: u64,
    /// A random access point.
    pub(crate) is_key: bool,
    pub(crate) data: Vec<u8>,
}

impl AccessUnit {
    /// Converts a sample. `reorder_ticks` is the number of ticks by which decoding precedes
    /// presentation.
    pub(crate) fn new(
        sample: &Sample<'_>,
        init: &Init,
        reorder_ticks: u64,
        (is_key, data): (bool, Vec<u8>),
    ) -> Self {
        let at = |ticks: i64| {
            let scale = i128::from(init.timescale);
            // Rounds from the origin, so a difference is off by at most a tick, however late.
            let origin = i128::from(Container::Ts.origin()) * scale;
            let ticks = (i128::from(ticks) * 90_000 + origin + scale / 2).div_euclid(scale);
            u64::try_from(ticks).unwrap_or(0)
        };
        let decoded = i64::try_from(sample.decoded).unwrap_or(i64::MAX);
        // Priming precedes the start of the lecture.
        let trimmed = i64::try_from(init.trimmed).unwrap_or(i64::MAX);
        let reorder_ticks = i64::try_from(reorder_ticks).unwrap_or(i64::MAX);
        Self {
            pts: at(decoded
                .saturating_add(sample.offset)
                .saturating_sub(trimmed)),
            dts: at(decoded
                .saturating_sub(reorder_ticks)
                .saturating_sub(trimmed)),
            is_key,
            data,
        }
    }
}

/// Parameters that MP4 stores once and a transport stream repeats in every unit.
#[derive(Debug, Clone)]
pub(crate) enum SampleKind {
    H264(Box<Avcc>),
    /// ADTS header of a frame without data.
    Aac([u8; 7]),
}

impl SampleKind {
    /// Reads the parameters of a Media Initialization Section.
    pub(crate) fn of(init: &[u8]) -> Result<Self, BoxError> {
        let moov = moov(init)?;
        let track = moov.trak.first().ok_or(BoxError::Missing("trak"))?;
        match track.mdia.minf.stbl.stsd.codecs.first() {
            Some(Codec::Avc1(entry)) => Ok(Self::H264(Box::new(entry.avcc.clone()))),
            Some(Codec::Mp4a(entry)) => {
                let config = &entry.esds.es_desc.dec_config;
                let config = config.dec_specific.as_ref();
                let config = config.ok_or(BoxError::Missing("esds"))?;
                // MPEG-4 without a checksum; a buffer of any fullness (§6.2).
                let [profile, rate, channels] = [
                    config.profile.wrapping_sub(1),
                    config.freq_index,
                    config.chan_conf,
                ];
                Ok(Self::Aac([
                    0xff,
                    0xf1,
                    (profile & 3) << 6 | (rate & 0x0f) << 2 | channels >> 2 & 1,
                    channels << 6,
                    0,
                    0x1f,
                    0xfc,
                ]))
            }
            _ => Err(BoxError::Missing("stsd")),
        }
    }

    /// Converts a sample to the data of a unit; the flag marks a random access point.
    pub(crate) fn convert(&self, sample: &[u8]) -> Result<(bool, Vec<u8>), BoxError> {
        match self {
            Self::H264(config) => annex_b(config, sample),
            Self::Aac(header) => {
                let length = header.len() + sample.len();
                // 13 bits of length.
                if length >= 1 << 13 {
                    return Err(mp4_atom::Error::OutOfBounds.into());
                }
                let mut data = header.to_vec();
                data[3] |= (length >> 11) as u8;
                data[4] = (length >> 3) as u8;
                data[5] |= (length << 5) as u8;
                data.extend_from_slice(sample);
                Ok((true, data))
            }
        }
    }
}

fn annex_b(config: &Avcc, sample: &[u8]) -> Result<(bool, Vec<u8>), BoxError> {
    let (mut rest, mut units, mut is_key) = (sample, vec![], false);
    while !rest.is_empty() {
        let (length, after) = rest
            .split_at_checked(config.length_size.into())
            .ok_or(mp4_atom::Error::OutOfBounds)?;
        let length = length
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (unit, after) = after
            .split_at_checked(length)
            .ok_or(mp4_atom::Error::OutOfBounds)?;
        rest = after;
        match unit.first().map(|header| header & 0x1f) {
            None | Some(9) => continue,
            Some(5) => is_key = true,
            _ => {}
        }
        units.push(unit);
    }
    let sets = config
        .sequence_parameter_sets
        .iter()
        .chain(&config.picture_parameter_sets);
    let sets = sets.map(Vec::as_slice).filter(|_| is_key);
    let mut data = Vec::with_capacity(sample.len() + 128);
    for unit in std::iter::once(&DELIMITER[..]).chain(sets).chain(units) {
        data.extend_from_slice(&START_CODE);
        data.extend_from_slice(unit);
    }
    Ok((is_key, data))
}

#[cfg(test)]
mod tests {
    use mp4_atom::Trex;

    use super::*;

    fn avc() -> SampleKind {
        let sps = [0x67, 0x64, 0, 0x1e];
        SampleKind::H264(Box::new(Avcc::new(&sps, &[0x68]).expect("parameter sets")))
    }

    #[test]
    fn a_random_access_point_has_its_parameter_sets_before_it() {
        let key = avc()
            .convert(b"\0\0\0\x02\x09\x10\0\0\0\x02\x65\x01")
            .expect("a unit");
        assert_eq!(
            key,
            (
                true,
                b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67\x64\0\x1e\0\0\0\x01\x68\0\0\0\x01\x65\x01"
                    .to_vec()
            )
        );
        let other = avc().convert(b"\0\0\0\x02\x41\x01").expect("a unit");
        assert_eq!(
            other,
            (false, b"\0\0\0\x01\x09\xf0\0\0\0\x01\x41\x01".to_vec())
        );
        for cut in [&b"\0\0\0"[..], b"\0\0\0\x03\x41"] {
            assert!(avc().convert(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn an_audio_frame_has_its_duration() {
        // AAC-LC, 48 kHz, stereo.
        let kind = SampleKind::Aac([0xff, 0xf1, 0x4c, 0x80, 0, 0x1f, 0xfc]);
        let (_, data) = kind.convert(&[0xaa; 300]).expect("a unit");
        assert_eq!(data[..7], [0xff, 0xf1, 0x4c, 0x80, 0x26, 0x7f, 0xfc]);
        assert_eq!(data.len(), 307);
        assert!(kind.convert(&[0; 8200]).is_err());
    }

    #[test]
    fn times_begin_at_the_origin_with_what_comes_before_it() {
        let init = |timescale, trimmed| Init {
            timescale,
            codec: String::new(),
            trimmed,
            trex: Trex::default(),
        };
        let sample = |decoded, offset| Sample {
            decoded,
            offset,
            data: &[],
        };
        for (sample, init, reorder_ticks, expected) in [
            (sample(0, 0), init(48_000, 1024), 0, (898_080, 898_080)),
            (sample(1024, 0), init(48_000, 1024), 0, (900_000, 900_000)),
            (sample(0, 0), init(30_000, 0), 2002, (900_000, 893_994)),
            (
                sample(3003, -2002),
                init(30_000, 0),
                2002,
                (903_003, 903_003),
            ),
            // A day later.
            (
                sample(2_592_000_000, 0),
                init(30_000, 0),
                0,
                (7_776_900_000, 7_776_900_000),
            ),
        ] {
            let unit = AccessUnit::new(&sample, &init, reorder_ticks, (true, vec![]));
            assert_eq!((unit.pts, unit.dts), expected);
        }
    }
}
