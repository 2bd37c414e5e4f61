// SPDX-License-Identifier: Apache-2.0
//! How single records become blocks, after the original's `BlockGeneratorSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use dstreams_streaming::{
    BoxError, Config, StreamId,
    clock::{ManualClock, StopFlag},
    receiver::{BlockGenerator, BlockId, BlockListener},
    time::{Time, milliseconds},
};
use parking_lot::Mutex;

const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Writes down the callbacks; pushing waits for permission if there is a gate.
struct Recorder {
    added: Mutex<Vec<String>>,
    generated: Mutex<Vec<String>>,
    pushed: Sender<Vec<i32>>,
    errors: Sender<String>,
    gate: Option<Mutex<Receiver<Result<(), String>>>>,
}

struct Test {
    generator: Arc<BlockGenerator<i32, Arc<Recorder>>>,
    recorder: Arc<Recorder>,
    clock: Arc<ManualClock>,
    pushed: Receiver<Vec<i32>>,
    errors: Receiver<String>,
}

impl BlockListener<i32> for Recorder {
    type Metadata = &'static str;

    fn on_add_data(&self, _records: &[i32], metadata: &'static str) {
        self.added.lock().push(metadata.to_owned());
    }

    fn on_generate_block(&self, id: BlockId) {
        self.generated.lock().push(id.to_string());
    }

    fn on_push_block(&self, _id: BlockId, records: Vec<i32>) -> Result<(), BoxError> {
        if let Some(gate) = &self.gate {
            gate.lock().recv()??;
        }
        self.pushed.send(records)?;
        Ok(())
    }

    fn on_error(&self, message: &str, error: BoxError) {
        self.errors.send(format!("{message}: {error}")).unwrap();
    }
}

fn test(gate: Option<Receiver<Result<(), String>>>, settings: &[(&str, &str)]) -> Test {
    let mut config = Config::default();
    config.set("spark.streaming.blockInterval", "10ms").unwrap();
    for (key, value) in settings {
        config.set(key, value).unwrap();
    }
    let ((pushed, blocks), (errors, failures)) = (channel(), channel());
    let gate = gate.map(Mutex::new);
    let recorder =
        Arc::new(Recorder { added: Mutex::default(), generated: Mutex::default(), pushed, errors, gate });
    let clock = Arc::new(ManualClock::default());
    let generator =
        BlockGenerator::new(StreamId(3), &config, clock.clone(), StopFlag::new(), Arc::clone(&recorder));
    Test { generator: Arc::new(generator), recorder, clock, pushed: blocks, errors: failures }
}

impl Test {
    fn advance(&self) {
        self.clock.advance(milliseconds(10));
    }

    fn next_push(&self) -> Vec<i32> {
        self.pushed.recv_timeout(STUCK_AFTER).unwrap()
    }

    /// Fills the queue of one block: one block is being pushed, one waits, the third finds no room.
    fn stall(&self) {
        for (block, tick) in [(1, 10), (2, 20), (3, 30)] {
            self.clock.await_waiter_for(Time::from_millis(tick));
            self.generator.add(block).unwrap();
            self.clock.set(Time::from_millis(tick));
        }
        while !self.generator.is_stalled() {
            thread::yield_now();
        }
    }

    fn refuses_records(&self) {
        let generator = &self.generator;
        assert!(generator.add(0).is_err());
        assert!(generator.add_many(&mut vec![0]).is_err());
        assert!(generator.add_with_callback(0, "no").is_err());
        assert!(generator.add_many_with_callback(vec![0], "no").is_err());
    }
}

#[test]
fn block_generation_and_data_callbacks() {
    let test = test(None, &[]);
    let generator = &test.generator;
    assert!(!generator.is_active() && !generator.is_stopped());
    test.refuses_records();
    generator.start().unwrap();
    assert!(generator.is_active() && !generator.is_stopped());
    assert!(generator.start().is_err());

    (1..=10).for_each(|n| generator.add(n).unwrap());
    assert!(test.pushed.try_recv().is_err());
    test.advance();
    assert_eq!(test.next_push(), (1..=10).collect::<Vec<_>>());
    assert_eq!(*test.recorder.generated.lock(), ["input-3-0"]);
    assert!(test.recorder.added.lock().is_empty(), "told of records that were added without metadata");

    let metadata = ["11", "12", "13"];
    (11..=13).zip(metadata).for_each(|(n, metadata)| generator.add_with_callback(n, metadata).unwrap());
    assert_eq!(*test.recorder.added.lock(), metadata);
    test.advance();
    assert_eq!(test.next_push(), [11, 12, 13]);

    generator.add_many_with_callback((21..=30).collect(), "many").unwrap();
    assert_eq!(test.recorder.added.lock()[3..], ["many"]);
    test.clock.await_waiter_for(Time::from_millis(30));
    test.advance();
    assert_eq!(test.next_push(), (21..=30).collect::<Vec<_>>());

    generator.stop();
    assert!(generator.is_stopped() && !generator.is_active());
    test.refuses_records();
    assert!(generator.start().is_err());
    generator.stop();
    assert_eq!(*test.recorder.generated.lock(), ["input-3-0", "input-3-10", "input-3-20"]);
}

#[test]
fn nothing_added_makes_no_block() {
    let test = test(None, &[]);
    test.generator.start().unwrap();
    test.clock.advance(milliseconds(100));
    test.clock.await_waiter_for(Time::from_millis(110));
    test.generator.add(1).unwrap();
    test.generator.stop();
    assert_eq!(*test.recorder.generated.lock(), ["input-3-100"]);
    assert_eq!(test.next_push(), [1]);
}

#[test]
fn stop_ensures_correct_shutdown() {
    let (open, gate) = channel();
    let test = test(Some(gate), &[]);
    test.generator.start().unwrap();
    (1..=1000).for_each(|n| test.generator.add(n).unwrap());
    test.clock.advance(milliseconds(1));
    thread::scope(|threads| {
        let stopping = threads.spawn(|| test.generator.stop());
        while test.generator.is_active() {
            thread::yield_now();
        }
        assert!(!test.generator.is_stopped(), "stopped before the rest is stored");
        test.refuses_records();
        assert!(!stopping.is_finished());
        open.send(Ok(())).unwrap();
    });
    assert!(test.generator.is_stopped());
    assert_eq!(test.next_push(), (1..=1000).collect::<Vec<_>>());
}

#[test]
fn block_push_errors_are_reported() {
    let (open, gate) = channel();
    let test = test(Some(gate), &[]);
    test.generator.start().unwrap();
    test.generator.add(1).unwrap();
    open.send(Err("disk on fire".to_owned())).unwrap();
    test.advance();
    let error = test.errors.recv_timeout(STUCK_AFTER).unwrap();
    assert!(error.contains("input-3-0") && error.contains("disk on fire"), "{error}");
    // The next block is none the worse for it.
    test.clock.await_waiter_for(Time::from_millis(20));
    test.generator.add(2).unwrap();
    open.send(Ok(())).unwrap();
    test.advance();
    assert_eq!(test.next_push(), [2]);
}

#[test]
fn a_listener_that_panics_is_reported() {
    let (open, gate) = channel::<Result<(), String>>();
    let test = test(Some(gate), &[]);
    test.generator.start().unwrap();
    test.generator.add(1).unwrap();
    drop(test.pushed);
    open.send(Ok(())).unwrap();
    test.clock.advance(milliseconds(10));
    assert!(test.errors.recv_timeout(STUCK_AFTER).unwrap().contains("input-3-0"));
}

#[test]
fn who_adds_waits_when_too_many_blocks_wait() {
    let (open, gate) = channel();
    let test = test(Some(gate), &[("spark.streaming.blockQueueSize", "1")]);
    test.generator.start().unwrap();
    test.stall();
    thread::scope(|threads| {
        let adding = threads.spawn(|| test.generator.add(4));
        for block in 1..=3 {
            open.send(Ok(())).unwrap();
            assert_eq!(test.next_push(), [block]);
        }
        adding.join().unwrap().unwrap();
        open.send(Ok(())).unwrap();
        test.generator.stop();
    });
    assert_eq!(test.next_push(), [4]);
}

#[test]
fn giving_up_ends_everything_that_waits() {
    let (open, gate) = channel();
    let test = test(Some(gate), &[("spark.streaming.blockQueueSize", "1")]);
    test.generator.start().unwrap();
    test.stall();
    thread::scope(|threads| {
        let adding = threads.spawn(|| while test.generator.add(4).is_ok() {});
        test.generator.abandon();
        adding.join().unwrap();
        drop(open);
        test.generator.stop();
    });
    assert!(test.generator.is_stopped());
}

#[test]
fn the_rate_limit_holds_for_batches_of_records_too() {
    let test = test(None, &[("spark.streaming.receiver.maxRate", "100")]);
    test.generator.start().unwrap();
    thread::scope(|threads| {
        let adding = threads.spawn(|| test.generator.add_many(&mut (0..5).collect()));
        // 100 records per second are one every 10 ms; the first passes at once.
        for time in [10, 20, 30, 40] {
            test.clock.await_waiters(2);
            assert!(test.generator.added() <= time / 10);
            test.clock.set(Time::from_millis(i64::try_from(time).unwrap()));
        }
        adding.join().unwrap().unwrap();
    });
    assert_eq!(test.generator.added(), 5);
}

#[test]
fn a_stop_ends_the_wait_for_the_rate_limit() {
    let test = test(None, &[("spark.streaming.receiver.maxRate", "1")]);
    test.generator.start().unwrap();
    let mut records = vec![1, 2, 3];
    thread::scope(|threads| {
        let adding = threads.spawn(|| test.generator.add_many(&mut records));
        test.clock.await_waiters(2);
        test.generator.stop();
        assert!(adding.join().unwrap().is_err());
    });
    assert_eq!((test.next_push(), records), (vec![1], vec![2, 3]));
}
