// SPDX-License-Identifier: Apache-2.0
//! Which blocks wait and which batches have, before and after a restart; after the original's `ReceivedBlockTrackerSuite`.

use tempfile::tempdir;

use super::{Run, segments};

#[test]
fn block_addition_and_block_to_batch_allocation() {
    // INVARIANT 9
    let run = Run::new();
    assert!(!run.blocks.is_logged() && !run.blocks.has_waiting());
    let added = run.store(1, &["a", "b", "c", "d", "e"]);
    assert!(run.blocks.has_waiting());
    let first = run.plan(1);
    assert_eq!(first.1.blocks.iter().map(|block| block.info.clone()).collect::<Vec<_>>(), added);
    assert!(!run.blocks.has_waiting());
    assert!(run.plan(2).1.blocks.is_empty());
    // The batch before has what it had.
    assert_eq!(run.read(&first), ["a", "b", "c", "d", "e"]);
    run.store(3, &["f"]);
    assert_eq!(run.read(&run.plan(3)), ["f"]);
}

#[test]
fn many_blocks() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    let texts: Vec<String> = (0..300).map(|text| text.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    run.store(1, &texts);
    let plan = run.plan(1);
    assert!(!run.blocks.has_waiting());
    assert_eq!(segments(dir.path()), ["log-1-1001"]);
    drop(run);
    assert_eq!(Run::restored(dir.path(), &[]).read(&plan), texts);
}

#[test]
fn recovery_removes_only_allocated_blocks() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a", "b", "c", "d", "e"]);
    let plan = run.plan(1);
    run.store(2, &["f", "g", "h", "i", "j"]);
    drop(run);

    let run = Run::restored(dir.path(), std::slice::from_ref(&plan));
    assert_eq!(run.read(&plan), ["a", "b", "c", "d", "e"]);
    assert_eq!(run.read(&run.plan(2)), ["f", "g", "h", "i", "j"]);
}

#[test]
fn allocation_must_not_lose_blocks_when_the_log_write_fails() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a", "b", "c"]);
    // The log of batches refuses the batch: its plan comes back and is never heard of again.
    let (_, refused) = run.plan(1);
    run.store(1, &["d"]);
    run.blocks.give_back(&refused);
    assert!(run.blocks.has_waiting());
    let plan = run.plan(2);
    assert_eq!(run.read(&plan), ["a", "b", "c", "d"], "in front of what came later");
    drop(run);

    let run = Run::restored(dir.path(), std::slice::from_ref(&plan));
    assert!(!run.blocks.has_waiting());
    assert_eq!(run.read(&plan), ["a", "b", "c", "d"]);
}

#[test]
fn recovery_and_cleanup_with_write_ahead_logs() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(2_000, &["a", "b"]);
    assert_eq!(segments(dir.path()), ["log-2000-3000"]);
    drop(run);

    // Without recovery nothing waits, and what comes has numbers of its own.
    let run = Run::logged(dir.path());
    run.blocks.leave_found();
    assert!(!run.blocks.has_waiting());
    assert_eq!(run.blocks.first_number(), 2);
    drop(run);

    let run = Run::restored(dir.path(), &[]);
    let first = run.plan(4_000);
    assert_eq!(run.read(&first), ["a", "b"]);
    run.store(6_000, &["c"]);
    let second = run.plan(6_000);
    drop(run);

    let plans = [first, second];
    let run = Run::restored(dir.path(), &plans);
    assert!(!run.blocks.has_waiting());
    assert_eq!((run.read(&plans[0]), run.read(&plans[1])), (vec!["a".into(), "b".into()], vec!["c".into()]));
    run.blocks.clean(super::at(4_000));
    assert_eq!(segments(dir.path()), ["log-6000-7000"]);
    let gone = run.try_read(&plans[0].1).unwrap_err().to_string();
    assert!(gone.contains("log-2000-3000"), "a missing block is an error, not a loss: {gone}");
    drop(run);

    let run = Run::restored(dir.path(), &plans[1..]);
    assert!(!run.blocks.has_waiting());
    assert_eq!(run.read(&plans[1]), ["c"]);
}

#[test]
fn no_checkpoint_directory() {
    assert!(!Run::new().blocks.is_logged());
}
