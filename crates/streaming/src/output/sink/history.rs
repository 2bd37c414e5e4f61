// SPDX-License-Identifier: Apache-2.0
//! `History`: what the latest batches of an output were made of, asked of the sink that has them.

use super::{Committed, SinkError};
use crate::time::Time;

/// A sink that can be asked for the latest batches of an output, for programs that go on where their results end.
pub trait History: Send + Sync + 'static {
    /// What logs and errors call the sink.
    fn history_of(&self) -> String;

    /// The latest batches of an output, at most `limit` of them, the latest first. Those that are there in part are among
    /// them.
    fn latest(
        &self,
        application: &str,
        output: &str,
        limit: usize,
    ) -> Result<Vec<CommittedPositions>, SinkError>;
}

/// What a sink has of a batch, and what the batch was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedPositions {
    /// The batch time.
    pub batch_time: Time,
    /// Which partitions are there.
    pub committed: Committed,
    /// What the batch was made of, as [`Batch::positions`](crate::Batch::positions) tells it.
    pub positions: String,
}
