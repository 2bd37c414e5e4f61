// SPDX-License-Identifier: Apache-2.0
//! `StorageLevel`: where the partitions of a dataset are kept, under Spark's names.

use std::{fmt, str::FromStr};

use crate::error::Error;

/// Where, and in which form, the partitions of a dataset are kept once they have been computed.
///
/// | level | in memory | on disk, when memory is short |
/// |---|---|---|
/// | `NONE` | | |
/// | `DISK_ONLY` | | serialized, always |
/// | `MEMORY_ONLY` | as records | computed again |
/// | `MEMORY_ONLY_SER` | serialized | computed again |
/// | `MEMORY_AND_DISK` | as records | serialized |
/// | `MEMORY_AND_DISK_SER` | serialized | serialized |
///
/// An engine is one process. Replicas would be lost together with their original, and there is no heap to stay off:
/// names of such levels (`MEMORY_ONLY_2`, `OFF_HEAP`) are understood as the same level without that.
///
/// ```
/// use dstreams_rdd::StorageLevel;
/// let level: StorageLevel = "MEMORY_AND_DISK_SER_2".parse()?;
/// assert_eq!(level, StorageLevel::MEMORY_AND_DISK_SER);
/// assert_eq!(level.to_string(), "MEMORY_AND_DISK_SER");
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StorageLevel {
    disk: bool,
    memory: bool,
    deserialized: bool,
}

impl StorageLevel {
    /// Nothing is kept.
    pub const NONE: Self = Self { disk: false, memory: false, deserialized: false };
    /// Serialized, in files.
    pub const DISK_ONLY: Self = Self { disk: true, memory: false, deserialized: false };
    /// As records, in memory.
    pub const MEMORY_ONLY: Self = Self { disk: false, memory: true, deserialized: true };
    /// Serialized, in memory.
    pub const MEMORY_ONLY_SER: Self = Self { disk: false, memory: true, deserialized: false };
    /// As records in memory; in files what memory has no room for.
    pub const MEMORY_AND_DISK: Self = Self { disk: true, memory: true, deserialized: true };
    /// Serialized in memory; in files what memory has no room for.
    pub const MEMORY_AND_DISK_SER: Self = Self { disk: true, memory: true, deserialized: false };

    const NAMES: [(&'static str, Self); 6] = [
        ("NONE", Self::NONE),
        ("DISK_ONLY", Self::DISK_ONLY),
        ("MEMORY_ONLY", Self::MEMORY_ONLY),
        ("MEMORY_ONLY_SER", Self::MEMORY_ONLY_SER),
        ("MEMORY_AND_DISK", Self::MEMORY_AND_DISK),
        ("MEMORY_AND_DISK_SER", Self::MEMORY_AND_DISK_SER),
    ];

    /// Whether partitions may be on disk.
    pub const fn uses_disk(self) -> bool {
        self.disk
    }

    /// Whether partitions may be in memory.
    pub const fn uses_memory(self) -> bool {
        self.memory
    }

    /// Whether partitions in memory are records, rather than their serialized form.
    pub const fn is_deserialized(self) -> bool {
        self.deserialized
    }

    /// The level that keeps on disk what it would otherwise give up.
    pub(crate) const fn with_disk(self) -> Self {
        Self { disk: true, ..self }
    }
}

impl fmt::Display for StorageLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, level)| level == self).map(|(name, _)| *name);
        f.pad(name.expect("the levels are the constants, which are all named"))
    }
}

impl FromStr for StorageLevel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "OFF_HEAP" {
            return Ok(Self::MEMORY_AND_DISK_SER);
        }
        // Spark has three copies for DISK_ONLY only, and no copies of NONE.
        let base = match name.strip_suffix("_2").or_else(|| name.strip_suffix("_3")) {
            Some(base) if name != "NONE_2" && (name.ends_with("_2") || base == "DISK_ONLY") => base,
            _ => name,
        };
        Self::NAMES.iter().find(|(known, _)| *known == base).map(|(_, level)| *level).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name).join(", ");
            Error::InvalidArgument(format!("Invalid StorageLevel: {name}; it is one of {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_its_name() {
        for (name, level) in StorageLevel::NAMES {
            assert_eq!(level.to_string(), name);
            assert_eq!(name.parse::<StorageLevel>().ok(), Some(level));
        }
    }

    #[test]
    fn replicas_and_off_heap_are_understood() {
        let parsed = |name: &str| name.parse::<StorageLevel>().ok();
        assert_eq!(parsed("DISK_ONLY_3"), Some(StorageLevel::DISK_ONLY));
        assert_eq!(parsed("MEMORY_ONLY_2"), Some(StorageLevel::MEMORY_ONLY));
        assert_eq!(parsed("OFF_HEAP"), Some(StorageLevel::MEMORY_AND_DISK_SER));
    }

    #[test]
    fn other_names_are_refused_with_those_known() {
        for name in ["memory", "NONE_2", "MEMORY_ONLY_3", ""] {
            let error = name.parse::<StorageLevel>().expect_err(name).to_string();
            assert!(
                error.starts_with(&format!("Invalid StorageLevel: {name}; it is one of NONE, ")),
                "{error}"
            );
        }
    }
}
