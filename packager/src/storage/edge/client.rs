//! Sends requests to the edge with a fitting link, within the concurrency limit, and retries them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::keyring::Keyring;
use lectern::credential::link::{self, mint};
use lectern::object::key::Scope;
use reqwest::header::{
    AUTHORIZATION, AsHeaderName, CONTENT_LENGTH, HeaderMap, HeaderValue, RANGE, RETRY_AFTER,
};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};

use super::wire::{ProblemBody, token};
use crate::clock;
use crate::digest::{Digest, Hasher};
use crate::storage::concurrency::AdaptiveConcurrency;
use crate::storage::error::StorageError;
use crate::storage::http::{causes, client};
use crate::storage::keys::keyring;
use crate::storage::location::EdgeAddress;
use crate::storage::object::{Slice, Upload, UploadBody, is_digest_mismatch};
use crate::storage::{ObjectStream, retry};

const LINK_LIFE: Duration = Duration::from_secs(3600);
/// Time before a link is replaced, so it outlives the longest request.
const LINK_USE: Duration = Duration::from_secs(1800);
/// Maximum bytes of a response: those of the largest `package.json`.
const LONGEST_ANSWER: usize = crate::storage::LONGEST_IN_MEMORY;

#[derive(Debug)]
pub(super) struct EdgeClient {
    origin: String,
    client: reqwest::Client,
    credential: EdgeCredential,
    lanes: AdaptiveConcurrency,
    has_answered: AtomicBool,
}

/// Credentials for the edge.
enum EdgeCredential {
    /// Links minted here, each used for a while.
    Keys {
        keys: Box<Keyring>,
        scope: Scope,
        upload: MintedLink,
        admin: MintedLink,
    },
    /// A link from the user; the flag tells if it permits reading.
    Link(HeaderValue, bool),
}

type MintedLink = Mutex<Option<(HeaderValue, Instant)>>;

impl std::fmt::Debug for EdgeCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys { .. } => "Keys(..)",
            Self::Link(..) => "Link(..)",
        })
    }
}

/// A response of the edge.
pub(super) struct EdgeResponse {
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl EdgeResponse {
    pub(super) fn header(&self, name: impl AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl EdgeClient {
    pub(super) fn open(prefix: &EdgeAddress) -> Result<Self> {
        let link = std::env::var("LECTERN_UPLOAD_LINK")
            .ok()
            .filter(|link| !link.is_empty());
        let credential = match link {
            Some(link) => parse_upload_link(&link).ok_or(StorageError::BadUploadLink)?,
            None => EdgeCredential::Keys {
                keys: Box::new(keyring()?),
                scope: Scope::parse(&prefix.directory())?,
                upload: MintedLink::default(),
                admin: MintedLink::default(),
            },
        };
        Ok(Self {
            origin: prefix.origin.clone(),
            client: client().context("cannot make an HTTP client")?,
            credential,
            lanes: AdaptiveConcurrency::default(),
            has_answered: AtomicBool::new(false),
        })
    }

    pub(super) fn has_keys(&self) -> bool {
        matches!(self.credential, EdgeCredential::Keys { .. })
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(
            self.credential,
            EdgeCredential::Keys { .. } | EdgeCredential::Link(_, true)
        )
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.client.request(method, url);
        request.timeout(retry::timeout_for(0))
    }

    /// Streams a range of an upload.
    pub(super) async fn put(
        &self,
        url: &str,
        upload: &Upload,
        slice: &Slice,
    ) -> Result<RequestBuilder, StorageError> {
        let request = self.request(Method::PUT, url);
        let body = match &upload.source {
            UploadBody::Bytes(_) => upload.read(slice).await?.into(),
            UploadBody::File(_) => Body::wrap_stream(upload.stream(slice).await?),
        };
        Ok(request
            .timeout(retry::timeout_for(slice.length))
            .header(CONTENT_LENGTH, slice.length)
            .body(body))
    }

    /// Sends a request, rebuilt for every attempt, until the response is final.
    pub(super) async fn send(
        &self,
        path: &str,
        purpose: Purpose,
        make: impl AsyncFn() -> Result<RequestBuilder, StorageError>,
    ) -> Result<EdgeResponse, StorageError> {
        self.retry_until_final(async || {
            let request = make().await.map_err(Attempt::Final)?;
            self.try_once(path, purpose, request).await
        })
        .await
    }

    async fn try_once(
        &self,
        path: &str,
        purpose: Purpose,
        request: RequestBuilder,
    ) -> Result<EdgeResponse, Attempt> {
        let response = self.answer(path, purpose, request).await?;
        let headers = response.headers().clone();
        match read_body(response).await {
            Ok(Some(body)) => Ok(EdgeResponse { headers, body }),
            Ok(None) => Err(Attempt::Final(StorageError::TooLargeForMemory {
                path: path.to_owned(),
                most: LONGEST_ANSWER,
            })),
            Err(error) => Err(Attempt::Passing(self.unreachable(error), None)),
        }
    }

    /// Returns a successful response before its body.
    async fn answer(
        &self,
        path: &str,
        purpose: Purpose,
        request: RequestBuilder,
    ) -> Result<Response, Attempt> {
        let request = match self.authorization(purpose) {
            Some(link) => request.header(AUTHORIZATION, link),
            None => request,
        };
        let response = request.send().await.map_err(|error| {
            if is_digest_mismatch(&error) {
                let path = path.to_owned();
                return Attempt::Final(StorageError::Changed { path });
            }
            self.lanes.on_overload();
            Attempt::Passing(self.unreachable(error), None)
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        let status = response.status();
        if retry::is_overload(status.as_u16()) {
            self.lanes.on_overload();
        } else {
            self.lanes.on_success();
        }
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let body = read_body(response).await.ok().flatten().unwrap_or_default();
        let problem = ProblemBody::parse(&body, status);
        let is_final = !retry::is_worthwhile(status.as_u16()) || problem.code == "misconfigured";
        let error = StorageError::Refused {
            path: path.to_owned(),
            status: status.as_u16(),
            problem: problem.to_string(),
        };
        Err(match is_final {
            true => Attempt::Final(error),
            false => Attempt::Passing(error, retry_after),
        })
    }

    /// Hashes an object in chunks; every attempt starts from the beginning.
    pub(super) async fn digest(&self, path: &str, url: &str) -> Result<Digest, StorageError> {
        self.retry_until_final(async || {
            // No timeout for the whole response.
            let response = self
                .answer(path, Purpose::Admin, self.client.get(url))
                .await?;
            self.drain(response).await
        })
        .await
    }

    /// Streams an object.
    pub(super) async fn read(
        &self,
        path: &str,
        url: &str,
        headers: &HeaderMap,
    ) -> Result<ObjectStream<'_>, StorageError> {
        let response = self.retry_until_final(async || {
            let request = self.client.get(url).headers(headers.clone());
            self.answer(path, Purpose::Admin, request).await
        });
        let response = response.await?;
        if headers.contains_key(RANGE) && response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(StorageError::Refused {
                path: path.to_owned(),
                status: response.status().as_u16(),
                problem: "the server sent the whole object instead of the requested range"
                    .to_owned(),
            });
        }
        let chunks = stream::try_unfold(response, |mut response| async {
            let chunk = self.chunk(&mut response).await?;
            Ok(chunk.map(|chunk| (chunk, response)))
        });
        Ok(chunks.boxed())
    }

    async fn retry_until_final<T>(
        &self,
        ask: impl AsyncFn() -> Result<T, Attempt>,
    ) -> Result<T, StorageError> {
        let mut attempt = 0;
        loop {
            let _lane = self.lanes.enter().await;
            let (error, retry_after) = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(error, retry_after)) => (error, retry_after),
            };
            attempt += 1;
            if attempt >= self.attempts() {
                return Err(error);
            }
            retry::wait(attempt - 1, retry_after.as_deref()).await;
        }
    }

    async fn drain(&self, mut response: Response) -> Result<Digest, Attempt> {
        let mut hasher = Hasher::default();
        loop {
            match self.chunk(&mut response).await {
                Ok(Some(chunk)) => hasher.update(&chunk),
                Ok(None) => return Ok(hasher.finish()),
                Err(error) => return Err(Attempt::Passing(error, None)),
            }
        }
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, StorageError> {
        let why = match tokio::time::timeout(retry::ANSWER_TIMEOUT, response.chunk()).await {
            Ok(Ok(chunk)) => return Ok(chunk),
            Ok(Err(error)) => causes(error),
            Err(_) => "the response ended early".to_owned(),
        };
        let origin = self.origin.clone();
        Err(StorageError::Unreachable { origin, why })
    }

    fn attempts(&self) -> u32 {
        if self.has_answered.load(Ordering::Relaxed) {
            retry::ATTEMPTS
        } else {
            retry::FIRST_ATTEMPTS
        }
    }

    fn authorization(&self, purpose: Purpose) -> Option<HeaderValue> {
        let (keys, scope, minted) = match &self.credential {
            EdgeCredential::Link(link, _) => return Some(link.clone()),
            EdgeCredential::Keys {
                keys,
                scope,
                upload,
                admin,
            } => match purpose {
                Purpose::Upload => (keys, scope, upload),
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
        claims.purpose = purpose;
        let link = bearer(&mint(keys.minting(), &claims))?;
        *minted = Some((link.clone(), Instant::now()));
        Some(link)
    }

    fn unreachable(&self, error: reqwest::Error) -> StorageError {
        StorageError::Unreachable {
            origin: self.origin.clone(),
            why: causes(error),
        }
    }
}

/// Failure of an attempt, final or transient.
enum Attempt {
    Final(StorageError),
    /// Holds the edge's `Retry-After`.
    Passing(StorageError, Option<String>),
}

fn parse_upload_link(link: &str) -> Option<EdgeCredential> {
    let token = token(link)?;
    let reads = link::decode(token).is_ok_and(|(_, claims)| claims.purpose == Purpose::Admin);
    Some(EdgeCredential::Link(bearer(token)?, reads))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Reads a body; `None` if it exceeds the maximum.
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
        let link = parse_upload_link("a.b.c").expect("a header");
        assert_eq!(format!("{link:?}"), "Link(..)");
    }
}
