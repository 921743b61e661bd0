//! What the edge does for a request whose credential was verified.

pub mod cache_policy;
pub mod health;
pub mod list;
pub mod read;
pub mod upload_event;
pub mod write;
