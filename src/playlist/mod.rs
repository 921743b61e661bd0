//! HLS playlists (RFC 8216bis), rewritten by splicing bytes: lines are scanned, URIs get a pass, and every other byte
//! stays as it was. Nothing is parsed and printed again, so what is not understood passes through unchanged.

mod attributes;
mod resolve;
mod rewrite;
mod scan;

pub use resolve::Base;
pub use rewrite::{Grant, MAX_PLAYLIST_BYTES, PlaylistError, is_playlist_name, rewrite};
pub use scan::{Role, UriSpan, uris};
