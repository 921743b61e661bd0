//! Progress that a program outside this process follows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Progress of one recording after the other, for its status.
#[derive(Debug, Default)]
pub(crate) struct ProgressWatch(Mutex<Observed>);

/// Progress of one recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The lecture plays, in the rungs that are there so far.
    pub(crate) is_playing: bool,
    /// Rungs that play: `480p`.
    pub(crate) rungs: Vec<String>,
    pub(crate) percent: u8,
}

/// Shares of the steps in the whole: their first and last percent. Encoding takes the longest. The
/// others of a recording take no time to speak of.
const SHARES: [(&str, u8, u8); 3] = [
    ("fetching", 0, 10),
    ("encoding", 10, 90),
    ("publishing", 90, 99),
];

impl ProgressWatch {
    /// Starts to observe another recording.
    pub(crate) fn reset(&self) {
        *self.observed() = Observed::default();
    }

    /// Progress so far.
    pub(crate) fn snapshot(&self) -> Observed {
        self.observed().clone()
    }

    pub(super) fn step(&self, name: &str, done: u64, total: u64) {
        let mut observed = self.observed();
        if let Some(percent) = percent(name, done, total) {
            observed.percent = observed.percent.max(percent);
        }
    }

    pub(super) fn play(&self, rungs: Vec<String>) {
        let mut observed = self.observed();
        observed.is_playing = true;
        observed.rungs = rungs;
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Percent of the whole, if this step has a share in it and its total is known.
fn percent(step: &str, done: u64, total: u64) -> Option<u8> {
    let (_, first, last) = SHARES.into_iter().find(|(name, ..)| *name == step)?;
    let done = u128::from(done.min(total));
    let more = (done * u128::from(last - first)).checked_div(u128::from(total))?;
    Some(first + u8::try_from(more).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_shares_and_percents_never_fall() {
        for (step, done, total, expected) in [
            ("fetching", 0, 9, Some(0)),
            ("fetching", 5, 10, Some(5)),
            ("encoding", 1, 2, Some(50)),
            ("encoding", 9, 2, Some(90)),
            ("publishing", u64::MAX, u64::MAX, Some(99)),
            ("publishing", 5, 0, None),
            ("reading", 1, 2, None),
        ] {
            assert_eq!(
                percent(step, done, total),
                expected,
                "{step} {done}/{total}"
            );
        }
        let watch = ProgressWatch::default();
        watch.step("encoding", 1, 2);
        watch.step("fetching", 1, 2);
        watch.step("reading", 1, 2);
        assert_eq!(watch.snapshot().percent, 50);
        watch.play(vec!["480p".to_owned()]);
        let observed = watch.snapshot();
        assert!(observed.is_playing);
        assert_eq!(observed.rungs, ["480p"]);
        watch.reset();
        assert_eq!(watch.snapshot(), Observed::default());
    }
}
