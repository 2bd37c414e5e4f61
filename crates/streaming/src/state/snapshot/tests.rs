// SPDX-License-Identifier: Apache-2.0
//! What is written is read again; what is damaged is noticed, with the file and the place.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{checkpoint::durable::StateSchema, time::Time};

/// The file of a partition.
fn file(dir: &Path, partition: usize) -> std::path::PathBuf {
    part(&dir.into(), partition).path().to_owned()
}

type States = Vec<(String, u64, Time)>;

fn ms(time: i64) -> Time {
    Time::from_millis(time)
}

fn header(partition: usize, partitions: usize) -> Header {
    let schema = StateSchema::of::<String, u64>(partitions, "memory").expect("it is unambiguous");
    Header::new(ms(5_000), partition, schema)
}

fn write(dir: &Path, parts: &[States], compressed: bool) -> Vec<Written> {
    let dir = &Location::from(dir);
    create(dir).expect("a directory");
    let part = |(number, states): (usize, &States)| {
        let mut writer = PartWriter::create(dir, &header(number, parts.len())).expect("a file");
        if !compressed {
            writer = writer.plain();
        }
        for (key, state, used) in states {
            let (mut key_bytes, mut state_bytes) = (Vec::new(), Vec::new());
            crate::state::codec::encode(key, &mut key_bytes).expect("it is written");
            crate::state::codec::encode(state, &mut state_bytes).expect("it is written");
            writer.put(&key_bytes, &state_bytes, *used).expect("it is written");
        }
        writer.finish().expect("it is finished")
    };
    parts.iter().enumerate().map(part).collect()
}

fn read(path: &Path) -> Result<States, StateError> {
    SnapshotReader::open(&path.into())?.collect()
}

fn many(keys: u64) -> States {
    (0..keys).map(|key| (format!("key {key}"), key * key, ms(5_000 - key.cast_signed()))).collect()
}

#[test]
fn typed_entries_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    create(&dir.path().into()).expect("a directory");
    let states = many(20_000);
    let mut writer = SnapshotWriter::create(&dir.path().into(), &header(0, 1)).expect("a file");
    for (key, state, used) in &states {
        writer.put(key, state, *used).expect("it is written");
    }
    assert!(!file(dir.path(), 0).exists(), "there is no file that is not whole");
    let written = writer.finish().expect("it is finished");
    assert_eq!(written.keys, 20_000);
    assert_eq!(written.bytes, fs::metadata(file(dir.path(), 0)).expect("it is there").len());
    let reader = SnapshotReader::<String, u64>::open(&part(&dir.path().into(), 0)).expect("it opens");
    assert_eq!(*reader.header(), header(0, 1));
    assert_eq!(read(&file(dir.path(), 0)).expect("it is read"), states);
}

#[test]
fn a_snapshot_is_described_without_its_types() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = write(dir.path(), &[many(3), many(0), many(10_000)], true);
    let description = describe(&dir.path().into()).expect("it is described");
    assert_eq!(description.keys, [3, 0, 10_000]);
    assert_eq!(description.bytes, written.iter().map(|part| part.bytes).collect::<Vec<_>>());
    assert_eq!(description.header.time, ms(5_000));
    assert_eq!(description.header.schema.state.name, "u64");
    fs::remove_file(file(dir.path(), 1)).expect("it is removed");
    let text = describe(&dir.path().into()).expect_err("a part is missing").to_string();
    assert!(text.contains("part-00001 is missing"), "{text}");
}

#[test]
fn each_damaged_byte_is_noticed_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    for compressed in [false, true] {
        write(dir.path(), &[many(50)], compressed);
        let path = file(dir.path(), 0);
        let whole = fs::read(&path).expect("it is there");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).expect("it is written");
            let text = read(&path).expect_err("it is damaged").to_string();
            assert!(text.contains("part-00000 is damaged at byte "), "{at}: {text}");
            fs::write(&path, &whole[..at]).expect("it is written");
            let text = read(&path).expect_err("it is cut short").to_string();
            assert!(text.contains("part-00000 is damaged at byte "), "{at}: {text}");
        }
        fs::write(&path, [&whole[..], b"!"].concat()).expect("it is written");
        assert!(read(&path).expect_err("there is more").to_string().contains("more after the end"));
    }
}

#[test]
fn a_damaged_block_is_named_by_its_offset() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), &[many(20_000)], false);
    let path = file(dir.path(), 0);
    let mut reader = PartReader::open(&(&path).into()).expect("it opens");
    reader.next_block().expect("it is read");
    reader.next_block().expect("it is read");
    let second = reader.offset();
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[usize::try_from(second).expect("it is small") + 100] ^= 1;
    fs::write(&path, &bytes).expect("it is written");
    let text = read(&path).expect_err("it is damaged").to_string();
    assert!(
        text.contains(&format!("damaged at byte {second}: the checksum of the block is wrong")),
        "{text}"
    );
}

#[test]
fn values_of_another_type_are_named_by_file_and_offset() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), &[many(2)], false);
    let mut reader = SnapshotReader::<String, String>::open(&part(&dir.path().into(), 0)).expect("it opens");
    let text = reader.next().expect("there is an entry").expect_err("it is no string").to_string();
    assert!(text.contains("part-00000, byte ") && text.contains("alloc::string::String"), "{text}");
    assert!(reader.next().is_none());
}

#[test]
fn an_attempt_that_fails_leaves_no_file() {
    use dstreams_wal::fault::{self, Fault};
    let dir = tempfile::tempdir().expect("a directory");
    for step in ["create", "write", "sync", "rename"] {
        create(&dir.path().into()).expect("a directory");
        let _armed = fault::arm(dir.path(), &format!("snapshot.{step}"), 1, Fault::DiskFull);
        let written = SnapshotWriter::<String, u64>::create(&dir.path().into(), &header(0, 1))
            .and_then(|writer| writer.finish());
        assert!(written.is_err(), "{step}");
        assert_eq!(fs::read_dir(dir.path()).expect("a listing").count(), 0, "{step}");
    }
}

proptest! {
    #[test]
    fn any_entries_come_back(entries: Vec<(Vec<u8>, Vec<u8>, i64)>, compressed: bool) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut writer = PartWriter::create(&dir.path().into(), &header(0, 1)).expect("a file");
        if !compressed {
            writer = writer.plain();
        }
        for (key, state, used) in &entries {
            writer.put(key, state, ms(*used / 2)).expect("it is written");
        }
        writer.finish().expect("it is finished");
        let mut reader = PartReader::open(&part(&dir.path().into(), 0)).expect("it opens");
        let mut found = Vec::new();
        while let Some(block) = reader.next_block().expect("it is read") {
            for entry in block {
                let entry = entry.expect("it is whole");
                found.push((entry.key.to_vec(), entry.state.to_vec(), entry.used));
            }
        }
        let expected: Vec<_> = entries.into_iter().map(|(key, state, used)| (key, state, ms(used / 2))).collect();
        prop_assert_eq!(found, expected);
    }
}
