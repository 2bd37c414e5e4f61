// SPDX-License-Identifier: Apache-2.0
//! What a receiver can store without a write-ahead log, with one in files, and with one on S3: blocks of a thousand records
//! of 100 bytes. And what a batch takes that logs its changes of states. The S3 server is moto, a Python program on this
//! machine; it needs the feature `object-store`.
#![allow(clippy::unwrap_used, reason = "a benchmark that fails may panic")]
#![allow(missing_docs, reason = "criterion generates the entry point")]

#[cfg(feature = "object-store")]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dstreams::{
    Config, RddContext, Text,
    rdd::RddOptions,
    streaming::{
        BoxError, State, StateSpec,
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

/// Where the checkpoint directory is, and so the log.
enum Place {
    None,
    Files,
    #[cfg(feature = "object-store")]
    S3(dstreams_test_servers::S3),
}

fn places() -> Vec<(&'static str, Place)> {
    #[allow(unused_mut, reason = "without the feature there are no more")]
    let mut places = vec![("memory", Place::None), ("log", Place::Files)];
    #[cfg(feature = "object-store")]
    if let Some(server) = dstreams_test_servers::S3::start_or_skip("the log on S3") {
        dstreams::objects::register();
        places.push(("log on S3", Place::S3(server)));
    }
    places
}

impl Place {
    fn context(&self) -> TestContext {
        let options = RddOptions { threads: 1, memory_budget: 1 << 30, ..RddOptions::default() };
        #[allow(unused_mut, reason = "without the feature there is nothing to set")]
        let mut config = Config::default();
        #[cfg(feature = "object-store")]
        if let Self::S3(server) = self {
            for (key, value) in server.settings() {
                config.set(key, &value).unwrap();
            }
        }
        let test = TestContext::on(RddContext::new(options).unwrap(), config, seconds(1)).unwrap();
        match self {
            Self::None => test,
            Self::Files => test.with_checkpoint_dir().unwrap(),
            #[cfg(feature = "object-store")]
            Self::S3(server) => {
                static RUNS: AtomicUsize = AtomicUsize::new(0);
                let run = RUNS.fetch_add(1, Ordering::Relaxed);
                test.context().checkpoint(server.url(&format!("run-{run}")));
                test
            }
        }
    }
}

/// A running context and the handle of its receiver.
fn started(place: &Place) -> (TestContext, ReceiverHandle<Text>) {
    let test = place.context();
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
    for (name, place) in &places() {
        let mut group = c.benchmark_group("store_block");
        group.throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|blocks| {
                let (test, handle) = started(place);
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
                let (test, handle) = started(place);
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

        if !matches!(place, Place::None) {
            let mut group = c.benchmark_group("batch");
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter_custom(|batches| {
                    let test = place.context();
                    let ones = test.input(vec![vec![(1, 1)]; usize::try_from(batches).unwrap()]);
                    let spec = StateSpec::function(|_: &i32, one: Option<i32>, sum: &mut State<'_, i32>| {
                        sum.update(sum.get().unwrap_or(&0) + one.unwrap_or(0));
                    });
                    ones.map_with_state(spec).for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
                    test.run(0).unwrap();
                    timed(|| test.run(usize::try_from(batches).unwrap()).unwrap())
                });
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = receivers;
    config = Criterion::default().sample_size(20).without_plots();
    targets = receiver
}
criterion_main!(receivers);
