//! The command's verbs, a file each.

pub(crate) mod args;
pub(crate) mod explain;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod prune;
pub(crate) mod sample;
pub(crate) mod ship;
pub(crate) mod verify;
pub(crate) mod work;
