// SPDX-License-Identifier: Apache-2.0
//! The events beyond those of the original: graph, commits, states, checkpoints, recovery, dead letters, failures, stop.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use dstreams_rdd::event::{EngineEvent, EngineListener};
use dstreams_streaming::{
    Error, State, StateSpec, StopOptions, StreamId, StreamingListener,
    event::{StreamingEvent, running_output},
    testing::{MemorySink, TestContext},
    time::{Time, seconds},
};

/// Keeps every event.
#[derive(Default)]
struct Recorder(Mutex<Vec<StreamingEvent>>);

impl StreamingListener for Recorder {
    fn on_event(&self, event: &StreamingEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Recorder {
    fn on(test: &TestContext) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        test.context().add_listener(Arc::clone(&recorder) as _);
        recorder
    }

    fn find<T>(&self, pick: impl Fn(&StreamingEvent) -> Option<T>) -> Vec<T> {
        self.0.lock().unwrap().iter().filter_map(pick).collect()
    }

    fn names(&self) -> Vec<String> {
        let name = |event: &StreamingEvent| {
            Some(serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned())
        };
        self.find(name)
    }
}

macro_rules! only {
    ($variant:ident) => {
        |event: &StreamingEvent| match event {
            StreamingEvent::$variant(info) => Some(info.clone()),
            _ => None,
        }
    };
}

fn counts(test: &TestContext) {
    let spec = StateSpec::function(|_: &char, n: Option<i32>, sum: &mut State<'_, i32>| {
        let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
        sum.update(total);
    });
    let ones = test.input(vec![vec![('a', 1)], vec![('b', 1), ('a', 4)]]);
    dstreams_streaming::DStream::from(ones.map_with_state(spec))
        .named("sums")
        .for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
}

#[test]
fn a_run_with_a_state_is_told_from_the_graph_to_the_report() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let heard = Recorder::on(&test);
    counts(&test);
    test.run(2).unwrap();
    test.context().stop_with(StopOptions::graceful().reason("a test")).unwrap();

    let names = heard.names();
    assert_eq!(names[..2], ["StreamingStarted", "Graph"]);
    assert_eq!(names.last().unwrap(), "Stopped");
    let batch = names.iter().filter(|name| *name != "Memory").skip(2).take(7);
    assert_eq!(
        batch.collect::<Vec<_>>(),
        [
            "BatchSubmitted",
            "BatchStarted",
            "OutputOperationStarted",
            "OutputOperationCompleted",
            "BatchCompleted",
            "BatchCommitted",
            "State"
        ]
    );

    let graph = &heard.find(only!(Graph))[0];
    assert_eq!((&*graph.application, graph.interval), ("test", seconds(1)));
    assert_eq!((graph.inputs[0].stream_id, graph.inputs[0].is_receiver), (StreamId(0), false));
    let operators: Vec<_> = graph.operators.iter().map(|operator| &*operator.operator).collect();
    assert_eq!(operators, ["scripted_input", "map_with_state"]);
    assert_eq!(graph.operators[1].parents, [graph.operators[0].id]);
    assert_eq!(graph.operators[1].state.as_deref(), Some("sums"));
    assert!(graph.operators[1].location.starts_with("events.rs:"));
    assert_eq!(graph.outputs[0].operator, graph.operators[1].id);

    let keys: Vec<_> = heard.find(only!(State)).iter().map(|state| state.keys).collect();
    assert_eq!(keys, [Some(1), Some(2)]);
    let commits = heard.find(only!(BatchCommitted));
    assert!(commits.is_sorted_by_key(|commit| commit.batch_time) && commits[1].changed_bytes > 0);
    let written = heard.find(only!(CheckpointWritten));
    assert_eq!(written.last().unwrap().batch_time, Time::from_millis(2000));
    assert_eq!(heard.find(only!(Memory)).len(), 2);

    let asked = &heard.find(only!(StopRequested))[0];
    assert_eq!((asked.graceful, &*asked.reason), (true, "a test"));
    let report = heard.find(only!(Stopped)).remove(0);
    assert_eq!(Some(&report), test.context().shutdown_report().as_ref());
    assert!(report.finished && report.pending.is_empty() && report.error.is_none());
    assert_eq!((report.last_batch, report.completed_batches), (Some(Time::from_millis(2000)), 2));
    assert_eq!(report.positions[&StreamId(0)].input.records, 2);
    assert!(report.to_string().contains("everything received has been processed"), "{report}");
}

#[test]
fn a_second_start_tells_what_it_goes_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let run = |start: i64| {
        let test = TestContext::new().unwrap();
        test.context().checkpoint(dir.path().to_string_lossy());
        let heard = Recorder::on(&test);
        counts(&test);
        test.clock().advance(seconds(start));
        if start == 0 {
            test.run(1).unwrap();
        } else {
            test.catch_up().unwrap();
        }
        test.stop();
        heard
    };
    assert_eq!(run(0).find(only!(Recovered)), []);
    let heard = run(3);
    let recovered = &heard.find(only!(Recovered))[0];
    assert_eq!((recovered.report.completed, recovered.missed), (Time::from_millis(1000), 2));
    let report = &heard.find(only!(Stopped))[0];
    assert_eq!((report.last_batch, report.completed_batches), (Some(Time::from_millis(3000)), 2));
}

#[test]
fn a_stop_at_once_says_which_batches_are_not_complete() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let heard = Recorder::on(&test);
    test.input(vec![vec![1], vec![2]]).for_each_rdd(|_, time| {
        if time == Time::from_millis(2000) { Err(Error::user("no")) } else { Ok(()) }
    });
    test.run(1).unwrap();
    test.run(1).unwrap_err();
    test.context().stop().unwrap();
    let report = &heard.find(only!(Stopped))[0];
    assert!(!report.graceful && !report.finished);
    assert_eq!(report.last_batch, Some(Time::from_millis(1000)));
    assert_eq!(report.pending, [Time::from_millis(2000)]);
    assert!(report.error.as_deref().unwrap().contains("no"));
}

#[test]
fn dead_letters_are_counted_before_their_output_is_done() {
    let test = TestContext::new().unwrap();
    let heard = Recorder::on(&test);
    let lines = test.input(vec![vec!["1", "x", "2", "y"], vec!["3"]]);
    let numbers = lines.try_parse(|line| line.parse::<u8>());
    numbers.dead_letter_named("bad", MemorySink::new()).for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    test.run(2).unwrap();
    test.stop();
    let letters = heard.find(only!(DeadLetters));
    assert_eq!(letters.len(), 1, "a batch without letters has no event");
    assert_eq!((&*letters[0].output, letters[0].letters, letters[0].records), ("bad", 2, 4));
    let names = heard.names();
    let place = |name: &str| names.iter().position(|other| other == name);
    assert!(place("DeadLetters") < place("OutputOperationCompleted"));
}

#[test]
fn what_fails_outside_of_outputs_is_told() {
    let test = TestContext::new().unwrap();
    let heard = Recorder::on(&test);
    let input = test.input(vec![vec![1]]);
    input
        .transform(|_, _| -> dstreams_streaming::Rdd<i32> { panic!("no graph") })
        .for_each_rdd(|_, _| Ok(()));
    test.run(1).unwrap_err();
    test.stop();
    let failure = &heard.find(only!(Failure))[0];
    assert_eq!(failure.batch_time, Some(Time::from_millis(1000)));
    assert!(failure.error.contains("no graph"), "{failure:?}");
}

#[test]
fn every_event_can_be_stored_and_told_again() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let heard = Recorder::on(&test);
    counts(&test);
    test.run(2).unwrap();
    test.stop();
    let events = heard.0.lock().unwrap().clone();
    let again = Recorder::default();
    for event in &events {
        let line = serde_json::to_string(event).unwrap();
        again.on_event(&serde_json::from_str(&line).unwrap());
    }
    assert_eq!(*again.0.lock().unwrap(), events);
}

/// Notes for which output each job of the engine runs.
struct Jobs(Mutex<Vec<Option<(i64, usize)>>>);

impl EngineListener for Jobs {
    fn on_event(&self, event: &EngineEvent) {
        if matches!(event, EngineEvent::JobStarted { .. }) {
            let output = running_output().map(|output| (output.batch_time.as_millis(), output.id));
            self.0.lock().unwrap().push(output);
        }
    }
}

#[test]
fn jobs_of_the_engine_belong_to_outputs() {
    let test = TestContext::new().unwrap();
    let jobs = Arc::new(Jobs(Mutex::default()));
    test.context().rdd_context().events().add(Arc::clone(&jobs) as _);
    let input = test.input(vec![vec![1]]);
    input.for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    input.for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    test.run(1).unwrap();
    test.context().rdd_context().parallelize([1]).count().unwrap();
    assert_eq!(*jobs.0.lock().unwrap(), [Some((1000, 0)), Some((1000, 1)), None]);
}
