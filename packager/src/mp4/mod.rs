//! Reads encoded MP4: timescale and codec of a Media Initialization Section, and exact times of a
//! Media Segment (ISO/IEC 14496-12). Also corrects two of ffmpeg's boxes.

pub(crate) mod codec_string;
pub(crate) mod fragments;
pub(crate) mod iframe_track;
pub(crate) mod parts;
pub(crate) mod retime;
pub(crate) mod samples;

use crate::box_walk::walk;
use codec_string::codec_string;
use mp4_atom::{
    Atom as _, Codec, Decode as _, Edts, Elst, ElstEntry, Encode as _, Header, Moof, Moov, Sidx,
    Styp, Tfhd, Trex,
};

/// First box of a Media Segment: `styp` with the brand `msdh` (ISO/IEC 23009-1 §6.3.4.2).
pub(crate) const STYP: &[u8] = b"\0\0\0\x14stypmsdh\0\0\0\0msdh";
/// Samples of priming in an AAC encoder's first access unit.
const AAC_PRIMING: u64 = 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum BoxError {
    #[error("box `{0}` is missing")]
    Missing(&'static str),
    #[error("the boxes cannot be read: {0}")]
    Malformed(#[from] mp4_atom::Error),
    #[error("a fragment holds no video or more than one")]
    NotOneFrame,
    #[error("codec `{0}` was not asked for")]
    UnexpectedCodec(String),
}

/// Facts of a Media Initialization Section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Init {
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// RFC 6381: `avc1.640028`, `hvc1.1.6.L93.90`, `av01.0.04M.08`, `mp4a.40.2`.
    pub(crate) codec: String,
    /// Ticks that an edit list removes at the beginning.
    pub(crate) trimmed: u64,
    /// Defaults of samples.
    pub(crate) trex: Trex,
}

/// Times of a Media Segment in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) start: u64,
    pub(crate) duration: u64,
    /// Maximum ticks by which decoding precedes presentation, from negative offsets.
    pub(crate) reorder_ticks: u64,
}

impl Init {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BoxError> {
        let moov = moov(bytes)?;
        let track = moov.trak.first().ok_or(BoxError::Missing("trak"))?;
        let codec = track
            .mdia
            .minf
            .stbl
            .stsd
            .codecs
            .first()
            .ok_or(BoxError::Missing("stsd"))?;
        Ok(Self {
            timescale: track.mdia.mdhd.timescale.max(1),
            codec: own_codec(codec)?,
            trimmed: track
                .edts
                .as_ref()
                .and_then(|edts| edts.elst.as_ref()?.entries.first()?.media_time)
                .unwrap_or(0),
            trex: moov
                .mvex
                .as_ref()
                .and_then(|mvex| mvex.trex.first().cloned())
                .unwrap_or_default(),
        })
    }

    /// Converts ticks with rounding, so differences stay exact over thousands of segments.
    pub(crate) fn micros(&self, ticks: u64) -> u64 {
        let scale = u128::from(self.timescale);
        u64::try_from((u128::from(ticks) * 1_000_000 + scale / 2) / scale).unwrap_or(u64::MAX)
    }

    /// Start and duration of a Media Segment, from its `tfdt` and `trun` boxes.
    pub(crate) fn times(&self, segment: &[u8]) -> Result<Times, BoxError> {
        let mut start = None;
        let (mut duration, mut reorder_ticks) = (0, 0);
        for (header, body) in boxes(segment)? {
            if header.kind != Moof::KIND {
                continue;
            }
            let moof = Moof::decode_body(&mut &*body)?;
            for traf in &moof.traf {
                let tfdt = traf.tfdt.as_ref().ok_or(BoxError::Missing("tfdt"))?;
                start.get_or_insert(tfdt.base_media_decode_time);
                for sample in traf.trun.iter().flat_map(|trun| trun.samples.iter()) {
                    duration += u64::from(self.duration_of(sample.duration, &traf.tfhd));
                    let early = sample.cts.filter(|offset| *offset < 0);
                    reorder_ticks = reorder_ticks.max(early.map_or(0, i64::unsigned_abs));
                }
            }
        }
        Ok(Times {
            start: start.ok_or(BoxError::Missing("moof"))?,
            duration,
            reorder_ticks,
        })
    }

    /// Duration of a sample, from its own box or the defaults.
    pub(crate) fn duration_of(&self, own: Option<u32>, tfhd: &Tfhd) -> u32 {
        let default = tfhd.default_sample_duration;
        own.or(default).unwrap_or(self.trex.default_sample_duration)
    }
}

/// Adds an edit list that trims the encoder's priming, which would delay audio by 0.02 s. Also
/// removes the encoder's name.
pub(crate) fn trim_priming(init: &[u8]) -> Result<Vec<u8>, BoxError> {
    trim(init, AAC_PRIMING)
}

/// Adds an edit list that trims so many samples.
pub(crate) fn trim(init: &[u8], samples: u64) -> Result<Vec<u8>, BoxError> {
    let mut moov = moov(init)?;
    moov.udta = None;
    for track in &mut moov.trak {
        for codec in &mut track.mdia.minf.stbl.stsd.codecs {
            if let Codec::Mp4a(entry) = codec {
                // ISO/IEC 14496-14 §4.1.2: files have no id of an elementary stream.
                entry.esds.es_desc.es_id = 0;
            }
        }
        track.edts = Some(Edts {
            elst: Some(Elst {
                entries: vec![ElstEntry {
                    // To the end, whatever the number of fragments.
                    segment_duration: 0,
                    media_time: Some(samples),
                    media_rate: 1.into(),
                }],
            }),
        });
    }
    let mut out = Vec::with_capacity(init.len() + 36);
    for (header, body) in boxes(init)? {
        if header.kind == Moov::KIND {
            moov.encode(&mut out)?;
        } else {
            header.encode(&mut out)?;
            out.extend_from_slice(body);
        }
    }
    Ok(out)
}

/// Completes a Media Segment that ffmpeg's HLS muxer wrote. Its index (§8.16.3) knows no edit list,
/// and would count the encoder's priming. All rungs then begin with the same boxes.
pub(crate) fn complete_segment(written: &[u8]) -> Result<Vec<u8>, BoxError> {
    let mut out = Vec::with_capacity(written.len());
    out.extend_from_slice(STYP);
    for (header, body) in boxes(written)? {
        if header.kind != Sidx::KIND && header.kind != Styp::KIND {
            header.encode(&mut out)?;
            out.extend_from_slice(body);
        }
    }
    Ok(out)
}

/// Joins two consecutive Media Segments. Indexes are dropped, because they would cover the first
/// only.
pub(crate) fn join(first: &[u8], second: &[u8]) -> Result<Vec<u8>, BoxError> {
    let mut out = Vec::with_capacity(first.len() + second.len());
    for (header, body) in boxes(first)? {
        if header.kind != Sidx::KIND {
            header.encode(&mut out)?;
            out.extend_from_slice(body);
        }
    }
    for (header, body) in boxes(second)? {
        if header.kind != Sidx::KIND && header.kind != Styp::KIND {
            header.encode(&mut out)?;
            out.extend_from_slice(body);
        }
    }
    Ok(out)
}

pub(crate) fn moov(bytes: &[u8]) -> Result<Moov, BoxError> {
    let (_, body) = boxes(bytes)?
        .into_iter()
        .find(|(header, _)| header.kind == Moov::KIND)
        .ok_or(BoxError::Missing("moov"))?;
    Ok(Moov::decode_body(&mut &*body)?)
}

/// Boxes at the top level.
pub(crate) fn boxes(bytes: &[u8]) -> Result<Vec<(Header, &[u8])>, BoxError> {
    let mut found = vec![];
    for at in walk(bytes, 0..bytes.len()) {
        let at = at.map_err(|_| mp4_atom::Error::OutOfBounds)?;
        if at.is_cut {
            return Err(mp4_atom::Error::OutOfBounds.into());
        }
        let header = Header::decode(&mut &bytes[at.start..])?;
        found.push((header, &bytes[at.body]));
    }
    Ok(found)
}

/// Codec string of the packager's own output.
fn own_codec(codec: &Codec) -> Result<String, BoxError> {
    match codec {
        Codec::Avc1(_) | Codec::Hvc1(_) | Codec::Hev1(_) | Codec::Av01(_) => {
            Ok(codec_string(codec))
        }
        Codec::Mp4a(entry) => match &entry.esds.es_desc.dec_config.dec_specific {
            Some(_) => Ok(codec_string(codec)),
            None => Err(BoxError::Missing("esds")),
        },
        other => {
            let mut name = format!("{other:?}");
            name.truncate(40);
            Err(BoxError::UnexpectedCodec(name))
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use mp4_atom::{
        Avc1, Avcc, FourCC, Ftyp, Mfhd, Stsd, Tfdt, Traf, Trak, Trun, TrunEntry, TrunSamples,
    };

    pub(crate) fn segment(start: u64, durations: &[u32]) -> Vec<u8> {
        let samples: Vec<TrunEntry> = durations
            .iter()
            .map(|duration| TrunEntry {
                duration: Some(*duration),
                ..TrunEntry::default()
            })
            .collect();
        let mut bytes = b"\0\0\0\x10stypmsdh\0\0\0\0".to_vec();
        bytes.extend(fragment(start, None, samples.into()));
        bytes.extend_from_slice(b"\0\0\0\x0cmdatabcd");
        bytes
    }

    /// A fragment with a single frame.
    pub(crate) fn one_frame(start: u64, duration: u32, data: &[u8; 4]) -> Vec<u8> {
        let samples = TrunSamples::Inherited {
            count: 1,
            first_flags: None,
        };
        let mut bytes = fragment(start, Some(duration), samples);
        bytes.extend_from_slice(b"\0\0\0\x0cmdat");
        bytes.extend_from_slice(data);
        bytes
    }

    fn fragment(start: u64, duration: Option<u32>, samples: TrunSamples) -> Vec<u8> {
        let mut bytes = vec![];
        Moof {
            mfhd: Mfhd { sequence_number: 1 },
            traf: vec![Traf {
                tfhd: Tfhd {
                    track_id: 1,
                    default_sample_duration: duration,
                    ..Tfhd::default()
                },
                tfdt: Some(Tfdt {
                    base_media_decode_time: start,
                }),
                trun: vec![Trun {
                    data_offset: None,
                    samples,
                }],
                ..Traf::default()
            }],
        }
        .encode(&mut bytes)
        .expect("it encodes");
        bytes
    }

    /// A Media Initialization Section of H.264.
    pub(crate) fn init(timescale: u32) -> Vec<u8> {
        let mut track = Trak::default();
        track.mdia.mdhd.timescale = timescale;
        track.mdia.minf.stbl.stsd = Stsd {
            codecs: vec![Codec::Avc1(Avc1 {
                avcc: Avcc {
                    configuration_version: 1,
                    length_size: 4,
                    ..Avcc::default()
                },
                ..Avc1::default()
            })],
        };
        let mut bytes = vec![];
        Ftyp {
            major_brand: FourCC::new(b"iso6"),
            minor_version: 0,
            compatible_brands: vec![],
        }
        .encode(&mut bytes)
        .expect("it encodes");
        Moov {
            trak: vec![track],
            ..Moov::default()
        }
        .encode(&mut bytes)
        .expect("it encodes");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::testing::segment;
    use super::*;

    fn init() -> Init {
        Init {
            timescale: 48_000,
            codec: "mp4a.40.2".into(),
            trimmed: 0,
            trex: Trex::default(),
        }
    }

    #[test]
    fn the_duration_of_a_segment_is_that_of_its_samples() {
        let times = init()
            .times(&segment(7, &[1024, 1024, 500]))
            .expect("times");
        assert_eq!((times.start, times.duration), (7, 2548));
    }

    #[test]
    fn a_complete_segment_has_the_type_of_its_kind_and_no_index() {
        let mut written = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix".to_vec();
        written.extend_from_slice(b"\0\0\0\x10sidx........");
        let media = segment(7, &[1024])[16..].to_vec();
        written.extend_from_slice(&media);
        let complete = complete_segment(&written).expect("boxes");
        assert_eq!(complete, [STYP, &media].concat());
        assert!(complete_segment(&written[..50]).is_err());
    }

    #[test]
    fn two_segments_joined_last_as_long_as_both_and_have_one_type_box() {
        let joined = join(&segment(0, &[1024]), &segment(1024, &[1024])).expect("joined");
        let times = init().times(&joined).expect("times");
        assert_eq!((times.start, times.duration), (0, 2048));
        let kinds: Vec<String> = boxes(&joined)
            .expect("boxes")
            .iter()
            .map(|(header, _)| header.kind.to_string())
            .collect();
        assert_eq!(kinds, ["styp", "moof", "mdat", "moof", "mdat"]);
    }

    #[test]
    fn bytes_that_are_no_boxes_are_an_error_and_never_a_panic() {
        let whole = segment(0, &[1024]);
        for end in 0..whole.len() {
            let _ = init().times(&whole[..end]);
        }
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\x02moof",
            b"\xff\xff\xff\xffmoof",
        ] {
            assert!(init().times(bytes).is_err(), "{bytes:?}");
            assert!(Init::parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
