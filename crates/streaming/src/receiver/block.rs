// SPDX-License-Identifier: Apache-2.0
//! What is known of a received block apart from its records: data only, fit for logs.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{input::StreamId, time::Time};

/// One received block. A batch has one partition per block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockInfo {
    /// Its name.
    pub id: BlockId,
    /// Number of records.
    pub records: u64,
    /// What the records take, in bytes: in the log where there is one, otherwise in memory as far as it is known.
    pub bytes: u64,
    /// What the receiver said about the block; shown with the batch.
    pub metadata: BTreeMap<String, String>,
}

/// The name of a received block, unique in its context.
///
/// Shown as `input-<stream>-<ms>` for a block that was cut of single records, with a number after a dot for one that
/// the receiver stored as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlockId {
    /// The input stream.
    pub stream: StreamId,
    /// The start of the block interval, or when a block was stored as a whole.
    pub time: Time,
    /// Counts the blocks that were stored as a whole, from 1; 0 for those that were cut of single records.
    pub number: u64,
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input-{}-{}", self.stream, self.time.as_millis())?;
        if self.number > 0 { write!(f, ".{}", self.number) } else { Ok(()) }
    }
}
