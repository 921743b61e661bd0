//! Histories: what they keep, drop and deliver.

use proptest::prelude::*;

use super::progress::RECORD_SECONDS;
use super::*;
use crate::ledger::places::{CHECK_IN_SECONDS, SILENCE_SECONDS};
use crate::ledger::watching::{MAX_DURATION, MAX_RUNS};
use crate::ledger::webhook::EventKind;

const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 86_400;

fn lecture(name: &str) -> Lecture {
    Lecture::parse(&format!("/courses/{name}/")).expect("a lecture")
}

fn report(position: u32, ranges: &[(u32, u32)]) -> WatchReport {
    WatchReport {
        position,
        duration: 1_000,
        ranges: ranges.to_vec(),
        is_final: false,
    }
}

fn kinds(history: &WatchHistory) -> Vec<(EventKind, u32)> {
    let events = history.events.iter();
    events.map(|event| (event.kind, event.percent)).collect()
}

/// Delivers all that is due, and returns it.
fn deliver(history: &mut WatchHistory, now: u64) -> Vec<Delivery> {
    let due = history.due(now, usize::MAX);
    for delivery in &due {
        history.delivered(delivery, now);
    }
    due
}

#[test]
fn a_lecture_that_is_not_begun_has_no_position() {
    let mut history = WatchHistory::new("s");
    let lecture = |path: &str| {
        let key = crate::object::key::ObjectKey::new(path).expect("a key");
        Lecture::of(&key).expect("a lecture")
    };
    let (begun, other) = (lecture("c/a/master.m3u8"), lecture("c/b/master.m3u8"));
    assert_eq!(history.position(&begun), None);
    history.report(&begun, &report(0, &[(0, 9)]), false, 1);
    assert_eq!(history.position(&begun), Some(0));
    assert_eq!(history.position(&other), None);
}

#[test]
fn a_lecture_that_is_nearly_over_begins_anew() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    for (position, expected) in [(950, 950), (951, 0), (1_000, 0)] {
        history.report(&intro, &report(position, &[(0, 9)]), false, 1);
        assert_eq!(history.position(&intro), Some(expected), "{position}");
    }
}

#[test]
fn each_tenth_and_the_completion_are_announced_once() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    for (ranges, expected) in [
        (&[(0, 99)][..], &[][..]),
        (&[(99, 100)], &[(EventKind::Progress, 10)]),
        (&[(0, 100)], &[]),
        (&[(100, 350)], &[(EventKind::Progress, 35)]),
        (&[(350, 899)], &[(EventKind::Progress, 89)]),
        (
            &[(0, 901)],
            &[(EventKind::Progress, 90), (EventKind::Completed, 90)],
        ),
        (&[(901, 999)], &[]),
        (&[(0, 1_000)], &[(EventKind::Progress, 100)]),
        (&[(0, 1_000)], &[]),
    ] {
        history.report(&intro, &report(5, ranges), true, NOW);
        assert_eq!(kinds(&history), expected, "{ranges:?}");
        history.events.clear();
    }
    let mut silent = WatchHistory::new("s42");
    silent.report(&intro, &report(5, &[(0, 1_000)]), false, NOW);
    assert_eq!(kinds(&silent), []);
    // Seeking to the end is not watching.
    let mut seeker = WatchHistory::new("s42");
    seeker.report(&intro, &report(1_000, &[(0, 5), (990, 1_000)]), true, NOW);
    assert_eq!(seeker.records()[0].1.percent, 1);
    assert_eq!(seeker.records()[0].1.completed_at, None);
}

#[test]
fn a_completed_lecture_stays_completed() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    history.report(&intro, &report(1_000, &[(0, 950)]), true, NOW);
    // The lecture was replaced by a longer one.
    let longer = WatchReport {
        duration: 2_000,
        ..report(3, &[])
    };
    history.report(&intro, &longer, true, NOW + 9);
    let record = history.records()[0].1.clone();
    assert_eq!((record.percent, record.completed_at), (47, Some(NOW)));
}

#[test]
fn a_report_that_changes_nothing_is_not_stored() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    let same = report(30, &[(0, 30)]);
    for (after, expected) in [(0, true), (30, false), (3_599, false), (3_600, true)] {
        let changed = history.report(&intro, &same, true, NOW + after);
        assert_eq!(changed, expected, "{after}");
    }
    assert!(history.report(&intro, &report(31, &[]), true, NOW + 3_601));
}

#[test]
fn a_lectures_ledger_hears_of_steps_at_once_and_of_the_rest_later() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    history.report(&intro, &report(30, &[(0, 30)]), false, NOW);
    assert_eq!(history.next_due(YEAR), Some(NOW + RECORD_SECONDS));
    history.report(&intro, &report(100, &[(30, 100)]), false, NOW + 70);
    assert_eq!(deliver(&mut history, NOW + 70).len(), 1);
    assert_eq!(history.due(NOW + 70, 9), []);
    let last = WatchReport {
        is_final: true,
        ..report(120, &[(100, 120)])
    };
    history.report(&intro, &last, false, NOW + 90);
    let next = NOW + 70 + FINAL_RECORD_SECONDS;
    assert_eq!(history.next_due(YEAR), Some(next));
    assert_eq!(deliver(&mut history, next).len(), 1);
    assert_eq!(history.next_due(YEAR), Some(NOW + 90 + YEAR));
    // A first report that is the last is recorded at once.
    let other = lecture("other");
    history.report(&other, &last, false, next);
    assert_eq!(deliver(&mut history, next).len(), 1);
}

#[test]
fn failures_are_repeated_and_events_given_up() {
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    history.report(&intro, &report(100, &[(0, 100)]), true, NOW);
    let mut now = NOW;
    let [webhook, record] = &history.due(now, 9)[..] else {
        panic!("two deliveries");
    };
    let (webhook, record) = (webhook.clone(), record.clone());
    assert!(matches!(record, Delivery::Record(..)));
    for delay in RETRY_SECONDS {
        history.failed(&record, now);
        let due = history.due(now, 9);
        let [current] = &due[..] else {
            panic!("one delivery");
        };
        assert!(!history.failed(current, now), "{webhook:?}");
        assert_eq!(history.due(now + delay - 1, 9), []);
        assert_eq!(history.next_due(YEAR), Some(now + delay));
        now += delay;
        assert_eq!(history.due(now, 9).len(), 2);
    }
    let last = history.due(now, 9).remove(0);
    assert!(history.failed(&last, now));
    assert_eq!(history.events, []);
    // The record is never given up.
    for _ in 0..9 {
        history.failed(&record, now);
        now += RETRY_SECONDS[4];
        assert_eq!(history.due(now, 9).len(), 1);
    }
    history.delivered(&record, now);
    assert_eq!((history.failures, history.due(now, 9)), (0, vec![]));
}

#[test]
fn a_forgotten_viewer_is_removed_everywhere() {
    let mut history = WatchHistory::new("s42");
    for name in ["a", "b"] {
        history.report(&lecture(name), &report(100, &[(0, 100)]), true, NOW);
    }
    let in_flight = history.due(NOW, 9);
    assert_eq!(history.forget(), 2);
    assert_eq!(history.pending_removals(), 2);
    assert_eq!(history.records(), []);
    assert_eq!(deliver(&mut history, NOW).len(), 2);
    assert!(history.is_empty());
    // A record that arrived after the removal is removed again.
    let record = |it: &&Delivery| matches!(it, Delivery::Record(..));
    history.delivered(in_flight.iter().find(record).expect("a record"), NOW);
    assert_eq!(deliver(&mut history, NOW).len(), 1);
    assert!(history.is_empty());
    assert_eq!(history.forget(), 0);
    // A lecture that is watched again keeps its new row.
    history.report(&lecture("a"), &report(100, &[(0, 100)]), true, NOW);
    history.forget();
    history.report(&lecture("a"), &report(100, &[(0, 100)]), false, NOW);
    let due = history.due(NOW, 9);
    assert!(matches!(&due[..], [Delivery::Record(..)]), "{due:?}");
}

#[test]
fn a_lecture_ends_with_its_time_and_others_stay() {
    let mut history = WatchHistory::new("s42");
    history.report(&lecture("a"), &report(100, &[(0, 100)]), false, NOW);
    history.report(&lecture("b"), &report(100, &[(0, 100)]), false, NOW + 5);
    deliver(&mut history, NOW + 5);
    assert_eq!(history.next_due(YEAR), Some(NOW + YEAR));
    history.expire(YEAR, NOW + YEAR - 1);
    assert_eq!(history.records().len(), 2);
    history.expire(YEAR, NOW + YEAR);
    assert_eq!(history.records().len(), 1);
    let due = history.due(NOW + YEAR, 9);
    assert_eq!(due, [Delivery::Removal(lecture("a").hash())]);
}

/// The largest history that reports can make.
fn largest() -> WatchHistory {
    let mut history = WatchHistory::new(&"v".repeat(MAX_VIEWER_BYTES));
    let name = |at: usize| {
        let path = format!("/{at:04}/");
        Lecture::parse(&format!(
            "{path}{}/",
            "x".repeat(MAX_LECTURE_BYTES - path.len() - 1)
        ))
        .expect("a lecture")
    };
    for at in 0..1_300 {
        // Long runs with long gaps, which take the most bytes.
        let ranges: Vec<_> = (0..300).map(|at| (at * 280, at * 280 + 140)).collect();
        for part in ranges.chunks(MAX_RUNS) {
            let report = WatchReport {
                duration: MAX_DURATION,
                position: MAX_DURATION,
                ..report(0, part)
            };
            history.report(&name(at), &report, true, NOW + at as u64);
        }
    }
    history
}

#[test]
fn a_history_is_bounded() {
    let history = largest();
    let bytes = history.to_bytes();
    assert!(bytes.len() <= MAX_HISTORY_BYTES, "{}", bytes.len());
    // With 255 players' places, the viewer's ledger stays below 256 kB.
    const { assert!(MAX_HISTORY_BYTES + 255 * 24 < 256_000) };
    assert_eq!(history.events.len(), MAX_EVENTS);
    // The dropped lectures of this one, and all of another that was forgotten.
    let mut full = history.clone();
    for at in 0..MAX_REMOVALS {
        full.remove_from_ledger(&lecture(&at.to_string()));
    }
    assert_eq!(full.removals.len(), MAX_REMOVALS);
    assert!(full.to_bytes().len() <= MAX_HISTORY_BYTES);
    assert!(
        history.lectures.len() >= MAX_OPEN,
        "{}",
        history.lectures.len()
    );
    assert_eq!(WatchHistory::from_bytes(&bytes), Some(history));
}

#[test]
fn a_thousand_usual_lectures_keep_what_was_watched() {
    let mut history = WatchHistory::new("s42");
    for at in 0..MAX_LECTURES as u32 {
        let lecture = lecture(&format!("rails/lecture-{at:04}"));
        let ranges = [(0, 400), (450, 950), (960, 960 + at % 40)];
        history.report(&lecture, &report(999, &ranges), false, NOW + u64::from(at));
    }
    assert_eq!(history.records().len(), MAX_LECTURES);
    assert!(
        history
            .records()
            .iter()
            .all(|(_, record)| record.completed_at.is_some())
    );
    let open = history
        .lectures
        .iter()
        .filter(|it| it.runs.as_runs().len() > 1);
    assert_eq!(open.count(), MAX_OPEN);
    assert!(
        history.to_bytes().len() < 100_000,
        "{}",
        history.to_bytes().len()
    );
    // One more drops the oldest that was not completed, which is none, so the oldest.
    let more = WatchReport {
        ranges: vec![(0, 10)],
        ..report(10, &[])
    };
    history.report(&lecture("more"), &more, false, NOW + 5_000);
    assert_eq!(history.records().len(), MAX_LECTURES);
    history.report(&lecture("most"), &more, false, NOW + 5_001);
    let completed = |history: &WatchHistory| {
        let records = history.records();
        let completed = records.iter().filter(|(_, it)| it.completed_at.is_some());
        completed.count()
    };
    assert_eq!(completed(&history), MAX_LECTURES - 1);
    assert!(history.has(&lecture("most")) && !history.has(&lecture("more")));
}

#[test]
fn a_view_of_45_minutes_calls_durable_objects_at_most_120_times() {
    // One isolate's memory: the second at which it last asked for the player.
    let mut history = WatchHistory::new("s42");
    let intro = lecture("intro");
    let (mut calls, mut alarm, mut asked) = (0, None::<u64>, NOW);
    // Opening the lecture takes a place, and names the second to go on at.
    calls += 1;
    for second in 0..=2_700_u64 {
        let now = NOW + second;
        // A segment is asked for every four seconds, and keeps the place.
        if second % 4 == 0 && now >= asked + CHECK_IN_SECONDS {
            calls += 1;
            asked = now;
        }
        if second > 0 && second % 30 == 0 {
            let to = second as u32;
            let posted = WatchReport {
                position: to,
                duration: 2_700,
                ranges: vec![(to - 30, to)],
                is_final: second == 2_700,
            };
            calls += 1;
            asked = now;
            assert!(history.report(&intro, &posted, true, now));
            let due = history.next_due(YEAR);
            alarm = alarm.min(due).or(due);
        }
        if alarm.is_some_and(|at| at <= now) {
            // The alarm itself, and a call for each record.
            let delivered = deliver(&mut history, now);
            let records = delivered
                .iter()
                .filter(|it| matches!(it, Delivery::Record(..)));
            calls += 1 + records.count();
            alarm = history.next_due(YEAR);
        }
    }
    assert_eq!(history.records()[0].1.percent, 100);
    // `lectern cost` has the same number.
    assert_eq!(calls, 111);
    // Two places: the pages of one viewer keep theirs by reports alone.
    const { assert!(CHECK_IN_SECONDS > 30 && 2 * CHECK_IN_SECONDS < SILENCE_SECONDS) };
}

proptest! {
    #[test]
    fn stored_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Some(history) = WatchHistory::from_bytes(&bytes) {
            prop_assert_eq!(WatchHistory::from_bytes(&history.to_bytes()), Some(history));
        }
    }

    #[test]
    fn a_history_is_read_as_it_was_written(
        posts in prop::collection::vec((0..5_u32, 0..1_000_u32, 0..90_u32), 0..60),
    ) {
        let mut history = WatchHistory::new("s \"42\"");
        for (at, (name, from, length)) in posts.into_iter().enumerate() {
            let ranges = [(from, (from + length).min(1_000))];
            let lecture = lecture(&name.to_string());
            history.report(&lecture, &report(from, &ranges), true, NOW + at as u64 * 30);
            if at % 7 == 0 {
                let due = history.due(NOW, 3);
                for delivery in &due {
                    history.failed(delivery, NOW + at as u64 * 30);
                }
            }
            let again = WatchHistory::from_bytes(&history.to_bytes());
            prop_assert_eq!(again.as_ref(), Some(&history));
        }
    }
}
