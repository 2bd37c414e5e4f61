// SPDX-License-Identifier: Apache-2.0
//! A cut through the states of all operators: which snapshots there are, in a file whose name is its time.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use dstreams_wal::Location;
use serde::{Deserialize, Serialize};

use super::{durable::Snapshot, record::Program};
use crate::{
    error::{CheckpointError, Error, Result},
    time::Time,
};

/// What a checkpoint file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// The batch after which it was written.
    pub(crate) time: Time,
    pub(crate) program: Program,
    /// The snapshots of each operator that are there, the latest last.
    pub(crate) snapshots: BTreeMap<String, Vec<Snapshot>>,
}

/// How many files are kept: where the newest is damaged, the one before serves, and the logs reach back to it.
pub(crate) const RETAINED: usize = 2;

const PREFIX: &str = "checkpoint-";

impl Cut {
    /// Writes the file, durably.
    pub(crate) fn write(&self, dir: &Location) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(Error::user)?;
        let path = path_of(dir, self.time);
        let written = path.create("checkpoint").and_then(|mut file| {
            writeln!(file, "{text}\n{SEAL}{:08x}", crc32fast::hash(text.as_bytes()))?;
            file.commit()
        });
        written.map_err(CheckpointError::io("write", path.path()))
    }

    /// The file of a time.
    pub(crate) fn read(dir: &Location, time: Time) -> Result<Self, String> {
        let path = path_of(dir, time);
        let told = |cause: &dyn std::fmt::Display| format!("{path}: {cause}");
        let bytes = path.read().map_err(|cause| told(&cause))?;
        let text = String::from_utf8(bytes).map_err(|cause| told(&cause))?;
        let (json, seal) = text.rsplit_once(&format!("\n{SEAL}")).ok_or_else(|| told(&"it is cut off"))?;
        if seal.trim_end() != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
            return Err(told(&"its checksum is wrong"));
        }
        serde_json::from_str(json).map_err(|cause| told(&cause))
    }

    /// The times of the files in a directory, oldest first.
    pub(crate) fn list(dir: &Location) -> io::Result<Vec<Time>> {
        let files = dir.list()?.into_iter().filter(|entry| entry.bytes.is_some());
        let millis = files.filter_map(|file| file.name.strip_prefix(PREFIX)?.parse().ok());
        let mut times: Vec<Time> = millis.map(Time::from_millis).collect();
        times.sort_unstable();
        Ok(times)
    }

    /// Removes the file of a time.
    pub(crate) fn remove(dir: &Location, time: Time) -> io::Result<()> {
        path_of(dir, time).remove("checkpoint")
    }
}

/// What the last line begins with, before the CRC-32 of those above it.
const SEAL: &str = "crc32 ";

fn path_of(dir: &Location, time: Time) -> Location {
    dir.join(format!("{PREFIX}{}", time.as_millis()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::time::seconds;

    fn cut() -> Cut {
        let program = Program {
            zero: Time::ZERO,
            interval: seconds(1),
            parallelism: 2,
            inputs: Vec::new(),
            operators: BTreeMap::new(),
            outputs: Vec::new(),
        };
        Cut { time: Time::from_millis(5_000), program, snapshots: BTreeMap::new() }
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        cut().write(&dir.path().into()).expect("there is room");
        assert_eq!(Cut::read(&dir.path().into(), cut().time), Ok(cut()));
    }

    #[test]
    fn damage_of_any_byte_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        cut().write(&dir.path().into()).expect("there is room");
        let path = dir.path().join("checkpoint-5000");
        let whole = fs::read(&path).expect("it is there");
        for length in 0..whole.len() - 1 {
            fs::write(&path, &whole[..length]).expect("there is room");
            assert!(Cut::read(&dir.path().into(), cut().time).is_err(), "cut off at {length}");
        }
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).expect("there is room");
            assert!(Cut::read(&dir.path().into(), cut().time).is_err(), "byte {at}");
        }
    }

    // CheckpointSuite: SPARK-28912 listing
    #[test]
    fn only_files_with_the_name_of_a_checkpoint_are_listed() {
        let parent = tempfile::tempdir().expect("a directory");
        let dir = parent.path().join("checkpoint-01");
        fs::create_dir_all(dir.join("checkpoint-1000000000")).expect("a directory");
        fs::write(dir.join("this-is-matched-before-due-to-parent-path"), "").expect("there is room");
        assert_eq!(Cut::list(&dir.into()).expect("a listing"), []);
    }
}
