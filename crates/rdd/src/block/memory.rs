// SPDX-License-Identifier: Apache-2.0
//! `MemoryBudget`: how much memory blocks may take, and which give way when it is short.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// A limit of bytes that many parties share; clones are handles to the same.
///
/// Who wants memory makes a [`Reservation`]. Where it would exceed the limit, evictable blocks are asked to give
/// way, least recently used first. Nothing waits: if that is not enough there is no reservation, and the caller
/// spills or computes again.
///
/// ```
/// use dstreams_rdd::block::memory::MemoryBudget;
///
/// let budget = MemoryBudget::new(1000);
/// let mut reservation = budget.reserve(600).expect("600 of 1000 bytes");
/// assert!(budget.reserve(500).is_none());
/// reservation.shrink(200);
/// assert!(reservation.try_grow(600));
/// drop(reservation);
/// assert_eq!(budget.used(), 0);
/// ```
#[derive(Clone)]
pub struct MemoryBudget(Arc<Budget>);

struct Budget {
    limit: usize,
    state: Mutex<State>,
}

/// Holds blocks that it can give up: drop, or write to disk.
pub trait Evict: Send + Sync {
    /// Gives up the block of `partition` and drops its reservation, or refuses, say because it is in use.
    ///
    /// The budget holds no lock meanwhile, so this may take its time and use the budget itself. It runs on the
    /// thread of whoever wants memory, who may hold locks of its own: refuse rather than wait for one.
    fn evict(&self, partition: usize) -> EvictOutcome;
}

/// What became of the wish that a block be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictOutcome {
    /// The block is gone from memory; so many bytes of reservations were dropped.
    Freed(usize),
    /// The block stays.
    Refused,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget { limit, state: Mutex::default() }))
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// The bytes of all reservations; never more than the limit.
    pub fn used(&self) -> usize {
        self.0.state.lock().used
    }

    /// Reserves `bytes`; any evictable block may have to give way.
    pub fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.reserve_as(None, bytes)
    }

    /// Reserves `bytes` on behalf of the owner, whose own blocks stay: they must not evict one another.
    pub fn reserve_for(&self, owner_id: u64, bytes: usize) -> Option<Reservation> {
        self.reserve_as(Some(owner_id), bytes)
    }

    /// Declares that `owner` can give up the block of `partition`, which would free `bytes` of its reservations.
    ///
    /// It can until the handle is dropped or the block was evicted. It counts as just used.
    #[must_use = "the block is evictable as long as the handle is kept"]
    pub fn register(
        &self,
        owner: Weak<dyn Evict>,
        owner_id: u64,
        partition: usize,
        bytes: usize,
    ) -> BlockHandle {
        let mut state = self.0.state.lock();
        let id = state.tick();
        state.blocks.insert(id, Block { owner, owner_id, partition, bytes, used_at: id, queued: true });
        state.by_use.insert(id, id);
        BlockHandle { budget: self.clone(), id }
    }

    fn reserve_as(&self, owner_id: Option<u64>, bytes: usize) -> Option<Reservation> {
        let mut reservation = Reservation { budget: self.clone(), owner_id, bytes: 0 };
        reservation.try_grow(bytes).then_some(reservation)
    }

    /// Adds to the bytes used, after evictions if need be.
    fn acquire(&self, owner_id: Option<u64>, bytes: usize) -> bool {
        let mut refused = Vec::new();
        let mut state = self.0.state.lock();
        loop {
            let free = self.0.limit - state.used;
            if bytes <= free {
                state.used += bytes;
                return true;
            }
            let Some(victim) = state.take_victim(owner_id, bytes - free, &refused) else { return false };
            drop(state);
            // The owner may be dropped here, too, if it was kept by nobody else any more.
            let outcome = victim.owner.upgrade().map(|owner| owner.evict(victim.partition));
            state = self.0.state.lock();
            if outcome == Some(EvictOutcome::Refused) {
                state.put_back(victim.id);
                refused.push(victim.id);
            } else {
                state.blocks.remove(&victim.id);
            }
        }
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("MemoryBudget")
            .field("limit", &self.0.limit)
            .field("used", &state.used)
            .field("evictable_blocks", &state.by_use.len())
            .finish()
    }
}

/// Bytes of a [`MemoryBudget`] that are given back on drop.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct Reservation {
    budget: MemoryBudget,
    owner_id: Option<u64>,
    bytes: usize,
}

impl Reservation {
    /// The bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves `more` bytes, like the call that made this reservation; if that fails, it stays as it is.
    #[must_use = "without the reservation the memory must not be used"]
    pub fn try_grow(&mut self, more: usize) -> bool {
        let grown = self.budget.acquire(self.owner_id, more);
        if grown {
            self.bytes += more;
        }
        grown
    }

    /// Gives `bytes` back, at most all.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.state.lock().used -= bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// A block that can be evicted, until this is dropped.
#[derive(Debug)]
pub struct BlockHandle {
    budget: MemoryBudget,
    id: u64,
}

impl BlockHandle {
    /// The block was just used: others are evicted before it.
    pub fn touch(&self) {
        self.budget.0.state.lock().touch(self.id);
    }
}

impl Drop for BlockHandle {
    fn drop(&mut self) {
        self.budget.0.state.lock().unregister(self.id);
    }
}

#[derive(Default)]
struct State {
    used: usize,
    /// A clock that ticks with each use of a block.
    now: u64,
    blocks: HashMap<u64, Block>,
    /// The blocks that can be asked, by the time of their last use; not those that are being evicted.
    by_use: BTreeMap<u64, u64>,
}

struct Block {
    owner: Weak<dyn Evict>,
    owner_id: u64,
    partition: usize,
    bytes: usize,
    used_at: u64,
    /// Whether it is in `by_use`.
    queued: bool,
}

/// A block that is being evicted.
struct Victim {
    id: u64,
    owner: Weak<dyn Evict>,
    partition: usize,
}

impl State {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// The block that was used least recently, unless all that may be asked do not have the bytes that are needed:
    /// then none needs to go.
    fn take_victim(&mut self, asking: Option<u64>, needed: usize, refused: &[u64]) -> Option<Victim> {
        let mut victim = None;
        let mut bytes = 0_usize;
        for id in self.by_use.values() {
            let block = &self.blocks[id];
            if asking == Some(block.owner_id) || block.bytes == 0 || refused.contains(id) {
                continue;
            }
            victim = victim.or(Some(*id));
            bytes = bytes.saturating_add(block.bytes);
            if bytes >= needed {
                break;
            }
        }
        let id = victim.filter(|_| bytes >= needed)?;
        let block = self.blocks.get_mut(&id)?;
        block.queued = false;
        self.by_use.remove(&block.used_at);
        Some(Victim { id, owner: block.owner.clone(), partition: block.partition })
    }

    /// A victim that refused can be asked again, unless its handle was dropped meanwhile.
    fn put_back(&mut self, id: u64) {
        if let Some(block) = self.blocks.get_mut(&id) {
            block.queued = true;
            self.by_use.insert(block.used_at, id);
        }
    }

    fn touch(&mut self, id: u64) {
        let now = self.tick();
        let Some(block) = self.blocks.get_mut(&id) else { return };
        let before = std::mem::replace(&mut block.used_at, now);
        if block.queued {
            self.by_use.remove(&before);
            self.by_use.insert(now, id);
        }
    }

    fn unregister(&mut self, id: u64) {
        if let Some(block) = self.blocks.remove(&id)
            && block.queued
        {
            self.by_use.remove(&block.used_at);
        }
    }
}
