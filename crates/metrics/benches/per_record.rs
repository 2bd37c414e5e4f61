// SPDX-License-Identifier: Apache-2.0
//! What a metric costs per record: `cargo bench -p dstreams-metrics`.

use std::{hint::black_box, time::Instant};

use dstreams_metrics::Registry;

const RECORDS: u64 = 50_000_000;

fn main() {
    let registry = Registry::new();
    let (counter, histogram, gauge) = (registry.counter("c"), registry.histogram("h"), registry.gauge("g"));
    for threads in [1, 2] {
        measure(threads, "no metric", |record| {
            black_box(record);
        });
        measure(threads, "counter", |record| counter.add(black_box(record) & 1));
        measure(threads, "histogram", |record| histogram.record(black_box(record) & 0xffff));
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        measure(threads, "gauge", |record| gauge.set(black_box(record) as f64));
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
#[expect(clippy::print_stdout, reason = "this is a program")]
fn measure(threads: u64, name: &str, work: impl Fn(u64) + Sync) {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..RECORDS).for_each(&work));
        }
    });
    let nanos = begun.elapsed().as_secs_f64() * 1e9 / RECORDS as f64;
    println!("{threads} thread(s), {name:<10} {nanos:6.2} ns per record");
}
