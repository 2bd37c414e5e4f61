// SPDX-License-Identifier: Apache-2.0
//! Keeping the partitions of a dataset: storage levels, eviction, recomputation.

pub(crate) mod checkpoint;
mod level;
mod local_checkpoint;
mod slots;

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::{
    block::policy::Policy,
    chunk::BoxChunks,
    error::TaskError,
    lineage::Materialized,
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
};
use slots::Slots;

pub use level::StorageLevel;

impl<T: Data> Rdd<T> {
    /// Keeps the partitions in memory as records, as [`MEMORY_ONLY`](StorageLevel::MEMORY_ONLY) of
    /// [`persist`](Self::persist) does, for records of any type.
    ///
    /// Nothing is known of such records but their size in memory, which is what they are charged with: for records that
    /// own much data elsewhere, `persist` knows better.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let computed = sc.accumulator("computed", 0, |a, b| *a += b);
    /// let counter = computed.clone();
    /// let squares = sc.parallelize(1..=3).map(move |n| { counter.add(1); n * n }).cache();
    /// assert_eq!(squares.collect()?, squares.collect()?);
    /// assert_eq!(computed.value(), 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn cache(&self) -> Self {
        self.keep(Policy::records());
        self.clone()
    }

    /// Forgets what is kept, and keeps no more. Tasks that are reading it go on.
    ///
    /// Without effect after a [`local_checkpoint`](Self::local_checkpoint): what is kept is then all there is.
    ///
    /// ```
    /// # use dstreams_rdd::StorageLevel;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.parallelize(1..=3).cache();
    /// assert_eq!(rdd.unpersist().storage_level(), StorageLevel::NONE);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn unpersist(&self) -> Self {
        let mut kept = self.storage().slots.write();
        if kept.as_ref().is_some_and(|slots| !slots.policy.droppable) {
            tracing::warn!(rdd = %self.lineage(), "stays kept, since a local checkpoint needs it");
            return self.clone();
        }
        let forgotten = kept.take();
        self.lineage().set_storage(None);
        drop(kept);
        drop(forgotten);
        self.clone()
    }

    /// Forgets what is kept so far, and keeps anew what is computed from now on: for a dataset that hardly anybody will
    /// ask for any more. Tasks that are reading it go on.
    ///
    /// Without effect after a [`local_checkpoint`](Self::local_checkpoint): what is kept is then all there is.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.parallelize(1..=3).cache();
    /// assert_eq!(rdd.count()?, 3);
    /// rdd.discard_kept();
    /// assert!(!rdd.is_kept());
    /// assert_eq!(rdd.collect()?, [1, 2, 3]);
    /// assert!(rdd.is_kept());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn discard_kept(&self) {
        let mut kept = self.storage().slots.write();
        let Some(policy) = kept.as_ref().map(|slots| slots.policy).filter(|policy| policy.droppable) else {
            return;
        };
        let discarded = kept.replace(self.new_slots(policy));
        drop(kept);
        drop(discarded);
    }

    /// Gives up what the shuffles hold that the dataset reads: its own, and those of the datasets it is made from that
    /// have the same owner (see [`owned_by`](crate::owned_by)) and are not kept. Who reads it again has them run again.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let counts = sc.parallelize(["a", "b", "a"].map(|s| (s.to_owned(), 1))).reduce_by_key(|a, b| a + b);
    /// assert_eq!(counts.count()?, 2);
    /// assert!(sc.memory().used() > 0);
    /// counts.discard_shuffles();
    /// assert_eq!(sc.memory().used(), 0);
    /// assert_eq!(counts.count()?, 2);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn discard_shuffles(&self) {
        self.lineage().release_shuffles();
    }

    /// Whether all partitions are kept now, so that nothing needs to be computed to read them.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.parallelize(1..=3).cache();
    /// assert!(!rdd.is_kept());
    /// assert_eq!(rdd.count()?, 3);
    /// assert!(rdd.is_kept());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn is_kept(&self) -> bool {
        self.storage().slots.read().as_ref().is_some_and(|slots| slots.missing().is_empty())
    }

    /// Where the partitions are kept; [`StorageLevel::NONE`] if they are not.
    ///
    /// ```
    /// # use dstreams_rdd::StorageLevel;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.parallelize(1..=3);
    /// assert_eq!(rdd.storage_level(), StorageLevel::NONE);
    /// assert_eq!(rdd.cache().storage_level(), StorageLevel::MEMORY_ONLY);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn storage_level(&self) -> StorageLevel {
        self.storage().slots.read().as_ref().map_or(StorageLevel::NONE, |slots| slots.policy.level)
    }

    fn keep(&self, policy: Policy<T>) {
        let mut kept = self.storage().slots.write();
        match &*kept {
            Some(slots) if slots.policy.level == policy.level => {}
            Some(slots) => {
                let (present, refused) = (slots.policy.level, policy.level);
                tracing::warn!(rdd = %self.lineage(), %present, %refused, "a storage level is not changed; unpersist first");
            }
            None => *kept = Some(self.new_slots(policy)),
        }
    }

    /// Room for the partitions, of which the scheduler knows from now on.
    fn new_slots(&self, policy: Policy<T>) -> Arc<Slots<T>> {
        let slots = Arc::new(Slots::new(policy, self.num_partitions()));
        let known: Arc<dyn Materialized> = Arc::<Slots<T>>::clone(&slots);
        let known: Weak<dyn Materialized> = Arc::downgrade(&known);
        self.lineage().set_storage(Some(known));
        slots
    }
}

impl<T: Wire> Rdd<T> {
    /// Keeps the partitions at `level`, each from when a task first computes it. Returns a handle to the same dataset.
    ///
    /// When memory is short, the partitions used least recently leave it, except those of the dataset that needs the
    /// room: to disk, or for good if the level has no disk; then they are computed again when they are needed. The same
    /// holds for what is lost or damaged on disk.
    ///
    /// Where a level has a disk, the outputs of the shuffle that the dataset reads are given up once all partitions are kept.
    ///
    /// A level stays until [`unpersist`](Self::unpersist); a different one meanwhile is ignored with a warning.
    ///
    /// ```
    /// # use dstreams_rdd::StorageLevel;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let words = sc.parallelize(["to".to_owned(), "be".to_owned()]).persist(StorageLevel::MEMORY_AND_DISK_SER);
    /// assert_eq!(words.count()?, 2);
    /// assert_eq!(words.collect()?, ["to", "be"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn persist(&self, level: StorageLevel) -> Self {
        if level != StorageLevel::NONE {
            self.keep(Policy::of(level, true));
        }
        self.clone()
    }
}

/// What a dataset keeps of its partitions.
pub(crate) struct Storage<T> {
    slots: RwLock<Option<Arc<Slots<T>>>>,
}

impl<T> Default for Storage<T> {
    fn default() -> Self {
        Self { slots: RwLock::new(None) }
    }
}

impl<T: Data> Storage<T> {
    pub(crate) fn read_or_compute(
        &self,
        rdd: &Rdd<T>,
        partition: usize,
        task: &TaskContext,
    ) -> Result<BoxChunks<T>, TaskError> {
        let slots = self.slots.read().clone();
        match slots {
            Some(slots) => slots.read_or_compute(rdd, partition, task),
            None => rdd.compute_chunks(partition, task),
        }
    }
}
