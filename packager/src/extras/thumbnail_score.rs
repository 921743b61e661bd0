//! Scores frames as candidates for the poster. Pure.

/// Thresholds at which a measure is sufficient: beyond them, the earlier frame wins. A dark slide
/// with white text has a mean of about 20.
const BRIGHT_ENOUGH: f64 = 24.0;
const DARK_ENOUGH: f64 = 245.0;
const CONTRAST_ENOUGH: f64 = 30.0;
/// Sharpness measured at 640 pixels a line: slides have 0.25 to 0.3, and camera frames 0.02 to
/// 0.08. The same frames blurred over 4 pixels have a half to a third of that. All slides are
/// therefore sharp enough, and the sharpest camera frame wins.
const SHARP_ENOUGH: f64 = 0.2;

/// Statistics of a grey frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ThumbnailStats {
    /// 0 is black, 255 white.
    pub(crate) mean: f64,
    /// The standard deviation.
    pub(crate) contrast: f64,
    /// Local share of the contrast: the Laplacian's root mean square by the standard deviation. A
    /// faded frame has low contrast, a blurred one low sharpness.
    pub(crate) sharpness: f64,
}

impl ThumbnailStats {
    /// Measures a frame `width` pixels wide.
    pub(crate) fn of(frame: &[u8], width: usize) -> Self {
        if width < 3 || frame.len() < 3 * width {
            return Self::default();
        }
        let count = frame.len() as f64;
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for pixel in frame {
            let pixel = u64::from(*pixel);
            sum += pixel;
            squares += pixel * pixel;
        }
        let mean = sum as f64 / count;
        let contrast = (squares as f64 / count - mean * mean).max(0.0).sqrt();
        let (mut laplacian, mut inner) = (0_u64, 0_u64);
        let rows: Vec<&[u8]> = frame.chunks_exact(width).collect();
        for rows in rows.windows(3) {
            let [above, row, below] = rows else { continue };
            for x in 1..width - 1 {
                let around = [above[x], below[x], row[x - 1], row[x + 1]];
                let around: i64 = around.into_iter().map(i64::from).sum();
                let difference = i64::from(row[x]) * 4 - around;
                laplacian += (difference * difference).unsigned_abs();
            }
            inner += width as u64 - 2;
        }
        // A quarter of it is the difference to the mean of the neighbours.
        let laplacian = (laplacian as f64 / inner.max(1) as f64).sqrt() / 4.0;
        Self {
            mean,
            contrast,
            sharpness: if contrast < 1.0 {
                0.0
            } else {
                laplacian / contrast
            },
        }
    }

    /// Between 0 for an empty frame and 1.
    pub(crate) fn score(&self) -> f64 {
        let ramp = |value: f64, enough: f64| (value / enough).clamp(0.0, 1.0);
        ramp(self.mean, BRIGHT_ENOUGH)
            * ramp(255.0 - self.mean, 255.0 - DARK_ENOUGH)
            * ramp(self.contrast, CONTRAST_ENOUGH)
            * ramp(self.sharpness, SHARP_ENOUGH)
    }
}

/// The best frame of a sequence; the first of equally good ones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BestThumbnail {
    seen: usize,
    best: Option<(usize, f64)>,
}

impl BestThumbnail {
    pub(crate) fn add(&mut self, score: f64) {
        // A slightly better score is the same slide again.
        if self.best.is_none_or(|(_, best)| score > best * 1.02) {
            self.best = Some((self.seen, score));
        }
        self.seen += 1;
    }

    /// Number of frames scored.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Index of the best frame.
    pub(crate) fn at(&self) -> Option<usize> {
        self.best.map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 64;

    fn frame(pixel: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..WIDTH * 36)
            .map(|at| pixel(at % WIDTH, at / WIDTH))
            .collect()
    }

    /// A slide with lines of text.
    fn slide(paper: u8, ink: u8) -> Vec<u8> {
        frame(|x, y| {
            let is_ink = y % 6 < 3 && x % 3 == 0 && (8..56).contains(&x);
            if is_ink { ink } else { paper }
        })
    }

    fn blurred(frame: &[u8], radius: usize) -> Vec<u8> {
        let height = frame.len() / WIDTH;
        (0..frame.len())
            .map(|at| {
                let (x, y) = (at % WIDTH, at / WIDTH);
                let (mut sum, mut count) = (0, 0);
                for y in y.saturating_sub(radius)..(y + radius + 1).min(height) {
                    for x in x.saturating_sub(radius)..(x + radius + 1).min(WIDTH) {
                        sum += u32::from(frame[y * WIDTH + x]);
                        count += 1;
                    }
                }
                u8::try_from(sum / count).unwrap_or(u8::MAX)
            })
            .collect()
    }

    #[test]
    fn only_a_frame_that_shows_something_has_a_good_score() {
        let faded = |frame: &[u8], to: f64| -> Vec<u8> {
            frame
                .iter()
                .map(|pixel| (f64::from(*pixel) * to) as u8)
                .collect()
        };
        let camera = blurred(
            &frame(|x, y| ((x * 37 + y * 91 + x * y * 13) % 256) as u8),
            1,
        );
        for (name, frame, range) in [
            ("black", frame(|_, _| 0), 0.0..0.001),
            ("white", frame(|_, _| 255), 0.0..0.001),
            ("one grey", frame(|_, _| 128), 0.0..0.001),
            ("a gradient", frame(|x, _| (x * 4) as u8), 0.0..0.1),
            ("a slide", slide(235, 20), 0.9..1.1),
            ("a dark slide", slide(5, 230), 0.9..1.1),
            ("a slide fading in", faded(&slide(235, 20), 0.15), 0.0..0.5),
            (
                "a dark slide fading in",
                faded(&slide(5, 230), 0.2),
                0.0..0.3,
            ),
            ("a camera's frame", camera, 0.7..1.1),
            (
                "a blurred edge",
                blurred(&frame(|x, _| if x < 32 { 30 } else { 220 }), 6),
                0.0..0.3,
            ),
            (
                "noise in the dark",
                frame(|x, y| ((x * 7 + y * 13 + x * y) % 4) as u8),
                0.0..0.01,
            ),
        ] {
            let look = ThumbnailStats::of(&frame, WIDTH);
            assert!(
                range.contains(&look.score()),
                "{name}: {look:?} {}",
                look.score()
            );
        }
        assert_eq!(ThumbnailStats::of(&[1; 4], 2), ThumbnailStats::default());
    }

    #[test]
    fn of_equally_good_frames_the_first_is_taken() {
        let best = |scores: &[f64]| {
            let mut best = BestThumbnail::default();
            scores.iter().for_each(|score| best.add(*score));
            (best.at(), best.seen())
        };
        assert_eq!(best(&[]), (None, 0));
        assert_eq!(best(&[0.0, 0.0]), (Some(0), 2));
        assert_eq!(best(&[0.0, 0.1, 0.9, 0.905, 0.3]), (Some(2), 5));
        assert_eq!(best(&[0.0, 0.5, 1.0, 1.0]), (Some(2), 4));
    }
}
