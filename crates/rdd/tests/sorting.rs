// SPDX-License-Identifier: Apache-2.0
//! Sorting: against the sort of vectors, in memory and on disk; and the actions that go by order.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{cmp::Reverse, sync::Arc};

use dstreams_rdd::{
    Error, Rdd, RddContext, RddOptions,
    event::{EngineEvent, EngineListener},
};
use parking_lot::Mutex;
use proptest::prelude::*;

/// A context in which next to nothing fits into memory.
fn without_memory() -> RddContext {
    RddContext::new(RddOptions { threads: 2, memory_budget: 1, ..RddOptions::default() }).unwrap()
}

/// Numbers in no order, some of which repeat.
fn scattered(n: u64) -> Vec<u64> {
    (0..n).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (n / 2 + 1)).collect()
}

fn sizes<T: dstreams_rdd::Data>(rdd: &Rdd<T>) -> Vec<usize> {
    rdd.glom().map(|part| part.len()).collect().unwrap()
}

#[derive(Default)]
struct Events(Mutex<Vec<String>>);

impl EngineListener for Events {
    fn on_event(&self, event: &EngineEvent) {
        let text = match event {
            EngineEvent::JobStarted { .. } => "job".to_owned(),
            EngineEvent::Spilled { what, .. } => what.clone(),
            _ => return,
        };
        self.0.lock().push(text);
    }
}

fn listen(sc: &RddContext) -> Arc<Events> {
    let events = Arc::new(Events::default());
    sc.events().add(Arc::clone(&events) as _);
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sorting_is_that_of_a_vector_and_stable(
        parts in prop::collection::vec(prop::collection::vec((0u8..20, any::<u16>()), 0..40), 0..5),
        partitions in 1usize..6,
        ascending: bool,
    ) {
        let sc = RddContext::local(2).unwrap();
        let mut expected = parts.concat();
        if ascending {
            expected.sort_by_key(|(key, _)| *key);
        } else {
            expected.sort_by_key(|(key, _)| Reverse(*key));
        }
        let pairs = sc.from_partitions(parts);
        let by_key = pairs.sort_by_key_with(ascending, partitions);
        prop_assert_eq!(by_key.num_partitions(), partitions);
        prop_assert_eq!(&by_key.collect().unwrap(), &expected);
        let by_function = pairs.sort_by_with(|(key, _)| key.to_string().len() * 100 + usize::from(*key), ascending, partitions);
        prop_assert_eq!(&by_function.collect().unwrap(), &expected);
    }

    #[test]
    fn the_first_and_last_by_order_are_those_of_a_sorted_vector(
        parts in prop::collection::vec(prop::collection::vec(any::<i8>(), 0..30), 0..5),
        n in 0usize..50,
    ) {
        let sc = RddContext::local(2).unwrap();
        let mut sorted = parts.concat();
        sorted.sort_unstable();
        let rdd = sc.from_partitions(parts.clone());
        let first: Vec<i8> = sorted.iter().copied().take(n).collect();
        let last: Vec<i8> = sorted.iter().rev().copied().take(n).collect();
        prop_assert_eq!(rdd.take_ordered(n).unwrap(), first);
        prop_assert_eq!(rdd.top(n).unwrap(), last);
        let mut stable = parts.concat();
        stable.sort_by_key(|x| x.abs_diff(0) / 10);
        stable.truncate(n);
        prop_assert_eq!(rdd.take_ordered_by(n, |x| x.abs_diff(0) / 10).unwrap(), stable);
    }
}

#[test]
fn sorting_on_disk_is_that_of_a_vector_and_stable() {
    let sc = without_memory();
    let events = listen(&sc);
    let records: Vec<(u64, usize)> = scattered(20_000).into_iter().zip(0..).collect();
    let mut expected = records.clone();
    expected.sort_by_key(|(key, _)| *key);
    let sorted = sc.parallelize_in(records.clone(), 3).sort_by_key_with(true, 2);
    assert!(sorted.collect().unwrap() == expected);
    assert!(events.0.lock().iter().any(|event| event == "the sort of partition 1"));
    assert_eq!(sc.memory().used(), 0);

    expected = records.clone();
    expected.sort_by_key(|(key, _)| Reverse(key.to_string()));
    let sorted = sc.parallelize_in(records, 3).sort_by_with(|(key, _)| key.to_string(), false, 2);
    assert!(sorted.collect().unwrap() == expected);
}

#[test]
fn runs_beyond_the_number_of_files_that_are_merged_at_a_time_are_merged_in_passes() {
    let sc = without_memory();
    let events = listen(&sc);
    let records: Vec<(u64, usize)> = scattered(200_000).into_iter().zip(0..).collect();
    let mut expected = records.clone();
    expected.sort_by_key(|(key, _)| *key);
    let sorted = sc.parallelize_in(records, 1).sort_by_key_with(true, 1);
    assert!(sorted.collect().unwrap() == expected);
    let runs = events.0.lock().iter().filter(|event| event.starts_with("the sort")).count();
    assert!(runs > 64, "only {runs} runs");
}

#[test]
fn the_files_of_a_sort_are_gone_with_it() {
    let sc = without_memory();
    let sorted = sc.parallelize_in(scattered(5000), 2).sort_by(|n| *n, true);
    sorted.count().unwrap();
    drop(sorted);
    assert_eq!(sc.disk().bytes_on_disk(), 0);
}

#[test]
fn ranges_share_out_the_records_evenly_although_the_input_does_not() {
    let sc = RddContext::local(2).unwrap();
    let parts = vec![scattered(30_000), Vec::new(), vec![1, 2, 3]];
    let sizes = sizes(&sc.from_partitions(parts).sort_by_with(|n| *n, true, 5));
    assert_eq!(sizes.iter().sum::<usize>(), 30_003);
    assert!(sizes.iter().all(|size| (3000..10_000).contains(size)), "{sizes:?}");
}

#[test]
fn equal_keys_are_in_one_partition() {
    let sc = RddContext::local(2).unwrap();
    let sizes = sizes(&sc.parallelize_in([7; 100], 4).sort_by(|n| *n, true));
    assert_eq!(sizes, [100, 0, 0, 0]);
}

#[test]
fn nothing_runs_before_the_action_and_the_keys_are_sampled_once() {
    let sc = RddContext::local(2).unwrap();
    let events = listen(&sc);
    let sorted = sc.parallelize_in([3, 1, 2], 2).sort_by(|n| *n, true);
    assert!(events.0.lock().is_empty());
    sorted.collect().unwrap();
    assert_eq!(*events.0.lock(), ["job", "job"]);
    sorted.count().unwrap();
    assert_eq!(*events.0.lock(), ["job", "job", "job"]);
}

#[test]
fn one_partition_needs_no_sample() {
    let sc = RddContext::local(2).unwrap();
    let events = listen(&sc);
    let sorted = sc.parallelize_in([3, 1, 2], 2).sort_by_with(|n| *n, false, 1);
    assert_eq!(sorted.collect().unwrap(), [3, 2, 1]);
    assert_eq!(*events.0.lock(), ["job"]);
}

#[test]
fn a_failure_while_sampling_fails_the_action_and_the_next_action_tries_again() {
    let sc = RddContext::local(2).unwrap();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let sorted = sc.parallelize_in([2, 1], 2).sort_by(
        move |n| {
            assert!(!switch.load(std::sync::atomic::Ordering::Relaxed), "the key is broken");
            *n
        },
        true,
    );
    assert!(sorted.collect().unwrap_err().to_string().contains("the key is broken"));
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(sorted.collect().unwrap(), [1, 2]);
}

#[test]
fn sorted_pairs_are_partitioned_by_range_and_sorted_records_by_nothing() {
    let sc = RddContext::local(2).unwrap();
    let pairs = sc.parallelize([(2, 'b'), (1, 'a')]);
    let sorted = pairs.sort_by_key(true);
    assert!(sorted.partitioner().is_some());
    assert_ne!(sorted.partitioner(), pairs.sort_by_key(true).partitioner());
    assert!(pairs.sort_by(|(key, _)| *key, true).partitioner().is_none());
    // Values of a key need not move again to be merged.
    assert_eq!(sorted.reduce_by_key(|a, _| a).partitioner(), sorted.partitioner());
}

#[test]
fn empty_datasets_can_be_sorted() {
    let sc = RddContext::local(2).unwrap();
    assert_eq!(sc.empty::<u8>().sort_by(|n| *n, true).collect().unwrap(), []);
    assert_eq!(sc.parallelize(Vec::<u8>::new()).sort_by(|n| *n, true).collect().unwrap(), []);
}

#[test]
fn extremes_of_nothing_are_errors() {
    let sc = RddContext::local(2).unwrap();
    assert!(matches!(sc.empty::<u8>().max(), Err(Error::EmptyCollection)));
    assert!(matches!(sc.parallelize(Vec::<u8>::new()).min(), Err(Error::EmptyCollection)));
}
