// SPDX-License-Identifier: Apache-2.0
//! `FileSink` against a model: whole batches, each once, after any sequence of faults, restarts, merges and removals.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use dstreams_streaming::{
    Config, FileSink, Result, Time, committed_files, read_committed, testing::TestContext, time::seconds,
};
use dstreams_wal::fault::{self, Fault};
use proptest::prelude::*;

/// The steps at which a file sink can fail.
const POINTS: &[&str] = &[
    "files.create_dir",
    "files.create",
    "files.write",
    "files.sync",
    "files.rename",
    "files.sync_dir",
    "files.remove",
    "manifest.create",
    "manifest.write",
    "manifest.sync",
    "manifest.rename",
    "manifest.sync_dir",
    "merge.create",
    "merge.write",
    "merge.sync",
    "merge.rename",
    "merge.sync_dir",
];

/// Runs the first `count` batches as a program does that is started anew, and gives up at the first failure.
fn run(batches: &[Vec<u32>], count: usize, sink: FileSink<u32>) -> Result<()> {
    let mut config = Config::default();
    config.set("dstreams.sink.retryTimeout", "0")?;
    let test = TestContext::with(config, seconds(1))?;
    test.input(batches.to_vec()).write_to(sink).named("numbers");
    test.run(count)
}

/// The records of each batch that counts, of files that hold one batch or several.
fn lines(dir: &Path) -> Vec<u32> {
    let text = String::from_utf8(read_committed(dir).unwrap()).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// The files in the directory that are not manifests.
fn data_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "_committed").collect();
    names.sort();
    names
}

fn text(dir: &Path) -> FileSink<u32> {
    FileSink::text(dir)
}

#[test]
fn a_batch_counts_when_its_last_partition_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let batches = [vec![1, 2], vec![3, 4]];
    let armed = fault::arm(dir.path(), "files.rename", 4, Fault::DiskFull);
    run(&batches, 2, text(dir.path())).unwrap_err();
    drop(armed);
    assert_eq!(lines(dir.path()), [1, 2]);
    run(&batches, 2, text(dir.path())).unwrap();
    assert_eq!(lines(dir.path()), [1, 2, 3, 4]);
    let names = ["part-1000-00000-of-00002", "part-1000-00001-of-00002"];
    assert_eq!(data_files(dir.path())[..2], names);
}

#[test]
fn nothing_is_left_of_partitions_without_records_but_that_they_are_there() {
    let dir = tempfile::tempdir().unwrap();
    run(&[vec![1], vec![]], 2, text(dir.path())).unwrap();
    assert_eq!(data_files(dir.path()), ["part-1000-00001-of-00002"]);
    run(&[vec![1], vec![7]], 2, text(dir.path())).unwrap();
    assert_eq!(lines(dir.path()), [1]);
}

#[test]
fn small_files_become_large_ones() {
    let dir = tempfile::tempdir().unwrap();
    let batches: Vec<Vec<u32>> = (0..27).map(|batch| vec![batch * 2, batch * 2 + 1]).collect();
    // Each batch does one merge; the last ones wait for their turn in two more batches, which have no records.
    run(&batches, 29, text(dir.path()).merge(3, 1 << 20)).unwrap();
    assert_eq!(data_files(dir.path()), ["merged-3-1000-27000"]);
    assert_eq!(lines(dir.path()), (0..54).collect::<Vec<u32>>());
    let file = &committed_files(dir.path()).unwrap()[0];
    assert_eq!((file.first, file.last), (Time::from_millis(1_000), Time::from_millis(27_000)));
    // What was merged is still known.
    run(&batches, 27, text(dir.path())).unwrap();
    assert_eq!(lines(dir.path()).len(), 54);
}

#[test]
fn merged_files_keep_to_their_size() {
    let dir = tempfile::tempdir().unwrap();
    let batches: Vec<Vec<u32>> = (10..50).map(|n| vec![n, n]).collect();
    run(&batches, 40, text(dir.path()).merge(4, 30)).unwrap();
    let sizes: Vec<u64> = committed_files(dir.path()).unwrap().iter().map(|file| file.bytes).collect();
    assert!(
        sizes.iter().all(|&size| size <= 30) && sizes.iter().filter(|&&size| size >= 18).count() > 5,
        "{sizes:?}"
    );
    assert_eq!(lines(dir.path()).len(), 80);
}

#[test]
fn old_batches_go_and_do_not_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let batches: Vec<Vec<u32>> = (1..=10).map(|n| vec![n]).collect();
    for _run in 0..2 {
        run(&batches, 10, text(dir.path()).merge(0, 0).keep(seconds(3))).unwrap();
        assert_eq!(lines(dir.path()), [7, 8, 9, 10]);
        assert_eq!(data_files(dir.path()).len(), 4);
    }
}

#[test]
fn a_directory_belongs_to_one_output() {
    let dir = tempfile::tempdir().unwrap();
    run(&[vec![1]], 1, text(dir.path())).unwrap();
    let test = TestContext::new().unwrap();
    test.input(vec![vec![1]]).write_to(text(dir.path())).named("others");
    let error = test.run(1).unwrap_err().to_string();
    assert!(
        error.contains("holds output numbers of application test; give output others of test a directory"),
        "{error}"
    );
}

#[test]
fn a_damaged_manifest_is_named() {
    let dir = tempfile::tempdir().unwrap();
    run(&[vec![1]], 1, text(dir.path())).unwrap();
    let manifest = dir.path().join("_committed/1000");
    let damaged = fs::read_to_string(&manifest).unwrap().replace("\"partitions\":2", "\"partitions\":3");
    fs::write(&manifest, damaged).unwrap();
    let error = run(&[vec![1]], 1, text(dir.path())).unwrap_err().to_string();
    assert!(error.contains("_committed/1000 is damaged"), "{error}");
    assert!(read_committed(dir.path()).unwrap_err().to_string().contains("_committed/1000 is damaged"));
}

/// What the processes do that the test below starts.
const CRASH_IN: &str = "FILE_SINK_CRASH_IN";

fn crash_input() -> Vec<Vec<u32>> {
    (0..6).map(|batch| vec![batch * 2, batch * 2 + 1]).collect()
}

fn crash_sink(dir: &Path) -> FileSink<u32> {
    text(dir).merge(2, 1 << 20).keep(seconds(4))
}

/// Does nothing in a test run of its own.
#[test]
fn process_that_is_to_crash() {
    if let Some(dir) = std::env::var_os(CRASH_IN) {
        run(&crash_input(), 6, crash_sink(Path::new(&dir))).unwrap();
    }
}

#[test]
fn a_process_that_ends_at_any_step_loses_and_doubles_nothing() {
    for point in POINTS {
        for nth in [1, 4] {
            let dir = tempfile::tempdir().unwrap();
            let mut process = Command::new(std::env::current_exe().unwrap());
            process.args(["process_that_is_to_crash", "--exact"]).env(CRASH_IN, dir.path());
            let ended = process.env(fault::FAULTS, format!("{point}@{nth}=crash")).output().unwrap();
            assert!(!ended.status.success() || nth > 1, "{point} was not passed");
            run(&crash_input(), 6, crash_sink(dir.path())).unwrap();
            let found = lines(dir.path());
            assert!(
                found.is_sorted_by(|a, b| a < b) && found.ends_with(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
                "{point}@{nth}: {found:?}"
            );
            let left = data_files(dir.path()).len();
            assert_eq!(left, committed_files(dir.path()).unwrap().len(), "{point}@{nth}");
        }
    }
}

/// One life of a program: how far it comes, unless the `nth` pass of a point ends it.
#[derive(Debug, Clone)]
struct Life {
    batches: usize,
    point: &'static str,
    nth: u64,
}

fn life() -> impl Strategy<Value = Life> {
    (1usize..=16, 0..POINTS.len(), 1u64..12).prop_map(|(batches, point, nth)| Life {
        batches,
        point: POINTS[point],
        nth,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// INVARIANT 17.
    #[test]
    fn whole_batches_count_once_whatever_fails(
        sizes in prop::collection::vec(0usize..4, 16),
        lives in prop::collection::vec(life(), 1..7),
        merge in 0usize..4,
        target in 1u64..200,
        keep in prop::option::of(0u8..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut next = 0..;
        let batches: Vec<Vec<u32>> = sizes.iter().map(|&size| next.by_ref().take(size).collect()).collect();
        let sink = || {
            let sink = text(dir.path()).merge(merge, target);
            match keep { Some(keep) => sink.keep(seconds(keep.into())), None => sink }
        };
        let batch_of: BTreeMap<u32, usize> =
            batches.iter().enumerate().flat_map(|(batch, records)| records.iter().map(move |&n| (n, batch))).collect();
        let (mut reached, mut attempted) = (0, 0);
        for life in lives {
            attempted = attempted.max(life.batches);
            let armed = fault::arm(dir.path(), life.point, life.nth, Fault::DiskFull);
            let complete = run(&batches, life.batches, sink()).is_ok();
            drop(armed);
            if complete {
                reached = reached.max(life.batches);
            }
            if !dir.path().join("_committed").exists() {
                continue;
            }
            // Whole batches, in their order and once, none that may not be gone is missing.
            let found = lines(dir.path());
            prop_assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
            let there: Vec<usize> = found.iter().map(|n| batch_of[n]).collect();
            // How far a life came that has failed is not seen where batches are empty; they age the others all the same.
            let oldest = keep.map_or(0, |keep| attempted.saturating_sub(usize::from(keep) + 1));
            for (batch, records) in batches.iter().enumerate() {
                let count = there.iter().filter(|&&there| there == batch).count();
                prop_assert!(count == 0 || count == records.len(), "batch {batch} in part: {found:?}");
                if batch < reached && batch >= oldest {
                    prop_assert_eq!(count, records.len(), "batch {} of {} is missing", batch, reached);
                }
            }
        }
        run(&batches, 16, sink()).unwrap();
        let oldest = keep.map_or(0, |keep| 16usize.saturating_sub(usize::from(keep) + 1));
        let kept: Vec<u32> = batches[oldest..].concat();
        let found = lines(dir.path());
        prop_assert!(found.ends_with(&kept), "{found:?} lacks some of {kept:?}");
        // Nothing lies about that no manifest names.
        let named: Vec<String> = {
            let files = committed_files(dir.path()).unwrap();
            let mut names: Vec<String> =
                files.iter().map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        prop_assert_eq!(data_files(dir.path()), named);
    }
}
