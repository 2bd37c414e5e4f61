// SPDX-License-Identifier: Apache-2.0
//! What the log of batches says, record by record, and how a program is described in it.

use std::collections::BTreeMap;

use dstreams_wal::Handle;
use serde::{Deserialize, Serialize};

use super::durable::StateSchema;
use crate::{
    input::{Batch, StreamId},
    time::{Duration, Time},
};

/// A record of the log of batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BatchRecord {
    /// A process has begun to make batches, later ones than this time.
    Started {
        after: Time,
        program: Program,
        /// Whether it is the first process of all.
        first: bool,
    },
    /// The batch is going to be processed.
    Planned(Batch),
    /// The outputs of the batch are done. What it changed in the states of each operator is in the log of changes.
    Completed { time: Time, changes: BTreeMap<String, Handle> },
    /// These batches would have been made while no process was running, and are left out.
    Skipped { first: Time, last: Time, batches: u64 },
}

impl BatchRecord {
    /// The batch that it is about.
    pub(crate) fn time(&self) -> Time {
        match self {
            Self::Planned(batch) => batch.time,
            Self::Started { after: time, .. }
            | Self::Completed { time, .. }
            | Self::Skipped { last: time, .. } => *time,
        }
    }
}

/// A program, as far as it matters to another version of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The time before the first batch of all.
    pub(crate) zero: Time,
    /// The time between two batches.
    pub(crate) interval: Duration,
    /// Partitions of a shuffle that does not say how many.
    pub(crate) parallelism: usize,
    pub(crate) inputs: Vec<StoredInput>,
    pub(crate) operators: BTreeMap<String, StoredOperator>,
    pub(crate) outputs: Vec<String>,
}

/// An input stream of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredInput {
    pub(crate) id: StreamId,
    pub(crate) name: String,
    /// What its source said at the first start.
    pub(crate) memory: Vec<u8>,
}

/// An operator with a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredOperator {
    /// The batch after which it began.
    pub(crate) since: Time,
    pub(crate) kind: String,
    pub(crate) schema: StateSchema,
}
