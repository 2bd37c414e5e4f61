// SPDX-License-Identifier: Apache-2.0
//! Datasets written to files and read back: what is in the directories, how files are cut, what can go wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use dstreams_rdd::{Error, Rdd, RddContext, RddOptions, SaveOptions, TaskError, Text};
use proptest::prelude::*;
use tempfile::TempDir;

fn context() -> RddContext {
    RddContext::local(2).unwrap()
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The names in a directory, sorted.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn task_error<T: std::fmt::Debug>(result: dstreams_rdd::Result<T>) -> String {
    match result {
        Err(Error::Task(failure)) => failure.cause.to_string(),
        other => panic!("expected a failed task, got {other:?}"),
    }
}

#[test]
fn a_text_directory_has_a_file_per_partition_and_a_mark_of_success() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("deep").join("pairs");
    let pairs = sc.parallelize_in([(1, "v1"), (2, "v2"), (3, "v3")], 2);
    pairs.save_as_text_file(&path).unwrap();
    assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(fs::read_to_string(path.join("part-00000")).unwrap(), "(1,v1)\n");
    assert_eq!(fs::read_to_string(path.join("part-00001")).unwrap(), "(2,v2)\n(3,v3)\n");
}

#[test]
fn empty_partitions_make_empty_files() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("empty");
    sc.parallelize_in(Vec::<i32>::new(), 2).save_as_text_file(&path).unwrap();
    assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(sc.text_file(&path).unwrap().count().unwrap(), 0);
}

#[test]
fn an_existing_directory_is_an_error_and_stays_as_it_is() {
    let (sc, directory) = (context(), directory());
    fs::write(directory.path().join("notes"), "mine").unwrap();
    let error = sc.parallelize([1]).save_as_text_file(directory.path()).unwrap_err();
    assert!(matches!(&error, Error::OutputExists(path) if Path::new(path) == directory.path()), "{error}");
    assert_eq!(names(directory.path()), ["notes"]);
}

#[test]
fn overwriting_replaces_parts_and_leaves_other_files() {
    let (sc, directory) = (context(), directory());
    let (path, overwrite) = (directory.path(), SaveOptions { overwrite: true });
    sc.parallelize_in([1, 2, 3], 3).save_as_text_file_with(path, overwrite).unwrap();
    fs::write(path.join("part-time"), "mine").unwrap();
    fs::create_dir(path.join("_temporary")).unwrap();
    fs::write(path.join("_temporary").join("part-00000.0"), "of a process that died").unwrap();
    sc.parallelize_in([4, 5], 2).save_as_text_file_with(path, overwrite).unwrap();
    assert_eq!(names(path), ["_SUCCESS", "part-00000", "part-00001", "part-time"]);
    assert_eq!(fs::read_to_string(path.join("part-00001")).unwrap(), "5\n");
}

#[test]
fn a_failed_job_leaves_no_directory() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("numbers");
    let numbers = sc.parallelize_in(["1", "x"], 2).try_map(str::parse::<i32>);
    assert!(numbers.save_as_text_file(&path).is_err());
    assert!(!path.exists());
}

#[test]
fn a_failed_job_leaves_the_output_that_it_was_to_replace() {
    let (sc, directory) = (context(), directory());
    let (path, overwrite) = (directory.path(), SaveOptions { overwrite: true });
    sc.parallelize_in([1, 2], 2).save_as_text_file_with(path, overwrite).unwrap();
    let numbers = sc.parallelize_in(["7", "x"], 2).try_map(str::parse::<i32>);
    assert!(numbers.save_as_text_file_with(path, overwrite).is_err());
    assert_eq!(names(path), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(fs::read_to_string(path.join("part-00000")).unwrap(), "1\n");
}

#[test]
fn a_task_that_is_tried_again_writes_its_records_once() {
    let sc =
        RddContext::new(RddOptions { threads: 1, max_task_failures: 3, ..RddOptions::default() }).unwrap();
    let directory = directory();
    let path = directory.path().join("numbers");
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let numbers = sc.parallelize_in(0..5000, 1).try_map(move |n| {
        let fails = n == 4000 && tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
        if fails { Err("not yet") } else { Ok(n) }
    });
    numbers.save_as_text_file(&path).unwrap();
    assert_eq!(sc.text_file(&path).unwrap().count().unwrap(), 5000);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let (sc, directory) = (context(), directory());
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = sc.parallelize([1]).save_as_text_file(file.join("below")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().contains("below"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_as_such() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("_temporary");
    // The device that is always full takes the place of the file that the task is going to create.
    let rdd = sc.parallelize_in(0..3, 1).map_partitions(move |records| {
        std::os::unix::fs::symlink("/dev/full", path.join("part-00000.0")).unwrap();
        records.collect::<Vec<_>>()
    });
    // The partition starts before its file is created.
    let error = rdd.save_as_text_file_with(directory.path(), SaveOptions { overwrite: true }).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
}

#[test]
fn missing_paths_are_named() {
    let (sc, directory) = (context(), directory());
    for path in [directory.path().join("absent"), directory.path().join("absent*")] {
        let error = sc.text_file(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(error.to_string().contains("absent"), "{error}");
    }
}

#[test]
fn a_file_that_vanishes_after_it_was_listed_fails_its_task() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    fs::write(&path, "line").unwrap();
    let lines = sc.text_file(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = task_error(lines.count());
    assert!(error.starts_with("cannot read") && error.contains("file"), "{error}");
}

#[test]
fn directories_and_patterns_leave_out_hidden_names_and_go_by_name() {
    let (sc, directory) = (context(), directory());
    let path = directory.path();
    for (name, text) in [("b", "2"), ("a", "1"), ("_c", "no"), (".d", "no")] {
        fs::write(path.join(name), text).unwrap();
    }
    fs::create_dir(path.join("sub")).unwrap();
    fs::write(path.join("sub").join("e"), "3").unwrap();
    let read = |path: PathBuf| sc.text_file(path).and_then(|lines: Rdd<Text>| lines.collect());
    assert_eq!(read(path.join("*")).unwrap(), ["1", "2", "3"]);
    assert_eq!(read(path.join("[ab]")).unwrap(), ["1", "2"]);
    assert_eq!(read(path.join("sub")).unwrap(), ["3"]);
    assert_eq!(read(path.join("_c")).unwrap(), ["no"]);
    assert!(read(path.to_owned()).unwrap_err().to_string().contains("directory"));
}

#[test]
fn small_files_have_at_least_two_partitions() {
    let (sc, directory) = (RddContext::local(1).unwrap(), directory());
    let path = directory.path().join("file");
    fs::write(&path, "a\nb\nc\nd\n").unwrap();
    assert_eq!(sc.text_file(&path).unwrap().num_partitions(), 2);
    assert_eq!(sc.text_file_in(&path, 4).unwrap().num_partitions(), 4);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    fs::write(&path, b"f\xfcr\nok").unwrap();
    assert_eq!(sc.text_file(&path).unwrap().collect().unwrap(), ["f\u{fffd}r", "ok"]);
}

#[test]
fn a_line_beyond_the_memory_budget_is_an_error() {
    let sc =
        RddContext::new(RddOptions { threads: 1, memory_budget: 1 << 20, ..RddOptions::default() }).unwrap();
    let directory = directory();
    let path = directory.path().join("file");
    fs::write(&path, "x".repeat(3 << 20)).unwrap();
    let error = task_error(sc.text_file(&path).unwrap().count());
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn object_files_give_records_back_and_name_their_type() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("objects");
    let records: Vec<(String, Option<f64>)> =
        (0..5000).map(|n| (n.to_string(), (n % 3 == 0).then_some(f64::from(n)))).collect();
    sc.parallelize_in(records.clone(), 3).save_as_object_file(&path).unwrap();
    assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001", "part-00002"]);
    let read = sc.object_file::<(String, Option<f64>)>(&path).unwrap();
    assert_eq!(read.num_partitions(), 3);
    assert_eq!(read.collect().unwrap(), records);
    let error = task_error(sc.object_file::<(u8, bool)>(&path).unwrap().collect());
    assert!(error.contains("(u8, bool)") && error.contains("String"), "{error}");
}

#[test]
fn damaged_object_files_are_recognised() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("objects");
    sc.parallelize_in(0..1000_u64, 1).save_as_object_file(&path).unwrap();
    let part = path.join("part-00000");
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() - 1]).unwrap();
    let error = task_error(sc.object_file::<u64>(&path).unwrap().count());
    assert!(error.contains("part-00000"), "{error}");
    fs::write(&part, "text").unwrap();
    assert!(sc.object_file::<u64>(&path).unwrap().count().is_err());
}

#[test]
fn binary_records_have_their_length() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    let bytes: Vec<u8> = (0..=255).cycle().take(30_000).collect();
    fs::write(&path, &bytes).unwrap();
    let records = sc.binary_records(&path, 10).unwrap();
    assert!(records.num_partitions() >= 2);
    assert_eq!(records.collect().unwrap().concat(), bytes);
    assert!(records.map(|record| record.len()).collect().unwrap().iter().all(|&length| length == 10));
}

#[test]
fn a_record_that_is_cut_short_is_an_error() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    fs::write(&path, [0; 10]).unwrap();
    let error = task_error(sc.binary_records(&path, 4).unwrap().count());
    assert!(
        error.starts_with("Byte array does not have correct length. 2 did not equal recordLength: 4"),
        "{error}"
    );
    assert!(matches!(sc.binary_records(&path, 0), Err(Error::InvalidArgument(_))));
}

#[test]
fn io_errors_of_tasks_keep_their_cause() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    fs::write(&path, "line").unwrap();
    let lines = sc.text_file(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let Err(Error::Task(failure)) = lines.collect() else { panic!("the file is gone") };
    let TaskError::Io { cause, .. } = &*failure.cause else { panic!("{failure}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
}

/// The lines by definition: `\r\n`, `\n` and `\r` end them, and the end of the text does if a line is open.
fn lines_of(text: &str) -> Vec<String> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = unified.split('\n').map(str::to_owned).collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

proptest! {
    #[test]
    fn each_line_is_read_once_however_the_file_is_cut(text in "[ab\r\n]{0,60}", partitions in 1usize..70) {
        let (sc, directory) = (context(), directory());
        let path = directory.path().join("file");
        fs::write(&path, &text).unwrap();
        let lines = sc.text_file_in(&path, partitions).unwrap().collect().unwrap();
        prop_assert_eq!(lines, lines_of(&text));
    }

    #[test]
    fn text_files_give_lines_back(parts in prop::collection::vec(prop::collection::vec("[a-zé ]{0,9}", 0..9), 0..4)) {
        let (sc, directory) = (context(), directory());
        let path = directory.path().join("lines");
        sc.from_partitions(parts.clone()).save_as_text_file(&path).unwrap();
        prop_assert_eq!(sc.text_file(&path).unwrap().collect().unwrap(), parts.concat());
    }
}

#[test]
fn lines_longer_than_a_read_are_whole_in_every_cut() {
    let (sc, directory) = (context(), directory());
    let path = directory.path().join("file");
    let lines: Vec<String> = (0..20).map(|n| "xyz".repeat(n * 3001)).collect();
    fs::write(&path, lines.join("\r\n")).unwrap();
    for partitions in [1, 2, 7, 50] {
        let read = sc.text_file_in(&path, partitions).unwrap().collect().unwrap();
        assert!(read == lines, "{partitions} partitions");
    }
}
