//! Selects the constant frame rate of an encoding.

use crate::media::Rate;
use crate::source::Video;

/// Standard rates. An average within half a per cent of one is taken for it.
pub(crate) const STANDARD_RATES: [Rate; 12] = [
    Rate::new(10, 1),
    Rate::new(12, 1),
    Rate::new(25, 2),
    Rate::new(15, 1),
    Rate::new(24_000, 1001),
    Rate::new(24, 1),
    Rate::new(25, 1),
    Rate::new(30_000, 1001),
    Rate::new(30, 1),
    Rate::new(50, 1),
    Rate::new(60_000, 1001),
    Rate::new(60, 1),
];

pub(crate) const MOST: f64 = 60.0;

/// Rate of a single image with audio. It costs little, and seeks are exact to a tenth of a second.
pub(crate) const STILL: Rate = Rate::new(10, 1);

/// Rate of variable sources without a credible nominal rate: a screen recording that averages 7
/// frames a second has bursts of motion.
pub(crate) const VARIABLE: Rate = Rate::new(30, 1);

/// Average frames a second below which most frames are held: every further encoded frame costs bits
/// and shows nothing new.
pub(crate) const SPARSE: f64 = 1.0;
/// Average frames a second below which frames are held for most of a minute.
const SPARSEST: f64 = 0.2;
/// Rate of such a source: chunks need five frames a second, and seeks are exact to a fifth of a
/// second.
const HELD: Rate = Rate::new(5, 1);

/// Constant rate of the encoding.
pub(crate) fn frame_rate(video: &Video) -> Rate {
    if video.still {
        return STILL;
    }
    if video.is_held {
        let average = video.average_rate.map_or(0.0, Rate::as_f64);
        return if average < SPARSEST { HELD } else { STILL };
    }
    let credible = |rate: &Rate| (1.0..=240.0).contains(&rate.as_f64());
    let average = video.average_rate.filter(credible);
    let nominal = video.nominal_rate.filter(credible);
    let rate = match (average, nominal) {
        (Some(average), Some(nominal)) if close(average, nominal, 0.02) => nominal,
        // Variable: the nominal rate is the finest step between frames, unless it is far finer than
        // the average.
        (Some(average), Some(nominal)) if nominal.as_f64() <= 2.5 * average.as_f64() => nominal,
        (None, Some(nominal)) => nominal,
        (Some(average), _) if average.as_f64() >= VARIABLE.as_f64() => average,
        _ => VARIABLE,
    };
    let mut rate = rate;
    while rate.as_f64() > MOST * 1.001 {
        rate = match rate.num % 2 {
            0 => Rate::new(rate.num / 2, rate.den),
            _ => Rate::new(rate.num, rate.den * 2),
        };
    }
    snap(rate)
}

pub(crate) fn snap(rate: Rate) -> Rate {
    // A fraction such as 3628800/502589 would become the timescale of every segment.
    if matches!(rate.den, 1 | 2 | 1001) && rate.num <= 60_060 {
        return rate;
    }
    STANDARD_RATES
        .into_iter()
        .filter(|standard| close(*standard, rate, 0.005))
        .min_by(|a, b| {
            let distance = |standard: &Rate| (standard.as_f64() - rate.as_f64()).abs();
            distance(a).total_cmp(&distance(b))
        })
        .unwrap_or_else(|| Rate::new(rate.as_f64().round().max(1.0) as u32, 1))
}

pub(crate) fn close(a: Rate, b: Rate, tolerance: f64) -> bool {
    (a.as_f64() / b.as_f64() - 1.0).abs() <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_constant_credible_and_at_most_60() {
        let video = |average, nominal| Video {
            index: 0,
            codec: String::new(),
            width: 16,
            height: 16,
            rotation: 0,
            is_crooked: false,
            average_rate: average,
            nominal_rate: nominal,
            pixel_format: String::new(),
            color_space: None,
            color_transfer: None,
            color_primaries: None,
            interlaced: false,
            still: false,
            is_held: false,
            duration: None,
        };
        let rate = |num, den| Some(Rate::new(num, den));
        for (average, nominal, expected) in [
            (rate(25, 1), rate(25, 1), Rate::new(25, 1)),
            (
                rate(30_000, 1001),
                rate(30_000, 1001),
                Rate::new(30_000, 1001),
            ),
            (
                rate(15_000, 1001),
                rate(15_000, 1001),
                Rate::new(15_000, 1001),
            ),
            (rate(2997, 100), rate(30, 1), Rate::new(30, 1)),
            (rate(3_628_800, 502_589), rate(57_600, 1), Rate::new(30, 1)),
            (
                rate(120_000, 1001),
                rate(120_000, 1001),
                Rate::new(60_000, 1001),
            ),
            (rate(144, 1), rate(144, 1), Rate::new(36, 1)),
            (None, rate(1000, 1), Rate::new(30, 1)),
            (None, None, Rate::new(30, 1)),
            (rate(1, 1), rate(1, 1), Rate::new(1, 1)),
            (rate(41, 2), rate(25, 1), Rate::new(25, 1)),
            (rate(5_999_999, 100_001), rate(90_000, 1), Rate::new(60, 1)),
        ] {
            let video = video(average, nominal);
            assert_eq!(frame_rate(&video), expected, "{average:?} {nominal:?}");
        }
        // A frame in two seconds, and half a second of frames in ten minutes.
        for (average, expected) in [(rate(1, 2), Rate::new(10, 1)), (rate(60, 1201), HELD)] {
            let mut held = video(average, rate(60, 1));
            assert_eq!(frame_rate(&held), Rate::new(60, 1), "{average:?}");
            held.is_held = true;
            assert_eq!(frame_rate(&held), expected, "{average:?}");
        }
    }
}
