// SPDX-License-Identifier: Apache-2.0
//! The names of files, which say all that must be known of them before they are read.

use crate::{output::PartitionIdentity, time::Time};

/// Where manifests lie, below the directory of a sink. Monitored directories leave such names alone.
pub(super) const MANIFESTS: &str = "_committed";
/// The file that says whose output this is, among the manifests.
pub(super) const OWNER: &str = "owner";

/// A data file by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataFile {
    Part { batch: Time, partition: usize, partitions: usize },
    Merged,
}

pub(super) fn part(partition: &PartitionIdentity) -> String {
    part_of(partition.batch.batch_time, partition.partition, partition.partitions)
}

pub(super) fn part_of(batch: Time, partition: usize, partitions: usize) -> String {
    format!("part-{}-{partition:05}-of-{partitions:05}", batch.as_millis())
}

pub(super) fn merged(level: u32, first: Time, last: Time) -> String {
    format!("merged-{}", range(level, first, last))
}

/// The name of the manifest of a batch (level 0) or of several.
pub(super) fn manifest(level: u32, first: Time, last: Time) -> String {
    if level == 0 { first.as_millis().to_string() } else { range(level, first, last) }
}

fn range(level: u32, first: Time, last: Time) -> String {
    format!("{level}-{}-{}", first.as_millis(), last.as_millis())
}

impl DataFile {
    /// What a name says; nothing for files that are none of ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if name.starts_with("merged-") && !name.ends_with(dstreams_wal::UNFINISHED) {
            return Some(Self::Merged);
        }
        let mut fields = name.strip_prefix("part-")?.split('-');
        let batch = Time::from_millis(fields.next()?.parse().ok()?);
        let partition = fields.next()?.parse().ok()?;
        let (of, partitions) = (fields.next()?, fields.next()?.parse().ok()?);
        (of == "of" && fields.next().is_none()).then_some(Self::Part { batch, partition, partitions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_part_says_which_one_it_is() {
        let name = part_of(Time::from_millis(2_000), 3, 12);
        assert_eq!(name, "part-2000-00003-of-00012");
        let part = DataFile::Part { batch: Time::from_millis(2_000), partition: 3, partitions: 12 };
        assert_eq!(DataFile::parse(&name), Some(part));
        let others =
            ["part-2000-00003-of-00012.unfinished", "part-2000-3", "notes", "merged-1-1-2.unfinished"];
        assert!(others.iter().all(|name| DataFile::parse(name).is_none()));
    }
}
