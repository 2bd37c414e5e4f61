// SPDX-License-Identifier: Apache-2.0
//! The event log of a run shows what the run has shown, and stays within its bounds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use dstreams_monitor::{Limits, Monitor, Phase, Store, history, view};
use dstreams_streaming::{Config, Time, testing::TestContext, time::seconds};

/// Runs batches with the event log in `dir` and returns what the monitor knows at the end.
fn run(dir: &Path, batches: usize, size: &str) -> (String, view::Statistics) {
    let mut config = Config::new();
    for (key, value) in [
        ("spark.eventLog.enabled", "true"),
        ("spark.eventLog.dir", dir.to_str().unwrap()),
        ("dstreams.eventLog.maxSize", size),
    ] {
        config.set(key, value).unwrap();
    }
    let test = TestContext::with(config, seconds(1)).unwrap();
    let monitor = Monitor::attach(test.context()).unwrap();
    let input = (0..batches).map(|batch| vec![batch, 1, 2]).collect();
    test.input(input)
        .map(|n| (n % 2, n))
        .reduce_by_key(|a, b| a + b)
        .for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    test.run(batches).unwrap();
    test.stop();
    monitor.settle();
    monitor.read(|store| (store.application().id.clone(), view::statistics(store)))
}

fn read(dir: &Path, id: &str) -> Store {
    history::read(&dir.join(id), Limits::default()).unwrap()
}

#[test]
fn what_has_ended_looks_as_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let (id, before) = run(dir.path(), 5, "1m");
    let store = read(dir.path(), &id);
    assert_eq!(view::statistics(&store), before);
    assert_eq!(before.num_total_completed_batches, 5);
    assert!(store.stopped().is_some() && store.graph().is_some());
    // Down to the tasks.
    let jobs = view::jobs(&store, Time::from_millis(3000)).unwrap();
    assert!(
        jobs[0]
            .stages
            .iter()
            .any(|stage| stage.shuffle && !stage.tasks.is_empty() && !stage.operators.is_empty())
    );
    let runs = history::runs(dir.path()).unwrap();
    assert_eq!(runs.iter().map(|run| run.application.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(history::runs(&dir.path().join(id)).unwrap(), runs);
}

#[test]
fn the_log_of_a_long_run_keeps_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (id, before) = run(dir.path(), 700, "1m");
    let size: u64 =
        fs::read_dir(dir.path().join(&id)).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= 1 << 20, "{size}");
    let store = read(dir.path(), &id);
    // What was counted is known although the first batches are gone.
    assert_eq!(store.totals().completed_batches, 700);
    assert_eq!(store.totals().processed_records, before.num_processed_records);
    let kept = store.count(Phase::Completed);
    assert!(kept < 700 && kept > 50, "{kept}");
    assert!(store.batch(Time::from_millis(700_000)).is_some() && store.graph().is_some());
    assert!(store.started().is_some());
}

#[test]
fn a_line_that_was_cut_off_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (id, _) = run(dir.path(), 3, "1m");
    let file = dir.path().join(&id).join("events-000000.jsonl");
    let text = fs::read(&file).unwrap();
    fs::write(&file, &text[..text.len() - 20]).unwrap();
    assert_eq!(read(dir.path(), &id).totals().completed_batches, 3);
}
