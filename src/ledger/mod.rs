//! The memory of the edge about viewers: their players, and who may no longer watch. A Durable Object
//! per viewer stores it; this module decides.

mod codec;
pub mod history;
pub mod message;
pub mod places;
pub mod report;
pub mod revocation;
pub mod upload_account;
pub mod viewer_limit;
pub mod watch_message;
pub mod watching;
pub mod webhook;

use crate::credential::ticket::ViewerHash;

/// The questions about a viewer that precede the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewerChecks {
    /// The viewer, the link or the path may be revoked.
    pub asks_revocations: bool,
    /// The player needs a place. The grant's ticket says whose and how many there are.
    pub place: Option<PlaceRequest>,
    /// The viewer whose position in the lecture the answer names.
    pub position_of: Option<ViewerHash>,
}

/// A player's request for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceRequest {
    /// It opens a lecture.
    Take,
    /// It goes on.
    Keep,
}
