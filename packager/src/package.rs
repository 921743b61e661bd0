//! `lectern package`: a recording becomes a folder that can be served.
//!
//! In four steps that `ship` takes too: prepare (what is it, what will it be called), encode, measure, describe.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::check;
use crate::cli::{EncodeArgs, PackageArgs};
use crate::container::{Container, ContainerError};
use crate::encode::{Encoding, Unfit};
use crate::extras::{self, Extras, Ladder, Made};
use crate::fetch::Fetched;
use crate::ffmpeg::CHANNELS;
use crate::instant::Stopgap;
use crate::ladder::{Codec, Rung};
use crate::measured::{Measured, Shown};
use crate::mpd;
use crate::output::{self, Found, OutputError};
use crate::package_json::{
    self, MPD, MULTIVARIANT, Object, Package, Picture, RenditionFacts, RootFile, SourceFacts, Tools,
};
use crate::partial::Partial;
use crate::parts::Part;
use crate::pieces::{self, Piece};
use crate::plan::{Plan, Settings};
use crate::playlists;
use crate::presentation::{AudioTrack, Presentation, Track, VideoTrack};
use crate::probe::landings::{is_seekable, landings};
use crate::probe::{Source, probe};
use crate::progress::{Progress, Unit};
use crate::rendition::{Rendition, measure_and_fold, object, pictures};
use crate::revision::{ffmpeg_version, hash_file, revision};
use crate::verify::{self, seconds};

/// Parts of which what ffmpeg said is repeated in an error.
const MOST_SAID: usize = 3;
/// 1024 samples at 48 kHz, rounded up.
const ACCESS_UNIT_MICROS: u64 = 21_334;

pub(crate) async fn run(args: PackageArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let folder = std::path::absolute(&args.output)
        .with_context(|| format!("cannot use `{}` as a folder", args.output.display()))?;
    let beside = folder.parent().unwrap_or(&folder);
    let input = Fetched::of(&args.input, &args.hls, &args.reach, beside, progress)
        .await
        .with_context(|| format!("cannot package `{}`", args.input.display()))?;
    let packaged = package(input.file(), &args, &folder, progress).await;
    input.settle(packaged)
}

async fn package(
    input: &Path,
    args: &PackageArgs,
    folder: &Path,
    progress: Progress,
) -> Result<()> {
    let mut job = Job::prepare(input, &args.encode, progress).await?;
    let master = args.output.join(MULTIVARIANT);
    let mut found = Found::Nothing;
    for revision in job.revisions() {
        found = output::inspect(folder, &revision)
            .with_context(|| format!("cannot look into `{}`", args.output.display()))?;
        if matches!(found, Found::Same(_)) {
            break;
        }
    }
    match found {
        Found::Same(package) => {
            progress.note(format_args!(
                "already packaged: `{}` holds revision {}",
                args.output.display(),
                package.revision
            ));
            progress.result(master.display(), &package.renditions);
            return Ok(());
        }
        Found::SomethingElse if !args.force => {
            return Err(OutputError::Exists(args.output.clone()).into());
        }
        Found::SomethingElse | Found::Nothing => {}
    }
    let writing = || format!("cannot write into `{}`", args.output.display());
    let package = loop {
        let partial = Partial::beside(folder, &job.revision, progress).with_context(writing)?;
        match job.make(&partial, progress).await {
            Ok(package) => {
                partial
                    .become_folder(folder, &package)
                    .with_context(writing)?;
                break package;
            }
            Err(error) => match job.as_a_whole(&error, progress) {
                Some(whole) => {
                    partial.discard();
                    job = whole;
                }
                None => return Err(partial.give_up(error)),
            },
        }
    };
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
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) revision: String,
    pub(crate) plan: Plan,
    pub(crate) input: PathBuf,
    pub(crate) source: SourceFacts,
    extras: Extras,
    pub(crate) ffmpeg: String,
    workers: usize,
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
        let mut plan = Plan::new(&media, args);
        cut(&mut plan, input, &media).await;
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
    pub(crate) fn hasten(&mut self, stopgap: &Stopgap) {
        // Transport streams are made when all else is.
        if self.plan.settings.container == Container::Cmaf
            && let Some(picture) = &mut self.plan.picture
        {
            picture.first = stopgap.wanted(picture);
        }
    }

    /// The same in one piece, where it was to be in several and these do not fit.
    pub(crate) fn as_a_whole(&self, error: &anyhow::Error, progress: Progress) -> Option<Self> {
        error.downcast_ref::<Unfit>()?;
        let whole = self.whole()?;
        progress.note(format_args!("{error:#}; it is encoded as a whole"));
        Some(whole)
    }

    fn whole(&self) -> Option<Self> {
        let mut job = self.clone();
        let picture = job.plan.picture.as_mut()?;
        if picture.pieces == [Piece::WHOLE] {
            return None;
        }
        picture.pieces = vec![Piece::WHOLE];
        let sha256 = &job.source.sha256;
        job.revision = revision(sha256, &job.ffmpeg, &job.plan, job.extras.recipe());
        Some(job)
    }

    async fn make(&self, partial: &Partial, progress: Progress) -> Result<Package> {
        let said = self.encode(partial, progress, |_| {}).await?;
        self.finish(partial, &said, progress).await
    }

    /// Runs ffmpeg, and tells of each rung that is all there; returns what it complained about.
    pub(crate) async fn encode(
        &self,
        partial: &Partial,
        progress: Progress,
        on_rung: impl Fn(&Rung),
    ) -> Result<String> {
        progress.note(format_args!(
            "encoding {}, in {} parts",
            self.plan.told(),
            self.plan.parts().len()
        ));
        let encoding = Encoding {
            plan: &self.plan,
            input: &self.input,
            lasts: self.source.media.duration,
            partial,
            progress,
        };
        let mut said = encoding.run(self.workers, on_rung).await?;
        // Parts of one source complain about the same.
        let mut before = HashSet::new();
        said.retain(|words| !words.is_empty() && before.insert(words.clone()));
        said.truncate(MOST_SAID);
        Ok(said.join("; "))
    }

    /// Verifies what was encoded, and writes everything else that a package has.
    pub(crate) async fn finish(
        &self,
        partial: &Partial,
        said: &str,
        progress: Progress,
    ) -> Result<Package> {
        let root = partial.root();
        let disk = |error| output::full_disk(root).map_or(error, Into::into);
        let measured = self
            .measure(partial, said)
            .await
            .map_err(disk)
            .with_context(|| format!("the encoding of `{}` is not complete", self.input_name()))?;
        let made = self
            .extras
            .make(
                &partial.revision_folder(),
                &self.ladder(&measured),
                progress,
            )
            .await
            .map_err(disk)?;
        let measured = match self.plan.settings.container {
            Container::Cmaf => measured,
            Container::Ts => measured
                .wrapped(
                    &partial.revision_folder(),
                    self.plan.settings.audio_only_variant,
                    progress,
                )
                .await
                .map_err(disk)
                .context("cannot make transport streams")?,
        };
        let package = self
            .describe(partial, &measured, made)
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

    fn input_name(&self) -> String {
        let name = self.input.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    async fn measure(&self, partial: &Partial, said: &str) -> Result<Measured> {
        let folder = partial.revision_folder();
        let mut video = vec![];
        for name in self.plan.video_folders() {
            video.push(measure_and_fold(&folder, name, said).await?);
        }
        let mut audio = vec![];
        for name in self.plan.audio_folders() {
            audio.push(measure_and_fold(&folder, name, said).await?);
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
                let stills = self.stills(partial);
                let (pictures, file) =
                    pictures(plan, &folder, &stills, &video.segments, said).await?;
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

    /// What was written of the pictures to look through, piece by piece.
    fn stills(&self, partial: &Partial) -> Vec<PathBuf> {
        let parts = self.plan.parts().into_iter();
        let files = parts.filter_map(|part| match &part {
            Part::Picture(_, cut) if cut.has_stills => Some(partial.own_file(&part.name())),
            _ => None,
        });
        // A last piece that turned out to be empty has none.
        files.filter(|file| file.exists()).collect()
    }

    fn describe(&self, partial: &Partial, measured: &Measured, made: Made) -> Result<Package> {
        let (root, folder) = (partial.root(), partial.revision_folder());
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
        let manifest = (container == Container::Cmaf).then(|| (MPD, mpd::mpd(&presentation)));
        let master = (MULTIVARIANT, playlists::multivariant(&presentation));
        let mut root_files = vec![];
        for (path, text) in manifest.into_iter().chain([master]) {
            fs::write(root.join(path), &text)?;
            objects.push(object(path.to_owned(), &text));
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

/// Cuts the picture into pieces, where its source can be decoded from the middle on.
pub(crate) async fn cut(plan: &mut Plan, input: &Path, source: &Source) {
    let Some(picture) = &plan.picture else {
        return;
    };
    let Some(lasts) = picture.video.duration.filter(|_| is_seekable(source)) else {
        return;
    };
    let grid = plan.grid(picture);
    let targets: Vec<f64> = pieces::starts(lasts, grid)
        .into_iter()
        .filter_map(|first| Piece { first, end: None }.target(grid))
        .collect();
    let landings = landings(input, source, picture.video.index, &targets).await;
    let found = pieces::pieces(lasts, grid, &landings);
    if let Some(picture) = &mut plan.picture {
        picture.pieces = found;
    }
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    let bytes = bytes as f64;
    bytes / 1e6
}
