//! Samples of one track in the fragments of a Media Segment.

use std::ops::Range;

use mp4_atom::{Atom as _, Moof, Sidx, Tfhd, Traf};

use super::{CheckedTrack, SAMPLE_IS_NON_SYNC, SampleFault, SegmentSamples};
use crate::box_walk::FoundBox;

/// Compares the sizes in `sidx` with the bytes after it (ISO/IEC 14496-12 §8.16.3).
pub(super) fn is_wrong_index(bytes: &[u8], found: &FoundBox) -> bool {
    let Ok(index) = Sidx::decode_body(&mut &bytes[found.body.clone()]) else {
        return true;
    };
    let sizes = index.references.iter();
    let sum = sizes.fold(index.first_offset, |sum, one| {
        sum.saturating_add(one.referenced_size.into())
    });
    sum != (bytes.len() - found.body.end) as u64
}

pub(super) struct SampleReader<'bytes> {
    pub(super) track: &'bytes CheckedTrack,
    pub(super) bytes: &'bytes [u8],
    pub(super) found: Option<SegmentSamples>,
    pub(super) since_sync: u64,
    pub(super) has_styp: bool,
    /// Bytes of each run of all tracks.
    pub(super) runs: Vec<Range<usize>>,
    /// Number of samples of all tracks.
    pub(super) listed: usize,
    /// Samples that do not end as their codec does.
    pub(super) odd: u64,
    pub(super) first_odd: u64,
}

impl SampleReader<'_> {
    /// Reads a fragment, and returns the declared bytes of all samples.
    pub(super) fn moof(&mut self, moof: &Moof, at: usize) -> Result<u64, String> {
        let mut bytes = 0_u64;
        let sequence = moof.mfhd.sequence_number;
        for traf in &moof.traf {
            let is_ours = traf.tfhd.track_id == self.track.id;
            let (tfhd, trex) = (&traf.tfhd, &self.track.trex);
            let size = tfhd.default_sample_size.unwrap_or(trex.default_sample_size);
            let mut end = at;
            let first = self.runs.len();
            for run in &traf.trun {
                // Counts without entries take no space, and may add up to billions.
                self.listed = self.listed.saturating_add(run.samples.len());
                if self.listed > self.bytes.len() {
                    return Err("it lists more samples than it has bytes".to_owned());
                }
                let sizes = run.samples.iter().map(|sample| sample.size.unwrap_or(size));
                let sum = sizes.fold(0_u64, |sum, size| sum.saturating_add(size.into()));
                bytes = bytes.saturating_add(sum);
                let start = match run.data_offset {
                    // Offsets count from the `moof`, or from an offset in the file.
                    Some(offset) => at.saturating_add_signed(offset as isize),
                    None => end,
                };
                end = start.saturating_add(usize::try_from(sum).unwrap_or(usize::MAX));
                self.runs.push(start..end);
            }
            if is_ours {
                self.track_fragment(traf, sequence, first, size)?;
            }
        }
        Ok(bytes)
    }

    /// Reads the samples of the track; their runs are those from `first_run` on.
    fn track_fragment(
        &mut self,
        traf: &Traf,
        sequence: u32,
        first_run: usize,
        size: u32,
    ) -> Result<(), String> {
        let base = traf.tfdt.as_ref().ok_or("a `traf` has no `tfdt`")?;
        let mut time = base.base_media_decode_time;
        if let Some(found) = &mut self.found {
            found.has_hole |= time != found.start.saturating_add(found.duration);
            found.is_rising &= sequence > found.sequence.1;
            found.sequence.1 = sequence;
        }
        let (duration, flags) = self.defaults(&traf.tfhd);
        let frame = self.track.frame_ticks().unwrap_or(0);
        for (number, run) in traf.trun.iter().enumerate() {
            let mut at = self.runs[first_run + number].start;
            for sample in &run.samples {
                let duration = u64::from(sample.duration.unwrap_or(duration));
                let is_sync = sample.flags.unwrap_or(flags) & SAMPLE_IS_NON_SYNC == 0;
                let shown_from = i64::try_from(time)
                    .unwrap_or(i64::MAX)
                    .saturating_add(sample.cts.unwrap_or(0))
                    .saturating_add(self.track.edit);
                let length = usize::try_from(sample.size.unwrap_or(size)).unwrap_or(usize::MAX);
                let end = at.saturating_add(length);
                let data = self.bytes.get(at..end);
                at = end;
                let coding = self.track.coding;
                let found = self.found.get_or_insert_with(|| SegmentSamples {
                    start: time,
                    shown_from,
                    starts_with_sync: is_sync,
                    starts_with_idr: coding.zip(data).and_then(|(c, d)| c.is_idr(d)),
                    sequence: (sequence, sequence),
                    is_rising: true,
                    has_first_sample: data.is_some(),
                    ..SegmentSamples::default()
                });
                if let (Some(coding), Some(data)) = (coding, data) {
                    let fault = || coding.fault(data).map(|why| (found.samples, why));
                    if found.fault.is_none()
                        && let Some((sample, why)) = fault()
                    {
                        found.fault = Some(SampleFault { sample, why });
                    }
                    if coding.is_odd(data) {
                        if self.odd == 0 {
                            self.first_odd = found.samples;
                        }
                        self.odd += 1;
                    }
                }
                if is_sync {
                    found.longest_gap = found.longest_gap.max(self.since_sync);
                    self.since_sync = 0;
                }
                self.since_sync = self.since_sync.saturating_add(duration);
                found.shown_from = found.shown_from.min(shown_from);
                found.samples += 1;
                found.short_samples += u64::from(duration.saturating_mul(2) < frame);
                found.longest_sample = found.longest_sample.max(duration);
                found.duration = found.duration.saturating_add(duration);
                time = time.saturating_add(duration);
            }
        }
        Ok(())
    }

    /// Duration and flags of a sample without its own.
    fn defaults(&self, tfhd: &Tfhd) -> (u32, u32) {
        let trex = &self.track.trex;
        let duration = tfhd.default_sample_duration;
        let flags = tfhd.default_sample_flags;
        (
            duration.unwrap_or(trex.default_sample_duration),
            flags.unwrap_or(trex.default_sample_flags),
        )
    }
}
