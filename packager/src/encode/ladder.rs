//! Which sizes a source is encoded in. Pure.

use serde::{Deserialize, Serialize};

use crate::media::{Codec, Rate};
use crate::source::Video;

/// Caps by short side, in kbit/s: capped CRF uses less where the picture allows, and these keep a segment from being
/// heavier than its Variant Stream promises.
const CAPS: [(u32, u32); 5] = [
    (240, 450),
    (480, 1_200),
    (720, 2_800),
    (1080, 5_000),
    (2160, 14_000),
];

/// One size of the picture in one codec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rung {
    pub(crate) codec: Codec,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// kbit/s that the encoder may not exceed for long.
    pub(crate) max_rate: u32,
}

impl Rung {
    fn new(width: u32, height: u32) -> Self {
        Self {
            codec: Codec::H264,
            width,
            height,
            max_rate: cap(width.min(height)),
        }
    }

    /// The same picture in another codec, which needs fewer bits for it; the shares are chosen and not measured.
    pub(crate) fn with(&self, codec: Codec) -> Self {
        let share = match codec {
            Codec::H264 => 100,
            Codec::Hevc => 70,
            Codec::Av1 => 60,
        };
        Self {
            codec,
            max_rate: self.max_rate * share / 100,
            ..self.clone()
        }
    }

    pub(crate) fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The folder's name: `1080p`, `1080p-hevc`.
    pub(crate) fn name(&self) -> String {
        let side = self.short_side();
        match self.codec {
            Codec::H264 => format!("{side}p"),
            Codec::Hevc => format!("{side}p-hevc"),
            Codec::Av1 => format!("{side}p-av1"),
        }
    }
}

/// The rungs for a picture of this size, largest first: `wanted` are short sides.
///
/// Never upscaled and never two of a size. A source up to a tenth smaller than a rung takes it at its own size (a
/// 1072-line recording is not cut down to 720), and a source below all rungs gets one of its own size.
pub(crate) fn ladder(width: u32, height: u32, wanted: &[u32]) -> Vec<Rung> {
    let short = width.min(height);
    let mut sides: Vec<u32> = wanted
        .iter()
        .filter(|side| short * 10 >= **side * 9)
        .map(|side| short.min(*side))
        .collect();
    if sides.is_empty() {
        sides.push(short);
    }
    let mut rungs: Vec<Rung> = sides
        .into_iter()
        .map(|side| Rung::new(scale(width, side, short), scale(height, side, short)))
        .collect();
    rungs.sort_by_key(|rung| std::cmp::Reverse(rung.short_side()));
    rungs.dedup_by_key(|rung| rung.short_side());
    rungs
}

/// 4:2:0 wants even sizes: the nearest one, but for a source's own size, which goes down so that nothing is scaled up.
fn scale(length: u32, side: u32, short: u32) -> u32 {
    if side == short {
        return length & !1;
    }
    let (length, side, short) = (u64::from(length), u64::from(side), u64::from(short));
    u32::try_from((length * side + short) / (short * 2) * 2).unwrap_or(u32::MAX - 1)
}

pub(crate) fn cap(side: u32) -> u32 {
    let (first, last) = (CAPS[0], CAPS[CAPS.len() - 1]);
    if side <= first.0 {
        return (first.1 * side / first.0).max(100);
    }
    CAPS.windows(2)
        .find(|pair| side <= pair[1].0)
        .map_or(last.1, |pair| {
            let ((low, least), (high, most)) = (pair[0], pair[1]);
            least + (most - least) * (side - low) / (high - low)
        })
}

/// Rates in use; a measured average within half a per cent of one of them is that one.
const STANDARD_RATES: [Rate; 12] = [
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
const MOST: f64 = 60.0;
/// What a still picture with sound gets: it costs little, and a seek lands within a tenth of a second.
const STILL: Rate = Rate::new(10, 1);
/// What a variable-rate source without a credible nominal rate gets: a screen recording that averages 7 frames a
/// second has bursts of motion in it.
const VARIABLE: Rate = Rate::new(30, 1);

/// Frames a second below which a picture is held for most of the time: each second costs what is encoded of it, and shows
/// nothing new.
pub(crate) const SPARSE: f64 = 1.0;
/// Frames a second below which it is held for most of a minute.
const SPARSEST: f64 = 0.2;
/// What such a source gets: pieces need five frames a second, and a seek lands within a fifth of one.
const HELD: Rate = Rate::new(5, 1);

/// The constant rate to encode at.
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
        // Variable: the nominal rate is the finest step between frames, unless it is far finer than frames come.
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

fn snap(rate: Rate) -> Rate {
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

fn close(a: Rate, b: Rate, tolerance: f64) -> bool {
    (a.as_f64() / b.as_f64() - 1.0).abs() <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_never_upscaled_and_never_two_of_a_size() {
        for ((width, height), expected) in [
            ((1920, 1080), "1920x1080 1280x720 854x480"),
            ((3840, 2160), "1920x1080 1280x720 854x480"),
            ((1280, 720), "1280x720 854x480"),
            ((1080, 1920), "1080x1920 720x1280 480x854"),
            ((3026, 1386), "2358x1080 1572x720 1048x480"),
            ((640, 272), "640x272"),
            ((641, 273), "640x272"),
            ((1920, 1072), "1920x1072 1290x720 860x480"),
            ((1244, 700), "1244x700 854x480"),
            ((1000, 600), "800x480"),
            ((854, 450), "854x450"),
            ((16, 16), "16x16"),
        ] {
            let rungs: Vec<String> = ladder(width, height, &[1080, 720, 480])
                .iter()
                .map(|rung| format!("{}x{}", rung.width, rung.height))
                .collect();
            assert_eq!(rungs.join(" "), expected, "{width}x{height}");
        }
    }

    #[test]
    fn caps_are_those_of_the_design_and_grow_with_the_picture() {
        for (side, expected) in [
            (1080, 5_000),
            (720, 2_800),
            (480, 1_200),
            (272, 550),
            (16, 100),
            (4320, 14_000),
        ] {
            assert_eq!(cap(side), expected, "{side}");
        }
    }

    #[test]
    fn the_rate_is_constant_credible_and_at_most_60() {
        let video = |average, nominal| Video {
            index: 0,
            codec: String::new(),
            width: 16,
            height: 16,
            rotation: 0,
            average_rate: average,
            nominal_rate: nominal,
            pixel_format: String::new(),
            color_space: None,
            color_transfer: None,
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
        // A picture in two seconds, and half a second of pictures in ten minutes.
        for (average, expected) in [(rate(1, 2), Rate::new(10, 1)), (rate(60, 1201), HELD)] {
            let mut held = video(average, rate(60, 1));
            assert_eq!(frame_rate(&held), Rate::new(60, 1), "{average:?}");
            held.is_held = true;
            assert_eq!(frame_rate(&held), expected, "{average:?}");
        }
    }
}
