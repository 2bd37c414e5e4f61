// SPDX-License-Identifier: Apache-2.0
//! The life of receivers and what becomes of their records, after the original's `ReceiverSuite`, `InputStreamsSuite`
//! and the receivers of `StreamingContextSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod probe;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::channel,
    },
    thread,
};

use dstreams_streaming::{
    BoxError, DStream, InputInfo, Rdd, RddContext, Source, StopOptions, StreamId, StreamingListener, Time,
    event::BatchInfo,
    receiver::{BlockId, Receiver, ReceiverHandle},
    testing::TestContext,
    time::milliseconds,
};
use parking_lot::Mutex;
use probe::probe;

fn ms(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn started<R: Receiver>(receiver: R) -> (TestContext, dstreams_streaming::testing::Collected<R::Record>) {
    let test = TestContext::new().unwrap();
    let seen = test.collect(&test.context().receiver_stream(receiver));
    test.context().start().unwrap();
    (test, seen)
}

#[test]
fn receiver_life_cycle() {
    let (receiver, calls) = probe();
    let (test, seen) = started(receiver);
    let handle = calls.started();
    assert!(handle.is_started() && !handle.is_stopped());
    assert_eq!(handle.stream_id(), StreamId(0));

    handle.store(1).unwrap();
    handle.store_many(&mut vec![2, 3]).unwrap();
    assert_eq!(handle.store_block(vec![4, 5]).unwrap().records, 2);
    assert_eq!(handle.store_iter((6..9).map(Ok::<i32, BoxError>)).unwrap().records, 3);
    handle.report_error("Error", "e");

    handle.restart_after("restarting", None, milliseconds(100));
    calls.stopped();
    assert!(handle.is_stopped() && !handle.is_started());
    test.clock().await_waiter_for(ms(100));
    test.clock().advance(milliseconds(99));
    assert!(calls.none(), "started before its time");
    test.clock().advance(milliseconds(1));
    let again = calls.started();
    assert!(again.is_started() && !again.is_stopped());
    assert!(handle.is_stopped(), "a handle is of the session that it was given to");

    test.stop();
    calls.stopped();
    assert!(again.is_stopped());
    let mut all = seen.batches().concat();
    all.sort_unstable();
    assert_eq!(all, (1..9).collect::<Vec<_>>());
    assert!(again.store(9).is_err() && again.store_block(vec![9]).is_err(), "stored for no batch");
}

#[test]
fn a_session_that_is_over_cannot_end_the_next() {
    let (receiver, calls) = probe::<u8>();
    let (test, _seen) = started(receiver);
    let first = calls.started();
    first.restart_after("once", None, milliseconds(0));
    calls.stopped();
    let second = calls.started();
    first.restart_after("late", None, milliseconds(0));
    second.restart_after("in time", None, milliseconds(0));
    calls.stopped();
    let third = calls.started();
    assert!(third.is_started() && calls.none());
    test.stop();
}

#[test]
fn a_receiver_that_stops_is_started_again() {
    let (receiver, calls) = probe::<u8>();
    let (test, _seen) = started(receiver);
    calls.started().stop("test", None);
    calls.stopped();
    test.clock().await_waiter_for(ms(2000));
    test.run(2).unwrap();
    assert!(calls.started().is_started());
}

/// Fails in one way or the other whenever it is started.
struct Failing {
    starts: Arc<AtomicU64>,
}

impl Receiver for Failing {
    type Record = u8;

    fn on_start(&mut self, handle: ReceiverHandle<u8>) -> Result<(), BoxError> {
        match self.starts.fetch_add(1, Ordering::SeqCst) % 4 {
            0 => Err("no".into()),
            1 => panic!("no, in on_start"),
            2 => handle.spawn("failing", |_| Err("no, in a thread".into())),
            _ => handle.spawn("failing", |_| panic!("no, in a thread")),
        }
    }
}

#[test]
fn a_receiver_that_fails_is_started_for_ever_with_growing_delays() {
    let starts = Arc::new(AtomicU64::new(0));
    let (test, _seen) = started(Failing { starts: Arc::clone(&starts) });
    let mut now = 0;
    for (failures, delay) in [2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        now += delay * 1000;
        test.clock().await_waiter_for(ms(now));
        assert_eq!(starts.load(Ordering::SeqCst), failures as u64 + 1);
        test.clock().set(ms(now));
    }
    test.clock().await_waiter_for(ms(now + 60_000));
    assert_eq!(starts.load(Ordering::SeqCst), 8);
}

#[test]
fn stored_data_resets_the_delay() {
    let (receiver, calls) = probe();
    let (test, _seen) = started(receiver);
    calls.started().restart("brought nothing", None);
    test.clock().await_waiter_for(ms(2000));
    test.clock().set(ms(2000));
    calls.stopped();
    calls.started().restart("brought nothing again", None);
    test.clock().await_waiter_for(ms(6000));
    test.clock().set(ms(6000));
    calls.stopped();
    let third = calls.started();
    third.store(1).unwrap();
    third.restart("brought something", None);
    calls.stopped();
    // The batch timer waits for 7 s, the block timer for 6.2 s.
    test.clock().await_waiter_for(ms(8000));
}

#[test]
fn multi_thread_receiver() {
    struct Threads;
    impl Receiver for Threads {
        type Record = u32;
        fn on_start(&mut self, handle: ReceiverHandle<u32>) -> Result<(), BoxError> {
            for thread in 0..10 {
                handle.spawn("storing", move |handle| {
                    Ok((0..1000).try_for_each(|n| handle.store(thread * 1000 + n))?)
                })?;
            }
            Ok(())
        }
    }
    let (test, seen) = started(Threads);
    test.run_until(|| seen.batches().concat().len() >= 10_000).unwrap();
    let mut all = seen.batches().concat();
    all.sort_unstable();
    // INVARIANT 9: nothing is in two batches, or in none.
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn input_streams_are_numbered_in_the_order_of_creation() {
    struct Number(u64);
    impl Receiver for Number {
        type Record = u64;
        fn on_start(&mut self, handle: ReceiverHandle<u64>) -> Result<(), BoxError> {
            assert_eq!(handle.stream_id(), StreamId(usize::try_from(self.0)?));
            handle.store_block(vec![self.0])?;
            Ok(())
        }
    }
    let test = TestContext::new().unwrap();
    let streams: Vec<DStream<u64>> = vec![
        test.context().receiver_stream(Number(0)),
        test.context().receiver_stream(Number(1)),
        test.input(vec![vec![2]]),
        test.context().receiver_stream(Number(3)),
        test.input(vec![vec![4]]),
    ];
    let seen: Vec<_> = streams.iter().map(|stream| test.collect(stream)).collect();
    test.run_until(|| seen.iter().all(|seen| seen.batches().concat().len() == 1)).unwrap();
    for (id, seen) in (0..).zip(&seen) {
        assert_eq!(seen.batches().concat(), [id]);
    }
}

#[test]
fn a_batch_without_blocks_has_no_partitions_and_one_with_blocks_one_for_each() {
    let (receiver, calls) = probe();
    let test = TestContext::new().unwrap();
    let partitions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&partitions);
    test.context().receiver_stream(receiver).for_each_rdd(move |rdd, _| {
        seen.lock().push(rdd.num_partitions());
        Ok(())
    });
    test.run(1).unwrap();
    let handle = calls.started();
    for block in 0..3 {
        handle.store_block(vec![block]).unwrap();
    }
    test.run(2).unwrap();
    assert_eq!(*partitions.lock(), [0, 3, 0]);
}

#[test]
fn blocks_come_in_the_order_in_which_they_were_stored() {
    let (receiver, calls) = probe();
    let (test, seen) = started(receiver);
    let handle = calls.started();
    let ids: Vec<BlockId> =
        (0..5).map(|block| handle.store_block(vec![block * 2, block * 2 + 1]).unwrap().id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert_eq!(ids[0].to_string(), "input-0-0.1");
    test.run(1).unwrap();
    assert_eq!(seen.batches(), [(0..10).collect::<Vec<_>>()]);
}

#[test]
fn an_iterator_that_fails_stores_nothing() {
    let (receiver, calls) = probe();
    let (test, seen) = started(receiver);
    let error = calls.started().store_iter([Ok(1), Err("broken")]).unwrap_err();
    assert_eq!(error.to_string(), "broken");
    test.run(1).unwrap();
    assert_eq!(seen.batches(), [Vec::<i32>::new()]);
}

/// Fails to plan its first batch.
struct FailsOnce(AtomicBool);

impl Source for FailsOnce {
    type Record = u8;
    type Plan = ();

    fn name(&self) -> String {
        "Failing stream".to_owned()
    }

    fn plan(&self, _time: Time) -> dstreams_streaming::Result<Option<()>> {
        if self.0.swap(true, Ordering::SeqCst) {
            Ok(None)
        } else {
            Err(dstreams_streaming::Error::source("not yet"))
        }
    }

    fn info(&self, (): &()) -> InputInfo {
        InputInfo::default()
    }

    fn rdd(&self, context: &RddContext, (): ()) -> dstreams_streaming::Result<Rdd<u8>> {
        Ok(context.empty())
    }
}

#[test]
fn blocks_of_a_batch_that_is_not_made_are_in_the_next() {
    let (receiver, calls) = probe();
    let test = TestContext::new().unwrap();
    let seen = test.collect(&test.context().receiver_stream(receiver));
    test.context()
        .stream("fails_once", |_| Arc::new(FailsOnce(AtomicBool::new(false))))
        .for_each_rdd(|_, _| Ok(()));
    test.context().start().unwrap();
    let handle = calls.started();
    handle.store_block(vec![1]).unwrap();
    handle.store_block(vec![2]).unwrap();
    assert!(test.run(1).is_err());
    handle.store_block(vec![3]).unwrap();
    // The error of the first batch is returned for the second, too.
    assert!(test.run(1).is_err());
    // INVARIANT 9
    assert_eq!(seen.timed(), [(2000, vec![1, 2, 3])]);
}

#[derive(Default)]
struct Inputs(Mutex<Vec<InputInfo>>);

impl StreamingListener for Inputs {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.0.lock().extend(batch.inputs.get(&StreamId(0)).cloned());
    }
}

#[test]
fn a_batch_tells_its_records_its_metadata_and_what_was_no_record() {
    let (receiver, calls) = probe();
    let (test, _seen) = started(receiver);
    let inputs = Arc::new(Inputs::default());
    test.context().add_listener(Arc::clone(&inputs) as _);
    let handle = calls.started();
    let offsets = BTreeMap::from([("offsets".to_owned(), "7..9".to_owned())]);
    handle.store_block_with(vec![1, 2], &offsets).unwrap();
    // INVARIANT 4
    handle.dead_record("no number: `x`");
    handle.dead_record("no number: `y`");
    test.run(2).unwrap();
    test.stop();
    let inputs = inputs.0.lock();
    let shown = |name: &str| inputs[0].metadata.get(name).cloned().unwrap_or_default();
    assert_eq!((inputs[0].records, shown("offsets"), shown("dead records")), (2, "7..9".into(), "2".into()));
    assert_eq!((inputs[1].records, inputs[1].metadata.len()), (0, 0));
}

/// Stores an increasing number as fast as it can, and counts what it has stored.
struct Counter(Arc<AtomicU64>, std::sync::mpsc::Sender<()>);

impl Receiver for Counter {
    type Record = u64;
    fn on_start(&mut self, handle: ReceiverHandle<u64>) -> Result<(), BoxError> {
        let (stored, began) = (Arc::clone(&self.0), self.1.clone());
        handle.spawn("counting", move |handle| {
            while !handle.is_stopped() {
                handle.store(stored.load(Ordering::SeqCst))?;
                stored.fetch_add(1, Ordering::SeqCst);
                let _ = began.send(());
            }
            Ok(())
        })
    }
}

#[test]
fn a_graceful_stop_processes_everything_that_was_stored() {
    for _ in 0..4 {
        let stored = Arc::new(AtomicU64::new(0));
        let (counting, began) = (Arc::clone(&stored), channel());
        let (test, seen) = started(Counter(counting, began.0));
        began.1.recv().unwrap();
        test.context().stop_with(StopOptions::graceful().rdd_context(false)).unwrap();
        // INVARIANT 13
        assert_eq!(seen.batches().concat(), (0..stored.load(Ordering::SeqCst)).collect::<Vec<_>>());
    }
}

#[test]
fn a_graceful_stop_waits_for_what_a_slow_receiver_still_stores() {
    let (receiver, calls) = probe();
    let (go_on, may_go_on) = channel::<()>();
    let handle = Arc::new(Mutex::new(None::<ReceiverHandle<i32>>));
    let storing = Arc::clone(&handle);
    let receiver = receiver.on_stop(move || {
        may_go_on.recv().unwrap();
        let handle = storing.lock().clone().unwrap();
        (0..15).for_each(|n| handle.store(n).unwrap());
    });
    let (test, seen) = started(receiver);
    *handle.lock() = Some(calls.started());
    thread::scope(|threads| {
        threads.spawn(|| test.stop());
        go_on.send(()).unwrap();
    });
    assert_eq!(seen.batches().concat(), (0..15).collect::<Vec<_>>());
}

#[test]
fn a_context_can_be_stopped_gracefully_as_soon_as_it_is_started() {
    let (receiver, _calls) = probe::<u8>();
    let (test, seen) = started(receiver);
    test.stop();
    assert!(seen.batches().concat().is_empty());
}

#[test]
fn a_receiver_that_does_not_stop_is_left_behind_after_ten_seconds() {
    let (receiver, calls) = probe::<u8>();
    let (_release, never) = channel::<()>();
    let never = Mutex::new(never);
    let receiver = receiver.on_stop(move || {
        // Ends with the test.
        let _ = never.lock().recv();
    });
    let (test, _seen) = started(receiver);
    let handle = calls.started();
    thread::scope(|threads| {
        threads.spawn(|| test.context().stop().unwrap());
        test.clock().await_waiter_for(ms(10_000));
        test.clock().set(ms(10_000));
    });
    assert!(handle.is_stopped());
    assert!(handle.store(1).is_err());
}
