// SPDX-License-Identifier: Apache-2.0
//! `ReceivedBlocks`: the blocks of one receiver stream, those that wait for a batch and those that batches have.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use dstreams_rdd::{Rdd, RddContext, StorageLevel, Wire, block::kept::KeptBlock, codec::CodecError};
use dstreams_wal::{Location, Options};
use parking_lot::Mutex;

use super::{
    block::{BlockId, BlockInfo},
    ledger::{Block, Ledger},
    log::{self, BlockLog},
    plan::{ReceivedPlan, StoredBlock},
};
use crate::{error::Result, input::StreamId, time::Time};

/// Stores the blocks of one receiver stream and gives each to exactly one batch, in the order in which they came.
///
/// Every block has a number, which it is given before it is stored. A batch takes all blocks up to the first that is
/// still being stored, so that what it takes is a range of numbers and a log needs no more to say what waits: all from
/// the end of the last range on.
pub(crate) struct ReceivedBlocks<T> {
    stream: StreamId,
    rdd: RddContext,
    level: StorageLevel,
    /// Set when there is a checkpoint directory.
    log: OnceLock<Arc<BlockLog>>,
    pub(super) ledger: Mutex<Ledger<T>>,
    /// How many records of all times could not be decoded, and how many were stored in blocks as a whole.
    dead_records: AtomicU64,
    whole_records: AtomicU64,
}

/// A block that is to be stored.
pub(super) struct Incoming<T> {
    pub(super) id: BlockId,
    pub(super) records: Vec<T>,
    pub(super) metadata: BTreeMap<String, String>,
    /// The records as they are logged, once they were encoded.
    encoded: Option<Vec<u8>>,
}

impl<T: Wire> Incoming<T> {
    pub(super) fn new(id: BlockId, records: Vec<T>, metadata: &BTreeMap<String, String>) -> Self {
        Self { id, records, metadata: metadata.clone(), encoded: None }
    }

    /// Encodes the records for a log, once.
    pub(super) fn encode(&mut self) -> Result<(), NotStored> {
        if self.encoded.is_none() {
            self.encoded = Some(log::frames(&self.records).map_err(NotStored::Encode)?);
        }
        Ok(())
    }

    fn info(&self, records: usize, bytes: u64) -> BlockInfo {
        BlockInfo { id: self.id, records: records as u64, bytes, metadata: self.metadata.clone() }
    }
}

/// Why a block could not be stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStored {
    #[error(transparent)]
    Kept(dstreams_rdd::Error),
    #[error(transparent)]
    Log(dstreams_wal::Error),
    #[error("its records cannot be logged: {0}")]
    Encode(CodecError),
}

impl<T: Wire> ReceivedBlocks<T> {
    /// No blocks yet; they will be kept in `rdd` at `level`.
    pub(crate) fn new(stream: StreamId, rdd: RddContext, level: StorageLevel) -> Self {
        Self {
            stream,
            rdd,
            level,
            log: OnceLock::new(),
            ledger: Mutex::default(),
            dead_records: AtomicU64::new(0),
            whole_records: AtomicU64::new(0),
        }
    }

    /// Reads the log of earlier runs in `dir`; blocks are logged there from now on if there are `options`.
    pub(crate) fn attach(&self, dir: impl Into<Location>, options: Option<Options>) -> Result<()> {
        let log = BlockLog::open(dir.into(), options)?;
        self.ledger.lock().found(log.scan()?);
        self.log.set(Arc::new(log)).ok().expect("a stream is attached once");
        Ok(())
    }

    /// Whether blocks are logged.
    pub(crate) fn is_logged(&self) -> bool {
        self.log().is_some()
    }

    /// The number of the first block of this run.
    pub(crate) fn first_number(&self) -> u64 {
        self.ledger.lock().next()
    }

    /// Goes on after a restart: `first` is the number of the first block of all runs since the checkpoint began, `plans`
    /// what batches were given, the oldest first. What the log has beyond the last of them waits again.
    pub(crate) fn restore(&self, first: u64, plans: &[(Time, ReceivedPlan)]) {
        self.ledger.lock().restore(first, plans);
    }

    /// From now on blocks come. What an earlier run has logged and nobody restored belongs to no checkpoint.
    pub(crate) fn leave_found(&self) {
        let left = self.ledger.lock().leave_found();
        if left > 0 {
            tracing::warn!(stream = %self.stream, blocks = left, "the log of the stream has blocks of another checkpoint, which are not processed");
        }
    }

    /// The name of the next block that is stored as a whole, of `records` records.
    pub(super) fn next_whole(&self, time: Time, records: usize) -> BlockId {
        self.whole_records.fetch_add(records as u64, Ordering::Relaxed);
        BlockId { stream: self.stream, time, number: self.ledger.lock().count_whole() }
    }

    /// The memory that all blocks of the engine take, in bytes.
    pub(super) fn memory_used(&self) -> usize {
        self.rdd.memory().used()
    }

    /// How many records were stored in blocks as a whole.
    pub(super) fn stored_whole(&self) -> u64 {
        self.whole_records.load(Ordering::Relaxed)
    }

    /// The block that was stored last, in this run or one before it.
    pub(super) fn last_stored(&self) -> Option<BlockInfo> {
        self.ledger.lock().newest().cloned()
    }

    /// Stores a block, which waits for a batch from then on; leaves it as it was when there is no room for it.
    pub(super) fn store(&self, block: &mut Incoming<T>, now: Time) -> Result<BlockInfo, NotStored> {
        if self.is_logged() {
            block.encode()?;
        }
        self.store_numbered(self.begin(), block, now)
    }

    /// The number of a block that is stored from now on.
    pub(super) fn begin(&self) -> Number<'_, T> {
        Number { number: self.ledger.lock().begin(), ledger: &self.ledger }
    }

    pub(super) fn store_numbered(
        &self,
        number: Number<'_, T>,
        block: &mut Incoming<T>,
        now: Time,
    ) -> Result<BlockInfo, NotStored> {
        let stored = self.put(number.number, block, now)?;
        let info = stored.stored.info.clone();
        self.ledger.lock().stored(stored);
        drop(number);
        Ok(info)
    }

    /// Puts the records of a block where they are safe. It counts when the ledger has it.
    pub(super) fn put(&self, number: u64, block: &mut Incoming<T>, now: Time) -> Result<Block<T>, NotStored> {
        match self.log() {
            None => self.keep(number, block, now),
            Some(log) => self.append(log, number, block, now),
        }
    }

    /// Keeps the records where the storage level says.
    fn keep(&self, number: u64, block: &mut Incoming<T>, now: Time) -> Result<Block<T>, NotStored> {
        match KeptBlock::try_new(&self.rdd, mem::take(&mut block.records), self.level) {
            Ok(kept) => {
                let info = block.info(kept.len(), kept.bytes());
                let stored = StoredBlock { number, stored_at: now, info, logged: None };
                Ok(Block { stored, kept: Some(kept) })
            }
            Err((error, records)) => {
                block.records = records;
                Err(NotStored::Kept(error))
            }
        }
    }

    /// Appends the records to the log, and keeps a copy in memory if there is room.
    fn append(
        &self,
        log: &BlockLog,
        number: u64,
        block: &mut Incoming<T>,
        now: Time,
    ) -> Result<Block<T>, NotStored> {
        let encoded = block.encoded.as_deref().unwrap_or_default();
        let info = block.info(block.records.len(), encoded.len() as u64);
        let mut stored = StoredBlock { number, stored_at: now, info, logged: None };
        stored.logged = Some(log.append(&stored, encoded)?);
        block.encoded = None;
        Ok(Block { stored, kept: KeptBlock::copy(&self.rdd, mem::take(&mut block.records), self.level) })
    }

    /// Counts a record that could not be decoded.
    pub(super) fn count_dead_record(&self, description: &str) {
        self.ledger.lock().count_dead_record();
        let count = 1 + self.dead_records.fetch_add(1, Ordering::Relaxed);
        if count.is_power_of_two() {
            tracing::warn!(stream = %self.stream, dead_records = count, "received data is no record: {description}");
        }
    }

    /// Gives what waits to the batch at `time`.
    pub(crate) fn plan(&self, time: Time) -> ReceivedPlan {
        self.ledger.lock().plan(time)
    }

    /// Takes back what was given to a batch that never came to be; it will be in the next.
    pub(crate) fn give_back(&self, plan: &ReceivedPlan) {
        self.ledger.lock().give_back(plan);
    }

    /// The dataset of a plan, with one partition per block. A block that was logged and is neither in memory nor in the
    /// log is an error of the task that reads it.
    pub(crate) fn rdd(&self, context: &RddContext, plan: ReceivedPlan) -> Rdd<T> {
        let (mut blocks, mut copies, mut lost) = (Vec::new(), Vec::new(), 0);
        let ledger = self.ledger.lock();
        for stored in plan.blocks {
            let kept = ledger.kept(stored.number).cloned();
            if kept.is_none() && stored.logged.is_none() {
                lost += stored.info.records;
                continue;
            }
            blocks.push(stored);
            copies.push(kept);
        }
        drop(ledger);
        if lost > 0 {
            tracing::error!(stream = %self.stream, records = lost, "received blocks of a batch are gone, their records are lost: they were not logged");
        }
        let log = self.log.get().cloned();
        context.from_copies("received_blocks", copies, move |partition| {
            let block = &blocks[partition];
            log.as_ref().ok_or_else(|| block.is_gone()).and_then(|log| log.read(block))
        })
    }

    /// Whether anything waits for a batch.
    pub(crate) fn has_waiting(&self) -> bool {
        self.ledger.lock().has_waiting()
    }

    /// Frees the blocks of the batches at and before `time`; what is logged can still be read.
    pub(crate) fn forget(&self, time: Time) {
        let freed = self.ledger.lock().forget(time);
        // Without the lock: code of the user may run when records are dropped.
        drop(freed);
    }

    /// Removes from the log what only batches at and before `time` have needed.
    pub(crate) fn clean(&self, time: Time) {
        let oldest = self.ledger.lock().clean(time);
        if let (Some(log), Some(oldest)) = (self.log(), oldest) {
            log.clean_before(oldest);
        }
    }

    /// Ends the log: nothing can be stored any more, and another may write it.
    pub(crate) fn close(&self) {
        if let Some(log) = self.log.get() {
            log.close();
        }
    }

    /// The log, if blocks are logged.
    fn log(&self) -> Option<&Arc<BlockLog>> {
        self.log.get().filter(|log| log.is_written())
    }
}

/// The number of a block that is being stored. When it is dropped and the block is not stored, it is given up: also
/// when code of the user has panicked.
pub(super) struct Number<'a, T> {
    ledger: &'a Mutex<Ledger<T>>,
    pub(super) number: u64,
}

impl<T> Drop for Number<'_, T> {
    fn drop(&mut self) {
        self.ledger.lock().give_up(self.number);
    }
}
