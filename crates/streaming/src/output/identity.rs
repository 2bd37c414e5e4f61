// SPDX-License-Identifier: Apache-2.0
//! What tells the output of one batch from that of every other one, also after a restart.

use std::{fmt, sync::Arc};

use crate::{input::Batch, time::Time};

/// One batch of one output of one application. It is the same whenever the batch is run.
///
/// The output has the name that the program gave it, or its kind and its number among those of the kind
/// (`write_to-1`), which changes when an output is put before it: name the outputs of programs that are to grow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchIdentity {
    /// The application: `spark.app.name`.
    pub application: Arc<str>,
    /// The output.
    pub output: Arc<str>,
    /// The batch time.
    pub batch_time: Time,
}

impl fmt::Display for BatchIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {} of output {} of {}", self.batch_time, self.output, self.application)
    }
}

/// One partition of a batch of an output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionIdentity {
    /// Which batch of which output.
    pub batch: BatchIdentity,
    /// The number of the partition, from 0.
    pub partition: usize,
    /// Of how many partitions the batch is.
    pub partitions: usize,
}

impl fmt::Display for PartitionIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} of {} in {}", self.partition, self.partitions, self.batch)
    }
}

/// A batch as an output gets it.
#[derive(Debug, Clone)]
pub(crate) struct OutputBatch {
    pub(crate) identity: BatchIdentity,
    /// What it is made of.
    pub(crate) positions: Arc<Batch>,
}

impl OutputBatch {
    pub(super) fn time(&self) -> Time {
        self.identity.batch_time
    }

    pub(super) fn partition(&self, partition: usize, partitions: usize) -> PartitionIdentity {
        PartitionIdentity { batch: self.identity.clone(), partition, partitions }
    }
}
