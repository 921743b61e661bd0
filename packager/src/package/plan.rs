//! Preparation: probes a source, plans its encoding and derives the name of its revision.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::manifest_json::SourceFacts;
use super::revision::revision;
use crate::context::Context;
use crate::digest;
use crate::encode::chunk::Chunk;
use crate::encode::ladder::Rung;
use crate::encode::plan::{EncodePlan, VideoPlan};
use crate::encode::settings::EncodeArgs;
use crate::encode::{ChunkMismatch, FormatChange, plan_chunks};
use crate::extras::{Extras, ExtrasArgs};
use crate::ffmpeg::version::ffmpeg_version;
use crate::files::regular::open_regular;
use crate::manifest::bandwidth::shown_rate;
use crate::manifest::container::{Container, ContainerError};
use crate::media::Codec;
use crate::progress::{Progress, StepUnit};
use crate::source::frame_rate::frame_rate;
use crate::source::{Audio, Pace, Source, Video, probe};
use crate::warning::Warning;

/// A probed source, the plan of its encoding, and the name of the revision.
#[derive(Debug, Clone)]
pub(crate) struct PackagePlan {
    pub(crate) revision: String,
    pub(crate) encode: EncodePlan,
    pub(crate) input: PathBuf,
    pub(crate) source: SourceFacts,
    pub(super) extras: Extras,
    /// Losses and guesses that preparation found, already reported.
    pub(crate) warnings: Vec<Warning>,
    /// ffmpeg's version.
    pub(crate) ffmpeg: String,
    /// Number of encoders at once.
    pub(super) workers: usize,
}

impl PackagePlan {
    /// Probes and hashes the source, checks the limits, and plans the encoding.
    pub(crate) async fn prepare(
        input: &Path,
        encode: &EncodeArgs,
        extras: &ExtrasArgs,
        context: &Context,
    ) -> Result<Self> {
        let packaging = || format!("cannot package `{}`", input.display());
        let plan = context
            .limits
            .within(async {
                let plan = Self::try_prepare(input, encode, extras, context).await;
                plan.with_context(packaging)
            })
            .await?;
        Ok(plan)
    }

    async fn try_prepare(
        input: &Path,
        args: &EncodeArgs,
        extras: &ExtrasArgs,
        context: &Context,
    ) -> Result<Self> {
        let progress = context.progress;
        if args.container == Container::Ts && args.codec.iter().any(|codec| *codec != Codec::H264) {
            return Err(ContainerError.into());
        }
        // ffmpeg runs in other folders.
        let input = &std::path::absolute(input)?;
        let (mut media, mut warnings) = probe(input).await?;
        if let Some(language) = &args.language {
            set_language(&mut media.audio, language);
        }
        let bytes = fs::metadata(input)?.len();
        let pace = Pace::of(input, &media, bytes).await?;
        if let (Some(video), Some(pace)) = (&mut media.video, pace) {
            lower_sparse_rate(video, pace, progress);
        }
        let frames = count_frames(&media, pace.map(|pace| pace.end));
        context.limits.check_frames(frames, bytes)?;
        let ffmpeg = ffmpeg_version().await?;
        let extras = Extras::prepare(input, &media, extras).await?;
        warnings.extend(extras.warnings.iter().cloned());
        warnings.extend(repairs(&media));
        for warning in &warnings {
            progress.warn(warning);
        }
        let sha256 = hash_source(input, bytes, progress).await?;
        let mut encode = EncodePlan::new(&media, args);
        plan_chunks(&mut encode, input, &media).await;
        Ok(Self {
            revision: revision(&sha256, &ffmpeg, &encode, extras.recipe()),
            encode,
            input: input.clone(),
            source: SourceFacts {
                bytes,
                sha256,
                media,
            },
            extras,
            warnings,
            ffmpeg,
            workers: args.workers(),
        })
    }

    /// Runs `work` for this plan. If the chunks do not fit together, or if frames have several
    /// sizes, runs it again for the video in one chunk, which is another revision.
    pub(crate) async fn run_with_fallback<T>(
        &self,
        progress: Progress,
        mut work: impl AsyncFnMut(&Self) -> Result<T>,
    ) -> Result<T> {
        let mut plan = self.clone();
        // Encoded in chunks, then as a whole, then scaled first.
        loop {
            let error = match work(&plan).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let other = match () {
                () if error.is::<ChunkMismatch>() => plan.without_chunks(),
                () if error.is::<FormatChange>() => plan.scaled_first(),
                () => return Err(error),
            };
            let Some(other) = other else {
                return Err(error);
            };
            match &other.warnings[plan.warnings.len()..] {
                [] => progress.note(format_args!("{error:#}; it is encoded as a whole")),
                new => new.iter().for_each(|warning| progress.warn(warning)),
            }
            plan = other;
        }
    }

    /// Names that the revision may get: encoded in chunks, as a whole, and scaled first.
    pub(crate) fn revisions(&self) -> Vec<String> {
        let others = [self.without_chunks(), self.scaled_first()];
        let others = others.into_iter().flatten().map(|plan| plan.revision);
        [self.revision.clone()].into_iter().chain(others).collect()
    }

    /// Encodes some rungs before the others. Neither the bytes nor the revision change.
    pub(crate) fn prioritize(&mut self, select: impl FnOnce(&VideoPlan) -> Vec<Vec<Rung>>) {
        // Transport streams are made after all rungs are encoded.
        if self.encode.settings.container == Container::Cmaf
            && let Some(video) = &mut self.encode.video
        {
            video.first = select(video);
        }
    }

    /// The plan for the same video in one chunk; `None` if it has one chunk already.
    fn without_chunks(&self) -> Option<Self> {
        let mut plan = self.clone();
        let video = plan.encode.video.as_mut()?;
        if video.chunks == [Chunk::WHOLE] {
            return None;
        }
        video.chunks = vec![Chunk::WHOLE];
        Some(plan.renamed())
    }

    /// The plan for the same video in one chunk, whose frames are scaled to one size first; `None`
    /// if they are already.
    fn scaled_first(&self) -> Option<Self> {
        let mut plan = self.clone();
        let video = plan.encode.video.as_mut()?;
        if std::mem::replace(&mut video.is_resized, true) {
            return None;
        }
        video.chunks = vec![Chunk::WHOLE];
        plan.warnings.push(Warning::ResizedVideo {
            track: video.stream.index,
            width: video.stream.width,
            height: video.stream.height,
        });
        Some(plan.renamed())
    }

    /// The plan with the revision of its encoding.
    fn renamed(mut self) -> Self {
        let sha256 = &self.source.sha256;
        self.revision = revision(sha256, &self.ffmpeg, &self.encode, self.extras.recipe());
        self
    }
}

/// Guesses about a source that its header makes necessary.
fn repairs(source: &Source) -> Vec<Warning> {
    let mut warnings = vec![];
    if let Some(video) = &source.video {
        let track = video.index;
        if video.is_hdr() && (video.color_primaries.is_none() || video.color_space.is_none()) {
            warnings.push(Warning::AssumedColours { track });
        }
        if video.is_crooked {
            let degrees = video.rotation;
            warnings.push(Warning::NearestTurn { track, degrees });
        }
    }
    let mixed = source.audio.iter().filter(|audio| audio.is_mixed_down());
    warnings.extend(mixed.map(|audio| Warning::MixedDown {
        track: audio.index,
        channels: audio.channels,
    }));
    warnings
}

/// Sets the language of the only audio track, or of those that declare none.
fn set_language(audio: &mut [Audio], language: &str) {
    let is_only = audio.len() == 1;
    for track in audio {
        if is_only || track.language == "und" {
            language.clone_into(&mut track.language);
        }
    }
}

async fn hash_source(input: &Path, bytes: u64, progress: Progress) -> Result<String> {
    let step = progress.step("reading", StepUnit::Bytes, bytes);
    let digest = digest::of_reader(open_regular(input)?, |bytes| step.add(bytes)).await?;
    step.finish();
    Ok(digest.sha256)
}

/// Frames to encode. `last_frame` is the time of the last frame, in seconds, for a source that does
/// not say its duration.
fn count_frames(source: &Source, last_frame: Option<f64>) -> u64 {
    let Some(video) = &source.video else { return 0 };
    let seconds = source.end().or(source.duration).or(last_frame);
    (seconds.unwrap_or(0.0) * frame_rate(video).as_f64()).ceil() as u64
}

/// Lowers the frame rate of a video whose image rarely changes.
fn lower_sparse_rate(video: &mut Video, pace: Pace, progress: Progress) {
    let Some(rate) = pace.sparse_rate() else {
        return;
    };
    (video.average_rate, video.is_held) = (Some(rate), true);
    progress.note(format_args!(
        "it has {} frames in {:.0} s: it is encoded at {} a second",
        pace.frames,
        pace.end,
        shown_rate(frame_rate(video))
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_names_the_only_audio_or_what_declares_none() {
        for (declared, expected) in [
            (&["en"][..], &["de"][..]),
            (&["und"], &["de"]),
            (&["en", "und"], &["en", "de"]),
            (&["en", "fr"], &["en", "fr"]),
        ] {
            let track = |language: &&str| Audio {
                index: 0,
                codec: "aac".into(),
                channels: 2,
                language: (*language).into(),
                title: None,
                duration: None,
            };
            let mut audio: Vec<Audio> = declared.iter().map(track).collect();
            set_language(&mut audio, "de");
            let languages: Vec<&str> = audio.iter().map(|track| &*track.language).collect();
            assert_eq!(languages, expected);
        }
    }
}
