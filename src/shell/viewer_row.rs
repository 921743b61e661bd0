//! A viewer's ledger is one row: his players, and what he watched. The platform bills each row that
//! is written, so a report that also keeps its player's place costs one.

use worker::{Result, SqlStorage, SqlStorageValue};

use crate::ledger::history::WatchHistory;
use crate::ledger::places::{Player, players_from_bytes, players_to_bytes};

/// The row of the viewer whose ledger this is.
pub(super) struct ViewerRow<'sql> {
    sql: &'sql SqlStorage,
}

impl<'sql> ViewerRow<'sql> {
    pub(super) fn of(sql: &'sql SqlStorage) -> Result<Self> {
        sql.exec(
            "CREATE TABLE IF NOT EXISTS viewer_row (id INTEGER PRIMARY KEY CHECK (id = 0), players BLOB NOT NULL, \
             history BLOB NOT NULL)",
            None,
        )?;
        Ok(Self { sql })
    }

    pub(super) fn players(&self) -> Result<Vec<Player>> {
        let bytes = self.blob("SELECT players FROM viewer_row")?;
        players_from_bytes(&bytes).ok_or_else(|| "the players of `viewer_row`".into())
    }

    pub(super) fn history(&self) -> Result<Option<WatchHistory>> {
        let bytes = self.blob("SELECT history FROM viewer_row")?;
        match bytes.is_empty() {
            true => Ok(None),
            false => WatchHistory::from_bytes(&bytes)
                .map(Some)
                .ok_or_else(|| "the history of `viewer_row`".into()),
        }
    }

    pub(super) fn store_players(&self, players: &[Player]) -> Result<()> {
        self.write(
            "INSERT INTO viewer_row (id, players, history) VALUES (0, ?, x'') \
             ON CONFLICT (id) DO UPDATE SET players = excluded.players",
            vec![players_to_bytes(players).into()],
        )
    }

    pub(super) fn store_history(&self, history: &WatchHistory) -> Result<()> {
        self.write(
            "INSERT INTO viewer_row (id, players, history) VALUES (0, x'', ?) \
             ON CONFLICT (id) DO UPDATE SET history = excluded.history",
            vec![history_bytes(history).into()],
        )
    }

    pub(super) fn store(&self, players: &[Player], history: &WatchHistory) -> Result<()> {
        self.write(
            "INSERT OR REPLACE INTO viewer_row (id, players, history) VALUES (0, ?, ?)",
            vec![
                players_to_bytes(players).into(),
                history_bytes(history).into(),
            ],
        )
    }

    fn write(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<()> {
        self.sql.exec(statement, values).map(drop)
    }

    /// The bytes of the row, or none if there is no row.
    fn blob(&self, statement: &str) -> Result<Vec<u8>> {
        let rows = self.sql.exec(statement, None)?;
        let Some(row) = rows.raw().next() else {
            return Ok(Vec::new());
        };
        match row?.into_iter().next() {
            Some(SqlStorageValue::Blob(bytes)) => Ok(bytes),
            _ => Err("a row of `viewer_row`".into()),
        }
    }
}

fn history_bytes(history: &WatchHistory) -> Vec<u8> {
    match history.is_empty() {
        true => Vec::new(),
        false => history.to_bytes(),
    }
}
