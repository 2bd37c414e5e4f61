// SPDX-License-Identifier: Apache-2.0
//! `write_to`: each partition exactly once, under re-runs, outages and changes of the number of partitions.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dstreams_streaming::{
    Config, State, StateSpec, Time,
    testing::{MemorySink, TestContext},
    time::{milliseconds, seconds},
};

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

/// Runs two batches of numbers in `partitions` partitions into `sink` and returns how many records were computed.
fn run(sink: &MemorySink<i32>, partitions: usize) -> dstreams_streaming::Result<usize> {
    let computed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&computed);
    let test = TestContext::new()?;
    let numbers = test.input_with(vec![Some(vec![1, 2, 3, 4]), Some(vec![5, 6, 7, 8])], partitions);
    let seen = numbers.map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        n
    });
    seen.write_to(sink.clone()).named("numbers");
    test.run(2)?;
    Ok(computed.load(Ordering::Relaxed))
}

/// INVARIANT 16: after a second run.
#[test]
fn a_batch_that_is_run_again_is_neither_written_nor_computed() {
    let sink = MemorySink::new();
    assert_eq!(run(&sink, 2).unwrap(), 8);
    assert_eq!(run(&sink, 2).unwrap(), 0);
    assert_eq!(sink.records(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(sink.begun(), 4);
}

#[test]
fn only_the_partitions_that_the_sink_lacks_are_computed() {
    let sink = MemorySink::new();
    run(&sink, 4).unwrap();
    let (second, last) = (sink.identities()[1].clone(), sink.identities()[7].clone());
    assert_eq!(second.to_string(), "partition 1 of 4 in batch 1000 ms of output numbers of test");
    sink.remove(&second);
    sink.remove(&last);
    assert_eq!(run(&sink, 4).unwrap(), 2);
    assert_eq!(sink.records(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_batch_written_in_part_is_refused_in_another_number_of_partitions() {
    let sink = MemorySink::new();
    run(&sink, 4).unwrap();
    sink.remove(&sink.identities()[1].clone());
    let error = run(&sink, 3).unwrap_err().to_string();
    let expected = "batch 1000 ms of output numbers of test: 3 of 4 partitions were written before, and now the batch has 3; run it with 4 partitions once more, or remove what was written";
    assert!(error.ends_with(expected), "{error}");
    assert_eq!(sink.records(), [1, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_batch_that_is_complete_is_complete_in_any_number_of_partitions() {
    let sink = MemorySink::new();
    run(&sink, 4).unwrap();
    assert_eq!(run(&sink, 3).unwrap(), 0);
    assert_eq!(sink.records(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_partition_without_records_is_committed_too() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    test.input(vec![Vec::<i32>::new()]).write_to(sink.clone());
    test.run(1).unwrap();
    assert_eq!(sink.identities().len(), 2);
}

#[test]
fn a_sink_that_is_down_is_tried_again_with_growing_delays_until_it_is_back() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    test.input(vec![vec![1, 2]]).write_to(sink.clone());
    sink.set_available(false);
    test.context().start().unwrap();
    test.clock().advance(seconds(1));
    let mut next = at(1_000);
    for delay in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
        next += milliseconds(delay);
        test.clock().await_waiter_for(next);
        test.clock().set(next);
    }
    next += seconds(10);
    test.clock().await_waiter_for(next);
    assert!(sink.records().is_empty());
    sink.set_available(true);
    test.clock().set(next);
    test.run(1).unwrap();
    assert_eq!(sink.records(), [1, 2]);
}

#[test]
fn the_retries_end_when_the_configuration_says_so() {
    let mut config = Config::default();
    config.set("dstreams.sink.retryTimeout", "0").unwrap();
    let (sink, test) = (MemorySink::new(), TestContext::with(config, seconds(1)).unwrap());
    test.input(vec![vec![1, 2]]).write_to(sink.clone());
    sink.set_available(false);
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.ends_with("unavailable: the memory sink is down"), "{error}");
}

#[test]
fn a_stop_ends_the_wait_for_a_sink() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    test.input(vec![vec![1, 2]]).write_to(sink.clone());
    sink.set_available(false);
    test.context().start().unwrap();
    test.clock().advance(seconds(1));
    test.clock().await_waiter_for(at(1_100));
    test.context().stop().unwrap();
    assert!(sink.records().is_empty());
}

#[test]
fn an_output_is_known_by_its_name_or_its_place_among_its_kind() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    let numbers = test.input(vec![vec![1]]);
    numbers.for_each_rdd(|_, _| Ok(()));
    let outputs = ["", "named", ""].map(|name| match name {
        "" => numbers.write_to(sink.clone()),
        name => numbers.write_to(sink.clone()).named(name),
    });
    assert_eq!(outputs.each_ref().map(|output| output.id()), ["write_to-1", "named", "write_to-3"]);
}

#[test]
fn two_outputs_of_one_name_do_not_start() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    let numbers = test.input(vec![vec![1]]);
    numbers.write_to(sink.clone()).named("write_to-2");
    numbers.write_to(sink.clone());
    let error = test.context().start().unwrap_err().to_string();
    assert!(error.ends_with("are both called write_to-2; give one of them another name"), "{error}");
}

#[test]
fn an_application_without_a_name_has_no_sinks() {
    let rdd = dstreams_streaming::RddContext::local(1).unwrap();
    let ssc = dstreams_streaming::StreamingContext::with_rdd_context(rdd, Config::default(), seconds(1));
    let ssc = ssc.unwrap();
    ssc.queue_stream(&dstreams_streaming::RddQueue::<i32>::new()).write_to(MemorySink::new());
    let error = ssc.start().unwrap_err().to_string();
    assert!(error.ends_with("set spark.app.name"), "{error}");
}

#[test]
fn what_the_batch_was_made_of_is_kept_with_it() {
    let (sink, test) = (MemorySink::new(), TestContext::new().unwrap());
    test.input(vec![vec![1, 2]]).write_to(sink.clone());
    test.run(1).unwrap();
    assert_eq!(sink.positions()[0], r#"{"0":{"records":2}}"#);
}

#[test]
fn states_advance_in_batches_that_the_sink_has_already() {
    let (mapped, updated) = (MemorySink::new(), MemorySink::new());
    for batches in [2, 4] {
        let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
        let ones = test.input(vec![vec![('t', 1)], vec![('t', 1), ('b', 1)], vec![('t', 1)], vec![('b', 1)]]);
        let spec = StateSpec::function(|word: &char, one: Option<i32>, state: &mut State<'_, i32>| {
            let count = state.get().copied().unwrap_or(0) + one.unwrap_or(0);
            state.update(count);
            (*word, count)
        });
        ones.map_with_state(spec).write_to(mapped.clone()).named("mapped");
        let counts = ones.update_state_by_key(|ones, count| Some(count.unwrap_or(0) + ones.len()));
        counts.write_to(updated.clone()).named("updated");
        test.run(batches).unwrap();
    }
    assert_eq!(mapped.records().iter().map(|(_, count)| count).sum::<i32>(), 1 + 2 + 1 + 3 + 2);
    let mut last = updated.records();
    let mut last = last.split_off(last.len() - 2);
    last.sort_unstable();
    assert_eq!(last, [('b', 2), ('t', 3)]);
}
