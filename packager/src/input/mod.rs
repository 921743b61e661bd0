//! Fetches an INPUT that is not a local file: an object behind an edge or in a bucket, or a
//! recording in parts. It becomes a file of the work folder.

mod address;
mod download;
mod error;
pub(crate) mod live;
mod objects;
mod recording;
mod remote_hls;
mod remux;
mod variant;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

pub(crate) use self::address::InputAddress;
use self::download::Download;
pub(crate) use self::error::{FetchError, RecordingError};
use self::objects::InputPart;
use self::recording::{Recording, RecordingPlaylist};
use self::remux::{finished, remux};
use self::variant::VariantStreams;
use crate::context::Context;
use crate::storage::error::{LocationError, StorageError};
use crate::storage::location::{self, ReachArgs};
use crate::storage::notation::Notation;
use crate::storage::{Store, StoredEntry};

/// The largest playlist that is read. A day of one-second segments takes 3 MB.
const MAX_PLAYLIST_BYTES: u64 = 16 << 20;
/// The most playlists of a folder that are read to find its Multivariant Playlist.
const MAX_PLAYLISTS: usize = 8;

/// A recording on this machine, and its download if it has one.
#[derive(Debug)]
pub(crate) struct FetchedInput {
    file: PathBuf,
    download: Option<Download>,
}

/// Files that a recording in parts becomes: one for its Variant Stream, and one for each audio
/// Rendition.
struct RecordingTracks {
    streams: Option<VariantStreams>,
    files: Vec<Recording>,
}

impl FetchedInput {
    /// Fetches INPUT into the work folder, unless it is a file of this machine. `reach` says how to
    /// reach its storage.
    pub(crate) async fn fetch(
        input: &Path,
        hls: &HlsArgs,
        reach: &ReachArgs,
        context: &Context,
    ) -> Result<Self> {
        if hls.hls {
            let url = input.to_string_lossy();
            return Ok(remote_hls::fetch(&url, &hls.allow_host, context)
                .await?
                .into());
        }
        let (place, name) = match InputAddress::parse(&at_edge(input)?)? {
            InputAddress::File(file) => match address::in_parts(&file) {
                Some(place) => place,
                None => {
                    check_host(&file)?;
                    return Ok(Self::local(file));
                }
            },
            InputAddress::Object { place, name } => (place, name),
        };
        let target = Store::open(&place, &reach.of(&place))?;
        if !target.is_readable() {
            return Err(StorageError::WriteOnly.into());
        }
        let tracks = match &name {
            Some(name) if name.ends_with(".m3u8") => {
                let listed = context.limits.within(list(&target)).await?;
                let tracks = read_tracks(&target, name.clone(), &listed);
                context.limits.within(tracks).await?
            }
            Some(name) if matches!(target, Store::Folder(_)) => {
                return Ok(Self::local(target.display_name(name).into()));
            }
            Some(name) => return Ok(fetch_object(&target, name, context).await?.into()),
            None => context.limits.within(find_tracks(&target)).await?,
        };
        Ok(fetch_tracks(&target, tracks, context).await?.into())
    }

    fn local(file: PathBuf) -> Self {
        Self {
            file,
            download: None,
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Removes the download after a success or a final failure. After any other failure, the next
    /// attempt needs it.
    pub(crate) fn close<T>(mut self, outcome: Result<T>, is_final: bool) -> Result<T> {
        let is_over = outcome.is_ok() || is_final;
        if is_over && let Some(download) = self.download.take() {
            download.discard();
        }
        outcome
    }
}

impl From<(Download, PathBuf)> for FetchedInput {
    fn from((download, file): (Download, PathBuf)) -> Self {
        Self {
            file,
            download: Some(download),
        }
    }
}

/// Writes out `edge:/path`.
fn at_edge(input: &Path) -> Result<PathBuf, StorageError> {
    match input.to_str() {
        Some(text) if matches!(Notation::read(text), Notation::Edge(_)) => {
            Ok(location::resolve(text)?.into())
        }
        _ => Ok(input.to_owned()),
    }
}

/// Refuses a host without a scheme, unless a file or its folder has this name.
fn check_host(file: &Path) -> Result<(), StorageError> {
    let Some(Notation::Host(suggestion)) = file.to_str().map(Notation::read) else {
        return Ok(());
    };
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    // `talk.mov` is a missing file, `video.example.org/talk.mov` is not.
    let is_file = file.exists() || folder.map_or(suggestion.path.is_some(), Path::exists);
    match is_file {
        true => Ok(()),
        false => Err(LocationError::NoScheme(suggestion).into()),
    }
}

/// Fetches a recording that is one object.
async fn fetch_object(
    target: &Store,
    name: &str,
    context: &Context,
) -> Result<(Download, PathBuf)> {
    let Context {
        limits, progress, ..
    } = context;
    let object = find_object(target, name).await?;
    limits.check_input(object.bytes, object.bytes)?;
    let download = Download::begin(context.work(), &object.identity(target), *progress)?;
    let fetch = async |download: &Download| {
        limits.check_disk(download.folder(), download.count_missing(object.bytes))?;
        objects::fetch(download, name, target, &[object], *progress).await
    };
    download.fill(limits, fetch).await
}

async fn find_object(target: &Store, name: &str) -> Result<InputPart> {
    let head = target.head(name).await?;
    let head = head.ok_or_else(|| FetchError::Missing(target.display_name(name)))?;
    Ok(InputPart {
        path: name.to_owned(),
        bytes: head.bytes,
        version: Some(head.version),
    })
}

/// Fetches the parts of each track into one file, and joins these files.
async fn fetch_tracks(
    target: &Store,
    tracks: RecordingTracks,
    context: &Context,
) -> Result<(Download, PathBuf)> {
    let Context {
        limits, progress, ..
    } = context;
    let parts = |recording: Recording| -> Vec<InputPart> {
        let parts = recording.parts.into_iter().map(|part| InputPart {
            path: part.path,
            bytes: part.bytes,
            version: None,
        });
        parts.collect()
    };
    let files = tracks.files.into_iter();
    let files: Vec<(&str, Vec<InputPart>)> = files
        .map(|recording| (recording.extension, parts(recording)))
        .collect();
    let all = || files.iter().flat_map(|(_, parts)| parts);
    let named: u64 = all().map(|part| part.bytes).sum();
    let stored: HashMap<&str, u64> = all().map(|part| (&*part.path, part.bytes)).collect();
    limits.check_input(stored.values().sum(), named)?;
    let identity: String = all().map(|part| part.identity(target)).collect();
    let download = Download::begin(context.work(), &identity, *progress)?;
    let fetch = async |download: &Download| {
        if let Some(file) = finished(download) {
            return Ok(file);
        }
        // Joining several files needs room for a second copy.
        let copies = if files.len() > 1 { 2 } else { 1 };
        let needed = download.count_missing(named.saturating_mul(copies));
        limits.check_disk(download.folder(), needed)?;
        progress.note(format_args!("a recording in {} parts", all().count()));
        let mut paths = vec![];
        for (at, (extension, parts)) in files.iter().enumerate() {
            let name = format!("recording-{at}.{extension}");
            paths.push(objects::fetch(download, &name, target, parts, *progress).await?);
        }
        remux(download, tracks.streams.as_ref(), paths).await
    };
    download.fill(limits, fetch).await
}

/// Lists everything below a target. In a local folder, only files: a pipe may never end.
async fn list(target: &Store) -> Result<Vec<StoredEntry>> {
    let mut found = target.list("").await?;
    if matches!(target, Store::Folder(_)) {
        found.retain(|entry| Path::new(&target.display_name(&entry.path)).is_file());
    }
    Ok(found)
}

/// Reads the tracks of a Media Playlist, or of the Variant Stream of a Multivariant Playlist.
async fn read_tracks(
    target: &Store,
    path: String,
    listed: &[StoredEntry],
) -> Result<RecordingTracks> {
    let streams = match read_playlist(target, &path, listed).await? {
        RecordingPlaylist::Media(recording) => {
            return Ok(RecordingTracks {
                streams: None,
                files: vec![recording],
            });
        }
        RecordingPlaylist::Multivariant(streams) => streams,
    };
    let mut files = vec![];
    for path in streams.addresses() {
        match read_playlist(target, path, listed).await? {
            RecordingPlaylist::Media(recording) => files.push(recording),
            // RFC 8216bis §4: Variant Streams are Media Playlists.
            RecordingPlaylist::Multivariant(_) => {
                return reject(RecordingError::NoPlaylist(path.to_owned()));
            }
        }
    }
    Ok(RecordingTracks {
        streams: Some(streams),
        files,
    })
}

/// Finds the tracks of a folder: from its Multivariant Playlist, else its only Media Playlist, else
/// the names of its segments.
async fn find_tracks(target: &Store) -> Result<RecordingTracks> {
    let listed = list(target).await?;
    match find_playlist(target, &listed).await? {
        Some(path) => read_tracks(target, path, &listed).await,
        None => {
            let recording = recording::without_playlist(&listed).or_else(reject)?;
            Ok(RecordingTracks {
                streams: None,
                files: vec![recording],
            })
        }
    }
}

/// Finds the Multivariant Playlist of a folder, else its only Media Playlist. Returns `None` if it
/// has no playlist.
async fn find_playlist(target: &Store, listed: &[StoredEntry]) -> Result<Option<String>> {
    let playlists = recording::playlists(listed);
    if playlists.is_empty() {
        return Ok(None);
    }
    let several = || reject(RecordingError::Several(recording::names(&playlists)));
    if playlists.len() > MAX_PLAYLISTS {
        return several();
    }
    let [mut multivariant, mut media] = [vec![], vec![]];
    for entry in &playlists {
        let path = &entry.path;
        match read_playlist(target, path, listed).await {
            Ok(RecordingPlaylist::Multivariant(_)) => multivariant.push(path),
            // If it is the only playlist, `read_tracks` reports why it is not valid.
            Ok(RecordingPlaylist::Media(_)) | Err(_) => media.push(path),
        }
    }
    match (&multivariant[..], &media[..]) {
        ([path], _) | ([], [path]) => Ok(Some((*path).clone())),
        _ => several(),
    }
}

fn reject<T>(error: RecordingError) -> Result<T> {
    Err(FetchError::from(error).into())
}

async fn read_playlist(
    target: &Store,
    path: &str,
    listed: &[StoredEntry],
) -> Result<RecordingPlaylist> {
    let text = read_text(target, path, listed).await?;
    recording::read(&text, path, listed).or_else(reject)
}

async fn read_text(target: &Store, path: &str, listed: &[StoredEntry]) -> Result<String> {
    let missing = || FetchError::Missing(target.display_name(path));
    let entry = listed.iter().find(|entry| entry.path == path);
    if entry.ok_or_else(missing)?.bytes > MAX_PLAYLIST_BYTES {
        return Err(FetchError::LargePlaylist(path.to_owned()).into());
    }
    let stored = target.get(path).await?.ok_or_else(missing)?;
    Ok(String::from_utf8_lossy(&stored.bytes).into_owned())
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HlsArgs {
    /// Read INPUT as the URL of another platform's playlist, and fetch its best Variant Stream and
    /// its audio.
    #[arg(long, requires = "allow_host")]
    pub(crate) hls: bool,
    /// Host that `--hls` may fetch from, with its port if it has one; may be repeated.
    #[arg(long, value_name = "HOST", requires = "hls")]
    pub(crate) allow_host: Vec<String>,
}
