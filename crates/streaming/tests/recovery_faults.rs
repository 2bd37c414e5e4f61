// SPDX-License-Identifier: Apache-2.0
//! A step on the way of a batch fails in one context, and another one goes on in its checkpoint directory.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use dstreams_streaming::{
    BoxError, Config,
    testing::{Collected, TestContext},
    time::{Duration, seconds},
};
use dstreams_wal::fault::{self, Fault};

/// Windows over a union, which has no dataset for a batch that is not there.
fn windows(dir: &Path, start: Duration) -> (TestContext, Collected<i64>) {
    let test = TestContext::with(Config::default(), seconds(1)).expect("an engine");
    test.context().checkpoint(dir.to_string_lossy());
    test.clock().advance(start);
    let numbers: Vec<_> = (1..=9).map(|n| vec![n]).collect();
    let (numbers, none) = (test.input(numbers), test.input(vec![vec![]; 9]));
    let seen = test.collect(&numbers.union(&none).window(seconds(3)));
    (test, seen)
}

// INVARIANT 22
#[test]
fn a_batch_that_cannot_be_logged_leaves_no_hole_for_windows_to_look_at() {
    let dir = tempfile::tempdir().expect("a directory");
    let (test, _) = windows(dir.path(), seconds(0));
    test.run(2).expect("all is well");
    {
        // As often as a write is tried.
        let _armed: Vec<_> =
            (1..=3).map(|n| fault::arm(dir.path(), "batches.write", n, Fault::DiskFull)).collect();
        test.run(1).expect_err("the third batch cannot be logged");
    }
    test.run(2).expect_err("the error stays, and no batch is made after it");
    drop(test);
    let (test, seen) = windows(dir.path(), seconds(5));
    test.catch_up().expect("the third batch and those after it are made up for");
    let times: Vec<i64> = seen.timed().into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [3000, 4000, 5000]);
    assert_eq!(seen.batches(), [[1, 2, 3], [2, 3, 4], [3, 4, 5]]);
}

// INVARIANT 22
#[test]
fn a_batch_whose_jobs_cannot_be_made_is_made_by_the_next_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let broken = Arc::new(AtomicBool::new(true));
    let program = |start| {
        let (test, seen) = windows(dir.path(), start);
        let (ones, broken) = (test.input(vec![vec![1]; 9]), Arc::clone(&broken));
        let fragile = ones.try_transform(move |rdd, time| {
            let fails = time.as_millis() == 3000 && broken.load(Ordering::Relaxed);
            if fails { Err(BoxError::from("the table is gone")) } else { Ok(rdd) }
        });
        fragile.print();
        (test, seen)
    };
    let (test, _) = program(seconds(0));
    test.run(2).expect("all is well");
    let error = test.run(1).expect_err("the third batch cannot be made").to_string();
    assert!(error.contains("the table is gone"), "{error}");
    drop(test);
    broken.store(false, Ordering::Relaxed);
    let (test, seen) = program(seconds(4));
    test.catch_up().expect("the table is back");
    assert_eq!(seen.timed(), [(3000, vec![1, 2, 3]), (4000, vec![2, 3, 4])]);
}
