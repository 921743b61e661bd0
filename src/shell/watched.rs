//! Requests about what viewers watched: the Worker's side. Ledgers store it.

use std::cell::RefCell;

use web_sys::{Request, Response};
use worker::Env;

use super::hold::Held;
use super::ledger::{ask, remember, too_many_sessions, viewer_ledger};
use super::responder::{Responder, ResponseBody, failed};
use super::time::within;
use super::{revocations, streams, watch_ledger};
use crate::budget::HoldPurpose;
use crate::config::Config;
use crate::credential::ticket::{Ticket, ViewerHash, viewer_hash};
use crate::http::problem::{Problem, Refusal};
use crate::ledger::message::LedgerRequest;
use crate::ledger::report::{Lecture, MAX_REPORT_BYTES, WatchReport};
use crate::ledger::viewer_limit::ViewerLimit;
use crate::ledger::watch_message::WatchMessage;
use crate::object::key::ObjectKey;
use crate::object::stored::TIMEOUT_MS;
use crate::operation::watched::{AdminWatch, PlayerAction, PlayerWatch, WATCHED};

/// The time limit for a viewer who is to be forgotten, in milliseconds. His ledger asks those of his
/// lectures.
const FORGET_TIMEOUT_MS: u32 = 20_000;
/// The time limit for a viewer's position, in milliseconds. A lecture opens without it.
const POSITION_TIMEOUT_MS: u32 = 1_000;

thread_local! {
    /// Players' questions to ledgers in this isolate.
    static QUESTIONS: RefCell<ViewerLimit> = const { RefCell::new(ViewerLimit::new()) };
}

/// Takes one of a viewer's questions in this minute. Returns `false` if none is left.
pub(super) fn has_room(viewer: ViewerHash, now: u64) -> bool {
    QUESTIONS.with_borrow_mut(|questions| questions.take(viewer, now))
}

/// Asks for the second at which a viewer stopped. `None` if the viewer has not begun the lecture, or
/// the ledger does not answer in time.
pub(super) async fn position(
    env: &Env,
    viewer: ViewerHash,
    lecture: Lecture,
    now: u64,
) -> Option<u32> {
    if !has_room(viewer, now) {
        return None;
    }
    let message = LedgerRequest::Watch(WatchMessage::Position(lecture));
    let answer = ask(env, &viewer_ledger(&viewer), &message, POSITION_TIMEOUT_MS).await;
    answer.ok()?.parse().ok()
}

/// The context of every request here.
pub(super) struct WatchContext<'request> {
    pub(super) env: &'request Env,
    pub(super) config: &'request Config,
    pub(super) responder: &'request Responder,
    pub(super) now: u64,
}

impl WatchContext<'_> {
    async fn check(&self, ticket: Option<&Ticket>, key: &ObjectKey) -> Result<(), Refusal> {
        match ticket.filter(|_| self.config.bindings.revocations) {
            Some(ticket) => revocations::check(self.env, ticket, key, self.now).await,
            None => Ok(()),
        }
    }

    /// Takes a report in, or answers a viewer's progress.
    pub(super) async fn by_player(
        &self,
        watch: PlayerWatch,
        request: &Request,
    ) -> Result<Response, Refusal> {
        self.check(watch.ticket.as_ref(), &watch.key).await?;
        if !has_room(watch.hash, self.now) {
            return Err(Refusal::new(
                Problem::RateLimited,
                "the viewer's players report too often",
            ));
        }
        let ledger = viewer_ledger(&watch.hash);
        let message = match watch.action {
            PlayerAction::Progress => WatchMessage::Progress(watch.lecture),
            PlayerAction::Report { length } => WatchMessage::Report {
                viewer: watch.viewer,
                key: watch.key,
                lecture: watch.lecture,
                report: read_report(request, length).await?,
                place: watch.place,
            },
        };
        let message = LedgerRequest::Watch(message);
        let answer = ask(self.env, &ledger, &message, TIMEOUT_MS).await?;
        let json = match watch.place.zip(answer.split_once(' ')) {
            Some((place, (has_place, json))) => {
                // Segments need not ask for the place, too.
                let has_place = has_place == watch_ledger::HAS_PLACE;
                remember((watch.hash, place.session), self.now, has_place);
                if !has_place {
                    return Err(too_many_sessions());
                }
                json.to_owned()
            }
            None => answer,
        };
        self.responder.json(json).map_err(failed)
    }

    /// Lists or forgets what viewers watched.
    pub(super) async fn by_administrator(
        &self,
        request: &AdminWatch,
        ticket: Option<&Ticket>,
    ) -> Result<Response, Refusal> {
        let key = ObjectKey::new(WATCHED.trim_start_matches('/'))
            .map_err(|error| Refusal::new(Problem::BadPath, error))?;
        self.check(ticket, &key).await?;
        let (ledger, message, timeout_ms, is_csv) = match request {
            AdminWatch::Viewer { viewer, is_csv } => {
                let ledger = viewer_ledger(&viewer_hash(viewer));
                let viewer = viewer.clone();
                let message = WatchMessage::Records {
                    viewer,
                    is_csv: *is_csv,
                };
                (ledger, message, TIMEOUT_MS, *is_csv)
            }
            AdminWatch::Lecture {
                lecture,
                after,
                is_csv,
            } => {
                let ledger = watch_ledger::lecture_ledger(&lecture.hash());
                let message = WatchMessage::Viewers {
                    lecture: lecture.clone(),
                    after: after.clone(),
                    is_csv: *is_csv,
                };
                (ledger, message, TIMEOUT_MS, *is_csv)
            }
            AdminWatch::Forget { viewer } => {
                let ledger = viewer_ledger(&viewer_hash(viewer));
                (ledger, WatchMessage::Forget, FORGET_TIMEOUT_MS, false)
            }
        };
        let message = LedgerRequest::Watch(message);
        let body = ask(self.env, &ledger, &message, timeout_ms).await?;
        let headers = crate::operation::watched::headers(is_csv);
        let body = ResponseBody::Text(body);
        self.responder.send(200, headers, body).map_err(failed)
    }
}

async fn read_report(request: &Request, length: u64) -> Result<WatchReport, Refusal> {
    // A viewer decides how slowly they arrive, so playlists have room of their own.
    let held = Held::in_time(HoldPurpose::PartList, length).await?;
    let body = match request.body() {
        Some(body) => within(TIMEOUT_MS, streams::read(&body, &held))
            .await
            .ok_or_else(|| Refusal::new(Problem::BadRequest, "the report arrives too slowly"))?
            .map_err(failed)?,
        None => Vec::new(),
    };
    debug_assert!(body.len() as u64 <= MAX_REPORT_BYTES);
    WatchReport::from_json(&body).map_err(|reason| Refusal::new(Problem::BadRequest, reason))
}
