// SPDX-License-Identifier: Apache-2.0
//! Snapshots: the states of an operator after a batch, in a directory of their own with a file for each partition.
//!
//! To write one, make its directory with [`create`] and then each part with [`SnapshotWriter`]; to read it, open each
//! of [`parts`] with [`SnapshotReader`]. A snapshot is whole when all parts are there; its place in a log says so.
//!
//! ```text
//! create(dir)?;
//! for partition in 0..partitions {
//!     let header = Header::new(time, partition, schema.clone());
//!     let mut part = SnapshotWriter::<K, S>::create(dir, header)?;
//!     for (key, state) in … { part.put(&key, &state, used)?; }
//!     let written = part.finish()?;      // keys and bytes, for the `Snapshot` record
//! }
//! for path in parts(dir)? {
//!     for entry in SnapshotReader::<K, S>::open(&path)? { let (key, state, used) = entry?; … }
//! }
//! ```
//!
//! A part is a header and then blocks, little endian:
//!
//! | header | bytes | | block | bytes |
//! |---|---|---|---|---|
//! | magic `dstrmsnp` | 8 | | kind: 1 plain, 2 lz4, 0 the end | 1 |
//! | version of the format | 4 | | entries in it; in the end, of the file | 8 |
//! | length of the JSON | 4 | | length of the entries | 4 |
//! | JSON: batch, partition, schema | | | length as stored | 4 |
//! | CRC-32 of the above | 4 | | CRC-32 of the above and of what is stored | 4 |
//! | | | | the entries as stored | |
//!
//! An entry is the length of its key, the length of its state, how long before the batch it was last used (all as
//! numbers of seven bits to a byte), and then the bytes of the key and of the state.

mod describe;
mod format;
mod reader;
mod writer;

use dstreams_wal::Location;

pub(crate) use describe::describe;
pub(crate) use format::Header;
pub(crate) use reader::{PartReader, SnapshotReader};
pub(crate) use writer::{PartWriter, SnapshotWriter, Written};

use super::error::StateError;

/// The name of this place in fault points.
const PLACE: &str = "snapshot";

/// Makes the directory of a snapshot, durably. What an attempt before has left there is replaced.
pub(crate) fn create(dir: &Location) -> Result<(), StateError> {
    if dir.exists().map_err(StateError::io("find", dir.path()))? {
        dir.remove_dir_all(PLACE).map_err(StateError::io("clear", dir.path()))?;
    }
    ensure(dir)
}

/// As [`create`], with what is there left in place.
pub(super) fn ensure(dir: &Location) -> Result<(), StateError> {
    dir.create_dir(PLACE).map_err(StateError::io("create", dir.path()))
}

/// The file of a partition.
pub(crate) fn part(dir: &Location, partition: usize) -> Location {
    dir.join(part_name(partition))
}

fn part_name(partition: usize) -> String {
    format!("part-{partition:05}")
}

/// The files of a snapshot by partition. Fails when one is missing.
pub(crate) fn parts(dir: &Location) -> Result<Vec<Location>, StateError> {
    let partitions = format::read_header(&part(dir, 0))?.header.schema.partitions;
    let there = dir.list().map_err(StateError::io("list", dir.path()))?;
    let mut names = (0..partitions.max(1)).map(part_name);
    match names.find(|name| there.iter().all(|entry| entry.name != *name)) {
        Some(missing) => Err(StateError::Damaged {
            path: dir.path().to_owned(),
            offset: 0,
            problem: format!("{missing} is missing"),
        }),
        None => Ok((0..partitions.max(1)).map(|partition| part(dir, partition)).collect()),
    }
}

#[cfg(test)]
mod tests;
