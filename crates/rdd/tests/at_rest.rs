// SPDX-License-Identifier: Apache-2.0
//! Records that rest in memory are not copied in bulk: each is cloned right before its use, and only if it is needed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dstreams_rdd::{Error, Rdd, RddContext};

/// How many records there are at once, and how many clones were made.
#[derive(Default)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
    clones: AtomicUsize,
}

struct Counted(u64, Arc<Count>);

impl Counted {
    fn new(number: u64, count: &Arc<Count>) -> Self {
        let now = count.now.fetch_add(1, Ordering::SeqCst) + 1;
        count.most.fetch_max(now, Ordering::SeqCst);
        Self(number, Arc::clone(count))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.1.clones.fetch_add(1, Ordering::SeqCst);
        Self::new(self.0, &self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::SeqCst);
    }
}

const RECORDS: usize = 5000;

/// What `act` returns, how many records there were beside those at rest, and how many clones were made.
fn counted<R>(act: impl FnOnce(&Rdd<Counted>) -> R) -> (R, usize, usize) {
    let sc = RddContext::local(1).unwrap();
    let count = Arc::<Count>::default();
    let records: Vec<Counted> = (0..RECORDS as u64).map(|number| Counted::new(number, &count)).collect();
    let rdd = sc.parallelize_in(records, 1);
    let result = act(&rdd);
    (result, count.most.load(Ordering::SeqCst) - RECORDS, count.clones.load(Ordering::SeqCst))
}

const SUM: u64 = (RECORDS as u64) * (RECORDS as u64 - 1) / 2;

#[test]
fn actions_clone_one_record_at_a_time() {
    let sum = |rdd: &Rdd<Counted>| rdd.aggregate(0, |sum, record| sum + record.0, |a, b| a + b).unwrap();
    assert_eq!(counted(sum), (SUM, 1, RECORDS));

    let last = |rdd: &Rdd<Counted>| rdd.reduce(|a, b| if a.0 > b.0 { a } else { b }).unwrap().0;
    assert_eq!(counted(last), (RECORDS as u64 - 1, 2, RECORDS));

    let seen = Arc::<AtomicUsize>::default();
    let seen_by = Arc::clone(&seen);
    let each = |rdd: &Rdd<Counted>| {
        rdd.for_each(move |_record| {
            seen_by.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
    };
    assert_eq!(counted(each), ((), 1, RECORDS));
    assert_eq!(seen.load(Ordering::SeqCst), RECORDS);
}

#[test]
fn actions_that_only_look_clone_nothing() {
    assert_eq!(counted(|rdd| rdd.count().unwrap()), (RECORDS as u64, 0, 0));
}

#[test]
fn operators_clone_one_record_at_a_time() {
    let numbers: Vec<u64> = (0..RECORDS as u64).collect();
    let mapped = |rdd: &Rdd<Counted>| rdd.map(|record| record.0).collect().unwrap();
    assert_eq!(counted(mapped), (numbers.clone(), 1, RECORDS));
    let tried = |rdd: &Rdd<Counted>| rdd.try_map(|record| Ok::<_, Error>(record.0)).collect().unwrap();
    assert_eq!(counted(tried), (numbers.clone(), 1, RECORDS));
    let flat = |rdd: &Rdd<Counted>| rdd.flat_map(|record| Some(record.0)).collect().unwrap();
    assert_eq!(counted(flat), (numbers, 1, RECORDS));
}

#[test]
fn filters_clone_what_they_keep() {
    let even = RECORDS / 2;
    let numbers = |rdd: Rdd<Counted>| rdd.count().unwrap();
    let filtered = |rdd: &Rdd<Counted>| numbers(rdd.filter(|record| record.0 % 2 == 0));
    let (kept, _, clones) = counted(filtered);
    assert_eq!((kept, clones), (even as u64, even));
    let tried = |rdd: &Rdd<Counted>| numbers(rdd.try_filter(|record| Ok::<_, Error>(record.0 % 2 == 0)));
    let (kept, _, clones) = counted(tried);
    assert_eq!((kept, clones), (even as u64, even));
}

#[test]
fn a_filter_map_clones_nothing() {
    let even: Vec<u64> = (0..RECORDS as u64).filter(|n| n % 2 == 0).collect();
    let even_of = |record: &Counted| record.0.is_multiple_of(2).then_some(record.0);
    let mapped = move |rdd: &Rdd<Counted>| rdd.filter_map(even_of).collect().unwrap();
    assert_eq!(counted(mapped), (even.clone(), 0, 0));
    let tried = move |rdd: &Rdd<Counted>| {
        rdd.try_filter_map(move |record| Ok::<_, Error>(even_of(record))).collect().unwrap()
    };
    assert_eq!(counted(tried), (even, 0, 0));
}

#[test]
fn a_filter_map_takes_what_comes_from_an_operator_too() {
    let sc = RddContext::local(2).unwrap();
    let squares = sc.parallelize_in(0..5000u64, 3).map(|n| n * n);
    let odd = squares.filter_map(|n| (n % 2 == 1).then_some(*n));
    assert_eq!(odd.collect().unwrap(), (0..5000).map(|n| n * n).filter(|n| n % 2 == 1).collect::<Vec<u64>>());
    let failing = squares.try_filter_map(|n| if *n < 100 { Ok(Some(*n)) } else { Err("too large") });
    assert!(failing.collect().unwrap_err().to_string().contains("too large"));
}

/// Whether records rest in memory or come from an operator, and whether their results fit in a chunk or fill many.
#[test]
fn a_flat_map_gives_all_results_in_order_and_in_small_chunks() {
    let results = |n: u64| (0..n * n % 3001).map(move |i| (n, i));
    let expected: Vec<_> = (0..2000).flat_map(results).collect();
    let sc = RddContext::local(1).unwrap();
    let at_rest = sc.parallelize_in(0..2000, 1);
    for input in [at_rest.map(|n| n), at_rest] {
        let made = input.flat_map(results);
        let largest = made.map_partitions(|mut records| {
            let mut largest = 0;
            while records.next().is_some() {
                largest = largest.max(records.chunk().len());
            }
            [largest]
        });
        assert!(largest.first().unwrap() <= 1024);
        assert_eq!(made.collect().unwrap(), expected);
    }
}
