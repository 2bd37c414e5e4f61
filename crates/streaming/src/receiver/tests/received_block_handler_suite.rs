// SPDX-License-Identifier: Apache-2.0
//! How blocks are stored with a log and without one; after the original's `ReceivedBlockHandlerSuite`.

use std::collections::BTreeMap;

use dstreams_rdd::StorageLevel;
use tempfile::tempdir;

use super::{NotStored, Run, at, rolling_each_second, segments};
use crate::receiver::{BlockId, blocks::Incoming};

/// '0' to '99' in ten blocks.
fn hundred() -> Vec<Vec<String>> {
    (0..10).map(|block| (block * 10..block * 10 + 10).map(|text| text.to_string()).collect()).collect()
}

#[test]
fn store_blocks() {
    let dir = tempdir().unwrap();
    for run in [Run::new(), Run::logged(dir.path())] {
        for (number, records) in hundred().into_iter().enumerate() {
            let id = BlockId { stream: super::STREAM, time: at(7), number: number as u64 };
            assert_eq!(run.store_as(id, 7, records).unwrap().id, id);
        }
        let plan = run.plan(1_000);
        assert_eq!(run.read(&plan), hundred().concat());
        assert!(plan.1.blocks.iter().all(|block| block.logged.is_some() == run.blocks.is_logged()));
        // What was in memory is gone; the log has the same.
        run.blocks.forget(at(1_000));
        let again = run.try_read(&plan.1).unwrap();
        assert_eq!(again, if run.blocks.is_logged() { hundred().concat() } else { Vec::new() });
    }
}

#[test]
fn errors_in_storing() {
    // Larger than all the memory there is: only a log, or a disk, takes it.
    let records = vec!["x".repeat(1_000); 50];
    let run = Run::with(10_000, StorageLevel::MEMORY_ONLY);
    assert!(matches!(run.try_store(1, records.clone()), Err(NotStored::Kept(_))));
    assert!(!run.blocks.has_waiting());

    let dir = tempdir().unwrap();
    let run = Run::with(10_000, StorageLevel::MEMORY_ONLY);
    run.blocks.attach(dir.path(), Some(rolling_each_second())).unwrap();
    run.try_store(1, records.clone()).unwrap();
    assert_eq!(run.read(&run.plan(1)), records);
    assert_eq!(run.rdd.memory().used(), 0, "there is no room for a copy");
}

#[test]
fn clean_old_blocks() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    for (block, records) in hundred().into_iter().enumerate() {
        let time = i64::try_from(block).unwrap() * 500;
        run.try_store(time, records).unwrap();
        run.plan(time);
    }
    let before = segments(dir.path()).len();
    run.blocks.clean(at(3_000));
    let left = segments(dir.path()).len();
    assert!(0 < left && left < before, "{left} of {before}");
}

#[test]
fn test_block_count_messages() {
    let dir = tempdir().unwrap();
    let levels = [
        StorageLevel::MEMORY_ONLY,
        StorageLevel::MEMORY_ONLY_SER,
        StorageLevel::DISK_ONLY,
        StorageLevel::MEMORY_AND_DISK,
        StorageLevel::MEMORY_AND_DISK_SER,
    ];
    for (number, level) in levels.into_iter().enumerate() {
        let run = Run::with(1 << 20, level);
        run.blocks.attach(dir.path().join(number.to_string()), Some(rolling_each_second())).unwrap();
        let records: Vec<String> = (0..25 * number).map(|text| text.to_string()).collect();
        assert_eq!(run.try_store(1, records.clone()).unwrap().records, 25 * number as u64, "{level}");
        assert_eq!(run.read(&run.plan(1)), records, "{level}");
    }
}

#[test]
fn test_block_is_fully_consumed() {
    let records = vec!["x".repeat(1_000); 70];
    let dir = tempdir().unwrap();
    let run = Run::with(12_000, StorageLevel::MEMORY_ONLY);
    run.blocks.attach(dir.path(), Some(rolling_each_second())).unwrap();
    assert_eq!(run.try_store(1, records.clone()).unwrap().records, 70);

    let run = Run::with(12_000, StorageLevel::MEMORY_AND_DISK);
    assert_eq!(run.try_store(1, records.clone()).unwrap().records, 70);

    let run = Run::with(12_000, StorageLevel::MEMORY_ONLY);
    assert!(run.try_store(1, records).unwrap_err().to_string().contains("Could not store"));
}

#[test]
fn copies_in_memory_give_way_to_others_and_are_read_from_the_log() {
    // INVARIANT 5
    let dir = tempdir().unwrap();
    let budget = 20_000;
    let run = Run::with(budget, StorageLevel::MEMORY_AND_DISK);
    run.blocks.attach(dir.path(), Some(rolling_each_second())).unwrap();
    let records: Vec<String> = (0..30).map(|block| format!("{block:04}").repeat(500)).collect();
    for record in &records {
        run.try_store(1, vec![record.clone()]).unwrap();
        assert!(run.rdd.memory().used() <= budget);
    }
    assert!(run.rdd.memory().used() > 0);
    assert_eq!(run.read(&run.plan(1)), records);
}

#[test]
fn a_block_that_could_not_be_stored_comes_back_whole() {
    let run = Run::with(1_000, StorageLevel::MEMORY_ONLY);
    let records = vec!["x".repeat(5_000)];
    let metadata = BTreeMap::from([("offset".to_owned(), "7".to_owned())]);
    let id = run.blocks.next_whole(at(1), 1);
    let mut block = Incoming::new(id, records.clone(), &metadata);
    run.blocks.store(&mut block, at(1)).unwrap_err();
    assert_eq!((block.id, block.records, block.metadata), (id, records, metadata));
}
