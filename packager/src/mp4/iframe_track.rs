//! The file of I-frames, made of ffmpeg's output.
//!
//! ffmpeg writes a fragment for each I-frame and a file for each chunk, and gives the last I-frame
//! a full interval. This module ends it with the lecture. An index (ISO/IEC 14496-12 §8.16.3)
//! precedes the fragments, so that I-frames are found in the file alone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use mp4_atom::{Atom as _, Encode as _, FourCC, Ftyp, Moof, Moov, SegmentReference, Sidx};

use super::fragments::{FragmentsError, Layout, read};
use super::{BoxError, Init, boxes};
use crate::media::{IFrame, Segment};

/// Layout of the I-frame file.
#[derive(Debug)]
pub(crate) struct IFrameTrack {
    pub(crate) init: Init,
    /// The Media Initialization Section.
    pub(crate) map: Range<u64>,
    pub(crate) iframes: Vec<IFrame>,
    /// Duration of each I-frame.
    pub(crate) ticks: Vec<u64>,
}

/// `moof` and `mdat` of an I-frame, in a file from ffmpeg.
struct IFrameFragment {
    file: usize,
    start: u64,
    at: Range<u64>,
}

/// Brand of a self-initializing Media Segment.
const DASH: FourCC = FourCC::new(b"dash");
/// Maximum bytes of a Media Initialization Section or an I-frame.
const LARGEST: u64 = 4 << 20;

impl IFrameTrack {
    /// Writes the file from the I-frames of all chunks, one fragment at a time. `duration_micros`
    /// is the duration of the video.
    pub(crate) fn from_ffmpeg(
        written: &mut [impl Read + Seek],
        file: &mut impl Write,
        duration_micros: u64,
    ) -> Result<Self, FragmentsError> {
        let (mut head, mut fragments) = (vec![], vec![]);
        for (at, written) in written.iter_mut().enumerate() {
            let (own, more) = parts(at, written)?;
            if head.is_empty() {
                head = own;
            }
            fragments.extend(more);
        }
        let init = Init::parse(&head)?;
        let end = ticks(duration_micros, init.timescale);
        let starts: Vec<u64> = fragments.iter().map(|fragment| fragment.start).collect();
        let ends = starts.iter().skip(1).copied().chain([end]);
        let shown: Vec<u64> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| end.saturating_sub(*start))
            .collect();
        let last = match (fragments.pop(), shown.last()) {
            (Some(last), Some(shown)) => {
                set_duration(&small(&mut written[last.file], last.at)?, *shown)?
            }
            _ => vec![],
        };
        let sizes: Vec<u64> = fragments
            .iter()
            .map(|fragment| fragment.at.end - fragment.at.start)
            .chain(starts.last().map(|_| last.len() as u64))
            .collect();
        let map = 0..head.len() as u64;
        let references: Vec<SegmentReference> = sizes
            .iter()
            .zip(&shown)
            .map(|(size, shown)| SegmentReference {
                reference_type: false,
                referenced_size: saturated(*size),
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
        .encode(&mut head)
        .map_err(BoxError::from)?;
        let (mut iframes, mut before, mut offset) = (vec![], 0, head.len() as u64);
        for (size, shown) in sizes.iter().zip(&shown) {
            let until = before + shown;
            iframes.push(IFrame {
                offset,
                segment: Segment {
                    micros: init.micros(until) - init.micros(before),
                    bytes: *size,
                },
            });
            before = until;
            offset += size;
        }
        file.write_all(&head)?;
        // Fragments of one file are contiguous.
        for run in fragments.chunk_by(|one, next| one.file == next.file) {
            let (Some(first), Some(end)) = (run.first(), run.last()) else {
                continue;
            };
            let written = &mut written[first.file];
            written.seek(SeekFrom::Start(first.at.start))?;
            let length = end.at.end - first.at.start;
            let copied = std::io::copy(&mut written.take(length), file)?;
            if copied != length {
                return Err(BoxError::from(mp4_atom::Error::OutOfBounds).into());
            }
        }
        file.write_all(&last)?;
        Ok(Self {
            init,
            map,
            iframes,
            ticks: shown,
        })
    }
}

/// Presentation time of the first I-frame in a file, with its timescale; `None` for a file without
/// fragments.
pub(crate) fn first(path: &Path) -> Result<Option<(u64, u32)>, FragmentsError> {
    let (head, fragments) = parts(0, &mut File::open(path)?)?;
    let Some(first) = fragments.first() else {
        return Ok(None);
    };
    Ok(Some((first.start, Init::parse(&head)?.timescale)))
}

/// The Media Initialization Section without the encoder's name, and the ranges of the fragments.
fn parts(
    file: usize,
    written: &mut (impl Read + Seek),
) -> Result<(Vec<u8>, Vec<IFrameFragment>), FragmentsError> {
    let layout = Layout::of(written)?;
    let mut init = vec![];
    for (header, body) in boxes(&small(written, layout.head)?)? {
        if header.kind == Moov::KIND {
            let mut moov = Moov::decode_body(&mut &*body).map_err(BoxError::from)?;
            moov.udta = None;
            moov.encode(&mut init).map_err(BoxError::from)?;
        } else if header.kind == Ftyp::KIND {
            let mut brands = Ftyp::decode_body(&mut &*body).map_err(BoxError::from)?;
            // ISO/IEC 23009-1 §6.3.5.2: a file of segments with an index.
            if !brands.compatible_brands.contains(&DASH) {
                brands.compatible_brands.push(DASH);
            }
            brands.encode(&mut init).map_err(BoxError::from)?;
        } else {
            header.encode(&mut init).map_err(BoxError::from)?;
            init.extend_from_slice(body);
        }
    }
    let mut fragments = vec![];
    for at in layout.fragments {
        let start = start_of(&small(written, at.clone())?)?;
        fragments.push(IFrameFragment { file, start, at });
    }
    Ok((init, fragments))
}

/// Presentation time of a fragment with a single frame.
fn start_of(fragment: &[u8]) -> Result<u64, BoxError> {
    let mut boxes = boxes(fragment)?.into_iter();
    let (_, body) = boxes.next().ok_or(BoxError::Missing("moof"))?;
    let moof = Moof::decode_body(&mut &*body)?;
    let [traf] = moof.traf.as_slice() else {
        return Err(BoxError::NotOneFrame);
    };
    let samples: usize = traf.trun.iter().map(|trun| trun.samples.len()).sum();
    match (samples, &traf.tfdt) {
        (1, Some(tfdt)) => Ok(tfdt.base_media_decode_time),
        _ => Err(BoxError::NotOneFrame),
    }
}

fn small(from: &mut (impl Read + Seek), at: Range<u64>) -> Result<Vec<u8>, FragmentsError> {
    if at.end - at.start > LARGEST {
        return Err(BoxError::NotOneFrame.into());
    }
    Ok(read(from, at)?)
}

/// Sets the duration of a fragment with a single frame.
fn set_duration(fragment: &[u8], ticks: u64) -> Result<Vec<u8>, BoxError> {
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
        // `trun` finds the frame by its distance from the start of `moof`, which must not grow.
        if out.len() != body.len() + 8 {
            return Err(BoxError::NotOneFrame);
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
    use std::io::Cursor;

    use super::*;
    use crate::mp4::testing::{init, one_frame};

    #[test]
    fn the_last_iframe_ends_with_the_lecture_and_an_index_finds_them_all() {
        // Three chunks, of which the last is too short for an I-frame.
        let mut written = [&[0, 2000][..], &[4000], &[]].map(|starts| {
            let mut bytes = init(1000);
            for start in starts {
                bytes.extend(one_frame(*start, 2000, b"jpeg"));
            }
            Cursor::new(bytes)
        });
        let mut file = vec![];
        let iframes = IFrameTrack::from_ffmpeg(&mut written, &mut file, 4_500_000);
        let iframes = iframes.expect("pictures");
        assert_eq!(iframes.ticks, [2000, 2000, 500]);
        let index = iframes.map.end as usize;
        let bytes = u32::from_be_bytes(file[index..][..4].try_into().expect("four bytes"));
        assert_eq!(&file[index + 4..][..4], b"sidx");
        let mut at = iframes.map.end + u64::from(bytes);
        for (iframe, micros) in iframes.iframes.iter().zip([2_000_000, 2_000_000, 500_000]) {
            assert_eq!((iframe.offset, iframe.segment.micros), (at, micros));
            let bytes = &file[at as usize..][..iframe.segment.bytes as usize];
            let times = iframes.init.times(bytes).expect("a fragment");
            assert_eq!(times.duration, micros / 1000);
            at += iframe.segment.bytes;
        }
        assert_eq!(at, file.len() as u64);
    }

    #[test]
    fn a_file_of_other_than_single_frames_is_refused() {
        let whole = [init(1000), one_frame(0, 2000, b"jpeg")].concat();
        for end in 0..whole.len() {
            let mut written = Cursor::new(&whole[..end]);
            let _ = IFrameTrack::from_ffmpeg(
                std::slice::from_mut(&mut written),
                &mut vec![],
                2_000_000,
            );
        }
    }
}
