//! Watch data. The first byte selects: the body of a report, a stored history, or ranges, whose
//! oracle is a flag for each second.
#![no_main]

use lectern::ledger::history::{MAX_HISTORY_BYTES, WatchHistory};
use lectern::ledger::report::{Lecture, WatchReport};
use lectern::ledger::watching::{MAX_DURATION, MAX_RUNS, WatchedRuns};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 86_400;
/// The length of the oracle's lecture.
const SECONDS: u32 = 4096;

fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    match form % 3 {
        0 => report(data),
        1 => history(data),
        _ => ranges(data),
    }
});

fn report(json: &[u8]) {
    let Ok(report) = WatchReport::from_json(json) else {
        return;
    };
    assert!((1..=MAX_DURATION).contains(&report.duration));
    assert!(report.position <= report.duration && report.ranges.len() <= MAX_RUNS);
    let within = |(from, to): &(u32, u32)| from < to && *to <= report.duration;
    assert!(report.ranges.iter().all(within));
    let lecture = Lecture::parse("/a/").expect("a lecture");
    let mut history = WatchHistory::new("s42");
    history.report(&lecture, &report, true, NOW);
    assert!(history.to_bytes().len() <= MAX_HISTORY_BYTES);
    check(&history);
}

fn history(bytes: &[u8]) {
    let Some(mut history) = WatchHistory::from_bytes(bytes) else {
        return;
    };
    check(&history);
    for delivery in history.due(NOW, 50) {
        history.failed(&delivery, NOW);
        history.delivered(&delivery, NOW);
    }
    history.expire(YEAR, NOW);
    check(&history);
    history.forget();
    check(&history);
}

fn check(history: &WatchHistory) {
    let bytes = history.to_bytes();
    assert_eq!(WatchHistory::from_bytes(&bytes).as_ref(), Some(history));
    assert_eq!(history.next_due(YEAR).is_none(), history.is_empty());
    for (_, record) in history.records() {
        assert!(record.percent <= 100 && record.position <= record.duration);
    }
}

fn ranges(data: &[u8]) {
    let mut runs = WatchedRuns::default();
    let mut watched = vec![false; SECONDS as usize];
    let mut before = 0;
    for post in data.chunks(12) {
        let range = |bytes: &[u8]| {
            let from = u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) % SECONDS;
            (from, from + u32::from(bytes[2]))
        };
        let ranges: Vec<(u32, u32)> = post.chunks_exact(3).map(range).collect();
        for (from, to) in &ranges {
            let to = (*to as usize).min(watched.len());
            watched[*from as usize..to].fill(true);
        }
        runs.add(&ranges);
        let again = WatchedRuns::from_runs(runs.as_runs().to_vec());
        assert_eq!(again.as_ref(), Some(&runs));
        let seconds = runs.seconds_within(SECONDS);
        let truth = watched.iter().filter(|watched| **watched).count();
        assert!(seconds >= before && seconds as usize <= truth);
        before = seconds;
    }
    runs.add(&[(0, SECONDS)]);
    assert_eq!(runs.seconds_within(SECONDS), SECONDS);
}
