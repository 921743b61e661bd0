//! Estimates the remaining time of a step. Pure: the caller says how much time has passed.

/// Progress of the first second: it may be that of an earlier run, and predicts nothing.
const BASELINE_SECONDS: f64 = 1.0;
/// Time that the first estimate needs.
const WARM_UP_SECONDS: f64 = 4.0;
/// Shortest time between two samples.
const SAMPLE_SECONDS: f64 = 0.5;
/// Time over which a change of speed is averaged. Encoders report whole chunks.
const SPEED_SECONDS: f64 = 60.0;
/// Time in which the shown estimate approaches a new one.
const APPROACH_SECONDS: f64 = 8.0;

/// The largest change of the estimate at once, as a share of it.
const LARGEST_STEP: f64 = 0.15;
/// Time without progress after which the speed counts as lower.
const STALL_SECONDS: f64 = 15.0;

/// An estimate that counts down, and follows changes of speed without jumps.
#[derive(Debug, Clone, Default)]
pub(super) struct Eta {
    /// Time and progress of the latest sample.
    sampled: Option<(f64, u64)>,
    /// The first progress was seen. The time before it is that of starting.
    is_started: bool,
    /// Averages, weighted towards the latest samples.
    average_progress: f64,
    average_seconds: f64,
    /// The latest estimate: seconds left, and its time.
    estimated: Option<(f64, f64)>,
}

impl Eta {
    /// Updates the estimate `elapsed` seconds after the start. Returns the seconds left, or `None`
    /// if too little is known.
    pub(super) fn update(&mut self, elapsed: f64, done: u64, total: u64) -> Option<f64> {
        let (last, last_done) = match self.sampled {
            Some(sampled) if elapsed >= BASELINE_SECONDS => sampled,
            _ => {
                self.sampled = Some((elapsed, done));
                return None;
            }
        };
        if total == 0 || done >= total {
            return None;
        }
        if !self.is_started {
            if done > last_done {
                self.is_started = true;
                self.sampled = Some((elapsed, done));
            }
            return None;
        }
        let passed = elapsed - last;
        // Between two reports of an encoder nothing is known.
        let is_waiting = done <= last_done && passed < STALL_SECONDS;
        if passed >= SAMPLE_SECONDS && !is_waiting {
            self.sampled = Some((elapsed, done));
            let kept = (-passed / SPEED_SECONDS).exp();
            let progress = done.saturating_sub(last_done) as f64;
            self.average_progress = self.average_progress * kept + progress;
            self.average_seconds = self.average_seconds * kept + passed;
            self.estimate(elapsed, passed, (total - done) as f64);
        }
        self.left(elapsed)
    }

    /// Moves the estimate towards the one of the average speed.
    fn estimate(&mut self, elapsed: f64, passed: f64, remaining: f64) {
        if self.average_seconds < WARM_UP_SECONDS || self.average_progress <= 0.0 {
            return;
        }
        let now = remaining * self.average_seconds / self.average_progress;
        let left = match self.left(elapsed) {
            None => now,
            Some(left) => {
                let moved = (now - left) * (1.0 - (-passed / APPROACH_SECONDS).exp());
                left + moved.clamp(-left * LARGEST_STEP, left * LARGEST_STEP)
            }
        };
        self.estimated = Some((left, elapsed));
    }

    /// The estimate, counted down since it was made.
    fn left(&self, elapsed: f64) -> Option<f64> {
        let (left, at) = self.estimated?;
        Some((left - (elapsed - at)).max(1.0))
    }

    /// Forgets the speed so far, which does not predict what follows.
    pub(super) fn reset(&mut self) {
        *self = Self {
            sampled: self.sampled,
            is_started: self.is_started,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Estimates for progress that is reported each second: the time, what is shown, and the truth.
    fn estimates(done: impl Fn(f64) -> f64, total: f64) -> Vec<(f64, Option<f64>, f64)> {
        let end = (0..100_000).map(f64::from).find(|at| done(*at) >= total);
        let end = end.expect("an end");
        let mut eta = Eta::default();
        let mut shown = vec![];
        let mut at = 0.0;
        while at < end {
            let left = eta.update(at, done(at) as u64, total as u64);
            shown.push((at, left, end - at));
            at += 1.0;
        }
        shown
    }

    #[test]
    fn an_estimate_is_near_the_truth_and_does_not_jump() {
        // Name, progress after so many seconds, total, how far the estimate may be off from half
        // way on, and the largest change between two seconds.
        type SpeedCase = (&'static str, fn(f64) -> f64, f64, f64, f64);
        let cases: [SpeedCase; 7] = [
            ("steady", |at| at * 1_000.0, 300_000.0, 0.02, 3.0),
            (
                "chunks of 10 s",
                |at| (at / 10.0).floor() * 10_000.0,
                300_000.0,
                0.5,
                22.0,
            ),
            (
                "resumed at a half",
                |at| 150_000.0 + at * 500.0,
                300_000.0,
                0.02,
                3.0,
            ),
            (
                "slow start",
                |at| (at - 20.0).max(0.0) * 1_000.0,
                300_000.0,
                0.15,
                60.0,
            ),
            (
                "half the speed from the middle",
                |at| at.min(150.0) * 1_000.0 + (at - 150.0).max(0.0) * 500.0,
                300_000.0,
                0.55,
                12.0,
            ),
            (
                "a stall of 20 s",
                |at| at.min(100.0) * 1_000.0 + (at - 120.0).max(0.0) * 1_000.0,
                300_000.0,
                0.35,
                50.0,
            ),
            ("short", |at| at * 1_000.0, 8_000.0, 0.3, 3.0),
        ];
        for (name, done, total, off, jump) in cases {
            let all = estimates(done, total);
            let end = all.last().expect("a second").2 + all.last().expect("a second").0;
            for (at, left, truth) in &all {
                assert!(left.is_some() || *at < 40.0, "{name}: nothing after {at} s");
                let Some(left) = left else { continue };
                assert!(*at >= WARM_UP_SECONDS, "{name}: too early, at {at} s");
                assert!(*left > 0.0, "{name}: nothing is left at {at} s");
                let allowed = (truth * off).max(10.0);
                let is_settled = *at > end / 2.0;
                assert!(
                    !is_settled || (left - truth).abs() <= allowed,
                    "{name}: at {at} s it says {left:.1} s, and {truth:.1} s are left"
                );
            }
            for pair in all.windows(2) {
                if let [(_, Some(before), _), (at, Some(after), _)] = pair {
                    let change = (after - before).abs();
                    assert!(
                        change <= jump,
                        "{name}: {before:.1} to {after:.1} s at {at} s"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_is_estimated_without_a_total_or_progress() {
        let mut eta = Eta::default();
        for (elapsed, done, total) in [
            (0.0, 0, 100),
            (20.0, 0, 100),
            (40.0, 0, 0),
            (60.0, 100, 100),
            (61.0, 120, 100),
        ] {
            assert_eq!(eta.update(elapsed, done, total), None, "{elapsed}");
        }
    }

    #[test]
    fn many_reports_in_a_moment_change_nothing() {
        let (mut few, mut many) = (Eta::default(), Eta::default());
        let mut last = [None, None];
        for tenth in 0..600 {
            let elapsed = f64::from(tenth) / 10.0;
            if tenth % 10 == 0 {
                last[0] = few.update(elapsed, tenth as u64 * 100, 100_000);
            }
            for _ in 0..20 {
                last[1] = many.update(elapsed, tenth as u64 * 100, 100_000);
            }
        }
        let [few, many] = last.map(|left| left.expect("an estimate"));
        assert!((few - many).abs() < 2.0, "{few} {many}");
    }

    #[test]
    fn an_estimate_starts_anew_after_a_reset() {
        let mut eta = Eta::default();
        for at in 0..30 {
            eta.update(f64::from(at), at as u64 * 1_000_000, 1_000_000_000);
        }
        eta.reset();
        let mut left = None;
        for at in 30..60 {
            let done = 29_000_000 + (at as u64 - 29) * 1_000;
            left = eta.update(f64::from(at), done, 29_000_000 + 91_000);
        }
        let left = left.expect("an estimate");
        assert!((left - 61.0).abs() < 3.0, "{left}");
    }
}
