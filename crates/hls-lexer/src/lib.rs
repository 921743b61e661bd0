//! Lines, attribute lists and URIs of HLS playlists. This code reads every byte of a playlist. It
//! is a crate of its own, because Cargo optimizes each crate for either size or speed, and the rest
//! of the Worker is optimized for size.

pub mod attributes;
pub mod scan;
