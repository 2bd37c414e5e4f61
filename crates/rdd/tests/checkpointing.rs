// SPDX-License-Identifier: Apache-2.0
//! Checkpoints: when they are written, what is forgotten then, and what happens when writing or reading fails.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorder;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_rdd::{Error, Rdd, RddContext, RddOptions, StorageLevel, event::EngineEvent};
use recorder::Recorder;
use tempfile::TempDir;

fn context() -> (RddContext, TempDir) {
    let sc = RddContext::local(2).unwrap();
    let dir = tempfile::tempdir().unwrap();
    sc.set_checkpoint_dir(dir.path()).unwrap();
    (sc, dir)
}

/// The numbers below `n`, and how many of them have been computed so far.
fn numbers(sc: &RddContext, n: u32, partitions: usize) -> (Rdd<u32>, Arc<AtomicUsize>) {
    let computed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&computed);
    let numbers = sc.parallelize_in(0..n, partitions).map(move |n| {
        counter.fetch_add(1, Ordering::SeqCst);
        n
    });
    (numbers, computed)
}

/// All files below a directory, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn a_directory_is_needed() {
    let sc = RddContext::local(1).unwrap();
    let error = sc.parallelize([1]).checkpoint().unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)));
    assert_eq!(error.to_string(), "Checkpoint directory has not been set in the RddContext");
}

#[test]
fn the_next_action_writes_the_files_and_forgets_the_lineage() {
    let (sc, dir) = context();
    let (numbers, computed) = numbers(&sc, 5000, 3);
    numbers.checkpoint().unwrap();
    assert!(!numbers.is_checkpointed() && files(dir.path()).is_empty(), "it is only marked");
    let expected: Vec<u32> = (0..5000).collect();
    assert_eq!(numbers.collect().unwrap(), expected);
    assert_eq!(computed.load(Ordering::SeqCst), 10_000, "once for the action, once for the files");

    assert!(numbers.is_checkpointed());
    assert!(numbers.lineage().dependencies().is_empty());
    let written = files(dir.path());
    let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["part-00000", "part-00001", "part-00002"]);
    assert!(written[0].parent().unwrap().ends_with(format!("rdd-{}", numbers.id().0)));

    assert_eq!(numbers.collect().unwrap(), expected);
    numbers.checkpoint().unwrap();
    assert_eq!(numbers.map(|n| n + 1).count().unwrap(), 5000);
    assert_eq!(computed.load(Ordering::SeqCst), 10_000, "the files are read");
    assert_eq!(files(dir.path()), written);
}

#[test]
fn a_persisted_dataset_is_computed_once() {
    let (sc, _dir) = context();
    let (numbers, computed) = numbers(&sc, 100, 2);
    numbers.persist(StorageLevel::MEMORY_ONLY).checkpoint().unwrap();
    numbers.count().unwrap();
    assert!(numbers.is_checkpointed());
    assert_eq!(computed.load(Ordering::SeqCst), 100);
    assert_eq!(numbers.unpersist().count().unwrap(), 100);
    assert_eq!(computed.load(Ordering::SeqCst), 100);
}

#[test]
fn every_marked_ancestor_is_written_ancestors_first() {
    let (sc, _dir) = context();
    let events = Recorder::on(&sc);
    let (numbers, computed) = numbers(&sc, 100, 2);
    let sums = numbers.map(|n| (n % 3, 1)).reduce_by_key(|a, b| a + b);
    let last = sums.map(|(_, n)| n);
    sums.checkpoint().unwrap();
    numbers.checkpoint().unwrap();
    assert_eq!(last.collect().unwrap().iter().sum::<i32>(), 100);
    assert!(numbers.is_checkpointed() && sums.is_checkpointed() && !last.is_checkpointed());
    assert_eq!(computed.load(Ordering::SeqCst), 200);
    let jobs = events.pick(|event| match event {
        EngineEvent::JobStarted { rdd, .. } => Some(*rdd),
        _ => None,
    });
    assert_eq!(jobs, [last.id(), numbers.id(), sums.id()]);
}

#[test]
fn what_was_captured_by_the_ancestors_is_freed() {
    let (sc, _dir) = context();
    let captured = Arc::new(7);
    let shared = Arc::clone(&captured);
    let sum = sc.parallelize_in(0..10, 2).map(move |n| n + *shared).map(|n| n * 2);
    sum.checkpoint().unwrap();
    assert_eq!(Arc::strong_count(&captured), 2);
    sum.count().unwrap();
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!(sum.first().unwrap(), 14);
}

#[test]
fn a_failed_action_writes_nothing() {
    let (sc, dir) = context();
    let failures = AtomicUsize::new(0);
    let flaky = sc.parallelize_in(0..10, 2).try_map(move |n| {
        if failures.fetch_add(1, Ordering::SeqCst) == 0 { Err("the first time") } else { Ok(n) }
    });
    flaky.checkpoint().unwrap();
    assert!(flaky.count().is_err());
    assert!(!flaky.is_checkpointed() && files(dir.path()).is_empty());
    assert_eq!(flaky.count().unwrap(), 10);
    assert!(flaky.is_checkpointed());
}

#[test]
fn a_checkpoint_that_cannot_be_written_fails_the_action_and_is_tried_again() {
    let (sc, dir) = context();
    let root = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir(&root).unwrap();
    fs::write(&root, "in the way").unwrap();
    let (numbers, _) = numbers(&sc, 10, 2);
    numbers.checkpoint().unwrap();
    assert!(matches!(numbers.count(), Err(Error::Io { action: "create", .. })));
    assert!(!numbers.is_checkpointed());
    fs::remove_file(&root).unwrap();
    assert_eq!(numbers.count().unwrap(), 10);
    assert!(numbers.is_checkpointed());
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let (sc, dir) = context();
    let (numbers, _) = numbers(&sc, 10, 2);
    numbers.checkpoint().unwrap();
    numbers.count().unwrap();
    let file = files(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[30] ^= 1;
    fs::write(&file, bytes).unwrap();
    let text = numbers.count().unwrap_err().to_string();
    assert!(text.contains(&format!("cannot read checkpoint {}", file.display())), "{text}");
}

#[test]
fn a_dataset_that_is_gone_is_not_written() {
    let (sc, dir) = context();
    let (numbers, _) = numbers(&sc, 10, 2);
    numbers.checkpoint().unwrap();
    drop(numbers);
    assert_eq!(sc.parallelize([1]).count().unwrap(), 1);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_local_checkpoint_lives_on_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let local_dir = Some(dir.path().to_owned());
    let options = RddOptions { threads: 2, memory_budget: 10_000, local_dir, ..RddOptions::default() };
    let sc = RddContext::new(options).unwrap();
    let (numbers, computed) = numbers(&sc, 2000, 2);
    assert_eq!(numbers.cache().local_checkpoint().storage_level(), StorageLevel::MEMORY_AND_DISK);
    // Only one partition is computed by the action; the other follows.
    assert_eq!(numbers.first().unwrap(), 0);
    assert!(numbers.is_checkpointed() && numbers.lineage().dependencies().is_empty());
    assert_eq!(computed.load(Ordering::SeqCst), 2000);

    assert_eq!(numbers.unpersist().storage_level(), StorageLevel::MEMORY_AND_DISK, "it is all there is");
    let other = sc.parallelize_in(0..2000_u32, 1).cache();
    other.count().unwrap();
    assert!(sc.disk().bytes_on_disk() > 0, "it gave way to the other");
    assert_eq!(numbers.collect().unwrap(), (0..2000).collect::<Vec<_>>());
    assert_eq!(computed.load(Ordering::SeqCst), 2000);
}
