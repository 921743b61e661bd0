//! The shell: turns a request into facts, asks the pure part what happens, and does it. One `match`.

mod bucket;
mod cache;
mod health;
mod js;
mod list;
mod queue;
mod read;
mod reply;
mod start;
mod watch;
mod write;

use std::sync::OnceLock;

use js_sys::Promise;
use js_sys::futures::future_to_promise;
use wasm_bindgen::prelude::*;
use web_sys::{Response, console};

use crate::config::{Config, ConfigError};
use crate::decide::{Decision, decide};
use crate::edge_cache;
use crate::http::problem::{Problem, Refusal};
use crate::request::{Request, split_url};
use bucket::Bucket;
use cache::Entry;
use js::Requested;
use queue::Queue;
use read::{Done, Place};
use reply::{Reply, failed};
use watch::Watch;

/// Variables and secrets do not change while an isolate lives.
static CONFIG: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

/// Called by `entry.mjs`.
#[wasm_bindgen]
pub fn fetch(request: JsValue, env: JsValue, context: JsValue) -> Promise {
    future_to_promise(async move { Ok(answer(&request, &env, &context).await?.into()) })
}

async fn answer(request: &JsValue, env: &JsValue, context: &JsValue) -> Result<Response, JsValue> {
    let began = js::microseconds();
    let requested = Requested::of(request);
    let header = |name: &str| {
        let value = match name {
            "accept-encoding" => requested.accept_encoding(),
            _ => requested.header(name),
        };
        value.map(str::to_owned)
    };
    let config = CONFIG.get_or_init(|| Config::from_lookup(|name| js::text(env, name)));
    let (config, bucket) = match (config, Bucket::of(env)) {
        (Ok(config), Ok(bucket)) => (config, bucket),
        (Err(error), _) => return misconfigured(&error.to_string()),
        (Ok(_), Err(Refusal { reason, .. })) => return misconfigured(&reason),
    };
    let reply = Reply::new(&config.allowed_origins, header("origin").as_deref());
    let Some((origin, path, query)) = split_url(requested.url()) else {
        return reply.refuse(Problem::BadPath);
    };
    let facts = Request {
        method: requested.method(),
        origin,
        path,
        query,
        header: &header,
        country: &|| requested.country().map(str::to_owned),
    };
    let now = (js_sys::Date::now() / 1000.0) as u64;
    let decision = decide(&facts, config, now);
    let mut watch = Watch {
        request: &facts,
        env,
        config,
        now,
        sub: None,
    };
    let done = match decision {
        Decision::Options => reply.options().map(Done::plain).map_err(failed),
        Decision::Health => health::health(config, &bucket, &reply)
            .await
            .map(Done::plain),
        Decision::Redirect(location) => reply.redirect(location).map(Done::plain).map_err(failed),
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Read(read) => {
            watch.sub.clone_from(&read.sub);
            let place = Place {
                origin,
                bucket_name: &config.bucket_name,
                bucket: &bucket,
                context,
                reply: &reply,
                verified_in: js::microseconds() - began,
            };
            read::read(&read, &place).await
        }
        Decision::List(list) => list::list(&list, &bucket, &reply).await.map(Done::plain),
        Decision::Write(write) => {
            let entries =
                edge_cache::urls(origin, &config.hostnames, &config.bucket_name, write.key());
            let queue = Queue { env, config };
            let body = request.unchecked_ref();
            let written = write::write(write, body, &bucket, &queue, &reply).await;
            for entry in entries.into_iter().filter_map(Entry::new) {
                entry.forget(context);
            }
            written.map(Done::plain)
        }
    };
    match done {
        Ok(done) => {
            watch.note(done.response.status(), done.bytes, done.source, None);
            Ok(done.response)
        }
        Err(refusal) => {
            let problem = watch.told_as(refusal.problem).await;
            watch.note(problem.status(), 0, None, Some(&refusal));
            reply.refuse(problem)
        }
    }
}

/// Every answer of an edge that is not set up: what is wrong stands in the log alone.
fn misconfigured(error: &str) -> Result<Response, JsValue> {
    console::error_1(&format!("misconfigured: {error}").into());
    Reply::public().refuse(Problem::Misconfigured)
}
