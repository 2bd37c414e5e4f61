// SPDX-License-Identifier: Apache-2.0
//! `coalesce`: fewer partitions without a shuffle.

use std::sync::Arc;

use super::union::ConcatChunks;
use crate::{chunk::BoxChunks, lineage::Dependency, rdd::Rdd, record::Data, scheduler::task::TaskContext};

impl<T: Data> Rdd<T> {
    /// The same records in `partitions` partitions, each the concatenation of neighbouring ones: partition i of p
    /// takes those from ⌊i·n/p⌋ to ⌊(i+1)·n/p⌋. No record moves, so the number can only decrease: a larger one
    /// gives the dataset unchanged, and zero is taken as one.
    ///
    /// All work above runs in as many tasks as there are partitions left; to keep it parallel use `repartition`.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let three = sc.parallelize_in(1..=10, 10).coalesce(3);
    /// assert_eq!(three.glom().map(|part| part.len()).collect()?, [3, 3, 4]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn coalesce(&self, partitions: usize) -> Self {
        let (parents, partitions) = (self.num_partitions(), partitions.max(1));
        if partitions >= parents {
            return self.clone();
        }
        let parent = self.clone();
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            let group = (partition * parents / partitions)..((partition + 1) * parents / partitions);
            let parts = group.map(|index| (parent.clone(), index)).collect();
            Ok(Box::new(ConcatChunks::new(parts, task)) as BoxChunks<T>)
        };
        let dependencies = vec![Dependency::Narrow(Arc::clone(self.lineage()))];
        Rdd::new(self.context(), "coalesce", partitions, None, dependencies, compute)
    }
}
