// SPDX-License-Identifier: Apache-2.0
//! The life of a log on the local disk: rolling, reading, cleaning, closing, opening again.

use std::fs;

use super::{records, rolling_each_second, segment_names};
use crate::{Durability, Error, MAX_RECORD, Options, Reader, TornTail, Writer};

#[test]
fn a_record_at_exactly_the_stop_goes_into_the_old_segment() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    let segments: Vec<String> = [1_000, 1_999, 2_000, 2_001, 2_500]
        .map(|time| writer.append(b"x", time).unwrap().segment.to_string())
        .into();
    let [old, new] = ["log-1000-2000", "log-2001-3001"];
    assert_eq!(segments, [old, old, old, new, new]);
    assert_eq!(segment_names(dir.path()), [old, new]);
}

#[test]
fn a_full_segment_is_followed_by_one_that_starts_later() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_segment_bytes: 100, ..rolling_each_second() };
    let writer = Writer::open(dir.path(), options).unwrap();
    for record in [&[1; 10][..], &[2; 10], &[3; 500], &[4; 1]] {
        writer.append(record, 5).unwrap();
    }
    assert_eq!(segment_names(dir.path()), ["log-5-1005", "log-6-1006", "log-7-1007", "log-8-1008"]);
    let read = records(&Reader::new(dir.path()));
    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 500, 1]);
}

#[test]
fn a_clock_that_goes_back_does_not_change_the_order() {
    let dir = tempfile::tempdir().unwrap();
    for (record, time) in [(b"a", 9_000), (b"b", 3_000), (b"c", -5)] {
        let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
        writer.append(record, time).unwrap();
        writer.close().unwrap();
    }
    assert_eq!(records(&Reader::new(dir.path())), [b"a", b"b", b"c"]);
    assert_eq!(segment_names(dir.path()), ["log-9000-10000", "log-9001-10001", "log-9002-10002"]);
}

#[test]
fn records_are_read_at_once_by_handle_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Flush, ..rolling_each_second() };
    let writer = Writer::open(dir.path(), options).unwrap();
    let reader = Reader::new(dir.path());
    let written: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n; usize::from(n) * 9_000]).collect();
    let times = (0..).step_by(500);
    let handles: Vec<_> =
        written.iter().zip(times).map(|(r, time)| writer.append(r, time).unwrap()).collect();
    for (record, handle) in written.iter().zip(&handles).rev() {
        assert_eq!(reader.read(handle).unwrap(), *record);
        assert_eq!(handle.length as usize, record.len());
    }
    let read: Vec<_> = reader.read_all().unwrap().map(Result::unwrap).collect();
    assert!(read.iter().map(|record| &record.bytes).eq(&written));
    assert!(read.iter().map(|record| &record.handle).eq(&handles));
    assert!(segment_names(dir.path()).len() > 1);
}

#[test]
fn nothing_is_made_until_the_first_append() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let writer = Writer::open(&dir, Options::default()).unwrap();
    assert_eq!(writer.clean(i64::MAX).unwrap(), 0);
    assert!(records(&Reader::new(&dir)).is_empty());
    assert!(fs::read_dir(parent.path()).unwrap().next().is_none());
    writer.append(b"x", 0).unwrap();
    assert_eq!(records(&Reader::new(&dir)), [b"x"]);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::open(dir.path(), Options::default()).unwrap();
    let refused = Writer::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(&refused, Error::Locked { dir: locked } if locked == dir.path()));
    assert!(refused.to_string().contains("close that writer"), "{refused}");
    first.close().unwrap();
    Writer::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn of_two_writers_on_a_new_directory_the_first_to_append_has_it() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new");
    let [first, second] = [(); 2].map(|()| Writer::open(&dir, rolling_each_second()).unwrap());
    first.append(b"1", 0).unwrap();
    assert!(matches!(second.append(b"2", 0), Err(Error::Locked { .. })));
    first.close().unwrap();
    second.append(b"3", 0).unwrap();
    assert_eq!(records(&Reader::new(&dir)), [b"1", b"3"]);
}

#[test]
fn a_closed_writer_refuses_appends() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options::default()).unwrap();
    writer.append(b"x", 0).unwrap();
    let records = Reader::new(dir.path()).read_all().unwrap();
    writer.close().unwrap();
    writer.close().unwrap();
    assert!(matches!(writer.append(b"y", 0), Err(Error::Closed { .. })));
    assert!(matches!(writer.clean(0), Err(Error::Closed { .. })));
    assert_eq!(records.count(), 1);
}

#[test]
fn a_record_that_is_too_long_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), Options::default()).unwrap();
    let refused = writer.append(&vec![0; MAX_RECORD + 1], 0);
    assert!(matches!(refused, Err(Error::TooLong { limit: MAX_RECORD, .. })));
}

#[test]
fn cleaning_removes_what_stops_before_the_threshold_but_not_the_open_segment() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    for time in [0, 2_000, 4_000] {
        writer.append(&[1], time).unwrap();
    }
    assert_eq!(writer.clean(1_000).unwrap(), 0);
    assert_eq!(writer.clean(1_001).unwrap(), 1);
    assert_eq!(segment_names(dir.path()), ["log-2000-3000", "log-4000-5000"]);
    assert_eq!(writer.clean(i64::MAX).unwrap(), 1);
    assert_eq!(segment_names(dir.path()), ["log-4000-5000"]);
    writer.append(&[2], 9_000).unwrap();
    assert_eq!(records(&Reader::new(dir.path())), [[1], [2]]);
    writer.close().unwrap();

    let again = Writer::open(dir.path(), rolling_each_second()).unwrap();
    assert_eq!(again.clean(i64::MAX).unwrap(), 2);
    again.append(&[3], 9_000).unwrap();
    assert_eq!(records(&Reader::new(dir.path())), [[3]]);
}

#[cfg(unix)]
#[test]
fn a_reader_goes_on_with_the_segment_it_has_open_and_leaves_out_cleaned_ones() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    for (record, time) in [(b"a", 0), (b"b", 1), (b"c", 2_000), (b"d", 4_000)] {
        writer.append(record, time).unwrap();
    }
    let mut reading = Reader::new(dir.path()).read_all().unwrap();
    assert_eq!(reading.next().unwrap().unwrap().bytes, b"a");
    assert_eq!(writer.clean(3_001).unwrap(), 2);
    let rest: Vec<_> = reading.map(|record| record.unwrap().bytes).collect();
    assert_eq!(rest, [b"b", b"d"]);
}

#[test]
fn a_missing_segment_in_the_middle_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    let handles = [0, 2_000, 4_000].map(|time| writer.append(b"x", time).unwrap());
    let mut reading = Reader::new(dir.path()).read_all().unwrap();
    assert!(reading.next().unwrap().is_ok());
    fs::remove_file(dir.path().join("log-2000-3000")).unwrap();

    let gap = |error: &Error| {
        let [after, before] = ["log-0-1000", "log-4000-5000"].map(|name| dir.path().join(name));
        matches!(error, Error::Missing { after: a, before: b } if *a == after && *b == before)
    };
    assert!(gap(&Reader::new(dir.path()).read_all().unwrap_err()));
    assert!(matches!(reading.next(), Some(Err(Error::Missing { .. }))));
    assert!(reading.next().is_none());
    assert!(matches!(Reader::new(dir.path()).read(&handles[1]), Err(Error::Io { .. })));
}

#[test]
fn a_segment_of_another_log_is_an_error() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for (dir, times) in [(&one, [0, 2_000]), (&other, [5_000, 7_000])] {
        let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
        for time in times {
            writer.append(b"x", time).unwrap();
        }
    }
    fs::copy(other.path().join("log-7000-8000"), one.path().join("log-7000-8000")).unwrap();
    assert!(matches!(Reader::new(one.path()).read_all(), Err(Error::Foreign { .. })));
}

#[test]
fn an_empty_file_at_the_end_is_reported_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    Writer::open(dir.path(), rolling_each_second()).unwrap().append(b"x", 0).unwrap();
    let empty = dir.path().join("log-9-1009");
    fs::write(&empty, b"").unwrap();
    fs::write(dir.path().join("log-10-1010.unfinished"), b"half a header").unwrap();
    let torn = TornTail { file: empty, offset: 0, bytes: 0 };

    let mut reading = Reader::new(dir.path()).read_all().unwrap();
    assert_eq!(reading.by_ref().count(), 1);
    assert_eq!(reading.torn(), std::slice::from_ref(&torn));
    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    assert_eq!(writer.torn(), [torn]);
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| name == "lock" || name == "log-0-1000"));
}

#[test]
fn garbage_at_the_end_is_cut_off_and_a_record_that_looks_like_a_log_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let handle = Writer::open(dir.path(), rolling_each_second()).unwrap().append(b"inner", 0).unwrap();
    let file = dir.path().join(handle.segment.to_string());
    let log = fs::read(&file).unwrap();
    // The rest of a write whose record is itself a log, without the frame before it.
    fs::write(&file, [&log[..], &log, b"x"].concat()).unwrap();

    let writer = Writer::open(dir.path(), rolling_each_second()).unwrap();
    assert_eq!(writer.torn(), [TornTail { file, offset: log.len() as u64, bytes: log.len() as u64 + 1 }]);
    writer.append(&log, 0).unwrap();
    assert_eq!(records(&Reader::new(dir.path())), [b"inner".to_vec(), log]);
}
