// SPDX-License-Identifier: Apache-2.0
//! Word count: how often each word occurs in a batch.

use std::collections::HashMap;

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};

use super::Workload;
use crate::{
    arena::WordTable,
    engine::{Engine, number},
};

pub(super) const WORKLOAD: Workload = Workload {
    name: "word-count",
    input: super::lines,
    by_hand: Some(by_hand),
    tuned: Some(tuned),
    dstreams,
};

fn by_hand(arguments: &Arguments) -> Result<Report> {
    let batches = text::batches(arguments, text::LINES)?;
    let outcome = Outcome::new(arguments);
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        for number in range {
            let mut counts = HashMap::new();
            for line in &batches[number % batches.len()] {
                for word in line.split_whitespace() {
                    *counts.entry(word).or_insert(0) += 1;
                }
            }
            outcome.take(number, counts.into_iter());
        }
        Ok(())
    })
}

fn tuned(arguments: &Arguments) -> Result<Report> {
    let batches = text::bytes(arguments)?;
    let outcome = Outcome::new(arguments);
    let mut table = WordTable::default();
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        for number in range {
            table.clear();
            table.count_words(&batches[number % batches.len()]);
            outcome.take(number, table.counts());
        }
        Ok(())
    })
}

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let counts = engine
        .lines(arguments, text::LINES)?
        .flat_map(|line| line.words())
        .map(|word| (word, 1u64))
        .reduce_by_key(|a, b| a + b);
    counts.for_each_rdd(move |rdd, time| {
        let counts = rdd.collect()?;
        counted.take(number(time), counts.iter().map(|(word, count)| (word.as_str(), *count)));
        Ok(())
    });
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| engine.run(range))
}
