//! Captions and translations: from a file to a Rendition of WebVTT segments.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::charset;
use super::subrip;
use super::webvtt::{self, Cue, SyntaxError, WebVttTrack};
use crate::digest::sha256;
use crate::exit::Exit;
use crate::files::regular::read_regular;
use crate::layout::{self, CAPTIONS_VTT};
use crate::manifest::container::Container;
use crate::media::Object;
use crate::source::LONGEST;
use crate::units::format_bytes;
use crate::warning::Warning;

/// Maximum bytes of a captions file; ten hours take less than a megabyte.
pub(crate) const MOST_BYTES: u64 = 16 << 20;
/// Maximum bytes of all segments. Each segment holds its cues and all styles.
const MOST_WRITTEN: u64 = 64 << 20;
/// Number of segments of the longest lecture.
const MOST_SEGMENTS: u64 = LONGEST as u64 * 1_000 / SEGMENT_MILLIS;
/// Bytes of the line with a cue's times.
const TIMES_BYTES: u64 = 40;
/// Duration of a caption segment. A preview hands out whole segments, so this bounds the text
/// behind its end. Segments of 4 s would be 675 requests in a lecture for about 60 kB. RFC 8216bis
/// §6.2.4 allows subtitles of `EXT-X-PLAYLIST-TYPE:VOD` their own target duration.
const SEGMENT_MILLIS: u64 = 60_000;

/// `--captions LANG=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptionsFile {
    /// BCP 47, and the name of a folder.
    pub(crate) language: String,
    pub(crate) file: PathBuf,
}

impl CaptionsFile {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some((tag, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
            return Err("a language and a file, such as `en=talk.vtt`".to_owned());
        };
        let language = crate::source::language(tag);
        if language == "und" && !tag.eq_ignore_ascii_case("und") {
            return Err(format!(
                "`{tag}` is not a language tag such as `en`, `de` or `pt-BR`"
            ));
        }
        Ok(Self {
            language,
            file: PathBuf::from(file),
        })
    }
}

/// Faults of a captions file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptionsError {
    #[error("there is no such file")]
    Missing,
    #[error("it cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("it is larger than {}", format_bytes(MOST_BYTES))]
    TooLarge,
    #[error("its long cues would take {} in segments of a minute", format_bytes(*.0))]
    TooMuch(u64),
    #[error("it is empty")]
    Empty,
    #[error("it has no cue")]
    NoCue,
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error("`{0}` has two captions files")]
    Twice(String),
}

impl CaptionsError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Twice(_) => Exit::Usage,
            _ => Exit::Input,
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Missing => "check the path behind the language, as in `--captions en=talk.vtt`",
            Self::Unreadable(_) => "check that it is a readable file",
            Self::Syntax(_) => "correct the line, or leave the cue out",
            Self::TooMuch(_) => "let each cue end when the next begins",
            Self::Twice(_) => "give each its own language tag, e.g. `en` and `en-US`",
            Self::TooLarge | Self::Empty | Self::NoCue => {
                "captions are WebVTT (`WEBVTT` in the first line) or SubRip, with cues such as `00:00:01,000 --> 00:00:02,500` and a line of text"
            }
        }
    }
}

/// Captions in one language.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Captions {
    pub(crate) language: String,
    /// SHA-256 of the source file, which the revision's hash includes.
    pub(crate) sha256: String,
    /// Title from the source.
    title: Option<String>,
    /// Name of the charset, if the file does not declare it and is not UTF-8.
    guessed_charset: Option<&'static str>,
    track: WebVttTrack,
}

impl fmt::Debug for Captions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cues = self.track.cues.len();
        write!(f, "Captions({}, {cues} cues)", self.language)
    }
}

/// A captions Rendition in `package.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CaptionsFacts {
    /// `subs/en`: `playlist.m3u8`, its segments, and [`CAPTIONS_VTT`].
    pub(crate) folder: String,
    pub(crate) language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    pub(crate) cues: usize,
    pub(crate) segments: usize,
    pub(crate) bytes: u64,
}

/// Reads all captions files before encoding.
pub(crate) fn read_all(files: &[CaptionsFile]) -> Result<Vec<Captions>> {
    let mut all: Vec<Captions> = vec![];
    for CaptionsFile { language, file } in files {
        let cannot = || format!("cannot use `{}` as captions", file.display());
        if all.iter().any(|other| other.language == *language) {
            return Err(CaptionsError::Twice(language.clone())).with_context(cannot);
        }
        let captions = read(file).and_then(|bytes| Captions::parse(language, &bytes));
        all.push(captions.with_context(cannot)?);
    }
    Ok(all)
}

fn read(file: &Path) -> Result<Vec<u8>, CaptionsError> {
    let bytes = read_regular(file, MOST_BYTES).map_err(|error| match error.kind() {
        ErrorKind::NotFound => CaptionsError::Missing,
        _ => CaptionsError::Unreadable(error),
    })?;
    bytes.ok_or(CaptionsError::TooLarge)
}

impl Captions {
    /// Parses WebVTT by its first line, else SubRip.
    pub(crate) fn parse(language: &str, bytes: &[u8]) -> Result<Self, CaptionsError> {
        let decoded = charset::decode(bytes, language);
        let text = webvtt::normalized(&decoded.text);
        if text.trim().is_empty() {
            return Err(CaptionsError::Empty);
        }
        let track = if webvtt::is_webvtt(&text) {
            webvtt::parse(&text)?
        } else {
            subrip::parse(&text)?
        };
        if track.cues.is_empty() {
            return Err(CaptionsError::NoCue);
        }
        let written = written(&track);
        if written > MOST_WRITTEN {
            return Err(CaptionsError::TooMuch(written));
        }
        Ok(Self {
            language: language.to_owned(),
            sha256: sha256(bytes),
            title: None,
            guessed_charset: decoded.guessed,
            track,
        })
    }

    /// A warning about the guessed charset of a file.
    pub(crate) fn warning(&self) -> Option<Warning> {
        Some(Warning::GuessedCharset {
            track: None,
            language: self.language.clone(),
            charset: self.guessed_charset?.to_owned(),
        })
    }

    pub(crate) fn titled(self, title: Option<String>) -> Self {
        Self { title, ..self }
    }

    #[cfg(test)]
    pub(crate) fn cues(&self) -> &[Cue] {
        &self.track.cues
    }

    /// Folder name, from the revision's folder.
    pub(crate) fn folder(&self) -> String {
        format!("subs/{}", self.language)
    }

    /// Number of cues that begin after the end and are never shown.
    pub(crate) fn too_late(&self, micros: u64) -> usize {
        let is_late = |cue: &&Cue| cue.start * 1000 >= micros;
        self.track.cues.iter().filter(is_late).count()
    }

    /// Writes the Rendition for a lecture of this duration into the revision's folder.
    pub(crate) fn write(
        &self,
        revision: &Path,
        micros: u64,
        container: Container,
    ) -> std::io::Result<(CaptionsFacts, Vec<Object>)> {
        let folder = self.folder();
        fs::create_dir_all(revision.join(&folder))?;
        let mut objects = vec![];
        let mut write = |name: &str, text: String| {
            let path = format!("{folder}/{name}");
            fs::write(revision.join(&path), &text)?;
            objects.push(Object::of_bytes(path, text.as_bytes()));
            std::io::Result::Ok(())
        };
        let segments = self.segments(micros, container.origin());
        for (at, segment) in segments.iter().enumerate() {
            write(&layout::vtt_segment_name(at), segment.clone())?;
        }
        let WebVttTrack { head, cues } = &self.track;
        write(CAPTIONS_VTT, webvtt::file(head, cues))?;
        write(layout::MEDIA_PLAYLIST, playlist(micros, container))?;
        let facts = CaptionsFacts {
            folder,
            language: self.language.clone(),
            title: self.title.clone(),
            cues: cues.len(),
            segments: segments.len(),
            bytes: objects.iter().map(|object| object.bytes).sum(),
        };
        Ok((facts, objects))
    }

    /// RFC 8216bis §3.1.4: a segment holds every cue that is shown during it, with the cue's whole
    /// time.
    fn segments(&self, micros: u64, origin: u64) -> Vec<String> {
        let WebVttTrack { head, cues } = &self.track;
        let mut shown: Vec<Vec<&Cue>> = vec![vec![]; lengths(micros).len()];
        for cue in cues.iter().filter(|cue| cue.start * 1000 < micros) {
            let (first, last) = shown_in(cue);
            for segment in shown.iter_mut().take(last + 1).skip(first) {
                segment.push(cue);
            }
        }
        let segment = |cues: Vec<&Cue>| webvtt::segment(head, cues, origin);
        shown.into_iter().map(segment).collect()
    }
}

/// Indices of the first and last segment that show a cue.
fn shown_in(cue: &Cue) -> (usize, usize) {
    let at = |millis: u64| usize::try_from(millis / SEGMENT_MILLIS).unwrap_or(usize::MAX - 1);
    (at(cue.start), at(cue.end.saturating_sub(1)))
}

/// Bytes of all segments in the longest lecture.
fn written(track: &WebVttTrack) -> u64 {
    let cues = track.cues.iter().map(|cue| {
        let (first, last) = shown_in(cue);
        let times = (last.saturating_sub(first) as u64 + 1).min(MOST_SEGMENTS);
        let lengths = [&cue.id, &cue.settings, &cue.text].map(|text| text.len() as u64);
        times * (lengths.iter().sum::<u64>() + TIMES_BYTES)
    });
    let head: usize = track.head.iter().map(String::len).sum();
    cues.fold(head as u64 * MOST_SEGMENTS, u64::saturating_add)
}

/// Microseconds of each segment.
fn lengths(micros: u64) -> Vec<u64> {
    let segment = SEGMENT_MILLIS * 1000;
    (0..micros.max(1).div_ceil(segment))
        .map(|at| (micros - at * segment).min(segment))
        .collect()
}

/// The Media Playlist. `f32` durations of m3u8-rs would round a minute by more than a microsecond.
fn playlist(micros: u64, container: Container) -> String {
    let lengths = lengths(micros);
    let target = lengths.iter().max().map_or(1, |longest| {
        // RFC 8216bis §4.4.3.1: rounded to the nearest integer.
        ((longest + 500_000) / 1_000_000).max(1)
    });
    let version = container.version();
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    );
    for (at, micros) in lengths.iter().enumerate() {
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        out += &format!(
            "#EXTINF:{seconds}.{rest:06},\n{}\n",
            layout::vtt_segment_name(at)
        );
    }
    out + "#EXT-X-ENDLIST\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(text: &str) -> Captions {
        Captions::parse("en", text.as_bytes()).expect("captions")
    }

    #[test]
    fn a_choice_of_captions_is_a_language_and_a_file() {
        for (text, expected) in [
            ("en=talk.vtt", "en talk.vtt"),
            ("ger=a=b.srt", "de a=b.srt"),
            ("pt-BR=x", "pt-br x"),
            ("und=x", "und x"),
            ("en", "a language and a file, such as `en=talk.vtt`"),
            ("en=", "a language and a file, such as `en=talk.vtt`"),
            (
                "English subtitles=x",
                "`English subtitles` is not a language tag such as `en`, `de` or `pt-BR`",
            ),
            (
                "../en=x",
                "`../en` is not a language tag such as `en`, `de` or `pt-BR`",
            ),
            (
                "=x",
                "`` is not a language tag such as `en`, `de` or `pt-BR`",
            ),
        ] {
            let got = match CaptionsFile::parse(text) {
                Ok(choice) => format!("{} {}", choice.language, choice.file.display()),
                Err(error) => error,
            };
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn captions_that_cannot_be_used_say_why() {
        for (bytes, expected) in [
            (&b" \r\n"[..], "it is empty"),
            (b"WEBVTT\n\nNOTE nothing\n", "it has no cue"),
            (b"Dear diary,\n\ntoday\n", "it has no cue"),
            (b"\xff\xfe1\0", "it has no cue"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "it has no cue"),
            (
                b"1\n00:00:01,000 --> soon\nhi\n",
                "line 2, `00:00:01,000 --> soon`, is not of the form `00:01:02.500 --> 00:01:05.000`",
            ),
        ] {
            let error = Captions::parse("en", bytes).map(|_| ());
            let error = error.expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn captions_that_would_be_repeated_for_hours_are_refused_in_linear_time() {
        let cue = |text: &str| format!("00:00:00.000 --> 24:00:00.000\n{text}\n\n");
        let style = format!("STYLE\n{}\n\n", "x".repeat(100_000));
        let one = format!("WEBVTT\n\n{}", cue("the whole day"));
        assert!(Captions::parse("en", one.as_bytes()).is_ok());
        for text in [
            format!("WEBVTT\n\n{}", cue("x").repeat(100_000)),
            format!("WEBVTT\n\n{style}{}", cue("x")),
        ] {
            let error = Captions::parse("en", text.as_bytes()).expect_err("too much");
            assert!(matches!(error, CaptionsError::TooMuch(_)), "{error}");
        }
        // Tags, references and overrides that do not end.
        for text in ["<a", "&", "{\\"] {
            let text = format!(
                "1\n00:00:00,000 --> 00:00:01,000\n{}\n",
                text.repeat(500_000)
            );
            assert!(Captions::parse("en", text.as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_cue_is_in_every_segment_in_which_it_is_shown() {
        let captions = captions(
            "WEBVTT\n\n00:59.000 --> 01:01.000\nover\n\n01:00.000 --> 01:02.000\nsecond\n\n02:00.000 --> 02:01.000\nthird\n\n\
             10:00.000 --> 10:01.000\nlate\n",
        );
        let segments = captions.segments(120_020_000, 0);
        let texts: Vec<Vec<&str>> = segments
            .iter()
            .map(|segment| {
                let known = ["over", "second", "third", "late"];
                known
                    .into_iter()
                    .filter(|text| segment.contains(text))
                    .collect()
            })
            .collect();
        assert_eq!(texts, [vec!["over"], vec!["over", "second"], vec!["third"]]);
        assert!(segments[1].contains("00:00:59.000 --> 00:01:01.000"));
        let edges = self::captions(
            "WEBVTT\n\n00:30.000 --> 01:00.000\nfirst\n\n01:00.000 --> 99:00:00.000\nrest\n",
        );
        let texts: Vec<bool> = (edges.segments(180_000_000, 0).iter())
            .map(|segment| segment.contains("first"))
            .collect();
        assert_eq!(texts, [true, false, false]);
        assert!(
            edges
                .segments(60_000_000, 0)
                .iter()
                .all(|segment| !segment.contains("rest"))
        );
        assert_eq!(captions.too_late(120_020_000), 1);
    }

    #[test]
    fn no_segment_is_longer_than_the_target_duration_and_all_are_as_long_as_the_lecture() {
        insta::assert_snapshot!(playlist(120_020_000, Container::Cmaf), @r"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-TARGETDURATION:60
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXTINF:60.000000,
        seg00000.vtt
        #EXTINF:60.000000,
        seg00001.vtt
        #EXTINF:0.020000,
        seg00002.vtt
        #EXT-X-ENDLIST
        ");
        for micros in [1, 400_000, 8_008_000, 60_000_000, 60_000_001] {
            assert_eq!(lengths(micros).iter().sum::<u64>(), micros);
        }
        assert!(playlist(8_008_000, Container::Cmaf).contains("TARGETDURATION:8\n"));
        assert_eq!(lengths(60_000_000).len(), 1);
    }
}
