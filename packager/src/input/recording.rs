//! Finds the objects of a recording that a browser stored segment by segment as HLS of fragmented
//! MP4. Joined in order, they are one file. Pure.
//!
//! A crashed tab leaves a Media Playlist without `EXT-X-ENDLIST`, unlisted segments, or no
//! playlist.

use std::collections::{BTreeSet, HashMap};

use lectern::object::key::ObjectKey;

use super::variant::{HlsPlaylist, MediaPlaylist, VariantStreams, parse_playlist};
use crate::input::error::RecordingError;
use crate::redact::redacted;
use crate::storage::StoredEntry;

/// Maximum number of names in an error.
const MOST_NAMES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recording {
    /// Entries of the listed folder, in order.
    pub(super) parts: Vec<StoredEntry>,
    /// Extension of the joined file.
    pub(super) extension: &'static str,
}

/// Kinds of a recording's playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecordingPlaylist {
    /// Paths instead of URIs.
    Multivariant(VariantStreams),
    Media(Recording),
}

/// Reads the playlist at `path`, given the entries `found` beside it.
pub(super) fn read(
    text: &str,
    path: &str,
    found: &[StoredEntry],
) -> Result<RecordingPlaylist, RecordingError> {
    match parse_playlist(text, path)? {
        HlsPlaylist::Multivariant(streams) => streams
            .resolved(|uri| resolve(uri, path))
            .map(RecordingPlaylist::Multivariant),
        HlsPlaylist::Media(listed) => media(&listed, path, found).map(RecordingPlaylist::Media),
    }
}

fn media(
    listed: &MediaPlaylist<'_>,
    playlist: &str,
    found: &[StoredEntry],
) -> Result<Recording, RecordingError> {
    let by_path = by_path(found);
    let parts = (paths(listed, playlist, &by_path)?.into_iter()).map(|path| {
        let entry = by_path.get(path.as_str()).copied();
        entry.cloned().ok_or_else(|| RecordingError::Absent {
            playlist: playlist.to_owned(),
            path,
        })
    });
    Ok(Recording {
        parts: parts.collect::<Result<_, _>>()?,
        extension: listed.extension,
    })
}

/// The stored parts of a Media Playlist.
pub(super) fn stored_parts(
    listed: &MediaPlaylist<'_>,
    playlist: &str,
    found: &[StoredEntry],
) -> Result<Vec<StoredEntry>, RecordingError> {
    let by_path = by_path(found);
    let paths = paths(listed, playlist, &by_path)?.into_iter();
    let stored = paths.filter_map(|path| by_path.get(path.as_str()).copied().cloned());
    Ok(stored.collect())
}

/// A Media Playlist of parts, for a folder that has none.
pub(super) fn playlist_of(recording: &Recording) -> String {
    let uri = |entry: &StoredEntry| {
        let key = ObjectKey::new(&*entry.path).ok()?;
        Some(key.to_url_path().trim_start_matches('/').to_owned())
    };
    let mut uris = recording.parts.iter().filter_map(uri);
    let map = uris.next().unwrap_or_default();
    let segments: String = uris.map(|uri| format!("{uri}\n")).collect();
    format!("#EXTM3U\n#EXT-X-MAP:URI=\"{map}\"\n{segments}#EXT-X-ENDLIST\n")
}

fn by_path(found: &[StoredEntry]) -> HashMap<&str, &StoredEntry> {
    (found.iter())
        .map(|entry| (entry.path.as_str(), entry))
        .collect()
}

/// Paths of a Media Playlist's parts, and of unlisted segments that continue it.
fn paths(
    listed: &MediaPlaylist<'_>,
    playlist: &str,
    by_path: &HashMap<&str, &StoredEntry>,
) -> Result<Vec<String>, RecordingError> {
    let resolved = |uri: &&str| resolve(uri, playlist);
    let map = listed.map.as_ref().map(resolved).transpose()?;
    let segments: Result<Vec<String>, _> = listed.segments.iter().map(resolved).collect();
    let mut segments = segments?;
    if !listed.is_ended {
        let later = segments.last().map(|last| continuation(last, by_path));
        segments.extend(later.unwrap_or_default());
    }
    Ok(map.into_iter().chain(segments).collect())
}

/// Unlisted segments that continue the numbering of the playlist.
fn continuation(last: &str, found: &HashMap<&str, &StoredEntry>) -> Vec<String> {
    let Some((before, number, after)) = numbered(last) else {
        return vec![];
    };
    let width = last.len() - before.len() - after.len();
    let named = |number: u64| {
        let name = format!("{before}{number:0width$}{after}");
        found.contains_key(name.as_str()).then_some(name)
    };
    (number.saturating_add(1)..).map_while(named).collect()
}

/// Finds the recording in a folder without a playlist, by the names of its entries.
pub(super) fn without_playlist(found: &[StoredEntry]) -> Result<Recording, RecordingError> {
    const EXTENSIONS: [&str; 3] = ["m4s", "mp4", "cmfv"];
    let own = found.iter().filter(|entry| {
        let extension = entry.path.rsplit_once('.').map(|(_, extension)| extension);
        !entry.path.contains('/') && extension.is_some_and(|found| EXTENSIONS.contains(&found))
    });
    let is_init = |entry: &&StoredEntry| entry.path.starts_with("init");
    let (inits, others): (Vec<&StoredEntry>, Vec<&StoredEntry>) = own.partition(is_init);
    let mut segments: Vec<(u64, &StoredEntry)> = vec![];
    let mut kinds = BTreeSet::new();
    for entry in others {
        let Some((before, number, after)) = numbered(&entry.path) else {
            continue;
        };
        kinds.insert((before, after));
        segments.push((number, entry));
    }
    let [init] = inits[..] else {
        return Err(match inits.len() {
            0 => RecordingError::Nothing,
            _ => RecordingError::Several(names(&inits)),
        });
    };
    if kinds.len() > 1 {
        let shown = kinds
            .iter()
            .map(|(before, after)| format!("{before}…{after}"));
        return Err(RecordingError::Several(enumerated(shown)));
    }
    segments.sort_by_key(|(number, _)| *number);
    let (first, _) = *segments.first().ok_or(RecordingError::Nothing)?;
    // Recorders count from 0 or from 1.
    for (expected, (number, _)) in (first.min(1)..).zip(&segments) {
        if expected != *number {
            return Err(RecordingError::Gap(expected));
        }
    }
    let parts = [init]
        .into_iter()
        .chain(segments.into_iter().map(|(_, entry)| entry));
    Ok(Recording {
        parts: parts.cloned().collect(),
        extension: "mp4",
    })
}

/// Playlists directly in the folder.
pub(super) fn playlists(found: &[StoredEntry]) -> Vec<&StoredEntry> {
    let is_own = |entry: &&StoredEntry| !entry.path.contains('/') && entry.path.ends_with(".m3u8");
    found.iter().filter(is_own).collect()
}

pub(super) fn names(entries: &[&StoredEntry]) -> String {
    enumerated(entries.iter().map(|entry| entry.path.clone()))
}

/// The first of several names, and the number of the others.
fn enumerated(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let shown: Vec<String> = names
        .take(MOST_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Resolves a URI to a path, which must be in the playlist's folder or below.
pub(super) fn resolve(uri: &str, playlist: &str) -> Result<String, RecordingError> {
    // A query may be a pass.
    let foreign = || RecordingError::Foreign {
        playlist: playlist.to_owned(),
        uri: redacted(uri.split(['?', '#']).next().unwrap_or_default()),
    };
    // RFC 3986 §4.2: a colon before the first slash makes a URI absolute, and a leading slash
    // refers to another folder.
    let plain = uri.split(['?', '#']).next().unwrap_or_default();
    if plain
        .split('/')
        .next()
        .is_none_or(|first| first.is_empty() || first.contains(':'))
    {
        return Err(foreign());
    }
    let key = ObjectKey::from_url_path(&format!("/{plain}")).map_err(|_| foreign())?;
    let folder = playlist.rsplit_once('/').map(|(folder, _)| folder);
    Ok(folder.map_or_else(|| key.to_string(), |folder| format!("{folder}/{key}")))
}

/// Splits `live/segment-1-12.m4s` into `live/segment-1-`, 12 and `.m4s`.
fn numbered(path: &str) -> Option<(&str, u64, &str)> {
    let at = path.rfind('.').filter(|at| !path[*at..].contains('/'))?;
    let (stem, after) = path.split_at(at);
    let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, number) = stem.split_at(stem.len() - digits);
    Some((before, number.parse().ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &str) -> Vec<StoredEntry> {
        let entry = |path: &str| StoredEntry {
            path: path.to_owned(),
            bytes: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
        };
        names.split_whitespace().map(entry).collect()
    }

    fn describe(recording: Result<Recording, RecordingError>) -> String {
        match recording {
            Ok(recording) => {
                let paths = recording.parts.iter().map(|entry| entry.path.as_str());
                paths.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    /// Live output of mediabunny 1.61.
    const LIVE: &str = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MAP:URI=\"init-1.m4s\"\n\n#EXTINF:2,\nsegment-1-1.m4s\n#EXTINF:2,\nsegment-1-2.m4s\n";

    #[test]
    fn a_media_playlist_names_the_parts_of_a_recording() {
        let all = "init-1.m4s segment-1-1.m4s segment-1-2.m4s segment-1-3.m4s segment-1-4.m4s segment-1-6.m4s";
        let ended = format!("{LIVE}\n#EXT-X-ENDLIST\n");
        let map = "#EXTM3U\n#EXT-X-MAP:URI=\"init-1.m4s\"\n";
        for (text, found, expected) in [
            // A crashed tab had uploaded more than its playlist lists.
            (
                LIVE,
                all,
                "init-1.m4s segment-1-1.m4s segment-1-2.m4s segment-1-3.m4s segment-1-4.m4s",
            ),
            (&ended, all, "init-1.m4s segment-1-1.m4s segment-1-2.m4s"),
            (
                LIVE,
                "init-1.m4s segment-1-2.m4s",
                "`x.m3u8` names `segment-1-1.m4s`, which is missing",
            ),
            (
                &format!("{map}#EXT-X-GAP\nsegment-1-1.m4s\nsegment-1-2.m4s\n#EXT-X-ENDLIST"),
                all,
                "init-1.m4s segment-1-2.m4s",
            ),
            (
                &format!("{map}a/seg%2001.m4s?p=x"),
                "init-1.m4s",
                "`x.m3u8` names `a/seg 01.m4s`, which is missing",
            ),
            (
                &format!("{map}#EXT-X-MAP:URI=\"init-2.m4s\"\nb.m4s"),
                all,
                "`x.m3u8` changes its Media Initialization Section in the middle",
            ),
            (
                &format!("{map}#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\nsegment-1-1.m4s"),
                all,
                "`x.m3u8` is encrypted",
            ),
            (
                &format!("{map}#EXT-X-KEY:METHOD=NONE\nsegment-1-1.m4s\n#EXT-X-ENDLIST"),
                all,
                "init-1.m4s segment-1-1.m4s",
            ),
            (
                "#EXTM3U\na09.ts\na10.ts\n",
                "a09.ts a10.ts a11.ts a012.ts",
                "a09.ts a10.ts a11.ts",
            ),
            (
                map,
                all,
                "the folder holds no recording: neither a playlist nor an initialization section with numbered segments",
            ),
            ("<html>", all, "`x.m3u8` is no playlist"),
        ] {
            let read = read(text, "x.m3u8", &entries(found)).map(|playlist| match playlist {
                RecordingPlaylist::Media(recording) => recording,
                RecordingPlaylist::Multivariant(path) => panic!("{path:?}"),
            });
            assert_eq!(describe(read), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_fetched_that_does_not_lie_beside_its_playlist() {
        for uri in [
            "https://elsewhere.example/a.m4s",
            "https://elsewhere.example/a.m4s?sig=secret",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:8787/a.m4s",
            "file:///etc/passwd",
            "//elsewhere.example/a.m4s",
            "/a.m4s",
            "../a.m4s",
            "a/../../b.m4s",
            "a/%2e%2e/b.m4s",
            "a%2fb.m4s",
            "a\\b.m4s",
            "file:a.m4s",
            "data:,x",
            "",
        ] {
            let expected = RecordingError::Foreign {
                playlist: "live/x.m3u8".into(),
                uri: uri.split('?').next().unwrap_or_default().into(),
            };
            assert_eq!(resolve(uri, "live/x.m3u8"), Err(expected), "{uri}");
        }
        assert_eq!(
            resolve("a/b.m4s?p=1#x", "live/x.m3u8").as_deref(),
            Ok("live/a/b.m4s")
        );
    }

    #[test]
    fn a_folder_without_a_playlist_is_sorted_by_names() {
        for (found, expected) in [
            (
                "segment-1-10.m4s segment-1-9.m4s init-1.m4s segment-1-8.m4s sub/segment-1-1.m4s",
                "segment 1 is missing before later ones",
            ),
            (
                "init.mp4 seg00000.m4s seg00001.m4s poster.jpg notes-7.txt",
                "init.mp4 seg00000.m4s seg00001.m4s",
            ),
            (
                "init-1.m4s s-10.m4s s-9.m4s s-8.m4s s-7.m4s s-6.m4s s-5.m4s s-4.m4s s-3.m4s s-2.m4s s-1.m4s",
                "init-1.m4s s-1.m4s s-2.m4s s-3.m4s s-4.m4s s-5.m4s s-6.m4s s-7.m4s s-8.m4s s-9.m4s s-10.m4s",
            ),
            (
                "init.mp4 s-1.m4s s-3.m4s",
                "segment 2 is missing before later ones",
            ),
            (
                "init.mp4 a-1.m4s b-1.m4s",
                "there are several: `a-….m4s`, `b-….m4s`",
            ),
            (
                "init-1.mp4 init-2.mp4 a-1.m4s",
                "there are several: `init-1.mp4`, `init-2.mp4`",
            ),
            (
                "a-1.m4s",
                "the folder holds no recording: neither a playlist nor an initialization section with numbered segments",
            ),
            (
                "init.mp4",
                "the folder holds no recording: neither a playlist nor an initialization section with numbered segments",
            ),
        ] {
            assert_eq!(
                describe(without_playlist(&entries(found))),
                expected,
                "{found}"
            );
        }
    }
}
