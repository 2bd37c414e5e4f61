// SPDX-License-Identifier: Apache-2.0
//! grep: how many lines of a batch hold a pattern.

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};

use memchr::{memchr, memmem};

use super::Workload;
use crate::engine::{Engine, number};

pub(super) const WORKLOAD: Workload =
    Workload { name: "grep", input: super::lines, by_hand: Some(by_hand), tuned: Some(tuned), dstreams };

fn by_hand(arguments: &Arguments) -> Result<Report> {
    let batches = text::batches(arguments, text::LINES)?;
    let outcome = Outcome::new(arguments);
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        for number in range {
            let mut found = 0;
            for line in &batches[number % batches.len()] {
                if line.contains(text::PATTERN) {
                    found += 1;
                }
            }
            outcome.add(number, found, 0);
        }
        Ok(())
    })
}

/// Looks through all bytes at once and does not cut lines that do not match.
fn tuned(arguments: &Arguments) -> Result<Report> {
    let batches = text::bytes(arguments)?;
    let outcome = Outcome::new(arguments);
    let finder = memmem::Finder::new(text::PATTERN);
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        for number in range {
            let mut rest = batches[number % batches.len()].as_slice();
            let mut found = 0;
            while let Some(at) = finder.find(rest) {
                found += 1;
                let end = memchr(b'\n', &rest[at..]).map_or(rest.len(), |length| at + length);
                rest = &rest[end..];
            }
            outcome.add(number, found, 0);
        }
        Ok(())
    })
}

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let found = outcome.clone();
    let lines = engine.lines(arguments, text::LINES)?;
    lines.filter(|line| line.contains(text::PATTERN)).for_each_rdd(move |rdd, time| {
        found.add(number(time), rdd.count()?, 0);
        Ok(())
    });
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| engine.run(range))
}
