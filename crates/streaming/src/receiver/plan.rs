// SPDX-License-Identifier: Apache-2.0
//! `ReceivedPlan`: what a batch takes of a receiver stream. Data only, logged with the batch.

use std::ops::Range;

use dstreams_rdd::TaskError;
use dstreams_wal::{Handle, Segment};
use serde::{Deserialize, Serialize};

use super::block::BlockInfo;
use crate::{input::InputInfo, time::Time};

/// What a batch takes of a receiver stream: the blocks that are numbered from where the plan before ended up to
/// [`next`](Self::next). Numbers without a block belong to blocks that could not be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceivedPlan {
    pub(super) blocks: Vec<StoredBlock>,
    /// The first number that no plan up to this one covers. Whatever the log has from there on waits for a batch.
    pub(super) next: u64,
    /// The newest block of the plans before, if this one has none.
    pub(super) before: Option<BlockInfo>,
    /// How many blocks had been stored as a whole.
    pub(super) whole_blocks: u64,
    /// Records that could not be decoded since the batch before.
    pub(super) dead_records: u64,
}

/// A stored block, without its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredBlock {
    /// Its number in the stream: blocks are processed in this order.
    pub(super) number: u64,
    pub(super) stored_at: Time,
    pub(super) info: BlockInfo,
    /// Where it is in the log of the stream, if it is logged.
    pub(super) logged: Option<Handle>,
}

impl ReceivedPlan {
    /// The metadata key under which listeners find how many records could not be decoded.
    const DEAD_RECORDS: &str = "dead records";

    pub(crate) fn info(&self) -> InputInfo {
        let mut info = InputInfo::of_records(self.blocks.iter().map(|block| block.info.records).sum());
        info.metadata.extend(self.blocks.iter().flat_map(|block| block.info.metadata.clone()));
        let bytes: u64 = self.blocks.iter().map(|block| block.info.bytes).sum();
        if bytes > 0 {
            info.metadata.insert(InputInfo::BYTES.to_owned(), bytes.to_string());
        }
        if self.dead_records > 0 {
            info.metadata.insert(Self::DEAD_RECORDS.to_owned(), self.dead_records.to_string());
        }
        info
    }

    /// The numbers of its blocks; nothing when there are none.
    pub(super) fn numbers(&self) -> Option<Range<u64>> {
        self.blocks.first().map(|first| first.number..self.next)
    }

    /// The newest block of this plan and those before.
    pub(super) fn newest(&self) -> Option<&BlockInfo> {
        self.blocks.last().map(|block| &block.info).or(self.before.as_ref())
    }
}

impl StoredBlock {
    /// The segment of the log that holds it.
    pub(super) fn segment(&self) -> Option<Segment> {
        self.logged.map(|handle| handle.segment)
    }

    /// The error of a task that needs a block which is nowhere any more.
    pub(super) fn is_gone(&self) -> TaskError {
        TaskError::Other(format!("{} is gone, and it was not logged", self.info.id).into())
    }
}
