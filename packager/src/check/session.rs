//! Checks `EXT-X-SESSION-DATA` (RFC 8216bis §4.4.6.4), and the sprites of a storyboard in it.

use std::collections::BTreeSet;

use lectern::object::content_type::is_picture;
use lectern::playlist::{is_storyboard_name, pictures};
use reqwest::Url;

use super::facts::PackageFacts;
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
            let fault = match kind {
                SessionKind::Json => serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
                    .err()
                    .map(|error| format!("it is no JSON: {error}")),
                SessionKind::Storyboard => fault(&bytes),
                SessionKind::Raw => None,
            };
            if kind == SessionKind::Storyboard {
                for uri in sprites(&bytes) {
                    self.object(source, &at, &uri).await;
                }
            }
            self.session.push(SessionObject {
                name: source.name(&at),
                kind,
                fault,
            });
        }
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
                self.digest(source, &at, &bytes);
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
    match data.get("FORMAT") {
        Some("RAW") if is_storyboard_name(name) => SessionKind::Storyboard,
        Some("RAW") => SessionKind::Raw,
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
    let named = named(board);
    if let Some(uri) = named.iter().find(|uri| !is_picture(path(uri))) {
        return Some(format!("`{}` names no image", shown(uri)));
    }
    let text = String::from_utf8_lossy(board);
    let cues = text.lines().filter(|line| line.contains("-->")).count();
    (cues != named.len()).then(|| format!("{} of {cues} cues name an image", named.len()))
}

/// Sprites of a storyboard without fragments, each once.
fn sprites(board: &[u8]) -> BTreeSet<String> {
    let named = named(board).into_iter();
    let uris = named.map(|uri| uri.split('#').next().unwrap_or("").to_owned());
    uris.filter(|uri| is_picture(path(uri))).collect()
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
}
