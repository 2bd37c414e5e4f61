// SPDX-License-Identifier: Apache-2.0
//! Keyed aggregations against plain loops: the same groups for any data, partitions, and partitioner.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_rdd::{
    ArcPartitioner, Error, HashPartitioner, PairOptions, Partitioner, PartitionerId, Partitioning, Rdd,
    RddContext, RddOptions,
};
use proptest::{collection::vec, prelude::*};

/// Puts every key into the partition of its remainder.
struct Remainder(usize);

impl Partitioner<u16> for Remainder {
    fn partitions(&self) -> usize {
        self.0
    }

    fn partition(&self, key: &u16, _hash: u64) -> usize {
        usize::from(*key) % self.0
    }

    fn id(&self) -> PartitionerId {
        PartitionerId::Custom("remainder".to_owned(), self.0)
    }
}

/// Sends everything to a partition that does not exist.
struct Astray;

impl Partitioner<u16> for Astray {
    fn partitions(&self) -> usize {
        2
    }

    fn partition(&self, _key: &u16, _hash: u64) -> usize {
        7
    }

    fn id(&self) -> PartitionerId {
        PartitionerId::Custom("astray".to_owned(), 2)
    }
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

fn groups(pairs: &[(u16, u32)]) -> BTreeMap<u16, Vec<u32>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for &(key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}

fn partitionings() -> impl Strategy<Value = Partitioning<u16>> {
    prop_oneof![
        Just(Partitioning::Default),
        (0usize..9).prop_map(Partitioning::Hash),
        (1usize..6).prop_map(|n| Partitioning::By(Arc::new(Remainder(n)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_aggregation_agrees_with_a_loop(
        pairs in vec((0u16..40, 0u32..1000), 0..300),
        partitions in 1usize..6,
        partitioning in partitionings(),
        map_side_combine in any::<bool>(),
    ) {
        let sc = RddContext::local(2).unwrap();
        let rdd = sc.parallelize_in(pairs.clone(), partitions);
        let expected = groups(&pairs);
        let sums: Vec<_> = expected.iter().map(|(k, values)| (*k, values.iter().sum::<u32>())).collect();

        let reduced = rdd.reduce_by_key_with(|a, b| a + b, partitioning.clone());
        prop_assert_eq!(&sorted(reduced.collect().unwrap()), &sums);
        let folded = rdd.fold_by_key_with(0, |a, b| a + b, partitioning.clone());
        prop_assert_eq!(&sorted(folded.collect().unwrap()), &sums);
        let grouped = rdd.group_by_key_with(partitioning.clone());
        // Values come in the order of the partitions and of the records in them, which is that of the input.
        let expected: Vec<_> = expected.into_iter().collect();
        prop_assert_eq!(&sorted(grouped.collect().unwrap()), &expected);
        let options = PairOptions { partitioning, map_side_combine };
        let combined = rdd.combine_by_key_with(
            |value| vec![value],
            |mut list, value| { list.push(value); list },
            |mut left, right| { left.extend(right); left },
            options,
        );
        prop_assert_eq!(&sorted(combined.collect().unwrap()), &expected);
    }

    #[test]
    fn distinct_subtract_and_intersection_agree_with_sets(
        left in vec(0u16..30, 0..100), right in vec(0u16..30, 0..40), parts in (1usize..5, 1usize..5),
    ) {
        let sc = RddContext::local(2).unwrap();
        let (a, b) = (sc.parallelize_in(left.clone(), parts.0), sc.parallelize_in(right.clone(), parts.1));
        let mut unique = sorted(left.clone());
        unique.dedup();
        prop_assert_eq!(sorted(a.distinct().collect().unwrap()), unique.clone());
        let rest: Vec<_> = sorted(left).into_iter().filter(|n| !right.contains(n)).collect();
        prop_assert_eq!(sorted(a.subtract(&b).collect().unwrap()), rest);
        unique.retain(|n| right.contains(n));
        prop_assert_eq!(sorted(a.intersection(&b).collect().unwrap()), unique);
    }

    #[test]
    fn repartition_keeps_the_records_and_evens_the_sizes(
        sizes in vec(0usize..50, 1..6), partitions in 1usize..9,
    ) {
        let sc = RddContext::local(2).unwrap();
        let parts: Vec<Vec<usize>> = sizes.iter().enumerate().map(|(i, n)| vec![i; *n]).collect();
        let spread = sc.from_partitions(parts.clone()).repartition(partitions).glom().collect().unwrap();
        prop_assert_eq!(spread.len(), partitions);
        // Each map partition deals its records out in turn, so no two buckets differ by more than one per partition.
        let lengths: Vec<_> = spread.iter().map(Vec::len).collect();
        prop_assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= sizes.len());
        prop_assert_eq!(sorted(spread.concat()), parts.concat());
    }
}

#[test]
fn zero_counts_once_per_key_and_map_partition() {
    let sc = RddContext::local(2).unwrap();
    let pairs =
        sc.from_partitions(vec![vec![("a".to_owned(), 1), ("a".to_owned(), 2)], vec![("a".to_owned(), 3)]]);
    assert_eq!(pairs.fold_by_key(100, |a, b| a + b).collect().unwrap(), [("a".to_owned(), 206)]);
    let counts = pairs.aggregate_by_key(10, |n, _| n + 1, |a, b| a + b);
    assert_eq!(counts.collect().unwrap(), [("a".to_owned(), 23)]);
}

#[test]
fn a_result_is_not_shuffled_again_by_its_own_partitioner() {
    let sc = RddContext::local(2).unwrap();
    let once = sc.parallelize_in((0..100u16).map(|n| (n % 10, 1u32)), 4).reduce_by_key(|a, b| a + b);
    let merges = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&merges);
    let twice = once.map_values(|n| n + 1).reduce_by_key(move |a, b| {
        count.fetch_add(1, Ordering::Relaxed);
        a + b
    });
    assert!(matches!(
        twice.lineage().dependencies().as_slice(),
        [dstreams_rdd::lineage::Dependency::Narrow(_)]
    ));
    assert_eq!(sorted(twice.collect().unwrap()), (0..10).map(|n| (n, 11)).collect::<Vec<_>>());
    assert_eq!(merges.load(Ordering::Relaxed), 0);
}

#[test]
fn the_default_partitioner_follows_the_largest_input_or_the_setting() {
    let sc = RddContext::local(2).unwrap();
    let pairs = |partitions| sc.parallelize_in((0..9u16).map(|n| (n, n)), partitions);
    assert_eq!(pairs(5).group_by_key().partitioner(), Some(&PartitionerId::Hash(5)));
    let placed = pairs(3).reduce_by_key(|a, _| a);
    assert_eq!(placed.cogroup(&pairs(8)).num_partitions(), 3);
    assert_eq!(placed.cogroup(&pairs(40)).num_partitions(), 40);

    let set =
        RddContext::new(RddOptions { default_parallelism: Some(7), threads: 1, ..RddOptions::default() });
    let set = set.unwrap();
    assert_eq!(set.parallelize_in([(1, 1)], 2).group_by_key().num_partitions(), 7);
}

#[test]
fn a_partitioner_of_the_user_is_reused_where_all_inputs_have_it() {
    let sc = RddContext::local(2).unwrap();
    let remainder: ArcPartitioner<u16> = Arc::new(Remainder(3));
    let pairs = sc.parallelize_in((0..9u16).map(|n| (n, n)), 2);
    let placed = pairs.partition_by(Arc::clone(&remainder));
    assert_eq!(placed.keys().glom().collect().unwrap().map_sorted(), [[0, 3, 6], [1, 4, 7], [2, 5, 8]]);
    assert_eq!(placed.group_by_key().partitioner(), Some(&remainder.id()));
    assert_eq!(placed.cogroup(&placed).partitioner(), Some(&remainder.id()));
    assert_eq!(placed.cogroup(&pairs).partitioner(), Some(&PartitionerId::Hash(3)));
    assert_eq!(
        sorted(placed.join(&pairs).collect().unwrap()),
        (0..9).map(|n| (n, (n, n))).collect::<Vec<_>>()
    );
}

trait MapSorted<T> {
    fn map_sorted(self) -> Vec<Vec<T>>;
}

impl<T: Ord> MapSorted<T> for Vec<Vec<T>> {
    fn map_sorted(self) -> Vec<Vec<T>> {
        self.into_iter().map(sorted).collect()
    }
}

// INVARIANT 11: the numbers are those of other processes and runs, with other numbers of threads.
#[test]
fn the_partition_of_a_key_is_always_the_same() {
    let layout = |threads| {
        let sc = RddContext::local(threads).unwrap();
        let placed =
            sc.parallelize((0..8u16).map(|n| (n, ()))).partition_by(Arc::new(HashPartitioner::new(3)));
        placed.keys().glom().collect().unwrap().map_sorted()
    };
    assert_eq!(layout(1), [vec![1, 2, 5], vec![0, 4], vec![3, 6, 7]]);
    assert_eq!(layout(4), layout(1));
}

#[test]
fn a_partitioner_that_leads_astray_fails_the_job() {
    let sc = RddContext::local(2).unwrap();
    let pairs = sc.parallelize([(1u16, 1)]);
    let error = pairs.partition_by(Arc::new(Astray)).count().unwrap_err().to_string();
    assert!(error.contains("partition 7 of 2"), "{error}");
}

#[test]
fn lookup_reads_one_partition_of_a_hash_partitioned_dataset() {
    let sc = RddContext::local(2).unwrap();
    let read = sc.accumulator("read", 0, |a, b| *a += b);
    let counter = read.clone();
    let placed = sc
        .parallelize_in((0..100u16).map(|n| (n, n * 2)), 4)
        .partition_by(Arc::new(HashPartitioner::new(10)))
        .filter(move |_| {
            counter.add(1);
            true
        });
    assert_eq!(placed.lookup(&42).unwrap(), [84]);
    assert!(read.value() < 50, "{} of 100 pairs were read", read.value());
    assert_eq!(placed.lookup(&1000).unwrap(), []);
}

#[test]
fn counts_come_to_the_driver() {
    let sc = RddContext::local(2).unwrap();
    let pairs = sc.parallelize_in([('a', 1), ('b', 2), ('a', 1)], 3);
    assert_eq!(pairs.count_by_key().unwrap(), [('a', 2), ('b', 1)].into());
    assert_eq!(pairs.count_by_value().unwrap(), [(('a', 1), 2), (('b', 2), 1)].into());
}

#[test]
fn map_outputs_serve_later_jobs() {
    let sc = RddContext::local(2).unwrap();
    let computed = sc.accumulator("computed", 0, |a, b| *a += b);
    let counter = computed.clone();
    let sums = sc
        .parallelize_in(0..100u32, 4)
        .map(move |n| {
            counter.add(1);
            (n % 7, n)
        })
        .reduce_by_key(|a, b| a + b);
    let first = sorted(sums.collect().unwrap());
    assert_eq!(sorted(sums.collect().unwrap()), first);
    assert_eq!(sums.count().unwrap(), 7);
    assert_eq!(computed.value(), 100);
}

#[test]
fn outputs_are_freed_with_the_dataset_that_reads_them() {
    let alive = Arc::new(());
    let sc = RddContext::local(2).unwrap();
    let held = Arc::clone(&alive);
    let pairs = sc.parallelize([(1, 1), (1, 2)]).map(move |pair| {
        let _ = &held;
        pair
    });
    let sums = pairs.reduce_by_key(|a, b| a + b);
    assert_eq!(sums.collect().unwrap(), [(1, 3)]);
    drop(pairs);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(sums);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_failure_on_the_map_side_names_the_aggregation() {
    let sc = RddContext::local(2).unwrap();
    let pairs = sc.parallelize_in([(1, 1), (1, 2)], 1).map(|pair| pair);
    let sums: Rdd<(i32, i32)> = pairs.reduce_by_key(|_, _| panic!("no sum today")).named("sums");
    let Err(Error::Task(failure)) = sums.collect() else { panic!("the job must fail") };
    assert!(failure.operator.contains("sums"), "{}", failure.operator);
    assert!(failure.cause.to_string().contains("no sum today"));
}

#[test]
fn an_empty_dataset_has_no_groups() {
    let sc = RddContext::local(2).unwrap();
    let none = sc.empty::<(u8, u8)>();
    assert!(none.reduce_by_key(|a, _| a).is_empty().unwrap());
    assert!(none.cogroup(&none).is_empty().unwrap());
    assert_eq!(none.repartition(3).num_partitions(), 3);
}
