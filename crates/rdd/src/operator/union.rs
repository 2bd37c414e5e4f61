// SPDX-License-Identifier: Apache-2.0
//! `union`: the records of several datasets in one, without moving any.

use std::sync::Arc;

use crate::{
    chunk::{BoxChunks, Chunks},
    context::RddContext,
    error::TaskError,
    lineage::Dependency,
    partitioner::PartitionerId,
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

impl<T: Data> Rdd<T> {
    /// The records of this dataset and then those of `other`; equal records are all kept. The partitions of both
    /// become the partitions of the result, unless both are [partitioned alike](RddContext::union).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let both = sc.parallelize_in([1, 2], 2).union(&sc.parallelize_in([2, 3], 1));
    /// assert_eq!(both.collect()?, [1, 2, 2, 3]);
    /// assert_eq!(both.num_partitions(), 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn union(&self, other: &Self) -> Self {
        self.context().union([self.clone(), other.clone()])
    }
}

impl RddContext {
    /// The records of all `rdds`, dataset after dataset, without moving any: the partitions of the first dataset come
    /// first.
    ///
    /// When all datasets that have partitions share one partitioner, the result keeps it: partition i then holds
    /// the records of the partitions i of all datasets.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let parts = [sc.parallelize_in([1, 2], 2), sc.empty(), sc.parallelize_in([3], 1)];
    /// assert_eq!(sc.union(parts).glom().collect()?, [[1], [2], [3]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn union<T: Data>(&self, rdds: impl IntoIterator<Item = Rdd<T>>) -> Rdd<T> {
        let mut rdds: Vec<_> = rdds.into_iter().filter(|rdd| rdd.num_partitions() > 0).collect();
        if rdds.len() == 1 {
            return rdds.swap_remove(0);
        }
        let dependencies = rdds.iter().map(|rdd| Dependency::Narrow(Arc::clone(rdd.lineage()))).collect();
        match common_partitioner(&rdds) {
            Some(partitioner) => self.union_alike(rdds, partitioner, dependencies),
            None => self.union_in_turn(rdds, dependencies),
        }
    }

    fn union_in_turn<T: Data>(&self, rdds: Vec<Rdd<T>>, dependencies: Vec<Dependency>) -> Rdd<T> {
        // Where the partitions of each dataset end among those of the union.
        let ends: Vec<usize> = rdds
            .iter()
            .scan(0, |end, rdd| {
                *end += rdd.num_partitions();
                Some(*end)
            })
            .collect();
        let partitions = ends.last().copied().unwrap_or(0);
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            let index = ends.partition_point(|&end| end <= partition);
            let rdd = &rdds[index];
            rdd.chunks(partition + rdd.num_partitions() - ends[index], task)
        };
        Rdd::new(self, "union", partitions, None, dependencies, compute)
    }

    fn union_alike<T: Data>(
        &self,
        rdds: Vec<Rdd<T>>,
        partitioner: PartitionerId,
        dependencies: Vec<Dependency>,
    ) -> Rdd<T> {
        let partitions = rdds[0].num_partitions();
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            let parts = rdds.iter().map(|rdd| (rdd.clone(), partition)).collect();
            Ok(Box::new(ConcatChunks::new(parts, task)) as BoxChunks<T>)
        };
        Rdd::new(self, "union", partitions, Some(partitioner), dependencies, compute)
    }
}

fn common_partitioner<T: Data>(rdds: &[Rdd<T>]) -> Option<PartitionerId> {
    let (first, others) = rdds.split_first()?;
    let common = first.partitioner()?;
    let alike =
        |rdd: &Rdd<T>| rdd.partitioner() == Some(common) && rdd.num_partitions() == first.num_partitions();
    others.iter().all(alike).then(|| common.clone())
}

/// The records of several partitions in turn. Each partition is started when the one before it has ended, so that
/// only one at a time holds memory.
pub(super) struct ConcatChunks<T> {
    current: Option<BoxChunks<T>>,
    waiting: std::vec::IntoIter<(Rdd<T>, usize)>,
    task: TaskContext,
}

impl<T> ConcatChunks<T> {
    pub(super) fn new(parts: Vec<(Rdd<T>, usize)>, task: &TaskContext) -> Self {
        Self { current: None, waiting: parts.into_iter(), task: task.clone() }
    }
}

impl<T: Data> Chunks<T> for ConcatChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        loop {
            if let Some(current) = &mut self.current
                && current.next_chunk(out)?
            {
                return Ok(true);
            }
            // What has ended must free its memory before the next partition starts.
            self.current = None;
            let Some((rdd, partition)) = self.waiting.next() else { return Ok(false) };
            self.current = Some(rdd.chunks(partition, &self.task)?);
        }
    }
}
