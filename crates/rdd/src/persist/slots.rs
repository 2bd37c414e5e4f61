// SPDX-License-Identifier: Apache-2.0
//! The kept partitions of one dataset: each is computed by the first task that wants it, and read by the others.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::{
    block::{
        builder::Builder,
        kept::{BlockName, KeptBlock},
        policy::Policy,
    },
    chunk::{AtRest, BoxChunks, CHUNK, Chunks},
    error::TaskError,
    lineage::Materialized,
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

/// How often a task that waits for another one's block looks whether its own job was given up.
const PATIENCE: Duration = Duration::from_millis(50);

/// The partitions of a persisted dataset.
pub(super) struct Slots<T> {
    pub(super) policy: Policy<T>,
    slots: Box<[Slot<T>]>,
}

struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

enum State<T> {
    Empty,
    /// A task computes it. While it does, it waits only for datasets that this one is computed from, so that tasks
    /// cannot wait for one another in a circle.
    InProgress,
    Kept(KeptBlock<T>),
}

impl<T: Data> Slots<T> {
    pub(super) fn new(policy: Policy<T>, partitions: usize) -> Self {
        let empty = || Slot { state: Mutex::new(State::Empty), changed: Condvar::new() };
        Self { policy, slots: (0..partitions).map(|_| empty()).collect() }
    }

    pub(super) fn read_or_compute(
        &self,
        rdd: &Rdd<T>,
        partition: usize,
        task: &TaskContext,
    ) -> Result<BoxChunks<T>, TaskError> {
        let slot = &self.slots[partition];
        loop {
            match slot.look(task)? {
                Found::Block(block) => match block.open(task) {
                    // It is computed again in the next round.
                    Err(TaskError::BlockLost { .. }) => slot.clear(&block),
                    opened => return opened,
                },
                Found::Nothing(claim) => return self.compute(rdd, partition, task, claim),
            }
        }
    }

    /// Computes the whole partition and keeps it; if it has no room, the records pass on as they come.
    fn compute(
        &self,
        rdd: &Rdd<T>,
        partition: usize,
        task: &TaskContext,
        claim: Claim<'_, T>,
    ) -> Result<BoxChunks<T>, TaskError> {
        let name = BlockName { rdd: rdd.id(), partition };
        let mut input = rdd.compute_chunks(partition, task)?;
        let mut builder = Builder::new(rdd.context(), name, self.policy)?;
        if let Some(records) = input.at_rest() {
            if let Some(block) = builder.whole(&records) {
                drop(records);
                return keep(block, task, claim);
            }
            input = Box::new(AtRest::new(records, None, task));
        }
        let mut more = true;
        while more {
            let mut chunk = Vec::with_capacity(CHUNK);
            more = fill(&mut chunk, &mut *input)?;
            if !builder.append(&mut chunk)? {
                tracing::debug!(block = %name, "not kept, for want of memory");
                // Others need not wait until the task has ended.
                drop(claim);
                return Ok(builder.give_back(chunk, more.then_some(input), task));
            }
        }
        keep(builder.finish()?, task, claim)
    }

    /// The partitions that would have to be computed.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|partition| !self.slots[*partition].is_kept()).collect()
    }
}

impl<T: Data> Materialized for Slots<T> {
    fn has_all(&self, partitions: &[usize]) -> bool {
        partitions.iter().all(|partition| self.slots[*partition].is_kept())
    }

    fn outlasts_shortage(&self) -> bool {
        self.policy.on_disk.is_some()
    }
}

/// Keeps a block and starts to read it, before others may evict it.
fn keep<T: Data>(
    block: KeptBlock<T>,
    task: &TaskContext,
    claim: Claim<'_, T>,
) -> Result<BoxChunks<T>, TaskError> {
    let chunks = block.open(task)?;
    block.make_evictable();
    claim.keep(block);
    Ok(chunks)
}

/// What a task finds in a slot.
enum Found<'a, T> {
    Block(KeptBlock<T>),
    /// The task is the one to compute it.
    Nothing(Claim<'a, T>),
}

impl<T: Data> Slot<T> {
    /// Waits while another task computes the partition.
    fn look(&self, task: &TaskContext) -> Result<Found<'_, T>, TaskError> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                State::Kept(block) => return Ok(Found::Block(block.clone())),
                State::Empty => {
                    *state = State::InProgress;
                    return Ok(Found::Nothing(Claim { slot: self }));
                }
                State::InProgress => {
                    task.check_cancelled()?;
                    self.changed.wait_for(&mut state, PATIENCE);
                }
            }
        }
    }

    /// Forgets a block that is gone, unless another one has taken its place.
    fn clear(&self, gone: &KeptBlock<T>) {
        let mut state = self.state.lock();
        if matches!(&*state, State::Kept(block) if block.is_same(gone)) {
            *state = State::Empty;
        }
    }

    fn is_kept(&self) -> bool {
        matches!(&*self.state.lock(), State::Kept(block) if block.is_there())
    }
}

/// The right and duty to compute a partition; dropped without a block, it passes to the next task.
struct Claim<'a, T> {
    slot: &'a Slot<T>,
}

impl<T> Claim<'_, T> {
    fn keep(self, block: KeptBlock<T>) {
        *self.slot.state.lock() = State::Kept(block);
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        let mut state = self.slot.state.lock();
        if matches!(*state, State::InProgress) {
            *state = State::Empty;
        }
        drop(state);
        self.slot.changed.notify_all();
    }
}

/// Puts small chunks together to one of the usual size. False when the input has ended with them.
fn fill<T>(chunk: &mut Vec<T>, input: &mut dyn Chunks<T>) -> Result<bool, TaskError> {
    while chunk.len() < CHUNK {
        if !input.next_chunk(chunk)? {
            return Ok(false);
        }
    }
    Ok(true)
}
