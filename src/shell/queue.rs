//! The queue that packagers take their work from.

use wasm_bindgen::JsValue;

use super::bucket::{ask, storage_error};
use super::js::{json, property};
use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::object_key::ObjectKey;
use crate::storage::{StorageError, Stored};
use crate::upload;

/// The name of the binding in `wrangler.toml`. It may be missing where no prefix is set.
const JOBS: &str = "JOBS";

pub(super) struct Queue<'request> {
    pub(super) env: &'request JsValue,
    pub(super) config: &'request Config,
}

impl Queue<'_> {
    /// Tells of an object that was stored. Whoever wrote it is told when nobody was, so that he writes it again.
    pub(super) async fn tell(&self, key: &ObjectKey, stored: &Stored) -> Result<(), Refusal> {
        let uploads = self.config.uploads.as_ref();
        let Some(message) = upload::message(uploads, key, stored) else {
            return Ok(());
        };
        let queue = property(self.env, JOBS).ok_or_else(|| {
            let reason = format!("UPLOADS_PREFIX is set, and no queue is bound as `{JOBS}`");
            Refusal::new(Problem::Misconfigured, reason)
        })?;
        let told = async {
            let message = json(&message).map_err(storage_error)?;
            ask(&queue, "send", &[&message]).await
        };
        let refused = |error: StorageError| {
            Refusal::new(
                Problem::StorageUnavailable,
                format!("the queue was not told: {error}"),
            )
        };
        told.await.map(drop).map_err(refused)
    }
}
