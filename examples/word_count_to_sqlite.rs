// SPDX-License-Identifier: Apache-2.0
//! Adds up words in a database: each batch exactly once, however often the program is killed and restarted.
//!
//! `cargo run --release --features sqlite --example word_count_to_sqlite -- --conf app.database=/tmp/words.db`, with
//! `nc -lk 9999` as the source; then `sqlite3 /tmp/words.db 'SELECT * FROM words ORDER BY n DESC LIMIT 10'`.

use dstreams::{Text, sqlite::SqliteSink};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, n INTEGER NOT NULL)";
const ADD: &str = "INSERT INTO words VALUES (?1, ?2) ON CONFLICT (word) DO UPDATE SET n = n + excluded.n";

fn main() -> dstreams::Result<()> {
    dstreams::run("word-count-to-sqlite", |ssc| {
        let address = ssc.config().text("app.address").unwrap_or("localhost:9999").to_owned();
        let database = ssc.config().text("app.database").unwrap_or("/tmp/words.db").to_owned();
        let words =
            SqliteSink::new(database, ADD, |(word, n): (Text, i64), add| add.execute((word.as_str(), n)));

        ssc.socket_text_stream(&address)
            .flat_map(|line| line.words())
            .map(|word| (word, 1i64))
            .reduce_by_key(|a, b| a + b)
            .write_to(words.setup(TABLE))
            .named("words");
        Ok(())
    })
}
