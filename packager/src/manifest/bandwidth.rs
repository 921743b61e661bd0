//! Bandwidths, target durations and frame rates in manifests.

use crate::media::{Rate, Segment};

/// Target duration: at least every `EXTINF`, rounded to the nearest integer (RFC 8216bis §4.4.3.1).
pub(crate) fn target_duration<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> u64 {
    segments
        .into_iter()
        .map(|segment| (segment.micros + 500_000) / 1_000_000)
        .max()
        .unwrap_or(1)
        .max(1)
}

/// Rounds to three decimals (RFC 8216bis §4.4.6.2).
pub(crate) fn shown_rate(rate: Rate) -> f64 {
    (rate.as_f64() * 1000.0).round() / 1000.0
}

/// Peak and average in bit/s. The peak is the highest rate of a run of segments (RFC 8216bis §4.1).
/// A run lasts between half and one and a half target durations, so a last segment of one frame is
/// no peak.
pub(crate) fn bandwidth(segments: &[Segment], target_duration: u64) -> (u64, u64) {
    let (least, most) = (target_duration * 500_000, target_duration * 1_500_000);
    let mut peak = 0;
    for first in 0..segments.len() {
        let mut run = Segment {
            micros: 0,
            bytes: 0,
        };
        for segment in &segments[first..] {
            run.micros += segment.micros;
            run.bytes += segment.bytes;
            if run.micros > most {
                break;
            }
            if run.micros >= least {
                peak = peak.max(rate(run));
            }
        }
    }
    let whole = segments.iter().fold(
        Segment {
            micros: 0,
            bytes: 0,
        },
        |sum, segment| Segment {
            micros: sum.micros + segment.micros,
            bytes: sum.bytes + segment.bytes,
        },
    );
    let average = rate(whole);
    (peak.max(average), average)
}

pub(crate) fn rate(run: Segment) -> u64 {
    let bits = u128::from(run.bytes) * 8 * 1_000_000;
    u64::try_from(bits.div_ceil(u128::from(run.micros.max(1)))).unwrap_or(u64::MAX)
}
