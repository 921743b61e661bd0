//! Ledgers of what viewers watched: the object's side. A viewer's ledger has his history as one
//! value. A lecture's has a row for each viewer, which the viewers' ledgers send.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use web_sys::console;
use worker::{Env, Error, Result, ScheduledTime, SqlStorage, SqlStorageValue, Storage};

use super::ledger::{ask, integer, keep_place, oldest_player, remove_silent_players};
use super::r2::R2Bucket;
use super::raw::post;
use super::time::now_ms;
use crate::config::Config;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::history::{Delivery, WatchHistory, WatchRecord};
use crate::ledger::message::LedgerRequest;
use crate::ledger::places::FORGET_SECONDS;
use crate::ledger::report::{Lecture, LectureHash, WatchReport};
use crate::ledger::watch_message::WatchMessage;
use crate::ledger::webhook::WebhookEvent;
use crate::object::key::ObjectKey;
use crate::object::stored::TIMEOUT_MS;
use crate::operation::watched::{PAGE, WatchList, WatchSubject, forgotten_json};

/// The word before the answer to a report whose player has its place.
pub(super) const HAS_PLACE: &str = "true";
/// The most deliveries of one alarm, and of one request to forget a viewer.
const MAX_DELIVERIES: usize = 100;
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
                self.check_object(lecture, key).await?;
                let json = self.report(viewer, lecture, report).map_err(failed)?;
                let answer = match place {
                    None => json,
                    Some(place) => {
                        let has_place = keep_place(&self.sql, place).map_err(failed)?;
                        format!("{has_place} {json}")
                    }
                };
                self.schedule().await.map_err(failed)?;
                Ok(answer)
            }
            WatchMessage::Progress(lecture) => {
                let history = self.history().map_err(failed)?;
                let history = history.unwrap_or_else(|| WatchHistory::new(""));
                Ok(history.progress_json(lecture, true))
            }
            WatchMessage::Records { viewer, is_csv } => {
                let history = self.history().map_err(failed)?;
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

    /// Refuses the first report about a lecture if its object does not exist: whoever has a link to
    /// a folder could make up lectures.
    async fn check_object(
        &self,
        lecture: &Lecture,
        key: &ObjectKey,
    ) -> std::result::Result<(), Refusal> {
        let history = self.history().map_err(super::responder::failed)?;
        if history.is_some_and(|history| history.has(lecture)) {
            return Ok(());
        }
        let stored = R2Bucket::of(self.env)?.head(key).await;
        match stored {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Refusal::new(Problem::NotFound, "no such object")),
            Err(error) => Err(Refusal::new(error.problem(), error)),
        }
    }

    fn report(&self, viewer: &str, lecture: &Lecture, report: &WatchReport) -> Result<String> {
        let history = self.history()?;
        let mut history = history.unwrap_or_else(|| WatchHistory::new(viewer));
        viewer.clone_into(&mut history.viewer);
        let has_webhook = self.config.webhook.is_some();
        if history.report(lecture, report, has_webhook, now_ms() / 1000) {
            self.store(&history)?;
        }
        Ok(history.progress_json(lecture, false))
    }

    async fn forget(&self) -> Result<String> {
        let began = now_ms();
        let players = remove_silent_players(&self.sql, u64::MAX)?;
        let Some(mut history) = self.history()? else {
            return Ok(forgotten_json(0, players, 0));
        };
        let lectures = history.forget();
        self.store(&history)?;
        for delivery in history.due(now_ms() / 1000, MAX_DELIVERIES) {
            if now_ms() >= began + FORGET_NOW_MS || !self.deliver(&mut history, &delivery).await {
                break;
            }
        }
        self.store(&history)?;
        self.schedule().await?;
        Ok(forgotten_json(
            lectures,
            players,
            history.pending_removals(),
        ))
    }

    /// Does what is due: forgets what is too old, and sends deliveries.
    pub(super) async fn alarm(&self) -> Result<()> {
        let now = now_ms() / 1000;
        remove_silent_players(&self.sql, now.saturating_sub(FORGET_SECONDS))?;
        let Some(mut history) = self.history()? else {
            return self.schedule().await;
        };
        history.expire(self.config.watched_seconds, now);
        self.store(&history)?;
        let mut results = Vec::new();
        let mut has_webhook_failed = false;
        for delivery in history.due(now, MAX_DELIVERIES) {
            let is_webhook = matches!(delivery, Delivery::Webhook(_));
            if is_webhook && has_webhook_failed {
                continue;
            }
            let sent = self.send(&history.viewer, &delivery).await;
            has_webhook_failed |= is_webhook && sent.is_err();
            let has_ledger_failed = !is_webhook && sent.is_err();
            results.push((delivery, sent));
            if has_ledger_failed {
                break;
            }
        }
        // Reports came meanwhile.
        if let Some(mut history) = self.history()? {
            for (delivery, sent) in results {
                note(&mut history, &delivery, sent);
            }
            self.store(&history)?;
        }
        self.schedule().await
    }

    /// Sends a delivery, and notes the result. Returns whether it arrived.
    async fn deliver(&self, history: &mut WatchHistory, delivery: &Delivery) -> bool {
        let sent = self.send(&history.viewer, delivery).await;
        let has_arrived = sent.is_ok();
        note(history, delivery, sent);
        has_arrived
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
        let players_due = oldest_player(&self.sql)?.map(|seen| seen + FORGET_SECONDS + 1);
        let Some(due) = history_due.into_iter().chain(players_due).min() else {
            self.storage.delete_alarm().await?;
            return self.storage.delete_all().await;
        };
        ensure_alarm(&self.storage, due).await
    }

    fn history(&self) -> Result<Option<WatchHistory>> {
        create_history(&self.sql)?;
        let rows = self.sql.exec("SELECT bytes FROM history", None)?;
        let Some(row) = rows.raw().next() else {
            return Ok(None);
        };
        match row?.as_slice() {
            [SqlStorageValue::Blob(bytes)] => WatchHistory::from_bytes(bytes)
                .map(Some)
                .ok_or_else(|| "a row of `history`".into()),
            _ => Err("a row of `history`".into()),
        }
    }

    fn store(&self, history: &WatchHistory) -> Result<()> {
        create_history(&self.sql)?;
        if history.is_empty() {
            self.sql.exec("DELETE FROM history", None)?;
        } else {
            self.sql.exec(
                "INSERT OR REPLACE INTO history (id, bytes) VALUES (0, ?)",
                vec![history.to_bytes().into()],
            )?;
        }
        Ok(())
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
    let due_ms = due.saturating_mul(1000);
    let is_set = storage.get_alarm().await?;
    if is_set.is_some_and(|at| at.unsigned_abs() <= due_ms.max(now_ms())) {
        return Ok(());
    }
    let date = js_sys::Date::new(&(due_ms as f64).into());
    storage.set_alarm(ScheduledTime::new(date)).await
}

/// Notes the result of a delivery.
fn note(history: &mut WatchHistory, delivery: &Delivery, sent: std::result::Result<(), String>) {
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

fn create_history(sql: &SqlStorage) -> Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY CHECK (id = 0), bytes BLOB NOT NULL)";
    sql.exec(table, None).map(drop)
}

fn create_viewers(sql: &SqlStorage) -> Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS viewer (viewer TEXT PRIMARY KEY, percent INTEGER NOT NULL, \
         position INTEGER NOT NULL, duration INTEGER NOT NULL, completed_at INTEGER, last_seen INTEGER NOT NULL) \
         WITHOUT ROWID";
    sql.exec(table, None).map(drop)
}
