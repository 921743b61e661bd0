//! Objects: keys, content types and stored metadata.

pub mod content_type;
pub mod key;
pub mod stored;
