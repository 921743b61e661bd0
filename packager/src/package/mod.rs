//! `lectern package`: a recording becomes a folder that can be served.
//!
//! In four steps that `ship` takes too: prepare (what is it, what will it be called), encode, measure, describe.

pub(crate) mod manifest_json;
mod measurements;
pub(crate) mod output;
pub(crate) mod revision;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::digest;
use crate::encode::chunk::Chunk;
use crate::encode::completeness::{self, EncodedRendition, seconds};
use crate::encode::ladder::Rung;
use crate::encode::plan::{EncodePlan, VideoPlan};
use crate::encode::rendition::{measure, measure_iframes};
use crate::encode::settings::{EncodeArgs, Settings};
use crate::encode::task::EncodeTask;
use crate::encode::{ChunkMismatch, Encoding, plan_chunks};
use crate::extras::{self, EncodedLadder, Extras, ExtrasArgs, ExtrasOutput};
use crate::ffmpeg::version::ffmpeg_version;
use crate::files::regular::open_regular;
use crate::layout::{self, MPD, MULTIVARIANT};
use crate::limits::ResourceLimits;
use crate::manifest::bandwidth::{self, shown_rate};
use crate::manifest::container::{Container, ContainerError};
use crate::manifest::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::manifest::{dash, hls};
use crate::media::{AUDIO_CHANNELS, Codec, Object, Rendition};
use crate::progress::{Progress, StepUnit};
use crate::source::frame_rate::frame_rate;
use crate::source::{Pace, Video, probe};
use crate::workdir::{WorkDir, scratch};
use manifest_json::{Package, RenditionFacts, RootFile, SourceFacts, Tools, VideoFacts};
use measurements::{IFrameSource, Measurements};
use revision::revision;

/// Parts of which what ffmpeg said is repeated in an error.
const MAX_WARNINGS: usize = 3;
/// 1024 samples at 48 kHz, rounded up.
const ACCESS_UNIT_MICROS: u64 = 21_334;

/// A source with a plan, and the name of what will come of it.
#[derive(Debug, Clone)]
pub(crate) struct PackageJob {
    pub(crate) revision: String,
    pub(crate) plan: EncodePlan,
    pub(crate) input: PathBuf,
    pub(crate) source: SourceFacts,
    extras: Extras,
    pub(crate) ffmpeg: String,
    workers: usize,
}

impl PackageJob {
    pub(crate) async fn prepare(
        input: &Path,
        args: &EncodeArgs,
        extras: &ExtrasArgs,
        limits: &ResourceLimits,
        progress: Progress,
    ) -> Result<Self> {
        let cannot = || format!("cannot package `{}`", input.display());
        if args.container == Container::Ts && args.codec.iter().any(|codec| *codec != Codec::H264) {
            return Err(ContainerError).with_context(cannot);
        }
        let mut media = probe(input).await.with_context(cannot)?;
        let bytes = fs::metadata(input).with_context(cannot)?.len();
        let pace = Pace::of(input, &media, bytes).await.with_context(cannot)?;
        if let (Some(video), Some(pace)) = (&mut media.video, pace) {
            keep_pace(video, pace, progress);
        }
        let end = pace.map(|pace| pace.end);
        limits
            .check_frames(&media, end, bytes)
            .with_context(cannot)?;
        let ffmpeg = ffmpeg_version().await.with_context(cannot)?;
        let extras = Extras::prepare(input, &media, extras, progress)
            .await
            .with_context(cannot)?;
        let step = progress.step("reading", StepUnit::Bytes, bytes);
        let reading = digest::of_reader(open_regular(input).with_context(cannot)?, |bytes| {
            step.add(bytes);
        });
        let sha256 = reading.await.with_context(cannot)?.sha256;
        step.finish();
        let mut plan = EncodePlan::new(&media, args);
        plan_chunks(&mut plan, input, &media).await;
        Ok(Self {
            revision: revision(&sha256, &ffmpeg, &plan, extras.recipe()),
            plan,
            input: std::path::absolute(input).with_context(cannot)?,
            source: SourceFacts {
                bytes,
                sha256,
                media,
            },
            extras,
            ffmpeg,
            workers: args.workers(),
        })
    }

    /// What the package may be called: another encode has another name.
    pub(crate) fn revisions(&self) -> Vec<String> {
        let whole = self.whole().map(|whole| whole.revision);
        [self.revision.clone()].into_iter().chain(whole).collect()
    }

    /// Some of the rungs are to be had before the others. The bytes are the same, and so is the name.
    pub(crate) fn prioritize(&mut self, wanted: impl FnOnce(&VideoPlan) -> Vec<Vec<Rung>>) {
        // Transport streams are made when all else is.
        if self.plan.settings.container == Container::Cmaf
            && let Some(video) = &mut self.plan.video
        {
            video.first = wanted(video);
        }
    }

    /// The same in one piece, where it was to be in several and these do not fit.
    pub(crate) fn as_a_whole(&self, error: &anyhow::Error, progress: Progress) -> Option<Self> {
        error.downcast_ref::<ChunkMismatch>()?;
        let whole = self.whole()?;
        progress.note(format_args!("{error:#}; it is encoded as a whole"));
        Some(whole)
    }

    fn whole(&self) -> Option<Self> {
        let mut job = self.clone();
        let video = job.plan.video.as_mut()?;
        if video.chunks == [Chunk::WHOLE] {
            return None;
        }
        video.chunks = vec![Chunk::WHOLE];
        let sha256 = &job.source.sha256;
        job.revision = revision(sha256, &job.ffmpeg, &job.plan, job.extras.recipe());
        Some(job)
    }

    /// Runs ffmpeg, and tells of each rung that is all there; returns what it complained about.
    pub(crate) async fn encode(
        &self,
        workdir: &WorkDir,
        progress: Progress,
        on_rung: impl Fn(&Rung),
    ) -> Result<String> {
        progress.note(format_args!(
            "encoding {}, in {} parts",
            self.plan.describe(),
            self.plan.tasks().len()
        ));
        let encoding = Encoding {
            plan: &self.plan,
            input: &self.input,
            duration_seconds: self.source.media.duration,
            workdir,
            progress,
        };
        let mut warnings = encoding.run(self.workers, on_rung).await?;
        // Parts of one source complain about the same.
        let mut before = HashSet::new();
        warnings.retain(|words| !words.is_empty() && before.insert(words.clone()));
        warnings.truncate(MAX_WARNINGS);
        Ok(warnings.join("; "))
    }

    /// Verifies what was encoded, and writes everything else that a package has.
    pub(crate) async fn finish(
        &self,
        workdir: &WorkDir,
        warnings: &str,
        progress: Progress,
    ) -> Result<Package> {
        let root = workdir.root();
        let disk = |error| scratch::full_disk(root).map_or(error, Into::into);
        let measured = self
            .measure(workdir, warnings)
            .await
            .map_err(disk)
            .with_context(|| format!("the encoding of `{}` is not complete", self.input_name()))?;
        let made = self
            .extras
            .make(
                &workdir.revision_folder(),
                &self.ladder(&measured),
                progress,
            )
            .await
            .map_err(disk)?;
        let measured = match self.plan.settings.container {
            Container::Cmaf => measured,
            Container::Ts => measured
                .wrapped(
                    &workdir.revision_folder(),
                    self.plan.settings.audio_only_variant,
                    progress,
                )
                .await
                .map_err(disk)
                .context("cannot make transport streams")?,
        };
        self.describe(workdir, &measured, made)
            .context("cannot write the playlists")
    }

    /// The ladder for what is made of it: its pictures in H.264, which everything plays.
    fn ladder<'a>(&self, measured: &'a Measurements) -> EncodedLadder<'a> {
        let rungs = self.plan.video.iter().flat_map(|video| &video.rungs);
        let micros = |rendition: &Rendition| -> u64 {
            let segments = rendition.segments.iter();
            segments.map(|segment| segment.micros).sum()
        };
        let video = measured.video.first().map_or(0, micros);
        let audio = measured.audio.first();
        EncodedLadder {
            video: rungs
                .zip(&measured.video)
                .filter(|(rung, _)| rung.codec == Codec::H264)
                .map(|(rung, rendition)| extras::LadderRung {
                    folder: &rendition.folder,
                    width: rung.width,
                    height: rung.height,
                    segments: &rendition.segments,
                    reordering: rendition.reordering as f64 / f64::from(rendition.timescale),
                })
                .collect(),
            audio: audio.map(|audio| (audio.folder.as_str(), audio.segments.len())),
            // Priming and the last access unit are no sound of the lecture.
            micros: video.max(
                audio
                    .map_or(0, micros)
                    .saturating_sub(2 * ACCESS_UNIT_MICROS),
            ),
            segment_duration: self.plan.settings.segment_duration,
            container: self.plan.settings.container,
        }
    }

    fn input_name(&self) -> String {
        let name = self.input.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    async fn measure(&self, workdir: &WorkDir, warnings: &str) -> Result<Measurements> {
        let folder = workdir.revision_folder();
        let mut video = vec![];
        for name in self.plan.video_folders() {
            video.push(measure(&folder, name, warnings).await?);
        }
        let mut audio = vec![];
        for name in self.plan.audio_folders() {
            audio.push(measure(&folder, name, warnings).await?);
        }
        let encoded = |(rendition, expected)| EncodedRendition::of(rendition, expected);
        let (shown, heard) = self.plan.expected();
        completeness::verify(
            self.source.media.duration,
            &video
                .iter()
                .map(|video| encoded((video, shown)))
                .collect::<Vec<_>>(),
            &audio.iter().zip(heard).map(encoded).collect::<Vec<_>>(),
            warnings,
        )?;
        let iframes = match (&self.plan.video, video.first()) {
            (Some(plan), Some(video)) => {
                let iframe_files = self.iframe_files(workdir);
                let (iframes, file) =
                    measure_iframes(plan, &folder, &iframe_files, &video.segments, warnings)
                        .await?;
                Some(IFrameSource::File(Box::new(iframes), file))
            }
            _ => None,
        };
        Ok(Measurements {
            video,
            audio,
            iframes,
        })
    }

    /// What was written of the pictures to look through, piece by piece.
    fn iframe_files(&self, workdir: &WorkDir) -> Vec<PathBuf> {
        let parts = self.plan.tasks().into_iter();
        let files = parts.filter_map(|part| match &part {
            EncodeTask::Video(_, cut) if cut.has_iframes => Some(workdir.task_file(&part.name())),
            _ => None,
        });
        // A last piece that turned out to be empty has none.
        files.filter(|file| file.exists()).collect()
    }

    fn describe(
        &self,
        workdir: &WorkDir,
        measured: &Measurements,
        made: ExtrasOutput,
    ) -> Result<Package> {
        let (root, folder) = (workdir.root(), workdir.revision_folder());
        let container = self.plan.settings.container;
        // Sound that plays in the pictures' segments alone has none of its own.
        let all = || {
            let all = measured.video.iter().chain(&measured.audio);
            all.filter(|rendition| !rendition.segments.is_empty())
        };
        let target = bandwidth::target_duration(all().flat_map(|rendition| &rendition.segments));
        let mut objects: Vec<Object> = vec![];
        let mut playlist_objects = vec![];
        let prefix = layout::revision_folder(&self.revision);
        for rendition in all() {
            let name = &rendition.folder;
            objects.extend(rendition.objects.iter().map(|object| Object {
                path: format!("{prefix}/{}", object.path),
                ..object.clone()
            }));
            let playlist = hls::media(&rendition.segments, target, container);
            fs::write(folder.join(name).join(layout::MEDIA_PLAYLIST), &playlist)?;
            playlist_objects.push(Object::of_bytes(
                layout::media_playlist(&format!("{prefix}/{name}")),
                &playlist,
            ));
        }
        if let Some(shown) = &measured.iframes {
            let (name, playlist) = (measured.iframes_playlist(), shown.playlist());
            fs::write(folder.join(&name), &playlist)?;
            playlist_objects.push(Object::of_bytes(format!("{prefix}/{name}"), &playlist));
            if let IFrameSource::File(_, file) = shown {
                objects.push(Object {
                    path: format!("{prefix}/{}", file.path),
                    ..file.clone()
                });
            }
        }
        objects.extend(playlist_objects);
        let session_data = made.session_data(&prefix);
        objects.extend(made.objects.into_iter().map(|object| Object {
            path: format!("{prefix}/{}", object.path),
            ..object
        }));
        let renditions: Vec<RenditionFacts> = all()
            .map(|rendition| self.facts(rendition, target))
            .collect();
        let mut presentation = self.presentation(measured, target, &prefix);
        presentation.subtitles = made.facts.subtitles(&prefix);
        presentation.session_data = session_data;
        // No DASH player takes transport streams.
        let manifest = (container == Container::Cmaf).then(|| (MPD, dash::mpd(&presentation)));
        let master = (MULTIVARIANT, hls::multivariant(&presentation));
        let mut root_files = vec![];
        for (path, text) in manifest.into_iter().chain([master]) {
            fs::write(root.join(path), &text)?;
            objects.push(Object::of_bytes(path.to_owned(), &text));
            root_files.push(RootFile {
                path: path.to_owned(),
                text: String::from_utf8(text)?,
            });
        }
        let package = Package {
            revision: self.revision.clone(),
            duration: all()
                .map(|rendition| seconds(&rendition.segments))
                .fold(0.0, f64::max),
            source: self.source.clone(),
            settings: self.plan.settings.clone(),
            tools: Tools {
                lectern: env!("CARGO_PKG_VERSION").to_owned(),
                ffmpeg: self.ffmpeg.clone(),
            },
            renditions,
            extras: made.facts,
            root: root_files,
            objects,
        };
        let mut json = serde_json::to_vec_pretty(&package)?;
        json.push(b'\n');
        fs::write(folder.join(layout::PACKAGE_JSON), json)?;
        Ok(package)
    }

    fn facts(&self, rendition: &Rendition, target: u64) -> RenditionFacts {
        let (peak, average) = bandwidth::bandwidth(&rendition.segments, target);
        let video = self.plan.video.as_ref().and_then(|video| {
            let mut rungs = video.rungs.iter();
            let rung = rungs.find(|rung| rung.name() == rendition.folder)?;
            Some(VideoFacts {
                width: rung.width,
                height: rung.height,
                frame_rate: video.frame_rate,
            })
        });
        RenditionFacts {
            folder: rendition.folder.clone(),
            codec: rendition.codec.clone(),
            video,
            duration: seconds(&rendition.segments),
            segments: rendition.segments.len(),
            bytes: rendition.segments.iter().map(|segment| segment.bytes).sum(),
            peak_bandwidth: peak,
            average_bandwidth: average,
        }
    }

    /// What players are told of.
    fn presentation(&self, measured: &Measurements, target: u64, prefix: &str) -> Presentation {
        let Settings {
            container,
            audio_only_variant,
            ..
        } = self.plan.settings;
        let mut presentation = Presentation {
            container,
            has_audio_only: audio_only_variant,
            ..Presentation::default()
        };
        for rendition in measured.video.iter().chain(&measured.audio) {
            let facts = self.facts(rendition, target);
            let track = Track {
                folder: format!("{prefix}/{}", facts.folder),
                id: facts.folder.replace('/', "-"),
                codec: facts.codec,
                peak_bandwidth: facts.peak_bandwidth,
                average_bandwidth: facts.average_bandwidth,
                timescale: rendition.timescale,
                ticks: rendition.ticks.clone(),
            };
            let mut audio_tracks = self.plan.audio.iter().enumerate();
            let audio = audio_tracks.find(|(_, audio)| audio.folder == facts.folder);
            match (&facts.video, audio) {
                (Some(video), _) => presentation.video.push(VideoTrack {
                    track,
                    width: video.width,
                    height: video.height,
                    frame_rate: video.frame_rate,
                }),
                (None, Some((at, audio))) => presentation.audio.push(AudioTrack {
                    track,
                    language: audio.stream.language.clone(),
                    title: audio.stream.title.clone(),
                    channels: AUDIO_CHANNELS,
                    is_muxed: container == Container::Ts && at == 0 && !measured.video.is_empty(),
                }),
                (None, None) => {}
            }
        }
        if let (Some(plan), Some(shown)) = (&self.plan.video, &measured.iframes) {
            presentation.iframes = Some(measured.listed(plan, shown, prefix));
        }
        presentation
    }
}

/// Has a picture that is held for most of the time encoded at a low rate.
fn keep_pace(video: &mut Video, pace: Pace, progress: Progress) {
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
