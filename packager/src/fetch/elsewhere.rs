//! A lecture on another platform, by the URL of its playlist: opt-in, and no host is asked that was not named.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Response, Url};
use tempfile::TempDir;

use super::recording::{Said, said};
use super::{FetchError, LARGEST_PLAYLIST};
use crate::progress::{Progress, Unit};
use crate::publish::client::{causes, client};
use crate::publish::retry;

/// A segment of a minute at 100 Mbit/s has less.
const LARGEST_SEGMENT: u64 = 1 << 30;
/// For the whole of an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// Who may be asked.
struct Hosts<'a>(&'a [String]);

impl Hosts<'_> {
    /// A URL that may be asked. HTTP without TLS is for this machine alone.
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

/// Fetches it into a file of a folder, which is gone when it is dropped.
pub(super) async fn fetch(
    input: &str,
    hosts: &[String],
    work: &Path,
    progress: Progress,
) -> Result<(TempDir, &'static str)> {
    let asker = Asker {
        hosts: Hosts(hosts),
        client: client()?,
    };
    let bad = || FetchError::NotAllowed(input.chars().take(200).collect());
    let mut playlist = Url::parse(input).map_err(|_| bad())?;
    let mut text = asker.text(&playlist).await?;
    if let Said::Multivariant(uri) = said(&text, &shown(&playlist)).map_err(FetchError::from)? {
        playlist = playlist.join(uri).map_err(|_| bad())?;
        text = asker.text(&playlist).await?;
    }
    let Said::Media(listed) = said(&text, &shown(&playlist)).map_err(FetchError::from)? else {
        return Err(FetchError::from(super::RecordingError::NoPlaylist(shown(&playlist))).into());
    };
    let mut parts = vec![];
    for uri in listed.map.iter().chain(&listed.segments) {
        let url = playlist.join(uri).map_err(|_| bad())?;
        // All of them before the first is asked for.
        asker.hosts.check(&url)?;
        parts.push(url);
    }
    progress.note(format_args!("a recording in {} parts", parts.len()));
    std::fs::create_dir_all(work)?;
    let folder = tempfile::Builder::new()
        .prefix("lectern-input-")
        .tempdir_in(work)
        .with_context(|| format!("cannot make a folder in `{}`", work.display()))?;
    let name = match listed.extension() {
        "mp4" => "recording.mp4",
        _ => "recording.ts",
    };
    let mut file = std::fs::File::create(folder.path().join(name))?;
    let step = progress.step("fetching", Unit::Bytes, 0);
    for url in &parts {
        let from = file.stream_position()?;
        patiently(async || {
            file.set_len(from)?;
            file.seek(SeekFrom::Start(from))?;
            asker.append(url, &mut file).await
        })
        .await?;
        step.add(file.stream_position()? - from);
    }
    step.finish();
    Ok((folder, name))
}

/// Asks again where that may help.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
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

struct Asker<'a> {
    hosts: Hosts<'a>,
    /// Follows no redirect: it may lead to a host that was not named.
    client: Client,
}

impl Asker<'_> {
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
        patiently(async || {
            let mut response = self.ask(url).await?;
            let mut bytes = vec![];
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > LARGEST_PLAYLIST {
                    return Err(FetchError::LargePlaylist(shown(url)).into());
                }
            }
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .await
    }

    async fn append(&self, url: &Url, file: &mut std::fs::File) -> Result<()> {
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
            file.write_all(&chunk)
                .context("cannot write what is fetched")?;
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

/// Without its query, which may open it.
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
            assert_eq!(Hosts(&named).check(&url).is_ok(), expected, "{url}");
        }
        let url = Url::parse("https://u:p@video.example/a?sig=secret#x").expect("a URL");
        assert_eq!(shown(&url), "https://video.example/a");
    }
}
