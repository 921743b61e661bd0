//! The queue of jobs for packagers.

use worker::Env;

use super::r2::ask;
use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::object::key::ObjectKey;
use crate::object::stored::{BucketError, ObjectMetadata};
use crate::operation::upload_event;

/// The name of the binding in `wrangler.toml`. It is optional without `UPLOADS_PREFIX`.
const JOBS: &str = "JOBS";

pub(super) struct UploadQueue<'request> {
    pub(super) env: &'request Env,
    pub(super) config: &'request Config,
}

impl UploadQueue<'_> {
    /// Announces a stored upload. If that fails, the uploader gets an error, so that he uploads
    /// again.
    pub(super) async fn announce(
        &self,
        key: &ObjectKey,
        stored: &ObjectMetadata,
    ) -> Result<(), Refusal> {
        let uploads = self.config.uploads.as_ref();
        let Some(message) = upload_event::message(uploads, key, stored) else {
            return Ok(());
        };
        let queue = self.env.queue(JOBS).map_err(|_| {
            let reason = format!("UPLOADS_PREFIX is set, and no queue is bound as `{JOBS}`");
            Refusal::new(Problem::Misconfigured, reason)
        })?;
        let sent = ask(|| queue.send(&message)).await;
        sent.map_err(|error: BucketError| {
            Refusal::new(
                Problem::StorageUnavailable,
                format!("the queue did not accept the message: {error}"),
            )
        })
    }
}
