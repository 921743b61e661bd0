//! Places: how many of a viewer's players may play at once.

use super::codec::{LedgerReader, LedgerWriter};
use crate::credential::ticket::{Place, SessionId};

/// A player that is silent for so long loses its place.
pub const SILENCE_SECONDS: u64 = 90;
/// A player that is silent for so long loses its place first when a new player needs one. It has
/// missed a check-in, so it may have crashed.
const STALE_SECONDS: u64 = 50;
/// An isolate asks for a player at most once in this time. A player that reports every 30 seconds
/// what it plays keeps its place by that.
pub const CHECK_IN_SECONDS: u64 = 35;

/// A player that is silent for so long is forgotten.
pub const FORGET_SECONDS: u64 = 86_400;

/// A player that has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Player {
    pub session: SessionId,
    /// The second at which it took its place.
    pub opened: u64,
    /// The second at which it last asked for anything.
    pub seen: u64,
}

/// The outcome of asking for a place, and what is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The player as it is from now on. `None` if every place is taken.
    pub player: Option<Player>,
    /// Players that have no place any more.
    pub removed: Vec<SessionId>,
}

impl Admission {
    /// The players from now on.
    #[must_use]
    pub fn apply(&self, players: &[Player]) -> Vec<Player> {
        let session = self.player.map(|player| player.session);
        let is_left = |player: &&Player| {
            !self.removed.contains(&player.session) && Some(player.session) != session
        };
        let left = players.iter().filter(is_left).copied();
        left.chain(self.player).collect()
    }
}

/// Writes players for a ledger's row.
#[must_use]
pub fn players_to_bytes(players: &[Player]) -> Vec<u8> {
    let mut writer = LedgerWriter::default();
    for player in players {
        writer.bytes.extend_from_slice(&player.session);
        writer.integer(player.opened);
        writer.integer(player.seen);
    }
    writer.bytes
}

/// Reads what [`players_to_bytes`] wrote.
#[must_use]
pub fn players_from_bytes(bytes: &[u8]) -> Option<Vec<Player>> {
    let mut reader = LedgerReader::new(bytes);
    let mut players = Vec::new();
    while !reader.is_at_end() {
        players.push(Player {
            session: reader.bytes(8)?.try_into().ok()?,
            opened: reader.integer()?,
            seen: reader.integer()?,
        });
    }
    Some(players)
}

/// Gives a place to a player that opens a lecture. If none is free, the newest player takes that of
/// a player that seems to have crashed, else that of the oldest, or is refused, as the link says.
#[must_use]
pub fn take(players: &[Player], place: &Place, now: u64) -> Admission {
    admit(players, place, now, place.newest_wins)
}

/// Keeps the place of a player that goes on. A player that lost its place gets a free one, but never
/// another player's.
#[must_use]
pub fn keep(players: &[Player], place: &Place, now: u64) -> Admission {
    admit(players, place, now, false)
}

fn admit(players: &[Player], place: &Place, now: u64, may_replace: bool) -> Admission {
    let is_live = |player: &&Player| now.saturating_sub(player.seen) <= SILENCE_SECONDS;
    let is_silent = |player: &&Player| !is_live(player);
    let mut removed: Vec<_> = players
        .iter()
        .filter(is_silent)
        .map(|player| player.session)
        .collect();
    let mut others: Vec<_> = players
        .iter()
        .filter(|player| is_live(player) && player.session != place.session)
        .collect();
    let known = players
        .iter()
        .filter(is_live)
        .find(|player| player.session == place.session);
    let most_others = usize::from(place.places).saturating_sub(1);
    if let Some(player) = known {
        let player = Player {
            seen: now,
            ..*player
        };
        return Admission {
            player: Some(player),
            removed,
        };
    }
    if others.len() > most_others {
        if !may_replace {
            return Admission {
                player: None,
                removed,
            };
        }
        let is_stale = |player: &Player| now.saturating_sub(player.seen) > STALE_SECONDS;
        others.sort_by_key(|player| (!is_stale(player), player.opened, player.session));
        let replaced = others.len() - most_others;
        removed.extend(others[..replaced].iter().map(|player| player.session));
    }
    removed.retain(|session| *session != place.session);
    let player = Player {
        session: place.session,
        opened: now,
        seen: now,
    };
    Admission {
        player: Some(player),
        removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn place(session: u8, places: u8) -> Place {
        Place {
            session: [session; 8],
            places,
            newest_wins: true,
        }
    }

    /// Players as (session, seconds since it opened, seconds since it was seen).
    fn players(of: &[(u8, u64, u64)]) -> Vec<Player> {
        let player = |&(session, opened, seen): &(u8, u64, u64)| Player {
            session: [session; 8],
            opened: NOW - opened,
            seen: NOW - seen,
        };
        of.iter().map(player).collect()
    }

    #[test]
    fn a_new_player_takes_a_free_place_or_that_of_the_oldest() {
        for (known, places, removed) in [
            (&[][..], 1, &[][..]),
            (&[(1, 60, 5)], 2, &[]),
            (&[(1, 60, 5)], 1, &[1]),
            (&[(1, 60, 5), (2, 90, 5)], 2, &[2]),
            (&[(1, 60, 5), (2, 90, 5)], 1, &[2, 1]),
            (&[(1, 60, 90), (2, 90, 91)], 2, &[2]),
            (&[(1, 600, 91), (2, 90, 5)], 2, &[1]),
            // One that was seen lately goes on.
            (&[(1, 600, 50), (2, 90, 51)], 2, &[2]),
            (&[(1, 600, 46), (2, 90, 46)], 2, &[1]),
        ] {
            let admission = take(&players(known), &place(9, places), NOW);
            let sessions: Vec<_> = admission.removed.iter().map(|session| session[0]).collect();
            assert_eq!(sessions, removed, "{known:?} {places}");
            let player = admission.player.expect("a place");
            assert_eq!(
                (player.session, player.opened, player.seen),
                ([9; 8], NOW, NOW)
            );
        }
    }

    #[test]
    fn the_oldest_policy_refuses_a_new_player() {
        let place = |session| Place {
            newest_wins: false,
            ..place(session, 1)
        };
        let known = players(&[(1, 60, 5)]);
        assert_eq!(take(&known, &place(9), NOW).player, None);
        assert_eq!(
            take(&known, &place(9), NOW).removed,
            Vec::<SessionId>::new()
        );
        // The same player again, and a silent one's place.
        assert!(take(&known, &place(1), NOW).player.is_some());
        assert!(
            take(&players(&[(1, 600, 91)]), &place(9), NOW)
                .player
                .is_some()
        );
    }

    #[test]
    fn a_player_keeps_its_place_while_it_is_seen() {
        let known = players(&[(1, 600, 90), (2, 60, 1)]);
        let kept = keep(&known, &place(1, 2), NOW).player.expect("a place");
        assert_eq!((kept.opened, kept.seen), (NOW - 600, NOW));
        // It was silent for too long, and another has its place.
        let known = players(&[(1, 600, 100), (2, 60, 1), (3, 50, 1)]);
        let admission = keep(&known, &place(1, 2), NOW);
        assert_eq!(admission.player, None);
        assert_eq!(admission.removed, [[1; 8]]);
        // It was silent for too long, and its place is free.
        let known = players(&[(1, 600, 100), (2, 60, 1)]);
        let admission = keep(&known, &place(1, 2), NOW);
        assert_eq!(admission.player.map(|player| player.opened), Some(NOW));
        assert_eq!(admission.removed, Vec::<SessionId>::new());
    }

    #[test]
    fn malformed_players_are_refused() {
        let bytes = players_to_bytes(&players(&[(1, 60, 5)]));
        for length in 1..bytes.len() {
            assert_eq!(players_from_bytes(&bytes[..length]), None, "{length}");
        }
        assert_eq!(players_from_bytes(&[]), Some(vec![]));
    }

    #[test]
    fn there_are_never_more_players_than_places() {
        let mut known: Vec<Player> = Vec::new();
        // Every second one of seven players opens or goes on, in a fixed disorder.
        for step in 0..2_000_u64 {
            let now = NOW + step * 13;
            let session = (step * step % 7) as u8;
            let place = Place {
                newest_wins: step % 3 > 0,
                ..place(session, 2)
            };
            let admission = match step % 2 {
                0 => take(&known, &place, now),
                _ => keep(&known, &place, now),
            };
            known = admission.apply(&known);
            assert_eq!(
                players_from_bytes(&players_to_bytes(&known)).as_ref(),
                Some(&known)
            );
            let live = known
                .iter()
                .filter(|player| now - player.seen <= SILENCE_SECONDS);
            assert!(live.count() <= 2, "step {step}");
        }
    }
}
