//! `/_lectern/health`: version, keys, and whether the bucket answers.

use web_sys::Response;

use super::r2::R2Bucket;
use super::responder::{Responder, ResponseBody, failed};
use crate::config::Config;
use crate::http::problem::Refusal;
use crate::object::key::ObjectKey;
use crate::operation::health::Health;

pub(super) async fn health(
    config: &Config,
    bucket: &R2Bucket,
    responder: &Responder,
) -> Result<Response, Refusal> {
    // Any key works: a missing object is an answer too.
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
