//! Samples of a Media Segment (ISO/IEC 14496-12 §8.8), with their times and bytes.

use mp4_atom::{Atom as _, Moof};

use super::{BoxError, Init, boxes};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample<'bytes> {
    /// Decode time in ticks.
    pub(crate) decoded: u64,
    /// Ticks from decoding to presentation; negative offsets let CMAF show the first frame at 0.
    pub(crate) offset: i64,
    pub(crate) data: &'bytes [u8],
}

impl Init {
    /// Samples in decoding order.
    pub(crate) fn samples<'bytes>(
        &self,
        segment: &'bytes [u8],
    ) -> Result<Vec<Sample<'bytes>>, BoxError> {
        let mut found = vec![];
        let mut end = 0;
        for (header, body) in boxes(segment)? {
            // Offsets count from the start of `moof`, which is the end of the previous box.
            let start = end;
            end = body.as_ptr() as usize + body.len() - segment.as_ptr() as usize;
            if header.kind != Moof::KIND {
                continue;
            }
            let moof = Moof::decode_body(&mut &*body)?;
            for traf in &moof.traf {
                let tfdt = traf.tfdt.as_ref().ok_or(BoxError::Missing("tfdt"))?;
                let (mut decoded, tfhd) = (tfdt.base_media_decode_time, &traf.tfhd);
                let mut at = start;
                for run in &traf.trun {
                    if let Some(offset) = run.data_offset {
                        at = start.saturating_add_signed(offset as isize);
                    }
                    for sample in &run.samples {
                        let size = sample.size.or(tfhd.default_sample_size);
                        let size = size.unwrap_or(self.trex.default_sample_size) as usize;
                        let rest = segment.get(at..).unwrap_or_default();
                        let data = rest.get(..size).ok_or(mp4_atom::Error::OutOfBounds)?;
                        found.push(Sample {
                            decoded,
                            offset: sample.cts.unwrap_or(0),
                            data,
                        });
                        decoded += u64::from(self.duration_of(sample.duration, tfhd));
                        at += size;
                    }
                }
            }
        }
        Ok(found)
    }
}
