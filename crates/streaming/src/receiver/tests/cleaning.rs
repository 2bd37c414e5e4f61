// SPDX-License-Identifier: Apache-2.0
//! What is freed and removed when batches are done with, and what must not be.

use std::collections::BTreeMap;

use tempfile::tempdir;

use super::{Incoming, Run, at, segments};

#[test]
fn blocks_of_a_later_batch_stay_in_memory_when_those_before_are_forgotten() {
    let run = Run::new();
    run.store(1, &["a"]);
    let first = run.plan(1);
    run.store(2, &["b"]);
    let second = run.plan(2);
    run.blocks.forget(at(1));
    assert_eq!((run.read(&first), run.read(&second)), (vec![], vec!["b".to_owned()]));
}

#[test]
fn blocks_that_came_back_belong_to_the_later_batch_alone() {
    let run = Run::new();
    run.store(1, &["a"]);
    let (_, plan) = run.plan(1);
    run.blocks.give_back(&plan);
    let second = run.plan(2);
    run.blocks.forget(at(1));
    assert_eq!(run.read(&second), ["a"]);
}

#[test]
fn a_batch_that_is_forgotten_can_be_run_again_until_it_is_cleaned() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1_000, &["a"]);
    run.plan(1);
    run.store(3_000, &["b"]);
    let second = run.plan(2);
    run.store(5_000, &["c"]);
    run.blocks.forget(at(2));
    assert_eq!(run.blocks.memory_used(), run.rdd.memory().used());
    run.blocks.clean(at(1));
    assert_eq!(segments(dir.path()), ["log-3000-4000", "log-5000-6000"]);
    assert_eq!(run.read(&second), ["b"]);
    run.blocks.clean(at(2));
    assert_eq!(segments(dir.path()), ["log-5000-6000"], "the last block waits");
}

#[test]
fn a_block_that_is_logged_and_does_not_count_yet_is_not_cleaned() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1_000, &["a"]);
    let number = run.blocks.begin();
    let id = run.blocks.next_whole(at(2_500), 1);
    let mut slow = Incoming::new(id, vec!["b".to_owned()], &BTreeMap::new());
    slow.encode().unwrap();
    let put = run.blocks.put(number.number, &mut slow, at(2_500)).unwrap();
    run.store(9_000, &["c"]);
    let first = run.plan(1);
    assert_eq!(run.read(&first), ["a"], "a batch takes nothing beyond a block that is being stored");
    run.blocks.clean(at(1));
    run.blocks.ledger.lock().stored(put);
    drop(number);
    drop(run);

    let run = Run::restored(dir.path(), &[first]);
    assert_eq!(run.read(&run.plan(2)), ["b", "c"]);
}

#[test]
fn a_clock_that_was_set_back_does_not_mislead_the_cleaning() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(900_000, &["a"]);
    run.plan(1);
    run.store(1_000, &["b"]);
    let second = run.plan(2);
    run.store(950_000, &["c"]);
    run.blocks.clean(at(1));
    assert_eq!(run.read(&second), ["b"]);
    assert_eq!(segments(dir.path()).len(), 2);
    run.blocks.clean(at(2));
    assert_eq!(segments(dir.path()), ["log-950000-951000"]);
}

#[test]
fn numbers_go_on_when_all_that_was_planned_is_cleaned() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a", "b"]);
    let plan = run.plan(1);
    drop(run);
    std::fs::remove_file(dir.path().join("log-1-1001")).unwrap();

    let run = Run::restored(dir.path(), std::slice::from_ref(&plan));
    // Nothing is planned before the next crash.
    let stored = run.store(1, &["c"]);
    assert_eq!(stored[0].id.number, 3);
    drop(run);
    let run = Run::restored(dir.path(), &[plan]);
    assert_eq!(run.read(&run.plan(2)), ["c"]);
}
