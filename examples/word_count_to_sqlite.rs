// SPDX-License-Identifier: Apache-2.0
//! Writes each batch to a database: one pooled connection and one transaction per partition.
//!
//! `cargo run --release --example word_count_to_sqlite -- --conf app.database=/tmp/words.db`, with `nc -lk 9999` as
//! the source; then `sqlite3 /tmp/words.db 'SELECT * FROM words ORDER BY n DESC LIMIT 10'`.

use dstreams::streaming::ConnectionPool;
use rusqlite::Connection;

fn main() -> dstreams::Result<()> {
    dstreams::run("word-count-to-sqlite", |ssc| {
        let address = ssc.config().text("app.address").unwrap_or("localhost:9999").to_owned();
        let database = ssc.config().text("app.database").unwrap_or("/tmp/words.db").to_owned();
        let pool = ConnectionPool::new(move || open(&database));

        ssc.socket_text_stream(&address)
            .flat_map(|line| line.words())
            .map(|word| (word, 1i64))
            .reduce_by_key(|a, b| a + b)
            .for_each_partition_with(&pool, |connection: &mut Connection, counts| {
                let transaction = connection.transaction()?;
                {
                    let mut add = transaction.prepare_cached(
                        "INSERT INTO words VALUES (?1, ?2) ON CONFLICT (word) DO UPDATE SET n = n + excluded.n",
                    )?;
                    for (word, n) in counts {
                        add.execute((word.as_str(), n))?;
                    }
                }
                transaction.commit()
            });
        Ok(())
    })
}

/// Called when a partition needs a connection and none is idle.
fn open(database: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, n INTEGER NOT NULL)", ())?;
    Ok(connection)
}
