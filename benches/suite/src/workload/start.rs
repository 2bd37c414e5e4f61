// SPDX-License-Identifier: Apache-2.0
//! How long it takes from the start of the program to the first results of its first batch.

use std::sync::mpsc::channel;

use dstreams::{Config, StreamingContext, Text, streaming::RddQueue, time::milliseconds};
use dstreams_bench_kit::{Arguments, Outcome, Report, Result, now};

use super::{Workload, no_input};

pub(super) const WORKLOAD: Workload =
    Workload { name: "start", input: no_input, by_hand: None, tuned: None, dstreams };

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let mut config = Config::default();
    config.set("spark.app.name", "start")?;
    config.set("spark.master", &arguments.system)?;
    let context = StreamingContext::new(config, milliseconds(i64::try_from(arguments.interval)?))?;
    let lines = context.rdd_context().parallelize(["to be or", "not to be"].map(Text::from));
    let queue: RddQueue<Text> = [lines].into_iter().collect();
    let counts = context.queue_stream(&queue);
    let counts = counts.flat_map(|line| line.words()).map(|word| (word, 1u64)).reduce_by_key(|a, b| a + b);
    let (send, results) = channel();
    counts.for_each_rdd(move |rdd, _| {
        // Later batches are empty, and nobody waits for them.
        let _nobody_waits = send.send((rdd.collect()?, now()));
        Ok(())
    });
    context.start()?;
    let (counts, at) = results.recv()?;
    context.stop()?;
    let outcome = Outcome::new(&Arguments { warm: 0, batches: 0, ..arguments.clone() });
    outcome.take(0, counts.iter().map(|(word, count)| (word.as_str(), *count)));
    let seconds = at.saturating_sub(arguments.spawned) as f64 / 1e9;
    Ok(Report { records: 1, seconds, checksum: outcome.checksum(), ..Report::default() }.with_memory())
}
