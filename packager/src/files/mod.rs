//! Files that are files: neither links out of a folder, nor pipes that never end.

pub(crate) mod open_folder;
pub(crate) mod package_folder;
pub(crate) mod regular;
