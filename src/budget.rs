//! Memory that requests hold in an isolate: bodies that fill the cache or wait for slow viewers,
//! playlists that are rewritten, and lists that complete uploads. The platform ends an isolate that
//! exceeds 128 MB, with every request in it. So a request reserves its memory first, and waits or
//! is refused if there is no room.
//!
//! At most 80 MiB are reserved. WebAssembly memory grows once, to about 30 MiB for the largest
//! playlist, because rewrites run one after the other.
//!
//! Timers of a request renew its hold. When a client disconnects, the platform drops the request,
//! its timers and its streams, and runs no destructor. So a hold lapses if it is not renewed for
//! [`LAPSE_MS`].

use std::collections::BTreeMap;

/// The limit of all holds together.
pub const MAX_HELD_BYTES: u64 = 80 << 20;
/// Room that only small reservations may use, so that slow readers of large bodies do not block
/// playlists.
pub const FOR_SMALL_BYTES: u64 = 8 << 20;
/// The limit of a small reservation: a playlist of 350 kB, or 20 hours in segments of six seconds.
pub const SMALL_BYTES: u64 = 1 << 20;
/// The limit of bodies that fill the cache. Beyond it, bodies are streamed and not cached.
pub const MAX_FILLING_BYTES: u64 = 48 << 20;
/// The limit of lists that complete uploads. An uploader decides how slowly they arrive, so they
/// must not block viewers.
pub const MAX_PART_LIST_BYTES: u64 = 8 << 20;

/// The interval at which a request renews its hold.
pub const RENEW_MS: u32 = 2_000;
/// The time after which a hold lapses. It is several times [`RENEW_MS`], because a busy isolate
/// delays timers.
pub const LAPSE_MS: u64 = 15_000;
/// The delays between attempts of a request that found no room: 4.6 s in all. Players wait for ten.
pub const WAITS_MS: [u32; 24] = [
    4, 8, 16, 32, 64, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256,
    256, 256, 256, 256,
];
/// The time limit for a viewer to receive a large rewritten playlist. A player gives up earlier.
pub const MAX_SENDING_MS: u32 = 60_000;

/// The purpose of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldPurpose {
    /// An object that streams into the cache and to a viewer. It holds its size: bytes that one of
    /// the two has read and the other has not.
    CacheFill,
    /// A rewritten playlist, storyboard or asset list.
    Rewrite,
    /// The list that completes a multipart upload.
    PartList,
}

impl HoldPurpose {
    /// The bytes to reserve for a body of `size` bytes.
    ///
    /// A rewritten body counts three times. While it is read, the platform holds its chunks and the
    /// whole. Then there are the copy for the cache and the result, which may be twice as long.
    #[must_use]
    pub fn bytes_for(self, size: u64) -> u64 {
        match self {
            Self::CacheFill => size,
            Self::Rewrite | Self::PartList => size.saturating_mul(3),
        }
    }
}

/// A granted reservation. [`Budget::release`] returns it.
#[derive(Debug, PartialEq, Eq)]
pub struct Hold {
    number: u64,
    purpose: HoldPurpose,
    bytes: u64,
}

/// Accounts of the memory that an isolate's requests hold.
#[derive(Debug, Default)]
pub struct Budget {
    holds: BTreeMap<u64, Account>,
    /// The sums of all holds, by purpose.
    filling: u64,
    rewriting: u64,
    part_lists: u64,
    last_number: u64,
    /// The last search for lapsed holds.
    swept_ms: u64,
}

#[derive(Debug)]
struct Account {
    purpose: HoldPurpose,
    bytes: u64,
    renewed_ms: u64,
}

impl Budget {
    /// Creates the budget of a new isolate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            holds: BTreeMap::new(),
            filling: 0,
            rewriting: 0,
            part_lists: 0,
            last_number: 0,
            swept_ms: 0,
        }
    }

    /// Reserves bytes, if there is room.
    pub fn reserve(&mut self, purpose: HoldPurpose, bytes: u64, now_ms: u64) -> Option<Hold> {
        if !self.has_room(purpose, bytes) {
            self.forget_dropped(now_ms);
            self.has_room(purpose, bytes).then_some(())?;
        }
        self.last_number += 1;
        let hold = Hold {
            number: self.last_number,
            purpose,
            bytes,
        };
        self.renew(&hold, now_ms);
        Some(hold)
    }

    /// Resizes a hold and returns whether it fits. A hold may always shrink.
    pub fn resize(&mut self, hold: &mut Hold, bytes: u64, now_ms: u64) -> bool {
        self.remove(hold.number);
        let may_resize = bytes <= hold.bytes || self.has_room(hold.purpose, bytes);
        if may_resize {
            hold.bytes = bytes;
        }
        self.renew(hold, now_ms);
        may_resize
    }

    /// Renews the hold of a running request. A hold that lapsed in a busy isolate, where timers are
    /// late, counts again.
    pub fn renew(&mut self, hold: &Hold, now_ms: u64) {
        let (purpose, bytes) = (hold.purpose, hold.bytes);
        let account = Account {
            purpose,
            bytes,
            renewed_ms: now_ms,
        };
        if self.holds.insert(hold.number, account).is_none() {
            *self.sum(purpose) += bytes;
        }
    }

    /// Returns a hold.
    pub fn release(&mut self, hold: &Hold) {
        self.remove(hold.number);
    }

    /// The sum of all holds.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.filling + self.rewriting + self.part_lists
    }

    fn has_room(&self, purpose: HoldPurpose, bytes: u64) -> bool {
        let is_small = purpose == HoldPurpose::Rewrite && bytes <= SMALL_BYTES;
        let for_all = MAX_HELD_BYTES - if is_small { 0 } else { FOR_SMALL_BYTES };
        let (of_purpose, for_purpose) = match purpose {
            HoldPurpose::CacheFill => (self.filling, MAX_FILLING_BYTES),
            HoldPurpose::PartList => (self.part_lists, MAX_PART_LIST_BYTES),
            HoldPurpose::Rewrite => (self.rewriting, for_all),
        };
        let fits = |held: u64, limit: u64| held.saturating_add(bytes) <= limit;
        fits(of_purpose, for_purpose) && fits(self.held_bytes(), for_all)
    }

    /// Removes the holds of dropped requests. It scans all holds, so it runs at most once a second.
    fn forget_dropped(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) < 1_000 {
            return;
        }
        self.swept_ms = now_ms;
        let lapsed: Vec<u64> = self
            .holds
            .iter()
            .filter(|(_, account)| now_ms.saturating_sub(account.renewed_ms) >= LAPSE_MS)
            .map(|(number, _)| *number)
            .collect();
        for number in lapsed {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) {
        if let Some(account) = self.holds.remove(&number) {
            *self.sum(account.purpose) -= account.bytes;
        }
    }

    fn sum(&mut self, purpose: HoldPurpose) -> &mut u64 {
        match purpose {
            HoldPurpose::CacheFill => &mut self.filling,
            HoldPurpose::Rewrite => &mut self.rewriting,
            HoldPurpose::PartList => &mut self.part_lists,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::HoldPurpose::{CacheFill, PartList, Rewrite};
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_reservation_is_granted_where_there_is_room() {
        let largest = Rewrite.bytes_for(8 * MIB);
        for (held, asked, expected) in [
            (vec![], (Rewrite, largest), true),
            (vec![(CacheFill, 48 * MIB)], (CacheFill, 1), false),
            (vec![(CacheFill, 48 * MIB)], (CacheFill, 0), true),
            (vec![], (CacheFill, 48 * MIB + 1), false),
            // The largest playlist fits beside a full share of cache fills.
            (vec![(CacheFill, 48 * MIB)], (Rewrite, largest), true),
            (
                vec![(CacheFill, 48 * MIB), (Rewrite, largest)],
                (Rewrite, largest),
                false,
            ),
            (vec![(Rewrite, largest); 2], (Rewrite, largest), true),
            (vec![(Rewrite, largest); 3], (Rewrite, largest), false),
            (vec![(Rewrite, largest); 3], (CacheFill, 1), false),
            (vec![(Rewrite, largest); 3], (PartList, 1), false),
            // A small reservation fits beside the large ones.
            (vec![(Rewrite, largest); 3], (Rewrite, SMALL_BYTES), true),
            (
                vec![(Rewrite, largest); 3],
                (Rewrite, SMALL_BYTES + 1),
                false,
            ),
            (
                [vec![(Rewrite, largest); 3], vec![(Rewrite, SMALL_BYTES); 7]].concat(),
                (Rewrite, SMALL_BYTES),
                true,
            ),
            (
                [vec![(Rewrite, largest); 3], vec![(Rewrite, SMALL_BYTES); 8]].concat(),
                (Rewrite, 1),
                false,
            ),
            (vec![(PartList, 3 * MIB); 2], (PartList, 2 * MIB), true),
            (vec![(PartList, 3 * MIB); 2], (PartList, 3 * MIB), false),
            (vec![(PartList, 8 * MIB)], (Rewrite, largest), true),
            (vec![], (Rewrite, u64::MAX), false),
            (vec![(Rewrite, 1)], (Rewrite, u64::MAX), false),
        ] {
            let mut budget = Budget::new();
            for (purpose, bytes) in &held {
                budget.reserve(*purpose, *bytes, 0).expect("room");
            }
            let found = budget.reserve(asked.0, asked.1, 0);
            assert_eq!(found.is_some(), expected, "{held:?} {asked:?}");
        }
    }

    #[test]
    fn a_hold_is_counted_for_as_long_as_it_is_renewed_and_no_longer() {
        let mut budget = Budget::new();
        let slow = budget.reserve(CacheFill, 40 * MIB, 0).expect("room");
        let dropped = budget.reserve(CacheFill, 8 * MIB, 0).expect("room");
        let mut now = 0;
        while now < 10 * LAPSE_MS {
            now += u64::from(RENEW_MS);
            budget.renew(&slow, now);
            assert!(budget.reserve(CacheFill, 8 * MIB + 1, now).is_none());
        }
        // The dropped hold has lapsed, and the renewed one has not.
        assert_eq!(budget.held_bytes(), 40 * MIB);
        let next = budget.reserve(CacheFill, 8 * MIB, now).expect("room");
        // A late release returns only its own hold.
        budget.release(&dropped);
        assert_eq!(budget.held_bytes(), 48 * MIB);
        budget.release(&next);
        budget.release(&slow);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn a_hold_that_lapsed_while_the_isolate_was_busy_counts_again() {
        let mut budget = Budget::new();
        let busy = budget.reserve(Rewrite, 72 * MIB, 0).expect("room");
        let other = budget.reserve(Rewrite, 2 * MIB, LAPSE_MS).expect("room");
        assert_eq!(budget.held_bytes(), 2 * MIB);
        budget.renew(&busy, LAPSE_MS);
        budget.renew(&busy, LAPSE_MS);
        assert_eq!(budget.held_bytes(), 74 * MIB);
        budget.release(&busy);
        budget.release(&busy);
        assert_eq!(budget.held_bytes(), 2 * MIB);
        budget.release(&other);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn a_hold_shrinks_always_and_grows_where_there_is_room() {
        let mut budget = Budget::new();
        let mut hold = budget.reserve(Rewrite, 24 * MIB, 0).expect("room");
        let other = budget.reserve(CacheFill, 48 * MIB, 0).expect("room");
        assert!(!budget.resize(&mut hold, 25 * MIB, 0));
        assert_eq!(budget.held_bytes(), 72 * MIB);
        assert!(budget.resize(&mut hold, 20 * MIB, 0));
        assert!(budget.resize(&mut hold, 24 * MIB, 0));
        budget.release(&other);
        assert!(budget.resize(&mut hold, 72 * MIB, 0));
        assert!(!budget.resize(&mut hold, u64::MAX, 0));
        assert_eq!(budget.held_bytes(), 72 * MIB);
        assert!(budget.resize(&mut hold, 0, 0));
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn waits_end_before_a_player_gives_up() {
        let waited: u32 = WAITS_MS.iter().sum();
        assert!((4_000..8_000).contains(&waited), "{waited} ms");
    }

    proptest! {
        /// In any order of operations, sums equal the holds, and grants are within their limits.
        #[test]
        fn sums_are_those_of_the_holds(
            steps in prop::collection::vec((0_u8..4, 0_usize..3, 0_u64..(32 << 20), 0_u64..4_000), 1..200)
        ) {
            let mut budget = Budget::new();
            let mut holds: Vec<Hold> = Vec::new();
            let mut now = 0;
            for (step, at, bytes, later) in steps {
                now += later;
                // Every request runs, and renews in time.
                for hold in &holds {
                    budget.renew(hold, now);
                }
                match step {
                    0 | 1 => {
                        let purpose = [CacheFill, Rewrite, PartList][at];
                        holds.extend(budget.reserve(purpose, bytes, now));
                    }
                    2 if !holds.is_empty() => {
                        let at = at % holds.len();
                        budget.resize(&mut holds[at], bytes, now);
                    }
                    3 if !holds.is_empty() => {
                        let hold = holds.swap_remove(at % holds.len());
                        budget.release(&hold);
                    }
                    _ => {}
                }
                let sum = |purpose: Option<HoldPurpose>| -> u64 {
                    let of = |hold: &&Hold| purpose.is_none_or(|purpose| hold.purpose == purpose);
                    holds.iter().filter(of).map(|hold| hold.bytes).sum()
                };
                prop_assert_eq!(budget.held_bytes(), sum(None));
                prop_assert!(budget.held_bytes() <= MAX_HELD_BYTES);
                prop_assert!(sum(Some(CacheFill)) <= MAX_FILLING_BYTES);
                prop_assert!(sum(Some(PartList)) <= MAX_PART_LIST_BYTES);
            }
            for hold in &holds {
                budget.release(hold);
            }
            prop_assert_eq!(budget.held_bytes(), 0);
        }
    }
}
