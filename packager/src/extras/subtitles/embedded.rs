//! Text subtitles of a source as captions.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::captions::{Captions, CaptionsError, MOST_BYTES};
use super::charset;
use super::mov_text::{self, RecodedText};
use crate::ffmpeg::process::{self, FfmpegWarnings};
use crate::files::regular::read_regular;
use crate::source::{Subtitle, file_url, input_options};
use crate::warning::{TrackKind, Warning};

/// A part of ffmpeg's message about a cue that it drops.
const NOT_UTF_8: &str = "Invalid UTF-8 in decoded subtitles";
/// Last messages of ffmpeg that are kept besides that one.
const MESSAGES: usize = 6;

/// Captions of a source, and what is lost of them.
#[derive(Debug, Default)]
pub(crate) struct ExtractedCaptions {
    pub(crate) captions: Vec<Captions>,
    pub(crate) warnings: Vec<Warning>,
}

/// Extracts all streams in one pass over the source, and those that are not UTF-8 in another. A
/// stream without cues is dropped. Of two streams in one language, such as forced and full, the one
/// with more text stays.
pub(crate) async fn extract(input: &Path, streams: &[Subtitle]) -> Result<ExtractedCaptions> {
    let mut extracted = ExtractedCaptions::default();
    if streams.is_empty() {
        return Ok(extracted);
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = folder.path();
    // ffmpeg runs in that folder.
    let input = std::path::absolute(input)?;
    let all: Vec<StreamOutput> = streams.iter().map(StreamOutput::new).collect();
    let mut run = run_ffmpeg(&input, &all, folder).await?;
    let mut foreign = vec![];
    if run.text.contains(NOT_UTF_8) {
        for stream in streams {
            foreign.extend(StreamOutput::foreign(stream, folder)?);
        }
    }
    if !foreign.is_empty() {
        run = run_ffmpeg(&input, &foreign, folder).await?;
    }
    if run.damaged_frames > 0 {
        extracted.warnings.push(Warning::DamagedFrames {
            kind: TrackKind::Subtitle,
            frames: run.damaged_frames,
        });
    }
    let mut longest: Vec<(u32, usize, Captions)> = vec![];
    for stream in streams {
        let (track, language) = (stream.index, &stream.language);
        let output = foreign.iter().find(|other| other.stream.index == track);
        let StreamText { bytes, charset } = StreamText::read(stream, output, folder)?;
        let parsed = match &bytes {
            Some(bytes) => Captions::parse(language, bytes),
            None => Err(CaptionsError::TooLarge),
        };
        let captions = match parsed {
            Ok(captions) => captions.titled(stream.title.clone()),
            Err(CaptionsError::Empty | CaptionsError::NoCue) if charset.is_none() => continue,
            Err(error) => {
                let reason = error.to_string();
                let lost = Warning::LostSubtitles { track, reason };
                extracted.warnings.push(lost);
                continue;
            }
        };
        let guessed = charset.map(|charset| Warning::GuessedCharset {
            track: Some(track),
            language: language.clone(),
            charset: charset.to_owned(),
        });
        extracted.warnings.extend(guessed);
        let found = (track, bytes.map_or(0, |bytes| bytes.len()), captions);
        let mut others = longest.iter_mut();
        let track = match others.find(|(.., other)| other.language == *language) {
            None => {
                longest.push(found);
                continue;
            }
            // Nothing is lost of two tracks with the same text.
            Some(other) if other.2.sha256 == found.2.sha256 => continue,
            Some(other) if other.1 < found.1 => std::mem::replace(other, found).0,
            Some(_) => track,
        };
        let language = language.clone();
        let extra = Warning::ExtraSubtitles { track, language };
        extracted.warnings.push(extra);
    }
    extracted.captions = longest.into_iter().map(|(.., captions)| captions).collect();
    Ok(extracted)
}

/// Files that ffmpeg makes of a stream.
struct StreamOutput<'a> {
    stream: &'a Subtitle,
    form: OutputForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputForm {
    /// The text, and the packets as they are.
    TextAndPackets,
    /// The text, from another charset than UTF-8.
    Recoded(&'static str),
    /// The times and sizes of the packets. Those of `mov_text` have lengths and styles beside the
    /// text, so ffmpeg cannot recode them.
    Table,
}

impl<'a> StreamOutput<'a> {
    fn new(stream: &'a Subtitle) -> Self {
        Self {
            stream,
            form: OutputForm::TextAndPackets,
        }
    }

    /// The output of the second pass for a stream that may not be UTF-8, given the files of the
    /// first.
    fn foreign(stream: &'a Subtitle, folder: &Path) -> Result<Option<Self>> {
        if stream.codec == "mov_text" {
            let form = OutputForm::Table;
            return Ok(Some(Self { stream, form }));
        }
        let packets = read(folder, &packets_file(stream.index))?.unwrap_or_default();
        let charset = charset::guess(&packets, &stream.language);
        Ok(charset.map(|charset| Self {
            stream,
            form: OutputForm::Recoded(charset.name()),
        }))
    }
}

/// A stream as SubRip.
struct StreamText {
    /// `None` if it is too large.
    bytes: Option<Vec<u8>>,
    /// Its charset, if that was guessed.
    charset: Option<&'static str>,
}

impl StreamText {
    /// Reads the files of a stream, and of its output in the second pass if it has one.
    fn read(stream: &Subtitle, second: Option<&StreamOutput<'_>>, folder: &Path) -> Result<Self> {
        let index = stream.index;
        let form = second.map(|second| second.form);
        if form == Some(OutputForm::Table) {
            let packets = read(folder, &packets_file(index))?.unwrap_or_default();
            let table = read(folder, &table_file(index))?.unwrap_or_default();
            let table = String::from_utf8_lossy(&table);
            let recoded = mov_text::recode(&packets, &table, &stream.language);
            if let Some(RecodedText { text, charset }) = recoded {
                return Ok(Self {
                    bytes: Some(text.into_bytes()),
                    charset: Some(charset),
                });
            }
        }
        Ok(Self {
            bytes: read(folder, &text_file(index))?,
            charset: match form {
                Some(OutputForm::Recoded(charset)) => Some(charset),
                _ => None,
            },
        })
    }
}

fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let bytes = read_regular(&folder.join(name), MOST_BYTES);
    bytes.context("cannot read the subtitles")
}

async fn run_ffmpeg(
    input: &Path,
    outputs: &[StreamOutput<'_>],
    folder: &Path,
) -> Result<FfmpegWarnings> {
    let is_kept = |message: &str| message.contains(NOT_UTF_8);
    let args = argv(input, outputs);
    let run = process::encode_keeping(is_kept, MESSAGES, args, folder, |_| ()).await;
    run.context("cannot read the subtitles")
}

fn text_file(index: u32) -> String {
    format!("{index}.srt")
}

/// File of a stream's packets as they are.
fn packets_file(index: u32) -> String {
    format!("{index}.data")
}

/// File of the times and sizes of a stream's packets.
fn table_file(index: u32) -> String {
    format!("{index}.table")
}

fn argv(input: &Path, outputs: &[StreamOutput<'_>]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-hide_banner", "-nostdin", "-nostats", "-y", "-v", "error"]
        .map(Into::into)
        .to_vec();
    // By default, ffmpeg fails if two of three cues are in another charset.
    args.extend(["-max_error_rate", "1", "-progress", "pipe:1"].map(Into::into));
    args.extend(input_options().map(Into::into));
    for StreamOutput { stream, form } in outputs {
        if let OutputForm::Recoded(charset) = form {
            args.push(format!("-sub_charenc:{}", stream.index).into());
            args.push(charset.into());
        }
    }
    args.extend(["-i".into(), file_url(input)]);
    for StreamOutput { stream, form } in outputs {
        let index = stream.index;
        let mut output = |options: &[&str], file: String| {
            args.extend(["-map".into(), format!("0:{index}").into()]);
            args.extend(["-map_metadata", "-1"].map(Into::into));
            args.extend(options.iter().map(Into::into));
            // ffmpeg stops soon after this size, and the stream is dropped.
            args.extend(["-fs".into(), (MOST_BYTES + 1).to_string().into()]);
            args.push(file.into());
        };
        if *form == OutputForm::Table {
            output(&["-c:s", "copy", "-f", "framecrc"], table_file(index));
            continue;
        }
        // SubRip instead of WebVTT: ffmpeg 5.1 copies `a < b` into WebVTT without escaping, which
        // makes a tag of the rest of the line.
        output(&["-c:s", "srt", "-f", "srt"], text_file(index));
        if *form == OutputForm::TextAndPackets {
            output(&["-c:s", "copy", "-f", "data"], packets_file(index));
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extras::subtitles::webvtt;
    use std::process::Command;

    #[tokio::test]
    async fn text_subtitles_of_a_source_are_captions_and_of_two_in_a_language_the_longer_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [
            (
                "a.srt",
                "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> & a < b\n\n2\n00:00:03,000 --> 00:00:04,000\nmore\n",
            ),
            ("b.srt", "1\n00:00:01,000 --> 00:00:02,000\nforced\n"),
            ("c.srt", "1\n00:00:01,500 --> 00:00:02,000\nGuten Tag\n"),
        ] {
            std::fs::write(path(name), text).expect(name);
        }
        let made = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-f",
                "lavfi",
                "-i",
                "color=s=16x16:d=5",
            ])
            .args(["-i", "b.srt", "-i", "a.srt", "-i", "c.srt"])
            .args(["-map", "0", "-map", "1", "-map", "2", "-map", "3"])
            .args(["-map", "2", "-c:s:2", "ass", "s.mkv"])
            .current_dir(folder.path())
            .status();
        assert!(made.expect("ffmpeg is installed").success());
        let stream = |index, language: &str| Subtitle {
            index,
            codec: "subrip".into(),
            language: language.into(),
            title: None,
        };
        let languages = [(1, "en"), (2, "en"), (3, "de"), (4, "en")];
        let streams = languages.map(|(index, language)| stream(index, language));
        let extracted = extract(&path("s.mkv"), &streams).await.expect("captions");
        let shorter = Warning::ExtraSubtitles {
            track: 1,
            language: "en".into(),
        };
        assert_eq!(extracted.warnings, [shorter]);
        let captions = extracted.captions;
        let texts: Vec<String> = captions
            .iter()
            .map(|captions| {
                let cues = captions.cues();
                let texts: Vec<String> = cues
                    .iter()
                    .map(|cue| format!("{} {}", webvtt::shown(cue.start), cue.text))
                    .collect();
                format!("{}: {}", captions.language, texts.join(" | "))
            })
            .collect();
        assert_eq!(
            texts,
            [
                "en: 00:00:01.000 <i>Hello</i> &amp; a &lt; b | 00:00:03.000 more",
                "de: 00:00:01.500 Guten Tag",
            ]
        );
    }
}
