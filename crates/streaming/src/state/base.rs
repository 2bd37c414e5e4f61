// SPDX-License-Identifier: Apache-2.0
//! Stored states of any kind, read entry by entry: the files of a snapshot, or a database.

use std::path::Path;

use dstreams_wal::Location;

use super::{
    disk::{About, DiskOptions, DiskStates},
    error::StateError,
    snapshot::{self, Header, PartReader},
};
use crate::{
    checkpoint::durable::{Shape, StateSchema},
    time::Time,
};

/// A key with its state, as bytes, and where it was stored.
pub(super) struct StoredEntry<'a> {
    pub(super) header: &'a Header,
    pub(super) partition: usize,
    pub(super) key: &'a [u8],
    pub(super) state: &'a [u8],
    pub(super) used: Time,
}

/// Whether a directory has a database and not the files of a snapshot.
pub(super) fn is_database(dir: &Location) -> bool {
    // Whatever cannot be found out now is an error when the files are read.
    !snapshot::part(dir, 0).exists().unwrap_or(true)
}

/// Visits all entries that are stored in a directory.
pub(super) fn visit(
    dir: &Location,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    if is_database(dir) {
        return visit_database(&open_database(dir.path())?, visit);
    }
    for path in snapshot::parts(dir)? {
        let mut reader = PartReader::open(&path)?;
        let header = reader.header().clone();
        while let Some(block) = reader.next_block()? {
            let place = block.place();
            for entry in block {
                let entry = entry?;
                let (key, state, used) = (entry.key, entry.state, entry.used);
                let entry = StoredEntry { header: &header, partition: header.partition, key, state, used };
                visit(entry).map_err(|cause| place.unreadable(cause))?;
            }
        }
    }
    Ok(())
}

pub(super) fn visit_database(
    disk: &DiskStates,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let header = disk.about().header;
    for partition in 0..header.schema.partitions {
        for entry in disk.iter(partition) {
            let (key, stored) = entry?;
            let (state, used) = (stored.state(), stored.used);
            visit(StoredEntry { header: &header, partition, key: &key, state, used })?;
        }
    }
    Ok(())
}

/// Opens a database that must be there, to read it once.
pub(super) fn open_database(dir: &Path) -> Result<DiskStates, StateError> {
    if !dir.exists() {
        return Err(StateError::Damaged {
            path: dir.to_owned(),
            offset: 0,
            problem: "the states that were here are gone; restore the directory from a copy".to_owned(),
        });
    }
    let nothing = || Shape { name: String::new(), fields: std::collections::BTreeMap::new() };
    let schema = StateSchema { key: nothing(), state: nothing(), partitions: 0, store: String::new() };
    let empty = About::new(Header::new(Time::ZERO, 0, schema), false);
    DiskStates::open(dir, &DiskOptions { budget: 32 << 20, local_dir: None }, &empty)
}
