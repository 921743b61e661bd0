//! Bytes that requests hold in an isolate's memory at once: bodies on their way into the cache and to slower viewers,
//! playlists that are read and rewritten, lists that complete an upload. A platform ends an isolate that takes more than
//! 128 MB, with every request in it; so a request reserves what it is going to hold, and waits or is refused where there
//! is no room.
//!
//! The reckoning: 80 MiB are held here at the most. The Worker's own memory (WebAssembly) grows once to what rewriting
//! the largest playlist takes, about 30 MiB, because requests do that one after the other.
//!
//! A hold is renewed by timers of its own request. The platform drops a request whose client left together with its
//! timers, its streams and the bytes in them, and runs nothing of it again: so a hold that was not renewed for
//! [`LAPSE_MS`] holds nothing any more. One that was is counted for as long as it takes.

use std::collections::BTreeMap;

/// All that is held at once.
pub const MAX_HELD_BYTES: u64 = 80 << 20;
/// The last of it is for small reservations, so that a lecture's playlists are served while slow readers hold large ones.
pub const FOR_SMALL_BYTES: u64 = 8 << 20;
/// A playlist of 350 kB, which is 20 hours in segments of six seconds, reserves so much.
pub const SMALL_BYTES: u64 = 1 << 20;
/// Bodies on their way into the cache; beyond, they are streamed and not kept.
pub const MAX_FILLING_BYTES: u64 = 48 << 20;
/// Lists that complete uploads. Whoever may upload decides how slowly they arrive, so they never crowd out viewers.
pub const MAX_PART_LIST_BYTES: u64 = 8 << 20;

/// How often a request renews its hold.
pub const RENEW_MS: u32 = 2_000;
/// A hold that was not renewed for so long was dropped with its request. Several times [`RENEW_MS`], since a timer comes
/// late where another request computes.
pub const LAPSE_MS: u64 = 15_000;
/// After how many milliseconds a request that found no room looks again: 4.6 s in all. Players wait for ten.
pub const WAITS_MS: [u32; 24] = [
    4, 8, 16, 32, 64, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256,
    256, 256, 256, 256,
];
/// How long a viewer may take to receive a large rewritten playlist before it is broken off. A player has given it up by then.
pub const MAX_SENDING_MS: u32 = 60_000;

/// The purpose of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldPurpose {
    /// An object that streams into the cache and to a viewer. It takes its size: what one of both has read and the other
    /// has not.
    CacheFill,
    /// A playlist, a storyboard or an asset list that is rewritten.
    Rewrite,
    /// The list that completes an upload in parts.
    PartList,
}

impl HoldPurpose {
    /// The bytes that a body of `size` bytes takes before its result is known.
    ///
    /// A body that is rewritten counts three times. While it is read, the platform has its chunks and the whole. Then there are
    /// the copy that goes into the cache and the result, which is up to twice as long.
    #[must_use]
    pub fn bytes_for(self, size: u64) -> u64 {
        match self {
            Self::CacheFill => size,
            Self::Rewrite | Self::PartList => size.saturating_mul(3),
        }
    }
}

/// A reservation that was granted. It is given back with [`Budget::release`].
#[derive(Debug, PartialEq, Eq)]
pub struct Hold {
    number: u64,
    purpose: HoldPurpose,
    bytes: u64,
}

/// Accounts of what an isolate's requests hold.
#[derive(Debug, Default)]
pub struct Budget {
    holds: BTreeMap<u64, Account>,
    /// What all holds have in sum, by purpose.
    filling: u64,
    rewriting: u64,
    part_lists: u64,
    last_number: u64,
    /// When lapsed holds were looked for last.
    swept_ms: u64,
}

#[derive(Debug)]
struct Account {
    purpose: HoldPurpose,
    bytes: u64,
    renewed_ms: u64,
}

impl Budget {
    /// An isolate's budget when it starts.
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
    pub fn mint_deferred(&mut self, purpose: HoldPurpose, bytes: u64, now_ms: u64) -> Option<Hold> {
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

    /// Changes how much is held. A hold may always shrink; whether it grew is the answer.
    pub fn resize(&mut self, hold: &mut Hold, bytes: u64, now_ms: u64) -> bool {
        self.remove(hold.number);
        let may_resize = bytes <= hold.bytes || self.has_room(hold.purpose, bytes);
        if may_resize {
            hold.bytes = bytes;
        }
        self.renew(hold, now_ms);
        may_resize
    }

    /// Says that a hold's request is alive. A hold that had lapsed all the same, since timers of a busy isolate come late,
    /// counts again.
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

    /// Gives a hold back.
    pub fn release(&mut self, hold: &Hold) {
        self.remove(hold.number);
    }

    /// All that is held.
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

    /// Forgets holds whose requests the platform has dropped. Looks at all of them, and so at most once a second.
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
            // However much is on its way into the cache, the largest playlist is still served.
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
            // However many large ones there are, small ones are.
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
                budget.mint_deferred(*purpose, *bytes, 0).expect("room");
            }
            let found = budget.mint_deferred(asked.0, asked.1, 0);
            assert_eq!(found.is_some(), expected, "{held:?} {asked:?}");
        }
    }

    #[test]
    fn a_hold_is_counted_for_as_long_as_it_is_renewed_and_no_longer() {
        let mut budget = Budget::new();
        let slow = budget.mint_deferred(CacheFill, 40 * MIB, 0).expect("room");
        let dropped = budget.mint_deferred(CacheFill, 8 * MIB, 0).expect("room");
        let mut now = 0;
        while now < 10 * LAPSE_MS {
            now += u64::from(RENEW_MS);
            budget.renew(&slow, now);
            assert!(budget.mint_deferred(CacheFill, 8 * MIB + 1, now).is_none());
        }
        // What the platform dropped has lapsed, and what is held has not.
        assert_eq!(budget.held_bytes(), 40 * MIB);
        let next = budget.mint_deferred(CacheFill, 8 * MIB, now).expect("room");
        // Who comes late gives back nothing that is not his.
        budget.release(&dropped);
        assert_eq!(budget.held_bytes(), 48 * MIB);
        budget.release(&next);
        budget.release(&slow);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn a_hold_that_lapsed_while_the_isolate_was_busy_counts_again() {
        let mut budget = Budget::new();
        let busy = budget.mint_deferred(Rewrite, 72 * MIB, 0).expect("room");
        let other = budget
            .mint_deferred(Rewrite, 2 * MIB, LAPSE_MS)
            .expect("room");
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
        let mut hold = budget.mint_deferred(Rewrite, 24 * MIB, 0).expect("room");
        let other = budget.mint_deferred(CacheFill, 48 * MIB, 0).expect("room");
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
        /// Whatever happens in whatever order: sums are those of the holds, and what is granted is within its bounds.
        #[test]
        fn sums_are_those_of_the_holds(
            steps in prop::collection::vec((0_u8..4, 0_usize..3, 0_u64..(32 << 20), 0_u64..4_000), 1..200)
        ) {
            let mut budget = Budget::new();
            let mut holds: Vec<Hold> = Vec::new();
            let mut now = 0;
            for (step, at, bytes, later) in steps {
                now += later;
                // Every request is alive, and renews in time.
                for hold in &holds {
                    budget.renew(hold, now);
                }
                match step {
                    0 | 1 => {
                        let purpose = [CacheFill, Rewrite, PartList][at];
                        holds.extend(budget.mint_deferred(purpose, bytes, now));
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
