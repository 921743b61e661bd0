//! Progress of an encoding as a whole, and the rungs that it has completed.

use std::cell::Cell;

use super::ladder::Rung;
use super::task::EncodeTask;
use crate::progress::Step;

/// Number of unfinished tasks of each rung.
pub(crate) struct PendingRungs<'a>(Vec<(&'a Rung, usize)>);

impl<'a> PendingRungs<'a> {
    pub(crate) fn new(tasks: &'a [EncodeTask<'_>]) -> Self {
        let mut pending: Vec<(&Rung, usize)> = vec![];
        for rung in tasks.iter().flat_map(rungs) {
            match pending.iter_mut().find(|(other, _)| *other == rung) {
                Some((_, count)) => *count += 1,
                None => pending.push((rung, 1)),
            }
        }
        Self(pending)
    }

    /// Counts a task as finished, and returns the rungs that are complete with it.
    pub(crate) fn finish_task(
        &mut self,
        task: &'a EncodeTask<'_>,
    ) -> impl Iterator<Item = &'a Rung> {
        let pending = self.0.iter_mut();
        pending.filter_map(move |(rung, count)| {
            if !rungs(task).contains(*rung) {
                return None;
            }
            *count -= 1;
            (*count == 0).then_some(*rung)
        })
    }
}

fn rungs<'a>(task: &'a EncodeTask<'_>) -> &'a [Rung] {
    match task {
        EncodeTask::Video(_, cut) => &cut.rungs,
        EncodeTask::Audio(_) => &[],
    }
}

/// Progress of each task.
pub(crate) struct EncodeProgress {
    shares: Vec<TaskShare>,
    done: Vec<Cell<u64>>,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum TaskShare {
    /// Share of the tasks that cover the same time.
    Of(f64),
    /// Audio beside video. It usually finishes long before, or is what remains.
    Beside,
}

impl EncodeProgress {
    pub(crate) fn new(tasks: &[EncodeTask<'_>], step: Step) -> Self {
        let is_video = |task: &EncodeTask<'_>| matches!(task, EncodeTask::Video(..));
        let has_video = tasks.iter().any(is_video);
        let share = |task: &EncodeTask<'_>| match task {
            EncodeTask::Video(_, cut) => TaskShare::Of(cut.share),
            EncodeTask::Audio(_) if has_video => TaskShare::Beside,
            EncodeTask::Audio(_) => TaskShare::Of(1.0 / tasks.len() as f64),
        };
        Self {
            shares: tasks.iter().map(share).collect(),
            done: tasks.iter().map(|_| Cell::new(0)).collect(),
            step,
        }
    }

    pub(crate) fn add(&self, task: usize, millis: u64) {
        self.done[task].set(millis);
    }

    pub(crate) fn set(&self, task: usize, millis: u64) {
        self.add(task, millis);
        let done = self.done.iter().map(Cell::get);
        self.step
            .set(overall(self.shares.iter().copied().zip(done)));
    }

    pub(crate) fn finish(self) {
        self.step.finish();
    }
}

/// Overall progress from the progress of each task.
fn overall(tasks: impl Iterator<Item = (TaskShare, u64)>) -> u64 {
    let (mut shared, mut beside) = (0.0, u64::MAX);
    for (share, millis) in tasks {
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
    fn overall_progress_is_that_of_the_slowest_part() {
        use TaskShare::{Beside, Of};
        for (tasks, expected) in [
            (vec![(Of(1.0), 4000), (Of(1.0), 2000)], 6000),
            (vec![(Of(0.25), 4000), (Of(0.75), 2000)], 2500),
            (vec![(Beside, 9000), (Of(1.0), 4000), (Of(1.0), 2000)], 6000),
            (vec![(Beside, 9000), (Beside, 1000), (Of(1.0), 4000)], 1000),
            (vec![], 0),
        ] {
            let case = format!("{tasks:?}");
            assert_eq!(overall(tasks.into_iter()), expected, "{case}");
        }
    }
}
