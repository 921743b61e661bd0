//! The file of pictures to look through a lecture by: what ffmpeg writes, made into what players ask for. Pure.
//!
//! ffmpeg writes a fragment for each picture, and lets the last be shown as long as the others. Here that one ends with the
//! lecture, and an index (ISO/IEC 14496-12 §8.16.3) comes before the fragments, by which DASH players find them.

use std::ops::Range;

use mp4_atom::{Atom as _, Encode as _, Moof, Moov, SegmentReference, Sidx};

use crate::boxes::{BoxError, Init, boxes, moov};
use crate::playlists::{Picture, Segment};

/// Where they are, from the revision's folder.
pub(crate) const FOLDER: &str = "iframes";
pub(crate) const FILE: &str = "pictures.mp4";

/// Where in a file of pictures is what.
#[derive(Debug)]
pub(crate) struct Pictures {
    pub(crate) init: Init,
    /// The Media Initialization Section.
    pub(crate) map: Range<u64>,
    pub(crate) index: Range<u64>,
    pub(crate) pictures: Vec<Picture>,
    /// How long each is shown.
    pub(crate) ticks: Vec<u64>,
}

/// `moof` and `mdat` of one picture.
struct Fragment {
    start: u64,
    bytes: Vec<u8>,
}

impl Pictures {
    /// With the file itself; `lasts` is how long the lecture's picture is, in microseconds.
    pub(crate) fn from_ffmpeg(written: &[u8], lasts: u64) -> Result<(Self, Vec<u8>), BoxError> {
        let init = Init::parse(written)?;
        let (mut file, mut fragments) = parts(written)?;
        let end = ticks(lasts, init.timescale);
        let starts: Vec<u64> = fragments.iter().map(|fragment| fragment.start).collect();
        let ends = starts.iter().skip(1).copied().chain([end]);
        let shown: Vec<u64> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| end.saturating_sub(*start))
            .collect();
        if let (Some(last), Some(shown)) = (fragments.last_mut(), shown.last()) {
            last.bytes = show_for(&last.bytes, *shown)?;
        }
        let map = 0..file.len() as u64;
        let references: Vec<SegmentReference> = fragments
            .iter()
            .zip(&shown)
            .map(|(fragment, shown)| SegmentReference {
                reference_type: false,
                referenced_size: saturated(fragment.bytes.len() as u64),
                subsegment_duration: saturated(*shown),
                starts_with_sap: true,
                sap_type: 1,
                sap_delta_time: 0,
            })
            .collect();
        Sidx {
            reference_id: 1,
            timescale: init.timescale,
            earliest_presentation_time: starts.first().copied().unwrap_or(0),
            first_offset: 0,
            references,
        }
        .encode(&mut file)?;
        let index = map.end..file.len() as u64;
        let (mut pictures, mut before) = (vec![], 0);
        for (fragment, shown) in fragments.iter().zip(&shown) {
            let until = before + shown;
            pictures.push(Picture {
                offset: file.len() as u64,
                segment: Segment {
                    micros: init.micros(until) - init.micros(before),
                    bytes: fragment.bytes.len() as u64,
                },
            });
            before = until;
            file.extend_from_slice(&fragment.bytes);
        }
        let pictures = Self {
            init,
            map,
            index,
            pictures,
            ticks: shown,
        };
        Ok((pictures, file))
    }
}

/// The Media Initialization Section, without the encoder's name, and the fragments.
fn parts(written: &[u8]) -> Result<(Vec<u8>, Vec<Fragment>), BoxError> {
    let mut init = vec![];
    let mut fragments: Vec<Fragment> = vec![];
    for (header, body) in boxes(written)? {
        let bytes = match header.kind {
            Moov::KIND => {
                let mut moov = moov(written)?;
                moov.udta = None;
                moov.encode(&mut init)?;
                continue;
            }
            Moof::KIND => {
                let moof = Moof::decode_body(&mut &*body)?;
                let [traf] = moof.traf.as_slice() else {
                    return Err(BoxError::NotOnePicture);
                };
                let samples: usize = traf.trun.iter().map(|trun| trun.samples.len()).sum();
                let (1, Some(tfdt)) = (samples, &traf.tfdt) else {
                    return Err(BoxError::NotOnePicture);
                };
                fragments.push(Fragment {
                    start: tfdt.base_media_decode_time,
                    bytes: vec![],
                });
                &mut fragments.last_mut().ok_or(BoxError::NotOnePicture)?.bytes
            }
            _ => match fragments.last_mut() {
                Some(fragment) => &mut fragment.bytes,
                None => &mut init,
            },
        };
        header.encode(bytes)?;
        bytes.extend_from_slice(body);
    }
    Ok((init, fragments))
}

/// A fragment of one picture that is shown this long.
fn show_for(fragment: &[u8], ticks: u64) -> Result<Vec<u8>, BoxError> {
    let mut out = Vec::with_capacity(fragment.len());
    for (header, body) in boxes(fragment)? {
        if header.kind != Moof::KIND {
            header.encode(&mut out)?;
            out.extend_from_slice(body);
            continue;
        }
        let mut moof = Moof::decode_body(&mut &*body)?;
        for traf in &mut moof.traf {
            traf.tfhd.default_sample_duration = Some(saturated(ticks));
        }
        moof.encode(&mut out)?;
        // The picture is found by its distance from the beginning of `moof`, which must not grow.
        if out.len() != body.len() + 8 {
            return Err(BoxError::NotOnePicture);
        }
    }
    Ok(out)
}

fn ticks(micros: u64, timescale: u32) -> u64 {
    let ticks = (u128::from(micros) * u128::from(timescale) + 500_000) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::testing::{init, picture};

    #[test]
    fn the_last_picture_ends_with_the_lecture_and_an_index_finds_them_all() {
        let mut written = init(1000);
        for start in [0, 2000, 4000] {
            written.extend(picture(start, 2000, b"jpeg"));
        }
        let (pictures, file) = Pictures::from_ffmpeg(&written, 4_500_000).expect("pictures");
        assert_eq!(pictures.ticks, [2000, 2000, 500]);
        assert_eq!(pictures.map.end, pictures.index.start);
        let mut at = pictures.index.end;
        for (picture, micros) in pictures
            .pictures
            .iter()
            .zip([2_000_000, 2_000_000, 500_000])
        {
            assert_eq!((picture.offset, picture.segment.micros), (at, micros));
            let bytes = &file[at as usize..][..picture.segment.bytes as usize];
            let times = pictures.init.times(bytes).expect("a fragment");
            assert_eq!(times.duration, micros / 1000);
            at += picture.segment.bytes;
        }
        assert_eq!(at, file.len() as u64);
    }

    #[test]
    fn what_is_no_file_of_single_pictures_is_refused() {
        let whole = [init(1000), picture(0, 2000, b"jpeg")].concat();
        for end in 0..whole.len() {
            let _ = Pictures::from_ffmpeg(&whole[..end], 2_000_000);
        }
    }
}
