//! Objects: keys, content types and stored metadata.

pub mod content_type;
pub mod file_kind;
pub mod key;
pub mod stored;
