// SPDX-License-Identifier: Apache-2.0
//! The cases of the original's `WriteAheadLogSuite` that are about the log itself and not about how it was built there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};

use dstreams_wal::{
    Error, Handle, Options, Reader, Writer,
    fault::{self, Fault},
};
use tempfile::tempdir;

fn rolling_each_second() -> Options {
    Options { rolling_interval: Duration::from_secs(1), ..Options::default() }
}

/// Records of many sizes.
fn data() -> Vec<Vec<u8>> {
    (0..20_u8).map(|n| vec![n; 1 + usize::from(n) * 37 % 200]).collect()
}

/// Writes the records, one every 500 ms.
fn write(writer: &Writer, data: &[Vec<u8>]) -> Vec<Handle> {
    data.iter().zip((500..).step_by(500)).map(|(record, time)| writer.append(record, time).unwrap()).collect()
}

fn read(dir: &Path) -> Vec<Vec<u8>> {
    Reader::new(dir).read_all().unwrap().map(|record| record.unwrap().bytes).collect()
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("log-")).collect()
}

#[test]
fn read_all_logs() {
    let dir = tempdir().unwrap();
    let options = Options { rolling_interval: Duration::ZERO, ..Options::default() };
    let writer = Writer::open(dir.path(), options).unwrap();
    // Two records for each of ten files.
    let data = data();
    for (record, time) in data.iter().zip((2..).map(|n| n / 2)) {
        writer.append(record, time).unwrap();
    }
    assert_eq!(files(dir.path()).len(), 10);
    assert_eq!(read(dir.path()), data);
}

#[test]
fn write_logs() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    write(&writer, &data());
    assert!(files(dir.path()).len() > 1);
    assert_eq!(read(dir.path()), data());
    drop(writer);
    let again = Writer::open(dir.path(), rolling_each_second()).unwrap();
    assert!(again.torn().is_empty());
    assert_eq!(read(dir.path()), data());
}

#[test]
fn clean_old_logs() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    write(&writer, &data());
    let before = files(dir.path()).len();
    writer.clean(5_000).unwrap();
    let left = files(dir.path()).len();
    assert!(0 < left && left < before, "{left} of {before}");
    writer.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn file_errors_while_reading() {
    // Other than in the original, records that are lost are never passed over.
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    let handles = write(&writer, &data());
    let first = dir.path().join(handles[0].segment.to_string());
    OpenOptions::new().write(true).open(&first).unwrap().set_len(1).unwrap();
    let error = Reader::new(dir.path()).read_all().unwrap_err();
    assert!(matches!(&error, Error::Corrupt { file, .. } if *file == first), "{error}");
}

#[test]
fn do_not_create_directories_or_files_unless_write() {
    let dir = tempdir().unwrap();
    let elsewhere = tempdir().unwrap();
    let handle = Writer::open(elsewhere.path(), Options::default()).unwrap().append(b"there", 1).unwrap();

    let unused = dir.path().join("unused");
    let writer = Writer::open(&unused, Options::default()).unwrap();
    assert!(read(&unused).is_empty() && !unused.exists());
    assert_eq!(Reader::new(elsewhere.path()).read(&handle).unwrap(), b"there");
    writer.append(b"here", 1).unwrap();
    assert_eq!(files(&unused), ["log-1-60001"]);
}

#[test]
fn writer_and_readers() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options::default()).unwrap();
    let reader = Reader::new(dir.path());
    let handles: Vec<_> = data()
        .iter()
        .map(|record| {
            let handle = writer.append(record, 1).unwrap();
            assert_eq!(reader.read(&handle).unwrap(), *record, "readable at once");
            handle
        })
        .collect();
    for (handle, record) in handles.iter().zip(data()).rev() {
        assert_eq!((handle.length as usize, reader.read(handle).unwrap()), (record.len(), record));
    }
    let mut records = reader.read_all().unwrap();
    assert_eq!(records.by_ref().count(), handles.len());
    assert!(records.next().is_none());
}

#[test]
fn corrupted_tail() {
    let dir = tempdir().unwrap();
    let handles = write(&Writer::open(dir.path(), Options::default()).unwrap(), &data());
    let path = dir.path().join(handles[0].segment.to_string());
    let length = fs::metadata(&path).unwrap().len();

    let file = OpenOptions::new().append(true).open(&path).unwrap();
    (&file).write_all(b"this text is no record, whatever its first bytes say about a length").unwrap();
    assert_eq!(read(dir.path()), data());

    file.set_len(length - 1).unwrap();
    assert_eq!(read(dir.path()), data()[..data().len() - 1]);
}

#[test]
fn missing_file() {
    let dir = tempdir().unwrap();
    let handle = Writer::open(dir.path(), Options::default()).unwrap().append(b"gone", 1).unwrap();
    fs::remove_file(dir.path().join(handle.segment.to_string())).unwrap();
    assert!(read(dir.path()).is_empty());
}

#[test]
fn close_after_write_flag() {
    let dir = tempdir().unwrap();
    let options = Options { max_segment_bytes: 0, ..rolling_each_second() };
    let writer = Writer::open(dir.path(), options).unwrap();
    let handles = [100, 200, 300].map(|time| writer.append(b"one record", time).unwrap());
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(handles.map(|handle| handle.segment.start), [100, 200, 300]);
}

#[test]
fn batched_failures_bubble_up() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options { max_failures: 1, ..Options::default() }).unwrap();
    let _armed = fault::arm(dir.path(), "log.sync", 1, Fault::Error);
    let error = writer.append_all(&[b"first", b"second"], 1).unwrap_err();
    assert!(error.to_string().contains("fault at log.sync"), "{error}");
    assert!(read(dir.path()).is_empty());
}

#[test]
fn batched_shutdown() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options::default()).unwrap();
    writer.append_all(&[b"first"], 1).unwrap();
    writer.close().unwrap();
    assert!(matches!(writer.append_all(&[b"late"], 2), Err(Error::Closed { .. })));
}

#[test]
fn records_that_are_appended_together_share_one_fsync() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options { max_failures: 1, ..Options::default() }).unwrap();
    writer.append(b"so that there is a segment", 1).unwrap();
    let _armed = fault::arm(dir.path(), "log.sync", 2, Fault::Error);
    let records: Vec<Vec<u8>> = data();
    let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let handles = writer.append_all(&slices, 1).unwrap();
    assert!(handles.iter().zip(&records).all(|(handle, record)| handle.length as usize == record.len()));
    assert_eq!(read(dir.path())[1..], records);
    assert!(writer.append(b"the second fsync", 1).is_err());
    assert!(writer.append_all(&[], 1).unwrap().is_empty());
}

#[test]
fn what_is_before_the_oldest_handle_that_is_needed_is_cleaned_whatever_the_clock_said() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    let options = |time| (writer.append(b"x", time).unwrap(), files(dir.path()).len());
    let (first, _) = options(900_000);
    // The clock is set back, the segment filled, the clock set forth: names follow one another all the same.
    let (second, count) = options(1_000);
    assert_eq!((first.segment, count), (second.segment, 1));
    let (third, _) = options(902_000);
    assert_eq!(writer.clean_before(first.segment).unwrap(), 0);
    assert_eq!(writer.clean_before(third.segment).unwrap(), 1);
    assert_eq!(Reader::new(dir.path()).read(&third).unwrap(), b"x");
    // The open segment stays.
    let beyond = dstreams_wal::Segment { start: i64::MAX, stop: i64::MAX };
    assert_eq!(writer.clean_before(beyond).unwrap(), 0);
    writer.close().unwrap();
    assert!(matches!(writer.clean_before(beyond), Err(Error::Closed { .. })));
}

#[test]
fn a_full_disk_that_is_tried_again_and_again_leaves_no_empty_segments() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    writer.append(b"first", 1).unwrap();
    for _ in 0..10 {
        // The header of a segment passes, its first record does not.
        let _armed = fault::arm(dir.path(), "log.write", 2, Fault::DiskFull);
        assert!(writer.append(b"no room", 5_000).unwrap_err().is_disk_full());
    }
    writer.append(b"second", 5_000).unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(read(dir.path()), [&b"first"[..], b"second"]);
}

#[test]
fn a_record_that_is_read_in_pieces_is_checked_at_its_end() {
    let dir = tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options::default()).unwrap();
    let record: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    writer.append(b"another", 1).unwrap();
    let handle = writer.append(&record, 1).unwrap();
    writer.append(b"another", 1).unwrap();
    let read = |handle: &Handle| {
        let (mut read, mut piece) = (Vec::new(), [0; 777]);
        let mut pieces = Reader::new(dir.path()).open(handle).unwrap();
        loop {
            match pieces.read(&mut piece) {
                Ok(0) => return (read, None),
                Ok(length) => read.extend_from_slice(&piece[..length]),
                Err(error) => return (read, Some(error.to_string())),
            }
        }
    };
    assert_eq!(read(&handle), (record.clone(), None));

    let path = dir.path().join(handle.segment.to_string());
    let mut bytes = fs::read(&path).unwrap();
    bytes[400_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (before, error) = read(&handle);
    assert!(before.len() >= record.len() - 777);
    assert!(error.unwrap().contains(&format!("damaged at byte {}", handle.offset)));
    assert!(Reader::new(dir.path()).open(&Handle { offset: 3, ..handle }).is_err());
    assert!(Reader::new(dir.path()).open(&Handle { offset: u64::MAX / 2, ..handle }).is_err());
    assert!(Reader::new(dir.path()).open(&Handle { length: 1, ..handle }).is_err());
}
