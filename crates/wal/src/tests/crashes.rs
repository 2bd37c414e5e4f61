// SPDX-License-Identifier: Apache-2.0
//! Every operation on the disk fails once, or is the last before the machine goes down.

use std::io::ErrorKind;

use super::{DIR, reader_on, records, small_segments, writer_on};
use crate::{
    Durability, Error, Writer,
    storage::{
        Storage,
        simulated::{Disk, Fault, Operation},
    },
};

const LAST: u8 = 12;

/// When the log is cleaned, and what is the first record that this leaves.
const CLEANED_AFTER: u8 = 7;
const FIRST_KEPT: u8 = 5;

/// The record `n` and its time: in each segment there are one or two, and some roll by time, some by size.
fn record(n: u8) -> (Vec<u8>, i64) {
    (vec![n; 20 + usize::from(n % 3) * 10], i64::from(n / 5) * 2_000)
}

fn append(writer: &Writer, n: u8) -> Result<(), Error> {
    let (bytes, time) = record(n);
    writer.append(&bytes, time).map(|_| ())
}

/// Appends all records, cleaning in between, and says which were confirmed.
fn run(disk: &Disk, durability: Durability) -> (Vec<u8>, Vec<Error>) {
    let (mut confirmed, mut errors) = (Vec::new(), Vec::new());
    let writer = writer_on(disk, small_segments(durability)).unwrap();
    for n in 0..=LAST {
        match append(&writer, n) {
            Ok(()) => confirmed.push(n),
            Err(error) => errors.push(error),
        }
        if n == CLEANED_AFTER {
            errors.extend(writer.clean(1_003).err());
        }
    }
    (confirmed, errors)
}

fn numbers(disk: &Disk) -> Vec<u8> {
    let numbers = records(&reader_on(disk)).into_iter().map(|bytes| {
        assert_eq!(bytes, record(bytes[0]).0);
        bytes[0]
    });
    numbers.collect()
}

/// What a run without failures does on the disk.
fn operations_of_a_run() -> Vec<Operation> {
    let disk = Disk::default();
    let (confirmed, errors) = run(&disk, Durability::Fsync);
    assert!(errors.is_empty() && confirmed.len() == usize::from(LAST) + 1);
    assert!(numbers(&disk).into_iter().eq(FIRST_KEPT..=LAST), "cleaning has removed something");
    disk.done()
}

fn is_increasing(numbers: &[u8]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[test]
fn what_was_confirmed_survives_a_crash_at_any_operation() {
    for at in 0..operations_of_a_run().len() {
        for (keeps_names, percent) in [(false, 0), (false, 60), (true, 0), (true, 60), (true, 100)] {
            let case = format!("operation {at}, names kept: {keeps_names}, bytes kept: {percent} %");
            let disk = Disk::default();
            disk.fail(&[Fault::From(at)]);
            let (confirmed, _) = run(&disk, Durability::Fsync);
            let disk = disk.crash(keeps_names, percent);
            let before = numbers(&disk);
            assert!(is_increasing(&before), "{case}: {before:?}");
            // Cleaning may have removed the oldest, and the append that the crash interrupted may be there unasked.
            let has_cleaned = confirmed.last() >= Some(&CLEANED_AFTER);
            let oldest = before.first().copied().unwrap_or(FIRST_KEPT);
            let may_lack = |n: u8| has_cleaned && n < oldest.min(FIRST_KEPT);
            assert!(
                confirmed.iter().all(|n| before.contains(n) || may_lack(*n)),
                "{case}: {confirmed:?} {before:?}"
            );
            assert!(before.iter().filter(|n| !confirmed.contains(n)).count() <= 1, "{case}: {before:?}");

            let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
            assert_eq!(numbers(&disk), before, "{case}: recovery changes nothing");
            append(&writer, 100).unwrap();
            assert_eq!(numbers(&disk), [before, vec![100]].concat(), "{case}");
            assert!(reader_on(&disk).read_all().unwrap().torn().is_empty());
        }
    }
}

#[test]
fn a_closed_log_is_durable_even_if_it_was_only_flushed() {
    let disk = Disk::default();
    let (confirmed, errors) = run(&disk, Durability::Flush);
    assert!(errors.is_empty() && confirmed.last() == Some(&LAST));
    assert!(numbers(&disk.crash(false, 0)).into_iter().eq(FIRST_KEPT..=LAST));
}

#[test]
fn what_recovery_has_found_is_durable_before_the_next_segment_insists_on_it() {
    let disk = Disk::default();
    let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
    append(&writer, 0).unwrap();
    // The process ends while the record is written, but with no harm to the machine.
    disk.fail(&[Fault::Each(Operation::Sync), Fault::Each(Operation::Truncate)]);
    append(&writer, 1).unwrap_err();
    drop(writer);
    disk.fail(&[]);
    let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
    append(&writer, 2).unwrap();
    assert_eq!(numbers(&disk.crash(false, 0)), [0, 1, 2]);
}

#[test]
fn what_was_cleaned_does_not_come_back_after_a_crash() {
    let disk = Disk::default();
    let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
    for n in 0..=CLEANED_AFTER {
        append(&writer, n).unwrap();
    }
    assert_eq!(writer.clean(1_003).unwrap(), 3);
    assert!(numbers(&disk.crash(false, 0)).into_iter().eq(FIRST_KEPT..=CLEANED_AFTER));
}

#[test]
fn a_log_that_is_cleaned_while_it_is_listed_is_listed_again() {
    let disk = Disk::default();
    let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
    for n in 0..=CLEANED_AFTER {
        append(&writer, n).unwrap();
    }
    let mut names = disk.list(DIR.as_ref()).unwrap();
    writer.clean(1_003).unwrap();
    // All that were there, and then a list without one from the middle.
    disk.list_once(names.clone());
    assert!(numbers(&disk).into_iter().eq(FIRST_KEPT..=CLEANED_AFTER));
    names.remove(1);
    disk.list_once(names);
    assert!(numbers(&disk).into_iter().eq(FIRST_KEPT..=CLEANED_AFTER));
}

#[test]
fn one_failure_anywhere_is_made_good_by_a_new_segment() {
    let operations = operations_of_a_run();
    for durability in [Durability::Fsync, Durability::Flush] {
        for (at, operation) in operations.iter().enumerate() {
            let disk = Disk::default();
            disk.fail(&[Fault::At(at, ErrorKind::Other)]);
            let (confirmed, errors) = run(&disk, durability);
            assert!(confirmed.iter().copied().eq(0..=LAST), "{operation:?} {at}: {errors:?}");
            let read = numbers(&disk);
            // At most cleaning fails.
            assert!(read.iter().copied().eq(read[0]..=LAST), "{operation:?} {at}: {read:?}");
            assert!(errors.iter().all(|error| matches!(error, Error::Io { action: "remove" | "sync", .. })));
        }
    }
}

#[test]
fn a_failed_write_that_cannot_be_taken_back_is_not_read() {
    for at in 0..operations_of_a_run().len() {
        let disk = Disk::default();
        disk.fail(&[Fault::At(at, ErrorKind::Other), Fault::Each(Operation::Truncate)]);
        let (confirmed, _) = run(&disk, Durability::Fsync);
        assert!(confirmed.iter().copied().eq(0..=LAST), "operation {at}");
        for disk in [&disk, &disk.crash(false, 0), &disk.crash(true, 100)] {
            let read = numbers(disk);
            assert!(read.iter().copied().eq(read[0]..=LAST), "operation {at}: {read:?}");
        }
    }
}

#[test]
fn what_a_failed_append_leaves_is_hidden_by_the_next_that_succeeds() {
    for failing in [Operation::Write, Operation::Sync] {
        let disk = Disk::default();
        let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
        append(&writer, 0).unwrap();
        let bytes = |disk: &Disk| disk.files().values().map(Vec::len).sum::<usize>();
        let length = bytes(&disk);
        disk.fail(&[Fault::Each(failing), Fault::Each(Operation::Truncate)]);
        let error = append(&writer, 1).unwrap_err();
        assert!(matches!(&error, Error::Append { attempts: 3, .. }), "{error}");
        assert!(error.to_string().contains("/log"), "{error}");
        assert!(bytes(&disk) > length, "something is left of it");
        disk.fail(&[]);
        append(&writer, 2).unwrap();
        assert_eq!(numbers(&disk), [0, 2]);
        assert_eq!(numbers(&disk.crash(false, 0)), [0, 2]);
    }
}

#[test]
fn a_full_disk_is_named_with_what_is_needed_and_leaves_nothing() {
    for at in 0..operations_of_a_run().len() {
        let disk = Disk::default();
        disk.fail(&[Fault::At(at, ErrorKind::StorageFull)]);
        let (confirmed, errors) = run(&disk, Durability::Fsync);
        let read = numbers(&disk);
        assert!(is_increasing(&read) && read.iter().all(|n| confirmed.contains(n)), "{at}: {read:?}");
        for error in errors {
            let text = error.to_string();
            match error {
                Error::DiskFull { needed, .. } => {
                    assert!((37..=120).contains(&needed), "{text}");
                    assert!(text.contains(&format!("{needed} more bytes in /log")), "{text}");
                }
                error => assert!(matches!(error, Error::Io { action: "remove" | "sync", .. }), "{text}"),
            }
        }
    }
}

#[test]
fn short_writes_are_continued() {
    let disk = Disk::default();
    disk.write_short();
    let (_, errors) = run(&disk, Durability::Fsync);
    assert!(errors.is_empty());
    assert_eq!(numbers(&disk).last(), Some(&LAST));
}
