// SPDX-License-Identifier: Apache-2.0
//! The record by which a sink knows a partition again, as it is in the topic of the identities of an application.

use dstreams_streaming::{Batch, PartitionIdentity, Time};
use serde::{Deserialize, Serialize};

/// What a transaction adds to the records of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdentityRecord {
    pub(super) application: String,
    pub(super) output: String,
    pub(super) batch_ms: i64,
    pub(super) partition: usize,
    pub(super) partitions: usize,
    /// What the batch was made of, as JSON.
    pub(super) positions: String,
}

impl IdentityRecord {
    pub(super) fn new(partition: &PartitionIdentity, positions: &Batch) -> Self {
        Self {
            application: partition.batch.application.to_string(),
            output: partition.batch.output.to_string(),
            batch_ms: partition.batch.batch_time.as_millis(),
            partition: partition.partition,
            partitions: partition.partitions,
            positions: positions.positions(),
        }
    }

    pub(super) fn batch_time(&self) -> Time {
        Time::from_millis(self.batch_ms)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers have a form in JSON")
    }

    /// None for what somebody else has put into the topic.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
