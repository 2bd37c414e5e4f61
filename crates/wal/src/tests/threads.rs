// SPDX-License-Identifier: Apache-2.0
//! Many threads append at once: one fsync serves all that wait, each keeps its order, and closing waits for them.

use std::{sync::Arc, thread};

use super::{reader_on, records, rolling_each_second, writer_on};
use crate::{
    Error, Options, Reader, Writer,
    storage::simulated::{Disk, Operation},
};

#[test]
fn all_records_are_there_and_each_thread_keeps_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_segment_bytes: 1_000, ..rolling_each_second() };
    let writer = Writer::open(dir.path(), options).unwrap();
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let (writer, reader) = (&writer, Reader::new(dir.path()));
            scope.spawn(move || {
                for n in 0..25_u8 {
                    let handle = writer.append(&[thread, n], i64::from(n) * 100).unwrap();
                    assert_eq!(reader.read(&handle).unwrap(), [thread, n]);
                }
            });
        }
    });
    let read = records(&Reader::new(dir.path()));
    assert_eq!(read.len(), 8 * 25);
    for thread in 0..8 {
        let own = read.iter().filter(|record| record[0] == thread).map(|record| record[1]);
        assert!(own.eq(0..25), "thread {thread}");
    }
}

/// A writer whose first append waits for the disk while five others wait for the first.
fn crowded(disk: &Disk) -> (Arc<Writer>, Vec<thread::JoinHandle<Result<(), Error>>>) {
    let writer = Arc::new(writer_on(disk, rolling_each_second()).unwrap());
    writer.append(&[0], 0).unwrap();
    disk.hold_syncs(true);
    let start = |n: u8| {
        let writer = writer.clone();
        thread::spawn(move || writer.append(&[n], 0).map(|_| ()))
    };
    let mut appends = vec![start(1)];
    while !writer.queue.lock().is_led {
        thread::yield_now();
    }
    appends.extend((2..7).map(start));
    while writer.queue.lock().waiting.len() < 5 {
        thread::yield_now();
    }
    (writer, appends)
}

#[test]
fn one_fsync_serves_all_that_wait() {
    let disk = Disk::default();
    let (_writer, appends) = crowded(&disk);
    let before = disk.done().len();
    disk.hold_syncs(false);
    for append in appends {
        append.join().unwrap().unwrap();
    }
    assert_eq!(disk.done()[before..], [Operation::Sync, Operation::Write, Operation::Sync]);
    assert_eq!(records(&reader_on(&disk.crash(false, 0))).len(), 7);
}

#[test]
fn closing_waits_for_the_appends_that_have_begun() {
    let disk = Disk::default();
    let (writer, appends) = crowded(&disk);
    let closing = thread::spawn({
        let writer = writer.clone();
        move || writer.close()
    });
    while !writer.queue.lock().is_closed {
        thread::yield_now();
    }
    assert!(matches!(writer.append(&[9], 0), Err(Error::Closed { .. })));
    disk.hold_syncs(false);
    for append in appends {
        append.join().unwrap().unwrap();
    }
    closing.join().unwrap().unwrap();
    assert_eq!(records(&reader_on(&disk)).len(), 7);
    writer_on(&disk, rolling_each_second()).expect("the lock is free");
}
