//! INPUT that is no file here: an object behind an edge or in a bucket, or a recording in parts. It is fetched into the
//! folder that is worked in, and then it is a file like any other.

mod address;
mod download;
mod elsewhere;
mod error;
mod recording;

use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

pub(crate) use self::address::Address;
use self::download::{Download, Piece};
pub(crate) use self::error::FetchError;
use self::recording::{Playlist, Recording, RecordingError};
use crate::cli::HlsArgs;
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
    progress: Progress,
    /// Where nothing of it is kept.
    _folder: Option<TempDir>,
}

impl Fetched {
    /// `endpoint` is that of buckets, and `work` the folder to fetch into.
    pub(crate) async fn of(
        input: &Path,
        hls: &HlsArgs,
        endpoint: Option<&str>,
        work: &Path,
        progress: Progress,
    ) -> Result<Self> {
        if hls.hls {
            let url = input.to_string_lossy();
            let hosts = &hls.allow_host;
            let (folder, name) = elsewhere::fetch(&url, hosts, work, progress).await?;
            return Ok(Self {
                file: folder.path().join(name),
                download: None,
                progress,
                _folder: Some(folder),
            });
        }
        let (place, name) = match Address::parse(input)? {
            Address::File(file) => {
                return Ok(Self {
                    file,
                    download: None,
                    progress,
                    _folder: None,
                });
            }
            Address::Object { place, name } => (place, name),
        };
        let is_bucket = place.starts_with("r2:") || place.starts_with("s3:");
        let target = Target::open(&place, endpoint.filter(|_| is_bucket))?;
        if !target.is_readable() {
            return Err(PublishError::WriteOnly.into());
        }
        let recording = match &name {
            Some(name) if name.ends_with(".m3u8") => {
                let found = target.list("").await?;
                by_playlist(&target, name.clone(), &found).await?
            }
            // It is here already.
            Some(name) if matches!(target, Target::Folder(_)) => {
                return Ok(Self {
                    file: target.name(name).into(),
                    download: None,
                    progress,
                    _folder: None,
                });
            }
            Some(name) => {
                let download = whole(&target, name, work, progress).await?;
                return Ok(Self::downloaded(download, progress));
            }
            None => in_folder(&target).await?,
        };
        let pieces: Vec<Piece> = (recording.parts.into_iter())
            .map(|part| Piece {
                path: part.path,
                bytes: part.bytes,
                version: None,
            })
            .collect();
        progress.note(format_args!("a recording in {} parts", pieces.len()));
        let name = format!("recording.{}", recording.extension);
        let download = Download::fetch(&target, &pieces, &name, work, progress).await?;
        Ok(Self::downloaded(download, progress))
    }

    fn downloaded(download: Download, progress: Progress) -> Self {
        Self {
            file: download.file().to_owned(),
            download: Some(download),
            progress,
            _folder: None,
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

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Some(download) = &self.download {
            self.progress.note(format_args!(
                "what was fetched stays in `{}`: the same command goes on from there",
                download.folder().display()
            ));
        }
    }
}

/// An object that is a recording.
async fn whole(target: &Target, name: &str, work: &Path, progress: Progress) -> Result<Download> {
    let head = target.head(name).await?;
    let head = head.ok_or_else(|| FetchError::Missing(target.name(name)))?;
    let piece = Piece {
        path: name.to_owned(),
        bytes: head.bytes,
        version: Some(head.version),
    };
    Download::fetch(target, &[piece], name, work, progress).await
}

/// What a playlist names, or the playlist that it leads to.
async fn by_playlist(target: &Target, path: String, found: &[Entry]) -> Result<Recording> {
    match playlist(target, &path, found).await? {
        Playlist::Media(recording) => Ok(recording),
        Playlist::Multivariant(path) => match playlist(target, &path, found).await? {
            Playlist::Media(recording) => Ok(recording),
            // RFC 8216bis §4: Variant Streams are Media Playlists.
            Playlist::Multivariant(path) => refused(RecordingError::NoPlaylist(path)),
        },
    }
}

/// What a folder holds: by its Multivariant Playlist, else by its only Media Playlist, else by the names of its segments.
async fn in_folder(target: &Target) -> Result<Recording> {
    let found = target.list("").await?;
    let playlists = recording::playlists(&found);
    if playlists.is_empty() {
        return recording::without_playlist(&found).or_else(refused);
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
