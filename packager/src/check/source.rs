//! Reads objects of a package from a folder or a web server. URIs in playlists are untrusted, so
//! nothing outside the folder or the origin is opened.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::header::{HeaderMap, RANGE};
use reqwest::{Client, StatusCode, Url};

use super::CheckError;
use super::playlist::{CheckedPlaylist, UriRange, shown};
use crate::digest::{self, Digest};
use crate::files::regular::open_regular;
use crate::layout::MULTIVARIANT;
use crate::proxy::with_proxies;
use crate::redact::redacted;

pub(crate) const MOST_PLAYLIST: u64 = 8 << 20;
pub(crate) const MOST_INIT: u64 = 1 << 20;
pub(crate) const MOST_SEGMENT: u64 = 64 << 20;
/// Maximum entries of a package's folder.
const MOST_FILES: usize = 10_000;
const REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Reason for an unread object: a fragment of a sentence.
pub(crate) type Unread = String;

#[derive(Debug)]
pub(crate) struct PackageSource {
    /// Folder of the input, with a trailing slash. A local folder is a `file:` URL, so both resolve
    /// URIs alike.
    root: Url,
    client: Option<Client>,
    /// Permits requests to other origins.
    follows: bool,
}

impl PackageSource {
    /// Opens the input, and locates its first playlist.
    pub(crate) fn open(input: &str, follows: bool) -> Result<(Self, Url), CheckError> {
        let (entry, client) = if input.starts_with("http://") || input.starts_with("https://") {
            let url = Url::parse(input).map_err(|_| CheckError::NotAUrl(redacted(input)))?;
            let client = client(&url, follows).map_err(|error| CheckError::Unreadable {
                name: redacted(input),
                why: format!("{error:#}"),
            })?;
            (url, Some(client))
        } else {
            let path = playlist_of(Path::new(input))?;
            let path = path
                .canonicalize()
                .map_err(|source| unreadable(&path, &source))?;
            // Canonical paths are absolute, the only requirement.
            let url =
                Url::from_file_path(&path).map_err(|()| CheckError::NotAUrl(input.to_owned()))?;
            (url, None)
        };
        let mut root = entry
            .join(".")
            .map_err(|_| CheckError::NotAUrl(redacted(input)))?;
        root.set_query(None);
        let source = Self {
            root,
            client,
            follows,
        };
        Ok((source, entry))
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.client.is_none()
    }

    pub(crate) fn root(&self) -> &Url {
        &self.root
    }

    /// Name of an object in a report: from the root, without its pass.
    pub(crate) fn name(&self, at: &Url) -> String {
        let mut plain = at.clone();
        plain.set_query(None);
        let text = plain.as_str();
        shown(text.strip_prefix(self.root.as_str()).unwrap_or(text))
    }

    /// Accepts objects in the folder of the input or below it.
    pub(crate) fn is_below(&self, at: &Url) -> bool {
        // The origin of a `file:` URL is opaque, and equals no other.
        let place = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            (url.scheme().to_owned(), host, url.port_or_known_default())
        };
        place(at) == place(&self.root) && at.path().starts_with(self.root.path())
    }

    /// Reads an object, or a range of it, of at most `most` bytes.
    pub(crate) async fn read(
        &self,
        at: &Url,
        range: Option<(u64, u64)>,
        most: u64,
    ) -> Result<Vec<u8>, Unread> {
        if range.is_some_and(|(length, _)| length > most) {
            return Err(too_large(most));
        }
        match &self.client {
            None => {
                let (length, offset) = range.unwrap_or((most + 1, 0));
                let mut file = self.file(at)?;
                file.seek(SeekFrom::Start(offset)).map_err(plain)?;
                let mut bytes = vec![];
                file.take(length).read_to_end(&mut bytes).map_err(plain)?;
                whole(bytes, range, most)
            }
            Some(client) => self.fetch(client, at, range, most).await,
        }
    }

    /// Size of a file.
    pub(crate) fn length(&self, at: &Url) -> Result<u64, Unread> {
        let about = self.file(at)?.metadata().map_err(plain)?;
        Ok(about.len())
    }

    /// Digest of a file, computed chunk by chunk.
    pub(crate) async fn digest(&self, at: &Url) -> Result<Digest, Unread> {
        let file = self.file(at)?;
        digest::of_reader(file, |_| {}).await.map_err(plain)
    }

    fn file(&self, at: &Url) -> Result<File, Unread> {
        let path = at
            .to_file_path()
            .ok()
            .filter(|_| self.is_below(at))
            .ok_or("it lies outside the folder, and was not opened")?;
        let real = path.canonicalize().map_err(plain)?;
        let root = self.root.to_file_path().unwrap_or_default();
        if !real.starts_with(root) {
            return Err("it is a link out of the folder, and was not opened".to_owned());
        }
        // A pipe or a device may have no end.
        if !real.is_file() {
            return Err("it is no file".to_owned());
        }
        open_regular(&real).map_err(plain)
    }

    async fn fetch(
        &self,
        client: &Client,
        at: &Url,
        range: Option<(u64, u64)>,
        most: u64,
    ) -> Result<Vec<u8>, Unread> {
        if at.origin() != self.root.origin() && !self.follows {
            return Err("it is on another origin: `--follow` opens it".to_owned());
        }
        let mut request = client.get(at.clone());
        if let Some((length, offset)) = range {
            let last = offset.saturating_add(length).saturating_sub(1);
            request = request.header(RANGE, format!("bytes={offset}-{last}"));
        }
        let mut response = request.send().await.map_err(network)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the server answers {}", status.as_u16()));
        }
        // A server without ranges sends the whole object, of which a bounded beginning is read.
        let is_whole = range.is_some() && status != StatusCode::PARTIAL_CONTENT;
        let (length, skipped) = match range {
            Some((length, offset)) if is_whole => (offset.saturating_add(length), offset),
            Some((length, _)) => (length, 0),
            None => (most + 1, 0),
        };
        if length > most + 1 {
            return Err("the server does not support byte ranges".to_owned());
        }
        let mut bytes = vec![];
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            let room = length - bytes.len() as u64;
            let taken = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            bytes.extend_from_slice(&chunk[..taken]);
            if bytes.len() as u64 == length {
                break;
            }
        }
        bytes.drain(
            ..bytes
                .len()
                .min(usize::try_from(skipped).unwrap_or(usize::MAX)),
        );
        whole(bytes, range, most)
    }
}

fn whole(bytes: Vec<u8>, range: Option<(u64, u64)>, most: u64) -> Result<Vec<u8>, Unread> {
    match range {
        Some((length, _)) if (bytes.len() as u64) < length => {
            Err("it ends before its byte range".to_owned())
        }
        None if bytes.len() as u64 > most => Err(too_large(most)),
        _ => Ok(bytes),
    }
}

fn too_large(most: u64) -> Unread {
    format!("it is larger than {} MiB", most >> 20)
}

fn plain(error: std::io::Error) -> Unread {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}

fn network(error: reqwest::Error) -> Unread {
    // URLs hold passes, and do not belong in a report.
    let error = error.without_url();
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        why = format!("{why}: {next}");
        cause = next.source();
    }
    shown(&why)
}

fn client(entry: &Url, follows: bool) -> Result<Client> {
    // Publishing may have installed the provider before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let origin = entry.origin();
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .default_headers(HeaderMap::new())
        .redirect(reqwest::redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS {
                attempt.error("it redirects too often")
            } else if attempt.url().origin() != origin && !follows {
                attempt.error("it redirects to another origin: `--follow` goes there")
            } else {
                attempt.follow()
            }
        }));
    let client = with_proxies(builder)?.build();
    client.context("cannot make an HTTP client")
}

/// Playlist of a path: the file itself, `master.m3u8` in a folder, or its only Multivariant
/// Playlist.
fn playlist_of(path: &Path) -> Result<PathBuf, CheckError> {
    let about = std::fs::metadata(path).map_err(|source| unreadable(path, &source))?;
    if !about.is_dir() {
        return Ok(path.to_owned());
    }
    let master = path.join(MULTIVARIANT);
    if master.is_file() {
        return Ok(master);
    }
    let entries = std::fs::read_dir(path).map_err(|source| unreadable(path, &source))?;
    let mut found: Vec<PathBuf> = entries
        .take(MOST_FILES)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "m3u8") && path.is_file())
        .filter(|path| is_multivariant(path))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(CheckError::NoPlaylist(path.to_owned())),
        (Some(_), false) => Err(CheckError::ManyPlaylists(path.to_owned())),
    }
}

fn is_multivariant(path: &Path) -> bool {
    let mut bytes = vec![];
    open_regular(path).is_ok_and(|file| file.take(MOST_PLAYLIST).read_to_end(&mut bytes).is_ok())
        && CheckedPlaylist::parse(&bytes).is_multivariant()
}

fn unreadable(path: &Path, error: &std::io::Error) -> CheckError {
    CheckError::Unreadable {
        name: path.display().to_string(),
        why: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
            _ => error.to_string(),
        },
    }
}

/// Resolves the URI of a playlist.
pub(crate) fn resolve(base: &Url, place: &UriRange) -> Option<Url> {
    base.join(&place.uri).ok()
}
