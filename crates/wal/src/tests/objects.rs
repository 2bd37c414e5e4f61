// SPDX-License-Identifier: Apache-2.0
//! Logs on an object store: who may write them, what a lost answer does, what damage looks like.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::records;
use crate::{
    Error, Location, Options, Reader, Result, Writer,
    fault::{self, Fault},
    storage::simulated_objects::{Next, Objects},
};

const URL: &str = "mem://bucket/log";

fn at(store: &Objects) -> Location {
    Location::on(Arc::new(store.clone()), URL)
}

fn open(store: &Objects) -> Writer {
    Writer::open(at(store), Options::default()).unwrap()
}

fn object(number: u32) -> PathBuf {
    Path::new(URL).join(format!("log-{number:020}"))
}

/// All records, or the first error.
fn all(store: &Objects) -> Result<Vec<Vec<u8>>> {
    Reader::new(at(store)).read_all()?.map(|record| record.map(|record| record.bytes)).collect()
}

#[test]
fn each_group_is_an_object_and_is_read_by_handle_and_in_order() {
    let store = Objects::default();
    let writer = open(&store);
    let first = writer.append(b"first", 5).unwrap();
    let rest = writer.append_all(&[b"second", b"third"], 3).unwrap();
    assert_eq!(store.names().len(), 3, "one is that of the opening: {:?}", store.names());
    let reader = Reader::new(at(&store));
    assert_eq!(records(&reader), [&b"first"[..], b"second", b"third"]);
    assert_eq!(reader.read(&rest[1]).unwrap(), b"third");
    let mut streamed = Vec::new();
    reader.open(&first).unwrap().read_to_end(&mut streamed).unwrap();
    assert_eq!(streamed, b"first");
    let handles: Vec<_> = reader.read_all().unwrap().map(|record| record.unwrap().handle).collect();
    assert_eq!(handles, [first, rest[0], rest[1]]);
}

// INVARIANT 23
#[test]
fn who_opens_a_log_takes_it_over_with_all_that_was_confirmed() {
    let store = Objects::default();
    let old = open(&store);
    old.append(b"confirmed", 1).unwrap();
    let new = open(&store);
    assert_eq!(all(&store).unwrap(), [b"confirmed"]);
    for _ in 0..2 {
        let refused = old.append(b"too late", 2).unwrap_err();
        assert!(matches!(&refused, Error::TakenOver { dir } if dir == Path::new(URL)), "{refused}");
    }
    assert!(matches!(old.check_owner(), Err(Error::TakenOver { .. })));
    new.check_owner().unwrap();
    new.append(b"next", 2).unwrap();
    assert_eq!(all(&store).unwrap(), [&b"confirmed"[..], b"next"]);
    assert!(new.epoch() > old.epoch());
}

#[test]
fn logs_that_belong_together_go_to_the_later_owner_whoever_comes_first() {
    let store = Objects::default();
    let [earlier, later] = [5, 6].map(|epoch| at(&store).owned_in(Some(epoch)));
    let writer = Writer::open(&later, Options::default()).unwrap();
    assert!(matches!(Writer::open(&earlier, Options::default()), Err(Error::TakenOver { .. })));
    writer.append(b"still its own", 1).unwrap();
    assert_eq!(writer.epoch(), Some(6));
}

#[test]
fn a_put_whose_answer_was_lost_is_found_to_be_done() {
    let store = Objects::default();
    let writer = open(&store);
    store.next_put(Next::AnswerLost);
    let handle = writer.append(b"once", 1).unwrap();
    assert_eq!(all(&store).unwrap(), [b"once"]);
    assert_eq!(Reader::new(at(&store)).read(&handle).unwrap(), b"once");
}

#[test]
fn a_put_that_was_given_up_and_came_after_all_does_not_stop_its_writer() {
    let store = Objects::default();
    let writer = Writer::open(at(&store), Options { max_failures: 1, ..Options::default() }).unwrap();
    store.next_put(Next::AnswerLost);
    assert!(matches!(writer.append(b"unknown", 1), Err(Error::Append { attempts: 1, .. })));
    writer.check_owner().unwrap();
    store.next_put(Next::AnswerLost);
    assert!(writer.append(b"unknown too", 1).is_err());
    writer.append(b"known", 2).unwrap();
    assert_eq!(all(&store).unwrap(), [&b"unknown"[..], b"unknown too", b"known"]);
}

#[test]
fn a_put_that_fails_is_tried_as_often_as_the_options_say() {
    let store = Objects::default();
    let writer = open(&store);
    store.next_put(Next::Fails);
    writer.append(b"second attempt", 1).unwrap();
    let point = |fault| fault::arm(URL, "log.put", 1, fault);
    let armed = point(Fault::Error);
    writer.append(b"again", 2).unwrap();
    drop(armed);
    assert_eq!(all(&store).unwrap(), [&b"second attempt"[..], b"again"]);
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let store = Objects::default();
    store.ignore_conditions();
    let refused = Writer::open(at(&store), Options::default()).unwrap_err().to_string();
    assert!(refused.contains("on condition"), "{refused}");
}

// INVARIANT 23
#[test]
fn all_damage_is_an_error_that_names_object_and_place() {
    for (number, cut) in [(2, 3), (3, 1), (3, 40)] {
        let store = Objects::default();
        let writer = open(&store);
        for record in [b"one", b"two"] {
            writer.append(record, 1).unwrap();
        }
        store.damage(&object(number), |bytes| bytes.truncate(bytes.len() - cut));
        let error = all(&store).unwrap_err();
        let at = |place: u64| matches!(&error, Error::Corrupt { file, offset, .. } if *file == object(number) && *offset == place);
        assert!(at(56) || at(0), "{number} without {cut} bytes: {error}");
    }
    // The last record of an object, to the byte: only the next object knows.
    let store = Objects::default();
    let writer = open(&store);
    writer.append_all(&[b"one", b"two"], 1).unwrap();
    writer.append(b"three", 1).unwrap();
    store.damage(&object(2), |bytes| bytes.truncate(bytes.len() - 20));
    let error = all(&store).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { file, offset: 76, .. } if *file == object(2)), "{error}");
    for byte in 0..97 {
        let store = Objects::default();
        let writer = open(&store);
        writer.append(&[7; 24], 1).unwrap();
        writer.append(b"next", 1).unwrap();
        store.damage(&object(2), |bytes| bytes[byte] ^= 4);
        let error = all(&store).unwrap_err();
        let named =
            matches!(&error, Error::Corrupt { file, .. } | Error::Version { file, .. } if *file == object(2));
        assert!(named, "byte {byte}: {error}");
    }
}

#[test]
fn an_object_that_is_gone_or_of_another_log_is_noticed() {
    let (store, other) = (Objects::default(), Objects::default());
    let writer = open(&store);
    open(&store);
    let writer_of_both = open(&store);
    drop(writer);
    writer_of_both.append(b"x", 1).unwrap();
    open(&other);
    let stranger = open(&other);
    stranger.append(b"y", 1).unwrap();
    stranger.append(b"y", 1).unwrap();
    let (own, foreign) = (store.take(&object(4)), other.take(&object(4)));
    let put = |bytes: &[u8]| {
        let mut file = at(&store).join("log-00000000000000000004").create("test").unwrap();
        file.write_all(bytes).unwrap();
        file.commit().unwrap();
    };
    put(&foreign);
    let error = all(&store).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. } | Error::Corrupt { .. }), "{error}");
    put(&own);
    assert_eq!(all(&store).unwrap(), [b"x"]);
    for _ in 0..2 {
        writer_of_both.append(b"z", 1).unwrap();
    }
    store.take(&object(5));
    let error = all(&store).unwrap_err();
    let gap =
        matches!(&error, Error::Missing { after, before } if *after == object(4) && *before == object(6));
    assert!(gap, "{error}");
}

#[test]
fn cleaning_leaves_what_is_needed_and_the_newest() {
    let store = Objects::default();
    let writer = open(&store);
    writer.append(b"old", 1).unwrap();
    let needed = writer.append(b"needed", 2).unwrap();
    assert_eq!(writer.clean_before(needed.segment).unwrap(), 1);
    assert_eq!(all(&store).unwrap(), [b"needed"]);
    let later = crate::Segment { start: 100, stop: 0 };
    assert_eq!(writer.clean_before(later).unwrap(), 0, "the newest says which number is next");
    assert!(writer.clean(i64::MAX).unwrap_err().to_string().contains("clean by time"));
    open(&store).append(b"more", 3).unwrap();
    assert_eq!(all(&store).unwrap(), [&b"needed"[..], b"more"]);
}

// INVARIANT 23
#[test]
fn an_owner_of_long_ago_finds_no_name_that_was_freed_by_cleaning() {
    let store = Objects::default();
    let first = open(&store);
    first.append(b"first", 1).unwrap();
    let second = open(&store);
    second.append(b"second", 1).unwrap();
    let third = open(&store);
    let mut needed = third.append(b"third", 1).unwrap();
    for _ in 0..3 {
        needed = third.append(b"fourth", 1).unwrap();
    }
    third.clean_before(needed.segment).unwrap();
    assert_eq!(all(&store).unwrap(), [b"fourth"]);
    for before in [&first, &second] {
        assert!(matches!(before.append(b"late", 9), Err(Error::TakenOver { .. })));
    }
    assert_eq!(all(&store).unwrap(), [b"fourth"]);
}

#[test]
fn an_opening_that_was_held_up_until_its_name_was_free_again_takes_a_later_one() {
    let store = Objects::default();
    let writer = open(&store);
    let mut needed = writer.append(b"old", 1).unwrap();
    let held = store.clone();
    for _ in 0..4 {
        needed = writer.append(b"needed", 1).unwrap();
    }
    writer.clean_before(needed.segment).unwrap();
    // As it was listed before all this.
    held.list_once(&[1]);
    let late = open(&held);
    late.append(b"new", 1).unwrap();
    assert!(matches!(writer.append(b"late", 9), Err(Error::TakenOver { .. })));
    assert_eq!(all(&store).unwrap(), [&b"needed"[..], b"new"]);
}

#[test]
fn listing_a_log_does_not_open_its_objects() {
    let store = Objects::default();
    let writer = open(&store);
    for _ in 0..10 {
        writer.append(b"x", 1).unwrap();
    }
    let before = store.opened();
    assert_eq!(all(&store).unwrap().len(), 10);
    assert_eq!(store.opened() - before, 11);
}

#[test]
fn files_and_directories_are_objects_and_their_names() {
    let store = Objects::default();
    let dir = at(&store).join("dir");
    let large = dir.join("large");
    let content: Vec<u8> = (0..20u32 << 20).map(|n| n.to_le_bytes()[1]).collect();
    let mut file = large.create("test").unwrap();
    file.write_all(&content).unwrap();
    assert!(!large.exists().unwrap() && !dir.exists().unwrap());
    file.commit().unwrap();
    assert!(large.exists().unwrap() && dir.exists().unwrap());
    assert!(large.read().unwrap() == content);
    drop(dir.join("never").create("test").unwrap());
    let armed = fault::arm(URL, "test.put", 1, Fault::DiskFull);
    assert!(dir.join("never").create("test").unwrap().commit().is_err());
    drop(armed);
    assert_eq!(dir.list().unwrap().len(), 1);
    assert_eq!(at(&store).bytes().unwrap(), 20 << 20);
    at(&store).remove_dir_all("test").unwrap();
    assert!(store.names().is_empty());
}
