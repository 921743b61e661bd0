//! `lectern ship --instant`: something plays within seconds, and goes on playing while the lecture proper is made.
//!
//! A revision of its own, of growing playlists (EVENT, RFC 8216bis §4.4.3.5). The lecture's own rungs are listed beside it or
//! in its place as each is there, and then the lecture replaces it as one replaces another: who watches it is not disturbed.

mod event_rendition;
mod gop;
mod plan;
mod provisional;
mod upgrade;

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context as _, Result, anyhow};
use futures_util::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};

use crate::clock;
use crate::digest::Hasher;
use crate::encode::settings::EncodeArgs;
use crate::ffmpeg::process;
use crate::layout::{self, MULTIVARIANT};
use crate::manifest::hls;
use crate::manifest::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::progress::{Progress, StepUnit};
use crate::publish::Publication;
use crate::source::{Source, file_url, input_options};
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

/// Between looks at what is there; R2 takes one write a second of a playlist.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const BETWEEN_WRITES: Duration = Duration::from_millis(1_500);
/// Seconds of the beginning in which key frames are looked for.
const LOOKED_AT: u32 = 20;

pub(crate) struct InstantPublisher<'a> {
    pub(crate) input: &'a Path,
    pub(crate) source: &'a Source,
    pub(crate) bytes: u64,
    /// SHA-256 of the input.
    pub(crate) sha256: &'a str,
    pub(crate) ffmpeg: &'a str,
    pub(crate) encode: &'a EncodeArgs,
    pub(crate) work: &'a Path,
    pub(crate) target: &'a Store,
    pub(crate) progress: Progress,
    /// When the command was started.
    pub(crate) began: Clock,
}

impl InstantPublisher<'_> {
    /// Publishes it, to its end.
    pub(crate) async fn run(&self) -> Result<Provisional> {
        let input = file_url(self.input);
        let gop = match is_copyable(self.source) {
            true => self.look().await.unwrap_or_default(),
            false => GopProbe::default(),
        };
        let plan = InstantPlan::new(self.source, self.bytes, &gop, self.encode, &input);
        let revision = self.revision(&plan, &input);
        let workdir = WorkDir::under(self.work, &revision, self.progress)?;
        let grown = self.grow(&plan, &revision, &workdir).await;
        // What is in it is published, or of no use.
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

    /// Another one every time: encoders with several threads do not give the same bytes twice, and nobody waits for it to be
    /// taken up.
    fn revision(&self, plan: &InstantPlan, input: &OsString) -> String {
        let recipe = plan.recipe(self.sha256, self.ffmpeg, input);
        let now = clock::now().timestamp_micros();
        let mut hasher = Hasher::default();
        hasher.update(&recipe);
        hasher.update(&now.to_be_bytes());
        let mut revision = hasher.finish().sha256;
        revision.truncate(16);
        revision
    }

    async fn grow(
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
            .map(|(name, beginning, duration_seconds)| {
                let path = layout::in_revision(revision, name);
                let target = plan.target_duration;
                EventRendition::new(&folder, path, name, beginning, target, duration_seconds)
            })
            .collect();
        let total = (self.source.duration).map_or(0, |seconds| (seconds * 1000.0) as u64);
        let step = self.progress.step("instant", StepUnit::Milliseconds, total);
        let mut encoders: FuturesUnordered<_> = (plan.commands.iter())
            .map(|args| process::encode(args.clone(), &folder, |_| {}))
            .collect();
        let mut looks = tokio::time::interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut written: Option<Clock> = None;
        let mut failed = None;
        loop {
            tokio::select! {
                ended = encoders.next(), if !encoders.is_empty() => {
                    // What is there already stays, and ends.
                    if let Some(Err(error)) = ended {
                        failed.get_or_insert(error.into());
                        encoders.clear();
                    }
                }
                _ = looks.tick(), if !encoders.is_empty() => {}
            }
            let is_ended = encoders.is_empty();
            let is_due = written.is_none_or(|written| written.elapsed() >= BETWEEN_WRITES);
            if !is_due && !is_ended {
                continue;
            }
            let mut uploads = vec![];
            for rendition in &mut renditions {
                match rendition.take(is_ended) {
                    Ok(more) => uploads.extend(more),
                    Err(error) => {
                        failed.get_or_insert(error);
                        encoders.clear();
                    }
                }
            }
            let is_ended = is_ended || failed.is_some();
            let has_new = !uploads.is_empty();
            send(&publication, uploads).await?;
            if renditions.iter().any(|rendition| !rendition.has_begun()) {
                if is_ended {
                    failed.get_or_insert_with(|| anyhow!("nothing came out of it"));
                    break;
                }
                continue;
            }
            if has_new || is_ended {
                self.list(&renditions, is_ended).await?;
                step.set(
                    renditions
                        .iter()
                        .map(EventRendition::length)
                        .min()
                        .unwrap_or(0)
                        / 1000,
                );
                if written.is_none() {
                    let presentation = presentation(plan, revision, &renditions, is_ended);
                    publication.start_provisional(master(&presentation)).await?;
                    self.report_playable();
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

    async fn list(
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

    /// That something plays.
    pub(crate) fn report_playable(&self) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.progress.note(format_args!(
            "plays now, {seconds:.2} s after the start: {}",
            self.target.master()
        ));
        self.progress.playable(&self.target.master(), seconds);
    }

    /// Looks at the packets of the beginning.
    async fn look(&self) -> Option<GopProbe> {
        let index = self.source.video.as_ref()?.index;
        let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
        args.extend(input_options().map(Into::into));
        args.extend(["-read_intervals".into(), format!("%+{LOOKED_AT}").into()]);
        let shown = "packet=stream_index,pts_time,flags";
        args.extend(["-show_entries", shown, "-of", "csv=p=0"].map(Into::into));
        args.push(file_url(self.input));
        let packets = process::capture("ffprobe", args).await.ok()?;
        Some(GopProbe::at(&String::from_utf8_lossy(&packets), index))
    }
}

async fn send(publication: &Publication<'_>, uploads: Vec<Upload>) -> Result<(), StorageError> {
    stream::iter(uploads.into_iter().map(Ok))
        .try_for_each_concurrent(MOST_AT_ONCE, |upload| async move {
            publication.send(&upload).await
        })
        .await
}

fn master(presentation: &Presentation) -> Upload {
    Upload::of_bytes(MULTIVARIANT, hls::multivariant(presentation))
}

/// What is known of how much it takes before it has ended is a guess.
fn presentation(
    plan: &InstantPlan,
    revision: &str,
    renditions: &[EventRendition],
    is_ended: bool,
) -> Presentation {
    let track = |folder: &str, guess: u64| {
        let mut grown = plan.folders().zip(renditions);
        let rendition = grown.find(|(name, _)| *name == folder);
        let rendition = rendition.map(|(_, rendition)| rendition);
        let (peak, average) = rendition
            .filter(|_| is_ended)
            .map_or((guess, guess), EventRendition::bandwidth);
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
