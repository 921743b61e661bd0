//! MPEG-2 Transport Streams, remuxed from fragments.

pub(crate) mod access_unit;
pub(crate) mod muxer;
pub(crate) mod remux;
#[cfg(test)]
pub(crate) mod testing;
