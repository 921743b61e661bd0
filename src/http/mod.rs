//! HTTP semantics (RFC 9110), decided on text and numbers.

pub mod cors;
pub mod date;
pub mod disposition;
pub mod encoding;
pub mod precondition;
pub mod problem;
pub mod range;
