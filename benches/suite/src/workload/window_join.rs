// SPDX-License-Identifier: Apache-2.0
//! Two streams joined over a window of ten batches: each click with what its impression has cost.

use std::collections::{HashMap, VecDeque};

use dstreams::time::seconds;
use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, mix};

use super::{Workload, no_input};
use crate::engine::{Engine, number};

pub(super) const WORKLOAD: Workload =
    Workload { name: "window-join", input: no_input, by_hand: Some(by_hand), tuned: None, dstreams };

/// Records of a batch of each stream.
const RECORDS: usize = 10_000;

/// Batches of a window.
const WINDOW: u8 = 10;

/// How many batches have records of their own; more than the window, so that no impression is in it twice.
const DISTINCT: usize = 20;

/// How many batches back the impression of a click is at most.
const BACK: u64 = 4;

type Records = Vec<(u64, u64)>;

/// Impressions: identity and cost.
fn impressions(arguments: &Arguments, batch: usize) -> Records {
    let size = arguments.scaled(RECORDS);
    let ids = batch * size..(batch + 1) * size;
    ids.map(|id| (id as u64, mix(id as u64) % 1000)).collect()
}

/// Clicks: the identity of an impression, and the number of the click.
fn clicks(arguments: &Arguments, batch: usize) -> Records {
    let size = arguments.scaled(RECORDS) as u64;
    let click = |place| {
        let random = mix(batch as u64 * size + place);
        let shown = (batch as u64 + DISTINCT as u64 - random % (BACK + 1)) % DISTINCT as u64;
        (shown * size + (random >> 8) % size, place)
    };
    (0..size).map(click).collect()
}

fn records(arguments: &Arguments) -> u64 {
    (2 * arguments.scaled(RECORDS) * arguments.batches) as u64
}

/// Keeps what is in the window of impressions by identity, and looks all clicks of the window up.
fn by_hand(arguments: &Arguments) -> Result<Report> {
    let shown: Vec<_> = (0..DISTINCT).map(|batch| impressions(arguments, batch)).collect();
    let clicked: Vec<_> = (0..DISTINCT).map(|batch| clicks(arguments, batch)).collect();
    let outcome = Outcome::new(arguments);
    let mut costs: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut shown_window: VecDeque<&Records> = VecDeque::new();
    let mut click_window: VecDeque<&Records> = VecDeque::new();
    measure(arguments, records(arguments), &outcome, |range| {
        for number in range {
            shown_window.push_back(&shown[number % DISTINCT]);
            click_window.push_back(&clicked[number % DISTINCT]);
            for (id, cost) in &shown[number % DISTINCT] {
                costs.entry(*id).or_default().push(*cost);
            }
            if shown_window.len() > usize::from(WINDOW) {
                click_window.pop_front();
                for (id, _) in shown_window.pop_front().into_iter().flatten() {
                    if let Some(of_id) = costs.get_mut(id) {
                        of_id.remove(0);
                        if of_id.is_empty() {
                            costs.remove(id);
                        }
                    }
                }
            }
            let mut joined = Vec::new();
            for (id, click) in click_window.iter().copied().flatten() {
                for cost in costs.get(id).into_iter().flatten() {
                    joined.push((*id, (*cost, *click)));
                }
            }
            outcome.take(number, joined.into_iter().map(|(id, (cost, click))| ((id, click), cost)));
        }
        Ok(())
    })
}

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let found = outcome.clone();
    let stream = |records: fn(&Arguments, usize) -> Records| {
        engine.stream((0..DISTINCT).map(|batch| engine.dataset(records(arguments, batch))).collect())
    };
    let window = seconds(i64::from(WINDOW));
    let joined = stream(impressions).window(window).join(&stream(clicks).window(window));
    joined.for_each_rdd(move |rdd, time| {
        let joined = rdd.collect()?;
        found.take(number(time), joined.into_iter().map(|(id, (cost, click))| ((id, click), cost)));
        Ok(())
    });
    measure(arguments, records(arguments), &outcome, |range| engine.run(range))
}
