//! `lectern package`: a recording becomes a folder that can be served.

use anyhow::{Context as _, Result};
use std::path::Path;

use crate::check;
use crate::encode::settings::EncodeArgs;
use crate::extras::ExtrasArgs;
use crate::failure;
use crate::input::{FetchedInput, HlsArgs};
use crate::layout::MULTIVARIANT;
use crate::limits::{LimitArgs, ResourceLimits};
use crate::package::PackageJob;
use crate::package::manifest_json::Package;
use crate::package::output::{self, FolderContents};
use crate::progress::{Progress, megabytes};
use crate::redact::redacted;
use crate::storage::location::ReachArgs;
use crate::workdir::WorkDir;
use crate::workdir::error::FolderError;
use clap::Args;
use std::path::PathBuf;

pub(crate) async fn run(args: PackageArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let folder = std::path::absolute(&args.output)
        .with_context(|| format!("cannot use `{}` as a folder", args.output.display()))?;
    let beside = folder.parent().unwrap_or(&folder);
    let limits = args.limits.asked_for();
    let input = FetchedInput::of(
        &args.input,
        &args.hls,
        &args.reach,
        beside,
        &limits,
        progress,
    )
    .await
    .with_context(|| {
        format!(
            "cannot package `{}`",
            redacted(&args.input.to_string_lossy())
        )
    })?;
    let packaged = package(input.file(), &args, &folder, &limits, progress).await;
    let is_hopeless = packaged.as_ref().is_err_and(failure::is_in_input);
    input.settle(packaged, is_hopeless)
}

pub(crate) async fn package(
    input: &Path,
    args: &PackageArgs,
    folder: &Path,
    limits: &ResourceLimits,
    progress: Progress,
) -> Result<()> {
    let job = limits.within(PackageJob::prepare(
        input,
        &args.encode,
        &args.extras,
        limits,
        progress,
    ));
    let mut job = job.await?;
    let master = args.output.join(MULTIVARIANT);
    let mut found = FolderContents::Nothing;
    for revision in job.revisions() {
        found = output::inspect(folder, &revision)
            .with_context(|| format!("cannot look into `{}`", args.output.display()))?;
        if matches!(found, FolderContents::Same(_)) {
            break;
        }
    }
    match found {
        FolderContents::Same(package) => {
            progress.note(format_args!(
                "already packaged: `{}` holds revision {}",
                args.output.display(),
                package.revision
            ));
            progress.result(master.display(), &package.renditions);
            return Ok(());
        }
        FolderContents::SomethingElse if !args.force => {
            return Err(FolderError::Exists(args.output.clone()).into());
        }
        FolderContents::SomethingElse | FolderContents::Nothing => {}
    }
    let writing = || format!("cannot write into `{}`", args.output.display());
    let package = loop {
        let workdir = WorkDir::beside(folder, &job.revision, progress).with_context(writing)?;
        match limits.within(make(&job, &workdir, progress)).await {
            Ok(package) => {
                let own = package.own_path();
                let paths = package.objects.iter().map(|object| object.path.as_str());
                workdir
                    .commit(folder, paths.chain([own.as_str()]))
                    .with_context(writing)?;
                break package;
            }
            Err(error) => match job.as_a_whole(&error, progress) {
                Some(whole) => {
                    workdir.discard();
                    job = whole;
                }
                None => {
                    workdir.abandon(failure::is_in_input(&error));
                    return Err(error);
                }
            },
        }
    };
    progress.note(format_args!(
        "packaged revision {}: {:.1} s, {} objects, {:.1} MB",
        package.revision,
        package.duration,
        package.objects.len() + 1,
        megabytes(package.bytes())
    ));
    progress.result(master.display(), &package.renditions);
    Ok(())
}

async fn make(job: &PackageJob, workdir: &WorkDir, progress: Progress) -> Result<Package> {
    let warnings = job.encode(workdir, progress, |_| {}).await?;
    let package = job.finish(workdir, &warnings, progress).await?;
    check::own(workdir.root()).await?;
    Ok(package)
}

#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// The recording: a file; an object, as `r2://bucket/uploads/talk.mov` or `https://edge/uploads/talk.mov`; or one that was
    /// stored in parts, by its playlist or by its folder with a slash.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    /// The folder to make. One that holds this very package is left as it is.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Replace whatever the folder holds.
    #[arg(long)]
    pub(crate) force: bool,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}
