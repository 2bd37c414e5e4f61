// SPDX-License-Identifier: Apache-2.0
//! `Ledger`: which blocks of a stream are being stored, which wait for a batch, and which batch has which.

use std::{collections::BTreeMap, mem, ops::Range};

use dstreams_rdd::block::kept::KeptBlock;
use dstreams_wal::Segment;

use super::{
    block::BlockInfo,
    plan::{ReceivedPlan, StoredBlock},
};
use crate::time::{Duration, Time};

/// The state of a stream's blocks. Everything goes by their numbers, which rise from run to run: neither names nor
/// times must be unique or in order.
pub(super) struct Ledger<T> {
    /// The number of the next block.
    next: u64,
    /// The numbers of the blocks that are being stored, each with a segment of the log that it comes into or after.
    in_flight: BTreeMap<u64, Option<Segment>>,
    waiting: BTreeMap<u64, Block<T>>,
    /// The records of blocks of batches that are not forgotten yet, as far as they are in memory or spilled.
    kept: BTreeMap<u64, KeptBlock<T>>,
    batches: BTreeMap<Time, Taken>,
    /// What earlier runs have logged, until it is known what of it is still of use.
    found: Vec<StoredBlock>,
    /// The newest segment of the log that is known.
    newest_segment: Option<Segment>,
    /// The stored block with the highest number, and the newest that was given to a batch.
    newest: Option<(u64, BlockInfo)>,
    newest_planned: Option<BlockInfo>,
    dead_records: u64,
    /// How many blocks were stored as a whole.
    whole_blocks: u64,
}

/// A stored block.
pub(super) struct Block<T> {
    pub(super) stored: StoredBlock,
    /// Where there is a log this is a copy, and may be missing.
    pub(super) kept: Option<KeptBlock<T>>,
}

/// The blocks of a batch.
struct Taken {
    numbers: Range<u64>,
    /// The oldest segment of the log that holds one of them.
    segment: Option<Segment>,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            next: 0,
            in_flight: BTreeMap::new(),
            waiting: BTreeMap::new(),
            kept: BTreeMap::new(),
            batches: BTreeMap::new(),
            found: Vec::new(),
            newest_segment: None,
            newest: None,
            newest_planned: None,
            dead_records: 0,
            whole_blocks: 0,
        }
    }
}

impl<T> Ledger<T> {
    /// Notes what earlier runs have logged.
    pub(super) fn found(&mut self, found: Vec<StoredBlock>) {
        self.next = found.iter().map(|block| block.number + 1).max().unwrap_or(0);
        self.newest_segment = found.iter().filter_map(StoredBlock::segment).max();
        self.found = found;
    }

    /// The number of the next block.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// See [`ReceivedBlocks::restore`](super::ReceivedBlocks::restore).
    pub(super) fn restore(&mut self, first: u64, plans: &[(Time, ReceivedPlan)]) {
        let newest = plans.last().map(|(_, plan)| plan);
        let from = newest.map_or(first, |plan| plan.next);
        self.next = self.next.max(from);
        self.whole_blocks = newest.map_or(0, |plan| plan.whole_blocks);
        self.newest_planned = newest.and_then(|plan| plan.newest().cloned());
        self.newest = self.newest_planned.clone().map(|info| (from.saturating_sub(1), info));
        for (time, plan) in plans {
            self.note_taken(*time, plan);
        }
        for stored in mem::take(&mut self.found) {
            self.whole_blocks = self.whole_blocks.max(stored.info.id.number);
            if stored.number >= from {
                self.note_newest(&stored);
                self.waiting.insert(stored.number, Block { stored, kept: None });
            }
        }
    }

    /// Forgets what was found and not restored; how many blocks that were.
    pub(super) fn leave_found(&mut self) -> usize {
        mem::take(&mut self.found).len()
    }

    /// Counts a block that is stored as a whole.
    pub(super) fn count_whole(&mut self) -> u64 {
        self.whole_blocks += 1;
        self.whole_blocks
    }

    pub(super) fn count_dead_record(&mut self) {
        self.dead_records += 1;
    }

    /// The number of a block that is stored from now on.
    pub(super) fn begin(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.in_flight.insert(number, self.newest_segment);
        number
    }

    /// The block of this number could not be stored.
    pub(super) fn give_up(&mut self, number: u64) {
        self.in_flight.remove(&number);
    }

    /// A block has been stored: it waits for a batch.
    pub(super) fn stored(&mut self, block: Block<T>) {
        self.newest_segment = self.newest_segment.max(block.stored.segment());
        self.note_newest(&block.stored);
        self.in_flight.remove(&block.stored.number);
        self.waiting.insert(block.stored.number, block);
    }

    /// The block that was stored last.
    pub(super) fn newest(&self) -> Option<&BlockInfo> {
        self.newest.as_ref().map(|(_, info)| info)
    }

    /// Whether anything waits for a batch.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.dead_records > 0
    }

    /// Gives what waits to the batch at `time`, up to the first block that is still being stored.
    pub(super) fn plan(&mut self, time: Time) -> ReceivedPlan {
        let next = self.in_flight.keys().next().copied().unwrap_or(self.next);
        let later = self.waiting.split_off(&next);
        let ready = mem::replace(&mut self.waiting, later);
        let mut plan = ReceivedPlan {
            blocks: Vec::with_capacity(ready.len()),
            next,
            before: None,
            whole_blocks: self.whole_blocks,
            dead_records: mem::take(&mut self.dead_records),
        };
        for (number, Block { stored, kept }) in ready {
            plan.blocks.push(stored);
            if let Some(kept) = kept {
                self.kept.insert(number, kept);
            }
        }
        match plan.blocks.last() {
            Some(newest) => self.newest_planned = Some(newest.info.clone()),
            None => plan.before.clone_from(&self.newest_planned),
        }
        self.note_taken(time, &plan);
        plan
    }

    /// Takes back what was given to a batch that never came to be.
    pub(super) fn give_back(&mut self, plan: &ReceivedPlan) {
        self.dead_records += plan.dead_records;
        if let Some(numbers) = plan.numbers() {
            self.batches.retain(|_, taken| taken.numbers.start != numbers.start);
        }
        for stored in &plan.blocks {
            let kept = self.kept.remove(&stored.number);
            if kept.is_some() || stored.logged.is_some() {
                self.waiting.insert(stored.number, Block { stored: stored.clone(), kept });
            }
        }
    }

    /// The records of a block of a batch, if they are in memory or spilled.
    pub(super) fn kept(&self, number: u64) -> Option<&KeptBlock<T>> {
        self.kept.get(&number)
    }

    /// Takes out the records of the batches at and before `time`. What is logged can still be read.
    pub(super) fn forget(&mut self, time: Time) -> BTreeMap<u64, KeptBlock<T>> {
        let end = self.batches.range(..=time).map(|(_, taken)| taken.numbers.end).max();
        self.batches.retain(|batch, taken| *batch > time || taken.segment.is_some());
        let still = self.kept.split_off(&end.unwrap_or(0));
        mem::replace(&mut self.kept, still)
    }

    /// Forgets the batches at and before `time` altogether. Returns the oldest segment of the log that is needed from
    /// now on, if that is known.
    pub(super) fn clean(&mut self, time: Time) -> Option<Segment> {
        self.batches = self.batches.split_off(&(time + Duration::from_millis(1)));
        let mut oldest = self.newest_segment?;
        for segment in self.in_flight.values() {
            oldest = oldest.min((*segment)?);
        }
        let waiting = self.waiting.values().filter_map(|block| block.stored.segment());
        let taken = self.batches.values().filter_map(|taken| taken.segment);
        Some(waiting.chain(taken).fold(oldest, Segment::min))
    }

    fn note_taken(&mut self, time: Time, plan: &ReceivedPlan) {
        if let Some(numbers) = plan.numbers() {
            let segment = plan.blocks.iter().filter_map(StoredBlock::segment).min();
            self.batches.insert(time, Taken { numbers, segment });
        }
    }

    fn note_newest(&mut self, stored: &StoredBlock) {
        if self.newest.as_ref().is_none_or(|(newest, _)| *newest < stored.number) {
            self.newest = Some((stored.number, stored.info.clone()));
        }
    }
}
