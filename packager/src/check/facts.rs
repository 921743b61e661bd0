//! Facts for the rules. Each object is read once, and facts take a few dozen bytes a segment, so
//! memory does not grow with the lecture.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use futures_util::stream::{self, StreamExt as _};
use reqwest::Url;

use super::CheckError;
use super::dash::{self, Manifest};
use super::download::{self, CheckedDownload};
use super::encryption::{self, KEY, KeyRing, Protection};
use super::fmp4::{CheckedInit, CheckedTrack, is_boxes};
use super::package_json::{self, PackageJson};
use super::playlist::{CheckedPlaylist, ListedKey, ListedSegment, shown};
use super::session_object::SessionObject;
use super::source::{MOST_INIT, MOST_PLAYLIST, MOST_SEGMENT, PackageSource, Unread, resolve};
use super::transport::Transport;
use super::webvtt::web_vtt;
use crate::check::rendition::{CheckedRendition, CheckedSegment, ListedAs, SegmentBody};
use crate::digest::sha256;

/// Parallel requests, which bound the segments in memory.
const AHEAD: usize = 4;
pub(crate) const MOST_PLAYLISTS: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct PackageFacts {
    pub(crate) name: String,
    /// `None` if the input is a Media Playlist.
    pub(crate) multivariant: Option<CheckedPlaylist>,
    /// Every Media Playlist once, in listed order.
    pub(crate) renditions: Vec<CheckedRendition>,
    /// Listed objects that could not be read, with the reason.
    pub(crate) unread: Vec<(String, Unread)>,
    /// URIs with the name of their playlist; the flag tells if they stay below the Multivariant
    /// Playlist.
    pub(crate) uris: Vec<(String, String, bool)>,
    /// Objects of session data.
    pub(crate) session: Vec<SessionObject>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) listed: Option<PackageJson>,
    pub(crate) download: Option<CheckedDownload>,
    /// Names of video segments with the name of another one of the same bytes.
    pub(crate) copies: Vec<(String, String)>,
    /// Playlists that were not read, because there are too many.
    pub(crate) surplus: usize,
    /// Size and SHA-256 of objects that were read completely.
    digests: BTreeMap<String, (u64, String)>,
    keys: KeyRing,
}

impl PackageFacts {
    pub(crate) async fn gather(source: &PackageSource, entry: Url) -> Result<Self, CheckError> {
        let unreadable = |why| CheckError::Unreadable {
            name: source.name(&entry),
            why,
        };
        let bytes = source
            .read(&entry, None, MOST_PLAYLIST)
            .await
            .map_err(unreadable)?;
        if !bytes.starts_with(b"#EXTM3U") && !bytes.starts_with(b"\xEF\xBB\xBF#EXTM3U") {
            return Err(unreadable("it does not start with `#EXTM3U`".to_owned()));
        }
        let playlist = CheckedPlaylist::parse(&bytes);
        let mut facts = Self {
            name: source.name(&entry),
            ..Self::default()
        };
        facts.digest(&entry, &bytes);
        if !playlist.is_multivariant() {
            facts
                .media(source, &entry, playlist, vec![ListedAs::Alone], false)
                .await;
            return Ok(facts);
        }
        for (number, (uri, uses, is_subtitles)) in listed(&playlist).into_iter().enumerate() {
            if number >= MOST_PLAYLISTS {
                facts.surplus += 1;
                continue;
            }
            let Some(at) = facts.uri(source, &entry, &uri) else {
                continue;
            };
            let read = source.read(&at, None, MOST_PLAYLIST).await;
            let bytes = match read {
                Ok(bytes) => bytes,
                Err(why) => {
                    facts.unread(source, &at, why);
                    continue;
                }
            };
            facts.digest(&at, &bytes);
            let media = CheckedPlaylist::parse_with(&bytes, &playlist.variables);
            if media.is_multivariant() {
                let why = "it is a Multivariant Playlist instead of a Media Playlist";
                facts.unread.push((source.name(&at), why.to_owned()));
                continue;
            }
            facts.media(source, &at, media, uses, is_subtitles).await;
        }
        facts.session(source, &entry, &playlist).await;
        facts
            .read_keys(source, &entry, &playlist.session_keys)
            .await;
        facts.copies = facts.copied_segments();
        facts.multivariant = Some(playlist);
        if source.is_folder() {
            let folders = facts.folders();
            facts.manifest = dash::find(source, &folders, &facts.renditions).await;
            facts.listed =
                package_json::find(source, &folders, &facts.digests, &facts.renditions).await;
            facts.download = download::find(source, &folders, &facts.renditions).await;
        }
        facts.digests.clear();
        Ok(facts)
    }

    /// Folders that may hold `manifest.mpd` and `package.json`: those above the Media Playlists,
    /// from the root.
    fn folders(&self) -> Vec<String> {
        let mut found = vec![String::new()];
        for rendition in self.renditions.iter().take(20) {
            for (at, _) in rendition.name.match_indices('/').take(8) {
                let folder = &rendition.name[..=at];
                if !found.iter().any(|known| known == folder) {
                    found.push(folder.to_owned());
                }
            }
        }
        found
    }

    async fn media(
        &mut self,
        source: &PackageSource,
        at: &Url,
        playlist: CheckedPlaylist,
        uses: Vec<ListedAs>,
        is_subtitles: bool,
    ) {
        let keys = self.read_keys(source, at, &playlist.keys).await;
        let mut inits = vec![];
        for map in &playlist.maps {
            let Some(url) = self.uri(source, at, &map.place.uri) else {
                inits.push(None);
                continue;
            };
            let read = match source.read(&url, map.place.range, MOST_INIT).await {
                Ok(bytes) => {
                    if map.place.range.is_none() {
                        self.digest(&url, &bytes);
                    }
                    let key = map
                        .key
                        .and_then(|at| playlist.keys.get(at).zip(keys.get(at)));
                    // §5.2 gives no default vector to an initialization section.
                    match plain(bytes, key, 0) {
                        Plain::Bytes(bytes) => CheckedInit::parse(&bytes),
                        Plain::Sealed(why) => Err(why.to_owned()),
                        Plain::Wrong(why) => Err(why),
                    }
                }
                Err(why) => Err(why),
            };
            inits.push(match read {
                Ok(init) => Some(init),
                Err(why) => {
                    self.unread(source, &url, why);
                    None
                }
            });
        }
        let places: Vec<Option<Url>> = playlist
            .segments
            .iter()
            .map(|listed| match resolve(at, &listed.place) {
                Some(url) => {
                    self.used(source, at, &listed.place.uri, &url);
                    Some(url)
                }
                None => None,
            })
            .collect();
        let (mut segments, mut transported) = (Vec::with_capacity(places.len()), vec![]);
        // In a folder, reading ahead gains nothing.
        let ahead = if source.is_folder() { 1 } else { AHEAD };
        let mut reading = stream::iter(playlist.segments.iter().zip(&places))
            .map(|(listed, url)| async move {
                let read = match url {
                    _ if listed.is_gap => Ok(vec![]),
                    Some(url) => source.read(url, listed.place.range, MOST_SEGMENT).await,
                    None => Err("its URI is none".to_owned()),
                };
                (listed, url, read)
            })
            .buffered(ahead);
        while let Some((listed, url, read)) = reading.next().await {
            let segment = match (read, url) {
                _ if listed.is_gap => CheckedSegment {
                    bytes: 0,
                    body: SegmentBody::Gap,
                },
                (Ok(bytes), Some(url)) => {
                    if listed.place.range.is_none() {
                        self.digest(url, &bytes);
                    }
                    let key = listed
                        .key
                        .and_then(|at| playlist.keys.get(at).zip(keys.get(at)));
                    let length = bytes.len() as u64;
                    CheckedSegment {
                        bytes: length,
                        body: match plain(bytes, key, listed.number) {
                            Plain::Bytes(bytes) => {
                                body(&bytes, listed, &inits, is_subtitles, &mut transported)
                            }
                            Plain::Sealed(why) => SegmentBody::Opaque(why),
                            Plain::Wrong(why) => SegmentBody::Undecryptable(why),
                        },
                    }
                }
                (Err(why), url) => {
                    match url {
                        Some(url) => self.unread(source, url, why),
                        None => self.unread.push((shown(&listed.place.uri), why)),
                    }
                    CheckedSegment {
                        bytes: 0,
                        body: SegmentBody::Unread,
                    }
                }
                (Ok(_), None) => continue,
            };
            segments.push(segment);
            // Signals are handled between segments.
            tokio::task::yield_now().await;
        }
        drop(reading);
        self.renditions.push(CheckedRendition {
            name: source.name(at),
            at: at.clone(),
            uses,
            playlist,
            inits,
            transported,
            segments,
            is_subtitles,
            rates: OnceLock::new(),
        });
    }

    /// Reads the keys of a playlist, in their order; `None` for one that is not readable here.
    async fn read_keys(
        &mut self,
        source: &PackageSource,
        base: &Url,
        listed: &[ListedKey],
    ) -> Vec<Option<[u8; KEY]>> {
        let mut found = Vec::with_capacity(listed.len());
        for key in listed {
            let uri = key.uri.as_ref().filter(|_| key.is_identity);
            let url = uri.and_then(|uri| self.uri(source, base, uri));
            let Some(url) = url else {
                found.push(None);
                continue;
            };
            found.push(match self.keys.read(source, &url).await {
                Ok(key) => key,
                Err(why) => {
                    self.unread(source, &url, why);
                    None
                }
            });
        }
        found
    }

    /// Video segments with the bytes of a segment of another Rendition. A Rendition that is a copy
    /// as a whole is a fallback (§4.4.6.2).
    fn copied_segments(&self) -> Vec<(String, String)> {
        let mut first: BTreeMap<&str, (usize, String)> = BTreeMap::new();
        let mut found = vec![];
        for (number, rendition) in self.renditions.iter().enumerate() {
            if !rendition.has_video() {
                continue;
            }
            let (mut copies, mut seen) = (vec![], 0);
            for listed in &rendition.playlist.segments {
                let Some(at) = resolve(&rendition.at, &listed.place) else {
                    continue;
                };
                let Some((_, sha256)) = self.digests.get(at.as_str()) else {
                    continue;
                };
                seen += 1;
                let name = format!("{}, `{}`", rendition.name, shown(&listed.place.uri));
                match first.get(sha256.as_str()) {
                    Some((other, original)) if *other != number => {
                        copies.push((name, original.clone()));
                    }
                    Some(_) => {}
                    None => {
                        first.insert(sha256, (number, name));
                    }
                }
            }
            if copies.len() < seen {
                found.append(&mut copies);
            }
        }
        found
    }

    /// Records a URI, and resolves it.
    pub(super) fn uri(&mut self, source: &PackageSource, base: &Url, uri: &str) -> Option<Url> {
        let url = base.join(uri).ok();
        match &url {
            Some(url) => self.used(source, base, uri, url),
            None => self.unread.push((shown(uri), "its URI is none".to_owned())),
        }
        url
    }

    /// Records an unreadable object. Another rule reports objects outside the folder, which are not
    /// opened.
    pub(super) fn unread(&mut self, source: &PackageSource, at: &Url, why: Unread) {
        if !source.is_folder() || source.is_below(at) {
            self.unread.push((source.name(at), why));
        }
    }

    fn used(&mut self, source: &PackageSource, base: &Url, uri: &str, url: &Url) {
        let is_below = source.is_below(url);
        // Thousands of segments have similar names, so only unusual ones are kept.
        if !is_below || !is_plain(uri) {
            self.uris.push((source.name(base), shown(uri), is_below));
        } else if self.uris.is_empty() {
            // One entry makes the rule apply.
            self.uris.push((source.name(base), String::new(), true));
        }
    }

    pub(super) fn digest(&mut self, at: &Url, bytes: &[u8]) {
        let digest = (bytes.len() as u64, sha256(bytes));
        self.digests.insert(at.as_str().to_owned(), digest);
    }
}

/// Accepts letters, digits and characters that shells, caches and proxies read alike; a query may
/// follow.
pub(crate) fn is_plain(uri: &str) -> bool {
    let path = uri.split('?').next().unwrap_or(uri);
    let path = path
        .strip_prefix("https://")
        .or_else(|| path.strip_prefix("http://"))
        .unwrap_or(path);
    !path.is_empty()
        && !path.contains("//")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/+@%:".contains(&byte))
        && !path.to_ascii_lowercase().contains("%2f")
        && uri.is_ascii()
}

/// Every Media Playlist of a Multivariant Playlist, once.
pub(crate) fn listed(playlist: &CheckedPlaylist) -> Vec<(String, Vec<ListedAs>, bool)> {
    let variants = playlist.variants.iter().map(|entry| (entry, false));
    let media = playlist.media.iter().map(|entry| {
        let is_subtitles = entry.get("TYPE") == Some("SUBTITLES");
        (entry, is_subtitles)
    });
    let i_frames = playlist.i_frames.iter().map(|entry| (entry, false));
    let all = variants
        .enumerate()
        .map(|(at, entry)| (ListedAs::Variant(at), entry))
        .chain(
            media
                .enumerate()
                .map(|(at, entry)| (ListedAs::Media(at), entry)),
        )
        .chain(
            i_frames
                .enumerate()
                .map(|(at, entry)| (ListedAs::IFrames(at), entry)),
        );
    let mut found: Vec<(String, Vec<ListedAs>, bool)> = vec![];
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, (entry, is_subtitles)) in all {
        let Some(uri) = &entry.uri else { continue };
        let at = *known.entry(uri).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, uses, _)) => uses.push(kind),
            None => found.push((uri.clone(), vec![kind], is_subtitles)),
        }
    }
    found
}

/// Bytes of an object after decryption.
enum Plain {
    Bytes(Vec<u8>),
    /// Its key cannot be used.
    Sealed(&'static str),
    /// It does not decrypt.
    Wrong(String),
}

/// Decrypts an object, if a key encrypts it as a whole.
fn plain(bytes: Vec<u8>, key: Option<(&ListedKey, &Option<[u8; KEY]>)>, number: u64) -> Plain {
    let Some((listed, key)) = key else {
        return Plain::Bytes(bytes);
    };
    match (encryption::protection(listed), key) {
        (Protection::Samples, _) => Plain::Bytes(bytes),
        (Protection::Unsupported(why), _) => Plain::Sealed(why),
        (Protection::Whole, None) => Plain::Sealed("its key is not readable"),
        (Protection::Whole, Some(key)) => {
            match encryption::decrypt(&bytes, key, &listed.vector(number)) {
                Ok(bytes) => Plain::Bytes(bytes),
                Err(why) => Plain::Wrong(why),
            }
        }
    }
}

/// Parses the body of a segment. `transported` becomes the tracks of the first transport stream.
pub(crate) fn body(
    bytes: &[u8],
    listed: &ListedSegment,
    inits: &[Option<CheckedInit>],
    is_subtitles: bool,
    transported: &mut Vec<CheckedTrack>,
) -> SegmentBody {
    let init = listed.map.and_then(|map| inits.get(map));
    if is_boxes(bytes) || (init.is_some() && !is_subtitles) {
        return match init {
            Some(Some(init)) => match init.read(bytes) {
                Ok(fragments) => SegmentBody::Fragments(fragments),
                Err(why) => SegmentBody::Wrong(why),
            },
            Some(None) => SegmentBody::Opaque("its initialization section is not readable"),
            None => SegmentBody::Wrong("it is fragmented MP4 without an `EXT-X-MAP`".to_owned()),
        };
    }
    if is_subtitles {
        return SegmentBody::WebVtt(web_vtt(bytes));
    }
    match bytes {
        [0x47, ..] => match Transport::read(bytes) {
            Ok((found, tracks)) => {
                if transported.is_empty() {
                    *transported = tracks;
                }
                SegmentBody::Transport(Box::new(found))
            }
            Err(why) => SegmentBody::NoTransport(why),
        },
        [b'I', b'D', b'3', ..] | [0xff, 0xe0..=0xff, ..] | [0x0b, 0x77, ..] => {
            SegmentBody::Opaque("it is audio without a container")
        }
        _ => SegmentBody::Wrong("it is neither fragmented MP4 nor a transport stream".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_read_in_one_way_by_everybody() {
        for (uri, expected) in [
            ("seg00000.m4s", true),
            ("v/0a1b/480p/playlist.m3u8?p=EN1r", true),
            ("https://cdn.example/a.m3u8", true),
            ("/abs/a.ts", true),
            ("a b.ts", false),
            ("a%2fb.ts", false),
            ("a//b.ts", false),
            ("a\\b.ts", false),
            ("é.ts", false),
            ("a;b.ts", false),
            ("", false),
        ] {
            assert_eq!(is_plain(uri), expected, "{uri}");
        }
    }
}
