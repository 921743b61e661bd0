//! `lectern ship`: segments go up while later ones are encoded; what makes them visible, only when all is well.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::future;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::cli::ShipArgs;
use crate::early::Early;
use crate::fetch::Fetched;
use crate::instant::{self, Rising, Stopgap};
use crate::ladder::Rung;
use crate::package::Job;
use crate::package_json::Package;
use crate::partial::Partial;
use crate::progress::{Progress, Unit};
use crate::publish::{self, Journal, Publication, PublishError, Target};

pub(crate) async fn run(args: ShipArgs) -> Result<()> {
    let began = Instant::now();
    let progress = Progress::new(args.json);
    let shipping = || {
        format!(
            "cannot ship `{}` to `{}`",
            args.input.display(),
            args.target.target
        )
    };
    let target = args.target.open_for(&args.input).with_context(shipping)?;
    let work = args.work.clone().unwrap_or_else(std::env::temp_dir);
    let work = std::path::absolute(work).with_context(shipping)?;
    let reach = &args.target.reach;
    let input = Fetched::of(&args.input, &args.hls, reach, &work, progress)
        .await
        .with_context(shipping)?;
    let job = Job::prepare(input.file(), &args.encode, progress).await;
    let shipped = match job {
        Ok(job) => ship(job, &args, &target, &work, began).await,
        Err(error) => Err(error),
    };
    input.settle(shipped)
}

async fn ship(
    mut job: Job,
    args: &ShipArgs,
    target: &Target,
    work: &Path,
    began: Instant,
) -> Result<()> {
    let progress = Progress::new(args.json);
    let shipping = || {
        format!(
            "cannot ship `{}` to `{}`",
            args.input.display(),
            args.target.target
        )
    };
    let mut publication = begin(&job, work, target).await.with_context(shipping)?;
    if let Some(revision) = (publication.live()).filter(|live| job.revisions().contains(live)) {
        progress.note(format_args!(
            "already there: `{}` serves revision {revision}",
            args.target.target
        ));
        let url = target.master();
        progress.result(&url, &serde_json::json!({"url": url, "revision": revision}));
        return Ok(());
    }
    let mut rising = None;
    if args.instant {
        (publication, rising) = at_once(&job, args, publication, work, began)
            .await
            .with_context(shipping)?;
        if let Some(rising) = &rising {
            job.hasten(&rising.stopgap);
        }
    }
    loop {
        let partial = Partial::under(work, &job.revision, progress)
            .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
        match send(&job, &partial, &publication, &mut rising, progress).await {
            Ok(package) => {
                partial.discard();
                Journal::remove_all(&Partial::name_under(work, &job.revision));
                publish::report(progress, target, &package);
                return Ok(());
            }
            // What went up of the pieces has another name, and nothing lists it.
            Err(error) => match job.as_a_whole(&error, progress) {
                Some(whole) => {
                    partial.discard();
                    job = whole;
                    publication = begin(&job, work, target).await.with_context(shipping)?;
                }
                None => return Err(partial.give_up(error).context(shipping())),
            },
        }
    }
}

/// Has something play until the lecture does, or goes on with what an earlier run left.
async fn at_once<'a>(
    job: &Job,
    args: &ShipArgs,
    publication: Publication<'a>,
    work: &Path,
    began: Instant,
) -> Result<(Publication<'a>, Option<Rising<'a>>)> {
    let (target, progress) = (publication.target(), Progress::new(args.json));
    let instant = instant::Instant {
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
    let rising = |stopgap| Rising {
        stopgap,
        target,
        progress,
        began,
    };
    if let Some(left) = publication.left(|left: &Stopgap| &left.revision) {
        instant.tell();
        return Ok((publication, Some(rising(left))));
    }
    // Its journal is ours again after that.
    drop(publication);
    let stopgap = match instant.run().await {
        Ok(stopgap) => Some(stopgap),
        Err(error) if error.is::<PublishError>() => return Err(error),
        // The lecture proper may do all the same.
        Err(error) => {
            progress.note(format_args!("nothing plays yet: {error:#}"));
            None
        }
    };
    let publication = begin(job, work, target).await?;
    if let Some(stopgap) = &stopgap {
        publication.leave(stopgap);
    }
    Ok((publication, stopgap.map(rising)))
}

/// The journal lies beside the folder that is worked in.
async fn begin<'a>(
    job: &Job,
    work: &Path,
    target: &'a Target,
) -> Result<Publication<'a>, PublishError> {
    let folder = Partial::name_under(work, &job.revision);
    Publication::begin(target, &job.revision, &folder).await
}

async fn send(
    job: &Job,
    partial: &Partial,
    publication: &Publication<'_>,
    rising: &mut Option<Rising<'_>>,
    progress: Progress,
) -> Result<Package> {
    let step = progress.step("publishing", Unit::Bytes, 0);
    let (whole, there) = mpsc::unbounded_channel();
    let encoding = job.encode(partial, progress, move |rung| {
        // Nobody listens once it is over.
        let _ = whole.send(rung.clone());
    });
    let early = Early::new(job, partial);
    let (said, ()) = future::try_join(
        early.send_during(publication, &step, encoding),
        list_what_is(there, job, partial, publication, rising, &early),
    )
    .await?;
    let package = job.finish(partial, &said, progress).await?;
    progress.note(format_args!(
        "{} of {} objects went up while encoding",
        publication.written(),
        package.objects.len() + 1
    ));
    step.set_total(package.bytes());
    publication
        .complete(partial.root(), &package, &step)
        .await?;
    step.finish();
    Ok(package)
}

/// Lists rungs that are all there, until the encoder has ended.
async fn list_what_is(
    mut there: UnboundedReceiver<Rung>,
    job: &Job,
    partial: &Partial,
    publication: &Publication<'_>,
    rising: &mut Option<Rising<'_>>,
    early: &Early,
) -> Result<()> {
    let Some(rising) = rising else {
        return Ok(());
    };
    while let Some(rung) = there.recv().await {
        let mut rungs = vec![rung];
        rungs.extend(std::iter::from_fn(|| there.try_recv().ok()));
        rungs.retain(|rung| rising.wants(rung));
        // With the last one all of it will be listed.
        if there.is_closed() {
            break;
        }
        for rung in &rungs {
            early.finish(&rung.name()).await;
        }
        rising.list(&job.plan, partial, &rungs, publication).await?;
    }
    Ok(())
}
