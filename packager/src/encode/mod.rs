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
mod steady_audio;
pub(crate) mod task;
mod written;

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::future;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use crate::encode::chunk::Chunk;
use crate::ffmpeg::process::{self, FfmpegWarnings, ProcessError};
use crate::layout;
use crate::media::AUDIO_CHANNELS;
use crate::mp4::trim_priming;
use crate::progress::{Progress, StepUnit};
use crate::source::frame_format;
use crate::source::loudness::{self, AudioMeasurement, Gain, Loudness};
use crate::source::seek_points::{is_seekable, keyframes_before};
use crate::source::{Audio, Source, file_url};
use crate::warning::Warning;
use crate::workdir::scratch::full_disk;
use crate::workdir::{TaskRecord, WorkDir};
use argv::FFMPEG_PLAYLIST;
use assemble::{ChunkError, ChunkOutput};
use ladder::Rung;
use plan::{AudioPlan, EncodePlan, VideoPlan};
use progress::{EncodeProgress, PendingRungs};
use rendition::measure;
use task::{EncodeTask, VideoTask};
use written::WrittenSegments;

/// Mismatch of a chunk, for any reason: the video must be encoded whole.
#[derive(Debug, thiserror::Error)]
#[error("the video cannot be encoded in chunks")]
pub(crate) struct ChunkMismatch;

/// Frames of several sizes or pixel formats: the video must be scaled to one before all else.
#[derive(Debug, thiserror::Error)]
#[error("the video changes its size")]
pub(crate) struct FormatChange;

/// Encoding of one source by one plan.
pub(crate) struct Encoding<'a> {
    pub(crate) plan: &'a EncodePlan,
    pub(crate) input: &'a Path,
    /// Duration of the source in seconds, if its header declares one.
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) workdir: &'a WorkDir,
    pub(crate) progress: Progress,
    /// The frames have several sizes or pixel formats. Reading all of them takes long, so the tasks
    /// that need it share the result.
    pub(crate) is_changing: OnceCell<bool>,
}

impl Encoding<'_> {
    /// Encodes the unfinished tasks and calls `on_rung` for each complete rung. Returns the records
    /// of all tasks in the plan's order.
    pub(crate) async fn run(
        &self,
        workers: usize,
        on_rung: impl Fn(&Rung),
    ) -> Result<Vec<TaskRecord>> {
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
        let records: Vec<Cell<TaskRecord>> = tasks.iter().map(|_| Cell::default()).collect();
        let mut pending = PendingRungs::new(&tasks);
        let mut waiting = vec![];
        for (at, (task, record)) in tasks.iter().zip(kept).enumerate() {
            match record {
                Some(record) => {
                    records[at].set(record);
                    encoded_so_far.add(at, self.length(task));
                    pending.finish_task(task).for_each(&on_rung);
                }
                None => {
                    let making = self.make(at, task, &encoded_so_far, &records[at]);
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
        Ok(records.into_iter().map(Cell::into_inner).collect())
    }

    async fn make(
        &self,
        at: usize,
        task: &EncodeTask<'_>,
        encoded_so_far: &EncodeProgress,
        recorded: &Cell<TaskRecord>,
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
        let disk = |error| full_disk(self.workdir.root()).unwrap_or(error);
        let TaskOutput { record, files } = made.map_err(disk)?;
        let name = task.name();
        let record = self.workdir.record_finished(&name, record, &files).await;
        recorded.set(record.map_err(disk)?);
        encoded_so_far.set(at, length);
        Ok(())
    }

    async fn encode_audio(
        &self,
        audio: &AudioPlan,
        on_progress: impl Fn(u64),
    ) -> Result<TaskOutput> {
        // Measuring decodes the audio once before.
        let length = self.length(&EncodeTask::Audio(audio));
        let scratch = self.workdir.scratch(&EncodeTask::Audio(audio).name())?;
        let SteadyAudio {
            plan: audio,
            input,
            mut record,
        } = self
            .steady_audio(audio, &scratch, |done| on_progress(done / 2))
            .await?;
        let folder = self.workdir.revision_folder();
        fs::create_dir_all(folder.join(&audio.folder)).context("cannot make the folders")?;
        let argv = self.plan.argv(&EncodeTask::Audio(&audio), file_url(&input));
        let segments = WrittenSegments::of(folder.join(&audio.folder));
        let encoded = self
            .ffmpeg(argv, &folder, |done| {
                // The last call reports an error.
                let _ = segments.install();
                on_progress((length + done) / 2);
            })
            .await?;
        segments.install()?;
        fs::remove_dir_all(&scratch)?;
        let init = folder.join(&audio.folder).join(layout::INIT);
        if let Ok(bytes) = fs::read(&init)
            && !bytes.is_empty()
        {
            fs::write(&init, trim_priming(&bytes)?)?;
        }
        let files = self.measure_files(&audio.folder, &encoded.text).await?;
        record.damaged_frames += encoded.damaged_frames;
        record.warnings = encoded.text;
        Ok(TaskOutput { record, files })
    }

    /// Measures a whole track. Repairs what the encoder would not take, and chooses the gain.
    async fn steady_audio(
        &self,
        audio: &AudioPlan,
        scratch: &Path,
        on_progress: impl Fn(u64),
    ) -> Result<SteadyAudio> {
        let mut steady = SteadyAudio {
            plan: audio.clone(),
            input: self.input.to_owned(),
            record: TaskRecord::default(),
        };
        let track = audio.stream.index;
        let mut measured = self.measure_audio(&steady, scratch, &on_progress).await?;
        if measured.has_bad_samples {
            self.report(&mut steady, &Warning::SilencedSamples { track });
            steady.plan.is_silenced = true;
            measured = self.measure_audio(&steady, scratch, &on_progress).await?;
        }
        if measured.is_restarted {
            self.report(&mut steady, &Warning::ChangingAudio { track });
            let argv = self.plan.decode_argv(&steady.plan, file_url(self.input));
            let decoded = self.ffmpeg(argv, scratch, &on_progress).await?;
            steady.record.damaged_frames = decoded.damaged_frames;
            steady_audio::place(scratch).context("cannot place the audio")?;
            steady.input = scratch.join(steady_audio::STEADY);
            steady.plan = AudioPlan {
                stream: Audio {
                    index: 0,
                    channels: AUDIO_CHANNELS,
                    ..audio.stream.clone()
                },
                lag: None,
                is_silenced: false,
                is_steady: true,
                ..audio.clone()
            };
            measured = self.measure_audio(&steady, scratch, &on_progress).await?;
        }
        steady.record.silences = measured.silences;
        steady.plan.gain = self.gain(&audio.stream.language, measured.loudness);
        Ok(steady)
    }

    fn report(&self, steady: &mut SteadyAudio, warning: &Warning) {
        self.progress.warn(warning);
        steady.record.repairs.push(warning.into());
    }

    async fn measure_audio(
        &self,
        audio: &SteadyAudio,
        scratch: &Path,
        on_progress: impl Fn(u64),
    ) -> Result<AudioMeasurement> {
        let (index, filters) = (audio.plan.stream.index, audio.plan.source_filters());
        let measured = loudness::measure(&audio.input, index, &filters, scratch, |done| {
            on_progress(in_millis(done));
        });
        measured
            .await
            .with_context(|| format!("ffmpeg failed on the audio of `{}`", self.input_name()))
    }

    /// Gain of a track, unless the source's loudness is kept.
    fn gain(&self, name: &str, loudness: Option<Loudness>) -> Option<Gain> {
        let target = self.plan.settings.loudness?;
        let gain = loudness.and_then(|loudness| Gain::new(loudness, target));
        if let Some(loudness) = loudness {
            self.progress.note(format_args!(
                "audio `{}` is at {:.1} LUFS{}",
                name,
                loudness.integrated,
                if gain.is_some() {
                    format!(" and is brought to {target}")
                } else {
                    String::new()
                }
            ));
        }
        gain
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
        let argv = self.plan.argv(&task, file_url(self.input));
        let encoded = self.ffmpeg(argv, &scratch, on_progress).await;
        let encoded = encoded.map_err(|error| match error.downcast_ref() {
            Some(ProcessError::Failed { .. }) => error.context(ChunkMismatch),
            _ => error,
        })?;
        self.verify_size(video, &encoded).await?;
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
        let record = record_of(encoded);
        Ok(TaskOutput { record, files })
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
        let argv = self.plan.argv(&task, file_url(self.input));
        let rungs = cut.rungs.iter();
        let rungs: Vec<WrittenSegments> = rungs
            .map(|rung| WrittenSegments::of(folder.join(rung.name())))
            .collect();
        let encoded = self.ffmpeg(argv, &folder, |done| {
            // The last call reports an error.
            let _ = rungs.iter().try_for_each(WrittenSegments::install);
            on_progress(done);
        });
        let encoded = encoded.await?;
        self.verify_size(video, &encoded).await?;
        rungs.iter().try_for_each(WrittenSegments::install)?;
        let mut files = vec![];
        for rung in &cut.rungs {
            files.extend(self.measure_files(&rung.name(), &encoded.text).await?);
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
        let record = record_of(encoded);
        Ok(TaskOutput { record, files })
    }

    /// Verifies that all frames of the source have one size, if ffmpeg dropped some: it rebuilds
    /// its filters for another size, and times then start at 0 again.
    async fn verify_size(&self, video: &VideoPlan, encoded: &FfmpegWarnings) -> Result<()> {
        if encoded.dropped_frames == 0 || video.is_resized {
            return Ok(());
        }
        let read = || frame_format::is_changing(self.input, video.stream.index);
        match *self.is_changing.get_or_try_init(read).await? {
            true => Err(FormatChange.into()),
            false => Ok(()),
        }
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
        argv: Vec<OsString>,
        folder: &Path,
        on_progress: impl Fn(u64),
    ) -> Result<FfmpegWarnings> {
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

/// An audio track that the encoder takes, with the file that holds it.
struct SteadyAudio {
    plan: AudioPlan,
    input: PathBuf,
    /// Repairs so far.
    record: TaskRecord,
}

/// Files of a finished task, and its record without them.
struct TaskOutput {
    record: TaskRecord,
    files: Vec<PathBuf>,
}

fn record_of(encoded: FfmpegWarnings) -> TaskRecord {
    TaskRecord {
        warnings: encoded.text,
        damaged_frames: encoded.damaged_frames,
        ..TaskRecord::default()
    }
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
    // The lag after a seek depends on the fragments that ffmpeg read before.
    let has_steady_lag = video.lag.as_ref().is_none_or(|lag| lag.growth.is_empty());
    let is_seekable = has_steady_lag && is_seekable(source);
    let Some(duration_seconds) = video.stream.duration.filter(|_| is_seekable) else {
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
