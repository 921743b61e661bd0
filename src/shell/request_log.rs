//! The log of a request, and the limit of refusals per address.

use web_sys::console;
use worker::{AnalyticsEngineDataPointBuilder, Env};

use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::log::{LogRecord, ServedFrom, viewer};
use crate::request::{Request, object_key, split_path_pass};

/// The names of the bindings in `wrangler.toml`. Both are optional.
const REFUSALS: &str = "REFUSALS";
const ANALYTICS: &str = "ANALYTICS";

pub(super) struct RequestLog<'request> {
    pub(super) request: &'request Request<'request>,
    pub(super) env: &'request Env,
    pub(super) config: &'request Config,
    pub(super) now: u64,
    /// The viewer, if a link names one.
    pub(super) sub: Option<String>,
}

impl RequestLog<'_> {
    /// Replaces a refusal by `RateLimited` if the address exceeded its limit. Requests with a valid
    /// link never count, so one guesser cannot lock out a school that shares his address.
    pub(super) async fn limited(&self, refusal: &Refusal) -> Problem {
        let problem = refusal.problem;
        if !refusal.counts() {
            return problem;
        }
        let (Ok(limiter), Some(key)) = (self.env.rate_limiter(REFUSALS), self.request.limited_as())
        else {
            return problem;
        };
        // If the limiter fails, the request passes.
        match limiter.limit(key).await {
            Ok(outcome) if !outcome.success => Problem::RateLimited,
            _ => problem,
        }
    }

    /// Writes the log line and the data point.
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
