// SPDX-License-Identifier: Apache-2.0
//! `local_checkpoint`: cutting the lineage of a dataset at what the process itself keeps of it.

use std::sync::Arc;

use super::{StorageLevel, checkpoint::Mark};
use crate::{
    block::policy::Policy,
    chunk::for_each_slice,
    error::{Result, TaskError},
    rdd::Rdd,
    record::Wire,
    scheduler::task::TaskContext,
};

impl<T: Wire> Rdd<T> {
    /// Marks the dataset to forget, after the next action that uses it, what it was computed from.
    ///
    /// Its partitions are kept in memory and on disk from now on, at its storage level with disk added (what was kept
    /// without disk so far is forgotten). That is faster than a [`checkpoint`](Self::checkpoint) and needs no
    /// directory; but a partition that is damaged cannot be made again, and tasks that need it fail.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let squares = sc.parallelize(1..=3).map(|n| n * n).local_checkpoint();
    /// assert_eq!(squares.collect()?, [1, 4, 9]);
    /// assert!(squares.is_checkpointed() && squares.lineage().dependencies().is_empty());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn local_checkpoint(&self) -> Self {
        if !self.is_checkpointed() && !self.lineage().is_marked() {
            let mut kept = self.storage().slots.write();
            let level = kept.as_ref().map_or(StorageLevel::MEMORY_AND_DISK, |slots| slots.policy.level);
            let forgotten = kept.replace(self.new_slots(Policy::of(level.with_disk(), false)));
            drop(kept);
            drop(forgotten);
            self.lineage().mark(Mark::boxed(self, cut_at_kept));
        }
        self.clone()
    }
}

/// Computes the partitions that are not kept, and cuts the lineage.
fn cut_at_kept<T: Wire>(rdd: &Rdd<T>) -> Result<()> {
    let missing = rdd.storage().slots.read().as_ref().map_or_else(Vec::new, |slots| slots.missing());
    rdd.run_only(&missing, |mut chunks, _| for_each_slice(&mut *chunks, |_| Ok(())))?;
    let name = rdd.lineage().to_string();
    rdd.cut_lineage(Arc::new(move |partition: usize, _: &TaskContext, _: usize| {
        let cause = "it was checkpointed locally, and what it was computed from is forgotten; a checkpoint in a directory would have been safe";
        Err(TaskError::BlockLost { block: format!("partition {partition} of {name}"), cause: cause.into() })
    }));
    Ok(())
}
