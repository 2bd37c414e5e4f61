// SPDX-License-Identifier: Apache-2.0
//! Stores the statistics of every batch in a database, to be queried and kept: records, delays, errors, dead letters.
//!
//! `cargo run --release --features sqlite --example batch_statistics -- --conf app.statistics=/tmp/batches.db`, with
//! `nc -lk 9999` as the source; then
//! `sqlite3 /tmp/batches.db 'SELECT * FROM batches ORDER BY batch_time DESC LIMIT 10'`.

use std::sync::{Arc, Mutex, PoisonError};

use dstreams::{
    Error, StreamingListener,
    sqlite::rusqlite::{self, Connection},
    streaming::event::{BatchInfo, DeadLettersInfo},
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS batches (
    application TEXT, batch_time INTEGER, records INTEGER, scheduling_delay INTEGER, processing_time INTEGER,
    outputs INTEGER, failed_outputs INTEGER, first_error TEXT, dead_letters INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (application, batch_time))";

/// A batch that is run again after a restart takes the place of its earlier run.
const BATCH: &str = "INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT DO UPDATE SET scheduling_delay = excluded.scheduling_delay, processing_time = excluded.processing_time,
    failed_outputs = excluded.failed_outputs, first_error = excluded.first_error, dead_letters = excluded.dead_letters";

/// Writes a row for each batch. Listeners are called on a thread of their own: a slow database does not slow the stream.
struct Statistics {
    application: String,
    state: Mutex<State>,
}

struct State {
    database: Connection,
    /// Dead letters of the batch that runs.
    letters: u64,
}

impl Statistics {
    fn open(path: &str, application: &str) -> rusqlite::Result<Self> {
        let database = Connection::open(path)?;
        database.execute(TABLE, ())?;
        let state = Mutex::new(State { database, letters: 0 });
        Ok(Self { application: application.to_owned(), state })
    }

    fn store(&self, batch: &BatchInfo) -> rusqlite::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let letters = std::mem::take(&mut state.letters);
        let millis = |delay: Option<dstreams::Duration>| delay.map(|delay| delay.as_millis());
        state.database.execute(
            BATCH,
            (
                &self.application,
                batch.batch_time.as_millis(),
                batch.num_records(),
                millis(batch.scheduling_delay()),
                millis(batch.processing_delay()),
                batch.output_operations.len(),
                batch.failures().count(),
                batch.failures().next().map(|(_, error)| error),
                letters,
            ),
        )
    }
}

impl StreamingListener for Statistics {
    fn on_dead_letters(&self, letters: &DeadLettersInfo) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).letters += letters.letters;
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        if let Err(error) = self.store(batch) {
            tracing::warn!(%error, "the statistics of a batch are not stored");
        }
    }
}

fn main() -> dstreams::Result<()> {
    dstreams::run("batch-statistics", |ssc| {
        let address = ssc.config().text("app.address").unwrap_or("localhost:9999").to_owned();
        let path = ssc.config().text("app.statistics").unwrap_or("/tmp/batches.db").to_owned();
        let statistics = Statistics::open(&path, "batch-statistics").map_err(Error::user)?;
        ssc.add_listener(Arc::new(statistics));
        ssc.socket_text_stream(&address).flat_map(|line| line.words()).count_by_value().print();
        Ok(())
    })
}
