// SPDX-License-Identifier: Apache-2.0
//! The settings of a log: how durable a record is, when a segment ends, how often a write is tried.

use std::time::Duration;

/// The settings of a [`Writer`](crate::Writer).
///
/// ```
/// use std::time::Duration;
/// use dstreams_wal::{Durability, Options};
///
/// let options = Options { rolling_interval: Duration::from_secs(2), ..Options::default() };
/// assert_eq!(options.durability, Durability::Fsync);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// What the fault points of the log are called by, before the step: see [`fault`](crate::fault).
    pub place: &'static str,
    /// What `append` has done when it returns.
    pub durability: Durability,
    /// How long a segment takes records, in whole milliseconds of the times passed to `append`.
    pub rolling_interval: Duration,
    /// A segment that has records takes no further one that would make it longer than this many bytes.
    pub max_segment_bytes: u64,
    /// How often a record is written, each time to a new segment, before its append fails; at least once.
    pub max_failures: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            place: "log",
            durability: Durability::Fsync,
            rolling_interval: Duration::from_secs(60),
            max_segment_bytes: 256 << 20,
            max_failures: 3,
        }
    }
}

/// What a record outlives as soon as its append has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the machine: the record is on the disk. Appends that wait at the same time share one fsync.
    Fsync,
    /// The end of the process: the record is with the operating system, which writes it to the disk when it likes.
    Flush,
}
