// SPDX-License-Identifier: Apache-2.0
//! What the sinks hold, read back as plain rows.

use std::path::Path;

use dstreams::{
    postgres::postgres::{Client, NoTls},
    sqlite::rusqlite::{Connection, OpenFlags},
    streaming::read_committed,
};

use crate::Result;

/// An event as a row: source, number, key, value, and the batch that wrote it where the sink keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventRow {
    pub(super) batch: Option<i64>,
    pub(super) source: i64,
    pub(super) number: i64,
    pub(super) key: i64,
    pub(super) value: i64,
}

/// A row of a table with a number and a sum for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyRow {
    pub(super) batch: i64,
    pub(super) key: i64,
    pub(super) n: i64,
    pub(super) sum: i64,
}

/// The SQLite database.
pub(super) struct Sqlite(Connection);

impl Sqlite {
    /// Opens it; nothing as long as there is none.
    pub(super) fn open(output: &Path) -> Result<Option<Self>> {
        let path = output.join("results.db");
        if !path.exists() {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(Some(Self(connection)))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }

    /// How many events there are; none as long as there is no table.
    pub(super) fn count(&self) -> Result<u64> {
        if !self.has("events")? {
            return Ok(0);
        }
        Ok(self.0.query_row("SELECT COUNT(*) FROM events", (), |row| row.get(0))?)
    }

    fn has(&self, table: &str) -> Result<bool> {
        let found = "SELECT COUNT(*) FROM sqlite_master WHERE name = ?1";
        Ok(self.0.query_row(found, [table], |row| row.get::<_, i64>(0))? > 0)
    }

    pub(super) fn events(&self) -> Result<Vec<EventRow>> {
        let mut query = self.0.prepare("SELECT batch, source, number, key, value FROM events")?;
        let rows = query.query_map((), |row| {
            Ok(EventRow {
                batch: Some(row.get(0)?),
                source: row.get(1)?,
                number: row.get(2)?,
                key: row.get(3)?,
                value: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// The rows of a table that has a row per batch and key.
    pub(super) fn keyed(&self, table: &str) -> Result<Vec<KeyRow>> {
        self.key_rows(&format!("SELECT batch, key, n, sum FROM {table}"))
    }

    pub(super) fn sums(&self) -> Result<Vec<KeyRow>> {
        self.key_rows("SELECT 0, key, n, sum FROM sums")
    }

    fn key_rows(&self, sql: &str) -> Result<Vec<KeyRow>> {
        let mut query = self.0.prepare(sql)?;
        let rows = query.query_map((), |row| {
            Ok(KeyRow { batch: row.get(0)?, key: row.get(1)?, n: row.get(2)?, sum: row.get(3)? })
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }
}

/// The PostgreSQL database: events, and what they sum up to.
pub(super) fn postgres(url: &str) -> Result<(Vec<EventRow>, Vec<KeyRow>)> {
    let mut client = Client::connect(url, NoTls)?;
    let events = client.query("SELECT source, number, key, value FROM events", &[])?;
    let events = events.iter().map(|row| EventRow {
        batch: None,
        source: row.get(0),
        number: row.get(1),
        key: row.get(2),
        value: row.get(3),
    });
    let sums = client.query("SELECT key, n, sum FROM sums", &[])?;
    let sums = sums.iter().map(|row| KeyRow { batch: 0, key: row.get(0), n: row.get(1), sum: row.get(2) });
    Ok((events.collect(), sums.collect()))
}

/// The files that count.
pub(super) fn files(output: &Path) -> Result<Vec<EventRow>> {
    let text = String::from_utf8(read_committed(output.join("files"))?)?;
    text.lines()
        .map(|line| parse(line).ok_or_else(|| format!("a file has the line {line:?}").into()))
        .collect()
}

fn parse(line: &str) -> Option<EventRow> {
    let fields: Vec<i64> = line.split(' ').map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [source, number, key, value] = fields[..] else { return None };
    Some(EventRow { batch: None, source, number, key, value })
}
