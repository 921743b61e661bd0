//! `lectern ship`: segments go up while later ones are encoded; what makes them visible, only when all is well.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::future;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::check;
use crate::command::args::TargetArgs;
use crate::encode::ladder::Rung;
use crate::encode::settings::EncodeArgs;
use crate::extras::ExtrasArgs;
use crate::failure;
use crate::input::{FetchedInput, HlsArgs};
use crate::instant::{self, Provisional, RungUpgrade};
use crate::limits::{LimitArgs, ResourceLimits};
use crate::package::PackageJob;
use crate::package::manifest_json::Package;
use crate::progress::{Progress, StepUnit};
use crate::publish::segment_uploader::SegmentUploader;
use crate::publish::{self, Publication};
use crate::redact::redacted;
use crate::storage::Store;
use crate::storage::error::StorageError;
use crate::storage::journal::Journal;
use crate::workdir::WorkDir;
use clap::Args;
use std::path::PathBuf;

pub(crate) async fn run(args: ShipArgs) -> Result<()> {
    let limits = args.limits.asked_for();
    run_within(args, &limits).await
}

/// As [`run`], within the limits of a job.
pub(crate) async fn run_within(args: ShipArgs, limits: &ResourceLimits) -> Result<()> {
    let began = Instant::now();
    let progress = Progress::new(args.json);
    let shipping = || shipping(&args);
    let target = args.target.open_for(&args.input).with_context(shipping)?;
    let work = args.work.clone().unwrap_or_else(std::env::temp_dir);
    let work = std::path::absolute(work).with_context(shipping)?;
    let reach = &args.target.reach;
    let input = FetchedInput::of(&args.input, &args.hls, reach, &work, limits, progress)
        .await
        .with_context(shipping)?;
    let job = limits.within(PackageJob::prepare(
        input.file(),
        &args.encode,
        &args.extras,
        limits,
        progress,
    ));
    let shipped = match job.await {
        Ok(job) => ship(job, &args, &target, &work, limits, began).await,
        Err(error) => Err(error),
    };
    let is_hopeless = limits.is_queued || shipped.as_ref().is_err_and(failure::is_in_input);
    input.settle(shipped, is_hopeless)
}

fn shipping(args: &ShipArgs) -> String {
    let [input, target] = [&args.input.to_string_lossy(), &*args.target.target].map(redacted);
    format!("cannot ship `{input}` to `{target}`")
}

async fn ship(
    mut job: PackageJob,
    args: &ShipArgs,
    target: &Store,
    work: &Path,
    limits: &ResourceLimits,
    began: Instant,
) -> Result<()> {
    let progress = Progress::new(args.json);
    let shipping = || shipping(args);
    let mut publication = begin(&job, work, target).await.with_context(shipping)?;
    if let Some(revision) = (publication.live()).filter(|live| job.revisions().contains(live)) {
        progress.note(format_args!(
            "already there: `{}` serves revision {revision}",
            redacted(&args.target.target)
        ));
        let url = target.master();
        progress.result(&url, &serde_json::json!({"url": url, "revision": revision}));
        return Ok(());
    }
    let mut upgrade = None;
    if args.instant {
        (publication, upgrade) = limits
            .within(at_once(&job, args, publication, work, began))
            .await
            .with_context(shipping)?;
        if let Some(upgrade) = &upgrade {
            job.prioritize(|video| upgrade.provisional.wanted(video));
        }
    }
    loop {
        let workdir = WorkDir::under(work, &job.revision, progress)
            .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
        let sent = limits.within(send(&job, &workdir, &publication, &mut upgrade, progress));
        match sent.await {
            Ok(package) => {
                workdir.discard();
                Journal::remove_all(&WorkDir::name_under(work, &job.revision));
                publish::report(progress, target, &package);
                return Ok(());
            }
            // What went up of the pieces has another name, and nothing lists it.
            Err(error) => match job.as_a_whole(&error, progress) {
                Some(whole) => {
                    workdir.discard();
                    job = whole;
                    publication = begin(&job, work, target).await.with_context(shipping)?;
                }
                None => {
                    workdir.abandon(failure::is_in_input(&error));
                    return Err(error.context(shipping()));
                }
            },
        }
    }
}

/// Has something play until the lecture does, or goes on with what an earlier run left.
async fn at_once<'a>(
    job: &PackageJob,
    args: &ShipArgs,
    publication: Publication<'a>,
    work: &Path,
    began: Instant,
) -> Result<(Publication<'a>, Option<RungUpgrade<'a>>)> {
    let (target, progress) = (publication.target(), Progress::new(args.json));
    let instant = instant::InstantPublisher {
        input: &job.input,
        source: &job.source.media,
        bytes: job.source.bytes,
        sha256: &job.source.sha256,
        ffmpeg: &job.ffmpeg,
        encode: &args.encode,
        work,
        target,
        progress,
        began,
    };
    let upgrade = |provisional| RungUpgrade {
        provisional,
        target,
        progress,
        began,
    };
    if let Some(provisional) = publication.load_provisional(|left: &Provisional| &left.revision) {
        instant.report_playable();
        return Ok((publication, Some(upgrade(provisional))));
    }
    // Its journal is ours again after that.
    drop(publication);
    let provisional = match instant.run().await {
        Ok(provisional) => Some(provisional),
        Err(error) if error.is::<StorageError>() => return Err(error),
        // The lecture proper may do all the same.
        Err(error) => {
            progress.note(format_args!("nothing plays yet: {error:#}"));
            None
        }
    };
    let publication = begin(job, work, target).await?;
    if let Some(provisional) = &provisional {
        publication.save_provisional(provisional);
    }
    Ok((publication, provisional.map(upgrade)))
}

/// The journal lies beside the folder that is worked in.
async fn begin<'a>(
    job: &PackageJob,
    work: &Path,
    target: &'a Store,
) -> Result<Publication<'a>, StorageError> {
    let folder = WorkDir::name_under(work, &job.revision);
    Publication::begin(target, &job.revision, &folder).await
}

async fn send(
    job: &PackageJob,
    workdir: &WorkDir,
    publication: &Publication<'_>,
    upgrade: &mut Option<RungUpgrade<'_>>,
    progress: Progress,
) -> Result<Package> {
    let step = progress.step("publishing", StepUnit::Bytes, 0);
    let (whole, there) = mpsc::unbounded_channel();
    let encoding = job.encode(workdir, progress, move |rung| {
        // Nobody listens once it is over.
        let _ = whole.send(rung.clone());
    });
    let uploader = SegmentUploader::new(job, workdir);
    let (warnings, ()) = future::try_join(
        uploader.send_during(publication, &step, encoding),
        list_what_is(there, job, workdir, publication, upgrade, &uploader),
    )
    .await?;
    let package = job.finish(workdir, &warnings, progress).await?;
    check::own(workdir.root()).await?;
    progress.note(format_args!(
        "{} of {} objects went up while encoding",
        publication.written(),
        package.objects.len() + 1
    ));
    step.set_total(package.bytes());
    publication
        .complete(workdir.root(), &package, &step)
        .await?;
    step.finish();
    Ok(package)
}

/// Lists rungs that are all there, until the encoder has ended.
async fn list_what_is(
    mut there: UnboundedReceiver<Rung>,
    job: &PackageJob,
    workdir: &WorkDir,
    publication: &Publication<'_>,
    upgrade: &mut Option<RungUpgrade<'_>>,
    uploader: &SegmentUploader,
) -> Result<()> {
    let Some(upgrade) = upgrade else {
        return Ok(());
    };
    while let Some(rung) = there.recv().await {
        let mut rungs = vec![rung];
        rungs.extend(std::iter::from_fn(|| there.try_recv().ok()));
        rungs.retain(|rung| upgrade.wants(rung));
        // With the last one all of it will be listed.
        if there.is_closed() {
            break;
        }
        for rung in &rungs {
            uploader.finish(&rung.name()).await;
        }
        upgrade
            .list(&job.plan, workdir, &rungs, publication)
            .await?;
    }
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct ShipArgs {
    /// The recording: a file; an object, as `r2://bucket/uploads/talk.mov` or `https://edge/uploads/talk.mov`; or one that was
    /// stored in parts, by its playlist or by its folder with a slash.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) hls: HlsArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) encode: EncodeArgs,
    #[command(flatten)]
    pub(crate) extras: ExtrasArgs,
    /// Publish a provisional lecture within seconds: the recording's own streams if players decode them, else 480p.
    #[arg(long)]
    pub(crate) instant: bool,
    /// Where to encode; the folder made there is removed at the end [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// Events as JSON lines on standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}
