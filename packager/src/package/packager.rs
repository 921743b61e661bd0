//! Carries out a plan: encodes its Renditions, verifies and measures them, and writes the package.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::PackagePlan;
use super::manifest_json::Package;
use super::manifest_writer::write_manifests;
use super::measurements::{IFrameSource, Measurements};
use crate::encode::completeness::{self, EncodedRendition};
use crate::encode::ladder::Rung;
use crate::encode::rendition::{measure, measure_iframes};
use crate::encode::task::EncodeTask;
use crate::encode::{Encoding, TaskReport};
use crate::extras::{EncodedLadder, LadderRung};
use crate::ffmpeg::diagnosis::reports_damaged_frames;
use crate::manifest::container::Container;
use crate::media::{Codec, Rendition};
use crate::progress::Progress;
use crate::warning::{TrackKind, Warning, WarningRecord};
use crate::workdir::{WorkDir, scratch};

/// An error quotes at most this many of ffmpeg's warnings.
const MAX_WARNINGS: usize = 3;
/// Duration of 1024 samples at 48 kHz, rounded up.
const ACCESS_UNIT_MICROS: u64 = 21_334;

/// Messages of ffmpeg, and the warnings that they mean.
#[derive(Debug)]
pub(crate) struct EncodeReport {
    messages: String,
    warnings: Vec<WarningRecord>,
}

/// Kinds of tracks whose frames are damaged, from ffmpeg's messages about each task.
fn damaged_kinds<'t>(
    tasks: impl Iterator<Item = (&'t EncodeTask<'t>, &'t String)>,
) -> Vec<Warning> {
    let mut found = vec![];
    for (task, messages) in tasks {
        let kind = match task {
            EncodeTask::Audio(_) => TrackKind::Audio,
            EncodeTask::Video(..) => TrackKind::Video,
        };
        let warning = Warning::DamagedFrames { kind };
        if reports_damaged_frames(messages) && !found.contains(&warning) {
            found.push(warning);
        }
    }
    found
}

/// Makes a plan's package in a work folder.
#[derive(Clone, Copy)]
pub(crate) struct Packager<'a> {
    plan: &'a PackagePlan,
    workdir: &'a WorkDir,
    progress: Progress,
}

impl<'a> Packager<'a> {
    pub(crate) fn new(plan: &'a PackagePlan, workdir: &'a WorkDir, progress: Progress) -> Self {
        Self {
            plan,
            workdir,
            progress,
        }
    }

    /// Runs ffmpeg, and calls `on_rung` for each rung that is complete.
    pub(crate) async fn encode(&self, on_rung: impl Fn(&Rung)) -> Result<EncodeReport> {
        let plan = &self.plan.encode;
        self.progress.note(format_args!(
            "encoding {}, in {} parts",
            plan.describe(),
            plan.tasks().len()
        ));
        let encoding = Encoding {
            plan,
            input: &self.plan.input,
            duration_seconds: self.plan.source.media.duration,
            workdir: self.workdir,
            progress: self.progress,
        };
        let TaskReport {
            messages: mut warnings,
            repairs,
        } = encoding.run(self.plan.workers, on_rung).await?;
        let damaged = damaged_kinds(plan.tasks().iter().zip(&warnings));
        for warning in &damaged {
            self.progress.warn(warning);
        }
        // Several tasks read the same source, and repeat its warnings.
        let mut seen = HashSet::new();
        warnings.retain(|warning| !warning.is_empty() && seen.insert(warning.clone()));
        warnings.truncate(MAX_WARNINGS);
        Ok(EncodeReport {
            messages: warnings.join("; "),
            warnings: damaged.iter().map(Into::into).chain(repairs).collect(),
        })
    }

    /// Verifies the encoded Renditions, and writes all other objects of the package.
    pub(crate) async fn finish(&self, report: &EncodeReport) -> Result<Package> {
        let root = self.workdir.root();
        let revision_folder = self.workdir.revision_folder();
        let explain_full_disk = |error| scratch::full_disk(root).map_or(error, Into::into);
        let measured = self
            .measure(&report.messages)
            .await
            .map_err(explain_full_disk)
            .with_context(|| format!("cannot verify the encoding of `{}`", self.input_name()))?;
        let extras = self
            .plan
            .extras
            .make(&revision_folder, &self.ladder(&measured), self.progress)
            .await
            .map_err(explain_full_disk)?;
        let settings = &self.plan.encode.settings;
        let measured = match settings.container {
            Container::Cmaf => measured,
            Container::Ts => measured
                .wrap_in_ts(&revision_folder, settings.audio_only_variant, self.progress)
                .await
                .map_err(explain_full_disk)
                .context("cannot make transport streams")?,
        };
        let planned = self.plan.warnings.iter().map(Into::into);
        let warnings: Vec<WarningRecord> = planned.chain(report.warnings.iter().cloned()).collect();
        write_manifests(self.plan, self.workdir, &measured, extras, &warnings)
            .context("cannot write the playlists")
    }

    /// The H.264 rungs and the audio that extras are made from.
    fn ladder<'m>(&self, measured: &'m Measurements) -> EncodedLadder<'m> {
        let video_plan = &self.plan.encode.video;
        let rungs = video_plan.iter().flat_map(|video| &video.rungs);
        let micros = |rendition: &Rendition| -> u64 {
            let segments = rendition.segments.iter();
            segments.map(|segment| segment.micros).sum()
        };
        let video_micros = measured.video.first().map_or(0, micros);
        let audio = measured.audio.first();
        // Two access units play no sound: the encoder's priming, and the padded last one.
        let audio_micros = audio.map_or(0, micros);
        let audio_micros = audio_micros.saturating_sub(2 * ACCESS_UNIT_MICROS);
        EncodedLadder {
            video: rungs
                .zip(&measured.video)
                .filter(|(rung, _)| rung.codec == Codec::H264)
                .map(|(rung, rendition)| LadderRung {
                    folder: &rendition.folder,
                    width: rung.width,
                    height: rung.height,
                    segments: &rendition.segments,
                    reorder_seconds: rendition.reorder_ticks as f64
                        / f64::from(rendition.timescale),
                })
                .collect(),
            audio: audio.map(|audio| (audio.folder.as_str(), audio.segments.len())),
            micros: video_micros.max(audio_micros),
            segment_duration: self.plan.encode.settings.segment_duration,
            container: self.plan.encode.settings.container,
        }
    }

    fn input_name(&self) -> String {
        let name = self.plan.input.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Measures each Rendition, and verifies its duration and the alignment of its segments.
    async fn measure(&self, ffmpeg_warnings: &str) -> Result<Measurements> {
        let folder = self.workdir.revision_folder();
        let plan = &self.plan.encode;
        let mut video = vec![];
        for name in plan.video_folders() {
            video.push(measure(&folder, name, ffmpeg_warnings).await?);
        }
        let mut audio = vec![];
        for name in plan.audio_folders() {
            audio.push(measure(&folder, name, ffmpeg_warnings).await?);
        }
        let encoded = |(rendition, expected)| EncodedRendition::of(rendition, expected);
        let (video_seconds, audio_seconds) = plan.expected_seconds();
        completeness::verify(
            self.plan.source.media.duration,
            &video
                .iter()
                .map(|video| encoded((video, video_seconds)))
                .collect::<Vec<_>>(),
            &audio
                .iter()
                .zip(audio_seconds)
                .map(encoded)
                .collect::<Vec<_>>(),
            ffmpeg_warnings,
        )?;
        let iframes = match (&plan.video, video.first()) {
            (Some(plan), Some(video)) => {
                let files = self.iframe_files();
                let (track, file) =
                    measure_iframes(plan, &folder, &files, &video.segments, ffmpeg_warnings)
                        .await?;
                Some(IFrameSource::File(Box::new(track), file))
            }
            _ => None,
        };
        Ok(Measurements {
            video,
            audio,
            iframes,
        })
    }

    /// I-frame files of the chunks, in order.
    fn iframe_files(&self) -> Vec<PathBuf> {
        let tasks = self.plan.encode.tasks().into_iter();
        let files = tasks.filter_map(|task| match &task {
            EncodeTask::Video(_, video) if video.has_iframes => {
                Some(self.workdir.task_file(&task.name()))
            }
            _ => None,
        });
        // A chunk without frames, which can only be the last one, has no file.
        files.filter(|file| file.exists()).collect()
    }
}
