//! Extras of a package, made of the ladder's segments: poster, storyboard, download, captions and
//! chapters. They take a few hundredths of the encoding time, because only key frames of the
//! smallest rung are decoded.

mod chapters;
mod concat_input;
mod download_mp4;
mod poster;
mod storyboard;
pub(crate) mod subtitles;
mod thumbnail_score;

use std::ffi::OsString;
use std::fs;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::extras::subtitles::captions::CaptionsFile;
use crate::ffmpeg::process::{self, ProcessError};
use crate::layout;
use crate::manifest::container::Container;
use crate::manifest::presentation::{SessionData, Subtitles};
use crate::media::Silence;
use crate::media::{Object, Segment};
use crate::source::{Source, Subtitle};
use crate::warning::Warning;
use chapters::Chapter;
use clap::Args;
use concat_input::ConcatInput;
use subtitles::captions::{Captions, CaptionsFacts};
use thumbnail_score::{BestThumbnail, ThumbnailStats};

/// Files in `EXT-X-SESSION-DATA`. Chapters have Apple's `DATA-ID`. Apple's poster is a `VALUE`,
/// which no edge signs, and storyboards have no established id.
const SESSION_DATA: [(&str, &str); 4] = [
    ("com.apple.hls.chapters", layout::CHAPTERS_JSON),
    ("lectern.storyboard", layout::STORYBOARD_VTT),
    ("lectern.poster", layout::POSTER_JPG),
    ("lectern.silences", layout::SILENCES_JSON),
];
/// `DATA-ID` of a language's captions in one file, for a transcript. Each language has an entry.
const CAPTIONS_DATA_ID: &str = "lectern.captions";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtrasError {
    #[error("ffmpeg found no key frame")]
    NoFrame,
}

/// Options for extras.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ExtrasArgs {
    /// Add captions or a translation in WebVTT or SubRip; may be repeated. Text subtitles of the
    /// recording stay in languages that have no file.
    #[arg(long, value_name = "LANG=FILE", value_parser = CaptionsFile::parse)]
    pub(crate) captions: Vec<CaptionsFile>,
    /// Do not make the download `lecture.mp4`.
    #[arg(long)]
    pub(crate) no_mp4: bool,
    /// Do not make the storyboard, whose thumbnails players show above the seek bar.
    #[arg(long)]
    pub(crate) no_storyboard: bool,
}

/// Planned extras, known before encoding.
#[derive(Debug, Clone)]
pub(crate) struct Extras {
    captions: Vec<Captions>,
    /// Losses and guesses among the captions and the chapters.
    pub(crate) warnings: Vec<Warning>,
    chapters: Vec<Chapter>,
    has_mp4: bool,
    has_storyboard: bool,
}

/// The encoded ladder.
#[derive(Debug)]
pub(crate) struct EncodedLadder<'a> {
    /// Largest first; empty for an audio-only lecture.
    pub(crate) video: Vec<LadderRung<'a>>,
    /// Folder of the default audio Rendition, with its number of segments.
    pub(crate) audio: Option<(&'a str, usize)>,
    /// Duration of the lecture.
    pub(crate) micros: u64,
    /// Requested seconds of a segment.
    pub(crate) segment_duration: u32,
    /// Container of the published segments, whatever the extras are made of.
    pub(crate) container: Container,
}

/// A rung of the encoded ladder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LadderRung<'a> {
    pub(crate) folder: &'a str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) segments: &'a [Segment],
    /// Seconds by which decoding precedes presentation.
    pub(crate) reorder_seconds: f64,
}

/// Extras in `package.json`, beside the objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ExtrasFacts {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) captions: Vec<CaptionsFacts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chapters: Vec<Chapter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storyboard: Option<storyboard::StoryboardFacts>,
}

impl ExtrasFacts {
    /// Captions for the manifests; `prefix` is the revision's folder from the package's root.
    pub(crate) fn subtitles(&self, prefix: &str) -> Vec<Subtitles> {
        self.captions
            .iter()
            .map(|facts| Subtitles {
                playlist: layout::media_playlist(&format!("{prefix}/{}", facts.folder)),
                file: format!("{prefix}/{}/{}", facts.folder, layout::CAPTIONS_VTT),
                id: format!("subtitles-{}", facts.language),
                language: facts.language.clone(),
                title: facts.title.clone(),
            })
            .collect()
    }
}

/// Files and facts of finished extras.
#[derive(Debug, Default)]
pub(crate) struct ExtrasOutput {
    /// Paths from the revision's folder.
    pub(crate) objects: Vec<Object>,
    pub(crate) facts: ExtrasFacts,
    /// Losses that the duration of the lecture revealed.
    pub(crate) warnings: Vec<Warning>,
}

impl ExtrasOutput {
    /// Session data for the manifests; `prefix` is the revision's folder from the package's root.
    pub(crate) fn session_data(&self, prefix: &str) -> Vec<SessionData> {
        let listed = SESSION_DATA
            .into_iter()
            .filter(|(_, name)| self.objects.iter().any(|object| object.path == *name))
            .map(|(id, name)| SessionData {
                id,
                file: format!("{prefix}/{name}"),
                is_json: name.ends_with(".json"),
                language: None,
            });
        let subtitles = self.facts.subtitles(prefix).into_iter();
        let captions = subtitles.map(|subtitles| SessionData {
            id: CAPTIONS_DATA_ID,
            file: subtitles.file,
            is_json: false,
            language: Some(subtitles.language),
        });
        listed.chain(captions).collect()
    }
}

impl Extras {
    /// Reads the requested captions and those of the source.
    pub(crate) async fn prepare(input: &Path, source: &Source, args: &ExtrasArgs) -> Result<Self> {
        let mut captions = subtitles::captions::read_all(&args.captions)?;
        let is_given = |stream: &&Subtitle| {
            let mut given = captions.iter();
            given.any(|given| given.language == stream.language)
        };
        let streams = source.subtitles.iter().filter(|stream| !is_given(stream));
        let streams: Vec<Subtitle> = streams.cloned().collect();
        let guessed = captions.iter().filter_map(Captions::warning);
        let mut warnings: Vec<Warning> = guessed.collect();
        let extracted = subtitles::embedded::extract(input, &streams).await?;
        captions.extend(extracted.captions);
        warnings.extend(extracted.warnings);
        let (chapters, lost) = chapters(input).await?;
        warnings.extend(lost);
        Ok(Self {
            captions,
            warnings,
            chapters,
            has_mp4: !args.no_mp4,
            has_storyboard: !args.no_storyboard,
        })
    }

    /// Inputs of the revision's hash beside the source, which holds the chapters and subtitle
    /// streams.
    pub(crate) fn recipe(&self) -> Vec<String> {
        let captions = self
            .captions
            .iter()
            .map(|captions| format!("captions {} {}", captions.language, captions.sha256));
        let flags = [("mp4", self.has_mp4), ("storyboard", self.has_storyboard)];
        let flags = flags
            .into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| name.to_owned());
        captions.chain(flags).collect()
    }

    /// Makes all extras in the revision's folder.
    pub(crate) async fn make(
        &self,
        revision: &Path,
        ladder: &EncodedLadder<'_>,
        silences: &[Silence],
    ) -> Result<ExtrasOutput> {
        let mut made = ExtrasOutput::default();
        write_silences(revision, silences, ladder.micros, &mut made)
            .context("cannot write the silences")?;
        self.write_texts(revision, ladder, &mut made)
            .context("cannot write the captions")?;
        if let Some(smallest) = ladder.video.last() {
            self.make_images(revision, ladder, smallest, &mut made)
                .await
                .context("cannot make the poster and the storyboard")?;
        }
        if self.has_mp4 {
            join(revision, ladder)
                .await
                .with_context(|| format!("cannot make `{}`", layout::DOWNLOAD_MP4))?;
            made.objects
                .push(Object::of_file(revision, layout::DOWNLOAD_MP4).await?);
        }
        Ok(made)
    }

    fn write_texts(
        &self,
        revision: &Path,
        ladder: &EncodedLadder<'_>,
        made: &mut ExtrasOutput,
    ) -> std::io::Result<()> {
        for captions in &self.captions {
            let cues = captions.too_late(ladder.micros);
            if cues > 0 {
                let language = captions.language.clone();
                made.warnings.push(Warning::LateCaptions { language, cues });
            }
            let (facts, objects) = captions.write(revision, ladder.micros, ladder.container)?;
            made.objects.extend(objects);
            made.facts.captions.push(facts);
        }
        let chapters = chapters::within(&self.chapters, ladder.micros);
        if !chapters.is_empty() {
            for (name, text) in [
                (layout::CHAPTERS_VTT, chapters::vtt(&chapters)),
                (layout::CHAPTERS_JSON, chapters::json(&chapters)),
            ] {
                fs::write(revision.join(name), &text)?;
                made.objects
                    .push(Object::of_bytes(name.to_owned(), text.as_bytes()));
            }
            made.facts.chapters = chapters;
        }
        Ok(())
    }

    /// Makes the storyboard and selects the poster in one pass over the key frames of the smallest
    /// rung.
    async fn make_images(
        &self,
        revision: &Path,
        ladder: &EncodedLadder<'_>,
        smallest: &LadderRung<'_>,
        made: &mut ExtrasOutput,
    ) -> Result<()> {
        let LadderRung { width, height, .. } = *smallest;
        let plan =
            storyboard::StoryboardPlan::new(ladder.micros, ladder.segment_duration, width, height);
        if self.has_storyboard {
            fs::create_dir_all(revision.join(layout::STORYBOARD_FOLDER))?;
        }
        let input = ConcatInput::of(revision, smallest.folder, 0..smallest.segments.len())?;
        let (bytes, line) = plan.judged_frame();
        let mut best = BestThumbnail::default();
        let argv = plan.argv(&input, self.has_storyboard);
        process::frames(argv, revision, bytes, |frame| {
            best.add(ThumbnailStats::of(frame, line).score());
        })
        .await?;
        let at = best.at().ok_or(ExtrasError::NoFrame)?;
        let micros = plan.micros(at);
        if let Some(rung) = poster::rung(&ladder.video) {
            let segments = poster::segments(rung.segments, micros);
            let input = ConcatInput::of(revision, rung.folder, segments)?;
            run(poster::argv(&input, micros, rung), revision).await?;
            made.objects
                .push(Object::of_file(revision, layout::POSTER_JPG).await?);
        }
        if self.has_storyboard {
            for at in 0..plan.sprites(best.seen()) {
                let name = storyboard::sprite_name(at);
                made.objects.push(Object::of_file(revision, &name).await?);
            }
            let vtt = plan.vtt(best.seen(), ladder.micros);
            fs::write(revision.join(layout::STORYBOARD_VTT), &vtt)?;
            made.objects.push(Object::of_bytes(
                layout::STORYBOARD_VTT.to_owned(),
                vtt.as_bytes(),
            ));
            made.facts.storyboard = Some(plan.facts(best.seen()));
        }
        Ok(())
    }
}

/// Writes the silences of the lecture, if it has any.
fn write_silences(
    revision: &Path,
    silences: &[Silence],
    micros: u64,
    made: &mut ExtrasOutput,
) -> std::io::Result<()> {
    let seconds = micros as f64 / 1e6;
    let silences = silences
        .iter()
        .filter_map(|silence| silence.within(seconds));
    let silences: Vec<Silence> = silences.collect();
    if silences.is_empty() {
        return Ok(());
    }
    let text = format!("{}\n", serde_json::to_string(&silences)?);
    fs::write(revision.join(layout::SILENCES_JSON), &text)?;
    let name = layout::SILENCES_JSON.to_owned();
    made.objects.push(Object::of_bytes(name, text.as_bytes()));
    Ok(())
}

/// Chapters of a source up to a maximum that fits a menu, and what is lost of them.
async fn chapters(input: &Path) -> Result<(Vec<Chapter>, Option<Warning>)> {
    let mut found = match chapters::probe(input).await {
        Err(error @ ProcessError::Verbose { .. }) => {
            let reason = error.to_string();
            return Ok((vec![], Some(Warning::LostChapters { reason })));
        }
        found => found?,
    };
    let (chapters, kept) = (found.len(), chapters::MOST);
    found.truncate(kept);
    let lost = (chapters > kept).then_some(Warning::ExtraChapters { chapters, kept });
    Ok((found, lost))
}

async fn join(revision: &Path, ladder: &EncodedLadder<'_>) -> Result<()> {
    let rung = download_mp4::rung(&ladder.video);
    let video = rung
        .map(|rung| ConcatInput::of(revision, rung.folder, 0..rung.segments.len()))
        .transpose()?;
    let reorder_seconds = rung.map_or(0.0, |rung| rung.reorder_seconds);
    let audio = ladder
        .audio
        .map(|(folder, segments)| ConcatInput::of(revision, folder, 0..segments))
        .transpose()?;
    let argv = download_mp4::argv(video.as_ref(), reorder_seconds, audio.as_ref());
    run(argv, revision).await?;
    download_mp4::verify(
        &revision.join(layout::DOWNLOAD_MP4),
        ladder.micros as f64 / 1e6,
    )?;
    Ok(())
}

async fn run(args: Vec<OsString>, revision: &Path) -> Result<(), ProcessError> {
    process::encode(args, revision, |_| ()).await.map(drop)
}
