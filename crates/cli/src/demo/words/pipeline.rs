// SPDX-License-Identifier: Apache-2.0
//! The demo's word count: what a program with this library looks like.

use std::sync::Arc;

use dstreams::{StreamingContext, Text};

use super::{
    source::Source,
    table::{TOP, Table},
};

pub(super) fn build(ssc: &StreamingContext, source: &Source, table: &Arc<Table>) {
    let lines = match source {
        Source::Socket(address) => ssc.socket_text_stream(address),
        Source::Directory(path) => ssc.text_file_stream(path),
    };
    let counts = lines.flat_map(|line| line.words()).map(|word| (word, 1u64)).reduce_by_key(|a, b| a + b);

    let results = Arc::clone(table);
    lines.count().for_each_rdd(move |rdd, time| {
        results.add_records(time, rdd.first()?);
        Ok(())
    });
    let results = Arc::clone(table);
    counts.map_partitions(|words| most_frequent(words.collect())).for_each_rdd(move |rdd, time| {
        results.set_top_words(time, most_frequent(rdd.collect()?));
        Ok(())
    });
}

fn most_frequent(mut counts: Vec<(Text, u64)>) -> Vec<(Text, u64)> {
    counts.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    counts.truncate(TOP);
    counts
}
