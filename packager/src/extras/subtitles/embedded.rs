//! Text subtitles of a source as captions.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::captions::{Captions, CaptionsError, MOST_BYTES};
use super::charset;
use crate::ffmpeg::process::{self, FfmpegWarnings};
use crate::files::regular::read_regular;
use crate::source::{Subtitle, file_url, input_options};
use crate::warning::Warning;

/// A part of ffmpeg's message about a cue that it drops.
const NOT_UTF_8: &str = "Invalid UTF-8 in decoded subtitles";

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
    // ffmpeg runs in that folder.
    let input = std::path::absolute(input)?;
    let all: Vec<ExtractedStream> = streams.iter().map(ExtractedStream::new).collect();
    let messages = run(&input, &all, folder.path()).await?;
    let mut foreign = vec![];
    let is_suspect =
        |stream: &&Subtitle| messages.contains(NOT_UTF_8) && stream.codec != "mov_text";
    for stream in streams.iter().filter(is_suspect) {
        if let Some(charset) = foreign_charset(folder.path(), stream)? {
            foreign.push(ExtractedStream {
                stream,
                charset: Some(charset),
            });
        }
    }
    if !foreign.is_empty() {
        run(&input, &foreign, folder.path()).await?;
    }
    let mut longest: Vec<(usize, Captions)> = vec![];
    for Subtitle {
        index,
        language,
        title,
        ..
    } in streams
    {
        let charset = foreign.iter().find(|other| other.stream.index == *index);
        let charset = charset.and_then(|other| other.charset);
        let path = folder.path().join(text_file(*index));
        let bytes = read_regular(&path, MOST_BYTES).context("cannot read the subtitles")?;
        let parsed = match &bytes {
            Some(bytes) => Captions::parse(language, bytes),
            None => Err(CaptionsError::TooLarge),
        };
        let bytes = bytes.unwrap_or_default();
        let captions = match parsed {
            Ok(captions) => captions.titled(title.clone()),
            Err(CaptionsError::Empty | CaptionsError::NoCue) if charset.is_none() => continue,
            Err(error) => {
                extracted.warnings.push(Warning::LostSubtitles {
                    track: *index,
                    reason: error.to_string(),
                });
                continue;
            }
        };
        extracted
            .warnings
            .extend(charset.map(|charset| Warning::GuessedCharset {
                track: Some(*index),
                language: language.clone(),
                charset: charset.to_owned(),
            }));
        match longest
            .iter_mut()
            .find(|(_, other)| other.language == *language)
        {
            Some(other) if other.0 < bytes.len() => *other = (bytes.len(), captions),
            Some(_) => {}
            None => longest.push((bytes.len(), captions)),
        }
    }
    extracted.captions = longest.into_iter().map(|(_, captions)| captions).collect();
    Ok(extracted)
}

/// Charset of a stream whose packets are not UTF-8. The packets of `mov_text` hold lengths and
/// styles beside the text.
fn foreign_charset(folder: &Path, stream: &Subtitle) -> Result<Option<&'static str>> {
    let path = folder.join(packets_file(stream.index));
    let bytes = read_regular(&path, MOST_BYTES).context("cannot read the subtitles")?;
    let charset = charset::guess(&bytes.unwrap_or_default(), &stream.language);
    Ok(charset.map(encoding_rs::Encoding::name))
}

/// A stream with the charset in which ffmpeg reads it, if that is not UTF-8.
struct ExtractedStream<'a> {
    stream: &'a Subtitle,
    charset: Option<&'static str>,
}

impl<'a> ExtractedStream<'a> {
    fn new(stream: &'a Subtitle) -> Self {
        Self {
            stream,
            charset: None,
        }
    }
}

/// Returns ffmpeg's messages.
async fn run(input: &Path, streams: &[ExtractedStream<'_>], folder: &Path) -> Result<String> {
    let done = process::encode(argv(input, streams), folder, |_| ()).await;
    let FfmpegWarnings { text: messages, .. } = done.context("cannot read the subtitles")?;
    Ok(messages)
}

fn text_file(index: u32) -> String {
    format!("{index}.srt")
}

/// File of a stream's packets as they are.
fn packets_file(index: u32) -> String {
    format!("{index}.data")
}

fn argv(input: &Path, streams: &[ExtractedStream<'_>]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-hide_banner", "-nostdin", "-nostats", "-y", "-v", "error"]
        .map(Into::into)
        .to_vec();
    // By default, ffmpeg fails if two of three cues are in another charset.
    args.extend(["-max_error_rate", "1", "-progress", "pipe:1"].map(Into::into));
    args.extend(input_options().map(Into::into));
    for ExtractedStream { stream, charset } in streams {
        if let Some(charset) = charset {
            args.push(format!("-sub_charenc:{}", stream.index).into());
            args.push(charset.into());
        }
    }
    args.extend(["-i".into(), file_url(input)]);
    for ExtractedStream { stream, charset } in streams {
        let index = stream.index;
        let mut output = |options: &[&str], file: String| {
            args.extend(["-map".into(), format!("0:{index}").into()]);
            args.extend(["-map_metadata", "-1"].map(Into::into));
            args.extend(options.iter().map(Into::into));
            // ffmpeg stops soon after this size, and the stream is dropped.
            args.extend(["-fs".into(), (MOST_BYTES + 1).to_string().into()]);
            args.push(file.into());
        };
        // SubRip instead of WebVTT: ffmpeg 5.1 copies `a < b` into WebVTT without escaping, which
        // makes a tag of the rest of the line.
        output(&["-c:s", "srt", "-f", "srt"], text_file(index));
        if charset.is_none() {
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
            .args([
                "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:s:2", "ass", "s.mkv",
            ])
            .current_dir(folder.path())
            .status();
        assert!(made.expect("ffmpeg is installed").success());
        let stream = |index, language: &str| Subtitle {
            index,
            codec: "subrip".into(),
            language: language.into(),
            title: None,
        };
        let streams = [stream(1, "en"), stream(2, "en"), stream(3, "de")];
        let extracted = extract(&path("s.mkv"), &streams).await.expect("captions");
        assert_eq!(extracted.warnings, []);
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
