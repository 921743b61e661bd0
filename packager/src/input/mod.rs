//! INPUT that is no file here: an object behind an edge or in a bucket, or a recording in parts. It is fetched into the
//! folder that is worked in, and then it is a file like any other.

mod address;
mod download;
mod error;
mod objects;
mod recording;
mod remote_hls;
mod remux;
mod variant;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) use self::address::InputAddress;
use self::download::Download;
pub(crate) use self::error::FetchError;
use self::objects::InputPart;
use self::recording::{Recording, RecordingPlaylist};
use error::RecordingError;

use crate::limits::ResourceLimits;
use crate::progress::Progress;
use crate::storage::error::StorageError;
use crate::storage::location::ReachArgs;
use crate::storage::{Store, StoredEntry};
use clap::Args;
use remux::{finished, remux};
use variant::VariantStreams;

/// A day of segments of a second is 3 MB.
const LARGEST_PLAYLIST: u64 = 16 << 20;
/// Playlists that are looked into to find the one that names the others.
const MOST_PLAYLISTS: usize = 8;

/// A recording on this machine.
#[derive(Debug)]
pub(crate) struct FetchedInput {
    file: PathBuf,
    download: Option<Download>,
}

/// What a recording in parts is made of: the file of its Variant Stream, and of each sound that lies apart.
struct RecordingTracks {
    streams: Option<VariantStreams>,
    files: Vec<Recording>,
}

impl FetchedInput {
    /// `reach` says how a bucket or an edge is reached, and `work` is the folder to fetch into.
    pub(crate) async fn of(
        input: &Path,
        hls: &HlsArgs,
        reach: &ReachArgs,
        work: &Path,
        limits: &ResourceLimits,
        progress: Progress,
    ) -> Result<Self> {
        if hls.hls {
            let url = input.to_string_lossy();
            let fetched = remote_hls::fetch(&url, &hls.allow_host, work, limits, progress);
            let (download, file) = fetched.await?;
            return Ok(Self::downloaded(download, file));
        }
        let (place, name) = match InputAddress::parse(input)? {
            InputAddress::File(file) => return Ok(Self::here(file)),
            InputAddress::Object { place, name } => (place, name),
        };
        let target = Store::open(&place, &reach.of(&place))?;
        if !target.is_readable() {
            return Err(StorageError::WriteOnly.into());
        }
        let tracks = match &name {
            Some(name) if name.ends_with(".m3u8") => {
                let found = limits.within(listed(&target)).await?;
                let tracks = by_playlist(&target, name.clone(), &found);
                limits.within(tracks).await?
            }
            // It is here already.
            Some(name) if matches!(target, Store::Folder(_)) => {
                return Ok(Self::here(target.name(name).into()));
            }
            Some(name) => {
                let part = whole(&target, name).await?;
                limits.check_input(part.bytes, part.bytes)?;
                let download = Download::begin(work, &part.identity(&target), progress)?;
                let fetched = async |download: &Download| {
                    limits.check_disk(download.folder(), download.lacks(part.bytes))?;
                    objects::fetch(download, name, &target, &[part], progress).await
                };
                let (download, file) = download.filled(limits, fetched).await?;
                return Ok(Self::downloaded(download, file));
            }
            None => limits.within(in_folder(&target)).await?,
        };
        let (download, file) = in_parts(&target, tracks, work, limits, progress).await?;
        Ok(Self::downloaded(download, file))
    }

    fn here(file: PathBuf) -> Self {
        Self {
            file,
            download: None,
        }
    }

    fn downloaded(download: Download, file: PathBuf) -> Self {
        Self {
            file,
            download: Some(download),
        }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What was fetched stays for another try only where that may help.
    pub(crate) fn settle<T>(mut self, outcome: Result<T>, is_hopeless: bool) -> Result<T> {
        let is_over = outcome.is_ok() || is_hopeless;
        if is_over && let Some(download) = self.download.take() {
            download.discard();
        }
        outcome
    }
}

/// An object that is a recording.
async fn whole(target: &Store, name: &str) -> Result<InputPart> {
    let head = target.head(name).await?;
    let head = head.ok_or_else(|| FetchError::Missing(target.name(name)))?;
    Ok(InputPart {
        path: name.to_owned(),
        bytes: head.bytes,
        version: Some(head.version),
    })
}

async fn in_parts(
    target: &Store,
    tracks: RecordingTracks,
    work: &Path,
    limits: &ResourceLimits,
    progress: Progress,
) -> Result<(Download, PathBuf)> {
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
    let download = Download::begin(work, &identity, progress)?;
    let fetched = async |download: &Download| {
        if let Some(file) = finished(download) {
            return Ok(file);
        }
        // What lies apart is there twice while it is put together.
        let copies = if files.len() > 1 { 2 } else { 1 };
        let needed = download.lacks(named.saturating_mul(copies));
        limits.check_disk(download.folder(), needed)?;
        progress.note(format_args!("a recording in {} parts", all().count()));
        let mut paths = vec![];
        for (at, (extension, parts)) in files.iter().enumerate() {
            let name = format!("recording-{at}.{extension}");
            paths.push(objects::fetch(download, &name, target, parts, progress).await?);
        }
        remux(download, tracks.streams.as_ref(), paths).await
    };
    download.filled(limits, fetched).await
}

/// Everything below a target. Of a folder here, only what is a file: a pipe may have no end.
async fn listed(target: &Store) -> Result<Vec<StoredEntry>> {
    let mut found = target.list("").await?;
    if matches!(target, Store::Folder(_)) {
        found.retain(|entry| Path::new(&target.name(&entry.path)).is_file());
    }
    Ok(found)
}

/// What a playlist names, or the playlists that it leads to.
async fn by_playlist(
    target: &Store,
    path: String,
    found: &[StoredEntry],
) -> Result<RecordingTracks> {
    let streams = match playlist(target, &path, found).await? {
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
        match playlist(target, path, found).await? {
            RecordingPlaylist::Media(recording) => files.push(recording),
            // RFC 8216bis §4: Variant Streams are Media Playlists.
            RecordingPlaylist::Multivariant(_) => {
                return refused(RecordingError::NoPlaylist(path.to_owned()));
            }
        }
    }
    Ok(RecordingTracks {
        streams: Some(streams),
        files,
    })
}

/// What a folder holds: by its Multivariant Playlist, else by its only Media Playlist, else by the names of its segments.
async fn in_folder(target: &Store) -> Result<RecordingTracks> {
    let found = listed(target).await?;
    let playlists = recording::playlists(&found);
    if playlists.is_empty() {
        let recording = recording::without_playlist(&found).or_else(refused)?;
        return Ok(RecordingTracks {
            streams: None,
            files: vec![recording],
        });
    }
    let several = || refused(RecordingError::Several(recording::names(&playlists)));
    if playlists.len() > MOST_PLAYLISTS {
        return several();
    }
    let [mut leading, mut media] = [vec![], vec![]];
    for entry in &playlists {
        let path = &entry.path;
        match playlist(target, path, &found).await {
            Ok(RecordingPlaylist::Multivariant(_)) => leading.push(path),
            // Why it is none is said when it is the only one.
            Ok(RecordingPlaylist::Media(_)) | Err(_) => media.push(path),
        }
    }
    match (&leading[..], &media[..]) {
        ([path], _) | ([], [path]) => by_playlist(target, (*path).clone(), &found).await,
        _ => several(),
    }
}

fn refused<T>(error: RecordingError) -> Result<T> {
    Err(FetchError::from(error).into())
}

async fn playlist(target: &Store, path: &str, found: &[StoredEntry]) -> Result<RecordingPlaylist> {
    let text = text(target, path, found).await?;
    recording::read(&text, path, found).or_else(refused)
}

async fn text(target: &Store, path: &str, found: &[StoredEntry]) -> Result<String> {
    let missing = || FetchError::Missing(target.name(path));
    let entry = found.iter().find(|entry| entry.path == path);
    if entry.ok_or_else(missing)?.bytes > LARGEST_PLAYLIST {
        return Err(FetchError::LargePlaylist(path.to_owned()).into());
    }
    let stored = target.get(path).await?.ok_or_else(missing)?;
    Ok(String::from_utf8_lossy(&stored.bytes).into_owned())
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HlsArgs {
    /// INPUT is the URL of a playlist of another platform: its best Variant Stream is fetched, with its
    /// sounds.
    #[arg(long, requires = "allow_host")]
    pub(crate) hls: bool,
    /// A host that may be asked for it, with its port if it has one; no other is. May be repeated.
    #[arg(long, value_name = "HOST", requires = "hls")]
    pub(crate) allow_host: Vec<String>,
}
