//! Signed video delivery in front of an R2 bucket. A course app mints a **link**; the edge verifies it, rewrites the
//! playlists that it opens so that every URL in them carries a **pass** of its own, and serves what passes open.
//!
//! ```text
//! request ─▶ decide ─▶ Decision ─▶ shell: R2 ─▶ read::Answer ─▶ response
//!             │                                   │
//!      link, pass, object_key               playlist, http
//! ```
//!
//! Everything outside the shell is pure: no clock, no randomness, no I/O. The time, the keys and
//! the bytes are arguments. Only the shell names `worker`, and it compiles for wasm32 only, so the
//! compiler enforces the border. Modules in reading order:

// Slicing inside a character panics and prints the text. That links core's tables of printable
// characters.
#![cfg_attr(not(test), warn(clippy::string_slice))]

pub mod budget;
pub mod config;
pub mod credential;
pub mod decide;
pub mod http;
pub mod json;
pub mod ledger;
pub mod log;
pub mod object;
pub mod operation;
pub mod playlist;
pub mod request;
pub mod sdk;
#[cfg(target_arch = "wasm32")]
pub mod shell;
mod text;
