//! Ledgers: Durable Objects with the edge's memory of viewers. The module has both sides: the Worker
//! that asks, and the object that answers.
//!
//! The object's class is in `entry.mjs` and keeps the platform's state only. Each request calls
//! [`ledger`], so a panic of the module loses nothing: everything is in the object's SQLite.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use js_sys::futures::JsFuture;
use wasm_bindgen::prelude::*;
use web_sys::{Response, console};
use worker::worker_sys::DurableObjectState;
use worker::{Env, Error, Result, SqlStorage, SqlStorageValue, State, Storage};

use super::config;
use super::raw::response;
use super::responder::failed;
use super::time::{now_ms, sleep, within};
use super::viewer_row::ViewerRow;
use super::watch_ledger::{WatchLedger, ensure_alarm};
use super::{revocations, upload_account, watched};
use crate::credential::ticket::{Place, SessionId, ViewerHash};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::PlaceRequest;
use crate::ledger::message::{LedgerRequest, PlaceAnswer};
use crate::ledger::places::{Admission, CHECK_IN_SECONDS, FORGET_SECONDS, Player, keep, take};
use crate::ledger::report::Lecture;
use crate::ledger::revocation::{MAX_REVOCATIONS, Revocation, Revoked, list_json};
use crate::object::stored::TIMEOUT_MS;

/// The name of the binding in `wrangler.toml`. It is optional.
pub(super) const BINDING: &str = "LEDGERS";
/// The beginning of a message's URL. No request leaves the Worker. The message is the query, which
/// the platform's logs leave out: it names viewers.
const ORIGIN: &str = "https://ledger/?";
/// The ledger of revocations. A viewer's ledger has a name with a slash.
const REVOCATIONS: &str = "revocations";
/// The time limit for a player's place, in milliseconds. A player waits for it.
const PLACE_TIMEOUT_MS: u32 = 2_000;
/// The delay before a refused write to Workers KV is repeated, in milliseconds. KV takes one write
/// a second of a key.
const PUBLISH_AGAIN_MS: u32 = 1_100;
const MAX_PUBLISHES: u32 = 4;
/// The most players that an isolate remembers to have asked for.
const MAX_REMEMBERED: usize = 10_000;

thread_local! {
    /// Players whose place this isolate kept, with the second of the answer and whether they have
    /// one. It spares most requests for segments the question.
    static CHECKED_IN: RefCell<BTreeMap<(ViewerHash, SessionId), (u64, bool)>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// Asks for a player's place, and for the viewer's position in a lecture.
pub(super) async fn admit(
    env: &Env,
    viewer: ViewerHash,
    place: Place,
    request: PlaceRequest,
    lecture: Option<Lecture>,
    now: u64,
) -> std::result::Result<Option<u32>, Refusal> {
    let player = (viewer, place.session);
    let remembered = CHECKED_IN.with_borrow(|players| players.get(&player).copied());
    let is_known = |at: u64| request == PlaceRequest::Keep && now < at + CHECK_IN_SECONDS;
    // A player whose place is known asks for a position as often as a viewer without places.
    let lecture = lecture.filter(|_| {
        !remembered.is_some_and(|(at, _)| is_known(at)) || watched::has_room(viewer, now)
    });
    let answer = match remembered {
        Some((at, has_place)) if is_known(at) && lecture.is_none() => PlaceAnswer {
            has_place,
            position: None,
        },
        _ => {
            let before = remembered.is_none_or(|(_, has_place)| has_place);
            // Before the answer: the player's other requests need not ask, too.
            remember(player, now, before);
            let message = match request {
                PlaceRequest::Take => LedgerRequest::Take(place, lecture),
                PlaceRequest::Keep => LedgerRequest::Keep(place, lecture),
            };
            match ask(env, &viewer_ledger(&viewer), &message, PLACE_TIMEOUT_MS).await {
                Ok(answer) => {
                    let answer = PlaceAnswer::parse(&answer);
                    remember(player, now, answer.has_place);
                    answer
                }
                // Lectures go on while ledgers fail.
                Err(refusal) => {
                    let reason = refusal.detail;
                    console::error_1(&format!("a viewer's ledger fails: {reason}").into());
                    PlaceAnswer {
                        has_place: before,
                        position: None,
                    }
                }
            }
        }
    };
    match answer.has_place {
        true => Ok(answer.position),
        false => Err(too_many_sessions()),
    }
}

/// The refusal of a player without a place.
pub(super) fn too_many_sessions() -> Refusal {
    let reason = "the viewer has as many players as `sessions` allows";
    Refusal::new(Problem::TooManySessions, reason)
}

/// The name of a viewer's ledger.
pub(super) fn viewer_ledger(viewer: &ViewerHash) -> String {
    format!("viewer/{}", URL_SAFE_NO_PAD.encode(viewer))
}

/// Remembers whether a player has its place, so that its next requests need not ask.
pub(super) fn remember(player: (ViewerHash, SessionId), now: u64, has_place: bool) {
    CHECKED_IN.with_borrow_mut(|players| {
        if players.len() >= MAX_REMEMBERED {
            players.retain(|_, (at, _)| now < *at + CHECK_IN_SECONDS);
        }
        if players.len() < MAX_REMEMBERED {
            players.insert(player, (now, has_place));
        }
    });
}

/// Asks the ledger of revocations.
pub(super) async fn ask_revocations(
    env: &Env,
    message: &LedgerRequest,
) -> std::result::Result<String, Refusal> {
    ask(env, REVOCATIONS, message, TIMEOUT_MS).await
}

/// Asks a ledger. A refusal that is not `NotFound` is a failure of the platform.
pub(super) async fn ask(
    env: &Env,
    name: &str,
    message: &LedgerRequest,
    timeout_ms: u32,
) -> std::result::Result<String, Refusal> {
    let answer = async {
        let stub = env.durable_object(BINDING)?.get_by_name(name)?;
        let url = format!("{ORIGIN}{}", URL_SAFE_NO_PAD.encode(message.to_json()));
        let response: Response = stub.fetch_with_str(&url).await?.into();
        let text = JsFuture::from(response.text()?).await?;
        let text = text.as_string().unwrap_or_default();
        Ok::<_, Error>((response.status(), text))
    };
    match within(timeout_ms, answer).await {
        Some(Ok((200, text))) => Ok(text),
        Some(Ok((404, text))) => Err(Refusal::new(Problem::NotFound, text)),
        Some(Ok((_, text))) => Err(failed(Error::from(text))),
        Some(Err(error)) => Err(failed(error)),
        None => Err(failed(Error::from("a ledger gives no answer in time"))),
    }
}

/// Answers a message to the ledger with this state: text with 200, or an error's with 400 or 404.
///
/// # Errors
/// When the platform cannot make a response.
#[wasm_bindgen(wasm_bindgen_futures = js_sys::futures)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports public functions only")]
pub async fn ledger(
    state: DurableObjectState,
    env: Env,
    request: web_sys::Request,
) -> std::result::Result<Response, JsValue> {
    let answer = async {
        let url = request.url();
        let message = url.strip_prefix(ORIGIN).and_then(|text| {
            let json = URL_SAFE_NO_PAD.decode(text).ok()?;
            LedgerRequest::from_json(&json)
        });
        let message = message.ok_or_else(|| Error::from("a message that no ledger knows"));
        let storage = State::from(state).storage();
        match message.map_err(failed)? {
            LedgerRequest::Watch(message) => {
                let ledger = watch_ledger(storage, &env).map_err(failed)?;
                ledger.answer(&message).await
            }
            message => answer(&message, &storage, &env).await.map_err(failed),
        }
    };
    let (status, text) = match answer.await {
        Ok(text) => (200, text),
        Err(refusal) if refusal.problem == Problem::NotFound => (404, refusal.detail),
        Err(refusal) => (400, refusal.detail),
    };
    response(status, &[], &text.into())
}

/// Does what is due in the ledger with this state: its alarm.
///
/// # Errors
/// When storage fails. The platform then repeats the alarm.
#[wasm_bindgen(js_name = "ledgerAlarm", wasm_bindgen_futures = js_sys::futures)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports public functions only")]
pub async fn ledger_alarm(state: DurableObjectState, env: Env) -> std::result::Result<(), JsValue> {
    let storage = State::from(state).storage();
    if upload_account::expire(&storage).await? {
        return Ok(());
    }
    Ok(watch_ledger(storage, &env)?.alarm().await?)
}

fn watch_ledger(storage: Storage, env: &Env) -> Result<WatchLedger<'_>> {
    let config = config(env).as_ref();
    Ok(WatchLedger {
        sql: storage.sql(),
        storage,
        env,
        config: config.map_err(|error| Error::from(error.to_string()))?,
    })
}

async fn answer(message: &LedgerRequest, storage: &Storage, env: &Env) -> Result<String> {
    let sql = &storage.sql();
    let now = now_ms() / 1000;
    match message {
        LedgerRequest::Take(place, lecture) => {
            let admit = |players: &[Player]| take(players, place, now);
            answer_player(storage, admit, lecture.as_ref(), now).await
        }
        LedgerRequest::Keep(place, lecture) => {
            let admit = |players: &[Player]| keep(players, place, now);
            answer_player(storage, admit, lecture.as_ref(), now).await
        }
        LedgerRequest::Revoke(target, until) => {
            let mut list = revocations_in_force(sql, now)?;
            let is_new = list.iter().all(|known| known.target != *target);
            if is_new && list.len() >= MAX_REVOCATIONS {
                let error =
                    format!("{MAX_REVOCATIONS} revocations are in force: remove some first");
                return Err(error.into());
            }
            list.retain(|known| known.target != *target);
            list.push(Revocation {
                target: target.clone(),
                until: *until,
                since: now,
            });
            let (kind, name) = target.parts();
            sql.exec(
                "INSERT OR REPLACE INTO revocation (kind, name, until, since) VALUES (?, ?, ?, ?)",
                vec![kind.into(), name.into(), integer(*until)?, integer(now)?],
            )?;
            publish(env, &list).await
        }
        LedgerRequest::Unrevoke(target) => {
            let (kind, name) = target.parts();
            create_revocations(sql)?;
            sql.exec(
                "DELETE FROM revocation WHERE kind = ? AND name = ?",
                vec![kind.into(), name.into()],
            )?;
            publish(env, &revocations_in_force(sql, now)?).await
        }
        LedgerRequest::ListRevocations => Ok(list_json(&revocations_in_force(sql, now)?)),
        LedgerRequest::Upload(charge) => upload_account::answer(storage, charge).await,
        LedgerRequest::Watch(_) => Err("a message about watching".into()),
    }
}

/// Stores a player's admission, and names the viewer's position in a lecture.
async fn answer_player(
    storage: &Storage,
    admit: impl FnOnce(&[Player]) -> Admission,
    lecture: Option<&Lecture>,
    now: u64,
) -> Result<String> {
    let sql = &storage.sql();
    let row = ViewerRow::of(sql)?;
    let players = row.players()?;
    let admission = admit(&players);
    row.store_players(&admission.apply(&players))?;
    // A history that this version cannot read names no position.
    let position = lecture.and_then(|lecture| row.history().ok()??.position(lecture));
    ensure_alarm(storage, now + FORGET_SECONDS + 1).await?;
    let answer = PlaceAnswer {
        has_place: admission.player.is_some(),
        position,
    };
    Ok(answer.to_text())
}

/// Writes the list where every data centre reads it.
async fn publish(env: &Env, list: &[Revocation]) -> Result<String> {
    let json = list_json(list);
    let mut attempt = 1;
    while let Err(error) = revocations::write(env, &json).await {
        if attempt >= MAX_PUBLISHES {
            return Err(error);
        }
        attempt += 1;
        sleep(PUBLISH_AGAIN_MS).await;
    }
    Ok(json)
}

fn create_revocations(sql: &SqlStorage) -> Result<worker::SqlCursor> {
    sql.exec(
        "CREATE TABLE IF NOT EXISTS revocation (kind TEXT NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL, \
         since INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID",
        None,
    )
}

fn revocations_in_force(sql: &SqlStorage, now: u64) -> Result<Vec<Revocation>> {
    create_revocations(sql)?;
    sql.exec(
        "DELETE FROM revocation WHERE until < ?",
        vec![integer(now)?],
    )?;
    let rows = sql.exec(
        "SELECT kind, name, until, since FROM revocation ORDER BY since, kind, name",
        None,
    )?;
    rows.raw()
        .map(|row| match row?.as_slice() {
            [
                SqlStorageValue::String(kind),
                SqlStorageValue::String(name),
                SqlStorageValue::Integer(until),
                SqlStorageValue::Integer(since),
            ] => Ok(Revocation {
                target: Revoked::parse(kind, name)?,
                until: until.unsigned_abs(),
                since: since.unsigned_abs(),
            }),
            _ => Err("a row of `revocation`".into()),
        })
        .collect()
}

/// Every number here is a second, so it fits.
pub(super) fn integer(number: u64) -> Result<SqlStorageValue> {
    let number = i64::try_from(number).map_err(|error| Error::from(error.to_string()))?;
    SqlStorageValue::try_from_i64(number)
}
