//! Ledgers of what viewers watched: the object's side. A viewer's ledger has his history as one
//! value. A lecture's has a row for each viewer, which the viewers' ledgers send.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use web_sys::console;
use worker::{Env, Error, Result, ScheduledTime, SqlStorage, SqlStorageValue, Storage};

use super::ledger::{ask, integer};
use super::r2::R2Bucket;
use super::raw::post;
use super::time::now_ms;
use super::viewer_row::ViewerRow;
use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::history::{Delivery, WatchHistory, WatchRecord};
use crate::ledger::message::LedgerRequest;
use crate::ledger::places::{FORGET_SECONDS, keep};
use crate::ledger::report::{Lecture, LectureHash};
use crate::ledger::watch_message::WatchMessage;
use crate::ledger::webhook::WebhookEvent;
use crate::object::key::ObjectKey;
use crate::object::stored::TIMEOUT_MS;
use crate::operation::watched::{PAGE, WatchList, WatchSubject, forgotten_json};

/// The word before the answer to a report whose player has its place.
pub(super) const HAS_PLACE: &str = "true";
/// The most deliveries of one alarm, and of one request to forget a viewer.
const MAX_DELIVERIES: usize = 100;
/// The longest time without an alarm, in milliseconds.
const LONGEST_SLEEP_MS: u64 = 30 * 86_400_000;
/// The time limit for a webhook, in milliseconds.
const WEBHOOK_TIMEOUT_MS: u32 = 10_000;
/// The time in which a request to forget a viewer removes his rows, in milliseconds.
const FORGET_NOW_MS: u64 = 10_000;

/// The name of a lecture's ledger.
pub(super) fn lecture_ledger(hash: &LectureHash) -> String {
    format!("lecture/{}", URL_SAFE_NO_PAD.encode(hash))
}

/// The object that answers.
pub(super) struct WatchLedger<'object> {
    pub(super) storage: Storage,
    pub(super) sql: SqlStorage,
    pub(super) env: &'object Env,
    pub(super) config: &'object Config,
}

impl WatchLedger<'_> {
    /// Answers a message.
    ///
    /// # Errors
    /// `NotFound` for a report about an object that does not exist, and failures of storage.
    pub(super) async fn answer(
        &self,
        message: &WatchMessage,
    ) -> std::result::Result<String, Refusal> {
        let failed = super::responder::failed;
        match message {
            WatchMessage::Report {
                viewer,
                key,
                lecture,
                report,
                place,
            } => {
                let mut history = self.history_of(viewer).map_err(failed)?;
                if !history.has(lecture) {
                    self.check_object(key).await?;
                    // An alarm may have changed it meanwhile.
                    history = self.history_of(viewer).map_err(failed)?;
                }
                let now = now_ms() / 1000;
                let has_webhook = self.config.webhook.is_some();
                let is_new = history.report(lecture, report, has_webhook, now);
                let json = history.progress_json(lecture, false);
                let row = self.row().map_err(failed)?;
                let answer = match place {
                    None => {
                        if is_new {
                            row.store_history(&history).map_err(failed)?;
                        }
                        json
                    }
                    Some(place) => {
                        let players = row.players().map_err(failed)?;
                        let admission = keep(&players, place, now);
                        let players = admission.apply(&players);
                        row.store(&players, &history).map_err(failed)?;
                        format!("{} {json}", admission.player.is_some())
                    }
                };
                let due = history.next_due(self.config.watched_seconds);
                let players_due = place.map(|_| now + FORGET_SECONDS + 1);
                if let Some(due) = due.into_iter().chain(players_due).min() {
                    ensure_alarm(&self.storage, due).await.map_err(failed)?;
                }
                Ok(answer)
            }
            WatchMessage::Progress(lecture) => {
                let history = self.history_or_nothing().await.map_err(failed)?;
                let history = history.unwrap_or_else(|| WatchHistory::new(""));
                Ok(history.progress_json(lecture, true))
            }
            WatchMessage::Position(lecture) => {
                let history = self.history_or_nothing().await.map_err(failed)?;
                let position = history.and_then(|history| history.position(lecture));
                Ok(position.map_or_else(String::new, |position| position.to_string()))
            }
            WatchMessage::Records { viewer, is_csv } => {
                let history = self.history_or_nothing().await.map_err(failed)?;
                let history = history.unwrap_or_else(|| WatchHistory::new(viewer));
                let list = WatchList {
                    subject: WatchSubject::Viewer(viewer),
                    rows: &history.records(),
                    truncated: false,
                };
                Ok(list.body(*is_csv))
            }
            WatchMessage::Forget => self.forget().await.map_err(failed),
            WatchMessage::Record { viewer, record } => self.record(viewer, record).map_err(failed),
            WatchMessage::Remove { viewer } => self.remove(viewer).await.map_err(failed),
            WatchMessage::Viewers {
                lecture,
                after,
                is_csv,
            } => self.viewers(lecture, after, *is_csv).map_err(failed),
        }
    }

    /// Refuses the first report about a lecture if its object does not exist: a viewer with a link to
    /// a folder could make up lectures.
    async fn check_object(&self, key: &ObjectKey) -> std::result::Result<(), Refusal> {
        let stored = R2Bucket::of(self.env)?.head(key).await;
        match stored {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Refusal::new(Problem::NotFound, "no such object")),
            Err(error) => Err(Refusal::new(error.problem(), error)),
        }
    }

    async fn forget(&self) -> Result<String> {
        let began = now_ms();
        let players = self.remove_players(u64::MAX)?;
        let row = self.row()?;
        // A history that this version cannot read is forgotten, too.
        let mut history = match row.history() {
            Ok(Some(history)) => history,
            Ok(None) | Err(_) => WatchHistory::new(""),
        };
        let lectures = history.forget();
        row.store_history(&history)?;
        for delivery in history.due(now_ms() / 1000, MAX_DELIVERIES) {
            let sent = self.send(&history.viewer, &delivery).await;
            let has_arrived = sent.is_ok();
            record_result(&mut history, &delivery, sent);
            if now_ms() >= began + FORGET_NOW_MS || !has_arrived {
                break;
            }
        }
        row.store_history(&history)?;
        self.schedule().await?;
        Ok(forgotten_json(
            lectures,
            players,
            history.pending_removals(),
        ))
    }

    /// Does what is due: forgets what is too old, and sends deliveries. Reports and a request to
    /// forget the viewer come between, so each delivery is that of the history at its time.
    pub(super) async fn alarm(&self) -> Result<()> {
        let now = now_ms() / 1000;
        self.remove_players(now.saturating_sub(FORGET_SECONDS))?;
        let Some(mut history) = self.history()? else {
            return self.schedule().await;
        };
        if history.expire(self.config.watched_seconds, now) {
            self.store(&history)?;
        }
        let mut has_webhook_failed = false;
        for delivery in history.due(now, MAX_DELIVERIES) {
            let is_webhook = matches!(delivery, Delivery::Webhook(_));
            if is_webhook && has_webhook_failed {
                continue;
            }
            let is_still_due = |history: &WatchHistory| history.is_due(&delivery);
            if !self.history()?.as_ref().is_some_and(is_still_due) {
                continue;
            }
            let sent = self.send(&history.viewer, &delivery).await;
            has_webhook_failed |= is_webhook && sent.is_err();
            let has_ledger_failed = !is_webhook && sent.is_err();
            // Without a history, the viewer was forgotten: his new row is removed again.
            let latest = self.history()?;
            let mut latest = latest.unwrap_or_else(|| WatchHistory::new(&history.viewer));
            record_result(&mut latest, &delivery, sent);
            self.store(&latest)?;
            if has_ledger_failed {
                break;
            }
        }
        self.schedule().await
    }

    async fn send(&self, viewer: &str, delivery: &Delivery) -> std::result::Result<(), String> {
        let viewer = viewer.to_owned();
        let (hash, message) = match delivery {
            Delivery::Webhook(event) => return self.send_webhook(&viewer, event).await,
            Delivery::Record(lecture, record) => {
                let record = record.clone();
                (lecture.hash(), WatchMessage::Record { viewer, record })
            }
            Delivery::Removal(hash) => (*hash, WatchMessage::Remove { viewer }),
        };
        let message = LedgerRequest::Watch(message);
        let asked = ask(self.env, &lecture_ledger(&hash), &message, TIMEOUT_MS).await;
        asked.map(drop).map_err(|refusal| refusal.detail)
    }

    async fn send_webhook(
        &self,
        viewer: &str,
        event: &WebhookEvent,
    ) -> std::result::Result<(), String> {
        let Some(webhook) = &self.config.webhook else {
            // It was switched off meanwhile.
            return Ok(());
        };
        let (id, body, timestamp) = (event.id(viewer), event.body(viewer), now_ms() / 1000);
        let signature = webhook.signature(&id, timestamp, &body);
        let timestamp = timestamp.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", &id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ];
        match post(&webhook.url, &headers, &body, WEBHOOK_TIMEOUT_MS).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("it answers {status}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sets the alarm to the time when there is something to do, or deletes what holds nothing.
    pub(super) async fn schedule(&self) -> Result<()> {
        let history = self.history()?;
        let history_due = match &history {
            Some(history) => history.next_due(self.config.watched_seconds),
            None => None,
        };
        let seen = self.row()?.players()?.into_iter().map(|player| player.seen);
        let players_due = seen.min().map(|seen| seen + FORGET_SECONDS + 1);
        let Some(due) = history_due.into_iter().chain(players_due).min() else {
            self.storage.delete_alarm().await?;
            return self.storage.delete_all().await;
        };
        ensure_alarm(&self.storage, due).await
    }

    fn row(&self) -> Result<ViewerRow<'_>> {
        ViewerRow::of(&self.sql)
    }

    fn history(&self) -> Result<Option<WatchHistory>> {
        self.row()?.history()
    }

    /// The history to add a report to. One that this version cannot read begins anew.
    fn history_of(&self, viewer: &str) -> Result<WatchHistory> {
        let history = self.row()?.history().unwrap_or_else(|error| {
            console::error_1(&format!("a viewer's history begins anew: {error}").into());
            None
        });
        Ok(history.unwrap_or_else(|| WatchHistory::new(viewer)))
    }

    /// The history for a reader. An object that stores nothing is deleted, so that readers leave
    /// none behind.
    async fn history_or_nothing(&self) -> Result<Option<WatchHistory>> {
        let history = self.history()?;
        if history.is_none() {
            self.schedule().await?;
        }
        Ok(history)
    }

    fn store(&self, history: &WatchHistory) -> Result<()> {
        self.row()?.store_history(history)
    }

    /// Removes players that were last seen before a second. Returns their number.
    fn remove_players(&self, before: u64) -> Result<usize> {
        let row = self.row()?;
        let players = row.players()?;
        let mut left = players.clone();
        left.retain(|player| player.seen >= before);
        if left != players {
            row.store_players(&left)?;
        }
        Ok(players.len() - left.len())
    }

    fn record(&self, viewer: &str, record: &WatchRecord) -> Result<String> {
        create_viewers(&self.sql)?;
        let completed_at = match record.completed_at {
            Some(second) => integer(second)?,
            None => SqlStorageValue::Null,
        };
        self.sql.exec(
            "INSERT OR REPLACE INTO viewer (viewer, percent, position, duration, completed_at, last_seen) \
             VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                viewer.into(),
                integer(record.percent.into())?,
                integer(record.position.into())?,
                integer(record.duration.into())?,
                completed_at,
                integer(record.last_seen)?,
            ],
        )?;
        Ok(String::new())
    }

    async fn remove(&self, viewer: &str) -> Result<String> {
        create_viewers(&self.sql)?;
        self.sql
            .exec("DELETE FROM viewer WHERE viewer = ?", vec![viewer.into()])?;
        let left = self.sql.exec("SELECT 1 FROM viewer LIMIT 1", None)?;
        if left.raw().next().is_none() {
            self.storage.delete_all().await?;
        }
        Ok(String::new())
    }

    fn viewers(&self, lecture: &Lecture, after: &str, is_csv: bool) -> Result<String> {
        create_viewers(&self.sql)?;
        let rows = self.sql.exec(
            "SELECT viewer, percent, position, duration, completed_at, last_seen FROM viewer \
             WHERE viewer > ? ORDER BY viewer LIMIT ?",
            vec![after.into(), integer(PAGE as u64 + 1)?],
        )?;
        let found: Vec<(String, WatchRecord)> = rows
            .raw()
            .map(|row| parse_row(&row?))
            .collect::<Result<_>>()?;
        let rows: Vec<(&str, WatchRecord)> = found
            .iter()
            .take(PAGE)
            .map(|(viewer, record)| (viewer.as_str(), record.clone()))
            .collect();
        let list = WatchList {
            subject: WatchSubject::Lecture(lecture.as_str()),
            rows: &rows,
            truncated: found.len() > PAGE,
        };
        Ok(list.body(is_csv))
    }
}

/// Sets the alarm, unless it is earlier.
pub(super) async fn ensure_alarm(storage: &Storage, due: u64) -> Result<()> {
    // A shorter `WATCHED_DAYS` counts for stored data within this time.
    let due_ms = due.saturating_mul(1000).min(now_ms() + LONGEST_SLEEP_MS);
    let is_set = storage.get_alarm().await?;
    if is_set.is_some_and(|at| at.unsigned_abs() <= due_ms.max(now_ms())) {
        return Ok(());
    }
    let date = js_sys::Date::new(&(due_ms as f64).into());
    storage.set_alarm(ScheduledTime::new(date)).await
}

/// Records the result of a delivery.
fn record_result(
    history: &mut WatchHistory,
    delivery: &Delivery,
    sent: std::result::Result<(), String>,
) {
    let now = now_ms() / 1000;
    let Err(reason) = sent else {
        history.delivered(delivery, now);
        return;
    };
    let is_given_up = history.failed(delivery, now);
    let what = match delivery {
        Delivery::Webhook(event) => format!("the webhook {}", event.id(&history.viewer)),
        Delivery::Record(..) | Delivery::Removal(_) => "a lecture's ledger".to_owned(),
    };
    let end = if is_given_up { "; it is given up" } else { "" };
    console::error_1(&format!("{what} fails: {reason}{end}").into());
}

fn parse_row(row: &[SqlStorageValue]) -> Result<(String, WatchRecord)> {
    let number = |value: &i64| u32::try_from(*value).unwrap_or(0);
    match row {
        [
            SqlStorageValue::String(viewer),
            SqlStorageValue::Integer(percent),
            SqlStorageValue::Integer(position),
            SqlStorageValue::Integer(duration),
            completed_at,
            SqlStorageValue::Integer(last_seen),
        ] => Ok((
            viewer.clone(),
            WatchRecord {
                percent: number(percent),
                position: number(position),
                duration: number(duration),
                completed_at: match completed_at {
                    SqlStorageValue::Integer(second) => Some(second.unsigned_abs()),
                    _ => None,
                },
                last_seen: last_seen.unsigned_abs(),
            },
        )),
        _ => Err(Error::from("a row of `viewer`")),
    }
}

fn create_viewers(sql: &SqlStorage) -> Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS viewer (viewer TEXT PRIMARY KEY, percent INTEGER NOT NULL, \
         position INTEGER NOT NULL, duration INTEGER NOT NULL, completed_at INTEGER, last_seen INTEGER NOT NULL) \
         WITHOUT ROWID";
    sql.exec(table, None).map(drop)
}
