//! Silences of a lecture, found in the momentary loudness that its measurement writes to a file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use crate::media::Silence;

/// ffmpeg's file of momentary loudness: a line with the time of each frame, and one with its LUFS.
pub(super) const LEVELS: &str = "levels.txt";
/// Filter that writes [`LEVELS`] into ffmpeg's folder, behind `ebur128=metadata=1`.
pub(super) const LEVELS_FILTER: &str = "ametadata=mode=print:key=lavfi.r128.M:file=levels.txt";

/// Speech is at most this much quieter than the whole. The noise of a quiet room is below.
const SPEECH_RANGE_LU: f64 = 25.0;
/// Players read at most so many silences.
pub(crate) const MAX_SILENCES: usize = 10_000;
/// EBU Tech 3341: momentary loudness is that of the last 0.4 s. ffmpeg's frames have 0.1 s each.
const WINDOW: f64 = 0.4;
const FRAME: f64 = 0.1;

/// Reads the silences of a track whose loudness as a whole is `integrated`, in LUFS.
pub(super) fn read(folder: &Path, integrated: f64) -> io::Result<Vec<Silence>> {
    let mut finder = SilenceFinder::below(integrated - SPEECH_RANGE_LU);
    let mut time = None;
    for line in BufReader::new(File::open(folder.join(LEVELS))?).lines() {
        let line = line?;
        if let Some((_, seconds)) = line.split_once("pts_time:") {
            time = seconds.trim().parse().ok();
        } else if let (Some(time), Some((_, level))) = (time, line.split_once('=')) {
            // Digital silence has no level.
            finder.push(time, level.trim().parse().unwrap_or(f64::NAN));
        }
        if finder.found.len() >= MAX_SILENCES {
            break;
        }
    }
    Ok(finder.finish())
}

/// Joins quiet frames to silences.
#[derive(Debug)]
struct SilenceFinder {
    threshold: f64,
    /// First and last time of the quiet frames so far.
    quiet: Option<(f64, f64)>,
    found: Vec<Silence>,
}

impl SilenceFinder {
    fn below(threshold: f64) -> Self {
        Self {
            threshold,
            quiet: None,
            found: vec![],
        }
    }

    /// Adds the frame at a time, in seconds.
    fn push(&mut self, time: f64, level: f64) {
        // Before the first whole window, ffmpeg knows no level.
        if time + FRAME < WINDOW - FRAME / 2.0 {
            return;
        }
        let is_quiet = level.is_nan() || level < self.threshold;
        match (&mut self.quiet, is_quiet) {
            (Some((_, last)), true) => *last = time,
            (None, true) => self.quiet = Some((time, time)),
            (_, false) => self.end(),
        }
    }

    fn end(&mut self) {
        let Some((first, last)) = self.quiet.take() else {
            return;
        };
        let rounded = |seconds: f64| (seconds * 10.0).round() / 10.0;
        let from = rounded((first + FRAME - WINDOW).max(0.0));
        self.found
            .extend(Silence(from, rounded(last + FRAME)).within(f64::INFINITY));
    }

    fn finish(mut self) -> Vec<Silence> {
        self.end();
        self.found.truncate(MAX_SILENCES);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of tenths of a second, from 0 on.
    fn found(levels: &[(usize, f64)], integrated: f64) -> Vec<Silence> {
        let folder = tempfile::tempdir().expect("a folder");
        let levels = levels.iter().flat_map(|(count, level)| vec![level; *count]);
        let text: String = levels
            .enumerate()
            .map(|(at, level)| {
                let time = at as f64 / 10.0;
                format!("frame:{at}    pts:{at}       pts_time:{time}\nlavfi.r128.M={level:.3}\n")
            })
            .collect();
        std::fs::write(folder.path().join(LEVELS), text).expect("written");
        read(folder.path(), integrated).expect("read")
    }

    #[test]
    fn rests_are_silences_and_pauses_of_speech_are_not() {
        for (levels, integrated, expected) in [
            // The window of 0.4 s is quiet 0.3 s after the voice ended.
            (
                &[(50, -20.0), (30, -60.0), (20, -22.0)][..],
                -20.0,
                &[(4.7, 8.0)][..],
            ),
            (&[(50, -20.0), (11, -60.0), (20, -22.0)], -20.0, &[]),
            (
                &[(50, -20.0), (12, -60.0), (20, -22.0)],
                -20.0,
                &[(4.7, 6.2)],
            ),
            // The same pause in a recording that is as quiet as that.
            (&[(50, -40.0), (30, -60.0), (20, -40.0)], -40.0, &[]),
            // Digital silence, up to the end, and before the first whole window.
            (&[(20, f64::NAN), (20, -20.0)], -20.0, &[(0.0, 2.0)]),
            (&[(20, -20.0), (20, f64::NAN)], -20.0, &[(1.7, 4.0)]),
            (&[(3, -120.691), (20, -20.0)], -20.0, &[]),
        ] {
            let expected: Vec<Silence> = expected.iter().map(|(a, b)| Silence(*a, *b)).collect();
            assert_eq!(found(levels, integrated), expected, "{levels:?}");
        }
    }

    #[test]
    fn silences_are_bounded_by_the_lecture_and_in_number() {
        assert_eq!(Silence(1.0, 9.0).within(5.0), Some(Silence(1.0, 5.0)));
        assert_eq!(Silence(4.0, 9.0).within(5.0), None);
        let mut finder = SilenceFinder::below(-40.0);
        for at in 0..MAX_SILENCES + 5 {
            let from = at as f64 * 4.0 + 1.0;
            finder.push(from, -60.0);
            finder.push(from + 2.0, -60.0);
            finder.push(from + 3.0, -20.0);
        }
        assert_eq!(finder.finish().len(), MAX_SILENCES);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join(LEVELS),
            "x\npts_time:\n=\npts_time:1\n\n",
        )
        .expect("written");
        assert_eq!(read(folder.path(), -20.0).expect("read"), []);
    }
}
