//! A recording that was stored segment by segment while it was made: HLS of fragmented MP4, as browsers write it. Which objects,
//! one after the other, are the recording as one file. Pure.
//!
//! A tab that dies leaves a Media Playlist without `EXT-X-ENDLIST`, segments that it does not list yet, or no playlist.

use lectern::object_key::ObjectKey;

use crate::publish::Entry;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recording {
    /// From the folder that was listed, in their order.
    pub(crate) parts: Vec<Entry>,
    /// Of the file that they make.
    pub(crate) extension: &'static str,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum RecordingError {
    #[error("`{0}` is no playlist")]
    NoPlaylist(String),
    #[error("`{playlist}` names `{uri}`, which does not lie in its own folder")]
    Foreign { playlist: String, uri: String },
    #[error("`{playlist}` names `{path}`, which is not there")]
    Absent { playlist: String, path: String },
    #[error("`{0}` is encrypted")]
    Encrypted(String),
    #[error("`{0}` names ranges of a file")]
    Ranges(String),
    #[error("`{0}` begins anew in the middle, with another Media Initialization Section")]
    Runs(String),
    #[error("`{0}` has sound in a playlist of its own")]
    Apart(String),
    #[error("there are several: {}", .0.join(", "))]
    Several(Vec<String>),
    #[error(
        "nothing there is a recording: neither a playlist nor an initialization section with numbered segments"
    )]
    Nothing,
    #[error("segment {0} is missing, and later ones are there")]
    Gap(u64),
}

impl RecordingError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoPlaylist(_) => "check the name",
            Self::Foreign { .. } => "only what lies beside a playlist is fetched; copy it there",
            Self::Absent { .. } => "wait until it is uploaded, and run this again",
            Self::Encrypted(_) => "decrypt it with the tool that made it",
            Self::Ranges(_) => "give the name of the file",
            Self::Runs(_) => "ship each run by itself, from a folder of its own",
            Self::Apart(_) => "record picture and sound into the same segments",
            Self::Several(_) => "give the name of one, in place of the folder's",
            Self::Nothing => "check the name of the folder",
            Self::Gap(_) => "upload it, or name a playlist that lists what is to be taken",
        }
    }
}

/// What a playlist turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Playlist {
    /// The path of the Media Playlist of its best Variant Stream.
    Multivariant(String),
    Media(Recording),
}

/// A playlist's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said<'text> {
    /// The URI of its best Variant Stream.
    Multivariant(&'text str),
    Media(Listed<'text>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed<'text> {
    /// The URI of its Media Initialization Section.
    pub(crate) map: Option<&'text str>,
    pub(crate) segments: Vec<&'text str>,
    pub(crate) is_ended: bool,
}

impl Listed<'_> {
    /// Of the file that they make.
    pub(crate) fn extension(&self) -> &'static str {
        match self.map {
            Some(_) => "mp4",
            None => "ts",
        }
    }
}

/// Reads a playlist that lies at `path`, beside what was `found`.
pub(crate) fn read(text: &str, path: &str, found: &[Entry]) -> Result<Playlist, RecordingError> {
    match said(text, path)? {
        Said::Multivariant(uri) => resolve(uri, path).map(Playlist::Multivariant),
        Said::Media(listed) => media(&listed, path, found).map(Playlist::Media),
    }
}

/// Reads a playlist, which errors call `name`.
pub(crate) fn said<'text>(text: &'text str, name: &str) -> Result<Said<'text>, RecordingError> {
    if !text.trim_start_matches('\u{feff}').starts_with("#EXTM3U") {
        return Err(RecordingError::NoPlaylist(name.to_owned()));
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines().any(|line| line.starts_with("#EXT-X-STREAM-INF:")) {
        return best_variant(lines(), name).map(Said::Multivariant);
    }
    listed(lines(), name).map(Said::Media)
}

fn best_variant<'text>(
    lines: impl Iterator<Item = &'text str>,
    name: &str,
) -> Result<&'text str, RecordingError> {
    let mut best: Option<(u64, &str)> = None;
    let mut bandwidth = None;
    for line in lines {
        if let Some(attributes) = line.strip_prefix("#EXT-X-MEDIA:") {
            // Without a URI it lies in the Variant Streams.
            let is_sound = attribute(attributes, "TYPE") == Some("AUDIO");
            if is_sound && attribute(attributes, "URI").is_some() {
                return Err(RecordingError::Apart(name.to_owned()));
            }
        } else if let Some(attributes) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let number = attribute(attributes, "BANDWIDTH").and_then(|value| value.parse().ok());
            bandwidth = Some(number.unwrap_or(0));
        } else if !line.starts_with('#')
            && let Some(bandwidth) = bandwidth.take()
            && best.is_none_or(|(most, _)| bandwidth > most)
        {
            best = Some((bandwidth, line));
        }
    }
    best.map(|(_, uri)| uri).ok_or(RecordingError::Nothing)
}

fn listed<'text>(
    lines: impl Iterator<Item = &'text str>,
    name: &str,
) -> Result<Listed<'text>, RecordingError> {
    let mut listed = Listed::default();
    let mut is_gap = false;
    for line in lines {
        let (tag, attributes) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-MAP" => {
                if attribute(attributes, "BYTERANGE").is_some() {
                    return Err(RecordingError::Ranges(name.to_owned()));
                }
                let uri = attribute(attributes, "URI").unwrap_or_default();
                if *listed.map.get_or_insert(uri) != uri {
                    return Err(RecordingError::Runs(name.to_owned()));
                }
            }
            "#EXT-X-BYTERANGE" => return Err(RecordingError::Ranges(name.to_owned())),
            "#EXT-X-KEY" if attribute(attributes, "METHOD") != Some("NONE") => {
                return Err(RecordingError::Encrypted(name.to_owned()));
            }
            "#EXT-X-GAP" => is_gap = true,
            "#EXT-X-ENDLIST" => listed.is_ended = true,
            _ if line.starts_with('#') => {}
            // RFC 8216bis §4.4.4.7: a segment that is marked so is not there.
            _ if std::mem::take(&mut is_gap) => {}
            _ => listed.segments.push(line),
        }
    }
    match listed.segments.is_empty() {
        true => Err(RecordingError::Nothing),
        false => Ok(listed),
    }
}

fn media(
    listed: &Listed<'_>,
    playlist: &str,
    found: &[Entry],
) -> Result<Recording, RecordingError> {
    let resolved = |uri: &&str| resolve(uri, playlist);
    let map = listed.map.as_ref().map(resolved).transpose()?;
    let segments: Result<Vec<String>, _> = listed.segments.iter().map(resolved).collect();
    let mut segments = segments?;
    if !listed.is_ended {
        let later = segments.last().map(|last| continuation(last, found));
        segments.extend(later.unwrap_or_default());
    }
    let parts = (map.into_iter().chain(segments)).map(|path| {
        let entry = found.iter().find(|entry| entry.path == path);
        entry.cloned().ok_or_else(|| RecordingError::Absent {
            playlist: playlist.to_owned(),
            path,
        })
    });
    Ok(Recording {
        parts: parts.collect::<Result<_, _>>()?,
        extension: listed.extension(),
    })
}

/// Segments that follow by their number and that the playlist does not list yet.
fn continuation(last: &str, found: &[Entry]) -> Vec<String> {
    let Some((before, number, after)) = numbered(last) else {
        return vec![];
    };
    let width = last.len() - before.len() - after.len();
    let named = |number: u64| {
        let name = format!("{before}{number:0width$}{after}");
        found.iter().any(|entry| entry.path == name).then_some(name)
    };
    (number + 1..).map_while(named).collect()
}

/// What a folder without a playlist holds, by the names of what lies in itself.
pub(crate) fn without_playlist(found: &[Entry]) -> Result<Recording, RecordingError> {
    const EXTENSIONS: [&str; 3] = ["m4s", "mp4", "cmfv"];
    let own = found.iter().filter(|entry| {
        let extension = entry.path.rsplit_once('.').map(|(_, extension)| extension);
        !entry.path.contains('/') && extension.is_some_and(|found| EXTENSIONS.contains(&found))
    });
    let is_init = |entry: &&Entry| entry.path.starts_with("init");
    let (inits, others): (Vec<&Entry>, Vec<&Entry>) = own.partition(is_init);
    let mut segments: Vec<(u64, &Entry)> = vec![];
    let mut kinds: Vec<(&str, &str)> = vec![];
    for entry in others {
        let Some((before, number, after)) = numbered(&entry.path) else {
            continue;
        };
        if !kinds.contains(&(before, after)) {
            kinds.push((before, after));
        }
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
            .map(|(before, after)| format!("`{before}…{after}`"));
        return Err(RecordingError::Several(shown.collect()));
    }
    segments.sort_by_key(|(number, _)| *number);
    let (first, _) = *segments.first().ok_or(RecordingError::Nothing)?;
    // Some count from 0, and some from 1.
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

/// Playlists that lie in the folder itself.
pub(crate) fn playlists(found: &[Entry]) -> Vec<&Entry> {
    let is_own = |entry: &&Entry| !entry.path.contains('/') && entry.path.ends_with(".m3u8");
    found.iter().filter(is_own).collect()
}

pub(crate) fn names(entries: &[&Entry]) -> Vec<String> {
    let quoted = |entry: &&Entry| format!("`{}`", entry.path);
    entries.iter().map(quoted).collect()
}

/// The path of what a playlist names, which lies in the playlist's folder or below.
fn resolve(uri: &str, playlist: &str) -> Result<String, RecordingError> {
    let foreign = || RecordingError::Foreign {
        playlist: playlist.to_owned(),
        uri: uri
            .chars()
            .filter(|character| !character.is_control())
            .take(200)
            .collect(),
    };
    // RFC 3986 §4.2: what has a colon before its first slash is absolute, and what begins with a slash lies elsewhere.
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

/// `live/segment-1-`, 12 and `.m4s` of `live/segment-1-12.m4s`.
fn numbered(path: &str) -> Option<(&str, u64, &str)> {
    let at = path.rfind('.').filter(|at| !path[*at..].contains('/'))?;
    let (stem, after) = path.split_at(at);
    let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, number) = stem.split_at(stem.len() - digits);
    Some((before, number.parse().ok()?, after))
}

/// RFC 8216bis §4.2: `NAME=value` or `NAME="value"`, separated by commas.
fn attribute<'text>(list: &'text str, name: &str) -> Option<&'text str> {
    let mut rest = list;
    loop {
        let (found, tail) = rest.split_once('=')?;
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => {
                let (value, tail) = quoted.split_once('"')?;
                (value, tail.strip_prefix(',').unwrap_or(tail))
            }
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        if found.trim() == name {
            return Some(value);
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &str) -> Vec<Entry> {
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            bytes: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
        };
        names.split_whitespace().map(entry).collect()
    }

    fn told(recording: Result<Recording, RecordingError>) -> String {
        match recording {
            Ok(recording) => {
                let paths = recording.parts.iter().map(|entry| entry.path.as_str());
                paths.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    /// As mediabunny 1.61 writes it in live mode.
    const LIVE: &str = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MAP:URI=\"init-1.m4s\"\n\n#EXTINF:2,\nsegment-1-1.m4s\n#EXTINF:2,\nsegment-1-2.m4s\n";

    #[test]
    fn a_media_playlist_names_the_parts_of_a_recording() {
        let all = "init-1.m4s segment-1-1.m4s segment-1-2.m4s segment-1-3.m4s segment-1-4.m4s segment-1-6.m4s";
        let ended = format!("{LIVE}\n#EXT-X-ENDLIST\n");
        let map = "#EXTM3U\n#EXT-X-MAP:URI=\"init-1.m4s\"\n";
        for (text, found, expected) in [
            // A tab that died had uploaded more than its playlist says.
            (
                LIVE,
                all,
                "init-1.m4s segment-1-1.m4s segment-1-2.m4s segment-1-3.m4s segment-1-4.m4s",
            ),
            (&ended, all, "init-1.m4s segment-1-1.m4s segment-1-2.m4s"),
            (
                LIVE,
                "init-1.m4s segment-1-2.m4s",
                "`x.m3u8` names `segment-1-1.m4s`, which is not there",
            ),
            (
                &format!("{map}#EXT-X-GAP\nsegment-1-1.m4s\nsegment-1-2.m4s\n#EXT-X-ENDLIST"),
                all,
                "init-1.m4s segment-1-2.m4s",
            ),
            (
                &format!("{map}a/seg%2001.m4s?p=x"),
                "init-1.m4s",
                "`x.m3u8` names `a/seg 01.m4s`, which is not there",
            ),
            (
                &format!("{map}#EXT-X-MAP:URI=\"init-2.m4s\"\nb.m4s"),
                all,
                "`x.m3u8` begins anew in the middle, with another Media Initialization Section",
            ),
            (
                &format!("{map}#EXT-X-BYTERANGE:5@0\nsegment-1-1.m4s"),
                all,
                "`x.m3u8` names ranges of a file",
            ),
            (
                "#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"9@0\",URI=\"a\"\nb",
                all,
                "`x.m3u8` names ranges of a file",
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
                "nothing there is a recording: neither a playlist nor an initialization section with numbered segments",
            ),
            ("<html>", all, "`x.m3u8` is no playlist"),
        ] {
            let read = read(text, "x.m3u8", &entries(found)).map(|playlist| match playlist {
                Playlist::Media(recording) => recording,
                Playlist::Multivariant(path) => panic!("{path}"),
            });
            assert_eq!(told(read), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_fetched_that_does_not_lie_beside_its_playlist() {
        for uri in [
            "https://elsewhere.example/a.m4s",
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
                uri: uri.into(),
            };
            assert_eq!(resolve(uri, "live/x.m3u8"), Err(expected), "{uri}");
        }
        assert_eq!(
            resolve("a/b.m4s?p=1#x", "live/x.m3u8").as_deref(),
            Ok("live/a/b.m4s")
        );
    }

    #[test]
    fn a_multivariant_playlist_leads_to_its_best_variant() {
        let stream = |bandwidth: u32, uri: &str| {
            format!(
                "#EXT-X-STREAM-INF:CODECS=\"avc1.42c01e,BANDWIDTH=9\",BANDWIDTH={bandwidth}\n{uri}\n"
            )
        };
        let [low, high] = [
            stream(500, "playlist-1.m3u8"),
            stream(900, "playlist-2.m3u8"),
        ];
        for (text, expected) in [
            (low.clone(), Ok("live/playlist-1.m3u8")),
            (format!("{low}{high}"), Ok("live/playlist-2.m3u8")),
            (format!("{high}{low}"), Ok("live/playlist-2.m3u8")),
            (
                format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"A\"\n{low}"),
                Ok("live/playlist-1.m3u8"),
            ),
            (
                format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"a.m3u8\"\n{low}"),
                Err("`live/master.m3u8` has sound in a playlist of its own"),
            ),
        ] {
            let read = read(&format!("#EXTM3U\n{text}"), "live/master.m3u8", &[]);
            let found = read.map_err(|error| error.to_string());
            let expected = expected.map(|path| Playlist::Multivariant(path.to_owned()));
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_folder_without_a_playlist_is_told_by_names() {
        for (found, expected) in [
            (
                "segment-1-10.m4s segment-1-9.m4s init-1.m4s segment-1-8.m4s sub/segment-1-1.m4s",
                "segment 1 is missing, and later ones are there",
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
                "segment 2 is missing, and later ones are there",
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
                "nothing there is a recording: neither a playlist nor an initialization section with numbered segments",
            ),
            (
                "init.mp4",
                "nothing there is a recording: neither a playlist nor an initialization section with numbered segments",
            ),
        ] {
            assert_eq!(told(without_playlist(&entries(found))), expected, "{found}");
        }
    }
}
