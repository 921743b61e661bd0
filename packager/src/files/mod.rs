//! Opening and reading regular files only: no symbolic link out of a folder, no pipe that never
//! ends.

pub(crate) mod open_folder;
pub(crate) mod package_folder;
pub(crate) mod regular;
