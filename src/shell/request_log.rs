//! What is noted of a request when it was answered, and how often an address may be refused.

use web_sys::console;
use worker::{AnalyticsEngineDataPointBuilder, Env};

use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::log::{LogRecord, ServedFrom, viewer};
use crate::request::{Request, object_key, split_path_pass};

/// The names of the bindings in `wrangler.toml`. Both may be missing.
const REFUSALS: &str = "REFUSALS";
const ANALYTICS: &str = "ANALYTICS";

pub(super) struct RequestLog<'request> {
    pub(super) request: &'request Request<'request>,
    pub(super) env: &'request Env,
    pub(super) config: &'request Config,
    pub(super) now: u64,
    /// The viewer, where a link names him.
    pub(super) sub: Option<String>,
}

impl RequestLog<'_> {
    /// What a refusal is told as: an address that was refused too often is told to wait, whatever it asked for. Who has a
    /// link is never counted, so that a school behind one address is not shut out by somebody who tries.
    pub(super) async fn limited(&self, problem: Problem) -> Problem {
        if !problem.counts() {
            return problem;
        }
        let (Ok(limiter), Some(key)) = (self.env.rate_limiter(REFUSALS), self.request.limited_as())
        else {
            return problem;
        };
        // A limiter that fails limits nobody.
        match limiter.limit(key).await {
            Ok(outcome) if !outcome.success => Problem::RateLimited,
            _ => problem,
        }
    }

    /// Writes the log's line and the data point.
    pub(super) fn record(
        &self,
        status: u16,
        bytes: u64,
        source: Option<ServedFrom>,
        refusal: Option<&Refusal>,
        note: Option<&str>,
    ) {
        let header = |name: &str| (self.request.header)(name).unwrap_or_default();
        let viewer = viewer(
            &self.config.keys,
            self.sub.as_deref(),
            &header("cf-connecting-ip"),
            &header("user-agent"),
            self.now,
        );
        let key = object_key(split_path_pass(self.request.path).1).ok();
        let record = LogRecord {
            method: self.request.method,
            key: key.as_ref(),
            status,
            bytes,
            source,
            viewer: &viewer,
            refusal,
            note,
        };
        let line = record.line().into();
        if status < 500 {
            console::log_1(&line);
        } else {
            console::error_1(&line);
        }
        if let Ok(dataset) = self.env.analytics_engine(ANALYTICS)
            && let Some(point) = record.data_point()
        {
            let _ = AnalyticsEngineDataPointBuilder::new()
                .indexes([point.index])
                .blobs(point.blobs)
                .doubles(point.doubles.map(|double| double as f64))
                .write_to(&dataset);
        }
    }
}
