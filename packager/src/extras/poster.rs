//! The poster of a lecture.

use std::ffi::OsString;
use std::ops::Range;

use super::LadderRung;
use super::concat_input::ConcatInput;
use super::storyboard::{jpeg, words};
use crate::layout::POSTER_JPG;
use crate::media::Segment;

/// Maximum pixels of the longer side: the width on a course page at twice the density.
const LONGEST: u32 = 1280;

/// The largest rung within the maximum, else the smallest one.
pub(crate) fn rung<'a, 'b>(rungs: &'b [LadderRung<'a>]) -> Option<&'b LadderRung<'a>> {
    rungs
        .iter()
        .find(|rung| rung.width.max(rung.height) <= LONGEST)
        .or(rungs.last())
}

/// Segments that may hold the key frame requested at `micros`. It is the first frame at or after
/// that time, so the next segment may start with it.
pub(crate) fn segments(lengths: &[Segment], micros: u64) -> Range<usize> {
    let mut end = 0;
    let at = lengths.iter().position(|segment| {
        end += segment.micros;
        end > micros
    });
    let at = at.unwrap_or(lengths.len().saturating_sub(1));
    at..(at + 2).min(lengths.len())
}

/// Extracts the key frame requested at `micros` from the [`segments`] that hold it.
pub(crate) fn argv(input: &ConcatInput, micros: u64, rung: &LadderRung<'_>) -> Vec<OsString> {
    let mut args: Vec<OsString> =
        words("-hide_banner -nostdin -nostats -y -v error -progress pipe:1 -copyts").collect();
    args.extend(input.args("-threads 1 -skip_frame nokey"));
    let from = (micros as f64 / 1e6 - 0.002).max(0.0);
    let LadderRung { width, height, .. } = rung;
    args.push("-vf".into());
    args.push(format!("select='gte(t,{from:.6})',{}", jpeg(*width, *height)).into());
    args.extend(words(
        "-frames:v 1 -fps_mode passthrough -c:v mjpeg -q:v 3 -flags +bitexact -f image2 -update 1",
    ));
    args.push(POSTER_JPG.into());
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rungs_of(sizes: &[(u32, u32)]) -> Vec<LadderRung<'static>> {
        sizes
            .iter()
            .map(|(width, height)| LadderRung {
                folder: "",
                width: *width,
                height: *height,
                segments: &[],
                reorder_seconds: 0.0,
            })
            .collect()
    }

    #[test]
    fn a_poster_is_of_the_largest_rung_of_at_most_1280_pixels() {
        for (sizes, expected) in [
            (&[(1920, 1080), (1280, 720), (854, 480)][..], 1280),
            (&[(1080, 1920), (720, 1280), (480, 854)], 720),
            (&[(2358, 1080), (1572, 720), (1048, 480)], 1048),
            (&[(1920, 1080)], 1920),
            (&[(320, 240)], 320),
        ] {
            let rungs = rungs_of(sizes);
            let width = rung(&rungs).map(|rung| rung.width);
            assert_eq!(width, Some(expected), "{sizes:?}");
        }
        assert!(rung(&[]).is_none());
    }

    #[test]
    fn a_key_frame_is_in_the_segment_of_its_time_or_begins_the_next() {
        let segment = Segment {
            micros: 4_004_000,
            bytes: 1,
        };
        let lengths = [segment; 3];
        for (micros, expected) in [
            (0, 0..2),
            (4_000_000, 0..2),
            (4_004_000, 1..3),
            (10_000_000, 2..3),
            (99_000_000, 2..3),
        ] {
            assert_eq!(segments(&lengths, micros), expected, "{micros}");
        }
        assert_eq!(segments(&[], 0), 0..0);
    }
}
