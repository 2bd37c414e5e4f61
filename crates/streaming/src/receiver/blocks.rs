// SPDX-License-Identifier: Apache-2.0
//! `ReceivedBlocks`: the blocks of one receiver stream, those that wait for a batch and those that batches have.

use std::collections::{BTreeMap, HashMap, VecDeque};

use dstreams_rdd::{Rdd, RddContext, StorageLevel, Wire, block::kept::KeptBlock};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::block::{BlockId, BlockInfo};
use crate::{
    input::{InputInfo, StreamId},
    time::{Duration, Time},
};

/// What a batch takes of a receiver stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceivedPlan {
    blocks: Vec<BlockInfo>,
    /// Records that could not be decoded since the batch before.
    dead_records: u64,
}

impl ReceivedPlan {
    /// The metadata key under which listeners find how many records could not be decoded.
    const DEAD_RECORDS: &str = "dead records";

    pub(crate) fn info(&self) -> InputInfo {
        let mut info = InputInfo::of_records(self.blocks.iter().map(|block| block.records).sum());
        info.metadata.extend(self.blocks.iter().flat_map(|block| block.metadata.clone()));
        if self.dead_records > 0 {
            info.metadata.insert(Self::DEAD_RECORDS.to_owned(), self.dead_records.to_string());
        }
        info
    }
}

/// Stores the blocks of one receiver stream and gives each to exactly one batch, in the order in which they came.
pub(crate) struct ReceivedBlocks<T> {
    stream: StreamId,
    rdd: RddContext,
    level: StorageLevel,
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<Block<T>>,
    dead_records: u64,
    all_dead_records: u64,
    /// The blocks of batches that are not forgotten yet.
    taken: HashMap<BlockId, Block<T>>,
    taken_at: BTreeMap<Time, Vec<BlockId>>,
    /// How many blocks, and records in them, were stored as a whole.
    whole_blocks: u64,
    whole_records: u64,
}

struct Block<T> {
    info: BlockInfo,
    records: KeptBlock<T>,
}

impl<T: Wire> ReceivedBlocks<T> {
    /// No blocks yet; they will be kept in `rdd` at `level`.
    pub(crate) fn new(stream: StreamId, rdd: RddContext, level: StorageLevel) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            dead_records: 0,
            all_dead_records: 0,
            taken: HashMap::new(),
            taken_at: BTreeMap::new(),
            whole_blocks: 0,
            whole_records: 0,
        };
        Self { stream, rdd, level, state: Mutex::new(state) }
    }

    /// The name of the next block that is stored as a whole, of `records` records.
    pub(super) fn next_whole(&self, time: Time, records: usize) -> BlockId {
        let mut state = self.state.lock();
        state.whole_blocks += 1;
        state.whole_records += records as u64;
        BlockId { stream: self.stream, time, number: state.whole_blocks }
    }

    /// The memory that all blocks of the engine take, in bytes.
    pub(super) fn memory_used(&self) -> usize {
        self.rdd.memory().used()
    }

    /// How many records were stored in blocks as a whole.
    pub(super) fn stored_whole(&self) -> u64 {
        self.state.lock().whole_records
    }

    /// Stores a block, which waits for a batch from then on; gives the records back when there is no room for them in
    /// memory or on disk.
    pub(super) fn store(
        &self,
        id: BlockId,
        records: Vec<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<BlockInfo, (dstreams_rdd::Error, Vec<T>)> {
        let records = KeptBlock::try_new(&self.rdd, records, self.level)?;
        let info = BlockInfo {
            id,
            records: records.len() as u64,
            bytes: records.bytes(),
            metadata: metadata.clone(),
        };
        self.state.lock().waiting.push_back(Block { info: info.clone(), records });
        Ok(info)
    }

    /// Counts a record that could not be decoded.
    pub(super) fn count_dead_record(&self, description: &str) {
        let count = {
            let mut state = self.state.lock();
            state.dead_records += 1;
            state.all_dead_records += 1;
            state.all_dead_records
        };
        if count.is_power_of_two() {
            tracing::warn!(stream = %self.stream, dead_records = count, "received data is no record: {description}");
        }
    }

    /// Gives everything that waits to the batch at `time`.
    pub(crate) fn plan(&self, time: Time) -> ReceivedPlan {
        let mut state = self.state.lock();
        let mut plan =
            ReceivedPlan { blocks: Vec::new(), dead_records: std::mem::take(&mut state.dead_records) };
        for block in std::mem::take(&mut state.waiting) {
            plan.blocks.push(block.info.clone());
            state.taken.insert(block.info.id, block);
        }
        if !plan.blocks.is_empty() {
            state.taken_at.insert(time, plan.blocks.iter().map(|block| block.id).collect());
        }
        plan
    }

    /// Takes back what was given to a batch that never came to be; it will be in the next.
    pub(crate) fn give_back(&self, plan: &ReceivedPlan) {
        let mut state = self.state.lock();
        state.dead_records += plan.dead_records;
        for info in plan.blocks.iter().rev() {
            if let Some(block) = state.taken.remove(&info.id) {
                state.waiting.push_front(block);
            }
        }
    }

    /// The dataset of a plan, with one partition per block.
    pub(crate) fn rdd(&self, context: &RddContext, plan: &ReceivedPlan) -> Rdd<T> {
        let state = self.state.lock();
        let mut lost = 0;
        let mut partitions = Vec::with_capacity(plan.blocks.len());
        for info in &plan.blocks {
            match state.taken.get(&info.id) {
                Some(block) => partitions.push(block.records.clone()),
                None => lost += info.records,
            }
        }
        if lost > 0 {
            tracing::error!(stream = %self.stream, records = lost, "received blocks of a batch are gone, their records are lost");
        }
        context.from_blocks(partitions)
    }

    /// Whether anything waits for a batch.
    pub(crate) fn has_waiting(&self) -> bool {
        let state = self.state.lock();
        !state.waiting.is_empty() || state.dead_records > 0
    }

    /// Frees the blocks of the batches at and before `time`.
    pub(crate) fn forget(&self, time: Time) {
        let mut state = self.state.lock();
        let kept = state.taken_at.split_off(&(time + Duration::from_millis(1)));
        for id in std::mem::replace(&mut state.taken_at, kept).into_values().flatten() {
            state.taken.remove(&id);
        }
    }
}
