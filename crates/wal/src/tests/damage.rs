// SPDX-License-Identifier: Apache-2.0
//! Whatever is cut off or changed: what is read are records that were appended, in order, then an error that says where.

use std::{ops::Range, path::PathBuf};

use proptest::prelude::*;

use super::{DIR, log_dir_on, reader_on, rolling_each_second, small_segments, writer_on};
use crate::{
    Durability, Error, Handle, TornTail,
    frame::FRAME_HEADER,
    storage::simulated::Disk,
    tail::{Entry, Tail},
};

fn path(handle: &Handle) -> PathBuf {
    PathBuf::from(DIR).join(handle.segment.to_string())
}

/// Where the frame of a record is in its file.
fn frame(handle: &Handle) -> Range<usize> {
    let start = usize::try_from(handle.offset).unwrap();
    start..start + FRAME_HEADER + handle.length as usize
}

struct Read {
    records: Vec<Vec<u8>>,
    error: Option<Error>,
    torn: Vec<TornTail>,
}

fn read(disk: &Disk) -> Read {
    let (mut records, mut error) = (Vec::new(), None);
    let mut torn = Vec::new();
    match reader_on(disk).read_all() {
        Ok(mut reading) => {
            for record in reading.by_ref() {
                match record {
                    Ok(record) => records.push(record.bytes),
                    Err(damage) => error = Some(damage),
                }
            }
            torn = reading.torn().to_vec();
        }
        Err(damage) => error = Some(damage),
    }
    Read { records, error, torn }
}

prop_compose! {
    /// A log, its records, and where they are.
    fn log()(appends in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..90), 0..700_i64), 1..12))
        -> (Disk, Vec<Vec<u8>>, Vec<Handle>) {
        let disk = Disk::default();
        let writer = writer_on(&disk, small_segments(Durability::Flush)).unwrap();
        let mut time = 0;
        let handles = appends.iter().map(|(record, later)| {
            time += later;
            writer.append(record, time).unwrap()
        });
        let handles = handles.collect();
        (disk, appends.into_iter().map(|(record, _)| record).collect(), handles)
    }
}

proptest! {
    #[test]
    fn a_log_cut_anywhere_at_its_end_is_read_up_to_there((disk, written, handles) in log(), cut: prop::sample::Index) {
        let last = path(handles.last().unwrap());
        let length = disk.files()[&last].len();
        let cut = cut.index(length + 1);
        disk.damage(&last, |bytes| bytes.truncate(cut));
        let whole = handles.iter().filter(|handle| path(handle) != last || frame(handle).end <= cut).count();

        let before = read(&disk);
        prop_assert!(before.error.is_none());
        prop_assert_eq!(&before.records, &written[..whole]);
        let writer = writer_on(&disk, small_segments(Durability::Fsync)).unwrap();
        prop_assert_eq!(&writer.torn(), &before.torn);
        for TornTail { file, offset, .. } in before.torn {
            let left = disk.files().get(&file).map_or(0, Vec::len) as u64;
            prop_assert_eq!(left, offset, "it is cut there");
        }
        writer.append(b"next", 0).unwrap();
        let after = read(&disk);
        prop_assert!(after.error.is_none() && after.torn.is_empty());
        prop_assert_eq!(after.records, [&written[..whole], &[b"next".to_vec()]].concat());
    }

    #[test]
    fn a_changed_byte_is_never_read_as_a_record(
        (disk, written, handles) in log(), file: prop::sample::Index, at: prop::sample::Index, flip in 1..=255_u8,
    ) {
        let files: Vec<_> = disk.files().into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        let (file, bytes) = &files[file.index(files.len())];
        let at = at.index(bytes.len());
        disk.damage(file, |bytes| bytes[at] ^= flip);

        let Read { records, error, torn } = read(&disk);
        prop_assert_eq!(&records, &written[..records.len()]);
        match handles.iter().position(|handle| path(handle) == *file && frame(handle).contains(&at)) {
            None => {
                let is_of_header = match error {
                    Some(Error::Corrupt { file: named, offset, .. }) => named == *file && offset == 0,
                    Some(Error::Version { file: named, .. }) => named == *file,
                    _ => false,
                };
                prop_assert!(is_of_header);
            }
            Some(damaged) => {
                prop_assert_eq!(records.len(), damaged);
                let start = handles[damaged].offset;
                if damaged + 1 == handles.len() {
                    prop_assert!(error.is_none());
                    prop_assert_eq!((&torn[0].file, torn[0].offset), (file, start));
                } else {
                    let is_of_frame =
                        matches!(&error, Some(Error::Corrupt { file: f, offset, .. }) if f == file && *offset == start);
                    prop_assert!(is_of_frame, "{:?}", error);
                }
                prop_assert!(reader_on(&disk).read(&handles[damaged]).is_err());
            }
        }
        for (handle, record) in handles.iter().zip(&written) {
            prop_assert!(reader_on(&disk).read(handle).is_err() || reader_on(&disk).read(handle).unwrap() == *record);
        }
    }

    #[test]
    fn a_segment_before_the_last_is_not_read_short((disk, written, handles) in log(), cut: prop::sample::Index) {
        let first = path(&handles[0]);
        prop_assume!(path(handles.last().unwrap()) != first);
        let length = disk.files()[&first].len();
        let cut = cut.index(length);
        disk.damage(&first, |bytes| bytes.truncate(cut));
        let Read { records, error, .. } = read(&disk);
        prop_assert_eq!(&records, &written[..records.len()]);
        let end = if records.is_empty() { None } else { Some(frame(&handles[records.len() - 1]).end as u64) };
        let is_named = match &error {
            Some(Error::Corrupt { file, offset, .. }) => {
                *file == first && end.map_or(*offset == 0 || *offset == handles[0].offset, |end| *offset == end)
            }
            _ => false,
        };
        prop_assert!(is_named, "{:?}", error);
    }

    #[test]
    fn a_wrong_handle_reads_no_wrong_record((disk, written, handles) in log(), offset: u64, length: u32, near in 0..300_u64) {
        for offset in [offset, near] {
            let handle = Handle { offset, length, ..handles[0] };
            if let Ok(record) = reader_on(&disk).read(&handle) {
                prop_assert!(written.contains(&record));
            }
        }
    }
}

/// Adds groups of records `[n]`, each made durable at once.
fn groups(disk: &Disk, sizes: &[u8]) -> Vec<Handle> {
    let (mut tail, _) = Tail::open(&log_dir_on(disk), rolling_each_second()).unwrap();
    let entry = |n: u8| Entry { time: 0, bytes: vec![n], checksum: crc32fast::hash(&[n]) };
    let add = |size: &u8| {
        let entries: Vec<Entry> = (0..*size).map(entry).collect();
        tail.add(&entries.iter().collect::<Vec<_>>()).1.unwrap()
    };
    sizes.iter().flat_map(add).collect()
}

#[test]
fn a_group_of_which_pages_are_missing_is_an_unfinished_write() {
    let disk = Disk::default();
    let handles = groups(&disk, &[2, 3]);
    disk.damage(&path(&handles[2]), |bytes| bytes[frame(&handles[2])].fill(0));
    let Read { records, error, torn } = read(&disk);
    assert!(error.is_none(), "{error:?}");
    assert_eq!((records.len(), torn[0].offset), (2, handles[2].offset));
}

#[test]
fn damage_before_a_later_group_is_corruption() {
    let disk = Disk::default();
    let handles = groups(&disk, &[2, 3]);
    disk.damage(&path(&handles[1]), |bytes| bytes[frame(&handles[1])].fill(0));
    let Read { records, error, .. } = read(&disk);
    assert_eq!(records, [[0]]);
    let expected = handles[1].offset;
    assert!(matches!(&error, Some(Error::Corrupt { offset, .. }) if *offset == expected), "{error:?}");
    let refused = writer_on(&disk, rolling_each_second());
    assert!(matches!(refused, Err(Error::Corrupt { offset, .. }) if offset == expected));
}
