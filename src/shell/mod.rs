//! The shell: parses a request into facts, lets the pure part decide, and acts in one `match`.

mod cache;
mod health;
mod hold;
mod list;
mod queue;
mod r2;
mod raw;
mod read;
mod request_log;
mod responder;
mod streams;
mod time;
mod write;

use std::sync::OnceLock;

use web_sys::{Response, console};
use worker::{Context, Env, Result, event};

use crate::config::{Config, ConfigError};
use crate::decide::{Decision, decide};
use crate::http::problem::{Problem, Refusal};
use crate::operation::cache_policy;
use crate::request::{Request, split_url};
use cache::CacheEntry;
use queue::UploadQueue;
use r2::R2Bucket;
use raw::Requested;
use read::{ReadContext, Served};
use request_log::RequestLog;
use responder::{Responder, failed};
use time::{microseconds, now_ms};

/// Variables and secrets do not change while an isolate lives.
static CONFIG: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

/// The handler that `entry.mjs` calls. Request and answer are those of `web_sys`: see [`raw`].
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> Result<Response> {
    let began = microseconds();
    let requested = Requested::of(&request);
    let header = |name: &str| {
        let value = match name {
            "accept-encoding" => requested.accept_encoding(),
            _ => requested.header(name),
        };
        value.map(str::to_owned)
    };
    let config = CONFIG.get_or_init(|| {
        Config::from_lookup(|name| env.var(name).ok().map(|value| value.to_string()))
    });
    let (config, bucket) = match (config, R2Bucket::of(&env)) {
        (Ok(config), Ok(bucket)) => (config, bucket),
        (Err(error), _) => return misconfigured(&error.to_string()),
        (Ok(_), Err(Refusal { detail, .. })) => return misconfigured(&detail),
    };
    let responder = Responder::new(&config.allowed_origins, header("origin").as_deref());
    let Some((origin, path, query)) = split_url(requested.url()) else {
        return Ok(responder.refuse(Problem::BadPath)?);
    };
    let facts = Request {
        method: requested.method(),
        origin,
        path,
        query,
        header: &header,
        country: &|| requested.country().map(str::to_owned),
    };
    let now = now_ms() / 1000;
    let decision = decide(&facts, config, now);
    let mut request_log = RequestLog {
        request: &facts,
        env: &env,
        config,
        now,
        sub: None,
    };
    let served = match decision {
        Decision::Options => responder
            .options(header("access-control-request-headers").as_deref())
            .map(Served::plain)
            .map_err(failed),
        Decision::Health => health::health(config, &bucket, &responder)
            .await
            .map(Served::plain),
        Decision::Redirect(location) => responder
            .redirect(location)
            .map(Served::plain)
            .map_err(failed),
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Read(read) => {
            request_log.sub.clone_from(&read.sub);
            let context = ReadContext {
                origin,
                bucket_name: &config.bucket_name,
                bucket: &bucket,
                platform: &context,
                responder: &responder,
                verified_in: microseconds() - began,
            };
            read::read(&read, &context).await
        }
        Decision::List(list) => list::list(&list, &bucket, &responder)
            .await
            .map(Served::plain),
        Decision::Write(write) => {
            let entries =
                cache_policy::urls(origin, &config.hostnames, &config.bucket_name, write.key());
            let queue = UploadQueue { env: &env, config };
            let written = write::write(write, &request, &bucket, &queue, &responder).await;
            for entry in entries {
                CacheEntry::new(entry).forget(&context);
            }
            written.map(Served::plain)
        }
    };
    match served {
        Ok(served) => {
            let note = served.note.as_deref();
            request_log.record(
                served.response.status(),
                served.bytes,
                served.source,
                None,
                note,
            );
            Ok(served.response)
        }
        Err(refusal) => {
            let problem = request_log.limited(refusal.problem).await;
            request_log.record(problem.status(), 0, None, Some(&refusal), None);
            Ok(responder.refuse(problem)?)
        }
    }
}

/// The answer of a misconfigured edge. Only the log names the error.
fn misconfigured(error: &str) -> Result<Response> {
    console::error_1(&format!("misconfigured: {error}").into());
    Ok(Responder::public().refuse(Problem::Misconfigured)?)
}
