// SPDX-License-Identifier: Apache-2.0
//! A context that is given up at some batch, and another one that goes on in its checkpoint directory.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use dstreams_streaming::{
    Config, DStream, Error, Fate, RddQueue, Text, Time,
    testing::{Collected, TestContext},
    time::{Duration, milliseconds, seconds},
};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A context on the directory whose clock has come to `start`.
fn context(dir: &Path, start: Duration) -> TestContext {
    context_with(dir, start, &[])
}

fn context_with(dir: &Path, start: Duration, settings: &[(&str, &str)]) -> TestContext {
    let mut config = Config::default();
    for (key, value) in settings {
        config.set(key, value).expect("a known key");
    }
    let test = TestContext::with(config, seconds(1)).expect("an engine");
    test.context().checkpoint(dir.to_string_lossy());
    test.clock().advance(start);
    test
}

/// `batches` batches of the number of the batch.
fn numbers(test: &TestContext, batches: i64) -> DStream<i64> {
    test.input((1..=batches).map(|n| vec![n]).collect())
}

fn times<T: Clone>(seen: &Collected<T>) -> Vec<i64> {
    seen.timed().into_iter().map(|(time, _)| time).collect()
}

/// Runs a program for some batches, then again on the same directory for the rest.
fn in_two<T: Clone + Send + Sync + 'static>(
    before: usize,
    all: i64,
    program: impl Fn(&DStream<i64>) -> DStream<T>,
) -> (Vec<Vec<T>>, Vec<Vec<T>>) {
    let dir = directory();
    let run = |start: i64, batches: usize| {
        let test = context(dir.path(), seconds(start));
        let seen = test.collect(&program(&numbers(&test, all)));
        test.run(batches).expect("all batches succeed");
        seen.batches()
    };
    let first = run(0, before);
    let left = usize::try_from(all).expect("a few batches") - before;
    (first, run(i64::try_from(before).expect("a few batches"), left))
}

// INVARIANT 18
#[test]
fn states_go_on_where_they_were_for_any_batch_at_which_the_first_process_ends() {
    for before in 1..=12 {
        let sum = |new: Vec<i64>, sum: Option<i64>| Some(sum.unwrap_or(0) + new.iter().sum::<i64>());
        let (_, second) = in_two(before, 13, |numbers| numbers.map(|n| ('s', n)).update_state_by_key(sum));
        let expected: Vec<_> =
            (i64::try_from(before).expect("a few") + 1..=13).map(|n| vec![('s', n * (n + 1) / 2)]).collect();
        assert_eq!(second, expected, "after {before} batches");
    }
}

#[test]
fn windows_see_the_batches_of_the_first_process() {
    for before in 1..6 {
        let (first, second) = in_two(before, 6, |numbers| numbers.window(seconds(3)));
        let all: Vec<_> = first.into_iter().chain(second).collect();
        let expected = [vec![1], vec![1, 2], vec![1, 2, 3], vec![2, 3, 4], vec![3, 4, 5], vec![4, 5, 6]];
        assert_eq!(all, expected, "after {before} batches");
    }
}

#[test]
fn windows_with_an_inverse_go_on_for_any_batch_at_which_the_first_process_ends() {
    for before in 1..=12 {
        let (_, second) = in_two(before, 13, |numbers| {
            numbers.map(|n| ('w', n)).reduce_by_key_and_window_inverse(
                |a, b| a + b,
                |a, b| a - b,
                seconds(4),
                seconds(1),
            )
        });
        let window = |n: i64| ((n - 3).max(1)..=n).sum::<i64>();
        let expected: Vec<_> =
            (i64::try_from(before).expect("a few") + 1..=13).map(|n| vec![('w', window(n))]).collect();
        assert_eq!(second, expected, "after {before} batches");
    }
}

#[test]
fn a_window_over_states_sees_those_of_the_first_process() {
    for before in [1, 2, 9, 10, 11, 12] {
        let count = |new: Vec<i64>, n: Option<usize>| Some(n.unwrap_or(0) + new.len());
        let (_, second) = in_two(before, 14, |numbers| {
            numbers.map(|n| ('s', n)).update_state_by_key(count).map(|(_, n)| n).window(seconds(3))
        });
        let expected: Vec<Vec<usize>> =
            (before + 1..=14).map(|n| (n.saturating_sub(2).max(1)..=n).collect()).collect();
        assert_eq!(second, expected, "after {before} batches");
    }
}

#[test]
fn a_batch_that_has_failed_and_those_after_it_are_processed_again_with_the_same_input() {
    let dir = directory();
    let broken = Arc::new(AtomicBool::new(true));
    let program = |test: &TestContext| {
        let sums = numbers(test, 9)
            .map(|n| ('s', n))
            .update_state_by_key(|new, sum: Option<i64>| Some(sum.unwrap_or(0) + new.iter().sum::<i64>()));
        let seen = test.collect(&sums);
        let broken = Arc::clone(&broken);
        sums.for_each_rdd(move |_, time| {
            let fails = broken.load(Ordering::Relaxed) && time.as_millis() == 3000;
            if fails { Err(Error::user("the disk of the output is full")) } else { Ok(()) }
        });
        seen
    };
    {
        let test = context(dir.path(), seconds(0));
        let seen = program(&test);
        assert!(test.run(3).expect_err("the third batch fails").to_string().contains("disk of the output"));
        (0..2).for_each(|_| assert!(test.run(1).is_err(), "the error stays"));
        assert_eq!(test.context().pending_batches(), []);
        assert_eq!(times(&seen), [1000, 2000, 3000, 4000, 5000], "later batches are processed all the same");
    }
    broken.store(false, Ordering::Relaxed);
    let test = context(dir.path(), seconds(6));
    let seen = program(&test);
    test.catch_up().expect("the output is mended");
    let sums = [(3, 6), (4, 10), (5, 15), (6, 21)];
    assert_eq!(seen.timed(), sums.map(|(second, sum)| (second * 1000, vec![('s', sum)])));
}

#[test]
fn after_a_batch_that_has_failed_so_many_follow_and_no_more() {
    let dir = directory();
    let test = context(dir.path(), seconds(0));
    let stream = numbers(&test, 200);
    let seen = test.collect(&stream);
    stream.for_each_rdd(
        |_, time| {
            if time.as_millis() == 2000 { Err(Error::user("it fails once")) } else { Ok(()) }
        },
    );
    (0..150).for_each(|_| drop(test.run(1)));
    assert_eq!(seen.batches().len(), 1 + 65);
    drop(test);
    let test = context(dir.path(), seconds(150));
    let seen = test.collect(&numbers(&test, 200));
    test.catch_up().expect("the output that failed is gone");
    assert_eq!(times(&seen), (2..=150).map(|second| second * 1000).collect::<Vec<_>>());
}

#[test]
fn missed_batches_are_made_up_for_or_left_out() {
    let dir = directory();
    let program = |start, settings: &[(&str, &str)]| {
        let test = context_with(dir.path(), seconds(start), settings);
        let count = numbers(&test, 20)
            .map(|n| ('n', n))
            .update_state_by_key(|new, n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
        let seen = test.collect(&count);
        if start == 0 { test.run(2) } else { test.catch_up().and_then(|()| test.run(1)) }
            .expect("all batches succeed");
        seen
    };
    assert_eq!(times(&program(0, &[])), [1000, 2000]);
    assert_eq!(times(&program(4, &[])), [3000, 4000, 5000]);
    let dir_of_skipping = program(8, &[("dstreams.recovery.missedBatches", "skip")]);
    assert_eq!(dir_of_skipping.timed(), [(9000, vec![('n', 6)])]);
}

#[test]
fn when_the_newest_checkpoint_file_is_damaged_the_one_before_is_used() {
    let damage: [fn(&Path); 3] = [
        |path| fs::write(path, "{").expect("it can be written"),
        |path| {
            let mut bytes = fs::read(path).expect("it is there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).expect("it can be written");
        },
        |path| fs::remove_file(path).expect("it is there"),
    ];
    for damage in damage {
        let dir = directory();
        let run = |start: i64, batches| {
            let test = context(dir.path(), seconds(start));
            let sums = numbers(&test, 50).map(|n| ('s', n)).update_state_by_key(|new, sum: Option<i64>| {
                Some(sum.unwrap_or(0) + new.iter().sum::<i64>())
            });
            let seen = test.collect(&sums);
            test.run(batches).expect("all batches succeed");
            test.stop();
            seen.batches()
        };
        run(0, 35);
        let newest = fs::read_dir(dir.path())
            .expect("a listing")
            .filter_map(|entry| {
                let path = entry.expect("a listing").path();
                let name = path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse::<i64>().ok()?;
                Some((name, path))
            })
            .max()
            .expect("there are checkpoint files");
        damage(&newest.1);
        assert_eq!(run(35, 1), [[('s', 36 * 37 / 2)]]);
    }
}

#[test]
fn a_directory_in_use_is_refused_and_so_is_that_of_another_application() {
    let dir = directory();
    let start = |application: &str| {
        let test = context_with(dir.path(), seconds(0), &[("spark.app.name", application)]);
        numbers(&test, 1).print();
        test.run(1).map(|()| test)
    };
    let first = start("orders").expect("nobody has it");
    let refused = |outcome: Result<TestContext, Error>| outcome.err().expect("it is refused").to_string();
    assert!(refused(start("orders")).contains("is in use by process"));
    drop(first);
    let other = refused(start("payments"));
    assert!(other.contains("belongs to the application \"orders\", and this is \"payments\""), "{other}");
    start("orders").expect("the first has ended");
}

#[test]
fn a_changed_program_keeps_what_it_still_has_and_says_so() {
    let dir = directory();
    let count = |new: Vec<i64>, n: Option<usize>| Some(n.unwrap_or(0) + new.len());
    {
        let test = context(dir.path(), seconds(0));
        let ones = numbers(&test, 9).map(|n| ('n', n));
        ones.update_state_by_key(count).named("counts").print();
        ones.update_state_by_key(count).named("old").print();
        test.run(2).expect("all batches succeed");
        test.stop();
    }
    let test = context(dir.path(), seconds(2));
    let ones = numbers(&test, 9).filter(|_| true).map(|n| ('n', n)).map(|pair| pair);
    let young = test.collect(&ones.update_state_by_key(count).named("young"));
    let counts = test.collect(&ones.update_state_by_key(count).named("counts"));
    test.run(1).expect("all batches succeed");
    assert_eq!(counts.batches(), [[('n', 3)]]);
    assert_eq!(
        young.batches(),
        [[('n', 1)]],
        "a new state begins with nothing, although earlier batches are known"
    );
    let report = test.context().recovery().expect("there was something to go on from");
    let fates: Vec<_> = report
        .rows
        .iter()
        .filter(|row| row.part == "state")
        .map(|row| (row.name.as_str(), row.fate))
        .collect();
    assert_eq!(fates, [("counts", Fate::Kept), ("young", Fate::New), ("old", Fate::Dropped)]);
}

#[test]
fn the_batch_interval_changes_only_when_no_batch_waits() {
    let dir = directory();
    let run = |interval: Duration, start: Duration, batches: usize, stop: bool| {
        let test = TestContext::with(Config::default(), interval).expect("an engine");
        test.context().checkpoint(dir.path().to_string_lossy());
        test.clock().advance(start);
        let fails = !stop;
        let input = test.input(vec![vec![('a', 1)]; 40]);
        let counts = input.update_state_by_key(|new, n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
        let seen = test.collect(&counts);
        counts.for_each_rdd(move |_, _| if fails { Err(Error::user("it fails")) } else { Ok(()) });
        let outcome = test.run(batches);
        if stop {
            test.stop();
        }
        outcome.map(|()| seen.batches())
    };
    run(seconds(1), seconds(0), 3, true).expect("all batches succeed");
    let counts = run(milliseconds(500), seconds(3), 2, true).expect("no batch waits");
    assert_eq!(counts, [[('a', 4)], [('a', 5)]]);
    run(milliseconds(500), seconds(4), 1, false).expect_err("the output fails");
    let refused = run(seconds(1), seconds(5), 1, true).expect_err("a batch waits").to_string();
    assert!(refused.contains("holds 1 batches of 500 ms"), "{refused}");
}

#[test]
fn a_queue_stream_cannot_be_recovered() {
    let dir = directory();
    let run = |start| {
        let test = context(dir.path(), seconds(start));
        test.context().queue_stream(&RddQueue::<u32>::new()).print();
        test.run(1)
    };
    run(0).expect("the first start is none of its business");
    let refused = run(1).expect_err("it refuses").to_string();
    assert!(refused.contains("queueStream doesn't support checkpointing"), "{refused}");
}

#[test]
fn a_url_of_another_file_system_is_refused() {
    let test = TestContext::new().expect("an engine");
    test.context().checkpoint("s3://bucket/orders");
    numbers(&test, 1).print();
    let refused = test.run(1).expect_err("it is no directory").to_string();
    assert!(refused.contains("s3://bucket/orders cannot be opened"), "{refused}");
    assert!(refused.contains("feature `object-store`"), "{refused}");
}

// CheckpointSuite: recovery with file input stream
#[test]
fn files_that_came_while_no_process_was_running_are_read_once() {
    let (dir, input) = (directory(), directory());
    let write = |n: u64| {
        let path = input.path().join(format!("{n}.txt"));
        fs::write(&path, n.to_string()).expect("it can be written");
        let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(n);
        fs::File::options()
            .append(true)
            .open(&path)
            .expect("it is there")
            .set_modified(modified)
            .expect("it can be set");
    };
    let program = |start: i64| {
        let test = context(dir.path(), seconds(start));
        let lines = test.context().text_file_stream(input.path());
        let parsed = lines.try_map(|line: Text| line.parse::<i64>());
        (test.collect(&parsed.reduce_by_window(|a, b| a + b, seconds(60), seconds(1))), test)
    };
    let (first, test) = program(0);
    for n in 1..=3 {
        write(n);
        test.run(1).expect("all batches succeed");
    }
    assert_eq!(first.batches(), [[1], [3], [6]]);
    drop(test);
    (4..=6).for_each(write);
    let (second, test) = program(6);
    test.catch_up().expect("all batches succeed");
    assert_eq!(second.batches(), [[10], [15], [21]]);
    write(7);
    test.run(1).expect("all batches succeed");
    assert_eq!(second.batches().last(), Some(&vec![28]));
}

#[test]
fn however_many_batches_were_missed_few_wait_at_a_time() {
    let dir = directory();
    let program = |start: i64| {
        let test = context(dir.path(), seconds(start));
        let stream = numbers(&test, 1000);
        let seen = test.collect(&stream);
        let (context, most) = (test.context().clone(), Arc::new(AtomicUsize::new(0)));
        let observed = Arc::clone(&most);
        stream.for_each_rdd(move |_, _| {
            observed.fetch_max(context.pending_batches().len(), Ordering::Relaxed);
            Ok(())
        });
        (test, seen, most)
    };
    program(0).0.run(1).expect("the batch succeeds");
    let (test, seen, most) = program(500);
    test.catch_up().expect("all batches succeed");
    assert_eq!(times(&seen), (2..=500).map(|second| second * 1000).collect::<Vec<_>>());
    assert!(most.load(Ordering::Relaxed) <= 64, "{} batches waited", most.load(Ordering::Relaxed));
}

// INVARIANT 22
#[test]
fn a_stop_while_missed_batches_are_made_up_for_leaves_no_gap() {
    let dir = directory();
    let first = context(dir.path(), seconds(0));
    first.collect(&numbers(&first, 2000));
    first.run(1).expect("the batch succeeds");
    drop(first);
    let test = context(dir.path(), seconds(400));
    // Slow jobs: nothing ever comes.
    let (_never, slow) = std::sync::mpsc::channel::<()>();
    let slow = std::sync::Mutex::new(slow);
    numbers(&test, 2000).for_each_rdd(move |_, _| {
        let _ = slow.lock().expect("nobody panics").recv_timeout(std::time::Duration::from_millis(20));
        Ok(())
    });
    test.context().start().expect("it starts");
    // These have their turn after those that were missed.
    test.clock().advance(seconds(5));
    test.clock().await_waiter_for(Time::from_millis(406_000));
    test.context().stop().expect("it stops");
    let test = context(dir.path(), seconds(410));
    let seen = test.collect(&numbers(&test, 2000));
    test.catch_up().expect("all batches succeed");
    let seen = times(&seen);
    assert!(seen.windows(2).all(|pair| pair[1] - pair[0] == 1000), "{seen:?}");
    let ends = (seen.first().is_some_and(|first| *first < 100_000), seen.last().copied());
    assert_eq!(ends, (true, Some(410_000)), "{seen:?}");
}
