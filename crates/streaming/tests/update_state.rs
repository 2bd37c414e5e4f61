// SPDX-License-Identifier: Apache-2.0
//! What `update_state_by_key` does with batches, states and first states that are there or not.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use dstreams_rdd::lineage::{Dependency, Lineage};
use dstreams_streaming::{
    ArcPartitioner, Config, DStream, Duration, Partitioner, PartitionerId, StateOptions, StorageLevel, Time,
    testing::TestContext, time::seconds,
};

type Batches = Vec<Option<Vec<(char, i32)>>>;

/// Sums; a key whose sum is negative goes, and every call adds one.
#[expect(clippy::needless_pass_by_value, reason = "this is the signature of an update function")]
fn sum_and_call(values: Vec<i32>, state: Option<i32>) -> Option<i32> {
    Some(values.iter().sum::<i32>() + state.unwrap_or(0) + 1).filter(|sum| *sum >= 0)
}

fn states(input: Batches, initial: Option<Vec<(char, i32)>>) -> Vec<(i64, Vec<(char, i32)>)> {
    let batches = input.len();
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let initial = initial.map(|first| test.context().rdd_context().parallelize(first));
    let options = StateOptions { initial, ..StateOptions::default() };
    let stream = test.input_with(input, 2).update_state_by_key_with(sum_and_call, options);
    let seen = test.collect(&stream);
    test.run(batches).unwrap();
    let mut seen = seen.timed();
    for (_, states) in &mut seen {
        states.sort_unstable();
    }
    seen
}

#[test]
fn every_batch_visits_every_key() {
    let seen =
        states(vec![Some(vec![('a', 1), ('b', 1), ('a', 1)]), Some(vec![('b', 1)]), Some(vec![])], None);
    let expected = [
        (1000, vec![('a', 3), ('b', 2)]),
        (2000, vec![('a', 4), ('b', 4)]),
        (3000, vec![('a', 5), ('b', 5)]),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_batch_without_a_dataset_visits_the_states() {
    let seen = states(vec![Some(vec![('a', 1)]), None, None], None);
    assert_eq!(seen, [(1000, vec![('a', 2)]), (2000, vec![('a', 3)]), (3000, vec![('a', 4)])]);
}

#[test]
fn without_data_and_states_there_is_no_dataset() {
    assert_eq!(states(vec![None, None, Some(vec![('a', 1)])], None), [(3000, vec![('a', 2)])]);
}

#[test]
fn first_states_wait_for_the_first_dataset_and_are_visited_in_it() {
    let seen = states(vec![None, Some(vec![('a', 1)]), Some(vec![])], Some(vec![('a', 10), ('b', 20)]));
    assert_eq!(seen, [(2000, vec![('a', 12), ('b', 21)]), (3000, vec![('a', 13), ('b', 22)])]);
}

#[test]
fn an_empty_first_batch_visits_the_first_states() {
    assert_eq!(states(vec![Some(vec![])], Some(vec![('b', 20)])), [(1000, vec![('b', 21)])]);
}

#[test]
fn a_removed_key_starts_anew() {
    let seen =
        states(vec![Some(vec![('a', 1)]), Some(vec![('a', -9)]), Some(vec![]), Some(vec![('a', 4)])], None);
    assert_eq!(seen, [(1000, vec![('a', 2)]), (2000, vec![]), (3000, vec![]), (4000, vec![('a', 5)])]);
}

#[test]
fn the_values_of_a_key_come_in_the_order_of_the_records() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let input = test.input_with(vec![Some(vec![('a', 3), ('a', 1), ('b', 0), ('a', 2)])], 3);
    let seen = test.collect(&input.update_state_by_key(|values, _: Option<Vec<i32>>| Some(values)));
    test.run(1).unwrap();
    let mut batch = seen.batches().remove(0);
    batch.sort_unstable();
    assert_eq!(batch, [('a', vec![3, 1, 2]), ('b', vec![0])]);
}

#[test]
fn states_with_other_keys_are_moved_to_their_partitions() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let input = test.input(vec![vec![(1, ()), (2, ()), (3, ())], vec![(11, ()), (12, ()), (13, ())]]);
    let counts = input.update_state_by_key_partitions_with(
        |keys| {
            let next = |(key, new, state): (i32, Vec<()>, Option<usize>)| {
                (key % 10 + 10, state.unwrap_or(0) + new.len())
            };
            keys.map(next).collect::<Vec<_>>()
        },
        5,
    );
    let seen = test.collect(&counts);
    test.run(2).unwrap();
    let mut last = seen.batches().remove(1);
    last.sort_unstable();
    assert_eq!(last, [(11, 2), (12, 2), (13, 2)]);
}

/// Everything in partition one of two.
struct AllInOne;

impl<K> Partitioner<K> for AllInOne {
    fn partitions(&self) -> usize {
        2
    }

    fn partition(&self, _key: &K, _hash: u64) -> usize {
        1
    }

    fn id(&self) -> PartitionerId {
        PartitionerId::Custom("all in one".to_owned(), 2)
    }
}

#[test]
fn states_are_partitioned_as_asked_in_every_batch() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let input = test.input_with(vec![Some(vec![(1, 'a'), (2, 'b')]), None], 2);
    let by: ArcPartitioner<i32> = Arc::new(AllInOne);
    let counts = input.update_state_by_key_with(|new, n| Some(n.unwrap_or(0) + new.len()), by);
    let seen = test.collect(&counts.map_partitions(|states| [states.count()]));
    test.run(2).unwrap();
    assert_eq!(seen.batches(), [[0, 2], [0, 2]]);
}

#[test]
fn a_checkpoint_directory_is_needed() {
    let test = TestContext::new().unwrap();
    test.collect(&test.input(vec![vec![('a', 1)]]).update_state_by_key(sum_and_call));
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.starts_with("The checkpoint directory has not been set"), "{error}");
}

#[test]
fn the_checkpoint_interval_is_a_multiple_of_the_slide() {
    let test = TestContext::with(Config::default(), seconds(2)).unwrap().with_checkpoint_dir().unwrap();
    let states = test.input(vec![vec![('a', 1)]]).update_state_by_key(sum_and_call);
    test.collect(&states.checkpoint(seconds(3)));
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.contains("which not a multiple of its slide time (2000 ms)"), "{error}");
}

#[test]
fn nothing_can_be_set_after_the_start() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let states = test.input(vec![vec![('a', 1)]]).update_state_by_key(sum_and_call);
    test.collect(&states);
    test.run(1).unwrap();
    let _ = states.checkpoint(seconds(5)).persist(StorageLevel::MEMORY_ONLY);
    let rejected: Vec<_> = test.context().rejected().iter().map(ToString::to_string).collect();
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert!(rejected[0].starts_with("cannot change the checkpoint interval"), "{rejected:?}");
}

/// How many versions of a state a dataset is made from, itself included, that would be needed to make it again.
fn versions(lineage: &Arc<Lineage>) -> usize {
    let before = lineage.dependencies().into_iter().map(|dependency| match dependency {
        Dependency::Narrow(before) => versions(&before),
        Dependency::Shuffle(stage) => versions(stage.parent()),
        Dependency::Prepared(_) => 0,
    });
    usize::from(lineage.operator() == "evolve_by_key") + before.max().unwrap_or(0)
}

#[test]
fn the_lineage_of_a_state_goes_back_to_the_last_checkpoint_at_most() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let input = test.input((0..60).map(|n| vec![('a', n)]).collect());
    let counts = input.update_state_by_key(sum_and_call);
    let seen = test.collect(&counts);
    let depths = Arc::new(Mutex::new(Vec::new()));
    let measured = Arc::clone(&depths);
    counts.for_each_rdd(move |rdd, _| {
        measured.lock().unwrap().push(versions(rdd.lineage()));
        Ok(())
    });
    test.run(60).unwrap();
    assert_eq!(seen.batches()[59], [('a', (0..60).sum::<i32>() + 60)]);
    let depths = depths.lock().unwrap();
    assert_eq!(
        (depths.len(), depths.iter().max()),
        (60, Some(&10)),
        "checkpoints are ten batches apart: {depths:?}"
    );
}

/// A state of a thousand keys that each of so many batches updates, and the memory that is in use after them.
fn thousand_keys(batches: usize, remember: Option<Duration>) -> (TestContext, DStream<(i32, usize)>, usize) {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let first = (0..1000).map(|key| (key, 'a')).collect();
    let input = test.input_with(std::iter::once(Some(first)).chain((1..batches).map(|_| None)).collect(), 1);
    let calls = input.update_state_by_key_with(|_, calls| Some(calls.unwrap_or(0) + 1), 1);
    test.collect(&calls.count());
    if let Some(remember) = remember {
        test.context().remember(remember).unwrap();
    }
    test.run(batches).unwrap();
    let used = test.context().rdd_context().memory().used();
    (test, calls, used)
}

#[test]
fn only_states_that_jobs_read_and_those_of_checkpoints_stay_in_memory() {
    let (_first, _, of_three) = thousand_keys(3, None);
    let (test, states, of_many) = thousand_keys(38, None);
    // One for the next batch and one or two for the others that are remembered, beside the index of keys.
    assert!(of_many <= 3 * of_three, "{of_many} bytes after 38 batches, {of_three} after 3");
    // Two checkpoints are remembered, and what comes after them is made again.
    let all = states.slice(Time::from_millis(20_000), Time::from_millis(38_000)).unwrap();
    for (batch, rdd) in (20..).zip(&all) {
        assert_eq!(
            rdd.filter(move |(_, calls)| *calls == batch).count().unwrap(),
            1000,
            "after batch {batch}"
        );
    }
    assert_eq!(all.len(), 19);
    drop(test);
}

/// What came in is remembered as long as the states are, and was read by the shuffle to their partitions.
#[test]
fn what_was_shuffled_for_a_batch_does_not_stay() {
    let used = |batches: i32| {
        let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
        let input = (0..batches).map(|n| Some((0..10_000).map(|i| (i % 10, n)).collect())).collect();
        let sums = test.input_with(input, 2).update_state_by_key_with(
            |new: Vec<i32>, sum: Option<i32>| Some(new.iter().sum::<i32>() + sum.unwrap_or(0)),
            2,
        );
        let seen = test.collect(&sums);
        test.run(usize::try_from(batches).unwrap()).unwrap();
        let used = test.context().rdd_context().memory().used();
        (seen.timed().pop().unwrap().1[0].1, used, (test, sums))
    };
    let (sum, of_one, _) = used(1);
    assert_eq!(sum, 0);
    let (sum, of_many, (_test, sums)) = used(19);
    assert_eq!(sum, 1000 * (0..19).sum::<i32>());
    // The last one waits for the next one.
    assert!(of_many < 3 * of_one, "{of_many} bytes after 19 batches, {of_one} after one");
    // Who asks for one of before has it shuffled again.
    let time = Time::from_millis(5000);
    let [fifth] = &sums.slice(time, time).unwrap()[..] else { panic!("one at {time}") };
    assert!(fifth.values().collect().unwrap().iter().all(|sum| *sum == 1000 * (0..5).sum::<i32>()));
}

#[test]
fn states_that_the_program_wants_remembered_stay() {
    // After one batch nothing is there to be let go of, while the end of a later one does not wait for that. The index of
    // the keys takes as much as a state.
    let (_first, _, of_one) = thousand_keys(1, None);
    let (_test, _, of_many) = thousand_keys(38, Some(seconds(30)));
    assert!(of_many >= 30 * of_one / 2, "{of_many} bytes after 38 batches, {of_one} after one");
}

#[test]
fn each_update_is_computed_once() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let states = test.input(vec![vec![('a', 1), ('b', 1)], vec![], vec![('a', 1)]]).update_state_by_key(
        move |new: Vec<i32>, n: Option<usize>| {
            counted.fetch_add(1, Ordering::Relaxed);
            Some(n.unwrap_or(0) + new.len())
        },
    );
    test.collect(&states);
    test.collect(&states.map(|(key, _)| key));
    test.run(3).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}
