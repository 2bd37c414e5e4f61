// SPDX-License-Identifier: Apache-2.0
//! `sort_by` and `sort_by_key`: records move to the partition of the range of their key, where they are sorted.

mod external;
mod order;
mod runs;

use std::sync::Arc;

use crate::{
    error::TaskError,
    lineage::Dependency,
    partitioner::{PartitionerId, RangePartitioner},
    prepared::Prepared,
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
    shuffle::{Shuffle, footprint::RecordMeter, router::Router},
};
use order::{ByKeyOf, ByPairKey, SortOrder};

impl<T: Wire> Rdd<T> {
    /// The records in the order of the key that `key` computes of each, across all partitions; those with equal keys
    /// stay in their order. The result has as many partitions as this dataset.
    ///
    /// The first action runs one more job, which samples the keys to find ranges of about equal size. Partitions
    /// that do not fit into the memory budget are sorted on disk, where `key` is called again for a record.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let words = sc.parallelize(["three", "two", "one"].map(String::from));
    /// assert_eq!(words.sort_by(|word| word.len(), true).collect()?, ["two", "one", "three"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn sort_by<K: Data + Ord>(
        &self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
        ascending: bool,
    ) -> Self {
        self.sort_by_with(key, ascending, self.num_partitions())
    }

    /// As [`sort_by`](Self::sort_by), into `partitions` partitions; zero is taken as one.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let sorted = sc.parallelize(0..100).sort_by_with(|n| *n, false, 3);
    /// assert_eq!(sorted.num_partitions(), 3);
    /// assert_eq!(sorted.take(2)?, [99, 98]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn sort_by_with<K: Data + Ord>(
        &self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
        ascending: bool,
        partitions: usize,
    ) -> Self {
        self.sorted("sort_by", ByKeyOf { key, ascending }, ascending, partitions, None)
    }

    fn sorted<O: SortOrder<T>>(
        &self,
        operator: &'static str,
        order: O,
        ascending: bool,
        partitions: usize,
        range_id: Option<u64>,
    ) -> Self {
        let (order, partitions) = (Arc::new(order), partitions.max(1));
        let (parent, keys) = (self.clone(), Arc::clone(&order));
        let id = range_id.unwrap_or_else(RangePartitioner::<O::Key>::next_id);
        let ranges = Prepared::new(move || {
            let keys = Arc::clone(&keys);
            let key = move |record: &T| keys.key(record).into_owned();
            RangePartitioner::sampled(id, &parent, partitions, ascending, key)
        });
        let sampled = ranges.dependency();
        let routing = Arc::clone(&order);
        let shuffle = Shuffle::new(self, move |_| {
            Box::new(ByRange::new(Arc::clone(&ranges), Arc::clone(&routing), partitions))
        });
        let (source, context) = (Arc::clone(&shuffle), self.context().clone());
        let rdd = Rdd::new(
            self.context(),
            operator,
            partitions,
            range_id.map(PartitionerId::Range),
            // In this order: the shuffle needs the ranges.
            vec![sampled, Dependency::Shuffle(Arc::clone(&shuffle) as _)],
            move |partition: usize, task: &TaskContext, operator: usize| {
                let input = source.read(partition, task)?;
                Ok(external::sort(input, &order, &context, task, operator))
            },
        );
        shuffle.read_by(rdd.lineage());
        rdd
    }
}

impl<K: Wire + Ord, V: Wire> Rdd<(K, V)> {
    /// The pairs in the order of their keys, across all partitions; see [`sort_by`](Rdd::sort_by).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(2, 'b'), (3, 'c'), (1, 'a')]);
    /// assert_eq!(pairs.sort_by_key(true).values().collect()?, ['a', 'b', 'c']);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn sort_by_key(&self, ascending: bool) -> Self {
        self.sort_by_key_with(ascending, self.num_partitions())
    }

    /// As [`sort_by_key`](Self::sort_by_key), into `partitions` partitions; zero is taken as one.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let pairs = sc.parallelize([(2, 'b'), (3, 'c'), (1, 'a')]).sort_by_key_with(false, 1);
    /// assert_eq!(pairs.glom().collect()?, [[(3, 'c'), (2, 'b'), (1, 'a')]]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn sort_by_key_with(&self, ascending: bool, partitions: usize) -> Self {
        let id = RangePartitioner::<K>::next_id();
        self.sorted("sort_by_key", ByPairKey { ascending }, ascending, partitions, Some(id))
    }
}

/// Sends records to the partition of the range of their key.
struct ByRange<T, O: SortOrder<T>> {
    ranges: Arc<Prepared<RangePartitioner<O::Key>>>,
    order: Arc<O>,
    buckets: Vec<Vec<T>>,
    meter: RecordMeter,
}

impl<T, O: SortOrder<T>> ByRange<T, O> {
    fn new(ranges: Arc<Prepared<RangePartitioner<O::Key>>>, order: Arc<O>, partitions: usize) -> Self {
        let buckets = (0..partitions).map(|_| Vec::new()).collect();
        Self { ranges, order, buckets, meter: RecordMeter::default() }
    }
}

impl<T: Wire, O: SortOrder<T>> Router<T, T> for ByRange<T, O> {
    fn route(&mut self, records: &mut Vec<T>) -> Result<(), TaskError> {
        self.meter.count(records);
        let ranges = self.ranges.get();
        for record in records.drain(..) {
            let range = ranges.range_of(&self.order.key(&record));
            self.buckets[range].push(record);
        }
        Ok(())
    }

    fn records(&self) -> usize {
        self.meter.records()
    }

    fn bytes(&self) -> usize {
        self.meter.bytes::<T>()
    }

    fn take(&mut self) -> Result<Vec<Vec<T>>, TaskError> {
        self.meter.reset();
        let next = (0..self.buckets.len()).map(|_| Vec::new()).collect();
        Ok(std::mem::replace(&mut self.buckets, next))
    }
}
