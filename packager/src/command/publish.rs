//! `lectern publish`: uploads a package and activates its revision.

use anyhow::{Context as _, Result};

use crate::command::args::TargetArgs;
use crate::progress::{Progress, StepUnit};
use crate::publish::publication::Publication;
use crate::publish::{self, open_package, report};
use clap::Args;
use std::path::PathBuf;

pub(crate) async fn run(args: PublishArgs) -> Result<()> {
    let publishing = || format!("cannot publish `{}`", args.folder.display());
    publish(&args).await.with_context(publishing)
}

async fn publish(args: &PublishArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let target = args.target.open()?;
    let package = open_package(&args.folder)?;
    let folder = std::path::absolute(&args.folder)?;
    let publication = Publication::begin(&target, &package.revision, &folder).await?;
    let step = progress.step("publishing", StepUnit::Bytes, package.bytes());
    publication.complete(&folder, &package, &step).await?;
    step.finish();
    publish::narrate(progress, &target, &package);
    report::published(progress, &target, &package);
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Folder that `lectern package` made.
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
