//! The shell: parses a request into facts, lets the pure part decide, and acts in one `match`.

mod cache;
mod health;
mod hold;
mod ledger;
mod list;
mod queue;
mod r2;
mod raw;
mod read;
mod request_log;
mod responder;
mod revocations;
mod stable_name;
mod steering;
mod streams;
mod time;
mod upload_account;
mod viewer_row;
mod watch_ledger;
mod watched;
mod write;

use std::sync::OnceLock;

use wasm_bindgen::JsCast as _;
use web_sys::{Response, WorkerGlobalScope, console};
use worker::{Context, Env, Result, event};

use crate::config::{Bindings, Config, ConfigError};
use crate::credential::ticket::{SessionId, Ticket};
use crate::decide::{Decision, decide};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::ViewerChecks;
use crate::ledger::report::Lecture;
use crate::object::key::ObjectKey;
use crate::operation::cache_policy;
use crate::operation::revocations::REVOCATIONS;
use crate::request::{Request, split_url};
use cache::CacheEntry;
use queue::UploadQueue;
use r2::R2Bucket;
use raw::Requested;
use read::{ReadContext, Served};
use request_log::RequestLog;
use responder::{Responder, failed};
use time::{microseconds, now_ms};
use watched::WatchContext;
use write::WriteContext;

/// Variables and secrets do not change while an isolate lives.
static CONFIG: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

/// The configuration of this isolate.
fn config(env: &Env) -> &'static Result<Config, ConfigError> {
    CONFIG.get_or_init(|| {
        let config = Config::from_lookup(|name| env.var(name).ok().map(|value| value.to_string()));
        config.map(|config| Config {
            bindings: Bindings {
                ledgers: env.durable_object(ledger::BINDING).is_ok(),
                revocations: env.kv(revocations::BINDING).is_ok(),
            },
            ..config
        })
    })
}

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
    let (config, bucket) = match (config(&env), R2Bucket::of(&env)) {
        (Ok(config), Ok(bucket)) => (config, bucket),
        (Err(error), _) => return misconfigured(&error.to_string()),
        (Ok(_), Err(Refusal { detail, .. })) => return misconfigured(&detail),
    };
    let responder = Responder::new(&config.allowed_origins, header("origin").as_deref());
    let Some((origin, path, query)) = split_url(requested.url()) else {
        return Ok(responder.refuse(Problem::BadPath, None)?);
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
    let watch_context = WatchContext {
        env: &env,
        config,
        responder: &responder,
        now,
    };
    let served = match decision {
        Decision::Options => responder
            .options(header("access-control-request-headers").as_deref())
            .map(Served::plain)
            .map_err(failed),
        Decision::Health => health::health(config, &bucket, &responder)
            .await
            .map(Served::plain),
        Decision::Redirect(mut redirect) => {
            let ticket = &mut redirect.grant.ticket;
            match check_viewer(redirect.viewer, ticket, &redirect.key, &env, now).await {
                Ok(_) => responder
                    .redirect(redirect.location())
                    .map(Served::plain)
                    .map_err(failed),
                Err(refusal) => Err(refusal),
            }
        }
        Decision::Revocations { message, ticket } => {
            let key = ObjectKey::new(REVOCATIONS.trim_start_matches('/'));
            let checked = match (ticket, key) {
                (Some(ticket), Ok(key)) => revocations::check(&env, &ticket, &key, now).await,
                _ => Ok(()),
            };
            let answered = match checked {
                Ok(()) => ledger::ask_revocations(&env, &message).await,
                Err(refusal) => Err(refusal),
            };
            answered.and_then(|json| responder.json(json).map(Served::plain).map_err(failed))
        }
        Decision::PlayerWatch(watch) => {
            request_log.sub = Some(watch.viewer.clone());
            let watched = watch_context.by_player(*watch, &request).await;
            watched.map(Served::plain)
        }
        Decision::AdminWatch {
            request: asked,
            ticket,
        } => {
            let answered = watch_context
                .by_administrator(&asked, ticket.as_ref())
                .await;
            answered.map(Served::plain)
        }
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Read(mut read) => {
            request_log.sub.clone_from(&read.sub);
            let ticket = &mut read.grant.ticket;
            let checked = check_viewer(read.viewer, ticket, &read.key, &env, now).await;
            let context = ReadContext {
                origin,
                bucket_name: &config.bucket_name,
                bucket: &bucket,
                platform: &context,
                responder: &responder,
                verified_in: microseconds() - began,
            };
            match checked {
                Ok(position) => stable_name::read(*read, position, &env, &context, now).await,
                Err(refusal) => Err(refusal),
            }
        }
        Decision::Steering(steering) => {
            request_log.sub.clone_from(&steering.read.sub);
            let context = ReadContext {
                origin,
                bucket_name: &config.bucket_name,
                bucket: &bucket,
                platform: &context,
                responder: &responder,
                verified_in: microseconds() - began,
            };
            steering::steer(*steering, &env, &context, now).await
        }
        Decision::List { list, ticket } => {
            let checked = match ticket {
                Some(ticket) => revocations::check(&env, &ticket, &list.any, now).await,
                None => Ok(()),
            };
            match checked {
                Ok(()) => list::list(&list, &bucket, &responder)
                    .await
                    .map(Served::plain),
                Err(refusal) => Err(refusal),
            }
        }
        Decision::Write {
            write,
            ticket,
            bounds,
        } => {
            let entries =
                cache_policy::urls(origin, &config.hostnames, &config.bucket_name, write.key());
            let writing = WriteContext {
                request: &request,
                bucket: &bucket,
                queue: UploadQueue { env: &env, config },
                responder: &responder,
                bounds: &bounds,
                env: &env,
            };
            let checked = match ticket {
                Some(ticket) => revocations::check(&env, &ticket, write.key(), now).await,
                None => Ok(()),
            };
            let written = match checked {
                // The holder of a link that may write hears what is wrong.
                Ok(()) => writing.write(write).await.map_err(Refusal::told),
                Err(refusal) => Err(refusal),
            };
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
            let problem = request_log.limited(&refusal).await;
            request_log.record(problem.status(), 0, None, Some(&refusal), None);
            Ok(responder.refuse(problem, refusal.told_detail())?)
        }
    }
}

/// Asks whether the viewer may go on, and gives a new player its session. Returns the viewer's
/// position in the lecture, if the request asks for it and the viewer's ledger answers.
async fn check_viewer(
    checks: ViewerChecks,
    ticket: &mut Option<Ticket>,
    key: &ObjectKey,
    env: &Env,
    now: u64,
) -> std::result::Result<Option<u32>, Refusal> {
    let mut player = None;
    if let Some(ticket) = ticket {
        if checks.asks_revocations {
            revocations::check(env, ticket, key, now).await?;
        }
        player = checks.place.zip(ticket.viewer).zip(ticket.place.as_mut());
    }
    let lecture = checks.position_of.and_then(|_| Lecture::of(key).ok());
    if let Some(((request, viewer), place)) = player {
        if place.session == SessionId::default() {
            place.session = random_session()?;
        }
        return ledger::admit(env, viewer, *place, request, lecture, now).await;
    }
    match checks.position_of.zip(lecture) {
        Some((viewer, lecture)) => Ok(watched::position(env, viewer, lecture, now).await),
        None => Ok(None),
    }
}

/// Draws a session's id.
fn random_session() -> std::result::Result<SessionId, Refusal> {
    let mut session = SessionId::default();
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let drawn = global
        .crypto()
        .and_then(|crypto| crypto.get_random_values_with_u8_array(&mut session));
    drawn.map_err(failed)?;
    Ok(session)
}

/// The answer of a misconfigured edge. Only the log names the error.
fn misconfigured(error: &str) -> Result<Response> {
    console::error_1(&format!("misconfigured: {error}").into());
    Ok(Responder::public().refuse(Problem::Misconfigured, None)?)
}
