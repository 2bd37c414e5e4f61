// SPDX-License-Identifier: Apache-2.0
//! Manifests: which batches count, and in which files they are. Each has a checksum and is replaced as a whole.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use dstreams_wal::WholeFile;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::name;
use crate::{output::SinkError, time::Time};

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// How often its files were merged. One of a higher level takes the place of those whose batches it lists.
    pub(super) level: u32,
    /// In the order of their times; never empty.
    pub(super) batches: Vec<WholeBatch>,
    pub(super) files: Vec<WholeBatchFile>,
}

/// A batch that is there as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WholeBatch {
    pub(super) time: Time,
    pub(super) partitions: usize,
    /// What it was made of; left out when manifests are merged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) positions: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WholeBatchFile {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// Whose output a directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) application: String,
    pub(super) output: String,
}

impl Manifest {
    pub(super) fn first(&self) -> Time {
        self.batches.first().map_or(Time::ZERO, |batch| batch.time)
    }

    pub(super) fn last(&self) -> Time {
        self.batches.last().map_or(Time::ZERO, |batch| batch.time)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn name(&self) -> String {
        name::manifest(self.level, self.first(), self.last())
    }
}

/// Writes a value as JSON with a checksum behind it.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), SinkError> {
    let json = serde_json::to_string(value).map_err(SinkError::refused)?;
    let mut file = WholeFile::create("manifest", path)?;
    file.write_all(format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes())).as_bytes())?;
    Ok(file.commit()?)
}

/// Reads what [`write`] has written. Damage is an error, as the file had its name only when it was whole.
pub(super) fn read<V: DeserializeOwned>(path: &Path) -> io::Result<V> {
    let text = fs::read_to_string(path)?;
    let parts = text.trim_end().rsplit_once('\n');
    let intact = parts.filter(|(json, checksum)| {
        u32::from_str_radix(checksum, 16).is_ok_and(|checksum| checksum == crc32fast::hash(json.as_bytes()))
    });
    let value = intact.and_then(|(json, _)| serde_json::from_str(json).ok());
    value.ok_or_else(|| {
        let path = path.display();
        let message = format!(
            "{path} is damaged: restore it, or move it away, with the files that it names, to do without their batches"
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}
