// SPDX-License-Identifier: Apache-2.0
//! `DurableState`: what outlives the process of an operator with a state, as the checkpoints see it.

use std::collections::BTreeMap;

use dstreams_wal::Location;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    input::Batches,
    time::{Duration, Time},
};

/// An operator whose state is kept in checkpoints: a snapshot now and then, and what each batch changed since.
///
/// All methods are called from one thread at a time, while batches are being processed.
pub(crate) trait DurableState: Send + Sync {
    /// The number of the stream in the graph.
    fn node(&self) -> usize;

    /// Whether it logs what each batch changes. If not, its states are computed again from the last snapshot on, from the
    /// input of the batches since.
    fn logs_changes(&self) -> bool {
        true
    }

    /// How long before a batch its earlier states or records are asked for, by what is derived from the operator.
    fn remembers(&self) -> Duration;

    /// What the states look like in this program. Fails when they are of a type that cannot be kept.
    fn schema(&self) -> Result<StateSchema>;

    /// The number of keys now, where that is known without looking at each.
    fn keys(&self) -> Option<u64> {
        None
    }

    /// Says, before anything else and before the first batch, that states are to be kept in a directory of their own.
    /// Without it nothing that is only for checkpoints is done.
    fn attach(&self, dir: &Location) -> Result<()>;

    /// Puts the states there as they were after the last batch of `changes`, or as in the snapshot when that is later;
    /// called once after `attach` when there is something to restore.
    ///
    /// Returns the number of keys. Fails when what is stored cannot be read as this program's states.
    fn restore(&self, stored: Stored<'_>) -> Result<u64>;

    /// Asks for the datasets that the batch at `time` needs for its changes to be complete. Called when its jobs are made,
    /// on the thread that makes them.
    fn prepare(&self, time: Time, batches: &Batches) -> Result<()> {
        let _ = (time, batches);
        Ok(())
    }

    /// What the batch at `time` changed, encoded; nothing where there is nothing to log. Called once for each batch
    /// that has succeeded, in their order.
    fn take_changes(&self, time: Time) -> Result<Option<Vec<u8>>>;

    /// The batch at `time` and its changes are durable and will not be undone.
    fn committed(&self, time: Time) -> Result<()>;

    /// Whether a snapshot should be written after the batch at `time`, when the changes logged since the last one take
    /// this many bytes.
    fn wants_snapshot(&self, time: Time, zero: Time, logged: u64) -> bool;

    /// Writes the states after the batch at `time` to files, durably, beside the batches that go on. `before` is the
    /// last snapshot and `changes` what the batches after it changed, up to `time`.
    ///
    /// Nothing when a snapshot cannot be made of that batch any more; it is tried again later.
    fn snapshot(
        &self,
        time: Time,
        before: Option<&Snapshot>,
        changes: &mut dyn Iterator<Item = Result<Changes>>,
    ) -> Result<Option<Snapshot>>;
}

/// What is stored of an operator.
pub(crate) struct Stored<'a> {
    /// The snapshots that are there, the latest last. Operators that log their changes need the last one only.
    pub(crate) snapshots: &'a [Snapshot],
    /// What the batches after the last snapshot changed, in their order; those of earlier batches may come before.
    pub(crate) changes: &'a mut dyn Iterator<Item = Result<Changes>>,
    /// The batch whose states are wanted.
    pub(crate) version: Time,
    /// What the states looked like when they were stored.
    pub(crate) schema: &'a StateSchema,
}

/// What one batch changed.
pub(crate) struct Changes {
    pub(crate) time: Time,
    pub(crate) bytes: Vec<u8>,
}

/// The states after a batch, in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The batch.
    pub(crate) time: Time,
    /// The directory that holds nothing but this snapshot, `snapshot-<ms>` in the one of the operator, without what is
    /// above it, so that the whole can be moved.
    pub(crate) dir: String,
    /// The number of keys.
    pub(crate) keys: u64,
    /// Bytes of the files.
    pub(crate) bytes: u64,
}

/// What the states of an operator look like, for people and for the comparison with another version of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateSchema {
    /// The type of the keys.
    pub(crate) key: Shape,
    /// The type of the states.
    pub(crate) state: Shape,
    /// How many partitions they are in.
    pub(crate) partitions: usize,
    /// Where they are while the program runs: `memory` or `disk`.
    pub(crate) store: String,
}

/// What serde knows of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// Its name, or what it is: `u64`, `string`, `(u32, string)`.
    pub(crate) name: String,
    /// The fields of a struct with what each is; empty for other types.
    pub(crate) fields: BTreeMap<String, String>,
}
