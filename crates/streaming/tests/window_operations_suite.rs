// SPDX-License-Identifier: Apache-2.0
//! What windows hold, batch by batch: the tables of Spark's suite of the same name, and the edges of each operator.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::HashMap, sync::Arc};

use dstreams_rdd::lineage::Dependency;
use dstreams_streaming::{
    DStream, Data, Duration, Rdd, ReducedWindowOptions, StorageLevel, Time,
    testing::{TestContext, lineage, run_batches},
    time::{milliseconds, seconds},
};
use parking_lot::Mutex;

type Sums = Vec<(&'static str, i32)>;

/// Runs `batches` batches of one second, those after the input being empty, and sorts what comes out of each.
fn run<T: Data, U: Data + Ord>(
    mut input: Vec<Vec<T>>,
    batches: usize,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
) -> Vec<Vec<U>> {
    input.resize(batches, Vec::new());
    let mut output = run_batches(input, operation).unwrap();
    for batch in &mut output {
        batch.sort();
    }
    output
}

/// The input of the suite's big tests.
fn big_input() -> Vec<Sums> {
    let half = [
        vec![("a", 1)],
        vec![("a", 1), ("b", 1)],
        vec![("a", 1), ("b", 1), ("c", 1)],
        vec![("a", 1), ("b", 1)],
        vec![("a", 1)],
        vec![],
    ];
    [half.clone(), half].concat()
}

/// Pairs with owned keys, which can leave a task.
fn owned(pairs: &DStream<(&'static str, i32)>) -> DStream<(String, i32)> {
    pairs.map(|(key, value)| (key.to_owned(), value))
}

fn windows_of_zero_to_five(length: i64, slide: i64, batches: usize) -> Vec<Vec<i32>> {
    let input = (0..6).map(|n| vec![n]).collect();
    run(input, batches, |numbers| numbers.window_with(seconds(length), seconds(slide)))
}

#[test]
fn basic_window() {
    let expected = [vec![0], vec![0, 1], vec![1, 2], vec![2, 3], vec![3, 4], vec![4, 5]];
    assert_eq!(windows_of_zero_to_five(2, 1, 6), expected);
}

#[test]
fn tumbling_window() {
    assert_eq!(windows_of_zero_to_five(2, 2, 6), [[0, 1], [2, 3], [4, 5]]);
}

#[test]
fn larger_window() {
    let expected = [vec![0, 1], vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![4, 5]];
    assert_eq!(windows_of_zero_to_five(4, 2, 8), expected);
}

#[test]
fn non_overlapping_window() {
    assert_eq!(windows_of_zero_to_five(2, 3, 6), [[1, 2], [4, 5]]);
}

#[test]
fn windows_after_the_input_are_empty_and_not_missing() {
    assert_eq!(windows_of_zero_to_five(2, 1, 9)[6..], [vec![5], vec![], vec![]]);
}

#[test]
fn a_window_is_in_the_order_of_its_batches() {
    let input = vec![vec![9, 8], vec![7], vec![6, 5, 4]];
    let out = run_batches(input, |numbers| numbers.window(seconds(3))).unwrap();
    assert_eq!(out[2], [9, 8, 7, 6, 5, 4]);
}

#[test]
fn a_window_over_a_window_steps_with_its_slide() {
    let input = (1..=6).map(|n| vec![n]).collect();
    let out = run(input, 6, |numbers| {
        numbers.window_with(seconds(3), seconds(2)).window_with(seconds(4), seconds(2))
    });
    assert_eq!(out, [vec![1, 2], vec![1, 2, 2, 3, 4], vec![2, 3, 4, 4, 5, 6]]);
}

#[test]
fn batches_without_a_dataset_add_nothing() {
    let test = TestContext::new().unwrap();
    let input = test.input_with(vec![None, Some(vec![1]), None, None], 2);
    let windows = test.collect(&input.window(seconds(2)));
    test.run(4).unwrap();
    assert_eq!(windows.timed(), [(1000, vec![]), (2000, vec![1]), (3000, vec![1]), (4000, vec![])]);
}

#[test]
fn a_window_can_be_sliced_but_not_before_its_batch() {
    let test = TestContext::new().unwrap();
    let windows = test.input(vec![vec![1], vec![2], vec![3]]).window(seconds(2));
    let seen = test.collect(&windows);
    test.run(2).unwrap();
    let times = [3000, 4000].map(Time::from_millis);
    assert!(windows.slice(times[0], times[1]).unwrap().is_empty());
    test.run(1).unwrap();
    assert_eq!(seen.batches(), [vec![1], vec![1, 2], vec![2, 3]]);
}

#[test]
fn reduce_by_window_has_nothing_for_an_empty_window() {
    let input = vec![vec![1, 2], vec![3], vec![], vec![]];
    let out = run(input, 4, |numbers| numbers.reduce_by_window(|a, b| a + b, seconds(2), seconds(1)));
    assert_eq!(out, [vec![3], vec![6], vec![3], vec![]]);
}

/// A way to reduce windows of a length and slide in seconds.
type Reduction = fn(&DStream<(String, i32)>, i64, i64) -> DStream<(String, i32)>;

fn anew(pairs: &DStream<(String, i32)>, length: i64, slide: i64) -> DStream<(String, i32)> {
    pairs.reduce_by_key_and_window(|a, b| a + b, seconds(length), seconds(slide))
}

fn with_inverse(pairs: &DStream<(String, i32)>, length: i64, slide: i64) -> DStream<(String, i32)> {
    let (length, slide) = (seconds(length), seconds(slide));
    pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, length, slide).checkpoint(seconds(100))
}

fn with_inverse_and_filter(
    pairs: &DStream<(String, i32)>,
    length: i64,
    slide: i64,
) -> DStream<(String, i32)> {
    let options = ReducedWindowOptions::default().filter(|(_, sum)| *sum != 0);
    let (length, slide) = (seconds(length), seconds(slide));
    pairs.reduce_by_key_and_window_inverse_with(|a, b| a + b, |a, b| a - b, length, slide, options)
}

fn sums(reduction: Reduction, input: &[Sums], length: i64, slide: i64) -> Vec<Vec<(String, i32)>> {
    run(input.to_vec(), input.len(), |pairs| reduction(&owned(pairs), length, slide))
}

#[expect(clippy::needless_pass_by_value, reason = "the callers make what they compare on the spot")]
fn assert_sums(actual: Vec<Vec<(String, i32)>>, expected: Vec<Sums>) {
    let expected: Vec<Vec<_>> = expected
        .into_iter()
        .map(|batch| batch.into_iter().map(|(key, sum)| (key.to_owned(), sum)).collect())
        .collect();
    assert_eq!(actual, expected);
}

#[test]
fn basic_reduction() {
    for reduction in [anew as Reduction, with_inverse, with_inverse_and_filter] {
        assert_sums(sums(reduction, &[vec![("a", 1), ("a", 3)]], 2, 1), vec![vec![("a", 4)]]);
    }
}

#[test]
fn key_already_in_window_and_new_value_added_into_window() {
    for reduction in [anew as Reduction, with_inverse, with_inverse_and_filter] {
        let input = [vec![("a", 1)], vec![("a", 1)]];
        assert_sums(sums(reduction, &input, 2, 1), vec![vec![("a", 1)], vec![("a", 2)]]);
    }
}

#[test]
fn new_key_added_into_window() {
    for reduction in [anew as Reduction, with_inverse, with_inverse_and_filter] {
        let input = [vec![("a", 1)], vec![("a", 1), ("b", 1)]];
        assert_sums(sums(reduction, &input, 2, 1), vec![vec![("a", 1)], vec![("a", 2), ("b", 1)]]);
    }
}

#[test]
fn key_removed_from_window() {
    let input = [vec![("a", 1)], vec![("a", 1)], vec![], vec![]];
    let expected = |last: Sums| vec![vec![("a", 1)], vec![("a", 2)], vec![("a", 1)], last];
    assert_sums(sums(anew, &input, 2, 1), expected(vec![]));
    assert_sums(sums(with_inverse, &input, 2, 1), expected(vec![("a", 0)]));
    assert_sums(sums(with_inverse_and_filter, &input, 2, 1), expected(vec![]));
}

#[test]
fn larger_slide_time() {
    let mut input: Vec<_> = (1..=6).map(|n| vec![("a", n)]).collect();
    input.resize(8, vec![]);
    for reduction in [anew as Reduction, with_inverse, with_inverse_and_filter] {
        let expected = vec![vec![("a", 3)], vec![("a", 10)], vec![("a", 18)], vec![("a", 11)]];
        assert_sums(sums(reduction, &input, 4, 2), expected);
    }
}

#[test]
fn big_test() {
    let first = [
        vec![("a", 1)],
        vec![("a", 2), ("b", 1)],
        vec![("a", 2), ("b", 2), ("c", 1)],
        vec![("a", 2), ("b", 2), ("c", 1)],
        vec![("a", 2), ("b", 1)],
        vec![("a", 1)],
    ];
    let expected = [first.clone(), first].concat();
    assert_sums(sums(anew, &big_input(), 2, 1), expected.clone());
    assert_sums(sums(with_inverse_and_filter, &big_input(), 2, 1), expected.clone());
    // Without a filter, keys that have been seen stay.
    let mut expected = expected;
    for (batch, seen) in expected.iter_mut().zip([1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]) {
        let missing: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .take(seen)
            .filter(|key| batch.iter().all(|(k, _)| k != key))
            .collect();
        batch.extend(missing.into_iter().map(|key| (key, 0)));
    }
    assert_sums(sums(with_inverse, &big_input(), 2, 1), expected);
}

#[test]
fn group_by_key_and_window() {
    let input = vec![vec![('a', 1), ('a', 2)], vec![('b', 3), ('a', 4)], vec![], vec![('b', 5)]];
    let out = run(input, 4, |pairs| pairs.group_by_key_and_window(seconds(2), seconds(1)));
    let expected = [
        vec![('a', vec![1, 2])],
        vec![('a', vec![1, 2, 4]), ('b', vec![3])],
        vec![('a', vec![4]), ('b', vec![3])],
        vec![('b', vec![5])],
    ];
    assert_eq!(out, expected);
}

#[test]
fn count_by_window() {
    let input = vec![vec![1], vec![1], vec![1, 2], vec![0], vec![], vec![]];
    let out = run(input, 6, |numbers| numbers.count_by_window(seconds(2), seconds(1)));
    assert_eq!(out, [[1], [2], [3], [3], [1], [0]]);
}

#[test]
fn there_is_no_count_before_the_first_record() {
    let out =
        run(vec![vec![], vec![], vec![1]], 5, |numbers| numbers.count_by_window(seconds(1), seconds(1)));
    assert_eq!(out, [vec![], vec![], vec![1], vec![0], vec![0]]);
}

#[test]
fn count_by_value_and_window() {
    let input = vec![vec!['a'], vec!['b', 'b'], vec!['a', 'b'], vec![], vec![]];
    let out = run(input, 5, |letters| letters.count_by_value_and_window(seconds(2), seconds(1)));
    let expected = [
        vec![('a', 1)],
        vec![('a', 1), ('b', 2)],
        vec![('a', 1), ('b', 3)],
        vec![('a', 1), ('b', 1)],
        vec![],
    ];
    assert_eq!(out, expected);
}

#[test]
fn an_inverse_window_is_right_when_windows_are_further_apart_than_long() {
    let input: Vec<_> = (1..=9).map(|n| vec![n]).collect();
    let out = run(input, 12, |numbers| {
        numbers.reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(3))
    });
    assert_eq!(out, [[5], [11], [17], [0]]);
}

#[test]
fn values_are_merged_in_the_order_of_their_batches() {
    let input: Vec<_> = ["1", "2", "3", "4", "5"].map(|text| vec![((), text.to_owned())]).to_vec();
    let out = run(input, 5, |texts| {
        let append = |a: String, b: String| a + &b;
        let drop_first =
            |a: String, b: String| a.strip_prefix(&b).map_or_else(|| panic!("{a}/{b}"), str::to_owned);
        texts.reduce_by_key_and_window_inverse(append, drop_first, seconds(3), seconds(1))
    });
    let texts: Vec<_> = out.iter().map(|batch| batch[0].1.as_str()).collect();
    assert_eq!(texts, ["1", "12", "123", "234", "345"]);
}

#[test]
fn a_filter_that_drops_what_is_still_in_the_window_fails_the_batch() {
    let failed = run_batches(vec![vec![('a', 1)], vec![], vec![]], |pairs| {
        let never = ReducedWindowOptions::default().filter(|_| false);
        let (length, slide) = (seconds(2), seconds(1));
        pairs.reduce_by_key_and_window_inverse_with(|a, b| a + b, |a, b| a - b, length, slide, never)
    });
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("Neither previous window has value for key, nor new values found"), "{error}");
}

/// What `start` says of a stream of windows made of numbers.
fn refusal<U: Data>(windows: impl FnOnce(&DStream<i32>) -> DStream<U>) -> String {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    test.collect(&windows(&test.input(vec![vec![1]])));
    test.run(1).unwrap_err().to_string()
}

#[test]
fn lengths_and_slides_are_multiples_of_the_slide_of_the_parent() {
    assert_eq!(
        refusal(|numbers| numbers.window(milliseconds(1500))),
        "The window duration of windowed DStream (1500 ms) must be a multiple of the slide duration of parent DStream (1000 ms)"
    );
    assert_eq!(
        refusal(|numbers| numbers.window_with(seconds(2), seconds(2)).window_with(seconds(4), seconds(3))),
        "The slide duration of windowed DStream (3000 ms) must be a multiple of the slide duration of parent DStream (2000 ms)"
    );
    assert_eq!(
        refusal(|numbers| numbers.count_by_window(milliseconds(1500), seconds(1))),
        "The window duration of ReducedWindowedDStream (1500 ms) must be multiple of the slide duration of parent DStream (1000 ms)"
    );
}

#[test]
fn lengths_and_slides_are_longer_than_zero() {
    let refused = |length, slide| refusal(move |numbers| numbers.window_with(length, slide));
    assert_eq!(
        refused(Duration::ZERO, seconds(1)),
        "The window duration of windowed DStream (0 ms) must be longer than zero"
    );
    assert_eq!(
        refused(seconds(1), seconds(-1)),
        "The slide duration of windowed DStream (-1000 ms) must be longer than zero"
    );
    assert_eq!(
        refusal(|numbers| numbers.count_by_window(seconds(1), Duration::ZERO)),
        "The slide duration of ReducedWindowedDStream (0 ms) must be longer than zero"
    );
}

#[test]
fn an_inverse_window_needs_a_checkpoint_directory() {
    let test = TestContext::new().unwrap();
    test.collect(&test.input(vec![vec![1]]).count_by_window(seconds(2), seconds(1)));
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.starts_with("The checkpoint directory has not been set"), "{error}");
}

/// What `look` sees of the datasets of `stream`.
fn watch<T: Data, S: Send + 'static>(
    stream: &DStream<T>,
    look: impl Fn(&Rdd<T>) -> S + Send + Sync + 'static,
) -> Arc<Mutex<Vec<S>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seeing = Arc::clone(&seen);
    stream.for_each_rdd(move |rdd, _| {
        rdd.count()?;
        seeing.lock().push(look(&rdd));
        Ok(())
    });
    seen
}

#[test]
fn parents_remember_what_windows_reach_back_to() {
    let test = TestContext::new().unwrap();
    test.context().remember(seconds(3)).unwrap();
    let mapped = test.input(vec![vec![1]]).map(|n| n);
    let windows = mapped.window_with(seconds(2), seconds(1)).window_with(seconds(4), seconds(2));
    test.collect(&windows);
    test.run(0).unwrap();
    let remembered = lineage(&windows).into_iter().map(|stream| stream.remember);
    assert_eq!(remembered.collect::<Vec<_>>(), [3, 7, 9, 9].map(seconds));
}

#[test]
fn the_batches_of_a_window_are_kept_and_not_the_window() {
    let test = TestContext::new().unwrap();
    let numbers = test.input(vec![vec![1]]).map(|n| n);
    let windows = numbers.window(seconds(2));
    let (batches, windows) =
        (watch(&numbers, Rdd::storage_level), watch(&windows.window(seconds(2)), Rdd::storage_level));
    test.run(3).unwrap();
    assert_eq!(*batches.lock(), [StorageLevel::MEMORY_ONLY; 3]);
    // A window over windows keeps none of them either; that of the first batch is the batch itself.
    assert_eq!(windows.lock()[1..], [StorageLevel::NONE; 2]);
}

#[test]
fn the_storage_level_of_a_window_is_one_for_its_batches() {
    for asked_before in [false, true] {
        let test = TestContext::new().unwrap();
        let numbers = test.input(vec![vec![1]]).map(|n| n);
        if asked_before {
            let _ = numbers.persist(StorageLevel::DISK_ONLY);
        }
        let windows = numbers.window(seconds(2));
        if !asked_before {
            let _ = windows.persist(StorageLevel::DISK_ONLY);
        }
        test.collect(&windows);
        let levels = watch(&numbers, Rdd::storage_level);
        test.run(2).unwrap();
        assert_eq!(*levels.lock(), [StorageLevel::DISK_ONLY; 2], "asked before the window: {asked_before}");
    }
}

#[test]
fn the_storage_level_of_an_inverse_window_is_its_own() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let pairs = test.input(vec![vec![(1, 1)]]);
    let windows = pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1));
    let levels = watch(&windows.persist(StorageLevel::MEMORY_AND_DISK_SER), Rdd::storage_level);
    test.run(2).unwrap();
    assert_eq!(*levels.lock(), [StorageLevel::MEMORY_AND_DISK_SER; 2]);
}

#[test]
fn an_inverse_window_and_its_batches_are_kept() {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let pairs = test.input(vec![vec![(1, 1)]]);
    let windows = pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(3), seconds(2));
    test.collect(&windows);
    test.run(4).unwrap();
    let streams = lineage(&windows);
    assert_eq!([&streams[0], &streams[1], &streams[2]].map(|stream| stream.is_kept), [true, true, false]);
    assert_eq!(streams[0].checkpoint, Some(seconds(10)));
    // Two checkpoint intervals, and the length of the window on top.
    assert_eq!([&streams[0], &streams[1]].map(|stream| stream.remember), [20, 23].map(seconds));
}

/// How many datasets are below one another in the lineage.
fn depth<T: Data>(rdd: &Rdd<T>) -> usize {
    let mut deepest = 0;
    let mut seen = HashMap::new();
    let mut pending = vec![(Arc::clone(rdd.lineage()), 1)];
    while let Some((lineage, depth)) = pending.pop() {
        let before = seen.entry(lineage.id()).or_insert(0);
        if depth <= *before {
            continue;
        }
        *before = depth;
        deepest = deepest.max(depth);
        pending.extend(lineage.dependencies().into_iter().filter_map(|dependency| match dependency {
            Dependency::Narrow(parent) => Some((parent, depth + 1)),
            Dependency::Shuffle(stage) => Some((Arc::clone(stage.parent()), depth + 1)),
            Dependency::Prepared(_) => None,
        }));
    }
    deepest
}

/// The depth of the lineage of inverse windows in each of 35 batches, for windows that are kept `as_asked`.
fn depths(as_asked: impl FnOnce(DStream<(i32, i32)>) -> DStream<(i32, i32)>) -> Vec<usize> {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let pairs = test.input((0..35).map(|n| vec![(1, n)]).collect());
    let windows = pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(3), seconds(1));
    let windows = as_asked(windows);
    let (depths, sums) = (watch(&windows, depth), test.collect(&windows));
    test.run(35).unwrap();
    assert_eq!(sums.batches()[34], [(1, 32 + 33 + 34)]);
    let depths = depths.lock();
    depths.clone()
}

#[test]
fn checkpoints_cut_the_lineage_of_an_inverse_window() {
    for level in [None, Some(StorageLevel::MEMORY_ONLY)] {
        let depths = depths(|windows| match level {
            Some(level) => windows.persist(level),
            None => windows,
        });
        assert!(depths[8] > depths[1], "{level:?}: {depths:?}");
        // From one checkpoint to the next, and again.
        assert_eq!(depths[9..19], depths[19..29], "{level:?}");
        assert_eq!(depths[9], 1, "{level:?}");
    }
}

#[test]
fn windows_and_batches_that_no_job_reads_any_more_are_released_and_made_again_if_asked_for() {
    let used = |batches: i32| {
        let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
        let pairs =
            test.input_with((0..batches).map(|n| Some((0..1000).map(|key| (key, n)).collect())).collect(), 1);
        let windows = pairs.reduce_by_key_and_window_inverse_with(
            |a, b| a + b,
            |a, b| a - b,
            seconds(3),
            seconds(1),
            1,
        );
        test.collect(&windows.count());
        test.run(usize::try_from(batches).unwrap()).unwrap();
        let used = test.context().rdd_context().memory().used();
        (test, windows, used)
    };
    let (_first, _, of_five) = used(5);
    let (_test, windows, of_many) = used(38);
    assert!(of_many < 2 * of_five, "{of_many} bytes after 38 batches, {of_five} after 5");
    for second in 20..=38 {
        let time = Time::from_millis(i64::from(second) * 1000);
        let [window] = &windows.slice(time, time).unwrap()[..] else { panic!("one window at {time}") };
        let sum = 3 * (second - 2);
        assert_eq!(window.filter(move |(_, n)| *n == sum).count().unwrap(), 1000, "at {time}");
    }
}
