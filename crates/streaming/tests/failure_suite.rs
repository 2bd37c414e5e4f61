// SPDX-License-Identifier: Apache-2.0
//! `FailureSuite`, and what `CheckpointSuite` says in words: a context that ends again and again, and loses nothing.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_streaming::{
    Config, DStream, InputInfo, Rdd, RddContext, Result, Source, Text, Time,
    testing::{Collected, TestContext},
    time::{Duration, seconds},
};
use proptest::prelude::*;

/// How long contexts live, and how long there is none after each.
fn lives() -> impl Strategy<Value = Vec<(usize, i64)>> {
    prop::collection::vec((1usize..10, 0i64..10), 2..8)
}

fn context(dir: &Path, start: Duration) -> TestContext {
    let test = TestContext::with(Config::default(), seconds(1)).expect("an engine");
    test.context().checkpoint(dir.to_string_lossy());
    test.clock().advance(start);
    test
}

/// Writes the file of one batch under another name first, with the time of the batch.
fn write(input: &Path, number: i64, text: &str) {
    let (hidden, name) = (input.join(format!(".{number}")), input.join(number.to_string()));
    fs::write(&hidden, text).expect("it can be written");
    let modified = std::time::UNIX_EPOCH + seconds(number).to_std();
    let file = fs::File::options().append(true).open(&hidden).expect("it is there");
    file.set_modified(modified).expect("it can be set");
    fs::rename(hidden, name).expect("it can be renamed");
}

/// A file for each of 30 seconds, whether there is a context or not. Gives what all contexts put out.
fn with_failures<T: Clone + Send + Sync + 'static>(
    lives: &[(usize, i64)],
    contents: impl Fn(i64) -> String,
    program: impl Fn(DStream<Text>) -> DStream<T>,
) -> Vec<(i64, Vec<T>)> {
    let (dir, input) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (mut now, mut seen) = (0, Vec::new());
    let tick = |now: &mut i64| {
        *now += 1;
        if *now <= 30 {
            write(input.path(), *now, &contents(*now));
        }
    };
    for (batches, pause) in lives.iter().copied().chain([(31, 0)]) {
        let test = context(dir.path(), seconds(now));
        let collected: Collected<T> = test.collect(&program(test.context().text_file_stream(input.path())));
        test.catch_up().expect("all batches succeed");
        for _ in 0..batches {
            tick(&mut now);
            test.run(1).expect("the batch succeeds");
        }
        drop(test);
        seen.extend(collected.timed());
        (0..pause).for_each(|_| tick(&mut now));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn multiple_failures_with_map(lives in lives()) {
        let number = |line: Text| line.parse::<i64>();
        let seen = with_failures(&lives, |n| n.to_string(), |lines| lines.try_map(number));
        let numbers: Vec<i64> = seen.into_iter().flat_map(|(_, numbers)| numbers).collect();
        prop_assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    }

    #[test]
    fn multiple_failures_with_update_state_by_key(lives in lives()) {
        let seen = with_failures(
            &lives,
            |n| "a ".repeat(usize::try_from(n).expect("it is small")),
            |lines| {
                let ones = lines.flat_map(|line| line.words()).map(|word| (word, 1_i64));
                let sum = |new: Vec<i64>, n: Option<i64>| Some(n.unwrap_or(0) + new.iter().sum::<i64>());
                ones.update_state_by_key(sum).checkpoint(seconds(5)).map(|(_, n)| n)
            },
        );
        for (time, counts) in &seen {
            let n = (time / 1000).min(30);
            prop_assert_eq!(counts, &[n * (n + 1) / 2], "at {} ms", time);
        }
        let times: Vec<i64> = seen.iter().map(|(time, _)| *time).collect();
        prop_assert!(times.is_sorted_by(|a, b| a + 1000 == *b), "each batch once: {:?}", times);
    }
}

// CheckpointSuite: SPARK-6847 chained state
#[test]
fn states_made_from_states_go_on() {
    for before in [1, 4, 9, 10, 11] {
        let dir = tempfile::tempdir().expect("a directory");
        let run = |start: i64, batches: usize| {
            let test = context(dir.path(), seconds(start));
            let ones = test.input((1..=14).map(|_| vec![('k', 1_i64)]).collect());
            let sum = |new: Vec<i64>, n: Option<i64>| Some(n.unwrap_or(0) + new.iter().sum::<i64>());
            let chained = ones.update_state_by_key(sum).update_state_by_key(sum);
            let seen = test.collect(&chained);
            test.run(batches).expect("all batches succeed");
            seen.batches()
        };
        run(0, before);
        let n = i64::try_from(before).expect("it is small") + 2;
        let seen = run(n - 2, 2);
        assert_eq!(seen.last(), Some(&vec![('k', n * (n + 1) / 2)]), "after {before} batches");
    }
}

/// Gives the number of the batch, and counts how often it is restored.
struct Numbers(Arc<AtomicUsize>);

impl Source for Numbers {
    type Record = i64;
    type Plan = i64;

    fn name(&self) -> String {
        "Numbers".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<i64>> {
        Ok(Some(time.as_millis()))
    }

    fn info(&self, _: &i64) -> InputInfo {
        InputInfo::of_records(1)
    }

    fn rdd(&self, context: &RddContext, plan: i64) -> Result<Rdd<i64>> {
        Ok(context.parallelize([plan]))
    }

    fn restore(&self, _: &[u8], plans: Vec<(Time, i64)>) -> Result<()> {
        assert_eq!(plans.last(), Some(&(Time::from_millis(3_000), 3_000)), "what was planned comes back");
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

// CheckpointSuite: restore is invoked once per stream
#[test]
fn a_source_is_restored_once_however_many_outputs_it_has() {
    let dir = tempfile::tempdir().expect("a directory");
    let restored = Arc::new(AtomicUsize::new(0));
    for (start, batches) in [(0, 3), (3, 1)] {
        let test = context(dir.path(), seconds(start));
        let numbers = test.context().stream("numbers", |_| Arc::new(Numbers(Arc::clone(&restored))));
        let _outputs = [test.collect(&numbers), test.collect(&numbers), test.collect(&numbers)];
        test.run(batches).expect("all batches succeed");
    }
    assert_eq!(restored.load(Ordering::Relaxed), 1);
}
