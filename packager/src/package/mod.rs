//! A package: [`PackagePlan`] prepares it, [`Packager`] encodes, measures and describes it.

pub(crate) mod manifest_json;
mod manifest_writer;
mod measurements;
pub(crate) mod output;
mod packager;
mod plan;
pub(crate) mod revision;
pub(crate) mod summary;

pub(crate) use packager::{EncodeReport, Packager};
pub(crate) use plan::PackagePlan;
