// SPDX-License-Identifier: Apache-2.0
//! `MapWithStateSuite` and `MapWithStateRDDSuite` of the original, and what ours promises beyond them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use dstreams_streaming::{
    ArcPartitioner, Config, Duration, Error, HashPartitioner, RddContext, State, StateSpec, Time,
    testing::{Collected, TestContext, lineage},
    time::{milliseconds, seconds},
};

type Spec<M> = StateSpec<char, i32, i32, M>;

fn context() -> TestContext {
    TestContext::new().unwrap().with_checkpoint_dir().unwrap()
}

/// The input of the suite: each letter with a one.
fn letters(batches: &[&str]) -> Vec<Vec<(char, i32)>> {
    batches.iter().map(|batch| batch.chars().map(|letter| (letter, 1)).collect()).collect()
}

fn sorted<T: Clone + Ord>(seen: &Collected<T>) -> Vec<Vec<T>> {
    let mut batches = seen.batches();
    for batch in &mut batches {
        batch.sort();
    }
    batches
}

type Outcome<M> = (Vec<Vec<M>>, Vec<Vec<(char, i32)>>);

/// What a spec makes of a batch for each text, and the states after each of them.
fn outcome<M: dstreams_streaming::Wire + Ord>(spec: Spec<M>, batches: &[&str]) -> Outcome<M> {
    let test = context();
    let mapped = test.input(letters(batches)).map_with_state(spec);
    let (out, states) = (test.collect(&mapped), test.collect(&mapped.state_snapshots()));
    test.run(batches.len()).unwrap();
    (sorted(&out), sorted(&states))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is the signature of a mapping function")]
fn running_sum(_: &char, n: Option<i32>, sum: &mut State<'_, i32>) -> i32 {
    let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
    sum.update(total);
    total
}

const LETTERS: [&str; 7] = ["", "a", "ab", "abc", "ab", "a", ""];

fn running_sums() -> Vec<Vec<(char, i32)>> {
    vec![
        vec![],
        vec![('a', 1)],
        vec![('a', 2), ('b', 1)],
        vec![('a', 3), ('b', 2), ('c', 1)],
        vec![('a', 4), ('b', 3), ('c', 1)],
        vec![('a', 5), ('b', 3), ('c', 1)],
        vec![('a', 5), ('b', 3), ('c', 1)],
    ]
}

#[test]
fn basic_operations_with_simple_api() {
    let (sums, states) = outcome(StateSpec::function(running_sum), &LETTERS);
    assert_eq!(sums, [vec![], vec![1], vec![1, 2], vec![1, 2, 3], vec![3, 4], vec![5], vec![]]);
    assert_eq!(states, running_sums());
}

#[test]
fn basic_operations_with_advanced_api() {
    let double = |_: Time, key: &char, n: Option<i32>, sum: &mut State<'_, i32>| {
        running_sum(key, n, sum);
        Some(format!("{key}{key}"))
    };
    let (doubled, states) = outcome(StateSpec::function_at(double), &LETTERS);
    assert_eq!(doubled[3], ["aa", "bb", "cc"]);
    assert_eq!(doubled[6], [""; 0]);
    assert_eq!(states, running_sums());
}

#[test]
fn states_as_mapped_data() {
    let spec =
        StateSpec::function(|key: &char, n, sum: &mut State<'_, i32>| (*key, running_sum(key, n, sum)));
    let (mapped, _) = outcome(spec, &LETTERS);
    assert_eq!(mapped[3..5], [vec![('a', 3), ('b', 2), ('c', 1)], vec![('a', 4), ('b', 3)]]);
}

#[test]
fn initial_states_with_nothing_returned_from_the_mapping_function() {
    let test = context();
    let first = [('a', 5), ('b', 10), ('c', -20), ('d', 0)];
    let first = test.context().rdd_context().parallelize(first);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let spec = StateSpec::function_at(move |_, key: &char, n, sum: &mut State<'_, i32>| {
        counted.fetch_add(1, Ordering::Relaxed);
        running_sum(key, n, sum);
        None::<()>
    });
    let mapped = test.input(letters(&LETTERS)).map_with_state(spec.initial_state(first));
    let (out, states) = (test.collect(&mapped), test.collect(&mapped.state_snapshots()));
    test.run(7).unwrap();
    assert!(out.batches().iter().all(Vec::is_empty));
    let states = sorted(&states);
    assert_eq!(states[0], [('a', 5), ('b', 10), ('c', -20), ('d', 0)]);
    assert_eq!(states[3], [('a', 8), ('b', 12), ('c', -19), ('d', 0)]);
    assert_eq!(states[6], [('a', 10), ('b', 13), ('c', -19), ('d', 0)]);
    assert_eq!(calls.load(Ordering::Relaxed), 9, "once for each record, and for no initial state");
}

#[test]
fn state_removing() {
    let toggle = |_: Time, key: &char, _: Option<i32>, state: &mut State<'_, i32>| {
        if state.exists() {
            state.remove();
            return Some(*key);
        }
        state.update(1);
        None
    };
    let spec = || StateSpec::function_at(toggle).partitions(1);
    let (removed, states) = outcome(spec(), &["", "a", "ab", "abc", "abc", "ab", "a", ""]);
    assert_eq!(removed, [vec![], vec![], vec!['a'], vec!['b'], vec!['a', 'c'], vec!['b'], vec!['a'], vec![]]);
    let expected = ["", "a", "b", "ac", "b", "a", "", ""]
        .map(|keys| keys.chars().map(|key| (key, 1)).collect::<Vec<_>>());
    assert_eq!(states, expected);
    let (removed, states) = outcome(spec(), &["aaa"]);
    assert_eq!((removed, states), (vec![vec!['a']], vec![vec![('a', 1)]]), "records see those before them");
}

/// Tells who times out and when.
fn timing_out(timeout: Duration) -> Spec<(char, i64)> {
    let f = |time: Time, key: &char, n: Option<i32>, state: &mut State<'_, i32>| {
        assert_eq!(n.is_none(), state.is_timing_out());
        if !state.is_timing_out() {
            state.update(1);
            return None;
        }
        Some((*key, time.as_millis()))
    };
    StateSpec::function_at(f).timeout(timeout)
}

/// INVARIANT 15. In the original, `b` and `c` go in the batch at 10 s, the first that is checkpointed.
#[test]
fn state_timing_out_in_the_first_batch_after_it_is_due() {
    let mut batches = vec!["abc", "ab", "a", "", ""];
    batches.resize(20, "a");
    let (out, states) = outcome(timing_out(seconds(3)), &batches);
    let out: Vec<_> = out.into_iter().flatten().collect();
    assert_eq!(out, [('c', 5000), ('b', 6000)], "each once");
    assert_eq!(states[3], [('a', 1), ('b', 1), ('c', 1)]);
    assert_eq!(states[4], [('a', 1), ('b', 1)]);
    assert!(states[5..].iter().all(|states| *states == [('a', 1)]));
}

#[test]
fn records_of_the_batch_come_before_timeouts() {
    let (out, _) = outcome(timing_out(seconds(1)), &["ab", "", "a", "", ""]);
    assert_eq!(out, [vec![], vec![], vec![('b', 3000)], vec![], vec![('a', 5000)]]);
}

#[test]
fn with_a_timeout_being_read_keeps_a_key() {
    let spec = StateSpec::function_at(|_, key: &char, _, state: &mut State<'_, i32>| {
        if state.is_timing_out() {
            return Some(*key);
        }
        if !state.exists() {
            state.update(1);
        }
        None
    });
    let (out, _) = outcome(spec.timeout(seconds(1)), &["ab", "a", "a", "a", "", ""]);
    assert_eq!(out, [vec![], vec![], vec!['b'], vec![], vec![], vec!['a']]);
}

#[test]
fn initial_states_count_as_used_in_the_first_batch() {
    let test = context();
    let first = test.context().rdd_context().parallelize([('z', 1)]);
    let spec = timing_out(seconds(1)).initial_state(first);
    let out = test.collect(&test.input(letters(&[])).map_with_state(spec));
    test.run(4).unwrap();
    assert_eq!(out.batches(), [vec![], vec![], vec![('z', 3000)], vec![]]);
}

#[test]
fn a_key_that_timed_out_starts_anew() {
    let (_, states) = outcome(
        StateSpec::function(running_sum_unless_idle).timeout(seconds(1)),
        &["a", "a", "", "", "a", "", "", ""],
    );
    let sums: Vec<_> = states.iter().map(|states| states.first().map_or(0, |(_, sum)| *sum)).collect();
    assert_eq!(sums, [1, 2, 2, 0, 1, 1, 0, 0]);
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is the signature of a mapping function")]
fn running_sum_unless_idle(key: &char, n: Option<i32>, sum: &mut State<'_, i32>) {
    if !sum.is_timing_out() {
        running_sum(key, n, sum);
    }
}

/// One record on a key with state `before`: the state after it.
fn step(before: Option<i32>, f: fn(&mut State<'_, i32>)) -> Option<i32> {
    let test = context();
    let first = test.context().rdd_context().parallelize(before.map(|state| ('k', state)));
    let spec = StateSpec::function(move |_: &char, _: Option<i32>, state: &mut State<'_, i32>| f(state));
    let mapped = test.input(letters(&["k"])).map_with_state(spec.initial_state(first));
    let states = test.collect(&mapped.state_snapshots());
    test.run(1).unwrap();
    states.batches().remove(0).pop().map(|(_, state)| state)
}

#[test]
fn updating_one_record() {
    let increment = |state: &mut State<'_, i32>| state.update(state.get().map_or(0, |n| n + 1));
    assert_eq!(step(Some(0), |_| ()), Some(0));
    assert_eq!(step(None, |_| ()), None);
    assert_eq!(step(None, increment), Some(0));
    assert_eq!(step(Some(0), increment), Some(1));
    assert_eq!(step(Some(345), |state| state.remove()), None);
}

#[test]
fn checkpoint_intervals() {
    for (batch, explicit, expected) in
        [(100, None, 1000), (1000, None, 10_000), (10_000, None, 100_000), (1000, Some(2000), 2000)]
    {
        let test = TestContext::with(Config::default(), milliseconds(batch)).unwrap();
        let mut mapped = test.input(letters(&[])).map_with_state(StateSpec::function(running_sum));
        if let Some(interval) = explicit {
            mapped = mapped.checkpoint(milliseconds(interval));
        }
        assert_eq!(lineage(&mapped)[0].checkpoint, Some(milliseconds(expected)));
    }
}

#[test]
fn without_a_checkpoint_directory_the_context_does_not_start() {
    let test = TestContext::new().unwrap();
    let _seen = test.collect(&test.input(letters(&["a"])).map_with_state(StateSpec::function(running_sum)));
    let Error::IllegalArgument(message) = test.run(1).unwrap_err() else { panic!("another error") };
    assert!(message.starts_with("The checkpoint directory has not been set."), "{message}");
}

#[test]
fn a_timeout_that_is_not_positive_is_refused() {
    let test = context();
    let spec = StateSpec::function(running_sum).timeout(Duration::ZERO);
    let _seen = test.collect(&test.input(letters(&["a"])).map_with_state(spec));
    assert!(test.run(1).unwrap_err().to_string().contains("longer than zero"));
}

#[test]
fn the_partitions_are_those_asked_for() {
    let by_hash: ArcPartitioner<char> = Arc::new(HashPartitioner::new(5));
    for (spec, partitions) in [
        (StateSpec::function(running_sum).partitions(3), 3),
        (StateSpec::function(running_sum).partitioner(by_hash), 5),
        (StateSpec::function(running_sum), 2),
    ] {
        let test = context();
        let seen = test.collect(&test.input(letters(&["abc"])).map_with_state(spec).glom());
        test.run(1).unwrap();
        assert_eq!(seen.batches()[0].len(), partitions);
    }
}

#[test]
fn a_batch_without_a_dataset_has_no_records() {
    let test = context();
    let input = vec![None, Some(vec![('a', 1)]), None, Some(vec![('a', 1)])];
    let mapped = test.input_with(input, 2).map_with_state(StateSpec::function(running_sum));
    let (out, states) = (test.collect(&mapped), test.collect(&mapped.state_snapshots()));
    test.run(4).unwrap();
    assert_eq!(out.batches(), [vec![], vec![1], vec![], vec![2]]);
    assert_eq!(states.batches(), [vec![], vec![('a', 1)], vec![('a', 1)], vec![('a', 2)]]);
}

#[test]
fn outputs_and_jobs_share_one_application_of_a_batch() {
    let test = context();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let spec = StateSpec::function(move |key: &char, n, sum: &mut State<'_, i32>| {
        counted.fetch_add(1, Ordering::Relaxed);
        running_sum(key, n, sum)
    });
    let mapped = test.input(letters(&["ab", "a"])).map_with_state(spec);
    mapped.for_each_rdd(|rdd, _| {
        // A job for a part of the partitions, and one for all of them.
        rdd.take(1)?;
        rdd.count()?;
        Ok(())
    });
    let (one, two) = (test.collect(&mapped), test.collect(&mapped.map(|n| n * 10)));
    test.run(2).unwrap();
    assert_eq!((sorted(&one), sorted(&two)), (vec![vec![1, 1], vec![2]], vec![vec![10, 10], vec![20]]));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[test]
fn batches_that_no_job_wanted_are_applied_before_the_next() {
    let test = context();
    let mapped = test.input(letters(&["a", "a", "ab", "b"])).map_with_state(StateSpec::function(running_sum));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let results = Arc::clone(&seen);
    mapped.for_each_rdd(move |rdd, time| {
        if time.as_millis() == 4000 {
            *results.lock().unwrap() = rdd.collect()?;
        }
        Ok(())
    });
    test.run(4).unwrap();
    assert_eq!(*seen.lock().unwrap(), [2]);
}

#[test]
fn windows_of_snapshots_see_each_version() {
    let test = context();
    let mapped = test.input(letters(&["a", "a", "ab", "a"])).map_with_state(StateSpec::function(running_sum));
    let states = test.collect(&mapped.state_snapshots().window_with(seconds(4), seconds(4)));
    let sums = test.collect(&mapped.window_with(seconds(4), seconds(2)));
    test.run(4).unwrap();
    let expected = [('a', 1), ('a', 2), ('a', 3), ('a', 4), ('b', 1), ('b', 1)];
    assert_eq!(sorted(&states), [expected]);
    assert_eq!(sorted(&sums), [vec![1, 2], vec![1, 1, 2, 3, 4]]);
}

#[test]
fn snapshots_can_be_read_later_and_in_any_order() {
    let test = context();
    let mapped = test.input(letters(&["a", "a", "ab", "a"])).map_with_state(StateSpec::function(running_sum));
    let snapshots = Mutex::new(Vec::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let results = Arc::clone(&seen);
    mapped.state_snapshots().for_each_rdd(move |rdd, _| {
        let mut snapshots = snapshots.lock().unwrap();
        snapshots.push(rdd.clone());
        if snapshots.len() == 4 {
            for rdd in snapshots.iter().rev() {
                let mut states = rdd.collect()?;
                states.sort_unstable();
                results.lock().unwrap().push(states);
            }
        }
        Ok(())
    });
    test.run(4).unwrap();
    let expected = [vec![('a', 4), ('b', 1)], vec![('a', 3), ('b', 1)], vec![('a', 2)], vec![('a', 1)]];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn lineage_does_not_grow() {
    let test = context();
    let mapped = test.input(letters(&["a"; 30])).map_with_state(StateSpec::function(running_sum));
    mapped.for_each_rdd(|rdd, _| {
        rdd.count()?;
        assert!(rdd.lineage().dependencies().is_empty());
        Ok(())
    });
    test.run(30).unwrap();
}

#[test]
fn misuse_fails_the_batch_with_the_text_of_the_original_and_changes_nothing() {
    let test = context();
    let poisoned = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&poisoned);
    let spec = StateSpec::function(move |key: &char, n, sum: &mut State<'_, i32>| {
        if *key == 'x' && switch.load(Ordering::Relaxed) {
            sum.remove();
            sum.update(1);
        }
        running_sum(key, n, sum)
    });
    let mapped = test.input(letters(&["a", "aax", "a"])).map_with_state(spec.partitions(1));
    let states = test.collect(&mapped.state_snapshots());
    test.run(1).unwrap();
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.contains("Cannot update the state after it has been removed"), "{error}");
    poisoned.store(false, Ordering::Relaxed);
    // The first error stays the result of the run.
    test.run(1).unwrap_err();
    // The batch that failed is applied with the next one, as everything that a later batch depends on.
    assert_eq!(sorted(&states), [vec![('a', 1)], vec![('a', 4), ('x', 1)]]);
}

#[test]
fn concurrent_jobs_see_their_own_versions() {
    let mut config = Config::default();
    config.set("spark.streaming.concurrentJobs", "3").unwrap();
    let rdd = RddContext::local(2).unwrap();
    let test = TestContext::on(rdd, config, seconds(1)).unwrap().with_checkpoint_dir().unwrap();
    let mapped = test.input(letters(&["ab"; 20])).map_with_state(StateSpec::function(running_sum));
    let states = test.collect(&mapped.state_snapshots());
    test.context().start().unwrap();
    test.clock().advance(seconds(20));
    test.run(1).unwrap();
    test.stop();
    let mut seen = states.timed();
    seen.sort();
    for (number, (time, mut states)) in (1..=20).zip(seen) {
        states.sort_unstable();
        assert_eq!((time, states), (i64::from(number) * 1000, vec![('a', number), ('b', number)]));
    }
}
