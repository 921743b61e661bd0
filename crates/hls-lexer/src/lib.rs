//! Lines, attribute lists and URIs of HLS playlists. Runs for every byte of a playlist, so it is a crate of its own: Cargo
//! chooses between size and speed by the crate, and the rest of the Worker is better small.

pub mod attributes;
pub mod scan;
