//! Objects: their keys, their types, and what storage says of them.

pub mod content_type;
pub mod key;
pub mod stored;
