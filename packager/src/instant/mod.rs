//! `lectern ship --instant`: publishes a provisional stream within seconds, which plays until the
//! lecture is encoded.
//!
//! The provisional stream is a revision of its own with growing playlists (EVENT, RFC 8216bis
//! §4.4.3.5). Complete rungs of the lecture are listed beside it or replace it. The lecture then
//! replaces it as any revision replaces another, without interrupting viewers.

mod event_rendition;
mod gop;
mod plan;
mod provisional;
mod upgrade;

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context as _, Result, anyhow};
use futures_util::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};

use crate::clock;
use crate::context::Context;
use crate::digest::Hasher;
use crate::encode::settings::EncodeArgs;
use crate::ffmpeg::process;
use crate::layout::{self, MULTIVARIANT};
use crate::manifest::hls;
use crate::manifest::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::package::PackagePlan;
use crate::progress::StepUnit;
use crate::publish::Publication;
use crate::publish::replaced::StartedProvisional;
use crate::publish::report::Watch;
use crate::source::{file_url, input_options};
use crate::storage::Store;
use crate::storage::concurrency::MAX_REQUESTS as MOST_AT_ONCE;
use crate::storage::error::StorageError;
use crate::storage::object::Upload;
use crate::workdir::WorkDir;
use event_rendition::EventRendition;
use gop::GopProbe;
use plan::{InstantPlan, is_copyable};
pub(crate) use provisional::Provisional;
pub(crate) use upgrade::RungUpgrade;

/// Time between scans of the encoders' output.
const SCAN_INTERVAL: Duration = Duration::from_millis(100);
/// Time between writes of a playlist. R2 accepts one a second for each object.
const WRITE_INTERVAL: Duration = Duration::from_millis(1_500);
/// Seconds of the beginning that are searched for keyframes.
const PROBED_SECONDS: u32 = 20;

/// Publishes a provisional stream of a plan's source.
pub(crate) struct InstantPublisher<'a> {
    pub(crate) plan: &'a PackagePlan,
    pub(crate) encode: &'a EncodeArgs,
    pub(crate) target: &'a Store,
    pub(crate) context: &'a Context,
    /// Set before the provisional revision replaces what plays.
    pub(crate) started: &'a OnceLock<StartedProvisional>,
}

impl InstantPublisher<'_> {
    /// Publishes the provisional stream to its end.
    pub(crate) async fn run(&self) -> Result<Provisional> {
        let input = file_url(&self.plan.input);
        let facts = &self.plan.source;
        let gop = match is_copyable(&facts.media) {
            true => self.probe_gop().await.unwrap_or_default(),
            false => GopProbe::default(),
        };
        let plan = InstantPlan::new(&facts.media, facts.bytes, &gop, self.encode, &input);
        let revision = self.new_revision(&plan, &input);
        let Context { progress, .. } = self.context;
        let workdir = WorkDir::under(self.context.work(), &revision, *progress)?;
        let grown = self.encode_and_publish(&plan, &revision, &workdir).await;
        workdir.discard();
        let Presentation { video, audio, .. } = presentation(&plan, &revision, &grown?, true);
        Ok(Provisional {
            grown: video,
            audio,
            rungs: vec![],
            is_aligned: plan.is_aligned,
            target_duration: plan.target_duration,
            revision,
        })
    }

    /// Returns a new name every time, because encoders with several threads never give the same
    /// bytes twice.
    fn new_revision(&self, plan: &InstantPlan, input: &OsString) -> String {
        let recipe = plan.recipe(&self.plan.source.sha256, &self.plan.ffmpeg, input);
        let now = clock::now().timestamp_micros();
        let mut hasher = Hasher::default();
        hasher.update(&recipe);
        hasher.update(&now.to_be_bytes());
        let mut revision = hasher.finish().sha256;
        revision.truncate(16);
        revision
    }

    /// Runs the encoders, uploads their segments and lists them until the encoders end.
    async fn encode_and_publish(
        &self,
        plan: &InstantPlan,
        revision: &str,
        workdir: &WorkDir,
    ) -> Result<Vec<EventRendition>> {
        workdir.resume(&[]).await?;
        let folder = workdir.revision_folder();
        for name in plan.folders() {
            std::fs::create_dir_all(folder.join(name)).context("cannot make the folders")?;
        }
        let publication = Publication::without_folder(self.target, revision).await?;
        let mut renditions: Vec<EventRendition> = (plan.streams())
            .map(|(name, start, duration_seconds)| {
                let path = layout::in_revision(revision, name);
                let target = plan.target_duration;
                EventRendition::new(&folder, path, name, start, target, duration_seconds)
            })
            .collect();
        let seconds = self.plan.source.media.duration;
        let total = seconds.map_or(0, |seconds| (seconds * 1000.0) as u64);
        let step = self
            .context
            .progress
            .step("instant", StepUnit::Milliseconds, total);
        let mut encoders: FuturesUnordered<_> = (plan.commands.iter())
            .map(|args| process::encode(args.clone(), &folder, |_| {}))
            .collect();
        let mut scans = tokio::time::interval(SCAN_INTERVAL);
        scans.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut written: Option<Clock> = None;
        let mut failed = None;
        loop {
            tokio::select! {
                ended = encoders.next(), if !encoders.is_empty() => {
                    // The playlists then end with the segments they have.
                    if let Some(Err(error)) = ended {
                        failed.get_or_insert(error.into());
                        encoders.clear();
                    }
                }
                _ = scans.tick(), if !encoders.is_empty() => {}
            }
            let is_ended = encoders.is_empty();
            let is_due = written.is_none_or(|written| written.elapsed() >= WRITE_INTERVAL);
            if !is_due && !is_ended {
                continue;
            }
            let mut uploads = vec![];
            for rendition in &mut renditions {
                match rendition.take_complete(is_ended) {
                    Ok(more) => uploads.extend(more),
                    Err(error) => {
                        failed.get_or_insert(error);
                        encoders.clear();
                    }
                }
            }
            let is_ended = is_ended || failed.is_some();
            let has_new = !uploads.is_empty();
            send_all(&publication, uploads).await?;
            if renditions.iter().any(|rendition| !rendition.has_begun()) {
                if is_ended {
                    failed.get_or_insert_with(|| anyhow!("ffmpeg wrote no segment"));
                    break;
                }
                continue;
            }
            if has_new || is_ended {
                self.publish_playlists(&renditions, is_ended).await?;
                step.set(
                    renditions
                        .iter()
                        .map(EventRendition::length_micros)
                        .min()
                        .unwrap_or(0)
                        / 1000,
                );
                if written.is_none() {
                    let presentation = presentation(plan, revision, &renditions, is_ended);
                    let replaced = publication.replaced_lecture().await?;
                    self.started.get_or_init(|| StartedProvisional {
                        revision: revision.to_owned(),
                        replaced: replaced.clone(),
                    });
                    let master = master(&presentation);
                    publication.start_provisional(master, replaced).await?;
                    self.report_playable(&presentation.video);
                }
                written = Some(Clock::now());
            }
            if is_ended {
                break;
            }
        }
        step.finish();
        failed.map_or(Ok(renditions), Err)
    }

    async fn publish_playlists(
        &self,
        renditions: &[EventRendition],
        is_ended: bool,
    ) -> Result<(), StorageError> {
        stream::iter(renditions.iter().map(Ok))
            .try_for_each_concurrent(MOST_AT_ONCE, |rendition| async move {
                self.target.replace(&rendition.playlist(is_ended)).await
            })
            .await
    }

    /// Reports that the provisional stream plays.
    pub(crate) fn report_playable<'t>(&self, video: impl IntoIterator<Item = &'t VideoTrack>) {
        let seconds = self.context.elapsed_seconds();
        let progress = self.context.progress;
        progress.note(format_args!("plays now, {seconds:.2} s after the start"));
        let watch = match self.context.limits.is_queued || progress.is_json() {
            true => Watch::None,
            false => Watch::of(self.target),
        };
        progress.report_playable(&watch.url(self.target), seconds);
        let rungs = video.into_iter().map(|video| video.track.id.clone());
        progress.report_rungs_playing(rungs.collect());
    }

    /// Probes the first packets.
    async fn probe_gop(&self) -> Option<GopProbe> {
        let index = self.plan.source.media.video.as_ref()?.index;
        let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
        args.extend(input_options().map(Into::into));
        args.extend([
            "-read_intervals".into(),
            format!("%+{PROBED_SECONDS}").into(),
        ]);
        let entries = "packet=stream_index,pts_time,flags";
        args.extend(["-show_entries", entries, "-of", "csv=p=0"].map(Into::into));
        args.push(file_url(&self.plan.input));
        let packets = process::capture("ffprobe", args).await.ok()?;
        Some(GopProbe::parse(&String::from_utf8_lossy(&packets), index))
    }
}

async fn send_all(publication: &Publication<'_>, uploads: Vec<Upload>) -> Result<(), StorageError> {
    stream::iter(uploads.into_iter().map(Ok))
        .try_for_each_concurrent(MOST_AT_ONCE, |upload| async move {
            publication.send(&upload).await
        })
        .await
}

fn master(presentation: &Presentation) -> Upload {
    Upload::of_bytes(MULTIVARIANT, hls::multivariant(presentation))
}

/// The tracks to list. Their bandwidths are estimates until the encoders end.
fn presentation(
    plan: &InstantPlan,
    revision: &str,
    renditions: &[EventRendition],
    is_ended: bool,
) -> Presentation {
    let track = |folder: &str, estimate: u64| {
        let mut grown = plan.folders().zip(renditions);
        let rendition = grown.find(|(name, _)| *name == folder);
        let rendition = rendition.map(|(_, rendition)| rendition);
        let (peak, average) = rendition
            .filter(|_| is_ended)
            .map_or((estimate, estimate), EventRendition::bandwidth);
        Track {
            folder: layout::in_revision(revision, folder),
            id: folder.replace('/', "-"),
            codec: rendition.map_or_else(String::new, |rendition| rendition.codec().to_owned()),
            peak_bandwidth: peak,
            average_bandwidth: average,
            timescale: 1,
            ticks: vec![],
        }
    };
    Presentation {
        video: (plan.video.iter())
            .map(|video| VideoTrack {
                track: track(&video.folder, video.bandwidth),
                width: video.width,
                height: video.height,
                frame_rate: video.frame_rate,
            })
            .collect(),
        audio: (plan.audio.iter())
            .map(|audio| AudioTrack {
                track: track(&audio.folder, audio.bandwidth),
                language: audio.audio.language.clone(),
                title: audio.audio.title.clone(),
                channels: audio.audio.channels,
                is_muxed: false,
            })
            .collect(),
        ..Presentation::default()
    }
}
