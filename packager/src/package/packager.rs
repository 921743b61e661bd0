//! Carries out a plan: encodes its Renditions, verifies and measures them, and writes the package.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::sync::OnceCell;

use super::PackagePlan;
use super::manifest_json::Package;
use super::manifest_writer::write_manifests;
use super::measurements::{IFrameSource, Measurements};
use crate::encode::Encoding;
use crate::encode::completeness::{self, EncodedRendition};
use crate::encode::ladder::Rung;
use crate::encode::rendition::{measure, measure_iframes};
use crate::encode::task::EncodeTask;
use crate::extras::{EncodedLadder, LadderRung};
use crate::manifest::container::Container;
use crate::media::Silence;
use crate::media::{Codec, Rendition};
use crate::progress::Progress;
use crate::units::format_count;
use crate::warning::{TrackKind, Warning, WarningRecord};
use crate::workdir::{TaskRecord, WorkDir, scratch};

/// An error quotes at most this many of ffmpeg's warnings.
const MAX_WARNINGS: usize = 3;
/// Duration of 1024 samples at 48 kHz, rounded up.
const ACCESS_UNIT_MICROS: u64 = 21_334;

/// Messages of ffmpeg, the warnings that they mean, and the silences of the default audio.
#[derive(Debug)]
pub(crate) struct EncodeReport {
    messages: String,
    warnings: Vec<WarningRecord>,
    silences: Vec<Silence>,
}

/// Warnings about damaged frames. Every pass over the video decodes the same frames, so the pass
/// with most of them counts.
fn damaged_frames<'t>(
    tasks: impl Iterator<Item = (&'t EncodeTask<'t>, &'t TaskRecord)>,
) -> Vec<Warning> {
    let (mut audio, mut passes): (u64, Vec<(&[Rung], u64)>) = (0, vec![]);
    for (task, record) in tasks {
        let frames = record.damaged_frames;
        match task {
            EncodeTask::Audio(_) => audio += frames,
            EncodeTask::Video(_, video) => {
                match passes.iter_mut().find(|(rungs, _)| *rungs == video.rungs) {
                    Some((_, all)) => *all += frames,
                    None => passes.push((&video.rungs, frames)),
                }
            }
        }
    }
    let video = passes.iter().map(|(_, frames)| *frames).max();
    [
        (TrackKind::Video, video.unwrap_or(0)),
        (TrackKind::Audio, audio),
    ]
    .into_iter()
    .filter(|(_, frames)| *frames > 0)
    .map(|(kind, frames)| Warning::DamagedFrames { kind, frames })
    .collect()
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
            "encoding {}, in {}",
            plan.describe(),
            format_count(plan.tasks().len(), "part")
        ));
        let encoding = Encoding {
            plan,
            input: &self.plan.input,
            duration_seconds: self.plan.source.media.duration,
            workdir: self.workdir,
            progress: self.progress,
            is_changing: OnceCell::new(),
        };
        let records = encoding.run(self.plan.workers, on_rung).await?;
        let damaged = damaged_frames(plan.tasks().iter().zip(&records));
        for warning in &damaged {
            self.progress.warn(warning);
        }
        // Several tasks read the same source, and repeat its warnings.
        let mut seen = HashSet::new();
        let messages = records.iter().map(|record| record.warnings.as_str());
        let messages = messages.filter(|text| !text.is_empty() && seen.insert(*text));
        let messages: Vec<&str> = messages.take(MAX_WARNINGS).collect();
        let repairs = records.iter().flat_map(|record| &record.repairs);
        let mut audio = plan.tasks().into_iter().zip(&records);
        let default_audio = audio.find(|(task, _)| matches!(task, EncodeTask::Audio(_)));
        Ok(EncodeReport {
            messages: messages.join("; "),
            warnings: (damaged.iter().map(Into::into))
                .chain(repairs.cloned())
                .collect(),
            silences: default_audio.map_or(vec![], |(_, record)| record.silences.clone()),
        })
    }

    /// Verifies the encoded Renditions, and writes all other objects of the package.
    pub(crate) async fn finish(&self, report: &EncodeReport) -> Result<Package> {
        let root = self.workdir.root();
        let revision_folder = self.workdir.revision_folder();
        let explain_full_disk = |error| scratch::full_disk(root).unwrap_or(error);
        let measured = self
            .measure(&report.messages)
            .await
            .map_err(explain_full_disk)
            .with_context(|| format!("cannot verify the encoding of `{}`", self.input_name()))?;
        let extras = self
            .plan
            .extras
            .make(&revision_folder, &self.ladder(&measured), &report.silences)
            .await
            .map_err(explain_full_disk)?;
        for warning in &extras.warnings {
            self.progress.warn(warning);
        }
        let settings = &self.plan.encode.settings;
        let measured = match settings.container {
            Container::Cmaf => measured,
            Container::Ts => measured
                .wrap_in_ts(&revision_folder, settings.audio_only_variant, self.progress)
                .await
                .map_err(explain_full_disk)
                .context("cannot make transport streams")?,
        };
        let found = self.plan.warnings.iter().chain(&extras.warnings);
        let warnings = found.map(Into::into).chain(report.warnings.iter().cloned());
        let warnings: Vec<WarningRecord> = warnings.collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::chunk::Chunk;
    use crate::encode::plan::testing;

    #[test]
    fn damaged_frames_are_those_of_one_pass_over_the_video_and_of_all_audio() {
        let mut plan = testing::plan();
        let video = plan.video.as_mut().expect("it has video");
        let chunk = |first, end| Chunk { first, end };
        video.chunks = vec![chunk(0, Some(15)), chunk(15, None)];
        video.first = vec![vec![video.rungs[1].clone()]];
        let tasks = plan.tasks();
        let found = |frames: [u64; 5]| {
            let records = frames.map(|damaged_frames| TaskRecord {
                damaged_frames,
                ..TaskRecord::default()
            });
            damaged_frames(tasks.iter().zip(&records))
        };
        // Two chunks in 480p, audio, and the same chunks in 720p.
        assert_eq!(found([0; 5]), []);
        let warning = |kind, frames| Warning::DamagedFrames { kind, frames };
        assert_eq!(found([1, 2, 0, 3, 1]), [warning(TrackKind::Video, 4)]);
        assert_eq!(
            found([9, 0, 7, 0, 0]),
            [warning(TrackKind::Video, 9), warning(TrackKind::Audio, 7)]
        );
    }
}
