// SPDX-License-Identifier: Apache-2.0
//! What a snapshot is, from the heads and ends of its files: nothing of its keys and states is read.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use dstreams_wal::{FileReader, Location};

use super::{
    format::{BlockHead, HEAD, Header, Kind, read_header},
    parts,
};
use crate::state::error::StateError;

/// A snapshot as people want to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// The header of the first file.
    pub(crate) header: Header,
    /// The keys of each file, by partition.
    pub(crate) keys: Vec<u64>,
    /// The bytes of each file, by partition.
    pub(crate) bytes: Vec<u64>,
}

/// Describes the snapshot in a directory.
pub(crate) fn describe(dir: &Location) -> Result<Description, StateError> {
    let paths = parts(dir)?;
    let header = read_header(&paths[0])?.header;
    let mut description = Description { header, keys: Vec::new(), bytes: Vec::new() };
    for path in &paths {
        let opened = read_header(path)?;
        description.keys.push(keys(path.path(), opened.file.into_inner(), opened.length)?);
        description.bytes.push(opened.length);
    }
    Ok(description)
}

/// The number in the end mark.
fn keys(path: &Path, mut file: FileReader, length: u64) -> Result<u64, StateError> {
    let offset = length.saturating_sub(HEAD as u64);
    let mut end = [0; HEAD];
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_exact(&mut end))
        .map_err(StateError::io("read", path))?;
    match BlockHead::decode(&end) {
        Some(head) if head.kind == Kind::End && BlockHead::fits(&end, &[]) => Ok(head.entries),
        _ => Err(StateError::Damaged {
            path: path.to_owned(),
            offset,
            problem: "the end mark is missing".to_owned(),
        }),
    }
}
