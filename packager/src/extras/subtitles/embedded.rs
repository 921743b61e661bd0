//! Text subtitles of a source as captions.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::captions::{Captions, CaptionsError, MOST_BYTES};
use crate::ffmpeg::process;
use crate::files::regular::read_regular;
use crate::progress::Progress;
use crate::source::{Subtitle, file_url, input_options};

/// Extracts all streams in one pass over the source. A stream without cues is dropped. Of two
/// streams in one language, such as forced and full, the one with more text stays.
///
/// Streams above the size limit of captions are dropped.
pub(crate) async fn extract(
    input: &Path,
    streams: &[Subtitle],
    progress: Progress,
) -> Result<Vec<Captions>> {
    if streams.is_empty() {
        return Ok(vec![]);
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    process::encode(argv(input, streams), folder.path(), |_| ())
        .await
        .context("cannot read the subtitles")?;
    let mut all: Vec<(usize, Captions)> = vec![];
    for Subtitle {
        index,
        language,
        title,
        ..
    } in streams
    {
        let path = folder.path().join(file_name(*index));
        let bytes = read_regular(&path, MOST_BYTES).context("cannot read the subtitles")?;
        let parsed = match &bytes {
            Some(bytes) => Captions::parse(language, bytes),
            None => Err(CaptionsError::TooLarge),
        };
        let bytes = bytes.unwrap_or_default();
        let captions = match parsed {
            Ok(captions) => captions.titled(title.clone()),
            Err(CaptionsError::Empty | CaptionsError::NoCue) => continue,
            Err(error @ (CaptionsError::TooLarge | CaptionsError::TooMuch(_))) => {
                progress.note(format_args!("subtitle stream {index} is left out: {error}"));
                continue;
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot use subtitle stream {index} as captions"));
            }
        };
        match all
            .iter_mut()
            .find(|(_, other)| other.language == *language)
        {
            Some(other) if other.0 < bytes.len() => *other = (bytes.len(), captions),
            Some(_) => {}
            None => all.push((bytes.len(), captions)),
        }
    }
    Ok(all.into_iter().map(|(_, captions)| captions).collect())
}

fn file_name(index: u32) -> String {
    format!("{index}.srt")
}

fn argv(input: &Path, streams: &[Subtitle]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-hide_banner", "-nostdin", "-nostats", "-v", "error"]
        .map(Into::into)
        .to_vec();
    args.extend(["-progress", "pipe:1"].map(Into::into));
    args.extend(input_options().map(Into::into));
    args.extend(["-i".into(), file_url(input)]);
    for Subtitle { index, .. } in streams {
        args.extend(["-map".into(), format!("0:{index}").into()]);
        // SubRip instead of WebVTT: ffmpeg 5.1 copies `a < b` into WebVTT without escaping, which
        // makes a tag of the rest of the line.
        args.extend(["-map_metadata", "-1", "-c:s", "srt", "-f", "srt"].map(Into::into));
        // ffmpeg stops soon after this size, and the stream is dropped.
        args.extend(["-fs".into(), (MOST_BYTES + 1).to_string().into()]);
        args.push(file_name(*index).into());
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
        let captions = extract(&path("s.mkv"), &streams, Progress::new(false)).await;
        let captions = captions.expect("captions");
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
