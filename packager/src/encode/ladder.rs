//! The rungs of a source. Pure.

use serde::{Deserialize, Serialize};

use crate::media::Codec;

/// Bit rate caps in kbit/s by short side. Capped CRF uses less for simple video, and the caps bound
/// segments by the declared peak.
const CAPS: [(u32, u32); 5] = [
    (240, 450),
    (480, 1_200),
    (720, 2_800),
    (1080, 5_000),
    (2160, 14_000),
];

/// The short side and the cap of a rung that a mobile line in a bus carries with its audio. Only the
/// smallest of several rungs has this cap: alone, a rung is all there is.
const MOBILE_SIDE: u32 = 240;
const MOBILE_CAP_KBPS: u32 = 240;

/// One size of the video in one codec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rung {
    pub(crate) codec: Codec,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Maximum bit rate of the encoder's buffer model, in kbit/s.
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

    /// The same size in another codec with a lower cap; the shares are chosen, not measured.
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

    /// Folder name: `1080p`, `1080p-hevc`.
    pub(crate) fn name(&self) -> String {
        let side = self.short_side();
        match self.codec {
            Codec::H264 => format!("{side}p"),
            Codec::Hevc => format!("{side}p-hevc"),
            Codec::Av1 => format!("{side}p-av1"),
        }
    }
}

/// Rungs for a video of this size, largest first; `wanted` are short sides. Rungs are never
/// upscaled, and sizes are unique. A source up to a tenth below a rung keeps its own size (1072p is
/// not scaled to 720p). A source that fits at most the smallest of several rungs has one of its own
/// size, and the smallest one too if that has two thirds of the height at most.
pub(crate) fn ladder(width: u32, height: u32, wanted: &[u32]) -> Vec<Rung> {
    let short = width.min(height);
    let mut sides: Vec<u32> = wanted
        .iter()
        .filter(|side| short * 10 >= **side * 9)
        .map(|side| short.min(*side))
        .collect();
    let smallest = wanted.iter().min().copied().filter(|_| wanted.len() > 1);
    if sides.iter().all(|side| Some(*side) == smallest) {
        sides.retain(|side| side * 3 <= short * 2);
        sides.push(short);
    }
    let mut rungs: Vec<Rung> = sides
        .into_iter()
        .map(|side| Rung::new(scale(width, side, short), scale(height, side, short)))
        .collect();
    rungs.sort_by_key(|rung| std::cmp::Reverse(rung.short_side()));
    rungs.dedup_by_key(|rung| rung.short_side());
    if let [_, .., smallest] = &mut rungs[..]
        && smallest.short_side() <= MOBILE_SIDE
    {
        smallest.max_rate = smallest.max_rate.min(MOBILE_CAP_KBPS);
    }
    rungs
}

/// Scales to the nearest even size for 4:2:0. The source's own size rounds down, so that nothing is
/// upscaled.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_never_upscaled_and_never_two_of_a_size() {
        for ((width, height), expected) in [
            ((1920, 1080), "1920x1080 1280x720 854x480 426x240"),
            ((3840, 2160), "1920x1080 1280x720 854x480 426x240"),
            ((1280, 720), "1280x720 854x480 426x240"),
            ((1080, 1920), "1080x1920 720x1280 480x854 240x426"),
            ((3026, 1386), "2358x1080 1572x720 1048x480 524x240"),
            ((640, 272), "640x272"),
            ((641, 273), "640x272"),
            ((640, 358), "640x358"),
            ((640, 360), "640x360 426x240"),
            ((1920, 1072), "1920x1072 1290x720 860x480 430x240"),
            ((1244, 700), "1244x700 854x480 426x240"),
            ((1000, 600), "800x480 400x240"),
            ((854, 450), "854x450 456x240"),
            ((426, 240), "426x240"),
            ((400, 220), "400x220"),
            ((16, 16), "16x16"),
        ] {
            let rungs: Vec<String> = ladder(width, height, &[1080, 720, 480, 240])
                .iter()
                .map(|rung| format!("{}x{}", rung.width, rung.height))
                .collect();
            assert_eq!(rungs.join(" "), expected, "{width}x{height}");
        }
    }

    #[test]
    fn a_source_between_two_rungs_keeps_its_size_if_only_the_smallest_fits() {
        for (side, wanted, expected) in [
            (900, &[1080, 480][..], "900 480"),
            (600, &[1080, 480], "600"),
            (1080, &[480], "480"),
            (300, &[480], "300"),
            (360, &[720, 480, 240], "360 240"),
        ] {
            let rungs = ladder(side * 2, side, wanted);
            let sides = rungs.iter().map(|rung| rung.short_side().to_string());
            let sides: Vec<String> = sides.collect();
            assert_eq!(sides.join(" "), expected, "{side} {wanted:?}");
        }
    }

    #[test]
    fn the_smallest_of_several_rungs_is_capped_for_a_mobile_line() {
        for (side, wanted, expected) in [
            (
                1080,
                &[1080, 480, 240][..],
                vec![5_000, 1_200, MOBILE_CAP_KBPS],
            ),
            (240, &[1080, 480, 240], vec![450]),
            (1080, &[240], vec![450]),
            (1080, &[1080, 480], vec![5_000, 1_200]),
            (1080, &[240, 120], vec![450, 225]),
        ] {
            let rungs = ladder(side * 2, side, wanted);
            let caps: Vec<u32> = rungs.iter().map(|rung| rung.max_rate).collect();
            assert_eq!(caps, expected, "{side} {wanted:?}");
        }
    }

    #[test]
    fn caps_are_those_of_the_design_and_grow_with_the_rung() {
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
}
