//! Publishing through the edge, with an upload link: streamed from disk, tried again where that can help.

use std::io::SeekFrom;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lectern::keyring::Keyring;
use lectern::link::{Claims, Use, mint};
use lectern::object_key::Scope;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, RETRY_AFTER,
};
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::target::Prefix;
use super::{Outcome, PublishError, Upload, retry};
use crate::clock;
use crate::keys::keyring;

/// Above this an object goes up in parts.
const LARGE: u64 = 64 << 20;
/// R2 wants all parts but the last equally large.
const PART: u64 = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// On top of which a body gets the time that this many bytes a second take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 32 << 10;
const LINK_LIFE: Duration = Duration::from_secs(3600);
/// A link is replaced while it still outlives the longest request.
const LINK_USE: Duration = Duration::from_secs(1800);
/// Before anything answered: more likely a wrong address than a passing trouble.
const FIRST_ATTEMPTS: u32 = 3;
const LONGEST_ANSWER: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct HttpTarget {
    prefix: Prefix,
    client: Client,
    credential: Credential,
    has_answered: AtomicBool,
}

/// What opens the edge.
enum Credential {
    /// Links minted here, each used for a while.
    Keys {
        keys: Box<Keyring>,
        upload: Mutex<Option<(HeaderValue, Instant)>>,
    },
    /// A link that was handed over.
    Link(HeaderValue),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys(..)",
            Self::Link(_) => "Link(..)",
        })
    }
}

impl HttpTarget {
    pub(crate) fn open(prefix: Prefix) -> Result<Self> {
        let link = std::env::var("LECTERN_UPLOAD_LINK")
            .ok()
            .filter(|link| !link.is_empty());
        let credential = match link {
            Some(link) => Credential::Link(
                token(&link)
                    .and_then(bearer)
                    .ok_or(PublishError::BadUploadLink)?,
            ),
            None => Credential::Keys {
                keys: Box::new(keyring()?),
                upload: Mutex::new(None),
            },
        };
        // Already installed when a second target is opened, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect would carry the link to another host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            prefix,
            client,
            credential,
            has_answered: AtomicBool::new(false),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        // Paths of a package are keys; `open` and `Job` make no others.
        self.prefix.url(path).unwrap_or_default()
    }

    pub(crate) async fn put(&self, upload: &Upload) -> Result<Outcome, PublishError> {
        let put = if upload.bytes > LARGE {
            self.put_in_parts(upload).await
        } else {
            let url = self.url(&upload.path);
            let whole = Slice {
                from: 0,
                length: upload.bytes,
            };
            self.send(&upload.path, async || {
                let request = self.request(Method::PUT, &url, whole.length);
                Ok(conditional(request, upload)
                    .header(CONTENT_TYPE, &upload.content_type)
                    .header(CONTENT_LENGTH, whole.length)
                    .body(whole.body(upload).await?))
            })
            .await
        };
        match put {
            Ok(_) => Ok(Outcome::Written),
            Err(PublishError::Refused { status: 412, .. }) if upload.is_immutable => {
                Ok(Outcome::AlreadyThere)
            }
            Err(error) => Err(error),
        }
    }

    /// An object, if a link for it can be minted here and the edge has it.
    pub(crate) async fn read(&self, path: &str) -> Option<Vec<u8>> {
        let Credential::Keys { keys, .. } = &self.credential else {
            return None;
        };
        let link = minted(keys, &self.prefix, Use::Play)?;
        let response = self
            .client
            .get(self.url(path))
            .header(AUTHORIZATION, link)
            .timeout(ANSWER_TIMEOUT)
            .send()
            .await
            .ok()
            .filter(|response| response.status() == StatusCode::OK)?;
        read_body(response).await.ok()
    }

    /// What is not there is as good as removed.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), PublishError> {
        let url = self.url(path);
        let sent = self.send(path, async || Ok(self.request(Method::DELETE, &url, 0)));
        match sent.await {
            Ok(_) | Err(PublishError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn put_in_parts(&self, upload: &Upload) -> Result<Vec<u8>, PublishError> {
        let url = self.url(&upload.path);
        let answer = self
            .send(&upload.path, async || {
                let request = self.request(Method::POST, &format!("{url}?uploads"), 0);
                Ok(conditional(request, upload).header(CONTENT_TYPE, &upload.content_type))
            })
            .await?;
        let Created { upload_id } = understood(&answer, upload)?;
        let id: String = upload_id
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let sent = self.send_parts(upload, &url, &id).await;
        if sent.is_err() {
            // Parts of an upload that never completes are kept, and paid for.
            let abort = self.request(Method::DELETE, &format!("{url}?uploadId={id}"), 0);
            let _ = abort.send().await;
        }
        sent
    }

    async fn send_parts(
        &self,
        upload: &Upload,
        url: &str,
        id: &str,
    ) -> Result<Vec<u8>, PublishError> {
        let mut parts = vec![];
        for (number, part) in (1..).zip(Slice::parts(upload.bytes)) {
            let url = format!("{url}?partNumber={number}&uploadId={id}");
            let answer = self
                .send(&upload.path, async || {
                    Ok(self
                        .request(Method::PUT, &url, part.length)
                        .header(CONTENT_LENGTH, part.length)
                        .body(part.body(upload).await?))
                })
                .await?;
            parts.push(understood::<Part>(&answer, upload)?);
        }
        let body = serde_json::to_vec(&Completed { parts }).unwrap_or_default();
        self.send(&upload.path, async || {
            let request = self.request(Method::POST, &format!("{url}?uploadId={id}"), 0);
            Ok(conditional(request, upload)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()))
        })
        .await
    }

    fn request(&self, method: Method, url: &str, bytes: u64) -> RequestBuilder {
        let request = self
            .client
            .request(method, url)
            .timeout(ANSWER_TIMEOUT + Duration::from_secs(bytes / SLOWEST));
        match self.authorization() {
            Some(link) => request.header(AUTHORIZATION, link),
            None => request,
        }
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let (keys, upload) = match &self.credential {
            Credential::Link(link) => return Some(link.clone()),
            Credential::Keys { keys, upload } => (keys, upload),
        };
        let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((link, since)) = &*upload
            && since.elapsed() < LINK_USE
        {
            return Some(link.clone());
        }
        let link = minted(keys, &self.prefix, Use::Upload)?;
        *upload = Some((link.clone(), Instant::now()));
        Some(link)
    }

    /// Sends a request, made anew for every attempt, until it is answered for good.
    async fn send(
        &self,
        path: &str,
        make: impl AsyncFn() -> Result<RequestBuilder, PublishError>,
    ) -> Result<Vec<u8>, PublishError> {
        let mut attempt = 0;
        loop {
            let (error, retry_after) = match make().await?.send().await {
                Ok(response) => {
                    self.has_answered.store(true, Ordering::Relaxed);
                    let status = response.status();
                    let retry_after = response.headers().get(RETRY_AFTER).cloned();
                    let body = read_body(response).await;
                    match body {
                        Ok(body) if status.is_success() => return Ok(body),
                        Ok(body) => {
                            let problem = Problem::parse(&body, status);
                            let is_final = !retry::is_worthwhile(status.as_u16())
                                || problem.code == "misconfigured";
                            let error = PublishError::Refused {
                                path: path.to_owned(),
                                status: status.as_u16(),
                                problem: problem.to_string(),
                            };
                            if is_final {
                                return Err(error);
                            }
                            (error, retry_after)
                        }
                        Err(error) => (self.unreachable(error), None),
                    }
                }
                Err(error) => (self.unreachable(error), None),
            };
            attempt += 1;
            let attempts = if self.has_answered.load(Ordering::Relaxed) {
                retry::ATTEMPTS
            } else {
                FIRST_ATTEMPTS
            };
            if attempt >= attempts {
                return Err(error);
            }
            let retry_after = retry_after.as_ref().and_then(|value| value.to_str().ok());
            let mut random = [128];
            // Without randomness the wait is the middle one.
            let _ = getrandom::fill(&mut random);
            tokio::time::sleep(retry::delay(attempt - 1, retry_after, random[0])).await;
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> PublishError {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            why = format!("{why}: {next}");
            cause = next.source();
        }
        PublishError::Unreachable {
            origin: self.prefix.origin.clone(),
            why,
        }
    }
}

fn conditional(request: RequestBuilder, upload: &Upload) -> RequestBuilder {
    if upload.is_immutable {
        request.header(IF_NONE_MATCH, "*")
    } else {
        request
    }
}

fn minted(keys: &Keyring, prefix: &Prefix, use_: Use) -> Option<HeaderValue> {
    let now = clock::unix(clock::now());
    let mut claims = Claims::new(
        Scope::parse(&prefix.directory()).ok()?,
        now + LINK_LIFE.as_secs(),
    );
    claims.iat = Some(now);
    claims.use_ = use_;
    bearer(&mint(keys.minting(), &claims))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token of `https://…?token=…`, or a bare one.
fn token(link: &str) -> Option<&str> {
    let link = link.trim();
    let token = match link.split_once("token=") {
        Some((_, rest)) => rest.split(['&', '#']).next().unwrap_or(rest),
        None => link,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (token.split('.').count() == 3 && token.bytes().all(is_plain)).then_some(token)
}

/// A run of bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    from: u64,
    length: u64,
}

impl Slice {
    fn parts(bytes: u64) -> impl Iterator<Item = Self> {
        (0..bytes.div_ceil(PART)).map(move |at| Self {
            from: at * PART,
            length: PART.min(bytes - at * PART),
        })
    }

    async fn body(self, upload: &Upload) -> Result<Body, PublishError> {
        let read = |source| PublishError::Read {
            path: upload.file.clone(),
            source,
        };
        let mut file = File::open(&upload.file).await.map_err(read)?;
        file.seek(SeekFrom::Start(self.from)).await.map_err(read)?;
        Ok(Body::wrap_stream(ReaderStream::with_capacity(
            file.take(self.length),
            64 << 10,
        )))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    upload_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part_number: u32,
    etag: String,
}

#[derive(Serialize)]
struct Completed {
    parts: Vec<Part>,
}

fn understood<T: for<'de> Deserialize<'de>>(
    body: &[u8],
    upload: &Upload,
) -> Result<T, PublishError> {
    serde_json::from_slice(body).map_err(|error| PublishError::Refused {
        path: upload.path.clone(),
        status: 200,
        problem: format!("its answer is not that of an edge ({error})"),
    })
}

/// RFC 9457.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
}

impl Problem {
    fn parse(body: &[u8], status: StatusCode) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self {
            title: status.canonical_reason().unwrap_or("no reason").to_owned(),
            ..Self::default()
        })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut is_first = true;
        for text in [&self.code, &self.title, &self.detail] {
            if text.is_empty() {
                continue;
            }
            let shown: String = text
                .chars()
                .filter(|character| !character.is_control())
                .take(300)
                .collect();
            write!(f, "{}{shown}", if is_first { "" } else { ": " })?;
            is_first = false;
        }
        Ok(())
    }
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_but_the_last_are_equal_and_together_the_whole() {
        for bytes in [LARGE + 1, PART * 5, PART * 5 - 1] {
            let parts: Vec<Slice> = Slice::parts(bytes).collect();
            assert_eq!(parts.iter().map(|part| part.length).sum::<u64>(), bytes);
            let (last, others) = parts.split_last().expect("there are parts");
            assert!(others.iter().all(|part| part.length == PART), "{bytes}");
            assert!((1..=PART).contains(&last.length), "{bytes}");
            assert!(
                parts
                    .windows(2)
                    .all(|pair| pair[0].from + PART == pair[1].from)
            );
        }
    }

    #[test]
    fn a_link_is_handed_over_as_a_url_or_bare() {
        for (link, expected) in [
            ("https://h/a/?token=a.b-c.d_e", Some("a.b-c.d_e")),
            ("https://h/a/?x=1&token=a.b.c&y=2", Some("a.b.c")),
            (" a.b.c\n", Some("a.b.c")),
            ("https://h/a/", None),
            ("a.b", None),
            ("a.b.c\r\nx: y", None),
        ] {
            assert_eq!(token(link), expected, "{link}");
        }
    }

    #[test]
    fn a_refusal_is_shown_as_the_edge_explains_it() {
        let body = br#"{"type":"about:blank","code":"forbidden","title":"This link opens nothing here","status":403}"#;
        let shown = |body: &[u8]| Problem::parse(body, StatusCode::FORBIDDEN).to_string();
        assert_eq!(shown(body), "forbidden: This link opens nothing here");
        assert_eq!(shown(b"<html>"), "Forbidden");
    }

    #[test]
    fn debug_output_holds_no_credential() {
        let link = Credential::Link(bearer("a.b.c").expect("a header"));
        assert_eq!(format!("{link:?}"), "Link(..)");
    }
}
