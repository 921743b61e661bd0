//! The HTTP client for edges and buckets.

use std::time::Duration;

use reqwest::Client;

use crate::proxy::{ProxyError, with_proxies};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("cannot make an HTTP client")]
    Http(#[from] reqwest::Error),
}

pub(crate) fn client() -> Result<Client, ClientError> {
    // A second target finds the provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry the credential to another host.
        .redirect(reqwest::redirect::Policy::none());
    Ok(with_proxies(builder)?.build()?)
}

/// Causes of an error without the URL, which the message already names.
pub(crate) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        why = format!("{why}: {next}");
        cause = next.source();
    }
    why
}
