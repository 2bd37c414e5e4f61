// SPDX-License-Identifier: Apache-2.0
//! Counts words in the files that appear in a directory, every batch.
//!
//! `cargo run --release --example file_word_count -- --conf app.directory=/tmp/in`, then move files into the directory.

fn main() -> dstreams::Result<()> {
    dstreams::run("file-word-count", |ssc| {
        let directory = ssc.config().text("app.directory").unwrap_or("/tmp/in").to_owned();
        ssc.text_file_stream(&directory)
            .flat_map(|line| line.words())
            .map(|word| (word, 1u64))
            .reduce_by_key(|a, b| a + b)
            .print();
        Ok(())
    })
}
