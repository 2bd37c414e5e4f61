// SPDX-License-Identifier: Apache-2.0
//! Blocks that nothing can make again: where they are kept, what happens when there is no room, and their datasets.
#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_rdd::{Error, RddContext, RddOptions, StorageLevel, TaskError, block::kept::KeptBlock};
use tempfile::TempDir;

fn context(memory_budget: usize) -> (RddContext, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let local_dir = Some(dir.path().to_owned());
    let options = RddOptions { threads: 2, memory_budget, local_dir, ..RddOptions::default() };
    (RddContext::new(options).unwrap(), dir)
}

#[test]
fn a_block_is_read_any_number_of_times_and_freed_with_its_last_handle() {
    for level in ["MEMORY_ONLY", "MEMORY_ONLY_SER", "MEMORY_AND_DISK", "MEMORY_AND_DISK_SER_2", "DISK_ONLY"] {
        let (sc, _dir) = context(1 << 20);
        let records: Vec<u64> = (0..5000).collect();
        let block = KeptBlock::new(&sc, records.clone(), level.parse().unwrap()).unwrap();
        assert_eq!((block.len(), block.is_empty()), (5000, false));
        assert_eq!(block.bytes(), sc.memory().used() as u64 + sc.disk().bytes_on_disk(), "{level}");
        let twice = sc.from_blocks(vec![block.clone(), block.clone()]);
        drop(block);
        assert_eq!(twice.num_partitions(), 2);
        assert_eq!(twice.collect().unwrap(), [records.clone(), records.clone()].concat(), "{level}");
        assert_eq!(twice.filter(|n| n % 2 == 0).count().unwrap(), 5000, "{level}");
        drop(twice);
        assert_eq!((sc.memory().used(), sc.disk().bytes_on_disk()), (0, 0), "{level}");
    }
}

/// A record that nobody may clone.
#[derive(serde::Serialize, serde::Deserialize)]
struct Unique(u64);

impl Clone for Unique {
    fn clone(&self) -> Self {
        panic!("{} was cloned", self.0)
    }
}

#[test]
fn records_at_rest_are_counted_where_they_are() {
    let (sc, _dir) = context(1 << 20);
    let block = |records| KeptBlock::new(&sc, (0..records).map(Unique).collect(), StorageLevel::MEMORY_ONLY);
    let blocks = vec![block(5000).unwrap(), block(0).unwrap(), block(1).unwrap()];
    let counts = sc.from_blocks(blocks).map_partitions(|records| [records.count()]);
    assert_eq!(counts.collect().unwrap(), [5000, 0, 1]);
}

#[test]
fn what_is_left_of_a_partition_is_counted() {
    let (sc, _dir) = context(1 << 20);
    let block = KeptBlock::new(&sc, (0..5000_u64).collect(), StorageLevel::MEMORY_ONLY).unwrap();
    let left = |taken| {
        let left = sc.from_blocks(vec![block.clone()]).map_partitions(move |mut records| {
            let taken = records.by_ref().take(taken).count();
            [(taken, records.count())]
        });
        left.collect().unwrap()
    };
    for taken in [0, 1, 1024, 3000, 4999, 5000] {
        assert_eq!(left(taken), [(taken, 5000 - taken)]);
    }
    assert_eq!(left(6000), [(5000, 0)]);
}

#[test]
fn no_partition_that_fails_is_counted() {
    let (sc, _dir) = context(1 << 20);
    let failing = sc.parallelize_in(0..5000, 1).try_map(|n| if n < 3000 { Ok(n) } else { Err("too large") });
    let error = failing.map_partitions(|records| [records.count()]).collect().unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn no_blocks_make_no_partitions_and_empty_blocks_make_empty_ones() {
    let (sc, _dir) = context(1 << 20);
    assert_eq!(sc.from_blocks(Vec::<KeptBlock<u8>>::new()).num_partitions(), 0);
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER, StorageLevel::DISK_ONLY] {
        let block = KeptBlock::new(&sc, Vec::<u8>::new(), level).unwrap();
        assert!(block.is_empty());
        assert_eq!(sc.from_blocks(vec![block]).glom().collect().unwrap(), [[0; 0]], "{level}");
    }
}

#[test]
fn without_room_a_block_is_refused() {
    let (sc, _dir) = context(10_000);
    let first = KeptBlock::new(&sc, vec![0_u64; 1000], StorageLevel::MEMORY_ONLY).unwrap();
    let error = KeptBlock::new(&sc, vec![0_u64; 1000], StorageLevel::MEMORY_ONLY).unwrap_err();
    assert!(matches!(&error, Error::NotStored { level: StorageLevel::MEMORY_ONLY, .. }));
    let text = error.to_string();
    assert!(text.starts_with("Could not store block rdd_"), "{text}");
    assert!(text.contains("with storage level MEMORY_ONLY: it does not fit into the 10000 bytes"), "{text}");
    assert_eq!(sc.from_blocks(vec![first]).count().unwrap(), 1000, "nothing could make the first one again");
    KeptBlock::new(&sc, vec![0_u64; 1000], StorageLevel::MEMORY_ONLY).unwrap();
}

#[test]
fn without_memory_and_without_a_directory_the_error_says_what_to_set() {
    let not_a_directory = tempfile::NamedTempFile::new().unwrap();
    let local_dir = Some(not_a_directory.path().to_owned());
    let sc = RddContext::new(RddOptions { memory_budget: 100, local_dir, ..RddOptions::default() }).unwrap();
    let error = KeptBlock::new(&sc, vec![0_u64; 1000], StorageLevel::MEMORY_AND_DISK).unwrap_err();
    assert!(matches!(&error, Error::NotStored { .. }));
    assert!(error.to_string().contains("spark.local.dir"), "{error}");
}

#[test]
fn blocks_that_may_move_make_room_for_others() {
    let (sc, _dir) = context(10_000);
    let first = KeptBlock::new(&sc, vec![1_u64; 1000], StorageLevel::MEMORY_AND_DISK).unwrap();
    assert_eq!(sc.disk().bytes_on_disk(), 0);
    let second = KeptBlock::new(&sc, vec![2_u64; 1000], StorageLevel::MEMORY_ONLY).unwrap();
    assert_eq!(first.bytes(), sc.disk().bytes_on_disk());
    let third = KeptBlock::new(&sc, vec![3_u64; 1000], StorageLevel::MEMORY_AND_DISK).unwrap();
    let sums = sc.from_blocks(vec![first, second, third]).map_partitions(|records| [records.sum::<u64>()]);
    assert_eq!(sums.collect().unwrap(), [1000, 2000, 3000]);
}

#[test]
fn a_damaged_block_is_an_error_that_names_it() {
    let (sc, dir) = context(1 << 20);
    let block = KeptBlock::new(&sc, vec![1_u64; 1000], StorageLevel::DISK_ONLY).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("block-") {
                std::fs::write(path, "something else").unwrap();
            }
        }
    }
    let Error::Task(failure) = sc.from_blocks(vec![block]).count().unwrap_err() else { panic!("not a task") };
    assert!(matches!(&*failure.cause, TaskError::BlockLost { block, .. } if block.starts_with("block rdd_")));
}

#[test]
fn a_level_is_needed() {
    let (sc, _dir) = context(1 << 20);
    let error = KeptBlock::new(&sc, vec![1], StorageLevel::NONE).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)));
}
