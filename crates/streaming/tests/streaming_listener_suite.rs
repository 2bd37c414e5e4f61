// SPDX-License-Identifier: Apache-2.0
//! What listeners hear, after the cases of the original's `StreamingListenerSuite` and a recorded run of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use dstreams_streaming::{
    Error, StreamId, StreamingContext, StreamingContextState, StreamingListener,
    event::{BatchInfo, OutputOperationInfo},
    testing::TestContext,
    time::Time,
};

/// Writes down everything that it hears.
#[derive(Default)]
struct Recorder {
    names: Mutex<Vec<String>>,
    submitted: Mutex<Vec<BatchInfo>>,
    started: Mutex<Vec<BatchInfo>>,
    completed: Mutex<Vec<BatchInfo>>,
}

impl Recorder {
    fn note(&self, event: String) {
        self.names.lock().unwrap().push(event);
    }
}

impl StreamingListener for Recorder {
    fn on_streaming_started(&self, time: Time) {
        self.note(format!("streaming started {time}"));
    }

    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.note(format!("batch submitted {}", batch.batch_time));
        self.submitted.lock().unwrap().push(batch.clone());
    }

    fn on_batch_started(&self, batch: &BatchInfo) {
        self.note(format!("batch started {}", batch.batch_time));
        self.started.lock().unwrap().push(batch.clone());
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.note(format!("batch completed {}", batch.batch_time));
        self.completed.lock().unwrap().push(batch.clone());
    }

    fn on_output_operation_started(&self, output: &OutputOperationInfo) {
        self.note(format!("output started {} {}", output.batch_time, output.id));
    }

    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {
        self.note(format!("output completed {} {}", output.batch_time, output.id));
    }
}

fn recorded(test: &TestContext) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder::default());
    test.context().add_listener(Arc::clone(&recorder) as _);
    recorder
}

#[test]
fn batch_info_reporting() {
    let test = TestContext::new().unwrap();
    let recorder = recorded(&test);
    test.input(vec![vec![1], vec![2], vec![3], vec![4]])
        .for_each_rdd(|rdd, _| Ok(rdd.count().map(|_| ())?));
    test.run(4).unwrap();
    test.stop();
    let (submitted, started, completed) = (
        recorder.submitted.lock().unwrap(),
        recorder.started.lock().unwrap(),
        recorder.completed.lock().unwrap(),
    );
    assert_eq!([submitted.len(), started.len(), completed.len()], [4, 4, 4]);
    for batch in submitted.iter() {
        assert_eq!(
            (batch.scheduling_delay(), batch.processing_delay(), batch.total_delay()),
            (None, None, None)
        );
        assert_eq!((batch.num_records(), batch.inputs[&StreamId(0)].records), (1, 1));
    }
    for batch in started.iter() {
        assert!(batch.scheduling_delay().is_some_and(|delay| delay.as_millis() >= 0));
        assert_eq!((batch.processing_delay(), batch.total_delay()), (None, None));
    }
    for batch in completed.iter() {
        assert!(batch.scheduling_delay().is_some() && batch.processing_delay().is_some());
        assert_eq!(
            batch.total_delay(),
            Some(batch.scheduling_delay().unwrap() + batch.processing_delay().unwrap())
        );
        assert!(batch.output_operations.values().all(|output| output.failure_reason.is_none()));
    }
    assert!(completed.is_sorted_by_key(|batch| batch.processing_end_time));
}

#[test]
fn events_come_in_the_order_of_the_original() {
    // INVARIANT 2
    let test = TestContext::new().unwrap();
    let recorder = recorded(&test);
    let input = test.input(vec![vec![1, 2], vec![5]]);
    input.for_each_rdd(
        |_, time| {
            if time == Time::from_millis(2000) { Err(Error::user("op0 failed")) } else { Ok(()) }
        },
    );
    input.for_each_rdd(|_, _| Ok(()));
    test.run(1).unwrap();
    assert!(test.run(1).unwrap_err().to_string().contains("op0 failed"));
    test.stop();
    let mut expected = vec!["streaming started 0 ms".to_owned()];
    for time in ["1000 ms", "2000 ms"] {
        expected.extend([
            format!("batch submitted {time}"),
            format!("batch started {time}"),
            format!("output started {time} 0"),
            format!("output completed {time} 0"),
            format!("output started {time} 1"),
            format!("output completed {time} 1"),
            format!("batch completed {time}"),
        ]);
    }
    assert_eq!(*recorder.names.lock().unwrap(), expected);
}

#[test]
fn one_failed_job_and_multiple_failed_jobs() {
    let test = TestContext::new().unwrap();
    let recorder = recorded(&test);
    let input = test.input(vec![vec![1]]);
    input.for_each_rdd(|_, _| Err(Error::user("This is a failed job")));
    input.for_each_rdd(|_, _| Ok(()));
    input.for_each_rdd(|_, _| Err(Error::user("This is another failed job")));
    assert!(test.run(1).is_err());
    test.stop();
    let completed = recorder.completed.lock().unwrap();
    let reasons: Vec<_> =
        completed[0].output_operations.values().map(|output| output.failure_reason.clone()).collect();
    assert!(reasons[0].as_deref().unwrap().contains("This is a failed job"));
    assert_eq!(reasons[1], None);
    assert!(reasons[2].as_deref().unwrap().contains("This is another failed job"));
    assert!(test.context().await_termination().is_err());
}

/// Tries to stop the context from inside a callback.
struct Stopper(StreamingContext, Mutex<Option<Error>>);

impl StreamingListener for Stopper {
    fn on_batch_completed(&self, _batch: &BatchInfo) {
        *self.1.lock().unwrap() = self.0.stop().err();
    }
}

#[test]
fn a_listener_cannot_stop_the_context() {
    let test = TestContext::new().unwrap();
    let stopper = Arc::new(Stopper(test.context().clone(), Mutex::default()));
    let recorder = recorded(&test);
    test.context().add_listener(Arc::clone(&stopper) as _);
    test.input(vec![vec![1], vec![2]]).for_each_rdd(|_, _| Ok(()));
    test.run(2).unwrap();
    assert_eq!(test.context().state(), StreamingContextState::Active);
    test.stop();
    let error = stopper.1.lock().unwrap().clone().unwrap();
    assert_eq!(error.to_string(), "Cannot stop StreamingContext within listener bus thread.");
    assert_eq!(recorder.completed.lock().unwrap().len(), 2);
}

/// Panics on the first event of every batch.
struct Clumsy;

impl StreamingListener for Clumsy {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        panic!("cannot handle {}", batch.batch_time);
    }
}

#[test]
fn a_listener_that_panics_disturbs_nobody() {
    let test = TestContext::new().unwrap();
    test.context().add_listener(Arc::new(Clumsy));
    let recorder = recorded(&test);
    test.input(vec![vec![1], vec![2]]).for_each_rdd(|_, _| Ok(()));
    test.run(2).unwrap();
    test.stop();
    assert_eq!(recorder.completed.lock().unwrap().len(), 2);
}

#[test]
fn no_events_after_stop_and_none_for_a_removed_listener() {
    let test = TestContext::new().unwrap();
    let recorder = recorded(&test);
    let removed = recorded(&test);
    test.input(vec![vec![1], vec![2]]).for_each_rdd(|_, _| Ok(()));
    let as_listener: Arc<dyn StreamingListener> = Arc::clone(&removed) as _;
    test.context().remove_listener(&as_listener);
    test.run(1).unwrap();
    test.stop();
    let heard = recorder.names.lock().unwrap().len();
    test.clock().advance(dstreams_streaming::time::seconds(5));
    assert_eq!(recorder.names.lock().unwrap().len(), heard);
    assert_eq!(removed.names.lock().unwrap().len(), 0);
}

#[test]
fn a_batch_without_jobs_posts_no_events_and_is_forgotten() {
    let test = TestContext::new().unwrap();
    let recorder = recorded(&test);
    test.input_with(vec![None, Some(vec![1])], 2).for_each_rdd(|_, _| Ok(()));
    test.run(2).unwrap();
    test.stop();
    let submitted: Vec<_> =
        recorder.submitted.lock().unwrap().iter().map(|b| b.batch_time.as_millis()).collect();
    assert_eq!(submitted, [2000]);
}

#[test]
fn two_runs_on_a_manual_clock_report_the_same_times() {
    // INVARIANT 7
    let run = || {
        let test = TestContext::new().unwrap();
        let recorder = recorded(&test);
        let input = test.input(vec![vec![1], vec![2, 3]]);
        input.for_each_rdd(|rdd, _| Ok(rdd.count().map(|_| ())?));
        test.run(3).unwrap();
        test.stop();
        recorder.completed.lock().unwrap().clone()
    };
    let first = run();
    assert_eq!(first.len(), 3);
    assert_eq!(first[1].processing_end_time, Some(Time::from_millis(2000)), "taken from the manual clock");
    assert_eq!(run(), first);
}
