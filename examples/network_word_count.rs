// SPDX-License-Identifier: Apache-2.0
//! Counts words in text from a TCP server, every batch.
//!
//! In one terminal `nc -lk 9999`, in another
//! `cargo run --release --example network_word_count -- --conf app.address=localhost:9999`.

fn main() -> dstreams::Result<()> {
    dstreams::run("network-word-count", |ssc| {
        let address = ssc.config().text("app.address").unwrap_or("localhost:9999").to_owned();
        ssc.socket_text_stream(&address)
            .flat_map(|line| line.words())
            .map(|word| (word, 1u64))
            .reduce_by_key(|a, b| a + b)
            .print();
        Ok(())
    })
}
