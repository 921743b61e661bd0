//! `lectern package`: prepares, encodes and checks a package, and moves it to the output folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use super::close_workdir;
use crate::check;
use crate::context::Context;
use crate::encode::settings::EncodeArgs;
use crate::extras::ExtrasArgs;
use crate::failure;
use crate::input::{FetchedInput, HlsArgs};
use crate::layout::MULTIVARIANT;
use crate::limits::LimitArgs;
use crate::package::manifest_json::{Package, RenditionFacts};
use crate::package::output::{self, FolderContents};
use crate::package::summary::PackageSummary;
use crate::package::{PackagePlan, Packager};
use crate::progress::Progress;
use crate::redact::redacted;
use crate::storage::location::ReachArgs;
use crate::units::format_bytes;
use crate::workdir::WorkDir;
use crate::workdir::error::FolderError;

pub(crate) async fn run(args: PackageArgs) -> Result<()> {
    let folder = std::path::absolute(&args.output)
        .with_context(|| format!("cannot use `{}` as a folder", args.output.display()))?;
    let beside = folder.parent().unwrap_or(&folder);
    let limits = args.limits.for_command();
    let context = Context::new(Progress::new(args.json), limits, beside)?;
    let input = FetchedInput::fetch(&args.input, &args.hls, &args.reach, &context);
    let input = input.await.with_context(|| {
        let input = redacted(&args.input.to_string_lossy());
        format!("cannot package `{input}`")
    })?;
    let packaged = package(input.file(), &args, &folder, &context).await;
    let is_final = packaged.as_ref().is_err_and(failure::is_input_at_fault);
    input.close(packaged, is_final)
}

/// Prepares the package, then encodes, finishes, checks and moves it, unless the folder holds it
/// already.
async fn package(input: &Path, args: &PackageArgs, folder: &Path, context: &Context) -> Result<()> {
    let progress = context.progress;
    let plan = PackagePlan::prepare(input, &args.encode, &args.extras, context).await?;
    match inspect(folder, &plan)
        .with_context(|| format!("cannot look into `{}`", args.output.display()))?
    {
        FolderContents::Same(package) => {
            progress.note(format_args!(
                "already packaged: `{}` holds revision {}",
                args.output.display(),
                package.revision
            ));
            report(progress, &package, &args.output);
            return Ok(());
        }
        FolderContents::SomethingElse if !args.force => {
            return Err(FolderError::Exists(args.output.clone()).into());
        }
        FolderContents::SomethingElse | FolderContents::Nothing => {}
    }
    let package = plan.run_with_fallback(progress, async |plan| {
        package_revision(plan, args, folder, context).await
    });
    let package = package.await?;
    progress.note(format_args!(
        "packaged revision {}: {:.1} s, {} objects, {}",
        package.revision,
        package.duration,
        package.objects.len() + 1,
        format_bytes(package.bytes())
    ));
    report(progress, &package, &args.output);
    Ok(())
}

/// Prints the path of the Multivariant Playlist, or the facts of the package.
fn report(progress: Progress, package: &Package, output: &Path) {
    let master = output.join(MULTIVARIANT).display().to_string();
    let locate = |path: &str| output.join(path).display().to_string();
    let facts = PackagedFacts {
        playlist: &master,
        summary: PackageSummary::new(package, locate),
        renditions: &package.renditions,
    };
    progress.result(&master, &facts);
}

/// A finished package, as `--json` prints it.
#[derive(Serialize)]
struct PackagedFacts<'a> {
    playlist: &'a str,
    #[serde(flatten)]
    summary: PackageSummary,
    renditions: &'a [RenditionFacts],
}

/// Inspects the folder for each revision that the plan may become.
fn inspect(folder: &Path, plan: &PackagePlan) -> std::io::Result<FolderContents> {
    let mut found = FolderContents::Nothing;
    for revision in plan.revisions() {
        found = output::inspect(folder, &revision)?;
        if matches!(found, FolderContents::Same(_)) {
            break;
        }
    }
    Ok(found)
}

/// Encodes, finishes and checks one revision, and moves it to the folder.
async fn package_revision(
    plan: &PackagePlan,
    args: &PackageArgs,
    folder: &Path,
    context: &Context,
) -> Result<Package> {
    let writing = || format!("cannot write into `{}`", args.output.display());
    let workdir =
        WorkDir::beside(folder, &plan.revision, context.progress).with_context(writing)?;
    let packager = Packager::new(plan, &workdir, context.progress);
    let work = async {
        let warnings = packager.encode(|_| {}).await?;
        let package = packager.finish(&warnings).await?;
        check::own_package(workdir.root()).await?;
        Ok(package)
    };
    let packaged = context.limits.within(work).await;
    close_workdir(workdir, packaged, |workdir, package| {
        let package_json = package.package_json_path();
        let paths = package.objects.iter().map(|object| object.path.as_str());
        workdir
            .commit(folder, paths.chain([package_json.as_str()]))
            .with_context(writing)?;
        Ok(package)
    })
}

#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// Recording: a file, or an object such as `r2://bucket/uploads/talk.mov`,
    /// `https://edge/uploads/talk.mov` or `edge:/uploads/talk.mov`. For a recording in parts, give
    /// its playlist, or its folder with a `/` at the end.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    /// Folder to make. If it holds this package already, nothing is done.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Replace the folder's contents.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}
