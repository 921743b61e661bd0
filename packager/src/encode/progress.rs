//! What is done of an encoding: how much of it all, and which rungs are all there.

use std::cell::Cell;

use super::ladder::Rung;
use super::task::EncodeTask;
use crate::progress::Step;

/// How many parts each rung still lacks.
pub(crate) struct PendingRungs<'a>(Vec<(&'a Rung, usize)>);

impl<'a> PendingRungs<'a> {
    pub(crate) fn new(parts: &'a [EncodeTask<'_>]) -> Self {
        let mut left: Vec<(&Rung, usize)> = vec![];
        for rung in parts.iter().flat_map(rungs) {
            match left.iter_mut().find(|(other, _)| *other == rung) {
                Some((_, count)) => *count += 1,
                None => left.push((rung, 1)),
            }
        }
        Self(left)
    }

    /// What is all there with this part, which is.
    pub(crate) fn without(&mut self, part: &'a EncodeTask<'_>) -> impl Iterator<Item = &'a Rung> {
        let left = self.0.iter_mut();
        left.filter_map(move |(rung, count)| {
            if !rungs(part).contains(*rung) {
                return None;
            }
            *count -= 1;
            (*count == 0).then_some(*rung)
        })
    }
}

fn rungs<'a>(part: &'a EncodeTask<'_>) -> &'a [Rung] {
    match part {
        EncodeTask::Picture(_, cut) => &cut.rungs,
        EncodeTask::Sound(_) => &[],
    }
}

/// How much is done of each part.
pub(crate) struct EncodeProgress {
    shares: Vec<TaskShare>,
    done: Vec<Cell<u64>>,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum TaskShare {
    /// So much of all that have the same time.
    Of(f64),
    /// Sound beside a picture: as a rule it is done long before, and else it is what is waited for.
    Beside,
}

impl EncodeProgress {
    pub(crate) fn new(parts: &[EncodeTask<'_>], step: Step) -> Self {
        let is_picture = |part: &EncodeTask<'_>| matches!(part, EncodeTask::Picture(..));
        let has_picture = parts.iter().any(is_picture);
        let share = |part: &EncodeTask<'_>| match part {
            EncodeTask::Picture(_, cut) => TaskShare::Of(cut.share),
            EncodeTask::Sound(_) if has_picture => TaskShare::Beside,
            EncodeTask::Sound(_) => TaskShare::Of(1.0 / parts.len() as f64),
        };
        Self {
            shares: parts.iter().map(share).collect(),
            done: parts.iter().map(|_| Cell::new(0)).collect(),
            step,
        }
    }

    pub(crate) fn add(&self, part: usize, millis: u64) {
        self.done[part].set(millis);
    }

    pub(crate) fn set(&self, part: usize, millis: u64) {
        self.add(part, millis);
        let done = self.done.iter().map(Cell::get);
        self.step.set(of_all(self.shares.iter().copied().zip(done)));
    }

    pub(crate) fn finish(self) {
        self.step.finish();
    }
}

/// How much is done of all, from what is done of each.
fn of_all(parts: impl Iterator<Item = (TaskShare, u64)>) -> u64 {
    let (mut shared, mut beside) = (0.0, u64::MAX);
    for (share, millis) in parts {
        match share {
            TaskShare::Of(share) => shared += millis as f64 * share,
            TaskShare::Beside => beside = beside.min(millis),
        }
    }
    beside.min(shared.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_done_as_of_what_is_waited_for() {
        use TaskShare::{Beside, Of};
        for (parts, expected) in [
            (vec![(Of(1.0), 4000), (Of(1.0), 2000)], 6000),
            (vec![(Of(0.25), 4000), (Of(0.75), 2000)], 2500),
            (vec![(Beside, 9000), (Of(1.0), 4000), (Of(1.0), 2000)], 6000),
            (vec![(Beside, 9000), (Beside, 1000), (Of(1.0), 4000)], 1000),
            (vec![], 0),
        ] {
            let said = format!("{parts:?}");
            assert_eq!(of_all(parts.into_iter()), expected, "{said}");
        }
    }
}
