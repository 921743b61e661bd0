//! Downloads a lecture from another platform by the URL of its playlist. It is opt-in, and only
//! named hosts receive requests.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Response, Url};

use super::download::Download;
use super::error::RecordingError;
use super::remux::{finished, remux};
use super::variant::{HlsPlaylist, MediaPlaylist, VariantStreams, parse_playlist};
use super::{FetchError, MAX_PLAYLIST_BYTES};
use crate::context::Context;
use crate::limits::ResourceLimits;
use crate::progress::{Progress, StepUnit};
use crate::redact::redacted;
use crate::storage::http::{causes, client};
use crate::storage::retry;

/// Maximum bytes of a segment: a minute at 100 Mbit/s takes less.
const LARGEST_SEGMENT: u64 = 1 << 30;
/// Timeout of a whole response.
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// Hosts that may receive requests.
struct AllowedHosts<'a>(&'a [String]);

impl AllowedHosts<'_> {
    /// Verifies that a URL is allowed. HTTP without TLS is for this machine only.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        let is_named = self.0.iter().any(|named| match &with_port {
            Some(with_port) => named == with_port,
            None => named == host,
        });
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_here;
        match is_named && is_safe && is_plain {
            true => Ok(()),
            false => Err(FetchError::NotAllowed(shown(url))),
        }
    }
}

/// Downloads the lecture into files of the work folder.
pub(super) async fn fetch(
    input: &str,
    hosts: &[String],
    context: &Context,
) -> Result<(Download, PathBuf)> {
    let Context {
        limits, progress, ..
    } = context;
    let asker = RemoteClient {
        hosts: AllowedHosts(hosts),
        client: client()?,
        limits,
    };
    let url = Url::parse(input).map_err(|_| FetchError::NotAllowed(redacted(input)))?;
    let (streams, tracks) = limits.within(asker.tracks(&url)).await?;
    let all = || tracks.iter().flat_map(|track| &track.urls);
    let distinct: HashSet<&Url> = all().collect();
    limits.check_segments(all().count(), distinct.len())?;
    let identity: Vec<&str> = tracks.iter().map(|track| &*track.identity).collect();
    let download = Download::begin(context.work(), &identity.concat(), *progress)?;
    let fetched = async |download: &Download| {
        if let Some(file) = finished(download) {
            return Ok(file);
        }
        progress.note(format_args!("a recording in {} parts", all().count()));
        let (mut files, mut bytes) = (vec![], 0);
        for (at, track) in tracks.iter().enumerate() {
            let name = format!("recording-{at}.{}", track.extension);
            let file = asker
                .fetch(download, &name, track, bytes, *progress)
                .await?;
            bytes += fs::metadata(&file)?.len();
            files.push(file);
        }
        remux(download, streams.as_ref(), files).await
    };
    download.fill(limits, fetched).await
}

/// A Media Playlist that becomes one file.
struct RemoteTrack {
    /// Equal for equal recordings, however often they are downloaded.
    identity: String,
    urls: Vec<Url>,
    extension: &'static str,
}

fn resolved(base: &Url, uri: &str) -> Result<Url, FetchError> {
    base.join(uri)
        .map_err(|_| FetchError::NotAllowed(redacted(uri)))
}

/// A playlist without queries, because signatures change with every request. Queries stay if they
/// alone tell segments apart.
fn identity(text: &str, url: &Url, urls: &[Url]) -> String {
    let mut paths = HashSet::new();
    if !urls.iter().all(|url| paths.insert(shown(url))) {
        return format!("{url}\n{text}\n");
    }
    let mut identity = shown(url);
    for line in text.lines() {
        identity.push('\n');
        for (at, part) in line.split('?').enumerate() {
            // The text after a quoted URI belongs to the playlist.
            let rest = part.find('"').map_or("", |end| &part[end..]);
            identity.push_str(if at == 0 { part } else { rest });
        }
    }
    identity
}

/// Complete segments of a file, according to the journal of their lengths.
#[derive(Debug, Default, PartialEq, Eq)]
struct FinishedDownload {
    segments: usize,
    /// Bytes of all complete segments.
    bytes: u64,
    /// Bytes of the intact part of the journal.
    journal: u64,
}

impl FinishedDownload {
    fn of(journal: &str, had: u64) -> Self {
        let mut finished = Self::default();
        for line in journal.split_inclusive('\n') {
            let length = line
                .strip_suffix('\n')
                .and_then(|length| length.parse().ok());
            let bytes = length.and_then(|length: u64| finished.bytes.checked_add(length));
            let Some(bytes) = bytes.filter(|bytes| *bytes <= had) else {
                break;
            };
            finished.bytes = bytes;
            finished.segments += 1;
            finished.journal += line.len() as u64;
        }
        finished
    }
}

/// Retries an operation while another attempt may succeed.
async fn with_retries<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let mut attempt = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        attempt += 1;
        let may_pass = matches!(
            error.downcast_ref(),
            Some(FetchError::Elsewhere { may_pass: true, .. })
        );
        if !may_pass || attempt >= retry::ATTEMPTS {
            return Err(error);
        }
        retry::wait(attempt - 1, None).await;
    }
}

struct RemoteClient<'a> {
    hosts: AllowedHosts<'a>,
    /// Follows no redirect, which may lead to a host that the user did not name.
    client: Client,
    limits: &'a ResourceLimits,
}

impl RemoteClient<'_> {
    /// Loads the best Variant Stream with its separate audio, or the Media Playlist itself.
    async fn tracks(&self, url: &Url) -> Result<(Option<VariantStreams>, Vec<RemoteTrack>)> {
        let text = self.text(url).await?;
        match parse_playlist(&text, &shown(url)).map_err(FetchError::from)? {
            HlsPlaylist::Media(listed) => Ok((None, vec![self.track(&text, &listed, url)?])),
            HlsPlaylist::Multivariant(streams) => {
                let mut tracks = vec![];
                for address in streams.addresses() {
                    tracks.push(self.media(&resolved(url, address)?).await?);
                }
                Ok((Some(streams), tracks))
            }
        }
    }

    async fn media(&self, url: &Url) -> Result<RemoteTrack> {
        let text = self.text(url).await?;
        match parse_playlist(&text, &shown(url)).map_err(FetchError::from)? {
            HlsPlaylist::Media(listed) => Ok(self.track(&text, &listed, url)?),
            // RFC 8216bis §4: Variant Streams are Media Playlists.
            HlsPlaylist::Multivariant(_) => {
                Err(FetchError::from(RecordingError::NoPlaylist(shown(url))).into())
            }
        }
    }

    /// Checks all URLs of a track before the first request.
    fn track(
        &self,
        text: &str,
        listed: &MediaPlaylist<'_>,
        url: &Url,
    ) -> Result<RemoteTrack, FetchError> {
        let mut urls = vec![];
        for uri in listed.map.iter().chain(&listed.segments) {
            let url = resolved(url, uri)?;
            self.hosts.check(&url)?;
            urls.push(url);
        }
        Ok(RemoteTrack {
            identity: identity(text, url, &urls),
            urls,
            extension: listed.extension,
        })
    }

    /// Downloads the missing segments of a track. `before` counts the bytes of earlier tracks. A
    /// journal beside the file holds the lengths of complete segments.
    async fn fetch(
        &self,
        download: &Download,
        name: &str,
        track: &RemoteTrack,
        before: u64,
        progress: Progress,
    ) -> Result<PathBuf> {
        let place = download.file(name);
        if place.is_whole() {
            return Ok(place.whole().to_owned());
        }
        let journal = download.file(&format!("{name}.lengths"));
        let (mut file, mut lengths) = (place.open()?, journal.open()?);
        let written = fs::read_to_string(journal.part())?;
        let finished = FinishedDownload::of(&written, file.metadata()?.len());
        lengths.set_len(finished.journal)?;
        file.set_len(finished.bytes)?;
        if finished.segments > 0 {
            let (had, all) = (finished.segments, track.urls.len());
            progress.note(format_args!(
                "resuming: {had} of {all} parts are downloaded"
            ));
        }
        let step = progress.step("fetching", StepUnit::Bytes, 0);
        let mut from = finished.bytes;
        for url in track.urls.iter().skip(finished.segments) {
            with_retries(async || {
                file.set_len(from)?;
                self.append(url, &mut file, before + from).await
            })
            .await?;
            let length = file.metadata()?.len() - from;
            writeln!(lengths, "{length}")?;
            from += length;
            step.add(length);
        }
        step.finish();
        fs::remove_file(journal.part())?;
        place.become_whole(&file)
    }

    async fn ask(&self, url: &Url) -> Result<Response, FetchError> {
        self.hosts.check(url)?;
        let asked = self.client.get(url.clone()).timeout(LONGEST_ANSWER);
        let response = asked.send().await.map_err(|error| failed(url, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(FetchError::Elsewhere {
            url: shown(url),
            why: match status.is_redirection() {
                true => "it leads elsewhere".to_owned(),
                false => format!("it answers {status}"),
            },
            may_pass: retry::is_worthwhile(status.as_u16()),
        })
    }

    async fn text(&self, url: &Url) -> Result<String> {
        with_retries(async || {
            let mut response = self.ask(url).await?;
            let mut bytes = vec![];
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > MAX_PLAYLIST_BYTES {
                    return Err(FetchError::LargePlaylist(shown(url)).into());
                }
            }
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .await
    }

    /// Appends a segment to a file; `before` counts the bytes of all tracks so far.
    async fn append(&self, url: &Url, file: &mut fs::File, before: u64) -> Result<()> {
        let mut response = self.ask(url).await?;
        let mut had = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
            had += chunk.len() as u64;
            if had > LARGEST_SEGMENT {
                return Err(FetchError::Elsewhere {
                    url: shown(url),
                    why: "it does not end".to_owned(),
                    may_pass: false,
                }
                .into());
            }
            let all = before.saturating_add(had);
            self.limits.check_input(all, all)?;
            file.write_all(&chunk)
                .context("cannot write the download")?;
        }
        Ok(())
    }
}

fn failed(url: &Url, error: reqwest::Error) -> FetchError {
    FetchError::Elsewhere {
        url: shown(url),
        why: causes(error),
        may_pass: true,
    }
}

/// The URL without its query, which may be a credential.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_were_named_are_asked() {
        let named = ["video.example".to_owned(), "127.0.0.1:8080".to_owned()];
        for (url, expected) in [
            ("https://video.example/a.m3u8?sig=x", true),
            ("http://127.0.0.1:8080/a.m3u8", true),
            ("https://video.example:8443/a", false),
            ("http://video.example/a", false),
            ("https://cdn.video.example/a", false),
            ("https://video.example.evil.example/a", false),
            ("https://u:p@video.example/a", false),
            ("http://127.0.0.1/a", false),
            ("http://169.254.169.254/latest", false),
            ("file:///etc/passwd", false),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(AllowedHosts(&named).check(&url).is_ok(), expected, "{url}");
        }
        let url = Url::parse("https://u:p@video.example/a?sig=secret#x").expect("a URL");
        assert_eq!(shown(&url), "https://video.example/a");
    }

    #[test]
    fn a_recording_is_the_same_whoever_it_is_signed_for() {
        let of = |text: &str, url: &str| {
            let url = Url::parse(url).expect("a URL");
            let uris = text.lines().filter(|line| !line.starts_with('#'));
            let urls: Vec<Url> = uris.map(|uri| url.join(uri).expect("a URI")).collect();
            identity(text, &url, &urls)
        };
        let text = |sig: &str, length: &str, name: &str| {
            format!(
                "#EXT-X-MAP:URI=\"i?{sig}\",X=\"1\"\n#EXTINF:{length}\n{name}1?{sig}\n#EXTINF:4\n{name}2?{sig}\n"
            )
        };
        let one = of(&text("a", "4", "s"), "https://h/p?a");
        assert_eq!(of(&text("b", "4", "s"), "https://h/p?b"), one);
        for (text, url) in [
            (text("a", "4.1", "s"), "https://h/p?a"),
            (text("a", "4", "t"), "https://h/p?a"),
            (text("a", "4", "s"), "https://h/q?a"),
            (
                text("a", "4", "s").replace("X=\"1", "X=\"2"),
                "https://h/p?a",
            ),
        ] {
            assert_ne!(of(&text, url), one, "{text}");
        }
        let by_query = "s?1\ns?2\n";
        assert_ne!(of(by_query, "https://h/p?a"), of(by_query, "https://h/p?b"));
    }

    #[test]
    fn a_journal_counts_only_segments_that_the_file_contains() {
        for (journal, had, expected) in [
            ("", 0, (0, 0, 0)),
            ("10\n20\n", 30, (2, 30, 6)),
            ("10\n20\n", 35, (2, 30, 6)),
            ("10\n20", 35, (1, 10, 3)),
            ("10\n20\n", 29, (1, 10, 3)),
            ("10\nx\n5\n", 30, (1, 10, 3)),
            ("18446744073709551615\n1\n", u64::MAX, (1, u64::MAX, 21)),
        ] {
            let (segments, bytes, journaled) = expected;
            let finished = FinishedDownload {
                segments,
                bytes,
                journal: journaled,
            };
            assert_eq!(FinishedDownload::of(journal, had), finished, "{journal}");
        }
    }
}
