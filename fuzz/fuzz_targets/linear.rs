//! Work for stored input: an input eight times as long takes about eight times the work. A unit is
//! repeated, and its number replaces the byte 0x01, so that names differ. The target counts
//! allocated bytes, peak bytes, and CPU time of the thread. The oracle is the same code on the
//! smaller input, in the same process.
//!
//! The first byte selects the code: the rewriter under each limit, storyboards, or asset lists.
#![no_main]

use std::hint::black_box;

use lectern::credential::keyring::Keyring;
use lectern_fuzz::{KEYS, LARGE_BYTES, SMALL_BYTES, Stored, assert_linear};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&form, unit)) = data.split_first() else {
        return;
    };
    if unit.is_empty() || unit.len() > 2048 {
        return;
    }
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let stored = Stored::of(form);
    let [small, large] = [SMALL_BYTES, LARGE_BYTES].map(|bytes| stored.repeated(unit, bytes));
    assert_linear(&format!("{stored:?}"), &small, &large, |input| {
        drop(black_box(stored.answer(&keys, black_box(input))));
    });
});
