// SPDX-License-Identifier: Apache-2.0
//! A running count per word, of which each batch touches one in a hundred: with `update_state_by_key`, which visits all
//! of them, and with `map_with_state`, which visits those that are touched.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{BufWriter, Write as _},
    mem::take,
};

use dstreams::{
    DStream, Text,
    streaming::{State, StateSpec},
};
use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure};

use super::{Workload, no_input};
use crate::engine::{Engine, number};

const fn updating(name: &'static str) -> Workload {
    Workload { name, input: no_input, by_hand: Some(update_by_hand), tuned: None, dstreams: update }
}

const fn mapping(name: &'static str) -> Workload {
    Workload { name, input: no_input, by_hand: Some(map_by_hand), tuned: None, dstreams: map }
}

pub(super) const UPDATE_10K: Workload = updating("update-state-10k");
pub(super) const UPDATE_1M: Workload = updating("update-state-1m");
pub(super) const MAP_10K: Workload = mapping("map-with-state-10k");
pub(super) const MAP_1M: Workload = mapping("map-with-state-1m");
pub(super) const MAP_1M_DURABLE: Workload = mapping("map-with-state-1m-durable");

/// Words of a batch. With few keys each that is touched is touched many times.
const WORDS: usize = 10_000;

/// How many batches touch keys of their own; after these the same are touched again.
const DISTINCT: usize = 10;

fn keys(arguments: &Arguments) -> usize {
    arguments.scaled(if arguments.workload.contains("10k") { 10_000 } else { 1_000_000 })
}

fn is_durable(arguments: &Arguments) -> bool {
    arguments.workload.ends_with("-durable")
}

/// The number of the word at a place in a batch.
fn touched(keys: usize, batch: usize, place: usize) -> usize {
    let touched = (keys / 100).max(1);
    (batch * 7919 + place % touched * 100) % keys
}

/// The words of all keys, and the words of each distinct batch.
fn words<W: From<String>>(arguments: &Arguments) -> (Vec<W>, Vec<Vec<W>>) {
    let keys = keys(arguments);
    let word = |number: usize| W::from(format!("w{number:07}"));
    let batch = |batch| (0..arguments.scaled(WORDS)).map(|place| word(touched(keys, batch, place))).collect();
    ((0..keys).map(word).collect(), (0..DISTINCT).map(batch).collect())
}

/// The batch of this number: the first one holds each key once.
fn batch<'a, W>(number: usize, all: &'a [W], batches: &'a [Vec<W>]) -> &'a [W] {
    number.checked_sub(1).map_or(all, |number| &batches[number % batches.len()])
}

fn records(arguments: &Arguments) -> u64 {
    (arguments.scaled(WORDS) * arguments.batches) as u64
}

/// The words as a stream.
fn stream(engine: &Engine, arguments: &Arguments) -> DStream<Text> {
    let (all, batches) = words(arguments);
    let batches = batches.into_iter().map(|batch| engine.dataset(batch)).collect();
    engine.stream_after(vec![engine.dataset(all)], batches)
}

/// What `update_state_by_key` is given in both programs.
#[expect(clippy::unnecessary_wraps, reason = "the interface can forget a key")]
fn updated(ones: &[u64], count: Option<u64>) -> Option<u64> {
    Some(count.unwrap_or(0) + ones.iter().sum::<u64>())
}

/// A state and the values that have come for it in the batch.
#[derive(Default)]
struct Counted {
    count: Option<u64>,
    new: Vec<u64>,
}

fn update_by_hand(arguments: &Arguments) -> Result<Report> {
    let (all, batches) = words::<String>(arguments);
    let outcome = Outcome::new(arguments);
    let mut states: HashMap<String, Counted> = HashMap::new();
    measure(arguments, records(arguments), &outcome, |range| {
        for number in range {
            for word in batch(number, &all, &batches) {
                match states.get_mut(word) {
                    Some(state) => state.new.push(1),
                    None => drop(states.insert(word.clone(), Counted { count: None, new: vec![1] })),
                }
            }
            let mut sum = 0;
            states.retain(|_, state| {
                state.count = updated(&take(&mut state.new), state.count);
                sum += state.count.unwrap_or(0);
                state.count.is_some()
            });
            if outcome.is_last(number) {
                let counts = states.iter();
                outcome.take(number, counts.map(|(word, state)| (word.as_str(), state.count.unwrap_or(0))));
            } else {
                outcome.add(number, states.len() as u64, sum);
            }
        }
        Ok(())
    })
}

fn update(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::with_checkpoints(arguments, &arguments.scratch)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let words = stream(&engine, arguments);
    let counts = words.map(|word| (word, 1u64)).update_state_by_key(|ones, count| updated(&ones, count));
    counts.for_each_rdd(move |rdd, time| {
        let number = number(time);
        if counted.is_last(number) {
            let counts = rdd.collect()?;
            counted.take(number, counts.iter().map(|(word, count)| (word.as_str(), *count)));
        } else {
            let add = |(keys, sum), (_, count)| (keys + 1, sum + count);
            let (keys, sum) = rdd.aggregate((0, 0), add, |a, b| (a.0 + b.0, a.1 + b.1))?;
            counted.add(number, keys, sum);
        }
        Ok(())
    });
    measure(arguments, records(arguments), &outcome, |range| engine.run(range))
}

fn map_by_hand(arguments: &Arguments) -> Result<Report> {
    let (all, batches) = words::<String>(arguments);
    let outcome = Outcome::new(arguments);
    let mut states: HashMap<String, u64> = HashMap::new();
    let log = || -> Result<_> {
        fs::create_dir_all(&arguments.disk)?;
        Ok(BufWriter::new(File::create(arguments.disk.join("changes.log"))?))
    };
    let mut log = is_durable(arguments).then(log).transpose()?;
    measure(arguments, records(arguments), &outcome, |range| {
        for number in range {
            let words = batch(number, &all, &batches);
            let mut totals = Vec::with_capacity(words.len());
            for word in words {
                if let Some(total) = states.get_mut(word) {
                    *total += 1;
                    totals.push(*total);
                } else {
                    states.insert(word.clone(), 1);
                    totals.push(1);
                }
            }
            if let Some(log) = &mut log {
                append(log, words, &totals)?;
            }
            outcome.take(number, totals.iter().map(|total| (*total, *total)));
        }
        Ok(())
    })
}

/// Appends what each key that was touched is now, and waits until the disk has it.
fn append(log: &mut BufWriter<File>, words: &[String], totals: &[u64]) -> Result<()> {
    let mut changed = HashMap::new();
    for (word, total) in words.iter().zip(totals) {
        match changed.entry(word) {
            Entry::Occupied(mut entry) => drop(entry.insert(total)),
            Entry::Vacant(entry) => drop(entry.insert(total)),
        }
    }
    for (word, total) in changed {
        log.write_all(&[u8::try_from(word.len())?])?;
        log.write_all(word.as_bytes())?;
        log.write_all(&total.to_le_bytes())?;
    }
    log.flush()?;
    Ok(log.get_ref().sync_data()?)
}

fn map(arguments: &Arguments) -> Result<Report> {
    let directory = if is_durable(arguments) { &arguments.disk } else { &arguments.scratch };
    let engine = Engine::with_checkpoints(arguments, directory)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let words = stream(&engine, arguments);
    let totals = words.map(|word| (word, 1u64)).map_with_state(StateSpec::function(
        |_: &Text, one: Option<u64>, count: &mut State<'_, u64>| {
            let total = count.get().unwrap_or(&0) + one.unwrap_or(0);
            count.update(total);
            total
        },
    ));
    totals.for_each_rdd(move |rdd, time| {
        let number = number(time);
        if counted.is_last(number) {
            counted.take(number, rdd.collect()?.into_iter().map(|total| (total, total)));
        } else {
            let add = |(records, sum), total| (records + 1, sum + total);
            let (records, sum) = rdd.aggregate((0, 0), add, |a, b| (a.0 + b.0, a.1 + b.1))?;
            counted.add(number, records, sum);
        }
        Ok(())
    });
    measure(arguments, records(arguments), &outcome, |range| engine.run(range))
}
