// SPDX-License-Identifier: Apache-2.0
//! Kept partitions: computed once at every storage level, evicted, spilled, damaged, and gone at the end.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorder;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use dstreams_rdd::{Rdd, RddContext, RddOptions, StorageLevel, event::EngineEvent};
use recorder::Recorder;
use tempfile::TempDir;

const LEVELS: [StorageLevel; 5] = [
    StorageLevel::DISK_ONLY,
    StorageLevel::MEMORY_ONLY,
    StorageLevel::MEMORY_ONLY_SER,
    StorageLevel::MEMORY_AND_DISK,
    StorageLevel::MEMORY_AND_DISK_SER,
];

/// A context with two threads, so many bytes of memory, and a directory of its own.
fn context(memory_budget: usize) -> (RddContext, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let local_dir = Some(dir.path().to_owned());
    let options = RddOptions { threads: 2, memory_budget, local_dir, ..RddOptions::default() };
    (RddContext::new(options).unwrap(), dir)
}

/// The numbers below `n`, as text, and how many of them have been computed so far.
fn texts(sc: &RddContext, n: u32, partitions: usize) -> (Rdd<String>, Arc<AtomicUsize>) {
    let computed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&computed);
    let texts = sc.parallelize_in(0..n, partitions).map(move |n| {
        counter.fetch_add(1, Ordering::SeqCst);
        n.to_string()
    });
    (texts, computed)
}

fn expected(n: u32) -> Vec<String> {
    (0..n).map(|n| n.to_string()).collect()
}

/// The files of blocks below a directory.
fn block_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(block_files(&path));
        } else if path.file_name().unwrap().to_str().unwrap().starts_with("block-") {
            found.push(path);
        }
    }
    found
}

fn evictions(events: &Recorder) -> Vec<(u64, usize, bool)> {
    events.pick(|event| match event {
        EngineEvent::BlockEvicted { rdd, partition, to_disk, bytes } => {
            assert!(*bytes > 0);
            Some((rdd.0, *partition, *to_disk))
        }
        _ => None,
    })
}

#[test]
fn every_level_computes_once_until_it_is_unpersisted() {
    for compress in [false, true] {
        for level in LEVELS {
            let dir = tempfile::tempdir().unwrap();
            let local_dir = Some(dir.path().to_owned());
            let sc = RddContext::new(RddOptions { threads: 2, compress, local_dir, ..RddOptions::default() })
                .unwrap();
            let (texts, computed) = texts(&sc, 5000, 3);
            assert_eq!(texts.persist(level).storage_level(), level);
            assert_eq!(computed.load(Ordering::SeqCst), 0, "{level} is lazy");
            for _ in 0..3 {
                assert_eq!(texts.collect().unwrap(), expected(5000), "{level}");
            }
            assert_eq!(texts.filter(|text| text.ends_with('7')).count().unwrap(), 500);
            assert_eq!(computed.load(Ordering::SeqCst), 5000, "{level}");
            assert_eq!(sc.memory().used() > 0, level.uses_memory(), "{level}");
            assert_eq!(sc.disk().bytes_on_disk() > 0, !level.uses_memory(), "{level}");

            assert_eq!(texts.unpersist().storage_level(), StorageLevel::NONE);
            assert_eq!((sc.memory().used(), sc.disk().bytes_on_disk()), (0, 0), "{level}");
            assert!(block_files(dir.path()).is_empty());
            assert_eq!(texts.count().unwrap(), 5000);
            assert_eq!(computed.load(Ordering::SeqCst), 10_000, "{level}");
        }
    }
}

#[test]
fn a_second_level_is_ignored_until_the_first_is_given_up() {
    let (sc, _dir) = context(1 << 20);
    let (texts, computed) = texts(&sc, 10, 2);
    assert_eq!(texts.persist(StorageLevel::NONE).storage_level(), StorageLevel::NONE);
    texts.persist(StorageLevel::MEMORY_ONLY).count().unwrap();
    assert_eq!(texts.persist(StorageLevel::DISK_ONLY).storage_level(), StorageLevel::MEMORY_ONLY);
    assert_eq!(texts.cache().collect().unwrap(), expected(10));
    assert_eq!(computed.load(Ordering::SeqCst), 10);
    let level = texts.unpersist().persist(StorageLevel::DISK_ONLY).storage_level();
    assert_eq!(level, StorageLevel::DISK_ONLY);
}

#[test]
fn only_the_partitions_that_tasks_wanted_are_kept() {
    let (sc, _dir) = context(1 << 20);
    let (texts, computed) = texts(&sc, 30, 3);
    assert_eq!(texts.cache().first().unwrap(), "0");
    assert_eq!(computed.load(Ordering::SeqCst), 10);
    assert_eq!(texts.collect().unwrap(), expected(30));
    assert_eq!(computed.load(Ordering::SeqCst), 30);
}

#[test]
fn the_block_used_least_recently_is_dropped_and_computed_again() {
    let (sc, _dir) = context(30 << 10);
    let events = Recorder::on(&sc);
    let rdds: Vec<_> = (0..3).map(|_| texts(&sc, 300, 1)).collect();
    let collect = |i: usize| {
        let (texts, _) = &rdds[i];
        assert_eq!(texts.persist(StorageLevel::MEMORY_ONLY).collect().unwrap(), expected(300));
    };
    let computed =
        || rdds.iter().map(|(_, computed)| computed.load(Ordering::SeqCst) / 300).collect::<Vec<_>>();
    collect(0);
    collect(1);
    collect(0);
    assert!(evictions(&events).is_empty(), "two have room");
    collect(2);
    assert_eq!(evictions(&events), [(rdds[1].0.id().0, 0, false)]);
    assert_eq!(computed(), [1, 1, 1]);
    collect(1);
    assert_eq!(evictions(&events)[1], (rdds[0].0.id().0, 0, false));
    assert_eq!(computed(), [1, 2, 1]);
}

#[test]
fn a_block_with_a_place_on_disk_moves_there() {
    for level in [StorageLevel::MEMORY_AND_DISK, StorageLevel::MEMORY_AND_DISK_SER] {
        let (sc, dir) = context(if level.is_deserialized() { 20 << 10 } else { 2 << 10 });
        let events = Recorder::on(&sc);
        let (first, computed) = texts(&sc, 300, 1);
        let (second, _) = texts(&sc, 300, 1);
        assert_eq!(first.persist(level).collect().unwrap(), expected(300));
        assert_eq!(sc.disk().bytes_on_disk(), 0);
        second.persist(level).count().unwrap();
        assert_eq!(evictions(&events), [(first.id().0, 0, true)], "{level}");
        assert_eq!(block_files(dir.path()).len(), 1);
        assert_eq!(first.collect().unwrap(), expected(300), "{level}");
        assert_eq!(computed.load(Ordering::SeqCst), 300, "{level}");
        drop((first, second));
        assert_eq!((sc.memory().used(), sc.disk().bytes_on_disk()), (0, 0), "{level}");
        assert!(block_files(dir.path()).is_empty());
    }
}

/// What does not fit passes through, computed once for each action, or goes on in a file.
#[test]
fn a_partition_larger_than_memory() {
    for level in LEVELS {
        let (sc, _dir) = context(8 << 10);
        let (texts, computed) = texts(&sc, 20_000, 2);
        let texts = texts.persist(level);
        for _ in 0..2 {
            assert_eq!(texts.collect().unwrap(), expected(20_000), "{level}");
        }
        let times = computed.load(Ordering::SeqCst) / 20_000;
        assert_eq!(times, if level.uses_disk() { 1 } else { 2 }, "{level}");
        assert_eq!(sc.memory().used(), 0, "{level}");
        assert_eq!(sc.disk().bytes_on_disk() > 0, level.uses_disk(), "{level}");
    }
}

/// Replaces the byte at `position` of a file.
fn damage(file: &Path, position: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let position = position(bytes.len());
    bytes[position] ^= 0x55;
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_damaged_on_disk_is_computed_again() {
    // At the front, before a record was seen, within the task; at the end, by another attempt at the stage.
    let front = |_: usize| 40_usize;
    let end = |len: usize| len - 100;
    for position in [front as fn(usize) -> usize, end] {
        let (sc, dir) = context(1 << 20);
        let (texts, computed) = texts(&sc, 9000, 3);
        texts.persist(StorageLevel::DISK_ONLY).count().unwrap();
        let files = block_files(dir.path());
        assert_eq!(files.len(), 3);
        damage(&files[1], position);
        let seen = sc.accumulator("seen", 0, |a, b| *a += b);
        let adder = seen.clone();
        texts.for_each(move |_| adder.add(1)).unwrap();
        assert_eq!(seen.value(), 9000, "INVARIANT 3");
        assert_eq!(texts.collect().unwrap(), expected(9000));
        assert_eq!(computed.load(Ordering::SeqCst), 12_000, "one partition of three");
    }
}

#[test]
fn a_file_that_is_gone_is_computed_again() {
    let (sc, dir) = context(1 << 20);
    let (texts, computed) = texts(&sc, 300, 3);
    texts.persist(StorageLevel::DISK_ONLY).count().unwrap();
    fs::remove_file(&block_files(dir.path())[0]).unwrap();
    assert_eq!(texts.collect().unwrap(), expected(300));
    assert_eq!(computed.load(Ordering::SeqCst), 400);
}

#[test]
fn outputs_of_a_shuffle_go_once_its_reader_is_kept_for_good() {
    let used_after = |level| {
        let (sc, dir) = context(1 << 20);
        let (texts, computed) = texts(&sc, 900, 3);
        let pairs = texts.map(|text| (text, 1u64)).reduce_by_key_with(|a, b| a + b, 3);
        let kept = pairs.persist(level);
        assert_eq!(kept.count().unwrap(), 900);
        assert_eq!(kept.count().unwrap(), 900);
        assert_eq!(computed.load(Ordering::SeqCst), 900);
        if level == StorageLevel::DISK_ONLY {
            // What is lost is computed from the start.
            fs::remove_file(&block_files(dir.path())[0]).unwrap();
            assert_eq!(kept.count().unwrap(), 900);
            assert_eq!(computed.load(Ordering::SeqCst), 1800);
        }
        sc.memory().used()
    };
    let both = used_after(StorageLevel::MEMORY_ONLY);
    let blocks = used_after(StorageLevel::MEMORY_AND_DISK);
    assert!(blocks > 0 && blocks * 3 < both * 2, "{blocks} of {both}");
    assert_eq!(used_after(StorageLevel::DISK_ONLY), 0);
}

#[test]
fn jobs_at_the_same_time_compute_once() {
    for level in LEVELS {
        let (sc, _dir) = context(1 << 20);
        let (texts, computed) = texts(&sc, 8000, 4);
        let texts = texts.persist(level);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(texts.collect().unwrap(), expected(8000)));
            }
        });
        assert_eq!(computed.load(Ordering::SeqCst), 8000, "{level}");
    }
}

/// Two jobs read two kept datasets in opposite orders; neither may wait for the other for ever.
#[test]
fn datasets_wanted_in_opposite_orders() {
    for _ in 0..20 {
        let (sc, _dir) = context(1 << 20);
        let (a, b) = (texts(&sc, 3000, 2).0.cache(), texts(&sc, 3000, 2).0.cache());
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(a.zip(&b).count().unwrap(), 3000));
            scope.spawn(|| assert_eq!(b.zip(&a).count().unwrap(), 3000));
        });
    }
}

#[test]
fn a_task_that_fails_leaves_the_partition_to_the_next() {
    let (sc, _dir) = context(1 << 20);
    let failed = AtomicUsize::new(0);
    let flaky = sc.parallelize_in(0..10, 1).map(move |n| {
        assert!(n < 5 || failed.fetch_add(1, Ordering::SeqCst) > 0, "the first time");
        n
    });
    assert!(flaky.cache().count().is_err());
    assert_eq!(flaky.count().unwrap(), 10);
}

/// Records that know how many of them there are.
struct Tracked {
    alive: Arc<Alive>,
    _ballast: [u8; 240],
}

#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Tracked {
    fn new(alive: &Arc<Alive>) -> Self {
        let now = alive.now.fetch_add(1, Ordering::SeqCst) + 1;
        alive.most.fetch_max(now, Ordering::SeqCst);
        Self { alive: Arc::clone(alive), _ballast: [0; 240] }
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        Self::new(&self.alive)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// INVARIANT 5. Beside the budget, each of the two tasks has the chunk that it asks room for; when that is refused, the
/// records pass on through the buffer of the action, one chunk more.
#[test]
fn kept_records_stay_within_the_budget() {
    let budget = 10 * 1024 * size_of::<Tracked>();
    let (sc, _dir) = context(budget);
    let alive = Arc::new(Alive::default());
    let source = Arc::clone(&alive);
    let kept = sc.parallelize_in(0..60_000, 6).map(move |_| Tracked::new(&source)).cache();
    for _ in 0..2 {
        assert_eq!(kept.count().unwrap(), 60_000);
        assert!(sc.memory().used() <= budget);
    }
    let most = alive.most.load(Ordering::SeqCst);
    assert!(most > 8 * 1024, "the budget is used: {most}");
    assert!(most <= (10 + 2 * 2) * 1024, "{most}");
    drop(kept);
    assert_eq!((alive.now.load(Ordering::SeqCst), sc.memory().used()), (0, 0));
}
