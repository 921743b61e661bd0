//! Connects `object_store` to the packager's HTTP client, concurrency limit and retries.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::TryStreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, RETRY_AFTER};

use super::concurrency::AdaptiveConcurrency;
use super::http::client;
use super::{LONGEST_IN_MEMORY, retry};

#[derive(Debug)]
pub(crate) struct Connector(pub(crate) Arc<AdaptiveConcurrency>);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = client().map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(Service {
            client,
            lanes: Arc::clone(&self.0),
            failures: AtomicU32::new(0),
        }))
    }
}

#[derive(Debug)]
struct Service {
    client: reqwest::Client,
    lanes: Arc<AdaptiveConcurrency>,
    /// Failures before the first response.
    failures: AtomicU32,
}

const ANSWERED: u32 = u32::MAX;

#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
struct Late;

#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {LONGEST_IN_MEMORY} bytes")]
struct ResponseTooLarge;

impl HttpService for Service {
    fn call<'this, 'call>(
        &'this self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'this: 'call,
        Self: 'call,
    {
        Box::pin(self.ask(request))
    }
}

impl Service {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let _lane = self.lanes.enter().await;
        // Lists and errors are read completely; their announced size bounds the buffer.
        let is_list = (request.uri().query()).is_some_and(|query| query.contains("list-type="));
        let is_object = request.method() == Method::GET && !is_list;
        let is_head = request.method() == Method::HEAD;
        let time = retry::timeout_for(request.body().content_length() as u64);
        let answer = match tokio::time::timeout(time, self.client.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, Late)),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.lanes.on_overload();
                return Err(self.failed(error));
            }
        };
        self.failures.store(ANSWERED, Ordering::Relaxed);
        let answer = match is_head || is_object && answer.status().is_success() {
            true => answer,
            false => bounded(answer).await?,
        };
        if !retry::is_overload(answer.status().as_u16()) {
            self.lanes.on_success();
            return Ok(answer);
        }
        self.lanes.on_overload();
        let retry_after = answer.headers().get(RETRY_AFTER);
        let asked = retry::parse_retry_after(retry_after.and_then(|value| value.to_str().ok()));
        if let Some(asked) = asked {
            // `object_store` then adds its own delay.
            tokio::time::sleep(asked).await;
        }
        Ok(answer)
    }

    /// Ends attempts earlier before the first response, because the address may be wrong.
    fn failed(&self, error: HttpError) -> HttpError {
        let failures = self.failures.load(Ordering::Relaxed);
        if failures == ANSWERED {
            return error;
        }
        self.failures.store(failures + 1, Ordering::Relaxed);
        if failures + 1 < retry::FIRST_ATTEMPTS {
            return error;
        }
        HttpError::new(HttpErrorKind::Unknown, error)
    }
}

/// Reads a response into memory, up to a maximum.
async fn bounded(answer: HttpResponse) -> Result<HttpResponse, HttpError> {
    let announced = answer.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > LONGEST_IN_MEMORY as u64) {
        return Err(HttpError::new(HttpErrorKind::Unknown, ResponseTooLarge));
    }
    let (parts, body) = answer.into_parts();
    let (mut bytes, mut chunks) = (vec![], body.bytes_stream());
    while let Some(chunk) = chunks.try_next().await? {
        if bytes.len() + chunk.len() > LONGEST_IN_MEMORY {
            return Err(HttpError::new(HttpErrorKind::Unknown, ResponseTooLarge));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(HttpResponse::from_parts(parts, bytes.into()))
}
