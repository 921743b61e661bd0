//! Asking the edge: with a link that fits, in our lanes, again where that can help.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use lectern::keyring::Keyring;
use lectern::link::{self, Claims, Use, mint};
use lectern::object_key::Scope;
use reqwest::header::{
    AUTHORIZATION, AsHeaderName, CONTENT_LENGTH, HeaderMap, HeaderValue, RANGE, RETRY_AFTER,
};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::wire::{Problem, token};
use crate::clock;
use crate::keys::keyring;
use crate::publish::client::{causes, client};
use crate::publish::lanes::Lanes;
use crate::publish::store::{Chunks, Digested};
use crate::publish::target::Prefix;
use crate::publish::upload::{Slice, Source, Upload, is_other_bytes};
use crate::publish::{PublishError, retry};
use crate::revision::hex;

const LINK_LIFE: Duration = Duration::from_secs(3600);
/// A link is replaced while it still outlives the longest request.
const LINK_USE: Duration = Duration::from_secs(1800);
/// As large as the largest `package.json`.
const LONGEST_ANSWER: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Client {
    origin: String,
    client: reqwest::Client,
    credential: Credential,
    lanes: Lanes,
    has_answered: AtomicBool,
}

/// What opens the edge.
enum Credential {
    /// Links minted here, each used for a while.
    Keys {
        keys: Box<Keyring>,
        scope: Scope,
        upload: Minted,
        admin: Minted,
    },
    /// A link that was handed over, and whether it reads.
    Link(HeaderValue, bool),
}

type Minted = Mutex<Option<(HeaderValue, Instant)>>;

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys(..)",
            Self::Link(..) => "Link(..)",
        })
    }
}

/// An answer.
pub(super) struct Sent {
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Sent {
    pub(super) fn header(&self, name: impl AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Client {
    pub(super) fn open(prefix: &Prefix) -> Result<Self> {
        let link = std::env::var("LECTERN_UPLOAD_LINK")
            .ok()
            .filter(|link| !link.is_empty());
        let credential = match link {
            Some(link) => handed_over(&link).ok_or(PublishError::BadUploadLink)?,
            None => Credential::Keys {
                keys: Box::new(keyring()?),
                scope: Scope::parse(&prefix.directory())?,
                upload: Minted::default(),
                admin: Minted::default(),
            },
        };
        Ok(Self {
            origin: prefix.origin.clone(),
            client: client().context("cannot make an HTTP client")?,
            credential,
            lanes: Lanes::default(),
            has_answered: AtomicBool::new(false),
        })
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(
            self.credential,
            Credential::Keys { .. } | Credential::Link(_, true)
        )
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        request.timeout(retry::time_for(0))
    }

    /// A run of an upload's bytes, streamed.
    pub(super) async fn put(
        &self,
        url: &str,
        upload: &Upload,
        slice: &Slice,
    ) -> Result<RequestBuilder, PublishError> {
        let request = self.request(Method::PUT, url);
        let body = match &upload.source {
            Source::Bytes(_) => upload.read(slice).await?.into(),
            Source::File(_) => Body::wrap_stream(upload.stream(slice).await?),
        };
        Ok(request
            .timeout(retry::time_for(slice.length))
            .header(CONTENT_LENGTH, slice.length)
            .body(body))
    }

    /// Sends a request, made anew for every attempt, until it is answered for good.
    pub(super) async fn send(
        &self,
        path: &str,
        use_: Use,
        make: impl AsyncFn() -> Result<RequestBuilder, PublishError>,
    ) -> Result<Sent, PublishError> {
        self.until_answered(async || {
            let request = make().await.map_err(Tried::Final)?;
            self.try_once(path, use_, request).await
        })
        .await
    }

    async fn try_once(
        &self,
        path: &str,
        use_: Use,
        request: RequestBuilder,
    ) -> Result<Sent, Tried> {
        let response = self.answer(path, use_, request).await?;
        let headers = response.headers().clone();
        match read_body(response).await {
            Ok(Some(body)) => Ok(Sent { headers, body }),
            Ok(None) => Err(Tried::Final(PublishError::LongAnswer {
                path: path.to_owned(),
                most: LONGEST_ANSWER,
            })),
            Err(error) => Err(Tried::Passing(self.unreachable(error), None)),
        }
    }

    /// An answer that is a success, before its body.
    async fn answer(
        &self,
        path: &str,
        use_: Use,
        request: RequestBuilder,
    ) -> Result<Response, Tried> {
        let request = match self.authorization(use_) {
            Some(link) => request.header(AUTHORIZATION, link),
            None => request,
        };
        let response = request.send().await.map_err(|error| {
            if is_other_bytes(&error) {
                let path = path.to_owned();
                return Tried::Final(PublishError::Changed { path });
            }
            self.lanes.was_too_much();
            Tried::Passing(self.unreachable(error), None)
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        let status = response.status();
        if retry::is_too_much(status.as_u16()) {
            self.lanes.was_too_much();
        } else {
            self.lanes.went_well();
        }
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let body = read_body(response).await.ok().flatten().unwrap_or_default();
        let problem = Problem::parse(&body, status);
        let is_final = !retry::is_worthwhile(status.as_u16()) || problem.code == "misconfigured";
        let error = PublishError::Refused {
            path: path.to_owned(),
            status: status.as_u16(),
            problem: problem.to_string(),
        };
        Err(match is_final {
            true => Tried::Final(error),
            false => Tried::Passing(error, retry_after),
        })
    }

    /// Reads an object a piece at a time, from its beginning for every attempt.
    pub(super) async fn digest(&self, path: &str, url: &str) -> Result<Digested, PublishError> {
        self.until_answered(async || {
            // Without a time for the whole of it.
            let response = self.answer(path, Use::Admin, self.client.get(url)).await?;
            self.drain(response).await
        })
        .await
    }

    /// An object's bytes as they come.
    pub(super) async fn read(
        &self,
        path: &str,
        url: &str,
        headers: &HeaderMap,
    ) -> Result<Chunks<'_>, PublishError> {
        let response = self.until_answered(async || {
            let request = self.client.get(url).headers(headers.clone());
            self.answer(path, Use::Admin, request).await
        });
        let response = response.await?;
        if headers.contains_key(RANGE) && response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(PublishError::Refused {
                path: path.to_owned(),
                status: response.status().as_u16(),
                problem: "it sent all of it where the rest was asked for".to_owned(),
            });
        }
        let chunks = stream::try_unfold(response, |mut response| async {
            let chunk = self.chunk(&mut response).await?;
            Ok(chunk.map(|chunk| (chunk, response)))
        });
        Ok(chunks.boxed())
    }

    async fn until_answered<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, Tried>,
    ) -> Result<T, PublishError> {
        let mut attempt = 0;
        loop {
            let _lane = self.lanes.enter().await;
            let (error, retry_after) = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(Tried::Final(error)) => return Err(error),
                Err(Tried::Passing(error, retry_after)) => (error, retry_after),
            };
            attempt += 1;
            if attempt >= self.attempts() {
                return Err(error);
            }
            retry::wait(attempt - 1, retry_after.as_deref()).await;
        }
    }

    async fn drain(&self, mut response: Response) -> Result<Digested, Tried> {
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        loop {
            match self.chunk(&mut response).await {
                Ok(Some(chunk)) => {
                    hash.update(&chunk);
                    bytes += chunk.len() as u64;
                }
                Ok(None) => {
                    return Ok(Digested {
                        bytes,
                        sha256: hex(&hash.finalize()),
                    });
                }
                Err(error) => return Err(Tried::Passing(error, None)),
            }
        }
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, PublishError> {
        let why = match tokio::time::timeout(retry::ANSWER_TIMEOUT, response.chunk()).await {
            Ok(Ok(chunk)) => return Ok(chunk),
            Ok(Err(error)) => causes(error),
            Err(_) => "it stopped in the middle of an answer".to_owned(),
        };
        let origin = self.origin.clone();
        Err(PublishError::Unreachable { origin, why })
    }

    fn attempts(&self) -> u32 {
        if self.has_answered.load(Ordering::Relaxed) {
            retry::ATTEMPTS
        } else {
            retry::FIRST_ATTEMPTS
        }
    }

    fn authorization(&self, use_: Use) -> Option<HeaderValue> {
        let (keys, scope, minted) = match &self.credential {
            Credential::Link(link, _) => return Some(link.clone()),
            Credential::Keys {
                keys,
                scope,
                upload,
                admin,
            } => match use_ {
                Use::Upload => (keys, scope, upload),
                _ => (keys, scope, admin),
            },
        };
        let mut minted = minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((link, since)) = &*minted
            && since.elapsed() < LINK_USE
        {
            return Some(link.clone());
        }
        let now = clock::unix(clock::now());
        let mut claims = Claims::new(scope.clone(), now + LINK_LIFE.as_secs());
        claims.iat = Some(now);
        claims.use_ = use_;
        let link = bearer(&mint(keys.minting(), &claims))?;
        *minted = Some((link.clone(), Instant::now()));
        Some(link)
    }

    fn unreachable(&self, error: reqwest::Error) -> PublishError {
        PublishError::Unreachable {
            origin: self.origin.clone(),
            why: causes(error),
        }
    }
}

/// Why an attempt failed, and whether another may not.
enum Tried {
    Final(PublishError),
    /// With what the edge says of when.
    Passing(PublishError, Option<String>),
}

fn handed_over(link: &str) -> Option<Credential> {
    let token = token(link)?;
    let reads = link::decode(token).is_ok_and(|(_, claims)| claims.use_ == Use::Admin);
    Some(Credential::Link(bearer(token)?, reads))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `None` where it is longer than anything that is asked for.
async fn read_body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_credential() {
        let link = handed_over("a.b.c").expect("a header");
        assert_eq!(format!("{link:?}"), "Link(..)");
    }
}
