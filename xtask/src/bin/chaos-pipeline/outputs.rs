// SPDX-License-Identifier: Apache-2.0
//! Where results go. No table has a key: what is written twice is there twice.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use dstreams::{
    DStream, Data, Duration, FileSink,
    postgres::PostgresSink,
    sqlite::{
        SqliteSink,
        rusqlite::{self, Statement},
    },
    streaming::PartitionRecords,
    time::seconds,
};

use crate::event::{Event, Sum};

/// The databases, and a directory.
pub(crate) struct Outputs {
    pub(crate) files: PathBuf,
    pub(crate) sqlite: PathBuf,
    pub(crate) postgres: Option<String>,
    /// Every so many times, the task that adds up sums panics when it has written them.
    pub(crate) panic_every: Option<u64>,
}

const EVENTS: &str = "(batch bigint, source bigint, number bigint, key bigint, value bigint)";
const KEYED: &str = "(batch bigint, key bigint, n bigint, sum bigint)";
const SUMS: &str = "CREATE TABLE IF NOT EXISTS sums (key bigint PRIMARY KEY, n bigint, sum bigint)";

impl Outputs {
    /// Each event as a row.
    pub(crate) fn events(&self, events: &DStream<Event>) {
        let insert = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)";
        let sink = self.sqlite(insert, |batch, event: Event, row| {
            row.execute((batch, event.source, event.number, event.key, event.value))
        });
        events.write_to(sink.setup(format!("CREATE TABLE IF NOT EXISTS events {EVENTS}"))).named("events");
        let file = FileSink::new(&self.files, |event: &Event, out| {
            let Event { source, number, key, value } = event;
            out.extend(format!("{source} {number} {key} {value}\n").bytes());
        });
        events.write_to(file.merge(4, 1 << 20)).named("files");
        if let Some(url) = &self.postgres {
            let columns = ["source", "number", "key", "value"];
            let sink = PostgresSink::new(url, "events", columns, |event: Event, row| {
                let number = i64::try_from(event.number).unwrap_or(i64::MAX);
                row.add(i64::from(event.source)).add(number).add(i64::from(event.key)).add(event.value);
            });
            let table = format!("CREATE TABLE IF NOT EXISTS events {EVENTS}");
            events.write_to(sink.setup(table)).named("postgres events");
        }
    }

    /// What a batch has of each key, added to what is there.
    pub(crate) fn sums(&self, sums: &DStream<(u32, Sum)>) {
        let add = "INSERT INTO sums VALUES (?1, ?2, ?3)
            ON CONFLICT (key) DO UPDATE SET n = n + excluded.n, sum = sum + excluded.sum";
        let (every, calls) = (self.panic_every, AtomicU64::new(0));
        let sink = SqliteSink::with(&self.sqlite, move |transaction, records: &mut PartitionRecords<_>| {
            let mut statement = transaction.prepare_cached(add)?;
            let is_first = records.partition_id() == 0;
            let mut written = 0;
            for (key, (n, sum)) in records {
                statement.execute((key, n, sum))?;
                written += 1;
            }
            let panics = |every| (1 + calls.fetch_add(1, Ordering::Relaxed)) % every == 0;
            assert!(!(is_first && every.is_some_and(panics)), "it is the turn of this task to panic");
            Ok::<u64, rusqlite::Error>(written)
        });
        sums.write_to(sink.busy_timeout(BUSY).setup(SUMS)).named("sums");
        if let Some(url) = &self.postgres {
            let sink =
                PostgresSink::new(url, "sums", ["key", "n", "sum"], |(key, (n, sum)): (u32, Sum), row| {
                    row.add(i64::from(key)).add(n).add(sum);
                });
            let merge = "INSERT INTO sums SELECT * FROM staged
                ON CONFLICT (key) DO UPDATE SET n = sums.n + excluded.n, sum = sums.sum + excluded.sum";
            sums.write_to(sink.setup(SUMS).merge(merge)).named("postgres sums");
        }
    }

    /// Rows of a table of its own: batch, key, number, sum.
    pub(crate) fn keyed(&self, table: &'static str, stream: &DStream<(u32, Sum)>) {
        let insert = format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4)");
        let sink =
            self.sqlite(&insert, |batch, (key, (n, sum)): (u32, Sum), row| row.execute((batch, key, n, sum)));
        stream.write_to(sink.setup(format!("CREATE TABLE IF NOT EXISTS {table} {KEYED}"))).named(table);
    }

    /// Runs a statement for each record; `bind` gets the batch time in milliseconds, too.
    fn sqlite<T: Data>(
        &self,
        sql: &str,
        bind: impl Fn(i64, T, &mut Statement<'_>) -> rusqlite::Result<usize> + Send + Sync + 'static,
    ) -> SqliteSink<T> {
        let sql = sql.to_owned();
        let sink = SqliteSink::with(&self.sqlite, move |transaction, records: &mut PartitionRecords<T>| {
            let mut statement = transaction.prepare_cached(&sql)?;
            let batch = records.batch_time().as_millis();
            let mut written = 0;
            for record in records {
                bind(batch, record, &mut statement)?;
                written += 1;
            }
            Ok::<u64, rusqlite::Error>(written)
        });
        sink.busy_timeout(BUSY)
    }
}

/// Less than the case of a locked database takes, so that outputs have to try again.
const BUSY: Duration = seconds(1);
