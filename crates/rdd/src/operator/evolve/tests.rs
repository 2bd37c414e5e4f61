// SPDX-License-Identifier: Apache-2.0
//! `evolve_by_key` against a map that is changed step by step, in memory and with too little of it.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    reason = "what evolve_by_key calls is of that form"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{RddContext, RddOptions, StorageLevel};

/// A change of a key: a number to add to its sum.
type Change = (u16, i32);

/// The changes of each step, in parts, and the sums after each.
type Steps = (Vec<Vec<Vec<Change>>>, Vec<BTreeMap<u16, i32>>);

/// Sums of changes; a sum of zero goes.
fn add(_: &u16, sum: Option<&i32>, new: KeyValues<'_, i32>) -> Result<Option<i32>, TaskError> {
    let sum = new.fold(sum.copied().unwrap_or(0), |sum, n| sum.wrapping_mul(3).wrapping_add(n));
    Ok((sum != 0).then_some(sum))
}

fn expected(sums: &mut BTreeMap<u16, i32>, changes: &[Change]) {
    for (key, n) in changes {
        let sum = sums.entry(*key).or_insert(0);
        *sum = sum.wrapping_mul(3).wrapping_add(*n);
    }
    sums.retain(|_, sum| *sum != 0);
}

fn context(memory: usize) -> RddContext {
    RddContext::new(RddOptions { threads: 2, memory_budget: memory, ..RddOptions::default() }).unwrap()
}

/// Every step's result, each dataset kept while the next is made of it.
fn steps(context: &RddContext, steps: &[Vec<Vec<Change>>], kept: bool) -> Vec<BTreeMap<u16, i32>> {
    let index = KeyIndex::new();
    let mut sums = context.parallelize_in(Vec::<Change>::new(), 1);
    let mut results = Vec::new();
    for changes in steps {
        let changes: Vec<_> =
            changes.iter().map(|changes| context.parallelize_in(changes.clone(), 2)).collect();
        sums = sums.evolve_by_key(&changes, &index, 3, add);
        if kept {
            sums = sums.local_checkpoint();
        }
        let all = sums.collect().unwrap();
        let map: BTreeMap<_, _> = all.iter().copied().collect();
        assert_eq!(all.len(), map.len(), "each key is there once");
        results.push(map);
    }
    results
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn steps_give_what_a_map_gives(
        changes in prop::collection::vec(prop::collection::vec(prop::collection::vec((0..40u16, -2..3i32), 0..60), 1..3), 1..8),
        kept: bool,
        wide in 1..200u16,
    ) {
        // Some keys far apart, so that a partition has more than one chunk.
        let changes: Vec<Vec<Vec<Change>>> = changes
            .into_iter()
            .map(|step| step.into_iter().map(|part| part.into_iter().map(|(key, n)| (key * wide, n)).collect()).collect())
            .collect();
        let mut sums = BTreeMap::new();
        let want: Vec<_> = changes
            .iter()
            .map(|step| {
                let all: Vec<Change> = step.iter().flatten().copied().collect();
                expected(&mut sums, &all);
                sums.clone()
            })
            .collect();
        prop_assert_eq!(steps(&context(64 << 20), &changes, kept), want);
    }

    #[test]
    fn any_of_many_keys_go(gone in prop::collection::btree_set(0..7000u16, 0..7000), from in 0..7000u16, more in 0..3000u16) {
        // All keys from some place on go, too, and others come with the next step.
        let all = (0..7000).map(|key| (key, 1)).collect();
        let gone = gone.into_iter().filter(|key| *key < from).chain(from..7000).map(|key| (key, -3)).collect();
        let changes: [Vec<Change>; 3] = [all, gone, (6000..7000 + more).map(|key| (key, 2)).collect()];
        let mut sums = BTreeMap::new();
        let want: Vec<_> = changes
            .iter()
            .map(|step| {
                expected(&mut sums, step);
                sums.clone()
            })
            .collect();
        let changes: Vec<_> = changes.into_iter().map(|step| vec![step]).collect();
        prop_assert_eq!(steps(&context(64 << 20), &changes, true), want);
    }
}

/// Twenty thousand keys, of which each step removes some, changes some and adds some.
fn many() -> Steps {
    let changes: Vec<Vec<Vec<Change>>> = (0..6i32)
        .map(|step| {
            let part = |from: u16, to: u16, n: i32| (from..to).map(|key| (key, n)).collect::<Vec<_>>();
            match step {
                0 => vec![part(0, 20_000, 1)],
                // Three times one less three is nothing.
                1 => vec![part(100, 5000, -3), part(19_000, 20_000, -3)],
                2 => vec![part(0, 50, 7), part(20_000, 21_000, 2)],
                3 => vec![part(18_000, 19_000, -3), part(4000, 4500, 1)],
                _ => vec![part(500, 600, 1)],
            }
        })
        .collect();
    let mut sums = BTreeMap::new();
    let want = changes
        .iter()
        .map(|step| {
            expected(&mut sums, &step.concat());
            sums.clone()
        })
        .collect();
    (changes, want)
}

#[test]
fn keys_come_and_go_in_partitions_of_many_chunks() {
    let (changes, want) = many();
    assert_eq!(steps(&context(64 << 20), &changes, true), want);
}

#[test]
fn where_memory_is_short_the_result_is_the_same() {
    let (changes, want) = many();
    assert_eq!(steps(&context(200 << 10), &changes, true), want);
}

#[test]
fn a_version_that_is_on_disk_is_read_back() {
    let context = context(64 << 20);
    let (changes, want) = many();
    let index = KeyIndex::new();
    let mut sums = context.parallelize_in(Vec::<Change>::new(), 1);
    for (changes, want) in changes.iter().zip(&want) {
        let changes: Vec<_> = changes.iter().map(|part| context.parallelize_in(part.clone(), 2)).collect();
        sums = sums.evolve_by_key(&changes, &index, 3, add).persist(StorageLevel::DISK_ONLY);
        let all = sums.collect().unwrap();
        assert_eq!(all.iter().copied().collect::<BTreeMap<_, _>>(), *want);
        assert_eq!(all.len(), want.len(), "each key is there once");
    }
}

#[test]
fn of_a_key_that_is_there_twice_the_first_state_counts() {
    let context = context(64 << 20);
    for first in [
        context.parallelize_in([(1, 10), (2, 5), (1, 20)], 1),
        context.parallelize_in([(1, 10), (1, 20), (2, 5)], 1).cache(),
    ] {
        assert_eq!(first.count().unwrap(), 3);
        let changes = context.parallelize_in(vec![(2, 1), (3, 7)], 1);
        let mut second = first.evolve_by_key(&[changes], &KeyIndex::new(), 1, add).collect().unwrap();
        second.sort_unstable();
        assert_eq!(second, [(1, 10), (2, 16), (3, 7)]);
    }
}

#[test]
fn an_index_of_another_version_is_not_used() {
    let context = context(64 << 20);
    let index = KeyIndex::new();
    let step = |before: &Rdd<Change>, changes: Vec<Change>| {
        let changes = context.parallelize_in(changes, 1);
        before.evolve_by_key(&[changes], &index, 1, add).local_checkpoint()
    };
    let first = step(&context.parallelize([(1, 1), (2, 1), (3, 1)]), vec![(4, 1)]);
    assert_eq!(first.count().unwrap(), 4);
    // Two versions of the same one: the second finds the index with the first.
    let left = step(&first, vec![(1, -3), (5, 5)]);
    assert_eq!(left.collect_as_map().unwrap(), [(2, 1), (3, 1), (4, 1), (5, 5)].into());
    let right = step(&first, vec![(3, -3), (6, 6)]);
    assert_eq!(right.collect_as_map().unwrap(), [(1, 1), (2, 1), (4, 1), (6, 6)].into());
    let left = step(&left, vec![(2, 1)]);
    assert_eq!(left.collect_as_map().unwrap(), [(2, 4), (3, 1), (4, 1), (5, 5)].into());
}

#[test]
fn a_step_that_fails_can_be_done_again() {
    let context = context(64 << 20);
    let index = KeyIndex::new();
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let first = context.parallelize([(1u16, 1), (2, 1)]).evolve_by_key(
        &[context.parallelize_in(vec![(3, 1)], 1)],
        &index,
        1,
        add,
    );
    let first = first.local_checkpoint();
    assert_eq!(first.count().unwrap(), 3);
    let still = Arc::clone(&fails);
    let second = first.evolve_by_key(
        &[context.parallelize_in(vec![(1, -3), (4, 1)], 1)],
        &index,
        1,
        move |key, sum, new| {
            if *key == 4 && still.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(TaskError::Other("not now".into()));
            }
            add(key, sum, new)
        },
    );
    assert!(second.collect().unwrap_err().to_string().contains("not now"));
    fails.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(second.collect_as_map().unwrap(), [(2, 1), (3, 1), (4, 1)].into());
}
