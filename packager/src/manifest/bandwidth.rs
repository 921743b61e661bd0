//! Bandwidths, target durations and frame rates as manifests list them.

use crate::media::{Rate, Segment};

/// RFC 8216bis §4.4.3.1: every `EXTINF`, rounded to the nearest integer, is at most this.
pub(crate) fn target_duration<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> u64 {
    segments
        .into_iter()
        .map(|segment| (segment.micros + 500_000) / 1_000_000)
        .max()
        .unwrap_or(1)
        .max(1)
}

/// Three decimals, as RFC 8216bis §4.4.6.2 has it.
pub(crate) fn shown_rate(rate: Rate) -> f64 {
    (rate.as_f64() * 1000.0).round() / 1000.0
}

/// The peak and the average in bit/s. Peak (RFC 8216bis §4.1): the highest rate of any run of segments that lasts between
/// half and one and a half target durations, so that a last segment of one picture does not count as a peak.
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
