//! HLS playlists (RFC 8216bis), rewritten by splicing bytes: lines are scanned, URIs get a pass,
//! and every other byte stays. A playlist is never parsed and printed again, so unknown tags pass
//! unchanged.
//!
//! Playlists are hostile. This module refuses text that two parsers may read differently, or leaves
//! it unsigned. No signed text may become a part of a URL to another host.

mod asset_list;
mod base_url;
mod end;
mod filter;
mod manifest;
mod resolve;
pub mod rewrite;
pub mod steering;
mod storyboard;
mod uri;

pub use asset_list::rewrite_asset_list;
pub use base_url::with_base_url;
pub use end::with_end;
pub use filter::Entitlements;
pub use hls_lexer::scan::{Role, UriSpan, uris};
pub use manifest::check_manifest;
pub use resolve::Base;
pub use rewrite::{
    Grant, Limits, MAX_PLAYLIST_BYTES, PlaylistError, Rewritten, is_playlist_name, rewrite,
};
pub use storyboard::{is_storyboard_name, pictures};
