// SPDX-License-Identifier: Apache-2.0
//! Samples and splits: the right share, the same for the same seed, and every record where it may be.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::HashMap, sync::Arc};

use dstreams_rdd::{Error, HashPartitioner, RddContext};
use proptest::prelude::*;

fn context() -> RddContext {
    RddContext::local(2).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_sample_without_replacement_is_a_part_in_order(n in 0u32..300, fraction in 0.0..=1.0, seed: u64) {
        let sc = context();
        let sample = sc.parallelize_in(0..n, 3).sample(false, fraction, seed).collect().unwrap();
        prop_assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(sample.iter().all(|&record| record < n));
    }

    #[test]
    fn splits_share_out_all_records(n in 0u32..300, weights in prop::collection::vec(0.0..5.0, 1..5), seed: u64) {
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let sc = context();
        let splits = sc.parallelize_in(0..n, 3).random_split(&weights, seed);
        prop_assert_eq!(splits.len(), weights.len());
        let mut all = sc.union(splits).collect().unwrap();
        all.sort_unstable();
        prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn take_sample_takes_as_many_as_there_are(n in 0usize..100, wanted in 0usize..150, seed: u64) {
        let sc = context();
        let rdd = sc.parallelize_in(0..n, 4);
        let mut without = rdd.take_sample(false, wanted, seed).unwrap();
        prop_assert_eq!(without.len(), n.min(wanted));
        without.sort_unstable();
        without.dedup();
        prop_assert_eq!(without.len(), n.min(wanted));
        let with = rdd.take_sample(true, wanted, seed).unwrap();
        prop_assert_eq!(with.len(), if n == 0 { 0 } else { wanted });
        prop_assert!(with.iter().all(|&record| record < n));
    }
}

#[test]
fn seeds_decide() {
    let rdd = context().parallelize_in(0..1000, 3);
    for replacement in [false, true] {
        let sample = |seed| rdd.sample(replacement, 0.3, seed).collect().unwrap();
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        let taken = |seed| rdd.take_sample(replacement, 20, seed).unwrap();
        assert_eq!(taken(1), taken(1));
        assert_ne!(taken(1), taken(2));
    }
}

#[test]
fn partitions_draw_on_their_own() {
    let sc = context();
    let same: Vec<u32> = (0..1000).collect();
    let parts = sc.from_partitions(vec![same.clone(), same]).sample(false, 0.5, 7).glom().collect().unwrap();
    assert_ne!(parts[0], parts[1]);
}

#[test]
fn samples_have_their_share() {
    let rdd = context().parallelize_in(0..20_000, 4);
    for fraction in [0.0, 0.05, 0.5, 1.0] {
        let count = rdd.sample(false, fraction, 42).count().unwrap() as f64;
        assert!((count / 20_000.0 - fraction).abs() < 0.02, "{fraction}: {count}");
    }
    for fraction in [0.0, 0.5, 2.5] {
        let count = rdd.sample(true, fraction, 42).count().unwrap() as f64;
        assert!((count / 20_000.0 - fraction).abs() < 0.05, "{fraction}: {count}");
    }
}

#[test]
fn with_replacement_records_repeat() {
    let sample = context().parallelize_in(0..1000, 2).sample(true, 1.0, 3).collect().unwrap();
    assert!(sample.is_sorted());
    assert!(sample.windows(2).any(|pair| pair[0] == pair[1]));
}

#[test]
fn splits_have_the_sizes_of_their_weights() {
    let splits = context().parallelize_in(0..20_000, 4).random_split(&[3.0, 0.0, 1.0], 42);
    let sizes: Vec<u64> = splits.iter().map(|split| split.count().unwrap()).collect();
    assert!((14_500..15_500).contains(&sizes[0]), "{sizes:?}");
    assert_eq!(sizes[1], 0);
}

#[test]
fn each_record_is_as_likely_to_be_taken() {
    let sc = context();
    let rdd = sc.from_partitions(vec![vec![0], (1..10).collect()]);
    for replacement in [false, true] {
        let mut taken: HashMap<i32, u32> = HashMap::new();
        for seed in 0..1000 {
            for record in rdd.take_sample(replacement, 2, seed).unwrap() {
                *taken.entry(record).or_default() += 1;
            }
        }
        assert!((0..10).all(|record| (140..260).contains(&taken[&record])), "{replacement}: {taken:?}");
    }
}

#[test]
fn the_order_of_a_taken_sample_is_random() {
    let taken = context().parallelize_in(0..100, 3);
    assert!(!taken.take_sample(false, 50, 1).unwrap().is_sorted());
    assert!(!taken.take_sample(true, 50, 1).unwrap().is_sorted());
}

#[test]
fn fractions_and_weights_that_make_no_sense_are_refused() {
    let sc = context();
    let rdd = sc.parallelize(0..10);
    let refused = |result: dstreams_rdd::Result<u64>| matches!(result, Err(Error::InvalidArgument(_)));
    for fraction in [-0.1, 1.1, f64::NAN] {
        assert!(refused(rdd.sample(false, fraction, 1).count()), "{fraction}");
    }
    for fraction in [-0.1, f64::INFINITY, f64::NAN] {
        assert!(refused(rdd.sample(true, fraction, 1).count()), "{fraction}");
    }
    for weights in [[-1.0, 2.0], [0.0, 0.0], [f64::NAN, 1.0], [f64::INFINITY, 1.0]] {
        assert!(refused(rdd.random_split(&weights, 1)[1].count()), "{weights:?}");
    }
}

#[test]
fn a_sample_keeps_the_partitioner() {
    let sc = context();
    let pairs = sc.parallelize((0..10).map(|n| (n, n))).partition_by(Arc::new(HashPartitioner::new(3)));
    assert_eq!(pairs.sample(false, 0.5, 1).partitioner(), pairs.partitioner());
}
