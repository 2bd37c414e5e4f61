// SPDX-License-Identifier: Apache-2.0
//! Jobs and tasks: retries and their limit, what errors say, giving up, how many partitions `take` looks at.
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorder;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use dstreams_rdd::{
    Error, RddContext, RddOptions, TaskError, TaskFailure,
    event::{EngineEvent, EngineListener},
};
use parking_lot::Mutex;
use proptest::{collection::vec, prelude::*};
use recorder::Recorder;

fn context(threads: usize, max_task_failures: usize) -> RddContext {
    RddContext::new(RddOptions { threads, max_task_failures, ..RddOptions::default() }).unwrap()
}

fn failure(error: Error) -> TaskFailure {
    match error {
        Error::Task(failure) => failure,
        other => panic!("not a failed task: {other}"),
    }
}

/// INVARIANT 3.
#[test]
fn a_task_is_tried_again_and_its_updates_count_once() {
    let sc = context(2, 3);
    let events = Recorder::on(&sc);
    let sum = sc.accumulator("sum", 0, |a, b| *a += b);
    let (adder, attempts) = (sum.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&attempts);
    sc.parallelize_in(1..=40, 4)
        .for_each(move |n| {
            adder.add(n);
            assert!(n != 25 || seen.fetch_add(1, Ordering::SeqCst) == 2, "not yet");
        })
        .unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(sum.value(), (1..=40).sum::<i32>());
    let mut tried = events.pick(|event| match event {
        EngineEvent::TaskEnded { task, error, .. } => Some((task.partition, task.attempt, error.is_none())),
        _ => None,
    });
    tried.sort_unstable();
    assert_eq!(tried, [(0, 0, true), (1, 0, true), (2, 0, false), (2, 1, false), (2, 2, true), (3, 0, true)]);
}

/// A task can fail after its result is there: what is wrong with its input shows when user code has returned.
#[test]
fn a_task_that_is_tried_again_leaves_one_result() {
    let sc = context(2, 2);
    let failures = AtomicUsize::new(0);
    let records = sc.parallelize_in(0..4, 2).try_map(move |n| {
        if n == 3 && failures.fetch_add(1, Ordering::SeqCst) == 0 { Err("not yet") } else { Ok(n) }
    });
    let seen = sc.accumulator("seen", 0, |a, b| *a += b);
    let adder = seen.clone();
    let written = records.for_each_partition(move |_, records| {
        records.for_each(|n| adder.add(n));
        Ok::<(), std::io::Error>(())
    });
    written.unwrap();
    assert_eq!(seen.value(), 6);
    assert_eq!(records.map_partitions(|records| [records.count()]).collect().unwrap(), [2, 2]);
}

/// INVARIANT 6.
#[test]
fn the_error_says_what_failed_where_and_how_often() {
    let sc = context(1, 3);
    let records = sc.parallelize_in(0..4, 4).try_map(|n| if n == 2 { Err("bad record") } else { Ok(n) });
    let rdd = records.id().0;
    let error = records.named("parser").collect().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Job aborted due to stage failure: Task 2 in stage 0 failed 3 times, most recent failure: \
             parser (try_map rdd {rdd}): bad record"
        )
    );
    let failure = failure(error);
    assert_eq!((failure.task.partition, failure.task.attempt, failure.attempts), (2, 2, 3));
    assert!(matches!(*failure.cause, TaskError::User(_)));
}

/// INVARIANT 12.
#[test]
fn a_panic_is_an_error_of_its_task() {
    let sc = context(2, 1);
    let records = sc.parallelize_in([1, 0, 4], 3).map(|n| 8 / n).map(|n| n + 1);
    let failure = failure(records.collect().unwrap_err());
    assert!(matches!(&*failure.cause, TaskError::Panic(text) if text == "attempt to divide by zero"));
    assert!(failure.operator.starts_with("map (rdd "), "{}", failure.operator);
    assert_ne!(failure.operator, records.lineage().to_string(), "the second map is not to blame");
    assert_eq!((failure.task.partition, failure.task.attempt), (1, 0));
    assert_eq!(sc.parallelize(1..=3).count().unwrap(), 3, "the workers go on");
}

#[test]
fn an_action_inside_a_task_is_refused() {
    let sc = context(1, 1);
    let inner = sc.parallelize(1..=3);
    let error = sc.parallelize(1..=3).try_map(move |_| inner.count()).collect().unwrap_err();
    let failure = failure(error);
    let TaskError::User(cause) = &*failure.cause else { panic!("{failure}") };
    assert!(matches!(cause.downcast_ref::<Error>(), Some(Error::NestedAction)));
}

#[test]
fn a_stopped_context_runs_no_jobs() {
    let sc = context(1, 1);
    let records = sc.parallelize(1..=3);
    sc.stop();
    assert!(sc.is_stopped());
    assert!(matches!(records.collect(), Err(Error::Stopped)));
}

#[test]
fn a_context_is_the_same_as_its_clones_only() {
    let (one, other) = (context(1, 1), context(1, 1));
    assert!(one.is_same(&one.clone()));
    assert!(!one.is_same(&other));
}

#[test]
fn one_task_runs_on_the_thread_that_waits_for_it() {
    let here = |sc: &RddContext, tasks| {
        let this_thread = thread::current().id();
        let threads = sc.parallelize_in(0..tasks, tasks).map(|_| thread::current().id()).collect().unwrap();
        threads.into_iter().filter(|thread| *thread == this_thread).count()
    };
    let sc = context(2, 1);
    assert_eq!([1, 2].map(|tasks| here(&sc, tasks)), [1, 1]);
    // Which has to try the others again, if need be.
    let sc = context(2, 3);
    assert_eq!([1, 2].map(|tasks| here(&sc, tasks)), [1, 0]);
}

/// Two jobs of a task each on the one slot: the second, begun while the first runs, waits for its end.
#[test]
fn no_more_tasks_run_than_there_are_slots_whatever_thread_they_are_on() {
    let sc = context(1, 1);
    let (tell, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let (first, counted) = (sc.clone(), Arc::clone(&ended));
    let (tell, gone) = (Mutex::new(tell), Mutex::new(gone));
    let first = thread::spawn(move || {
        first.parallelize_in(0..1, 1).for_each(move |_| {
            tell.lock().send(()).unwrap();
            gone.lock().recv().unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
        })
    });
    begun.recv().unwrap();
    // The first task goes on when the stage of the second job has begun.
    sc.events().add(Arc::new(OnStage(Mutex::new(go))));
    let seen = sc.parallelize_in(0..1, 1).map(move |_| ended.load(Ordering::SeqCst)).collect();
    first.join().unwrap().unwrap();
    assert_eq!(seen.unwrap(), [1]);
}

/// Both slots are taken by threads that are no workers, so that what is queued waits, and both workers.
#[test]
fn a_stop_finishes_what_is_queued_and_ends_all_workers() {
    let sc = context(2, 1);
    let (tell, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Arc::new(Mutex::new(gone));
    let alone: Vec<_> = (0..2)
        .map(|_| {
            let (sc, tell, gone) = (sc.clone(), Mutex::new(tell.clone()), Arc::clone(&gone));
            thread::spawn(move || {
                sc.parallelize_in(0..1, 1).for_each(move |_| {
                    tell.lock().send(()).unwrap();
                    gone.lock().recv().unwrap();
                })
            })
        })
        .collect();
    begun.recv().unwrap();
    begun.recv().unwrap();
    let (queued, submitted) = mpsc::channel();
    sc.events().add(Arc::new(OnStage(Mutex::new(queued))));
    let behind = sc.clone();
    let behind = thread::spawn(move || behind.parallelize_in(0..3, 3).count());
    submitted.recv().unwrap();
    let stopping = sc.clone();
    let stopping = thread::spawn(move || stopping.stop());
    while !sc.is_stopped() {
        thread::yield_now();
    }
    go.send(()).unwrap();
    go.send(()).unwrap();
    for thread in alone {
        thread.join().unwrap().unwrap();
    }
    // What was queued before the stop is done, or the stop was first.
    assert!(matches!(behind.join().unwrap(), Ok(3) | Err(Error::Stopped)));
    stopping.join().unwrap();
}

/// Says when a stage begins.
struct OnStage(Mutex<mpsc::Sender<()>>);

impl EngineListener for OnStage {
    fn on_event(&self, event: &EngineEvent) {
        if matches!(event, EngineEvent::StageStarted { .. }) {
            // Nobody waits for those after the first.
            let _ = self.0.lock().send(());
        }
    }
}

/// One partition first; then four times as many while nothing is found, otherwise half as many again as the density
/// asks for.
#[test]
fn take_looks_at_more_partitions_step_by_step() {
    let sc = context(2, 1);
    let events = Recorder::on(&sc);
    let jobs = |from: usize| {
        events.pick(|event| match event {
            EngineEvent::JobStarted { partitions, .. } => Some(*partitions),
            _ => None,
        })[from..]
            .to_vec()
    };
    let full = sc.parallelize_in(0..100, 100);
    assert_eq!(full.take(10).unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(jobs(0), [1, 4, 8]);
    assert!(full.filter(|n| *n < 0).take(1).unwrap().is_empty());
    assert_eq!(jobs(3), [1, 4, 20, 75]);
    assert_eq!(full.filter(|n| *n >= 3).take(2).unwrap(), [3, 4]);
    assert_eq!(jobs(7), [1, 4]);
    assert!(full.take(0).unwrap().is_empty());
    assert_eq!(jobs(9), [0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn narrow_operations_keep_the_order(records in vec(any::<u8>(), 0..3000), partitions in 1..8_usize) {
        let sc = context(2, 1);
        let out = sc
            .parallelize_in(records.clone(), partitions)
            .map(u32::from)
            .filter(|n| n % 3 != 0)
            .flat_map(|n| vec![n; (n % 4) as usize])
            .map_partitions(|records| records.map(|n| n + 1))
            .collect()
            .unwrap();
        let expected: Vec<u32> = records
            .into_iter()
            .map(u32::from)
            .filter(|n| n % 3 != 0)
            .flat_map(|n| vec![n + 1; (n % 4) as usize])
            .collect();
        prop_assert_eq!(out, expected);
    }
}

#[test]
fn a_failing_task_ends_the_others() {
    let sc = context(2, 1);
    let events = Recorder::on(&sc);
    // Either of them on the thread of the job.
    for which in [[true, false], [false, true]] {
        let endless = sc.parallelize_in(which, 2).flat_map(|endless| {
            assert!(endless, "this one fails");
            0_u64..
        });
        let failure = failure(endless.count().unwrap_err());
        assert!(matches!(&*failure.cause, TaskError::Panic(text) if text == "this one fails"));
    }
    let ended = events.pick(|event| match event {
        EngineEvent::TaskEnded { error, .. } => error.clone(),
        _ => None,
    });
    let given_up = ended.iter().filter(|error| error.ends_with("cancelled: its job was given up")).count();
    assert_eq!((ended.len(), given_up), (4, 2), "{ended:?}");
}

#[test]
fn running_jobs_can_be_given_up() {
    let sc = context(1, 4);
    let (started, begin) = mpsc::channel();
    let endless = sc.parallelize_in([()], 1).flat_map(move |()| {
        started.send(()).unwrap();
        0_u64..
    });
    let job = thread::spawn(move || endless.count());
    begin.recv().unwrap();
    sc.cancel_all_jobs();
    let failure = failure(job.join().unwrap().unwrap_err());
    assert!(matches!(*failure.cause, TaskError::Cancelled));
    assert_eq!(sc.parallelize(1..=3).count().unwrap(), 3, "later jobs run");
}

#[test]
fn code_that_iterates_a_partition_never_takes_a_part_of_it_for_the_whole() {
    let sc = RddContext::local(2).unwrap();
    let committed = Arc::new(AtomicUsize::new(0));
    let commits = Arc::clone(&committed);
    let records =
        sc.parallelize_in(0..10_000, 1).try_map(|n| if n == 7_000 { Err("no such record") } else { Ok(n) });
    let error = records
        .for_each_partition(move |_, records| {
            // A transaction that is committed after the last record.
            assert!(records.count() > 0);
            commits.fetch_add(1, Ordering::Relaxed);
            Ok::<(), std::io::Error>(())
        })
        .unwrap_err();
    assert!(error.to_string().contains("try_map") && error.to_string().contains("no such record"), "{error}");
    assert_eq!(committed.load(Ordering::Relaxed), 0);
}
