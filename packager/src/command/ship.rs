//! `lectern ship`: prepares, encodes, checks and publishes a recording. Segments are uploaded while
//! later ones are encoded. Viewers see the lecture once the whole package passed its check; with
//! `--instant`, they see a provisional lecture before. If the run fails, they see what played
//! before.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use futures_util::future;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::args::TargetArgs;
use super::close_workdir;
use super::status::{JobStatus, StatusWriter};
use crate::check;
use crate::context::Context;
use crate::encode::ladder::Rung;
use crate::encode::settings::EncodeArgs;
use crate::extras::ExtrasArgs;
use crate::failure;
use crate::input::live::{is_in_place, keep_playlist};
use crate::input::{FetchedInput, HlsArgs};
use crate::instant::{InstantPublisher, Provisional, RungUpgrade};
use crate::layout;
use crate::limits::{LimitArgs, ResourceLimits};
use crate::package::manifest_json::Package;
use crate::package::summary::PackageSummary;
use crate::package::{EncodeReport, PackagePlan, Packager};
use crate::progress::watch::ProgressWatch;
use crate::progress::{Progress, Step, StepUnit};
use crate::publish::inventory::{live_revision, read_package};
use crate::publish::replaced::{self, AfterFailure, StartedProvisional};
use crate::publish::report::{self, Watch};
use crate::publish::segment_uploader::SegmentUploader;
use crate::publish::{self, Publication};
use crate::redact::redacted;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::workdir::WorkDir;

/// Time to restore the lecture that played before.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(20);

/// Ships one recording, until a signal interrupts.
pub(crate) async fn run(
    mut args: ShipArgs,
    interrupted: impl Future<Output = Result<()>>,
) -> Result<()> {
    let limits = args.limits.for_command();
    if !args.status {
        return ship_until(args, limits, interrupted).await;
    }
    let watch: &'static ProgressWatch = Box::leak(Box::default());
    args.watch = Some(watch);
    let status = open_status(&args).with_context(|| describe_failure(&args))?;
    let result = |result: &Result<()>, observed| JobStatus::of_result(result, observed, None);
    let work = ship_until(args, limits, interrupted);
    status.during(watch, work, result).await
}

/// Opens the status of a command's INPUT.
fn open_status(args: &ShipArgs) -> Result<StatusWriter> {
    let target = args.target.open_for(&args.input)?;
    let reach = &args.target.reach;
    let status = StatusWriter::beside(&args.input, &target, reach, args.progress())?;
    status.context("INPUT is a file of this machine, which has no status: leave out --status")
}

/// Ships one recording within `limits`, which `lectern work` sets for each job of its queue, until
/// a signal interrupts.
pub(crate) async fn ship_until(
    args: ShipArgs,
    limits: ResourceLimits,
    interrupted: impl Future<Output = Result<()>>,
) -> Result<()> {
    let mut interrupted = pin!(interrupted);
    // The branch that finishes first drops the other, and with it ffmpeg.
    let opened = tokio::select! {
        opened = open(&args, limits) => opened.with_context(|| describe_failure(&args))?,
        ended = &mut interrupted => return ended,
    };
    let Some((context, target, input)) = opened else {
        return Ok(());
    };
    let replacement = Replacement::new(&target, context.progress);
    let shipped = tokio::select! {
        shipped = ship(&args, &input, &target, &context, &replacement) => shipped,
        ended = &mut interrupted => {
            replacement.restore().await;
            return ended;
        }
    };
    if shipped.is_err() {
        replacement.restore().await;
    }
    // Another machine may take a job of the queue again, and has no use for this download.
    let is_final =
        context.limits.is_queued || shipped.as_ref().is_err_and(failure::is_input_at_fault);
    input.close(shipped, is_final)
}

/// Opens the target, and fetches the input. Returns `None` if the input is a recording that was
/// packaged into its own folder and removed.
async fn open(
    args: &ShipArgs,
    limits: ResourceLimits,
) -> Result<Option<(Context, Store, FetchedInput)>> {
    let work = args.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    let context = Context::new(args.progress(), limits, &work)?;
    // `--endpoint` may be the input's, not the target's.
    let target = args.target.open_for(&args.input)?;
    let reach = &args.target.reach;
    let mut input = args.input.clone();
    if !args.hls.hls && is_in_place(&input, &target, reach)? {
        let live = live_revision(&target).await?;
        if !keep_playlist(&target, live.is_some()).await? {
            report_already_there(live.as_deref(), args, &target, &context).await;
            return Ok(None);
        }
        input.push(layout::RECORDED);
    }
    let input = FetchedInput::fetch(&input, &args.hls, reach, &context).await?;
    Ok(Some((context, target, input)))
}

/// The first line of an error.
fn describe_failure(args: &ShipArgs) -> String {
    let [input, target] = [&args.input.to_string_lossy(), &*args.target.target].map(redacted);
    format!("cannot ship `{input}` to `{target}`")
}

/// Prepares the package, then encodes, finishes, checks and publishes it.
async fn ship(
    args: &ShipArgs,
    input: &FetchedInput,
    target: &Store,
    context: &Context,
    replacement: &Replacement<'_>,
) -> Result<()> {
    let plan = PackagePlan::prepare(input.file(), &args.encode, &args.extras, context).await?;
    let shipped = ship_plan(plan, args, target, context, replacement).await;
    shipped.with_context(|| describe_failure(args))
}

async fn ship_plan(
    mut plan: PackagePlan,
    args: &ShipArgs,
    target: &Store,
    context: &Context,
    replacement: &Replacement<'_>,
) -> Result<()> {
    let progress = context.progress;
    let mut publication = begin(&plan, target, context).await?;
    let revisions = plan.revisions();
    if let Some(live) = publication.live().filter(|live| revisions.contains(live)) {
        report_already_there(Some(&live), args, target, context).await;
        return Ok(());
    }
    let mut upgrade = None;
    if args.instant {
        let instant = publish_instantly(&plan, args, publication, context, replacement);
        (publication, upgrade) = context.limits.within(instant).await?;
        if let Some(upgrade) = &upgrade {
            plan.prioritize(|video| upgrade.provisional.early_rungs(video));
        }
    }
    // If the chunks do not fit together, the closure runs again for another revision, which needs a
    // publication of its own.
    let mut publication = Some(publication);
    let package = plan.run_with_fallback(progress, async |plan| {
        let publication = match publication.take() {
            Some(publication) => publication,
            None => begin(plan, target, context).await?,
        };
        ship_revision(plan, &publication, upgrade.as_mut(), context).await
    });
    let package = package.await?;
    publish::narrate(progress, target, &package);
    report_playing(Some(&package), target, context);
    Ok(())
}

/// Encodes, finishes, checks and publishes one revision.
async fn ship_revision(
    plan: &PackagePlan,
    publication: &Publication<'_>,
    upgrade: Option<&mut RungUpgrade<'_>>,
    context: &Context,
) -> Result<Package> {
    let work = context.work();
    let workdir = WorkDir::under(work, &plan.revision, context.progress)
        .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
    let shipment = Shipment {
        plan,
        workdir: &workdir,
        publication,
        progress: context.progress,
    };
    let shipped = context.limits.within(shipment.run(upgrade)).await;
    close_workdir(workdir, shipped, |workdir, package| {
        workdir.discard();
        Journal::remove_all(&WorkDir::path_under(work, &plan.revision));
        Ok(package)
    })
}

/// One revision on its way to a target.
struct Shipment<'a> {
    plan: &'a PackagePlan,
    workdir: &'a WorkDir,
    publication: &'a Publication<'a>,
    progress: Progress,
}

impl Shipment<'_> {
    async fn run(&self, upgrade: Option<&mut RungUpgrade<'_>>) -> Result<Package> {
        let root = self.workdir.root();
        let packager = Packager::new(self.plan, self.workdir, self.progress);
        let step = self.progress.step("publishing", StepUnit::Bytes, 0);
        let warnings = self.encode_and_upload(&packager, &step, upgrade).await?;
        let package = packager.finish(&warnings).await?;
        check::own_package(root).await?;
        self.progress.note(format_args!(
            "{} of {} objects went up while encoding",
            self.publication.written(),
            // The objects, and `package.json`.
            package.objects.len() + 1
        ));
        step.set_total(package.bytes());
        self.publication.complete(root, &package, &step).await?;
        step.finish();
        Ok(package)
    }

    /// Encodes, and meanwhile uploads segments and publishes complete rungs.
    async fn encode_and_upload(
        &self,
        packager: &Packager<'_>,
        step: &Step,
        upgrade: Option<&mut RungUpgrade<'_>>,
    ) -> Result<EncodeReport> {
        let (sender, complete_rungs) = mpsc::unbounded_channel();
        let encoding = packager.encode(move |rung| {
            // Without `--instant` the receiver is gone.
            let _ = sender.send(rung.clone());
        });
        let uploader = SegmentUploader::new(self.plan, self.workdir);
        let (warnings, ()) = future::try_join(
            uploader.send_during(self.publication, step, encoding),
            self.publish_rungs(complete_rungs, &uploader, upgrade),
        )
        .await?;
        Ok(warnings)
    }

    /// Adds each complete rung to the provisional lecture, until the encoder ends.
    async fn publish_rungs(
        &self,
        mut complete_rungs: UnboundedReceiver<Rung>,
        uploader: &SegmentUploader,
        upgrade: Option<&mut RungUpgrade<'_>>,
    ) -> Result<()> {
        let Some(upgrade) = upgrade else {
            return Ok(());
        };
        while let Some(rung) = complete_rungs.recv().await {
            let mut rungs = vec![rung];
            rungs.extend(std::iter::from_fn(|| complete_rungs.try_recv().ok()));
            rungs.retain(|rung| upgrade.is_better(rung));
            // The encoder has ended. The package's own playlist will list the remaining rungs.
            if complete_rungs.is_closed() {
                break;
            }
            for rung in &rungs {
                uploader.stop_rendition(&rung.name()).await;
            }
            let plan = &self.plan.encode;
            upgrade
                .publish_rungs(plan, self.workdir, &rungs, self.publication)
                .await?;
        }
        Ok(())
    }
}

/// Publishes a provisional stream, or continues with the one that an earlier run published.
async fn publish_instantly<'a>(
    plan: &PackagePlan,
    args: &ShipArgs,
    publication: Publication<'a>,
    context: &'a Context,
    replacement: &Replacement<'a>,
) -> Result<(Publication<'a>, Option<RungUpgrade<'a>>)> {
    let target = publication.target();
    let instant = InstantPublisher {
        plan,
        encode: &args.encode,
        target,
        context,
        started: &replacement.started,
    };
    let upgrade_of = |provisional| RungUpgrade {
        provisional,
        target,
        context,
    };
    if let Some(provisional) = publication.load_provisional(Provisional::revision) {
        let replaced = publication.replaced_by_live().await?;
        let _ = replacement.started.set(StartedProvisional {
            revision: provisional.revision.clone(),
            replaced,
        });
        instant.report_playable(provisional.listed());
        return Ok((publication, Some(upgrade_of(provisional))));
    }
    // Dropping it releases the journal, which `begin` opens again.
    drop(publication);
    let provisional = match instant.run().await {
        Ok(provisional) => Some(provisional),
        Err(error) if error.is::<StorageError>() => return Err(error),
        // The lecture may still be packaged and published.
        Err(error) => {
            replacement.restore().await;
            context.progress.note(format_args!(
                "cannot publish a provisional lecture, viewers wait for the whole package: {error:#}"
            ));
            None
        }
    };
    let publication = begin(plan, target, context).await?;
    if let Some(provisional) = &provisional {
        publication.save_provisional(provisional);
    }
    Ok((publication, provisional.map(upgrade_of)))
}

/// The provisional lecture of this run, and the lecture that it replaced.
struct Replacement<'a> {
    target: &'a Store,
    progress: Progress,
    /// Set once the provisional revision may play.
    started: OnceLock<StartedProvisional>,
}

impl<'a> Replacement<'a> {
    fn new(target: &'a Store, progress: Progress) -> Self {
        Self {
            target,
            progress,
            started: OnceLock::new(),
        }
    }

    /// Restores the lecture that played before, after a failure, and says which one plays.
    async fn restore(&self) {
        let Some(started) = self.started.get() else {
            return;
        };
        let restoring = replaced::restore(self.target, started);
        let restored = tokio::time::timeout(RESTORE_TIMEOUT, restoring).await;
        let why = match restored {
            Ok(Ok(AfterFailure::Other)) => return,
            Ok(Ok(AfterFailure::Restored)) => None,
            Ok(Ok(AfterFailure::Provisional)) => {
                Some("nothing is known to have played before".to_owned())
            }
            Ok(Ok(AfterFailure::Gone)) => {
                Some("the objects of the lecture before it were removed".to_owned())
            }
            Ok(Err(error)) => Some(format!("{error}; run `lectern rollback`")),
            Err(_) => Some("the target does not answer; run `lectern rollback`".to_owned()),
        };
        let master = self.target.master();
        let replaced = started.replaced.as_ref();
        let revision = replaced.and_then(|lecture| lecture.revision.as_deref());
        self.progress
            .report_restored(&master, revision, why.as_deref());
    }
}

/// Begins to publish a revision. Its journal lies beside the work folder.
async fn begin<'a>(
    plan: &PackagePlan,
    target: &'a Store,
    context: &Context,
) -> Result<Publication<'a>, StorageError> {
    let folder = WorkDir::path_under(context.work(), &plan.revision);
    Publication::begin(target, &plan.revision, &folder).await
}

/// Says which revision plays without this run.
async fn report_already_there(
    live: Option<&str>,
    args: &ShipArgs,
    target: &Store,
    context: &Context,
) {
    let live = live.unwrap_or_default();
    context.progress.note(format_args!(
        "already there: `{}` serves revision {live}",
        redacted(&args.target.target)
    ));
    let package = read_package(target, live).await.ok();
    report_playing(package.as_ref(), target, context);
}

/// Prints the result. The log of a worker gets no link.
fn report_playing(package: Option<&Package>, target: &Store, context: &Context) {
    let watch = match context.limits.is_queued {
        true => Watch::None,
        false => Watch::of(target),
    };
    let locate = |path: &str| target.display_name(path);
    let summary = package.map(|package| PackageSummary::new(package, locate));
    let rungs = package.map(Package::video_folders);
    context
        .progress
        .report_rungs_playing(rungs.unwrap_or_default());
    report::shipped(context.progress, target, summary.as_ref(), &watch);
}

#[derive(Debug, Args)]
pub(crate) struct ShipArgs {
    /// Recording: a file, or an object such as `r2://bucket/uploads/talk.mov`,
    /// `https://edge/uploads/talk.mov` or `edge:/uploads/talk.mov`. For a recording in parts, give
    /// its playlist, or its folder with a `/` at the end.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    /// Publish a provisional lecture within seconds: the recording's own streams if players decode
    /// them, else 480p.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Folder to encode in; `lectern` removes its own folder there at the end [default: the
    /// system's temporary folder].
    #[arg(long, alias = "work", value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
    /// Write the progress beside INPUT, for the page that uploaded it: `talk.mov.status.json`, or
    /// `status.json` in the folder of a recording in parts.
    #[arg(long, conflicts_with = "hls")]
    pub(crate) status: bool,
    /// Print events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Follows the progress for a status.
    #[arg(skip)]
    pub(crate) watch: Option<&'static ProgressWatch>,
}

impl ShipArgs {
    fn progress(&self) -> Progress {
        Progress::new(self.json).watched_by(self.watch)
    }
}
