//! `lectern ship`: segments go up while later ones are encoded; what makes them visible, only when all is well.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::future;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::cli::ShipArgs;
use crate::container::Container;
use crate::fetch::Fetched;
use crate::instant::{self, Rising, Stopgap};
use crate::ladder::Rung;
use crate::package::Job;
use crate::package_json::Package;
use crate::partial::Partial;
use crate::parts::Part;
use crate::pieces::Piece;
use crate::playlists::segment_name;
use crate::progress::{Progress, Step, Unit};
use crate::publish::{
    self, Journal, MOST_AT_ONCE, Publication, PublishError, Source, Target, Upload,
};

const BETWEEN_SCANS: Duration = Duration::from_millis(300);
/// How many segments must exist after one that is final: the last two may yet become one.
const HELD_BACK: usize = 2;

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
    let endpoint = args.target.endpoint.as_deref();
    let input = Fetched::of(&args.input, &args.hls, endpoint, &work, progress)
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

/// Media Segments that are final before the encoder has ended.
struct Early {
    renditions: Vec<Growing>,
}

/// A run of segments of a Rendition, which appear one after the other.
struct Growing {
    name: String,
    folder: PathBuf,
    /// From the package's root.
    path: String,
    next: Cell<usize>,
    /// None where it goes to the end.
    end: Option<usize>,
    /// How many are on their way.
    sending: Cell<usize>,
    /// The rest is sent by somebody else.
    is_over: Cell<bool>,
}

impl Early {
    fn new(job: &Job, partial: &Partial) -> Self {
        let growing = |name: &str, piece: Piece| Growing {
            name: name.to_owned(),
            folder: partial.revision_folder().join(name),
            path: format!("v/{}/{name}", job.revision),
            next: Cell::new(number(piece.first)),
            end: piece.end.map(number),
            sending: Cell::new(0),
            is_over: Cell::new(false),
        };
        let mut renditions = vec![];
        // Transport streams are made of segments that are not published.
        let is_published = job.plan.settings.container == Container::Cmaf;
        for part in job.plan.parts().into_iter().filter(|_| is_published) {
            match part {
                Part::Sound(sound) => renditions.push(growing(&sound.folder, Piece::WHOLE)),
                Part::Picture(_, cut) => {
                    let rungs = cut.rungs.iter();
                    renditions.extend(rungs.map(|rung| growing(&rung.name(), cut.piece)));
                }
            }
        }
        Self { renditions }
    }

    /// Sends what appears while `encoding` runs. The first refusal ends both.
    async fn send_during<T>(
        &self,
        publication: &Publication<'_>,
        step: &Step,
        encoding: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut encoding = std::pin::pin!(encoding);
        let mut scans = tokio::time::interval(BETWEEN_SCANS);
        let mut sending = FuturesUnordered::new();
        let mut encoded = None;
        loop {
            if let Some(result) = encoded.take_if(|_| sending.is_empty()) {
                return Ok(result);
            }
            tokio::select! {
                result = &mut encoding, if encoded.is_none() => encoded = Some(result?),
                Some(sent) = sending.next() => {
                    let bytes: Result<u64, PublishError> = sent;
                    step.add(bytes.context("cannot publish while encoding")?);
                }
                _ = scans.tick(), if encoded.is_none() => {}
            }
            while encoded.is_none() && sending.len() < MOST_AT_ONCE {
                let Some((growing, upload)) = self.take() else {
                    break;
                };
                sending.push(async move {
                    publication.send(&upload).await?;
                    growing.sending.update(|sending| sending - 1);
                    Ok(upload.bytes)
                });
            }
        }
    }

    /// The next segment that is final and not yet on its way.
    fn take(&self) -> Option<(&Growing, Upload)> {
        let mut growing = self.renditions.iter();
        growing.find_map(|growing| Some((growing, growing.take()?)))
    }

    /// Sends nothing more of a Rendition, and waits for what is on its way.
    async fn finish(&self, name: &str) {
        let own = || {
            self.renditions
                .iter()
                .filter(|growing| growing.name == name)
        };
        own().for_each(|growing| growing.is_over.set(true));
        while own().any(|growing| growing.sending.get() > 0) {
            tokio::time::sleep(BETWEEN_SCANS).await;
        }
    }
}

impl Growing {
    fn take(&self) -> Option<Upload> {
        let next = self.next.get();
        if self.is_over.get() || self.end.is_some_and(|end| next >= end) {
            return None;
        }
        let name = segment_name(next);
        let file = self.folder.join(&name);
        // It is written under another name and renamed: what has this one is complete.
        let bytes = fs::metadata(&file).ok()?.len();
        let last = self.folder.join(segment_name(next + HELD_BACK));
        if bytes == 0 || !last.exists() {
            return None;
        }
        self.next.set(next + 1);
        self.sending.update(|sending| sending + 1);
        let path = format!("{}/{name}", self.path);
        Some(Upload {
            content_type: lectern::content_type::for_key(&path).to_owned(),
            path,
            source: Source::File(file),
            bytes,
        })
    }
}

fn number(segment: u64) -> usize {
    usize::try_from(segment).unwrap_or(usize::MAX)
}
