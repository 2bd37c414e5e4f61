// SPDX-License-Identifier: Apache-2.0
//! `KeptBlock<T>`: records that stay where memory or disk has room for them, and can be read any number of times.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

use super::{
    builder::Builder,
    content::Content,
    memory::{BlockHandle, Evict, EvictOutcome, Reservation},
    policy::Policy,
};
use crate::{
    chunk::{BoxChunks, CHUNK},
    context::RddContext,
    error::{BoxError, Error, Result, TaskError},
    event::EngineEvent,
    lineage::RddId,
    persist::StorageLevel,
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
    source::SourceChunks,
};

/// Records kept at a [`StorageLevel`]: a received block, or a partition of a persisted dataset.
///
/// Clones are handles to the same block; memory and file are freed with the last of them, and of the tasks that read it.
/// Where its level allows both, the block moves from memory to disk when others need the memory.
///
/// ```
/// use dstreams_rdd::{RddContext, StorageLevel, block::kept::KeptBlock};
/// let sc = RddContext::local(2)?;
/// let block = KeptBlock::new(&sc, vec!["to", "be"].into_iter().map(String::from).collect(), StorageLevel::MEMORY_ONLY)?;
/// assert_eq!(block.len(), 2);
/// assert_eq!(sc.from_blocks(vec![block]).collect()?, ["to", "be"]);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
pub struct KeptBlock<T>(Arc<Shared<T>>);

struct Shared<T> {
    context: RddContext,
    name: BlockName,
    policy: Policy<T>,
    records: usize,
    state: Mutex<State<T>>,
    /// Set when the block may be evicted.
    evictable: OnceLock<BlockHandle>,
}

struct State<T> {
    /// None when the block was given up, or found to be damaged.
    content: Option<Content<T>>,
    memory: Reservation,
}

/// The dataset and the partition of a block; a received block has a number of its own in place of a dataset's.
#[derive(Clone, Copy)]
pub(crate) struct BlockName {
    pub(crate) rdd: RddId,
    pub(crate) partition: usize,
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block rdd_{}_{}", self.rdd.0, self.partition)
    }
}

impl<T: Wire> KeptBlock<T> {
    /// Keeps `records`.
    ///
    /// [`Error::NotStored`] when there is no room for them, or [`Error::InvalidArgument`] for
    /// [`StorageLevel::NONE`]. A block at a level without disk stays in memory as long as there are handles to it:
    /// nothing could make it again.
    pub fn new(context: &RddContext, records: Vec<T>, level: StorageLevel) -> Result<Self> {
        Self::try_new(context, records, level).map_err(|(error, _)| error)
    }

    /// As [`new`](Self::new), and gives the records back with the error, for who wants to try again when there is room.
    pub fn try_new(
        context: &RddContext,
        mut records: Vec<T>,
        level: StorageLevel,
    ) -> Result<Self, (Error, Vec<T>)> {
        Self::keep(context, &mut records, level).map_err(|error| (error, records))
    }

    /// Keeps a copy of records that are safe elsewhere, in memory only and as long as others do not need that; nothing
    /// when there is no room for it, or when `level` has no memory.
    ///
    /// Datasets of copies are made with [`RddContext::from_copies`].
    pub fn copy(context: &RddContext, mut records: Vec<T>, level: StorageLevel) -> Option<Self> {
        let level = match (level.uses_memory(), level.is_deserialized()) {
            (false, _) => return None,
            (true, true) => StorageLevel::MEMORY_ONLY,
            (true, false) => StorageLevel::MEMORY_ONLY_SER,
        };
        Self::keep_by(context, &mut records, Policy::of(level, true)).ok()
    }

    /// Empties `records` into a block, or leaves them as they are.
    fn keep(context: &RddContext, records: &mut Vec<T>, level: StorageLevel) -> Result<Self> {
        if level == StorageLevel::NONE {
            return Err(Error::InvalidArgument("a block cannot be kept with storage level NONE".to_owned()));
        }
        Self::keep_by(context, records, Policy::of(level, false))
    }

    fn keep_by(context: &RddContext, records: &mut Vec<T>, policy: Policy<T>) -> Result<Self> {
        let level = policy.level;
        let name = BlockName { rdd: RddId::next(), partition: 0 };
        let not_stored =
            |cause| Error::NotStored { block: name.to_string(), level, cause: Arc::<TaskError>::new(cause) };
        let mut builder = Builder::new(context, name, policy).map_err(not_stored)?;
        if !builder.take(records) {
            for chunk in records.chunks(CHUNK) {
                if !builder.append_encoded(chunk).map_err(not_stored)? {
                    let limit = context.memory().limit();
                    let cause =
                        format!("it does not fit into the {limit} bytes of memory beside what is in use");
                    return Err(not_stored(TaskError::Other(cause.into())));
                }
            }
        }
        let block = builder.finish().map_err(not_stored)?;
        block.make_evictable();
        Ok(block)
    }
}

impl<T: Data> KeptBlock<T> {
    pub(super) fn from_parts(
        context: RddContext,
        name: BlockName,
        policy: Policy<T>,
        records: usize,
        stored: Content<T>,
        memory: Reservation,
    ) -> Self {
        let state = Mutex::new(State { content: Some(stored), memory });
        Self(Arc::new(Shared { context, name, policy, records, state, evictable: OnceLock::new() }))
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.0.records
    }

    /// Whether it has no records.
    pub fn is_empty(&self) -> bool {
        self.0.records == 0
    }

    /// How many bytes it takes where it is now: in memory, of which those of records are an estimate, or on disk.
    pub fn bytes(&self) -> u64 {
        let state = self.0.state.lock();
        match &state.content {
            Some(Content::File(file, _)) => file.bytes(),
            _ => state.memory.bytes() as u64,
        }
    }

    /// The level that it is kept at.
    pub fn level(&self) -> StorageLevel {
        self.0.policy.level
    }

    /// Starts to read it. [`TaskError::BlockLost`] when it is gone or damaged; then it is given up.
    pub(crate) fn open(&self, task: &TaskContext) -> Result<BoxChunks<T>, TaskError> {
        // A handle to the content keeps it from being evicted, so that the lock is not needed to read.
        let content = self.0.state.lock().content.clone();
        let Some(content) = content else { return Err(self.0.block_lost("it was evicted".into())) };
        if let Some(evictable) = self.0.evictable.get() {
            evictable.touch();
        }
        content.open(self, task).map_err(|cause| self.lost(cause))
    }

    /// Gives the block up because it cannot be read.
    pub(super) fn lost(&self, cause: BoxError) -> TaskError {
        tracing::warn!(block = %self.0.name, %cause, "a kept block is lost");
        let mut state = self.0.state.lock();
        let content = state.content.take();
        let bytes = state.memory.bytes();
        state.memory.shrink(bytes);
        drop(state);
        drop(content);
        self.0.block_lost(cause)
    }

    /// Whether there is something to read.
    pub(crate) fn is_there(&self) -> bool {
        self.0.state.lock().content.is_some()
    }

    /// Whether both are handles to the same block.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Lets the block give way to others, if its policy allows that and it is in memory.
    pub(crate) fn make_evictable(&self) {
        let policy = &self.0.policy;
        let bytes = self.0.state.lock().memory.bytes();
        if bytes > 0 && (policy.droppable || policy.on_disk.is_some()) {
            let owner: Arc<dyn Evict> = Arc::<Shared<T>>::clone(&self.0);
            let name = self.0.name;
            let owner = Arc::downgrade(&owner);
            self.0
                .evictable
                .get_or_init(|| self.0.context.memory().register(owner, name.rdd.0, name.partition, bytes));
        }
    }
}

impl<T> Shared<T> {
    fn block_lost(&self, cause: BoxError) -> TaskError {
        TaskError::BlockLost { block: self.name.to_string(), cause }
    }
}

impl<T: Data> Evict for Shared<T> {
    fn evict(&self, partition: usize) -> EvictOutcome {
        let Some(mut state) = self.state.try_lock() else { return EvictOutcome::Refused };
        let Some(content) = state.content.as_ref().filter(|content| !content.is_shared()) else {
            return EvictOutcome::Refused;
        };
        let replacement = match self.policy.on_disk {
            None => None,
            Some(codec) => {
                let compression = self.context.options().compression();
                match content.write(self.context.disk(), compression, codec) {
                    Ok(file) => Some(Content::File(file, codec)),
                    Err(error) => {
                        tracing::warn!(block = %self.name, %error, "a block stays in memory, since it cannot be written");
                        return EvictOutcome::Refused;
                    }
                }
            }
        };
        let to_disk = replacement.is_some();
        let evicted = std::mem::replace(&mut state.content, replacement);
        let bytes = state.memory.bytes();
        state.memory.shrink(bytes);
        drop(state);
        // The records may be dropped at length, and by code of the user.
        drop(evicted);
        let rdd = self.name.rdd;
        self.context.events().post(|| EngineEvent::BlockEvicted { rdd, partition, bytes, to_disk });
        EvictOutcome::Freed(bytes)
    }
}

impl<T> Clone for KeptBlock<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for KeptBlock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{} records, {}]", self.0.name, self.0.records, self.0.policy.level)
    }
}

impl RddContext {
    /// A dataset with one partition for each block. The blocks stay as long as the dataset does.
    ///
    /// ```
    /// # use dstreams_rdd::{StorageLevel, block::kept::KeptBlock};
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let block = KeptBlock::new(&sc, vec![1, 2], StorageLevel::MEMORY_AND_DISK)?;
    /// assert_eq!(sc.from_blocks(vec![block.clone(), block]).collect()?, [1, 2, 1, 2]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn from_blocks<T: Data>(&self, blocks: Vec<KeptBlock<T>>) -> Rdd<T> {
        let partitions = blocks.len();
        let compute =
            move |partition: usize, task: &TaskContext, _operator: usize| blocks[partition].open(task);
        Rdd::new(self, "from_blocks", partitions, None, Vec::new(), compute)
    }

    /// A dataset with one partition for each block that is safe elsewhere. A partition is read from its copy if that is
    /// there, and otherwise from what `open` says. `operator` is what errors call the source.
    ///
    /// ```
    /// # use dstreams_rdd::{StorageLevel, TaskError, block::kept::KeptBlock};
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let copies = vec![KeptBlock::copy(&sc, vec![1, 2], StorageLevel::MEMORY_ONLY), None];
    /// let numbers = sc.from_copies("numbers", copies, |partition| {
    ///     Err(TaskError::Other(format!("there is no copy of {partition}").into()))
    /// });
    /// assert!(numbers.collect().unwrap_err().to_string().contains("there is no copy of 1"));
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn from_copies<T: Data>(
        &self,
        operator: &'static str,
        copies: Vec<Option<KeptBlock<T>>>,
        open: impl Fn(usize) -> Result<BoxChunks<T>, TaskError> + Send + Sync + 'static,
    ) -> Rdd<T> {
        let partitions = copies.len();
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            if let Some(copy) = copies[partition].as_ref().filter(|copy| copy.is_there()) {
                match copy.open(task) {
                    // It was given up meanwhile.
                    Err(TaskError::BlockLost { .. }) => {}
                    opened => return opened,
                }
            }
            Ok(SourceChunks::open(open(partition)?, task, operator))
        };
        Rdd::new(self, operator, partitions, None, Vec::new(), compute)
    }
}
