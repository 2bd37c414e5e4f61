// SPDX-License-Identifier: Apache-2.0
//! Windows of random batches, lengths and slides against a model that goes through all batches for each window.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use dstreams_streaming::{
    DStream, Data, Duration, ReducedWindowOptions,
    testing::{Collected, TestContext},
    time::seconds,
};
use proptest::prelude::*;

type Pair = (u8, i32);

/// The pairs of each batch, in order; nothing where a batch has no dataset.
type Input = Vec<Option<Vec<Pair>>>;

/// What a stream gives, by the second.
type Timed<T> = BTreeMap<usize, Vec<T>>;

fn input() -> impl Strategy<Value = Input> {
    let batch = prop::collection::vec((0..4u8, -5..5i32), 0..5);
    prop::collection::vec(prop::option::weighted(0.9, batch), 1..16)
}

/// A length and a slide in slides of the parent.
fn frame() -> impl Strategy<Value = (usize, usize)> {
    (1..7usize, 1..7usize)
}

/// The batches of `parent` that the window at `time` takes in are those after `time - length`.
fn model<T: Clone>(parent: &Timed<T>, length: usize, slide: usize, batches: usize) -> Timed<T> {
    let window = |time: usize| {
        let inside = parent.iter().filter(|(batch, _)| **batch <= time && **batch + length > time);
        inside.flat_map(|(_, records)| records.clone()).collect()
    };
    (1..=batches).filter(|time| time % slide == 0).map(|time| (time, window(time))).collect()
}

fn timed(input: &Input) -> Timed<Pair> {
    let present = input.iter().enumerate().filter_map(|(number, batch)| Some((number + 1, batch.clone()?)));
    present.collect()
}

fn sums(pairs: &[Pair]) -> Vec<Pair> {
    let mut sums = BTreeMap::new();
    for (key, value) in pairs {
        *sums.entry(*key).or_insert(0) += value;
    }
    sums.into_iter().collect()
}

fn groups(pairs: &[Pair]) -> Vec<(u8, Vec<i32>)> {
    let mut groups: BTreeMap<u8, Vec<i32>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(*key).or_default().push(*value);
    }
    groups.into_iter().collect()
}

/// The sums of each window, and zero for the keys of earlier windows.
fn sums_that_stay(windows: &Timed<Pair>) -> Timed<Pair> {
    let mut seen = BTreeSet::new();
    let mut result = Timed::new();
    for (time, pairs) in windows {
        seen.extend(pairs.iter().map(|(key, _)| *key));
        let sums: BTreeMap<_, _> = sums(pairs).into_iter().collect();
        result.insert(*time, seen.iter().map(|key| (*key, sums.get(key).copied().unwrap_or(0))).collect());
    }
    result
}

fn each<T, U>(windows: &Timed<T>, f: impl Fn(&[T]) -> Vec<U>) -> Timed<U> {
    windows.iter().map(|(time, records)| (*time, f(records))).collect()
}

fn seen<T: Clone>(collected: &Collected<T>) -> Timed<T> {
    let second = |time: i64| usize::try_from(time / 1000).unwrap();
    collected.timed().into_iter().map(|(time, records)| (second(time), records)).collect()
}

fn sorted<T: Clone + Ord>(collected: &Collected<T>) -> Timed<T> {
    let mut batches = seen(collected);
    for records in batches.values_mut() {
        records.sort();
    }
    batches
}

fn length(slides: usize) -> Duration {
    seconds(i64::try_from(slides).unwrap())
}

/// A context whose streams run over `input` and as many empty batches more.
fn context(input: &Input) -> (TestContext, DStream<Pair>, usize) {
    let test = TestContext::new().unwrap().with_checkpoint_dir().unwrap();
    let pairs = test.input_with(input.clone(), 2);
    (test, pairs, input.len() * 2)
}

fn with_empty_batches(mut input: Input, batches: usize) -> Input {
    input.resize(batches, Some(Vec::new()));
    input
}

/// A stream that the engine must compute like any other, so that nothing depends on being near the source.
fn away<T: Data>(stream: &DStream<T>) -> DStream<T> {
    stream.map(|record| record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn windows_hold_the_batches_within_their_length(input in input(), (w, s) in frame()) {
        let (test, pairs, batches) = context(&input);
        let windows = test.collect(&pairs.window_with(length(w), length(s)));
        let grouped = test.collect(&pairs.group_by_key_and_window(length(w), length(s)));
        test.run(batches).unwrap();
        let expected = model(&timed(&with_empty_batches(input, batches)), w, s, batches);
        prop_assert_eq!(seen(&windows), expected.clone());
        prop_assert_eq!(sorted(&grouped), each(&expected, groups));
    }

    #[test]
    fn windows_over_windows_repeat_records(input in input(), (w1, s1) in frame(), (w2, s2) in (1..4usize, 1..4usize)) {
        let (test, pairs, batches) = context(&input);
        let inner = away(&pairs).window_with(length(w1), length(s1));
        let outer = test.collect(&away(&inner).window_with(length(w2 * s1), length(s2 * s1)));
        test.run(batches).unwrap();
        let inner = model(&timed(&with_empty_batches(input, batches)), w1, s1, batches);
        prop_assert_eq!(seen(&outer), model(&inner, w2 * s1, s2 * s1, batches));
    }

    #[test]
    fn reduced_windows_agree_with_and_without_an_inverse(input in input(), (w, s) in frame()) {
        let (test, pairs, batches) = context(&input);
        let (w_time, s_time) = (length(w), length(s));
        let anew = test.collect(&pairs.reduce_by_key_and_window(|a, b| a + b, w_time, s_time));
        let shifted = pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, w_time, s_time);
        let shifted = test.collect(&shifted);
        // Counts beside the sums: a sum of zero does not say that nothing is left.
        let nothing_left = ReducedWindowOptions::from(3).filter(|(_, (_, count))| *count != 0);
        let filtered = pairs.map_values(|n| (n, 1)).reduce_by_key_and_window_inverse_with(
            |(a, n), (b, m)| (a + b, n + m),
            |(a, n), (b, m)| (a - b, n - m),
            w_time,
            s_time,
            nothing_left,
        );
        let filtered = test.collect(&filtered.map_values(|(sum, _)| sum));
        test.run(batches).unwrap();
        let windows = model(&timed(&with_empty_batches(input, batches)), w, s, batches);
        prop_assert_eq!(sorted(&anew), each(&windows, sums));
        prop_assert_eq!(sorted(&shifted), sums_that_stay(&windows));
        prop_assert_eq!(sorted(&filtered), each(&windows, sums));
    }

    #[test]
    fn counts_of_windows(input in input(), (w, s) in frame()) {
        let (test, pairs, batches) = context(&input);
        let count = test.collect(&pairs.count_by_window(length(w), length(s)));
        let by_value = test.collect(&pairs.count_by_value_and_window(length(w), length(s)));
        let largest = pairs.map(|(_, n)| n).reduce_by_window(i32::max, length(w), length(s));
        let largest = test.collect(&largest);
        test.run(batches).unwrap();
        let windows = model(&timed(&with_empty_batches(input, batches)), w, s, batches);
        let mut started = false;
        let counts: Timed<u64> = windows
            .iter()
            .map(|(time, records)| {
                started |= !records.is_empty();
                (*time, started.then_some(records.len() as u64).into_iter().collect())
            })
            .collect();
        prop_assert_eq!(seen(&count), counts);
        prop_assert_eq!(sorted(&by_value), each(&windows, occurrences));
        let maxima = each(&windows, |pairs| pairs.iter().map(|(_, n)| *n).max().into_iter().collect());
        prop_assert_eq!(seen(&largest), maxima);
    }
}

fn occurrences(pairs: &[Pair]) -> Vec<(Pair, u64)> {
    let mut counts = BTreeMap::new();
    for pair in pairs {
        *counts.entry(*pair).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}
