//! Helpers that the tests of the library, of the packager and of both end to end share. Not a part of either.
#![allow(
    missing_debug_implementations,
    reason = "stand-ins hold closures, and no test prints them"
)]

pub mod attacks;
pub mod base_url_oracle;
#[cfg(feature = "bucket")]
pub mod bucket;
pub mod files;
pub mod http_table;
pub mod json_oracle;
#[cfg(feature = "jwt")]
pub mod jwt_libraries;
pub mod oddities;
pub mod player_readings;
pub mod process;
pub mod queue;
pub mod recording;
pub mod target_suite;

use std::path::Path;

/// The repository.
pub fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("this is `crates/testkit/`")
}
