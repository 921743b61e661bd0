//! Watched seconds of one lecture: runs of whole seconds, merged from what players report.
//!
//! A lecture has at most [`MAX_RUNS`] runs. Beyond, the shortest neighbours are joined. A joined run
//! remembers how many of its seconds were watched, so no second of a gap ever counts. Watching a
//! joined run again from either end makes its seconds certain, so the bound never keeps a viewer
//! from 100 %.

/// The most runs of a lecture, and the most ranges of a report.
pub const MAX_RUNS: usize = 200;
/// The longest lecture, in seconds.
pub const MAX_DURATION: u32 = 86_400;
/// The share of a lecture that completes it, in percent.
pub const COMPLETED_PERCENT: u32 = 90;

/// Seconds of a lecture. Invariant: `start < end`, and `watched` is 1 to `end - start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedRun {
    /// The first second.
    pub start: u32,
    /// The second behind the last.
    pub end: u32,
    /// A lower bound of the watched seconds. Less than the length only in a joined run.
    pub watched: u32,
}

impl WatchedRun {
    fn new(start: u32, end: u32) -> Self {
        Self {
            start,
            end,
            watched: end - start,
        }
    }

    fn is_certain(&self) -> bool {
        self.watched == self.end - self.start
    }

    /// Removes the seconds in front of `at`. At most all of them were watched ones.
    fn cut_before(&mut self, at: u32) {
        let cut = at.min(self.end).saturating_sub(self.start);
        self.start += cut;
        self.watched = self.watched.saturating_sub(cut);
    }

    /// Removes the seconds from `at` on.
    fn cut_from(&mut self, at: u32) {
        let cut = self.end.saturating_sub(at.max(self.start));
        self.end -= cut;
        self.watched = self.watched.saturating_sub(cut);
    }
}

/// The watched seconds of a lecture. Invariant: at most [`MAX_RUNS`] runs, sorted and disjoint, that
/// end within [`MAX_DURATION`]; two certain runs do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedRuns(Vec<WatchedRun>);

impl WatchedRuns {
    /// Checks runs that were stored.
    #[must_use]
    pub fn from_runs(runs: Vec<WatchedRun>) -> Option<Self> {
        let is_run = |run: &WatchedRun| {
            run.start < run.end
                && run.end <= MAX_DURATION
                && (1..=run.end - run.start).contains(&run.watched)
        };
        let is_apart = |pair: &[WatchedRun]| match pair {
            [a, b] if a.is_certain() && b.is_certain() => a.end < b.start,
            [a, b] => a.end <= b.start,
            _ => true,
        };
        let is_valid =
            runs.len() <= MAX_RUNS && runs.iter().all(is_run) && runs.windows(2).all(is_apart);
        is_valid.then_some(Self(runs))
    }

    #[must_use]
    pub fn as_runs(&self) -> &[WatchedRun] {
        &self.0
    }

    /// The watched seconds of the first `duration` seconds, or a lower bound of them.
    #[must_use]
    pub fn seconds_within(&self, duration: u32) -> u32 {
        let within = |run: &WatchedRun| {
            let mut run = *run;
            run.cut_from(duration);
            run.watched
        };
        self.0.iter().map(within).sum()
    }

    /// The watched share of a lecture, in percent, rounded down.
    #[must_use]
    pub fn percent(&self, duration: u32) -> u32 {
        let percent = self.seconds_within(duration) * 100 / duration.max(1);
        percent.min(100)
    }

    /// Adds watched ranges. They may overlap each other and known runs.
    pub fn add(&mut self, ranges: &[(u32, u32)]) {
        self.add_within(ranges, MAX_RUNS);
    }

    fn add_within(&mut self, latest: &[(u32, u32)], most: usize) {
        let ranges = latest
            .iter()
            .map(|(from, to)| (*from, (*to).min(MAX_DURATION)))
            .filter(|(from, to)| from < to)
            .map(|(from, to)| WatchedRun::new(from, to));
        let (certain, joined): (Vec<_>, Vec<_>) =
            self.0.drain(..).partition(WatchedRun::is_certain);
        let mut certain = union(ranges.chain(certain).collect());
        let joined = without(joined, &mut certain);
        let (now_certain, joined): (Vec<_>, Vec<_>) =
            joined.into_iter().partition(WatchedRun::is_certain);
        certain.extend(now_certain);
        let mut runs = union(certain);
        runs.extend(joined);
        runs.sort_unstable_by_key(|run| run.start);
        self.0 = runs;
        self.join(most, latest);
    }

    /// Joins all runs into one, which takes less space.
    pub fn join_all(&mut self) {
        self.join(1, &[]);
    }

    /// Joins neighbours until there are at most `most` runs: the shortest ones, and last those with
    /// the latest ranges. A viewer who watches on would lose what he has just made certain.
    fn join(&mut self, most: usize, latest: &[(u32, u32)]) {
        let excess = self.0.len().saturating_sub(most);
        if excess == 0 {
            return;
        }
        let mut is_latest = vec![false; self.0.len()];
        for (from, _) in latest {
            let behind = self.0.partition_point(|run| run.start <= *from);
            if let Some(is_latest) = behind.checked_sub(1).and_then(|at| is_latest.get_mut(at)) {
                *is_latest = true;
            }
        }
        let mut neighbours: Vec<(bool, u32, usize)> = (1..self.0.len())
            .map(|at| {
                let span = self.0[at].end - self.0[at - 1].start;
                (is_latest[at] || is_latest[at - 1], span, at)
            })
            .collect();
        neighbours.sort_unstable();
        let mut is_joined = vec![false; self.0.len()];
        for (_, _, at) in neighbours.into_iter().take(excess) {
            is_joined[at] = true;
        }
        let mut runs: Vec<WatchedRun> = Vec::new();
        for (run, is_joined) in self.0.drain(..).zip(is_joined) {
            match runs.last_mut() {
                Some(last) if is_joined => {
                    last.end = run.end;
                    last.watched += run.watched;
                }
                _ => runs.push(run),
            }
        }
        self.0 = runs;
    }
}

/// The union of certain runs, sorted.
fn union(mut runs: Vec<WatchedRun>) -> Vec<WatchedRun> {
    runs.sort_unstable_by_key(|run| run.start);
    let mut union: Vec<WatchedRun> = Vec::new();
    for run in runs {
        match union.last_mut() {
            Some(last) if run.start <= last.end => {
                *last = WatchedRun::new(last.start, last.end.max(run.end));
            }
            _ => union.push(run),
        }
    }
    union
}

/// Takes certain seconds out of joined runs. A certain run that lies inside a joined one is removed:
/// its seconds may be among the watched ones of the joined run.
fn without(joined: Vec<WatchedRun>, certain: &mut Vec<WatchedRun>) -> Vec<WatchedRun> {
    let mut left = Vec::new();
    let mut apart = Vec::new();
    let mut certain_runs = certain.drain(..).peekable();
    for mut run in joined {
        let mut inside = 0;
        while let Some(next) = certain_runs.peek().copied() {
            if next.start >= run.end {
                break;
            }
            if next.end > run.start {
                if next.start <= run.start {
                    run.cut_before(next.end);
                } else if next.end >= run.end {
                    run.cut_from(next.start);
                } else {
                    inside += next.end - next.start;
                    certain_runs.next();
                    continue;
                }
            }
            if run.start >= run.end || next.end > run.end {
                // It may reach the next joined run, too.
                break;
            }
            certain_runs.next();
            apart.push(next);
        }
        run.watched = run.watched.max(inside);
        if run.start < run.end && run.watched > 0 {
            left.push(run);
        }
    }
    apart.extend(certain_runs);
    *certain = apart;
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive oracle: one flag a second.
    struct WatchedSeconds(Vec<bool>);

    impl WatchedSeconds {
        fn new(duration: u32) -> Self {
            Self(vec![false; duration as usize])
        }

        fn add(&mut self, ranges: &[(u32, u32)]) {
            for (from, to) in ranges {
                for second in *from..(*to).min(self.0.len() as u32) {
                    self.0[second as usize] = true;
                }
            }
        }

        fn count(&self) -> u32 {
            self.0.iter().filter(|watched| **watched).count() as u32
        }

        fn ranges(&self) -> usize {
            let begins = |at: usize| self.0[at] && (at == 0 || !self.0[at - 1]);
            (0..self.0.len()).filter(|at| begins(*at)).count()
        }
    }

    fn check(runs: &WatchedRuns) {
        let again = WatchedRuns::from_runs(runs.as_runs().to_vec());
        assert_eq!(again.as_ref(), Some(runs), "an invariant is broken");
    }

    #[test]
    fn ranges_are_merged() {
        for (posts, expected, seconds) in [
            (vec![vec![(0, 30)], vec![(30, 60)]], vec![(0, 60)], 60),
            (vec![vec![(0, 30), (10, 20)]], vec![(0, 30)], 30),
            (
                vec![vec![(50, 60)], vec![(0, 10)]],
                vec![(0, 10), (50, 60)],
                20,
            ),
            (vec![vec![(5, 5), (9, 3)]], vec![], 0),
            (vec![vec![(86_390, 90_000)]], vec![(86_390, 86_400)], 10),
            (vec![vec![(u32::MAX - 1, u32::MAX)]], vec![], 0),
        ] {
            let mut runs = WatchedRuns::default();
            for post in &posts {
                runs.add(post);
                check(&runs);
            }
            let found: Vec<_> = runs
                .as_runs()
                .iter()
                .map(|run| (run.start, run.end))
                .collect();
            assert_eq!(found, expected, "{posts:?}");
            assert_eq!(runs.seconds_within(MAX_DURATION), seconds, "{posts:?}");
        }
    }

    #[test]
    fn clicking_through_a_lecture_is_not_watching_it() {
        let mut runs = WatchedRuns::default();
        // A second in every five of 45 minutes: 540 runs.
        for start in (0..2_700).step_by(5) {
            runs.add(&[(start, start + 1)]);
            check(&runs);
        }
        assert_eq!(runs.as_runs().len(), MAX_RUNS);
        assert_eq!(runs.percent(2_700), 20);
        // Clicking at the same places again adds nothing.
        for start in (0..2_700).step_by(5) {
            runs.add(&[(start, start + 1)]);
        }
        assert_eq!(runs.percent(2_700), 20);
        // Watching it through completes it.
        for start in (0..2_700).step_by(30) {
            runs.add(&[(start, start + 30)]);
            check(&runs);
        }
        assert_eq!(runs.percent(2_700), 100);
        assert_eq!(runs.as_runs(), [WatchedRun::new(0, 2_700)]);
    }

    #[test]
    fn many_small_gaps_do_not_keep_a_viewer_from_completing() {
        let mut runs = WatchedRuns::default();
        // 27 seconds of every 30, in two hours: 240 ranges.
        for start in (0..7_200).step_by(30) {
            runs.add(&[(start, start + 27)]);
        }
        assert_eq!(runs.as_runs().len(), MAX_RUNS);
        assert_eq!(runs.percent(7_200), 90);
    }

    #[test]
    fn a_shorter_lecture_counts_what_it_still_has() {
        let mut runs = WatchedRuns::default();
        runs.add(&[(0, 50), (90, 100)]);
        assert_eq!(runs.percent(100), 60);
        assert_eq!(runs.percent(50), 100);
        assert_eq!(runs.percent(95), 57);
        assert_eq!(runs.percent(1), 100);
        assert_eq!(runs.percent(0), 0);
    }

    fn posts(longest: u32) -> impl Strategy<Value = Vec<Vec<(u32, u32)>>> {
        let range = (0..longest, 0..40_u32).prop_map(|(from, length)| (from, from + length));
        prop::collection::vec(prop::collection::vec(range, 0..8), 0..120)
    }

    proptest! {
        #[test]
        fn few_ranges_are_counted_exactly(posts in posts(600)) {
            let mut runs = WatchedRuns::default();
            let mut oracle = WatchedSeconds::new(700);
            for post in &posts {
                runs.add(post);
                oracle.add(post);
                check(&runs);
                prop_assert_eq!(runs.seconds_within(700), oracle.count());
                prop_assert_eq!(runs.as_runs().len(), oracle.ranges());
            }
        }

        #[test]
        fn many_ranges_never_count_too_much_nor_less_than_before(
            posts in posts(20_000),
            most in 3..20_usize,
        ) {
            let mut runs = WatchedRuns::default();
            let mut oracle = WatchedSeconds::new(20_040);
            let mut before = 0;
            for post in &posts {
                runs.add_within(post, most);
                oracle.add(post);
                check(&runs);
                let seconds = runs.seconds_within(20_040);
                prop_assert!(seconds <= oracle.count());
                prop_assert!(seconds >= before);
                before = seconds;
            }
            // Watched through in order, it is complete.
            for start in (0..20_040).step_by(30) {
                runs.add_within(&[(start, (start + 30).min(20_040))], most);
            }
            prop_assert_eq!(runs.seconds_within(20_040), 20_040);
        }
    }
}
