// SPDX-License-Identifier: Apache-2.0
//! Cogroup and the four joins against nested loops, with and without a shuffle of either side.
#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_rdd::{HashPartitioner, Rdd, RddContext, lineage::Dependency};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;

type Pairs = Vec<(u8, u16)>;
type Cogrouped = (u8, (Vec<u16>, Vec<u16>));

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

fn has(pairs: &Pairs, key: u8) -> bool {
    pairs.iter().any(|(k, _)| *k == key)
}

fn inner(left: &Pairs, right: &Pairs) -> Vec<(u8, (u16, u16))> {
    let rows = left
        .iter()
        .flat_map(|(k, v)| right.iter().filter(move |(l, _)| l == k).map(move |(_, w)| (*k, (*v, *w))));
    sorted(rows.collect())
}

fn place(rdd: Rdd<(u8, u16)>, to: Option<usize>) -> Rdd<(u8, u16)> {
    match to {
        Some(partitions) => rdd.partition_by(Arc::new(HashPartitioner::new(partitions))),
        None => rdd,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn joins_agree_with_nested_loops(
        left in vec((0u8..12, any::<u16>()), 0..40),
        right in vec((0u8..12, any::<u16>()), 0..40),
        partitions in (1usize..5, 1usize..5),
        placed in (proptest::option::of(1usize..4), proptest::option::of(1usize..4)),
    ) {
        let sc = RddContext::local(2).unwrap();
        let a = place(sc.parallelize_in(left.clone(), partitions.0), placed.0);
        let b = place(sc.parallelize_in(right.clone(), partitions.1), placed.1);
        let both = inner(&left, &right);
        prop_assert_eq!(&sorted(a.join(&b).collect().unwrap()), &both);

        let only_left = left.iter().filter(|(k, _)| !has(&right, *k));
        let only_right = right.iter().filter(|(k, _)| !has(&left, *k));
        let mut rows: Vec<_> = both.iter().map(|(k, (v, w))| (*k, (*v, Some(*w)))).collect();
        rows.extend(only_left.clone().map(|(k, v)| (*k, (*v, None))));
        prop_assert_eq!(sorted(a.left_outer_join(&b).collect().unwrap()), sorted(rows));
        let mut rows: Vec<_> = both.iter().map(|(k, (v, w))| (*k, (Some(*v), *w))).collect();
        rows.extend(only_right.clone().map(|(k, w)| (*k, (None, *w))));
        prop_assert_eq!(sorted(a.right_outer_join(&b).collect().unwrap()), sorted(rows));
        let mut rows: Vec<_> = both.iter().map(|(k, (v, w))| (*k, (Some(*v), Some(*w)))).collect();
        rows.extend(only_left.map(|(k, v)| (*k, (Some(*v), None))));
        rows.extend(only_right.map(|(k, w)| (*k, (None, Some(*w)))));
        prop_assert_eq!(sorted(a.full_outer_join(&b).collect().unwrap()), sorted(rows));

        let values = |pairs: &Pairs, key| pairs.iter().filter(|(k, _)| *k == key).map(|(_, v)| *v).collect::<Vec<_>>();
        let groups: Vec<_> = (0..12)
            .filter(|k| has(&left, *k) || has(&right, *k))
            .map(|k| (k, (sorted(values(&left, k)), sorted(values(&right, k)))))
            .collect();
        let cogrouped = a.cogroup(&b).map_values(|(v, w)| (sorted(v), sorted(w)));
        prop_assert_eq!(sorted(cogrouped.collect().unwrap()), groups);
        let rest: Vec<_> = left.iter().filter(|(k, _)| !has(&right, *k)).copied().collect();
        prop_assert_eq!(sorted(a.subtract_by_key(&b).collect().unwrap()), sorted(rest));
    }
}

#[test]
fn a_side_that_lies_right_is_not_shuffled() {
    let sc = RddContext::local(2).unwrap();
    let placed = place(sc.parallelize((0..20).map(|n| (n, u16::from(n)))), Some(4));
    let other = sc.parallelize([(3u8, 30u16)]);
    let shuffles = |rdd: &Rdd<Cogrouped>| -> Vec<bool> {
        rdd.lineage().dependencies().iter().map(|d| matches!(d, Dependency::Shuffle(_))).collect()
    };
    assert_eq!(shuffles(&placed.cogroup(&other)), [false, true]);
    assert_eq!(shuffles(&other.cogroup(&placed)), [true, false]);
    assert_eq!(shuffles(&placed.cogroup(&placed)), [false, false]);
    assert_eq!(shuffles(&placed.cogroup_with(&other, 5)), [true, true]);
    assert_eq!(placed.join(&other).collect().unwrap(), [(3, (3, 30))]);
}

#[test]
fn one_key_with_many_values_on_both_sides() {
    let sc = RddContext::local(2).unwrap();
    let many = |n: u16| sc.parallelize((0..n).map(|i| (0u8, i)));
    assert_eq!(many(300).join(&many(500)).count().unwrap(), 150_000);
}

#[test]
fn keys_with_many_values_on_both_sides() {
    let sc = RddContext::local(2).unwrap();
    let side = |per_key: u16| (0..3u8).flat_map(move |key| (0..per_key).map(move |n| (key, n)));
    let (left, right) = (sc.parallelize_in(side(2000), 3), sc.parallelize_in(side(30), 2));
    let rows = left.join_with(&right, 1).collect().unwrap();
    // Each record of the right side has the values of the left one in their order.
    for of_one in rows.chunks(2000) {
        let (key, (_, value)) = of_one[0];
        assert!(of_one.iter().zip(0..).all(|(row, n)| *row == (key, (n, value))), "{key} {value}");
    }
    assert_eq!(rows.len(), 3 * 2000 * 30);
    assert_eq!(sorted(right.join(&left).map(|(key, (v, w))| (key, (w, v))).collect().unwrap()), sorted(rows));
}
