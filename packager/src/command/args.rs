//! Arguments that several verbs share.

use std::path::Path;

use clap::Args;

use crate::storage::Store;
use crate::storage::location::{ReachArgs, is_bucket};

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Target: a folder such as `/srv/www/intro`, `https://edge/prefix` through the edge,
    /// `edge:/prefix` for the edge in LECTERN_EDGE, `r2://bucket/prefix` or `s3://bucket/prefix`.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

impl TargetArgs {
    pub(crate) fn open(&self) -> anyhow::Result<Store> {
        Store::open(&self.target, &self.reach)
    }

    /// Opens the target. If only the input is a bucket, `--endpoint` is the input's.
    pub(crate) fn open_for(&self, input: &Path) -> anyhow::Result<Store> {
        let of_input = !is_bucket(&self.target) && input.to_str().is_some_and(is_bucket);
        match of_input {
            true => Store::open(&self.target, &self.reach.without_endpoint()),
            false => self.open(),
        }
    }
}
