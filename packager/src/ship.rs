//! `lectern ship`: segments go up while later ones are encoded; what makes them visible, only when all is well.

use std::collections::HashSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::cli::ShipArgs;
use crate::container::Container;
use crate::output::Scratch;
use crate::package::Job;
use crate::playlists::segment_name;
use crate::progress::{Progress, Unit};
use crate::publish::{self, CONCURRENCY, PublishError, Target, Upload};

const BETWEEN_SCANS: Duration = Duration::from_millis(300);
/// How many segments must exist after one that is final: the last two may yet become one.
const HELD_BACK: usize = 2;

pub(crate) async fn run(args: ShipArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let shipping = || {
        format!(
            "cannot ship `{}` to `{}`",
            args.input.display(),
            args.target
        )
    };
    let target = Target::open(&args.target).with_context(shipping)?;
    let job = Job::prepare(&args.input, &args.encode, progress).await?;
    if target.serves(&job.revision).await {
        progress.note(format_args!(
            "already there: `{}` serves revision {}",
            args.target, job.revision
        ));
        let url = target.master();
        progress.result(
            &url,
            &serde_json::json!({"url": url, "revision": job.revision}),
        );
        return Ok(());
    }
    let work = args.work.unwrap_or_else(std::env::temp_dir);
    let scratch = Scratch::under(&work)
        .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
    let root = scratch.path();
    let mut early = Early::new(&job, root);
    let said = early
        .send_during(&target, job.encode(root, progress))
        .await?;
    let package = job.finish(root, &said, progress).await?;
    let done = early.done;
    progress.note(format_args!(
        "{} of {} objects went up while encoding",
        done.len(),
        package.objects.len() + 1
    ));
    let step = progress.step("publishing", Unit::Bytes, package.bytes());
    publish::publish(root, &package, &target, &done, &step)
        .await
        .with_context(shipping)?;
    step.finish();
    publish::report(progress, &target, &package);
    Ok(())
}

/// Media Segments that are final before the encoder has ended.
struct Early {
    renditions: Vec<Growing>,
    /// Paths from the package's root.
    done: HashSet<String>,
}

struct Growing {
    folder: PathBuf,
    /// From the package's root.
    path: String,
    next: usize,
}

impl Early {
    fn new(job: &Job, root: &Path) -> Self {
        let growing = |name: String| Growing {
            folder: job.revision_folder(root).join(&name),
            path: format!("v/{}/{name}", job.revision),
            next: 0,
        };
        let video = job.plan.video_folders().into_iter();
        let audio = job.plan.audio_folders().into_iter();
        // Transport streams are made of segments that are not published.
        let is_published = job.plan.settings.container == Container::Cmaf;
        let growing = video.chain(audio).filter(|_| is_published).map(growing);
        Self {
            renditions: growing.collect(),
            done: HashSet::new(),
        }
    }

    /// Sends what appears while `encoding` runs. The first refusal ends both.
    async fn send_during<T>(
        &mut self,
        target: &Target,
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
                    let path: Result<String, PublishError> = sent;
                    self.done.insert(path.context("cannot publish while encoding")?);
                }
                _ = scans.tick(), if encoded.is_none() => {}
            }
            while encoded.is_none() && sending.len() < CONCURRENCY {
                let Some(upload) = self.take() else { break };
                sending.push(async move {
                    target.put(&upload).await?;
                    Ok(upload.path)
                });
            }
        }
    }

    /// The next segment that is final and not yet on its way.
    fn take(&mut self) -> Option<Upload> {
        self.renditions.iter_mut().find_map(Growing::take)
    }
}

impl Growing {
    fn take(&mut self) -> Option<Upload> {
        let name = segment_name(self.next);
        let file = self.folder.join(&name);
        // ffmpeg writes under another name and renames: what has this one is complete.
        let bytes = fs::metadata(&file).ok()?.len();
        let last = self.folder.join(segment_name(self.next + HELD_BACK));
        if bytes == 0 || !last.exists() {
            return None;
        }
        self.next += 1;
        let path = format!("{}/{name}", self.path);
        Some(Upload {
            content_type: lectern::content_type::for_key(&path).to_owned(),
            path,
            file,
            bytes,
            is_immutable: true,
        })
    }
}
