//! Operations that the edge performs after it verified a credential.

pub mod cache_policy;
pub mod health;
pub mod list;
pub mod read;
pub mod revocations;
pub mod stable_name;
pub mod status;
pub mod upload_bounds;
pub mod upload_event;
pub mod watched;
pub mod write;
