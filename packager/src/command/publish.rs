//! `lectern publish`: a package goes where it is served from.

use anyhow::{Context as _, Result};

use crate::command::args::TargetArgs;
use crate::progress::{Progress, StepUnit};
use crate::publish::publication::Publication;
use crate::publish::{open, report};
use clap::Args;
use std::path::PathBuf;

pub(crate) async fn run(args: PublishArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let publishing = || format!("cannot publish `{}`", args.folder.display());
    let target = args.target.open().with_context(publishing)?;
    let package = open(&args.folder).with_context(publishing)?;
    let folder = std::path::absolute(&args.folder).with_context(publishing)?;
    let publication = Publication::begin(&target, &package.revision, &folder)
        .await
        .with_context(publishing)?;
    let step = progress.step("publishing", StepUnit::Bytes, package.bytes());
    publication
        .complete(&folder, &package, &step)
        .await
        .with_context(publishing)?;
    step.finish();
    report(progress, &target, &package);
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// A folder made by `lectern package`.
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}
