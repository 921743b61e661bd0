//! Opens regular files only: no link out of a folder, no endless pipe.

pub(crate) mod open_folder;
pub(crate) mod package_folder;
pub(crate) mod regular;
