// SPDX-License-Identifier: Apache-2.0
//! A log that cannot be written, or not be read: nothing that was acknowledged is lost, and nothing else is taken for it.

use std::fs;

use dstreams_wal::fault::{self, Fault};
use tempfile::tempdir;

use super::{NotStored, Run, at, segments};

const STEPS: [&str; 6] = ["create_dir", "create", "write", "sync", "rename", "sync_dir"];

#[test]
fn a_full_disk_at_any_step_leaves_the_block_to_be_stored_later() {
    for step in STEPS {
        for is_first in [true, false] {
            let dir = tempdir().unwrap();
            let log = dir.path().join("log");
            let run = Run::logged(&log);
            if !is_first {
                run.store(1, &["a"]);
            }
            let armed = fault::arm(&log, &format!("received.{step}"), 1, Fault::DiskFull);
            // A time of another segment, so that one must be made.
            let failed = run.try_store(5_000, vec!["b".to_owned()]);
            drop(armed);
            match failed {
                Ok(_) => assert_eq!((step, is_first), ("create_dir", false), "there is nothing to be made"),
                Err(NotStored::Log(error)) => {
                    assert!(error.is_disk_full(), "{step}: {error}");
                    run.store(5_000, &["b"]);
                }
                Err(error) => panic!("{step}: {error}"),
            }
            drop(run);
            let expected: &[&str] = if is_first { &["b"] } else { &["a", "b"] };
            let run = Run::restored(&log, &[]);
            assert_eq!(run.read(&run.plan(1)), expected, "{step}");
        }
    }
}

#[test]
fn an_error_at_any_step_is_survived_or_reported() {
    for step in STEPS {
        let dir = tempdir().unwrap();
        let log = dir.path().join("log");
        let run = Run::logged(&log);
        let armed = fault::arm(&log, &format!("received.{step}"), 1, Fault::Error);
        let stored = run.try_store(1, vec!["a".to_owned()]);
        drop(armed);
        let acknowledged = stored.is_ok();
        run.store(1, &["b"]);
        drop(run);
        let run = Run::restored(&log, &[]);
        let expected: &[&str] = if acknowledged { &["a", "b"] } else { &["b"] };
        assert_eq!(run.read(&run.plan(1)), expected, "{step}");
    }
}

#[test]
fn a_disk_that_stays_full_does_not_fill_with_empty_segments() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a"]);
    for attempt in 0..20 {
        let _armed = fault::arm(dir.path(), "received.write", 1 + attempt % 2, Fault::DiskFull);
        let _stored = run.try_store(5_000, vec!["b".to_owned()]);
    }
    assert!(segments(dir.path()).len() <= 2, "{:?}", segments(dir.path()));
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_file_and_place() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["first block"]);
    run.store(1, &["second block"]);
    let plan = run.plan(1);
    run.store(5_000, &["third block"]);
    run.blocks.forget(at(1));

    let file = dir.path().join("log-1-1001");
    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(11).position(|window| window == b"first block").unwrap();
    bytes[place] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let error = run.try_read(&plan.1).unwrap_err().to_string();
    assert!(
        error.contains("input-1-1.1 at byte 56 of") && error.contains("log-1-1001 is damaged"),
        "{error}"
    );
    drop(run);
    let again = Run::new().blocks.attach(dir.path(), None).unwrap_err().to_string();
    assert!(again.contains("log-1-1001 is damaged at byte 56"), "{again}");
}

#[test]
fn an_unfinished_block_at_the_end_was_never_acknowledged() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a", "b"]);
    drop(run);
    let file = dir.path().join("log-1-1001");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let run = Run::restored(dir.path(), &[]);
    run.store(1, &["c"]);
    assert_eq!(run.read(&run.plan(1)), ["a", "c"]);
}

#[test]
fn a_log_that_is_switched_off_is_read_to_its_end() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a"]);
    let plan = run.plan(1);
    run.store(1, &["b"]);
    drop(run);

    let run = Run::new();
    run.blocks.attach(dir.path(), None).unwrap();
    run.blocks.restore(0, &[(at(1), plan.1.clone())]);
    run.store(1, &["c"]);
    assert_eq!((run.read(&plan), run.read(&run.plan(2))), (vec!["a".into()], vec!["b".into(), "c".into()]));
}

#[test]
fn two_runs_cannot_write_one_log() {
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    run.store(1, &["a"]);
    let second = Run::new().blocks.attach(dir.path(), Some(super::rolling_each_second()));
    assert!(second.unwrap_err().to_string().contains("being written by somebody else"));
    run.blocks.close();
    assert!(matches!(run.try_store(2, vec!["late".to_owned()]), Err(NotStored::Log(_))));
    assert_eq!(run.read(&run.plan(1)), ["a"], "what is stored can still be processed");
    Run::restored(dir.path(), &[]);
}
