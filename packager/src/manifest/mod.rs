//! Manifests that players read: HLS playlists and the DASH manifest of one presentation.

pub(crate) mod bandwidth;
pub(crate) mod container;
pub(crate) mod dash;
pub(crate) mod hls;
mod language_names;
pub(crate) mod presentation;
