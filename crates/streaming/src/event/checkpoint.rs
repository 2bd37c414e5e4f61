// SPDX-License-Identifier: Apache-2.0
//! What is told of checkpoints, states and recovery.

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::RecoveryReport,
    time::{Duration, Time},
};

/// A batch that is complete for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// The batch time.
    pub batch_time: Time,
    /// When it was complete.
    pub time: Time,
    /// How long it took to make it durable, after its jobs had ended. Zero without a checkpoint directory.
    pub duration: Duration,
    /// Bytes of what it has changed in states, as they were logged.
    pub changed_bytes: u64,
}

/// The states of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateInfo {
    /// The operator: its name, or its kind and number.
    pub operator: String,
    /// The batch after which they are like this.
    pub batch_time: Time,
    /// The number of keys now, where the operator counts them.
    pub keys: Option<u64>,
    /// What the batches since the last snapshot have changed, in bytes of the log.
    pub logged_bytes: u64,
    /// The last snapshot, if there is one.
    pub snapshot: Option<SnapshotInfo>,
}

/// States as they are in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotInfo {
    /// The batch after which the states are like this.
    pub batch_time: Time,
    /// The number of keys.
    pub keys: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A checkpoint file that has been written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// The batch after which it was cut. Its age is the time since then.
    pub batch_time: Time,
    /// When it was there.
    pub time: Time,
    /// How long it took to write it and the snapshots that were due.
    pub duration: Duration,
    /// Bytes of the snapshots that were written for it; 0 when none was due.
    pub bytes: u64,
}

/// What a context goes on with that has found the checkpoints of an earlier process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryInfo {
    /// When.
    pub time: Time,
    /// What became of the parts of the earlier program.
    pub report: RecoveryReport,
    /// How many batches are made up for whose time came while no process was running.
    pub missed: u64,
}
