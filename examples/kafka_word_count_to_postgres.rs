// SPDX-License-Identifier: Apache-2.0
//! Counts words of a Kafka topic in PostgreSQL, exactly once: the totals are right however often the program, the broker
//! or the database is killed and restarted.
//!
//! `cargo xtask kafka start` gives a broker; then `cargo run --release --features kafka,postgres --example
//! kafka_word_count_to_postgres -- --conf app.kafka=HOST:PORT --conf app.database=postgres://localhost/words
//! --conf spark.streaming.checkpoint.directory=/var/lib/words`.

use dstreams::{
    Text,
    kafka::{Consumer, Params, direct_stream},
    postgres::PostgresSink,
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS words (word text PRIMARY KEY, n bigint NOT NULL)";

fn main() -> dstreams::Result<()> {
    dstreams::run("kafka-word-count", |ssc| {
        let config = ssc.config();
        let address = config.text("app.kafka").unwrap_or("localhost:9092");
        let database = config.text("app.database").unwrap_or("postgres://localhost/words");
        let params = Params::new(address).group("kafka-word-count").set("auto.offset.reset", "earliest");
        let words = PostgresSink::new(database, "words", ["word", "n"], |(word, n): (Text, i64), row| {
            row.add(word).add(n);
        });

        direct_stream(ssc, Consumer::subscribe(["lines"]), params)?
            .try_map(|record| record.value_text())
            .flat_map(|line| line.words())
            .map(|word| (word, 1i64))
            .reduce_by_key(|a, b| a + b)
            .write_to(words.setup(TABLE).merge(
                "INSERT INTO words SELECT * FROM staged
                 ON CONFLICT (word) DO UPDATE SET n = words.n + excluded.n",
            ))
            .named("words");
        Ok(())
    })
}
