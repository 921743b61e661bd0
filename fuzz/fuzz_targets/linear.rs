//! Work for stored input: an input eight times as long takes about eight times the work. A unit is
//! repeated, and its number replaces the byte 0x01, so that names differ. The target counts
//! allocated bytes, peak bytes, and CPU time of the thread. The oracle is the same code on the
//! smaller input, in the same process.
//!
//! The first byte selects the code: the rewriter under each limit, storyboards, or asset lists.
#![no_main]

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use lectern::credential::keyring::Keyring;
use lectern_fuzz::{KEYS, Stored};
use libfuzzer_sys::fuzz_target;
use rustix::time::{ClockId, clock_gettime};

/// Bytes of the smaller input. The larger one is STEP times as long.
const SMALL_BYTES: usize = 24 << 10;
const STEP: usize = 8;
/// The growth that still counts as linear: buffers double, caches fill, and a sanitizer checks
/// every byte.
const MAX_GROWTH: usize = 3 * STEP;
/// Allocations of fixed size, and times too short for a clock, are not counted.
const SLACK_BYTES: u64 = 64 << 10;
const SLACK_CPU: Duration = Duration::from_millis(3);
/// The number of measurements before a growth counts.
const ATTEMPTS: usize = 5;

fuzz_target!(|data: &[u8]| {
    let Some((&form, unit)) = data.split_first() else {
        return;
    };
    if unit.is_empty() || unit.len() > 2048 {
        return;
    }
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let stored = Stored::of(form);
    let (small, large) = (
        stored.repeated(unit, SMALL_BYTES),
        stored.repeated(unit, STEP * SMALL_BYTES),
    );
    let work = |input: &[u8]| drop(black_box(stored.answer(&keys, black_box(input))));

    let (few, many) = (measure(|| work(&small)), measure(|| work(&large)));
    for (name, few, many) in [
        ("allocated", few.bytes_total, many.bytes_total),
        ("held", few.bytes_max, many.bytes_max),
    ] {
        assert!(
            many <= MAX_GROWTH as u64 * few + SLACK_BYTES,
            "{stored:?}: {few} bytes {name} for {}, {many} for {}",
            small.len(),
            large.len()
        );
    }
    let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
    for _ in 0..ATTEMPTS {
        // Noise only adds: compares the least of the larger input's times with the most of the
        // smaller one's.
        least = least.min(cpu(|| work(&large)));
        most = most.max(cpu(|| work(&small)));
        if least <= most * MAX_GROWTH as u32 + SLACK_CPU {
            return;
        }
    }
    panic!(
        "{stored:?}: {most:?} for {} bytes, {least:?} for {}",
        small.len(),
        large.len()
    );
});

fn cpu(work: impl FnOnce()) -> Duration {
    let began = thread_cpu();
    work();
    thread_cpu() - began
}

/// CPU time of this thread only.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}
