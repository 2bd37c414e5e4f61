// SPDX-License-Identifier: Apache-2.0
//! Counts the words of the lines in a Kafka topic, batch by batch.
//!
//! `cargo run --release --features kafka --example kafka_word_count -- --conf app.brokers=localhost:9092`, with
//! `cargo xtask kafka start --port 9092` as the broker, and any producer that writes to the topic `lines`.

use dstreams::kafka::{Consumer, Params, direct_stream};

fn main() -> dstreams::Result<()> {
    dstreams::run("kafka-word-count", |ssc| {
        let setting = |name: &str, default: &str| ssc.config().text(name).unwrap_or(default).to_owned();
        let (brokers, topic) = (setting("app.brokers", "localhost:9092"), setting("app.topic", "lines"));

        direct_stream(ssc, Consumer::subscribe([topic]), Params::new(brokers).group("kafka-word-count"))?
            .try_map(|record| record.value_text())
            .flat_map(|line| line.words())
            .map(|word| (word, 1u64))
            .reduce_by_key(|a, b| a + b)
            .print();
        Ok(())
    })
}
