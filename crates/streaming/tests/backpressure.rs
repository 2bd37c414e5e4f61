// SPDX-License-Identifier: Apache-2.0
//! Backpressure from end to end, in time that only processing and waiting let pass.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests")]

mod probe;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use dstreams_streaming::{
    Config, Duration, InputInfo, Rdd, RddContext, Result, Source, StreamId, StreamingListener, Time,
    clock::{Clock, ManualClock, Waited},
    event::{BatchInfo, RateInfo},
    rate::{RateHandle, RateLimiter},
    testing::TestContext,
    time::{milliseconds, seconds},
};
use parking_lot::{Condvar, Mutex};

use probe::probe;

/// Has `start` records at first and gets `per_second` more; gives each batch what it may take.
struct Backlog {
    start: u64,
    per_second: u64,
    /// Bytes of a record; 0 for a source that does not know.
    record_size: u64,
    taken: AtomicU64,
    rate: RateHandle,
}

impl Backlog {
    fn arrived(&self, time: Time) -> u64 {
        self.start + time.as_millis() as u64 * self.per_second / 1000
    }
}

impl Source for Backlog {
    type Record = u64;
    type Plan = (u64, u64);

    fn name(&self) -> String {
        "Backlog".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<(u64, u64)>> {
        let from = self.taken.load(Relaxed);
        let most = self.rate.records_per_batch().unwrap_or(u64::MAX);
        let until = self.arrived(time).min(from.saturating_add(most));
        self.taken.store(until, Relaxed);
        Ok(Some((from, until)))
    }

    fn info(&self, (from, until): &(u64, u64)) -> InputInfo {
        let mut info = InputInfo::of_records(until - from);
        if self.record_size > 0 {
            let bytes = (until - from) * self.record_size;
            info.metadata.insert(InputInfo::BYTES.to_owned(), bytes.to_string());
        }
        info
    }

    // The number of records is all that the test is about.
    fn rdd(&self, context: &RddContext, (from, until): (u64, u64)) -> Result<Rdd<u64>> {
        Ok(context.parallelize([until - from]))
    }

    fn restore(&self, _: &[u8], plans: Vec<(Time, (u64, u64))>) -> Result<()> {
        self.taken.store(plans.last().map_or(0, |(_, (_, until))| *until), Relaxed);
        Ok(())
    }
}

/// What was heard, for those who wait for it.
#[derive(Default)]
struct Heard {
    state: Mutex<Events>,
    changed: Condvar,
}

#[derive(Default)]
struct Events {
    submitted: Option<Time>,
    completed: Vec<BatchInfo>,
    rates: Vec<RateInfo>,
}

impl Heard {
    fn await_submitted(&self, time: Time) {
        let mut state = self.state.lock();
        while state.submitted < Some(time) {
            assert!(!self.changed.wait_for(&mut state, probe::STUCK_AFTER).timed_out(), "no batch at {time}");
        }
    }

    /// Waits until all batches up to the present are complete: no job moves the clock any more.
    fn await_idle(&self, clock: &ManualClock) {
        let mut state = self.state.lock();
        while state.completed.last().is_none_or(|batch| batch.batch_time < clock.now().floor(SECOND)) {
            assert!(
                !self.changed.wait_for(&mut state, probe::STUCK_AFTER).timed_out(),
                "{} is never over",
                clock.now()
            );
        }
    }

    fn completed(&self) -> Vec<BatchInfo> {
        self.state.lock().completed.clone()
    }

    fn rates(&self) -> Vec<RateInfo> {
        self.state.lock().rates.clone()
    }
}

impl StreamingListener for Heard {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.state.lock().submitted = Some(batch.batch_time);
        self.changed.notify_all();
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.state.lock().completed.push(batch.clone());
        self.changed.notify_all();
    }

    fn on_rate_updated(&self, rate: &RateInfo) {
        self.state.lock().rates.push(rate.clone());
    }
}

const SECOND: Duration = seconds(1);

/// Lets the time of a job pass, and waits at each batch time until that batch is made, as it would be meanwhile.
fn pass(clock: &ManualClock, heard: &Heard, length: Duration) {
    let end = clock.now() + length;
    while clock.now() < end {
        let tick = clock.now().floor(SECOND) + SECOND;
        clock.set(tick.min(end));
        if tick <= end {
            heard.await_submitted(tick);
        }
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    config.set("spark.streaming.backpressure.enabled", "true").unwrap();
    for (key, value) in settings {
        config.set(key, value).unwrap();
    }
    config
}

/// A program whose batches take as long as `cost` says, by the time at which they begin.
struct Program {
    test: TestContext,
    heard: Arc<Heard>,
    processed: Arc<AtomicU64>,
}

fn program(
    config: Config,
    backlog: impl FnOnce(RateHandle) -> Backlog,
    cost: impl Fn(Time, u64) -> Duration + Send + Sync + 'static,
) -> Program {
    let test = TestContext::with(config, SECOND).unwrap();
    let (heard, processed) = (Arc::new(Heard::default()), Arc::new(AtomicU64::new(0)));
    test.context().add_listener(Arc::clone(&heard) as _);
    let stream = test.context().stream("backlog", |context| Arc::new(backlog(context.rate())));
    let (clock, listener, sum) = (Arc::clone(test.clock()), Arc::clone(&heard), Arc::clone(&processed));
    stream.for_each_rdd(move |rdd, _| {
        let records = rdd.collect()?.iter().sum();
        pass(&clock, &listener, cost(clock.now(), records));
        sum.fetch_add(records, Relaxed);
        Ok(())
    });
    Program { test, heard, processed }
}

impl Program {
    /// Runs until all batches up to `end` are complete.
    fn run_until(&self, end: Time) {
        self.test.context().start().unwrap();
        let clock = self.test.clock();
        while clock.now() < end {
            let tick = clock.now().floor(SECOND) + SECOND;
            clock.set(tick);
            self.heard.await_idle(clock);
        }
    }

    fn processed(&self) -> u64 {
        self.processed.load(Relaxed)
    }
}

fn at(second: i64) -> Time {
    Time::ZERO + seconds(second)
}

fn micros(records: u64, each: u64) -> Duration {
    milliseconds(20 + (records * each / 1000).cast_signed())
}

#[test]
fn a_sink_that_is_five_times_slower_for_a_minute_is_kept_up_with() {
    const PER_SECOND: u64 = 10_000;
    let slow = |time: Time| time >= at(30) && time < at(90);
    let backlog =
        |rate| Backlog { start: 0, per_second: PER_SECOND, record_size: 0, taken: AtomicU64::new(0), rate };
    // 20,000 records a second, then 4,000.
    let program = program(config(&[]), backlog, move |time, records| {
        micros(records, if slow(time) { 250 } else { 50 })
    });
    program.run_until(at(240));

    let batches = program.heard.completed();
    let largest = batches.iter().map(BatchInfo::num_records).max().unwrap();
    let settled = at(45);
    let waits = batches.iter().filter(|batch| batch.batch_time >= settled);
    let longest = waits.map(|batch| batch.scheduling_delay().unwrap()).max().unwrap();
    assert!(longest <= SECOND * 2, "a batch has waited for {longest}");
    assert!(largest <= 2 * PER_SECOND, "a batch has {largest} records");
    // What can be in memory at once: the batches that are made and not complete.
    let pending_at = |time| {
        let made = batches.iter().filter(|batch| batch.submission_time <= time);
        made.filter(|batch| batch.processing_end_time.unwrap() > time)
            .map(BatchInfo::num_records)
            .sum::<u64>()
    };
    let most = batches.iter().map(|batch| pending_at(batch.submission_time)).max().unwrap();
    assert!(most <= 4 * PER_SECOND, "{most} records were held at once");
    // Nothing is lost: at the end all that has arrived is processed, and in the order in which it came.
    let last = batches.last().unwrap();
    let arrived = last.batch_time.as_millis() as u64 * PER_SECOND / 1000;
    assert_eq!(program.processed(), arrived, "the backlog of the minute has been worked off");
    // It says why.
    let rates = program.heard.rates();
    let slowed = rates.iter().find(|rate| rate.time >= at(60)).unwrap();
    let terms = slowed.terms.unwrap();
    assert!((3_000.0..4_100.0).contains(&terms.processing), "{slowed}");
    assert!(slowed.to_string().contains("records/s: "), "{slowed}");
}

#[test]
fn a_backlog_of_two_million_records_makes_no_giant_first_batch() {
    let backlog =
        |rate| Backlog { start: 2_000_000, per_second: 0, record_size: 0, taken: AtomicU64::new(0), rate };
    // 100,000 records a second.
    let program = program(config(&[]), backlog, |_, records| micros(records, 10));
    program.run_until(at(60));
    let batches = program.heard.completed();
    assert_eq!(batches[0].num_records(), 10_000, "dstreams.backpressure.startRate");
    for batch in &batches {
        assert!(batch.num_records() <= 110_000, "a batch has {} records", batch.num_records());
        assert!(batch.total_delay().unwrap() <= seconds(2), "{batch:?}");
    }
    assert_eq!(program.processed(), 2_000_000);
}

#[test]
fn sources_take_nothing_while_too_many_batches_are_not_complete() {
    let backlog =
        |rate| Backlog { start: 0, per_second: 1000, record_size: 0, taken: AtomicU64::new(0), rate };
    // The second batch hangs for eight seconds.
    let program =
        program(config(&[]), backlog, |time, _| if time == at(2) { seconds(8) } else { milliseconds(1) });
    program.run_until(at(14));
    let records: Vec<_> = program.heard.completed().iter().map(BatchInfo::num_records).collect();
    assert_eq!(records[..4], [1000, 1000, 1000, 1000]);
    assert_eq!(records[4..9], [0; 5], "three batches are pending: {records:?}");
    let held: Vec<_> =
        program.heard.rates().iter().filter(|rate| rate.terms.is_none()).map(|rate| rate.held).collect();
    assert_eq!(held, [false, true, false], "the start, the hold, and its end");
    let sum: u64 = records.iter().sum();
    assert_eq!(sum, program.processed());
}

#[test]
fn bytes_count_as_well_as_records() {
    let backlog = |rate| Backlog {
        start: 10_000_000,
        per_second: 0,
        record_size: 1_000,
        taken: AtomicU64::new(0),
        rate,
    };
    let program = program(config(&[]), backlog, |_, records| micros(records, 100));
    program.run_until(at(8));
    let last = program.heard.rates().pop().unwrap();
    let (records, bytes) = (last.records_per_second.unwrap(), last.bytes_per_second.unwrap());
    assert!((bytes - records * 1000).abs() < 2000, "{last}");
    assert!((9_000..10_001).contains(&records), "{last}");
}

#[test]
fn a_restart_goes_on_with_the_rate_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let run = |until: Time| {
        let backlog = |rate| Backlog {
            start: 2_000_000,
            per_second: 0,
            record_size: 0,
            taken: AtomicU64::new(0),
            rate,
        };
        let program = program(config(&[]), backlog, |_, records| micros(records, 10));
        program.test.context().checkpoint(dir.path().to_string_lossy());
        if until > at(5) {
            program.test.clock().set(at(5));
        }
        program.run_until(until);
        program.test.stop();
        (program.heard.completed(), program.heard.rates())
    };
    let (before, rates) = run(at(5));
    let learned = rates.last().unwrap().records_per_second;
    assert!(learned > Some(50_000), "{rates:?}");
    let stored = &before.last().unwrap().inputs[&StreamId(0)].metadata[InputInfo::RATE_LIMIT];
    let (_, rates) = run(at(7));
    assert_eq!(rates[0].records_per_second.unwrap().to_string(), *stored, "what held in the last batch");
    assert_eq!((rates[0].batch_time, rates[0].terms), (None, None));
}

#[test]
fn rates_reach_all_generators_of_a_receiver() {
    // RateControllerSuite, ReceiverTrackerSuite
    let (receiver, calls) = probe::<u32>();
    let test = TestContext::with(config(&[("spark.streaming.receiver.maxRate", "5000")]), SECOND).unwrap();
    let heard = Arc::new(Heard::default());
    test.context().add_listener(Arc::clone(&heard) as _);
    let clock = Arc::clone(test.clock());
    test.context().receiver_stream(receiver).for_each_rdd(move |rdd, _| {
        // 1000 records a second.
        clock.advance(milliseconds(rdd.count()?.cast_signed()));
        Ok(())
    });
    test.context().start().unwrap();
    let handle = calls.started();
    let second = Arc::new(RateLimiter::new(Arc::clone(test.clock()) as _, None, None));
    handle.share_rate(&second);
    assert_eq!(handle.rate().records_per_second(), Some(5000));
    for _ in 0..2 {
        handle.store_block(vec![7; 200]).unwrap();
        test.run(1).unwrap();
    }
    test.stop();
    let estimate = heard.rates().pop().unwrap();
    assert_eq!(estimate.records_per_second, Some(1000), "{estimate}");
    assert_eq!(second.current_limit(), Some(1000));
    assert_eq!(handle.rate().records_per_second(), Some(1000));
}

#[test]
fn a_block_that_is_stored_as_a_whole_is_paid_for_by_the_next() {
    let mut max_rate = Config::default();
    max_rate.set("spark.streaming.receiver.maxRate", "100").unwrap();
    for config in [config(&[("spark.streaming.backpressure.initialRate", "100")]), max_rate] {
        is_paid_for_by_the_next(config);
    }
}

fn is_paid_for_by_the_next(config: Config) {
    let (receiver, calls) = probe::<u32>();
    let test = TestContext::with(config, SECOND).unwrap();
    let seen = test.collect(&test.context().receiver_stream(receiver));
    test.context().start().unwrap();
    let handle = calls.started();
    handle.store_block((0..250).collect()).unwrap();
    assert!(!handle.is_ready());
    std::thread::scope(|threads| {
        let next = threads.spawn(|| {
            assert_eq!(handle.await_ready(), Waited::Reached);
            handle.store_block(vec![250]).unwrap();
            test.clock().now()
        });
        test.run_until(|| next.is_finished()).unwrap();
        assert!(next.join().unwrap() >= at(2), "250 records at 100 a second");
    });
    test.run_until(|| seen.batches().concat().len() == 251).unwrap();
}

#[test]
fn a_limit_in_bytes_holds_without_backpressure() {
    let (receiver, calls) = probe::<String>();
    let mut config = Config::default();
    config.set("dstreams.receiver.maxBytesRate", "1000b").unwrap();
    let test = TestContext::with(config, SECOND).unwrap();
    let _seen = test.collect(&test.context().receiver_stream(receiver));
    test.context().start().unwrap();
    let handle = calls.started();
    assert!(handle.is_ready());
    let bytes = handle.store_block(vec!["x".repeat(3000)]).unwrap().bytes;
    assert!(bytes >= 3000 && !handle.is_ready());
    test.run((bytes / 1000) as usize).unwrap();
    assert!(!handle.is_ready());
    test.run(1).unwrap();
    assert!(handle.is_ready(), "{bytes} bytes at 1000 a second");
}

#[test]
fn a_receiver_is_stopped_while_it_is_held_to_its_rate() {
    let (receiver, calls) = probe::<u32>();
    let test =
        TestContext::with(config(&[("spark.streaming.backpressure.initialRate", "1")]), SECOND).unwrap();
    let seen = test.collect(&test.context().receiver_stream(receiver));
    test.context().start().unwrap();
    let handle = calls.started();
    handle.store_block(vec![1; 1000]).unwrap();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| handle.await_ready());
        let last = threads.spawn(|| handle.store_block(vec![2]));
        test.clock().await_waiters(4);
        test.stop();
        assert_eq!(waiting.join().unwrap(), Waited::Stopped);
        // What has been received is not lost because of its rate.
        if last.join().unwrap().is_ok() {
            assert_eq!(seen.batches().concat().len(), 1001);
        }
    });
    assert!(handle.is_stopped());
}
