// SPDX-License-Identifier: Apache-2.0
//! The life of a context, after the cases of the original's `StreamingContextSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use dstreams_rdd::{RddContext, RddOptions};
use dstreams_streaming::{
    Config, Error, InputInfo, QueueTake, RddQueue, Result, Source, StopOptions, StreamingContext,
    StreamingContextState as State,
    clock::{Clock, ManualClock},
    event::{BatchInfo, StreamingListener},
    testing::TestContext,
    time::{Time, milliseconds, seconds},
};

fn with_output() -> TestContext {
    let test = TestContext::new().unwrap();
    test.input(vec![vec![1]]).for_each_rdd(|_, _| Ok(()));
    test
}

trait EqOk {
    fn is(&self, value: u64) -> bool;
}

impl EqOk for Result<u64, dstreams_rdd::Error> {
    fn is(&self, value: u64) -> bool {
        matches!(self, Ok(found) if *found == value)
    }
}

#[test]
fn start_and_stop_state_check() {
    let test = with_output();
    let ssc = test.context();
    assert_eq!(ssc.state(), State::Initialized);
    ssc.start().unwrap();
    assert_eq!(ssc.state(), State::Active);
    ssc.stop().unwrap();
    assert_eq!(ssc.state(), State::Stopped);
    assert!(matches!(ssc.rdd_context().parallelize([1]).count(), Err(dstreams_rdd::Error::Stopped)));
}

#[test]
fn start_without_an_output_is_refused_and_stops_the_context() {
    let test = TestContext::new().unwrap();
    let _unused = test.input(vec![vec![1]]);
    let error = test.context().start().unwrap_err();
    assert!(matches!(error, Error::IllegalArgument(_)), "{error}");
    assert!(error.to_string().contains("No output operations registered, so nothing to execute"));
    assert_eq!(test.context().state(), State::Stopped);
}

#[test]
fn an_interval_of_zero_is_refused() {
    let error = StreamingContext::new(Config::new(), seconds(0)).err().unwrap();
    assert!(error.to_string().contains("must be longer than zero"), "{error}");
}

#[test]
fn start_multiple_times_is_harmless() {
    let test = with_output();
    test.context().start().unwrap();
    test.context().start().unwrap();
    assert_eq!(test.context().state(), State::Active);
}

#[test]
fn stop_multiple_times_and_before_start_is_harmless() {
    let test = with_output();
    test.context().start().unwrap();
    test.context().stop().unwrap();
    test.context().stop().unwrap();
    assert_eq!(test.context().state(), State::Stopped);
    let never_started = with_output();
    never_started.context().stop().unwrap();
    assert_eq!(never_started.context().state(), State::Stopped);
}

#[test]
fn start_after_stop_is_an_illegal_state() {
    let test = with_output();
    test.context().stop().unwrap();
    let error = test.context().start().unwrap_err();
    assert!(matches!(error, Error::IllegalState(_)));
    assert!(error.to_string().contains("already been stopped"), "{error}");
}

#[test]
fn stop_only_the_streaming_context_then_the_engine_too() {
    let test = with_output();
    let rdd = test.context().rdd_context().clone();
    test.context().start().unwrap();
    test.context().stop_with(StopOptions::default().rdd_context(false)).unwrap();
    assert!(rdd.parallelize([1, 2]).count().is(2));
    test.context().stop_with(StopOptions::default().rdd_context(true)).unwrap();
    assert!(!rdd.parallelize([1, 2]).count().is(2));
}

#[test]
fn the_configuration_decides_whether_stop_stops_the_engine() {
    let mut config = Config::new();
    config.set("spark.streaming.stopSparkContextByDefault", "false").unwrap();
    let test = TestContext::with(config, seconds(1)).unwrap();
    test.input(vec![vec![1]]).for_each_rdd(|_, _| Ok(()));
    test.context().start().unwrap();
    test.context().stop().unwrap();
    assert!(test.context().rdd_context().parallelize([1]).count().is(1));
}

#[test]
fn an_engine_runs_one_active_streaming_context_at_a_time() {
    let rdd = RddContext::new(RddOptions { threads: 2, ..RddOptions::default() }).unwrap();
    let first = TestContext::on(rdd.clone(), Config::new(), seconds(1)).unwrap();
    let second = TestContext::on(rdd.clone(), Config::new(), seconds(1)).unwrap();
    for test in [&first, &second] {
        test.input(vec![vec![1]]).for_each_rdd(|_, _| Ok(()));
    }
    assert!(StreamingContext::active(&rdd).is_none());
    first.context().start().unwrap();
    assert!(StreamingContext::active(&rdd).is_some());
    let error = second.context().start().unwrap_err();
    assert!(
        matches!(error, Error::IllegalState(_)) && error.to_string().contains("StreamingContext"),
        "{error}"
    );
    first.context().stop_with(StopOptions::default().rdd_context(false)).unwrap();
    assert!(StreamingContext::active(&rdd).is_none());
}

#[test]
fn nothing_can_be_added_to_an_active_or_a_stopped_context() {
    let test = TestContext::new().unwrap();
    let input = test.input(vec![vec![1]]);
    input.for_each_rdd(|_, _| Ok(()));
    test.context().start().unwrap();
    let _late = test.input(vec![vec![2]]);
    let _later = input.map(|n| n + 1);
    input.print();
    let rejected = test.context().rejected();
    assert_eq!(rejected.len(), 4, "input and its node, transformation, output: {rejected:?}");
    assert!(rejected.iter().all(|error| error.to_string().contains("start")));
    test.context().stop().unwrap();
    input.print();
    assert!(test.context().rejected().last().unwrap().to_string().contains("stop"));
}

#[test]
fn await_termination_returns_when_the_context_is_stopped() {
    let test = with_output();
    test.context().start().unwrap();
    let (waiting, context) = (mpsc::channel(), test.context().clone());
    let waiter = thread::spawn(move || {
        waiting.0.send(()).unwrap();
        context.await_termination()
    });
    waiting.1.recv().unwrap();
    test.context().stop().unwrap();
    waiter.join().unwrap().unwrap();
    test.context().await_termination().unwrap();
}

#[test]
fn await_termination_or_timeout_tells_which_it_was() {
    let test = with_output();
    test.context().start().unwrap();
    let (clock, context) = (Arc::clone(test.clock()), test.context().clone());
    let waiter = thread::spawn(move || context.await_termination_or_timeout(milliseconds(500)));
    clock.await_waiter_for(Time::from_millis(500));
    clock.advance(milliseconds(500));
    assert!(!waiter.join().unwrap().unwrap());
    let context = test.context().clone();
    let waiter = thread::spawn(move || context.await_termination_or_timeout(seconds(5000)));
    clock.await_waiter_for(Time::from_millis(500) + seconds(5000));
    test.context().stop().unwrap();
    assert!(waiter.join().unwrap().unwrap());
}

#[test]
fn await_termination_with_an_error_in_a_task() {
    let test = TestContext::new().unwrap();
    let failing = test.input(vec![vec![1]]).map(|n: i32| -> i32 { panic!("error in map task {n}") });
    failing.for_each_rdd(|rdd, _| Ok(rdd.count().map(|_| ())?));
    let error = test.run(1).unwrap_err();
    assert!(error.to_string().contains("error in map task 1"), "{error}");
    assert!(error.to_string().contains("map (rdd"), "the operator is named: {error}");
    let again = test.context().await_termination().unwrap_err();
    assert_eq!(again.to_string(), error.to_string(), "an error stays");
    assert_eq!(test.context().state(), State::Active, "an error does not stop the context");
}

#[test]
fn await_termination_with_an_error_in_job_generation() {
    let test = TestContext::new().unwrap();
    let input = test.input(vec![vec![1], vec![2]]);
    input
        .try_transform(
            |rdd, time| {
                if time == Time::from_millis(1000) { Err("error in transform") } else { Ok(rdd) }
            },
        )
        .print_to(10, std::io::sink());
    let error = test.run(1).unwrap_err();
    assert!(error.to_string().contains("error in transform"), "{error}");
}

#[test]
fn a_panic_on_the_driver_is_an_error_of_its_batch_and_later_batches_run() {
    let test = TestContext::new().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    test.input(vec![vec![1], vec![2], vec![3]]).for_each_rdd(move |_, time| {
        assert_ne!(time, Time::from_millis(2000), "the second batch fails");
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    test.run(1).unwrap();
    assert!(test.run(1).unwrap_err().to_string().contains("the second batch fails"));
    assert!(test.run(1).is_err(), "the error stays with the context");
    assert_eq!(ran.load(Ordering::Relaxed), 2, "first and third batch");
    assert_eq!(test.context().pending_batches(), []);
}

#[test]
fn a_failing_output_leaves_the_other_outputs_of_its_batch_alone() {
    // INVARIANT 8
    let test = TestContext::new().unwrap();
    let input = test.input(vec![vec![1]]);
    input.for_each_rdd(|_, _| Err(Error::user("no room")));
    let second = test.collect(&input);
    let error = test.run(1).unwrap_err();
    assert!(error.to_string().starts_with("batch 1000 ms: output 0 (for_each_rdd at "), "{error}");
    assert_eq!(second.batches(), [[1]]);
}

#[test]
fn an_input_that_nothing_uses_does_no_harm() {
    let test = TestContext::new().unwrap();
    let _unused = test.input(vec![vec![1]]);
    let used = test.collect(&test.input(vec![vec![2], vec![3]]));
    test.run(2).unwrap();
    assert_eq!(used.batches(), [[2], [3]]);
}

/// An input that fails once it has been stopped.
struct FailsAfterStop(AtomicBool);

impl Source for FailsAfterStop {
    type Record = u8;
    type Plan = ();

    fn name(&self) -> String {
        "Test stream".to_owned()
    }

    fn plan(&self, _time: Time) -> Result<Option<()>> {
        if self.0.load(Ordering::Acquire) { Err(Error::user("planned after the stop")) } else { Ok(Some(())) }
    }

    fn info(&self, _plan: &()) -> InputInfo {
        InputInfo::default()
    }

    fn rdd(&self, context: &RddContext, _plan: ()) -> Result<dstreams_rdd::Rdd<u8>> {
        Ok(context.empty())
    }

    fn stop(&self, _graceful: bool) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn graceful_shutdown_does_not_lead_to_a_job_generation_error() {
    let test = TestContext::new().unwrap();
    let source = Arc::new(FailsAfterStop(AtomicBool::new(false)));
    test.context().stream("test_input", |_| source).for_each_rdd(|_, _| Ok(()));
    test.run(1).unwrap();
    test.context().stop_with(StopOptions::graceful()).unwrap();
    test.context().await_termination().unwrap();
}

/// Tells a channel of every batch whose jobs have been queued.
struct Submissions(mpsc::Sender<Time>);

impl StreamingListener for Submissions {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.0.send(batch.batch_time).unwrap();
    }
}

#[test]
fn batches_that_were_queued_are_finished_by_a_graceful_stop() {
    // INVARIANT 13
    let test = TestContext::new().unwrap();
    let ((release, gate), (submitted, submissions)) = (mpsc::channel::<()>(), mpsc::channel());
    test.context().add_listener(Arc::new(Submissions(submitted)));
    let (gate, done) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&done);
    test.input(vec![vec![1], vec![2], vec![3]]).for_each_rdd(move |_, _| {
        gate.lock().unwrap().recv().unwrap();
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    test.context().start().unwrap();
    // The clock jumps over three batches; none of them is skipped.
    test.clock().advance(seconds(3));
    let times: Vec<_> = submissions.iter().take(3).map(Time::as_millis).collect();
    assert_eq!(times, [1000, 2000, 3000]);
    for _ in 0..3 {
        release.send(()).unwrap();
    }
    test.context().stop_with(StopOptions::graceful()).unwrap();
    assert_eq!(done.load(Ordering::Relaxed), 3);
    assert_eq!(test.context().pending_batches(), []);
}

#[test]
fn the_checkpoint_directory_can_come_from_the_configuration() {
    let mut config = Config::new();
    config.set("spark.streaming.checkpoint.directory", "/tmp/somewhere").unwrap();
    let rdd = RddContext::local(2).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Time::ZERO));
    let ssc = StreamingContext::with_clock(rdd, config, seconds(1), clock).unwrap();
    assert_eq!(ssc.checkpoint_directory().as_deref(), Some("/tmp/somewhere"));
}

#[test]
fn the_first_batch_ends_at_a_multiple_of_the_interval() {
    let rdd = RddContext::local(2).unwrap();
    let clock = Arc::new(ManualClock::new(Time::from_millis(12_345)));
    let ssc = StreamingContext::with_clock(rdd, Config::new(), seconds(1), Arc::clone(&clock) as _).unwrap();
    let (sender, times) = mpsc::channel();
    let queue = RddQueue::<u8>::new();
    ssc.queue_stream(&queue).for_each_rdd(move |_, time| sender.send(time.as_millis()).map_err(Error::user));
    ssc.start().unwrap();
    clock.await_waiter_for(Time::from_millis(13_000));
    clock.advance(seconds(2));
    assert_eq!([times.recv().unwrap(), times.recv().unwrap()], [13_000, 14_000]);
    ssc.stop().unwrap();
}

#[test]
fn remember_may_be_called_once() {
    let test = with_output();
    test.context().remember(seconds(5)).unwrap();
    assert!(matches!(test.context().remember(seconds(5)), Err(Error::IllegalArgument(_))));
}

#[test]
fn a_batch_that_cannot_be_generated_returns_its_input() {
    // INVARIANT 1
    let test = TestContext::new().unwrap();
    let ssc = test.context();
    let rdds = [1, 2, 3].map(|n| ssc.rdd_context().parallelize([n]));
    let queue: RddQueue<i32> = rdds.into_iter().collect();
    let numbers = ssc.queue_stream_with(&queue, QueueTake::OneAtATime, None);
    let attempts = Arc::new(AtomicUsize::new(0));
    let seen = test.collect(&numbers.try_transform(move |rdd, _| {
        if attempts.fetch_add(1, Ordering::Relaxed) == 1 { Err("not now") } else { Ok(rdd) }
    }));
    test.run(1).unwrap();
    assert!(test.run(1).unwrap_err().to_string().contains("not now"));
    for _ in 0..2 {
        assert!(test.run(1).is_err(), "the error stays");
    }
    assert_eq!(seen.timed(), [(1000, vec![1]), (3000, vec![2]), (4000, vec![3])]);
}

#[test]
fn a_context_that_has_ended_frees_what_its_graph_captured() {
    let captured = Arc::new(());
    for started in [true, false] {
        let test = TestContext::new().unwrap();
        let inside = Arc::clone(&captured);
        test.input(vec![vec![1]]).for_each_rdd(move |_, _| {
            assert!(Arc::strong_count(&inside) > 1);
            Ok(())
        });
        if started {
            test.run(1).unwrap();
        }
        drop(test);
        assert_eq!(Arc::strong_count(&captured), 1, "started: {started}");
    }
}

#[test]
fn outputs_run_at_the_same_time_when_several_jobs_may() {
    let mut config = Config::new();
    config.set("spark.streaming.concurrentJobs", "2").unwrap();
    let test = TestContext::with(config, seconds(1)).unwrap();
    let input = test.input(vec![vec![1]]);
    // Each output waits for the other: with one job at a time neither would end.
    let meeting = Arc::new(std::sync::Barrier::new(2));
    for _ in 0..2 {
        let meeting = Arc::clone(&meeting);
        input.for_each_rdd(move |_, _| {
            meeting.wait();
            Ok(())
        });
    }
    test.run(1).unwrap();
    assert_eq!(test.context().pending_batches(), []);
}

#[test]
fn get_or_create_builds_the_graph_with_its_checkpoint_directory() {
    let mut config = Config::new();
    config.set("spark.master", "local[2]").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let ssc = dstreams_streaming::get_or_create(path, config, |ssc| {
        let queue = RddQueue::<(u8, u8)>::new();
        ssc.queue_stream(&queue)
            .update_state_by_key(|new, old: Option<u8>| new.last().copied().or(old))
            .print();
        Ok(())
    })
    .unwrap();
    assert_eq!(ssc.checkpoint_directory().as_deref(), Some(path));
    ssc.start().unwrap();
    ssc.stop().unwrap();
}
