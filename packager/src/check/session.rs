//! Checks `EXT-X-SESSION-DATA` (RFC 8216bis §4.4.6.4), and the sprites of a storyboard in it.

use std::collections::BTreeMap;

use lectern::object::content_type::is_picture;
use lectern::playlist::{is_storyboard_name, pictures};
use reqwest::Url;

use super::facts::PackageFacts;
use super::image;
use super::playlist::{CheckedPlaylist, TagEntry, shown};
use super::source::{MOST_SEGMENT, PackageSource};
use super::webvtt::web_vtt;
use crate::check::session_object::{SessionKind, SessionObject};

impl PackageFacts {
    /// Reads the objects of session data.
    pub(super) async fn session(
        &mut self,
        source: &PackageSource,
        entry: &Url,
        playlist: &CheckedPlaylist,
    ) {
        for data in &playlist.session_data {
            let Some(uri) = &data.uri else { continue };
            let Some((at, bytes)) = self.object(source, entry, uri).await else {
                continue;
            };
            let kind = kind(data, &at);
            let mut latest = None;
            let fault = match kind {
                SessionKind::Json => serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
                    .err()
                    .map(|error| format!("it is no JSON: {error}")),
                SessionKind::Chapters => match chapter_starts(&bytes) {
                    Ok(starts) => {
                        latest = starts.iter().copied().reduce(f64::max);
                        (!starts.is_sorted()).then(|| "its chapters are not in order".to_owned())
                    }
                    Err(why) => Some(why),
                },
                SessionKind::Silences => match silence_starts(&bytes) {
                    Ok(starts) => {
                        latest = starts.iter().copied().reduce(f64::max);
                        None
                    }
                    Err(why) => Some(why),
                },
                SessionKind::Storyboard => {
                    latest = web_vtt(&bytes).span.map(|(start, _)| start as f64 / 1e3);
                    fault(&bytes)
                }
                SessionKind::Captions => captions_fault(&bytes),
                SessionKind::Image => image::size(&bytes).err().map(str::to_owned),
                SessionKind::Raw => None,
            };
            if kind == SessionKind::Storyboard {
                for (uri, regions) in sprites(&bytes) {
                    self.sprite(source, &at, &uri, &regions).await;
                }
            }
            self.session.push(SessionObject {
                name: source.name(&at),
                kind,
                fault,
                latest,
            });
        }
    }

    /// Reads a sprite, and compares its size with the regions that are shown of it.
    async fn sprite(&mut self, source: &PackageSource, board: &Url, uri: &str, regions: &[String]) {
        let Some((at, bytes)) = self.object(source, board, uri).await else {
            return;
        };
        let fault = match image::size(&bytes) {
            Err(why) => Some(why.to_owned()),
            Ok(Some(size)) => {
                regions
                    .iter()
                    .find(|region| !is_within(region, size))
                    .map(|region| {
                        let region = shown(region);
                        format!(
                            "it has {}x{} pixels, and `{region}` is not in it",
                            size.0, size.1
                        )
                    })
            }
            Ok(None) => None,
        };
        self.session.push(SessionObject {
            name: source.name(&at),
            kind: SessionKind::Image,
            fault,
            latest: None,
        });
    }

    /// Reads a whole object.
    async fn object(
        &mut self,
        source: &PackageSource,
        base: &Url,
        uri: &str,
    ) -> Option<(Url, Vec<u8>)> {
        let at = self.uri(source, base, uri)?;
        match source.read(&at, None, MOST_SEGMENT).await {
            Ok(bytes) => {
                self.digest(&at, &bytes);
                Some((at, bytes))
            }
            Err(why) => {
                self.unread(source, &at, why);
                None
            }
        }
    }
}

pub(crate) fn kind(data: &TagEntry, at: &Url) -> SessionKind {
    let name = at.path().rsplit('/').next().unwrap_or("");
    let is_chapters = data.get("DATA-ID") == Some("com.apple.hls.chapters");
    match data.get("FORMAT") {
        Some("RAW") if is_storyboard_name(name) => SessionKind::Storyboard,
        Some("RAW") if data.get("DATA-ID") == Some("lectern.captions") => SessionKind::Captions,
        Some("RAW") if is_picture(name) => SessionKind::Image,
        Some("RAW") => SessionKind::Raw,
        _ if is_chapters => SessionKind::Chapters,
        _ if data.get("DATA-ID") == Some("lectern.silences") => SessionKind::Silences,
        _ => SessionKind::Json,
    }
}

/// Fault of a storyboard.
pub(crate) fn fault(board: &[u8]) -> Option<String> {
    let found = web_vtt(board);
    if !found.has_header {
        return Some("it does not begin with `WEBVTT`".to_owned());
    }
    if let Some(cue) = found.bad_cue {
        return Some(format!("`{cue}` is no valid cue time"));
    }
    if let Some(cue) = found.disordered_cue {
        return Some(format!("`{cue}` follows a later cue"));
    }
    let named = named(board);
    if let Some(uri) = named.iter().find(|uri| !is_picture(path(uri))) {
        return Some(format!("`{}` names no image", shown(uri)));
    }
    let text = String::from_utf8_lossy(board);
    let cues = text.lines().filter(|line| line.contains("-->")).count();
    (cues != named.len()).then(|| format!("{} of {cues} cues name an image", named.len()))
}

/// Fault of captions in one file.
fn captions_fault(captions: &[u8]) -> Option<String> {
    let found = web_vtt(captions);
    if !found.has_header {
        return Some("it does not begin with `WEBVTT`".to_owned());
    }
    if !found.is_utf8 {
        return Some("it is not UTF-8".to_owned());
    }
    let cue = found.bad_cue?;
    Some(format!("`{cue}` is no valid cue time"))
}

/// Sprites of a storyboard with their fragments, each once.
fn sprites(board: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for uri in named(board) {
        let (uri, region) = uri.split_once('#').unwrap_or((&uri, ""));
        if is_picture(path(uri)) {
            let regions = found.entry(uri.to_owned()).or_default();
            regions.push(region.to_owned());
        }
    }
    found
}

/// `xywh=0,0,160,90` within an image (Media Fragments URI 1.0 §4.2.2).
fn is_within(region: &str, (width, height): (u32, u32)) -> bool {
    let Some(region) = region.strip_prefix("xywh=") else {
        return true;
    };
    let region = region.strip_prefix("pixel:").unwrap_or(region);
    let numbers: Option<Vec<u64>> = region.split(',').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([x, y, wide, high]) => {
            *wide > 0
                && *high > 0
                && x.saturating_add(*wide) <= width.into()
                && y.saturating_add(*high) <= height.into()
        }
        _ => region.starts_with("percent:"),
    }
}

/// Starts of chapters in seconds, in Apple's format.
fn chapter_starts(bytes: &[u8]) -> Result<Vec<f64>, String> {
    #[derive(serde::Deserialize)]
    struct ListedChapter {
        #[serde(rename = "start-time")]
        start: f64,
    }
    let listed: Result<Vec<ListedChapter>, _> = serde_json::from_slice(bytes);
    let listed = listed.map_err(|error| format!("it is no list of chapters: {error}"))?;
    Ok(listed.iter().map(|chapter| chapter.start).collect())
}

/// Starts of silences in seconds.
fn silence_starts(bytes: &[u8]) -> Result<Vec<f64>, String> {
    let listed: Result<Vec<[f64; 2]>, _> = serde_json::from_slice(bytes);
    let listed = listed.map_err(|error| format!("it is no list of `[from, to]`: {error}"))?;
    if let Some([from, to]) = listed.iter().find(|[from, to]| *from < 0.0 || from >= to) {
        return Err(format!("`[{from}, {to}]` is no time in order"));
    }
    let is_ordered = |pair: &[[f64; 2]]| pair[0][1] <= pair[1][0];
    if !listed.windows(2).all(is_ordered) {
        return Err("its silences are not in order".to_owned());
    }
    Ok(listed.iter().map(|[from, _]| *from).collect())
}

fn named(board: &[u8]) -> Vec<String> {
    pictures(board)
        .into_iter()
        .map(|span| String::from_utf8_lossy(&board[span.at]).into_owned())
        .collect()
}

fn path(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_storyboard_are_reported() {
        const TIMES: &str = "00:00.000 --> 00:02.000";
        for (text, expected) in [
            (format!("WEBVTT\n\n{TIMES}\na.jpg?p=x#xywh=0,0,1,1\n"), None),
            ("WEBVTT\n".to_owned(), None),
            (
                format!("WEBVTT\n\n00:02.000 --> 00:04.000\na.jpg\n\n{TIMES}\na.jpg\n"),
                Some("`00:00.000 --> 00:02.000` follows a later cue"),
            ),
            (
                format!("\n{TIMES}\na.jpg\n"),
                Some("it does not begin with `WEBVTT`"),
            ),
            (
                "WEBVTT\n\n0 --> 2\na.jpg\n".to_owned(),
                Some("`0 --> 2` is no valid cue time"),
            ),
            (
                format!("WEBVTT\n\n{TIMES}\nHello\n"),
                Some("`Hello` names no image"),
            ),
            (
                format!("WEBVTT\n\n{TIMES}\n\n{TIMES}\na.jpg\n"),
                Some("1 of 2 cues name an image"),
            ),
        ] {
            assert_eq!(fault(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn faults_of_captions_are_reported() {
        for (bytes, expected) in [
            (&b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n"[..], None),
            (b"WEBVTT\n", None),
            (
                b"1\n00:00.000 --> 00:02.000\nHello\n",
                Some("it does not begin with `WEBVTT`"),
            ),
            (
                b"WEBVTT\n\n00:00.000 --> 00:02.000\n\xff\n",
                Some("it is not UTF-8"),
            ),
            (
                b"WEBVTT\n\n0 --> 2\nHello\n",
                Some("`0 --> 2` is no valid cue time"),
            ),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(captions_fault(bytes).as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn a_region_lies_in_its_image() {
        for (region, expected) in [
            ("xywh=0,0,160,90", true),
            ("xywh=160,90,160,90", true),
            ("xywh=pixel:0,0,320,180", true),
            ("xywh=percent:0,0,50,50", true),
            ("", true),
            ("xywh=161,0,160,90", false),
            ("xywh=0,0,0,90", false),
            ("xywh=a", false),
        ] {
            assert_eq!(is_within(region, (320, 180)), expected, "{region}");
        }
    }

    #[test]
    fn silences_are_pairs_in_order() {
        assert_eq!(silence_starts(b"[[0,1.5],[1.5,3]]"), Ok(vec![0.0, 1.5]));
        assert_eq!(silence_starts(b"[]"), Ok(vec![]));
        for (json, expected) in [
            ("[[2,1]]", "`[2, 1]` is no time in order"),
            ("[[-1,1]]", "`[-1, 1]` is no time in order"),
            ("[[0,2],[1,3]]", "its silences are not in order"),
        ] {
            let found = silence_starts(json.as_bytes());
            assert_eq!(found, Err(expected.to_owned()), "{json}");
        }
        for json in ["{}", "[1,2]", "[[1]]", "[[1,2,3]]", ""] {
            assert!(silence_starts(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn chapters_are_a_list_of_objects_with_a_start() {
        assert_eq!(chapter_starts(b"[]"), Ok(vec![]));
        let one = br#"[{"start-time":1.5,"titles":[{"language":"en","title":"One"}]}]"#;
        assert_eq!(chapter_starts(one), Ok(vec![1.5]));
        assert!(chapter_starts(b"{}").is_err());
    }
}
