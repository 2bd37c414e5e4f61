// SPDX-License-Identifier: Apache-2.0
//! What listeners see of jobs, accumulators and broadcast values, and what accumulators count.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorder;

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use dstreams_rdd::{
    RddContext,
    event::{EngineEvent, EngineListener},
    owned_by,
};
use recorder::Recorder;

#[test]
fn accumulators_and_broadcasts_are_visible_by_name() {
    let sc = RddContext::local(1).unwrap();
    let events = Recorder::on(&sc);
    let lines = sc.accumulator("lines", 0, |a, b| *a += b);
    let names = sc.broadcast("names", vec!["a", "b"]);
    let adder = lines.clone();
    sc.parallelize_in(1..=4, 2).for_each(move |_| adder.add(names.len())).unwrap();
    let seen = events.pick(|event| match event {
        EngineEvent::AccumulatorCreated { name, .. } => Some(format!("accumulator {name}")),
        EngineEvent::BroadcastCreated { name, .. } => Some(format!("broadcast {name}")),
        EngineEvent::AccumulatorUpdated { name, value, .. } => Some(format!("{name} = {value}")),
        _ => None,
    });
    assert_eq!(seen, ["accumulator lines", "broadcast names", "lines = 4", "lines = 8"]);
    assert_eq!((lines.name(), lines.value()), ("lines", 8));
}

#[test]
fn a_job_begins_and_ends_around_its_stages_and_tasks() {
    let sc = RddContext::local(1).unwrap();
    let events = Recorder::on(&sc);
    let pairs = sc.parallelize_in([(1, 1), (2, 1), (1, 1)], 2).reduce_by_key(|a, b| a + b);
    assert_eq!(pairs.count().unwrap(), 2);
    assert_eq!(pairs.count().unwrap(), 2);
    let seen = events.pick(|event| {
        Some(match event {
            EngineEvent::JobStarted { job, .. } => format!("job {job}"),
            EngineEvent::StageStarted { stage, shuffle, .. } => {
                format!("stage {stage}{}", if shuffle.is_some() { " of a shuffle" } else { "" })
            }
            EngineEvent::TaskEnded { task, error: None, .. } => format!("task of stage {}", task.stage),
            EngineEvent::StageEnded { stage, error: None, .. } => format!("end of stage {stage}"),
            EngineEvent::JobEnded { job, error: None } => format!("end of job {job}"),
            _ => return None,
        })
    });
    let tasks = pairs.num_partitions();
    let mut expected =
        vec!["job 0", "stage 0 of a shuffle", "task of stage 0", "task of stage 0", "end of stage 0"];
    expected.push("stage 1");
    expected.extend(vec!["task of stage 1"; tasks]);
    // The outputs of the shuffle are used again.
    expected.extend(["end of stage 1", "end of job 0", "job 1", "stage 2"]);
    expected.extend(vec!["task of stage 2"; tasks]);
    expected.extend(["end of stage 2", "end of job 1"]);
    assert_eq!(seen, expected);
}

/// A slow operator is charged with its time, on behalf of whoever made its dataset.
#[test]
fn tasks_say_which_operators_took_their_time() {
    let sc = RddContext::local(1).unwrap();
    let events = Recorder::on(&sc);
    let numbers = owned_by(1, || sc.parallelize_in(1..=4, 1));
    let slow = owned_by(2, || {
        numbers.map(|n: u64| {
            // Long enough to be told from everything else.
            (0..2_000_000_u64).fold(n, |sum, more| std::hint::black_box(sum ^ more))
        })
    });
    assert_eq!(slow.filter(|_| true).count().unwrap(), 4);
    let ends = events.pick(|event| match event {
        EngineEvent::TaskEnded { elapsed, operators, .. } => Some((*elapsed, operators.clone())),
        _ => None,
    });
    let (elapsed, operators) = &ends[0];
    let spent = |operator: &str| operators.iter().find(|time| time.operator == operator).unwrap();
    assert_eq!(
        (spent("map").owner, spent("parallelize").owner, spent("filter").owner),
        (Some(2), Some(1), None)
    );
    assert!(spent("map").spent * 2 > *elapsed, "{operators:?} of {elapsed:?}");
    assert!(operators.iter().map(|time| time.spent).sum::<Duration>() <= *elapsed);
    let names = events.pick(|event| match event {
        EngineEvent::StageStarted { name, .. } => Some(name.clone()),
        _ => None,
    });
    assert_eq!(names, ["filter"]);
}

#[test]
fn a_failed_job_says_why() {
    let sc = RddContext::local(1).unwrap();
    let events = Recorder::on(&sc);
    let error = sc.parallelize([1]).try_map(|_| Err::<u8, _>("no")).collect().unwrap_err();
    let ends = events.pick(|event| match event {
        EngineEvent::StageEnded { error, .. } | EngineEvent::JobEnded { error, .. } => error.clone(),
        _ => None,
    });
    assert_eq!(ends, [error.to_string(), error.to_string()]);
}

#[test]
fn a_removed_listener_hears_no_more() {
    let sc = RddContext::local(1).unwrap();
    let events = Recorder::on(&sc);
    let listener: Arc<dyn EngineListener> = Arc::clone(&events) as _;
    sc.events().remove(&listener);
    assert_eq!(sc.parallelize(1..=3).count().unwrap(), 3);
    assert!(events.pick(|_| Some(())).is_empty());
}

/// Updates in transformations count for every computation.
#[test]
fn a_transformation_counts_again_when_it_is_computed_again() {
    let sc = RddContext::local(2).unwrap();
    let count = sc.accumulator("computed", 0, |a, b| *a += b);
    let adder = count.clone();
    let mapped = sc.parallelize(1..=4).map(move |n| {
        adder.add(1);
        n
    });
    mapped.count().unwrap();
    mapped.count().unwrap();
    assert_eq!(count.value(), 8);
}

/// The workers of two contexts have the same numbers; their updates must not mix.
#[test]
fn a_task_of_another_context_counts_at_once() {
    let (ours, theirs) = (RddContext::local(1).unwrap(), RddContext::local(1).unwrap());
    let sum = ours.accumulator("sum", 0, |a, b| *a += b);
    let (added, counted) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let foreign = {
        let (sum, added, counted) = (sum.clone(), Arc::clone(&added), Arc::clone(&counted));
        thread::spawn(move || {
            theirs.parallelize_in([10], 1).for_each(move |n| {
                sum.add(n);
                added.wait();
                counted.wait();
                panic!("what this task added stays");
            })
        })
    };
    let ours_sum = sum.clone();
    ours.parallelize_in([1], 1)
        .for_each(move |n| {
            added.wait();
            ours_sum.add(n);
            counted.wait();
        })
        .unwrap();
    assert!(foreign.join().unwrap().is_err());
    assert_eq!(sum.value(), 11);
}
