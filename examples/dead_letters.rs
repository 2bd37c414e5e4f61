// SPDX-License-Identifier: Apache-2.0
//! Sums numbers from text files into files, exactly once; lines that are no numbers become dead letters.
//!
//! `cargo run --example dead_letters`, then put files into `/tmp/numbers` with `mv`. `dstreams dead-letters list
//! /tmp/numbers-dead` shows what was wrong, and `dstreams dead-letters replay /tmp/numbers-dead --to /tmp/numbers` sends
//! it once more.

use dstreams::{DeadLetters, FileSink};

fn main() -> dstreams::Result<()> {
    dstreams::run("sum-of-numbers", |ssc| {
        let directory = ssc.config().text("app.directory").unwrap_or("/tmp/numbers").to_owned();
        ssc.text_file_stream(&directory)
            .try_parse(|line| line.trim().parse::<i64>())
            .named("numbers")
            .dead_letter_named("bad lines", DeadLetters::sink(format!("{directory}-dead")))
            .reduce(|a, b| a + b)
            .write_to(FileSink::text(format!("{directory}-sums")))
            .named("sums");
        Ok(())
    })
}
