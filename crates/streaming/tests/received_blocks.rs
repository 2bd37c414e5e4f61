// SPDX-License-Identifier: Apache-2.0
//! Where received blocks are kept, after the original's `ReceivedBlockHandlerSuite`: memory that is charged, disk when it
//! is short, and a receiver that waits when both are full.
#![allow(clippy::unwrap_used, reason = "tests")]

mod probe;

use std::sync::{Arc, Mutex};

use dstreams_rdd::{RddContext, RddOptions};
use dstreams_streaming::{
    Config, DStream, Error, StorageLevel, StreamingContext,
    receiver::{ReceiverHandle, ReceiverOptions},
    testing::{Collected, TestContext},
    time::{Time, milliseconds, seconds},
};
use probe::{Heard, HeardSoFar, listen, probe};

struct Setup {
    test: TestContext,
    seen: Collected<u64>,
    heard: HeardSoFar,
    handle: ReceiverHandle<u64>,
}

/// A receiver whose blocks are kept at `level` in `budget` bytes of memory.
fn setup(level: StorageLevel, budget: usize, local_dir: Option<std::path::PathBuf>) -> Setup {
    let options = RddOptions { threads: 2, memory_budget: budget, local_dir, ..RddOptions::default() };
    let test = TestContext::on(RddContext::new(options).unwrap(), Config::default(), seconds(1)).unwrap();
    let heard = listen(test.context());
    let (receiver, calls) = probe();
    let options = ReceiverOptions::default().storage_level(level);
    let seen = test.collect(&test.context().receiver_stream_with(receiver, options));
    test.context().start().unwrap();
    let handle = calls.started();
    assert!(heard.next().is_started());
    Setup { test, seen, heard, handle }
}

fn memory_used(context: &StreamingContext) -> usize {
    context.rdd_context().memory().used()
}

#[test]
fn count_messages() {
    for level in [
        StorageLevel::MEMORY_ONLY,
        StorageLevel::MEMORY_ONLY_SER,
        StorageLevel::DISK_ONLY,
        StorageLevel::MEMORY_AND_DISK,
        StorageLevel::MEMORY_AND_DISK_SER,
    ] {
        let Setup { test, seen, handle, .. } = setup(level, 1 << 20, None);
        let array = handle.store_block((0..75).collect()).unwrap();
        let iterator = handle.store_iter((75..225).map(Ok::<u64, Error>)).unwrap();
        assert_eq!((array.records, iterator.records), (75, 150), "{level}");
        assert_eq!(memory_used(test.context()) > 0, level.uses_memory(), "{level}");
        test.run(1).unwrap();
        assert_eq!(seen.batches(), [(0..225).collect::<Vec<_>>()], "{level}");
    }
}

#[test]
fn blocks_are_charged_to_the_memory_and_freed_when_their_batch_is_forgotten() {
    let Setup { test, handle, .. } = setup(StorageLevel::MEMORY_AND_DISK, 1 << 20, None);
    let info = handle.store_block((0..1000).collect()).unwrap();
    assert!(info.bytes >= 8000);
    assert_eq!(memory_used(test.context()) as u64, info.bytes);
    test.run_until(|| memory_used(test.context()) == 0).unwrap();
}

#[test]
fn blocks_beyond_the_memory_go_to_disk() {
    // INVARIANT 5
    let budget = 10_000;
    let Setup { test, seen, heard, handle } = setup(StorageLevel::MEMORY_AND_DISK, budget, None);
    for block in 0..10 {
        handle.store_block((block * 500..(block + 1) * 500).collect()).unwrap();
        assert!(memory_used(test.context()) <= budget);
    }
    // One block that is larger than all the memory.
    handle.store_block((5000..10_000).collect()).unwrap();
    assert!(test.context().rdd_context().disk().bytes_on_disk() > 0);
    test.run(1).unwrap();
    assert_eq!(seen.batches(), [(0..10_000).collect::<Vec<_>>()]);
    assert_eq!(heard.rest(), []);
}

#[test]
fn a_block_that_can_never_be_stored_is_an_error() {
    let Setup { test: _test, handle, .. } = setup(StorageLevel::MEMORY_ONLY, 1000, None);
    let error = handle.store_block((0..1000).collect()).unwrap_err();
    assert!(error.to_string().contains("Could not store input-0-0.1"), "{error}");
    handle.store_block(vec![1]).unwrap();
}

#[test]
fn without_room_the_receiver_waits_until_there_is_some() {
    let Setup { test, seen, heard, handle } = setup(StorageLevel::MEMORY_ONLY, 10_000, None);
    handle.store_block((0..1000).collect()).unwrap();
    std::thread::scope(|threads| {
        let storing = threads.spawn(|| handle.store_block((1000..2000).collect()));
        let Heard::Paused(paused) = heard.next() else { panic!("nobody was told") };
        assert!(paused.last_error_message.contains("paused"), "{paused:?}");
        test.clock().await_waiter_for(Time::from_millis(100));
        assert!(!storing.is_finished());
        // The first batch is forgotten in time; the clock goes on, and so does the receiver.
        test.run_until(|| seen.batches().concat().len() == 2000).unwrap();
        assert_eq!(storing.join().unwrap().unwrap().records, 1000);
        assert!(matches!(heard.next(), Heard::Resumed(_)));
    });
    assert_eq!(seen.batches().concat(), (0..2000).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_pauses_the_receiver_too() {
    let place = tempfile::tempdir().unwrap();
    // A file where the directory should be: nothing can be written there.
    let not_yet = place.path().join("spill");
    std::fs::write(&not_yet, "in the way").unwrap();
    let Setup { test, seen, heard, handle } = setup(StorageLevel::DISK_ONLY, 1000, Some(not_yet.clone()));
    std::thread::scope(|threads| {
        let storing = threads.spawn(|| handle.store_block((0..1000).collect()));
        assert!(matches!(heard.next(), Heard::Paused(_)));
        test.clock().await_waiter_for(Time::from_millis(100));
        std::fs::remove_file(&not_yet).unwrap();
        test.clock().advance(milliseconds(100));
        assert_eq!(storing.join().unwrap().unwrap().records, 1000);
    });
    // To the end of the first batch, and through the second.
    test.clock().advance(milliseconds(900));
    test.run(1).unwrap();
    assert_eq!(seen.batches().concat(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_stop_does_not_wait_for_room() {
    let Setup { test, heard, handle, .. } = setup(StorageLevel::MEMORY_ONLY, 10_000, None);
    handle.store_block((0..1000).collect()).unwrap();
    std::thread::scope(|threads| {
        let storing = threads.spawn(|| handle.store_block((1000..2000).collect()));
        assert!(matches!(heard.next(), Heard::Paused(_)));
        test.context().stop().unwrap();
        assert!(storing.join().unwrap().is_err());
    });
}

#[test]
fn a_level_that_keeps_nothing_is_an_error_at_the_start() {
    let test = TestContext::new().unwrap();
    let options = ReceiverOptions::default().storage_level(StorageLevel::NONE);
    let _seen = test.collect(&test.context().receiver_stream_with(probe::<u8>().0, options));
    assert!(matches!(test.context().start(), Err(Error::IllegalArgument(_))));
}

#[test]
fn a_batch_has_what_came_before_it_though_the_block_interval_is_longer() {
    let mut config = Config::default();
    config.set("spark.streaming.blockInterval", "10s").unwrap();
    let test = TestContext::with(config, seconds(1)).unwrap();
    let (receiver, calls) = probe();
    let seen = test.collect(&test.context().receiver_stream(receiver));
    test.context().start().unwrap();
    let handle = calls.started();
    for record in [1, 2] {
        handle.store(record).unwrap();
    }
    test.run(1).unwrap();
    handle.store(3).unwrap();
    test.run(2).unwrap();
    assert_eq!(seen.batches(), [vec![1, 2], vec![3], vec![]]);
}

/// The memory of blocks while the batch after theirs is processed, and how many datasets a slice finds of it then.
fn left_in_the_next_batch(prepare: impl FnOnce(&TestContext, &DStream<u64>)) -> (usize, usize) {
    let test = TestContext::new().unwrap();
    let (receiver, calls) = probe();
    let stream = test.context().receiver_stream(receiver);
    prepare(&test, &stream);
    let left = Arc::new(Mutex::new((0, 0)));
    let (seen, sliced) = (Arc::clone(&left), stream.clone());
    stream.for_each_rdd(move |rdd, time| {
        let before = time - seconds(1);
        *seen.lock().unwrap() =
            (rdd.context().memory().used(), sliced.slice(before, before).map_or(0, |found| found.len()));
        Ok(())
    });
    test.context().start().unwrap();
    calls.started().store_block((0..1000).collect()).unwrap();
    test.run(2).unwrap();
    *left.lock().unwrap()
}

#[test]
fn the_blocks_of_a_batch_are_freed_with_it_where_nobody_can_ask_for_them() {
    assert_eq!(left_in_the_next_batch(|_, _| {}), (0, 0));
    let words = left_in_the_next_batch(|test, stream| {
        test.collect(&stream.map(|n| (n % 7, 1)).reduce_by_key(|a, b| a + b));
    });
    assert_eq!(words, (0, 0));
}

#[test]
fn the_blocks_of_a_batch_stay_where_later_ones_are_made_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let kept = [
        left_in_the_next_batch(|test, _| test.context().remember(seconds(1)).unwrap()),
        left_in_the_next_batch(|test, stream| {
            test.collect(&stream.window(seconds(2)));
        }),
        left_in_the_next_batch(|test, stream| {
            test.collect(&stream.reduce_by_window(|a, b| a + b, seconds(2), seconds(1)));
        }),
        left_in_the_next_batch(|test, _| test.context().checkpoint(dir.path().to_string_lossy())),
    ];
    for (bytes, found) in kept {
        assert!(bytes >= 8000 && found == 1, "{kept:?}");
    }
}
