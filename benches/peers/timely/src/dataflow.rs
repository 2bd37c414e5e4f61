// SPDX-License-Identifier: Apache-2.0
//! The dataflows. Words are counted by each worker first, and what it has counted is exchanged at the end of an epoch.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, Hash},
};

use dstreams_bench_kit::text;
use foldhash::fast::{FixedState, RandomState};
use timely::{
    ExchangeData,
    container::CapacityContainerBuilder,
    dataflow::{
        InputHandle, ProbeHandle, StreamVec,
        channels::pact::{Exchange, ParallelizationContract, Pipeline},
        operators::{
            Inspect as _, Operator as _, Probe as _,
            vec::{Filter as _, Map as _},
        },
    },
    worker::Worker,
};

use crate::Share;

type Line = &'static str;

/// What words are counted as.
pub(crate) trait Key: From<&'static str> + ExchangeData + Eq + Hash + Clone {
    fn as_str(&self) -> &str;
}

impl Key for String {
    fn as_str(&self) -> &str {
        self
    }
}

pub(crate) fn grep(worker: &mut Worker, share: &Share) {
    let mut input = InputHandle::new();
    let probe = ProbeHandle::new();
    let outcome = share.outcome.clone();
    worker.dataflow::<usize, _, _>(|scope| {
        let lines: StreamVec<'_, usize, Line> = input.to_stream(scope);
        let found = add_up(
            lines.filter(|line| line.contains(text::PATTERN)).map(|_| ((), 1)),
            Pipeline,
            "CountOnWorker",
        );
        add_up(found, Exchange::new(|_: &((), u64)| 0), "Count")
            .inspect_core(move |event| {
                if let Ok((stamp, counts)) = event {
                    for ((), count) in counts {
                        outcome.add(*stamp.least().expect("it has one time"), *count, 0);
                    }
                }
            })
            .probe_with(&probe);
    });
    drive(worker, share, input, &probe);
}

pub(crate) fn word_count<K: Key>(worker: &mut Worker, share: &Share) {
    let mut input = InputHandle::new();
    let probe = ProbeHandle::new();
    let outcome = share.outcome.clone();
    let hash = FixedState::default();
    worker.dataflow::<usize, _, _>(|scope| {
        let lines: StreamVec<'_, usize, Line> = input.to_stream(scope);
        let words = lines.flat_map(|line| line.split_whitespace().map(|word| (K::from(word), 1)));
        let on_worker = add_up(words, Pipeline, "CountOnWorker");
        add_up(on_worker, Exchange::new(move |(word, _): &(K, u64)| hash.hash_one(word)), "Count")
            .inspect_core(move |event| {
                if let Ok((stamp, counts)) = event {
                    let epoch = *stamp.least().expect("it has one time");
                    outcome.take(epoch, counts.iter().map(|(word, count)| (word.as_str(), *count)));
                }
            })
            .probe_with(&probe);
    });
    drive(worker, share, input, &probe);
}

/// Adds up the numbers of each key, and gives the sums when an epoch is over.
fn add_up<'scope, K, P>(
    stream: StreamVec<'scope, usize, (K, u64)>,
    pact: P,
    name: &str,
) -> StreamVec<'scope, usize, (K, u64)>
where
    K: Eq + Hash + 'static,
    P: ParallelizationContract<usize, Vec<(K, u64)>>,
{
    stream.unary_frontier(pact, name, |_, _| {
        let mut epochs = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each_stamp(|capability, batches| {
                let Some(capability) = capability.retain_least(output.output_index()) else { return };
                let (_, sums) = epochs
                    .entry(*capability.time())
                    .or_insert_with(|| (capability, HashMap::<K, u64, RandomState>::default()));
                for (key, number) in batches.flat_map(|batch| batch.drain(..)) {
                    *sums.entry(key).or_insert(0) += number;
                }
            });
            while let Some(first) = epochs.first_entry()
                && !frontier.less_equal(first.key())
            {
                let (capability, sums) = first.remove();
                output.session(&capability).give_iterator(sums.into_iter());
            }
        }
    })
}

/// Feeds a worker its share of the batches that it is told to run, one ahead of the results.
fn drive(
    worker: &mut Worker,
    share: &Share,
    mut input: InputHandle<usize, CapacityContainerBuilder<Vec<Line>>>,
    probe: &ProbeHandle<usize>,
) {
    while let Ok(batches) = share.orders.recv() {
        for number in batches.clone() {
            share.outcome.add(number, 0, 0);
            let lines = &share.lines[number % share.lines.len()];
            let part = lines.len().div_ceil(worker.peers());
            for line in lines.iter().skip(worker.index() * part).take(part) {
                input.send(line.as_str());
            }
            input.advance_to(number + 1);
            while probe.less_than(&number) {
                worker.step();
            }
        }
        while probe.less_than(&batches.end) {
            worker.step();
        }
        if share.done.send(()).is_err() {
            break;
        }
    }
}
