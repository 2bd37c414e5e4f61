// SPDX-License-Identifier: Apache-2.0
//! What is kept of batches, jobs and receivers, and that it stays within its bounds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use dstreams_monitor::{EngineStep, Event, Limits, Phase, Store};
use dstreams_streaming::{
    InputInfo, StreamId, Time,
    event::{BatchInfo, ReceiverInfo, StreamingEvent},
};
use proptest::prelude::*;

const fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn batch(time: i64, start: Option<i64>, end: Option<i64>) -> BatchInfo {
    let described = BTreeMap::from([(InputInfo::DESCRIPTION.to_owned(), "test".to_owned())]);
    let inputs = BTreeMap::from([
        (StreamId(0), InputInfo::of_records(300)),
        (StreamId(1), InputInfo { records: 300, metadata: described }),
    ]);
    BatchInfo {
        batch_time: at(time),
        inputs,
        submission_time: at(1000),
        processing_start_time: start.map(at),
        processing_end_time: end.map(at),
        output_operations: BTreeMap::new(),
    }
}

fn receiver(id: usize) -> ReceiverInfo {
    ReceiverInfo {
        stream_id: StreamId(id),
        name: format!("test-{id}"),
        active: true,
        location: "localhost".to_owned(),
        executor_id: "0".to_owned(),
        last_error_message: String::new(),
        last_error: String::new(),
        last_error_time: None,
    }
}

fn job(job: u64, batch: i64, output: usize) -> Event {
    Event::Engine(EngineStep::JobStarted { job, batch: at(batch), output, time: at(batch) })
}

fn tell(store: &mut Store, event: StreamingEvent) {
    store.apply(Event::Streaming(event));
}

#[test]
fn life_cycle_of_one_batch() {
    let mut store = Store::new(Limits::default());
    let counts =
        |store: &Store| [Phase::Waiting, Phase::Running, Phase::Completed].map(|phase| store.count(phase));
    tell(&mut store, StreamingEvent::StreamingStarted(at(100)));
    assert_eq!(store.started(), Some(at(100)));

    tell(&mut store, StreamingEvent::BatchSubmitted(batch(1000, None, None)));
    assert_eq!(counts(&store), [1, 0, 0]);
    assert_eq!(store.last_received().map(|batch| batch.time()), Some(at(1000)));
    assert!(store.last_completed().is_none());
    assert_eq!((store.totals().received_records, store.totals().processed_records), (0, 0));

    tell(&mut store, StreamingEvent::BatchStarted(batch(1000, Some(2000), None)));
    assert_eq!(counts(&store), [0, 1, 0]);
    assert_eq!((store.totals().received_records, store.totals().processed_records), (600, 0));

    for (output, number) in [(0, 0), (0, 1), (1, 2), (1, 3)] {
        store.apply(job(number, 1000, output));
    }
    let known = store.batch(at(1000)).unwrap();
    assert_eq!(known.records(), 600);
    assert_eq!([0, 1, 3].map(|id| known.records_of(StreamId(id))), [300, 300, 0]);
    assert_eq!(known.info.inputs[&StreamId(1)].metadata[InputInfo::DESCRIPTION], "test");
    assert_eq!(store.jobs_of(at(1000)), [(0, 0), (0, 1), (1, 2), (1, 3)]);

    tell(&mut store, StreamingEvent::BatchCompleted(batch(1000, Some(2000), Some(2500))));
    assert_eq!(counts(&store), [0, 0, 1]);
    assert_eq!(store.last_completed().map(|batch| batch.time()), Some(at(1000)));
    assert_eq!(store.totals().completed_batches, 1);
    assert_eq!((store.totals().received_records, store.totals().processed_records), (600, 600));
    // What was known of its jobs stays.
    assert_eq!(store.jobs_of(at(1000)).len(), 4);

    tell(&mut store, StreamingEvent::ReceiverStarted(receiver(0)));
    tell(&mut store, StreamingEvent::ReceiverError(receiver(1)));
    tell(&mut store, StreamingEvent::ReceiverStopped(receiver(2)));
    assert_eq!(store.receivers().keys().map(|id| id.0).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn retained_batches() {
    let mut store = Store::new(Limits::default());
    for time in 0..1010 {
        tell(&mut store, StreamingEvent::BatchCompleted(batch(time * 1000, Some(2000), Some(2500))));
    }
    assert_eq!(store.count(Phase::Completed), 1000);
    assert_eq!(store.totals().completed_batches, 1010);
    assert!(store.batch(at(9_000)).is_none() && store.batch(at(10_000)).is_some());
}

#[test]
fn a_job_may_start_before_its_batch_is_heard_of() {
    let mut store = Store::new(Limits::default());
    store.apply(job(7, 1000, 0));
    store.apply(Event::Engine(EngineStep::StageStarted {
        job: 7,
        stage: 1,
        name: "map".to_owned(),
        shuffle: false,
        tasks: 2,
        time: at(1000),
    }));
    tell(&mut store, StreamingEvent::BatchSubmitted(batch(1000, None, None)));
    assert_eq!(store.jobs_of(at(1000)), [(0, 7)]);
    assert_eq!(store.batch(at(1000)).unwrap().stages().count(), 1);
}

#[test]
fn jobs_of_forgotten_batches_do_not_add_up() {
    let mut store = Store::new(Limits { batches: 20, ..Limits::default() });
    for number in 0..5_000_u64 {
        let time = i64::try_from(number).unwrap();
        store.apply(job(number, time, 0));
    }
    assert!(store.unfinished_jobs() <= 10, "{}", store.unfinished_jobs());
}

#[test]
fn jobs_that_start_for_batches_long_forgotten_are_bounded_too() {
    let mut store = Store::new(Limits { batches: 20, ..Limits::default() });
    let entries = |store: &Store| {
        let known = store.batches().filter(|batch| !batch.jobs.is_empty()).count();
        let phases = [Phase::Waiting, Phase::Running, Phase::Completed];
        (known + store.unfinished_jobs(), phases.iter().map(|phase| store.count(*phase)).sum::<usize>() + 10)
    };
    // Completed batches beyond the limit, and as many that wait or run.
    for number in 0..40_u64 {
        let time = i64::try_from(number).unwrap() * 1000;
        tell(&mut store, StreamingEvent::BatchSubmitted(batch(time, None, None)));
        store.apply(job(number, time, 0));
        store.apply(Event::Engine(EngineStep::JobEnded { job: number, time: at(time), error: None }));
        tell(&mut store, StreamingEvent::BatchCompleted(batch(time, Some(time), Some(time))));
    }
    for time in [40_000, 41_000] {
        tell(&mut store, StreamingEvent::BatchSubmitted(batch(time, None, None)));
    }
    tell(&mut store, StreamingEvent::BatchStarted(batch(40_000, Some(40_000), None)));
    // Jobs of batches that are not kept any more, and of ones that never were.
    for number in 0..500_u64 {
        store.apply(job(1000 + number, i64::try_from(number % 25).unwrap() * 500, 0));
        let (held, bound) = entries(&store);
        assert!(held <= bound, "{held} after {number}, more than {bound}");
    }
    assert_eq!((store.count(Phase::Completed), store.jobs_of(at(0)).len()), (20, 0));
}

#[test]
fn jobs_and_stages_are_kept_for_the_newest_batches() {
    let mut store = Store::new(Limits { jobs: 50, ..Limits::default() });
    for number in 0..100_u64 {
        let time = i64::try_from(number).unwrap() * 1000;
        tell(&mut store, StreamingEvent::BatchSubmitted(batch(time, None, None)));
        for part in 0..5 {
            store.apply(job(number * 5 + part, time, 0));
            store.apply(Event::Engine(EngineStep::JobEnded {
                job: number * 5 + part,
                time: at(time),
                error: None,
            }));
        }
        tell(&mut store, StreamingEvent::BatchCompleted(batch(time, Some(time), Some(time))));
    }
    let kept: usize = store.batches().map(|batch| batch.jobs.len()).sum();
    assert_eq!(kept, 50);
    assert_eq!(store.count(Phase::Completed), 100);
    assert!(store.batch(at(0)).unwrap().forgotten_jobs);
}

proptest! {
    /// Whatever comes in whatever order, nothing grows without bound, and every batch is in one phase.
    #[test]
    fn bounds_hold_whatever_happens(steps in prop::collection::vec((0..5_u8, 0..40_i64, 0..30_u64), 0..400)) {
        let limits = Limits { batches: 10, jobs: 15, stages: 15 };
        let mut store = Store::new(limits);
        for (kind, time, number) in steps {
            match kind {
                0 => tell(&mut store, StreamingEvent::BatchSubmitted(batch(time, None, None))),
                1 => tell(&mut store, StreamingEvent::BatchStarted(batch(time, Some(time), None))),
                2 => tell(&mut store, StreamingEvent::BatchCompleted(batch(time, Some(time), Some(time)))),
                3 => store.apply(job(number, time, 0)),
                _ => store.apply(Event::Engine(EngineStep::JobEnded { job: number, time: at(time), error: None })),
            }
            prop_assert!(store.count(Phase::Completed) <= limits.batches);
            let open = store.count(Phase::Waiting) + store.count(Phase::Running);
            let completed = store.count(Phase::Completed);
            prop_assert_eq!(store.batches().count(), open + completed);
            prop_assert!(store.batches().all(|batch| batch.jobs.len() <= limits.jobs));
        }
    }
}
