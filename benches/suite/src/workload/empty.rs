// SPDX-License-Identifier: Apache-2.0
//! What a batch costs that has no records: a job of two stages, each batch due when the one before has ended. A batch
//! counts as a record.

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure};

use super::{Workload, no_input};
use crate::engine::{Engine, number};

pub(super) const WORKLOAD: Workload =
    Workload { name: "empty-batches", input: no_input, by_hand: None, tuned: None, dstreams };

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let numbers = engine.stream(vec![engine.dataset(Vec::<u64>::new())]);
    let sums = numbers.map(|number| (number % 3, 1u64)).reduce_by_key(|a, b| a + b);
    sums.for_each_rdd(move |rdd, time| {
        counted.take(number(time), rdd.collect()?.into_iter());
        Ok(())
    });
    measure(arguments, arguments.batches as u64, &outcome, |range| engine.run_one_by_one(range))
}
