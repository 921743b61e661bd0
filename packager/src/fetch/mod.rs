//! INPUT that is no file here: an object behind an edge or in a bucket, or a recording in parts. It is fetched into the
//! folder that is worked in, and then it is a file like any other.

mod address;
mod download;
mod elsewhere;
mod error;
mod hls;
mod join;
mod objects;
mod recording;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) use self::address::Address;
use self::download::Download;
pub(crate) use self::error::FetchError;
use self::hls::Streams;
use self::join::{join, joined};
use self::objects::Piece;
use self::recording::{Playlist, Recording, RecordingError};
use crate::cli::{HlsArgs, ReachArgs};
use crate::exit::{self, Exit};
use crate::progress::Progress;
use crate::publish::{Entry, PublishError, Target};

/// A day of segments of a second is 3 MB.
const LARGEST_PLAYLIST: u64 = 16 << 20;
/// Playlists that are looked into to find the one that names the others.
const MOST_PLAYLISTS: usize = 8;

/// A recording on this machine.
#[derive(Debug)]
pub(crate) struct Fetched {
    file: PathBuf,
    download: Option<Download>,
}

/// What a recording in parts is made of: the file of its Variant Stream, and of each sound that lies apart.
struct Tracks {
    streams: Option<Streams>,
    files: Vec<Recording>,
}

impl Fetched {
    /// `reach` says how a bucket or an edge is reached, and `work` is the folder to fetch into.
    pub(crate) async fn of(
        input: &Path,
        hls: &HlsArgs,
        reach: &ReachArgs,
        work: &Path,
        progress: Progress,
    ) -> Result<Self> {
        if hls.hls {
            let url = input.to_string_lossy();
            let (download, file) = elsewhere::fetch(&url, &hls.allow_host, work, progress).await?;
            return Ok(Self::downloaded(download, file));
        }
        let (place, name) = match Address::parse(input)? {
            Address::File(file) => return Ok(Self::here(file)),
            Address::Object { place, name } => (place, name),
        };
        let target = Target::open(&place, &reach.of(&place))?;
        if !target.is_readable() {
            return Err(PublishError::WriteOnly.into());
        }
        let tracks = match &name {
            Some(name) if name.ends_with(".m3u8") => {
                let found = target.list("").await?;
                by_playlist(&target, name.clone(), &found).await?
            }
            // It is here already.
            Some(name) if matches!(target, Target::Folder(_)) => {
                return Ok(Self::here(target.name(name).into()));
            }
            Some(name) => {
                let piece = whole(&target, name).await?;
                let download = Download::begin(work, &piece.identity(&target), progress)?;
                let file = objects::fetch(&download, name, &target, &[piece], progress).await?;
                return Ok(Self::downloaded(download, file));
            }
            None => in_folder(&target).await?,
        };
        let (download, file) = in_parts(&target, tracks, work, progress).await?;
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
    pub(crate) fn settle<T>(mut self, outcome: Result<T>) -> Result<T> {
        let is_over = match &outcome {
            Ok(_) => true,
            Err(error) => exit::of(error).0 == Exit::Input,
        };
        if is_over && let Some(download) = self.download.take() {
            download.discard();
        }
        outcome
    }
}

/// An object that is a recording.
async fn whole(target: &Target, name: &str) -> Result<Piece> {
    let head = target.head(name).await?;
    let head = head.ok_or_else(|| FetchError::Missing(target.name(name)))?;
    Ok(Piece {
        path: name.to_owned(),
        bytes: head.bytes,
        version: Some(head.version),
    })
}

async fn in_parts(
    target: &Target,
    tracks: Tracks,
    work: &Path,
    progress: Progress,
) -> Result<(Download, PathBuf)> {
    let pieces = |recording: Recording| -> Vec<Piece> {
        let pieces = recording.parts.into_iter().map(|part| Piece {
            path: part.path,
            bytes: part.bytes,
            version: None,
        });
        pieces.collect()
    };
    let files = tracks.files.into_iter();
    let files: Vec<(&str, Vec<Piece>)> = files
        .map(|recording| (recording.extension, pieces(recording)))
        .collect();
    let all = || files.iter().flat_map(|(_, pieces)| pieces);
    let identity: String = all().map(|piece| piece.identity(target)).collect();
    let download = Download::begin(work, &identity, progress)?;
    if let Some(file) = joined(&download) {
        return Ok((download, file));
    }
    progress.note(format_args!("a recording in {} parts", all().count()));
    let mut paths = vec![];
    for (at, (extension, pieces)) in files.iter().enumerate() {
        let name = format!("recording-{at}.{extension}");
        paths.push(objects::fetch(&download, &name, target, pieces, progress).await?);
    }
    let file = join(&download, tracks.streams.as_ref(), paths).await?;
    Ok((download, file))
}

/// What a playlist names, or the playlists that it leads to.
async fn by_playlist(target: &Target, path: String, found: &[Entry]) -> Result<Tracks> {
    let streams = match playlist(target, &path, found).await? {
        Playlist::Media(recording) => {
            return Ok(Tracks {
                streams: None,
                files: vec![recording],
            });
        }
        Playlist::Multivariant(streams) => streams,
    };
    let mut files = vec![];
    for path in streams.addresses() {
        match playlist(target, path, found).await? {
            Playlist::Media(recording) => files.push(recording),
            // RFC 8216bis §4: Variant Streams are Media Playlists.
            Playlist::Multivariant(_) => {
                return refused(RecordingError::NoPlaylist(path.to_owned()));
            }
        }
    }
    Ok(Tracks {
        streams: Some(streams),
        files,
    })
}

/// What a folder holds: by its Multivariant Playlist, else by its only Media Playlist, else by the names of its segments.
async fn in_folder(target: &Target) -> Result<Tracks> {
    let found = target.list("").await?;
    let playlists = recording::playlists(&found);
    if playlists.is_empty() {
        let recording = recording::without_playlist(&found).or_else(refused)?;
        return Ok(Tracks {
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
            Ok(Playlist::Multivariant(_)) => leading.push(path),
            // Why it is none is said when it is the only one.
            Ok(Playlist::Media(_)) | Err(_) => media.push(path),
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

async fn playlist(target: &Target, path: &str, found: &[Entry]) -> Result<Playlist> {
    let text = text(target, path, found).await?;
    recording::read(&text, path, found).or_else(refused)
}

async fn text(target: &Target, path: &str, found: &[Entry]) -> Result<String> {
    let missing = || FetchError::Missing(target.name(path));
    let entry = found.iter().find(|entry| entry.path == path);
    if entry.ok_or_else(missing)?.bytes > LARGEST_PLAYLIST {
        return Err(FetchError::LargePlaylist(path.to_owned()).into());
    }
    let stored = target.get(path).await?.ok_or_else(missing)?;
    Ok(String::from_utf8_lossy(&stored.bytes).into_owned())
}
