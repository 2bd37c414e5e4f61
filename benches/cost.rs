// SPDX-License-Identifier: Apache-2.0
//! What the engine costs over the loop one would write by hand: grep and word count over lines in memory, a million
//! states, and the processing time of a tiny batch. `cargo xtask bench` runs these and prints the ratios of one run.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may panic")]
#![allow(missing_docs, reason = "criterion generates the entry point")]

#[path = "data/mod.rs"]
mod data;

use std::{collections::HashMap, hint::black_box};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dstreams::{
    Config, Rdd, RddContext, Text,
    streaming::{State, StateSpec, testing::TestContext},
    time::seconds,
};

/// Lines per run: 10 MB of text, more than the caches hold.
const LINES: usize = 100_000;

const PATTERN: &str = "w00123";

/// One dataset in one partition on one worker thread, so that the figures are per core.
fn engine(lines: &[Text]) -> Rdd<Text> {
    RddContext::local(1).unwrap().from_partitions(vec![lines.to_vec()])
}

fn grep(c: &mut Criterion) {
    let lines = data::lines(LINES);
    let rdd = engine(&lines);
    let expected = grep_loop(&lines);
    assert!(expected > 0, "the pattern occurs");
    assert_eq!(rdd.filter(|line| line.contains(PATTERN)).count().unwrap(), expected);

    let mut group = c.benchmark_group("grep");
    group.throughput(Throughput::Elements(LINES as u64));
    group.bench_function(BenchmarkId::from_parameter("loop"), |b| b.iter(|| grep_loop(black_box(&lines))));
    group.bench_function(BenchmarkId::from_parameter("dstreams"), |b| {
        b.iter(|| rdd.filter(|line| line.contains(PATTERN)).count().unwrap());
    });
    group.finish();
}

fn grep_loop(lines: &[Text]) -> u64 {
    let mut found = 0;
    for line in lines {
        if line.contains(PATTERN) {
            found += 1;
        }
    }
    found
}

fn word_count(c: &mut Criterion) {
    let lines = data::lines(LINES);
    let rdd = engine(&lines);
    let count = |rdd: &Rdd<Text>| {
        rdd.flat_map(|line| line.words())
            .map(|word| (word, 1u64))
            .reduce_by_key(|a, b| a + b)
            .collect()
            .unwrap()
    };
    let counted: HashMap<Text, u64> = count(&rdd).into_iter().collect();
    let expected = word_count_loop(&lines);
    assert_eq!(counted.len(), expected.len());
    assert!(expected.iter().all(|(word, n)| counted.get(*word) == Some(n)));

    let mut group = c.benchmark_group("word count");
    group.throughput(Throughput::Elements(LINES as u64));
    group.bench_function(BenchmarkId::from_parameter("loop"), |b| {
        b.iter(|| word_count_loop(black_box(&lines)).len());
    });
    group.bench_function(BenchmarkId::from_parameter("dstreams"), |b| b.iter(|| count(&rdd).len()));
    group.finish();
}

fn word_count_loop(lines: &[Text]) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    for line in lines {
        for word in line.split_whitespace() {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    counts
}

/// Keys that have a state, of which each batch touches one in a hundred.
const KEYS: u64 = 1_000_000;

/// Batches that touch one key in a hundred, each batch other keys, as loops and streams get them.
fn touched(batches: u64) -> Vec<Vec<(u64, u64)>> {
    (0..batches).map(|batch| (0..KEYS / 100).map(|n| ((n * 100 + batch * 7) % KEYS, 1)).collect()).collect()
}

/// A running sum per key: the cost of a batch, with a million keys there.
fn map_with_state(c: &mut Criterion) {
    let mut group = c.benchmark_group("map_with_state");
    group.throughput(Throughput::Elements(KEYS / 100));
    group.bench_function(BenchmarkId::from_parameter("loop"), |b| {
        let mut sums: HashMap<u64, u64> = (0..KEYS).map(|key| (key, 0)).collect();
        b.iter_custom(|batches| {
            let input = touched(batches);
            data::timed(|| {
                for batch in &input {
                    let mapped: Vec<u64> = batch
                        .iter()
                        .map(|(key, n)| {
                            let sum = sums.entry(*key).or_insert(0);
                            *sum += n;
                            *sum
                        })
                        .collect();
                    black_box(mapped.len());
                }
            })
        });
    });
    group.bench_function(BenchmarkId::from_parameter("dstreams"), |b| {
        b.iter_custom(|batches| {
            let rdd = RddContext::local(1).unwrap();
            let first = rdd.parallelize((0..KEYS).map(|key| (key, 0)).collect::<Vec<_>>());
            let test = TestContext::on(rdd, Config::default(), seconds(1)).unwrap();
            let test = test.with_checkpoint_dir().unwrap();
            let mut input = vec![Some(Vec::new())];
            input.extend(touched(batches).into_iter().map(Some));
            let spec = StateSpec::function(|_: &u64, n: Option<u64>, sum: &mut State<'_, u64>| {
                let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
                sum.update(total);
                total
            });
            let mapped = test.input_with(input, 1).map_with_state(spec.partitions(1).initial_state(first));
            mapped.for_each_rdd(|rdd, _| {
                black_box(rdd.count()?);
                Ok(())
            });
            // The first batch takes in the first states.
            test.run(1).unwrap();
            data::timed(|| test.run(usize::try_from(batches).unwrap()).unwrap())
        });
    });
    group.finish();
}

/// A batch of ten records in two partitions through a two-stage job: from the tick of the clock to its end.
fn tiny_batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("tiny batch");
    group.bench_function(BenchmarkId::from_parameter("dstreams"), |b| {
        b.iter_custom(|batches| {
            let batches = usize::try_from(batches).unwrap();
            let test = TestContext::new().unwrap();
            let words = test.input(vec![(0..10).collect::<Vec<u32>>(); batches]);
            words.map(|n| (n % 3, 1u64)).reduce_by_key(|a, b| a + b).for_each_rdd(|rdd, _| {
                assert_eq!(rdd.collect()?.len(), 3);
                Ok(())
            });
            test.run(0).unwrap();
            data::timed(|| test.run(batches).unwrap())
        });
    });
    group.finish();
}

criterion_group! {
    name = cost;
    config = Criterion::default().sample_size(20).without_plots();
    targets = grep, word_count, map_with_state, tiny_batch
}
criterion_main!(cost);
