// SPDX-License-Identifier: Apache-2.0
//! `map_with_state` across the end of a program: states, timeouts, earlier records, other partitions, other fields.

use std::path::Path;

use dstreams_streaming::{
    Config, DStream, Fate, State, StateSpec,
    testing::{Collected, TestContext},
    time::seconds,
};
use serde::{Deserialize, Serialize};

const STORES: [&str; 2] = ["memory", "disk"];

/// A context on the directory whose clock has come to `start` seconds.
fn context(dir: &Path, store: &str, start: i64) -> TestContext {
    let mut config = Config::default();
    config.set("dstreams.state.store", store).expect("a known key");
    let test = TestContext::with(config, seconds(1)).expect("an engine");
    test.context().checkpoint(dir.to_string_lossy());
    test.clock().advance(seconds(start));
    test
}

/// Runs `program` for the first batches on a directory, gives it up, and runs it again for the others.
fn in_two<T: Clone + Send + Sync + 'static>(
    store: &str,
    before: i64,
    all: i64,
    program: impl Fn(&TestContext, i64) -> Collected<T>,
) -> Vec<(i64, Vec<T>)> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut seen = Vec::new();
    for (start, end) in [(0, before), (before, all)] {
        let test = context(dir.path(), store, start);
        let collected = program(&test, start);
        test.run(usize::try_from(end - start).expect("a few")).expect("all batches succeed");
        seen.extend(collected.timed());
    }
    seen
}

fn letters(test: &TestContext, batches: &[&str]) -> DStream<(char, i64)> {
    test.input(batches.iter().map(|keys| keys.chars().map(|key| (key, 1)).collect()).collect())
}

fn running_sum() -> StateSpec<char, i64, i64, (char, i64)> {
    StateSpec::function(|key: &char, n: Option<i64>, sum: &mut State<'_, i64>| {
        let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
        if !sum.is_timing_out() {
            sum.update(total);
        }
        (*key, total)
    })
    .partitions(2)
}

fn sorted<T: Clone + Ord>(seen: Vec<(i64, Vec<T>)>) -> Vec<Vec<T>> {
    let sort = |(_, mut records): (i64, Vec<T>)| {
        records.sort();
        records
    };
    seen.into_iter().map(sort).collect()
}

const INPUT: [&str; 8] = ["ab", "a", "", "bb", "c", "a", "", "abc"];

#[test]
fn states_go_on_for_any_batch_at_which_the_first_process_ends() {
    for store in STORES {
        let program =
            |test: &TestContext, _| test.collect(&letters(test, &INPUT).map_with_state(running_sum()));
        let whole = sorted(in_two(store, 8, 8, program));
        for before in 1..8 {
            assert_eq!(sorted(in_two(store, before, 8, program)), whole, "{store}, after {before} batches");
        }
    }
}

#[test]
fn snapshots_of_states_and_windows_over_records_reach_back_before_the_restart() {
    for store in STORES {
        let program = |test: &TestContext, _| {
            let mapped = letters(test, &INPUT).map_with_state(running_sum());
            let states = mapped.state_snapshots().map(|(key, sum)| (true, key, sum));
            test.collect(&mapped.window(seconds(3)).map(|(key, sum)| (false, key, sum)).union(&states))
        };
        let whole = sorted(in_two(store, 8, 8, program));
        for before in 1..8 {
            assert_eq!(sorted(in_two(store, before, 8, program)), whole, "{store}, after {before} batches");
        }
    }
}

#[test]
fn keys_time_out_when_they_would_have() {
    for store in STORES {
        let program = |test: &TestContext, _| {
            let mapped = letters(test, &["ab", "a", "b", "", "", ""]);
            test.collect(&mapped.map_with_state(running_sum().timeout(seconds(2))))
        };
        let whole = sorted(in_two(store, 6, 6, program));
        assert_eq!(whole[4..], [vec![('a', 2)], vec![('b', 2)]]);
        for before in 1..6 {
            assert_eq!(sorted(in_two(store, before, 6, program)), whole, "{store}, after {before} batches");
        }
    }
}

#[test]
fn first_states_are_first_only_once() {
    for store in STORES {
        let program = |test: &TestContext, _| {
            let first = test.context().rdd_context().parallelize([('a', 100), ('z', 5)]);
            let mapped = letters(test, &["a", "a", "a", "a"]);
            test.collect(&mapped.map_with_state(running_sum().initial_state(first)).state_snapshots())
        };
        for before in 1..4 {
            let last = sorted(in_two(store, before, 4, program)).pop();
            assert_eq!(last, Some(vec![('a', 104), ('z', 5)]), "{store}, after {before} batches");
        }
    }
}

// INVARIANT 19
#[test]
fn the_number_of_partitions_may_change() {
    for store in STORES {
        for partitions in [1, 3, 7] {
            let program = |test: &TestContext, start: i64| {
                let partitions = if start == 0 { 2 } else { partitions };
                let mapped =
                    letters(test, &["abcdefgh"; 6]).map_with_state(running_sum().partitions(partitions));
                let windowed = mapped.window(seconds(2));
                test.collect(&windowed.union(&mapped.state_snapshots()))
            };
            let seen = sorted(in_two(store, 3, 6, program));
            for (n, records) in (1..).zip(seen) {
                let sums = "abcdefgh".chars().flat_map(|key| {
                    let window = (n - 1..=n).filter(|n| *n > 0).chain([n]);
                    window.map(move |sum| (key, sum)).collect::<Vec<_>>()
                });
                let mut expected: Vec<_> = sums.collect();
                expected.sort_unstable();
                assert_eq!(records, expected, "{store}, {partitions} partitions, batch {n}");
            }
        }
    }
}

#[test]
fn states_move_between_memory_and_disk() {
    for (first, second) in [("memory", "disk"), ("disk", "memory")] {
        let dir = tempfile::tempdir().expect("a directory");
        for (store, start, expected) in [(first, 0, 2), (second, 2, 4), (first, 4, 6)] {
            let test = context(dir.path(), store, start);
            let seen = test.collect(&letters(&test, &["a"; 6]).map_with_state(running_sum()));
            test.run(2).expect("all batches succeed");
            assert_eq!(seen.batches().pop(), Some(vec![('a', expected)]), "{store} after {start} s");
        }
    }
}

mod before {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    pub(super) struct Visits {
        pub(super) count: u32,
        pub(super) page: String,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Visits {
    count: u32,
    #[serde(default)]
    country: String,
}

#[test]
fn fields_of_a_state_are_added_and_removed() {
    for store in STORES {
        let dir = tempfile::tempdir().expect("a directory");
        {
            let test = context(dir.path(), store, 0);
            let count = |_: &char, _: Option<i64>, visits: &mut State<'_, before::Visits>| {
                let count = visits.get().map_or(0, |visits| visits.count) + 1;
                visits.update(before::Visits { count, page: "/".to_owned() });
            };
            let mapped = letters(&test, &["a"; 9]).map_with_state(StateSpec::function(count));
            mapped.for_each_rdd(|rdd, _| rdd.count().map(|_| ()).map_err(Into::into));
            test.run(3).expect("all batches succeed");
        }
        let test = context(dir.path(), store, 3);
        let count = |_: &char, _: Option<i64>, visits: &mut State<'_, Visits>| {
            let before = visits.get().cloned().unwrap_or(Visits { count: 0, country: "?".to_owned() });
            let now = Visits { count: before.count + 1, ..before };
            visits.update(now.clone());
            now
        };
        let seen = test.collect(&letters(&test, &["a"; 9]).map_with_state(StateSpec::function(count)));
        test.run(1).expect("the state is readable");
        assert_eq!(seen.batches(), [[Visits { count: 4, country: String::new() }]], "{store}");
        let report = test.context().recovery().expect("there was something to go on from");
        let state = report.rows.iter().find(|row| row.part == "state").expect("there is a state");
        assert_eq!((state.fate, state.detail.as_str()), (Fate::Migrated, "+country, -page"));
    }
}

#[test]
fn a_state_that_cannot_be_read_stops_the_start_and_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |start, text: bool| {
        let test = context(dir.path(), "memory", start);
        let stream = letters(&test, &["a"; 9]);
        if text {
            let spec = StateSpec::function(|_: &char, _: Option<i64>, s: &mut State<'_, String>| {
                s.update("x".to_owned());
            });
            stream.map_with_state(spec).count().print();
        } else {
            stream.map_with_state(running_sum()).count().print();
        }
        test.run(1)
    };
    run(0, false).expect("the batch succeeds");
    let refused = run(1, true).expect_err("a number is no text").to_string();
    assert!(refused.contains("the state of operator map_with_state-1 cannot be restored"), "{refused}");
    run(1, false).expect("nothing has been changed");
}
