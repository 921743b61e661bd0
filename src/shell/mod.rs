//! The shell: turns a request into facts, asks the pure part what happens, and does it. One `match`.

mod bucket;
mod read;
mod reply;
mod write;

use std::sync::OnceLock;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use worker::{Context, Env, console_error, event};

use crate::config::{Config, ConfigError};
use crate::decide::{Decision, decide};
use crate::http::problem::{Problem, Refusal};
use crate::request::{Request, split_url};
use bucket::Bucket;
use reply::Reply;

/// Variables and secrets do not change while an isolate lives.
static CONFIG: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    _context: Context,
) -> Result<web_sys::Response, &'static str> {
    answer(&request, &env)
        .await
        .map_err(|_| "the platform makes no response")
}

async fn answer(request: &web_sys::Request, env: &Env) -> Result<web_sys::Response, JsValue> {
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let config = CONFIG.get_or_init(|| {
        Config::from_lookup(|name| env.var(name).ok().map(|value| value.to_string()))
    });
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            console_error!("misconfigured: {error}");
            return Reply::public().refuse(Problem::Misconfigured);
        }
    };
    let reply = Reply::new(&config.allowed_origins, header("origin").as_deref());
    let url = request.url();
    let Some((origin, path, query)) = split_url(&url) else {
        return reply.refuse(Problem::BadPath);
    };
    let facts = Request {
        method: &request.method(),
        origin,
        path,
        query,
        header: &header,
        country: &|| country(request),
    };
    let now = (js_sys::Date::now() / 1000.0) as u64;
    let done = match decide(&facts, config, now) {
        Decision::Options => return reply.options(),
        Decision::Redirect(location) => return reply.redirect(location),
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Read(read) => match Bucket::of(env) {
            Ok(bucket) => read::read(&read, origin, &bucket, &reply).await,
            Err(refusal) => Err(refusal),
        },
        Decision::Write(write) => match Bucket::of(env) {
            Ok(bucket) => write::write(write, request, &bucket, &reply).await,
            Err(refusal) => Err(refusal),
        },
    };
    done.or_else(|refusal| {
        log(&refusal);
        reply.refuse(refusal.problem)
    })
}

/// `request.cf.country`. The header of the same meaning is only as good as the zone's settings: a client may send it.
fn country(request: &web_sys::Request) -> Option<String> {
    let cf = Reflect::get(request, &"cf".into()).ok()?;
    Reflect::get(&cf, &"country".into()).ok()?.as_string()
}

/// What only the operator can mend goes to the log. A client's own mistakes do not: anybody can make any number.
fn log(Refusal { problem, reason }: &Refusal) {
    if problem.status() >= 500 {
        console_error!("{}: {reason}", problem.code());
    }
}
