//! Chapters of a source: `chapters.vtt` for pages, and `chapters.json` for HLS players.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::storyboard::words;
use super::subtitles::webvtt::{self, Cue};
use crate::ffmpeg::process::{self, ProcessError};
use crate::source::{file_url, input_options};

/// Maximum number of chapters: one a minute for sixteen hours.
pub(super) const MOST: usize = 1_000;
const LONGEST_TITLE: usize = 200;

/// A chapter, with times in milliseconds of the lecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chapter {
    #[serde(rename = "start_ms")]
    pub(crate) start: u64,
    #[serde(rename = "end_ms")]
    pub(crate) end: u64,
    pub(crate) title: String,
}

/// Reads the chapters with ffprobe.
pub(crate) async fn probe(input: &Path) -> Result<Vec<Chapter>, ProcessError> {
    let mut args: Vec<OsString> = ["-v", "error"].map(Into::into).to_vec();
    args.extend(input_options().map(Into::into));
    args.extend(words(
        "-of json -show_entries chapter=start_time,end_time:chapter_tags:format=start_time",
    ));
    args.push(file_url(input));
    Ok(parse(&process::capture("ffprobe", args).await?))
}

#[derive(Deserialize)]
struct ProbedChapters {
    #[serde(default)]
    chapters: Vec<ProbedChapter>,
    format: Option<ProbedContainer>,
}

#[derive(Deserialize)]
struct ProbedContainer {
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct ProbedChapter {
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Parses ffprobe's `chapters` and the `start_time` of its `format` into ordered chapters without
/// overlap. Chapters are an aid, so unreadable ones are skipped.
pub(crate) fn parse(json: &[u8]) -> Vec<Chapter> {
    let Ok(probed) = serde_json::from_slice::<ProbedChapters>(json) else {
        return vec![];
    };
    let seconds = |text: Option<&str>| text?.parse::<f64>().ok().filter(|time| time.is_finite());
    let start_time = probed.format.and_then(|format| format.start_time);
    // The encoder counts from the start of the source.
    let begin = seconds(start_time.as_deref()).unwrap_or(0.0);
    let millis = |text: Option<&str>| {
        seconds(text).map(|time| ((time - begin).max(0.0) * 1000.0).round() as u64)
    };
    let mut chapters: Vec<Chapter> = probed
        .chapters
        .iter()
        .filter_map(|entry| {
            let mut tags = entry.tags.iter();
            let title = tags.find(|(name, _)| name.eq_ignore_ascii_case("title"));
            Some(Chapter {
                start: millis(entry.start_time.as_deref())?,
                end: millis(entry.end_time.as_deref())?,
                title: title
                    .map_or("", |(_, title)| title)
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .chars()
                    .take(LONGEST_TITLE)
                    .collect(),
            })
        })
        .collect();
    chapters.sort_by_key(|chapter| chapter.start);
    for at in 1..chapters.len() {
        chapters[at - 1].end = chapters[at - 1].end.min(chapters[at].start);
    }
    chapters.retain(|chapter| chapter.start < chapter.end);
    for (at, chapter) in chapters.iter_mut().enumerate() {
        if chapter.title.is_empty() {
            chapter.title = format!("Chapter {}", at + 1);
        }
    }
    chapters
}

/// Chapters clipped to the duration of the lecture.
pub(crate) fn within(chapters: &[Chapter], micros: u64) -> Vec<Chapter> {
    let last = micros.div_ceil(1000);
    chapters
        .iter()
        .filter(|chapter| chapter.start < last)
        .map(|chapter| Chapter {
            end: chapter.end.min(last),
            ..chapter.clone()
        })
        .collect()
}

/// WebVTT §1.4: one cue a chapter, with the title as its text.
pub(crate) fn vtt(chapters: &[Chapter]) -> String {
    let cues: Vec<Cue> = chapters
        .iter()
        .map(|chapter| Cue {
            start: chapter.start,
            end: chapter.end,
            text: webvtt::escaped(&chapter.title),
            ..Cue::default()
        })
        .collect();
    webvtt::file(&[], &cues)
}

/// Apple's chapter format ("Providing JavaScript Object Notation (JSON) chapters"), with times in
/// seconds. The language of a title is unknown.
pub(crate) fn json(chapters: &[Chapter]) -> String {
    let seconds = |millis: u64| millis as f64 / 1000.0;
    let chapters: Vec<_> = chapters
        .iter()
        .map(|chapter| {
            serde_json::json!({
                "start-time": seconds(chapter.start),
                "duration": seconds(chapter.end - chapter.start),
                "titles": [{ "language": "und", "title": chapter.title }],
            })
        })
        .collect();
    format!("{}\n", serde_json::Value::Array(chapters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_are_in_order_named_and_within_the_lecture() {
        let chapters = parse(
            br#"{"chapters":[
                {"id":2,"time_base":"1/1000","start_time":"61.500000","end_time":"200.000000","tags":{"TITLE":"Q & A\n<live>"}},
                {"id":1,"start_time":"1.500000","end_time":"70.000000"},
                {"id":3,"start_time":"80.000000","end_time":"80.000000","tags":{"title":"no time"}},
                {"id":4,"start_time":"N/A","end_time":"80.000000"},
                {"id":5,"start_time":"500.000000","end_time":"600.000000"}
            ],"format":{"start_time":"1.500000"}}"#,
        );
        insta::assert_snapshot!(vtt(&within(&chapters, 100_000_000)), @r"
        WEBVTT

        00:00:00.000 --> 00:01:00.000
        Chapter 1

        00:01:00.000 --> 00:01:18.500
        Q &amp; A &lt;live&gt;
        ");
        insta::assert_snapshot!(json(&within(&chapters, 100_000_000)), @r#"[{"duration":60.0,"start-time":0.0,"titles":[{"language":"und","title":"Chapter 1"}]},{"duration":18.5,"start-time":60.0,"titles":[{"language":"und","title":"Q & A <live>"}]}]"#);
        for json in [&b""[..], b"{}", b"[]", br#"{"chapters":[{}]}"#] {
            assert_eq!(parse(json), vec![]);
        }
    }
}
