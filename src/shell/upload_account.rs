//! Accounts of upload links: the Worker that charges, and the Durable Object that counts.

use worker::{Env, Error, Result, SqlStorage, SqlStorageValue, Storage};

use super::ledger::{ask, integer};
use super::time::now_ms;
use super::watch_ledger::ensure_alarm;
use crate::http::problem::{Problem, Refusal};
use crate::ledger::message::LedgerRequest;
use crate::ledger::upload_account::{UploadAccount, UploadCharge};
use crate::object::stored::TIMEOUT_MS;

/// Charges an account. If its ledger fails, nothing is stored: the bound must hold.
///
/// # Errors
/// The limit that the charge exceeds, and failures of the ledger.
pub(super) async fn charge(
    env: &Env,
    account: &str,
    charge: UploadCharge,
) -> std::result::Result<(), Refusal> {
    let message = LedgerRequest::Upload(charge);
    let excess = ask(env, account, &message, TIMEOUT_MS).await?;
    match excess.is_empty() {
        true => Ok(()),
        false => Err(Refusal::new(Problem::UploadLimit, excess)),
    }
}

/// Adds a charge to the account with this storage. Returns the limit that it exceeds, in words, or
/// an empty text.
pub(super) async fn answer(storage: &Storage, charge: &UploadCharge) -> Result<String> {
    let sql = &storage.sql();
    for table in [
        "CREATE TABLE IF NOT EXISTS upload (id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, \
         objects INTEGER NOT NULL, until INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS upload_object (hash TEXT PRIMARY KEY) WITHOUT ROWID",
    ] {
        sql.exec(table, None)?;
    }
    let before = account(sql)?.unwrap_or_default();
    let object = || vec![charge.object.as_str().into()];
    let known = sql.exec("SELECT 1 FROM upload_object WHERE hash = ?", object())?;
    let knows_object = known.raw().next().transpose()?.is_some();
    let (account, excess) = charge.apply(before, knows_object);
    // Without an await between, storage writes both or neither.
    if !knows_object && excess.is_none() {
        sql.exec("INSERT INTO upload_object (hash) VALUES (?)", object())?;
    }
    if account != before {
        let UploadAccount {
            bytes,
            objects,
            until,
        } = account;
        sql.exec(
            "INSERT OR REPLACE INTO upload (id, bytes, objects, until) VALUES (1, ?, ?, ?)",
            vec![integer(bytes)?, integer(objects)?, integer(until)?],
        )?;
    }
    ensure_alarm(storage, account.until + 1).await?;
    Ok(excess.map_or_else(String::new, |excess| excess.to_string()))
}

/// Removes an account whose links have expired. Returns whether the ledger is an account.
pub(super) async fn expire(storage: &Storage) -> Result<bool> {
    let sql = &storage.sql();
    let table = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'upload'", None)?;
    if table.raw().next().transpose()?.is_none() {
        return Ok(false);
    }
    let until = account(sql)?.unwrap_or_default().until;
    match now_ms() / 1000 > until {
        true => storage.delete_all().await?,
        false => ensure_alarm(storage, until + 1).await?,
    }
    Ok(true)
}

fn account(sql: &SqlStorage) -> Result<Option<UploadAccount>> {
    let rows = sql.exec("SELECT bytes, objects, until FROM upload", None)?;
    let row = rows.raw().next().transpose()?;
    match row.as_deref() {
        None => Ok(None),
        Some(
            [
                SqlStorageValue::Integer(bytes),
                SqlStorageValue::Integer(objects),
                SqlStorageValue::Integer(until),
            ],
        ) => Ok(Some(UploadAccount {
            bytes: bytes.unsigned_abs(),
            objects: objects.unsigned_abs(),
            until: until.unsigned_abs(),
        })),
        Some(_) => Err(Error::from("a row of `upload`")),
    }
}
