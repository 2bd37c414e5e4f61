// SPDX-License-Identifier: Apache-2.0
//! What a receiver can store, with a write-ahead log and without one: blocks of a thousand records of 100 bytes.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may panic")]
#![allow(missing_docs, reason = "criterion generates the entry point")]

use std::{
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dstreams::{
    Config, RddContext, Text,
    rdd::RddOptions,
    streaming::{
        BoxError,
        receiver::{Receiver, ReceiverHandle},
        testing::TestContext,
    },
    time::{milliseconds, seconds},
};
use dstreams_bench_kit::{self as kit, text};

/// Records of a block.
const RECORDS: usize = 1_000;

/// Blocks between two batches.
const BLOCKS: u64 = 5;

/// Gives its handle to the benchmark.
struct Given(Sender<ReceiverHandle<Text>>);

impl Receiver for Given {
    type Record = Text;

    fn on_start(&mut self, handle: ReceiverHandle<Text>) -> Result<(), BoxError> {
        Ok(self.0.send(handle)?)
    }
}

/// A running context, with a checkpoint directory and so a log or without, and the handle of its receiver.
fn started(logged: bool) -> (TestContext, ReceiverHandle<Text>) {
    let options = RddOptions { threads: 1, memory_budget: 1 << 30, ..RddOptions::default() };
    let test = TestContext::on(RddContext::new(options).unwrap(), Config::default(), seconds(1)).unwrap();
    let test = if logged { test.with_checkpoint_dir().unwrap() } else { test };
    let (given, handles) = channel();
    test.context().receiver_stream(Given(given)).for_each_rdd(|_, _| Ok(()));
    test.run(0).unwrap();
    (test, handles.recv().unwrap())
}

/// How long `work` takes.
fn timed(work: impl FnOnce()) -> Duration {
    Duration::from_secs_f64(kit::timed(work).1)
}

/// Stores this many blocks by `store`, and makes a batch of every few.
fn store_blocks(test: &TestContext, blocks: u64, mut store: impl FnMut(Vec<Text>)) {
    let mut random = text::Random::default();
    let block: Vec<Text> = (0..RECORDS).map(|_| Text::from(text::line(&mut random))).collect();
    for number in 1..=blocks {
        store(block.clone());
        if number % BLOCKS == 0 {
            test.run(1).unwrap();
        }
    }
}

fn receiver(c: &mut Criterion) {
    for (name, logged) in [("memory", false), ("log", true)] {
        let mut group = c.benchmark_group("store_block");
        group.throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|blocks| {
                let (test, handle) = started(logged);
                timed(|| {
                    store_blocks(&test, blocks, |block| {
                        handle.store_block(block).unwrap();
                    });
                })
            });
        });
        group.finish();

        let mut group = c.benchmark_group("store");
        group.throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|blocks| {
                let (test, handle) = started(logged);
                timed(|| {
                    store_blocks(&test, blocks, |block| {
                        for record in block {
                            handle.store(record).unwrap();
                        }
                        // The end of the block interval.
                        test.clock().advance(milliseconds(200));
                    });
                    // Everything is stored when this returns.
                    test.stop();
                })
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = receivers;
    config = Criterion::default().sample_size(20).without_plots();
    targets = receiver
}
criterion_main!(receivers);
