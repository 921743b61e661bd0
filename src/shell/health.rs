//! `/_lectern/health`: what runs here, with which keys, and whether the bucket answers.

use web_sys::Response;

use super::r2::Bucket;
use super::responder::{Responder, ResponseBody, failed};
use crate::config::Config;
use crate::http::problem::Refusal;
use crate::object::key::ObjectKey;
use crate::operation::health::Health;

pub(super) async fn health(
    config: &Config,
    bucket: &Bucket,
    responder: &Responder,
) -> Result<Response, Refusal> {
    // Any name will do: that there is nothing under it is an answer as well.
    let is_reachable = match ObjectKey::new("_lectern/health") {
        Ok(key) => bucket.head(&key).await.is_ok(),
        Err(_) => false,
    };
    let health = Health::new(&config.keys, is_reachable);
    responder
        .send(
            health.status(),
            Health::headers(),
            ResponseBody::Text(health.body()),
        )
        .map_err(failed)
}
