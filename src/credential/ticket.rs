//! Tickets: the viewer, the link and the place of a player, which passes carry from the link to
//! later requests. The edge then knows whom to stop, without asking the course app.
//!
//! ```text
//! ticket = flags(1) places(1) viewer(12) link(8) session(8)     30 bytes, 40 characters
//! flags  = viewer(1) link(2) session(4) newest-wins(8) strict(16)
//! ```
//!
//! Viewer and link are hashes, so a ticket has one length, whatever an app puts into `sub` and
//! `jti`. A missing part is zeros. The MAC of the pass covers the ticket.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use super::claims::Claims;
use super::keyring::{HmacSha256, Key, Keyring};

/// The length of a ticket. Thirty bytes are forty characters of base64url, so the field after a
/// ticket starts at a character boundary.
pub const TICKET_BYTES: usize = 30;

/// The length of a session's id, and of its MAC.
const SEAL_BYTES: usize = 8;
const VIEWER: u8 = 1;
const LINK: u8 = 2;
const SESSION: u8 = 4;
const NEWEST_WINS: u8 = 8;
const STRICT: u8 = 16;

/// The hash of a link's `sub`.
pub type ViewerHash = [u8; 12];
/// The hash of a link's `jti`.
pub type LinkHash = [u8; 8];
/// The id of one player among those of a viewer. The edge draws it at random.
pub type SessionId = [u8; 8];

/// A viewer's place among his players.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub session: SessionId,
    /// The number of players that may play at once.
    pub places: u8,
    /// A new player takes the oldest one's place. Otherwise it is refused.
    pub newest_wins: bool,
}

/// The identity that passes carry. Invariant: a place has a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket {
    pub viewer: Option<ViewerHash>,
    pub link: Option<LinkHash>,
    pub place: Option<Place>,
    /// The link is strict: each segment is refused once the viewer or the link is revoked.
    pub is_strict: bool,
}

impl Ticket {
    /// The ticket of a link, without a place. `None` if the link names neither viewer nor itself.
    #[must_use]
    pub fn of(claims: &Claims) -> Option<Self> {
        let ticket = Self {
            viewer: claims.sub.as_deref().map(viewer_hash),
            link: claims.jti.as_deref().map(link_hash),
            place: None,
            is_strict: claims.strict,
        };
        (ticket.viewer.is_some() || ticket.link.is_some()).then_some(ticket)
    }

    /// Returns whether the passes of segments carry the ticket.
    #[must_use]
    pub fn is_checked_by_segment(&self) -> bool {
        self.place.is_some() || self.is_strict
    }

    #[must_use]
    pub fn to_bytes(&self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        let (head, rest) = bytes.split_at_mut(2);
        let (viewer, rest) = rest.split_at_mut(12);
        let (link, session) = rest.split_at_mut(8);
        if let Some(hash) = &self.viewer {
            head[0] |= VIEWER;
            viewer.copy_from_slice(hash);
        }
        if let Some(hash) = &self.link {
            head[0] |= LINK;
            link.copy_from_slice(hash);
        }
        if let Some(place) = &self.place {
            head[0] |= SESSION | if place.newest_wins { NEWEST_WINS } else { 0 };
            head[1] = place.places;
            session.copy_from_slice(&place.session);
        }
        if self.is_strict {
            head[0] |= STRICT;
        }
        bytes
    }

    /// Parses a ticket. Each ticket has one form: unknown flags, and bytes in missing parts, are
    /// refused.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; TICKET_BYTES]) -> Option<Self> {
        let (&[flags, places], rest) = bytes.split_first_chunk()?;
        let (viewer, rest) = rest.split_first_chunk()?;
        let (link, rest) = rest.split_first_chunk()?;
        let session = rest.first_chunk()?;
        let ticket = Self {
            viewer: (flags & VIEWER != 0).then_some(*viewer),
            link: (flags & LINK != 0).then_some(*link),
            place: (flags & SESSION != 0).then_some(Place {
                session: *session,
                places,
                newest_wins: flags & NEWEST_WINS != 0,
            }),
            is_strict: flags & STRICT != 0,
        };
        let is_complete = ticket.place.is_none() || ticket.viewer.is_some();
        (is_complete && ticket.to_bytes() == *bytes).then_some(ticket)
    }
}

/// Hashes a link's `sub`.
#[must_use]
pub fn viewer_hash(sub: &str) -> ViewerHash {
    truncated_hash("viewer", sub)
}

/// Hashes a link's `jti`.
#[must_use]
pub fn link_hash(jti: &str) -> LinkHash {
    truncated_hash("link", jti)
}

/// Seals a session for the player that has it, so that it can go on with it. A player cannot invent
/// one, nor use another viewer's.
#[must_use]
pub fn seal_session(key: &Key, viewer: &ViewerHash, session: &SessionId) -> String {
    let mac = session_mac(key, viewer, session).finalize().into_bytes();
    let mut sealed = [0; 2 * SEAL_BYTES];
    sealed[..SEAL_BYTES].copy_from_slice(session);
    sealed[SEAL_BYTES..].copy_from_slice(&mac[..SEAL_BYTES]);
    URL_SAFE_NO_PAD.encode(sealed)
}

/// Opens what [`seal_session`] made for this viewer.
#[must_use]
pub fn open_session(text: &str, viewer: &ViewerHash, keys: &Keyring) -> Option<SessionId> {
    let mut sealed = [0; 2 * SEAL_BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut sealed).ok()?;
    let (session, mac) = sealed.split_first_chunk::<SEAL_BYTES>()?;
    let is_sealed = |key: &Key| {
        let expected = session_mac(key, viewer, session);
        expected.verify_truncated_left(mac).is_ok()
    };
    (length == sealed.len() && keys.iter().any(is_sealed)).then_some(*session)
}

/// The MAC of a session. Its first byte is no pass's tag.
fn session_mac(key: &Key, viewer: &ViewerHash, session: &SessionId) -> HmacSha256 {
    key.pass_mac()
        .chain_update(b"session")
        .chain_update(viewer)
        .chain_update(session)
}

/// Writes a session's id as base64url.
#[must_use]
pub fn session_text(session: &SessionId) -> String {
    URL_SAFE_NO_PAD.encode(session)
}

/// Parses what [`session_text`] wrote.
#[must_use]
pub fn parse_session(text: &str) -> Option<SessionId> {
    let mut session = SessionId::default();
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut session).ok()?;
    (length == session.len() && session != SessionId::default()).then_some(session)
}

pub(crate) fn truncated_hash<const BYTES: usize>(purpose: &str, text: &str) -> [u8; BYTES] {
    let hash = Sha256::new()
        .chain_update("lectern/ticket/1 ")
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(text)
        .finalize();
    std::array::from_fn(|at| hash[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets() -> Vec<Ticket> {
        let viewer = Some(viewer_hash("s42"));
        let link = Some(link_hash("l1"));
        let place = |places, newest_wins| {
            Some(Place {
                session: [7; 8],
                places,
                newest_wins,
            })
        };
        [
            (viewer, None, None, false),
            (None, link, None, true),
            (viewer, link, None, false),
            (viewer, None, place(1, true), true),
            (viewer, link, place(255, false), false),
        ]
        .map(|(viewer, link, place, is_strict)| Ticket {
            viewer,
            link,
            place,
            is_strict,
        })
        .to_vec()
    }

    #[test]
    fn a_ticket_has_one_form() {
        for ticket in tickets() {
            let bytes = ticket.to_bytes();
            assert_eq!(Ticket::from_bytes(&bytes), Some(ticket));
            for at in 0..TICKET_BYTES {
                for bit in 0..8 {
                    let mut other = bytes;
                    other[at] ^= 1 << bit;
                    assert_ne!(Ticket::from_bytes(&other), Some(ticket), "{at} {bit}");
                    if let Some(other_ticket) = Ticket::from_bytes(&other) {
                        assert_eq!(other_ticket.to_bytes(), other);
                    }
                }
            }
        }
    }

    #[test]
    fn a_place_needs_a_viewer() {
        let [.., ticket] = tickets()[..] else {
            panic!("no tickets");
        };
        let unnamed = Ticket {
            viewer: None,
            ..ticket
        };
        assert_eq!(Ticket::from_bytes(&unnamed.to_bytes()), None);
    }

    #[test]
    fn viewer_and_link_are_hashed_apart() {
        assert_ne!(viewer_hash("a")[..8], link_hash("a"));
        assert_ne!(viewer_hash("a"), viewer_hash("b"));
    }
}
