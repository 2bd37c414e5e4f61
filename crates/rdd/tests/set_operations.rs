// SPDX-License-Identifier: Apache-2.0
//! Union, coalesce, zip and cartesian product: against the same operations on vectors.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dstreams_rdd::{
    Error, HashPartitioner, RddContext, TaskError,
    event::{EngineEvent, EngineListener},
};
use proptest::prelude::*;

fn context() -> RddContext {
    RddContext::local(2).unwrap()
}

/// The records of a dataset by partition.
fn partitions() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..5)
}

#[derive(Default)]
struct Jobs(AtomicUsize);

impl EngineListener for Jobs {
    fn on_event(&self, event: &EngineEvent) {
        if matches!(event, EngineEvent::JobStarted { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn invalid<T: std::fmt::Debug>(result: dstreams_rdd::Result<T>) -> String {
    match result {
        Err(Error::InvalidArgument(text)) => text,
        other => panic!("expected an invalid argument, got {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_union_has_the_partitions_of_all(datasets in prop::collection::vec(partitions(), 0..4)) {
        let sc = context();
        let union = sc.union(datasets.iter().map(|parts| sc.from_partitions(parts.clone())));
        prop_assert_eq!(union.glom().collect().unwrap(), datasets.concat());
    }

    #[test]
    fn coalescing_keeps_records_and_their_order(parts in partitions(), n in 0usize..7) {
        let sc = context();
        let fewer = sc.from_partitions(parts.clone()).coalesce(n);
        prop_assert_eq!(fewer.num_partitions(), parts.len().min(n.max(1)));
        prop_assert_eq!(fewer.collect().unwrap(), parts.concat());
    }

    #[test]
    fn indices_count_all_records(parts in partitions()) {
        let sc = context();
        let expected: Vec<(u8, u64)> = parts.concat().into_iter().zip(0..).collect();
        prop_assert_eq!(sc.from_partitions(parts).zip_with_index().collect().unwrap(), expected);
    }

    #[test]
    fn unique_ids_are_k_times_n_plus_i(parts in partitions()) {
        let sc = context();
        let n = parts.len() as u64;
        let numbered = |(i, part): (usize, &Vec<u8>)| {
            part.iter().zip(0..).map(move |(&record, k)| (record, k * n + i as u64)).collect::<Vec<_>>()
        };
        let expected: Vec<_> = parts.iter().enumerate().flat_map(numbered).collect();
        prop_assert_eq!(sc.from_partitions(parts).zip_with_unique_id().collect().unwrap(), expected);
    }

    #[test]
    fn the_cartesian_product_has_all_pairs_in_order(left in partitions(), right in partitions()) {
        let sc = context();
        let mut expected = Vec::new();
        for left in &left {
            for right in &right {
                expected.push(left.iter().flat_map(|&x| right.iter().map(move |&y| (x, y))).collect::<Vec<_>>());
            }
        }
        let product = sc.from_partitions(left).cartesian(&sc.from_partitions(right));
        prop_assert_eq!(product.glom().collect().unwrap(), expected);
    }

    #[test]
    fn zipping_pairs_records_whatever_their_chunks(n in 0i32..5000, gaps in 1i32..5) {
        let sc = context();
        let expected: Vec<(i32, i32)> = (0..n).filter(|x| x % gaps == 0).map(|x| (x, -x)).collect();
        // One side arrives in chunks with gaps, the other in full ones.
        let gappy = sc.parallelize_in(0..n, 1).filter(move |x| x % gaps == 0);
        let full = sc.parallelize_in(expected.iter().map(|(_, y)| *y).collect::<Vec<_>>(), 1);
        prop_assert_eq!(gappy.zip(&full).collect().unwrap(), expected);
    }
}

#[test]
fn a_union_of_nothing_is_empty() {
    assert_eq!(context().union::<u8>([]).num_partitions(), 0);
}

#[test]
fn datasets_that_are_partitioned_alike_stay_so_in_a_union() {
    let sc = context();
    let by_hash = || Arc::new(HashPartitioner::new(3));
    let left = sc.parallelize((0..20).map(|n| (n, 'l'))).partition_by(by_hash());
    let right = sc.parallelize((0..20).map(|n| (n, 'r'))).partition_by(by_hash());
    let union = sc.union([left.clone(), sc.empty(), right.clone()]);
    assert_eq!(union.partitioner(), left.partitioner());
    let expected: Vec<Vec<(i32, char)>> =
        left.glom().zip(&right.glom()).map(|(left, right)| [left, right].concat()).collect().unwrap();
    assert_eq!(union.glom().collect().unwrap(), expected);

    let other = sc.parallelize((0..20).map(|n| (n, 'o'))).partition_by(Arc::new(HashPartitioner::new(2)));
    let mixed = left.union(&other);
    assert_eq!((mixed.partitioner(), mixed.num_partitions()), (None, 5));
    assert!(left.union(&sc.parallelize([(1, 'x')])).partitioner().is_none());
}

#[test]
fn unequal_numbers_of_partitions_are_refused_by_the_action() {
    let sc = context();
    let zipped = sc.parallelize_in(0..4, 2).zip(&sc.parallelize_in(0..4, 3));
    let expected = "Can't zip RDDs with unequal numbers of partitions: List(2, 3)";
    assert_eq!(invalid(zipped.collect()), expected);
    assert_eq!(invalid(zipped.map(|(x, _)| x).take(1)), expected);
    let side_by_side = sc.parallelize_in(0..4, 2).zip_partitions(&sc.parallelize_in(0..4, 3), |left, _| left);
    assert_eq!(invalid(side_by_side.collect()), expected);
    let with_nothing = sc.empty::<u8>().zip(&sc.parallelize_in(0..4, 3));
    assert!(invalid(with_nothing.first()).contains("List(0, 3)"));
}

#[test]
fn partitions_side_by_side_may_differ_in_length_and_be_read_in_part() {
    let sc = context();
    let (left, right) = (sc.parallelize_in(0..3000, 2), sc.parallelize_in(0..4, 2));
    let both = left.zip_partitions(&right, |left, right| right.take(1).chain(left.skip(1499)));
    assert_eq!(both.collect().unwrap(), [0, 1499, 2, 2999]);
}

#[test]
fn partitions_of_unequal_lengths_fail_their_task() {
    let sc = context();
    for (left, right) in
        [(vec![1, 2], vec![1]), (vec![], vec![1]), ((0..1024).collect(), (0..1025).collect())]
    {
        let zipped = sc.from_partitions(vec![left]).zip(&sc.from_partitions(vec![right]));
        let Err(Error::Task(failure)) = zipped.count() else { panic!("zipped") };
        assert!(matches!(*failure.cause, TaskError::ZipLengths), "{failure}");
        assert!(failure.operator.starts_with("zip"), "{failure}");
    }
}

#[test]
fn records_are_counted_once_and_only_for_several_partitions() {
    let sc = context();
    let jobs = Arc::new(Jobs::default());
    sc.events().add(Arc::clone(&jobs) as _);
    let one = sc.parallelize_in(0..9, 1).zip_with_index();
    let three = sc.parallelize_in(0..9, 3).zip_with_index();
    assert_eq!(jobs.0.load(Ordering::Relaxed), 0);
    one.collect().unwrap();
    assert_eq!(jobs.0.load(Ordering::Relaxed), 1);
    three.collect().unwrap();
    assert_eq!(jobs.0.load(Ordering::Relaxed), 3);
    three.map(|(_, index)| index).collect().unwrap();
    assert_eq!(jobs.0.load(Ordering::Relaxed), 4);
}

#[test]
fn indices_after_a_coalesce_are_those_of_its_partitions() {
    let sc = context();
    let indexed = sc.parallelize_in(0..10, 10).coalesce(3).zip_with_index().coalesce(2);
    assert!(indexed.collect().unwrap().into_iter().all(|(record, index)| record == index));
    let ids = sc.parallelize_in(0..4, 4).zip_with_unique_id().coalesce(2);
    assert_eq!(ids.collect().unwrap(), [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[test]
fn long_sides_of_a_cartesian_product_are_paired_block_by_block() {
    let sc = context();
    let (long, short) = (20_000_u64, 3);
    let sum = |rdd: dstreams_rdd::Rdd<(u64, u64)>| {
        rdd.aggregate((0, 0), |(n, sum), (x, y)| (n + 1, sum + x * y), |a, b| (a.0 + b.0, a.1 + b.1)).unwrap()
    };
    let expected = (long * short, (long * (long - 1) / 2) * (short * (short - 1) / 2));
    let (long, short) = (sc.parallelize_in(0..long, 1), sc.parallelize_in(0..short, 1));
    assert_eq!(sum(long.cartesian(&short)), expected);
    assert_eq!(sum(short.cartesian(&long)), expected);
}

#[test]
fn a_short_right_side_of_a_cartesian_product_is_computed_once_per_task() {
    let sc = context();
    let computed = sc.accumulator("computed", 0, |sum, n| *sum += n);
    let counter = computed.clone();
    let short = sc.parallelize_in(0..3_u64, 1).map(move |n| {
        counter.add(1);
        n
    });
    assert_eq!(sc.parallelize_in(0..40_000_u64, 1).cartesian(&short).count().unwrap(), 120_000);
    assert_eq!(computed.value(), 3);
}
