//! `lectern package`: a recording becomes a folder that can be served.
//!
//! In four steps that `ship` takes too: prepare (what is it, what will it be called), encode, measure, describe.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::check;
use crate::cli::{EncodeArgs, PackageArgs};
use crate::container::{Container, ContainerError};
use crate::extras::{self, Extras, Ladder, Made};
use crate::ffmpeg::{CHANNELS, Plan, Settings};
use crate::iframes;
use crate::ladder::Codec;
use crate::loudness::{self, Gain};
use crate::measured::{Measured, Shown};
use crate::mpd;
use crate::output::{self, Found, OutputError, Scratch};
use crate::package_json::{
    self, MPD, MULTIVARIANT, Object, Package, Picture, RenditionFacts, SourceFacts, Tools,
};
use crate::playlists;
use crate::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::probe::{file_url, probe};
use crate::process;
use crate::progress::{Progress, Unit};
use crate::rendition::{Rendition, measure_and_fold, measure_sound, object, pictures};
use crate::revision::{ffmpeg_version, hash_file, revision};
use crate::verify::{self, seconds};

/// 1024 samples at 48 kHz, rounded up.
const ACCESS_UNIT_MICROS: u64 = 21_334;

pub(crate) async fn run(args: PackageArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let job = Job::prepare(&args.input, &args.encode, progress).await?;
    let folder = std::path::absolute(&args.output)
        .with_context(|| format!("cannot use `{}` as a folder", args.output.display()))?;
    let master = args.output.join(MULTIVARIANT);
    let found = output::inspect(&folder, &job.revision)
        .with_context(|| format!("cannot look into `{}`", args.output.display()))?;
    match found {
        Found::Same(package) => {
            progress.note(format_args!(
                "already packaged: `{}` holds revision {}",
                args.output.display(),
                job.revision
            ));
            progress.result(master.display(), &package.renditions);
            return Ok(());
        }
        Found::SomethingElse if !args.force => {
            return Err(OutputError::Exists(args.output).into());
        }
        Found::SomethingElse | Found::Nothing => {}
    }
    let writing = || format!("cannot write into `{}`", args.output.display());
    let scratch = Scratch::beside(&folder).with_context(writing)?;
    let said = job.encode(scratch.path(), progress).await?;
    let package = job.finish(scratch.path(), &said, progress).await?;
    scratch.become_folder(&folder).with_context(writing)?;
    progress.note(format_args!(
        "packaged revision {}: {:.1} s, {} objects, {:.1} MB",
        package.revision,
        package.duration,
        package.objects.len() + 1,
        megabytes(package.bytes())
    ));
    progress.result(master.display(), &package.renditions);
    Ok(())
}

/// A source with a plan, and the name of what will come of it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) revision: String,
    pub(crate) plan: Plan,
    input: PathBuf,
    source: SourceFacts,
    extras: Extras,
    ffmpeg: String,
}

impl Job {
    pub(crate) async fn prepare(
        input: &Path,
        args: &EncodeArgs,
        progress: Progress,
    ) -> Result<Self> {
        let cannot = || format!("cannot package `{}`", input.display());
        if args.container == Container::Ts && args.codec.iter().any(|codec| *codec != Codec::H264) {
            return Err(ContainerError).with_context(cannot);
        }
        let media = probe(input).await.with_context(cannot)?;
        let ffmpeg = ffmpeg_version().await.with_context(cannot)?;
        let extras = Extras::prepare(input, &media, args)
            .await
            .with_context(cannot)?;
        let bytes = fs::metadata(input).with_context(cannot)?.len();
        let step = progress.step("reading", Unit::Bytes, bytes);
        let sha256 = hash_file(input, &step).await.with_context(cannot)?;
        step.finish();
        let plan = Plan::new(&media, args);
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
        })
    }

    /// Where segments and playlists are, in a package's root.
    pub(crate) fn revision_folder(&self, root: &Path) -> PathBuf {
        root.join("v").join(&self.revision)
    }

    /// Runs ffmpeg; returns what it complained about.
    pub(crate) async fn encode(&self, root: &Path, progress: Progress) -> Result<String> {
        let folder = self.revision_folder(root);
        for rendition in self.folders() {
            fs::create_dir_all(folder.join(rendition)).context("cannot make the folders")?;
        }
        progress.note(format_args!("encoding {}", self.plan.told()));
        let total = self
            .source
            .media
            .duration
            .map_or(0, |seconds| (seconds * 1000.0) as u64);
        let plan = self.with_gains(total, progress).await?;
        let step = progress.step("encoding", Unit::Milliseconds, total);
        let input: OsString = file_url(&self.input);
        let said = process::encode(plan.argv(input), &folder, |done| {
            step.set(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
        })
        .await
        .with_context(|| format!("ffmpeg failed on `{}`", self.input_name()))?;
        step.finish();
        Ok(said.0)
    }

    /// The plan with the gain of each sound track, for which all of it is listened to.
    async fn with_gains(&self, total: u64, progress: Progress) -> Result<Plan> {
        let mut plan = self.plan.clone();
        let Some(target) = plan.settings.loudness else {
            return Ok(plan);
        };
        for sound in &mut plan.sound {
            let step = progress.step("listening", Unit::Milliseconds, total);
            let loudness = loudness::measure(&self.input, sound.audio.index, |done| {
                step.set(u64::try_from(done.as_millis()).unwrap_or(u64::MAX));
            })
            .await
            .with_context(|| format!("ffmpeg failed on the sound of `{}`", self.input_name()))?;
            step.finish();
            sound.gain = loudness.and_then(|loudness| Gain::new(loudness, target));
            if let Some(loudness) = loudness {
                progress.note(format_args!(
                    "sound `{}` is at {:.1} LUFS{}",
                    sound.audio.language,
                    loudness.integrated,
                    if sound.gain.is_some() {
                        format!(" and is brought to {target}")
                    } else {
                        String::new()
                    }
                ));
            }
        }
        Ok(plan)
    }

    /// Verifies what was encoded, and writes everything else that a package has.
    pub(crate) async fn finish(
        &self,
        root: &Path,
        said: &str,
        progress: Progress,
    ) -> Result<Package> {
        let disk = |error| output::full_disk(root).map_or(error, Into::into);
        let measured = self
            .measure(root, said)
            .await
            .map_err(disk)
            .with_context(|| format!("the encoding of `{}` is not complete", self.input_name()))?;
        let made = self
            .extras
            .make(
                &self.revision_folder(root),
                &self.ladder(&measured),
                progress,
            )
            .await
            .map_err(disk)?;
        let measured = match self.plan.settings.container {
            Container::Cmaf => measured,
            Container::Ts => measured
                .wrapped(
                    &self.revision_folder(root),
                    self.plan.settings.audio_only_variant,
                    progress,
                )
                .await
                .map_err(disk)
                .context("cannot make transport streams")?,
        };
        let package = self
            .describe(root, &measured, made)
            .context("cannot write the playlists")?;
        check::own(root).await?;
        Ok(package)
    }

    /// The ladder for what is made of it: its pictures in H.264, which everything plays.
    fn ladder<'a>(&self, measured: &'a Measured) -> Ladder<'a> {
        let rungs = self.plan.picture.iter().flat_map(|picture| &picture.rungs);
        let micros = |rendition: &Rendition| -> u64 {
            let segments = rendition.segments.iter();
            segments.map(|segment| segment.micros).sum()
        };
        let picture = measured.video.first().map_or(0, micros);
        let sound = measured.audio.first();
        Ladder {
            video: rungs
                .zip(&measured.video)
                .filter(|(rung, _)| rung.codec == Codec::H264)
                .map(|(rung, rendition)| extras::Picture {
                    folder: &rendition.folder,
                    width: rung.width,
                    height: rung.height,
                    segments: &rendition.segments,
                    reordering: rendition.reordering as f64 / f64::from(rendition.timescale),
                })
                .collect(),
            audio: sound.map(|sound| (sound.folder.as_str(), sound.segments.len())),
            // Priming and the last access unit are no sound of the lecture.
            micros: picture.max(
                sound
                    .map_or(0, micros)
                    .saturating_sub(2 * ACCESS_UNIT_MICROS),
            ),
            segment_duration: self.plan.settings.segment_duration,
            container: self.plan.settings.container,
        }
    }

    fn folders(&self) -> impl Iterator<Item = String> {
        let plan = &self.plan;
        let audio = plan.audio_folders().into_iter();
        let pictures = plan.picture.iter().map(|_| iframes::FOLDER.to_owned());
        plan.video_folders()
            .into_iter()
            .chain(audio)
            .chain(pictures)
    }

    fn input_name(&self) -> String {
        let name = self.input.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    async fn measure(&self, root: &Path, said: &str) -> Result<Measured> {
        let folder = self.revision_folder(root);
        let mut video = vec![];
        for name in self.plan.video_folders() {
            video.push(measure_and_fold(&folder, name, said).await?);
        }
        let mut audio = vec![];
        for name in self.plan.audio_folders() {
            audio.push(measure_sound(&folder, name, said).await?);
        }
        let encoded = |(rendition, expected)| Rendition::encoded(rendition, expected);
        let (shown, heard) = self.plan.expected();
        verify::verify(
            self.source.media.duration,
            &video
                .iter()
                .map(|video| encoded((video, shown)))
                .collect::<Vec<_>>(),
            &audio.iter().zip(heard).map(encoded).collect::<Vec<_>>(),
            said,
        )?;
        let pictures = match (&self.plan.picture, video.first()) {
            (Some(plan), Some(video)) => {
                let (pictures, file) = pictures(plan, &folder, &video.segments, said).await?;
                Some(Shown::File(Box::new(pictures), file))
            }
            _ => None,
        };
        Ok(Measured {
            video,
            audio,
            pictures,
        })
    }

    fn describe(&self, root: &Path, measured: &Measured, made: Made) -> Result<Package> {
        let folder = self.revision_folder(root);
        let container = self.plan.settings.container;
        // Sound that plays in the pictures' segments alone has none of its own.
        let all = || {
            let all = measured.video.iter().chain(&measured.audio);
            all.filter(|rendition| !rendition.segments.is_empty())
        };
        let target = playlists::target_duration(all().flat_map(|rendition| &rendition.segments));
        let mut objects: Vec<Object> = vec![];
        let mut playlist_objects = vec![];
        let prefix = format!("v/{}", self.revision);
        for rendition in all() {
            let name = &rendition.folder;
            let _ = fs::remove_file(folder.join(name).join("ffmpeg.m3u8"));
            objects.extend(rendition.objects.iter().map(|object| Object {
                path: format!("{prefix}/{}", object.path),
                ..object.clone()
            }));
            let playlist = playlists::media(&rendition.segments, target, container);
            fs::write(folder.join(name).join("playlist.m3u8"), &playlist)?;
            playlist_objects.push(object(format!("{prefix}/{name}/playlist.m3u8"), &playlist));
        }
        if let Some(shown) = &measured.pictures {
            let (name, playlist) = (measured.pictures_playlist(), shown.playlist());
            fs::write(folder.join(&name), &playlist)?;
            playlist_objects.push(object(format!("{prefix}/{name}"), &playlist));
            if let Shown::File(_, file) = shown {
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
        if container == Container::Cmaf {
            let manifest = mpd::mpd(&presentation);
            fs::write(root.join(MPD), &manifest)?;
            objects.push(object(MPD.to_owned(), &manifest));
        }
        let master = playlists::multivariant(&presentation);
        fs::write(root.join(MULTIVARIANT), &master)?;
        objects.push(object(MULTIVARIANT.to_owned(), &master));
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
            objects,
        };
        let mut json = serde_json::to_vec_pretty(&package)?;
        json.push(b'\n');
        fs::write(folder.join(package_json::NAME), json)?;
        Ok(package)
    }

    fn facts(&self, rendition: &Rendition, target: u64) -> RenditionFacts {
        let (peak, average) = playlists::bandwidth(&rendition.segments, target);
        let picture = self.plan.picture.as_ref().and_then(|picture| {
            let mut rungs = picture.rungs.iter();
            let rung = rungs.find(|rung| rung.name() == rendition.folder)?;
            Some(Picture {
                width: rung.width,
                height: rung.height,
                frame_rate: picture.frame_rate,
            })
        });
        RenditionFacts {
            folder: rendition.folder.clone(),
            codec: rendition.codec.clone(),
            picture,
            duration: seconds(&rendition.segments),
            segments: rendition.segments.len(),
            bytes: rendition.segments.iter().map(|segment| segment.bytes).sum(),
            peak_bandwidth: peak,
            average_bandwidth: average,
        }
    }

    /// What players are told of.
    fn presentation(&self, measured: &Measured, target: u64, prefix: &str) -> Presentation {
        let Settings {
            container,
            audio_only_variant,
            ..
        } = self.plan.settings;
        let mut presentation = Presentation {
            container,
            has_sound_alone: audio_only_variant,
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
            let mut sounds = self.plan.sound.iter().enumerate();
            let sound = sounds.find(|(_, sound)| sound.folder == facts.folder);
            match (&facts.picture, sound) {
                (Some(picture), _) => presentation.video.push(VideoTrack {
                    track,
                    width: picture.width,
                    height: picture.height,
                    frame_rate: picture.frame_rate,
                }),
                (None, Some((at, sound))) => presentation.audio.push(AudioTrack {
                    track,
                    language: sound.audio.language.clone(),
                    title: sound.audio.title.clone(),
                    channels: CHANNELS,
                    is_muxed: container == Container::Ts && at == 0 && !measured.video.is_empty(),
                }),
                (None, None) => {}
            }
        }
        if let (Some(plan), Some(shown)) = (&self.plan.picture, &measured.pictures) {
            presentation.iframes = Some(measured.listed(plan, shown, prefix));
        }
        presentation
    }
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    let bytes = bytes as f64;
    bytes / 1e6
}
