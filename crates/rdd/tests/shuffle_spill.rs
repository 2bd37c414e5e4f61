// SPDX-License-Identifier: Apache-2.0
//! Shuffles under a small memory budget: the same results as in memory, files only while they are needed, lost and
//! failing files.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_rdd::{
    Error, PairOptions, Rdd, RddContext, RddOptions, TaskError,
    event::{EngineEvent, EngineListener},
};
use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

/// A context with so many bytes of memory and a directory of its own.
fn context(memory_budget: usize, dir: &Path) -> (RddContext, Arc<Spills>) {
    let options =
        RddOptions { threads: 2, memory_budget, local_dir: Some(dir.to_owned()), ..RddOptions::default() };
    let sc = RddContext::new(options).unwrap();
    let spills = Arc::new(Spills::default());
    sc.events().add(Arc::clone(&spills) as _);
    (sc, spills)
}

/// Counts the spills of both sides.
#[derive(Default)]
struct Spills {
    map_side: AtomicUsize,
    reduce_side: AtomicUsize,
}

impl EngineListener for Spills {
    fn on_event(&self, event: &EngineEvent) {
        if let EngineEvent::Spilled { what, bytes } = event {
            assert!(*bytes > 0);
            let side = if what.starts_with("shuffle ") { &self.map_side } else { &self.reduce_side };
            side.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Spills {
    fn of_both_sides(&self) -> (usize, usize) {
        (self.map_side.load(Ordering::Relaxed), self.reduce_side.load(Ordering::Relaxed))
    }
}

/// The spill files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("shuffle-")) {
            found.push(path);
        }
    }
    found
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

type Pairs = Vec<(String, u32)>;

/// Every keyed operation, as text that can be compared.
fn everything(
    sc: &RddContext,
    left: &Pairs,
    right: &Pairs,
    partitions: usize,
    reducers: usize,
) -> Vec<String> {
    let (a, b) = (sc.parallelize_in(left.clone(), partitions), sc.parallelize_in(right.clone(), 2));
    let show = |records: Vec<String>| sorted(records).join("\n");
    let of = |rdd: Rdd<String>| show(rdd.collect().unwrap());
    let collected = PairOptions { map_side_combine: true, ..reducers.into() };
    vec![
        of(a.reduce_by_key_with(u32::wrapping_add, reducers).map(|r| format!("{r:?}"))),
        // Without sorting the values: their order is kept through every spill.
        of(a.group_by_key_with(reducers).map(|r| format!("{r:?}"))),
        of(a.combine_by_key_with(
            |x| vec![x],
            |mut list, x| {
                list.push(x);
                list
            },
            |mut list, more| {
                list.extend(more);
                list
            },
            collected,
        )
        .map(|r| format!("{r:?}"))),
        of(a.cogroup_with(&b, reducers).map(|r| format!("{r:?}"))),
        of(a.join_with(&b, reducers).map(|r| format!("{r:?}"))),
        of(a.full_outer_join_with(&b, reducers).map(|r| format!("{r:?}"))),
        of(a.subtract_by_key_with(&b, reducers).map(|r| format!("{r:?}"))),
        of(a.distinct_with(reducers).map(|r| format!("{r:?}"))),
        of(a.repartition(reducers).map(|r| format!("{r:?}"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_small_budget_changes_no_result(
        keys in prop_oneof![Just(3u32), Just(400), Just(100_000)],
        left in vec(any::<u32>(), 0..5000),
        right in vec(any::<u32>(), 0..40),
        partitions in 1usize..4,
        reducers in 1usize..4,
        budget in prop_oneof![Just(0usize), Just(4 << 10), Just(100 << 10)],
    ) {
        let pairs = |values: Vec<u32>| -> Pairs {
            values.into_iter().map(|v| (format!("key {}", v % keys), v)).collect()
        };
        let (left, right) = (pairs(left), pairs(right));
        let dir = TempDir::new().unwrap();
        let (roomy, none) = context(1 << 30, dir.path());
        let expected = everything(&roomy, &left, &right, partitions, reducers);
        prop_assert_eq!(none.of_both_sides(), (0, 0));
        let (tight, _) = context(budget, dir.path());
        let found = everything(&tight, &left, &right, partitions, reducers);
        for (found, expected) in found.into_iter().zip(expected) {
            prop_assert!(found == expected, "the results differ");
        }
        prop_assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
        prop_assert_eq!(tight.disk().bytes_on_disk(), 0);
        prop_assert_eq!(tight.memory().used(), 0);
    }
}

// INVARIANT 5
#[test]
fn both_sides_spill_and_what_they_wrote_goes_with_the_dataset() {
    let dir = TempDir::new().unwrap();
    let (sc, spills) = context(64 << 10, dir.path());
    let groups = sc.parallelize_in((0..200_000u64).map(|n| (n % 50_000, n)), 3).group_by_key();
    let total = groups.map(|(_, values)| values.len()).reduce(|a, b| a + b).unwrap();
    assert_eq!(total, 200_000);
    let (map_side, reduce_side) = spills.of_both_sides();
    assert!(map_side > 3 && reduce_side > 3, "{map_side} and {reduce_side} spills");
    // The groups' files are gone with their tasks; one file per map partition stays for a second action.
    assert_eq!(files(dir.path()).len(), 3);
    assert!(sc.memory().used() <= 64 << 10);
    assert_eq!(groups.count().unwrap(), 50_000);
    drop(groups);
    assert_eq!(files(dir.path()).len(), 0);
    assert_eq!(sc.memory().used(), 0);
}

#[test]
fn outputs_in_memory_are_charged_while_they_live() {
    let dir = TempDir::new().unwrap();
    let (sc, _) = context(1 << 20, dir.path());
    let sums = sc.parallelize((0..1000u64).map(|n| (n, n))).reduce_by_key(|a, b| a + b);
    assert_eq!(sums.count().unwrap(), 1000);
    assert!(sc.memory().used() >= 16_000, "{}", sc.memory().used());
    drop(sums);
    assert_eq!(sc.memory().used(), 0);
}

#[test]
fn one_group_larger_than_the_budget_is_still_one_group() {
    let dir = TempDir::new().unwrap();
    let (sc, _) = context(8 << 10, dir.path());
    let groups = sc.parallelize_in((0..20_000u32).map(|n| (0u8, n)), 2).group_by_key_with(2);
    assert_eq!(groups.collect().unwrap(), [(0, (0..20_000).collect::<Vec<_>>())]);
}

#[test]
fn a_lost_spill_file_is_made_again() {
    let dir = TempDir::new().unwrap();
    let (sc, _) = context(0, dir.path());
    let computed = sc.accumulator("computed", 0, |a, b| *a += b);
    let counter = computed.clone();
    let sums = sc
        .parallelize_in(0..40_000u32, 4)
        .map(move |n| {
            counter.add(1);
            (n % 100, 1)
        })
        .reduce_by_key(|a, b| a + b);
    let expected: BTreeMap<u32, i32> = (0..100).map(|k| (k, 400)).collect();
    assert_eq!(sums.collect().unwrap().into_iter().collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(computed.value(), 40_000);
    let files = sorted(files(dir.path()));
    assert_eq!(files.len(), 4);
    fs::remove_file(&files[1]).unwrap();
    // A damaged file is as good as lost.
    let mut bytes = fs::read(&files[3]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[3], bytes).unwrap();
    assert_eq!(sums.collect().unwrap().into_iter().collect::<BTreeMap<_, _>>(), expected);
    // Two of the four map partitions were computed again.
    assert_eq!(computed.value(), 60_000);
}

#[test]
fn a_directory_that_cannot_be_written_fails_the_task_with_advice() {
    let dir = TempDir::new().unwrap();
    let not_a_directory = dir.path().join("file");
    fs::write(&not_a_directory, "").unwrap();
    let (sc, _) = context(0, &not_a_directory.join("spill"));
    let sums = sc.parallelize((0..9000u32).map(|n| (n, n))).reduce_by_key(|a, b| a + b);
    let Err(Error::Task(failure)) = sums.collect() else { panic!("there is nowhere to spill to") };
    assert!(matches!(*failure.cause, TaskError::Other(_)), "{failure:?}");
    assert!(failure.to_string().contains("spark.local.dir"), "{failure}");
    assert!(failure.operator.starts_with("reduce_by_key"), "{failure}");
}
