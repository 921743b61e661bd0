//! Encodes the tasks of a plan on one worker per core, and keeps the tasks that an earlier run
//! finished.

pub(crate) mod argv;
mod assemble;
pub(crate) mod chunk;
#[cfg(test)]
mod chunk_seams_test;
pub(crate) mod completeness;
mod filters;
pub(crate) mod ladder;
pub(crate) mod plan;
mod progress;
pub(crate) mod rendition;
pub(crate) mod settings;
pub(crate) mod task;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::future;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::encode::chunk::Chunk;
use crate::ffmpeg::process::{self, FfmpegWarnings, ProcessError};
use crate::layout;
use crate::mp4::trim_priming;
use crate::progress::{Progress, StepUnit};
use crate::source::loudness::{self, Gain};
use crate::source::seek_points::{is_seekable, keyframes_before};
use crate::source::{Source, file_url};
use crate::workdir::WorkDir;
use crate::workdir::scratch::full_disk;
use argv::FFMPEG_PLAYLIST;
use assemble::{ChunkError, ChunkOutput};
use ladder::Rung;
use plan::{AudioPlan, EncodePlan, VideoPlan};
use progress::{EncodeProgress, PendingRungs};
use rendition::measure;
use task::{EncodeTask, VideoTask};

/// Mismatch of a chunk, for any reason: the video must be encoded whole.
#[derive(Debug, thiserror::Error)]
#[error("the video cannot be encoded in chunks")]
pub(crate) struct ChunkMismatch;

/// Encoding of one source by one plan.
pub(crate) struct Encoding<'a> {
    pub(crate) plan: &'a EncodePlan,
    pub(crate) input: &'a Path,
    /// Duration of the source in seconds, if its header declares one.
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) workdir: &'a WorkDir,
    pub(crate) progress: Progress,
}

impl Encoding<'_> {
    /// Encodes the unfinished tasks and calls `on_rung` for each complete rung; returns ffmpeg's
    /// warnings by task.
    pub(crate) async fn run(&self, workers: usize, on_rung: impl Fn(&Rung)) -> Result<Vec<String>> {
        let tasks = self.plan.tasks();
        let names: Vec<String> = tasks.iter().map(EncodeTask::name).collect();
        let kept = self.workdir.resume(&names).await?;
        let count = kept.iter().flatten().count();
        if count > 0 {
            self.progress.note(format_args!(
                "resuming: {count} of {} parts are finished",
                tasks.len()
            ));
        }
        let total = self.duration_seconds.map_or(0, millis);
        let step = self
            .progress
            .step("encoding", StepUnit::Milliseconds, total);
        let encoded_so_far = EncodeProgress::new(&tasks, step);
        let warnings: Vec<Cell<String>> = tasks.iter().map(|_| Cell::default()).collect();
        let mut pending = PendingRungs::new(&tasks);
        let mut waiting = vec![];
        for (at, (task, record)) in tasks.iter().zip(kept).enumerate() {
            match record {
                Some(record) => {
                    warnings[at].set(record.warnings);
                    encoded_so_far.add(at, self.length(task));
                    pending.finish_task(task).for_each(&on_rung);
                }
                None => {
                    let making = self.make(at, task, &encoded_so_far, &warnings[at]);
                    waiting.push(async move { making.await.map(|()| task) });
                }
            }
        }
        stream::iter(waiting)
            .buffer_unordered(workers)
            .try_for_each(|task| {
                pending.finish_task(task).for_each(&on_rung);
                future::ok(())
            })
            .await?;
        encoded_so_far.finish();
        Ok(warnings.into_iter().map(Cell::into_inner).collect())
    }

    async fn make(
        &self,
        at: usize,
        task: &EncodeTask<'_>,
        encoded_so_far: &EncodeProgress,
        recorded: &Cell<String>,
    ) -> Result<()> {
        let length = self.length(task);
        let on_progress = |millis: u64| match length {
            0 => encoded_so_far.set(at, millis),
            most => encoded_so_far.set(at, millis.min(most)),
        };
        let made = match task {
            EncodeTask::Audio(audio) => self.encode_audio(audio, on_progress).await,
            EncodeTask::Video(video, cut) => self.encode_video(video, cut, on_progress).await,
        };
        let disk = |error| full_disk(self.workdir.root()).map_or(error, Into::into);
        let TaskOutput { warnings, files } = made.map_err(disk)?;
        let record = self
            .workdir
            .record_finished(&task.name(), warnings, &files)
            .await;
        recorded.set(record.map_err(disk)?.warnings);
        encoded_so_far.set(at, length);
        Ok(())
    }

    async fn encode_audio(
        &self,
        audio: &AudioPlan,
        on_progress: impl Fn(u64),
    ) -> Result<TaskOutput> {
        // Measuring loudness decodes the audio once before.
        let passes = if self.plan.settings.loudness.is_some() {
            2
        } else {
            1
        };
        let before = self.length(&EncodeTask::Audio(audio)) * (passes - 1);
        let audio = AudioPlan {
            gain: self.gain(audio, |done| on_progress(done / passes)).await?,
            ..audio.clone()
        };
        let folder = self.workdir.revision_folder();
        fs::create_dir_all(folder.join(&audio.folder)).context("cannot make the folders")?;
        let FfmpegWarnings(warnings) = self
            .ffmpeg(&EncodeTask::Audio(&audio), &folder, |done| {
                on_progress((before + done) / passes);
            })
            .await?;
        let init = folder.join(&audio.folder).join(layout::INIT);
        if let Ok(bytes) = fs::read(&init)
            && !bytes.is_empty()
        {
            fs::write(&init, trim_priming(&bytes)?)?;
        }
        let files = self.measure_files(&audio.folder, &warnings).await?;
        Ok(TaskOutput { warnings, files })
    }

    /// Measures the loudness of a whole track, and returns its gain.
    async fn gain(&self, audio: &AudioPlan, on_progress: impl Fn(u64)) -> Result<Option<Gain>> {
        let Some(target) = self.plan.settings.loudness else {
            return Ok(None);
        };
        let loudness = loudness::measure(self.input, audio.stream.index, |done| {
            on_progress(in_millis(done));
        })
        .await
        .with_context(|| format!("ffmpeg failed on the audio of `{}`", self.input_name()))?;
        let gain = loudness.and_then(|loudness| Gain::new(loudness, target));
        if let Some(loudness) = loudness {
            self.progress.note(format_args!(
                "audio `{}` is at {:.1} LUFS{}",
                audio.stream.language,
                loudness.integrated,
                if gain.is_some() {
                    format!(" and is brought to {target}")
                } else {
                    String::new()
                }
            ));
        }
        Ok(gain)
    }

    async fn encode_video(
        &self,
        video: &VideoPlan,
        cut: &VideoTask,
        on_progress: impl Fn(u64),
    ) -> Result<TaskOutput> {
        if cut.chunk.is_whole() {
            return self.whole(video, cut, on_progress).await;
        }
        let task = EncodeTask::Video(video, cut.clone());
        let name = task.name();
        let scratch = self.workdir.scratch(&name)?;
        make_folders(&scratch, cut)?;
        let FfmpegWarnings(warnings) =
            self.ffmpeg(&task, &scratch, on_progress)
                .await
                .map_err(|error| match error.downcast_ref() {
                    Some(ProcessError::Failed { .. }) => error.context(ChunkMismatch),
                    _ => error,
                })?;
        let output = ChunkOutput {
            from: &scratch,
            plan: video,
            cut,
            timeline: self.plan.timeline(video),
        };
        output.verify().context(ChunkMismatch)?;
        let iframe_files = self.workdir.task_file(&name);
        let files = output.install(&self.workdir.revision_folder(), &iframe_files);
        let files = files.map_err(|error| match error.downcast_ref() {
            Some(ChunkError::Init(_)) => error.context(ChunkMismatch),
            _ => error,
        })?;
        fs::remove_dir_all(&scratch)?;
        Ok(TaskOutput { warnings, files })
    }

    /// Encodes video without chunks directly into the revision, so that `ship` can upload finished
    /// segments.
    async fn whole(
        &self,
        video: &VideoPlan,
        cut: &VideoTask,
        on_progress: impl Fn(u64),
    ) -> Result<TaskOutput> {
        let folder = self.workdir.revision_folder();
        make_folders(&folder, cut)?;
        let task = EncodeTask::Video(video, cut.clone());
        let FfmpegWarnings(warnings) = self.ffmpeg(&task, &folder, on_progress).await?;
        let mut files = vec![];
        for rung in &cut.rungs {
            files.extend(self.measure_files(&rung.name(), &warnings).await?);
        }
        if cut.has_iframes {
            let iframe_files = self.workdir.task_file(&task.name());
            fs::rename(
                folder
                    .join(layout::IFRAMES_FOLDER)
                    .join(layout::IFRAMES_FILE),
                &iframe_files,
            )?;
            files.push(iframe_files);
        }
        Ok(TaskOutput { warnings, files })
    }

    /// Measures a complete Rendition, and returns its files.
    async fn measure_files(&self, name: &str, warnings: &str) -> Result<Vec<PathBuf>> {
        let folder = self.workdir.revision_folder();
        let _ = fs::remove_file(folder.join(name).join(FFMPEG_PLAYLIST));
        let rendition = measure(&folder, name.to_owned(), warnings)
            .await
            .with_context(|| format!("cannot verify the encoding of `{}`", self.input_name()))?;
        let objects = rendition.objects.iter();
        Ok(objects.map(|object| folder.join(&object.path)).collect())
    }

    async fn ffmpeg(
        &self,
        task: &EncodeTask<'_>,
        folder: &Path,
        on_progress: impl Fn(u64),
    ) -> Result<FfmpegWarnings> {
        let argv = self.plan.argv(task, file_url(self.input));
        process::encode(argv, folder, |done| {
            on_progress(in_millis(done));
        })
        .await
        .with_context(|| format!("ffmpeg failed on `{}`", self.input_name()))
    }

    /// Milliseconds of a task, as far as the source declares a duration.
    fn length(&self, task: &EncodeTask<'_>) -> u64 {
        let duration_seconds = self.duration_seconds.unwrap_or(0.0);
        let EncodeTask::Video(video, cut) = task else {
            return millis(duration_seconds);
        };
        let timeline = self.plan.timeline(video);
        let (first, end) = cut.chunk.frames(timeline);
        let end = end.map_or(duration_seconds, |end| timeline.seconds(end));
        millis((end - timeline.seconds(first)).max(0.0))
    }

    fn input_name(&self) -> String {
        let name = self.input.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Files and warnings of a finished task.
struct TaskOutput {
    warnings: String,
    files: Vec<PathBuf>,
}

/// Creates ffmpeg's output folders; rungs of a chunk are files instead.
fn make_folders(folder: &Path, cut: &VideoTask) -> Result<()> {
    let rungs = cut.rungs.iter().filter(|_| cut.chunk.is_whole());
    let rungs = rungs.map(Rung::name);
    let iframe_files = cut.has_iframes.then(|| layout::IFRAMES_FOLDER.to_owned());
    for name in rungs.chain(iframe_files) {
        fs::create_dir_all(folder.join(name)).context("cannot make the folders")?;
    }
    Ok(())
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

/// Splits the video into chunks if its source can be decoded from the middle.
pub(crate) async fn plan_chunks(plan: &mut EncodePlan, input: &Path, source: &Source) {
    let Some(video) = &plan.video else {
        return;
    };
    let Some(duration_seconds) = video.stream.duration.filter(|_| is_seekable(source)) else {
        return;
    };
    let timeline = plan.timeline(video);
    let targets: Vec<f64> = chunk::starts(duration_seconds, timeline)
        .into_iter()
        .filter_map(|first| Chunk { first, end: None }.target(timeline))
        .collect();
    let key_frames = keyframes_before(input, source, video.stream.index, &targets).await;
    let found = chunk::chunks(duration_seconds, timeline, &key_frames);
    if let Some(video) = &mut plan.video {
        video.chunks = found;
    }
}
