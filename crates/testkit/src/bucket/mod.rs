//! A bucket in this process: a real S3 server, and before it what is as strict as R2 and fails as a test says.

pub mod server;
pub mod strict;

use std::path::Path;

use crate::files::names;

/// Keys of what lies below a folder of the server. What it keeps beside them has a dot in front.
pub fn keys(folder: &Path) -> Vec<String> {
    let is_key = |name: &String| {
        !name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with('.'))
    };
    names(folder).into_iter().filter(is_key).collect()
}
