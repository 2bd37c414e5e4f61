// SPDX-License-Identifier: Apache-2.0
//! The ten most frequent words of the last 30 batches, each window made from the one before.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
};

use dstreams::{streaming::ReducedWindowOptions, time::seconds};
use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};

use super::Workload;
use crate::engine::{Engine, number};

pub(super) const WORKLOAD: Workload =
    Workload { name: "top-words", input: super::lines, by_hand: Some(by_hand), tuned: None, dstreams };

/// Lines of a batch.
const LINES: usize = 20_000;

/// Batches of a window.
const WINDOW: u8 = 30;

fn by_hand(arguments: &Arguments) -> Result<Report> {
    let batches = text::batches(arguments, LINES)?;
    let outcome = Outcome::new(arguments);
    let mut totals: HashMap<String, u64> = HashMap::new();
    let mut window = VecDeque::new();
    measure(arguments, text::records(arguments, LINES), &outcome, |range| {
        for number in range {
            let mut counts: HashMap<&str, u64> = HashMap::new();
            for line in &batches[number % batches.len()] {
                for word in line.split_whitespace() {
                    *counts.entry(word).or_insert(0) += 1;
                }
            }
            // Lines do not stay, so that the window needs words of its own.
            let counts: Vec<(String, u64)> =
                counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
            for (word, count) in &counts {
                match totals.get_mut(word) {
                    Some(total) => *total += count,
                    None => drop(totals.insert(word.clone(), *count)),
                }
            }
            window.push_back(counts);
            if window.len() > usize::from(WINDOW) {
                for (word, count) in window.pop_front().into_iter().flatten() {
                    if let Some(total) = totals.get_mut(&word) {
                        *total -= count;
                        if *total == 0 {
                            totals.remove(&word);
                        }
                    }
                }
            }
            outcome.take(number, top_ten(&totals));
        }
        Ok(())
    })
}

/// The most frequent words; of those that are as frequent the first in the alphabet.
fn top_ten(totals: &HashMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    let mut top = BTreeSet::new();
    for (word, total) in totals {
        let candidate = (*total, Reverse(word.as_str()));
        if top.len() < 10 {
            top.insert(candidate);
        } else if top.first().is_some_and(|least| candidate > *least) {
            top.pop_first();
            top.insert(candidate);
        }
    }
    top.into_iter().map(|(total, Reverse(word))| (word, total))
}

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::with_checkpoints(arguments, &arguments.scratch)?;
    let outcome = Outcome::new(arguments);
    let found = outcome.clone();
    let words = engine.lines(arguments, LINES)?.flat_map(|line| line.words()).map(|word| (word, 1u64));
    let window = seconds(i64::from(WINDOW));
    let in_use = ReducedWindowOptions::default().filter(|(_, total)| *total > 0);
    let totals =
        words.reduce_by_key_and_window_inverse_with(|a, b| a + b, |a, b| a - b, window, seconds(1), in_use);
    totals.for_each_rdd(move |rdd, time| {
        let top = rdd.top_by(10, |(word, total)| (*total, Reverse(word.clone())))?;
        found.take(number(time), top.iter().map(|(word, total)| (word.as_str(), *total)));
        Ok(())
    });
    measure(arguments, text::records(arguments, LINES), &outcome, |range| engine.run(range))
}
