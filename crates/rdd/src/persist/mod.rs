// SPDX-License-Identifier: Apache-2.0
//! Keeping the partitions of a dataset: storage levels, eviction, recomputation.

mod level;

use crate::{
    chunk::BoxChunks,
    error::TaskError,
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
};

pub use level::StorageLevel;

impl<T: Data> Rdd<T> {
    /// Keeps the partitions in memory.
    pub fn cache(&self) -> Self {
        self.clone()
    }
}

impl<T: Wire> Rdd<T> {
    /// Keeps the partitions at `level`.
    pub fn persist(&self, _level: StorageLevel) -> Self {
        self.clone()
    }
}

/// What a dataset keeps of its partitions.
pub(crate) struct Storage<T> {
    marker: std::marker::PhantomData<fn() -> T>,
}

impl<T> Default for Storage<T> {
    fn default() -> Self {
        Self { marker: std::marker::PhantomData }
    }
}

impl<T: Data> Storage<T> {
    pub(crate) fn read_or_compute(
        &self,
        rdd: &Rdd<T>,
        partition: usize,
        task: &TaskContext,
    ) -> Result<BoxChunks<T>, TaskError> {
        rdd.compute_chunks(partition, task)
    }
}
